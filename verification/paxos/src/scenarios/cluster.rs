//! A simulated Paxos group with clients, and those who watch it.

use super::oracles::{Counter, DiskOracle, LogOracle};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use synod_clientserver::{KvCommand, KvOutput, KvStore};
use synod_node::{NodeId, StateMachine};
use synod_paxos::{Client, Process, Proposal, Request, Server, Settings, Slot};
use synod_simulator::{Failure, Simulator};
use synod_stdx::Rng;
use synod_testkit::{Failed, HistoryOracle, Outcome, Stage, Translate};
use synod_verify::asks::{Asks, Forever};
use synod_verify::kv::{self, Collected, List};
use synod_world::World;

/// A node of the simulated group.
pub type Node = Process<KvStore>;

/// What a step of a play returns.
pub type Step = Result<(), Failure>;

/// A group and its clients.
pub struct Cluster {
    /// The simulation.
    pub sim: Simulator<Node>,
    /// The members, in order.
    pub servers: Vec<NodeId>,
    settings: Settings,
    /// How commands are asked: in some runs gets go around the log.
    request: fn(KvCommand) -> Request<KvCommand>,
    counts: Rc<RefCell<BTreeMap<&'static str, u64>>>,
}

/// Plays `script` on a group of so many servers.
///
/// # Errors
/// The first thing that went wrong.
pub fn play(
    stage: &Stage,
    servers: u32,
    script: impl FnOnce(&mut Cluster) -> Step,
) -> Result<Outcome, Box<Failed>> {
    play_with(stage, servers, Settings::default(), script)
}

/// As [`play`], with other settings.
///
/// # Errors
/// The first thing that went wrong.
pub fn play_with(
    stage: &Stage,
    servers: u32,
    settings: Settings,
    script: impl FnOnce(&mut Cluster) -> Step,
) -> Result<Outcome, Box<Failed>> {
    let mut cluster = Cluster::new(stage, servers, settings);
    let result = cluster.start_servers().and_then(|()| script(&mut cluster));
    stage.conclude(cluster.sim, result)
}

impl Cluster {
    /// A group that does not run yet.
    pub fn new(stage: &Stage, servers: u32, settings: Settings) -> Self {
        let mut sim = stage.simulator();
        sim.watch(HistoryOracle::<Node>::new(Translate { op, ret: kv::told }));
        sim.watch(LogOracle::default());
        sim.watch(DiskOracle::default());
        let counts = Rc::new(RefCell::new(BTreeMap::new()));
        sim.watch(Counter(Rc::clone(&counts)));
        let fast_reads = Rng::new(stage.seed).split("fast reads").chance(500);
        let request = if fast_reads { around_the_log } else { through_the_log };
        Cluster { sim, servers: NodeId::servers(servers), settings, request, counts }
    }

    fn start_servers(&mut self) -> Step {
        for id in self.servers.clone() {
            let server = Server::new(id, &self.servers, KvStore::default(), self.settings);
            self.sim.start(id, Process::Server(server))?;
        }
        Ok(())
    }

    /// Messages sent so far, by kind.
    pub fn sent(&self, kind: &str) -> u64 {
        self.counts.borrow().get(kind).copied().unwrap_or(0)
    }

    /// The members with these numbers.
    pub fn members(&self, numbers: &[u32]) -> Vec<NodeId> {
        numbers.iter().map(|number| NodeId::server(*number)).collect()
    }

    /// Cuts everything but the members with these numbers, and all clients, off.
    pub fn keep_only(&mut self, numbers: &[u32]) {
        let mut group = self.members(numbers);
        group.extend(self.sim.world().ids().filter(|id| id.is_client()));
        self.sim.network().partition(&[&group]);
    }

