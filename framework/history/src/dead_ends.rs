//! The memory of dead ends: pairs of (calls placed, state), packed one behind the other.
//!
//! Of the answered calls and the state an entry keeps a fingerprint (`fingerprint.rs` says how safe that is), of the calls of
//! unknown outcome the whole set. An order that used fewer of these can do whatever one with more of them can. So a pair is
//! known if one with the same answered calls and state is, whose calls of unknown outcome are a part of its own.

/// Where no entry follows.
const NONE: u32 = u32::MAX;
/// The words of an entry before its set: the fingerprint, and the next of its bucket with the length of the set.
const HEADER: usize = 3;

/// Pairs of placed calls and states.
pub(crate) struct DeadEnds {
    /// All entries: a header and the calls of unknown outcome.
    words: Vec<u64>,
    /// Where the first entry of each bucket begins.
    buckets: Vec<u32>,
    count: usize,
}

impl DeadEnds {
    pub(crate) fn new() -> Self {
        DeadEnds { words: Vec::new(), buckets: vec![NONE; 64], count: 0 }
    }

    /// How many bytes it uses.
    pub(crate) fn bytes(&self) -> usize {
        8 * self.words.len() + 4 * self.buckets.len()
    }

    /// Remembers the pair; false if it is known. `fingerprint` is that of the state and the answered calls.
    pub(crate) fn insert(&mut self, fingerprint: u128, unknown: &BitSet) -> bool {
        let unknown = unknown.words();
        let bucket = fingerprint as usize & (self.buckets.len() - 1);
        let mut at = self.buckets[bucket];
        while at != NONE {
            let (other, next, set) = self.entry(at);
            if other == fingerprint && is_part(set, unknown) {
                return false;
            }
            at = next;
        }
        let place = u32::try_from(self.words.len()).expect("the budget of the search is smaller");
        let next = self.buckets[bucket];
        self.words.extend([fingerprint as u64, (fingerprint >> 64) as u64]);
        self.words.push(u64::from(next) << 32 | unknown.len() as u64);
        self.words.extend_from_slice(unknown);
        self.buckets[bucket] = place;
        self.count += 1;
        if self.count > self.buckets.len() {
            self.grow();
        }
        true
    }

    /// The fingerprint, the next entry, and the calls of unknown outcome.
    fn entry(&self, at: u32) -> (u128, u32, &[u64]) {
        let at = at as usize;
        let (low, high, head) = (self.words[at], self.words[at + 1], self.words[at + 2]);
        let set = at + HEADER..at + HEADER + head as u32 as usize;
        (u128::from(high) << 64 | u128::from(low), (head >> 32) as u32, &self.words[set])
    }

    /// Twice as many buckets.
    fn grow(&mut self) {
        let mask = 2 * self.buckets.len() - 1;
        self.buckets = vec![NONE; mask + 1];
        let mut at = 0;
        while at < self.words.len() {
            let (bucket, head) = (self.words[at] as usize & mask, self.words[at + 2]);
            let length = u64::from(head as u32);
            self.words[at + 2] = u64::from(self.buckets[bucket]) << 32 | length;
            self.buckets[bucket] = at as u32;
            at += HEADER + length as usize;
        }
    }
}

/// Whether all that is in `fewer` is in `more`; neither ends with an empty word.
fn is_part(fewer: &[u64], more: &[u64]) -> bool {
    fewer.len() <= more.len() && fewer.iter().zip(more).all(|(fewer, more)| fewer & !more == 0)
}

/// A set of small numbers.
pub(crate) struct BitSet {
    words: Vec<u64>,
    /// All words from this one on are empty.
    used: usize,
}

impl BitSet {
    pub(crate) fn new(bits: usize) -> Self {
        BitSet { words: vec![0; bits.div_ceil(64)], used: 0 }
    }

    pub(crate) fn insert(&mut self, bit: usize) {
        self.words[bit / 64] |= 1 << (bit % 64);
        self.used = self.used.max(bit / 64 + 1);
    }

    pub(crate) fn remove(&mut self, bit: usize) {
        self.words[bit / 64] &= !(1 << (bit % 64));
        while self.used > 0 && self.words[self.used - 1] == 0 {
            self.used -= 1;
        }
    }

    /// The words to the last that is not empty.
    fn words(&self) -> &[u64] {
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
        assert!(known.insert(1, &set(&[3, 200])));
        assert!(!known.insert(1, &set(&[3, 7, 200])));
        assert!(known.insert(1, &set(&[3, 7])));
        assert!(known.insert(2, &set(&[3, 200])));
        assert!(known.insert(1 << 64 | 1, &set(&[3, 200])));
        assert!(known.insert(1, &set(&[])));
        assert!(!known.insert(1, &set(&[900])));
    }

    #[test]
    fn what_is_remembered_stays_known_as_the_table_grows() {
        let mut known = DeadEnds::new();
        for round in [true, false] {
            for number in 0..1_000 {
                assert_eq!(known.insert(number << 60 | 5, &set(&[number as usize])), round, "{number}");
            }
        }
    }
}
