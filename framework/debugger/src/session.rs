//! A session: a tree of moments over one system, each a step from its parent. Whole moments are kept here and there, and
//! taken again in between.

use crate::Shown;
use crate::columns::{self, DIFFERS, Kind, LEADS, MADE, NO_NAME, NONE, Names, OPENED, Row, VIOLATION};
use crate::setup::{Past, Setup, Violation};
use crate::stage::{Stage, Taken};
use crate::words;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use synod_node::NodeId;
use synod_stdx::kind_of;
use synod_world::{Event, Step, TraceEvent};

/// A whole moment is kept every so many steps.
const KEPT_EVERY: u32 = 64;
/// There are no more of them than this: then they stand further apart.
const KEPT_MAX: usize = 512;
/// So many moments that somebody just looked at are kept whole.
const RECENT_MAX: usize = 6;

/// The title of the moment before anything happened.
pub(crate) const BEGINNING: &str = "the beginning";

/// One moment: how it came about.
pub(crate) struct Moment<N: Shown> {
    pub(crate) parent: u32,
    /// None for the beginning.
    pub(crate) step: Option<Step<N>>,
}

/// See the module's page.
pub(crate) struct Session<N: Shown> {
    pub(crate) setup: Arc<Setup<N>>,
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) moments: Vec<Moment<N>>,
    pub(crate) rows: Vec<Row>,
    pub(crate) names: Names,
    pub(crate) terms: Names,
    /// What persons call the branches that end in these moments.
    pub(crate) labels: BTreeMap<u32, String>,
    pub(crate) violations: BTreeMap<u32, Violation>,
    pub(crate) children: BTreeMap<u32, Vec<u32>>,
    /// The ends of branches.
    pub(crate) leaves: BTreeSet<u32>,
    /// By moment: the first on the way to it in which something is violated, or [`NONE`].
    fallen: Vec<u32>,
    /// In which moments what was sent or set in a moment arrived, was lost or fired.
    pub(crate) later: BTreeMap<u32, Vec<u32>>,
    /// Requests in the words of the persons who made them, by moment.
    pub(crate) spoken: BTreeMap<u32, String>,
    /// What whoever opens it should know.
    pub(crate) remarks: Vec<String>,
    /// Where a page begins.
    pub(crate) head: u32,
    kept: BTreeMap<u32, Arc<Stage<N>>>,
    kept_every: u32,
    recent: VecDeque<(u32, Arc<Stage<N>>)>,
    /// The moment that was added last, to be gone on from.
    tip: Option<(u32, Stage<N>)>,
}

impl<N: Shown> Session<N> {
    /// The session that begins with what `setup` says has happened.
    ///
    /// # Errors
    /// If that cannot have happened: at which step, and why.
    pub(crate) fn open(setup: Setup<N>) -> Result<Session<N>, String> {
        let mut setup = setup;
        let past = std::mem::replace(&mut setup.past, Past::Steps(Vec::new()));
        let ending = setup.ending.take();
        let mut session = Session::empty(Arc::new(setup))?;
        session.live_through(past, ending)?;
        Ok(session)
    }

    /// A session of the way to a moment alone.
    ///
    /// # Errors
    /// Never, if the moment is there.
    pub(crate) fn alone(&self, moment: u32) -> Result<Session<N>, String> {
        let mut way = Session::empty(Arc::clone(&self.setup))?;
        let mut at = 0;
        for known in self.path(moment) {
            let Some(step) = self.moments[known as usize].step.clone() else { continue };
            at = way.add(at, step, self.rows[known as usize].at_us)?;
            if let Some(spoken) = self.spoken.get(&known) {
                way.spoken.insert(at, spoken.clone());
            }
            if let Some(violation) = self.violations.get(&known) {
                way.violate(at, violation.clone());
            }
        }
        way.head = at;
        Ok(way)
    }

    fn empty(setup: Arc<Setup<N>>) -> Result<Session<N>, String> {
        let (first, remarks) = (Stage::new(&setup), setup.remarks.clone());
        let nodes: Vec<NodeId> = first.world.ids().collect();
        if nodes.len() >= usize::from(columns::NOBODY) {
            return Err(format!("there are {} nodes: at most 254 can be shown", nodes.len()));
        }
        Ok(Session {
            setup,
            nodes,
            moments: vec![Moment { parent: NONE, step: None }],
            rows: vec![Row { flags: OPENED, ..Row::of(Kind::Beginning, NONE) }],
            names: Names::default(),
            terms: Names::default(),
            labels: BTreeMap::new(),
            violations: BTreeMap::new(),
            children: BTreeMap::new(),
            leaves: BTreeSet::from([0]),
            fallen: vec![NONE],
            later: BTreeMap::new(),
            spoken: BTreeMap::new(),
            remarks,
            head: 0,
            kept: BTreeMap::from([(0, Arc::new(first.clone()))]),
            kept_every: KEPT_EVERY,
            recent: VecDeque::new(),
            tip: Some((0, first)),
        })
    }

