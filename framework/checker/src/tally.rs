//! What a search did, in numbers.

use crate::Checkable;
use crate::checks::Checks;
use crate::report::Stats;
use crate::shared::Shared;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use synod_stdx::kind_of;

/// How often what was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    /// Successors, whether new or not.
    pub(crate) generated: u64,
    /// Steps asked for.
    pub(crate) steps: u64,
    /// Stimuli that change nothing.
    pub(crate) no_ops: u64,
    /// Successors left out because another order leads there.
    pub(crate) commuted: u64,
}

impl Counts {
    /// Adds another worker's.
    pub(crate) fn add(&mut self, other: &Counts) {
        self.generated += other.generated;
        self.steps += other.steps;
        self.no_ops += other.no_ops;
        self.commuted += other.commuted;
    }
}

impl<N: Checkable> Shared<N> {
    /// How many steps were new so far and how many handlers ran, for [`fill`](Shared::fill).
    pub(crate) fn taken_so_far(&self) -> (u64, u64) {
        (self.fresh.load(Ordering::Relaxed), self.handled.load(Ordering::Relaxed))
    }

    /// Fills in what threads counted and what the tables of values hold.
    pub(crate) fn fill(&self, stats: &mut Stats, counts: &Counts, before: (u64, u64)) {
        stats.steps = counts.steps;
        stats.no_ops = counts.no_ops;
        stats.commuted = counts.commuted;
        let (fresh, handled) = self.taken_so_far();
        stats.fresh = fresh - before.0;
        stats.handled = handled - before.1;
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
