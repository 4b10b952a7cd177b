//! The memory of dead ends: pairs of (calls placed, state), packed one behind the other.
//!
//! An order that used fewer calls of unknown outcome can do whatever one with more of them can. So a pair is known if one
//! with the same answered calls and state is, whose calls of unknown outcome are a part of its own.

use std::hash::{BuildHasher, Hasher};

use synod_stdx::FixedHasher;

use crate::steps::StateId;

/// Where no entry follows.
const NONE: u32 = u32::MAX;
/// The words of an entry before its sets: the next of its bucket with the state, and how long the sets are.
const HEADER: usize = 2;
/// The bits of each of the two lengths of sets, in words. The bits above them count full words.
const LENGTH_BITS: u32 = 20;
const LENGTH: u64 = (1 << LENGTH_BITS) - 1;

/// Pairs of placed calls and states.
pub(crate) struct DeadEnds {
    /// All entries: a header, the answered calls, the calls of unknown outcome.
    words: Vec<u64>,
    /// Where the first entry of each bucket begins.
    buckets: Vec<u32>,
    count: usize,
}

/// An entry as it is stored.
struct Entry<'a> {
    next: u32,
    state: StateId,
    lengths: u64,
    answered: &'a [u64],
    unknown: &'a [u64],
}

impl DeadEnds {
    pub(crate) fn new() -> Self {
        DeadEnds { words: Vec::new(), buckets: vec![NONE; 64], count: 0 }
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        8 * self.words.capacity() + 4 * self.buckets.capacity()
    }

    /// Remembers the pair; false if it is known.
    pub(crate) fn insert(&mut self, state: StateId, answered: &BitSet, unknown: &BitSet) -> bool {
        let (full, answered) = answered.middle();
        let unknown = unknown.beginning();
        let shape = (full as u64) << LENGTH_BITS | answered.len() as u64;
        let bucket = bucket(state, shape, answered) & (self.buckets.len() - 1);
        let mut at = self.buckets[bucket];
        while at != NONE {
            let entry = self.entry(at);
            let is_like = entry.state == state && entry.lengths >> LENGTH_BITS == shape;
            if is_like && entry.answered == answered && is_part(entry.unknown, unknown) {
                return false;
            }
            at = entry.next;
        }
        let place = u32::try_from(self.words.len()).expect("the budget of the search is smaller");
        self.words.push(u64::from(self.buckets[bucket]) << 32 | u64::from(state));
        self.words.push(shape << LENGTH_BITS | unknown.len() as u64);
        self.words.extend_from_slice(answered);
        self.words.extend_from_slice(unknown);
        self.buckets[bucket] = place;
        self.count += 1;
        if self.count > self.buckets.len() {
            self.grow();
        }
        true
    }

    fn entry(&self, at: u32) -> Entry<'_> {
        let at = at as usize;
        let (head, lengths) = (self.words[at], self.words[at + 1]);
        let answered = at + HEADER;
        let unknown = answered + (lengths >> LENGTH_BITS & LENGTH) as usize;
        let end = unknown + (lengths & LENGTH) as usize;
        Entry {
            next: (head >> 32) as u32,
            state: head as u32,
            lengths,
            answered: &self.words[answered..unknown],
            unknown: &self.words[unknown..end],
        }
    }

    /// Twice as many buckets. The entries of a bucket stay in the order in which they came.
    fn grow(&mut self) {
        let mask = 2 * self.buckets.len() - 1;
        self.buckets = vec![NONE; mask + 1];
        let mut at = 0;
        while at < self.words.len() {
            let entry = self.entry(at as u32);
            let length = HEADER + entry.answered.len() + entry.unknown.len();
            let bucket = bucket(entry.state, entry.lengths >> LENGTH_BITS, entry.answered) & mask;
            let next = self.buckets[bucket];
            self.words[at] = u64::from(next) << 32 | self.words[at] & u64::from(u32::MAX);
            self.buckets[bucket] = at as u32;
            at += length;
        }
    }
}

/// Where to look for a pair, to be cut to the number of buckets.
fn bucket(state: StateId, shape: u64, answered: &[u64]) -> usize {
    let mut hasher = FixedHasher::default().build_hasher();
    hasher.write_u32(state);
    hasher.write_u64(shape);
    answered.iter().for_each(|word| hasher.write_u64(*word));
    hasher.finish() as usize
}

/// Whether all that is in `fewer` is in `more`; neither ends with an empty word.
fn is_part(fewer: &[u64], more: &[u64]) -> bool {
    fewer.len() <= more.len() && fewer.iter().zip(more).all(|(fewer, more)| fewer & !more == 0)
}

/// A set of small numbers that is mostly a beginning of them.
pub(crate) struct BitSet {
    words: Vec<u64>,
    /// All words before this one are full.
    full: usize,
    /// All words from this one on are empty.
    used: usize,
}

impl BitSet {
    pub(crate) fn new(bits: usize) -> Self {
        BitSet { words: vec![0; bits.div_ceil(64)], full: 0, used: 0 }
    }

    pub(crate) fn insert(&mut self, bit: usize) {
        self.words[bit / 64] |= 1 << (bit % 64);
        self.used = self.used.max(bit / 64 + 1);
        while self.words.get(self.full) == Some(&u64::MAX) {
            self.full += 1;
        }
    }

    pub(crate) fn remove(&mut self, bit: usize) {
        self.words[bit / 64] &= !(1 << (bit % 64));
        self.full = self.full.min(bit / 64);
        while self.used > 0 && self.words[self.used - 1] == 0 {
            self.used -= 1;
        }
    }

    /// How many words are full, and the words from there to the last that is not empty.
    fn middle(&self) -> (usize, &[u64]) {
        (self.full, self.words.get(self.full..self.used).unwrap_or(&[]))
    }

    /// The words to the last that is not empty.
    fn beginning(&self) -> &[u64] {
        &self.words[..self.used]
    }
}

#[cfg(test)]
mod tests {
    use super::{BitSet, DeadEnds};

    fn set(bits: &[usize]) -> BitSet {
        let mut set = BitSet::new(1_000);
        bits.iter().for_each(|bit| set.insert(*bit));
        set
    }

    #[test]
    fn a_pair_is_known_if_one_with_fewer_unknown_calls_is() {
        let mut known = DeadEnds::new();
        assert!(known.insert(1, &set(&[0, 2]), &set(&[3, 200])));
        assert!(!known.insert(1, &set(&[0, 2]), &set(&[3, 7, 200])));
        assert!(known.insert(1, &set(&[0, 2]), &set(&[3, 7])));
        assert!(known.insert(2, &set(&[0, 2]), &set(&[3, 200])));
        assert!(known.insert(1, &set(&[0, 3]), &set(&[3, 200])));
        assert!(known.insert(1, &set(&[0, 2]), &set(&[])));
        assert!(!known.insert(1, &set(&[0, 2]), &set(&[900])));
    }

    #[test]
    fn what_is_remembered_stays_known_as_the_table_grows() {
        let beginning: Vec<usize> = (0..300).collect();
        let mut known = DeadEnds::new();
        for round in [true, false] {
            for state in 0..1_000 {
                let mut answered = set(&beginning);
                answered.insert(300 + state as usize % 500);
                assert_eq!(known.insert(state, &answered, &set(&[state as usize])), round, "{state}");
            }
        }
    }
}
