//! Breadth-first search, level by level, on as many threads as the crew has.
//!
//! Threads take blocks of a level's states and build the next level in buffers of their own; they meet in the table of
//! visited states alone. Which thread finds a state first differs from run to run; how many states there are, at which
//! depth, and how long the counterexamples are, does not.

use crate::Checkable;
use crate::commute::Arrival;
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
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many states a thread takes at once.
const BLOCK: usize = 64;

/// States of one level, in flat arrays.
#[derive(Default)]
struct Chunk {
    /// The number of the first state, of all.
    first: u32,
    data: Vec<u32>,
    ends: Vec<usize>,
    fingerprints: Vec<u64>,
    arrivals: Vec<Arrival>,
    /// What the arrivals sent that was not in flight.
    fresh: Vec<u32>,
    fresh_ends: Vec<usize>,
}

fn span(ends: &[usize], at: usize) -> std::ops::Range<usize> {
    let from = if at == 0 { 0 } else { ends[at - 1] };
    from..ends[at]
}

impl Chunk {
    fn len(&self) -> usize {
        self.fingerprints.len()
    }

    fn bytes(&self) -> u64 {
        let words = self.data.len() + self.fresh.len();
        let longs = self.ends.len() + self.fingerprints.len() + self.fresh_ends.len();
        (words * 4 + longs * 8 + self.arrivals.len() * size_of::<Arrival>()) as u64
    }
}

/// The way back: for each state, by number, the state from which it was first found, and the step.
#[derive(Default)]
struct Ancestry {
    /// Runs of states, with the number of the first.
    runs: Vec<(u32, Vec<(u32, Stim)>)>,
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
        self.runs.iter().map(|(_, run)| run.capacity() as u64 * 8).sum()
    }
}

/// What one thread has.
struct Seat<'a, N: Checkable, O: Observer<N>> {
    worker: Worker<'a, N, O>,
    judge: Judge,
    pruned_by: Option<u64>,
    next: Chunk,
    parents: Vec<(u32, Stim)>,
    successors: Vec<Successor>,
    /// Where something was found: the state before, the step, the state after.
    found: Vec<(Found, u32, Option<Stim>, Vec<u32>)>,
    unique: u64,
    built: Vec<u32>,
}

/// One search.
struct Breadth<'a, N: Checkable, O: Observer<N>> {
    shared: &'a Shared<N, O>,
    settings: &'a Settings<N, O>,
    crew: &'a dyn Crew,
    docket: Docket,
    visited: Visited,
    seats: Vec<Mutex<Seat<'a, N, O>>>,
    unique: AtomicU64,
    generated: AtomicU64,
    spent: Mutex<Option<Spent>>,
    handled_before: u64,
}

