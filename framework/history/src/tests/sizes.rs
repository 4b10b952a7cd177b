//! Long histories, hard histories, and what the budget is for.

use super::{Mix, legal_appends, legal_register, legal_store, legal_transactions, mutated, value};
use crate::check::check_whole;
use crate::{Budget, History, KeyValue, Reason, Register, RegisterOp, RegisterRet, Verdict, check};
use synod_stdx::Rng;

const LONG: Mix = Mix { clients: 5, operations: 1_000, unique: false, keys: 1, lost_permille: 5 };

#[test]
fn a_thousand_operations_of_five_clients_take_few_steps() {
    let budget = Budget { steps_max: 200_000, ..Budget::default() };
    for seed in 0..20 {
        let history = legal_register(&mut Rng::new(seed), LONG);
        let verdict = check::<Register>(&history, budget);
        assert!(verdict.is_linearizable(), "seed {seed}: {verdict}");
        let history = legal_store(&mut Rng::new(seed), Mix { keys: 10, lost_permille: 0, ..LONG });
        let verdict = check::<KeyValue>(&history, budget);
        assert!(verdict.is_linearizable(), "seed {seed}: {verdict}");
    }
}

#[test]
fn a_hundred_thousand_operations_on_a_unique_register_are_decided() {
    let mix = Mix { clients: 50, operations: 100_000, unique: true, ..LONG };
    let history = legal_register(&mut Rng::new(1), mix);
    assert_eq!(
        check::<Register>(&history, Budget { steps_max: 0, memo_bytes_max: 0 }),
        Verdict::Linearizable { operations: 100_000, keys: 1 }
    );
}

/// Thirty writes at once, all answered, and then two reads that see two of them in turn.
fn explosive() -> History<RegisterOp, RegisterRet> {
    let mut history = History::new();
    let writes: Vec<_> = (0..30).map(|at| history.invoke(at, RegisterOp::Write(value(at)))).collect();
    for write in writes {
        history.complete(write, RegisterRet::Written);
    }
    for seen in [7, 8, 7] {
        let read = history.invoke(40, RegisterOp::Read);
        history.complete(read, RegisterRet::Value(Some(value(seen))));
    }
    history
}

#[test]
fn zones_decide_where_the_search_blows_up() {
    let small = Budget { steps_max: 100_000, memo_bytes_max: 64 << 20 };
    let steps = check_whole::<Register>(&explosive(), small);
    assert_eq!(steps, Verdict::GaveUp { key: None, reason: Reason::Steps });
    let memory =
        check_whole::<Register>(&explosive(), Budget { steps_max: u64::MAX, memo_bytes_max: 1 << 20 });
    assert_eq!(memory, Verdict::GaveUp { key: None, reason: Reason::Memory });
    let Verdict::NotLinearizable(contradiction) = check::<Register>(&explosive(), small) else {
        panic!("the zones do not see it")
    };
    assert!(contradiction.window.len() <= 6, "{contradiction}");
}

#[test]
fn giving_up_is_no_pass() {
    let verdict = check_whole::<Register>(&explosive(), Budget { steps_max: 10, memo_bytes_max: 1 << 20 });
    assert!(!verdict.is_linearizable());
    assert_eq!(
        verdict.to_string(),
        "gave up without a verdict: the steps ran out; allow more, or record a shorter history"
    );
}

#[test]
fn blind_appends_of_fifty_clients_take_few_steps() {
    let mix = Mix { clients: 50, operations: 3_000, unique: false, keys: 10, lost_permille: 0 };
    for seed in 0..5 {
        let history = legal_appends(&mut Rng::new(seed), mix);
        let verdict = check::<KeyValue>(&history, Budget { steps_max: 300_000, ..Budget::default() });
        assert!(verdict.is_linearizable(), "seed {seed}: {verdict}");
    }
}

#[test]
fn fifty_clients_that_lose_answers_take_few_steps_and_little_memory() {
    let mix = Mix { clients: 50, operations: 6_000, unique: false, keys: 4, lost_permille: 20 };
    let budget = Budget { steps_max: 1_000_000, memo_bytes_max: 16 << 20 };
    for seed in 0..4 {
        let history = legal_store(&mut Rng::new(seed), mix);
        let verdict = check::<KeyValue>(&history, budget);
        assert!(verdict.is_linearizable(), "seed {seed}: {verdict}");
    }
}

/// Keys that transactions join are one state: it is large, and there is one for each operation.
#[test]
fn a_long_history_of_transactions_takes_little_memory() {
    let mix = Mix { clients: 4, operations: 10_000, unique: false, keys: 20, lost_permille: 0 };
    let history = legal_transactions(&mut Rng::new(1), mix);
    let budget = |memo_bytes_max| Budget { steps_max: 1_000_000, memo_bytes_max };
    let verdict = check::<KeyValue>(&history, budget(4 << 20));
    assert!(verdict.is_linearizable(), "{verdict}");
    let verdict = check::<KeyValue>(&history, budget(1 << 10));
    assert!(matches!(verdict, Verdict::GaveUp { reason: Reason::Memory, .. }), "{verdict}");
}

#[test]
fn a_contradiction_in_a_long_history_is_shown_in_few_lines() {
    let mut shown = 0;
    for seed in 0..6 {
        let mut rng = Rng::new(seed);
        let history = legal_register(&mut rng, Mix { operations: 5_000, lost_permille: 0, ..LONG });
        let Verdict::NotLinearizable(found) =
            check::<Register>(&mutated(&mut rng, &history), Budget::default())
        else {
            continue;
        };
        shown += 1;
        assert!((1..=20).contains(&found.window.len()), "seed {seed}: {found}");
        assert!(found.window.iter().any(|seen| seen.id == found.culprit), "seed {seed}: {found}");
    }
    assert!(shown > 0, "every mutation was legal");
}
