//! The rows about slots that move. Rows 2.10 to 2.14 are searches.

use super::row;
use super::store::{Shape, Step, Store, leave, play};
use super::texts::{List, list};
use synod_node::NodeId;
use synod_shardedstore::{ConfigurationCommand, GroupId, GroupState, SlotId, TextCommand, TextOutput};
use synod_stdx::Rng;
use synod_testkit::{Failed, Kind, Outcome, Play, Scenario, Stage};
use synod_verify::kv;

const LOSSY: Kind = Kind::Unreliable(200);

/// Rows 2.1 to 2.9.
pub const MOVES: &[Scenario] = &[
    row("2.1", "a_single_group_answers_the_simple_workload", Kind::Run, |stage| one_group(stage, false)),
    row("2.2", "a_hundred_keys_survive_joins_and_leaves", Kind::Run, |stage| joins_and_leaves(stage, false)),
    row("2.3", "with_one_of_two_groups_dead_about_half_of_the_clients_finish", Kind::Run, |stage| {
        half_dead(stage, false)
    }),
    row("2.4", "what_was_moved_away_from_a_dead_group_is_served", Kind::Run, |stage| {
        moved_from_the_dead(stage, false)
    }),
    row("2.5", "slots_move_with_a_member_of_each_group_cut_off", Kind::Run, |stage| {
        without_third_members(stage, false)
    }),
    row("2.6", "minorities_come_and_go_and_no_client_waits_long", Kind::Run, |stage| {
        minorities(stage, false)
    }),
    row("2.7", "slots_move_all_the_time_under_load", Kind::Run, |stage| always_moving(stage, false)),
    row("2.8", "a_hundred_keys_survive_joins_and_leaves_on_a_lossy_network", LOSSY, |stage| {
        joins_and_leaves(stage, false)
    }),
    row("2.9", "slots_move_all_the_time_on_a_lossy_network", LOSSY, |stage| always_moving(stage, false)),
];

/// The same while whole groups crash and restart, one at a time.
pub const MOVES_IN_TROUBLE: &[Scenario] = &[
    troubled("2.1c", "a_single_group_that_crashes_answers_the_simple_workload", |stage| {
        one_group(stage, true)
    }),
    troubled("2.2c", "a_hundred_keys_survive_joins_leaves_and_crashes", |stage| {
        joins_and_leaves(stage, true)
    }),
    troubled("2.3c", "with_one_of_two_groups_dead_half_of_the_clients_outlive_crashes", |stage| {
        half_dead(stage, true)
    }),
    troubled("2.4c", "what_was_moved_away_from_a_dead_group_outlives_crashes", |stage| {
        moved_from_the_dead(stage, true)
    }),
    troubled("2.5c", "slots_move_with_a_member_of_each_group_cut_off_and_crashes", |stage| {
        without_third_members(stage, true)
    }),
    troubled("2.6c", "minorities_come_and_go_and_groups_crash", |stage| minorities(stage, true)),
    troubled("2.7c", "slots_move_all_the_time_while_groups_crash", |stage| always_moving(stage, true)),
    Scenario {
        kind: LOSSY,
        ..troubled("2.9c", "slots_move_on_a_lossy_network_while_groups_crash", |stage| {
            always_moving(stage, true)
        })
    },
];

/// A scenario with troubles.
pub const fn troubled(number: &'static str, name: &'static str, play: Play) -> Scenario {
    Scenario { seeds: 10, ..row(number, name, Kind::Run, play) }
}

fn one_group(stage: &Stage, troubles: bool) -> Result<Outcome, Box<Failed>> {
    play(stage, Shape::of(1, 10, troubles), |store| {
        store.change(vec![store.join(1)])?;
        store.asks(1, list(&kv::simple()))?;
        store.finish(60_000)
    })
}

fn without_third_members(stage: &Stage, troubles: bool) -> Result<Outcome, Box<Failed>> {
    play(stage, Shape::of(3, 10, troubles), |store| {
        let running: Vec<NodeId> = store.sim.world().ids().collect();
        let clients: Vec<NodeId> = (1..=8).map(NodeId::client).collect();
        let third = |group| if group == 0 { NodeId::server(3) } else { store.members(group)[2] };
        for node in (0..=3).map(third).collect::<Vec<_>>() {
            store.sim.network().cut_both(node, &running);
            store.sim.network().cut_both(node, &clients);
        }
        survive_joins_and_leaves(store)
    })
}

fn joins_and_leaves(stage: &Stage, troubles: bool) -> Result<Outcome, Box<Failed>> {
    play(stage, Shape::of(3, 10, troubles), survive_joins_and_leaves)
}

fn key(number: usize) -> String {
    format!("key{number}")
}

/// A put, or a get, of each of a hundred keys.
fn hundred(make: impl Fn(&str, &str) -> (TextCommand, TextOutput), generation: usize) -> List {
    let one = |number| {
        let (command, output) = make(&key(number), &format!("{generation}.{number}"));
        (command, Some(output))
    };
    (0..100).map(one).collect()
}

fn puts(generation: usize) -> List {
    hundred(|key, value| (TextCommand::put(key, value), TextOutput::Ok), generation)
}

fn gets(generation: usize) -> List {
    hundred(|key, value| (TextCommand::get(key), TextOutput::value(value)), generation)
}

