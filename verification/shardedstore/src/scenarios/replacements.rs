//! Members of groups that are replaced while clients ask.

use super::row;
use super::store::{Node, Shape, Step, Store, play_with};
use super::texts::list;
use super::{Actor, moves};
use std::collections::BTreeMap;
use synod_node::NodeId;
use synod_paxos::{Slot, invariants};
use synod_shardedstore::{
    ConfigurationCommand, GroupId, GroupState, Server, TextCommand, TextOutput, Texts, first_member,
};
use synod_simulator::{Oracle, Simulator};
use synod_stdx::Rng;
use synod_testkit::{Failed, Kind, Mutant, Outcome, Scenario, Stage};
use synod_verify::kv;
use synod_world::World;

/// Claims beyond the module's list.
pub const REPLACEMENTS: &[Scenario] = &[
    row("x14", "a_member_is_replaced_under_load_and_counts", Kind::Unreliable(100), |stage| {
        under_load(stage, None)
    }),
    row("x15", "a_leader_that_is_cut_off_and_replaced_serves_nobody", Kind::Run, |stage| {
        cut_off(stage, None)
    }),
    row("x16", "a_member_is_replaced_while_others_crash", Kind::Unreliable(50), |stage| {
        others_crash(stage, None)
    }),
    row("x17", "two_members_are_replaced_one_after_the_other", Kind::Run, |stage| one_by_one(stage, None)),
    row("x18", "all_members_are_replaced_while_slots_move", Kind::Unreliable(50), |stage| {
        all_in_turn(stage, None)
    }),
    row("x19", "a_former_life_elects_nobody_with_who_forgot", Kind::Run, |stage| who_forgot(stage, None)),
    row("x20", "a_new_home_that_loses_its_disk_comes_back", Kind::Run, |stage| new_disk(stage, None)),
    row("x21", "two_of_five_are_replaced_with_their_former_lives_about", Kind::Unreliable(50), |stage| {
        two_of_five(stage, None)
    }),
    row("x22", "clients_find_a_new_member_that_leads_without_the_service", Kind::Run, |stage| {
        unheard_of(stage, None)
    }),
    row("x25", "nodes_go_from_a_group_and_come_back_to_any_seat", Kind::Unreliable(50), |stage| {
        come_back(stage, None)
    }),
];

type Shown = Result<Outcome, Box<Failed>>;

/// Plays the scenario that shall catch a mutant under so many seeds, and yields its objection.
pub fn caught(mutant: &Mutant, seeds: u64) -> Option<String> {
    let play: fn(&Stage, Option<&'static str>) -> Shown = match mutant.caught_by {
        "x15" => cut_off,
        "x17" => one_by_one,
        "x19" => who_forgot,
        "x24" => super::service_moves::cut_off,
        other => panic!("{} names {other}, which is not played with mutants", mutant.name),
    };
    (1..=seeds).find_map(|seed| {
        let stage = Stage { seed, kind: Kind::Run, record: false };
        let failed = play(&stage, Some(mutant.name)).err()?;
        Some(format!("seed {seed}: {}", failed.failure.what))
    })
}

fn replaced(
    stage: &Stage,
    shape: Shape,
    mutant: Option<&'static str>,
    script: impl FnOnce(&mut Store) -> Step,
) -> Shown {
    play_with(stage, shape, mutant, |store| {
        store.sim.watch(AgreementOracle::default());
        store.change((1..=shape.groups).map(|group| store.join(group)).collect())?;
        store.settle(u64::from(shape.groups) - 1, 30_000)?;
        script(store)
    })
}

/// The name of a member that a group had not when it joined.
fn spare(store: &Store, group: u32, which: u32) -> NodeId {
    NodeId::server(10 * group + store.shape.members + which)
}

fn replace(group: u32, old: NodeId, new: NodeId) -> ConfigurationCommand {
    ConfigurationCommand::Replace { group: GroupId(group), old, new }
}

