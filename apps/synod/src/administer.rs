//! `synod group`, `synod member`, `synod node`, `synod slot`, `synod rebalance`, `synod config`: sends a node what an operator wants, as the
//! command `SYNOD` over its port for clients, and shows how slots go where they belong now. Clients go on meanwhile; whoever
//! stops looking stops nothing.

use crate::cli::{
    Change, ConfigCommand, GroupCommand, MemberCommand, NodeCommand, SlotCommand, Target, usage_error,
};
use crate::config::{Config, PASSWORD_VARIABLE};
use crate::node::{GroupStatus, NodeStatus};
use crate::tls::Caller;
use crate::{interrupt, status};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};
use synod_client::{Connection, Transport};
use synod_resp::{Reply, write_request};

/// A node that takes longer is away.
const PATIENCE: Duration = Duration::from_secs(10);
/// A member of the configuration service that cannot be spared now may be so soon: when another one has caught up.
const SPARED_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked where the slots are.
const ROUND: Duration = Duration::from_millis(100);

/// What is asked of which cluster.
fn asked<'a>(change: &Change<'a>) -> (&'a Target, Vec<String>) {
    match change {
        Change::Group(GroupCommand::Join { group, nodes, target }) => {
            let mut words = vec!["GROUP".to_owned(), "JOIN".to_owned(), group.clone()];
            words.extend(nodes.iter().map(u32::to_string));
            (target, words)
        }
        Change::Group(GroupCommand::Leave { group, target }) => {
            (target, vec!["GROUP".to_owned(), "LEAVE".to_owned(), group.clone()])
        }
        Change::Member(MemberCommand::Replace { group, old, new, target }) => {
            let member = [group.clone(), old.to_string(), new.to_string()];
            (target, ["MEMBER".to_owned(), "REPLACE".to_owned()].into_iter().chain(member).collect())
        }
        Change::Node(NodeCommand::Add { number, peer, client, target }) => {
            let node = ["NODE".to_owned(), "ADD".to_owned(), number.to_string()];
            (target, node.into_iter().chain([peer.clone(), client.clone()]).collect())
        }
        Change::Node(NodeCommand::Remove { number, target }) => {
            (target, vec!["NODE".to_owned(), "REMOVE".to_owned(), number.to_string()])
        }
        Change::Node(NodeCommand::List { target }) => (target, vec!["NODE".to_owned(), "LIST".to_owned()]),
        Change::Slot(SlotCommand::Move { first, last, group, target }) => {
            let slots = [first.to_string(), last.to_string(), group.clone()];
            (target, ["SLOT".to_owned(), "MOVE".to_owned()].into_iter().chain(slots).collect())
        }
        Change::Rebalance(target) => (*target, vec!["REBALANCE".to_owned()]),
        Change::Config(ConfigCommand::History { target }) => {
            (target, vec!["CONFIG".to_owned(), "HISTORY".to_owned()])
        }
    }
}

/// Runs one of the commands that change or tell who owns what.
pub fn run(change: &Change) -> ExitCode {
    let (target, words) = asked(change);
    let places = match Places::of(target) {
        Ok(places) => places,
        Err(problem) => return usage_error(&problem),
    };
    match places.ask_until_spared(&words) {
        Err(problem) => crate::node::fail(&problem),
        Ok(Reply::Integer(number)) => {
            println!("Configuration {number} has it.");
            if target.no_wait || places.operators.is_empty() {
                return ExitCode::SUCCESS;
            }
            match change {
                Change::Member(MemberCommand::Replace { group, new, .. }) => {
                    watch_member(&places, group, *new)
                }
                Change::Node(NodeCommand::Add { number, .. }) => {
                    println!("Start node {number} now; it finds the cluster by the nodes in its file.");
                    ExitCode::SUCCESS
                }
                Change::Node(_) => ExitCode::SUCCESS,
                Change::Group(_) | Change::Slot(_) | Change::Rebalance(_) | Change::Config(_) => {
                    watch(&places, number.cast_unsigned())
                }
            }
        }
        Ok(Reply::Array(lines)) => {
            for line in lines {
                if let Reply::Bulk(line) = line {
                    println!("{}", String::from_utf8_lossy(&line));
                }
            }
            ExitCode::SUCCESS
        }
        Ok(Reply::Error(text)) => crate::node::fail(text.strip_prefix("ERR ").unwrap_or(&text)),
        Ok(other) => crate::node::fail(&format!("it answered what no node would: {other:?}")),
    }
}

