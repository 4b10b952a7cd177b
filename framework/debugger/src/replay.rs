//! Lines of a trace become steps again: messages and timers are known by their texts, requests by their words.

use crate::Shown;
use crate::session::Session;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::words;
use std::sync::Arc;
use synod_node::{NodeId, RequestId};
use synod_world::{Envelope, Event, Step, TraceEvent};

/// Who reads lines.
pub(crate) struct Reading<N: Shown> {
    setup: Arc<Setup<N>>,
    nodes: Vec<NodeId>,
    /// Requests that somebody made already.
    known: Vec<N::Request>,
    /// What was lost on the way.
    lost: Vec<Envelope<N>>,
}

impl<N: Shown> Session<N> {
    /// Takes the steps that these lines mean, from moment `at` on. Returns the last moment.
    ///
    /// # Errors
    /// If one cannot be taken: which line, and why. What was before it is done.
    pub(crate) fn replay(&mut self, at: u32, lines: &[TraceEvent]) -> Result<u32, String> {
        let mut at = at;
        let mut reading = self.reading();
        for (number, line) in lines.iter().enumerate() {
            let found = self.replay_line(at, line, &mut reading);
            at = found.map_err(|why| format!("line {}, `{}`: {why}", number + 1, words::title(line)))?;
        }
        Ok(at)
    }

    pub(crate) fn reading(&self) -> Reading<N> {
        let request = |step: &Step<N>| match step {
            Step::World(Event::Request { request, .. }) => Some(request.clone()),
            Step::World(_) | Step::Undrop(_) | Step::GiveUp(_) | Step::Pause(_) | Step::Resume(_) => None,
            Step::Cut { .. } | Step::Heal { .. } => None,
        };
        let known = self.moments.iter().filter_map(|moment| moment.step.as_ref().and_then(request)).collect();
        Reading { setup: Arc::clone(&self.setup), nodes: self.nodes.clone(), known, lost: Vec::new() }
    }

    fn replay_line(&mut self, at: u32, line: &TraceEvent, reading: &mut Reading<N>) -> Result<u32, String> {
        if let Some(known) = self.child_told(at, line) {
            return Ok(known);
        }
        let steps = reading.steps(self.peek(at), line)?;
        let at_us = (line.at_us() as f64).max(self.rows[at as usize].at_us);
        let mut at = at;
        for step in steps {
            at = self.add(at, step, at_us)?;
        }
        if let TraceEvent::Request { words: Some(spoken), .. } = line {
            self.spoken.insert(at, spoken.clone());
        }
        Ok(at)
    }
}

impl<N: Shown> Session<N> {
    /// The child of a moment that a line tells, if it is there: it may be of a past that words alone do not tell, such as
    /// one that was recorded.
    fn child_told(&mut self, at: u32, line: &TraceEvent) -> Option<u32> {
        let children = self.children.get(&at)?.clone();
        let before = self.stage(at);
        let is_told = |child: &u32| self.line_at(&before, *child, line.at_us()).as_ref() == Some(line);
        children.into_iter().find(is_told)
    }
}

impl<N: Shown> Reading<N> {
    /// Forgets what was lost: another reading begins.
    pub(crate) fn begin(&mut self) -> Arc<Setup<N>> {
        self.lost.clear();
        Arc::clone(&self.setup)
    }

    /// The steps that a line means in a moment.
    ///
    /// # Errors
    /// Why it means none.
    pub(crate) fn steps(&mut self, stage: &Stage<N>, line: &TraceEvent) -> Result<Vec<Step<N>>, String> {
        let node = |text: &str| words::node(&self.nodes, text);
        Ok(vec![match line {
            TraceEvent::Request { node: of, id, request, words: spoken, .. } => {
                let (node, id) = (node(of)?, RequestId(*id));
                let request = self.request(stage, node, request, spoken.as_deref())?;
                Step::World(Event::Request { node, id, request })
            }
            TraceEvent::Replace { node, .. } => {
                return Err(format!(
                    "a trace does not hold what replaced {node}: play its seed again instead"
                ));
            }
            TraceEvent::Undrop { from, to, message } => {
                let (from, to) = (node(from)?, node(to)?);
                let is_meant = |envelope: &&Envelope<N>| {
                    (envelope.from, envelope.to) == (from, to)
                        && format!("{:?}", envelope.message) == *message
                };
                Step::Undrop(
                    self.lost.iter().find(is_meant).ok_or("no such message was lost before")?.clone(),
                )
            }
            TraceEvent::GiveUp { node: of } => Step::GiveUp(node(of)?),
            TraceEvent::Pause { node: of } => Step::Pause(node(of)?),
            TraceEvent::Resume { node: of } => Step::Resume(node(of)?),
            TraceEvent::CutLink { from, to } => Step::Cut { from: node(from)?, to: node(to)? },
            TraceEvent::HealLink { from, to } => Step::Heal { from: node(from)?, to: node(to)? },
            TraceEvent::Cut { partition } => return self.partition(stage, *partition),
            TraceEvent::Start { .. }
            | TraceEvent::Deliver { .. }
            | TraceEvent::Drop { .. }
            | TraceEvent::Duplicate { .. }
            | TraceEvent::Fire { .. }
            | TraceEvent::Durable { .. }
            | TraceEvent::Crash { .. }
            | TraceEvent::Restart { .. } => {
                let event = stage.world.find(line).ok_or_else(|| not_there(line))?;
                if let Event::Drop(id) = &event {
                    self.lost.extend(stage.world.envelope(*id).cloned());
                }
                Step::World(event)
            }
        }])
    }

    /// The links change to those of a partition of the checker's, from number 1, or to none.
    fn partition(&self, stage: &Stage<N>, partition: u32) -> Result<Vec<Step<N>>, String> {
        let links: &[(NodeId, NodeId)] = match partition.checked_sub(1) {
            None => &[],
            Some(at) => {
                let links = self.setup.partitions.get(at as usize);
                links.ok_or_else(|| format!("there is no partition {partition}"))?
            }
        };
        let heal = stage.cuts.iter().filter(|link| !links.contains(link));
        let heal = heal.map(|(from, to)| Step::Heal { from: *from, to: *to });
        let cut = links.iter().filter(|link| !stage.cuts.contains(link));
        let cut = cut.map(|(from, to)| Step::Cut { from: *from, to: *to });
        Ok(heal.chain(cut).collect())
    }

    fn request(
        &self,
        stage: &Stage<N>,
        node: NodeId,
        text: &str,
        spoken: Option<&str>,
    ) -> Result<N::Request, String> {
        if let Some(spoken) = spoken
            && let Some((_, read)) = &self.setup.reader
        {
            return read(node, spoken);
        }
        let is_meant = |request: &N::Request| format!("{request:?}") == text;
        let next = stage.next_request(&self.setup, node).map(|(_, request)| request);
        if let Some(next) = next.filter(is_meant) {
            return Ok(next);
        }
        let known = self.known.iter().find(|request| is_meant(request)).cloned();
        known.ok_or_else(|| format!("the request {text} is none that the users here make"))
    }
}

fn not_there(line: &TraceEvent) -> String {
    match line {
        TraceEvent::Deliver { from, to, .. } | TraceEvent::Drop { from, to, .. } => {
            format!("no such message is in flight from {from} to {to}")
        }
        TraceEvent::Fire { node, .. } => format!("no such timer waits at {node}"),
        _ => "it cannot happen here".to_owned(),
    }
}
