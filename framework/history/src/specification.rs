//! What an object does when one client at a time uses it.

use std::fmt::{Debug, Display};
use std::hash::Hash;

/// A sequential specification: the answers that a history is measured against. A type that is never a value; what is
/// asked of it is asked for the sake of types that are told apart by it.
pub trait Specification: Clone + Ord + Hash + Debug {
    /// The object's state between two operations.
    type State: Clone + Ord + Hash + Debug;
    /// What a client asks for.
    type Op: Clone + Ord + Hash + Debug + Display;
    /// What a client is told.
    type Ret: Clone + Ord + Hash + Debug + Display;

    /// The state before the first operation.
    fn initial() -> Self::State;

    /// The state after `op`, and its answer; of several forms that an answer may have, the one that says most. A
    /// function of its arguments alone.
    fn run(state: &Self::State, op: &Self::Op) -> (Self::State, Self::Ret);

    /// Whether a client may be told `ret` where [`run`](Specification::run) answers `answer`: another form of it.
    fn fits(_op: &Self::Op, answer: &Self::Ret, ret: &Self::Ret) -> bool {
        answer == ret
    }

    /// The state after `op`, or `None` if `op` cannot have answered `ret` in `state`. Without `ret` the answer is
    /// unknown, and any is allowed.
    fn step(state: &Self::State, op: &Self::Op, ret: Option<&Self::Ret>) -> Option<Self::State> {
        let (next, answer) = Self::run(state, op);
        ret.is_none_or(|ret| Self::fits(op, &answer, ret)).then_some(next)
    }

    /// The one key that `op` touches, if it is one: a monitor keeps keys apart.
    fn key(_op: &Self::Op) -> Option<&[u8]> {
        None
    }

    /// All keys that `op` touches: it neither reads nor changes what belongs to another one. If every operation of a
    /// history has keys, the history is checked in parts that share none; one operation without keys makes it one part.
    fn keys(op: &Self::Op) -> Vec<&[u8]> {
        Self::key(op).into_iter().collect()
    }

    /// Whether `op` leaves every state as it is, whatever it answers. The search then need not try both ways.
    fn is_read_only(_op: &Self::Op) -> bool {
        false
    }

    /// Whether `op` leaves every state as it is in which it answers `ret`, as a compare-and-set that found something else
    /// does. Without `ret` the answer is unknown.
    fn keeps_state(op: &Self::Op, _ret: Option<&Self::Ret>) -> bool {
        Self::is_read_only(op)
    }

    /// Whether the read-only `op` may still come to answer `ret` after `state`, if nothing comes between but some of
    /// `others`, in any order, each at most once. True is always right; false spares the search a dead end.
    fn may_reach(
        _state: &Self::State,
        _read: (&Self::Op, &Self::Ret),
        _others: &mut dyn Iterator<Item = &Self::Op>,
    ) -> bool {
        true
    }

    /// How the check of registers sees the operation. The default keeps that check out.
    fn access<'a>(_op: &'a Self::Op, _ret: Option<&'a Self::Ret>) -> Access<'a> {
        Access::Other
    }

    /// About how many bytes `state` holds on the heap, for the memory budget of the search.
    fn heap_bytes(_state: &Self::State) -> usize {
        0
    }
}

/// An operation on one key as an access to a register whose initial value is absent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access<'a> {
    /// A read that answered this value, or that nothing was there.
    Read(Option<&'a [u8]>),
    /// A read whose answer nobody saw.
    ReadUnseen,
    /// A write of this value that says nothing about the value before it.
    Write(&'a [u8]),
    /// Anything else, such as compare-and-set: only the general search decides.
    Other,
}
