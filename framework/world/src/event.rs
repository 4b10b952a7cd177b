//! What can happen, what came of it, and why it could not.

use std::fmt;
use synod_node::{Durable, Node, NodeId, RequestId, TimerRange};

/// A message in flight: numbered in the order of sending.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EnvelopeId(pub u64);

/// A timer that was set: numbered in the order of setting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimerId(pub u64);

/// One thing that a driver lets happen.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event<N: Node> {
    /// A node starts for the first time.
    Start(NodeId),
    /// A message arrives, and is in flight no longer.
    Deliver(EnvelopeId),
    /// A message is lost.
    Drop(EnvelopeId),
    /// A message will arrive once more than it would have.
    Duplicate(EnvelopeId),
    /// A timer fires.
    Fire(TimerId),
    /// A node's user asks for something.
    Request {
        /// Which node is asked.
        node: NodeId,
        /// The request's name.
        id: RequestId,
        /// What is asked.
        request: N::Request,
    },
    /// A node's oldest writes become durable.
    Durable {
        /// Whose writes.
        node: NodeId,
        /// How many.
        writes: usize,
    },
    /// A node stops, and loses everything that is not durable.
    Crash(NodeId),
    /// A crashed node runs again with what was durable.
    Restart(NodeId),
    /// A crashed node's disk is lost; `replacement` starts in its place with nothing, under the same name.
    Replace {
        /// Whose disk.
        node: NodeId,
        /// What starts in its place.
        replacement: N,
    },
    /// A crashed node runs again as it was recorded: built like this, with this on its disk.
    Recover {
        /// Which node.
        node: NodeId,
        /// The node as it was built for this start.
        built: N,
        /// What was found on its disk.
        durable: Durable<N>,
    },
}

/// What came of an event, for the driver to schedule or record.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Happening<N: Node> {
    /// A message is in flight.
    Sent(EnvelopeId),
    /// A timer waits.
    TimerSet(TimerId, TimerRange),
    /// A node began one more write.
    Wrote(NodeId),
    /// A node answered its user.
    Replied {
        /// Who answered.
        node: NodeId,
        /// Which request.
        id: RequestId,
        /// The answer.
        response: N::Response,
    },
}

/// Why an event cannot happen now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Misfit {
    /// No node has this name.
    NoSuchNode(NodeId),
    /// The node is not running.
    NotRunning(NodeId),
    /// The node is running already.
    Running(NodeId),
    /// The message is not in flight.
    NotInFlight(EnvelopeId),
    /// The timer does not wait.
    NotSet(TimerId),
    /// The node is not writing as much.
    NotWriting(NodeId),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::NoSuchNode(id) => write!(f, "there is no node {id}"),
            Misfit::NotRunning(id) => write!(f, "{id} is not running"),
            Misfit::Running(id) => write!(f, "{id} is running already"),
            Misfit::NotInFlight(id) => write!(f, "message {} is not in flight", id.0),
            Misfit::NotSet(id) => write!(f, "timer {} does not wait", id.0),
            Misfit::NotWriting(id) => write!(f, "{id} has fewer writes under way"),
        }
    }
}

impl std::error::Error for Misfit {}
