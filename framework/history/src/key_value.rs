//! The specification of a key-value store over byte strings, with the commands whose histories we check.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::bytes::{Shown, ShownOr};
use crate::specification::{Access, Specification};

/// A store that maps byte strings to byte strings and is empty at first. Split by key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyValue {}

/// What a client asks of a [`KeyValue`] store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KvOp {
    /// Reads the value of `key`.
    Get {
        /// The key.
        key: Arc<[u8]>,
    },
    /// Sets the value of `key`.
    Put {
        /// The key.
        key: Arc<[u8]>,
        /// Its new value.
        value: Arc<[u8]>,
    },
    /// Appends to the value of `key`; an absent one counts as empty.
    Append {
        /// The key.
        key: Arc<[u8]>,
        /// What goes behind the value.
        value: Arc<[u8]>,
    },
    /// Adds to the decimal number that is the value of `key`; an absent one counts as 0.
    Increment {
        /// The key.
        key: Arc<[u8]>,
        /// What is added.
        by: i64,
    },
    /// Removes `key`.
    Delete {
        /// The key.
        key: Arc<[u8]>,
    },
    /// Sets the value of `key` if it is `from`.
    CompareAndSet {
        /// The key.
        key: Arc<[u8]>,
        /// The value it must have, `None` for absent.
        from: Option<Arc<[u8]>>,
        /// The value it then gets.
        to: Arc<[u8]>,
    },
    /// Lets two keys change what they hold. They are checked together.
    Swap {
        /// The one key.
        one: Arc<[u8]>,
        /// The other.
        two: Arc<[u8]>,
    },
    /// All of these at one moment. Its keys are checked together.
    Transaction(Vec<KvOp>),
}

/// What a client of a [`KeyValue`] store is told.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KvRet {
    /// It happened; nothing is said about the value. Fits every operation that changes something.
    Ok,
    /// The value: the one read, or the new one of an append or an increment. `None` for absent.
    Value(Option<Arc<[u8]>>),
    /// Absent or empty: the answer of stores that do not tell the two apart.
    Blank,
    /// A number: the new value of an increment, the new length of an append, how many keys a delete removed.
    Number(i64),
    /// Whether a compare-and-set found what it asked for.
    Swapped(bool),
    /// The increment found a value that is no number, or would overflow; nothing changed.
    Refused,
    /// The answers of a transaction, in order.
    All(Vec<KvRet>),
}

type Map = BTreeMap<Arc<[u8]>, Arc<[u8]>>;

impl KvOp {
    fn keys_agree(&self) -> Option<&Arc<[u8]>> {
        match self {
            KvOp::Get { key }
            | KvOp::Put { key, .. }
            | KvOp::Append { key, .. }
            | KvOp::Increment { key, .. }
            | KvOp::Delete { key }
            | KvOp::CompareAndSet { key, .. } => Some(key),
            KvOp::Swap { one, two } => (one == two).then_some(one),
            KvOp::Transaction(ops) => {
                let key = ops.first()?.keys_agree()?;
                ops.iter().all(|op| op.keys_agree() == Some(key)).then_some(key)
            }
        }
    }
}

/// Runs `op` on `map`; its answer in the form that says most.
fn apply(map: &mut Map, op: &KvOp) -> KvRet {
    match op {
        KvOp::Get { key } => KvRet::Value(map.get(key).cloned()),
        KvOp::Put { key, value } => {
            map.insert(key.clone(), value.clone());
            KvRet::Ok
        }
        KvOp::Append { key, value } => {
            let mut grown = map.get(key).map_or_else(Vec::new, |old| old.to_vec());
            grown.extend_from_slice(value);
            let grown: Arc<[u8]> = grown.into();
            map.insert(key.clone(), grown.clone());
            KvRet::Value(Some(grown))
        }
        KvOp::Increment { key, by } => increment(map, key, *by),
        KvOp::Delete { key } => KvRet::Number(i64::from(map.remove(key).is_some())),
        KvOp::CompareAndSet { key, from, to } => {
            let swapped = map.get(key) == from.as_ref();
            if swapped {
                map.insert(key.clone(), to.clone());
            }
            KvRet::Swapped(swapped)
        }
        KvOp::Swap { one, two } => {
            let (first, second) = (map.remove(one), map.remove(two));
            map.extend(first.map(|value| (two.clone(), value)));
            map.extend(second.map(|value| (one.clone(), value)));
            KvRet::Ok
        }
        KvOp::Transaction(ops) => KvRet::All(ops.iter().map(|op| apply(map, op)).collect()),
    }
}

