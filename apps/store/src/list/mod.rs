//! Lists: elements in a sequence, pushed and popped at either end.

mod parse;
mod run;

pub(crate) use parse::COMMANDS;

use crate::collection::collection;
use crate::items::Items;
use crate::operation::{choices, family};
use crate::tree::Tree;
use std::sync::Arc;
use synod_stdx::{Malformed, Reader, Wire, Writer, put_bytes, put_varint};

family! {
    /// What a list can be asked.
    ListOperation {
        1 Write Push { key: &'a [u8], elements: Items<'a>, end: End, only_if_present: bool },
        2 Write Pop { key: &'a [u8], end: End, count: Option<u64> },
        3 Write Set { key: &'a [u8], index: i64, element: &'a [u8] },
        4 Write Insert { key: &'a [u8], is_behind: bool, pivot: &'a [u8], element: &'a [u8] },
        /// The first `count` that are equal to `element`, the last ones if it is negative, all if it is zero.
        5 Write Remove { key: &'a [u8], count: i64, element: &'a [u8] },
        6 Write Trim { key: &'a [u8], start: i64, end: i64 },
        7 Write Move { from: &'a [u8], to: &'a [u8], from_end: End, to_end: End },
        /// Of the first of `keys` that is there.
        8 Write PopOfFirst { keys: Items<'a>, end: End, count: u64 },
        9 Read Count { key: &'a [u8] },
        10 Read Range { key: &'a [u8], start: i64, end: i64 },
        11 Read At { key: &'a [u8], index: i64 },
        /// The `rank`-th match, from the end if it is negative, and `count` matches from there on, all if it is zero. At
        /// most `looked_at_max` elements are compared, all if it is zero.
        12 Read Find { key: &'a [u8], element: &'a [u8], rank: i64, count: Option<u64>, looked_at_max: u64 },
    }
}

impl ListOperation<'_> {
    /// Calls `see` with each key that it names.
    pub(crate) fn for_each_key(&self, see: &mut impl FnMut(&[u8])) {
        match self {
            ListOperation::Push { key, .. }
            | ListOperation::Pop { key, .. }
            | ListOperation::Set { key, .. }
            | ListOperation::Insert { key, .. }
            | ListOperation::Remove { key, .. }
            | ListOperation::Trim { key, .. }
            | ListOperation::Count { key }
            | ListOperation::Range { key, .. }
            | ListOperation::At { key, .. }
            | ListOperation::Find { key, .. } => see(key),
            ListOperation::Move { from, to, .. } => {
                see(from);
                see(to);
            }
            ListOperation::PopOfFirst { keys, .. } => keys.iter().for_each(see),
        }
    }
}

choices! {
    /// An end of a list.
    End {
        Left = 0,
        Right = 1,
    }
}

/// A sequence of elements. A clone is cheap.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct List {
    elements: Tree<Arc<[u8]>>,
}

collection!(List);

impl List {
    pub(crate) const fn new() -> List {
        List { elements: Tree::new() }
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.elements.iter().map(|element| element.len() + 8).sum()
    }

    pub(crate) fn len(&self) -> usize {
        self.elements.len()
    }
}

impl Wire for List {
    fn encode(&self, out: &mut Writer<'_>) {
        put_varint(out, self.elements.len() as u64);
        self.elements.iter().for_each(|element| put_bytes(out, element));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut elements = Tree::new();
        for _ in 0..input.length(1)? {
            elements.push(Arc::from(input.bytes()?));
        }
        if elements.is_empty() { Err(Malformed("a list without elements")) } else { Ok(List { elements }) }
    }
}
