//! Sets: members without an order.

mod combine;
mod parse;
mod run;

pub(crate) use combine::{Members, combine};
pub(crate) use parse::COMMANDS;

use crate::collection::collection;
use crate::dictionary::Dictionary;
use crate::items::Items;
use crate::operation::{choices, family};
use std::sync::Arc;
use synod_resp::parse_integer;
use synod_stdx::{Malformed, Reader, Wire, Writer, put_bytes, put_varint};

family! {
    /// What a set can be asked. Each `random` was drawn by who proposes.
    SetOperation {
        1 Write Add { key: &'a [u8], members: Items<'a> },
        2 Write Remove { key: &'a [u8], members: Items<'a> },
        3 Write Move { from: &'a [u8], to: &'a [u8], member: &'a [u8] },
        4 Write Pop { key: &'a [u8], random: u64, count: Option<u64> },
        5 Write Store { to: &'a [u8], keys: Items<'a>, how: How },
        6 Read All { key: &'a [u8] },
        7 Read Has { key: &'a [u8], member: &'a [u8] },
        8 Read HasEach { key: &'a [u8], members: Items<'a> },
        9 Read Count { key: &'a [u8] },
        10 Read Sample { key: &'a [u8], random: u64, count: Option<i64> },
        11 Read Combine { keys: Items<'a>, how: How },
        /// Counts up to `limit`, to the end if it is zero.
        12 Read CountShared { keys: Items<'a>, limit: u64 },
        13 Read Scan { key: &'a [u8], cursor: u64, count: u64, pattern: Option<&'a [u8]> },
    }
}

impl SetOperation<'_> {
    /// Calls `see` with each key that it names.
    pub(crate) fn for_each_key(&self, see: &mut impl FnMut(&[u8])) {
        match self {
            SetOperation::Add { key, .. }
            | SetOperation::Remove { key, .. }
            | SetOperation::Pop { key, .. }
            | SetOperation::All { key }
            | SetOperation::Has { key, .. }
            | SetOperation::HasEach { key, .. }
            | SetOperation::Count { key }
            | SetOperation::Sample { key, .. }
            | SetOperation::Scan { key, .. } => see(key),
            SetOperation::Combine { keys, .. } | SetOperation::CountShared { keys, .. } => {
                keys.iter().for_each(see);
            }
            SetOperation::Move { from, to, .. } => {
                see(from);
                see(to);
            }
            SetOperation::Store { to, keys, .. } => {
                see(to);
                keys.iter().for_each(see);
            }
        }
    }
}

choices! {
    /// How collections are combined.
    How {
        /// What is in each.
        Intersection = 0,
        /// What is in any.
        Union = 1,
        /// What is in the first and in no other.
        Difference = 2,
    }
}

/// Up to so many members, all of them numbers, a stock server keeps a set as a list of numbers.
const NUMBERS_MAX: usize = 512;

/// Members. A clone is cheap.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Set {
    members: Dictionary<()>,
    /// Whether it ever was more than a few numbers; a stock server does not go back.
    is_general: bool,
}

collection!(Set);

impl Set {
    pub(crate) const fn new() -> Set {
        Set { members: Dictionary::new(), is_general: false }
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.members.iter().map(|member| member.name.len() + 8).sum()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether a stock server would keep it as a list of numbers.
    pub(crate) fn is_compact(&self) -> bool {
        !self.is_general
    }

    /// Adds a member; whether it is new.
    pub(crate) fn add(&mut self, member: &[u8]) -> bool {
        let is_new = self.members.insert(member, ()).is_none();
        if is_new && !self.is_general {
            self.is_general = self.members.len() > NUMBERS_MAX || parse_integer(member).is_none();
        }
        is_new
    }
}

impl<'a> FromIterator<&'a [u8]> for Set {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(members: I) -> Self {
        let mut set = Set::new();
        for member in members {
            set.add(member);
        }
        set
    }
}

impl Wire for Set {
    fn encode(&self, out: &mut Writer<'_>) {
        self.is_general.encode(out);
        put_varint(out, self.members.len() as u64);
        self.members.iter().for_each(|member| put_bytes(out, &member.name));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let is_general = bool::decode(input)?;
        let mut members = Dictionary::new();
        for _ in 0..input.length(1)? {
            if !members.append(Arc::decode(input)?, ()) {
                return Err(Malformed("members out of order"));
            }
        }
        if members.len() == 0 {
            return Err(Malformed("a set without members"));
        }
        Ok(Set { members, is_general })
    }
}
