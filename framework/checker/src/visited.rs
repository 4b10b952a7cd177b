//! Which states were seen: a flat table of fingerprints, 11 to 14 bytes a state. Its dumb twin keeps whole states.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The table is cut in so many parts, each with a lock of its own: threads rarely meet in one, and each grows alone.
const SHARDS: usize = 256;
/// What an empty place holds; a fingerprint of this value counts as its neighbour.
const EMPTY: u64 = 0;

/// A set of states, shared by threads.
pub(crate) enum Visited {
    /// Knows states by their fingerprints.
    Fingerprints(Vec<Mutex<Shard>>),
    /// Knows whole states: what the other is compared with.
    Exact(Mutex<BTreeSet<Box<[u32]>>>),
}

/// Fingerprints in open addressing, at most three quarters full. A fingerprint's home is its share of the whole range,
/// so that growing moves everything a little to the right, in order.
#[derive(Default)]
pub(crate) struct Shard {
    slots: Vec<u64>,
    used: usize,
}

impl Shard {
    fn home(&self, fingerprint: u64) -> usize {
        // The top eight bits named the shard.
        ((u128::from(fingerprint << 8) * self.slots.len() as u128) >> 64) as usize
    }

    fn insert(&mut self, fingerprint: u64) -> bool {
        if self.used * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        let mut at = self.home(fingerprint);
        loop {
            let slot = &mut self.slots[at];
            if *slot == fingerprint {
                return false;
            }
            if *slot == EMPTY {
                *slot = fingerprint;
                self.used += 1;
                return true;
            }
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
    }

    fn grow(&mut self) {
        let len = (self.slots.len() * 5 / 4).max(64);
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; len]);
        self.used = 0;
        for fingerprint in old.into_iter().filter(|slot| *slot != EMPTY) {
            self.insert(fingerprint);
        }
    }
}

impl Visited {
    pub(crate) fn new(is_exact: bool) -> Self {
        if is_exact {
            Visited::Exact(Mutex::default())
        } else {
            Visited::Fingerprints((0..SHARDS).map(|_| Mutex::default()).collect())
        }
    }

    /// Whether whole states must be given.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(self, Visited::Exact(_))
    }

    /// Adds the state with this fingerprint; whether it is new. `state` is read by the exact set alone.
    pub(crate) fn insert(&self, fingerprint: u64, state: &[u32]) -> bool {
        match self {
            Visited::Fingerprints(shards) => {
                let fingerprint = if fingerprint == EMPTY { 1 } else { fingerprint };
                let shard = &shards[(fingerprint >> 56) as usize];
                shard.lock().unwrap_or_else(PoisonError::into_inner).insert(fingerprint)
            }
            Visited::Exact(states) => {
                let mut states = states.lock().unwrap_or_else(PoisonError::into_inner);
                !states.contains(state) && states.insert(state.into())
            }
        }
    }

    /// The bytes of the table.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Visited::Fingerprints(shards) => {
                let slots = |shard: &Mutex<Shard>| {
                    shard.lock().unwrap_or_else(PoisonError::into_inner).slots.capacity()
                };
                shards.iter().map(slots).sum::<usize>() as u64 * 8
            }
            Visited::Exact(states) => {
                let states = states.lock().unwrap_or_else(PoisonError::into_inner);
                states.iter().map(|state| size_of_val::<[u32]>(state) as u64 + 16).sum()
            }
        }
    }
}
