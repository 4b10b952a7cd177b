//! A simulated store: the configuration service, groups, clients, and those who watch them.

use super::texts::{self, Asking, Asks, Collected, Endless, Forever, List};
use super::{Actor, Mistake};
use crate::mutants::replacements;
use std::collections::BTreeMap;
use synod_node::NodeId;
use synod_paxos::{Settings, Slot};
use synod_shardedstore::{
    Client, ConfigurationCommand, GroupId, GroupPlan, GroupState, PART_BYTES, Process, Request, Seats,
    Server, SlotId, Texts, invariants,
};
use synod_simulator::{Failure, Fixed, Oracle, Simulator};
use synod_stdx::Rng;
use synod_testkit::{Failed, HistoryOracle, Outcome, Stage, Translate};
use synod_world::World;

/// A node of the simulated store.
pub type Node = Actor;

/// What a step of a play returns.
pub type Step = Result<(), Failure>;

/// Who asks the configuration service for changes.
pub const CONTROLLER: u32 = 1000;

/// How large a store is.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many groups run, whether they have joined or not.
    pub groups: u32,
    /// How many members each has.
    pub members: u32,
    /// How many members the configuration service has.
    pub masters: u32,
    /// How many slots there are.
    pub slots: u16,
    /// Whether one whole group after the other, the configuration service too, crashes and restarts all the time.
    pub troubles: bool,
}

impl Shape {
    /// So many groups of three, three masters.
    pub const fn of(groups: u32, slots: u16, troubles: bool) -> Self {
        Shape { groups, members: 3, masters: 3, slots, troubles }
    }
}

/// The members of the configuration service.
pub fn masters(count: u32) -> Vec<NodeId> {
    NodeId::servers(count)
}

/// The members of a group.
pub fn members(group: u32, count: u32) -> Vec<NodeId> {
    (1..=count).map(|n| NodeId::server(10 * group + n)).collect()
}

/// A group joins.
pub fn join(group: u32, count: u32) -> ConfigurationCommand {
    ConfigurationCommand::Join { group: GroupId(group), members: members(group, count) }
}

/// A group leaves.
pub fn leave(group: u32) -> ConfigurationCommand {
    ConfigurationCommand::Leave { group: GroupId(group) }
}

/// A store and its clients.
pub struct Store {
    /// The simulation.
    pub sim: Simulator<Node>,
    /// How large it is.
    pub shape: Shape,
    asking: Asking,
    /// Where whole groups crash and restart all the time: the dice for it.
    troubles: Option<Rng>,
    /// Which mutant takes the nodes' steps.
    mutant: Option<&'static str>,
}

/// How much longer a client may wait where whole groups crash: they are down, and elect somebody.
const TROUBLES_MS: u64 = 3_000;

/// Plays `script` on a store that knows no group yet.
///
/// # Errors
/// The first thing that went wrong.
pub fn play(
    stage: &Stage,
    shape: Shape,
    script: impl FnOnce(&mut Store) -> Step,
) -> Result<Outcome, Box<Failed>> {
    play_with(stage, shape, None, script)
}

/// As [`play`]; a mutant takes the nodes' steps.
///
/// # Errors
/// The first thing that went wrong.
pub fn play_with(
    stage: &Stage,
    shape: Shape,
    mutant: Option<&'static str>,
    script: impl FnOnce(&mut Store) -> Step,
) -> Result<Outcome, Box<Failed>> {
    let mut store = Store::new(stage, shape);
    store.mutant = mutant;
    let result = store.start().and_then(|()| script(&mut store));
    stage.conclude(store.sim, result)
}

impl Store {
    fn new(stage: &Stage, shape: Shape) -> Self {
        let mut sim = stage.simulator();
        sim.watch(HistoryOracle::<Node>::new(Translate { op: texts::op, ret: texts::ret }));
        sim.watch(SlotOracle::default());
        let fast_reads = Rng::new(stage.seed).split("fast reads").chance(500);
        let asking = if fast_reads { texts::around_the_log } else { texts::through_the_log };
        let troubles = shape.troubles.then(|| Rng::new(stage.seed).split("troubles"));
        Store { sim, shape, asking, troubles, mutant: None }
    }

    fn start(&mut self) -> Step {
        let Shape { groups, members: count, masters: master_count, slots, troubles: _ } = self.shape;
        let masters = masters(master_count);
        let settings = Settings::default();
        for id in &masters {
            self.run_node(*id, Process::master(*id, &masters, slots, settings))?;
        }
        for group in 1..=groups {
            let members = members(group, count);
            let plan = GroupPlan {
                group: GroupId(group),
                members: &members,
                masters: &masters,
                slot_count: slots,
                store: Texts::new(slots),
                settings,
                part_bytes: PART_BYTES,
            };
            for id in &members {
                self.run_node(*id, Process::Server(Server::new(*id, &plan)))?;
            }
        }
        let id = NodeId::client(CONTROLLER);
        self.run_node(id, Process::controller(id, 0, &masters))
    }

