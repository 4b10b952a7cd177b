//! Asks the properties of each new state, and each only once about what it reads.

use crate::Checkable;
use crate::impartial::{is_due, partial};
use crate::property::{Answer, Property, Reads, View};
use crate::report::Subject;
use crate::settings::Until;
use crate::worker::Worker;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use synod_stdx::LookupMap;

/// What of a search is still open, shared by its threads.
pub(crate) struct Docket {
    /// Whether each invariant, then each goal, and last the steps themselves, has its verdict.
    settled: Vec<AtomicBool>,
    until: Until,
    /// What the search relied on is wrong: it ends.
    is_refused: AtomicBool,
    /// Nothing more is to be learnt.
    pub(crate) is_over: AtomicBool,
    /// In searches level by level, for each property the least rank that was found in this level.
    least: Option<Vec<AtomicU64>>,
}

impl Docket {
    pub(crate) fn new(properties: usize, until: Until) -> Self {
        let settled = (0..=properties).map(|_| AtomicBool::new(false)).collect();
        Docket {
            settled,
            until,
            is_refused: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            least: None,
        }
    }

    /// One for a search level by level: nothing is settled before a level is over. Of what is found in it, that of the
    /// least rank counts, whichever thread found it first.
    pub(crate) fn by_level(properties: usize, until: Until) -> Self {
        let least = (0..=properties).map(|_| AtomicU64::new(u64::MAX)).collect();
        Docket { least: Some(least), ..Docket::new(properties, until) }
    }

    /// Something of this rank was found; whether it counts, as far as is known.
    fn settle(&self, property: usize, rank: u64) -> bool {
        if self.is_settled(property) {
            return false;
        }
        if let Some(least) = &self.least {
            return rank < least[property].fetch_min(rank, Ordering::Relaxed);
        }
        let is_first = !self.settled[property].swap(true, Ordering::Relaxed);
        self.conclude();
        is_first
    }

    /// A level is over.
    pub(crate) fn turn(&self) {
        for (settled, least) in self.settled.iter().zip(self.least.iter().flatten()) {
            if least.load(Ordering::Relaxed) < u64::MAX {
                settled.store(true, Ordering::Relaxed);
            }
        }
        self.conclude();
    }

    fn conclude(&self) {
        let mut settled = self.settled.iter().map(|one| one.load(Ordering::Relaxed));
        let is_over = match self.until {
            Until::First => settled.any(|settled| settled),
            // Without a property a search goes on for what it was begun: to see every step.
            Until::Settled => self.settled.len() > 1 && settled.all(|settled| settled),
        };
        if is_over || self.is_refused.load(Ordering::Relaxed) {
            self.is_over.store(true, Ordering::Relaxed);
        }
    }

    fn is_settled(&self, property: usize) -> bool {
        self.settled[property].load(Ordering::Relaxed)
    }
}

/// What was found at one state or step.
pub(crate) struct Found {
    /// The property's place in the docket.
    pub(crate) property: usize,
    pub(crate) subject: Subject,
    pub(crate) words: String,
}

/// After so many questions it is asked whether remembering pays.
const TRIED: u32 = 1 << 15;

/// What a property says of a state, without its words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Holds,
    Not,
    Panicked,
}

/// The verdicts on one property, by what it read.
#[derive(Default)]
struct Memory {
    verdicts: LookupMap<u64, Verdict>,
    asked: u32,
    new: u32,
    /// Most of what it is asked is asked once: to ask the property itself is no slower.
    is_useless: bool,
}