fn server(sim: &Simulator<Node>, id: NodeId) -> Option<&Server<Texts>> {
    sim.world().node(id).and_then(Actor::server)
}

fn is_in(sim: &Simulator<Node>, id: NodeId) -> bool {
    server(sim, id).is_some_and(|server| !server.paxos().is_rejoining() && !server.paxos().is_retired())
}

/// Runs until `id` is let in.
fn await_in(store: &mut Store, id: NodeId, ms_max: u64) -> Step {
    let is_done = store.run_until(ms_max, |sim| is_in(sim, id))?;
    store.must(is_done, format!("{id} is not let in after {ms_max} ms"))
}

/// Runs until `id`, which was replaced, knows it.
fn await_retired(store: &mut Store, id: NodeId, ms_max: u64) -> Step {
    let is_retired =
        |sim: &Simulator<Node>| server(sim, id).is_some_and(|server| server.paxos().is_retired());
    let is_done = store.run_until(ms_max, is_retired)?;
    store.must(is_done, format!("{id} goes on {ms_max} ms after it was replaced"))
}

fn leader(store: &mut Store, group: u32) -> Result<NodeId, synod_simulator::Failure> {
    let of = move |sim: &Simulator<Node>| {
        let servers = sim.world().running().filter_map(|(id, node)| Some((id, node.server()?)));
        let mut leaders =
            servers.filter(|(_, server)| server.group() == GroupId(group) && server.paxos().is_caught_up());
        leaders.next().map(|(id, _)| id)
    };
    store.run_until(10_000, |sim| of(sim).is_some())?;
    of(&store.sim).ok_or_else(|| store.sim.failure("nobody leads"))
}

/// After `settle_ms` the clients are served: in the next `watched_ms` none waits longer than `wait_ms_max`.
fn serves_again(store: &mut Store, settle_ms: u64, (watched_ms, wait_ms_max): (u64, u64)) -> Step {
    store.run_ms(settle_ms)?;
    store.sim.take_wait_us_max();
    store.run_ms(watched_ms)?;
    store.waited_at_most(wait_ms_max)
}

/// Another one takes the seat of `old`; the change is made, and the new member runs.
fn take_seat(store: &mut Store, group: u32, (old, new): (NodeId, NodeId)) -> Step {
    store.change(vec![replace(group, old, new)])?;
    store.start_anew(group, new, 0)
}

/// Everybody that asked for ever is heard out: nobody waits any more.
fn load(store: &mut Store, clients: u32) -> Step {
    for client in 1..=clients {
        store.asks_for_ever(client, (false, 0))?;
    }
    store.run_ms(500)
}

fn under_load(stage: &Stage, mutant: Option<&'static str>) -> Shown {
    let mut rng = Rng::new(stage.seed).split("members");
    replaced(stage, Shape::of(1, 4, false), mutant, |store| {
        load(store, 4)?;
        let mut members = store.members(1);
        rng.shuffle(&mut members);
        let new = spare(store, 1, 1);
        // It is alive, or dead.
        if rng.chance(500) {
            store.sim.crash(members[0])?;
        }
        take_seat(store, 1, (members[0], new))?;
        await_in(store, new, 20_000)?;
        store.run_ms(500)?;
        // Now it counts.
        store.sim.crash(members[1])?;
        serves_again(store, 3_000, (1_000, 3_000))?;
        store.sim.restart(members[1])?;
        if store.sim.world().is_running(members[0]) {
            await_retired(store, members[0], 5_000)?;
        }
        let state = store.state(1).map(GroupState::seats);
        store.must(state.is_some_and(|seats| seats.is_home(new)), "the group does not know its new member")
    })
}

