//! Which states were seen: a flat table of fingerprints, 11 to 15 bytes a state. Its dumb twin keeps whole states.
//!
//! Threads put fingerprints into one table, each with one atomic exchange and none where the state is known. They first
//! claim room for as many as they may add, so that the table is never more than three quarters full; who finds too
//! little room lets it grow while the others wait.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

/// What an empty place holds; a fingerprint of this value counts as its neighbour.
const EMPTY: u64 = 0;
/// A table that is smaller doubles; a larger one grows by two fifths.
const LARGE: usize = 1 << 20;
/// 32 KiB.
const SEGMENT: usize = 1 << 12;

/// A set of states, shared by threads.
pub(crate) enum Visited {
    /// Knows states by their fingerprints.
    Fingerprints(RwLock<Table>),
    /// Knows whole states: what the other is compared with.
    Exact(Mutex<BTreeSet<Box<[u32]>>>),
}

/// Fingerprints in open addressing. A fingerprint's home is its share of the whole range. The slots lie in segments, so
/// that a table grows by what it lacks and copies nothing.
pub(crate) struct Table {
    segments: Vec<Box<[AtomicU64]>>,
    len: usize,
    /// Slots that are full, or claimed.
    used: AtomicUsize,
}

impl Table {
    fn new() -> Self {
        let mut table = Table { segments: Vec::new(), len: 0, used: AtomicUsize::new(0) };
        table.add_segments(1);
        table
    }

    fn add_segments(&mut self, count: usize) {
        let segment = || (0..SEGMENT).map(|_| AtomicU64::new(EMPTY)).collect();
        self.segments.extend((0..count).map(|_| segment()));
        self.len = self.segments.len() * SEGMENT;
    }

    fn used_max(&self) -> usize {
        self.len / 4 * 3
    }

    fn home(&self, fingerprint: u64) -> usize {
        ((u128::from(fingerprint) * self.len as u128) >> 64) as usize
    }

    fn slot(&self, at: usize) -> &AtomicU64 {
        &self.segments[at / SEGMENT][at % SEGMENT]
    }

    fn insert(&self, fingerprint: u64) -> bool {
        let mut at = self.home(fingerprint);
        loop {
            let slot = self.slot(at);
            let mut found = slot.load(Ordering::Relaxed);
            if found == EMPTY {
                match slot.compare_exchange(EMPTY, fingerprint, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => return true,
                    // Another thread was quicker.
                    Err(other) => found = other,
                }
            }
            if found == fingerprint {
                return false;
            }
            at = if at + 1 == self.len { 0 } else { at + 1 };
        }
    }

    fn has(&self, fingerprint: u64) -> bool {
        let mut at = self.home(fingerprint);
        loop {
            match self.slot(at).load(Ordering::Relaxed) {
                EMPTY => return false,
                found if found == fingerprint => return true,
                _ => at = if at + 1 == self.len { 0 } else { at + 1 },
            }
        }
    }

    fn take(&mut self, at: usize) -> u64 {
        std::mem::replace(self.segments[at / SEGMENT][at % SEGMENT].get_mut(), EMPTY)
    }

    /// Grows until `count` more fit in, in place. Homes only move to the right, so runs of full slots are taken out and
    /// put in again from the right to the left: what a run meets on its way stands where it belongs already. Only the
    /// run that goes around the end waits until all others stand.
    fn grow(&mut self, count: usize) {
        let old = self.len;
        let larger = if old < LARGE { old * 2 } else { old / 5 * 7 };
        let needed = (*self.used.get_mut() + count).div_ceil(3) * 4 + 4;
        self.add_segments((larger.max(needed) - old).div_ceil(SEGMENT));
        let mut around = Vec::new();
        let mut first = 0;
        while first < old {
            let fingerprint = self.take(first);
            if fingerprint == EMPTY {
                break;
            }
            around.push(fingerprint);
            first += 1;
        }
        let mut run = Vec::new();
        for at in (first..old).rev() {
            let fingerprint = self.take(at);
            if fingerprint == EMPTY {
                run.drain(..).for_each(|fingerprint| _ = self.insert(fingerprint));
            } else {
                run.push(fingerprint);
            }
        }
        run.into_iter().chain(around).for_each(|fingerprint| _ = self.insert(fingerprint));
    }
}

