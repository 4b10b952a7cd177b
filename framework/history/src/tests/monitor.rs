//! The monitor against the check, and what it forgets.

use super::{Mix, legal_appends, legal_register, legal_store, mutated, value};
use crate::{
    Budget, History, KeyValue, KvOp, KvRet, Monitor, OpId, Outcome, Register, RegisterOp, RegisterRet,
    Specification, Verdict, check,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use synod_stdx::Rng;

/// What a recorder tells a monitor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Abandoned,
    Invoked,
    Answered,
}

/// The events of `history` in order. If operations without an answer are abandoned, that is at a random moment before
/// their client asks for something else.
fn events<Op, Ret>(
    history: &History<Op, Ret>,
    mix: Mix,
    abandon: bool,
    rng: &mut Rng,
) -> Vec<(u64, Told, usize)> {
    let operations = history.operations();
    let mut events = Vec::new();
    for (at, operation) in operations.iter().enumerate() {
        events.push((operation.invoked.index, Told::Invoked, at));
        match &operation.outcome {
            Outcome::Returned { at: end, .. } => events.push((end.index, Told::Answered, at)),
            Outcome::Unknown if abandon => {
                let is_next = |process: u64| {
                    process > operation.process && process % mix.clients == operation.process % mix.clients
                };
                let mut later = operations[at + 1..].iter().filter(|other| is_next(other.process));
                let until = later.next().map_or(operation.invoked.index + 9, |other| other.invoked.index);
                let index = operation.invoked.index + 1 + rng.below(until - operation.invoked.index);
                events.push((index, Told::Abandoned, at));
            }
            Outcome::Unknown | Outcome::Failed => {}
        }
    }
    events.sort_unstable();
    events
}

/// The operation whose answer the monitor refused, if it refused one.
fn refused<S: Specification>(
    mut monitor: Monitor<S>,
    history: &History<S::Op, S::Ret>,
    events: &[(u64, Told, usize)],
    name: impl Fn(u64) -> u64,
) -> Option<OpId> {
    for (_, told, at) in events {
        let operation = &history.operations()[*at];
        let process = name(operation.process);
        match (told, &operation.outcome) {
            (Told::Invoked, _) => monitor.invoke(process, operation.op.clone()),
            (Told::Answered, Outcome::Returned { ret, .. }) => {
                let before = monitor.clone();
                if monitor.complete(process, ret).is_err() {
                    assert_eq!(monitor, before);
                    return Some(OpId(*at));
                }
            }
            (Told::Abandoned | Told::Answered, _) => monitor.abandon(process),
        }
    }
    None
}

/// Every way to monitor `history` must say what the check says; returns that.
fn agree<S: Specification>(history: &History<S::Op, S::Ret>, mix: Mix, seed: u64, rng: &mut Rng) -> bool {
    let verdict = check::<S>(history, Budget::default());
    let kept = events(history, mix, false, rng);
    let abandoned = events(history, mix, true, rng);
    let ways = [
        refused::<S>(Monitor::new(), history, &kept, |process| process),
        refused::<S>(Monitor::whole(), history, &kept, |process| process),
        refused::<S>(Monitor::new(), history, &abandoned, |process| process % mix.clients),
    ];
    for way in ways {
        assert_eq!(way, ways[0], "seed {seed}: {verdict}");
    }
    match verdict {
        Verdict::Linearizable { .. } => assert_eq!(ways[0], None, "seed {seed}"),
        Verdict::NotLinearizable(contradiction) => {
            let refused = ways[0].unwrap_or_else(|| panic!("seed {seed}: not refused: {contradiction}"));
            if mix.keys == 1 {
                assert_eq!(refused, contradiction.culprit, "seed {seed}: {contradiction}");
            }
        }
        Verdict::GaveUp { .. } => panic!("seed {seed}: {verdict}"),
    }
    ways[0].is_none()
}