    fn live_through(&mut self, past: Past<N>, ending: Option<Violation>) -> Result<(), String> {
        let mut at = 0;
        match past {
            Past::Steps(steps) => {
                for (number, (at_us, step)) in steps.into_iter().enumerate() {
                    let made = self.add(at, step, at_us as f64);
                    at = made.map_err(|why| format!("step {}: {why}", number + 1))?;
                }
            }
            Past::Lines(lines) => at = self.replay(0, &lines)?,
            Past::Recorded(strands) => at = self.relive(strands),
        }
        for row in &mut self.rows {
            row.flags = row.flags & !MADE | OPENED;
        }
        if let Some(violation) = ending
            && at > 0
            && self.first_violation(at).is_none()
        {
            self.violate(at, violation);
        }
        self.head = self.first_violation(at).unwrap_or(at);
        Ok(())
    }

    /// The first moment on the way to this one in which something is violated.
    pub(crate) fn first_violation(&self, moment: u32) -> Option<u32> {
        Some(self.fallen[moment as usize]).filter(|first| *first != NONE)
    }

    /// The moments on the way to this one, itself included, the beginning left out.
    pub(crate) fn path(&self, moment: u32) -> Vec<u32> {
        let mut path = Vec::new();
        let mut at = moment;
        while at != 0 {
            path.push(at);
            at = self.moments[at as usize].parent;
        }
        path.reverse();
        path
    }

    pub(crate) fn number_of(&self, node: NodeId) -> u8 {
        self.nodes.iter().position(|other| *other == node).map_or(columns::NOBODY, |at| at as u8)
    }

    /// Whether there is such a moment.
    ///
    /// # Errors
    /// If there is not.
    pub(crate) fn known(&self, moment: u32) -> Result<u32, String> {
        if (moment as usize) < self.moments.len() {
            Ok(moment)
        } else {
            Err(format!("there is no moment {moment}: the last one is {}", self.moments.len() - 1))
        }
    }

    /// The whole of a moment.
    pub(crate) fn stage(&mut self, moment: u32) -> Arc<Stage<N>> {
        let known = self.recent.iter().position(|(known, _)| *known == moment);
        let known = known.and_then(|at| self.recent.remove(at)).map(|(_, stage)| stage);
        let stage = known.unwrap_or_else(|| Arc::new(self.rebuilt(moment)));
        self.recent.push_front((moment, Arc::clone(&stage)));
        self.recent.truncate(RECENT_MAX);
        stage
    }

    /// A look at the whole of a moment.
    pub(crate) fn peek(&mut self, moment: u32) -> &Stage<N> {
        let is_tip = self.tip.as_ref().is_some_and(|(tip, _)| *tip == moment);
        if !is_tip {
            self.stage(moment);
        }
        match &self.tip {
            Some((tip, stage)) if *tip == moment => stage,
            _ => &self.recent[0].1,
        }
    }

    fn rebuilt(&self, moment: u32) -> Stage<N> {
        if let Some((at, stage)) = &self.tip
            && *at == moment
        {
            return stage.clone();
        }
        let mut way = Vec::new();
        let mut at = moment;
        let begin = loop {
            let recent = || self.recent.iter().find(|(known, _)| *known == at).map(|(_, stage)| stage);
            if let Some(stage) = self.kept.get(&at).or_else(recent) {
                break stage;
            }
            way.push(at);
            at = self.moments[at as usize].parent;
        };
        let mut stage = (**begin).clone();
        for moment in way.into_iter().rev() {
            self.retake(&mut stage, moment);
        }
        stage
    }

    /// Goes on from a moment's parent to it.
    pub(crate) fn retake(&self, stage: &mut Stage<N>, moment: u32) {
        let Some(step) = self.moments[moment as usize].step.clone() else { return };
        if self.has_panicked(moment) {
            // A half-done step is no state: the node stays as it was.
            return;
        }
        let _ = stage.take(&self.setup, step, moment);
    }

    /// The child of `at` by this step: the one that is there, or a new one.
    ///
    /// # Errors
    /// If it cannot happen.
    pub(crate) fn add(&mut self, at: u32, step: Step<N>, at_us: f64) -> Result<u32, String> {
        self.add_recorded(at, step, (at_us, None))
    }