/// Where the nodes are.
struct Places {
    clients: Vec<SocketAddr>,
    operators: Vec<SocketAddr>,
    password: Option<Vec<u8>>,
    caller: Caller,
}

impl Places {
    fn of(target: &Target) -> Result<Places, String> {
        let mut password = std::env::var_os(PASSWORD_VARIABLE).map(std::ffi::OsString::into_encoded_bytes);
        let caller = Caller::of(&target.tls)?;
        if let Some(node) = target.node {
            return Ok(Places { clients: vec![node], operators: target.admin.clone(), password, caller });
        }
        let place = target.data.display();
        let files = crate::up::config_files(&target.data).map_err(|error| {
            format!(
                "--data {place}: {error}; give the directory of `synod up`, or a node's address with --node"
            )
        })?;
        let (mut clients, mut operators) = (Vec::new(), Vec::new());
        for file in files {
            let config = Config::read(&file)?;
            clients.push(config.listen);
            operators.extend(config.admin_listen);
            if let (None, Some(file)) = (&password, &config.password_file) {
                let text = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
                password = text.split(|byte| *byte == b'\n').next().map(<[u8]>::to_vec);
            }
        }
        if clients.is_empty() {
            return Err(format!("--data {place}: no cluster was started there; start one by `synod up`"));
        }
        Ok(Places { clients, operators, password, caller })
    }

    /// Asks the first node that can be reached; the next one, if it says that another one knows better.
    fn ask(&self, words: &[String]) -> Result<Reply, String> {
        let (mut problem, mut undecided) = (String::new(), None);
        for address in &self.clients {
            match self.caller.connect(*address, PATIENCE) {
                Err(error) => problem = format!("{address}: {error}; is the cluster up?"),
                Ok(stream) => {
                    let reply = self.converse(stream, words).map_err(|error| {
                        format!("{address}: {error}; it may have happened: see `synod config history`")
                    })?;
                    match reply {
                        Reply::Error(text) if text.contains(crate::node::ASK_ANOTHER) => {
                            undecided = Some(Reply::Error(text));
                        }
                        reply => return Ok(reply),
                    }
                }
            }
        }
        undecided.ok_or(problem)
    }

    /// As [`ask`](Places::ask); again and again for a while, where the configuration service cannot spare a member yet.
    fn ask_until_spared(&self, words: &[String]) -> Result<Reply, String> {
        let deadline = Instant::now() + SPARED_WITHIN;
        loop {
            match self.ask(words)? {
                Reply::Error(text)
                    if text.contains(crate::node::CANNOT_SPARE) && Instant::now() < deadline =>
                {
                    sleep(ROUND);
                }
                reply => return Ok(reply),
            }
        }
    }

    fn converse(&self, transport: Box<dyn Transport>, words: &[String]) -> std::io::Result<Reply> {
        let mut connection = Connection::over(transport);
        let (mut request, mut awaited) = (Vec::new(), 1);
        if let Some(password) = &self.password {
            write_request(&mut request, &[b"AUTH".as_slice(), password]);
            awaited += 1;
        }
        let command: Vec<&[u8]> =
            std::iter::once(b"SYNOD".as_slice()).chain(words.iter().map(String::as_bytes)).collect();
        write_request(&mut request, &command);
        connection.send(&request, PATIENCE)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = connection.receive(deadline)?;
            awaited -= 1;
            if awaited == 0 || matches!(reply, Reply::Error(_)) {
                return Ok(reply);
            }
        }
    }
}

/// What each group says of itself: its leader, or else whoever has executed most.
pub(crate) fn newest_of_groups(said: &[NodeStatus]) -> BTreeMap<u32, &GroupStatus> {
    let mut newest: BTreeMap<u32, &GroupStatus> = BTreeMap::new();
    for group in said.iter().flat_map(|node| &node.groups) {
        let known = newest.entry(group.group).or_insert(group);
        let rank = |status: &GroupStatus| (status.leads(), status.chosen_through);
        if rank(group) > rank(known) {
            *known = group;
        }
    }
    newest
}

