//! Tests: random histories, and the dumb twin that every faster way is compared with.

mod differential;
mod explain;
mod monitor;
mod sizes;
mod text;
mod verdicts;

use std::sync::Arc;

use synod_stdx::Rng;

use crate::history::{Call, calls};
use crate::{History, KeyValue, KvOp, KvRet, Outcome, Register, RegisterOp, RegisterRet, Specification};

fn value(number: u64) -> Arc<[u8]> {
    number.to_string().into_bytes().into()
}

/// What a random client may ask for.
#[derive(Clone, Copy)]
struct Mix {
    clients: u64,
    operations: u64,
    /// Every write has a value of its own, and there is no compare-and-set.
    unique: bool,
    keys: u64,
    /// How many of 1,000 operations never end.
    lost_permille: u32,
}

/// One client in the middle of an operation.
struct Running<S: Specification> {
    id: crate::OpId,
    op: S::Op,
    /// The answer, once the operation took effect.
    ret: Option<S::Ret>,
}

/// A history that a correct object made: each operation takes effect at a random moment between its two ends. An
/// operation that never ends took effect or did not.
fn legal<S: Specification>(
    rng: &mut Rng,
    mix: Mix,
    invent: impl Fn(&mut Rng, u64) -> S::Op,
    run: impl Fn(&mut S::State, &S::Op) -> S::Ret,
) -> History<S::Op, S::Ret>
where
    S::Op: Clone,
{
    let mut history = History::new();
    let mut state = S::initial();
    let mut running: Vec<Option<Running<S>>> = (0..mix.clients).map(|_| None).collect();
    let mut processes: Vec<u64> = (0..mix.clients).collect();
    let mut invoked = 0;
    while invoked < mix.operations || running.iter().any(Option::is_some) {
        let client = rng.below(mix.clients) as usize;
        match running[client].take() {
            None if invoked < mix.operations => {
                let op = invent(rng, invoked);
                invoked += 1;
                let id = history.invoke(processes[client], op.clone());
                running[client] = Some(Running { id, op, ret: None });
            }
            None => {}
            Some(_) if rng.chance(mix.lost_permille) => processes[client] += mix.clients,
            Some(Running { id, op, ret: None }) => {
                let ret = Some(run(&mut state, &op));
                running[client] = Some(Running { id, op, ret });
            }
            Some(Running { id, ret: Some(ret), .. }) => history.complete(id, ret),
        }
    }
    history
}

fn legal_register(rng: &mut Rng, mix: Mix) -> History<RegisterOp, RegisterRet> {
    let invent = |rng: &mut Rng, at: u64| match rng.below(if mix.unique { 4 } else { 6 }) {
        0 | 1 => RegisterOp::Read,
        2 | 3 => RegisterOp::Write(value(if mix.unique { at } else { rng.below(3) })),
        _ => {
            let from = Some(value(rng.below(3))).filter(|_| rng.chance(800));
            RegisterOp::CompareAndSet { from, to: value(rng.below(3)) }
        }
    };
    legal::<Register>(rng, mix, invent, |state, op| match op {
        RegisterOp::Read => RegisterRet::Value(state.clone()),
        RegisterOp::Write(value) => {
            *state = Some(value.clone());
            RegisterRet::Written
        }
        RegisterOp::CompareAndSet { from, to } => {
            let swapped = state == from;
            if swapped {
                *state = Some(to.clone());
            }
            RegisterRet::Swapped(swapped)
        }
    })
}

fn legal_store(rng: &mut Rng, mix: Mix) -> History<KvOp, KvRet> {
    let invent = |rng: &mut Rng, at: u64| {
        let key = value(rng.below(mix.keys));
        match rng.below(if mix.unique { 4 } else { 7 }) {
            0 | 1 => KvOp::Get { key },
            2 | 3 => KvOp::Put { key, value: value(if mix.unique { at } else { rng.below(3) }) },
            4 => KvOp::Append { key, value: value(rng.below(3)) },
            5 => KvOp::Increment { key, by: 1 },
            _ => KvOp::Delete { key },
        }
    };
    legal::<KeyValue>(rng, mix, invent, |state, op| {
        // The store here is written apart from the specification.
        match op {
            KvOp::Get { key } => KvRet::Value(state.get(key).cloned()),
            KvOp::Put { key, value } => {
                state.insert(key.clone(), value.clone());
                KvRet::Ok
            }
            KvOp::Append { key, value } => {
                let old = state.get(key).cloned().unwrap_or_default();
                let new: Arc<[u8]> = [&old[..], value].concat().into();
                state.insert(key.clone(), new.clone());
                KvRet::Value(Some(new))
            }
            KvOp::Increment { key, by } => {
                let old = state.get(key).map_or("0", |old| std::str::from_utf8(old).unwrap());
                // Numbers grown too long by appends do not count any further.
                let Ok(old) = old.parse::<i64>() else { return KvRet::Refused };
                state.insert(key.clone(), value((old + by) as u64));
                KvRet::Number(old + by)
            }
            KvOp::Delete { key } => KvRet::Number(i64::from(state.remove(key).is_some())),
            KvOp::CompareAndSet { .. } | KvOp::Swap { .. } | KvOp::Transaction(_) => {
                unreachable!("not in this mix")
            }
        }
    })
}

