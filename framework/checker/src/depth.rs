//! Depth-first search: the memory of one path and of the table of visited states, and nothing else.
//!
//! With a depth limit a state is left again when it is reached by a shorter way than before: else a long way that came
//! first would hide what lies within the limit by a short one.

use crate::Checkable;
use crate::crew::{Crew, Progress};
use crate::judge::{Docket, Found, Judge};
use crate::report::{Finding, Report, Spent, Stats, Verdict};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::state::State;
use crate::stim::Stim;
use crate::visited::Visited;
use crate::worker::{NONE, Successor, Worker};
use synod_stdx::{LookupMap, LookupSet};

/// The watcher is asked once in so many transitions: with a depth limit, known states are left again, and a search
/// may go on for long without a new one.
const POLL_TRANSITIONS: u64 = 1024;

/// One state on the path: where it lies among the path's states, and where what is still to be tried begins.
struct Frame {
    state: usize,
    rest: usize,
}

/// States that were seen, and how deep each was when it was left last.
enum Seen {
    Table(Visited),
    Depths(Depths),
}

/// How deep states lie, for searches with a depth limit.
struct Depths {
    depths: LookupMap<u64, u32>,
    /// Those that were reached at the limit, and by no shorter way.
    cut: LookupSet<u64>,
    limit: u32,
    /// Whole states by number, where they are compared instead of fingerprints.
    whole: Option<LookupMap<Box<[u32]>, u64>>,
}

impl Depths {
    fn new(limit: u32, is_exact: bool) -> Self {
        let whole = is_exact.then(LookupMap::default);
        Depths { depths: LookupMap::default(), cut: LookupSet::default(), limit, whole }
    }

    /// What a state is known by.
    fn key(&mut self, fingerprint: u64, state: &[u32]) -> u64 {
        let Some(whole) = &mut self.whole else { return fingerprint };
        let next = whole.len() as u64;
        *whole.entry(state.into()).or_insert(next)
    }

    /// A state was reached: whether it is new, and whether by a shorter way than before.
    fn reach(&mut self, key: u64, depth: u32) -> (bool, bool) {
        match self.depths.get_mut(&key) {
            None => {
                self.depths.insert(key, depth);
                (true, false)
            }
            Some(before) if depth < *before => {
                *before = depth;
                (false, true)
            }
            Some(_) => (false, false),
        }
    }

    /// Whether a state lies at the limit, and is not to be left.
    fn is_cut(&mut self, key: u64, depth: u32) -> bool {
        if depth >= self.limit {
            self.cut.insert(key);
            return true;
        }
        self.cut.remove(&key);
        false
    }
}

struct Depth<'a, N: Checkable> {
    settings: &'a Settings<N>,
    worker: Worker<'a, N>,
    judge: Judge,
    docket: Docket,
    seen: Seen,
    stats: Stats,
    findings: Vec<Finding>,
    from: &'a State,
    path: Vec<Stim>,
    states: Vec<u32>,
    frames: Vec<Frame>,
    /// What is still to be tried, of all frames.
    rest: Vec<Successor>,
    listed: Vec<Successor>,
    /// Scratch: the state that is left, and the one that is reached.
    before: Vec<u32>,
    built: Vec<u32>,
    spent: Option<Spent>,
}

pub(crate) fn search<N: Checkable>(
    shared: &Shared<N>,
    settings: &Settings<N>,
    from: &State,
    crew: &dyn Crew,
) -> Report {
    let worker = Worker::new(shared, settings);
    let taken_before = shared.taken_so_far();
    let seen = match settings.depth_max {
        None => Seen::Table(Visited::new(settings.is_exact)),
        Some(limit) => Seen::Depths(Depths::new(limit, settings.is_exact)),
    };
    let mut depth = Depth {
        settings,
        judge: Judge::new(&worker),
        worker,
        docket: Docket::new(settings.invariants.len() + settings.goals.len(), settings.until),
        seen,
        stats: Stats { generated: 1, ..Stats::default() },
        findings: Vec::new(),
        from,
        path: Vec::new(),
        states: Vec::new(),
        frames: Vec::new(),
        rest: Vec::new(),
        listed: Vec::new(),
        before: Vec::new(),
        built: Vec::new(),
        spent: None,
    };
    depth.run(crew);
    let Depth { mut stats, findings, spent, seen, worker, .. } = depth;
    stats.generated += worker.counts.generated;
    stats.table_bytes = match &seen {
        Seen::Table(visited) => visited.bytes(),
        Seen::Depths(Depths { depths, .. }) => depths.capacity() as u64 * 13,
    };
    shared.fill(&mut stats, &worker.counts, taken_before);
    let was_cut = matches!(&seen, Seen::Depths(depths) if !depths.cut.is_empty());
    let spent = spent.or(was_cut.then_some(Spent::Depth));
    Report { verdict: Verdict::of(&findings, spent), findings, stats }
}

