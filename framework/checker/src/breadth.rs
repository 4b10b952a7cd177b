//! Breadth-first search, level by level, on as many threads as the crew has.
//!
//! Threads take pages of a level's states and build the next level in pages of their own; they meet in the table of
//! visited states alone. A thread first lists what follows a batch of states, then asks the table about all of it: so
//! it waits for memory once a batch, and not once a successor.
//!
//! Which thread finds a state first differs from run to run; how many states there are, at which depth, and how long the
//! counterexamples are, does not. A level in which something is found is searched to its end, and of what was found the
//! least counts, in an order by content: so a search ends with the same state on any number of threads, and so do those
//! that begin there.

use crate::Checkable;
use crate::commute::Arrival;
use crate::crew::{Crew, Progress};
use crate::judge::{Docket, Found, Judge};
use crate::page::{Page, Waiting};
use crate::report::{Finding, Report, Spent, Stats, Verdict};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::state::State;
use crate::stim::Stim;
use crate::tally::Counts;
use crate::visited::Visited;
use crate::worker::{NONE, Successor, Worker};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many states a thread lists the successors of at once.
const BATCH: usize = 64;

/// States in the order of their numbers: the state from which each was found, and the step.
type Run = Box<[(u32, Stim)]>;

/// The way back: for each state, by number, the state from which it was first found, and the step.
#[derive(Default)]
struct Ancestry {
    /// Runs of states, with the number of the first.
    runs: Vec<(u32, Run)>,
}

impl Ancestry {
    fn path(&self, mut number: u32) -> Vec<Stim> {
        let mut path = Vec::new();
        while number != 0 {
            let run = self.runs.partition_point(|(first, _)| *first <= number) - 1;
            let (first, run) = &self.runs[run];
            let (parent, stim) = run[(number - first) as usize];
            path.push(stim);
            number = parent;
        }
        path.reverse();
        path
    }

    fn bytes(&self) -> u64 {
        self.runs.iter().map(|(_, run)| run.len() as u64 * 8).sum()
    }
}

/// A state of a batch: its number, and where its words and its successors end.
struct Origin {
    number: u32,
    words: usize,
    successors: usize,
}

/// Where something was found in a level, and what.
struct Spot {
    found: Found,
    rank: u64,
    /// The number of the state before, and the step.
    number: u32,
    stim: Option<Stim>,
    after: Vec<u32>,
}

/// What one thread has.
struct Seat<'a, N: Checkable> {
    worker: Worker<'a, N>,
    judge: Judge,
    pruned_by: Option<u64>,
    /// The states of the next level.
    next: Vec<Page>,
    /// Where those were found, in the same order.
    parents: Vec<(u32, Stim)>,
    /// Pages to be filled again.
    free: Vec<Page>,
    /// The bytes of all its pages.
    page_bytes: u64,
    origins: Vec<Origin>,
    successors: Vec<Successor>,
    /// The batch's states, one after the other.
    states: Vec<u32>,
    built: Vec<u32>,
    fresh: Vec<u32>,
    found: Vec<Spot>,
    unique: u64,
}

/// One search.
struct Breadth<'a, N: Checkable> {
    shared: &'a Shared<N>,
    settings: &'a Settings<N>,
    crew: &'a dyn Crew,
    docket: Docket,
    visited: Visited,
    seats: Vec<Mutex<Seat<'a, N>>>,
    unique: AtomicU64,
    generated: AtomicU64,
    spent: Mutex<Option<Spent>>,
    is_spent: AtomicBool,
    taken_before: (u64, u64),
}

