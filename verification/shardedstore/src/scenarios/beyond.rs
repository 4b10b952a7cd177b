//! Runs of the store beyond the module's list.

use super::moves::{random_move, troubled};
use super::row;
use super::store::{Shape, Step, Store, leave, play};
use super::texts::{List, list};
use synod_node::NodeId;
use synod_shardedstore::{ConfigurationCommand, GroupId, SlotId, TextCommand, TextOutput};
use synod_stdx::{Rng, marks};
use synod_testkit::{Failed, Kind, Outcome, Scenario, Stage};
use synod_verify::kv;

/// Runs beyond the list.
pub const BEYOND: &[Scenario] = &[
    row("x3", "a_slot_of_many_parts_moves_whole", Kind::Run, |stage| many_parts(stage, false)),
    Scenario {
        kind: Kind::Unreliable(200),
        ..troubled("x4", "a_slot_of_many_parts_moves_whole_while_leaders_crash", |stage| {
            many_parts(stage, true)
        })
    },
    row("x5", "transactions_that_want_the_same_all_commit", Kind::Run, |stage| contention(stage, false)),
    troubled("x6", "transactions_that_want_the_same_all_commit_while_groups_crash", |stage| {
        contention(stage, true)
    }),
    row("x7", "slots_move_under_transactions_that_never_pause", Kind::Run, never_starved),
    row("x8", "money_is_neither_made_nor_lost", Kind::Unreliable(100), bank),
    row("x9", "an_idle_store_is_quiet", Kind::Run, quiet),
    row("x10", "while_slots_move_the_others_are_served_at_once", Kind::Run, others_are_served),
    row("x11", "one_session_asks_for_many_transactions_at_once", Kind::Run, one_session),
    row("x12", "groups_come_and_go_under_load", Kind::Run, |stage| come_and_go(stage, false)),
    troubled("x13", "groups_come_and_go_under_load_and_crash", |stage| come_and_go(stage, true)),
];

/// So long that a slot has several parts.
const LONG: usize = 90_000;

/// Keys with one slot, and long values.
fn long_values(store: &Store, slot: SlotId) -> Vec<(String, String)> {
    let keys = (0..).map(|number| format!("long{number}")).filter(|key| store.slot(key) == slot);
    keys.take(12).map(|key| (key.clone(), format!("{key}{}", "x".repeat(LONG)))).collect()
}

fn move_to(slot: SlotId, group: u32) -> ConfigurationCommand {
    ConfigurationCommand::Move { first: slot, last: slot, group: GroupId(group) }
}

fn many_parts(stage: &Stage, troubles: bool) -> Result<Outcome, Box<Failed>> {
    play(stage, Shape::of(2, 4, troubles), |store| {
        store.change(vec![store.join(1), store.join(2)])?;
        store.settle(1, 30_000)?;
        let held = store.state(1).and_then(|state| state.held().next());
        let Some((slot, _)) = held else { return Err(store.sim.failure("group 1 has nothing")) };
        let values = long_values(store, slot);
        let puts: List =
            values.iter().map(|(key, value)| (TextCommand::put(key, value), Some(TextOutput::Ok))).collect();
        store.asks(1, puts)?;
        store.finish(60_000)?;
        let mut names: Vec<String> = values.iter().map(|(key, _)| key.clone()).collect();
        for (number, group) in (2..).zip([2, 1, 2]) {
            store.begin_to_change(vec![move_to(slot, group)]);
            // Somebody writes all the while.
            store.asks(2, fresh_appends(store, slot, group))?;
            store.asks(3, renames(&values, &mut names))?;
            store.settle(number, 60_000)?;
            store.finish(60_000)?;
        }
        let gets = values.iter().zip(&names).map(|((_, value), name)| (name, TextOutput::value(value)));
        let gone = values.iter().filter(|(key, _)| !names.contains(key));
        let gets = gets.chain(gone.map(|(key, _)| (key, TextOutput::Value(None))));
        let gets: List = gets.map(|(key, told)| (TextCommand::get(key), Some(told))).collect();
        store.asks(4, gets)?;
        store.finish(60_000)?;
        store.must(marks::count("shardedstore.part_of_slot") > 0, "no slot had several parts")?;
        store.must(marks::count("shardedstore.copied_while_served") > 0, "no slot was copied")
    })
}