/// Appends and puts that answer nothing: only reads tell in which order they happened.
fn legal_appends(rng: &mut Rng, mix: Mix) -> History<KvOp, KvRet> {
    let invent = |rng: &mut Rng, at: u64| {
        let (key, value) = (value(rng.below(mix.keys)), format!("x{at}y").into_bytes().into());
        match rng.below(10) {
            0..5 => KvOp::Get { key },
            5 => KvOp::Put { key, value },
            _ => KvOp::Append { key, value },
        }
    };
    legal::<KeyValue>(rng, mix, invent, |state, op| match op {
        KvOp::Get { key } => KvRet::Value(state.get(key).cloned()),
        KvOp::Put { key, value } => {
            state.insert(key.clone(), value.clone());
            KvRet::Ok
        }
        KvOp::Append { key, value } => {
            let old = state.get(key).cloned().unwrap_or_default();
            state.insert(key.clone(), [&old[..], value].concat().into());
            KvRet::Ok
        }
        KvOp::Increment { .. }
        | KvOp::Delete { .. }
        | KvOp::CompareAndSet { .. }
        | KvOp::Swap { .. }
        | KvOp::Transaction(_) => {
            unreachable!("not in this mix")
        }
    })
}

/// Operations on one key, on two, and on several at one moment.
fn legal_transactions(rng: &mut Rng, mix: Mix) -> History<KvOp, KvRet> {
    let invent = |rng: &mut Rng, _| {
        let (key, other) = (value(rng.below(mix.keys)), value(rng.below(mix.keys)));
        let new = value(rng.below(3));
        match rng.below(8) {
            0 => KvOp::Get { key },
            1 => KvOp::Put { key, value: new },
            2 => KvOp::Append { key, value: new },
            3 => KvOp::CompareAndSet { key, from: Some(value(rng.below(3))), to: new },
            4 => KvOp::Delete { key },
            5 => KvOp::Swap { one: key, two: other },
            6 => KvOp::Transaction(vec![KvOp::Get { key }, KvOp::Get { key: other }]),
            _ => {
                KvOp::Transaction(vec![KvOp::Put { key, value: new }, KvOp::Increment { key: other, by: 1 }])
            }
        }
    };
    legal::<KeyValue>(rng, mix, invent, |state, op| {
        let (next, ret) = KeyValue::run(state, op);
        *state = next;
        ret
    })
}

/// The same history with one answer replaced by what another operation was told.
fn mutated<Op: Clone, Ret: Clone>(rng: &mut Rng, history: &History<Op, Ret>) -> History<Op, Ret> {
    let told: Vec<Ret> = history
        .operations()
        .iter()
        .filter_map(|operation| match &operation.outcome {
            Outcome::Returned { ret, .. } => Some(ret.clone()),
            Outcome::Unknown | Outcome::Failed => None,
        })
        .collect();
    let victim = rng.below(history.len() as u64 + 1);
    let mut at = 0;
    let mutated = history.map_operations(|operation| {
        at += 1;
        let mut outcome = operation.outcome.clone();
        if let (Outcome::Returned { ret, .. }, true) = (&mut outcome, at - 1 == victim) {
            *ret = rng.pick(&told).expect("somebody was told something").clone();
        }
        Some((operation.op.clone(), outcome))
    });
    mutated.expect("every operation was kept")
}

/// Whether any order of any subset that includes all answered operations fits: every one is tried, nothing is
/// remembered.
fn fits_in_some_order<S: Specification>(calls: &[Call<'_, S::Op, S::Ret>]) -> bool {
    fn extend<S: Specification>(left: &[Call<'_, S::Op, S::Ret>], state: &S::State) -> bool {
        if left.iter().all(|call| call.answer.is_none()) {
            return true;
        }
        (0..left.len()).any(|at| {
            let first = left[at];
            let allowed = left.iter().all(|call| call.returned().is_none_or(|end| end > first.invoked));
            let mut rest = left.to_vec();
            rest.remove(at);
            allowed && S::step(state, first.op, first.ret()).is_some_and(|next| extend::<S>(&rest, &next))
        })
    }
    extend::<S>(calls, &S::initial())
}

fn is_linearizable_by_brute_force<S: Specification>(history: &History<S::Op, S::Ret>) -> bool {
    fits_in_some_order::<S>(&calls(history))
}
