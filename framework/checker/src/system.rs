//! What is checked: nodes, their users, the network between them, and what may go wrong.

use crate::Checkable;
use crate::user::User;
use std::sync::Arc;
use synod_node::{Context, NodeId, Stimulus};

/// A search has at most so many nodes: which of them are paused is told in a word.
pub const NODES_MAX: usize = 64;

/// Takes a node's step in place of the node's own handlers.
pub type Substitute<N> = Arc<dyn Fn(&mut N, Stimulus<N>, &mut Context<N>) + Send + Sync>;

/// How the network treats what is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Network {
    /// Anything ever sent may be delivered again, at any time, or never. The weakest of all, and the default.
    #[default]
    Set,
    /// Each message that is sent is delivered at most once, in any order.
    Bag,
    /// Each message that is sent is delivered at most once; between two nodes in the order of sending.
    Ordered,
}

/// What may happen besides deliveries and timers, and how often in one run. Zero each by default.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Budgets {
    /// A server crashes: it loses what is not durable. It restarts at any later time.
    pub crashes: u8,
    /// A step's writes are not durable at once: what waits for them waits, and a crash loses them.
    pub late_writes: u8,
    /// A message is lost. Only where the network is no [`Network::Set`]: there losing is never delivering. Of equal messages
    /// on an ordered link it is the first.
    pub drops: u16,
    /// A user waits no longer for its oldest request, and goes on with the next. Its client must bear it.
    pub give_ups: u8,
    /// A node takes no step until it goes on. Every ordering is searched anyway, so this finds nothing new; it
    /// names the pause in the trace.
    pub pauses: u8,
    /// The partition changes to any other of [`System::partitions`].
    pub cuts: u8,
}

/// The places and rules of one search. Nodes run in the order in which they are added.
#[derive(Clone)]
pub struct System<N: Checkable> {
    pub(crate) places: Vec<Seat<N>>,
    /// How the network treats what is sent.
    pub network: Network,
    /// What else may happen, and how often.
    pub budgets: Budgets,
    /// The partitions that [`Budgets::cuts`] choose from: each a list of links, from and to, over which nothing is
    /// delivered. A search begins without one.
    pub partitions: Vec<Vec<(NodeId, NodeId)>>,
    /// Who takes the nodes' steps: their own handlers, or a mutant of them, which a search has to find out. A mutant
    /// calls [`synod_node::step`] with what it makes of the stimulus, and changes what comes of it.
    pub mutant: Option<Substitute<N>>,
    /// Whether these are a part of all nodes, so that what they send to others is lost. Otherwise it is their mistake.
    pub is_part: bool,
}

/// A node's place before the search.
#[derive(Clone)]
pub(crate) struct Seat<N: Checkable> {
    pub(crate) id: NodeId,
    pub(crate) built: N,
    pub(crate) user: Option<User<N>>,
}

impl<N: Checkable> Default for System<N> {
    fn default() -> Self {
        System {
            places: Vec::new(),
            network: Network::Set,
            budgets: Budgets::default(),
            partitions: Vec::new(),
            mutant: None,
            is_part: false,
        }
    }
}

impl<N: Checkable> System<N> {
    /// A system without nodes, whose network is `network`.
    pub fn new(network: Network) -> Self {
        System { network, ..System::default() }
    }

    /// Adds a node.
    ///
    /// # Panics
    /// If the name is taken, or there are [`NODES_MAX`] nodes already.
    pub fn add(&mut self, id: NodeId, node: N) {
        self.add_seat(Seat { id, built: node, user: None });
    }

    /// Adds a node whose user asks.
    ///
    /// # Panics
    /// As [`add`](System::add).
    pub fn add_with_user(&mut self, id: NodeId, node: N, user: User<N>) {
        self.add_seat(Seat { id, built: node, user: Some(user) });
    }

    fn add_seat(&mut self, seat: Seat<N>) {
        assert!(self.places.iter().all(|other| other.id != seat.id), "two nodes are named {}", seat.id);
        assert!(self.places.len() < NODES_MAX, "a search has at most {NODES_MAX} nodes");
        self.places.push(seat);
    }

    /// The nodes as built, with their users, in the order in which they were added: for who shows them.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &N, Option<&User<N>>)> {
        self.places.iter().map(|seat| (seat.id, &seat.built, seat.user.as_ref()))
    }

    /// The nodes' names, in the order in which they were added.
    pub fn names(&self) -> Vec<NodeId> {
        self.places.iter().map(|seat| seat.id).collect()
    }
}
