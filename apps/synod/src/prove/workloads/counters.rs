//! Counters: increments by `ONCE`, which run exactly once although they are sent again after every error.

use super::{Workload, bytes, text, value, words};
use synod_history::{KeyValue, KvOp, KvRet};
use synod_resp::Reply;
use synod_stdx::Rng;

/// How many counters a page has.
const KEYS: u64 = 2;

/// Counters over the slots of all groups.
pub(in crate::prove) struct Counters;

fn key(page: u64, index: u64) -> String {
    format!("counter:{page}:{index}")
}

impl Workload for Counters {
    type Spec = KeyValue;
    const NAME: &'static str = "exactly-once counters";

    fn draw(rng: &mut Rng, page: u64, _unique: u64) -> KvOp {
        let key = bytes(&key(page, rng.below(KEYS)));
        if rng.chance(800) { KvOp::Increment { key, by: 1 } } else { KvOp::Get { key } }
    }

    fn commands(op: &KvOp) -> Vec<Vec<String>> {
        vec![match op {
            KvOp::Increment { key, .. } => words(["INCR", &text(key)]),
            KvOp::Get { key } => words(["GET", &text(key)]),
            other => unreachable!("counters do not ask for {other}"),
        }]
    }

    fn understand(op: &KvOp, reply: &Reply) -> Option<KvRet> {
        match (op, reply) {
            (KvOp::Increment { .. }, Reply::Integer(sum)) => Some(KvRet::Number(*sum)),
            (_, reply) => value(reply),
        }
    }

    fn reads(page: u64) -> Vec<KvOp> {
        (0..KEYS).map(|index| KvOp::Get { key: bytes(&key(page, index)) }).collect()
    }
}
