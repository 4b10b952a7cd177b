//! What a key holds.

use std::num::NonZeroU64;
use std::sync::Arc;
use synod_stdx::{Malformed, Reader, Wire, put_varint};

/// A value of one of the types. Lists, hashes, sets and sorted sets will be further variants, behind an `Arc` each, so
/// that a clone stays cheap.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Value {
    /// A byte string.
    String(Arc<[u8]>),
}

impl Value {
    pub(crate) fn string(bytes: &[u8]) -> Value {
        Value::String(Arc::from(bytes))
    }

    /// The type's name, as `TYPE` tells it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
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
    fn encode(&self, out: &mut Vec<u8>) {
        match &self.value {
            Value::String(bytes) => {
                out.push(0);
                bytes.encode(out);
            }
        }
        put_varint(out, self.version);
        put_varint(out, self.expires_at_ms.map_or(0, NonZeroU64::get));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let value = match input.u8()? {
            0 => Value::String(Arc::decode(input)?),
            1.. => return Err(Malformed("unknown type of value")),
        };
        Ok(Entry { value, version: input.varint()?, expires_at_ms: NonZeroU64::new(input.varint()?) })
    }
}
