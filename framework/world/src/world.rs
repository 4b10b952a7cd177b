//! The world's state and its one transition.

use crate::{EnvelopeId, Event, Happening, Misfit, TimerId};
use std::collections::{BTreeMap, VecDeque};
use synod_node::{
    Context, Departure, Durable, Node, NodeId, Outbox, RequestId, Sink, Stimulus, TimerRange, step,
};

/// Who takes the nodes' steps: [`step`], or what stands in for it.
pub type Taker<'a, N> = dyn Fn(&mut N, Stimulus<N>, &mut Context<N>) + Send + Sync + 'a;

/// A message in flight.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Envelope<N: Node> {
    /// Who sent it.
    pub from: NodeId,
    /// Whom it is for.
    pub to: NodeId,
    /// What it says.
    pub message: N::Message,
}

/// A timer that waits.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PendingTimer<N: Node> {
    /// Whose timer.
    pub node: NodeId,
    /// What it reminds of.
    pub timer: N::Timer,
    /// When it may fire, in milliseconds from when it was set.
    pub after: TimerRange,
}

/// A write under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Write<N: Node> {
    /// One more record.
    Record(N::Record),
    /// Replaces everything before it.
    Checkpoint(N::Checkpoint),
}

/// One node's place: the node while it runs, and its disk.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Place<N: Node> {
    /// The node as built, before it ever ran: what a restart begins with.
    built: N,
    running: Option<N>,
    outbox: Outbox<N>,
    disk: Durable<N>,
    writing: VecDeque<Write<N>>,
}

/// Everything there is at one moment. See the crate's page.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct World<N: Node> {
    places: BTreeMap<NodeId, Place<N>>,
    flight: BTreeMap<EnvelopeId, Envelope<N>>,
    timers: BTreeMap<TimerId, PendingTimer<N>>,
    next: u64,
}

impl<N: Node> Default for World<N> {
    fn default() -> Self {
        World { places: BTreeMap::new(), flight: BTreeMap::new(), timers: BTreeMap::new(), next: 0 }
    }
}

impl<N: Node> World<N> {
    /// Adds a node that does not run yet.
    ///
    /// # Panics
    /// If the name is taken.
    pub fn add(&mut self, id: NodeId, node: N) {
        let place = Place {
            built: node,
            running: None,
            outbox: Outbox::default(),
            disk: Durable::default(),
            writing: VecDeque::new(),
        };
        assert!(self.places.insert(id, place).is_none(), "two nodes are named {id}");
    }