fn compare<S: Specification>(seeds: u64, mix: Mix, make: impl Fn(&mut Rng, Mix) -> History<S::Op, S::Ret>) {
    let (mut passed, mut refused) = (0, 0);
    for seed in 0..seeds {
        let mut rng = Rng::new(seed);
        let mix = Mix { clients: 2 + seed % 3, ..mix };
        let history = make(&mut rng, mix);
        assert!(agree::<S>(&history, mix, seed, &mut rng), "seed {seed}: a legal history was refused");
        let mutated = mutated(&mut rng, &history);
        *(if agree::<S>(&mutated, mix, seed, &mut rng) { &mut passed } else { &mut refused }) += 1;
    }
    assert!(passed > seeds / 20 && refused > seeds / 20, "mutations: {passed} passed, {refused} refused");
}

const SMALL: Mix = Mix { clients: 0, operations: 8, unique: false, keys: 1, lost_permille: 80 };

#[test]
fn monitor_and_check_agree_on_registers() {
    compare::<Register>(3_000, SMALL, legal_register);
    compare::<Register>(1_500, Mix { unique: true, lost_permille: 200, ..SMALL }, legal_register);
}

#[test]
fn monitor_and_check_agree_on_stores() {
    compare::<KeyValue>(1_500, SMALL, legal_store);
    compare::<KeyValue>(1_500, Mix { keys: 2, operations: 10, ..SMALL }, legal_store);
    compare::<KeyValue>(1_000, Mix { operations: 7, ..SMALL }, legal_appends);
}

/// One way in which everything may have happened: the value, what each process asked for with its answer if that took
/// effect, and what nobody waits for, in order.
type Way = (Option<Arc<[u8]>>, BTreeMap<u64, (RegisterOp, Option<RegisterRet>)>, Vec<RegisterOp>);

/// The monitor's dumb twin: every way is kept, and nothing is left to be had later.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Eager(BTreeSet<Way>);

impl Eager {
    fn close(&mut self) {
        let mut next: Vec<Way> = self.0.iter().cloned().collect();
        while let Some((value, waiting, lost)) = next.pop() {
            let mut add = |way: Way| {
                if self.0.insert(way.clone()) {
                    next.push(way);
                }
            };
            for (process, (op, answer)) in &waiting {
                if answer.is_none() {
                    let (after, ret) = Register::run(&value, op);
                    let mut waiting = waiting.clone();
                    waiting.insert(*process, (op.clone(), Some(ret)));
                    add((after, waiting, lost.clone()));
                }
            }
            for at in 0..lost.len() {
                let mut left = lost.clone();
                let (after, _) = Register::run(&value, &left.remove(at));
                add((after, waiting.clone(), left.clone()));
                add((value.clone(), waiting.clone(), left));
            }
        }
    }

    fn invoke(&mut self, process: u64, op: &RegisterOp) {
        let ways = std::mem::take(&mut self.0).into_iter().map(|(value, mut waiting, lost)| {
            waiting.insert(process, (op.clone(), None));
            (value, waiting, lost)
        });
        self.0 = ways.collect();
        self.close();
    }

    /// `ret` is what the process is told, if it is told anything.
    fn end(&mut self, process: u64, ret: Option<&RegisterRet>) {
        let ways = std::mem::take(&mut self.0).into_iter().filter_map(|(value, mut waiting, mut lost)| {
            let (op, answer) = waiting.remove(&process)?;
            if ret.is_none() && answer.is_none() && !Register::is_read_only(&op) {
                lost.push(op);
                lost.sort();
            }
            (ret.is_none() || answer.as_ref() == ret).then_some((value, waiting, lost))
        });
        self.0 = ways.collect();
        self.close();
    }
}

