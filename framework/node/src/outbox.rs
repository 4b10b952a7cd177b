//! The durability rule: what promises something waits for the disk. Simulator, checker and host share this type.
//!
//! An outbox is a queue of writes and of departures behind them. Writes become durable in order; when one is, the
//! departures up to the next write leave. Nothing waits while nothing is being written.

use crate::{Context, Effect, Node, NodeId, Rename, RequestId};
use std::collections::VecDeque;

/// Something that leaves a node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Departure<N: Node> {
    /// A message into the network, or back to the node itself.
    Message {
        /// Whom it is for.
        to: NodeId,
        /// What it says.
        message: N::Message,
    },
    /// An answer to the node's user.
    Reply {
        /// The request's name.
        id: RequestId,
        /// The answer.
        response: N::Response,
    },
}

/// What a node's effects turn into, for the driver that owns the outbox.
pub trait Sink<N: Node> {
    /// Leaves now.
    fn depart(&mut self, departure: Departure<N>);
    /// To be fired once, in `after` milliseconds from now.
    fn set_timer(&mut self, timer: N::Timer, after: crate::TimerRange);
    /// To be made durable behind all before it; the driver later calls [`Outbox::on_durable`] once for each.
    fn persist(&mut self, record: N::Record);
    /// As `persist`, for a checkpoint.
    fn checkpoint(&mut self, checkpoint: N::Checkpoint);
    /// As `checkpoint`, for one that says nothing new: it may count as durable as soon as all before it is.
    fn compact(&mut self, checkpoint: N::Checkpoint) {
        self.checkpoint(checkpoint);
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Waiting<N: Node> {
    Write,
    Departure(Departure<N>),
}

/// Holds back what must not leave yet. See the module's page.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Outbox<N: Node> {
    /// Empty, or begins with a write.
    waiting: VecDeque<Waiting<N>>,
}

impl<N: Node> Default for Outbox<N> {
    fn default() -> Self {
        Outbox { waiting: VecDeque::new() }
    }
}

impl<N: Node> Outbox<N> {
    /// Takes the effects of one step: hands the sink what may happen now, keeps the rest.
    pub fn take(&mut self, ctx: &mut Context<N>, sink: &mut impl Sink<N>) {
        for effect in ctx.drain_effects() {
            match effect {
                Effect::Send { to, message } => self.depart(Departure::Message { to, message }, sink),
                Effect::SendEarly { to, message } => sink.depart(Departure::Message { to, message }),
                Effect::SetTimer { timer, after } => sink.set_timer(timer, after),
                Effect::Persist(record) => {
                    self.waiting.push_back(Waiting::Write);
                    sink.persist(record);
                }
                Effect::Checkpoint(checkpoint) => {
                    self.waiting.push_back(Waiting::Write);
                    sink.checkpoint(checkpoint);
                }
                Effect::Compact(checkpoint) => {
                    self.waiting.push_back(Waiting::Write);
                    sink.compact(checkpoint);
                }
                Effect::Reply { id, response } => self.depart(Departure::Reply { id, response }, sink),
            }
        }
    }

    fn depart(&mut self, departure: Departure<N>, sink: &mut impl Sink<N>) {
        if self.waiting.is_empty() {
            sink.depart(departure);
        } else {
            self.waiting.push_back(Waiting::Departure(departure));
        }
    }

    /// The oldest `writes` that were not yet durable are so now: what waited for them alone leaves.
    ///
    /// # Panics
    /// If fewer writes are under way: the driver counted wrong.
    pub fn on_durable(&mut self, writes: usize, sink: &mut impl Sink<N>) {
        for _ in 0..writes {
            let first = self.waiting.pop_front();
            assert!(matches!(first, Some(Waiting::Write)), "more writes became durable than were asked for");
            while let Some(Waiting::Departure(_)) = self.waiting.front() {
                let Some(Waiting::Departure(departure)) = self.waiting.pop_front() else { unreachable!() };
                sink.depart(departure);
            }
        }
    }

    /// How many writes are under way.
    pub fn writes(&self) -> usize {
        self.waiting.iter().filter(|waiting| matches!(waiting, Waiting::Write)).count()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many departures wait for a write.
    pub fn held(&self) -> usize {
        self.waiting.len() - self.writes()
    }
}

impl<N: Node<Message: Rename, Response: Rename>> Rename for Outbox<N> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        for waiting in &mut self.waiting {
            match waiting {
                Waiting::Write => {}
                Waiting::Departure(departure) => departure.rename(name),
            }
        }
    }
}
