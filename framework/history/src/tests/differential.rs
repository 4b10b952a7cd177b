//! The fast ways against the slow ones, on random histories.

use super::{
    Mix, fits_in_some_order, is_linearizable_by_brute_force, legal_appends, legal_register, legal_store,
    legal_transactions, mutated,
};
use crate::check::{check_explained, check_whole};
use crate::history::{Call, calls};
use crate::search::{Found, search};
use crate::{Budget, History, KeyValue, Register, RegisterOp, RegisterRet, Specification, Verdict, check};
use synod_stdx::{LookupSet, Rng};

/// Wing and Gong with Lowe's memory and nothing else: slow, but quicker than every order.
fn fits_by_plain_search<S: Specification>(calls: &[Call<'_, S::Op, S::Ret>]) -> bool {
    let mut seen = LookupSet::default();
    let mut open = vec![(vec![false; calls.len()], S::initial())];
    while let Some((placed, state)) = open.pop() {
        let left = || (0..calls.len()).filter(|at| !placed[*at]);
        let Some(end) = left().filter_map(|at| calls[at].returned()).min() else { return true };
        for at in left().filter(|at| calls[*at].invoked < end) {
            let Some(after) = S::step(&state, calls[at].op, calls[at].ret()) else { continue };
            let mut more = placed.clone();
            more[at] = true;
            if seen.insert((more.clone(), after.clone())) {
                open.push((more, after));
            }
        }
    }
    false
}

/// Checks one history in every way that there is; returns whether it is linearizable.
fn agree<S: Specification>(history: &History<S::Op, S::Ret>, seed: u64, brute_force: bool) -> bool {
    let fast = check::<S>(history, Budget::default());
    let whole = check_whole::<S>(history, Budget::default());
    for verdict in [&fast, &whole] {
        assert!(!matches!(verdict, Verdict::GaveUp { .. }), "seed {seed}: {verdict}");
    }
    assert_eq!(fast.is_linearizable(), whole.is_linearizable(), "seed {seed}:\n{fast}\n{whole}");
    if brute_force {
        assert_eq!(
            whole.is_linearizable(),
            is_linearizable_by_brute_force::<S>(history),
            "seed {seed}: {whole}"
        );
        for verdict in [&fast, &whole] {
            assert_window_contradicts::<S>(history, verdict, seed);
        }
    }
    fast.is_linearizable()
}

/// The operations of the window contradict each other even if nobody knows how the others ended.
fn assert_window_contradicts<S: Specification>(
    history: &History<S::Op, S::Ret>,
    verdict: &Verdict,
    seed: u64,
) {
    let Verdict::NotLinearizable(contradiction) = verdict else { return };
    let relaxed: Vec<_> = calls(history)
        .into_iter()
        .map(|call| {
            let shown = contradiction.window.iter().any(|seen| seen.id == call.id);
            Call { answer: call.answer.filter(|_| shown), ..call }
        })
        .collect();
    assert!(!fits_in_some_order::<S>(&relaxed), "seed {seed}: the window fits:\n{verdict}");
    // The prefix fits, with its last answer it does not.
    let end = relaxed.iter().find(|call| call.id == contradiction.culprit).expect("the culprit is a call");
    let end =
        calls(history).iter().find(|call| call.id == end.id).and_then(Call::returned).expect("answered");
    let before: Vec<_> = calls(history)
        .into_iter()
        .filter(|call| call.invoked < end)
        .map(|call| Call { answer: call.answer.filter(|(_, at)| *at < end), ..call })
        .collect();
    assert!(fits_in_some_order::<S>(&before), "seed {seed}: the prefix does not fit:\n{verdict}");
}

/// Legal histories must pass; of the mutated ones some must and some must not.
fn compare<S: Specification>(
    seeds: u64,
    mix: Mix,
    brute_force: bool,
    make: impl Fn(&mut Rng, Mix) -> History<S::Op, S::Ret>,
) where
    S::Op: Clone,
    S::Ret: Clone,
{
    let (mut passed, mut refused) = (0, 0);
    for seed in 0..seeds {
        let mut rng = Rng::new(seed);
        let history = make(&mut rng, mix);
        assert!(agree::<S>(&history, seed, brute_force), "seed {seed}: a legal history was refused");
        if agree::<S>(&mutated(&mut rng, &history), seed, brute_force) {
            passed += 1;
        } else {
            refused += 1;
        }
    }
    assert!(passed > seeds / 20 && refused > seeds / 20, "mutations: {passed} passed, {refused} refused");
}

const SMALL: Mix = Mix { clients: 3, operations: 6, unique: true, keys: 2, lost_permille: 50 };

#[test]
fn zones_search_and_brute_force_agree_on_unique_registers() {
    compare::<Register>(10_000, SMALL, true, legal_register);
}

#[test]
fn search_and_brute_force_agree_on_registers_with_compare_and_set() {
    compare::<Register>(8_000, Mix { unique: false, ..SMALL }, true, legal_register);
}

#[test]
fn split_and_whole_and_brute_force_agree_on_stores() {
    compare::<KeyValue>(4_000, SMALL, true, legal_store);
    compare::<KeyValue>(4_000, Mix { unique: false, ..SMALL }, true, legal_store);
}

#[test]
fn split_and_whole_and_brute_force_agree_on_appends() {
    compare::<KeyValue>(4_000, SMALL, true, legal_appends);
    compare::<KeyValue>(4_000, Mix { keys: 1, lost_permille: 150, ..SMALL }, true, legal_appends);
}

#[test]
fn parts_and_whole_and_brute_force_agree_on_transactions() {
    let mix = Mix { unique: false, ..SMALL };
    compare::<KeyValue>(4_000, mix, true, legal_transactions);
    compare::<KeyValue>(4_000, Mix { keys: 6, operations: 7, ..mix }, true, legal_transactions);
    compare::<KeyValue>(2_000, Mix { lost_permille: 200, ..mix }, true, legal_transactions);
}

#[test]
fn many_lost_operations_change_no_verdict() {
    compare::<Register>(6_000, Mix { lost_permille: 250, ..SMALL }, true, legal_register);
    compare::<Register>(6_000, Mix { lost_permille: 250, unique: false, ..SMALL }, true, legal_register);
}

#[test]
fn zones_and_search_agree_on_longer_histories() {
    let mix = Mix { clients: 4, operations: 80, lost_permille: 10, ..SMALL };
    compare::<Register>(25, mix, false, legal_register);
    compare::<KeyValue>(25, Mix { keys: 5, ..mix }, false, legal_store);
    compare::<KeyValue>(25, Mix { keys: 5, unique: false, lost_permille: 0, ..mix }, false, legal_store);
}

/// Histories too long for trying every order: equal operations, useless ones and lost ones meet in one history.
fn compare_with_plain_search<S: Specification>(
    seeds: u64,
    mix: Mix,
    make: impl Fn(&mut Rng, Mix) -> History<S::Op, S::Ret>,
) {
    let mut refused = 0;
    for seed in 0..seeds {
        let mut rng = Rng::new(seed);
        let legal = make(&mut rng, mix);
        let once = mutated(&mut rng, &legal);
        let wrong = mutated(&mut rng, &once);
        for history in [&legal, &wrong] {
            let verdict = check_explained::<S>(history, Budget::default(), NOTHING);
            assert!(!matches!(verdict, Verdict::GaveUp { .. }), "seed {seed}: {verdict}");
            let fast = verdict.is_linearizable();
            assert_eq!(fast, fits_by_plain_search::<S>(&calls(history)), "seed {seed}");
            assert_eq!(fast, is_ordered::<S>(&calls(history)), "seed {seed}");
            refused += u64::from(!fast);
        }
    }
    assert!((seeds / 20..seeds).contains(&refused), "{refused} of {seeds} were refused");
}

/// Whether the search found an order, which must then be one.
fn is_ordered<S: Specification>(calls: &[Call<'_, S::Op, S::Ret>]) -> bool {
    let Found::Order(order) = search::<S>(calls, &mut Budget::default()) else { return false };
    let mut placed = vec![false; calls.len()];
    let mut state = S::initial();
    for at in order {
        let call = &calls[at];
        let left = calls.iter().zip(&placed).filter(|(_, placed)| !**placed);
        assert!(
            left.filter_map(|(other, _)| other.returned()).all(|end| end > call.invoked),
            "{at} is too early"
        );
        state = S::step(&state, call.op, call.ret()).expect("each call fits where it stands");
        assert!(!std::mem::replace(&mut placed[at], true), "{at} stands twice");
    }
    assert!(
        calls.iter().zip(&placed).all(|(call, placed)| *placed || call.answer.is_none()),
        "one is left out"
    );
    true
}

const NOTHING: Budget = Budget { steps_max: 0, memo_bytes_max: 0 };

#[test]
fn search_and_plain_search_agree_on_longer_histories() {
    let mix = Mix { clients: 5, operations: 16, unique: false, keys: 1, lost_permille: 80 };
    compare_with_plain_search::<Register>(1_500, mix, legal_register);
    compare_with_plain_search::<KeyValue>(1_500, mix, legal_store);
    compare_with_plain_search::<KeyValue>(500, Mix { keys: 2, ..mix }, legal_store);
    compare_with_plain_search::<KeyValue>(500, Mix { operations: 12, ..mix }, legal_appends);
    let crowd = Mix { clients: 8, operations: 14, ..mix };
    compare_with_plain_search::<Register>(500, crowd, legal_register);
    compare_with_plain_search::<KeyValue>(500, crowd, legal_store);
    let joined = Mix { operations: 12, keys: 3, ..mix };
    compare_with_plain_search::<KeyValue>(1_000, joined, legal_transactions);
}

/// Histories that no object made: random intervals with random answers.
fn noise(rng: &mut Rng) -> History<RegisterOp, RegisterRet> {
    let mut history = History::new();
    let mut open = Vec::new();
    let mut written = 0;
    for at in 0..6 {
        let op = if rng.chance(500) {
            written += 1;
            RegisterOp::Write(super::value(written))
        } else {
            RegisterOp::Read
        };
        open.push((history.invoke(at, op.clone()), op));
        while !open.is_empty() && rng.chance(550) {
            let (id, op) = open.swap_remove(rng.below(open.len() as u64) as usize);
            history.complete(
                id,
                match op {
                    RegisterOp::Read => {
                        RegisterRet::Value(Some(rng.below(4)).filter(|n| *n > 0).map(super::value))
                    }
                    RegisterOp::Write(_) | RegisterOp::CompareAndSet { .. } => RegisterRet::Written,
                },
            );
        }
    }
    history
}

#[test]
fn zones_search_and_brute_force_agree_on_noise() {
    let mut passed = 0;
    for seed in 0..20_000 {
        passed += u64::from(agree::<Register>(&noise(&mut Rng::new(seed)), seed, true));
    }
    assert!((1_000..19_000).contains(&passed), "{passed} passed");
}