#[test]
fn monitors_are_equal_exactly_if_the_same_may_have_happened() {
    let mut monitors: BTreeMap<Eager, Monitor<Register>> = BTreeMap::new();
    let (mut seen, mut refused) = (0, 0);
    for seed in 0..2_000 {
        let mut rng = Rng::new(seed);
        let mut monitor = Monitor::new();
        let mut eager = Eager(BTreeSet::from([(None, BTreeMap::new(), Vec::new())]));
        let mut waits: BTreeMap<u64, RegisterOp> = BTreeMap::new();
        for _ in 0..7 {
            let process = rng.below(3);
            if let Some(op) = waits.remove(&process) {
                if rng.chance(100) {
                    monitor.abandon(process);
                    eager.end(process, None);
                } else {
                    let ret = any_answer(&mut rng, &op);
                    eager.end(process, Some(&ret));
                    assert_eq!(monitor.complete(process, &ret).is_err(), eager.0.is_empty(), "seed {seed}");
                }
            } else {
                let op = match rng.below(3) {
                    0 => RegisterOp::Read,
                    1 => write(rng.below(2)),
                    _ => RegisterOp::CompareAndSet { from: Some(value(0)), to: value(1) },
                };
                monitor.invoke(process, op.clone());
                eager.invoke(process, &op);
                waits.insert(process, op);
            }
            if eager.0.is_empty() {
                refused += 1;
                break;
            }
            seen += 1;
            let known = monitors.entry(eager.clone()).or_insert_with(|| monitor.clone());
            assert_eq!(*known, monitor, "seed {seed}");
        }
    }
    let distinct: Vec<&Monitor<Register>> = monitors.values().collect();
    for (at, monitor) in distinct.iter().enumerate() {
        assert!(!distinct[..at].contains(monitor), "two sets share {monitor:?}");
    }
    assert!(seen > 3 * monitors.len() && refused > 200, "{seen} of {} sets, {refused}", monitors.len());
}

fn any_answer(rng: &mut Rng, op: &RegisterOp) -> RegisterRet {
    match op {
        RegisterOp::Read => RegisterRet::Value(Some(rng.below(3)).filter(|n| *n < 2).map(value)),
        RegisterOp::Write(_) => RegisterRet::Written,
        RegisterOp::CompareAndSet { .. } => RegisterRet::Swapped(rng.chance(500)),
    }
}

fn write(number: u64) -> RegisterOp {
    RegisterOp::Write(value(number))
}

fn read(number: u64) -> RegisterRet {
    RegisterRet::Value(Some(value(number)))
}

/// A monitor of a register to which this happened.
fn register(happened: impl Fn(&mut Monitor<Register>) -> Result<(), String>) -> Monitor<Register> {
    let mut monitor = Monitor::new();
    assert_eq!(happened(&mut monitor), Ok(()));
    monitor
}

#[test]
fn histories_with_the_same_future_have_equal_monitors() {
    let plain = register(|monitor| {
        monitor.invoke(1, write(1));
        monitor.complete(1, &RegisterRet::Written)
    });
    let overlapping = register(|monitor| {
        monitor.invoke(3, write(2));
        monitor.invoke(2, write(1));
        monitor.complete(2, &RegisterRet::Written)?;
        monitor.complete(3, &RegisterRet::Written)?;
        assert_ne!(*monitor, plain, "either may have been the last");
        monitor.invoke(1, RegisterOp::Read);
        monitor.complete(1, &read(1))
    });
    assert_eq!(overlapping, plain);
    let read_by_others = register(|monitor| {
        monitor.invoke(1, RegisterOp::Read);
        monitor.invoke(2, write(1));
        monitor.abandon(1);
        monitor.complete(2, &RegisterRet::Written)
    });
    assert_eq!(read_by_others, plain, "a read of which nobody learns leaves nothing");
}

#[test]
fn what_is_under_way_is_the_same_in_whatever_order_it_was_asked_for() {
    let [one, other] = [[1, 2, 3], [3, 1, 2]].map(|order| {
        register(|monitor| {
            order.iter().for_each(|process| monitor.invoke(*process, write(*process)));
            monitor.complete(3, &RegisterRet::Written)
        })
    });
    assert_eq!(one, other);
}

