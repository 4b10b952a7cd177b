//! A system under search, stage by stage.

use crate::crew::Threads;
use crate::search::{Desk, Found, Orders, Pinned, Replayed, Search, Showing, StageReport, Stop, Without};
use crate::shown::Exhibit;
use std::sync::Arc;
use synod_checker::{
    Checkable, Checker, Fairness, Finding, Property, Report, Settings, Spent, State, Until, Verdict, Walks,
};
use synod_world::{Header, Trace};

/// What a stage must come to.
enum Wanted {
    Goal,
    NoGoal,
    /// All states, and these counts if they are pinned.
    Everything(Option<Pinned>),
    NoViolation,
}

/// A system under search.
pub struct Bench<'d, 'a, N: Checkable> {
    pub(crate) desk: &'d mut Desk<'a>,
    pub(crate) checker: Checker<N>,
}

/// What most stages return: the state from which to search on, or why there is none.
pub type Staged<T = ()> = Result<T, Stop>;

impl<N: Checkable> Bench<'_, '_, N> {
    /// The first state.
    pub fn start(&self) -> State {
        self.checker.start()
    }

    /// The checker, for deliveries by hand between stages.
    pub fn checker(&self) -> &Checker<N> {
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
    pub fn must_reach(&mut self, stage: &str, from: &State, settings: Settings<N>) -> Staged<State> {
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
        settings: Settings<N>,
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
    pub fn must_not_reach(&mut self, stage: &str, from: &State, settings: Settings<N>) -> Staged {
        self.run(stage, from, settings, (How::Breadth, &Wanted::NoGoal)).map(|_| ())
    }

    /// All states: nothing is violated in any, and there are as many, and as deep, as `pinned` says.
    ///
    /// # Errors
    /// If there are others, or the budget does not suffice.
    pub fn exhaust(&mut self, stage: &str, from: &State, settings: Settings<N>, pinned: Pinned) -> Staged {
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
        steps: impl FnOnce(&Checker<N>, State) -> Option<State>,
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
    pub fn explore(&mut self, stage: &str, from: &State, settings: Settings<N>) -> Staged {
        self.run(stage, from, settings, (How::Breadth, &Wanted::NoViolation)).map(|_| ())
    }

    /// As [`explore`](Bench::explore), depth-first.
    ///
    /// # Errors
    /// If something is violated.
    pub fn explore_depth_first(&mut self, stage: &str, from: &State, settings: Settings<N>) -> Staged {
        self.run(stage, from, settings, (How::Depth, &Wanted::NoViolation)).map(|_| ())
    }

    /// Random walks: nothing is violated on any.
    ///
    /// # Errors
    /// If something is.
    pub fn walk(&mut self, stage: &str, from: &State, settings: Settings<N>, walks: Walks) -> Staged {
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
        settings: Settings<N>,
        (goal, fairness): (&Property<N>, Fairness),
    ) -> Staged {
        let how = How::Eventually(goal, fairness);
        self.run(stage, from, settings, (how, &Wanted::Everything(None))).map(|_| ())
    }

    fn ordered(&self, mut settings: Settings<N>, (how, wanted): (&How<'_, N>, &Wanted)) -> Settings<N> {
        let orders = self.desk.orders;
        let Without { no_ops, commuting, symmetry } = orders.without;
        settings.reductions.no_ops &= !no_ops;
        settings.reductions.commuting &= !commuting;
        settings.reductions.symmetry = settings.reductions.symmetry.filter(|_| !symmetry);
        settings.is_exact |= orders.exact;
        // A stage comes to one thing, and the play ends with the first that is wrong.
        settings.until = Until::First;
        // What must be found is looked for to the end.
        let of_all = orders.states_max.filter(|_| !matches!(wanted, Wanted::Goal));
        let is_explored = matches!((how, wanted), (How::Breadth | How::Depth, Wanted::NoViolation));
        let of_endless = orders.explored_max.filter(|_| is_explored);
        settings.states_max = [settings.states_max, of_all, of_endless].into_iter().flatten().min();
        settings
    }

    /// Runs one stage, or replays the trace that was found in it.
    fn run(
        &mut self,
        stage: &str,
        from: &State,
        settings: Settings<N>,
        (how, wanted): (How<'_, N>, &Wanted),
    ) -> Staged<Option<State>> {
        let settings = self.ordered(settings, (&how, wanted));
        if let Some(trace) = &self.desk.orders.replay {
            if trace.header.stage.as_deref() != Some(stage) {
                return Ok(None);
            }
            if let Some(showing) = &self.desk.exhibit {
                let opened = self.opened(trace, &settings, showing);
                self.desk.exhibit.as_mut().expect("it is there").opened = Some(opened);
                return Err(Stop::Opened);
            }
            return Err(Stop::Replayed(self.replay(trace, &settings)));
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
            missed: self.missed(stage, from, is_right && report.violation().is_none()),
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

    fn told(&self, stage: &str, finding: &Finding, settings: &Settings<N>, how: &How<'_, N>) -> Found {
        let shortest = match how {
            // It is a shortest one as it is.
            How::Breadth | How::Eventually(..) => finding.clone(),
            How::Depth | How::Walks(_) => self.checker.minimised(finding, settings),
        };
        let state = self.checker.in_causal_order(&shortest.state);
        let subject = shortest.subject.to_string();
        let words = shortest.words.clone();
        let header = self.header(stage, format!("{subject}: {words}"));
        Found {
            subject,
            words,
            steps: state.steps(),
            told: self.checker.told(&state),
            trace: Trace { header, events: self.checker.events(&state) },
        }
    }

    fn header(&self, stage: &str, reason: String) -> Header {
        let Search { module, name, .. } = self.desk.search;
        Header { stage: Some(stage.to_owned()), ..Header::of(module, name, reason) }
    }

    fn missed(&self, stage: &str, from: &State, is_right: bool) -> Option<Trace> {
        if is_right {
            return None;
        }
        let header = self.header(stage, "here the stage began".to_owned());
        Some(Trace { header, events: self.checker.events(from) })
    }

    /// The way of a trace, for a debugger.
    fn opened(
        &self,
        trace: &Trace,
        settings: &Settings<N>,
        showing: &Showing,
    ) -> Result<Arc<dyn synod_debugger::Desk>, String> {
        let Search { module, name, .. } = self.desk.search;
        let exhibit = Exhibit {
            system: self.checker.system().clone(),
            observer: self.checker.observer().clone(),
            invariants: settings.invariants.clone(),
            goals: settings.goals.clone(),
        };
        let mut setup = exhibit.setup(&format!("{module} {name}"))?;
        module.clone_into(&mut setup.module);
        name.clone_into(&mut setup.scenario);
        setup.stage.clone_from(&trace.header.stage);
        showing.command.clone_into(&mut setup.command);
        setup.past = synod_debugger::Past::Lines(trace.events.clone());
        if matches!(self.replay(trace, settings), Replayed::StillFails(_)) {
            let reason = trace.header.reason.split_once(": ");
            setup.ending = reason.map(|(name, words)| (name.to_owned(), words.to_owned()));
        }
        (showing.dress)(&mut setup);
        synod_debugger::open(setup)
    }

    fn replay(&self, trace: &Trace, settings: &Settings<N>) -> Replayed {
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
enum How<'p, N: Checkable> {
    Breadth,
    Depth,
    Walks(Walks),
    Eventually(&'p Property<N>, Fairness),
}

impl<N: Checkable> How<'_, N> {
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
