//! Members of the configuration service are replaced while clients ask, groups change and nodes crash.

use super::row;
use super::store::{Node, Shape, Step, Store, masters, members, play_with};
use std::collections::BTreeMap;
use synod_node::NodeId;
use synod_paxos::{Settings, Slot, invariants};
use synod_shardedstore::{
    ConfigurationCommand as Command, GroupId, Process, Request, SERVICE, Seats, ServiceMember,
};
use synod_simulator::{Oracle, Simulator};
use synod_stdx::Rng;
use synod_testkit::{Failed, Kind, Outcome, Scenario, Stage};
use synod_world::World;

/// Claims beyond the module's list.
pub const SERVICE_MOVES: &[Scenario] = &[
    row("x23", "every_member_of_the_service_is_replaced_while_others_crash", Kind::Unreliable(50), |stage| {
        all_in_turn(stage)
    }),
    row("x24", "a_leader_of_the_service_that_is_cut_off_and_replaced_decides_nothing", Kind::Run, |stage| {
        cut_off(stage, None)
    }),
];

type Shown = Result<Outcome, Box<Failed>>;

fn founded(stage: &Stage, mutant: Option<&'static str>, script: impl FnOnce(&mut Store) -> Step) -> Shown {
    play_with(stage, Shape::of(2, 8, false), mutant, |store| {
        store.sim.watch(ServiceOracle::default());
        let groups = vec![(GroupId(1), members(1, 3))];
        let found = Command::Found { groups, nodes: Vec::new(), service: masters(3) };
        store.change(vec![found, store.join(2)])?;
        store.settle(1, 30_000)?;
        for client in 1..=2 {
            store.asks_for_ever(client, (true, 0))?;
        }
        store.run_ms(500)?;
        script(store)
    })
}

fn spare(which: u32) -> NodeId {
    NodeId::server(900 + which)
}

fn member(sim: &Simulator<Node>, id: NodeId) -> Option<&ServiceMember> {
    sim.world().node(id).and_then(|actor| actor.node().service())
}

/// The service's seats, as whoever knows most of them has it, and how many configurations there are.
fn seats(store: &Store) -> (Seats, u64) {
    let all = store.sim.world().running().filter_map(|(_, actor)| actor.node().service());
    let newest = all.max_by_key(|member| member.paxos().chosen_through());
    let history = newest.map_or(&[][..], |member| member.service().history());
    (Seats::of(SERVICE, history), history.len() as u64)
}

/// Another one takes the seat of `old` and starts; clients of the service hear of it, as a process tells its own.
fn take_seat(store: &mut Store, (old, new): (NodeId, NodeId), disks_lost: u64) -> Step {
    for _ in 0..100 {
        store.change(vec![Command::Replace { group: SERVICE, old, new }])?;
        if seats(store).0.is_home(new) {
            break;
        }
        // The service cannot spare it yet.
        store.run_ms(100)?;
    }
    let is_taken = seats(store).0.is_home(new);
    store.must(is_taken, format!("{new} does not get the seat of {old} in 10 s"))?;
    start(store, new, disks_lost)?;
    tell_all(store)
}

/// Each process tells its members of groups and its clients where the service is.
fn tell_all(store: &mut Store) -> Step {
    let (seats, count) = seats(store);
    let told = |node: &Process<_>| node.service().is_none();
    let all = store.sim.world().running().filter(|(_, actor)| told(actor.node()));
    for id in all.map(|(id, _)| id).collect::<Vec<_>>() {
        store.sim.ask(id, Request::Service(count - 1, seats.homes()))?;
    }
    Ok(())
}

fn start(store: &mut Store, id: NodeId, disks_lost: u64) -> Step {
    let (seats, next) = seats(store);
    let life = seats.life(id, disks_lost);
    let member = ServiceMember::replacing(id, (seats, next), store.shape.slots, Settings::default(), life);
    store.run_node(id, Process::Service(member))
}

fn await_in(store: &mut Store, id: NodeId) -> Step {
    let is_in = |sim: &Simulator<Node>| {
        member(sim, id).is_some_and(|member| !member.paxos().is_rejoining() && !member.paxos().is_retired())
    };
    let is_done = store.run_until(20_000, is_in)?;
    store.must(is_done, format!("{id} is not let in after 20 s"))
}

