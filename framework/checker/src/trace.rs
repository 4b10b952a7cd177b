//! A path as a trace, in words for people and as events for other drivers; and the way back from a trace to a path.

use crate::Checkable;
use crate::checker::{Checker, Opening};
use crate::local::Detail;
use crate::observer::Seen;
use crate::path::{Taken, anything};
use crate::shared::NOTHING_SEEN;
use crate::state::State;
use crate::stim::{Act, Choice, Stim};
use crate::system::Network;
use crate::worker::Worker;
use std::fmt::Write as _;
use synod_node::NodeId;
use synod_stdx::changes;
use synod_world::{TraceEvent, shorten};

/// So many changes of one step are told.
const CHANGES_MAX: usize = 12;

/// Why a trace is no path of this system any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfit {
    /// Which step, from 1; steps that only follow from another are not counted.
    pub step: usize,
    /// Why it cannot be taken.
    pub why: String,
}

impl<N: Checkable> Checker<N> {
    /// What happened on the way to `state`, as a trace's events: first every node starts, unless the search began at a
    /// [`Moment`](crate::Moment). What follows from a step at once, a write that becomes durable or a request of the user,
    /// stands behind it.
    pub fn events(&self, state: &State) -> Vec<TraceEvent> {
        let mut events = Vec::new();
        for Opening { place, act, before } in self.opening.iter().copied() {
            let id = self.names()[place];
            if act == Act::Start {
                events.push(TraceEvent::Start { at_us: 0, node: id.to_string() });
            }
            let details = self.shared.details(before, Stim::act(place, act));
            events.extend(details.iter().map(|detail| event_of(id, detail)));
        }
        let taken = self.take_again(&state.path);
        for (at, step) in taken.iter().enumerate() {
            let event = self.event(step.stim);
            // In a network that is a set a delivery takes nothing away; elsewhere a copy must be made first.
            if let TraceEvent::Deliver { at_us, from, to, message } = &event
                && self.network() == Network::Set
                && taken[at + 1..].iter().any(|later| is_of_same_envelope(step.stim, later.stim))
            {
                let (at_us, from, to, message) = (*at_us, from.clone(), to.clone(), message.clone());
                events.push(TraceEvent::Duplicate { at_us, from, to, message });
            }
            // The write that this step makes durable is the step itself.
            let is_durable = matches!(step.stim.choice(), Choice::Act { act: Act::Durable, .. });
            events.push(event);
            events.extend(self.followers(step).into_iter().skip(usize::from(is_durable)));
        }
        events
    }

    /// What followed from a step at once.
    fn followers(&self, step: &Taken) -> Vec<TraceEvent> {
        let Some(place) = step.place else { return Vec::new() };
        let details = self.shared.details(step.before[place], step.stim);
        details.iter().map(|detail| event_of(self.names()[place], detail)).collect()
    }

    fn event(&self, stim: Stim) -> TraceEvent {
        let parts = |envelope: u32| {
            let value = self.shared.envelopes.value(envelope);
            (value.from.to_string(), value.to.to_string(), format!("{:?}", value.message))
        };
        let at_us = 0;
        match stim.choice() {
            Choice::Deliver { envelope, is_late: _ } => {
                let (from, to, message) = parts(envelope);
                TraceEvent::Deliver { at_us, from, to, message }
            }
            Choice::Drop { envelope } => {
                let (from, to, message) = parts(envelope);
                TraceEvent::Drop { at_us, from, to, message }
            }
            Choice::Undrop { envelope } => {
                let (from, to, message) = parts(envelope);
                TraceEvent::Undrop { from, to, message }
            }
            Choice::Fire { timer, is_late: _ } => {
                let value = self.shared.timers.value(timer);
                let node = self.names()[value.place].to_string();
                TraceEvent::Fire { at_us, node, timer: format!("{:?}", value.timer) }
            }
            Choice::Cut { partition } => TraceEvent::Cut { partition },
            Choice::Act { place, act } => {
                let node = self.names()[place].to_string();
                match act {
                    Act::Start => TraceEvent::Start { at_us, node },
                    Act::Durable => TraceEvent::Durable { at_us, node, writes: 1 },
                    Act::Crash => TraceEvent::Crash { at_us, node },
                    Act::Restart => TraceEvent::Restart { at_us, node },
                    Act::GiveUp => TraceEvent::GiveUp { node },
                    Act::Pause => TraceEvent::Pause { node },
                    Act::Resume => TraceEvent::Resume { node },
                }
            }
        }
    }

