//! Keys with a time to live on the store as it is, under wall clocks that jump: the promise of `docs/design/time.md`, checked
//! against the run's true time.
//!
//! Three machines, each with a member of the configuration service and of two groups. At any time the wall clock of one of
//! them, at most, is wrong: by milliseconds or by years, ahead or behind. Machines crash and restart, one or all; links are
//! cut; slots move from group to group.

pub(crate) mod clients;
mod ledger;
mod mistakes;

pub use mistakes::{MUTANTS, caught};

use clients::{GatewayMistake, Taker, Wall};
use ledger::Ledger;
use std::cell::RefCell;
use std::rc::Rc;
use synod_node::NodeId;
use synod_paxos::Settings;
use synod_shardedstore::{
    Client, ConfigurationCommand, GroupId, GroupPlan, PART_BYTES, Process, Request, SLOT_COUNT, Server,
    SlotId,
};
use synod_simulator::{Failure, Fixed, Simulator};
use synod_stdx::Rng;
use synod_store::Keyspace;
use synod_testkit::{Failed, Kind, Outcome, Scenario, Stage};
use synod_verify_shardedstore::scenarios::{Actor, Mistake};

/// Scenarios of the store: what stands above `shardedstore`.
pub const SCENARIOS: &[Scenario] = &[
    row("1.1", "a_key_lives_as_long_as_it_was_given_whatever_one_wall_clock_does", Kind::Run, |stage| {
        play(stage, &Plan { jumps: true, ..Plan::default() })
    }),
    row(
        "1.2",
        "a_key_lives_as_long_as_it_was_given_while_machines_crash_and_clocks_jump",
        Kind::Unreliable(20),
        |stage| play(stage, &Plan { jumps: true, crashes: true, ..Plan::default() }),
    ),
    row(
        "1.3",
        "a_key_lives_as_long_as_it_was_given_while_slots_move_and_clocks_jump",
        Kind::Unreliable(20),
        |stage| play(stage, &Plan { jumps: true, crashes: true, moves: true, ..Plan::default() }),
    ),
    row("1.4", "durations_outlast_a_time_that_is_set_by_hand_on_all_machines", Kind::Run, |stage| {
        play(stage, &Plan { by_hand: true, ..Plan::default() })
    }),
];

const fn row(number: &'static str, name: &'static str, kind: Kind, play: synod_testkit::Play) -> Scenario {
    Scenario::new("store", number, name, kind, play)
}

type Node = Actor<Keyspace>;
type Step = Result<(), Failure>;

/// The faults of a run, and its seeded mistake.
#[derive(Clone, Copy, Default, Debug)]
struct Plan {
    /// One machine's wall clock after the other jumps.
    jumps: bool,
    /// The wall clocks of all machines are set, once.
    by_hand: bool,
    crashes: bool,
    moves: bool,
    mutant: Option<&'static str>,
    gateway: Option<GatewayMistake>,
}

const MACHINES: u32 = 3;
const GROUPS: u32 = 2;
const CONTROLLER: NodeId = NodeId::client(1000);
/// So far a wall clock jumps, in ms.
const JUMPS_MS: [i64; 8] =
    [-3_600_000, -1_000, -50, 50, 1_000, 3_600_000, 7_200_000, -1_000 * 86_400 * 365 * 20];

/// The nodes of a machine: a member of the configuration service, and one of each group.
fn nodes_of(machine: u32) -> Vec<NodeId> {
    (0..=GROUPS).map(|role| NodeId::server(10 * role + machine)).collect()
}

fn members(role: u32) -> Vec<NodeId> {
    (1..=MACHINES).map(|machine| NodeId::server(10 * role + machine)).collect()
}

struct Run {
    sim: Simulator<Node>,
    rng: Rng,
    plan: Plan,
    ledger: Rc<RefCell<Ledger>>,
    /// How far the wall clock of each gateway's machine is ahead.
    walls: Vec<Wall>,
    /// Each group had the time since all machines were started anew.
    is_time_found: bool,
}

