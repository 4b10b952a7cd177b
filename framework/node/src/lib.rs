//! The contract between a protocol and whatever drives it: a pure crate.
//!
//! A **node** is plain data. It never acts on its own: a driver hands it a *stimulus* (it starts, a message arrives, a
//! timer fires, its user asks for something, it recovers after a crash), its handler changes the data and says through
//! one [`Context`] what should happen to the world: messages to send, timers to set, records to make durable, answers
//! to give. The local step
//!
//! ```text
//! (node, stimulus) -> (node, effects)
//! ```
//!
//! is all there is of a protocol. The drivers differ in who picks the next stimulus: dice (the simulator), enumeration
//! (the checker), a person (the debugger) or reality (the host). So the code that serves users is the code that was
//! simulated and checked.
//!
//! # What a node may rely on
//! * Handlers run one at a time, to the end. They are deterministic: no clock, no randomness, no I/O, no threads, no
//!   iteration over hash maps.
//! * The network loses, delays, duplicates and reorders messages. It never alters one.
//! * Timers are values, set with a range of milliseconds, never cancelled: a stale one is recognised and ignored.
//!   Between two timers of one node that do not overlap (`t1.max <= t2.min`, t1 set first) order is kept.
//! * **Durability is an effect.** What a node [`send`](Context::send)s or [`reply`](Context::reply)s after
//!   [`persist`](Context::persist), in that handler or any later one, leaves only once the record is durable.
//!   [`send_early`](Context::send_early) may leave before; it is for messages that promise nothing. A node that wants
//!   to know that its own record is durable sends itself a message.
//! * A crash loses everything but what was durable: [`Node::on_recover`] gets the newest checkpoint and the records
//!   that were persisted after it, in order, perhaps without the last few that were not yet durable.
//!
//! [`Outbox`] is the one implementation of the durability rule; simulator, checker and host share it. [`Rename`] gives
//! the nodes in a state other names, for drivers that look for states that are alike.
//!
//! # What is left out
//! Addresses and connections belong to the drivers. So does randomised backoff: a node names a range, the driver picks
//! from it. A node that must know how time passes is told so by its driver, as a request: see [`ClockReading`].

mod clock;
mod context;
mod id;
mod machine;
mod outbox;
#[cfg(test)]
mod outbox_tests;
mod rename;
mod stimulus;

pub use clock::ClockReading;
pub use context::{Context, Effect, TimerRange};
pub use id::{NodeId, RequestId};
pub use machine::{StateMachine, UNLOGGED_MS_MAX};
pub use outbox::{Departure, Outbox, Sink};
pub use rename::Rename;
pub use stimulus::{Durable, Stimulus, step};

use std::fmt::Debug;
use std::hash::Hash;

/// What messages, timers, records and requests have in common: plain values that a driver can keep, compare and show.
pub trait Value: Clone + Eq + Hash + Debug {}

impl<T: Clone + Eq + Hash + Debug> Value for T {}

/// A protocol's state machine: see the crate's page for what it may rely on.
pub trait Node: Value {
    /// What nodes say to each other.
    type Message: Value;
    /// What a node reminds itself of.
    type Timer: Value;
    /// One durable step: recovery reads them back in order.
    type Record: Value;
    /// The whole durable state at one moment: replaces every record persisted before it.
    type Checkpoint: Value;
    /// What a user asks of this node.
    type Request: Value;
    /// What this node answers to its user.
    type Response: Value;

    /// The node begins to run for the first time, with nothing durable.
    fn on_start(&mut self, ctx: &mut Context<Self>);

    /// A message arrived. It may be old, a duplicate, or out of order.
    fn on_message(&mut self, from: NodeId, message: Self::Message, ctx: &mut Context<Self>);

    /// Whether `message` is one that `from` may send to a node like this: of a kind that it is sent, and in no other node's name.
    /// Nodes send each other nothing else, so drivers that only run nodes need not ask; one that hears from processes that may
    /// be anything asks before each message, also of its own nodes and of a node to itself, and hands over none that is not
    /// accepted.
    fn accepts(&self, from: NodeId, message: &Self::Message) -> bool {
        let _ = (from, message);
        true
    }

    /// A timer fired. It may be stale.
    fn on_timer(&mut self, timer: Self::Timer, ctx: &mut Context<Self>);

    /// Its user asks for something; the answer is a [`reply`](Context::reply) with the same `id`, now or later.
    fn on_request(&mut self, id: RequestId, request: Self::Request, ctx: &mut Context<Self>);

    /// The node runs again after a crash. `self` is as it was built, before [`on_start`](Node::on_start), which is not
    /// called; `durable` is what survived.
    fn on_recover(&mut self, durable: Durable<Self>, ctx: &mut Context<Self>);

    /// The whole durable state as it is now, if the node lets a driver put it in the place of everything that it persisted so
    /// far, at any moment: what it holds is the same, or more. A driver needs it where the records of a node that says little
    /// keep those of others from being forgotten.
    fn compaction(&self) -> Option<Self::Checkpoint> {
        None
    }

    /// Panics if the state is one that must not be. Called after every handler, in every driver.
    fn assert_invariants(&self) {}
}

/// A node whose parts threads may share: any whose parts are plain data. Who works on several threads asks for it.
pub trait SharedNode:
    Node<
        Message: Send + Sync,
        Timer: Send + Sync,
        Record: Send + Sync,
        Checkpoint: Send + Sync,
        Request: Send + Sync,
        Response: Send + Sync,
    > + Send
    + Sync
    + 'static
{
}

impl<N> SharedNode for N
where
    N: Node + Send + Sync + 'static,
    N::Message: Send + Sync,
    N::Timer: Send + Sync,
    N::Record: Send + Sync,
    N::Checkpoint: Send + Sync,
    N::Request: Send + Sync,
    N::Response: Send + Sync,
{
}
