//! All states on the way to a goal, with the steps between them: what questions about whole runs are asked of.
//!
//! Goals are not left: what happens after one is of no interest. States are numbered in the order of a breadth-first
//! search on one thread, so that the way to the lowest number is a shortest one. States are compared whole.

use crate::Checkable;
use crate::crew::{Crew, Progress};
use crate::judge::{Docket, Judge};
use crate::report::{Finding, Spent, Stats, Subject};
use crate::settings::{Settings, Until};
use crate::shared::Shared;
use crate::state::State;
use crate::stim::Stim;
use crate::worker::{NONE, Successor, Worker};
use std::sync::Arc;
use synod_stdx::LookupMap;

/// The watcher is asked once in so many states.
const POLL_STATES: usize = 256;

/// What a state is to the question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// On the way. All its steps are known.
    Left,
    /// The goal holds.
    Goal,
    /// A prune holds, or the budget ran out before it was left: nothing is known of what follows.
    Unknown,
}

/// See the module's page.
pub(crate) struct Graph {
    data: Vec<u32>,
    ends: Vec<usize>,
    numbers: LookupMap<u64, u32>,
    fingerprints: Vec<u64>,
    parents: Vec<(u32, Stim)>,
    depths: Vec<u32>,
    pub(crate) kinds: Vec<Kind>,
    edges: Vec<(u32, Stim)>,
    edge_ends: Vec<usize>,
    /// What was found on the way: false invariants, and steps that object.
    pub(crate) findings: Vec<Finding>,
    pub(crate) spent: Option<Spent>,
    pub(crate) stats: Stats,
}

fn span(ends: &[usize], at: usize) -> std::ops::Range<usize> {
    let from = if at == 0 { 0 } else { ends[at - 1] };
    from..ends[at]
}

impl Graph {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The steps that leave a state, with where they lead.
    pub(crate) fn edges(&self, number: u32) -> &[(u32, Stim)] {
        &self.edges[span(&self.edge_ends, number as usize)]
    }

    pub(crate) fn vector(&self, number: u32) -> &[u32] {
        &self.data[span(&self.ends, number as usize)]
    }

    /// The steps from the first state to this one.
    pub(crate) fn path(&self, mut number: u32) -> Vec<Stim> {
        let mut path = Vec::new();
        while number != 0 {
            let (parent, stim) = self.parents[number as usize];
            path.push(stim);
            number = parent;
        }
        path.reverse();
        path
    }

    /// The number of a state, and whether it is new.
    fn number(&mut self, state: &[u32], fingerprint: u64, parent: (u32, Stim)) -> (u32, bool) {
        let mut key = fingerprint;
        while let Some(number) = self.numbers.get(&key).copied() {
            if self.vector(number) == state {
                return (number, false);
            }
            // Two states of one fingerprint: the later one has the next free key.
            key = key.wrapping_add(1);
        }
        let number = self.len() as u32;
        self.numbers.insert(key, number);
        self.data.extend_from_slice(state);
        self.ends.push(self.data.len());
        self.fingerprints.push(fingerprint);
        self.parents.push(parent);
        let depth = if number == 0 { 0 } else { self.depths[parent.0 as usize] + 1 };
        self.depths.push(depth);
        self.kinds.push(Kind::Unknown);
        (number, true)
    }
}

/// Builds the graph of a search, whose only goal is the one that is asked for.
struct Builder<'a, N: Checkable> {
    settings: &'a Settings<N>,
    from: &'a State,
    worker: Worker<'a, N>,
    judge: Judge,
    docket: Docket,
    graph: Graph,
}

/// The graph from `from` on, with the first of the settings' goals as the goal.
pub(crate) fn build<N: Checkable>(
    shared: &Shared<N>,
    settings: &Settings<N>,
    from: &State,
    crew: &dyn Crew,
) -> Graph {
    let taken_before = shared.taken_so_far();
    let worker = Worker::new(shared, settings);
    let mut builder = Builder {
        settings,
        from,
        judge: Judge::new(&worker),
        worker,
        docket: Docket::new(settings.invariants.len() + settings.goals.len(), Until::Settled),
        graph: Graph {
            data: Vec::new(),
            ends: Vec::new(),
            numbers: LookupMap::default(),
            fingerprints: Vec::new(),
            parents: Vec::new(),
            depths: Vec::new(),
            kinds: Vec::new(),
            edges: Vec::new(),
            edge_ends: Vec::new(),
            findings: Vec::new(),
            spent: None,
            stats: Stats::default(),
        },
    };
    builder.run(crew);
    let Builder { mut graph, worker, .. } = builder;
    let mut stats = std::mem::take(&mut graph.stats);
    stats.unique = graph.len() as u64;
    stats.generated = 1 + graph.edges.len() as u64;
    stats.depth = graph.depths.last().copied().unwrap_or(0);
    stats.by_depth = vec![0; stats.depth as usize + 1];
    graph.depths.iter().for_each(|depth| stats.by_depth[*depth as usize] += 1);
    let longs = graph.ends.len() + graph.fingerprints.len() + graph.edge_ends.len() + graph.edges.len();
    stats.table_bytes = (graph.data.len() * 4 + (longs + 3 * graph.len()) * 8) as u64;
    shared.fill(&mut stats, &worker.counts, taken_before);
    graph.stats = stats;
    graph
}

