//! What the clients do: each workload is a specification, commands that ask for its operations, and what answers mean.

mod bank;
mod counters;
mod lists;
mod locks;
mod registers;

pub(super) use bank::Bank;
pub(super) use counters::Counters;
pub(super) use lists::Lists;
pub(super) use locks::Locks;
pub(super) use registers::Registers;

use std::sync::Arc;
use synod_history::{KvRet, Specification};
use synod_resp::Reply;
use synod_stdx::Rng;

/// One kind of objects that clients use.
pub(super) trait Workload: Send + Sync + 'static {
    /// What the objects do when one client at a time uses them.
    type Spec: Specification<Op: Send + Sync, Ret: Send + Sync> + Send + Sync;
    /// What the reports call it.
    const NAME: &'static str;

    /// The next operation, on a key of `page`. No two have the same `unique`.
    fn draw(rng: &mut Rng, page: u64, unique: u64) -> <Self::Spec as Specification>::Op;

    /// The commands that ask for it, sent in one piece. The answer to the last one tells.
    fn commands(op: &<Self::Spec as Specification>::Op) -> Vec<Vec<String>>;

    /// What the answer to the last command says; `None` if it is one that no store gives.
    fn understand(
        op: &<Self::Spec as Specification>::Op,
        reply: &Reply,
    ) -> Option<<Self::Spec as Specification>::Ret>;

    /// Reads of everything that is on `page`.
    fn reads(page: u64) -> Vec<<Self::Spec as Specification>::Op>;
}

/// The words of a command.
fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).into()
}

/// A key or value as the judge has it.
fn bytes(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

/// A key or value as commands have it.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a read of one key answered.
fn value(reply: &Reply) -> Option<KvRet> {
    match reply {
        Reply::Bulk(value) => Some(KvRet::Value(Some(value.clone()))),
        Reply::Null => Some(KvRet::Value(None)),
        _ => None,
    }
}