    /// The way to `state` in words: a line for each step, and below it what the step changed.
    pub fn told(&self, state: &State) -> String {
        let mut text = String::new();
        for (at, step) in self.take_again(&state.path).iter().enumerate() {
            let event = self.event(step.stim);
            let is_late = matches!(
                step.stim.choice(),
                Choice::Deliver { is_late: true, .. } | Choice::Fire { is_late: true, .. }
            );
            let late = if is_late { "   (its writes are not durable yet)" } else { "" };
            // Without the column of times: there is no clock here.
            let line = event.to_string();
            let (_, what) = line.split_once("ms  ").unwrap_or(("", &line));
            let _ = writeln!(text, "{:>4}  {what}{late}", at + 1);
            for line in self.told_changes(step) {
                let _ = writeln!(text, "            {}", shorten(&line));
            }
        }
        text
    }

    fn told_changes(&self, step: &Taken) -> Vec<String> {
        let Some(place) = step.place else { return Vec::new() };
        let node = |state: &[u32]| {
            let place = self.shared.places.value(state[place]);
            place.node.map(|(node, _)| self.shared.nodes.value(node))
        };
        let mut lines = Vec::new();
        if let (Some(before), Some(after)) = (node(&step.before), node(&step.after)) {
            let changes = changes(before, after);
            lines.extend(changes.iter().take(CHANGES_MAX).map(ToString::to_string));
            if changes.len() > CHANGES_MAX {
                lines.push(format!("… and {} more", changes.len() - CHANGES_MAX));
            }
        }
        for envelope in &step.sends {
            let value = self.shared.envelopes.value(*envelope);
            lines.push(format!("-> {:<5} {:?}", value.to.to_string(), value.message));
        }
        let seen = self.shared.step(step.before[place], step.stim).seen;
        if seen != NOTHING_SEEN {
            lines.extend(self.shared.seen.value(seen).iter().map(|seen| match seen {
                Seen::Invoke { client, id, request } => format!("{client} asks {id} {request:?}"),
                Seen::Return { client, id, response } => format!("{client} is answered {id} {response:?}"),
                Seen::GiveUp { client, id } => format!("{client} waits no longer for {id}"),
            }));
        }
        lines
    }

    /// The state to which a trace leads: its events are known by their texts.
    ///
    /// # Errors
    /// The first step that this system cannot take, and why.
    pub fn retraced(&self, events: &[TraceEvent]) -> Result<State, Unfit> {
        let settings = anything();
        let mut worker = Worker::new(&self.shared, &settings);
        let is_start = |event: &&TraceEvent| {
            matches!(
                event,
                TraceEvent::Start { .. } | TraceEvent::Request { .. } | TraceEvent::Durable { .. }
            )
        };
        let mut at = events.iter().take_while(is_start).count();
        let mut state = self.start();
        let mut step = 0;
        while at < events.len() {
            if self.is_needless(&state, &events[at]) {
                at += 1;
                continue;
            }
            step += 1;
            let unfit = |why: String| Unfit { step, why };
            let (taken, followers) = self.fit(&mut worker, &state, &events[at..]).map_err(unfit)?;
            state = state.extended(taken.after, &[taken.stim]);
            at += 1 + followers;
        }
        Ok(state)
    }

    /// Whether there is nothing to do for an event: a copy need not be made here, a user asks by itself, and what is not
    /// written any more need not become durable.
    fn is_needless(&self, state: &State, event: &TraceEvent) -> bool {
        match event {
            TraceEvent::Duplicate { .. } | TraceEvent::Request { .. } => true,
            TraceEvent::Durable { node, .. } => self.place_of(node).is_ok_and(|place| {
                let side = self.shared.places.value(state.vector[place]).side.0;
                self.shared.sides.value(side).writing.is_empty()
            }),
            _ => false,
        }
    }

    /// The step that the first event means, and how many events behind it only follow from it.
    fn fit(
        &self,
        worker: &mut Worker<'_, N>,
        state: &State,
        events: &[TraceEvent],
    ) -> Result<(Taken, usize), String> {
        let mut fitting = None;
        let mut otherwise = None;
        for stim in self.meant(state, &events[0])? {
            let Some(taken) = self.follow(worker, &state.vector, stim) else { continue };
            let is_durable = matches!(stim.choice(), Choice::Act { act: Act::Durable, .. });
            let expected = self.followers(&taken);
            let expected = &expected[usize::from(is_durable).min(expected.len())..];
            if events[1..].starts_with(expected) {
                let is_better = fitting.as_ref().is_none_or(|(_, count)| expected.len() > *count);
                if is_better {
                    fitting = Some((taken, expected.len()));
                }
            } else if otherwise.is_none() {
                // The protocol does something else now. What followed then is left out.
                let node = taken.place.map(|place| self.names()[place].to_string());
                let follows = |event: &&TraceEvent| match event {
                    TraceEvent::Durable { node: of, .. } | TraceEvent::Request { node: of, .. } => {
                        Some(of) == node.as_ref()
                    }
                    _ => false,
                };
                let count = events[1..].iter().take_while(follows).count();
                otherwise = Some((taken, count));
            }
        }
        let fitting = fitting.or(otherwise);
        fitting.ok_or_else(|| "the system cannot take this step now: the node is crashed or paused, a partition is between, or the budget for it is spent".to_owned())
    }