/// The answer of `op`, if it only reads.
fn read(map: &Map, op: &KvOp) -> Option<KvRet> {
    match op {
        KvOp::Get { key } => Some(KvRet::Value(map.get(key).cloned())),
        KvOp::Transaction(ops) => {
            ops.iter().map(|op| read(map, op)).collect::<Option<Vec<KvRet>>>().map(KvRet::All)
        }
        KvOp::Put { .. }
        | KvOp::Append { .. }
        | KvOp::Increment { .. }
        | KvOp::Delete { .. }
        | KvOp::CompareAndSet { .. }
        | KvOp::Swap { .. } => None,
    }
}

fn increment(map: &mut Map, key: &Arc<[u8]>, by: i64) -> KvRet {
    let old = match map.get(key) {
        None => Some(0),
        Some(value) => std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok()),
    };
    let Some(sum) = old.and_then(|old| old.checked_add(by)) else { return KvRet::Refused };
    map.insert(key.clone(), sum.to_string().into_bytes().into());
    KvRet::Number(sum)
}

/// Whether `ret` is another, less telling form of what `op` answered.
fn is_form_of(op: &KvOp, answer: &KvRet, ret: &KvRet) -> bool {
    match op {
        KvOp::Get { .. } => match (answer, ret) {
            (KvRet::Value(value), KvRet::Blank) => value.as_ref().is_none_or(|value| value.is_empty()),
            _ => false,
        },
        KvOp::Put { .. } | KvOp::CompareAndSet { .. } | KvOp::Swap { .. } => false,
        KvOp::Append { .. } => match (answer, ret) {
            (KvRet::Value(Some(grown)), KvRet::Number(length)) => grown.len() as i64 == *length,
            _ => *ret == KvRet::Ok,
        },
        KvOp::Increment { .. } => match (answer, ret) {
            (KvRet::Number(sum), KvRet::Value(Some(text))) => *sum.to_string().as_bytes() == **text,
            (KvRet::Number(_), KvRet::Ok) => true,
            _ => false,
        },
        KvOp::Delete { .. } => *ret == KvRet::Ok,
        KvOp::Transaction(ops) => match (answer, ret) {
            (KvRet::All(answers), KvRet::All(rets)) => {
                let mut each = ops.iter().zip(answers.iter().zip(rets));
                ops.len() == rets.len() && each.all(|(op, (answer, ret))| KeyValue::fits(op, answer, ret))
            }
            _ => *ret == KvRet::Ok,
        },
    }
}

impl Specification for KeyValue {
    type State = Map;
    type Op = KvOp;
    type Ret = KvRet;

    fn initial() -> Map {
        Map::new()
    }

    fn run(state: &Map, op: &KvOp) -> (Map, KvRet) {
        let mut next = state.clone();
        let answer = apply(&mut next, op);
        (next, answer)
    }

    /// An operation that only reads copies the state only where it fits.
    fn step(state: &Map, op: &KvOp, ret: Option<&KvRet>) -> Option<Map> {
        if let (Some(answer), Some(ret)) = (read(state, op), ret) {
            return Self::fits(op, &answer, ret).then(|| state.clone());
        }
        let (next, answer) = Self::run(state, op);
        ret.is_none_or(|ret| Self::fits(op, &answer, ret)).then_some(next)
    }

    fn fits(op: &KvOp, answer: &KvRet, ret: &KvRet) -> bool {
        answer == ret || is_form_of(op, answer, ret)
    }

    fn key(op: &KvOp) -> Option<&[u8]> {
        op.keys_agree().map(|key| &**key)
    }

    fn keys(op: &KvOp) -> Vec<&[u8]> {
        match op {
            KvOp::Swap { one, two } => vec![&**one, &**two],
            KvOp::Transaction(ops) => ops.iter().flat_map(Self::keys).collect(),
            KvOp::Get { .. }
            | KvOp::Put { .. }
            | KvOp::Append { .. }
            | KvOp::Increment { .. }
            | KvOp::Delete { .. }
            | KvOp::CompareAndSet { .. } => Self::key(op).into_iter().collect(),
        }
    }

    fn is_read_only(op: &KvOp) -> bool {
        match op {
            KvOp::Get { .. } => true,
            KvOp::Put { .. }
            | KvOp::Append { .. }
            | KvOp::Increment { .. }
            | KvOp::Delete { .. }
            | KvOp::CompareAndSet { .. }
            | KvOp::Swap { .. } => false,
            KvOp::Transaction(ops) => ops.iter().all(Self::is_read_only),
        }
    }