#[test]
fn a_key_that_is_as_at_the_beginning_leaves_nothing() {
    let key = value(1);
    let mut monitor = Monitor::<KeyValue>::new();
    for (op, ret) in [
        (KvOp::Put { key: key.clone(), value: value(7) }, KvRet::Ok),
        (KvOp::Append { key: key.clone(), value: value(7) }, KvRet::Number(2)),
        (KvOp::Delete { key: key.clone() }, KvRet::Number(1)),
    ] {
        monitor.invoke(1, op);
        assert_eq!(monitor.complete(1, &ret), Ok(()));
    }
    assert_eq!(monitor, Monitor::new());
}

#[test]
fn of_what_took_effect_only_the_answer_is_kept() {
    let key = value(1);
    let [one, other] = [1, 2].map(|before| {
        let mut monitor = Monitor::<KeyValue>::new();
        monitor.invoke(1, KvOp::Put { key: key.clone(), value: value(before) });
        assert_eq!(monitor.complete(1, &KvRet::Ok), Ok(()));
        monitor.invoke(1, KvOp::Delete { key: key.clone() });
        monitor.invoke(2, KvOp::Get { key: key.clone() });
        assert_eq!(monitor.complete(2, &KvRet::Value(None)), Ok(()));
        monitor
    });
    assert_eq!(one, other, "what the delete removed matters no more, that it removed something does");
}

#[test]
fn a_refusal_names_what_was_possible_and_changes_nothing() {
    let mut monitor = register(|monitor| {
        monitor.invoke(1, write(1));
        monitor.invoke(2, RegisterOp::Read);
        Ok(())
    });
    let before = monitor.clone();
    let refused = monitor.complete(2, &read(3));
    assert_eq!(refused, Err("process 2 asked for `read` and was told `3`, not `nil` or `1`".to_owned()));
    assert_eq!(monitor, before);
}

#[test]
fn an_abandoned_operation_may_take_effect_late_or_never_but_once() {
    let mut monitor = register(|monitor| {
        monitor.invoke(1, write(1));
        monitor.abandon(1);
        monitor.abandon(1);
        monitor.invoke(1, write(2));
        monitor.complete(1, &RegisterRet::Written)
    });
    let mut told = |ret: RegisterRet| {
        monitor.invoke(1, RegisterOp::Read);
        let result = monitor.complete(1, &ret);
        if result.is_err() {
            monitor.abandon(1);
        }
        result.is_ok()
    };
    assert_eq!([2, 1, 1, 2].map(|number| told(read(number))), [true, true, true, false]);
    let plain = register(|monitor| {
        monitor.invoke(1, write(1));
        monitor.complete(1, &RegisterRet::Written)
    });
    assert_eq!(monitor, plain, "it took effect, so it can do so no more");
}

#[test]
fn renaming_gives_what_the_other_names_would_have_given() {
    let story = |a, b| {
        register(move |monitor| {
            monitor.invoke(a, write(1));
            monitor.invoke(b, write(2));
            monitor.invoke(9, RegisterOp::Read);
            monitor.complete(9, &read(2))
        })
    };
    let mut renamed = story(1, 2);
    let swap = |process| match process {
        1 => 2,
        2 => 1,
        other => other,
    };
    renamed.rename(&swap);
    assert_eq!(renamed, story(2, 1));
    assert_ne!(renamed, story(1, 2));
    renamed.rename(&swap);
    assert_eq!(renamed, story(1, 2));
}

#[test]
fn operations_on_several_keys_are_monitored_as_a_whole() {
    let [a, b] = [1, 2].map(|number| KvOp::Put { key: value(number), value: value(number) });
    let mut monitor = Monitor::<KeyValue>::whole();
    monitor.invoke(1, KvOp::Transaction(vec![a, b]));
    monitor.invoke(2, KvOp::Get { key: value(1) });
    assert_eq!(monitor.complete(2, &KvRet::Value(Some(value(1)))), Ok(()));
    monitor.invoke(2, KvOp::Get { key: value(2) });
    assert!(monitor.complete(2, &KvRet::Value(None)).is_err(), "both were put at one moment");
}
