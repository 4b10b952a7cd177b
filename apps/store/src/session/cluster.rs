//! `CLUSTER`: the leader of the group that serves a slot is shown as that slot's master. A node may lead several groups, and
//! is then the master of the slots of all of them; one that leads none is shown as a replica of each, since it has a copy of
//! everything. Any node takes any command and passes it on, so what a client learns here makes it quicker, not right.
//!
//! # Redirection
//! `MOVED` is advice here. A client that once asked for the slots follows them, so it is told when its knowledge is old: a
//! command on one slot that another node leads is answered by `MOVED`, at most once a second and connection. Whatever else
//! comes to the wrong node is passed on: a client that never asked is not redirected at all, nodes that do not agree yet
//! who leads send nobody around in circles, and what names several slots has no node where it belongs. A slot that is on
//! its way is waited for, so no node answers `ASK`.

use super::{Action, Purpose, Session};
use crate::operation::Operation;
use crate::parse_keys::{unknown_subcommand, wrong_subcommand_arity};
use crate::strings::NOT_AN_INTEGER;
use crate::{Cluster, ClusterNode, Environment, SLOT_COUNT, SlotId, SlotRun};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use synod_resp::{Args, Reply, parse_integer};

/// How often it is looked at most whether a client sends its commands where they belong.
const LOOK_PAUSE_MS: u64 = 1_000;

/// The subcommands and how many words each takes.
const SUBCOMMANDS: [(&str, usize); 9] = [
    ("slots", 2),
    ("shards", 2),
    ("nodes", 2),
    ("info", 2),
    ("myid", 2),
    ("keyslot", 3),
    ("countkeysinslot", 3),
    ("getkeysinslot", 4),
    ("count-failure-reports", 3),
];

impl Session {
    pub(super) fn describe_cluster(&mut self, args: Args<'_>, environment: &Environment<'_>) -> Action {
        let word = args.get(1).unwrap_or_default();
        let Some((name, words)) =
            SUBCOMMANDS.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
        else {
            return Action::Reply(unknown_subcommand("CLUSTER", word));
        };
        if args.len() != words {
            return Action::Reply(wrong_subcommand_arity("cluster", name));
        }
        let cluster = environment.facts.cluster();
        if ["slots", "shards", "nodes"].contains(&name) {
            self.looks_at_ms = Some(environment.monotonic_ms);
        }
        Action::Reply(match name {
            "slots" => slots(&cluster),
            "shards" => shards(&cluster, environment),
            "nodes" => Reply::Verbatim(node_lines(&cluster).into_bytes().into()),
            "info" => Reply::Verbatim(info_lines(&cluster).into_bytes().into()),
            "myid" => Reply::bulk(&cluster.nodes[cluster.myself].id),
            "keyslot" => Reply::Integer(SlotId::of(&args[2]).number().into()),
            "count-failure-reports" => Reply::Integer(0),
            _ => return self.ask_slot(args),
        })
    }

    /// Sends a client that follows the slots to the node that leads the one slot of `operation`, if that is another, and
    /// if it is time to look.
    pub(super) fn redirect(
        &mut self,
        operation: &Operation<'_>,
        environment: &Environment<'_>,
    ) -> Option<Reply> {
        self.looks_at_ms.filter(|at_ms| *at_ms <= environment.monotonic_ms)?;
        let mut slots = BTreeSet::new();
        operation.for_each_key(&mut |key| _ = slots.insert(SlotId::of(key)));
        let slot = slots.pop_first().filter(|_| slots.is_empty())?.number();
        self.looks_at_ms = Some(environment.monotonic_ms + LOOK_PAUSE_MS);
        let cluster = environment.facts.cluster();
        let leader = cluster.runs.iter().find(|run| (run.first..=run.last).contains(&slot))?.leader?;
        let node = cluster.nodes.get(leader).filter(|node| node.is_connected && leader != cluster.myself)?;
        Some(Reply::Error(format!("MOVED {slot} {}:{}", node.host, node.port).into()))
    }

    /// `COUNTKEYSINSLOT` and `GETKEYSINSLOT`: the keyspace knows.
    fn ask_slot(&mut self, args: Args<'_>) -> Action {
        let Some(slot) = parse_integer(&args[2]) else { return Action::Reply(NOT_AN_INTEGER) };
        let slot = u64::try_from(slot).ok().and_then(SlotId::new);
        let Some(slot) = slot else { return Action::Reply(Reply::error("ERR Invalid slot")) };
        let slot = u64::from(slot.number());
        let operation = match args.get(3).map(parse_integer) {
            None => Operation::CountInSlot { slot },
            Some(count) => match count.map(u64::try_from) {
                None => return Action::Reply(NOT_AN_INTEGER),
                Some(Err(_)) => return Action::Reply(Reply::error("ERR Invalid number of keys")),
                Some(Ok(count)) => Operation::KeysInSlot { slot, count },
            },
        };
        self.submit(&operation, Purpose::Answer)
    }
}

