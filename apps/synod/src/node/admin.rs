//! The operators' door: `GET /metrics` for Prometheus, `GET /status` for `synod status`. Plain HTTP/1.0, one request a
//! connection, read-only.

use super::backend::Gateway;
use crate::server::Backend as _;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::time::Duration;
use synod_node::NodeId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A request that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(2);
/// A longer request is none of ours.
const REQUEST_BYTES_MAX: usize = 4096;

/// What a node says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The node's number.
    pub node: u32,
    /// Leader, follower, candidate or rejoining.
    pub role: String,
    /// Who leads, as far as it knows.
    pub leader: Option<u32>,
    /// The ballot that it promised.
    pub ballot: String,
    /// It knows what is chosen up to this slot, and has executed it.
    pub chosen_through: u64,
    /// The last slot of its log.
    pub log_end: u64,
    /// The slots that its log holds.
    pub log_slots: u64,
    /// Its keys.
    pub keys: u64,
    /// Requests of its clients that are not answered.
    pub requests_open: usize,
    /// The peers that it can send to.
    pub connected: Vec<u32>,
    /// The longest that one disk batch took, in microseconds.
    pub disk_us_max: u64,
}

/// Serves operators until the process ends.
pub(super) async fn serve(listener: TcpListener, gateway: Gateway) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let gateway = gateway.clone();
                tokio::task::spawn_local(async move {
                    let _ = timeout(PATIENCE, answer(stream, &gateway)).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "an operator's connection could not be accepted");
                tokio::time::sleep(PATIENCE).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, gateway: &Gateway) -> std::io::Result<()> {
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
    let ids = &gateway.members().ids;
    let connected = ids.iter().zip(&cluster.nodes).enumerate();
    let connected = connected.filter(|(index, (_, node))| node.is_connected && *index != cluster.myself);
    let connected = connected.map(|(_, (id, _))| id.number()).collect();
    let disk_us_max = gateway.counters().disk_us_max;
    let requests_open = gateway.requests().0;
    gateway.look(|server| NodeStatus {
        node: server.id().number(),
        role: server.role_name().to_owned(),
        leader: server.leader().map(NodeId::number),
        ballot: server.promised().to_string(),
        chosen_through: server.chosen_through().0,
        log_end: server.log().last().0,
        log_slots: server.log().slots(),
        keys: server.replica().machine().len(),
        requests_open,
        connected,
        disk_us_max,
    })
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
    put("is_leader", "gauge", "1 if this node leads", u64::from(status.role == "leader"));
    put(
        "chosen_through",
        "gauge",
        "The last slot known to be chosen, which is executed",
        status.chosen_through,
    );
    put("log_slots", "gauge", "Slots in the log", status.log_slots);
    put("keys", "gauge", "Keys", status.keys);
    put("peers_connected", "gauge", "Peers that this node can send to", status.connected.len() as u64);
    put("requests_open", "gauge", "Requests of clients that are not answered", open as u64);
    put("requests_refused_total", "counter", "Requests refused because too many waited", refused);
    put("requests_timed_out_total", "counter", "Requests not answered in time", timed_out);
    put("steps_total", "counter", "Steps of the protocol", counters.steps);
    put("frames_received_total", "counter", "Messages from peers", counters.frames_received);
    put("received_bytes_total", "counter", "Bytes from peers", counters.bytes_received);
    put("frames_sent_total", "counter", "Messages to peers", counters.frames_sent);
    put(
        "frames_dropped_total",
        "counter",
        "Messages not sent: peer away or buffer full",
        counters.frames_dropped,
    );
    put("disk_batches_total", "counter", "Batches made durable", counters.disk_batches);
    put("disk_records_total", "counter", "Records made durable", counters.disk_records);
    put("disk_bytes_total", "counter", "Bytes made durable", counters.disk_bytes);
    put("disk_us_max", "gauge", "The longest that one batch took, in microseconds", counters.disk_us_max);
    put("checkpoints_total", "counter", "Checkpoints stored", counters.checkpoints);
    let _ = writeln!(text, "# HELP synod_peers_refused_total Connections refused or dropped, by reason");
    let _ = writeln!(text, "# TYPE synod_peers_refused_total counter");
    for (reason, count) in &counters.refused {
        let _ = writeln!(text, "synod_peers_refused_total{{reason=\"{reason}\"}} {count}");
    }
    text
}