/// How many slots each group owns, of a configuration's slots as text.
pub(crate) fn counts_of(runs: &str) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for run in runs.split(',') {
        let Some((slots, owner)) = run.split_once(":g") else { continue };
        let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
        let bounds = (first.parse::<usize>(), last.parse::<usize>());
        if let ((Ok(first), Ok(last)), Ok(owner)) = (bounds, owner.parse()) {
            *counts.entry(owner).or_default() += last + 1 - first;
        }
    }
    counts
}

/// How many slots are not yet where the configuration of this number has them, of what nodes said; `None` while none of them
/// knows it.
pub fn missing(said: &[NodeStatus], number: u64) -> Option<usize> {
    let known = said.iter().filter_map(|node| node.configuration.as_ref());
    let (_, runs) = known.max_by_key(|(known, _)| *known).filter(|(known, _)| *known >= number)?;
    let groups = newest_of_groups(said);
    let mut missing = 0;
    for (group, count) in counts_of(runs) {
        let status = groups.get(&group);
        missing += count.saturating_sub(status.map_or(0, |status| status.slots - status.leaving));
    }
    let is_settled = |status: &GroupStatus| {
        status.configuration.is_some_and(|at| at >= number) && status.leaving + status.coming == 0
    };
    // What none lacks may still be with who gave it.
    Some(if missing == 0 && !groups.values().all(|status| is_settled(status)) { 1 } else { missing })
}

/// What the nodes say that answer.
fn said(places: &Places) -> Vec<NodeStatus> {
    places.operators.iter().filter_map(|address| status::ask_by(&places.caller, *address).ok()).collect()
}

/// Shows how slots move until they are where the configuration has them.
fn watch(places: &Places, number: u64) -> ExitCode {
    interrupt::listen();
    let mut bar: Option<ProgressBar> = None;
    while !interrupt::is_wanted() {
        let said = said(places);
        match missing(&said, number) {
            Some(0) => {
                if let Some(bar) = &bar {
                    bar.finish_and_clear();
                }
                println!("Every slot is where it belongs.");
                return ExitCode::SUCCESS;
            }
            Some(left) => {
                let bar = bar.get_or_insert_with(|| progress_bar(left));
                bar.set_length(bar.length().unwrap_or(0).max(left as u64));
                bar.set_position(bar.length().unwrap_or(0) - left as u64);
            }
            None => {}
        }
        sleep(ROUND);
    }
    println!("Not waiting any more; the slots go on. See how it is: synod status");
    ExitCode::SUCCESS
}

/// The role of a node's member of a group, of what nodes said; `None` while it has none.
pub fn role_of(said: &[NodeStatus], group: &str, node: u32) -> Option<String> {
    let status = said.iter().find(|status| status.node == node)?;
    if group == "config" {
        return Some(status.service_role.clone()).filter(|role| role != crate::node::NO_MEMBER);
    }
    let number: u32 = group.trim_start_matches('g').parse().ok()?;
    status.group(number).map(|status| status.role.clone())
}

/// Tells what becomes of a new member until it has caught up.
fn watch_member(places: &Places, group: &str, node: u32) -> ExitCode {
    interrupt::listen();
    let mut told = String::new();
    while !interrupt::is_wanted() {
        let said = said(places);
        let role = role_of(&said, group, node);
        if role.as_ref().is_some_and(|role| ["follower", "candidate", "leader"].contains(&role.as_str())) {
            println!("Node {node} has caught up, and counts.");
            return ExitCode::SUCCESS;
        }
        let is_up = said.iter().any(|status| status.node == node);
        let news = match role.as_deref() {
            Some("rejoining") => {
                format!("Node {node} waits for the state: the others, and a leader, have to let it in.")
            }
            Some("retired") => {
                return crate::node::fail(&format!("node {node} was replaced itself meanwhile"));
            }
            Some(_) | None if is_up => format!("Node {node} does not know of it yet."),
            Some(_) | None => format!("Node {node} does not answer: start it."),
        };
        if news != told {
            println!("{news}");
            told = news;
        }
        sleep(ROUND);
    }
    println!("Not waiting any more; it goes on. See how it is: synod status");
    ExitCode::SUCCESS
}

fn progress_bar(left: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("slots moved {pos} of {len} [{bar:40}] {elapsed}");
    let bar = ProgressBar::new(left as u64);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::counts_of;

    #[test]
    fn slots_are_counted_of_a_configurations_text() {
        let counts = counts_of("0-8191:g1,8192:g3,8193-16383:g2");
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), [(1, 8192), (2, 8191), (3, 1)]);
    }
}