/// Each third value goes to another name of the same slot; the one that it had is free then.
fn renames(values: &[(String, String)], names: &mut [String]) -> List {
    let slot_of = |name: &str| SlotId::of(name.as_bytes());
    let mut asks = List::new();
    for ((key, _), name) in values.iter().zip(names).step_by(3) {
        // With the same tag, so in the same slot.
        let next = format!("{{{key}}}{}", name.len());
        debug_assert_eq!(slot_of(&next), slot_of(key));
        asks.push((TextCommand::swap(name, &next), Some(TextOutput::Ok)));
        *name = next;
    }
    asks
}

/// Appends to a key of this slot, fresh for each group.
fn fresh_appends(store: &Store, slot: SlotId, group: u32) -> List {
    let mut keys = (0..).map(|number| format!("fresh{group}.{number}.{}", store.sim.now_us()));
    let Some(key) = keys.find(|key| store.slot(key) == slot) else { return List::new() };
    list(&kv::own_appends(&key, 20))
}

/// Keys whose slots are the first, second, … of all.
fn keys_by_slot(store: &Store) -> Vec<String> {
    (0..store.shape.slots)
        .filter_map(|slot| {
            let slot = SlotId::new(slot.into())?;
            (0..).map(|number| format!("k{number}")).find(|key| store.slot(key) == slot)
        })
        .collect()
}

fn joined(store: &mut Store) -> Step {
    let groups = store.shape.groups;
    store.change((1..=groups).map(|group| store.join(group)).collect())?;
    store.settle(u64::from(groups) - 1, 30_000)
}

fn contention(stage: &Stage, troubles: bool) -> Result<Outcome, Box<Failed>> {
    play(stage, Shape::of(3, 3, troubles), |store| {
        joined(store)?;
        let keys = keys_by_slot(store);
        for client in 1..=12u32 {
            let mut order = keys.clone();
            order.rotate_left(client as usize % 3);
            let list: List = (0..15)
                .map(|round| {
                    let value = format!("{client}.{round}");
                    let command = match (client + round) % 3 {
                        0 => TextCommand::multi_put(&[(&order[0], &value), (&order[1], &value)]),
                        1 => TextCommand::swap(&order[1], &order[2]),
                        _ => TextCommand::put(&order[2], &value),
                    };
                    (command, Some(TextOutput::Ok))
                })
                .collect();
            store.asks(client, list)?;
        }
        // Hundreds of transactions over three slots, one after the other: none waits for ever.
        store.finish(120_000)?;
        // A crash loses a leader's queue, and who is first begins anew.
        store.waited_at_most(if troubles { 40_000 } else { 10_000 })
    })
}

/// A session's commands run in order, also those that wait for a transaction of the same session.
fn one_session(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("asks");
    play(stage, Shape::of(2, 2, false), |store| {
        joined(store)?;
        let keys = keys_by_slot(store);
        for client in 1..=2u32 {
            let list: List = (0..40)
                .map(|round| {
                    let value = format!("{client}.{round}");
                    let command = match rng.below(4) {
                        0 => TextCommand::multi_put(&[(&keys[0], &value), (&keys[1], &value)]),
                        1 => TextCommand::swap(&keys[0], &keys[1]),
                        2 => TextCommand::multi_get(&[&keys[0], &keys[1]]),
                        _ => TextCommand::put(&keys[0], &value),
                    };
                    (command, None)
                })
                .collect();
            store.asks_at_once(client, 4, list)?;
        }
        store.finish(20_000)?;
        store.waited_at_most(3_000)
    })
}

/// A third group joins, and another leaves, again and again; nobody is lost on the way.
fn come_and_go(stage: &Stage, troubles: bool) -> Result<Outcome, Box<Failed>> {
    play(stage, Shape::of(3, 12, troubles), |store| {
        store.change(vec![store.join(1), store.join(2)])?;
        for client in 1..=4 {
            store.asks_for_ever(client, (true, 1_000))?;
        }
        for (round, (comes, goes)) in (0..).zip([(3, 1), (1, 2), (2, 3), (3, 1)]) {
            store.begin_to_change(vec![store.join(comes), leave(goes)]);
            store.run_ms(2_000)?;
            store.settle(3 + 2 * round, 20_000)?;
        }
        store.waited_at_most(4_000)
    })
}

