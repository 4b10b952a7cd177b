//! `CLUSTER`: one group serves every slot; its leader is shown as the master, the others as its replicas. Any node takes
//! any command and passes it on, so what a client learns here makes it quicker, not right.

use super::{Action, Purpose, Session};
use crate::operation::Operation;
use crate::parse_keys::{unknown_subcommand, wrong_subcommand_arity};
use crate::strings::NOT_AN_INTEGER;
use crate::{Cluster, ClusterNode, Environment, SLOT_COUNT, SlotId};
use std::fmt::Write as _;
use synod_resp::{Args, Reply, parse_integer};

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
        Action::Reply(match name {
            "slots" => slots(&cluster),
            "shards" => shards(&cluster, environment),
            "nodes" => Reply::Verbatim(node_lines(&cluster, environment.now_ms).into_bytes().into()),
            "info" => Reply::Verbatim(info_lines(&cluster).into_bytes().into()),
            "myid" => Reply::bulk(&cluster.nodes[cluster.myself].id),
            "keyslot" => Reply::Integer(SlotId::of(&args[2]).number().into()),
            "count-failure-reports" => Reply::Integer(0),
            _ => return self.ask_slot(args, environment),
        })
    }

    /// `COUNTKEYSINSLOT` and `GETKEYSINSLOT`: the keyspace knows.
    fn ask_slot(&mut self, args: Args<'_>, environment: &Environment<'_>) -> Action {
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
        self.submit(&operation, environment, Purpose::Answer)
    }
}

/// The nodes, the one that leads first.
fn leader_first(cluster: &Cluster) -> impl Iterator<Item = &ClusterNode> {
    let primary = cluster.primary();
    let others = cluster.nodes.iter().enumerate().filter(move |(index, _)| *index != primary);
    std::iter::once(&cluster.nodes[primary]).chain(others.map(|(_, node)| node))
}

fn slots(cluster: &Cluster) -> Reply {
    let node = |node: &ClusterNode| {
        Reply::Array(vec![
            Reply::bulk(&node.host),
            Reply::Integer(node.port.into()),
            Reply::bulk(&node.id),
            Reply::Array(Vec::new()),
        ])
    };
    let range = [Reply::Integer(0), Reply::Integer(i64::from(SLOT_COUNT) - 1)];
    Reply::Array(vec![Reply::Array(range.into_iter().chain(leader_first(cluster).map(node)).collect())])
}

fn shards(cluster: &Cluster, environment: &Environment<'_>) -> Reply {
    let position = environment.facts.statistics().log_position.cast_signed();
    let pair = |name: &str, value: Reply| (Reply::bulk(name), value);
    let nodes = leader_first(cluster).enumerate().map(|(index, node)| {
        let health = if node.is_connected { "online" } else { "failed" };
        Reply::Map(vec![
            pair("id", Reply::bulk(&node.id)),
            pair("port", Reply::Integer(node.port.into())),
            pair("ip", Reply::bulk(&node.host)),
            pair("endpoint", Reply::bulk(&node.host)),
            pair("role", Reply::bulk(if index == 0 { "master" } else { "replica" })),
            pair("replication-offset", Reply::Integer(position)),
            pair("health", Reply::bulk(health)),
        ])
    });
    let range = vec![Reply::Integer(0), Reply::Integer(i64::from(SLOT_COUNT) - 1)];
    let shard = vec![pair("slots", Reply::Array(range)), pair("nodes", Reply::Array(nodes.collect()))];
    Reply::Array(vec![Reply::Map(shard)])
}

fn node_lines(cluster: &Cluster, now_ms: u64) -> String {
    let mut lines = String::new();
    let primary = cluster.primary();
    for (index, node) in cluster.nodes.iter().enumerate() {
        let myself = if index == cluster.myself { "myself," } else { "" };
        let (role, master) =
            if index == primary { ("master", "-") } else { ("slave", cluster.nodes[primary].id.as_str()) };
        let link = if node.is_connected { "connected" } else { "disconnected" };
        let slots = if index == primary { format!(" 0-{}", SLOT_COUNT - 1) } else { String::new() };
        let pong_ms = if index == cluster.myself { 0 } else { now_ms };
        // Writing to a string does not fail.
        let _ = writeln!(
            lines,
            "{} {}:{}@{} {myself}{role} {master} 0 {pong_ms} {} {link}{slots}",
            node.id, node.host, node.port, node.peer_port, cluster.epoch
        );
    }
    lines
}

fn info_lines(cluster: &Cluster) -> String {
    let state = if cluster.leader.is_some() { "ok" } else { "fail" };
    let (slots, nodes, epoch) = (SLOT_COUNT, cluster.nodes.len(), cluster.epoch);
    let covered = if cluster.leader.is_some() { slots } else { 0 };
    format!(
        "cluster_enabled:1\r\ncluster_state:{state}\r\ncluster_slots_assigned:{slots}\r\ncluster_slots_ok:{covered}\r\n\
         cluster_slots_pfail:0\r\ncluster_slots_fail:{}\r\ncluster_known_nodes:{nodes}\r\ncluster_size:1\r\n\
         cluster_current_epoch:{epoch}\r\ncluster_my_epoch:{epoch}\r\ncluster_stats_messages_sent:0\r\n\
         cluster_stats_messages_received:0\r\ntotal_cluster_links_buffer_limit_exceeded:0\r\n",
        slots - covered
    )
}
