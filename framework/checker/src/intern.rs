//! Values by number: each distinct value is kept once, and everything else speaks of it by a small id.

use crate::hash::{Salt, content_hash};
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use synod_stdx::LookupMap;

/// No further entry with this hash.
const END: u32 = u32::MAX;

struct Entry<T> {
    hash: u64,
    /// An older value of the same hash.
    next: u32,
    value: Arc<T>,
}

struct Table<T> {
    entries: Vec<Entry<T>>,
    newest: LookupMap<u64, u32>,
}

/// Keeps distinct values; ids count from 0. Threads share it.
pub(crate) struct Interner<T> {
    salt: Salt,
    table: RwLock<Table<T>>,
}

impl<T: Hash + Eq> Interner<T> {
    pub(crate) fn new(salt: Salt) -> Self {
        Interner { salt, table: RwLock::new(Table { entries: Vec::new(), newest: LookupMap::default() }) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Table<T>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of `value`, and the hash of its content. Equality decides, never the hash alone.
    pub(crate) fn intern(&self, value: T) -> (u32, u64) {
        let hash = content_hash(self.salt, &value);
        if let Some(id) = self.read().find(hash, &value) {
            return (id, hash);
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = table.find(hash, &value) {
            return (id, hash);
        }
        let id = u32::try_from(table.entries.len()).expect("fewer than 2^32 distinct values");
        let next = table.newest.insert(hash, id).unwrap_or(END);
        table.entries.push(Entry { hash, next, value: Arc::new(value) });
        (id, hash)
    }

    /// The value named `id`.
    pub(crate) fn value(&self, id: u32) -> Arc<T> {
        Arc::clone(&self.read().entries[id as usize].value)
    }

    /// The hash of the value named `id`.
    pub(crate) fn hash(&self, id: u32) -> u64 {
        self.read().entries[id as usize].hash
    }

    /// How many distinct values there are.
    pub(crate) fn len(&self) -> usize {
        self.read().entries.len()
    }

    /// Every value, in the order of ids.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.read().entries.iter().map(|entry| Arc::clone(&entry.value)).collect()
    }
}

impl<T: Eq> Table<T> {
    fn find(&self, hash: u64, value: &T) -> Option<u32> {
        let mut at = *self.newest.get(&hash)?;
        while at != END {
            let entry = &self.entries[at as usize];
            if *entry.value == *value {
                return Some(at);
            }
            at = entry.next;
        }
        None
    }
}
