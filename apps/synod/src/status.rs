//! `synod status`: asks every node's operators' door and makes a table of it.

use crate::administer::{counts_of, newest_of_groups};
use crate::cli::{Status, usage_error};
use crate::config::Config;
use crate::node::{CLOCK_OFFSET_MS_MAX, NodeStatus};
use crate::tls::Caller;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// A node that takes longer is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs `synod status`.
pub fn run(arguments: &Status) -> ExitCode {
    let found = addresses(arguments).and_then(|addresses| Ok((addresses, Caller::of(&arguments.tls)?)));
    let (addresses, caller) = match found {
        Ok(found) => found,
        Err(problem) => return usage_error(&problem),
    };
    let asked: Vec<(SocketAddr, Result<NodeStatus, String>)> =
        addresses.into_iter().map(|address| (address, ask_by(&caller, address))).collect();
    let is_well = asked.iter().all(|(_, status)| status.is_ok());
    let printed = if arguments.json { print_json(&asked) } else { print_table(&asked) };
    if printed.is_ok() && is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn addresses(arguments: &Status) -> Result<Vec<SocketAddr>, String> {
    if !arguments.admin.is_empty() {
        return Ok(arguments.admin.clone());
    }
    let place = arguments.data.display();
    let files = crate::up::config_files(&arguments.data)
        .map_err(|error| format!("--data {place}: {error}; give the directory of `synod up`, or --admin"))?;
    let read = |file: &std::path::PathBuf| {
        let config = Config::read(file)?;
        config.admin_listen.ok_or_else(|| format!("{}: it has no admin_listen", file.display()))
    };
    let addresses = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if addresses.is_empty() {
        return Err(format!("--data {place}: no cluster was started there; start one by `synod up`"));
    }
    Ok(addresses)
}

/// Asks one node, without TLS.
///
/// # Errors
/// In words, if it does not answer.
pub fn ask(address: SocketAddr) -> Result<NodeStatus, String> {
    ask_by(&Caller::PLAIN, address)
}

/// Asks one node.
///
/// # Errors
/// In words, if it does not answer.
pub(crate) fn ask_by(caller: &Caller, address: SocketAddr) -> Result<NodeStatus, String> {
    let fetch = || -> std::io::Result<String> {
        let mut stream = caller.connect(address, PATIENCE)?;
        stream.write_all(b"GET /status HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = fetch().map_err(|error| error.to_string())?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).map_err(|error| format!("it answered what no node would: {error}"))
}

type Asked = [(SocketAddr, Result<NodeStatus, String>)];

fn print_json(asked: &Asked) -> std::io::Result<()> {
    let nodes: Vec<serde_json::Value> = asked
        .iter()
        .map(|(address, status)| match status {
            Ok(status) => serde_json::json!({ "admin": address, "up": true, "status": status }),
            Err(why) => serde_json::json!({ "admin": address, "up": false, "error": why }),
        })
        .collect();
    writeln!(std::io::stdout(), "{}", serde_json::json!({ "nodes": nodes }))
}

fn print_table(asked: &Asked) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<6} {:<10} {:>10} {:>8}  connected to", "node", "leads", "keys", "open")?;
    for (address, status) in asked {
        match status {
            Err(why) => writeln!(out, "{:<6} down ({address}: {why})", "?")?,
            Ok(status) => {
                let led = status.groups.iter().filter(|group| group.leads());
                let led: Vec<String> = led.map(|group| format!("g{}", group.group)).collect();
                let connected: Vec<String> = status.connected.iter().map(|node| format!("n{node}")).collect();
                writeln!(
                    out,
                    "{:<6} {:<10} {:>10} {:>8}  {}",
                    format!("n{}", status.node),
                    if led.is_empty() { "-".to_owned() } else { led.join(" ") },
                    status.keys,
                    status.requests_open,
                    connected.join(" ")
                )?;
            }
        }
    }
    let said: Vec<NodeStatus> = asked.iter().filter_map(|(_, status)| status.clone().ok()).collect();
    print_clocks(&said, &mut out)?;
    print_members(&said, &mut out)?;
    print_groups(&said, &mut out)
}

/// The nodes whose wall clocks are off, as the nodes themselves say.
fn print_clocks(said: &[NodeStatus], out: &mut impl std::io::Write) -> std::io::Result<()> {
    for status in said {
        let own = status.clock_offsets_ms.iter().find(|(node, _)| *node == status.node);
        let Some((node, offset_ms)) = own.filter(|(_, offset_ms)| offset_ms.abs() > CLOCK_OFFSET_MS_MAX)
        else {
            continue;
        };
        let seconds = offset_ms.unsigned_abs() as f64 / 1_000.0;
        let side = if *offset_ms > 0 { "ahead of" } else { "behind" };
        writeln!(
            out,
            "n{node}: its wall clock is {seconds:.1} s {side} the majority's; it decides nothing, set it right"
        )?;
    }
    Ok(())
}

/// The members of each group, each as its node has it.
fn print_members(said: &[NodeStatus], out: &mut impl std::io::Write) -> std::io::Result<()> {
    let newest = newest_of_groups(said);
    if newest.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:<6} {:<6} {:<10} {:<12} {:>12} {:>8} {:>10}",
        "group", "node", "role", "ballot", "executed", "behind", "log slots"
    )?;
    let furthest = |group| {
        let members = said.iter().filter_map(|node| node.group(group));
        members.map(|member| member.chosen_through).max().unwrap_or(0)
    };
    for group in newest.into_keys() {
        for (node, member) in said.iter().filter_map(|node| Some((node.node, node.group(group)?))) {
            writeln!(
                out,
                "{:<6} {:<6} {:<10} {:<12} {:>12} {:>8} {:>10}",
                format!("g{group}"),
                format!("n{node}"),
                member.role,
                member.ballot,
                member.chosen_through,
                furthest(group) - member.chosen_through,
                member.log_slots
            )?;
        }
    }
    Ok(())
}

/// The groups, each as its leader has it, and the slots of the newest configuration.
fn print_groups(said: &[NodeStatus], out: &mut impl std::io::Write) -> std::io::Result<()> {
    let known = said.iter().filter_map(|node| node.configuration.as_ref());
    let Some((number, runs)) = known.max_by_key(|(number, _)| *number) else {
        return writeln!(out, "\nNo group has joined yet.");
    };
    let owned = counts_of(runs);
    writeln!(
        out,
        "\n{:<6} {:<8} {:>8} {:>8} {:>8} {:>8} {:>10} {:>8}  configuration",
        "group", "leader", "owns", "has", "leaving", "coming", "keys", "open"
    )?;
    for (group, status) in newest_of_groups(said) {
        let owns = owned.get(&group).copied().unwrap_or(0);
        let leader = status.leader.map_or_else(|| "-".to_owned(), |leader| format!("n{leader}"));
        let at = status.configuration.map_or_else(|| "-".to_owned(), |at| at.to_string());
        writeln!(
            out,
            "{:<6} {leader:<8} {owns:>8} {:>8} {:>8} {:>8} {:>10} {:>8}  {at}",
            format!("g{group}"),
            status.slots,
            status.leaving,
            status.coming,
            status.keys,
            status.transactions.0
        )?;
    }
    writeln!(out, "\nslots of configuration {number}:")?;
    for run in runs.split(',') {
        let (slots, owner) = run.split_once(':').unwrap_or((run, "?"));
        writeln!(out, "  {slots:<12} {owner}")?;
    }
    Ok(())
}
