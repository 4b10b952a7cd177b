//! A cluster whose nodes' wall clocks the test sets, with libfaketime. Their monotonic clocks stay true.

use crate::cluster::{Cluster, PATIENCE, Setup, Wire, wait_for};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use synod_resp::Reply;
use synod_synod::prove::clocks;
pub use synod_synod::prove::clocks::library;

/// A follower catches up, or a leader is elected, within this; then a command is answered.
const ANSWER_MAX: Duration = Duration::from_secs(8);

/// The time since 1970, by the clock of this machine, which nobody changes.
#[expect(clippy::disallowed_methods, reason = "the true time, which the nodes' is compared with")]
pub fn true_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// An answer, and between which moments the command ran.
#[derive(Debug)]
pub struct Answer {
    pub sent: Instant,
    pub reply: Reply,
    pub answered: Instant,
}

/// Three nodes, each with a wall clock of its own.
pub struct Clocked {
    pub cluster: Cluster,
}

impl Clocked {
    /// Starts three nodes, of which one's wall clock may be wrong by some seconds from its start on.
    pub fn start(library: &Path, wrong: Option<(u32, i64)>) -> Clocked {
        let cluster = Cluster::start_as(3, |setup| {
            let offset_s = wrong.filter(|(node, _)| *node == setup.node).map_or(0, |(_, offset_s)| offset_s);
            fs::create_dir_all(&setup.directory).unwrap();
            write_offset(setup, offset_s);
            setup.environment = clocks::environment(library, &setup.directory);
        });
        let clocked = Clocked { cluster };
        clocked.cluster.numbers().into_iter().for_each(|node| clocked.assert_is_faked(node));
        clocked
    }

    /// From now on the wall clock of `node` is wrong by `offset_s` seconds.
    pub fn set(&self, node: u32, offset_s: i64) {
        write_offset(self.setup(node), offset_s);
    }

    fn setup(&self, node: u32) -> &Setup {
        &self.cluster.nodes[node as usize - 1].setup
    }

    /// The library is in the node's process, and changes what a program reads there by what the file says.
    fn assert_is_faked(&self, node: u32) {
        let setup = self.setup(node);
        let process = self.cluster.nodes[node as usize - 1].process.as_ref().unwrap();
        let maps = fs::read_to_string(format!("/proc/{}/maps", process.id())).unwrap();
        assert!(maps.contains("libfaketime"), "node {node} runs without libfaketime");
        let offset_s: i64 =
            fs::read_to_string(clocks::file(&setup.directory)).unwrap().trim().parse().unwrap();
        let environment = setup.environment.iter().map(|(name, value)| (name, value));
        let said = Command::new("date").arg("+%s").envs(environment).output().unwrap();
        let said_s: i64 = String::from_utf8_lossy(&said.stdout).trim().parse().unwrap();
        let true_s = true_time().as_secs().cast_signed();
        assert!((said_s - true_s - offset_s).abs() <= 2, "{said_s} is told, {offset_s} s off {true_s}");
    }

    /// Asks `node` until the command runs.
    pub fn ask(&self, node: u32, words: &[&str]) -> Answer {
        let answer = wait_for(PATIENCE, || {
            let mut wire = Wire::open(self.cluster.client_address(node), ANSWER_MAX)?;
            let sent = Instant::now();
            let reply = wire.ask(words).unwrap_or_else(|| panic!("node {node} does not answer {words:?}"));
            let answered = Instant::now();
            let did_not_run = matches!(&reply, Reply::Error(words)
                if words.starts_with("TRYAGAIN") || words.starts_with("CLUSTERDOWN"));
            (!did_not_run).then_some(Answer { sent, reply, answered })
        });
        answer.unwrap_or_else(|| panic!("node {node} does not run {words:?}"))
    }

    pub fn kill_all(&mut self) {
        self.cluster.numbers().into_iter().for_each(|node| self.cluster.kill(node));
    }

    pub fn restart_all(&mut self) {
        self.cluster.numbers().into_iter().for_each(|node| self.cluster.restart(node));
        self.cluster.await_leader();
    }

    /// Kills leaders until `node` leads, or until another does.
    pub fn let_lead(&mut self, node: u32, leads: bool) {
        while (self.cluster.await_leader() == node) != leads {
            let leader = self.cluster.await_leader();
            self.cluster.kill(leader);
            self.cluster.await_leader();
            self.cluster.restart(leader);
        }
    }
}

fn write_offset(setup: &Setup, offset_s: i64) {
    clocks::set(&setup.directory, offset_s).unwrap();
}