    /// As [`add`](Session::add), of a step that a node took already elsewhere, and what it did then: a digest, which is
    /// compared.
    ///
    /// # Errors
    /// As [`add`](Session::add).
    pub(crate) fn add_recorded(
        &mut self,
        at: u32,
        step: Step<N>,
        (at_us, did): (f64, Option<u64>),
    ) -> Result<u32, String> {
        let children = self.children.get(&at).map_or(&[][..], Vec::as_slice);
        let is_same = |child: &&u32| self.moments[**child as usize].step.as_ref() == Some(&step);
        if let Some(child) = children.iter().find(is_same) {
            return Ok(*child);
        }
        if self.has_panicked(at) {
            return Err("a handler panicked here: nothing comes after it; step back first".to_owned());
        }
        let moment = self.moments.len() as u32;
        let mut stage = match self.tip.take() {
            Some((tip, stage)) if tip == at => stage,
            other => {
                self.tip = other;
                let stage = (*self.stage(at)).clone();
                self.tip = None;
                stage
            }
        };
        let mut row = self.row(&stage, &step, at);
        row.at_us = at_us;
        let taken = match stage.take(&self.setup, step.clone(), moment) {
            Ok(taken) => taken,
            Err(why) => {
                // What could not happen changed nothing that is seen, but this stage may have been asked half of it.
                self.tip = None;
                return Err(why);
            }
        };
        row.answers = taken.answers.unwrap_or(NONE);
        if did.is_some() && taken.did.is_some() && did != taken.did {
            row.flags |= DIFFERS;
        }
        self.moments.push(Moment { parent: at, step: Some(step) });
        self.rows.push(row);
        if row.cause != NONE {
            self.later.entry(row.cause).or_default().push(moment);
        }
        self.children.entry(at).or_default().push(moment);
        self.leaves.remove(&at);
        self.leaves.insert(moment);
        self.fallen.push(self.fallen[at as usize]);
        self.judge(&stage, moment, taken);
        self.keep(stage, moment);
        Ok(moment)
    }

    pub(crate) fn has_panicked(&self, moment: u32) -> bool {
        self.violations.get(&moment).is_some_and(|(name, _)| name == words::PANIC)
    }

    fn judge(&mut self, stage: &Stage<N>, moment: u32, taken: Taken<N>) {
        if let Some(violation) = taken.violation {
            self.violate(moment, violation);
            return;
        }
        let row = self.rows[moment as usize];
        if let Some(portrait) = &self.setup.portrait
            && let Some(node) = self.nodes.get(usize::from(row.node)).and_then(|id| stage.world.node(*id))
            && let Some((term, leads)) = portrait.term(node)
        {
            let row = &mut self.rows[moment as usize];
            row.term = self.terms.number(&term);
            row.flags |= if leads { LEADS } else { 0 };
        }
        if let Some(violation) = self.setup.objection(stage) {
            self.violate(moment, violation);
        }
    }

    fn violate(&mut self, moment: u32, violation: Violation) {
        self.rows[moment as usize].flags |= VIOLATION;
        self.violations.insert(moment, violation);
        // Nothing has come of a moment yet when it is judged.
        let fallen = &mut self.fallen[moment as usize];
        *fallen = (*fallen).min(moment);
    }

    fn keep(&mut self, stage: Stage<N>, moment: u32) {
        if self.has_panicked(moment) {
            self.tip = None;
            return;
        }
        if moment.is_multiple_of(self.kept_every) {
            self.kept.insert(moment, Arc::new(stage.clone()));
            if self.kept.len() > KEPT_MAX {
                self.kept_every *= 2;
                let every = self.kept_every;
                self.kept.retain(|moment, _| moment.is_multiple_of(every));
            }
        }
        self.tip = Some((moment, stage));
    }

    /// The numbers of a step, told before it is taken.
    fn row(&mut self, stage: &Stage<N>, step: &Step<N>, parent: u32) -> Row {
        let row = Row { flags: MADE, ..Row::of(Kind::Beginning, parent) };
        let node = |id: &NodeId| self.number_of(*id);
        let simple = |kind: Kind, id: &NodeId| Row { kind, node: node(id), ..row };
        let (row, name) = match step {
            Step::World(event) => return self.row_of_event(stage, event, row),
            Step::Undrop(envelope) => {
                let row = Row { peer: node(&envelope.from), ..simple(Kind::Undrop, &envelope.to) };
                (row, Some(kind_of(&envelope.message)))
            }
            Step::GiveUp(id) => (simple(Kind::GiveUp, id), None),
            Step::Pause(id) => (simple(Kind::Pause, id), None),
            Step::Resume(id) => (simple(Kind::Resume, id), None),
            Step::Cut { from, to } => (Row { peer: node(to), ..simple(Kind::Cut, from) }, None),
            Step::Heal { from, to } => (Row { peer: node(to), ..simple(Kind::Heal, from) }, None),
        };
        Row { name: name.map_or(NO_NAME, |name| self.names.number(&name)), ..row }
    }

