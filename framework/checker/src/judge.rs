//! Asks the properties of each new state, and each only once about what it reads.

use crate::Checkable;
use crate::observer::Observer;
use crate::property::{Property, Reads, View};
use crate::report::Subject;
use crate::settings::Until;
use crate::worker::Worker;
use std::sync::atomic::{AtomicBool, Ordering};
use synod_stdx::LookupMap;

/// What of a search is still open, shared by its threads.
pub(crate) struct Docket {
    /// Whether each invariant, then each goal, has its verdict.
    settled: Vec<AtomicBool>,
    /// Whether a step was found that objects.
    step: AtomicBool,
    until: Until,
    /// Nothing more is to be learnt.
    pub(crate) is_over: AtomicBool,
}

impl Docket {
    pub(crate) fn new(properties: usize, until: Until) -> Self {
        Docket {
            settled: (0..properties).map(|_| AtomicBool::new(false)).collect(),
            step: AtomicBool::new(false),
            until,
            is_over: AtomicBool::new(false),
        }
    }

    /// Settles a property; whether it was open. `None` is the steps themselves.
    fn settle(&self, property: Option<usize>) -> bool {
        let flag = property.map_or(&self.step, |property| &self.settled[property]);
        let is_first = !flag.swap(true, Ordering::Relaxed);
        let all = || {
            !self.settled.is_empty()
                && self.step.load(Ordering::Relaxed)
                && self.settled.iter().all(|one| one.load(Ordering::Relaxed))
        };
        if self.until == Until::First || all() {
            self.is_over.store(true, Ordering::Relaxed);
        }
        is_first
    }

    fn is_settled(&self, property: usize) -> bool {
        self.settled[property].load(Ordering::Relaxed)
    }
}

/// What was found at one state or step.
pub(crate) struct Found {
    pub(crate) subject: Subject,
    pub(crate) words: String,
}

/// After so many questions it is asked whether remembering pays.
const TRIED: u32 = 1 << 15;

/// The verdicts on one property, by what it read.
#[derive(Default)]
struct Memory {
    verdicts: LookupMap<u64, bool>,
    asked: u32,
    new: u32,
    /// Most of what it is asked is asked once: to ask the property itself is no slower.
    is_useless: bool,
}

impl Memory {
    fn ask(&mut self, key: u64, test: impl FnOnce() -> bool) -> bool {
        self.asked += 1;
        let before = self.verdicts.len();
        let verdict = *self.verdicts.entry(key).or_insert_with(test);
        self.new += (self.verdicts.len() - before) as u32;
        if self.asked == TRIED {
            if self.new > TRIED / 2 {
                self.is_useless = true;
                self.verdicts = LookupMap::default();
            }
            (self.asked, self.new) = (0, 0);
        }
        verdict
    }
}

/// One thread's memory of verdicts.
#[derive(Default)]
pub(crate) struct Judge {
    /// For each property of the settings, in order.
    known: Vec<Memory>,
    /// For each property, the places that it reads; `None` for everything.
    reads: Vec<Option<Vec<usize>>>,
}

impl Judge {
    pub(crate) fn new<N: Checkable, O: Observer<N>>(worker: &Worker<'_, N, O>) -> Self {
        let settings = worker.settings;
        let all = settings.invariants.iter().chain(&settings.goals).chain(&settings.prunes);
        let places = |property: &Property<N, O>| match &property.reads {
            Reads::Nodes(ids) => Some(ids.iter().filter_map(|id| worker.shared.index(*id)).collect()),
            Reads::Everything => None,
        };
        let reads: Vec<_> = all.map(places).collect();
        Judge { known: reads.iter().map(|_| Memory::default()).collect(), reads }
    }

    /// Whether a property holds.
    fn holds<N: Checkable, O: Observer<N>>(
        &mut self,
        worker: &mut Worker<'_, N, O>,
        (number, property): (usize, &Property<N, O>),
        state: &[u32],
    ) -> bool {
        let test = |worker: &Worker<'_, N, O>| {
            (property.test)(&View::new(worker.shared, state, &property.reads)).is_ok()
        };
        let memory = &mut self.known[number];
        let Some(places) = self.reads[number].as_ref().filter(|_| !memory.is_useless) else {
            return test(worker);
        };
        let mut key = 0u64;
        for place in places {
            key = key.wrapping_add(worker.facts(state[*place]).visible);
        }
        memory.ask(key, || test(worker))
    }

    /// What is to be said of a new state.
    pub(crate) fn judge<N: Checkable, O: Observer<N>>(
        &mut self,
        worker: &mut Worker<'_, N, O>,
        docket: &Docket,
        state: &[u32],
        found: &mut Vec<Found>,
    ) {
        let settings = worker.settings;
        for (number, property) in settings.invariants.iter().enumerate() {
            if docket.is_settled(number) || self.holds(worker, (number, property), state) {
                continue;
            }
            if docket.settle(Some(number)) {
                let view = View::new(worker.shared, state, &property.reads);
                let words = (property.test)(&view).err().unwrap_or_default();
                found.push(Found { subject: Subject::Invariant(property.name.clone()), words });
            }
        }
        for (at, goal) in settings.goals.iter().enumerate() {
            let number = settings.invariants.len() + at;
            if docket.is_settled(number) || !self.holds(worker, (number, goal), state) {
                continue;
            }
            if docket.settle(Some(number)) {
                found.push(Found { subject: Subject::Goal(goal.name.clone()), words: String::new() });
            }
        }
    }

    /// A step objects.
    pub(crate) fn object(&self, docket: &Docket, words: &str, found: &mut Vec<Found>) {
        if docket.settle(None) {
            found.push(Found { subject: Subject::Step, words: words.to_owned() });
        }
    }

    /// Whether the first of the goals holds.
    pub(crate) fn is_goal<N: Checkable, O: Observer<N>>(
        &mut self,
        worker: &mut Worker<'_, N, O>,
        state: &[u32],
    ) -> bool {
        let settings = worker.settings;
        self.holds(worker, (settings.invariants.len(), &settings.goals[0]), state)
    }

    /// Whether a state is not to be left.
    pub(crate) fn is_pruned<N: Checkable, O: Observer<N>>(
        &mut self,
        worker: &mut Worker<'_, N, O>,
        state: &[u32],
    ) -> bool {
        let settings = worker.settings;
        let first = settings.invariants.len() + settings.goals.len();
        let mut prunes = settings.prunes.iter().enumerate();
        prunes.any(|(at, prune)| self.holds(worker, (first + at, prune), state))
    }

    /// The places that some prune reads: `None` for all.
    pub(crate) fn pruned_by<N: Checkable, O: Observer<N>>(&self, worker: &Worker<'_, N, O>) -> Option<u64> {
        let settings = worker.settings;
        let first = settings.invariants.len() + settings.goals.len();
        let mut bits = 0u64;
        for places in &self.reads[first..] {
            bits |= places.as_ref()?.iter().fold(0, |bits, place| bits | 1 << place);
        }
        Some(bits)
    }
}
