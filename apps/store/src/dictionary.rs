//! Names with values, in the order of the names' hashes: fields of a hash, members of a set.
//!
//! The order is the one of keys, by a hash that is the same everywhere and then by the bytes. So all replicas walk it
//! alike, and a cursor of a scan is the hash from which it goes on: it says the same on another machine, after a
//! restart, and when other names have come or gone.

use crate::key::hash_of;
use crate::tree::{Items, Tree};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use synod_stdx::Rng;

/// The most picks that may be the same ones: an answer must end.
pub(crate) const REPEATS_MAX: usize = 1 << 20;

/// A name and its value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Named<V> {
    hash: u64,
    pub(crate) name: Arc<[u8]>,
    pub(crate) value: V,
}

/// Names with values. A clone is cheap.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Dictionary<V> {
    tree: Tree<Named<V>>,
}

impl<V> Default for Dictionary<V> {
    fn default() -> Self {
        Dictionary::new()
    }
}

impl<V> Dictionary<V> {
    pub(crate) const fn new() -> Dictionary<V> {
        Dictionary { tree: Tree::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.tree.len()
    }

    fn seek(&self, hash: u64, name: &[u8]) -> (usize, Option<&Named<V>>) {
        self.tree.seek(|named| named.hash.cmp(&hash).then_with(|| (*named.name).cmp(name)))
    }

    /// What stands under a name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<&V> {
        self.seek(hash_of(name), name).1.map(|named| &named.value)
    }

    pub(crate) fn has(&self, name: &[u8]) -> bool {
        self.find(name).is_some()
    }

    pub(crate) fn iter(&self) -> Items<'_, Named<V>> {
        self.tree.iter()
    }

    /// The names whose cursor is `cursor` or comes later, with their cursors.
    pub(crate) fn walk(&self, cursor: u64) -> impl Iterator<Item = (u64, &Named<V>)> {
        let (from, _) = self.tree.seek(|named| cursor_of(named).cmp(&cursor));
        self.tree.range(from..self.tree.len()).map(|named| (cursor_of(named), named))
    }

    /// Picks for a client that asked for `count` of the names: that many different ones, or as many as there are; a
    /// negative count asks for that many that may be the same.
    pub(crate) fn sample(&self, random: u64, count: i64) -> Vec<&Named<V>> {
        let mut rng = Rng::new(random);
        let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        if self.len() == 0 {
            Vec::new()
        } else if count < 0 {
            (0..wanted.min(REPEATS_MAX))
                .filter_map(|_| self.tree.at(rng.below(self.len() as u64) as usize))
                .collect()
        } else if wanted >= self.len() {
            self.tree.iter().collect()
        } else {
            different(&mut rng, self.len() - wanted..self.len())
                .into_iter()
                .filter_map(|index| self.tree.at(index))
                .collect()
        }
    }

    /// One of the names.
    pub(crate) fn pick(&self, random: u64) -> Option<&Named<V>> {
        self.sample(random, -1).pop()
    }
}

/// As many different indices as `lasts` has, each below its end, all sets of them equally likely (R. W. Floyd's
/// algorithm, in J. Bentley, "Programming Pearls: A Sample of Brilliance", 1987).
fn different(rng: &mut Rng, lasts: Range<usize>) -> BTreeSet<usize> {
    let mut chosen = BTreeSet::new();
    for last in lasts {
        let index = rng.below(last as u64 + 1) as usize;
        if !chosen.insert(index) {
            chosen.insert(last);
        }
    }
    chosen
}

impl<V: Clone> Dictionary<V> {
    /// Stores `value` under a name; what stood there before comes back.
    pub(crate) fn insert(&mut self, name: &[u8], value: V) -> Option<V> {
        let hash = hash_of(name);
        let (index, found) = self.seek(hash, name);
        if found.is_some() {
            self.tree.at_mut(index).map(|named| std::mem::replace(&mut named.value, value))
        } else {
            self.tree.insert(index, Named { hash, name: Arc::from(name), value });
            None
        }
    }

    /// As `insert`, with a name whose bytes are to be shared, and which is not there yet.
    pub(crate) fn insert_new(&mut self, name: Arc<[u8]>, value: V) {
        let hash = hash_of(&name);
        let (index, found) = self.seek(hash, &name);
        debug_assert!(found.is_none(), "a new name is not there yet");
        self.tree.insert(index, Named { hash, name, value });
    }

    /// Adds a name that comes after all others; whether it does.
    pub(crate) fn append(&mut self, name: Arc<[u8]>, value: V) -> bool {
        let hash = hash_of(&name);
        let last = self.len().checked_sub(1).and_then(|last| self.tree.at(last));
        let is_behind = last.is_none_or(|last| (last.hash, &*last.name) < (hash, &*name));
        if is_behind {
            self.tree.push(Named { hash, name, value });
        }
        is_behind
    }

    /// Removes a name.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<Named<V>> {
        let (index, found) = self.seek(hash_of(name), name);
        // Looks first: nothing is copied for a name that is not there.
        found?;
        self.tree.remove(index)
    }
}

/// A name's cursor: its hash without the last bit, so that it fits 63 bits.
fn cursor_of<V>(named: &Named<V>) -> u64 {
    named.hash >> 1
}
