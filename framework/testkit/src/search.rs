//! Searches: claims about a protocol that the model checker shows, each a play of one stage after the other.
//!
//! A [`Search`] is data, as a [`Scenario`](crate::Scenario) is. Its play builds a system, and has a [`Bench`] search it
//! in stages: reach a goal, take what was found as the new start, change the settings, search on. Each stage says what
//! it must come to, and a stage that does not ends the play. What was searched, and what it came to, is kept as a
//! [`StageReport`]: a search that ran out of budget never passes for one that saw everything.

use crate::crew::{Threads, Watcher};
use std::fmt;
use std::sync::Arc;
use synod_checker::{
    CheckSettings, Checkable, Checker, Fairness, Finding, Observer, Property, Report, Settings, Spent, State,
    Stats, Survives, System, Until, Verdict, Walks,
};
use synod_node::Node;
use synod_stdx::Wire;
use synod_world::{Header, TRACE_VERSION, Trace};

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
    /// A stage ends when the process uses so many bytes.
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
            memory_bytes_max: None,
            mutant: None,
            replay: None,
        }
    }
}

/// Why a play ends before its last stage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The claim does not hold: the last report says why.
    Failed(String),
    /// Somebody interrupted it, or memory ran out: the claim is not shown.
    CutShort(Spent),
    /// The trace was replayed.
    Replayed(Replayed),
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
}

/// Where a play is at work.
pub struct Desk<'a> {
    pub(crate) search: Search,
    pub(crate) orders: &'a Orders,
    pub(crate) watcher: &'a dyn Watcher,
    pub(crate) reports: Vec<StageReport>,
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
    pub fn bench<N: Checkable + Node<Message: Wire>, O: Observer<N>>(
        &mut self,
        system: System<N>,
        observer: O,
    ) -> Result<Bench<'_, 'a, N, O>, Stop> {
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

    fn objection(self, stats: &Stats) -> Option<String> {
        // The first state counts as generated, and no transition leads to it.
        let transitions = stats.generated - 1;
        let is_same = (self.unique, self.depth) == (stats.unique, stats.depth)
            && self.transitions.is_none_or(|pinned| pinned == transitions);
        let found = Pinned::new(stats.unique, stats.depth).with_transitions(transitions);
        (!is_same).then(|| format!("{self:?} is pinned, and there are {found:?}"))
    }
}

/// What a stage must come to.
enum Wanted {
    Goal,
    NoGoal,
    /// All states, and these counts if they are pinned.
    Everything(Option<Pinned>),
    NoViolation,
}

/// A system under search.
pub struct Bench<'d, 'a, N: Checkable, O: Observer<N>> {
    desk: &'d mut Desk<'a>,
    checker: Checker<N, O>,
}

/// What most stages return: the state from which to search on, or why there is none.
pub type Staged<T = ()> = Result<T, Stop>;

impl<N: Checkable, O: Observer<N>> Bench<'_, '_, N, O> {
    /// The first state.
    pub fn start(&self) -> State {
        self.checker.start()
    }

    /// The checker, for deliveries by hand between stages.
    pub fn checker(&self) -> &Checker<N, O> {
        &self.checker
    }

    /// Whether timers are to fire also where a play leaves them out.
    pub fn timers(&self) -> bool {
        self.desk.orders.timers
    }

    /// Whether a symmetry that a play states is used.
    pub fn has_symmetry(&self) -> bool {
        !self.desk.orders.without.symmetry
    }

    /// The nearest state in which the goal of `settings` holds: it must be found.
    ///
    /// # Errors
    /// If it is not, or something is violated on the way.
    pub fn must_reach(&mut self, stage: &str, from: &State, settings: Settings<N, O>) -> Staged<State> {
        let found = self.run(stage, from, settings, (How::Breadth, &Wanted::Goal))?;
        // A replay of another stage's trace needs no state of this one.
        Ok(found.unwrap_or_else(|| from.clone()))
    }

    /// As [`must_reach`](Bench::must_reach), in exactly so many steps from the first state.
    ///
    /// # Errors
    /// As there, or if it takes more or fewer steps.
    pub fn must_reach_at(
        &mut self,
        stage: &str,
        from: &State,
        settings: Settings<N, O>,
        steps: usize,
    ) -> Staged<State> {
        let found = self.must_reach(stage, from, settings)?;
        if found.steps() != steps && self.desk.orders.replay.is_none() {
            return Err(Stop::Failed(format!("{stage}: found after {} steps, not {steps}", found.steps())));
        }
        Ok(found)
    }

    /// The goal of `settings` must not be found within their bounds.
    ///
    /// # Errors
    /// If it is, or something is violated.
    pub fn must_not_reach(&mut self, stage: &str, from: &State, settings: Settings<N, O>) -> Staged {
        self.run(stage, from, settings, (How::Breadth, &Wanted::NoGoal)).map(|_| ())
    }

