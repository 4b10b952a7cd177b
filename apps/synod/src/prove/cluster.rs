//! The nodes: processes of this binary with real disks on loopback, to be killed, paused, robbed and restarted. Each has a
//! configuration of its own, in which the other nodes' addresses are those of the [`Network`].

use super::clocks;
use super::images::Images;
use super::proxy::Network;
use crate::node::NodeStatus;
use crate::status::ask;
use crate::tls::{self, Caller, TlsOptions};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use synod_stdx::Rng;

/// The host that the nodes' certificate names.
const TLS_HOST: &str = "127.0.0.1";
/// The name of the cluster.
const NAME: &str = "proved";
/// How long the first leaders may take.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// A node whose port is taken for a moment is started again so often.
const STARTS_MAX: u32 = 20;
/// Nodes listen below the ports that systems give to clients, so that no connection has the port of a node that is down.
const PORTS: (u64, u64) = (11_000, 31_999);
/// How many bytes of its recording a node keeps at least.
const RECORDING_BYTES: u64 = 256 << 20;

/// Where one node listens.
#[derive(Clone, Copy, Debug)]
struct Ports {
    client: SocketAddr,
    peer: SocketAddr,
    admin: SocketAddr,
}

/// What is built.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) nodes: u32,
    pub(super) groups: u32,
    pub(super) directory: PathBuf,
    pub(super) seed: u64,
    /// The library with which the nodes' clocks can jump.
    pub(super) faketime: Option<PathBuf>,
    pub(super) records: bool,
    /// The nodes' program; this one, if none is given.
    pub(super) program: Option<PathBuf>,
    /// Whether the nodes' disks shall be such that unsynced writes can be lost.
    pub(super) loses_power: bool,
}

/// One node, and its process while it runs.
struct Node {
    number: u32,
    ports: Ports,
    /// How often its disk was lost.
    lost: u64,
    /// The incarnation in its file.
    incarnation: u64,
    child: Option<Child>,
    is_paused: bool,
    starts: u32,
    /// Whether it answered an operator since its start.
    is_up: bool,
}

/// A running cluster. Its processes end when this is dropped.
pub(super) struct Cluster {
    plan: Plan,
    nodes: Vec<Node>,
    /// The links between the nodes.
    pub(super) network: Network,
    /// Disks whose unsynced writes can be lost, or why there are none.
    images: Result<Images, String>,
    /// The process of each node, in their order; 0 for one that does not run.
    processes: Arc<Vec<AtomicU32>>,
}

impl Cluster {
    /// Starts all nodes and waits until each group has a leader.
    ///
    /// # Errors
    /// In words, if they do not come up.
    pub(super) fn start(plan: &Plan) -> Result<Cluster, String> {
        let trouble = |error: io::Error| format!("{}: {error}", plan.directory.display());
        // Not drawn from the run's seed: two runs of one seed may go on beside each other.
        let mut rng = Rng::new(plan.seed).split(&format!("ports of process {}", std::process::id()));
        let ports = free_ports(plan.nodes, &mut rng)?;
        let peers: Vec<(u32, SocketAddr)> = (1..).zip(ports.iter().map(|ports| ports.peer)).collect();
        let disks: Vec<PathBuf> = (1..=plan.nodes).map(|number| disk(plan, number)).collect();
        let images = match plan.loses_power {
            true => Images::mount(&plan.directory, &disks),
            false => Err("nobody asked for it".to_owned()),
        };
        tls::make(&certificates(plan), &[TLS_HOST.to_owned()])?;
        let network = Network::start(&peers, plan.seed)
            .map_err(|error| format!("the proxies between the nodes cannot start: {error}"))?;
        let node = |(number, ports)| Node {
            number,
            ports,
            lost: 0,
            incarnation: 0,
            child: None,
            is_paused: false,
            starts: 0,
            is_up: false,
        };
        let nodes: Vec<Node> = (1..).zip(ports).map(node).collect();
        let processes = Arc::new((0..plan.nodes).map(|_| AtomicU32::new(0)).collect());
        let mut cluster = Cluster { plan: plan.clone(), nodes, network, images, processes };
        for number in cluster.numbers() {
            fs::create_dir_all(disk(plan, number)).map_err(trouble)?;
            clocks::set(&cluster.place(number), 0).map_err(trouble)?;
            cluster.start_node(number)?;
        }
        cluster.await_leaders(SETTLE_MAX)?;
        Ok(cluster)
    }

