//! Keys in the order in which they are stored: by a hash, then by their bytes.
//!
//! The order by hash makes a cursor of `SCAN` a number, makes walks of a slot the same on every replica, and keeps the
//! comparisons of a look-up in the tree's own memory. Keys that collide cost a comparison of bytes, no more: nobody
//! gains by crafting them.

use crate::SlotId;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

/// A stored key. Its clones share the bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    hash: u64,
    pub(crate) bytes: Arc<[u8]>,
}

/// A key that is looked for: its bytes are borrowed, its hash and slot computed once.
#[derive(Clone, Copy)]
pub(crate) struct Probe<'a> {
    hash: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) slot: SlotId,
}

/// What keys and probes have in common, so that a tree of keys can be searched with a probe.
pub(crate) trait Hashed {
    fn hash(&self) -> u64;
    fn bytes(&self) -> &[u8];
}

impl Key {
    pub(crate) fn new(probe: &Probe<'_>) -> Key {
        Key { hash: probe.hash, bytes: Arc::from(probe.bytes) }
    }

    /// The key of these bytes, and its slot.
    pub(crate) fn of(bytes: Arc<[u8]>) -> (Key, SlotId) {
        let Probe { hash, slot, .. } = Probe::new(&bytes);
        (Key { hash, bytes }, slot)
    }
}

impl<'a> Probe<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Probe<'a> {
        Probe { hash: hash_of(bytes), bytes, slot: SlotId::of(bytes) }
    }

    /// Stands before every key of `slot` whose hash is at least `hash`.
    pub(crate) fn at(slot: SlotId, hash: u64) -> Probe<'static> {
        Probe { hash, bytes: b"", slot }
    }
}

impl Hashed for Key {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Hashed for Probe<'_> {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn bytes(&self) -> &[u8] {
        self.bytes
    }
}

impl<'a> Borrow<dyn Hashed + 'a> for Key {
    fn borrow(&self) -> &(dyn Hashed + 'a) {
        self
    }
}

impl PartialEq for dyn Hashed + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for dyn Hashed + '_ {}

impl PartialOrd for dyn Hashed + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Hashed + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.hash().cmp(&other.hash()).then_with(|| self.bytes().cmp(other.bytes()))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        (self as &dyn Hashed).cmp(other as &dyn Hashed)
    }
}

/// A hash of bytes, the same on every machine and in every release: snapshots do not carry it, cursors do.
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word) * u128::from(MULTIPLIER);
        (product as u64) ^ (product >> 64) as u64
    };
    let mut hash = MULTIPLIER ^ bytes.len() as u64;
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        let mut eight = [0; 8];
        eight.copy_from_slice(word);
        hash = mix(hash, u64::from_le_bytes(eight));
    }
    let mut rest = [0; 8];
    rest[..words.remainder().len()].copy_from_slice(words.remainder());
    hash = mix(hash, u64::from_le_bytes(rest));
    mix(hash, 0x2545_f491_4f6c_dd1d)
}

#[cfg(test)]
mod tests {
    use super::hash_of;

    #[test]
    fn the_hash_never_changes_because_cursors_and_orders_are_made_of_it() {
        let hashes = [b"".as_slice(), b"a", b"12345678", b"123456789"].map(hash_of);
        assert_eq!(
            hashes.map(|hash| format!("{hash:016x}")),
            ["a2662fddd49451fb", "bdfb77810fbd9c3e", "59f7dd45511a0c22", "b45f4115d6c676f2"]
        );
    }
}