/// The nodes that lead nothing: each copies every group.
fn replicas(cluster: &Cluster) -> impl Iterator<Item = &ClusterNode> {
    let masters = cluster.masters();
    let nodes = cluster.nodes.iter().enumerate();
    nodes.filter(move |(index, _)| !masters.contains(index)).map(|(_, node)| node)
}

fn slots(cluster: &Cluster) -> Reply {
    let tell = |node: &ClusterNode| {
        Reply::Array(vec![
            Reply::bulk(&node.host),
            Reply::Integer(node.port.into()),
            Reply::bulk(&node.id),
            Reply::Array(Vec::new()),
        ])
    };
    let run = |run: &SlotRun| {
        let master = &cluster.nodes[cluster.master_of(run)];
        let nodes = std::iter::once(master).chain(replicas(cluster)).map(tell);
        let range = [Reply::Integer(run.first.into()), Reply::Integer(run.last.into())];
        Reply::Array(range.into_iter().chain(nodes).collect())
    };
    Reply::Array(cluster.runs.iter().map(run).collect())
}

fn shards(cluster: &Cluster, environment: &Environment<'_>) -> Reply {
    let position = environment.facts.statistics().log_position.cast_signed();
    let pair = |name: &str, value: Reply| (Reply::bulk(name), value);
    let tell = |node: &ClusterNode, role: &str| {
        let health = if node.is_connected { "online" } else { "failed" };
        Reply::Map(vec![
            pair("id", Reply::bulk(&node.id)),
            pair("port", Reply::Integer(node.port.into())),
            pair("ip", Reply::bulk(&node.host)),
            pair("endpoint", Reply::bulk(&node.host)),
            pair("role", Reply::bulk(role)),
            pair("replication-offset", Reply::Integer(position)),
            pair("health", Reply::bulk(health)),
        ])
    };
    let shard = |master: usize| {
        let own = cluster.runs.iter().filter(|run| cluster.master_of(run) == master);
        let bounds = own.flat_map(|run| [run.first, run.last]);
        let others = replicas(cluster).map(|node| tell(node, "replica"));
        let nodes = std::iter::once(tell(&cluster.nodes[master], "master")).chain(others);
        let bounds = bounds.map(|bound| Reply::Integer(bound.into())).collect();
        Reply::Map(vec![pair("slots", Reply::Array(bounds)), pair("nodes", Reply::Array(nodes.collect()))])
    };
    Reply::Array(cluster.masters().into_iter().map(shard).collect())
}

fn node_lines(cluster: &Cluster) -> String {
    let mut lines = String::new();
    let masters = cluster.masters();
    let followed = masters.first().map_or("-", |master| cluster.nodes[*master].id.as_str());
    for (index, node) in cluster.nodes.iter().enumerate() {
        let myself = if index == cluster.myself { "myself," } else { "" };
        let (role, master) = if masters.contains(&index) { ("master", "-") } else { ("slave", followed) };
        let link = if node.is_connected { "connected" } else { "disconnected" };
        // Writing to a string does not fail.
        let _ = write!(
            lines,
            "{} {}:{}@{} {myself}{role} {master} 0 0 {} {link}",
            node.id, node.host, node.port, node.peer_port, cluster.epoch
        );
        for run in cluster.runs.iter().filter(|run| cluster.master_of(run) == index) {
            let _ = match run.first == run.last {
                true => write!(lines, " {}", run.first),
                false => write!(lines, " {}-{}", run.first, run.last),
            };
        }
        lines.push('\n');
    }
    lines
}

fn info_lines(cluster: &Cluster) -> String {
    let count = |runs: &mut dyn Iterator<Item = &SlotRun>| {
        runs.map(|run| u32::from(run.last - run.first) + 1).sum::<u32>()
    };
    let assigned = count(&mut cluster.runs.iter());
    let covered = count(&mut cluster.runs.iter().filter(|run| run.leader.is_some()));
    let state = if covered == u32::from(SLOT_COUNT) { "ok" } else { "fail" };
    let (nodes, size, epoch) = (cluster.nodes.len(), cluster.masters().len(), cluster.epoch);
    format!(
        "cluster_enabled:1\r\ncluster_state:{state}\r\ncluster_slots_assigned:{assigned}\r\ncluster_slots_ok:{covered}\r\n\
         cluster_slots_pfail:0\r\ncluster_slots_fail:{}\r\ncluster_known_nodes:{nodes}\r\ncluster_size:{size}\r\n\
         cluster_current_epoch:{epoch}\r\ncluster_my_epoch:{epoch}\r\ncluster_stats_messages_sent:0\r\n\
         cluster_stats_messages_received:0\r\ntotal_cluster_links_buffer_limit_exceeded:0\r\n",
        assigned - covered
    )
}