impl Memory {
    fn ask(&mut self, key: u64, test: impl FnOnce() -> Verdict) -> Verdict {
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

/// A property that does not hold in a state, in its own words.
fn violation<N: Checkable>(
    worker: &Worker<'_, N>,
    (number, property): (usize, &Property<N>),
    state: &[u32],
) -> Found {
    let words = match property.ask(&View::new(worker.shared, state, &property.reads)) {
        Answer::Not(words) | Answer::Panicked(words) => words,
        Answer::Holds => String::new(),
    };
    Found { property: number, subject: Subject::Invariant(property.name.clone()), words }
}

/// One thread's memory of verdicts.
#[derive(Default)]
pub(crate) struct Judge {
    /// For each property of the settings, in order.
    known: Vec<Memory>,
    /// For each property, the places that it reads; `None` for everything.
    reads: Vec<Option<Vec<usize>>>,
    /// How often each property itself was asked, in a search up to a symmetry.
    tests: Vec<u32>,
    /// A property that tells nodes apart which the symmetry says are alike, in words.
    partial: Option<String>,
}

impl Judge {
    pub(crate) fn new<N: Checkable>(worker: &Worker<'_, N>) -> Self {
        let settings = worker.settings;
        let all = settings.invariants.iter().chain(&settings.goals).chain(&settings.prunes);
        let places = |property: &Property<N>| match &property.reads {
            Reads::Nodes(ids) => Some(ids.iter().filter_map(|id| worker.shared.index(*id)).collect()),
            Reads::Everything => None,
        };
        let reads: Vec<_> = all.map(places).collect();
        let known = reads.iter().map(|_| Memory::default()).collect();
        Judge { known, tests: vec![0; reads.len()], reads, partial: None }
    }

    /// What a property says.
    fn verdict<N: Checkable>(
        &mut self,
        worker: &mut Worker<'_, N>,
        (number, property): (usize, &Property<N>),
        state: &[u32],
    ) -> Verdict {
        let Judge { known, reads, tests, partial: words } = self;
        let (memory, tests) = (&mut known[number], &mut tests[number]);
        let mut test = |worker: &Worker<'_, N>| {
            let verdict = match property.ask(&View::new(worker.shared, state, &property.reads)) {
                Answer::Holds => Verdict::Holds,
                Answer::Not(_) => Verdict::Not,
                Answer::Panicked(_) => Verdict::Panicked,
            };
            if let Some(orbit) = worker.orbit.as_ref().filter(|_| words.is_none()) {
                if is_due(*tests) {
                    let said = (property, verdict == Verdict::Holds);
                    *words = partial(worker.shared, orbit, said, state, *tests);
                }
                *tests = tests.wrapping_add(1);
            }
            verdict
        };
        let Some(places) = reads[number].as_ref().filter(|_| !memory.is_useless) else {
            return test(worker);
        };
        let mut key = 0u64;
        for place in places {
            key = key.wrapping_add(worker.facts(state[*place]).visible);
        }
        memory.ask(key, || test(worker))
    }

    /// What is to be said of a new state of this rank.
    pub(crate) fn judge<N: Checkable>(
        &mut self,
        worker: &mut Worker<'_, N>,
        (docket, rank): (&Docket, u64),
        state: &[u32],
        found: &mut Vec<Found>,
    ) {
        let settings = worker.settings;
        for (number, property) in settings.invariants.iter().enumerate() {
            if docket.is_settled(number) || self.verdict(worker, (number, property), state) == Verdict::Holds
            {
                continue;
            }
            if docket.settle(number, rank) {
                found.push(violation(worker, (number, property), state));
            }
        }
        for (at, goal) in settings.goals.iter().enumerate() {
            let number = settings.invariants.len() + at;
            if docket.is_settled(number) {
                continue;
            }
            let verdict = self.verdict(worker, (number, goal), state);
            if verdict != Verdict::Not && docket.settle(number, rank) {
                found.push(match verdict {
                    // A goal that panics is neither reached nor not: its author must see why.
                    Verdict::Panicked => violation(worker, (number, goal), state),
                    Verdict::Holds | Verdict::Not => {
                        let subject = Subject::Goal(goal.name.clone());
                        Found { property: number, subject, words: String::new() }
                    }
                });
            }
        }
        if worker.orbit.is_some() {
            self.object_to_symmetry(worker, (docket, rank), state, found);
        }
    }

    /// Says what property tells nodes apart that the symmetry says are alike, if one does: then the search ends.
    fn object_to_symmetry<N: Checkable>(
        &mut self,
        worker: &mut Worker<'_, N>,
        (docket, rank): (&Docket, u64),
        state: &[u32],
        found: &mut Vec<Found>,
    ) {
        let settings = worker.settings;
        let first = settings.invariants.len() + settings.goals.len();
        for (at, prune) in settings.prunes.iter().enumerate() {
            self.verdict(worker, (first + at, prune), state);
        }
        if let Some(words) = &self.partial {
            docket.is_refused.store(true, Ordering::Relaxed);
            self.object((docket, rank), words, found);
        }
    }

    /// A step that leads to a state of this rank objects.
    pub(crate) fn object(&self, (docket, rank): (&Docket, u64), words: &str, found: &mut Vec<Found>) {
        let property = docket.settled.len() - 1;
        if docket.settle(property, rank) {
            found.push(Found { property, subject: Subject::Step, words: words.to_owned() });
        }
    }

    /// Whether the first of the goals holds.
    pub(crate) fn is_goal<N: Checkable>(&mut self, worker: &mut Worker<'_, N>, state: &[u32]) -> bool {
        let settings = worker.settings;
        self.verdict(worker, (settings.invariants.len(), &settings.goals[0]), state) == Verdict::Holds
    }

    /// Whether a state is not to be left.
    pub(crate) fn is_pruned<N: Checkable>(&mut self, worker: &mut Worker<'_, N>, state: &[u32]) -> bool {
        let settings = worker.settings;
        let first = settings.invariants.len() + settings.goals.len();
        let mut prunes = settings.prunes.iter().enumerate();
        prunes.any(|(at, prune)| match self.verdict(worker, (first + at, prune), state) {
            Verdict::Holds => true,
            Verdict::Not => false,
            Verdict::Panicked => panic!("the prune `{}` panics", prune.name),
        })
    }

    /// The places that some prune reads: `None` for all.
    pub(crate) fn pruned_by<N: Checkable>(&self, worker: &Worker<'_, N>) -> Option<u64> {
        let settings = worker.settings;
        let first = settings.invariants.len() + settings.goals.len();
        let mut bits = 0u64;
        for places in &self.reads[first..] {
            bits |= places.as_ref()?.iter().fold(0, |bits, place| bits | 1 << place);
        }
        Some(bits)
    }
}