fn play(stage: &Stage, plan: &Plan) -> Result<Outcome, Box<Failed>> {
    let mut sim = stage.simulator();
    // Timers go wrong more than the clocks may.
    sim.options().clock_skew_permille = 20;
    let walls = (0..MACHINES).map(|_| Wall::default()).collect();
    let rng = Rng::new(stage.seed).split("what happens");
    let mut run = Run { sim, rng, plan: *plan, ledger: Rc::default(), walls, is_time_found: false };
    let result = run.start().and_then(|()| run.go_on()).and_then(|()| run.end());
    stage.conclude(run.sim, result)
}

impl Run {
    fn start(&mut self) -> Step {
        let masters = members(0);
        let settings = Settings { tells_clocks: true, ..Settings::default() };
        for id in &masters {
            self.start_node(*id, Process::master(*id, &masters, SLOT_COUNT, settings))?;
        }
        for group in 1..=GROUPS {
            let plan = GroupPlan {
                group: GroupId(group),
                members: &members(group),
                masters: &masters,
                slot_count: SLOT_COUNT,
                store: Keyspace::new(),
                settings,
                part_bytes: PART_BYTES,
            };
            for id in members(group) {
                self.start_node(id, Process::Server(Server::new(id, &plan)))?;
            }
        }
        for id in (1..=MACHINES).flat_map(nodes_of) {
            self.sim.tell_clock(id, Request::Clock);
        }
        self.start_node(CONTROLLER, Process::controller(CONTROLLER, 0, &masters))?;
        let groups = (1..=GROUPS).map(|group| (GroupId(group), members(group))).collect();
        self.configure(ConfigurationCommand::Found { groups, nodes: Vec::new(), service: Vec::new() });
        let is_founded = self.sim.run_until(20_000, Simulator::is_done)?;
        self.must(is_founded, "the store is not founded after 20 s")?;
        for number in 1..=MACHINES {
            let id = NodeId::client(number);
            self.start_node(id, Process::Client(Client::new(id, 0, &masters, SLOT_COUNT)))?;
            let wall = Rc::clone(&self.walls[number as usize - 1]);
            let taker = Taker::new((number, 120), &self.ledger, (self.plan.gateway, wall));
            self.sim.drive(id, 1, taker);
        }
        Ok(())
    }

    fn start_node(&mut self, id: NodeId, process: Process<Keyspace>) -> Step {
        let mistake = self.plan.mutant.and_then(|name| Mistake::find(name, mistakes::lie));
        self.sim.start(id, Actor::new(process, mistake))
    }

    fn configure(&mut self, command: ConfigurationCommand) {
        self.sim.drive(CONTROLLER, 1, Fixed::new([(Request::Configure(command), None)]));
    }

    fn set_wall(&mut self, machine: u32, ahead_ms: i64) {
        *self.walls[machine as usize - 1].borrow_mut() = ahead_ms;
        for id in nodes_of(machine) {
            self.sim.set_wall_clock(id, ahead_ms);
        }
    }

    fn must(&self, holds: bool, what: &str) -> Step {
        if holds { Ok(()) } else { Err(self.sim.failure(what)) }
    }

    /// Runs for a while; the clients' ledger must object to nothing.
    fn pass(&mut self, ms: u64) -> Step {
        self.sim.run_ms(ms)?;
        match self.ledger.borrow_mut().objection.take() {
            None => Ok(()),
            Some(what) => Err(self.sim.failure(what)),
        }
    }

    /// Things happen until the clients have asked everything.
    fn go_on(&mut self) -> Step {
        let takers: Vec<NodeId> = (1..=MACHINES).map(NodeId::client).collect();
        for round in 0..400 {
            if takers.iter().all(|id| self.sim.is_client_done(*id)) {
                return Ok(());
            }
            let ms = self.rng.between(50, 800);
            self.pass(ms)?;
            if self.plan.by_hand && round == 10 {
                let ahead_ms = *self.rng.pick(&[-3_600_000, 3_600_000]).unwrap_or(&0);
                (1..=MACHINES).for_each(|machine| self.set_wall(machine, ahead_ms));
            }
            self.disturb()?;
        }
        Err(self.sim.failure("the clients are not done"))
    }

