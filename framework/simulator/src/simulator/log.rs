//! What is kept of a run: its digest, its last events for who reads a failure, its trace for who replays it.

use super::Options;
use std::collections::VecDeque;
use std::fmt::Write as _;
use synod_node::{Node, NodeId};
use synod_stdx::Digest;
use synod_world::{Envelope, Event, Film, PendingTimer, Step, TraceEvent, World};

/// What is shown of an event; made into text only when a person will see it.
enum Kept<N: Node> {
    Text(TraceEvent),
    Deliver(u64, Envelope<N>),
    Lost(u64, Envelope<N>),
    Doubled(u64, Envelope<N>),
    Fire(u64, PendingTimer<N>),
}

/// The record of one run.
pub(super) struct Log<N: Node> {
    last: VecDeque<Kept<N>>,
    trace: Vec<TraceEvent>,
    film: Vec<(u64, Step<N>)>,
    first: World<N>,
    digest: Digest,
}

impl<N: Node> Default for Log<N> {
    fn default() -> Self {
        Log {
            last: VecDeque::new(),
            trace: Vec::new(),
            film: Vec::new(),
            first: World::default(),
            digest: Digest::default(),
        }
    }
}

impl<N: Node> Log<N> {
    /// Digests an event that is about to happen in `world`, and keeps it for whoever will want to see it.
    pub(super) fn note(&mut self, at_us: u64, event: &Event<N>, world: &World<N>, options: &Options) {
        if options.record {
            self.trace.push(TraceEvent::of(at_us, event, world));
            self.film.push((at_us, Step::World(event.clone())));
        }
        if let Some(kept) = self.digest(at_us, event, world) {
            if self.last.len() >= options.last_events {
                self.last.pop_front();
            }
            self.last.push_back(kept);
        }
    }

    /// Digests an event, and yields what a person would want to see of it.
    fn digest(&mut self, at_us: u64, event: &Event<N>, world: &World<N>) -> Option<Kept<N>> {
        match event {
            Event::Deliver(id) => {
                let _ = write!(self.digest, "{at_us} deliver {}", id.0);
                world.envelope(*id).map(|envelope| Kept::Deliver(at_us, envelope.clone()))
            }
            Event::Drop(id) => {
                let _ = write!(self.digest, "{at_us} drop {}", id.0);
                world.envelope(*id).map(|envelope| Kept::Lost(at_us, envelope.clone()))
            }
            Event::Duplicate(id) => {
                let _ = write!(self.digest, "{at_us} duplicate {}", id.0);
                world.envelope(*id).map(|envelope| Kept::Doubled(at_us, envelope.clone()))
            }
            Event::Fire(id) => {
                let _ = write!(self.digest, "{at_us} fire {}", id.0);
                world.timer(*id).map(|timer| Kept::Fire(at_us, timer.clone()))
            }
            Event::Durable { node, writes } => {
                let _ = write!(self.digest, "{at_us} durable {node} {writes}");
                None
            }
            Event::Start(_)
            | Event::Request { .. }
            | Event::Crash(_)
            | Event::Restart(_)
            | Event::Replace { .. }
            | Event::Recover { .. } => {
                let line = TraceEvent::of(at_us, event, world);
                let _ = write!(self.digest, "{line}");
                Some(Kept::Text(line))
            }
        }
    }

    /// A digest of everything that happened and when.
    pub(super) fn digest_value(&self) -> u64 {
        self.digest.value()
    }

    /// Everything that was recorded.
    pub(super) fn trace(&self) -> Vec<TraceEvent> {
        self.trace.clone()
    }

    /// A node is there from now on.
    pub(super) fn note_node(&mut self, id: NodeId, node: &N, options: &Options) {
        if options.record {
            self.first.add(id, node.clone());
        }
    }

    /// Something happened around the world.
    pub(super) fn note_around(&mut self, at_us: u64, step: Step<N>, options: &Options) {
        if options.record {
            self.film.push((at_us, step));
        }
    }

    /// Everything that was recorded, with its values.
    pub(super) fn film(&self) -> Film<N> {
        Film { first: self.first.clone(), steps: self.film.clone() }
    }

    /// What happened last.
    pub(super) fn last(&self) -> Vec<TraceEvent> {
        self.last.iter().map(Kept::to_line).collect()
    }
}

impl<N: Node> Kept<N> {
    fn to_line(&self) -> TraceEvent {
        let parts = |envelope: &Envelope<N>| {
            (envelope.from.to_string(), envelope.to.to_string(), format!("{:?}", envelope.message))
        };
        match self {
            Kept::Text(line) => line.clone(),
            Kept::Deliver(at_us, envelope) => {
                let (from, to, message) = parts(envelope);
                TraceEvent::Deliver { at_us: *at_us, from, to, message }
            }
            Kept::Lost(at_us, envelope) => {
                let (from, to, message) = parts(envelope);
                TraceEvent::Drop { at_us: *at_us, from, to, message }
            }
            Kept::Doubled(at_us, envelope) => {
                let (from, to, message) = parts(envelope);
                TraceEvent::Duplicate { at_us: *at_us, from, to, message }
            }
            Kept::Fire(at_us, PendingTimer { node, timer, .. }) => {
                TraceEvent::Fire { at_us: *at_us, node: node.to_string(), timer: format!("{timer:?}") }
            }
        }
    }
}
