//! A cluster for tests: real processes with real disks on loopback, to be killed, stopped, robbed and restarted.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use synod_resp::Reply;
use synod_synod::node::{GroupStatus, NodeStatus};
pub use synod_synod::prove::wire::Wire;
use synod_synod::status::ask;
use tempfile::TempDir;

/// Whatever a cluster is waited for comes within this, or the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// A start whose ports others took meanwhile is tried again so often.
const STARTS_MAX: usize = 5;
/// The name of every cluster here.
pub const NAME: &str = "tested";

/// Waits until `found` finds something; `None` if it does not in time.
pub fn wait_for<T>(patience: Duration, mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = found() {
            return Some(found);
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The ports of one node.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub client: SocketAddr,
    pub peer: SocketAddr,
    pub admin: SocketAddr,
}

impl Ports {
    /// Ports that are free now, `count` times three of them, and that no other test of this program has: a node that is down
    /// for a while must not be taken for another test's that listens where it was.
    pub fn free(count: usize) -> Vec<Ports> {
        static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
        let mut given = GIVEN.lock().unwrap();
        // All are held until the last is found, those of others too, so that the system names each once.
        let mut others = Vec::new();
        let mut held: Vec<TcpListener> = Vec::new();
        while held.len() < 3 * count {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let is_new = given.insert(listener.local_addr().unwrap().port());
            if is_new { held.push(listener) } else { others.push(listener) }
        }
        let port = |index: usize| held[index].local_addr().unwrap();
        (0..count)
            .map(|n| Ports { client: port(3 * n), peer: port(3 * n + 1), admin: port(3 * n + 2) })
            .collect()
    }
}

/// How one process is configured.
#[derive(Clone, Debug)]
pub struct Setup {
    pub cluster: String,
    pub node: u32,
    pub directory: PathBuf,
    pub incarnation: u64,
    /// How many groups a new store is founded with.
    pub groups: u32,
    /// Whether it has a key for its peers, where it need not.
    pub is_sealed: bool,
    /// Whether it records its flight.
    pub records: bool,
    /// Where this process listens.
    pub own: Ports,
    /// Where the cluster's nodes listen, by their numbers from 1.
    pub all: Vec<Ports>,
    /// The nodes that its file lists; all, if `None`.
    pub listed: Option<Vec<u32>>,
    /// Further tables, at the end of its file.
    pub tables: String,
    /// The words before the program's own that start it elsewhere.
    pub within: Vec<String>,
    /// What the process finds in its environment besides what the test has in its own.
    pub environment: Vec<(&'static str, String)>,
}

impl Setup {
    fn text(&self) -> String {
        let mut text = format!(
            "cluster = \"{}\"\nnode = {}\nincarnation = {}\ngroups = {}\ndata = {}\nlisten = \"{}\"\npeer_listen = \"{}\"\nadmin_listen = \"{}\"\n",
            self.cluster,
            self.node,
            self.incarnation,
            self.groups,
            toml::Value::String(self.data().display().to_string()),
            self.own.client,
            self.own.peer,
            self.own.admin
        );
        // Where others reach the nodes, they need a key.
        if self.is_sealed || !self.own.peer.ip().is_loopback() {
            let key = toml::Value::String(self.key().display().to_string());
            let _ = writeln!(text, "peer_key_file = {key}");
        }
        if self.records {
            let recording = toml::Value::String(self.recording().display().to_string());
            let _ = writeln!(text, "recording = {recording}");
        }
        let is_listed = |number: &u32| self.listed.as_ref().is_none_or(|listed| listed.contains(number));
        for (number, ports) in (1..).zip(&self.all).filter(|(number, _)| is_listed(number)) {
            let (peer, client) = (ports.peer, ports.client);
            let _ = write!(text, "\n[[peers]]\nnode = {number}\npeer = \"{peer}\"\nclient = \"{client}\"\n");
        }
        text.push_str(&self.tables);
        text
    }

    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub fn recording(&self) -> PathBuf {
        self.directory.join("flight.rec")
    }

    pub fn key(&self) -> PathBuf {
        self.directory.join("peer-key")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Starts the process; its log goes on where it was.
    pub fn start(&self) -> Running {
        fs::create_dir_all(&self.directory).unwrap();
        let file = self.directory.join("synod.toml");
        fs::write(&file, self.text()).unwrap();
        if !self.key().exists() {
            fs::write(self.key(), "5eed".repeat(16)).unwrap();
        }
        let log = File::options().create(true).append(true).open(self.directory.join("log")).unwrap();
        let words: Vec<&str> =
            self.within.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_synod")]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command.arg("serve").arg("--config").arg(file).env("RUST_BACKTRACE", "0");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Running { child }
    }
}

/// A process; it is killed when this is dropped.
pub struct Running {
    child: Child,
}

impl Running {
    pub fn of(child: Child) -> Running {
        Running { child }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn signal(&self, signal: libc::c_int) {
        let id = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: a plain system call; the child was not waited for, so its number is still its own.
        let result = unsafe { libc::kill(id, signal) };
        assert_eq!(result, 0, "the process takes signals");
    }

    /// Waits for its end.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        wait_for(patience, || self.ended())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        synod_synod::prove::clocks::forget(self.id());
    }
}

/// A node of the cluster: its configuration, and its process while it runs.
pub struct Node {
    pub setup: Setup,
    pub process: Option<Running>,
}

/// A running cluster. Everything of it is gone when this is dropped.
pub struct Cluster {
    pub nodes: Vec<Node>,
    directory: TempDir,
}

impl Cluster {
    /// Starts `count` nodes of a store of one group and waits until one leads.
    pub fn start(count: usize) -> Cluster {
        Cluster::start_with_groups(count, 1)
    }

    /// Starts `count` nodes of a store of so many groups and waits until one leads the first.
    pub fn start_with_groups(count: usize, groups: u32) -> Cluster {
        Cluster::start_as(count, |setup| setup.groups = groups)
    }

    /// Starts `count` nodes that are configured a little differently, and waits until one leads the first group.
    pub fn start_as(count: usize, configure: impl Fn(&mut Setup)) -> Cluster {
        for _ in 0..STARTS_MAX {
            let mut cluster = Cluster::prepare(count);
            cluster.nodes.iter_mut().for_each(|node| configure(&mut node.setup));
            (1..=count as u32).for_each(|number| cluster.spawn(number));
            if cluster.is_settled() {
                return cluster;
            }
        }
        panic!("the ports were taken by others {STARTS_MAX} times");
    }

    /// The configurations of `count` nodes, none of which runs.
    pub fn prepare(count: usize) -> Cluster {
        let directory = tempfile::Builder::new().prefix("synod-test-").tempdir().unwrap();
        let all = Ports::free(count);
        let node = |(number, own): (u32, &Ports)| {
            let (cluster, all) = (NAME.to_owned(), all.clone());
            let directory = directory.path().join(format!("node{number}"));
            let (incarnation, groups, records, own) = (0, 1, false, *own);
            let (environment, within) = (Vec::new(), Vec::new());
            let setup = Setup {
                cluster,
                node: number,
                directory,
                incarnation,
                groups,
                is_sealed: false,
                records,
                own,
                all,
                listed: None,
                tables: String::new(),
                within,
                environment,
            };
            Node { setup, process: None }
        };
        let nodes = (1..).zip(&all).map(node).collect();
        Cluster { nodes, directory }
    }

    /// Whether all nodes and a leader are there; false if a node found its port taken.
    fn is_settled(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let are_there = self.numbers().into_iter().all(|number| self.status(number).is_some());
            if are_there && self.leader().is_some() {
                return true;
            }
            for node in &mut self.nodes {
                if let Some(status) = node.process.as_mut().and_then(Running::ended) {
                    let log = node.setup.log();
                    assert!(log.contains("cannot listen on"), "a node ended with {status}:\n{log}");
                    return false;
                }
            }
            assert!(Instant::now() < deadline, "no leader in time");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn node(&mut self, number: u32) -> &mut Node {
        &mut self.nodes[number as usize - 1]
    }

    pub fn numbers(&self) -> Vec<u32> {
        (1..=self.nodes.len() as u32).collect()
    }

    /// A place for files of the test.
    pub fn place(&self) -> &Path {
        self.directory.path()
    }

    /// Starts a node, and does not wait for it.
    pub fn spawn(&mut self, number: u32) {
        let node = self.node(number);
        assert!(node.process.is_none(), "node {number} runs already");
        node.process = Some(node.setup.start());
    }

    /// Starts a node that does not run, and waits until it says how it is.
    pub fn restart(&mut self, number: u32) {
        let said = self.node(number).setup.log().len();
        self.spawn(number);
        let came = wait_for(PATIENCE, || {
            let node = &mut self.nodes[number as usize - 1];
            if let Some(status) = node.process.as_mut().and_then(Running::ended) {
                // A connection of somebody else may have the port as its own end for a moment.
                let news = node.setup.log().split_off(said);
                assert!(news.contains("cannot listen on"), "node {number} ended with {status}:\n{news}");
                node.process = Some(node.setup.start());
            }
            self.status(number)
        });
        assert!(came.is_some(), "node {number} does not come up");
    }

    /// Ends a node as a loss of power would end its process.
    pub fn kill(&mut self, number: u32) {
        let mut process = self.node(number).process.take().expect("it runs");
        process.signal(libc::SIGKILL);
        let status = process.wait(PATIENCE).expect("a killed process ends");
        assert_eq!(status.signal(), Some(libc::SIGKILL), "node {number} had ended before with {status}");
    }

    /// Tells a node to stop. Yields how it ended and how long that took.
    pub fn stop(&mut self, number: u32) -> (ExitStatus, Duration) {
        let mut process = self.node(number).process.take().expect("it runs");
        let started = Instant::now();
        process.signal(libc::SIGTERM);
        let status = process.wait(PATIENCE).expect("a stopped process ends");
        (status, started.elapsed())
    }

    /// Whether a node follows the leader of the first group.
    pub fn follows(&self, number: u32) -> bool {
        let status = self.status(number);
        status.is_some_and(|status| status.groups.first().is_some_and(|group| group.role == "follower"))
    }

    /// What a node says of itself.
    pub fn status(&self, number: u32) -> Option<NodeStatus> {
        let node = &self.nodes[number as usize - 1];
        node.process.as_ref()?;
        ask(node.setup.own.admin).ok()
    }

    /// The leader of the first group, if it and a majority agree that it leads.
    pub fn leader(&self) -> Option<u32> {
        let said: Vec<NodeStatus> =
            self.numbers().into_iter().filter_map(|number| self.status(number)).collect();
        let leads = |status: &&NodeStatus| status.groups.first().is_some_and(GroupStatus::leads);
        let leader = said.iter().find(leads)?.node;
        let first = said.iter().filter_map(|status| status.groups.first());
        let believers = first.filter(|group| group.leader == Some(leader)).count();
        (believers > self.nodes.len() / 2).then_some(leader)
    }

    pub fn await_leader(&self) -> u32 {
        wait_for(PATIENCE, || self.leader()).expect("no leader in time")
    }

    /// Waits until every slot is where the configuration of this number has it.
    pub fn await_settled(&self, configuration: u64) {
        let missing = || {
            let said: Vec<NodeStatus> =
                self.numbers().into_iter().filter_map(|number| self.status(number)).collect();
            synod_synod::administer::missing(&said, configuration)
        };
        let settled = wait_for(PATIENCE, || missing().filter(|missing| *missing == 0));
        assert!(settled.is_some(), "slots do not arrive: {:?}", missing());
    }

    /// Some node that runs and does not lead.
    pub fn follower(&self) -> u32 {
        let leader = self.await_leader();
        let runs = |number: &u32| self.nodes[*number as usize - 1].process.is_some() && *number != leader;
        self.numbers().into_iter().find(runs).expect("a follower runs")
    }

    /// Waits until every node that runs has executed everything that any had when this was called.
    pub fn await_caught_up(&self) {
        let said = |number| self.status(number)?.groups.first().map(|group| group.chosen_through);
        let goal = self.numbers().into_iter().filter_map(said).max().unwrap_or(0);
        let is_level = || {
            let running =
                self.numbers().into_iter().filter(|n| self.nodes[*n as usize - 1].process.is_some());
            running
                .into_iter()
                .all(|number| said(number).is_some_and(|through| through >= goal))
                .then_some(())
        };
        wait_for(PATIENCE, is_level).expect("the nodes do not catch up");
    }

    pub fn client_address(&self, number: u32) -> SocketAddr {
        self.nodes[number as usize - 1].setup.own.client
    }

    /// Where clients reach the nodes, running or not.
    pub fn client_addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.setup.own.client).collect()
    }

    /// A node's page of metrics.
    pub fn metrics(&self, number: u32) -> String {
        let mut stream = TcpStream::connect(self.nodes[number as usize - 1].setup.own.admin).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// How often a node refused a peer for `reason`.
    pub fn refusals(&self, number: u32, reason: &str) -> u64 {
        let name = format!("synod_peers_refused_total{{reason=\"{reason}\"}} ");
        let metrics = self.metrics(number);
        metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
    }

    /// Waits until a node has refused a peer for `reason` more than `before` times.
    pub fn await_refusal(&self, number: u32, reason: &str, before: u64) {
        let counted = wait_for(PATIENCE, || (self.refusals(number, reason) > before).then_some(()));
        assert!(counted.is_some(), "{reason} is not counted:\n{}", self.metrics(number));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in &self.nodes {
                let log = node.setup.log();
                let lines: Vec<&str> = log.lines().collect();
                let shown = lines[lines.len().saturating_sub(30)..].join("\n");
                eprintln!("--- the end of node {}'s log\n{shown}", node.setup.node);
            }
        }
    }
}

/// Writes `key` through any of `addresses` until one acknowledges; yields when that was.
pub fn write_until_acknowledged(addresses: &[SocketAddr], key: &str, value: &str) -> Instant {
    let written = wait_for(PATIENCE, || {
        addresses.iter().find_map(|address| {
            let mut wire = Wire::open(*address, Duration::from_secs(1))?;
            (wire.ask(&["SET", key, value])? == Reply::OK).then(Instant::now)
        })
    });
    written.unwrap_or_else(|| panic!("{key} is not acknowledged in time"))
}