    /// Starts client `number`, if it does not run yet.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn client(&mut self, number: u32) -> Result<NodeId, Failure> {
        let id = NodeId::client(number);
        if !self.sim.world().is_running(id) {
            self.sim.start(id, Process::Client(Client::new(id, 0, &self.servers)))?;
        }
        Ok(id)
    }

    /// Has client `number` ask `list`, one after the other.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn asks(&mut self, number: u32, list: List) -> Step {
        self.asks_and_collects(number, list, &Collected::default())
    }

    /// As [`asks`](Cluster::asks); the answers are kept.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn asks_and_collects(&mut self, number: u32, list: List, answers: &Collected) -> Step {
        let id = self.client(number)?;
        self.sim.drive(id, 1, Asks::by(self.request, list).collecting(answers));
        Ok(())
    }

    /// As [`asks`](Cluster::asks), with up to `window` requests outstanding, and reads around the log.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn asks_at_once(&mut self, number: u32, window: usize, list: List) -> Step {
        let id = self.client(number)?;
        self.sim.drive(id, window, Asks::by(around_the_log, list));
        Ok(())
    }

    /// Has client `number` ask for ever, pausing `pause_us` after each answer.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn asks_for_ever(&mut self, number: u32, pause_us: u64) -> Step {
        let id = self.client(number)?;
        self.sim.drive(id, 1, Forever::by(self.request, number, pause_us));
        Ok(())
    }

    /// Runs until all clients are done.
    ///
    /// # Errors
    /// If they are not after `ms_max`, or something goes wrong.
    pub fn finish(&mut self, ms_max: u64) -> Step {
        synod_verify::finish(&mut self.sim, ms_max)
    }

    /// Fails if something does not hold.
    ///
    /// # Errors
    /// If it does not.
    pub fn must(&self, holds: bool, what: impl Into<String>) -> Step {
        if holds { Ok(()) } else { Err(self.sim.failure(what)) }
    }

    /// No client waited longer, since the last look.
    ///
    /// # Errors
    /// If one did.
    pub fn waited_at_most(&mut self, ms: u64) -> Step {
        let us = self.sim.take_wait_us_max();
        self.must(us < ms * 1000, format!("a client waited {us} µs, more than {ms} ms"))
    }

    /// A running server.
    pub fn server(&self, id: NodeId) -> Option<&Server<KvStore>> {
        self.sim.world().node(id).and_then(Process::server)
    }

    /// The running servers, in order.
    pub fn running(&self) -> Vec<&Server<KvStore>> {
        running(self.sim.world())
    }

    /// Who leads in the highest ballot.
    pub fn leader(&self) -> Option<NodeId> {
        let leaders = self.running().into_iter().filter(|server| server.is_leader());
        leaders.max_by_key(|server| server.promised()).map(Server::id)
    }

    /// Runs until a member leads that a quorum follows.
    ///
    /// # Errors
    /// If none does in time.
    pub fn elect(&mut self, ms_max: u64) -> Result<NodeId, Failure> {
        let elected = |sim: &Simulator<Node>| {
            let servers = running(sim.world());
            servers.iter().any(|leader| {
                let follows = |other: &&&Server<KvStore>| other.leader() == Some(leader.id());
                leader.is_leader() && servers.iter().filter(follows).count() >= leader.quorum()
            })
        };
        let done = self.sim.run_until(ms_max, elected)?;
        self.must(done, format!("nobody leads after {ms_max} ms"))?;
        self.leader().ok_or_else(|| self.sim.failure("nobody leads"))
    }

    /// The sum of what all servers keep: values, results and logs, in bytes.
    pub fn kept_bytes(&self) -> usize {
        self.running()
            .iter()
            .map(|server| {
                let results = server.replica().sessions().results().map(KvOutput::bytes).sum::<usize>();
                let held = |slot| match server.log().find(slot) {
                    Some((_, Proposal::Command { command, .. } | Proposal::Own { command })) => {
                        <KvStore as StateMachine>::bytes(command)
                    }
                    Some((_, Proposal::Noop)) | None => 0,
                };
                let log = (server.log().dropped_through().0 + 1..=server.log().last().0).map(Slot).map(held);
                results + log.sum::<usize>() + server.replica().machine().bytes()
            })
            .sum()
    }

    /// Runs until every running server has executed as much as any.
    ///
    /// # Errors
    /// If they have not in time.
    pub fn settle(&mut self, ms_max: u64) -> Step {
        let level = |sim: &Simulator<Node>| {
            let servers = running(sim.world());
            let through: Vec<Slot> = servers.iter().map(|server| server.chosen_through()).collect();
            through.iter().all(|slot| *slot == through[0]) && servers.iter().any(|server| server.is_leader())
        };
        let done = self.sim.run_until(ms_max, level)?;
        self.must(done, format!("the servers are not level after {ms_max} ms"))
    }
}

pub fn running(world: &World<Node>) -> Vec<&Server<KvStore>> {
    world.running().filter_map(|(_, node)| node.server()).collect()
}

fn through_the_log(command: KvCommand) -> Request<KvCommand> {
    Request::Commands(vec![command])
}

/// Reads need no entry.
fn around_the_log(command: KvCommand) -> Request<KvCommand> {
    match KvStore::is_read_only(&command) {
        true => Request::Queries(vec![command]),
        false => through_the_log(command),
    }
}

fn only(request: &Request<KvCommand>) -> &KvCommand {
    match request {
        Request::Commands(commands) | Request::Queries(commands) => &commands[0],
        Request::HandOver | Request::Clock(_) => unreachable!("no workload asks for that"),
    }
}

fn op(request: &Request<KvCommand>) -> Option<synod_history::KvOp> {
    kv::op(only(request))
}