    /// All states: nothing is violated in any, and there are as many, and as deep, as `pinned` says.
    ///
    /// # Errors
    /// If there are others, or the budget does not suffice.
    pub fn exhaust(&mut self, stage: &str, from: &State, settings: Settings<N, O>, pinned: Pinned) -> Staged {
        self.run(stage, from, settings, (How::Breadth, &Wanted::Everything(Some(pinned)))).map(|_| ())
    }

    /// The state that is reached by hand: by deliveries, drops and so on, each of which must be possible.
    ///
    /// # Errors
    /// If one is not.
    pub fn by_hand(
        &mut self,
        stage: &str,
        from: &State,
        steps: impl FnOnce(&Checker<N, O>, State) -> Option<State>,
    ) -> Staged<State> {
        if self.desk.orders.replay.is_some() {
            return Ok(from.clone());
        }
        let after = steps(&self.checker, from.clone());
        after.ok_or_else(|| Stop::Failed(format!("{stage}: a step by hand is not possible")))
    }

    /// As many states as the budget of `settings` allows, breadth-first: nothing is violated in any.
    ///
    /// # Errors
    /// If something is.
    pub fn explore(&mut self, stage: &str, from: &State, settings: Settings<N, O>) -> Staged {
        self.run(stage, from, settings, (How::Breadth, &Wanted::NoViolation)).map(|_| ())
    }

    /// As [`explore`](Bench::explore), depth-first.
    ///
    /// # Errors
    /// If something is violated.
    pub fn explore_depth_first(&mut self, stage: &str, from: &State, settings: Settings<N, O>) -> Staged {
        self.run(stage, from, settings, (How::Depth, &Wanted::NoViolation)).map(|_| ())
    }

    /// Random walks: nothing is violated on any.
    ///
    /// # Errors
    /// If something is.
    pub fn walk(&mut self, stage: &str, from: &State, settings: Settings<N, O>, walks: Walks) -> Staged {
        self.run(stage, from, settings, (How::Walks(walks), &Wanted::NoViolation)).map(|_| ())
    }

    /// `goal` is reached in the end, in the sense of `fairness`, whatever happens: all states are seen.
    ///
    /// # Errors
    /// If it need not be, something is violated, or the budget does not suffice.
    pub fn eventually(
        &mut self,
        stage: &str,
        from: &State,
        settings: Settings<N, O>,
        (goal, fairness): (&Property<N, O>, Fairness),
    ) -> Staged {
        let how = How::Eventually(goal, fairness);
        self.run(stage, from, settings, (how, &Wanted::Everything(None))).map(|_| ())
    }

    fn ordered(&self, mut settings: Settings<N, O>, wanted: &Wanted) -> Settings<N, O> {
        let orders = self.desk.orders;
        let Without { no_ops, commuting, symmetry } = orders.without;
        settings.reductions.no_ops &= !no_ops;
        settings.reductions.commuting &= !commuting;
        settings.reductions.symmetry = settings.reductions.symmetry.filter(|_| !symmetry);
        settings.is_exact |= orders.exact;
        // A stage comes to one thing, and the play ends with the first that is wrong.
        settings.until = Until::First;
        // What must be found is looked for to the end.
        if let Some(max) = orders.states_max.filter(|_| !matches!(wanted, Wanted::Goal)) {
            settings.states_max = Some(settings.states_max.map_or(max, |states| states.min(max)));
        }
        settings
    }

