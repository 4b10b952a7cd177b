//! Hashes: fields with values.

mod parse;
mod run;

pub(crate) use parse::COMMANDS;

use crate::collection::collection;
use crate::dictionary::Dictionary;
use crate::items::Items;
use crate::operation::{choices, family};
use std::sync::Arc;
use synod_stdx::{Malformed, Reader, Wire, Writer, put_bytes, put_varint};

family! {
    /// What a hash can be asked.
    HashOperation {
        1 Write Set { key: &'a [u8], pairs: Items<'a>, answer: Told },
        2 Write SetNew { key: &'a [u8], field: &'a [u8], value: &'a [u8] },
        3 Write Delete { key: &'a [u8], fields: Items<'a> },
        4 Write Add { key: &'a [u8], field: &'a [u8], delta: i64 },
        5 Write AddFloat { key: &'a [u8], field: &'a [u8], delta: &'a [u8] },
        6 Read Value { key: &'a [u8], field: &'a [u8] },
        7 Read Values { key: &'a [u8], fields: Items<'a> },
        8 Read All { key: &'a [u8], part: Part },
        9 Read Has { key: &'a [u8], field: &'a [u8] },
        10 Read Count { key: &'a [u8] },
        11 Read ValueLength { key: &'a [u8], field: &'a [u8] },
        /// `random` was drawn by who proposes.
        12 Read Sample { key: &'a [u8], random: u64, count: Option<i64>, with_values: bool },
        13 Read Scan { key: &'a [u8], cursor: u64, count: u64, pattern: Option<&'a [u8]> },
    }
}

impl<'a> HashOperation<'a> {
    /// The key that it is about.
    pub(crate) fn key(&self) -> &'a [u8] {
        match self {
            HashOperation::Set { key, .. }
            | HashOperation::SetNew { key, .. }
            | HashOperation::Delete { key, .. }
            | HashOperation::Add { key, .. }
            | HashOperation::AddFloat { key, .. }
            | HashOperation::Value { key, .. }
            | HashOperation::Values { key, .. }
            | HashOperation::All { key, .. }
            | HashOperation::Has { key, .. }
            | HashOperation::Count { key }
            | HashOperation::ValueLength { key, .. }
            | HashOperation::Sample { key, .. }
            | HashOperation::Scan { key, .. } => key,
        }
    }
}

choices! {
    /// What setting fields answers.
    Told {
        /// How many are new.
        New = 0,
        Ok = 1,
    }
    /// What is told of each field.
    Part {
        Fields = 0,
        Values = 1,
        Both = 2,
    }
}

/// Up to so many fields, of names and values up to so many bytes, a stock server keeps a hash as one list.
const COMPACT_FIELDS_MAX: usize = 512;
const COMPACT_BYTES_MAX: usize = 64;

/// Fields with values. A clone is cheap.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Hash {
    fields: Dictionary<Arc<[u8]>>,
    /// Whether it ever was too large for the compact form; a stock server does not go back.
    is_large: bool,
}

collection!(Hash);

impl Hash {
    pub(crate) const fn new() -> Hash {
        Hash { fields: Dictionary::new(), is_large: false }
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.fields.iter().map(|field| field.name.len() + field.value.len() + 16).sum()
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether a stock server would keep it in the compact form.
    pub(crate) fn is_compact(&self) -> bool {
        !self.is_large
    }

    /// Sets a field; whether it is new.
    pub(crate) fn set(&mut self, field: &[u8], value: Arc<[u8]>) -> bool {
        self.is_large |= field.len() > COMPACT_BYTES_MAX || value.len() > COMPACT_BYTES_MAX;
        let is_new = self.fields.insert(field, value).is_none();
        self.is_large |= self.fields.len() > COMPACT_FIELDS_MAX;
        is_new
    }
}

impl Wire for Hash {
    fn encode(&self, out: &mut Writer<'_>) {
        self.is_large.encode(out);
        put_varint(out, self.fields.len() as u64);
        for field in self.fields.iter() {
            put_bytes(out, &field.name);
            put_bytes(out, &field.value);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let is_large = bool::decode(input)?;
        let mut fields = Dictionary::new();
        for _ in 0..input.length(2)? {
            if !fields.append(Arc::decode(input)?, Arc::decode(input)?) {
                return Err(Malformed("fields out of order"));
            }
        }
        if fields.len() == 0 {
            return Err(Malformed("a hash without fields"));
        }
        Ok(Hash { fields, is_large })
    }
}