/// The leader hears clients and nobody else. Whoever replaces it is let in by the others.
fn cut_off(stage: &Stage, mutant: Option<&'static str>) -> Shown {
    replaced(stage, Shape::of(1, 4, false), mutant, |store| {
        load(store, 4)?;
        let old = leader(store, 1)?;
        let new = spare(store, 1, 1);
        let all: Vec<NodeId> = store.sim.world().ids().filter(|id| !id.is_client()).chain([new]).collect();
        store.sim.network().cut_both(old, &all);
        take_seat(store, 1, (old, new))?;
        await_in(store, new, 20_000)?;
        store.run_ms(1_000)?;
        // One of those that let it in is away: its word counts, and the former leader does not know.
        let other = store.members(1).into_iter().find(|id| *id != old && !is_leader(store, *id));
        let other = other.unwrap_or(new);
        store.sim.crash(other)?;
        store.run_ms(2_000)?;
        store.must(
            server(&store.sim, old).is_some_and(|server| !server.paxos().is_retired()),
            "who hears nobody cannot know",
        )?;
        store.sim.network().heal();
        store.sim.restart(other)?;
        await_retired(store, old, 3_000)?;
        serves_again(store, 2_000, (1_000, 3_000))
    })
}

fn is_leader(store: &Store, id: NodeId) -> bool {
    server(&store.sim, id).is_some_and(|server| server.paxos().is_leader())
}

fn others_crash(stage: &Stage, mutant: Option<&'static str>) -> Shown {
    let mut rng = Rng::new(stage.seed).split("crashes");
    replaced(stage, Shape::of(1, 4, false), mutant, |store| {
        load(store, 4)?;
        let (old, new) = (store.members(1)[rng.below(3) as usize], spare(store, 1, 1));
        take_seat(store, 1, (old, new))?;
        for _ in 0..12 {
            let mut ids = store.members(1);
            ids.push(new);
            let id = ids[rng.below(4) as usize];
            store.sim.crash(id)?;
            store.run_ms(rng.between(1, 700))?;
            store.sim.restart(id)?;
            store.run_ms(rng.between(1, 400))?;
        }
        await_in(store, new, 20_000)?;
        await_retired(store, old, 10_000)?;
        serves_again(store, 2_000, (1_000, 3_000))
    })
}

/// Both changes are made at once; the group makes the second when it can spare the member.
fn one_by_one(stage: &Stage, mutant: Option<&'static str>) -> Shown {
    let mut rng = Rng::new(stage.seed).split("members");
    replaced(stage, Shape::of(1, 4, false), mutant, |store| {
        load(store, 3)?;
        let mut members = store.members(1);
        rng.shuffle(&mut members);
        let [one, two] = [1, 2].map(|which| spare(store, 1, which));
        store.change(vec![replace(1, members[0], one), replace(1, members[1], two)])?;
        store.start_anew(1, two, 0)?;
        store.run_ms(rng.between(500, 3_000))?;
        let number =
            |store: &Store| store.state(1).and_then(|state| state.configuration().map(|known| known.number));
        store.must(
            number(store) < Some(2) && !is_in(&store.sim, two),
            "the second is not replaced at its turn",
        )?;
        store.start_anew(1, one, 0)?;
        await_in(store, one, 20_000)?;
        await_in(store, two, 20_000)?;
        for member in &members[..2] {
            await_retired(store, *member, 5_000)?;
        }
        store.sim.crash(members[2])?;
        serves_again(store, 3_000, (1_000, 3_000))
    })
}

fn all_in_turn(stage: &Stage, mutant: Option<&'static str>) -> Shown {
    let mut rng = Rng::new(stage.seed).split("moves");
    replaced(stage, Shape::of(2, 6, false), mutant, |store| {
        for client in 1..=4 {
            store.asks_for_ever(client, (true, 1_000))?;
        }
        for which in 1..=3 {
            let change = moves::random_move(store, &mut rng);
            store.change(vec![change])?;
            store.run_ms(rng.between(1, 300))?;
            let (old, new) = (store.members(1)[which as usize - 1], spare(store, 1, which));
            take_seat(store, 1, (old, new))?;
            let change = moves::random_move(store, &mut rng);
            store.change(vec![change])?;
            await_in(store, new, 20_000)?;
            await_retired(store, old, 10_000)?;
            // It is gone for good.
            store.sim.crash(old)?;
        }
        serves_again(store, 3_000, (2_000, 4_000))
    })
}

