//! The operators' door: `GET /metrics` for Prometheus, `GET /status` for `synod status`. Plain HTTP/1.0, one request a
//! connection, read-only.

use super::backend::Gateway;
use super::places;
use crate::server::Backend as _;
use crate::tls::Door;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::time::Duration;
use synod_host::Counters;
use synod_shardedstore::Server;
use synod_store::Keyspace;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A request that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(2);
/// A longer request is none of ours.
const REQUEST_BYTES_MAX: usize = 4096;

/// The role in the configuration service of a node that has no member of it.
pub(crate) const NO_MEMBER: &str = "no member";

/// The status of a node, as it reports it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The node's number.
    pub node: u32,
    /// Its keys, in all groups.
    pub keys: u64,
    /// Requests of its clients that are not answered.
    pub requests_open: usize,
    /// The peers that it can send to.
    pub connected: Vec<u32>,
    /// So many ms is the wall clock of each node, itself among them, ahead of what a majority agrees on. None while
    /// that is not known. No clock decides anything alone.
    #[serde(default)]
    pub clock_offsets_ms: Vec<(u32, i64)>,
    /// The longest that one disk batch took, in microseconds.
    pub disk_us_max: u64,
    /// Its role in the configuration service.
    pub service_role: String,
    /// The newest configuration that it knows: its number and its slots as runs.
    pub configuration: Option<(u64, String)>,
    /// The groups that have a member here; none while the node starts.
    pub groups: Vec<GroupStatus>,
}

impl NodeStatus {
    /// The status of one group; `None` if it has no member on this node.
    pub fn group(&self, number: u32) -> Option<&GroupStatus> {
        self.groups.iter().find(|group| group.group == number)
    }
}

/// What a node says of a group that has a member here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GroupStatus {
    /// The group's number.
    pub group: u32,
    /// How many members it has, as far as it knows.
    #[serde(default)]
    pub members: usize,
    /// Leader, follower, candidate or rejoining; retired, once another node has its place.
    pub role: String,
    /// Which node leads, as far as it knows.
    pub leader: Option<u32>,
    /// The ballot that it promised.
    pub ballot: String,
    /// It knows what is chosen up to this place in the log, and has executed it.
    pub chosen_through: u64,
    /// The last place of its log.
    pub log_end: u64,
    /// The places that its log holds.
    pub log_slots: u64,
    /// Its keys.
    pub keys: u64,
    /// The configuration that it carries out, or has.
    pub configuration: Option<u64>,
    /// The slots whose data it has.
    pub slots: usize,
    /// Those of them that belong to others now.
    pub leaving: usize,
    /// The slots that are on their way to it.
    pub coming: usize,
    /// Open transactions, as coordinator and as participant.
    pub transactions: (usize, usize),
}

impl GroupStatus {
    /// Whether this node leads the group.
    pub fn leads(&self) -> bool {
        self.role == "leader"
    }
}

