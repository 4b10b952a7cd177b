//! The same faults against a stock Redis Cluster: three masters, a replica each, `appendfsync always`. So that the difference is
//! seen, and the judge is seen to find what it looks for.
//!
//! Its nodes tell each other their own addresses, past any proxy: links between them cannot be cut here, and those faults are
//! left out. So are those that only Synod has a word for.

use super::clients::{Shared, work};
use super::judge::{judge_the_rest, judge_while_running};
use super::plan::{Kind, Step};
use super::record::Record;
use super::wire::Wire;
use super::workloads::Registers;
use crate::interrupt;
use crate::tls::Caller;
use serde::Serialize;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};
use synod_resp::Reply;
use synod_stdx::Rng;

/// Masters and their replicas.
const NODES: usize = 6;
/// After so long a node is taken for dead: less than what Redis comes with (15 s), so that it fails over within the faults.
const NODE_TIMEOUT_MS: &str = "1000";
/// Within this a cluster must come up, or come back.
const READY_MAX: Duration = Duration::from_secs(30);
/// How long it is left alone between two faults, at least.
const QUIET: Duration = Duration::from_millis(800);

/// What came of Redis.
#[derive(Clone, Debug, Serialize)]
pub(super) struct OfRedis {
    /// Its version, as it says it.
    pub(super) version: String,
    /// Whether every history was linearizable.
    pub(super) held: bool,
    pub(super) operations: usize,
    /// Histories that were judged to their end and found linearizable.
    pub(super) histories: usize,
    /// Histories that were not linearizable.
    pub(super) violated: usize,
    /// The first of those.
    pub(super) first: Option<String>,
    /// Each fault that was carried out.
    pub(super) faults: Vec<String>,
    /// Kinds of the plan that cannot be carried out on it.
    pub(super) left_out: Vec<&'static str>,
}

/// The processes.
struct Redis {
    directory: PathBuf,
    addresses: Vec<SocketAddr>,
    children: Vec<Option<Child>>,
}

impl Redis {
    fn start(directory: &Path, seed: u64) -> Result<Redis, String> {
        let mut rng = Rng::new(seed).split(&format!("redis ports of process {}", std::process::id()));
        let addresses = super::cluster::free_addresses(NODES, &mut rng)?;
        let mut redis = Redis { directory: directory.to_owned(), addresses, children: Vec::new() };
        for node in 0..NODES {
            redis.children.push(None);
            redis.start_node(node).map_err(|error| format!("redis-server cannot start: {error}"))?;
        }
        let deadline = Instant::now() + READY_MAX;
        while !(0..NODES).all(|node| redis.ask(node, &["PING"]).is_some()) {
            if Instant::now() > deadline {
                return Err("a redis-server does not answer".to_owned());
            }
            sleep(Duration::from_millis(50));
        }
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(redis.addresses.iter().map(SocketAddr::to_string));
        create.args(["--cluster-replicas", "1", "--cluster-yes"]);
        let output = create.output().map_err(|error| format!("redis-cli: {error}"))?;
        if !output.status.success() {
            return Err(format!("redis-cli makes no cluster: {}", String::from_utf8_lossy(&output.stdout)));
        }
        redis.await_ready().then_some(redis).ok_or_else(|| "the Redis Cluster does not come up".to_owned())
    }

    fn start_node(&mut self, node: usize) -> io::Result<()> {
        let directory = self.directory.join(format!("redis{node}"));
        fs::create_dir_all(&directory)?;
        let log = File::options().create(true).append(true).open(directory.join("log"))?;
        let port = self.addresses[node].port().to_string();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--cluster-enabled", "yes"]);
        command.args(["--cluster-node-timeout", NODE_TIMEOUT_MS, "--dir"]).arg(&directory);
        command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null()).process_group(0);
        // SAFETY: between fork and exec only a system call is made.
        unsafe {
            command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
        self.children[node] = Some(command.spawn()?);
        Ok(())
    }

    fn ask(&self, node: usize, words: &[&str]) -> Option<Reply> {
        Wire::open(self.addresses[node], Duration::from_millis(500))?.ask(words)
    }

    /// Whether a node is a master, as it says itself.
    fn is_master(&self, node: usize) -> bool {
        let role = self.ask(node, &["ROLE"]);
        matches!(role, Some(Reply::Array(parts)) if parts.first() == Some(&Reply::bulk("master")))
    }

    /// Waits until every node says that all slots are served.
    fn await_ready(&self) -> bool {
        let deadline = Instant::now() + READY_MAX;
        let is_well = |node: usize| match self.ask(node, &["CLUSTER", "INFO"]) {
            Some(Reply::Bulk(text)) => String::from_utf8_lossy(&text).contains("cluster_state:ok"),
            _ => false,
        };
        while Instant::now() < deadline && !interrupt::is_wanted() {
            if (0..NODES).all(is_well) {
                return true;
            }
            sleep(Duration::from_millis(50));
        }
        false
    }