impl<N: Checkable> Depth<'_, N> {
    fn run(&mut self, crew: &dyn Crew) {
        let first = self.from.vector.to_vec();
        let fingerprint = self.worker.fingerprint(&first);
        self.enter(&first, fingerprint);
        let mut followed = 0u64;
        while let Some(frame) = self.frames.last() {
            if self.docket.is_over.load(std::sync::atomic::Ordering::Relaxed) || self.spent.is_some() {
                break;
            }
            if self.rest.len() == frame.rest {
                self.states.truncate(frame.state);
                self.frames.pop();
                self.path.pop();
                continue;
            }
            self.follow();
            followed += 1;
            if followed.is_multiple_of(POLL_TRANSITIONS) {
                self.poll(crew);
            }
        }
    }

    fn poll(&mut self, crew: &dyn Crew) {
        let progress = Progress {
            unique: self.stats.unique,
            generated: self.worker.counts.generated,
            depth: self.frames.len() as u32,
            frontier: self.frames.len() as u64,
        };
        self.spent = crew.poll(&progress);
        if self.settings.states_max.is_some_and(|max| progress.unique >= max) {
            self.spent = Some(Spent::States);
        }
        if self.worker.is_full() {
            self.spent = Some(Spent::Numbers);
        }
    }

    /// Tries the next thing.
    fn follow(&mut self) {
        let (Some(frame), Some(next)) = (self.frames.last(), self.rest.pop()) else { return };
        let (mut before, mut built) = (std::mem::take(&mut self.before), std::mem::take(&mut self.built));
        before.clear();
        before.extend_from_slice(&self.states[frame.state..]);
        built.clear();
        self.worker.build(&before, &next, &mut built);
        self.path.push(next.stim);
        if next.objection != NONE {
            let words = std::sync::Arc::clone(&self.worker.objections[next.objection as usize]);
            let mut found = Vec::new();
            self.judge.object((&self.docket, 0), &words, &mut found);
            self.note(found, &built);
        }
        // Nothing is known of what a broken step leads to: it is not followed.
        if next.objection != NONE || !self.enter(&built, next.fingerprint) {
            self.path.pop();
        }
        (self.before, self.built) = (before, built);
    }

    /// Lists what is to be tried from a state. What leads to a known state only is left out at once.
    fn list(&mut self, state: &[u32], fingerprint: u64) {
        self.frames.push(Frame { state: self.states.len(), rest: self.rest.len() });
        self.states.extend_from_slice(state);
        let mut listed = std::mem::take(&mut self.listed);
        self.worker.successors(state, fingerprint, &mut listed);
        let is_plain = !self.worker.needs_whole();
        let table = match &self.seen {
            Seen::Table(visited) if is_plain => Some(visited),
            Seen::Table(_) | Seen::Depths { .. } => None,
        };
        if let Some(table) = table {
            table.room(0).prefetch(listed.iter().map(|next| next.fingerprint));
        }
        let is_known = |next: &Successor| {
            next.objection == NONE && table.is_some_and(|table| table.knows(next.fingerprint))
        };
        self.rest.extend(listed.iter().rev().filter(|next| !is_known(next)));
        self.listed = listed;
        let path = self.states.len() * 4 + self.frames.len() * size_of::<Frame>();
        let held = path + self.rest.len() * size_of::<Successor>();
        self.stats.frontier_bytes = self.stats.frontier_bytes.max(held as u64);
    }

    fn note(&mut self, found: Vec<Found>, state: &[u32]) {
        for Found { subject, words, .. } in found {
            let state = self.from.extended(state.to_vec(), &self.path);
            self.findings.push(Finding { subject, words, state });
        }
    }

    /// A state was reached. Returns whether it is now on the path, to be left.
    fn enter(&mut self, state: &[u32], fingerprint: u64) -> bool {
        let identity = self.worker.identity(state, fingerprint);
        let depth = self.path.len() as u32;
        let whole = self.worker.whole_identity(state);
        let (key, (is_new, is_shorter)) = match &mut self.seen {
            Seen::Table(visited) => (identity, (visited.insert(identity, &whole), false)),
            Seen::Depths(depths) => {
                let key = depths.key(identity, &whole);
                (key, depths.reach(key, depth))
            }
        };
        if is_new {
            self.stats.unique += 1;
            let at = depth as usize;
            if self.stats.by_depth.len() <= at {
                self.stats.by_depth.resize(at + 1, 0);
            }
            self.stats.by_depth[at] += 1;
            self.stats.depth = self.stats.depth.max(depth);
            let mut found = Vec::new();
            self.judge.judge(&mut self.worker, (&self.docket, 0), state, &mut found);
            self.note(found, state);
        }
        if !(is_new || is_shorter) || self.judge.is_pruned(&mut self.worker, state) {
            return false;
        }
        if let Seen::Depths(depths) = &mut self.seen
            && depths.is_cut(key, depth)
        {
            return false;
        }
        self.list(state, fingerprint);
        true
    }
}
