//! The keys of all slots, copy on write.
//!
//! Slots stand in chunks, chunks in one vector, each behind an `Arc`. A clone of the whole copies 128 pointers. A
//! write after a clone copies the pointers of its chunk and the tree of its slot, once; everything else stays shared.
//! So a snapshot never stops the writers, and costs as much memory as is written while it lives.
//!
//! This layer knows no commands. It keeps the counters right and the tree of a slot without keys away, so that equal
//! contents are equal values.

use crate::key::{Hashed, Key, Probe};
use crate::value::{Entry, Value};
use crate::{SLOT_COUNT, SlotId};
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::ops::Bound;
use std::sync::Arc;

const CHUNK_SLOTS: usize = 128;
const CHUNKS: usize = SLOT_COUNT as usize / CHUNK_SLOTS;

pub(crate) type SlotMap = BTreeMap<Key, Entry>;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Chunk {
    slots: [Option<Arc<SlotMap>>; CHUNK_SLOTS],
}

/// A place in the order of all keys: slot, then hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Position {
    pub(crate) slot: u16,
    pub(crate) hash: u64,
}

impl Position {
    pub(crate) const START: Position = Position { slot: 0, hash: 0 };
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Space {
    chunks: Vec<Arc<Chunk>>,
    keys: u64,
    expiring: u64,
    /// Counts modifications: the version of the key that was modified last.
    version: u64,
}

impl Space {
    pub(crate) fn new() -> Space {
        let empty = Arc::new(Chunk { slots: std::array::from_fn(|_| None) });
        Space { chunks: vec![empty; CHUNKS], keys: 0, expiring: 0, version: 0 }
    }

    /// How many keys there are, those that expired but were not removed yet included.
    pub(crate) fn len(&self) -> u64 {
        self.keys
    }