fn never_starved(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("moves");
    play(stage, Shape::of(3, 4, false), |store| {
        joined(store)?;
        for client in 1..=6 {
            store.asks_for_ever(client, (true, 0))?;
        }
        store.run_ms(500)?;
        for number in 3..8 {
            let change = random_move(store, &mut rng);
            store.begin_to_change(vec![change]);
            store.settle(number, 5_000)?;
        }
        store.waited_at_most(3_000)
    })
}

/// Accounts in all groups; clients move money between them with swaps, which change no sum, and somebody reads all of them
/// at one moment, while slots move.
fn bank(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("moves");
    play(stage, Shape::of(3, 6, false), |store| {
        joined(store)?;
        let keys = keys_by_slot(store);
        let pairs: Vec<(String, String)> =
            (1..).zip(&keys).map(|(sum, key)| (key.clone(), (100 * sum).to_string())).collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, sum)| (key.as_str(), sum.as_str())).collect();
        store.asks(1, vec![(TextCommand::multi_put(&pairs), Some(TextOutput::Ok))])?;
        store.finish(20_000)?;
        for client in 2..=5 {
            let mut list = List::new();
            for _ in 0..25 {
                let (one, two) = (rng.below(6) as usize, rng.below(5) as usize);
                let two = if two >= one { two + 1 } else { two };
                list.push((TextCommand::swap(&keys[one], &keys[two]), Some(TextOutput::Ok)));
            }
            store.asks(client, list)?;
        }
        let all: Vec<&str> = keys.iter().map(String::as_str).collect();
        let seen = super::texts::Collected::default();
        let reads = (0..15).map(|_| (TextCommand::multi_get(&all), None)).collect();
        store.asks_and_collects(6, reads, &seen)?;
        for _ in 0..3 {
            let change = random_move(store, &mut rng);
            store.begin_to_change(vec![change]);
            store.run_ms(700)?;
        }
        store.finish(60_000)?;
        let sum = |output: &TextOutput| match output {
            TextOutput::Values(values) => {
                values.iter().flatten().filter_map(|value| value.parse::<u64>().ok()).sum()
            }
            TextOutput::Ok | TextOutput::Value(_) | TextOutput::Appended(_) => 0,
        };
        let wrong = seen.borrow().iter().map(sum).find(|sum| *sum != 2_100);
        store.must(seen.borrow().len() == 15 && wrong.is_none(), format!("a reader saw the sum {wrong:?}"))
    })
}

/// What a store says to itself while nobody asks anything.
fn quiet(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, Shape::of(2, 10, false), |store| {
        joined(store)?;
        let ids: Vec<NodeId> = store.sim.world().ids().collect();
        let sent = |store: &Store| ids.iter().map(|id| store.sim.sent_to(*id)).sum::<u64>();
        let before = sent(store);
        store.run_ms(10_000)?;
        // Each tick of 50 ms a member asks two others whether they are there; a leader asks for the next configuration.
        let (ticks, members, leaders) = (200, 9, 2);
        let bound = ticks * (members * 2 * 2 + leaders * 8);
        let count = sent(store) - before;
        store.must(count <= bound, format!("{count} messages in 10 s, more than {bound}"))
    })
}

/// Half of a hundred slots move, and those who ask for other slots do not notice.
fn others_are_served(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, Shape::of(2, 100, false), |store| {
        store.change(vec![store.join(1)])?;
        let keys = keys_by_slot(store);
        let puts = keys.iter().map(|key| (TextCommand::put(key, &"x".repeat(2_000)), Some(TextOutput::Ok)));
        store.asks(1, puts.collect())?;
        store.finish(60_000)?;
        store.sim.take_wait_us_max();
        // The lower half stays: the balancer gives the highest slots.
        let stays: List = (0..400).map(|n| (TextCommand::get(&keys[n % 50]), None)).collect();
        store.asks(2, stays)?;
        store.begin_to_change(vec![store.join(2)]);
        let reader = NodeId::client(2);
        let is_done = store.run_until(60_000, |sim| sim.is_client_done(reader))?;
        store.must(is_done, "the reader is not done")?;
        store.waited_at_most(200)?;
        store.settle(1, 20_000)
    })
}
