//! `synod up`: a whole cluster on this machine, a process a node, durable, on loopback.

use crate::cli::{Up, usage_error};
use crate::config::Config;
use crate::interrupt;
use crate::node::NodeStatus;
use crate::status::ask;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use synod_host::{DataError, FileDisk, LOCK};

/// Ports for peers and operators lie so far above those for clients.
const PEER_OFFSET: u16 = 10_000;
const ADMIN_OFFSET: u16 = 20_000;
/// How long the groups may take to elect their first leaders.
const ELECTION_MAX: Duration = Duration::from_secs(30);
/// How long a node may take to stop before it is killed.
const STOP_MAX: Duration = Duration::from_secs(6);
/// A node that ends within this time of its start, so often in a row, is not started again.
const QUICK_END: Duration = Duration::from_secs(10);
const QUICK_ENDS_MAX: u32 = 3;
/// A file of this name marks a directory as one that `up` made and may throw away.
const MARKER: &str = "synod-cluster";
/// The file of the key that the nodes have in common.
const KEY: &str = "peer-key";
/// How many groups a new store has where nobody says it.
const GROUPS: u32 = 2;

/// Runs `synod up` until it is interrupted.
pub fn run(arguments: &Up) -> ExitCode {
    // Held until the end: no other `synod up` touches what is there meanwhile.
    let _lock = match lock(arguments).and_then(|lock| prepare(arguments).map(|()| lock)) {
        Ok(lock) => lock,
        Err(problem) => return usage_error(&problem),
    };
    match keep_up(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("synod: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the directory this process's own, if it is one for a cluster.
fn lock(arguments: &Up) -> Result<FileDisk, String> {
    let data = &arguments.data;
    let place = data.display();
    let trouble = |error: io::Error| format!("--data {place}: {error}");
    if data.exists() && !data.join(MARKER).exists() {
        let is_lock = |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|entry| entry.file_name() == LOCK);
        if fs::read_dir(data).map_err(trouble)?.any(|entry| !is_lock(entry)) {
            let what = if arguments.fresh { "--fresh" } else { "--data" };
            return Err(format!(
                "{what}: {place} is not empty, and not made by `synod up`: it is left as it is; choose another directory"
            ));
        }
    }
    FileDisk::open(data).map_err(|error| match error {
        DataError::Locked { .. } => {
            format!("--data {place}: a cluster of another `synod up` runs there; stop it, or choose another directory")
        }
        other => format!("--data {place}: {other}"),
    })
}

/// Throws away what an earlier run left.
fn clear(arguments: &Up) -> Result<(), String> {
    let data = &arguments.data;
    let trouble = |error: io::Error| format!("--data {}: {error}", data.display());
    let entries: Vec<PathBuf> = fs::read_dir(data)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(trouble)?
        .into_iter()
        .filter(|entry| entry.file_name() != LOCK && entry.file_name() != MARKER)
        .map(|entry| entry.path())
        .collect();
    if entries.is_empty() {
        return Ok(());
    }
    if !arguments.yes {
        let mut names: Vec<String> = entries
            .iter()
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        names.sort();
        return Err(format!(
            "--fresh: this deletes {} in {}; say --yes if that is meant",
            names.join(", "),
            data.display()
        ));
    }
    for path in entries {
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(trouble)?;
    }
    Ok(())
}

/// The configuration files of the cluster in `data`, in the order of the nodes.
///
/// # Errors
/// If the directory cannot be read.
pub fn config_files(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(data)?
        .filter_map(|entry| Some(entry.ok()?.path().join("synod.toml")))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    Ok(files)
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// The ports of node `number`, from 1: for clients, peers and operators.
fn ports(arguments: &Up, number: u16) -> (u16, u16, u16) {
    let client = arguments.port + number - 1;
    (client, client + PEER_OFFSET, client + ADMIN_OFFSET)
}

/// Makes the directories and the configuration files.
fn prepare(arguments: &Up) -> Result<(), String> {
    let data = &arguments.data;
    let place = data.display();
    if arguments.port.checked_add(arguments.nodes + ADMIN_OFFSET).is_none() {
        return Err(format!(
            "--port {}: the nodes' other ports lie 10000 and 20000 above it; choose one below 45000",
            arguments.port
        ));
    }
    let trouble = |error: io::Error| format!("--data {place}: {error}");
    if arguments.fresh {
        clear(arguments)?;
    }
    let known = config_files(data).map_err(trouble)?;
    if !known.is_empty() && known.len() != usize::from(arguments.nodes) {
        let known = known.len();
        return Err(format!(
            "--nodes {}: the cluster in {place} has {known} nodes; say --nodes {known}, or --fresh",
            arguments.nodes
        ));
    }
    let groups = match known.first().map(|file| Config::read(file)) {
        None => arguments.groups.unwrap_or(GROUPS),
        Some(Err(problem)) => return Err(problem),
        Some(Ok(Config { groups, .. })) => match arguments.groups.filter(|asked| *asked != groups) {
            None => groups,
            Some(asked) => {
                return Err(format!(
                    "--groups {asked}: the store in {place} was founded with {groups}; leave it out, and let groups join \
                     and leave by `synod group`"
                ));
            }
        },
    };
    for number in 1..=arguments.nodes {
        let (client, peer, admin) = ports(arguments, number);
        for (what, port) in [("clients", client), ("peers", peer), ("operators", admin)] {
            if let Err(error) = TcpListener::bind(address(port)) {
                return Err(format!(
                    "port {port}, where node {number} listens for {what}: {error}; is a cluster up already? choose another --port"
                ));
            }
        }
    }
    fs::write(data.join(MARKER), "a cluster made by `synod up`\n").map_err(trouble)?;
    let key = data.join(KEY);
    if !key.exists() {
        crate::key::make(&key).map_err(trouble)?;
    }
    for number in 1..=arguments.nodes {
        let directory = data.join(format!("node{number}"));
        fs::create_dir_all(&directory).map_err(trouble)?;
        let whole = directory.canonicalize().map_err(trouble)?;
        fs::write(directory.join("synod.toml"), config_text(arguments, (number, groups), &whole))
            .map_err(trouble)?;
    }
    Ok(())
}

/// Where a node records.
fn recording(directory: &Path) -> PathBuf {
    directory.join("flight.rec")
}

fn config_text(arguments: &Up, (number, groups): (u16, u32), directory: &Path) -> String {
    let (client, peer, admin) = ports(arguments, number);
    let data = toml::Value::String(directory.display().to_string());
    // Beside the nodes' directories.
    let key = directory.with_file_name(KEY);
    let key = toml::Value::String(key.display().to_string());
    let mut text = format!(
        "cluster = \"local\"\nnode = {number}\ngroups = {groups}\ndata = {data}\npeer_key_file = {key}\nlisten = \"{}\"\npeer_listen = \"{}\"\nadmin_listen = \"{}\"\n",
        address(client),
        address(peer),
        address(admin)
    );
    if arguments.record {
        let _ =
            writeln!(text, "recording = {}", toml::Value::String(recording(directory).display().to_string()));
    }
    for other in 1..=arguments.nodes {
        let (client, peer, _) = ports(arguments, other);
        let _ = write!(
            text,
            "\n[[peers]]\nnode = {other}\npeer = \"{}\"\nclient = \"{}\"\n",
            address(peer),
            address(client)
        );
    }
    text
}

/// A node's process. It is stopped when this value is dropped.
struct Node {
    number: u16,
    child: Child,
    directory: PathBuf,
    started: Instant,
    /// How often in a row it ended soon after its start.
    quick_ends: u32,
    is_given_up: bool,
}

impl Node {
    fn start(arguments: &Up, number: u16) -> io::Result<Node> {
        let directory = arguments.data.join(format!("node{number}"));
        let log = File::options().create(true).append(true).open(directory.join("log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg("--config").arg(directory.join("synod.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // An interrupt at the terminal is for the parent, which stops its nodes in order.
        command.process_group(0);
        // Should the parent be killed, its nodes stop too: nobody would find them.
        // SAFETY: between fork and exec only a system call is made.
        unsafe {
            command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
        let (started, quick_ends, is_given_up) = (Instant::now(), 0, false);
        Ok(Node { number, child: command.spawn()?, directory, started, quick_ends, is_given_up })
    }

    fn signal(&self, signal: libc::c_int) {
        if let Ok(id) = libc::pid_t::try_from(self.child.id()) {
            // SAFETY: a plain system call; the child was not waited for, so its number is still its own.
            unsafe { libc::kill(id, signal) };
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(libc::SIGTERM);
            let deadline = Instant::now() + STOP_MAX;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                sleep(Duration::from_millis(20));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn keep_up(arguments: &Up) -> Result<(), String> {
    interrupt::listen();
    let mut nodes = Vec::new();
    for number in 1..=arguments.nodes {
        nodes.push(
            Node::start(arguments, number).map_err(|error| format!("node {number} cannot start: {error}"))?,
        );
    }
    let Some(leaders) = await_leaders(arguments, &mut nodes)? else { return Ok(()) };
    print_welcome(arguments, &leaders);
    while !interrupt::is_wanted() {
        sleep(Duration::from_millis(100));
        for node in &mut nodes {
            revive(arguments, node)?;
        }
    }
    println!("\nstopping {} nodes; the next `up` has their data", nodes.len());
    // All at once, so that no time is spent on elections among those that stop anyway.
    nodes.iter().for_each(|node| node.signal(libc::SIGTERM));
    Ok(())
}

/// Starts a node again that ended, unless it keeps ending: then somebody must look.
fn revive(arguments: &Up, node: &mut Node) -> Result<(), String> {
    if node.is_given_up || matches!(node.child.try_wait(), Ok(None)) {
        return Ok(());
    }
    let number = node.number;
    let quick_ends = if node.started.elapsed() < QUICK_END { node.quick_ends + 1 } else { 0 };
    let words = last_words(&node.directory);
    if quick_ends >= QUICK_ENDS_MAX {
        node.is_given_up = true;
        eprintln!(
            "node {number} ended again: {words}; it stays down: mend what it says and start `synod up` again"
        );
        return Ok(());
    }
    eprintln!("node {number} ended: {words}; starting it again");
    sleep(Duration::from_secs(1));
    *node = Node::start(arguments, number).map_err(|error| format!("node {number} cannot start: {error}"))?;
    node.quick_ends = quick_ends;
    Ok(())
}

/// The groups and the nodes that lead them, once a node knows that of each that it has a member of.
fn leaders(status: &NodeStatus) -> Option<Vec<(u32, u32)>> {
    let leaders = status.groups.iter().map(|group| Some((group.group, group.leader?)));
    leaders.collect::<Option<Vec<_>>>().filter(|leaders| !leaders.is_empty())
}

/// Waits for leaders. `None` if the wait was interrupted.
fn await_leaders(arguments: &Up, nodes: &mut [Node]) -> Result<Option<Vec<(u32, u32)>>, String> {
    let deadline = Instant::now() + ELECTION_MAX;
    loop {
        if interrupt::is_wanted() {
            return Ok(None);
        }
        give_up_ended(nodes)?;
        for node in nodes.iter().filter(|node| !node.is_given_up) {
            let status = ask(address(ports(arguments, node.number).2)).ok();
            if let Some(leaders) = status.and_then(|status| leaders(&status)) {
                return Ok(Some(leaders));
            }
        }
        if Instant::now() > deadline {
            let log = arguments.data.join("node1").join("log");
            return Err(format!(
                "a group has no leader after {} s; see {}",
                ELECTION_MAX.as_secs(),
                log.display()
            ));
        }
        sleep(Duration::from_millis(50));
    }
}

/// A node that ends before it ever served is not started again: somebody must look. The others go on if they are a majority.
fn give_up_ended(nodes: &mut [Node]) -> Result<(), String> {
    let all = nodes.len();
    for at in 0..all {
        let node = &mut nodes[at];
        if node.is_given_up || matches!(node.child.try_wait(), Ok(None)) {
            continue;
        }
        node.is_given_up = true;
        let told = format!("node {} ended: {}", node.number, last_words(&node.directory));
        let left = nodes.iter().filter(|node| !node.is_given_up).count();
        if left * 2 <= all {
            return Err(told);
        }
        eprintln!("{told}\nThe other {left} nodes go on without it.");
    }
    Ok(())
}

/// The last line of a node's log.
fn last_words(directory: &Path) -> String {
    let text = fs::read_to_string(directory.join("log")).unwrap_or_default();
    text.lines().last().unwrap_or("it said nothing").to_owned()
}

fn print_welcome(arguments: &Up, leaders: &[(u32, u32)]) {
    let data = arguments.data.display();
    println!("Synod is up: {} nodes, {} groups of keys. Data: {data}", arguments.nodes, leaders.len());
    for (group, node) in leaders {
        println!("  group {group}  led by node {node}");
    }
    for number in 1..=arguments.nodes {
        let (client, _, admin) = ports(arguments, number);
        println!(
            "  node {number}   clients 127.0.0.1:{client}   metrics http://127.0.0.1:{admin}/metrics   log {data}/node{number}/log"
        );
    }
    println!("Talk to any node:");
    println!("  redis-cli -p {} set greeting hello", arguments.port);
    println!("  redis-cli -p {} get greeting", arguments.port + arguments.nodes - 1);
    println!("See how it is: synod status --data {data}");
    let next = leaders.iter().map(|(group, _)| group + 1).max().unwrap_or(1);
    println!("Let it grow:   synod group join {next} --data {data}");
    if arguments.record {
        println!("Look at what happened, once it is stopped: synod debug {data}/node*/flight.rec");
    }
    println!("Stop it: Ctrl-C");
}
