//! Random walks: for spaces that do not end. Each walk has dice of its own, drawn from the seed and its number, and
//! chooses among what may come next by lots that do not depend on ids (see `draw.rs`). So the same seed walks the same ways on any
//! number of threads, and finds the same: of each property the first that the walk of the lowest number found.

use crate::Checkable;
use crate::crew::{Crew, Progress};
use crate::draw::Urn;
use crate::judge::{Docket, Found, Judge};
use crate::report::{Finding, Report, Spent, Stats, Verdict};
use crate::settings::{Settings, Until};
use crate::shared::Shared;
use crate::state::State;
use crate::stim::Stim;
use crate::tally::Counts;
use crate::visited::Visited;
use crate::worker::{NONE, Worker};
use std::collections::BTreeMap;
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
struct Outing<'a, N: Checkable> {
    settings: &'a Settings<N>,
    from: &'a State,
    walks: Walks,
    crew: &'a dyn Crew,
    visited: Visited,
    next: AtomicU64,
    unique: AtomicU64,
    generated: AtomicU64,
    deepest: AtomicU64,
    spent: Mutex<Option<Spent>>,
    /// For each property, the steps last: the lowest walk that found something, and what.
    found: Mutex<BTreeMap<String, (u64, Finding)>>,
    /// Walks from this one on are not needed: lower ones settled everything.
    enough: AtomicU64,
    counts: Mutex<Counts>,
}

/// One thread that walks.
struct Walker<'a, 'b, N: Checkable> {
    outing: &'a Outing<'b, N>,
    worker: Worker<'b, N>,
    judge: Judge,
}

pub(crate) fn search<N: Checkable>(
    shared: &Shared<N>,
    settings: &Settings<N>,
    (from, walks): (&State, Walks),
    crew: &dyn Crew,
) -> Report {
    let taken_before = shared.taken_so_far();
    let outing = Outing {
        settings,
        from,
        walks,
        crew,
        visited: Visited::new(settings.is_exact),
        next: AtomicU64::new(0),
        unique: AtomicU64::new(0),
        generated: AtomicU64::new(1),
        deepest: AtomicU64::new(0),
        spent: Mutex::new(None),
        found: Mutex::default(),
        enough: AtomicU64::new(u64::MAX),
        counts: Mutex::default(),
    };
    crew.run(&|_| {
        let worker = Worker::new(shared, settings);
        let judge = Judge::new(&worker);
        let mut walker = Walker { outing: &outing, worker, judge };
        loop {
            let number = outing.next.fetch_add(1, Ordering::Relaxed);
            if number >= walks.count || outing.is_over(number) {
                break;
            }
            walker.walk(number);
            outing.poll(walker.worker.is_full());
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
    shared.fill(&mut stats, &counts, taken_before);
    let found = outing.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let enough = outing.enough.into_inner();
    // What a walk found that the others made needless, other threads might not have found.
    let mut found: Vec<_> = found.into_values().filter(|(walk, _)| *walk <= enough).collect();
    found.sort_by_key(|(walk, finding)| (*walk, finding.state.steps()));
    let findings: Vec<Finding> = found.into_iter().map(|(_, finding)| finding).collect();
    let spent = outing.spent.into_inner().unwrap_or_else(PoisonError::into_inner);
    Report { verdict: Verdict::of(&findings, spent.or(Some(Spent::Walks))), findings, stats }
}

impl<N: Checkable> Outing<'_, N> {
    /// Whether walk `number` need not go on.
    fn is_over(&self, number: u64) -> bool {
        number > self.enough.load(Ordering::Relaxed)
            || self.spent.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Keeps what walk `number` found, if no lower one found it.
    fn keep(&self, number: u64, finding: Finding) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{:?}", finding.subject);
        if found.get(&key).is_none_or(|(walk, _)| number < *walk) {
            found.insert(key, (number, finding));
        }
        let properties = self.settings.invariants.len() + self.settings.goals.len();
        let walks = found.values().map(|(walk, _)| *walk);
        let enough = match self.settings.until {
            Until::First => walks.min(),
            Until::Settled if found.len() > properties && properties > 0 => walks.max(),
            Until::Settled => None,
        };
        self.enough.store(enough.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn poll(&self, is_out_of_numbers: bool) {
        let progress = Progress {
            unique: self.unique.load(Ordering::Relaxed),
            generated: self.generated.load(Ordering::Relaxed),
            depth: self.walks.steps,
            frontier: self.walks.count.saturating_sub(self.next.load(Ordering::Relaxed)),
        };
        let is_full = self.settings.states_max.is_some_and(|max| progress.unique >= max);
        let spent = match is_full {
            true => Some(Spent::States),
            false if is_out_of_numbers => Some(Spent::Numbers),
            false => self.crew.poll(&progress),
        };
        if let Some(spent) = spent {
            self.spent.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(spent);
        }
    }
}

/// One walk.
struct Walk {
    number: u64,
    /// What is still open in this walk.
    docket: Docket,
    path: Vec<Stim>,
}

impl<N: Checkable> Walker<'_, '_, N> {
    fn walk(&mut self, number: u64) {
        let outing = self.outing;
        let mut dice = Rng::new(outing.walks.seed).split("walks").split(&number.to_string());
        let mut state = outing.from.vector.to_vec();
        let mut fingerprint = self.worker.fingerprint(&state);
        let properties = outing.settings.invariants.len() + outing.settings.goals.len();
        let docket = Docket::new(properties, outing.settings.until);
        let mut walk = Walk { number, docket, path: Vec::new() };
        let mut urn = Urn::default();
        loop {
            self.look(&walk, &state, fingerprint);
            let is_long = walk.path.len() as u64 >= u64::from(outing.walks.steps);
            let is_over = walk.docket.is_over.load(Ordering::Relaxed) || outing.is_over(number);
            if is_long || is_over || self.judge.is_pruned(&mut self.worker, &state) {
                break;
            }
            let Some(next) = self.worker.draw(&state, fingerprint, dice.next_u64(), &mut urn) else { break };
            outing.generated.fetch_add(1, Ordering::Relaxed);
            let mut built = Vec::with_capacity(state.len() + 4);
            self.worker.build(&state, &next, &mut built);
            walk.path.push(next.stim);
            if next.objection != NONE {
                let words = std::sync::Arc::clone(&self.worker.objections[next.objection as usize]);
                let mut found = Vec::new();
                self.judge.object((&walk.docket, 0), &words, &mut found);
                self.note(&walk, found, &built);
                // Nothing is known of what a broken step leads to.
                break;
            }
            (state, fingerprint) = (built, next.fingerprint);
            if walk.path.len().is_multiple_of(POLL_STEPS) {
                outing.poll(self.worker.is_full());
            }
        }
        outing.deepest.fetch_max(walk.path.len() as u64, Ordering::Relaxed);
    }

    /// Judges a state. Others may have judged it: which walk was there first is chance.
    fn look(&mut self, walk: &Walk, state: &[u32], fingerprint: u64) {
        let identity = self.worker.identity(state, fingerprint);
        if self.outing.visited.insert(identity, &self.worker.whole_identity(state)) {
            self.outing.unique.fetch_add(1, Ordering::Relaxed);
        }
        let mut found = Vec::new();
        self.judge.judge(&mut self.worker, (&walk.docket, 0), state, &mut found);
        self.note(walk, found, state);
    }

    fn note(&self, walk: &Walk, found: Vec<Found>, state: &[u32]) {
        for Found { subject, words, .. } in found {
            let state = self.outing.from.extended(state.to_vec(), &walk.path);
            self.outing.keep(walk.number, Finding { subject, words, state });
        }
    }
}