/// Four nodes take turns in three seats. What they were before is about: it runs, or was away and starts again.
fn come_back(stage: &Stage, mutant: Option<&'static str>) -> Shown {
    let mut rng = Rng::new(stage.seed).split("members");
    replaced(stage, Shape::of(1, 4, false), mutant, |store| {
        load(store, 4)?;
        let mut outside = spare(store, 1, 1);
        let mut former = Vec::new();
        for _ in 0..6 {
            let homes = store.seats(1).0.homes();
            let old = homes[rng.below(3) as usize];
            if rng.chance(300) {
                store.sim.crash(old)?;
            }
            store.change(vec![replace(1, first_member(old), outside)])?;
            let seats = store.seats(1).0.homes();
            let new = seats.into_iter().find(|home| first_member(*home) == outside);
            let Some(new) = new else { return store.must(false, "the node has no seat") };
            store.must(!former.contains(&new), "the name was another's")?;
            store.start_anew(1, new, 0)?;
            await_in(store, new, 20_000)?;
            if !store.sim.world().is_running(old) {
                store.sim.restart(old)?;
            }
            await_retired(store, old, 10_000)?;
            former.push(old);
            outside = first_member(old);
        }
        // The group serves on while one of its members is away.
        let homes = store.seats(1).0.homes();
        store.sim.crash(homes[rng.below(3) as usize])?;
        serves_again(store, 3_000, (1_000, 3_000))
    })
}

/// One who let the new life in restarts and has to learn again that the replacement was chosen. It hears the former life
/// alone, and later the new one: what the new one knows must not be lost.
fn who_forgot(stage: &Stage, mutant: Option<&'static str>) -> Shown {
    replaced(stage, Shape::of(1, 4, false), mutant, |store| {
        let first = leader(store, 1)?;
        let others: Vec<NodeId> = store.members(1).into_iter().filter(|id| *id != first).collect();
        let (forgets, old, new) = (others[0], others[1], spare(store, 1, 1));
        let all: Vec<NodeId> = store.sim.world().ids().chain([new]).collect();
        store.sim.network().cut_both(old, &all);
        take_seat(store, 1, (old, new))?;
        await_in(store, new, 20_000)?;
        store.sim.network().cut_both(forgets, &all);
        store.asks(1, list(&kv::own_appends("k", 5)))?;
        store.finish(20_000)?;
        // It has missed a leader for longer than the former life, and wants to lead first.
        store.sim.crash(old)?;
        store.sim.crash(forgets)?;
        store.sim.restart(forgets)?;
        store.run_ms(500)?;
        store.sim.restart(old)?;
        store.sim.network().heal();
        let (one, two): (&[NodeId], &[NodeId]) = (&[forgets, old], &[first, new]);
        for id in one {
            store.sim.network().cut_both(*id, two);
        }
        store.run_ms(3_000)?;
        store.sim.crash(first)?;
        store.sim.network().heal();
        store.asks(2, vec![(TextCommand::append("k", "!"), None), (TextCommand::get("k"), None)])?;
        store.asks(3, vec![(TextCommand::put("other", "x"), Some(TextOutput::Ok))])?;
        store.finish(20_000)?;
        store.sim.restart(first)?;
        await_retired(store, old, 5_000)
    })
}

fn new_disk(stage: &Stage, mutant: Option<&'static str>) -> Shown {
    let mut rng = Rng::new(stage.seed).split("members");
    replaced(stage, Shape::of(1, 4, false), mutant, |store| {
        load(store, 3)?;
        let (old, new) = (store.members(1)[rng.below(3) as usize], spare(store, 1, 1));
        take_seat(store, 1, (old, new))?;
        for disks_lost in 1..=3 {
            store.run_ms(rng.between(1, 400))?;
            store.sim.crash(new)?;
            store.start_anew(1, new, disks_lost)?;
        }
        await_in(store, new, 20_000)?;
        await_retired(store, old, 10_000)?;
        let life = store.seats(1).0.life(new, 3);
        let known = store.members(1).into_iter().filter(|id| *id != old);
        let lives: Vec<u64> =
            known.filter_map(|id| server(&store.sim, id).map(|server| server.paxos().life_of(old))).collect();
        store.must(lives == [life, life], format!("{lives:?} are known, not {life}"))
    })
}

