//! What a key holds.

use crate::hash::Hash;
use crate::list::List;
use crate::operation::{Field, choices};
use crate::set::Set;
use crate::sorted_set::SortedSet;
use std::num::NonZeroU64;
use std::sync::Arc;
use synod_resp::parse_integer;
use synod_stdx::{Cursor, Malformed, Reader, Wire, Writer, put_varint};

/// A value of one of the types, behind an `Arc`, so that a clone is a pointer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Value {
    /// A byte string.
    String(Arc<[u8]>),
    /// Fields with values.
    Hash(Arc<Hash>),
    /// Elements in a sequence.
    List(Arc<List>),
    /// Members without an order.
    Set(Arc<Set>),
    /// Members in the order of their scores.
    SortedSet(Arc<SortedSet>),
}

choices! {
    /// The types of values; the numbers are those of an entry's byte form.
    Kind {
        String = 0,
        Hash = 1,
        List = 2,
        Set = 3,
        SortedSet = 4,
    }
}

/// Strings up to this length are told as `embstr`.
const EMBEDDED_BYTES_MAX: usize = 44;

impl Value {
    pub(crate) fn string(bytes: &[u8]) -> Value {
        Value::String(Arc::from(bytes))
    }

    /// The bytes, if it is a string.
    pub(crate) fn as_string(&self) -> Option<&Arc<[u8]>> {
        match self {
            Value::String(bytes) => Some(bytes),
            Value::Hash(_) | Value::List(_) | Value::Set(_) | Value::SortedSet(_) => None,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Value::String(_) => Kind::String,
            Value::Hash(_) => Kind::Hash,
            Value::List(_) => Kind::List,
            Value::Set(_) => Kind::Set,
            Value::SortedSet(_) => Kind::SortedSet,
        }
    }

    /// The type's name, as `TYPE` tells it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::Hash(_) => "hash",
            Value::List(_) => "list",
            Value::Set(_) => "set",
            Value::SortedSet(_) => "zset",
        }
    }

    /// How a stock server with its default settings would keep it, as `OBJECT ENCODING` tells it.
    pub(crate) fn encoding(&self) -> &'static str {
        match self {
            Value::String(bytes) if parse_integer(bytes).is_some() => "int",
            Value::String(bytes) if bytes.len() <= EMBEDDED_BYTES_MAX => "embstr",
            Value::String(_) => "raw",
            Value::Hash(hash) if hash.is_compact() => "listpack",
            Value::Set(set) if set.is_compact() => "intset",
            Value::Hash(_) | Value::Set(_) => "hashtable",
            Value::List(_) => "quicklist",
            Value::SortedSet(sorted) if sorted.is_compact() => "listpack",
            Value::SortedSet(_) => "skiplist",
        }
    }
}

/// A key's value with what is known of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    /// The state's modification counter when this key was last modified: never the same twice.
    pub(crate) version: u64,
    /// When the key ceases to be, in ms since 1970.
    pub(crate) expires_at_ms: Option<NonZeroU64>,
}

impl Entry {
    /// Whether the key is no more at `now_ms`, although nobody removed it yet.
    pub(crate) fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_some_and(|at_ms| at_ms.get() <= now_ms)
    }
}

impl Wire for Entry {
    fn encode(&self, out: &mut Writer<'_>) {
        out.push(self.value.kind() as u8);
        match &self.value {
            Value::String(bytes) => bytes.encode(out),
            Value::Hash(hash) => hash.encode(out),
            Value::List(list) => list.encode(out),
            Value::Set(set) => set.encode(out),
            Value::SortedSet(sorted) => sorted.encode(out),
        }
        put_varint(out, self.version);
        put_varint(out, self.expires_at_ms.map_or(0, NonZeroU64::get));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let value = match Kind::take(&mut Cursor::new(input.take(1)?))? {
            Kind::String => Value::String(Arc::decode(input)?),
            Kind::Hash => Value::Hash(Arc::new(Hash::decode(input)?)),
            Kind::List => Value::List(Arc::new(List::decode(input)?)),
            Kind::Set => Value::Set(Arc::new(Set::decode(input)?)),
            Kind::SortedSet => Value::SortedSet(Arc::new(SortedSet::decode(input)?)),
        };
        Ok(Entry { value, version: input.varint()?, expires_at_ms: NonZeroU64::new(input.varint()?) })
    }
}