/// One after the other gets another home, a newer one loses its disk, and in the end nobody of the founders is there.
fn all_in_turn(stage: &Stage) -> Shown {
    let mut rng = Rng::new(stage.seed).split("service");
    founded(stage, None, |store| {
        let mut olds = masters(3);
        rng.shuffle(&mut olds);
        for (which, old) in (1..).zip(&olds) {
            let new = spare(which);
            if rng.chance(300) {
                store.sim.crash(*old)?;
            }
            take_seat(store, (*old, new), 0)?;
            if rng.chance(500) {
                store.run_ms(rng.between(1, 200))?;
                store.sim.crash(new)?;
                store.run_ms(rng.between(1, 200))?;
                start(store, new, 1)?;
            }
            await_in(store, new)?;
            // Until its state is durable, its crash would take it out again: one more than the service can spare.
            store.run_ms(200)?;
            let (slot, group) = (synod_shardedstore::SlotId::FIRST, GroupId(which % 2 + 1));
            store.change(vec![Command::Move { first: slot, last: slot, group }])?;
            let (current, _) = seats(store);
            let homes = current.homes();
            let victim = homes[rng.below(3) as usize];
            store.sim.crash(victim)?;
            store.run_ms(rng.between(1, 300))?;
            store.sim.restart(victim)?;
        }
        for old in olds {
            if store.sim.world().is_running(old) {
                store.sim.crash(old)?;
            }
        }
        // Groups and operators' clients have followed it.
        store.change(vec![Command::Leave { group: GroupId(2) }])?;
        let (_, count) = seats(store);
        store.settle(count - 1, 30_000)
    })
}

/// The leader cannot hear the others when its seat goes elsewhere. It hears them again when others are away.
pub(super) fn cut_off(stage: &Stage, mutant: Option<&'static str>) -> Shown {
    founded(stage, mutant, |store| {
        let all = masters(3);
        let leads = |id: &&NodeId| member(&store.sim, **id).is_some_and(|it| it.paxos().is_leader());
        let old = all.iter().find(leads).copied().unwrap_or(all[0]);
        let others: Vec<NodeId> = all.iter().copied().filter(|id| *id != old).collect();
        let new = spare(1);
        let apart: Vec<NodeId> = others.iter().copied().chain([new]).collect();
        store.sim.network().cut_both(old, &apart);
        take_seat(store, (old, new), 0)?;
        await_in(store, new)?;
        // It and one who was told meet, without the others: names of a majority, and no majority.
        store.sim.network().heal();
        let behind = others[0];
        store.sim.network().cut_both(old, &[others[1], new]);
        store.sim.network().cut_both(behind, &[others[1], new]);
        store.run_ms(3_000)?;
        store.sim.network().heal();
        let is_retired =
            |sim: &Simulator<Node>| member(sim, old).is_some_and(|member| member.paxos().is_retired());
        let is_done = store.run_until(5_000, is_retired)?;
        store.must(is_done, "the former leader goes on")?;
        store
            .change(vec![Command::Balance])
            .or_else(|_| store.change(vec![Command::Leave { group: GroupId(2) }]))
    })
}

/// The members of the service agree on what is chosen, former lives too, and a ballot has one leader.
#[derive(Default)]
struct ServiceOracle {
    chosen: BTreeMap<NodeId, Slot>,
}

impl Oracle<Node> for ServiceOracle {
    fn after_step(&mut self, world: &World<Node>, node: NodeId) -> Result<(), String> {
        let Some(member) = world.node(node).and_then(|actor| actor.node().service()) else { return Ok(()) };
        let through = member.paxos().chosen_through();
        let before = self.chosen.insert(node, through).unwrap_or_default();
        let all: Vec<_> = world
            .running()
            .filter_map(|(_, actor)| actor.node().service())
            .map(ServiceMember::paxos)
            .collect();
        if through > before {
            invariants::servers_agree_on_what_is_chosen(&all, before, through)?;
        }
        if member.paxos().is_leader() {
            invariants::a_ballot_has_one_leader(&all)?;
        }
        Ok(())
    }
}
