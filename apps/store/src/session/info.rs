//! `INFO`: what clients look for at the start, and what an operator reads.

use super::greeting::REDIS_VERSION;
use crate::Environment;
use std::fmt::Write as _;
use synod_resp::{Args, Reply};

const SECTIONS: [&str; 7] = ["server", "clients", "memory", "persistence", "stats", "replication", "cluster"];

/// The sections that were asked for; all without arguments.
pub(super) fn tell(args: Args<'_>, environment: &Environment<'_>) -> Reply {
    let asked: Vec<String> =
        args.iter().skip(1).map(|word| String::from_utf8_lossy(word).to_ascii_lowercase()).collect();
    let is_all = asked.is_empty()
        || asked.iter().any(|name| matches!(name.as_str(), "all" | "everything" | "default"));
    let mut text = String::new();
    for section in SECTIONS.into_iter().chain(["keyspace"]) {
        if is_all || asked.iter().any(|name| name == section) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            write_section(section, environment, &mut text);
        }
    }
    Reply::Verbatim(text.into_bytes().into())
}

fn write_section(section: &str, environment: &Environment<'_>, text: &mut String) {
    let statistics = environment.facts.statistics();
    let cluster = environment.facts.cluster();
    let lines: Vec<(&str, String)> = match section {
        "server" => vec![
            ("redis_version", REDIS_VERSION.to_owned()),
            ("synod_version", env!("CARGO_PKG_VERSION").to_owned()),
            ("redis_mode", "cluster".to_owned()),
            ("os", std::env::consts::OS.to_owned()),
            ("arch_bits", usize::BITS.to_string()),
            ("process_id", statistics.process_id.to_string()),
            ("run_id", cluster.nodes[cluster.myself].id.clone()),
            ("tcp_port", cluster.nodes[cluster.myself].port.to_string()),
            ("uptime_in_seconds", statistics.uptime_seconds.to_string()),
            ("uptime_in_days", (statistics.uptime_seconds / 86_400).to_string()),
        ],
        "clients" => vec![
            ("connected_clients", statistics.connected_clients.to_string()),
            ("maxclients", statistics.clients_max.to_string()),
            ("blocked_clients", "0".to_owned()),
        ],
        "memory" => vec![
            ("used_memory", statistics.memory_bytes.to_string()),
            ("maxmemory", statistics.memory_bytes_max.to_string()),
            ("maxmemory_policy", "noeviction".to_owned()),
        ],
        "persistence" => vec![
            ("loading", "0".to_owned()),
            ("async_loading", "0".to_owned()),
            ("rdb_bgsave_in_progress", "0".to_owned()),
            ("aof_enabled", "1".to_owned()),
            ("aof_rewrite_in_progress", "0".to_owned()),
        ],
        "stats" => vec![
            ("total_connections_received", statistics.connections_received.to_string()),
            ("total_commands_processed", statistics.commands_processed.to_string()),
            ("total_net_input_bytes", statistics.input_bytes.to_string()),
            ("total_net_output_bytes", statistics.output_bytes.to_string()),
            ("rejected_connections", statistics.connections_rejected.to_string()),
            ("client_output_buffer_limit_disconnections", statistics.connections_cut_off.to_string()),
        ],
        "replication" => vec![
            ("role", "master".to_owned()),
            ("connected_slaves", "0".to_owned()),
            ("master_replid", cluster.nodes[cluster.primary()].id.clone()),
            ("master_repl_offset", statistics.log_position.to_string()),
        ],
        "cluster" => vec![("cluster_enabled", "1".to_owned())],
        _ if statistics.keys == 0 => Vec::new(),
        _ => {
            vec![("db0", format!("keys={},expires={},avg_ttl=0", statistics.keys, statistics.expiring_keys))]
        }
    };
    let (first, rest) = section.split_at(1);
    // Writing to a string does not fail.
    let _ = write!(text, "# {}{rest}\r\n", first.to_ascii_uppercase());
    for (name, value) in lines {
        let _ = write!(text, "{name}:{value}\r\n");
    }
}