    /// The stimuli that an event of a trace may mean, the likeliest first.
    fn meant(&self, state: &State, event: &TraceEvent) -> Result<Vec<Stim>, String> {
        let act = |node: &String, act: Act| Ok(vec![Stim::act(self.place_of(node)?, act)]);
        match event {
            TraceEvent::Deliver { from, to, message, .. } => {
                let flight = &state.vector[self.names().len() + 2..];
                let envelope = self.envelope_of(flight, (from, to, message))?;
                let deliver = |is_late| Stim::new(Choice::Deliver { envelope, is_late });
                Ok(vec![deliver(false), deliver(true)])
            }
            TraceEvent::Drop { from, to, message, .. } => {
                let flight = &state.vector[self.names().len() + 2..];
                let envelope = self.envelope_of(flight, (from, to, message))?;
                Ok(vec![Stim::new(Choice::Drop { envelope })])
            }
            TraceEvent::Undrop { from, to, message } => {
                let all: Vec<u32> = (0..self.shared.envelopes.len() as u32).collect();
                let envelope = self.envelope_of(&all, (from, to, message))?;
                Ok(vec![Stim::new(Choice::Undrop { envelope })])
            }
            TraceEvent::Fire { node, timer, .. } => {
                let fireable = self.shared.fireable(state.vector[self.place_of(node)?]);
                let is_meant = |id: &u32| format!("{:?}", self.shared.timers.value(*id).timer) == *timer;
                let timer = fireable.into_iter().find(is_meant).ok_or_else(|| {
                    format!("no timer `{timer}` waits at {node}, or another one must fire before it")
                })?;
                let fire = |is_late| Stim::new(Choice::Fire { timer, is_late });
                Ok(vec![fire(false), fire(true)])
            }
            TraceEvent::Durable { node, .. } => act(node, Act::Durable),
            TraceEvent::Crash { node, .. } => act(node, Act::Crash),
            TraceEvent::Restart { node, .. } => act(node, Act::Restart),
            TraceEvent::GiveUp { node } => act(node, Act::GiveUp),
            TraceEvent::Pause { node } => act(node, Act::Pause),
            TraceEvent::Resume { node } => act(node, Act::Resume),
            TraceEvent::Cut { partition } => Ok(vec![Stim::new(Choice::Cut { partition: *partition })]),
            TraceEvent::CutLink { from, to } | TraceEvent::HealLink { from, to } => {
                Err(format!("the link from {from} to {to} changes alone, and here whole partitions do"))
            }
            TraceEvent::Start { node, .. } => Err(format!("{node} starts, and here all have started")),
            TraceEvent::Replace { node, .. } => {
                Err(format!("the disk of {node} is lost, and here none is ever lost"))
            }
            TraceEvent::Duplicate { .. } | TraceEvent::Request { .. } => {
                unreachable!("these need no step here")
            }
        }
    }

    fn place_of(&self, name: &str) -> Result<usize, String> {
        let id = name.parse::<NodeId>().ok().and_then(|id| self.shared.index(id));
        id.ok_or_else(|| format!("there is no node `{name}`"))
    }

    fn envelope_of(&self, ids: &[u32], (from, to, text): (&str, &str, &str)) -> Result<u32, String> {
        let is_meant = |id: &&u32| {
            let value = self.shared.envelopes.value(**id);
            value.from.to_string() == from
                && value.to.to_string() == to
                && format!("{:?}", value.message) == text
        };
        let found = ids.iter().find(is_meant).copied();
        found.ok_or_else(|| format!("no message `{}` is in flight from {from} to {to}", shorten(text)))
    }
}

fn event_of(id: NodeId, detail: &Detail) -> TraceEvent {
    let node = id.to_string();
    match detail {
        Detail::Durable(writes) => TraceEvent::Durable { at_us: 0, node, writes: *writes },
        Detail::Request(id, request) => {
            TraceEvent::Request { at_us: 0, node, id: id.0, request: request.clone(), words: None }
        }
    }
}

fn is_of_same_envelope(one: Stim, other: Stim) -> bool {
    let envelope = |stim: Stim| match stim.choice() {
        Choice::Deliver { envelope, .. } | Choice::Drop { envelope } => Some(envelope),
        Choice::Fire { .. } | Choice::Undrop { .. } | Choice::Act { .. } | Choice::Cut { .. } => None,
    };
    envelope(one).is_some_and(|envelope_of_one| envelope(other) == Some(envelope_of_one))
}