/// Serves operators until the process ends.
pub(super) async fn serve(listener: TcpListener, door: Door, gateway: Gateway) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (door, gateway) = (door.clone(), gateway.clone());
                tokio::task::spawn_local(async move {
                    let _ = timeout(PATIENCE, answer(stream, &door, &gateway)).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "an operator's connection could not be accepted");
                tokio::time::sleep(PATIENCE).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, door: &Door, gateway: &Gateway) -> std::io::Result<()> {
    let mut stream = door.admit(stream).await?;
    let mut request = Vec::new();
    while !request.windows(2).any(|pair| pair == b"\r\n") && request.len() < REQUEST_BYTES_MAX {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let line = String::from_utf8_lossy(&request);
    let path = line.split(' ').nth(1).unwrap_or_default();
    let (code, kind, body) = match path {
        "/metrics" => ("200 OK", "text/plain; version=0.0.4", metrics(gateway)),
        "/status" => {
            let text = serde_json::to_string(&status(gateway)).unwrap_or_default();
            ("200 OK", "application/json", text)
        }
        _ => ("404 Not Found", "text/plain", "there are /metrics and /status\n".to_owned()),
    };
    let head = format!("HTTP/1.0 {code}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

fn status(gateway: &Gateway) -> NodeStatus {
    let cluster = gateway.cluster();
    let numbers = &gateway.nodes().numbers;
    let connected = numbers.iter().zip(&cluster.nodes).enumerate();
    let connected = connected.filter(|(index, (_, node))| node.is_connected && *index != cluster.myself);
    let connected = connected.map(|(_, (number, _))| *number).collect();
    let here = gateway.groups_here();
    let groups: Vec<GroupStatus> = here.iter().map(|group| gateway.look(*group, group_status)).collect();
    let service_role = gateway.look_at_service(|member| member.paxos().role_name());
    let service_role = service_role.unwrap_or(NO_MEMBER).to_owned();
    let configuration = gateway.newest().map(|newest| (newest.number, format!("{:?}", newest.slots)));
    NodeStatus {
        node: gateway.me(),
        keys: groups.iter().filter(|group| group.role != "retired").map(|group| group.keys).sum(),
        requests_open: gateway.requests().0,
        connected,
        clock_offsets_ms: gateway.clock_offsets_ms(),
        disk_us_max: gateway.counters().disk_us_max,
        service_role,
        configuration,
        groups,
    }
}

fn group_status(server: &Server<Keyspace>) -> GroupStatus {
    let (paxos, state) = (server.paxos(), server.state());
    let (leaving, coming) = state.moving();
    GroupStatus {
        group: server.group().0,
        members: paxos.members().len(),
        role: paxos.role_name().to_owned(),
        leader: server.leader().map(places::node_of),
        ballot: paxos.promised().to_string(),
        chosen_through: paxos.chosen_through().0,
        log_end: paxos.log().last().0,
        log_slots: paxos.log().slots(),
        keys: state.store().len(),
        configuration: state.configuration().map(|configuration| configuration.number),
        slots: state.held().count(),
        leaving,
        coming,
        transactions: state.transactions(),
    }
}

fn metrics(gateway: &Gateway) -> String {
    let status = status(gateway);
    let counters = gateway.counters();
    let (open, refused, timed_out) = gateway.requests();
    let mut text = String::new();
    let mut put = |name: &str, kind: &str, what: &str, value: u64| {
        let _ =
            writeln!(text, "# HELP synod_{name} {what}\n# TYPE synod_{name} {kind}\nsynod_{name} {value}");
    };
    put("keys", "gauge", "Keys, in all groups", status.keys);
    put("peers_connected", "gauge", "Peers that this node can send to", status.connected.len() as u64);
    put("requests_open", "gauge", "Requests of clients that are not answered", open as u64);
    put("requests_refused_total", "counter", "Requests refused because too many waited", refused);
    put("requests_timed_out_total", "counter", "Requests not answered in time", timed_out);
    put("steps_total", "counter", "Steps of the protocol", counters.steps);
    put("long_steps_total", "counter", "Steps that took more than 20 ms", counters.long_steps);
    put("step_us_max", "gauge", "The longest that one step took, in microseconds", counters.step_us_max);
    put("frames_received_total", "counter", "Messages from peers", counters.frames_received);
    put("received_bytes_total", "counter", "Bytes from peers", counters.bytes_received);
    put("frames_sent_total", "counter", "Messages to peers", counters.frames_sent);
    put(
        "frames_dropped_total",
        "counter",
        "Messages not sent: peer away or buffer full",
        counters.frames_dropped,
    );
    put_transfers(&counters, &mut put);
    put("disk_batches_total", "counter", "Batches made durable", counters.disk_batches);
    put("disk_records_total", "counter", "Records made durable", counters.disk_records);
    put("disk_bytes_total", "counter", "Bytes made durable", counters.disk_bytes);
    put("disk_us_max", "gauge", "The longest that one batch took, in microseconds", counters.disk_us_max);
    put("checkpoints_total", "counter", "Checkpoints stored", counters.checkpoints);
    let what = "Checkpoints stored because their nodes' records kept the journal long";
    put("compactions_total", "counter", what, counters.compactions);
    put(
        "late_us_max",
        "gauge",
        "By how much a timer fired late at most, in microseconds",
        counters.late_us_max,
    );
    put("stalls_total", "counter", "Timers that fired more than 100 ms late", counters.stalls);
    put_groups(&status.groups, &mut text);
    let what = "So many seconds is the wall clock of a node ahead of what a majority agrees on";
    let _ = writeln!(text, "# HELP synod_clock_offset_seconds {what}");
    let _ = writeln!(text, "# TYPE synod_clock_offset_seconds gauge");
    for (node, offset_ms) in &status.clock_offsets_ms {
        let seconds = *offset_ms as f64 / 1_000.0;
        let _ = writeln!(text, "synod_clock_offset_seconds{{node=\"{node}\"}} {seconds}");
    }
    let _ = writeln!(text, "# HELP synod_peers_refused_total Connections refused or dropped, by reason");
    let _ = writeln!(text, "# TYPE synod_peers_refused_total counter");
    for (reason, count) in &counters.refused {
        let _ = writeln!(text, "synod_peers_refused_total{{reason=\"{reason}\"}} {count}");
    }
    text
}

fn put_transfers(counters: &Counters, put: &mut impl FnMut(&str, &str, &str, u64)) {
    let figures = [
        ("states_received_total", "Messages that hold a state, from peers", counters.transfers_received),
        ("states_sent_total", "Messages that hold a state, that reached peers", counters.transfers_sent),
        (
            "states_given_up_total",
            "Messages that hold a state, that did not reach peers",
            counters.transfers_given_up,
        ),
        ("state_parts_received_total", "Parts of states, from peers", counters.parts_received),
        ("state_parts_sent_total", "Parts of states, to peers", counters.parts_sent),
    ];
    for (name, what, value) in figures {
        put(name, "counter", what, value);
    }
}

type Figure = (&'static str, &'static str, fn(&GroupStatus) -> u64);

fn put_groups(groups: &[GroupStatus], text: &mut String) {
    let figures: [Figure; 9] = [
        ("group_is_leader", "1 if this node leads the group", |group| u64::from(group.leads())),
        ("group_members", "Members of the group", |group| group.members as u64),
        ("group_chosen_through", "The last entry of the group's log that this node has executed", |group| {
            group.chosen_through
        }),
        ("group_log_slots", "Entries of the group's log that this node keeps", |group| group.log_slots),
        ("group_keys", "Keys of the group", |group| group.keys),
        ("group_slots", "Slots whose data the group has", |group| group.slots as u64),
        ("group_slots_leaving", "Slots of the group that belong to others now", |group| group.leaving as u64),
        ("group_slots_coming", "Slots on their way to the group", |group| group.coming as u64),
        ("group_transactions", "Open transactions across groups that the group coordinates", |group| {
            group.transactions.0 as u64
        }),
    ];
    for (name, what, figure) in figures {
        let _ = writeln!(text, "# HELP synod_{name} {what}\n# TYPE synod_{name} gauge");
        for group in groups {
            let _ = writeln!(text, "synod_{name}{{group=\"{}\"}} {}", group.group, figure(group));
        }
    }
}
