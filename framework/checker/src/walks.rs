//! Random walks: for spaces that do not end. Each walk has dice of its own, drawn from the seed and its number, so the
//! same seed walks the same ways on any number of threads.

use crate::Checkable;
use crate::crew::{Crew, Progress};
use crate::judge::{Docket, Found, Judge};
use crate::observer::Observer;
use crate::report::{Finding, Report, Spent, Stats, Verdict};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::state::State;
use crate::stim::Stim;
use crate::visited::Visited;
use crate::worker::{Counts, NONE, Successor, Worker};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use synod_stdx::Rng;

/// The watcher is asked after each walk, and once in so many steps of a long one.
const POLL_STEPS: usize = 1024;

/// How random walks go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Walks {
    /// What all dice are drawn from.
    pub seed: u64,
    /// How many walks.
    pub count: u64,
    /// How many steps each takes at most.
    pub steps: u32,
}

/// What all walks share.
struct Outing<'a, N: Checkable, O: Observer<N>> {
    settings: &'a Settings<N, O>,
    from: &'a State,
    walks: Walks,
    crew: &'a dyn Crew,
    docket: Docket,
    visited: Visited,
    next: AtomicU64,
    unique: AtomicU64,
    generated: AtomicU64,
    deepest: AtomicU64,
    spent: Mutex<Option<Spent>>,
    found: Mutex<Vec<(u64, Finding)>>,
    counts: Mutex<Counts>,
}

/// One thread that walks.
struct Walker<'a, 'b, N: Checkable, O: Observer<N>> {
    outing: &'a Outing<'b, N, O>,
    worker: Worker<'b, N, O>,
    judge: Judge,
}

pub(crate) fn search<N: Checkable, O: Observer<N>>(
    shared: &Shared<N, O>,
    settings: &Settings<N, O>,
    (from, walks): (&State, Walks),
    crew: &dyn Crew,
) -> Report {
    let handled_before = shared.handled_so_far();
    let outing = Outing {
        settings,
        from,
        walks,
        crew,
        docket: Docket::new(settings.invariants.len() + settings.goals.len(), settings.until),
        visited: Visited::new(settings.is_exact),
        next: AtomicU64::new(0),
        unique: AtomicU64::new(0),
        generated: AtomicU64::new(1),
        deepest: AtomicU64::new(0),
        spent: Mutex::new(None),
        found: Mutex::default(),
        counts: Mutex::default(),
    };
    crew.run(&|_| {
        let worker = Worker::new(shared, settings);
        let judge = Judge::new(&worker);
        let mut walker = Walker { outing: &outing, worker, judge };
        while !outing.is_over() {
            let number = outing.next.fetch_add(1, Ordering::Relaxed);
            if number >= walks.count {
                break;
            }
            walker.walk(number);
            outing.poll();
        }
        outing.counts.lock().unwrap_or_else(PoisonError::into_inner).add(&walker.worker.counts);
    });
    let mut stats = Stats {
        unique: outing.unique.load(Ordering::Relaxed),
        generated: outing.generated.load(Ordering::Relaxed),
        depth: outing.deepest.load(Ordering::Relaxed) as u32,
        table_bytes: outing.visited.bytes(),
        ..Stats::default()
    };
    let counts = *outing.counts.lock().unwrap_or_else(PoisonError::into_inner);
    shared.fill(&mut stats, &counts, handled_before);
    let mut found = outing.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(walk, _)| *walk);
    let findings: Vec<Finding> = found.into_iter().map(|(_, finding)| finding).collect();
    let spent = outing.spent.into_inner().unwrap_or_else(PoisonError::into_inner);
    Report { verdict: Verdict::of(&findings, spent.or(Some(Spent::Walks))), findings, stats }
}

impl<N: Checkable, O: Observer<N>> Outing<'_, N, O> {
    fn is_over(&self) -> bool {
        self.docket.is_over.load(Ordering::Relaxed)
            || self.spent.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn poll(&self) {
        let progress = Progress {
            unique: self.unique.load(Ordering::Relaxed),
            generated: self.generated.load(Ordering::Relaxed),
            depth: self.walks.steps,
            frontier: self.walks.count.saturating_sub(self.next.load(Ordering::Relaxed)),
        };
        let is_full = self.settings.states_max.is_some_and(|max| progress.unique >= max);
        if let Some(spent) = if is_full { Some(Spent::States) } else { self.crew.poll(&progress) } {
            self.spent.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(spent);
        }
    }
}

impl<N: Checkable, O: Observer<N>> Walker<'_, '_, N, O> {
    fn walk(&mut self, number: u64) {
        let mut dice = Rng::new(self.outing.walks.seed).split("walks").split(&number.to_string());
        let mut state = self.outing.from.vector.to_vec();
        let mut fingerprint = self.worker.fingerprint(&state);
        let mut path: Vec<Stim> = Vec::new();
        let mut successors: Vec<Successor> = Vec::new();
        loop {
            self.look(number, &state, fingerprint, &path);
            let is_long = path.len() as u64 >= u64::from(self.outing.walks.steps);
            if is_long || self.outing.is_over() || self.judge.is_pruned(&mut self.worker, &state) {
                break;
            }
            self.worker.successors(&state, fingerprint, &mut successors);
            if successors.is_empty() {
                break;
            }
            let next = successors[dice.below(successors.len() as u64) as usize];
            self.outing.generated.fetch_add(1, Ordering::Relaxed);
            let mut built = Vec::with_capacity(state.len() + 4);
            self.worker.build(&state, &next, &mut built);
            path.push(next.stim);
            if next.objection != NONE {
                let words = std::sync::Arc::clone(&self.worker.objections[next.objection as usize]);
                let mut found = Vec::new();
                self.judge.object(&self.outing.docket, &words, &mut found);
                self.note(number, found, &built, &path);
            }
            (state, fingerprint) = (built, next.fingerprint);
            if path.len().is_multiple_of(POLL_STEPS) {
                self.outing.poll();
            }
        }
        self.outing.deepest.fetch_max(path.len() as u64, Ordering::Relaxed);
    }

    /// Judges a state that no walk has seen.
    fn look(&mut self, number: u64, state: &[u32], fingerprint: u64, path: &[Stim]) {
        let identity = self.worker.identity(state, fingerprint);
        if self.outing.visited.insert(identity, &self.worker.whole_identity(state)) {
            self.outing.unique.fetch_add(1, Ordering::Relaxed);
            let mut found = Vec::new();
            self.judge.judge(&mut self.worker, &self.outing.docket, state, &mut found);
            self.note(number, found, state, path);
        }
    }

    fn note(&self, number: u64, found: Vec<Found>, state: &[u32], path: &[Stim]) {
        for Found { subject, words } in found {
            let state = self.outing.from.extended(state.to_vec(), path);
            let mut all = self.outing.found.lock().unwrap_or_else(PoisonError::into_inner);
            all.push((number, Finding { subject, words, state }));
        }
    }
}