    /// Every node's name, in order.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.places.keys().copied()
    }

    /// A node as it was built, before it ever ran.
    pub fn built(&self, id: NodeId) -> Option<&N> {
        self.places.get(&id).map(|place| &place.built)
    }

    /// A running node.
    pub fn node(&self, id: NodeId) -> Option<&N> {
        self.places.get(&id)?.running.as_ref()
    }

    /// The running nodes, in order.
    pub fn running(&self) -> impl Iterator<Item = (NodeId, &N)> {
        self.places.iter().filter_map(|(id, place)| Some((*id, place.running.as_ref()?)))
    }

    /// Whether a node of this name runs.
    pub fn is_running(&self, id: NodeId) -> bool {
        self.node(id).is_some()
    }

    /// What of a node is durable.
    pub fn disk(&self, id: NodeId) -> Option<&Durable<N>> {
        Some(&self.places.get(&id)?.disk)
    }

    /// A node's writes under way, oldest first.
    pub fn writing(&self, id: NodeId) -> impl Iterator<Item = &Write<N>> {
        self.places.get(&id).into_iter().flat_map(|place| &place.writing)
    }

    /// What waits for a node's writes to be durable.
    pub fn outbox(&self, id: NodeId) -> Option<&Outbox<N>> {
        Some(&self.places.get(&id)?.outbox)
    }

    /// A message in flight.
    pub fn envelope(&self, id: EnvelopeId) -> Option<&Envelope<N>> {
        self.flight.get(&id)
    }

    /// The messages in flight, in the order of sending.
    pub fn flight(&self) -> impl Iterator<Item = (EnvelopeId, &Envelope<N>)> {
        self.flight.iter().map(|(id, envelope)| (*id, envelope))
    }

    /// A timer that waits.
    pub fn timer(&self, id: TimerId) -> Option<&PendingTimer<N>> {
        self.timers.get(&id)
    }

    /// The timers that wait, in the order of setting.
    pub fn timers(&self) -> impl Iterator<Item = (TimerId, &PendingTimer<N>)> {
        self.timers.iter().map(|(id, timer)| (*id, timer))
    }

    /// How many messages and timers there were so far. Those that come of the next event have the numbers after this one.
    pub fn numbered(&self) -> u64 {
        self.next
    }

    /// Puts a message in flight that nobody sends: one that was lost and is found again.
    pub fn put(&mut self, envelope: Envelope<N>) -> EnvelopeId {
        let id = EnvelopeId(self.number());
        self.flight.insert(id, envelope);
        id
    }

    /// Lets `event` happen. What came of it is appended to `happenings`; returns the node that took a step, if one did.
    ///
    /// # Errors
    /// If the event cannot happen; the world is then as it was.
    ///
    /// # Panics
    /// If a handler does, or a node's invariant is false.
    pub fn apply(
        &mut self,
        event: Event<N>,
        happenings: &mut Vec<Happening<N>>,
    ) -> Result<Option<NodeId>, Misfit> {
        self.apply_by(&step, event, happenings)
    }

    /// As [`apply`](World::apply), where `taker` takes the nodes' steps: a mutant's mistakes are made there.
    ///
    /// # Errors
    /// As [`apply`](World::apply).
    ///
    /// # Panics
    /// As [`apply`](World::apply).
    pub fn apply_by(
        &mut self,
        taker: &Taker<'_, N>,
        event: Event<N>,
        happenings: &mut Vec<Happening<N>>,
    ) -> Result<Option<NodeId>, Misfit> {
        match event {
            Event::Start(id) => {
                let place = self.resting(id)?;
                place.running = Some(place.built.clone());
                self.step((id, taker), Stimulus::Start, happenings)
            }
            Event::Deliver(envelope) => {
                let to = self.flight.get(&envelope).ok_or(Misfit::NotInFlight(envelope))?.to;
                self.must_run(to)?;
                let Some(found) = self.flight.remove(&envelope) else { unreachable!() };
                let Envelope { from, message, .. } = found;
                self.step((to, taker), Stimulus::Message { from, message }, happenings)
            }
            Event::Drop(envelope) => {
                self.flight.remove(&envelope).ok_or(Misfit::NotInFlight(envelope))?;
                Ok(None)
            }
            Event::Duplicate(envelope) => {
                let copy = self.flight.get(&envelope).ok_or(Misfit::NotInFlight(envelope))?.clone();
                let id = EnvelopeId(self.number());
                self.flight.insert(id, copy);
                happenings.push(Happening::Sent(id));
                Ok(None)
            }
            Event::Fire(timer) => {
                let node = self.timers.get(&timer).ok_or(Misfit::NotSet(timer))?.node;
                self.must_run(node)?;
                let Some(PendingTimer { timer, .. }) = self.timers.remove(&timer) else { unreachable!() };
                self.step((node, taker), Stimulus::Timer(timer), happenings)
            }
            Event::Request { node, id, request } => {
                self.must_run(node)?;
                self.step((node, taker), Stimulus::Request { id, request }, happenings)
            }
            Event::Durable { node, writes } => self.become_durable(node, writes, happenings),
            Event::Crash(node) => {
                self.must_run(node)?;
                self.crash(node);
                Ok(None)
            }
            Event::Restart(node) => {
                let place = self.resting(node)?;
                place.running = Some(place.built.clone());
                let durable = place.disk.clone();
                self.step((node, taker), Stimulus::Recover(durable), happenings)
            }
            Event::Replace { node, replacement } => {
                let place = self.resting(node)?;
                place.disk = Durable::default();
                place.built = replacement;
                place.running = Some(place.built.clone());
                self.step((node, taker), Stimulus::Start, happenings)
            }
            Event::Recover { node, built, durable } => {
                let place = self.resting(node)?;
                place.disk = durable.clone();
                place.built = built;
                place.running = Some(place.built.clone());
                self.step((node, taker), Stimulus::Recover(durable), happenings)
            }
        }
    }

    /// The place of a node that does not run.
    fn resting(&mut self, id: NodeId) -> Result<&mut Place<N>, Misfit> {
        let place = self.places.get_mut(&id).ok_or(Misfit::NoSuchNode(id))?;
        if place.running.is_some() { Err(Misfit::Running(id)) } else { Ok(place) }
    }

    fn must_run(&self, id: NodeId) -> Result<(), Misfit> {
        match self.places.get(&id) {
            None => Err(Misfit::NoSuchNode(id)),
            Some(place) if place.running.is_none() => Err(Misfit::NotRunning(id)),
            Some(_) => Ok(()),
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The one place where a node of a world takes a step.
    fn step(
        &mut self,
        (id, taker): (NodeId, &Taker<'_, N>),
        stimulus: Stimulus<N>,
        happenings: &mut Vec<Happening<N>>,
    ) -> Result<Option<NodeId>, Misfit> {
        let mut ctx = Context::new(id);
        let place = self.places.get_mut(&id).ok_or(Misfit::NoSuchNode(id))?;
        taker(place.running.as_mut().ok_or(Misfit::NotRunning(id))?, stimulus, &mut ctx);
        let mut sink = Scene {
            id,
            flight: &mut self.flight,
            timers: &mut self.timers,
            writing: &mut place.writing,
            next: &mut self.next,
            happenings,
        };
        place.outbox.take(&mut ctx, &mut sink);
        Ok(Some(id))
    }

    fn become_durable(
        &mut self,
        node: NodeId,
        writes: usize,
        happenings: &mut Vec<Happening<N>>,
    ) -> Result<Option<NodeId>, Misfit> {
        let place = self.places.get_mut(&node).ok_or(Misfit::NoSuchNode(node))?;
        if place.writing.len() < writes {
            return Err(Misfit::NotWriting(node));
        }
        for write in place.writing.drain(..writes) {
            match write {
                Write::Record(record) => place.disk.records.push(record),
                Write::Checkpoint(checkpoint) => {
                    place.disk = Durable { checkpoint: Some(checkpoint), records: Vec::new() };
                }
            }
        }
        let mut sink = Scene {
            id: node,
            flight: &mut self.flight,
            timers: &mut self.timers,
            writing: &mut place.writing,
            next: &mut self.next,
            happenings,
        };
        place.outbox.on_durable(writes, &mut sink);
        Ok(None)
    }

    fn crash(&mut self, node: NodeId) {
        if let Some(place) = self.places.get_mut(&node) {
            place.running = None;
            place.outbox = Outbox::default();
            place.writing.clear();
        }
        self.timers.retain(|_, timer| timer.node != node);
    }
}

/// Where a node's effects go.
struct Scene<'a, N: Node> {
    id: NodeId,
    flight: &'a mut BTreeMap<EnvelopeId, Envelope<N>>,
    timers: &'a mut BTreeMap<TimerId, PendingTimer<N>>,
    writing: &'a mut VecDeque<Write<N>>,
    next: &'a mut u64,
    happenings: &'a mut Vec<Happening<N>>,
}

impl<N: Node> Sink<N> for Scene<'_, N> {
    fn depart(&mut self, departure: Departure<N>) {
        match departure {
            Departure::Message { to, message } => {
                *self.next += 1;
                let id = EnvelopeId(*self.next);
                self.flight.insert(id, Envelope { from: self.id, to, message });
                self.happenings.push(Happening::Sent(id));
            }
            Departure::Reply { id, response } => self.reply(id, response),
        }
    }

    fn set_timer(&mut self, timer: N::Timer, after: TimerRange) {
        *self.next += 1;
        let id = TimerId(*self.next);
        self.timers.insert(id, PendingTimer { node: self.id, timer, after: after.clone() });
        self.happenings.push(Happening::TimerSet(id, after));
    }

    fn persist(&mut self, record: N::Record) {
        self.writing.push_back(Write::Record(record));
        self.happenings.push(Happening::Wrote(self.id));
    }

    fn checkpoint(&mut self, checkpoint: N::Checkpoint) {
        self.writing.push_back(Write::Checkpoint(checkpoint));
        self.happenings.push(Happening::Wrote(self.id));
    }
}

impl<N: Node> Scene<'_, N> {
    fn reply(&mut self, id: RequestId, response: N::Response) {
        self.happenings.push(Happening::Replied { node: self.id, id, response });
    }
}
