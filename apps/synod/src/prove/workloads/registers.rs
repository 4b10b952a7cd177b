//! Registers: `SET` and `GET`. No value is written twice, so each history is decided by sorting, however long.

use super::{Workload, bytes, text, value, words};
use synod_history::{KeyValue, KvOp, KvRet};
use synod_resp::Reply;
use synod_stdx::Rng;

/// How many registers a page has.
const KEYS: u64 = 4;

/// Registers over the slots of all groups.
pub(in crate::prove) struct Registers;

fn key(page: u64, index: u64) -> String {
    format!("register:{page}:{index}")
}

impl Workload for Registers {
    type Spec = KeyValue;
    const NAME: &'static str = "registers";

    fn draw(rng: &mut Rng, page: u64, unique: u64) -> KvOp {
        let key = bytes(&key(page, rng.below(KEYS)));
        if rng.chance(500) { KvOp::Put { key, value: bytes(&unique.to_string()) } } else { KvOp::Get { key } }
    }

    fn commands(op: &KvOp) -> Vec<Vec<String>> {
        vec![match op {
            KvOp::Put { key, value } => words(["SET", &text(key), &text(value)]),
            KvOp::Get { key } => words(["GET", &text(key)]),
            other => unreachable!("registers do not ask for {other}"),
        }]
    }

    fn understand(op: &KvOp, reply: &Reply) -> Option<KvRet> {
        match op {
            KvOp::Put { .. } => (*reply == Reply::OK).then_some(KvRet::Ok),
            _ => value(reply),
        }
    }

    fn reads(page: u64) -> Vec<KvOp> {
        (0..KEYS).map(|index| KvOp::Get { key: bytes(&key(page, index)) }).collect()
    }
}
