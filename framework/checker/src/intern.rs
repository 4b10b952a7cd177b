//! Values by number: each distinct value is kept once, and everything else speaks of it by a small id.
//!
//! A value is read without a lock, and never moves: values lie in chunks, each twice as long as the one before it, which
//! are filled from the front and never change again.

use crate::hash::{Salt, content_hash};
use std::hash::Hash;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};
use synod_stdx::LookupMap;

/// No further entry with this hash.
const END: u32 = u32::MAX;
/// The first chunk holds 2^6 values.
const FIRST_BITS: u32 = 6;
const CHUNKS: usize = 32 - FIRST_BITS as usize;

struct Entry<T> {
    hash: u64,
    /// An older value of the same hash.
    next: u32,
    value: T,
}

type Chunk<T> = Box<[OnceLock<Entry<T>>]>;

/// What is looked for when a value comes, behind a lock.
#[derive(Default)]
struct Index {
    newest: LookupMap<u64, u32>,
    len: u32,
}

/// Keeps distinct values; ids count from 0. Threads share it.
pub(crate) struct Interner<T> {
    salt: Salt,
    chunks: [OnceLock<Chunk<T>>; CHUNKS],
    index: RwLock<Index>,
    /// The first two values, if there are two, that differ and have one hash.
    clash: OnceLock<(u32, u32)>,
}

/// The chunk of an id, and its place there.
fn seat(id: u32) -> (usize, usize) {
    let number = id + (1 << FIRST_BITS);
    let bits = number.ilog2();
    ((bits - FIRST_BITS) as usize, (number - (1 << bits)) as usize)
}

impl<T> Interner<T> {
    fn entry(&self, id: u32) -> &Entry<T> {
        let (chunk, at) = seat(id);
        let chunk = self.chunks[chunk].get().expect("an id is of a value that is kept");
        chunk[at].get().expect("an id is of a value that is kept")
    }

    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value named `id`.
    pub(crate) fn value(&self, id: u32) -> &T {
        &self.entry(id).value
    }

    /// The hash of the value named `id`.
    pub(crate) fn hash(&self, id: u32) -> u64 {
        self.entry(id).hash
    }

    /// How many distinct values there are.
    pub(crate) fn len(&self) -> usize {
        self.read().len as usize
    }

    /// Two values that differ and have one hash, if there are such: 64 bits make that unlikely, so it is `Hash` that leaves
    /// out what `Eq` compares.
    pub(crate) fn clash(&self) -> Option<(&T, &T)> {
        self.clash.get().map(|(one, other)| (self.value(*one), self.value(*other)))
    }

    /// Every value, in the order of ids.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        (0..self.read().len).map(|id| self.value(id))
    }
}

impl<T: Hash + Eq> Interner<T> {
    pub(crate) fn new(salt: Salt) -> Self {
        let chunks = [const { OnceLock::new() }; CHUNKS];
        Interner { salt, chunks, index: RwLock::default(), clash: OnceLock::new() }
    }

    /// The id of `value`, and the hash of its content. Equality decides, never the hash alone.
    pub(crate) fn intern(&self, value: T) -> (u32, u64) {
        let hash = content_hash(self.salt, &value);
        if let Some(id) = self.find(&self.read(), hash, &value) {
            return (id, hash);
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = self.find(&index, hash, &value) {
            return (id, hash);
        }
        let id = index.len;
        assert!(id < 1 << 31, "a search has fewer than 2^31 distinct values of a kind");
        let next = index.newest.insert(hash, id).unwrap_or(END);
        if next != END {
            self.clash.get_or_init(|| (next, id));
        }
        let (chunk, at) = seat(id);
        let len = 1usize << (chunk as u32 + FIRST_BITS);
        let chunk = self.chunks[chunk].get_or_init(|| (0..len).map(|_| OnceLock::new()).collect());
        let is_first = chunk[at].set(Entry { hash, next, value }).is_ok();
        assert!(is_first, "an id is given once");
        index.len += 1;
        (id, hash)
    }

    /// As [`intern`](Interner::intern), for what was `before`, with its id and hash, and perhaps still is.
    pub(crate) fn intern_after(&self, before: Option<(u32, u64)>, value: T) -> (u32, u64) {
        match before {
            Some((id, hash)) if *self.value(id) == value => (id, hash),
            Some(_) | None => self.intern(value),
        }
    }

    fn find(&self, index: &Index, hash: u64, value: &T) -> Option<u32> {
        let mut at = *index.newest.get(&hash)?;
        while at != END {
            let entry = self.entry(at);
            if entry.value == *value {
                return Some(at);
            }
            at = entry.next;
        }
        None
    }
}