    /// The numbers of all nodes.
    pub(super) fn numbers(&self) -> Vec<u32> {
        self.nodes.iter().map(|node| node.number).collect()
    }

    /// Where a node keeps everything.
    pub(super) fn place(&self, number: u32) -> PathBuf {
        self.plan.directory.join(format!("node{number}"))
    }

    /// Where it keeps what is durable.
    pub(super) fn data(&self, number: u32) -> PathBuf {
        disk(&self.plan, number).join("data")
    }

    /// The processes of the nodes, in their order; 0 for one that does not run.
    pub(super) fn processes(&self) -> Arc<Vec<AtomicU32>> {
        Arc::clone(&self.processes)
    }

    /// Where clients reach the nodes.
    pub(super) fn clients(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.ports.client).collect()
    }

    /// How clients speak TLS to the nodes.
    ///
    /// # Errors
    /// In words, if the authority's certificate cannot be read.
    pub(super) fn caller(&self) -> Result<Caller, String> {
        Caller::of(&TlsOptions {
            tls_ca: Some(certificates(&self.plan).join("ca.crt")),
            ..TlsOptions::default()
        })
    }

    fn node(&mut self, number: u32) -> &mut Node {
        &mut self.nodes[number as usize - 1]
    }

    fn config(&self, number: u32) -> String {
        let node = &self.nodes[number as usize - 1];
        let quoted = |path: PathBuf| toml::Value::String(path.display().to_string());
        let mut text = format!(
            "cluster = \"{NAME}\"\nnode = {number}\nincarnation = {}\ngroups = {}\ndata = {}\nlisten = \"{}\"\npeer_listen = \"{}\"\nadmin_listen = \"{}\"\n",
            node.incarnation,
            self.plan.groups,
            quoted(self.data(number)),
            node.ports.client,
            node.ports.peer,
            node.ports.admin
        );
        if self.plan.records {
            let recording = quoted(self.place(number).join("flight.rec"));
            let _ = write!(text, "recording = {recording}\nrecording_bytes = {RECORDING_BYTES}\n");
        }
        let [cert, key] =
            ["crt", "key"].map(|end| quoted(certificates(&self.plan).join(format!("{TLS_HOST}.{end}"))));
        let tls = format!("\n[tls]\ncert_file = {cert}\nkey_file = {key}\nallows_plain = true\n");
        for other in &self.nodes {
            let is_own = other.number == number;
            let peer = if is_own { other.ports.peer } else { self.network.address(number, other.number) };
            let _ = write!(
                text,
                "\n[[peers]]\nnode = {}\npeer = \"{peer}\"\nclient = \"{}\"\n",
                other.number, other.ports.client
            );
        }
        text.push_str(&tls);
        text
    }

    /// Starts the process of a node that does not run.
    ///
    /// # Errors
    /// In words, if the system does not start it.
    pub(super) fn start_node(&mut self, number: u32) -> Result<(), String> {
        let trouble = |error: io::Error| format!("node {number} cannot start: {error}");
        let (place, text) = (self.place(number), self.config(number));
        fs::write(place.join("synod.toml"), text).map_err(trouble)?;
        let program = self.plan.program.clone().map_or_else(std::env::current_exe, Ok).map_err(trouble)?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(place.join("synod.toml")).env("RUST_BACKTRACE", "0");
        if let Some(library) = &self.plan.faketime {
            command.envs(clocks::environment(library, &place));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // An interrupt at the terminal is for this process, which ends its nodes itself.
        command.process_group(0);
        // SAFETY: between fork and exec only system calls are made.
        unsafe {
            command.pre_exec(|| {
                // A disk that takes nothing more shall be an error of a write, and no signal.
                libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
                match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            });
        }
        let mut child = command.spawn().map_err(trouble)?;
        if let Some(said) = child.stderr.take() {
            keep_log(said, place.join("log")).map_err(trouble)?;
        }
        self.processes[number as usize - 1].store(child.id(), Ordering::Relaxed);
        let node = self.node(number);
        node.child = Some(child);
        node.is_paused = false;
        node.is_up = false;
        node.starts += 1;
        Ok(())
    }

    /// The process of a node; 0 if none runs.
    pub(super) fn pid(&self, number: u32) -> libc::pid_t {
        let process = self.processes[number as usize - 1].load(Ordering::Relaxed);
        libc::pid_t::try_from(process).unwrap_or(0)
    }

    /// Sends a signal to the process of a node.
    pub(super) fn signal(&mut self, number: u32, signal: libc::c_int) {
        let node = self.node(number);
        let id = node.child.as_ref().and_then(|child| libc::pid_t::try_from(child.id()).ok());
        if let Some(id) = id {
            // SAFETY: a plain system call; the child was not waited for, so its number is still its own.
            unsafe { libc::kill(id, signal) };
            match signal {
                libc::SIGSTOP => node.is_paused = true,
                libc::SIGCONT => node.is_paused = false,
                _ => {}
            }
        }
    }

    /// Ends the process of a node as a loss of power would.
    pub(super) fn kill(&mut self, number: u32) {
        self.signal(number, libc::SIGKILL);
        self.wait_end(number);
    }

    /// Waits until a process that was told to end has ended. Yields how.
    pub(super) fn wait_end(&mut self, number: u32) -> Option<ExitStatus> {
        let node = self.node(number);
        let mut child = node.child.take()?;
        let status = child.wait().ok();
        clocks::forget(child.id());
        self.processes[number as usize - 1].store(0, Ordering::Relaxed);
        status
    }

    /// How the process of a node ended, if it did by itself. Then it does not run any more.
    pub(super) fn ended(&mut self, number: u32) -> Option<ExitStatus> {
        let status = self.node(number).child.as_mut()?.try_wait().ok()??;
        self.wait_end(number);
        Some(status)
    }

    /// Takes away the disk of a node that does not run. That it has lived before its file says, if it `is_told`, or else the
    /// other nodes must.
    ///
    /// # Errors
    /// In words, if the directory cannot be removed.
    pub(super) fn lose_disk(&mut self, number: u32, is_told: bool) -> Result<(), String> {
        let data = self.data(number);
        let node = self.node(number);
        node.lost += 1;
        node.incarnation = if is_told { node.lost } else { 0 };
        fs::remove_dir_all(&data).map_err(|error| format!("{}: {error}", data.display()))
    }

    /// The disk of a node that does not run loses whatever was not synced.
    ///
    /// # Errors
    /// In words, if the disk cannot be replaced.
    pub(super) fn lose_unsynced(&mut self, number: u32) -> Result<(), String> {
        self.images.as_mut().map_err(|why| why.clone())?.lose_unsynced(number)
    }

    /// Why no disk can lose what was not synced, if none can.
    pub(super) fn keeps_power(&self) -> Option<String> {
        self.images.as_ref().err().cloned()
    }

    /// The last words of a node's log.
    pub(super) fn last_words(&self, number: u32) -> String {
        let text = fs::read_to_string(self.place(number).join("log")).unwrap_or_default();
        text.lines().last().unwrap_or("it said nothing").to_owned()
    }

    /// Looks after the nodes: starts one again whose port was taken for a moment.
    ///
    /// # Errors
    /// In words, if a process ended by itself.
    pub(super) fn look_after(&mut self) -> Result<(), String> {
        for number in self.numbers() {
            let Some(status) = self.ended(number) else { continue };
            let words = self.last_words(number);
            if !words.contains("cannot listen on") || self.node(number).starts > STARTS_MAX {
                return Err(format!("node {number} ended by itself, with {status}: {words}"));
            }
            sleep(Duration::from_millis(100));
            self.start_node(number)?;
        }
        Ok(())
    }

    /// What a node says of itself, if it is awake.
    pub(super) fn status(&self, number: u32) -> Option<NodeStatus> {
        let node = &self.nodes[number as usize - 1];
        if node.child.is_none() || node.is_paused {
            return None;
        }
        ask(node.ports.admin).ok()
    }

    /// Who leads each group, as the leaders themselves say.
    pub(super) fn leaders(&self) -> Vec<(u32, u32)> {
        let mut leaders: Vec<(u32, u32)> = Vec::new();
        for status in self.numbers().into_iter().filter_map(|number| self.status(number)) {
            let leads = status.groups.iter().filter(|group| group.leads());
            leaders.extend(leads.map(|group| (group.group, status.node)));
        }
        leaders.sort_unstable();
        leaders
    }

    /// Waits until each group has a leader.
    ///
    /// # Errors
    /// In words, if one has none in time, or a process ended.
    pub(super) fn await_leaders(&mut self, patience: Duration) -> Result<Vec<(u32, u32)>, String> {
        let deadline = Instant::now() + patience;
        loop {
            self.look_after()?;
            let leaders = self.leaders();
            let has = |group: u32| leaders.iter().any(|(led, _)| *led == group);
            if (1..=self.plan.groups).all(has) {
                return Ok(leaders);
            }
            if Instant::now() > deadline {
                return Err(format!("a group has no leader after {} s", patience.as_secs()));
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Whether every node that runs has answered an operator since its start.
    pub(super) fn is_up(&mut self) -> bool {
        for node in self.nodes.iter_mut().filter(|node| node.child.is_some() && !node.is_up) {
            node.is_up = ask(node.ports.admin).is_ok();
        }
        self.nodes.iter().all(|node| node.child.is_none() || node.is_up)
    }

    /// Whether every node runs, takes part in all that it has, and has executed what any has chosen.
    pub(super) fn is_whole(&self) -> bool {
        let said: Vec<NodeStatus> =
            self.numbers().into_iter().filter_map(|number| self.status(number)).collect();
        if said.len() < self.nodes.len() {
            return false;
        }
        let takes_part = |role: &str| !matches!(role, "candidate" | "rejoining" | "starting");
        said.iter().all(|status| {
            !status.groups.is_empty()
                && takes_part(&status.service_role)
                && status.connected.len() + 1 == self.nodes.len()
                && status.groups.iter().all(|group| takes_part(&group.role))
        })
    }
}

impl Cluster {
    /// What each node is to each group, for people.
    pub(super) fn roles(&self) -> String {
        let mut text = String::new();
        for number in self.numbers() {
            let _ = match self.status(number) {
                None => write!(text, " n{number} says nothing;"),
                Some(status) => {
                    let roles = status.groups.iter().map(|group| format!("g{} {}", group.group, group.role));
                    let roles: Vec<String> = roles.collect();
                    let heard = status.connected.len();
                    write!(
                        text,
                        " n{number} is connected to {heard}, service {}, {};",
                        status.service_role,
                        roles.join(", ")
                    )
                }
            };
        }
        text.trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for number in self.numbers() {
            self.kill(number);
        }
    }
}

/// Where the disk of a node is.
fn disk(plan: &Plan, number: u32) -> PathBuf {
    plan.directory.join(format!("node{number}/disk"))
}

/// Where the authority and the nodes' certificate are.
fn certificates(plan: &Plan) -> PathBuf {
    plan.directory.join("tls")
}

/// Addresses that nobody has now, three for each node.
fn free_ports(nodes: u32, rng: &mut Rng) -> Result<Vec<Ports>, String> {
    let free = free_addresses(3 * nodes as usize, rng)?;
    Ok(free.chunks(3).map(|three| Ports { client: three[0], peer: three[1], admin: three[2] }).collect())
}

/// So many addresses that nobody has now.
pub(super) fn free_addresses(count: usize, rng: &mut Rng) -> Result<Vec<SocketAddr>, String> {
    // All are held until the last is found, so that none is found twice.
    let mut held: Vec<TcpListener> = Vec::new();
    for _ in 0..1_000 {
        if held.len() == count {
            break;
        }
        let port = rng.between(PORTS.0, PORTS.1) as u16;
        held.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
    }
    let free: Vec<SocketAddr> = held.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    if free.len() < count { Err("no ports are free on 127.0.0.1".to_owned()) } else { Ok(free) }
}

/// Writes what a process says to the end of its log. Not the process itself, so that a disk that takes nothing more from the
/// process still takes its last words.
fn keep_log(mut said: ChildStderr, path: PathBuf) -> io::Result<()> {
    let mut log = File::options().create(true).append(true).open(path)?;
    std::thread::Builder::new().name("log".to_owned()).spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(read @ 1..) = said.read(&mut piece) {
            let _ = log.write_all(&piece[..read]);
        }
    })?;
    Ok(())
}

/// The bytes of all files of a directory, as they take room on the disk.
pub(super) fn disk_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes += disk_bytes(&entry.path()),
            Ok(metadata) => bytes += metadata.blocks() * 512,
            // A file that is gone already takes no room.
            Err(_) => {}
        }
    }
    bytes
}
