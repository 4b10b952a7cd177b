//! A bank: transfers between accounts by `MULTI` and `EXEC`, and looks at all accounts at one moment. The accounts are in
//! different slots, so that transactions span groups. A page's history is judged in one piece.

use super::{Workload, bytes, text, value, words};
use std::sync::Arc;
use synod_history::{KeyValue, KvOp, KvRet};
use synod_resp::Reply;
use synod_stdx::Rng;

/// How many accounts a page has.
const ACCOUNTS: u64 = 4;

/// Accounts whose sum is always nothing.
pub(in crate::prove) struct Bank;

fn account(page: u64, index: u64) -> Arc<[u8]> {
    bytes(&format!("account:{page}:{index}"))
}

fn all(page: u64) -> KvOp {
    KvOp::Transaction((0..ACCOUNTS).map(|index| KvOp::Get { key: account(page, index) }).collect())
}

impl Workload for Bank {
    type Spec = KeyValue;
    const NAME: &'static str = "transactions";

    fn draw(rng: &mut Rng, page: u64, unique: u64) -> KvOp {
        if rng.chance(300) {
            return all(page);
        }
        let from = rng.below(ACCOUNTS);
        let to = (from + rng.between(1, ACCOUNTS - 1)) % ACCOUNTS;
        // No two amounts are the same, so that answers tell which transfers there were.
        let amount = unique.cast_signed();
        KvOp::Transaction(vec![
            KvOp::Increment { key: account(page, from), by: -amount },
            KvOp::Increment { key: account(page, to), by: amount },
        ])
    }

    fn commands(op: &KvOp) -> Vec<Vec<String>> {
        let KvOp::Transaction(parts) = op else { unreachable!("a bank asks for transactions alone") };
        if parts.iter().all(|part| matches!(part, KvOp::Get { .. })) {
            let keys = parts.iter().filter_map(|part| match part {
                KvOp::Get { key } => Some(text(key)),
                _ => None,
            });
            return vec![["MGET".to_owned()].into_iter().chain(keys).collect()];
        }
        let transfers = parts.iter().filter_map(|part| match part {
            KvOp::Increment { key, by } => Some(words(["INCRBY", &text(key), &by.to_string()])),
            _ => None,
        });
        [words(["MULTI"])].into_iter().chain(transfers).chain([words(["EXEC"])]).collect()
    }

    fn understand(_op: &KvOp, reply: &Reply) -> Option<KvRet> {
        let Reply::Array(parts) = reply else { return None };
        let part = |reply: &Reply| match reply {
            Reply::Integer(sum) => Some(KvRet::Number(*sum)),
            other => value(other),
        };
        parts.iter().map(part).collect::<Option<Vec<_>>>().map(KvRet::All)
    }

    fn reads(page: u64) -> Vec<KvOp> {
        vec![all(page)]
    }
}
