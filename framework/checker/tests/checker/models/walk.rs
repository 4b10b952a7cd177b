//! One node that walks a graph: at each place it sends itself a message for every edge that leaves, and goes where the
//! one that arrives says. One that was sent at another place has no effect.

use synod_checker::{Network, System};
use synod_node::{Context, Durable, Node, NodeId, RequestId};

/// The node's name.
pub const WALKER: NodeId = NodeId::server(1);

/// An edge, from and to.
pub type Edge = (u8, u8);

/// The node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Walk {
    /// Where it is.
    pub at: u8,
    edges: Vec<Edge>,
    /// Whether it sends itself the messages of all edges at once, when it starts.
    sends_all: bool,
}

/// A walk from 0.
pub fn walk(network: Network, edges: &[Edge]) -> System<Walk> {
    let mut system = System::new(network);
    system.add(WALKER, Walk { at: 0, edges: edges.to_vec(), sends_all: false });
    system
}

/// A walk from 0 whose states are the graph's places, and nothing else: every message is in flight for ever.
pub fn graph(edges: &[Edge]) -> System<Walk> {
    let mut system = System::new(Network::Set);
    system.add(WALKER, Walk { at: 0, edges: edges.to_vec(), sends_all: true });
    system
}

impl Walk {
    fn look(&self, ctx: &mut Context<Self>) {
        for edge in self.edges.iter().filter(|(from, _)| *from == self.at || self.sends_all) {
            ctx.send(ctx.me(), *edge);
        }
    }
}

impl Node for Walk {
    type Message = Edge;
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        self.look(ctx);
    }

    fn on_message(&mut self, _from: NodeId, (from, to): Edge, ctx: &mut Context<Self>) {
        if self.at == from {
            self.at = to;
            if !self.sends_all {
                self.look(ctx);
            }
        }
    }

    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {}
    fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {}
    fn on_recover(&mut self, _durable: Durable<Self>, ctx: &mut Context<Self>) {
        self.look(ctx);
    }
}