    fn row_of_event(&mut self, stage: &Stage<N>, event: &Event<N>, row: Row) -> Row {
        let number = |node: NodeId| self.number_of(node);
        let born = |number: u64| stage.born.get(&number).copied().unwrap_or(NONE);
        let of_envelope = |id: &synod_world::EnvelopeId, kind: Kind| {
            let envelope = stage.world.envelope(*id);
            let row = Row { kind, message: id.0 as u32, cause: born(id.0), ..row };
            let Some(envelope) = envelope else { return (row, None) };
            let row = Row { node: number(envelope.to), peer: number(envelope.from), ..row };
            (row, Some(kind_of(&envelope.message)))
        };
        let simple = |kind: Kind, node: &NodeId| (Row { kind, node: number(*node), ..row }, None);
        let (row, name) = match event {
            Event::Start(node) => simple(Kind::Start, node),
            Event::Crash(node) => simple(Kind::Crash, node),
            Event::Restart(node) | Event::Recover { node, .. } => simple(Kind::Restart, node),
            Event::Replace { node, .. } => simple(Kind::Replace, node),
            Event::Durable { node, .. } => {
                let (row, name) = simple(Kind::Durable, node);
                let written = stage.written.get(node).and_then(|written| written.front());
                (Row { cause: written.copied().unwrap_or(NONE), ..row }, name)
            }
            Event::Deliver(id) => of_envelope(id, Kind::Deliver),
            Event::Drop(id) => of_envelope(id, Kind::Drop),
            Event::Duplicate(id) => of_envelope(id, Kind::Duplicate),
            Event::Fire(id) => {
                let row = Row { kind: Kind::Fire, message: id.0 as u32, cause: born(id.0), ..row };
                match stage.world.timer(*id) {
                    Some(timer) => (Row { node: number(timer.node), ..row }, Some(kind_of(&timer.timer))),
                    None => (row, None),
                }
            }
            Event::Request { node, id, request } => {
                let (row, _) = simple(Kind::Request, node);
                (Row { message: id.0 as u32, ..row }, Some(kind_of(request)))
            }
        };
        Row { name: name.map_or(NO_NAME, |name| self.names.number(&name)), ..row }
    }

    /// The line of a moment in a trace, told from its parent.
    pub(crate) fn line(&self, stage: &Stage<N>, moment: u32) -> Option<TraceEvent> {
        self.line_at(stage, moment, self.rows[moment as usize].at_us as u64)
    }

    /// As [`line`](Session::line), with another clock.
    pub(crate) fn line_at(&self, stage: &Stage<N>, moment: u32, at_us: u64) -> Option<TraceEvent> {
        let step = self.moments[moment as usize].step.as_ref()?;
        let mut line = words::line(stage, step, at_us);
        if let TraceEvent::Request { words, .. } = &mut line {
            words.clone_from(&self.spoken.get(&moment).cloned());
        }
        Some(line)
    }

    /// Calls `see` with each of these moments, which must lie on one branch, each the child of the one before, and what
    /// there was before it.
    pub(crate) fn walk(&mut self, path: &[u32], mut see: impl FnMut(&Self, &Stage<N>, u32)) {
        let path = path.strip_prefix(&[0]).unwrap_or(path);
        let Some(first) = path.first() else { return };
        let parent = self.moments[*first as usize].parent;
        let mut stage = (*self.stage(parent)).clone();
        for moment in path {
            see(self, &stage, *moment);
            self.retake(&mut stage, *moment);
        }
    }

    /// The lines of the way to a moment.
    pub(crate) fn lines(&mut self, moment: u32) -> Vec<TraceEvent> {
        let path = self.path(moment);
        let mut lines = Vec::with_capacity(path.len());
        self.walk(&path, |session, before, moment| lines.extend(session.line(before, moment)));
        lines
    }

    /// One line about a moment, for people.
    pub(crate) fn title(&mut self, moment: u32) -> String {
        self.line_of(moment).map_or_else(|| BEGINNING.to_owned(), |line| words::title(&line))
    }

    /// The line of a moment in a trace; the beginning has none.
    pub(crate) fn line_of(&mut self, moment: u32) -> Option<TraceEvent> {
        let parent = self.moments[moment as usize].parent;
        if parent == NONE {
            return None;
        }
        let before = self.stage(parent);
        self.line(&before, moment)
    }
}
