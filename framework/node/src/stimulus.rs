//! The local step, which exists once.

use crate::{Context, Node, NodeId, RequestId};

/// What survived a crash.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Durable<N: Node> {
    /// The newest durable checkpoint.
    pub checkpoint: Option<N::Checkpoint>,
    /// The durable records that were persisted after it, in order.
    pub records: Vec<N::Record>,
}

impl<N: Node> Default for Durable<N> {
    fn default() -> Self {
        Durable { checkpoint: None, records: Vec::new() }
    }
}

/// What can happen to one node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Stimulus<N: Node> {
    /// It runs for the first time.
    Start,
    /// A message arrives.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: N::Message,
    },
    /// A timer fires.
    Timer(N::Timer),
    /// Its user asks.
    Request {
        /// The name by which the answer will be known.
        id: RequestId,
        /// What is asked.
        request: N::Request,
    },
    /// It runs again after a crash, with what survived.
    Recover(Durable<N>),
}

/// The local transition: `node` takes `stimulus`, its effects are in `ctx`, its invariants are asserted.
///
/// # Panics
/// If the handler does, or an invariant is false: a bug of the protocol, which drivers turn into a violation.
pub fn step<N: Node>(node: &mut N, stimulus: Stimulus<N>, ctx: &mut Context<N>) {
    match stimulus {
        Stimulus::Start => node.on_start(ctx),
        Stimulus::Message { from, message } => node.on_message(from, message, ctx),
        Stimulus::Timer(timer) => node.on_timer(timer, ctx),
        Stimulus::Request { id, request } => node.on_request(id, request, ctx),
        Stimulus::Recover(durable) => node.on_recover(durable, ctx),
    }
    node.assert_invariants();
}
