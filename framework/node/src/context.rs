//! The one door through which a handler acts on the world.

use crate::{Node, NodeId, RequestId};
use std::ops::RangeInclusive;

/// When a timer may fire, in milliseconds from now; the driver picks.
pub type TimerRange = RangeInclusive<u64>;

/// One thing that a handler wants to happen. Their order is the order in which the handler asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Effect<N: Node> {
    /// Leaves once everything persisted before it is durable.
    Send {
        /// Whom it is for; may be the sender itself.
        to: NodeId,
        /// What it says.
        message: N::Message,
    },
    /// May leave at once: it promises nothing.
    SendEarly {
        /// Whom it is for.
        to: NodeId,
        /// What it says.
        message: N::Message,
    },
    /// Fires once, some time in `after`.
    SetTimer {
        /// What the node will be reminded of.
        timer: N::Timer,
        /// Milliseconds from now.
        after: TimerRange,
    },
    /// To be made durable, behind everything persisted before it.
    Persist(N::Record),
    /// To be made durable; from then on it stands for everything persisted before it.
    Checkpoint(N::Checkpoint),
    /// As a checkpoint, but everything in it can be had from what was persisted before: it says nothing new, so a
    /// driver need hold nothing back for it.
    Compact(N::Checkpoint),
    /// Answers a request of the node's user, once everything persisted before it is durable.
    Reply {
        /// The request's name.
        id: RequestId,
        /// The answer.
        response: N::Response,
    },
}

/// What a handler can do. One screen of methods, and nothing else.
#[derive(Debug)]
pub struct Context<N: Node> {
    me: NodeId,
    effects: Vec<Effect<N>>,
}

impl<N: Node> Context<N> {
    /// A context for one step of node `me`. Drivers make these; tests may.
    pub fn new(me: NodeId) -> Self {
        Context { me, effects: Vec::new() }
    }

    /// The node's own name.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// Sends `message` once everything persisted so far is durable.
    pub fn send(&mut self, to: NodeId, message: N::Message) {
        self.effects.push(Effect::Send { to, message });
    }

    /// [`send`](Context::send)s `message` to each of `to`.
    pub fn broadcast(&mut self, to: &[NodeId], message: &N::Message) {
        for to in to {
            self.send(*to, message.clone());
        }
    }

    /// Sends `message` without waiting for what was persisted. Only for messages that promise nothing.
    pub fn send_early(&mut self, to: NodeId, message: N::Message) {
        self.effects.push(Effect::SendEarly { to, message });
    }

    /// Asks to be reminded of `timer` once, in `after` milliseconds from now.
    ///
    /// # Panics
    /// If the range is empty.
    pub fn set_timer(&mut self, timer: N::Timer, after: TimerRange) {
        assert!(!after.is_empty(), "a timer's range has a first and a last moment");
        self.effects.push(Effect::SetTimer { timer, after });
    }

    /// Makes `record` durable, behind everything persisted before.
    pub fn persist(&mut self, record: N::Record) {
        self.effects.push(Effect::Persist(record));
    }

    /// Makes `checkpoint` durable, and lets everything persisted before it be forgotten.
    pub fn checkpoint(&mut self, checkpoint: N::Checkpoint) {
        self.effects.push(Effect::Checkpoint(checkpoint));
    }

    /// Lets everything persisted before be forgotten in favour of `checkpoint`, which holds the same and nothing more.
    pub fn compact(&mut self, checkpoint: N::Checkpoint) {
        self.effects.push(Effect::Compact(checkpoint));
    }

    /// Answers request `id` once everything persisted so far is durable.
    pub fn reply(&mut self, id: RequestId, response: N::Response) {
        self.effects.push(Effect::Reply { id, response });
    }

    /// The effects asked for so far. For drivers.
    pub fn effects(&self) -> &[Effect<N>] {
        &self.effects
    }

    /// Takes the effects asked for so far. For drivers.
    pub fn take_effects(&mut self) -> Vec<Effect<N>> {
        std::mem::take(&mut self.effects)
    }

    /// Takes the effects one by one and keeps the allocation. For drivers that run hot.
    pub fn drain_effects(&mut self) -> std::vec::Drain<'_, Effect<N>> {
        self.effects.drain(..)
    }

    /// Runs a handler of a node that this one owns: `run` gets a context of the owned node's kind, and its effects
    /// come back through `wrap`, in place and in order. So nodes compose by ownership.
    pub fn within<M: Node>(
        &mut self,
        run: impl FnOnce(&mut Context<M>),
        wrap: impl FnMut(Effect<M>) -> Effect<N>,
    ) {
        let mut inner = Context::new(self.me);
        run(&mut inner);
        self.effects.extend(inner.effects.into_iter().map(wrap));
    }
}
