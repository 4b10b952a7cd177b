//! Searches: claims about a protocol that the model checker shows, each a play of one stage after the other.
//!
//! A [`Search`] is data, as a [`Scenario`](crate::Scenario) is. Its play builds a system, and has a [`Bench`] search it
//! in stages: reach a goal, take what was found as the new start, change the settings, search on. Each stage says what
//! it must come to, and a stage that does not ends the play. What was searched, and what it came to, is kept as a
//! [`StageReport`]: a search that ran out of budget never passes for one that saw everything.

use crate::bench::Bench;
use crate::crew::{Unwatched, Watcher};
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use synod_checker::{CheckSettings, Checkable, Checker, Observer, Spent, Stats, Survives, System};
use synod_node::Node;
use synod_stdx::Wire;
use synod_world::Trace;

/// A named claim about a module that the model checker shows.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The module that it is about.
    pub module: &'static str,
    /// Its number in the module's list, as `3.7`; searches beyond the list have a letter, as `x4`.
    pub number: &'static str,
    /// The claim, in words joined by underscores.
    pub name: &'static str,
    /// Shows it.
    pub play: fn(&mut Desk<'_>) -> Result<(), Stop>,
    /// Whether it takes so long that only `--full` runs it.
    pub is_long: bool,
}

/// How searches are to run.
#[derive(Clone, Debug)]
pub struct Orders {
    /// On how many threads.
    pub threads: usize,
    /// With timers also where a play leaves them out.
    pub timers: bool,
    /// With every local step checked for what a search relies on.
    pub checks: bool,
    /// Without these reductions.
    pub without: Without,
    /// Whole states are compared, instead of fingerprints.
    pub exact: bool,
    /// No stage sees more states than so many, unless it looks for a goal that must be found.
    pub states_max: Option<u64>,
    /// A stage whose space has no end sees no more than so many states of it, breadth-first or depth-first.
    pub explored_max: Option<u64>,
    /// A stage ends when the process uses so many bytes: 8 GiB, if nobody says otherwise.
    pub memory_bytes_max: Option<u64>,
    /// Which mutant takes the nodes' steps.
    pub mutant: Option<&'static str>,
    /// A trace whose stage is replayed; nothing is searched.
    pub replay: Option<Trace>,
}

/// Reductions that are switched off; none by default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Without {
    /// A stimulus that changes nothing and sends nothing does not happen.
    pub no_ops: bool,
    /// Of steps at different nodes that commute one order is taken.
    pub commuting: bool,
    /// States that differ by a renaming of nodes are one, where a play states a symmetry.
    pub symmetry: bool,
}

impl Without {
    /// All of them.
    pub const ALL: Without = Without { no_ops: true, commuting: true, symmetry: true };
}

impl Default for Orders {
    fn default() -> Self {
        Orders {
            threads: 1,
            timers: false,
            checks: false,
            without: Without::default(),
            exact: false,
            states_max: None,
            explored_max: None,
            memory_bytes_max: Some(MEMORY_BYTES_MAX),
            mutant: None,
            replay: None,
        }
    }
}

/// No stage uses more memory, if nobody says otherwise.
const MEMORY_BYTES_MAX: u64 = 8 << 30;

/// Why a play ends before its last stage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The claim does not hold: the last report says why.
    Failed(String),
    /// Somebody interrupted it, or memory ran out: the claim is not shown.
    CutShort(Spent),
    /// The trace was replayed.
    Replayed(Replayed),
    /// The trace was opened in a debugger.
    Opened,
}

/// What a replay comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Replayed {
    /// The same thing goes wrong.
    StillFails(String),
    /// Nothing goes wrong on this way any more.
    NoLongerFails,
    /// The system cannot go this way any more: at which step, and why.
    NoLongerFits(usize, String),
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Replayed::StillFails(words) => write!(f, "still fails: {words}"),
            Replayed::NoLongerFails => write!(f, "no longer fails"),
            Replayed::NoLongerFits(step, why) => write!(f, "no longer fits, at step {step}, because {why}"),
        }
    }
}

/// What was found, ready to be told and kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// What it is about.
    pub subject: String,
    /// The objection.
    pub words: String,
    /// How many steps lead there.
    pub steps: usize,
    /// The steps in causal order, with what each changed.
    pub told: String,
    /// The same as a trace.
    pub trace: Trace,
}

/// What one stage came to.
#[derive(Clone, PartialEq, Debug)]
pub struct StageReport {
    /// The stage's name.
    pub stage: String,
    /// How it searched.
    pub how: &'static str,
    /// What it came to, in words.
    pub verdict: String,
    /// Whether that is what it must come to.
    pub is_right: bool,
    /// What it did.
    pub stats: Stats,
    /// How long it took, if the watcher has a clock.
    pub seconds: f64,
    /// The violation, if there is one.
    pub found: Option<Found>,
    /// The way to where the stage began, if it did not come to what it must.
    pub missed: Option<Trace>,
}

/// Where a play is at work.
pub struct Desk<'a> {
    pub(crate) search: Search,
    pub(crate) orders: &'a Orders,
    pub(crate) watcher: &'a dyn Watcher,
    pub(crate) reports: Vec<StageReport>,
    /// What a debugger is to open, if the replay is for one: opened by the command that says how.
    pub(crate) exhibit: Option<Showing>,
}