    /// Whether each group has a leader that stamps by the time.
    fn has_time(&self) -> bool {
        let stamps = |id: &NodeId| {
            let server = self.sim.world().node(*id).and_then(Actor::server).map(Server::paxos);
            server.is_some_and(|paxos| paxos.leader() == Some(*id) && paxos.has_time())
        };
        (1..=GROUPS).all(|group| members(group).iter().any(stamps))
    }

    /// One thing happens.
    fn disturb(&mut self) -> Step {
        self.is_time_found |= self.has_time();
        let machine = self.rng.between(1, MACHINES.into()) as u32;
        match self.rng.below(8) {
            0..=2 if self.plan.jumps => {
                (1..=MACHINES).for_each(|machine| self.set_wall(machine, 0));
                let ahead_ms = JUMPS_MS[self.rng.below(JUMPS_MS.len() as u64) as usize];
                self.set_wall(machine, ahead_ms);
            }
            3 if self.plan.crashes => {
                let down_ms = self.rng.between(1, 1_500);
                self.crash(&[machine])?;
                self.pass(down_ms)?;
                let is_anew = self.rng.chance(500);
                self.restart(&[machine], is_anew)?;
            }
            4 if self.plan.crashes => {
                let down_ms = self.rng.between(1, 4_000);
                self.crash(&[1, 2, 3])?;
                self.pass(down_ms)?;
                self.restart_all(machine)?;
            }
            5 if self.plan.crashes => {
                let ids = nodes_of(machine);
                let others: Vec<NodeId> =
                    (1..=MACHINES).filter(|other| *other != machine).flat_map(nodes_of).collect();
                ids.iter().for_each(|id| self.sim.network().cut_both(*id, &others));
                let cut_ms = self.rng.between(1, 1_500);
                self.pass(cut_ms)?;
                self.sim.network().heal();
            }
            6 if self.plan.moves && self.sim.is_client_done(CONTROLLER) => {
                let key = format!("lock{}", self.rng.below(6));
                let (slot, group) = (SlotId::of(key.as_bytes()), GroupId(self.rng.between(1, 2) as u32));
                self.configure(ConfigurationCommand::Move { first: slot, last: slot, group });
            }
            _ => {}
        }
        Ok(())
    }

    fn crash(&mut self, machines: &[u32]) -> Step {
        machines.iter().copied().flat_map(nodes_of).try_for_each(|id| self.sim.crash(id))
    }

    /// Starts the nodes of these machines again. `is_anew`: the machines themselves were, so that their monotonic clocks
    /// begin again.
    fn restart(&mut self, machines: &[u32], is_anew: bool) -> Step {
        for id in machines.iter().copied().flat_map(nodes_of) {
            if is_anew {
                self.sim.boot_machine(id);
            }
            self.sim.restart(id)?;
        }
        Ok(())
    }

    /// All machines are started anew and come back together; or only their processes are, and one of them stays away for
    /// longer: then the wall clocks of the others need not agree. Where nobody has found the time yet since the machines were
    /// started, that is the same as new machines one of which stays away, and nothing tells what time it is.
    fn restart_all(&mut self, away: u32) -> Step {
        if self.rng.chance(500) || !self.is_time_found {
            self.is_time_found = false;
            return self.restart(&[1, 2, 3], true);
        }
        let others: Vec<u32> = (1..=MACHINES).filter(|machine| *machine != away).collect();
        self.restart(&others, false)?;
        let away_ms = self.rng.between(1, 6_000);
        self.pass(away_ms)?;
        self.restart(&[away], false)
    }

    fn end(&mut self) -> Step {
        self.pass(100)?;
        let (granted, gone) = (self.ledger.borrow().granted, self.ledger.borrow().seen_gone);
        self.must(granted > 5 && gone > 0, "hardly a key was taken, or none was seen gone: nothing is shown")
    }
}