    /// Runs one stage, or replays the trace that was found in it.
    fn run(
        &mut self,
        stage: &str,
        from: &State,
        settings: Settings<N, O>,
        (how, wanted): (How<'_, N, O>, &Wanted),
    ) -> Staged<Option<State>> {
        let settings = self.ordered(settings, wanted);
        if let Some(trace) = &self.desk.orders.replay {
            return match trace.header.stage.as_deref() == Some(stage) {
                true => Err(Stop::Replayed(self.replay(trace, &settings))),
                false => Ok(None),
            };
        }
        let (orders, watcher) = (self.desk.orders, self.desk.watcher);
        let crew = Threads::new(orders.threads, orders.memory_bytes_max, watcher);
        watcher.on_stage(&self.desk.search, stage);
        let begin = watcher.seconds();
        let report = match &how {
            How::Breadth => self.checker.breadth_first(from, &settings, &crew),
            How::Depth => self.checker.depth_first(from, &settings, &crew),
            How::Walks(walks) => self.checker.walk(from, &settings, *walks, &crew),
            How::Eventually(goal, fairness) => {
                self.checker.eventually(from, &settings, (goal, *fairness), &crew)
            }
        };
        let seconds = watcher.seconds() - begin;
        let found = report.violation().map(|finding| self.told(stage, finding, &settings, &how));
        let (is_right, verdict) = judge(wanted, &report, orders);
        let Report { stats, .. } = &report;
        let kept = StageReport {
            stage: stage.to_owned(),
            how: how.name(),
            verdict: verdict.clone(),
            is_right,
            stats: stats.clone(),
            seconds,
            found,
        };
        watcher.on_report(&self.desk.search, &kept);
        self.desk.reports.push(kept);
        if let Verdict::BudgetSpent(spent @ (Spent::Memory | Spent::Time | Spent::Interrupted)) =
            report.verdict
        {
            return Err(Stop::CutShort(spent));
        }
        if !is_right {
            return Err(Stop::Failed(format!("{stage}: {verdict}")));
        }
        Ok(report.goal().cloned())
    }

    fn told(&self, stage: &str, finding: &Finding, settings: &Settings<N, O>, how: &How<'_, N, O>) -> Found {
        let shortest = match how {
            // It is a shortest one as it is.
            How::Breadth | How::Eventually(..) => finding.clone(),
            How::Depth | How::Walks(_) => self.checker.minimised(finding, settings),
        };
        let state = self.checker.in_causal_order(&shortest.state);
        let Search { module, name, .. } = self.desk.search;
        let subject = shortest.subject.to_string();
        let words = shortest.words.clone();
        let header = Header {
            format: "synod-trace".to_owned(),
            version: TRACE_VERSION,
            module: module.to_owned(),
            scenario: name.to_owned(),
            stage: Some(stage.to_owned()),
            seed: None,
            reason: format!("{subject}: {words}"),
        };
        Found {
            subject,
            words,
            steps: state.steps(),
            told: self.checker.told(&state),
            trace: Trace { header, events: self.checker.events(&state) },
        }
    }

    fn replay(&self, trace: &Trace, settings: &Settings<N, O>) -> Replayed {
        match self.checker.retraced(&trace.events) {
            Err(unfit) => Replayed::NoLongerFits(unfit.step, unfit.why),
            Ok(state) => match self.checker.found_on_the_way(&state, settings) {
                Some(finding) if finding.is_violation() => {
                    Replayed::StillFails(format!("{}: {}", finding.subject, finding.words))
                }
                Some(_) | None => Replayed::NoLongerFails,
            },
        }
    }
}

/// How a stage searches.
enum How<'p, N: Checkable, O: Observer<N>> {
    Breadth,
    Depth,
    Walks(Walks),
    Eventually(&'p Property<N, O>, Fairness),
}

impl<N: Checkable, O: Observer<N>> How<'_, N, O> {
    fn name(&self) -> &'static str {
        match self {
            How::Breadth => "breadth-first",
            How::Depth => "depth-first",
            How::Walks(_) => "walks",
            How::Eventually(..) => "eventually",
        }
    }
}

/// Whether a report is what a stage must come to, and the words for it.
fn judge(wanted: &Wanted, report: &Report, orders: &Orders) -> (bool, String) {
    let words = report.to_string();
    let is_capped = orders.states_max.is_some() && report.verdict == Verdict::BudgetSpent(Spent::States);
    match (wanted, report.verdict) {
        (_, Verdict::Violated) => {
            let finding = report.violation().expect("what is violated was found");
            (
                false,
                format!(
                    "violated after {} states: {}: {}",
                    report.stats.unique, finding.subject, finding.words
                ),
            )
        }
        (Wanted::Goal, Verdict::Exhausted | Verdict::BudgetSpent(_)) => {
            (false, format!("the goal was not found; {words}"))
        }
        (Wanted::NoGoal, Verdict::GoalReached) => (false, format!("the goal was found; {words}")),
        (Wanted::Everything(_), Verdict::BudgetSpent(_)) if !is_capped => {
            (false, format!("not all states were seen; {words}"))
        }
        (Wanted::Everything(Some(pinned)), Verdict::Exhausted) => match pinned.objection(&report.stats) {
            None => (true, words),
            Some(objection) => (false, format!("{words}; but {objection}")),
        },
        (
            Wanted::Goal | Wanted::NoGoal | Wanted::Everything(_) | Wanted::NoViolation,
            Verdict::Exhausted | Verdict::BudgetSpent(_) | Verdict::GoalReached,
        ) => (true, words),
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

    /// The violation, if there is one.
    pub fn found(&self) -> Option<&Found> {
        self.reports.iter().find_map(|report| report.found.as_ref())
    }
}

/// Plays one search.
pub fn search_one(search: &Search, orders: &Orders, watcher: &dyn Watcher) -> Searched {
    let mut desk = Desk { search: *search, orders, watcher, reports: Vec::new() };
    let stop = (search.play)(&mut desk).err();
    let Search { module, number, name, .. } = *search;
    Searched { module, number, name, reports: desk.reports, stop }
}
