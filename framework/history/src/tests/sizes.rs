//! Long histories, hard histories, and what the budget is for.

use super::{Mix, legal_register, legal_store, value};
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
