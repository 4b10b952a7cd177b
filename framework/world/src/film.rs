//! A film: a run kept whole, so that it can be gone through again. A trace says the same in words, and knows no values.

use crate::{Envelope, Event, World};
use synod_node::{Node, NodeId};

/// One thing that happened, in a world and around it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step<N: Node> {
    /// The world changed.
    World(Event<N>),
    /// A message that was lost is in flight again.
    Undrop(Envelope<N>),
    /// A node's user waits no longer for its oldest request.
    GiveUp(NodeId),
    /// A node takes no step until it resumes.
    Pause(NodeId),
    /// A node takes steps again.
    Resume(NodeId),
    /// Nothing is delivered from one node to another.
    Cut {
        /// Who sends in vain.
        from: NodeId,
        /// Who hears nothing.
        to: NodeId,
    },
    /// What one node sends can be delivered to another again.
    Heal {
        /// Who sends.
        from: NodeId,
        /// Who hears it.
        to: NodeId,
    },
}

/// What there was at first, and what happened then, each with its moment in microseconds.
#[derive(Clone, Debug)]
pub struct Film<N: Node> {
    /// Every node that there will be; none has started.
    pub first: World<N>,
    /// What happened.
    pub steps: Vec<(u64, Step<N>)>,
}