/// Everybody of eight asks a part of the list.
fn together(store: &mut Store, list: &List) -> Step {
    for client in 1..=8 {
        let part = list.iter().skip(client as usize - 1).step_by(8).cloned().collect();
        store.asks(client, part)?;
    }
    store.finish(60_000)
}

fn survive_joins_and_leaves(store: &mut Store) -> Step {
    store.change(vec![store.join(1)])?;
    together(store, &puts(1))?;
    store.change(vec![store.join(2), store.join(3)])?;
    store.run_ms(5_000)?;
    together(store, &gets(1))?;
    together(store, &puts(2))?;
    store.change(vec![leave(1), leave(2)])?;
    store.run_ms(5_000)?;
    together(store, &gets(2))?;
    store.settle(4, 10_000)?;
    let served = store.served();
    store.must(served[&GroupId(3)] == 10, format!("not all is with the last group: {served:?}"))
}

fn die(store: &mut Store, group: u32) -> Step {
    for id in store.members(group) {
        store.sim.crash(id)?;
    }
    Ok(())
}

fn half_dead(stage: &Stage, troubles: bool) -> Result<Outcome, Box<Failed>> {
    play(stage, Shape::of(2, 100, troubles), |store| {
        store.change(vec![store.join(1)])?;
        together(store, &puts(1))?;
        store.change(vec![store.join(2)])?;
        store.run_ms(5_000)?;
        die(store, 1)?;
        for (client, ask) in (1..).zip(gets(1)) {
            store.asks(client, vec![ask])?;
        }
        store.run_ms(10_000)?;
        let done = (1..=100).filter(|client| store.sim.answered(NodeId::client(*client)) > 0);
        let count = done.filter(|client| store.sim.is_client_done(NodeId::client(*client))).count();
        store.must((34..=65).contains(&count), format!("{count} of 100 clients are done"))
    })
}

fn moved_from_the_dead(stage: &Stage, troubles: bool) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("moves");
    play(stage, Shape::of(2, 100, troubles), |store| {
        store.change(vec![store.join(1)])?;
        together(store, &puts(1))?;
        store.change(vec![store.join(2)])?;
        store.settle(1, 5_000)?;
        let owned = |store: &Store| -> Vec<SlotId> {
            let held = store.state(1).into_iter().flat_map(GroupState::held);
            held.map(|(slot, _)| slot).collect()
        };
        let before = owned(store);
        let mut moving = before.clone();
        rng.shuffle(&mut moving);
        moving.truncate(10);
        let moves = moving.iter().map(|slot| ConfigurationCommand::Move {
            first: *slot,
            last: *slot,
            group: GroupId(2),
        });
        store.change(moves.collect())?;
        store.run_ms(5_000)?;
        let after = owned(store);
        let is_moved = before.iter().filter(|slot| !moving.contains(slot)).eq(after.iter());
        store.must(is_moved, format!("{before:?} without {moving:?} became {after:?}"))?;
        die(store, 1)?;
        let mut expected = 0;
        for (client, (command, output)) in (1..).zip(gets(1)) {
            let slot = store.slot(&key(client as usize - 1));
            expected += usize::from(!after.contains(&slot));
            store.asks(client, vec![(command, output)])?;
        }
        store.run_ms(10_000)?;
        for client in 1..=100 {
            let is_dead = after.contains(&store.slot(&key(client as usize - 1)));
            let is_done = store.sim.is_client_done(NodeId::client(client));
            store.must(
                is_done != is_dead,
                format!("c{client}: done {is_done}, its group is dead {is_dead}"),
            )?;
        }
        store.must(expected > 0, "some slots live")
    })
}

fn minorities(stage: &Stage, troubles: bool) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("minorities");
    play(stage, Shape::of(3, 10, troubles), |store| {
        store.change((1..=3).map(|group| store.join(group)).collect())?;
        for client in 1..=5 {
            store.asks_for_ever(client, (false, 10_000))?;
        }
        store.run_ms(1_000)?;
        store.sim.take_wait_us_max();
        for _ in 0..12 {
            for group in 1..=3 {
                let mut members = store.members(group);
                rng.shuffle(&mut members);
                let all: Vec<NodeId> = store.sim.world().ids().collect();
                store.sim.network().cut_both(members[0], &all);
            }
            store.run_ms(2_000)?;
            store.sim.network().heal();
            store.run_ms(2_000)?;
        }
        store.waited_at_most(2_000)
    })
}

/// A slot goes to another group, drawn.
pub fn random_move(store: &Store, rng: &mut Rng) -> ConfigurationCommand {
    let slot = SlotId::new(rng.below(store.shape.slots.into())).expect("there are so many");
    let owner = (1..=store.shape.groups)
        .find(|group| store.state(*group).is_some_and(|state| state.held().any(|(held, _)| held == slot)));
    let others: Vec<u32> = (1..=store.shape.groups).filter(|group| Some(*group) != owner).collect();
    let group = GroupId(others[rng.below(others.len() as u64) as usize]);
    ConfigurationCommand::Move { first: slot, last: slot, group }
}

fn always_moving(stage: &Stage, troubles: bool) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("moves");
    play(stage, Shape::of(3, 10, troubles), |store| {
        store.change((1..=3).map(|group| store.join(group)).collect())?;
        for client in 1..=5 {
            store.asks_for_ever(client, (false, 0))?;
        }
        for _ in 0..12 {
            let change = random_move(store, &mut rng);
            store.begin_to_change(vec![change]);
            store.run_ms(4_000)?;
        }
        store.waited_at_most(4_000)
    })
}
