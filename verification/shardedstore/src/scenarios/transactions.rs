//! The rows about transactions. Rows 3.8 to 3.12 are searches.

use super::moves::{random_move, troubled};
use super::row;
use super::store::{Shape, Store, play};
use super::texts::{Collected, List, transactions};
use synod_node::NodeId;
use synod_shardedstore::{TextCommand, TextOutput, Whereabouts};
use synod_stdx::Rng;
use synod_testkit::{Failed, Kind, Outcome, Scenario, Stage};

const LOSSY: Kind = Kind::Unreliable(200);

/// Rows 3.1 to 3.7.
pub const TRANSACTIONS: &[Scenario] = &[
    row("3.1", "one_group_answers_the_transactional_workload", Kind::Run, |stage| {
        workload(stage, (1, false))
    }),
    row("3.2", "two_groups_answer_the_transactional_workload", Kind::Run, |stage| {
        workload(stage, (2, false))
    }),
    row("3.3", "groups_that_do_not_hear_each_other_serve_what_needs_one_of_them", Kind::Run, |stage| {
        cut_apart(stage, false)
    }),
    row("3.4", "who_reads_two_keys_sees_both_writes_or_none", Kind::Run, |stage| both_or_none(stage, false)),
    row("3.5", "transactions_for_ever_over_three_groups", Kind::Run, |stage| for_ever(stage, (false, false))),
    row("3.6", "transactions_for_ever_on_a_lossy_network", LOSSY, |stage| for_ever(stage, (false, false))),
    row("3.7", "transactions_for_ever_on_a_lossy_network_while_slots_move", LOSSY, |stage| {
        for_ever(stage, (true, false))
    }),
];

/// The same while whole groups crash and restart, one at a time.
pub const TRANSACTIONS_IN_TROUBLE: &[Scenario] = &[
    troubled("3.2c", "two_groups_that_crash_answer_the_transactional_workload", |stage| {
        workload(stage, (2, true))
    }),
    troubled("3.3c", "groups_that_do_not_hear_each_other_and_crash", |stage| cut_apart(stage, true)),
    troubled("3.4c", "who_reads_two_keys_of_groups_that_crash_sees_both_writes_or_none", |stage| {
        both_or_none(stage, true)
    }),
    troubled("3.5c", "transactions_for_ever_while_groups_crash", |stage| for_ever(stage, (false, true))),
    Scenario {
        kind: LOSSY,
        ..troubled("3.7c", "transactions_on_a_lossy_network_while_slots_move_and_groups_crash", |stage| {
            for_ever(stage, (true, true))
        })
    },
];

fn workload(stage: &Stage, (groups, troubles): (u32, bool)) -> Result<Outcome, Box<Failed>> {
    play(stage, Shape::of(groups, 2, troubles), |store| {
        store.change((1..=groups).map(|group| store.join(group)).collect())?;
        store.settle(u64::from(groups) - 1, 10_000)?;
        let served = store.served();
        let is_balanced = served.values().all(|count| *count == 2 / groups as usize);
        store.must(is_balanced, format!("not balanced: {served:?}"))?;
        store.asks(1, transactions())?;
        store.finish(60_000)
    })
}

/// A key of each of two groups.
fn keys_of(store: &Store) -> Option<[(String, String); 2]> {
    let of = |group: u32| {
        let is_here = |key: &String| {
            let slot = store.slot(key);
            let state = store.state(group);
            state.is_some_and(|state| matches!(state.whereabouts(slot), Whereabouts::Here(_)))
        };
        let mut keys = (0..100).map(|number| format!("k{number}")).filter(is_here);
        Some((keys.next()?, keys.next()?))
    };
    Some([of(1)?, of(2)?])
}

fn cut_apart(stage: &Stage, troubles: bool) -> Result<Outcome, Box<Failed>> {
    play(stage, Shape::of(2, 2, troubles), |store| {
        store.change(vec![store.join(1), store.join(2)])?;
        store.settle(1, 10_000)?;
        let Some([(one, one_more), (two, two_more)]) = keys_of(store) else {
            return Err(store.sim.failure("a group has no key"));
        };
        for id in store.members(1) {
            let others = store.members(2);
            store.sim.network().cut_both(id, &others);
        }
        let within = |one: &str, two: &str| -> List {
            vec![
                (TextCommand::multi_put(&[(one, "x"), (two, "y")]), Some(TextOutput::Ok)),
                (TextCommand::multi_get(&[one, two]), Some(TextOutput::values(&["x", "y"]))),
            ]
        };
        store.asks(1, within(&one, &one_more))?;
        store.asks(2, within(&two, &two_more))?;
        store.finish(10_000)?;
        store.asks(3, vec![(TextCommand::multi_put(&[(&one, "z"), (&two, "z")]), Some(TextOutput::Ok))])?;
        store.run_ms(5_000)?;
        store
            .must(store.sim.answered(NodeId::client(3)) == 0, "groups agreed that do not hear each other")?;
        store.sim.network().heal();
        store.finish(10_000)?;
        store
            .asks(4, vec![(TextCommand::multi_get(&[&one, &two]), Some(TextOutput::values(&["z", "z"])))])?;
        store.finish(10_000)
    })
}

fn both_or_none(stage: &Stage, troubles: bool) -> Result<Outcome, Box<Failed>> {
    play(stage, Shape::of(2, 2, troubles), |store| {
        store.change(vec![store.join(1), store.join(2)])?;
        store.settle(1, 10_000)?;
        let Some([(one, _), (two, _)]) = keys_of(store) else {
            return Err(store.sim.failure("a group has no key"));
        };
        let puts = (0..100).map(|round| {
            let value = round.to_string();
            (TextCommand::multi_put(&[(&one, &value), (&two, &value)]), Some(TextOutput::Ok))
        });
        let gets = (0..100).map(|_| (TextCommand::multi_get(&[&one, &two]), None));
        let seen = Collected::default();
        store.asks(1, puts.collect())?;
        store.asks_and_collects(2, gets.collect(), &seen)?;
        store.finish(120_000)?;
        let seen = seen.borrow();
        let is_torn = |output: &&TextOutput| match output {
            TextOutput::Values(values) => values[0] != values[1],
            TextOutput::Ok | TextOutput::Value(_) | TextOutput::Appended(_) => true,
        };
        let torn = seen.iter().find(is_torn);
        store.must(seen.len() == 100 && torn.is_none(), format!("a reader saw {torn:?}"))
    })
}

fn for_ever(stage: &Stage, (moves, troubles): (bool, bool)) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("moves");
    play(stage, Shape::of(3, 10, troubles), |store| {
        store.change((1..=3).map(|group| store.join(group)).collect())?;
        for client in 1..=5 {
            store.asks_for_ever(client, (true, 0))?;
        }
        for _ in 0..12 {
            if moves {
                let change = random_move(store, &mut rng);
                store.begin_to_change(vec![change]);
            }
            store.run_ms(4_000)?;
        }
        store.waited_at_most(4_000)?;
        let held: usize = store.served().values().sum();
        store.must(held >= 10, format!("only {held} slots are held"))
    })
}