/// Room for some states more.
pub(crate) enum Room<'a> {
    /// In the table: so much is claimed, and not used yet.
    Fingerprints { table: RwLockReadGuard<'a, Table>, left: usize },
    /// As much as there is memory.
    Exact(&'a Mutex<BTreeSet<Box<[u32]>>>),
}

fn key(fingerprint: u64) -> u64 {
    if fingerprint == EMPTY { 1 } else { fingerprint }
}

impl Room<'_> {
    /// Brings what will be asked soon into reach. Loads that nothing waits for overlap, and most of what a table of many
    /// states costs is waiting.
    pub(crate) fn prefetch(&self, fingerprints: impl Iterator<Item = u64>) {
        if let Room::Fingerprints { table, .. } = self {
            let load = |sum: u64, fingerprint| {
                sum ^ table.slot(table.home(key(fingerprint))).load(Ordering::Relaxed)
            };
            std::hint::black_box(fingerprints.fold(0, load));
        }
    }

    /// Adds the state with this fingerprint; whether it is new. `state` is read by the exact set alone.
    pub(crate) fn insert(&mut self, fingerprint: u64, state: &[u32]) -> bool {
        match self {
            Room::Fingerprints { table, left } => {
                let is_new = table.insert(key(fingerprint));
                // No more may be added than was asked for.
                *left -= usize::from(is_new);
                is_new
            }
            Room::Exact(states) => {
                let mut states = states.lock().unwrap_or_else(PoisonError::into_inner);
                !states.contains(state) && states.insert(state.into())
            }
        }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if let Room::Fingerprints { table, left } = self {
            table.used.fetch_sub(*left, Ordering::Relaxed);
        }
    }
}

impl Visited {
    pub(crate) fn new(is_exact: bool) -> Self {
        if is_exact {
            Visited::Exact(Mutex::default())
        } else {
            Visited::Fingerprints(RwLock::new(Table::new()))
        }
    }

    /// Whether whole states must be given.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(self, Visited::Exact(_))
    }

    /// Room for `count` more. A thread has one at a time.
    pub(crate) fn room(&self, count: usize) -> Room<'_> {
        let table = match self {
            Visited::Exact(states) => return Room::Exact(states),
            Visited::Fingerprints(table) => table,
        };
        loop {
            let reader = table.read().unwrap_or_else(PoisonError::into_inner);
            let used = reader.used.fetch_add(count, Ordering::Relaxed);
            if used + count <= reader.used_max() {
                return Room::Fingerprints { table: reader, left: count };
            }
            reader.used.fetch_sub(count, Ordering::Relaxed);
            drop(reader);
            let mut writer = table.write().unwrap_or_else(PoisonError::into_inner);
            if *writer.used.get_mut() + count > writer.used_max() {
                writer.grow(count);
            }
        }
    }

    /// Whether the state with this fingerprint is surely known. Where whole states are kept, none is.
    pub(crate) fn knows(&self, fingerprint: u64) -> bool {
        match self {
            Visited::Exact(_) => false,
            Visited::Fingerprints(table) => {
                table.read().unwrap_or_else(PoisonError::into_inner).has(key(fingerprint))
            }
        }
    }

    /// As [`Room::insert`], for one state.
    pub(crate) fn insert(&self, fingerprint: u64, state: &[u32]) -> bool {
        self.room(1).insert(fingerprint, state)
    }

    /// The bytes of the table.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Visited::Fingerprints(table) => {
                table.read().unwrap_or_else(PoisonError::into_inner).len as u64 * 8
            }
            Visited::Exact(states) => {
                let states = states.lock().unwrap_or_else(PoisonError::into_inner);
                states.iter().map(|state| size_of_val::<[u32]>(state) as u64 + 16).sum()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fingerprints that crowd at both ends of the range, so that runs go around the end while the table grows.
    fn crowded(number: u64) -> u64 {
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        match number % 3 {
            0 => u64::MAX - (spread >> 50),
            1 => spread >> 50,
            _ => spread,
        }
    }

    #[test]
    fn nothing_is_lost_while_the_table_grows() {
        let visited = Visited::new(false);
        let mut twin = BTreeSet::new();
        for number in 0..60_000 {
            let fingerprint = crowded(number);
            assert_eq!(visited.insert(fingerprint, &[]), twin.insert(key(fingerprint)), "{fingerprint:x}");
        }
        assert!(twin.iter().all(|fingerprint| visited.knows(*fingerprint)));
        assert!(visited.bytes() as usize * 3 / 4 >= twin.len() * 8, "never more than three quarters full");
    }
}