impl<N: Checkable> Builder<'_, N> {
    fn run(&mut self, crew: &dyn Crew) {
        let first = self.from.vector.to_vec();
        let fingerprint = self.worker.fingerprint(&first);
        self.graph.number(&first, fingerprint, (0, Stim::act(0, crate::stim::Act::Start)));
        self.look(0);
        let mut successors = Vec::new();
        let mut next = 0;
        while next < self.graph.len() {
            if next.is_multiple_of(POLL_STATES) {
                self.poll(crew, next);
            }
            self.leave(next as u32, &mut successors);
            self.graph.edge_ends.push(self.graph.edges.len());
            next += 1;
        }
    }

    fn poll(&mut self, crew: &dyn Crew, left: usize) {
        let unique = self.graph.len();
        let progress = Progress {
            unique: unique as u64,
            generated: self.worker.counts.generated,
            depth: self.graph.depths[left],
            frontier: (unique - left) as u64,
        };
        let is_full = self.settings.states_max.is_some_and(|max| progress.unique >= max);
        let spent = match is_full {
            true => Some(Spent::States),
            false if self.worker.is_full() => Some(Spent::Numbers),
            false => crew.poll(&progress),
        };
        self.graph.spent = self.graph.spent.or(spent);
    }

    /// Asks of a new state what it is. It is `Unknown` until it is left.
    fn look(&mut self, number: u32) {
        let state = self.graph.vector(number).to_vec();
        let mut found = Vec::new();
        self.judge.judge(&mut self.worker, (&self.docket, 0), &state, &mut found);
        for one in found {
            if matches!(one.subject, Subject::Invariant(_)) {
                let state = self.from.extended(state.clone(), &self.graph.path(number));
                self.graph.findings.push(Finding { subject: one.subject, words: one.words, state });
            }
        }
        if self.judge.is_goal(&mut self.worker, &state) {
            self.graph.kinds[number as usize] = Kind::Goal;
        }
    }

    fn leave(&mut self, number: u32, successors: &mut Vec<Successor>) {
        let at = number as usize;
        if self.graph.kinds[at] == Kind::Goal || self.graph.spent.is_some_and(|spent| spent != Spent::Depth) {
            return;
        }
        let state = self.graph.vector(number).to_vec();
        if self.judge.is_pruned(&mut self.worker, &state) {
            return;
        }
        if self.settings.depth_max.is_some_and(|max| self.graph.depths[at] >= max) {
            self.graph.spent = Some(Spent::Depth);
            return;
        }
        self.graph.kinds[at] = Kind::Left;
        self.worker.successors(&state, self.graph.fingerprints[at], successors);
        let states_max = self.worker.shared.numbers.states as usize;
        if self.graph.len() + successors.len() > states_max {
            self.graph.kinds[at] = Kind::Unknown;
            self.graph.spent = Some(Spent::Numbers);
            return;
        }
        for next in &*successors {
            let mut built = Vec::with_capacity(state.len() + 4);
            self.worker.build(&state, next, &mut built);
            if next.objection != NONE {
                self.object(number, next, &built);
                continue;
            }
            let (to, is_new) = self.graph.number(&built, next.fingerprint, (number, next.stim));
            self.graph.edges.push((to, next.stim));
            if is_new {
                self.look(to);
            }
        }
    }

    fn object(&mut self, number: u32, next: &Successor, built: &[u32]) {
        let words = Arc::clone(&self.worker.objections[next.objection as usize]);
        let mut found = Vec::new();
        self.judge.object((&self.docket, 0), &words, &mut found);
        for one in found {
            let mut path = self.graph.path(number);
            path.push(next.stim);
            let state = self.from.extended(built.to_vec(), &path);
            self.graph.findings.push(Finding { subject: one.subject, words: one.words, state });
        }
    }
}