/// Adds to a debugger's [`Setup`](synod_debugger::Setup), of whatever nodes, what is known of nodes of that kind: portraits.
pub type Dresser = fn(&mut dyn Any);

/// A replay for a debugger.
pub(crate) struct Showing {
    /// The command that opens it again.
    pub(crate) command: String,
    /// Adds what is known of nodes of this kind.
    pub(crate) dress: Dresser,
    /// What was opened, when the stage was found.
    pub(crate) opened: Option<Result<Arc<dyn synod_debugger::Desk>, String>>,
}

impl<'a> Desk<'a> {
    /// Whether timers are to fire also where a play leaves them out.
    pub fn timers(&self) -> bool {
        self.orders.timers
    }

    /// Which mutant takes the nodes' steps.
    pub fn mutant(&self) -> Option<&'static str> {
        self.orders.mutant
    }

    /// A bench for `system`, whose users `observer` watches. Where orders ask for checks, a message must survive its byte
    /// form.
    ///
    /// # Errors
    /// If the nodes cannot even start.
    pub fn bench<N: Checkable + Node<Message: Wire>>(
        &mut self,
        system: System<N>,
        observer: impl Observer<N>,
    ) -> Result<Bench<'_, 'a, N>, Stop> {
        let built = if self.orders.checks {
            let survives = Some(Arc::new(survives::<N::Message>) as Survives<N>);
            Checker::with_checks(system, observer, CheckSettings { survives })
        } else {
            Checker::new(system, observer)
        };
        match built {
            Ok(checker) => Ok(Bench { desk: self, checker }),
            Err(words) => Err(Stop::Failed(format!("the nodes cannot start: {words}"))),
        }
    }
}

/// Whether a message is the same in its byte form and back; if not, what it becomes.
fn survives<M: Wire + PartialEq + fmt::Debug>(message: &M) -> Option<String> {
    match M::from_bytes(&message.to_bytes()) {
        Ok(back) if back == *message => None,
        other => Some(format!("{message:?} becomes {other:?} by way of its bytes")),
    }
}

/// How many states a space has: whatever the reductions, unless a symmetry is stated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pinned {
    /// Unique states.
    pub unique: u64,
    /// Steps from the first state to the deepest.
    pub depth: u32,
    /// Transitions, where no reduction spares any.
    pub transitions: Option<u64>,
}

impl Pinned {
    /// So many unique states, the deepest so many steps from the first.
    pub const fn new(unique: u64, depth: u32) -> Self {
        Pinned { unique, depth, transitions: None }
    }

    /// As it is, with so many transitions.
    #[must_use]
    pub const fn with_transitions(self, transitions: u64) -> Self {
        Pinned { transitions: Some(transitions), ..self }
    }

    pub(crate) fn objection(self, stats: &Stats) -> Option<String> {
        // The first state counts as generated, and no transition leads to it.
        let transitions = stats.generated - 1;
        let is_same = (self.unique, self.depth) == (stats.unique, stats.depth)
            && self.transitions.is_none_or(|pinned| pinned == transitions);
        let found = Pinned::new(stats.unique, stats.depth).with_transitions(transitions);
        (!is_same).then(|| format!("{self:?} is pinned, and there are {found:?}"))
    }
}

/// What came of one search.
#[derive(Clone, PartialEq, Debug)]
pub struct Searched {
    /// Which one.
    pub module: &'static str,
    /// Its number.
    pub number: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its stages, in order, as far as they ran.
    pub reports: Vec<StageReport>,
    /// Why it ended before its last stage, if it did.
    pub stop: Option<Stop>,
}

impl Searched {
    /// Whether the claim was shown.
    pub fn is_shown(&self) -> bool {
        self.stop.is_none()
    }

    /// The way to what a debugger is to open first: the violation, or where a stage began that did not come to what it must.
    pub fn to_open(&self) -> Option<&Trace> {
        let missed = || self.reports.iter().find_map(|report| report.missed.as_ref());
        self.found().map(|found| &found.trace).or_else(missed)
    }

    /// The violation, if there is one.
    pub fn found(&self) -> Option<&Found> {
        self.reports.iter().find_map(|report| report.found.as_ref())
    }
}

/// What a trace of a search tells, for a debugger: the system, the claims and the way of the stage in which it was found.
/// `command` opens it again, and `dress` adds what it knows of its nodes.
///
/// # Errors
/// If the search has no such stage any more, or the system cannot go this way.
pub fn exhibit(
    search: &Search,
    orders: &Orders,
    (command, dress): (&str, Dresser),
) -> Result<Arc<dyn synod_debugger::Desk>, String> {
    let exhibit = Some(Showing { command: command.to_owned(), dress, opened: None });
    let mut desk = Desk { search: *search, orders, watcher: &Unwatched, reports: Vec::new(), exhibit };
    let stop = (search.play)(&mut desk).err();
    let none = || match stop {
        Some(Stop::Failed(words)) => Err(words),
        Some(_) | None => Err(format!("{} has no stage of that name any more", search.name)),
    };
    desk.exhibit.and_then(|showing| showing.opened).unwrap_or_else(none)
}

/// Plays one search.
pub fn search_one(search: &Search, orders: &Orders, watcher: &dyn Watcher) -> Searched {
    let mut desk = Desk { search: *search, orders, watcher, reports: Vec::new(), exhibit: None };
    let stop = (search.play)(&mut desk).err();
    let Search { module, number, name, .. } = *search;
    Searched { module, number, name, reports: desk.reports, stop }
}
