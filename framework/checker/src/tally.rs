//! What a search did, in numbers.

use crate::Checkable;
use crate::observer::Observer;
use crate::report::Stats;
use crate::shared::Shared;
use crate::worker::Counts;
use crate::{checks::Checks, kind_of};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

impl<N: Checkable, O: Observer<N>> Shared<N, O> {
    /// How many handlers ran so far, for [`fill`](Shared::fill).
    pub(crate) fn handled_so_far(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    /// Fills in what threads counted and what the tables of values hold.
    pub(crate) fn fill(&self, stats: &mut Stats, counts: &Counts, handled_before: u64) {
        stats.steps = counts.steps;
        stats.no_ops = counts.no_ops;
        stats.commuted = counts.commuted;
        stats.handled = self.handled_so_far() - handled_before;
        stats.local_states = self.places.len() as u64;
        stats.messages = self.envelopes.len() as u64;
        let mut kinds = BTreeMap::new();
        add_kinds(&mut kinds, self.envelopes.all().map(|envelope| &envelope.message), &self.taken[0]);
        add_kinds(&mut kinds, self.timers.all().map(|timer| &timer.timer), &self.taken[1]);
        stats.kinds = kinds;
        stats.not_idempotent = self.checks.as_ref().map_or_else(Vec::new, Checks::not_idempotent);
    }
}

fn add_kinds<'a, T: Debug + 'a>(
    kinds: &mut BTreeMap<String, u64>,
    values: impl Iterator<Item = &'a T>,
    taken: &Mutex<Vec<u32>>,
) {
    let taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
    for (at, value) in values.enumerate() {
        *kinds.entry(kind_of(value)).or_default() += u64::from(taken.get(at).copied().unwrap_or(0));
    }
}
