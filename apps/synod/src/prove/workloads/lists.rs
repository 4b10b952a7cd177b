//! Lists: `RPUSH`, `LPOP` and reads of the whole list. No value is pushed twice.

use super::{Workload, words};
use std::collections::VecDeque;
use std::fmt;
use synod_history::Specification;
use synod_resp::Reply;
use synod_stdx::Rng;

/// How many lists a page has.
const KEYS: u64 = 3;

/// Lists over the slots of all groups.
pub(in crate::prove) struct Lists;

/// The specification of lists, one key each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(in crate::prove) enum ListSpec {}

/// What a client asks for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(in crate::prove) enum ListOp {
    Push { key: String, value: u64 },
    Pop { key: String },
    Read { key: String },
}

/// What it is told.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(in crate::prove) enum ListRet {
    /// The new length.
    Length(i64),
    /// What was first, if there was anything.
    First(Option<u64>),
    /// Everything.
    All(Vec<u64>),
}

impl Specification for ListSpec {
    type State = VecDeque<u64>;
    type Op = ListOp;
    type Ret = ListRet;

    fn initial() -> VecDeque<u64> {
        VecDeque::new()
    }

    fn run(state: &VecDeque<u64>, op: &ListOp) -> (VecDeque<u64>, ListRet) {
        let mut next = state.clone();
        let ret = match op {
            ListOp::Push { value, .. } => {
                next.push_back(*value);
                ListRet::Length(next.len() as i64)
            }
            ListOp::Pop { .. } => ListRet::First(next.pop_front()),
            ListOp::Read { .. } => ListRet::All(next.iter().copied().collect()),
        };
        (next, ret)
    }

    fn key(op: &ListOp) -> Option<&[u8]> {
        match op {
            ListOp::Push { key, .. } | ListOp::Pop { key } | ListOp::Read { key } => Some(key.as_bytes()),
        }
    }

    fn is_read_only(op: &ListOp) -> bool {
        matches!(op, ListOp::Read { .. })
    }

    fn heap_bytes(state: &VecDeque<u64>) -> usize {
        state.len() * 8 + 32
    }
}

impl fmt::Display for ListOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListOp::Push { key, value } => write!(f, "rpush {key} {value}"),
            ListOp::Pop { key } => write!(f, "lpop {key}"),
            ListOp::Read { key } => write!(f, "lrange {key}"),
        }
    }
}

impl fmt::Display for ListRet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListRet::Length(length) => write!(f, "{length}"),
            ListRet::First(Some(value)) => write!(f, "{value}"),
            ListRet::First(None) => f.write_str("nil"),
            ListRet::All(values) => write!(f, "{values:?}"),
        }
    }
}

fn key(page: u64, index: u64) -> String {
    format!("list:{page}:{index}")
}

fn number(reply: &Reply) -> Option<u64> {
    match reply {
        Reply::Bulk(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        _ => None,
    }
}

impl Workload for Lists {
    type Spec = ListSpec;
    const NAME: &'static str = "lists";

    fn draw(rng: &mut Rng, page: u64, unique: u64) -> ListOp {
        let key = key(page, rng.below(KEYS));
        match rng.below(10) {
            0..=3 => ListOp::Push { key, value: unique },
            4..=6 => ListOp::Pop { key },
            _ => ListOp::Read { key },
        }
    }

    fn commands(op: &ListOp) -> Vec<Vec<String>> {
        vec![match op {
            ListOp::Push { key, value } => words(["RPUSH", key, &value.to_string()]),
            ListOp::Pop { key } => words(["LPOP", key]),
            ListOp::Read { key } => words(["LRANGE", key, "0", "-1"]),
        }]
    }

    fn understand(op: &ListOp, reply: &Reply) -> Option<ListRet> {
        match (op, reply) {
            (ListOp::Push { .. }, Reply::Integer(length)) => Some(ListRet::Length(*length)),
            (ListOp::Pop { .. }, Reply::Null) => Some(ListRet::First(None)),
            (ListOp::Pop { .. }, reply) => Some(ListRet::First(Some(number(reply)?))),
            (ListOp::Read { .. }, Reply::Array(values)) => {
                values.iter().map(number).collect::<Option<Vec<_>>>().map(ListRet::All)
            }
            (ListOp::Push { .. } | ListOp::Read { .. }, _) => None,
        }
    }

    fn reads(page: u64) -> Vec<ListOp> {
        (0..KEYS).map(|index| ListOp::Read { key: key(page, index) }).collect()
    }
}