/// Two of five are replaced, and their former lives are cut off with one that has heard of neither.
fn two_of_five(stage: &Stage, mutant: Option<&'static str>) -> Shown {
    let mut rng = Rng::new(stage.seed).split("members");
    let shape = Shape { members: 5, ..Shape::of(1, 4, false) };
    replaced(stage, shape, mutant, |store| {
        load(store, 4)?;
        let mut members = store.members(1);
        rng.shuffle(&mut members);
        let (away, rest) = members.split_at(2);
        let [one, two] = [1, 2].map(|which| spare(store, 1, which));
        for id in away {
            store.sim.network().cut_both(*id, rest);
            store.sim.network().cut_both(*id, &[one, two]);
        }
        take_seat(store, 1, (away[0], one))?;
        await_in(store, one, 30_000)?;
        take_seat(store, 1, (away[1], two))?;
        await_in(store, two, 30_000)?;
        // Former lives and one of the others hear each other: a majority of names, and no quorum.
        store.sim.network().heal();
        let behind = rest[rng.below(3) as usize];
        store.sim.crash(behind)?;
        store.sim.restart(behind)?;
        let current: Vec<NodeId> =
            rest.iter().copied().filter(|id| *id != behind).chain([one, two]).collect();
        for id in [away[0], away[1], behind] {
            store.sim.network().cut_both(id, &current);
        }
        store.run_ms(5_000)?;
        store.sim.network().heal();
        for id in away {
            await_retired(store, *id, 5_000)?;
        }
        serves_again(store, 2_000, (1_000, 3_000))
    })
}

/// Clients know the members that were, the configuration service is gone, and so is the leader.
fn unheard_of(stage: &Stage, mutant: Option<&'static str>) -> Shown {
    replaced(stage, Shape::of(1, 4, false), mutant, |store| {
        store.asks(1, list(&kv::own_appends("k", 3)))?;
        store.finish(20_000)?;
        let first = leader(store, 1)?;
        let old = store.members(1).into_iter().find(|id| *id != first).unwrap_or(first);
        let new = spare(store, 1, 1);
        take_seat(store, 1, (old, new))?;
        await_in(store, new, 20_000)?;
        await_retired(store, old, 5_000)?;
        for id in super::store::masters(store.shape.masters) {
            store.sim.crash(id)?;
        }
        store.sim.crash(first)?;
        store.asks(1, vec![(TextCommand::append("k", "!"), None), (TextCommand::get("k"), None)])?;
        store.finish(20_000)
    })
}

/// The members of a group agree on what is chosen, former lives too, and a ballot has one leader.
#[derive(Default)]
struct AgreementOracle {
    chosen: BTreeMap<NodeId, Slot>,
}

impl Oracle<Node> for AgreementOracle {
    fn after_step(&mut self, world: &World<Node>, node: NodeId) -> Result<(), String> {
        let Some(server) = world.node(node).and_then(Actor::server) else { return Ok(()) };
        let through = server.paxos().chosen_through();
        let before = self.chosen.insert(node, through).unwrap_or_default();
        let group = server.group();
        let members = world.running().filter_map(|(_, node)| node.server());
        let members: Vec<_> = members.filter(|other| other.group() == group).map(Server::paxos).collect();
        if through > before {
            invariants::servers_agree_on_what_is_chosen(&members, before, through)?;
        }
        if server.paxos().is_leader() {
            invariants::a_ballot_has_one_leader(&members)?;
        }
        Ok(())
    }
}