pub(crate) fn search<N: Checkable>(
    shared: &Shared<N>,
    settings: &Settings<N>,
    from: &State,
    crew: &dyn Crew,
) -> Report {
    let properties = settings.invariants.len() + settings.goals.len();
    let is_commuting = settings.reductions.commuting && settings.reductions.symmetry.is_none();
    let seat = |_| {
        let worker = Worker::new(shared, settings);
        let judge = Judge::new(&worker);
        Mutex::new(Seat {
            pruned_by: judge.pruned_by(&worker).filter(|_| is_commuting),
            worker,
            judge,
            next: Vec::new(),
            parents: Vec::new(),
            free: Vec::new(),
            page_bytes: 0,
            origins: Vec::new(),
            successors: Vec::new(),
            states: Vec::new(),
            built: Vec::new(),
            fresh: Vec::new(),
            found: Vec::new(),
            unique: 0,
        })
    };
    let breadth = Breadth {
        shared,
        settings,
        crew,
        docket: Docket::by_level(properties, settings.until),
        visited: Visited::new(settings.is_exact),
        seats: (0..crew.threads().max(1)).map(seat).collect(),
        unique: AtomicU64::new(0),
        generated: AtomicU64::new(1),
        spent: Mutex::new(None),
        is_spent: AtomicBool::new(false),
        taken_before: shared.taken_so_far(),
    };
    breadth.run(from)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<N: Checkable> Breadth<'_, N> {
    fn run(&self, from: &State) -> Report {
        let mut ancestry = Ancestry::default();
        let mut stats = Stats::default();
        let mut findings = Vec::new();
        let mut level = self.begin(from);
        self.gather(&mut findings, from, &ancestry);
        stats.by_depth.push(1);
        let mut numbered = 1u32;
        let mut depth = 0;
        while !level.is_empty() && !self.is_over() {
            if self.settings.depth_max == Some(depth) {
                self.end(Spent::Depth);
                break;
            }
            self.expand(level, depth);
            depth += 1;
            let before: u64 = stats.by_depth.iter().sum();
            level = self.turn(&mut numbered, &mut ancestry);
            let unique = self.unique.load(Ordering::Relaxed);
            if unique > before {
                stats.by_depth.push(unique - before);
            }
            self.gather(&mut findings, from, &ancestry);
        }
        stats.unique = self.unique.load(Ordering::Relaxed);
        stats.generated = self.generated.load(Ordering::Relaxed);
        stats.depth = stats.by_depth.len() as u32 - 1;
        stats.table_bytes = self.visited.bytes() + ancestry.bytes();
        let mut counts = Counts::default();
        for seat in &self.seats {
            let seat = lock(seat);
            counts.add(&seat.worker.counts);
            stats.frontier_bytes += seat.page_bytes;
        }
        self.shared.fill(&mut stats, &counts, self.taken_before);
        let spent = *lock(&self.spent);
        Report { verdict: Verdict::of(&findings, spent), findings, stats }
    }

    /// The first level: one state, judged.
    fn begin(&self, from: &State) -> Vec<Page> {
        let seat = &mut *lock(&self.seats[0]);
        let state = from.vector.to_vec();
        let fingerprint = seat.worker.fingerprint(&state);
        let identity = seat.worker.identity(&state, fingerprint);
        self.visited.insert(identity, &seat.worker.whole_identity(&state));
        self.unique.fetch_add(1, Ordering::Relaxed);
        let mut found = Vec::new();
        seat.judge.judge(&mut seat.worker, (&self.docket, fingerprint), &state, &mut found);
        let spot = |found| Spot { found, rank: fingerprint, number: 0, stim: None, after: state.clone() };
        seat.found.extend(found.into_iter().map(spot));
        if seat.judge.is_pruned(&mut seat.worker, &state) {
            return Vec::new();
        }
        let mut page = Page::with_room();
        let waiting = Waiting { fingerprint, arrival: Arrival::START };
        page.push(waiting, (&state, seat.worker.places + 2), &[]);
        vec![page]
    }

    fn is_over(&self) -> bool {
        self.docket.is_over.load(Ordering::Relaxed) || self.is_spent.load(Ordering::Relaxed)
    }

    fn end(&self, spent: Spent) {
        lock(&self.spent).get_or_insert(spent);
        self.is_spent.store(true, Ordering::Relaxed);
    }

    /// The next level, with its states numbered.
    fn turn(&self, numbered: &mut u32, ancestry: &mut Ancestry) -> Vec<Page> {
        let mut level = Vec::new();
        for seat in &self.seats {
            let seat = &mut *lock(seat);
            ancestry.runs.push((*numbered, seat.parents.as_slice().into()));
            seat.parents.clear();
            for mut page in seat.next.drain(..) {
                page.first = *numbered;
                match numbered.checked_add(page.count) {
                    Some(end) if end <= self.shared.numbers.states => *numbered = end,
                    Some(_) | None => {
                        self.end(Spent::Numbers);
                        return Vec::new();
                    }
                }
                level.push(page);
            }
        }
        level
    }

    /// Takes one step from every state of a level.
    fn expand(&self, level: Vec<Page>, depth: u32) {
        let waiting = level.iter().map(|page| u64::from(page.count)).sum();
        let pages: Vec<Mutex<Page>> = level.into_iter().map(Mutex::new).collect();
        let taken = AtomicUsize::new(0);
        self.crew.run(&|thread| {
            let seat = &mut *lock(&self.seats[thread]);
            while !self.is_over() {
                let Some(page) = pages.get(taken.fetch_add(1, Ordering::Relaxed)) else { break };
                let mut page = std::mem::take(&mut *lock(page));
                self.leave(seat, &page, (depth, waiting));
                page.clear();
                seat.free.push(page);
            }
        });
    }

    /// Takes one step from every state of a page.
    fn leave(&self, seat: &mut Seat<'_, N>, page: &Page, (depth, frontier): (u32, u64)) {
        let (mut at, mut number) = (0, page.first);
        while at < page.end() && !self.is_over() {
            let generated = seat.worker.counts.generated;
            seat.successors.clear();
            seat.states.clear();
            seat.origins.clear();
            while at < page.end() && seat.origins.len() < BATCH {
                at = self.list(seat, page, (at, number));
                number += 1;
            }
            self.arrive(seat);
            let new = std::mem::take(&mut seat.unique);
            let unique = self.unique.fetch_add(new, Ordering::Relaxed) + new;
            let more = seat.worker.counts.generated - generated;
            let generated = self.generated.fetch_add(more, Ordering::Relaxed) + more;
            if seat.worker.is_full() {
                self.end(Spent::Numbers);
            }
            self.poll(&Progress { unique, generated, depth, frontier });
        }
    }

    fn poll(&self, progress: &Progress) {
        let spent = if self.settings.states_max.is_some_and(|max| progress.unique >= max) {
            Some(Spent::States)
        } else {
            self.crew.poll(progress)
        };
        if let Some(spent) = spent {
            self.end(spent);
        }
    }

    /// Lists what follows one state. Returns where the next one begins.
    fn list(&self, seat: &mut Seat<'_, N>, page: &Page, (at, number): (usize, u32)) -> usize {
        let Seat { worker, successors, states, .. } = seat;
        let (from, first) = (states.len(), successors.len());
        let (waiting, next_at) = page.read(at, worker.places + 2, states, &mut worker.fresh);
        let reach = seat.pruned_by.map_or((Arrival::START, 0), |pruned_by| (waiting.arrival, pruned_by));
        worker.add_uncovered(&states[from..], waiting.fingerprint, reach, successors);
        let mut kept = first;
        for index in first..seat.successors.len() {
            let next = seat.successors[index];
            if next.objection == NONE {
                seat.successors[kept] = next;
                kept += 1;
            } else {
                // Nothing is known of what a broken step leads to: it is not followed.
                self.object(seat, (from, number), &next);
            }
        }
        seat.successors.truncate(kept);
        seat.origins.push(Origin { number, words: seat.states.len(), successors: seat.successors.len() });
        next_at
    }

    fn object(&self, seat: &mut Seat<'_, N>, (from, number): (usize, u32), next: &Successor) {
        let mut found = Vec::new();
        let words = std::sync::Arc::clone(&seat.worker.objections[next.objection as usize]);
        let rank = next.fingerprint;
        seat.judge.object((&self.docket, rank), &words, &mut found);
        for found in found {
            let mut after = Vec::new();
            seat.worker.build(&seat.states[from..], next, &mut after);
            seat.found.push(Spot { found, rank, number, stim: Some(next.stim), after });
        }
    }

    /// Everything that follows a batch of states: what is new is counted, judged, and kept for the next level.
    fn arrive(&self, seat: &mut Seat<'_, N>) {
        let is_whole = self.visited.is_exact() || seat.worker.needs_whole();
        let mut room = self.visited.room(seat.successors.len());
        if !is_whole {
            room.prefetch(seat.successors.iter().map(|next| next.fingerprint));
        }
        let origins = std::mem::take(&mut seat.origins);
        let (mut from, mut first) = (0, 0);
        for origin in &origins {
            for index in first..origin.successors {
                let next = seat.successors[index];
                if !is_whole && !room.insert(next.fingerprint, &[]) {
                    continue;
                }
                seat.built.clear();
                seat.worker.build(&seat.states[from..origin.words], &next, &mut seat.built);
                if is_whole {
                    let identity = seat.worker.identity(&seat.built, next.fingerprint);
                    if !room.insert(identity, &seat.worker.whole_identity(&seat.built)) {
                        continue;
                    }
                }
                self.keep(seat, (from..origin.words, origin.number), &next);
            }
            (from, first) = (origin.words, origin.successors);
        }
        seat.origins = origins;
    }

    /// A new state: what was just built.
    fn keep(&self, seat: &mut Seat<'_, N>, (span, number): (Range<usize>, u32), next: &Successor) {
        seat.unique += 1;
        let Seat { worker, judge, states, built, fresh, .. } = seat;
        let mut found = Vec::new();
        let rank = next.fingerprint;
        judge.judge(worker, (&self.docket, rank), built, &mut found);
        let spot = |found| Spot { found, rank, number, stim: Some(next.stim), after: built.clone() };
        seat.found.extend(found.into_iter().map(spot));
        // A state that is not left needs no number: nothing leads back to it.
        if judge.is_pruned(worker, built) {
            return;
        }
        seat.parents.push((number, next.stim));
        fresh.clear();
        if seat.pruned_by.is_some() {
            worker.add_fresh(&states[span], next, fresh);
        }
        if seat.next.last().is_none_or(|page| !page.has_room(built.len())) {
            let page = seat.free.pop().unwrap_or_else(|| {
                let page = Page::with_room();
                seat.page_bytes += page.bytes();
                page
            });
            seat.next.push(page);
        }
        let page = seat.next.last_mut().expect("it was just added");
        let waiting = Waiting { fingerprint: next.fingerprint, arrival: worker.arrival(next) };
        page.push(waiting, (built, worker.places + 2), fresh);
    }

    /// Turns what the threads found in a level into findings, one of each property, with their paths.
    fn gather(&self, findings: &mut Vec<Finding>, from: &State, ancestry: &Ancestry) {
        let mut spots: Vec<Spot> = Vec::new();
        for seat in &self.seats {
            spots.append(&mut lock(seat).found);
        }
        spots.sort_by(|a, b| {
            let key = |spot: &Spot| (spot.found.property, spot.rank);
            key(a).cmp(&key(b)).then_with(|| a.found.words.cmp(&b.found.words))
        });
        spots.dedup_by_key(|spot| spot.found.property);
        for Spot { found, number, stim, after, .. } in spots {
            let mut path = ancestry.path(number);
            path.extend(stim);
            let state = from.extended(after, &path);
            findings.push(Finding { subject: found.subject, words: found.words, state });
        }
        self.docket.turn();
    }
}