    /// Starts a node, or lets another one run under its name.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn run_node(&mut self, id: NodeId, process: Process<Texts>) -> Step {
        let mistake = self.mutant.and_then(|name| Mistake::find(name, replacements::substitute));
        let node = Actor::new(process, mistake);
        let is_known = self.sim.world().ids().any(|known| known == id);
        match is_known {
            true => self.sim.replace(id, node),
            false => self.sim.start(id, node),
        }
    }

    /// The seats of a group, as the configuration service has them, and how many configurations there are.
    pub fn seats(&self, group: u32) -> (Seats, u64) {
        let masters = self.sim.world().running().filter_map(|(_, actor)| match actor.node() {
            Process::Service(member) => Some(member.paxos()),
            Process::Controller(_) | Process::Server(_) | Process::Client(_) => None,
        });
        let newest = masters.max_by_key(|server| server.chosen_through());
        let history = newest.map_or(&[][..], |server| server.replica().machine().history());
        (Seats::of(GroupId(group), history), history.len() as u64)
    }

    /// Starts the member `id` of a group, which has a seat that was another's, or lost its disk so often.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn start_anew(&mut self, group: u32, id: NodeId, disks_lost: u64) -> Step {
        let (seats, next) = self.seats(group);
        let plan = GroupPlan {
            group: GroupId(group),
            members: &seats.names(),
            masters: &masters(self.shape.masters),
            slot_count: self.shape.slots,
            store: Texts::new(self.shape.slots),
            settings: Settings::default(),
            part_bytes: PART_BYTES,
        };
        let life = seats.life(id, disks_lost);
        let server = Server::replacing(id, &plan, (seats.clone(), next), life);
        self.run_node(id, Process::Server(server))
    }

    /// The members of a group.
    pub fn members(&self, group: u32) -> Vec<NodeId> {
        members(group, self.shape.members)
    }

    /// A group joins.
    pub fn join(&self, group: u32) -> ConfigurationCommand {
        join(group, self.shape.members)
    }

    /// Begins to ask for these changes, each of which must be done.
    pub fn begin_to_change(&mut self, changes: Vec<ConfigurationCommand>) {
        let asks: Vec<_> = changes.into_iter().map(|change| (Request::Configure(change), None)).collect();
        self.sim.drive(NodeId::client(CONTROLLER), 1, Fixed::new(asks));
    }

    /// These changes are made, one after the other.
    ///
    /// # Errors
    /// If one is not.
    pub fn change(&mut self, changes: Vec<ConfigurationCommand>) -> Step {
        self.begin_to_change(changes);
        let id = NodeId::client(CONTROLLER);
        let done = self.run_until(20_000, |sim| sim.is_client_done(id))?;
        self.must(done, "the configuration is not changed after 20 s")
    }

    /// Starts client `number`, if it does not run yet.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn client(&mut self, number: u32) -> Result<NodeId, Failure> {
        let id = NodeId::client(number);
        if !self.sim.world().is_running(id) {
            let client = Client::new(id, 0, &masters(self.shape.masters), self.shape.slots);
            self.run_node(id, Process::Client(client))?;
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

    /// As [`asks`](Store::asks); the answers are kept.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn asks_and_collects(&mut self, number: u32, list: List, answers: &Collected) -> Step {
        let id = self.client(number)?;
        self.sim.drive(id, 1, Asks::new(self.asking, list, answers));
        Ok(())
    }

    /// Has client `number` ask `list`, with up to `window` requests outstanding, whatever is answered.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn asks_at_once(&mut self, number: u32, window: usize, list: List) -> Step {
        let id = self.client(number)?;
        let asking = self.asking;
        let asks: Vec<_> = list.into_iter().map(|(command, _)| (asking(command), None)).collect();
        self.sim.drive(id, window, Fixed::new(asks));
        Ok(())
    }

    /// Has client `number` ask for ever, pausing `pause_us` after each answer.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn asks_for_ever(&mut self, number: u32, (has_transactions, pause_us): (bool, u64)) -> Step {
        let id = self.client(number)?;
        self.sim.drive(id, 1, Forever::new(self.asking, Endless::new(number, has_transactions), pause_us));
        Ok(())
    }

    /// Runs for `ms` milliseconds.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub fn run_ms(&mut self, ms: u64) -> Step {
        self.run_until(ms, |_| false).map(|_| ())
    }

    /// Runs until `reached`, or for `ms_max` milliseconds; says whether it was reached. Troubles happen meanwhile.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub fn run_until(
        &mut self,
        ms_max: u64,
        reached: impl Fn(&Simulator<Node>) -> bool,
    ) -> Result<bool, Failure> {
        let end_us = self.sim.now_us() + ms_max * 1_000;
        while let Some(rng) = &mut self.troubles {
            let group = rng.below(u64::from(self.shape.groups) + 1) as u32;
            let (quiet_ms, down_ms) = (rng.between(300, 2_500), rng.between(1, 600));
            let left_ms = end_us.saturating_sub(self.sim.now_us()) / 1_000;
            if quiet_ms + down_ms >= left_ms {
                break;
            }
            if self.sim.run_until(quiet_ms, &reached)? {
                return Ok(true);
            }
            let ids = if group == 0 { masters(self.shape.masters) } else { self.members(group) };
            let ids: Vec<NodeId> = ids.into_iter().filter(|id| self.sim.world().is_running(*id)).collect();
            for id in &ids {
                self.sim.crash(*id)?;
            }
            let is_reached = self.sim.run_until(down_ms, &reached)?;
            for id in ids {
                self.sim.restart(id)?;
            }
            if is_reached {
                return Ok(true);
            }
        }
        self.sim.run_until(end_us.saturating_sub(self.sim.now_us()) / 1_000, reached)
    }

    /// Runs until all clients are done.
    ///
    /// # Errors
    /// If they are not after `ms_max`, or something goes wrong.
    pub fn finish(&mut self, ms_max: u64) -> Step {
        let done = self.run_until(ms_max, Simulator::is_done)?;
        self.must(done, format!("the clients are not done after {ms_max} ms"))
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
        let ms = if self.troubles.is_some() { ms + TROUBLES_MS } else { ms };
        let us = self.sim.take_wait_us_max();
        self.must(us < ms * 1000, format!("a client waited {us} µs, more than {ms} ms"))
    }

    /// The running members of all groups.
    pub fn servers(&self) -> impl Iterator<Item = (NodeId, &Server<Texts>)> {
        self.sim.world().running().filter_map(|(id, node)| Some((id, node.server()?)))
    }

    /// The state of a group: that of its member that executed most.
    pub fn state(&self, group: u32) -> Option<&GroupState<Texts>> {
        let servers = self.servers().map(|(_, server)| server);
        let members = servers.filter(|server| server.group() == GroupId(group));
        members.max_by_key(|server| server.paxos().chosen_through()).map(Server::state)
    }

    /// How many slots each group serves.
    pub fn served(&self) -> BTreeMap<GroupId, usize> {
        let states = (1..=self.shape.groups).filter_map(|group| self.state(group));
        states.map(|state| (state.group(), state.held().count())).collect()
    }

    /// Runs until a configuration of this number is carried out by all groups.
    ///
    /// # Errors
    /// If it is not in time.
    pub fn settle(&mut self, number: u64, ms_max: u64) -> Step {
        let groups = self.shape.groups;
        let is_settled = |sim: &Simulator<Node>| {
            let servers = || sim.world().running().filter_map(|(_, node)| node.server());
            (1..=groups).map(GroupId).all(|group| {
                let members = servers().filter(|server| server.group() == group);
                let Some(server) = members.max_by_key(|server| server.paxos().chosen_through()) else {
                    return true;
                };
                let state = server.state();
                let known = state.configuration().map(|configuration| configuration.number);
                known.is_some_and(|known| known >= number) && state.moving() == (0, 0)
            })
        };
        let done = self.run_until(ms_max, is_settled)?;
        self.must(done, format!("configuration {number} is not carried out after {ms_max} ms"))
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> SlotId {
        Texts::slot_of(key, self.shape.slots)
    }
}

/// At no moment do two groups serve a slot, and at every moment one has it. Of each group the newest state counts that
/// was ever seen: who has it may have crashed.
#[derive(Default)]
struct SlotOracle {
    newest: BTreeMap<GroupId, (Slot, GroupState<Texts>)>,
}

impl Oracle<Node> for SlotOracle {
    fn after_step(&mut self, world: &World<Node>, node: NodeId) -> Result<(), String> {
        let Some(server) = world.node(node).and_then(Actor::server) else { return Ok(()) };
        let through = server.paxos().chosen_through();
        if self.newest.get(&server.group()).is_some_and(|(known, _)| *known >= through) {
            return Ok(());
        }
        self.newest.insert(server.group(), (through, server.state().clone()));
        let states: Vec<&GroupState<Texts>> = self.newest.values().map(|(_, state)| state).collect();
        invariants::a_slot_is_served_by_one_group(&states)?;
        invariants::no_slot_is_lost(&states)
    }
}