    fn signal(&self, node: usize, signal: libc::c_int) {
        let id = self.children[node].as_ref().and_then(|child| libc::pid_t::try_from(child.id()).ok());
        if let Some(id) = id {
            // SAFETY: a plain system call; the child was not waited for, so its number is still its own.
            unsafe { libc::kill(id, signal) };
        }
    }

    fn end(&mut self, node: usize, signal: libc::c_int) {
        self.signal(node, signal);
        if let Some(mut child) = self.children[node].take() {
            let _ = child.wait();
        }
    }

    /// The nodes that a fault is for; `None` if Redis cannot have it.
    fn chosen(&self, kind: Kind, rng: &mut Rng) -> Option<Vec<usize>> {
        let mut all: Vec<usize> = (0..NODES).collect();
        rng.shuffle(&mut all);
        Some(match kind {
            Kind::KillLeader | Kind::PauseLeader => {
                vec![all.iter().copied().find(|node| self.is_master(*node)).unwrap_or(all[0])]
            }
            Kind::KillFollower | Kind::PauseFollower => {
                vec![all.iter().copied().find(|node| !self.is_master(*node)).unwrap_or(all[0])]
            }
            Kind::KillMajority | Kind::PauseMajority => {
                all.truncate(NODES / 2 + 1);
                all
            }
            Kind::KillAll | Kind::RollingRestart => all,
            _ => return None,
        })
    }

    /// Carries out a fault. Yields what was done, or `None` if Redis cannot have it.
    fn carry_out(&mut self, step: &Step) -> io::Result<Option<String>> {
        let mut rng = step.draws.clone();
        let Some(chosen) = self.chosen(step.kind, &mut rng) else { return Ok(None) };
        let told: Vec<String> = chosen.iter().map(|node| self.addresses[*node].port().to_string()).collect();
        match step.kind {
            Kind::PauseLeader | Kind::PauseFollower | Kind::PauseMajority => {
                chosen.iter().for_each(|node| self.signal(*node, libc::SIGSTOP));
                sleep(step.lasts);
                chosen.iter().for_each(|node| self.signal(*node, libc::SIGCONT));
            }
            Kind::RollingRestart => {
                for node in chosen {
                    self.end(node, libc::SIGTERM);
                    sleep(step.lasts);
                    self.start_node(node)?;
                    self.await_ready();
                }
            }
            _ => {
                chosen.iter().for_each(|node| self.signal(*node, libc::SIGKILL));
                chosen.iter().for_each(|node| self.end(*node, libc::SIGKILL));
                sleep(step.lasts);
                chosen.into_iter().try_for_each(|node| self.start_node(node))?;
            }
        }
        Ok(Some(format!("{} of {}", step.kind.name(), told.join(", "))))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        (0..self.children.len()).for_each(|node| self.end(node, libc::SIGKILL));
    }
}

/// Plays the plan on a Redis Cluster, and judges what clients of its registers saw.
///
/// # Errors
/// In words, if it is not installed or does not come up.
pub(super) fn run(seed: u64, steps: &[Step], length: Duration) -> Result<OfRedis, String> {
    let version = Command::new("redis-server").arg("--version").output();
    let version = version.map_err(|_| "--redis: redis-server is not installed".to_owned())?;
    let place = tempfile::Builder::new().prefix("synod-prove-redis-").tempdir();
    let place = place.map_err(|error| format!("no directory for temporary files: {error}"))?;
    let mut redis = Redis::start(place.path(), seed)?;
    let shared = Shared::new((redis.addresses.clone(), Caller::PLAIN), Instant::now(), false);
    let record: Record<Registers> = Record::new(shared.began);
    let (mut faults, mut left_out) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let rng = Rng::new(seed);
        for client in 0..8 {
            let rng = rng.split(&format!("redis {client}"));
            let (shared, record) = (&shared, &record);
            scope.spawn(move || work(shared, record, rng, (5, 30)));
        }
        let judge_rng = rng.split("judge of redis");
        scope.spawn(|| judge_while_running(&shared, &[&record], judge_rng));
        for step in steps {
            if shared.began.elapsed() > length || interrupt::is_wanted() {
                break;
            }
            if redis.chosen(step.kind, &mut step.draws.clone()).is_none() {
                left_out.push(step.kind.name());
                continue;
            }
            sleep(QUIET);
            if let Ok(Some(done)) = redis.carry_out(step) {
                faults.push(done);
            }
            redis.await_ready();
        }
        sleep(QUIET);
        shared.is_done.store(true, Ordering::Relaxed);
    });
    redis.await_ready();
    judge_the_rest(&shared, &[&record], Rng::new(seed).split("last judge of redis"));
    left_out.sort_unstable();
    left_out.dedup();
    let findings = shared.findings.all();
    let violated: Vec<_> = findings.iter().filter(|finding| finding.is_violation).collect();
    let count = record.count();
    Ok(OfRedis {
        version: String::from_utf8_lossy(&version.stdout).split(" sha").next().unwrap_or_default().to_owned(),
        held: violated.is_empty() && findings.is_empty() && record.left() == 0,
        operations: count.judged,
        histories: count.pages,
        violated: violated.len(),
        first: violated.first().map(|finding| finding.text.clone()),
        faults,
        left_out,
    })
}