    fn keeps_state(op: &KvOp, ret: Option<&KvRet>) -> bool {
        match op {
            KvOp::Increment { .. } => matches!(ret, Some(KvRet::Refused)),
            KvOp::Delete { .. } => matches!(ret, Some(KvRet::Number(0))),
            KvOp::CompareAndSet { .. } => matches!(ret, Some(KvRet::Swapped(false))),
            KvOp::Get { .. }
            | KvOp::Put { .. }
            | KvOp::Append { .. }
            | KvOp::Swap { .. }
            | KvOp::Transaction(_) => Self::is_read_only(op),
        }
    }

    /// Appends that answer nothing could stand in any order, if the next read did not tell: a value only grows at
    /// its end until the next put.
    fn may_reach(state: &Map, read: (&KvOp, &KvRet), others: &mut dyn Iterator<Item = &KvOp>) -> bool {
        let (KvOp::Get { key }, KvRet::Value(seen)) = read else { return true };
        let grows_to_seen = |value: &[u8]| seen.as_ref().is_some_and(|seen| seen.starts_with(value));
        if state.get(key).is_none_or(|value| grows_to_seen(value)) {
            return true;
        }
        for other in others {
            let resets = match other {
                KvOp::Get { .. } | KvOp::Append { .. } => false,
                KvOp::Put { key: written, value } => written == key && grows_to_seen(value),
                KvOp::Increment { .. }
                | KvOp::Delete { .. }
                | KvOp::CompareAndSet { .. }
                | KvOp::Swap { .. }
                | KvOp::Transaction(_) => true,
            };
            if resets {
                return true;
            }
        }
        false
    }

    fn access<'a>(op: &'a KvOp, ret: Option<&'a KvRet>) -> Access<'a> {
        match (op, ret) {
            (KvOp::Get { .. }, None) => Access::ReadUnseen,
            (KvOp::Get { .. }, Some(KvRet::Value(value))) => Access::Read(value.as_deref()),
            // Absent is the only blank there can be: a put of the empty string is no access (below).
            (KvOp::Get { .. }, Some(KvRet::Blank)) => Access::Read(None),
            (KvOp::Put { value, .. }, None | Some(KvRet::Ok)) if !value.is_empty() => Access::Write(value),
            (
                KvOp::Get { .. }
                | KvOp::Put { .. }
                | KvOp::Append { .. }
                | KvOp::Increment { .. }
                | KvOp::Delete { .. }
                | KvOp::CompareAndSet { .. }
                | KvOp::Swap { .. }
                | KvOp::Transaction(_),
                _,
            ) => Access::Other,
        }
    }

    fn heap_bytes(state: &Map) -> usize {
        // A node of the tree has room for eleven entries and is about half full. Keys are shared with the history.
        let nodes = state.len().div_ceil(6) * (11 * size_of::<(Arc<[u8]>, Arc<[u8]>)>() + 16);
        nodes + state.values().map(|value| value.len() + 16).sum::<usize>()
    }
}

impl fmt::Display for KvOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KvOp::Get { key } => write!(f, "get {}", Shown(key)),
            KvOp::Put { key, value } => write!(f, "put {} {}", Shown(key), Shown(value)),
            KvOp::Append { key, value } => write!(f, "append {} {}", Shown(key), Shown(value)),
            KvOp::Increment { key, by } => write!(f, "increment {} by {by}", Shown(key)),
            KvOp::Delete { key } => write!(f, "delete {}", Shown(key)),
            KvOp::CompareAndSet { key, from, to } => {
                write!(f, "cas {} {} to {}", Shown(key), ShownOr(from.as_deref()), Shown(to))
            }
            KvOp::Swap { one, two } => write!(f, "swap {} {}", Shown(one), Shown(two)),
            KvOp::Transaction(ops) => {
                for (at, op) in ops.iter().enumerate() {
                    write!(f, "{}{op}", if at == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for KvRet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KvRet::Ok => f.write_str("ok"),
            KvRet::Value(value) => ShownOr(value.as_deref()).fmt(f),
            KvRet::Blank => f.write_str("\"\""),
            KvRet::Number(number) => number.fmt(f),
            KvRet::Swapped(true) => f.write_str("swapped"),
            KvRet::Swapped(false) => f.write_str("not swapped"),
            KvRet::Refused => f.write_str("refused"),
            KvRet::All(rets) => {
                for (at, ret) in rets.iter().enumerate() {
                    write!(f, "{}{ret}", if at == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}