    /// How many keys have an expiry.
    pub(crate) fn expiring(&self) -> u64 {
        self.expiring
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The keys of a slot, or `None` if there are none.
    pub(crate) fn slot(&self, slot: SlotId) -> Option<&SlotMap> {
        self.shared(slot).as_deref()
    }

    /// The keys of a slot as they are now, whatever is written later.
    pub(crate) fn share_slot(&self, slot: SlotId) -> Option<Arc<SlotMap>> {
        self.shared(slot).clone()
    }

    fn shared(&self, slot: SlotId) -> &Option<Arc<SlotMap>> {
        let number = usize::from(slot.number());
        &self.chunks[number / CHUNK_SLOTS].slots[number % CHUNK_SLOTS]
    }

    /// What is stored under a key, expired or not.
    pub(crate) fn find(&self, probe: &Probe<'_>) -> Option<&Entry> {
        self.slot(probe.slot)?.get(probe as &dyn Hashed)
    }

    /// All keys at `from` or behind it, in order.
    pub(crate) fn walk(&self, from: Position) -> impl Iterator<Item = (Position, &Key, &Entry)> {
        self.walk_until(from, SLOT_COUNT)
    }

    /// As `walk`, up to the slot before `end_slot`.
    pub(crate) fn walk_until(
        &self,
        from: Position,
        end_slot: u16,
    ) -> impl Iterator<Item = (Position, &Key, &Entry)> {
        (from.slot..end_slot.min(SLOT_COUNT)).filter_map(|number| SlotId::new(number.into())).flat_map(
            move |slot| {
                let hash = if slot.number() == from.slot { from.hash } else { 0 };
                self.walk_slot(slot, hash)
            },
        )
    }

    /// The keys of `slot` whose hash is at least `hash`, in order.
    pub(crate) fn walk_slot(
        &self,
        slot: SlotId,
        hash: u64,
    ) -> impl Iterator<Item = (Position, &Key, &Entry)> {
        let probe = Probe::at(slot, hash);
        let bounds = (Bound::Included(&probe as &dyn Hashed), Bound::Unbounded);
        self.slot(slot)
            .map(|map| map.range::<dyn Hashed, _>(bounds))
            .into_iter()
            .flatten()
            .map(move |(key, entry)| (Position { slot: slot.number(), hash: key.hash() }, key, entry))
    }

    /// Stores `value` under a key, whatever was there.
    pub(crate) fn put(&mut self, probe: &Probe<'_>, value: Value, expires_at_ms: Option<NonZeroU64>) {
        self.version += 1;
        let entry = Entry { value, version: self.version, expires_at_ms };
        let map = slot_mut(&mut self.chunks, probe.slot);
        let old = match map.get_mut(probe as &dyn Hashed) {
            Some(stored) => Some(std::mem::replace(stored, entry)),
            None => map.insert(Key::new(probe), entry),
        };
        self.keys += u64::from(old.is_none());
        self.expiring += u64::from(expires_at_ms.is_some());
        self.expiring -= u64::from(old.is_some_and(|old| old.expires_at_ms.is_some()));
    }

    /// Changes what is stored under a key, if anything is, and gives it a new version.
    pub(crate) fn change<R>(&mut self, probe: &Probe<'_>, change: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        self.change_if(probe, |entry| (change(entry), true))
    }

    /// As `change`, for what may turn out to change nothing: `change` says whether it did.
    pub(crate) fn change_if<R>(
        &mut self,
        probe: &Probe<'_>,
        change: impl FnOnce(&mut Entry) -> (R, bool),
    ) -> Option<R> {
        self.find(probe)?;
        let entry = slot_mut(&mut self.chunks, probe.slot).get_mut(probe as &dyn Hashed)?;
        let had_expiry = entry.expires_at_ms.is_some();
        let (result, is_changed) = change(entry);
        if is_changed {
            self.version += 1;
            entry.version = self.version;
        }
        self.expiring += u64::from(entry.expires_at_ms.is_some());
        self.expiring -= u64::from(had_expiry);
        Some(result)
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, probe: &Probe<'_>) -> Option<Entry> {
        // Looks first: a slot must not be copied for a key that is not there.
        self.find(probe)?;
        let map = slot_mut(&mut self.chunks, probe.slot);
        let entry = map.remove(probe as &dyn Hashed)?;
        if map.is_empty() {
            let number = usize::from(probe.slot.number());
            Arc::make_mut(&mut self.chunks[number / CHUNK_SLOTS]).slots[number % CHUNK_SLOTS] = None;
        }
        self.keys -= 1;
        self.expiring -= u64::from(entry.expires_at_ms.is_some());
        self.version += 1;
        Some(entry)
    }

    /// Lets a key hold what another space held under it, with the version that it had there; or nothing.
    pub(crate) fn place(&mut self, probe: &Probe<'_>, entry: Option<Entry>) {
        let Some(entry) = entry else {
            self.remove(probe);
            return;
        };
        self.expiring += u64::from(entry.expires_at_ms.is_some());
        let map = slot_mut(&mut self.chunks, probe.slot);
        let old = match map.get_mut(probe as &dyn Hashed) {
            Some(stored) => Some(std::mem::replace(stored, entry)),
            None => map.insert(Key::new(probe), entry),
        };
        self.keys += u64::from(old.is_none());
        self.expiring -= u64::from(old.is_some_and(|old| old.expires_at_ms.is_some()));
    }

    /// Removes every key of a slot.
    pub(crate) fn clear_slot(&mut self, slot: SlotId) {
        let Some(map) = self.slot(slot) else { return };
        let keys = map.len() as u64;
        let expiring = map.values().filter(|entry| entry.expires_at_ms.is_some()).count() as u64;
        let number = usize::from(slot.number());
        Arc::make_mut(&mut self.chunks[number / CHUNK_SLOTS]).slots[number % CHUNK_SLOTS] = None;
        self.keys -= keys;
        self.expiring -= expiring;
        self.version += 1;
    }

    /// Removes every key.
    pub(crate) fn clear(&mut self) {
        *self = Space { version: self.version + 1, ..Space::new() };
    }

    /// Puts back what a snapshot holds, with its own version.
    pub(crate) fn restore(&mut self, bytes: Arc<[u8]>, entry: Entry) -> bool {
        let (key, slot) = Key::of(bytes);
        self.keys += 1;
        self.expiring += u64::from(entry.expires_at_ms.is_some());
        slot_mut(&mut self.chunks, slot).insert(key, entry).is_none()
    }

    /// Continues the count of modifications where a snapshot was taken, or where another space is.
    pub(crate) fn set_version(&mut self, version: u64) {
        self.version = version;
    }
}

fn slot_mut(chunks: &mut [Arc<Chunk>], slot: SlotId) -> &mut SlotMap {
    let number = usize::from(slot.number());
    let chunk = Arc::make_mut(&mut chunks[number / CHUNK_SLOTS]);
    Arc::make_mut(chunk.slots[number % CHUNK_SLOTS].get_or_insert_default())
}