pub(crate) fn search<N: Checkable, O: Observer<N>>(
    shared: &Shared<N, O>,
    settings: &Settings<N, O>,
    from: &State,
    crew: &dyn Crew,
) -> Report {
    let properties = settings.invariants.len() + settings.goals.len();
    let seat = |_| {
        let worker = Worker::new(shared, settings);
        let judge = Judge::new(&worker);
        Mutex::new(Seat {
            pruned_by: judge.pruned_by(&worker),
            worker,
            judge,
            next: Chunk::default(),
            parents: Vec::new(),
            successors: Vec::new(),
            found: Vec::new(),
            unique: 0,
            built: Vec::new(),
        })
    };
    let breadth = Breadth {
        shared,
        settings,
        crew,
        docket: Docket::new(properties, settings.until),
        visited: Visited::new(settings.is_exact),
        seats: (0..crew.threads().max(1)).map(seat).collect(),
        unique: AtomicU64::new(0),
        generated: AtomicU64::new(1),
        spent: Mutex::new(None),
        handled_before: shared.handled_so_far(),
    };
    breadth.run(from)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<N: Checkable, O: Observer<N>> Breadth<'_, N, O> {
    fn run(&self, from: &State) -> Report {
        let mut ancestry = Ancestry::default();
        let mut stats = Stats::default();
        let mut findings = Vec::new();
        let mut level = self.begin(from);
        self.gather(&mut findings, from, &ancestry);
        stats.by_depth.push(1);
        let mut numbered = 1u32;
        let mut depth = 0;
        while level.iter().any(|chunk| chunk.len() > 0) && !self.is_over() {
            if self.settings.depth_max == Some(depth) {
                lock(&self.spent).get_or_insert(Spent::Depth);
                break;
            }
            self.expand(&level, depth);
            depth += 1;
            let held: u64 = level.iter().map(Chunk::bytes).sum();
            level.clear();
            let before: u64 = stats.by_depth.iter().sum();
            for seat in &self.seats {
                let mut seat = lock(seat);
                let mut chunk = std::mem::take(&mut seat.next);
                let mut parents = std::mem::take(&mut seat.parents);
                parents.shrink_to_fit();
                chunk.first = numbered;
                numbered += parents.len() as u32;
                ancestry.runs.push((chunk.first, parents));
                level.push(chunk);
            }
            stats.frontier_bytes =
                stats.frontier_bytes.max(held + level.iter().map(Chunk::bytes).sum::<u64>());
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
            counts.add(&lock(seat).worker.counts);
        }
        self.shared.fill(&mut stats, &counts, self.handled_before);
        let spent = *lock(&self.spent);
        Report { verdict: Verdict::of(&findings, spent), findings, stats }
    }

    /// The first level: one state, judged.
    fn begin(&self, from: &State) -> Vec<Chunk> {
        let seat = &mut *lock(&self.seats[0]);
        let state = from.vector.to_vec();
        let fingerprint = seat.worker.fingerprint(&state);
        let identity = seat.worker.identity(&state, fingerprint);
        self.visited.insert(identity, &seat.worker.whole_identity(&state));
        self.unique.fetch_add(1, Ordering::Relaxed);
        let mut found = Vec::new();
        seat.judge.judge(&mut seat.worker, &self.docket, &state, &mut found);
        seat.found.extend(found.into_iter().map(|found| (found, 0, None, state.clone())));
        if seat.judge.is_pruned(&mut seat.worker, &state) {
            return Vec::new();
        }
        vec![Chunk {
            first: 0,
            ends: vec![state.len()],
            data: state,
            fingerprints: vec![fingerprint],
            arrivals: vec![Arrival::START],
            fresh: Vec::new(),
            fresh_ends: vec![0],
        }]
    }

    fn is_over(&self) -> bool {
        self.docket.is_over.load(Ordering::Relaxed) || lock(&self.spent).is_some()
    }

    /// Takes one step from every state of a level.
    fn expand(&self, level: &[Chunk], depth: u32) {
        let blocks: Vec<(&Chunk, usize)> = level
            .iter()
            .flat_map(|chunk| (0..chunk.len()).step_by(BLOCK).map(move |from| (chunk, from)))
            .collect();
        let taken = AtomicUsize::new(0);
        self.crew.run(&|thread| {
            let mut seat = lock(&self.seats[thread]);
            let seat = &mut *seat;
            while !self.is_over() {
                let Some((chunk, from)) = blocks.get(taken.fetch_add(1, Ordering::Relaxed)) else { break };
                let generated = seat.worker.counts.generated;
                for at in *from..chunk.len().min(from + BLOCK) {
                    self.leave(seat, chunk, at);
                }
                let new = std::mem::take(&mut seat.unique);
                let unique = self.unique.fetch_add(new, Ordering::Relaxed) + new;
                let more = seat.worker.counts.generated - generated;
                let generated = self.generated.fetch_add(more, Ordering::Relaxed) + more;
                let frontier = (blocks.len() * BLOCK) as u64;
                self.poll(&Progress { unique, generated, depth, frontier });
            }
        });
    }

    fn poll(&self, progress: &Progress) {
        let spent = if self.settings.states_max.is_some_and(|max| progress.unique >= max) {
            Some(Spent::States)
        } else {
            self.crew.poll(progress)
        };
        if let Some(spent) = spent {
            lock(&self.spent).get_or_insert(spent);
        }
    }

    /// Everything that follows one state.
    fn leave(&self, seat: &mut Seat<'_, N, O>, chunk: &Chunk, at: usize) {
        let state = &chunk.data[span(&chunk.ends, at)];
        let fresh = &chunk.fresh[span(&chunk.fresh_ends, at)];
        let arrival = chunk.arrivals[at];
        let number = chunk.first + at as u32;
        let commuting = self.settings.reductions.commuting && self.settings.reductions.symmetry.is_none();
        let mut successors = std::mem::take(&mut seat.successors);
        seat.worker.successors(state, chunk.fingerprints[at], &mut successors);
        for next in &successors {
            if next.objection != NONE {
                self.object(seat, state, number, next);
            }
            if let Some(pruned_by) = seat.pruned_by.filter(|_| commuting)
                && seat.worker.is_covered(next, &arrival, fresh, pruned_by)
            {
                seat.worker.counts.commuted += 1;
                seat.worker.counts.generated -= 1;
                continue;
            }
            self.arrive(seat, state, number, next);
        }
        seat.successors = successors;
    }

    fn object(&self, seat: &mut Seat<'_, N, O>, state: &[u32], number: u32, next: &Successor) {
        let mut found = Vec::new();
        let words = std::sync::Arc::clone(&seat.worker.objections[next.objection as usize]);
        seat.judge.object(&self.docket, &words, &mut found);
        for one in found {
            let mut after = Vec::new();
            seat.worker.build(state, next, &mut after);
            seat.found.push((one, number, Some(next.stim), after));
        }
    }

    /// One successor: counted and judged if it is new, and kept for the next level.
    fn arrive(&self, seat: &mut Seat<'_, N, O>, state: &[u32], number: u32, next: &Successor) {
        let mut built = std::mem::take(&mut seat.built);
        built.clear();
        let is_whole = self.visited.is_exact() || seat.worker.needs_whole();
        let mut identity = next.fingerprint;
        if is_whole {
            seat.worker.build(state, next, &mut built);
            identity = seat.worker.identity(&built, next.fingerprint);
        }
        if self.visited.insert(identity, &seat.worker.whole_identity(&built)) {
            if !is_whole {
                seat.worker.build(state, next, &mut built);
            }
            self.keep(seat, state, (number, next), &built);
        }
        seat.built = built;
    }

    /// A new state.
    fn keep(
        &self,
        seat: &mut Seat<'_, N, O>,
        state: &[u32],
        (number, next): (u32, &Successor),
        built: &[u32],
    ) {
        seat.unique += 1;
        let mut found = Vec::new();
        seat.judge.judge(&mut seat.worker, &self.docket, built, &mut found);
        seat.found.extend(found.into_iter().map(|one| (one, number, Some(next.stim), built.to_vec())));
        // A state that is not left needs no number: nothing leads back to it.
        if seat.judge.is_pruned(&mut seat.worker, built) {
            return;
        }
        seat.parents.push((number, next.stim));
        let chunk = &mut seat.next;
        chunk.data.extend_from_slice(built);
        chunk.ends.push(chunk.data.len());
        chunk.fingerprints.push(next.fingerprint);
        let arrival = seat.worker.arrival(state, next, &mut chunk.fresh);
        chunk.arrivals.push(arrival);
        chunk.fresh_ends.push(chunk.fresh.len());
    }

    /// Turns what the threads found into findings, with their paths.
    fn gather(&self, findings: &mut Vec<Finding>, from: &State, ancestry: &Ancestry) {
        for seat in &self.seats {
            for (found, number, stim, after) in lock(seat).found.drain(..) {
                let mut path = ancestry.path(number);
                path.extend(stim);
                let state = from.extended(after, &path);
                findings.push(Finding { subject: found.subject, words: found.words, state });
            }
        }
    }
}
