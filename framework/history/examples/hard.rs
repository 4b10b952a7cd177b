//! Makes a history by a seed and decides it. The example has no clock: measure it from outside.
//!
//!     cargo build --release -p synod-history --example hard
//!     /usr/bin/time -v target/release/examples/hard SEED CLIENTS OPERATIONS KEYS LOST WRONG [JOINED]
//!
//! `LOST` of 1,000 steps lose an answer for ever; `WRONG` answers are replaced by another's; `JOINED` of 1,000 operations are
//! over two keys.

use std::sync::Arc;

use synod_history::{Budget, History, KeyValue, KvOp, KvRet, OpId, Specification, check};
use synod_stdx::Rng;

/// The shape of a history.
struct Shape {
    clients: u64,
    operations: u64,
    keys: u64,
    lost_permille: u32,
    wrong: u64,
    joined_permille: u32,
}

fn number(number: u64) -> Arc<[u8]> {
    number.to_string().into_bytes().into()
}

fn invent(rng: &mut Rng, shape: &Shape) -> KvOp {
    let key = number(rng.below(shape.keys));
    if rng.chance(shape.joined_permille) {
        let other = number(rng.below(shape.keys));
        let value = number(rng.below(3));
        return match rng.below(3) {
            0 => KvOp::Swap { one: key, two: other },
            1 => KvOp::Transaction(vec![KvOp::Get { key }, KvOp::Get { key: other }]),
            _ => KvOp::Transaction(vec![
                KvOp::Put { key, value: value.clone() },
                KvOp::Append { key: other, value },
            ]),
        };
    }
    match rng.below(7) {
        0 | 1 => KvOp::Get { key },
        2 | 3 => KvOp::Put { key, value: number(rng.below(3)) },
        4 => KvOp::Append { key, value: number(rng.below(3)) },
        5 => KvOp::Increment { key, by: 1 },
        _ => KvOp::Delete { key },
    }
}

/// An event of the history: an operation of a client begins, or ends with an answer.
enum Event {
    Begin(u64, KvOp),
    End(usize, KvRet),
}

/// Each operation takes effect at a random moment between its two ends; a lost one may have or not.
fn events(rng: &mut Rng, shape: &Shape) -> Vec<Event> {
    let mut state = KeyValue::initial();
    let mut events = Vec::new();
    let mut running: Vec<Option<(usize, KvOp, Option<KvRet>)>> = (0..shape.clients).map(|_| None).collect();
    let mut begun = 0;
    while begun < shape.operations as usize || running.iter().any(Option::is_some) {
        let client = rng.below(shape.clients);
        let slot = &mut running[client as usize];
        *slot = match slot.take() {
            None if begun < shape.operations as usize => {
                let op = invent(rng, shape);
                events.push(Event::Begin(client, op.clone()));
                begun += 1;
                Some((begun - 1, op, None))
            }
            None => None,
            Some(_) if rng.chance(shape.lost_permille) => None,
            Some((id, op, None)) => {
                let (next, ret) = KeyValue::run(&state, &op);
                state = next;
                Some((id, op, Some(ret)))
            }
            Some((id, _, Some(ret))) => {
                events.push(Event::End(id, ret));
                None
            }
        };
    }
    events
}

fn history(seed: u64, shape: &Shape) -> History<KvOp, KvRet> {
    let rng = &mut Rng::new(seed);
    let mut events = events(rng, shape);
    let ends: Vec<usize> = (0..events.len()).filter(|at| matches!(events[*at], Event::End(..))).collect();
    for _ in 0..shape.wrong {
        let (Some(at), Some(other)) = (rng.pick(&ends), rng.pick(&ends)) else { break };
        let Event::End(_, other) = &events[*other] else { continue };
        let other = other.clone();
        if let Event::End(_, ret) = &mut events[*at] {
            *ret = other;
        }
    }
    let mut history = History::new();
    for event in events {
        match event {
            Event::Begin(client, op) => _ = history.invoke(client, op),
            Event::End(id, ret) => history.complete(OpId(id), ret),
        }
    }
    history
}

fn main() {
    let mut numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    numbers.resize(numbers.len().max(7), 0);
    let [seed, clients, operations, keys, lost, wrong, joined] = numbers[..] else {
        println!("give six or seven numbers: SEED CLIENTS OPERATIONS KEYS LOST WRONG JOINED");
        return;
    };
    let (lost_permille, joined_permille) = (lost as u32, joined as u32);
    let shape = Shape {
        clients: clients.max(1),
        operations,
        keys: keys.max(1),
        lost_permille,
        wrong,
        joined_permille,
    };
    println!("{}", check::<KeyValue>(&history(seed, &shape), Budget::default()));
}
