//! Sorted sets: members with scores, in the order of the scores, and of the members' bytes among equal scores.
//!
//! Each is kept twice: by name, for the score of a member, and in order, for ranks and ranges. A rank is as quick as a
//! score, since the nodes of the ordered tree count what is below them. Members share their bytes.

mod combine;
mod parse;
mod parse_range;
mod range;
mod run;
mod score;

pub(crate) use parse::COMMANDS;

use crate::collection::collection;
use crate::dictionary::Dictionary;
use crate::items::Items;
use crate::operation::{When, choices, family};
use crate::set::How;
use crate::tree::Tree;
use range::Range;
use std::cmp::Ordering;
use std::ops;
use std::sync::Arc;
use synod_resp::Float;
use synod_stdx::{Malformed, Reader, Wire, Writer, put_bytes, put_u64, put_varint};

family! {
    /// What a sorted set can be asked. Each `random` was drawn by who proposes.
    SortedSetOperation {
        /// Scores and members in turn.
        1 Write Add { key: &'a [u8], pairs: Items<'a>, when: When, only: Only, told: Told },
        2 Write Remove { key: &'a [u8], members: Items<'a> },
        3 Write RemoveRange { key: &'a [u8], range: Range<'a> },
        4 Write Pop { key: &'a [u8], end: Extreme, count: Option<u64> },
        /// Of the first of `keys` that is there.
        5 Write PopOfFirst { keys: Items<'a>, end: Extreme, count: u64 },
        /// There are as many `weights` as keys, or none.
        6 Write Store { to: &'a [u8], keys: Items<'a>, how: How, weights: Items<'a>, aggregate: Aggregate },
        7 Write StoreRange { to: &'a [u8], from: &'a [u8], range: Range<'a> },
        8 Read List { key: &'a [u8], range: Range<'a>, with_scores: bool },
        9 Read CountRange { key: &'a [u8], range: Range<'a> },
        10 Read Rank { key: &'a [u8], member: &'a [u8], is_reverse: bool },
        11 Read Score { key: &'a [u8], member: &'a [u8] },
        12 Read Scores { key: &'a [u8], members: Items<'a> },
        13 Read Count { key: &'a [u8] },
        14 Read Sample { key: &'a [u8], random: u64, count: Option<i64>, with_scores: bool },
        15 Read Combine {
            keys: Items<'a>,
            how: How,
            weights: Items<'a>,
            aggregate: Aggregate,
            with_scores: bool,
        },
        /// Counts up to `limit`, to the end if it is zero.
        16 Read CountShared { keys: Items<'a>, limit: u64 },
        17 Read Scan { key: &'a [u8], cursor: u64, count: u64, pattern: Option<&'a [u8]> },
        /// Answers `text` as an error, unless one of the keys holds what cannot be combined.
        18 Read Refuse { keys: Items<'a>, text: &'a [u8] },
    }
}

impl SortedSetOperation<'_> {
    /// Calls `see` with each key that it names.
    pub(crate) fn for_each_key(&self, see: &mut impl FnMut(&[u8])) {
        match self {
            SortedSetOperation::Add { key, .. }
            | SortedSetOperation::Remove { key, .. }
            | SortedSetOperation::RemoveRange { key, .. }
            | SortedSetOperation::Pop { key, .. }
            | SortedSetOperation::List { key, .. }
            | SortedSetOperation::CountRange { key, .. }
            | SortedSetOperation::Rank { key, .. }
            | SortedSetOperation::Score { key, .. }
            | SortedSetOperation::Scores { key, .. }
            | SortedSetOperation::Count { key }
            | SortedSetOperation::Sample { key, .. }
            | SortedSetOperation::Scan { key, .. } => see(key),
            SortedSetOperation::PopOfFirst { keys, .. }
            | SortedSetOperation::Combine { keys, .. }
            | SortedSetOperation::CountShared { keys, .. }
            | SortedSetOperation::Refuse { keys, .. } => keys.iter().for_each(see),
            SortedSetOperation::Store { to, keys, .. } => {
                see(to);
                keys.iter().for_each(see);
            }
            SortedSetOperation::StoreRange { to, from, .. } => {
                see(to);
                see(from);
            }
        }
    }
}

choices! {
    /// Which scores replace that of a member.
    Only {
        Any = 0,
        Greater = 1,
        Less = 2,
    }
    /// What adding members answers.
    Told {
        /// How many are new.
        New = 0,
        /// How many are new or have another score.
        Changed = 1,
        /// The new score: the given one is added to that of the member.
        Sum = 2,
    }
    /// An end of the order.
    Extreme {
        Lowest = 0,
        Highest = 1,
    }
    /// How the scores of a member become one.
    Aggregate {
        Sum = 0,
        Min = 1,
        Max = 2,
    }
}

/// Up to so many members of up to so many bytes a stock server keeps a sorted set as one list.
const COMPACT_MEMBERS_MAX: usize = 128;
const COMPACT_BYTES_MAX: usize = 64;

/// A member in its place. The score is a number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Ranked {
    pub(crate) score: Float,
    pub(crate) member: Arc<[u8]>,
}

impl Ranked {
    /// How it stands to a place in the order.
    fn order(&self, score: f64, member: &[u8]) -> Ordering {
        compare(self.score.0, score).then_with(|| (*self.member).cmp(member))
    }
}

/// Which score is less; none is NaN.
fn compare(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or(Ordering::Equal)
}

/// Members with scores. A clone is cheap.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct SortedSet {
    scores: Dictionary<Float>,
    order: Tree<Ranked>,
    /// Whether it ever was too large for the compact form; a stock server does not go back.
    is_large: bool,
}

collection!(SortedSet);

impl SortedSet {
    pub(crate) const fn new() -> SortedSet {
        SortedSet { scores: Dictionary::new(), order: Tree::new(), is_large: false }
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.order.iter().map(|ranked| ranked.member.len() + 16).sum()
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether a stock server would keep it in the compact form.
    pub(crate) fn is_compact(&self) -> bool {
        !self.is_large
    }

    pub(crate) fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.find(member).map(|score| score.0)
    }

    /// How many members come before this one.
    pub(crate) fn rank(&self, member: &[u8]) -> Option<usize> {
        let score = self.score(member)?;
        Some(self.order.seek(|ranked| ranked.order(score, member)).0)
    }

    /// Gives a member a score, which is a number; the one that it had comes back.
    fn set(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let old = self.score(member);
        let shared = match old {
            // Zero has two signs, which are equal: the member stays as it is.
            Some(old) if old == score => return Some(old),
            Some(old) => {
                let index = self.order.seek(|ranked| ranked.order(old, member)).0;
                self.order.remove(index).map(|ranked| ranked.member)
            }
            None => {
                self.is_large |= member.len() > COMPACT_BYTES_MAX || self.len() >= COMPACT_MEMBERS_MAX;
                None
            }
        };
        // A stock server's compact form does not know a negative zero.
        let score = if score == 0.0 && !self.is_large { 0.0 } else { score };
        let member = shared.unwrap_or_else(|| Arc::from(member));
        let (index, _) = self.order.seek(|ranked| ranked.order(score, &member));
        self.order.insert(index, Ranked { score: Float(score), member: member.clone() });
        if old.is_none() {
            self.scores.insert_new(member, Float(score));
        } else {
            self.scores.insert(&member, Float(score));
        }
        old
    }

    /// Removes a member; whether it was there.
    fn remove(&mut self, member: &[u8]) -> bool {
        let Some(named) = self.scores.remove(member) else { return false };
        let (index, _) = self.order.seek(|ranked| ranked.order(named.value.0, member));
        self.order.remove(index);
        true
    }

    /// Takes out the members at the indices of `span`.
    fn remove_span(&mut self, span: ops::Range<usize>) -> Vec<Ranked> {
        let removed: Vec<Ranked> = self.order.range(span.clone()).cloned().collect();
        self.order.remove_range(span);
        for ranked in &removed {
            self.scores.remove(&ranked.member);
        }
        removed
    }
}

/// Of members that differ.
impl<'a> FromIterator<(f64, &'a [u8])> for SortedSet {
    fn from_iter<I: IntoIterator<Item = (f64, &'a [u8])>>(members: I) -> Self {
        let members: Vec<(f64, &[u8])> = members.into_iter().collect();
        let is_large = members.len() > COMPACT_MEMBERS_MAX
            || members.iter().any(|(_, member)| member.len() > COMPACT_BYTES_MAX);
        let mut new = SortedSet { is_large, ..SortedSet::new() };
        for (score, member) in members {
            new.set(member, score);
        }
        new
    }
}

impl Wire for SortedSet {
    fn encode(&self, out: &mut Writer<'_>) {
        self.is_large.encode(out);
        put_varint(out, self.order.len() as u64);
        for ranked in self.order.iter() {
            put_u64(out, ranked.score.0.to_bits());
            put_bytes(out, &ranked.member);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut new = SortedSet { is_large: bool::decode(input)?, ..SortedSet::new() };
        for _ in 0..input.length(9)? {
            let score = f64::from_bits(input.u64()?);
            let member: Arc<[u8]> = Arc::decode(input)?;
            let last = new.len().checked_sub(1).and_then(|last| new.order.at(last));
            let is_behind = last.is_none_or(|last| last.order(score, &member).is_lt());
            if score.is_nan() || !is_behind || new.scores.has(&member) {
                return Err(Malformed("members out of order"));
            }
            new.order.push(Ranked { score: Float(score), member: member.clone() });
            new.scores.insert_new(member, Float(score));
        }
        if new.len() == 0 { Err(Malformed("a sorted set without members")) } else { Ok(new) }
    }
}
