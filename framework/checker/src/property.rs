//! What is asked of states: invariants, goals and prunes, as predicates over what is part of a state's identity.

use crate::Checkable;
use crate::observer::Observer;
use crate::place::{Envelope, Side};
use crate::shared::Shared;
use std::sync::Arc;
use synod_node::NodeId;

/// What a property looks at. The less it is, the fewer times it must be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reads {
    /// These nodes, and how far their users are.
    Nodes(Vec<NodeId>),
    /// Everything: messages in flight, timers and disks too.
    Everything,
}

type Test<N, O> = Arc<dyn Fn(&View<'_, N, O>) -> Result<(), String> + Send + Sync>;

/// A named predicate over states.
pub struct Property<N: Checkable, O: Observer<N>> {
    pub(crate) name: String,
    pub(crate) reads: Reads,
    pub(crate) test: Test<N, O>,
}

impl<N: Checkable, O: Observer<N>> Clone for Property<N, O> {
    fn clone(&self) -> Self {
        Property { name: self.name.clone(), reads: self.reads.clone(), test: Arc::clone(&self.test) }
    }
}

impl<N: Checkable, O: Observer<N>> Property<N, O> {
    /// A property that holds where `test` returns no objection. It may read only what it declares.
    pub fn new(
        name: impl Into<String>,
        reads: Reads,
        test: impl Fn(&View<'_, N, O>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Property { name: name.into(), reads, test: Arc::new(test) }
    }

    /// A property that holds where `test` says so.
    pub fn when(
        name: impl Into<String>,
        reads: Reads,
        test: impl Fn(&View<'_, N, O>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Property::new(name, reads, move |view| if test(view) { Ok(()) } else { Err(String::new()) })
    }

    /// All users have asked and been answered everything.
    pub fn users_are_done(users: &[NodeId]) -> Self {
        let ids = users.to_vec();
        Property::when("the users are done", Reads::Nodes(users.to_vec()), move |view| {
            ids.iter().all(|id| view.is_done(*id))
        })
    }

    /// No user was answered anything.
    pub fn nobody_is_answered(users: &[NodeId]) -> Self {
        let ids = users.to_vec();
        Property::new("nobody is answered", Reads::Nodes(users.to_vec()), move |view| {
            match ids.iter().find(|id| view.answered(**id) > 0) {
                Some(id) => Err(format!("{id} was answered")),
                None => Ok(()),
            }
        })
    }

    /// More messages are in flight than are of interest: where nothing bounds their number.
    pub fn crowded(messages: usize) -> Self {
        Property::when("many messages are in flight", Reads::Everything, move |view| {
            view.in_flight() > messages
        })
    }

    /// A node does not run.
    pub fn is_down(id: NodeId) -> Self {
        Property::when(format!("{id} is down"), Reads::Nodes(vec![id]), move |view| view.node(id).is_none())
    }

    /// The property that holds exactly where this one does not.
    #[must_use]
    pub fn negated(self) -> Self {
        let test = self.test;
        let name = format!("not: {}", self.name);
        Property::when(name, self.reads, move |view| test(view).is_err())
    }

    /// The property that holds where both do; it reads what either reads.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let reads = match (self.reads, other.reads) {
            (Reads::Nodes(mut ids), Reads::Nodes(others)) => {
                ids.extend(others);
                ids.sort_unstable();
                ids.dedup();
                Reads::Nodes(ids)
            }
            (Reads::Everything, _) | (_, Reads::Everything) => Reads::Everything,
        };
        let name = format!("{}, and {}", self.name, other.name);
        let (one, two) = (self.test, other.test);
        Property::new(name, reads, move |view| one(view).and_then(|()| two(view)))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A state, as a property sees it.
pub struct View<'a, N: Checkable, O: Observer<N>> {
    shared: &'a Shared<N, O>,
    state: &'a [u32],
    reads: &'a Reads,
    nodes: Vec<(NodeId, Option<&'a N>)>,
}

impl<'a, N: Checkable, O: Observer<N>> View<'a, N, O> {
    pub(crate) fn new(shared: &'a Shared<N, O>, state: &'a [u32], reads: &'a Reads) -> Self {
        let node = |index: usize| {
            let place = shared.places.value(state[index]);
            (shared.names[index], place.node.map(|(node, _)| shared.nodes.value(node)))
        };
        let nodes = match reads {
            Reads::Nodes(ids) => ids.iter().filter_map(|id| shared.index(*id)).map(node).collect(),
            Reads::Everything => (0..shared.names.len()).map(node).collect(),
        };
        View { shared, state, reads, nodes }
    }

    /// A node, if it runs.
    ///
    /// # Panics
    /// If the property did not declare that it reads it: a bug of the property.
    pub fn node(&self, id: NodeId) -> Option<&N> {
        let found = self.nodes.iter().find(|(name, _)| *name == id);
        let Some((_, node)) = found else {
            panic!("a property reads {id}, which it did not declare or which is not there")
        };
        *node
    }

    /// The nodes that run, of those that the property reads, in the order of its declaration.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &N)> {
        self.nodes.iter().filter_map(|(id, node)| Some((*id, (*node)?)))
    }

    fn position(&self, id: NodeId) -> Option<(usize, &crate::user::Position)> {
        assert!(self.nodes.iter().any(|(name, _)| *name == id), "a property reads {id}, undeclared");
        let index = self.shared.index(id)?;
        let user = self.shared.places.value(self.state[index]).user?;
        Some((index, self.shared.users.value(user.0)))
    }

    /// How many requests of `id`'s user were answered.
    pub fn answered(&self, id: NodeId) -> u64 {
        self.position(id).map_or(0, |(_, position)| position.answered)
    }

    /// How many requests `id`'s user asked.
    pub fn asked(&self, id: NodeId) -> u64 {
        self.position(id).map_or(0, |(_, position)| position.asked)
    }

    /// Whether `id`'s user has asked and been answered everything.
    pub fn is_done(&self, id: NodeId) -> bool {
        self.position(id).is_some_and(|(index, position)| {
            self.shared.system.places[index].user.as_ref().is_some_and(|user| user.is_done(position))
        })
    }

    fn reads_everything(&self) {
        assert!(*self.reads == Reads::Everything, "a property reads what it did not declare");
    }

    /// The messages in flight, each once, as (from, to, message).
    ///
    /// # Panics
    /// If the property did not declare that it reads everything.
    pub fn messages(&self) -> Vec<(NodeId, NodeId, N::Message)> {
        self.reads_everything();
        let mut ids = self.state[self.shared.names.len() + 2..].to_vec();
        ids.dedup();
        let open = |id: u32| {
            let Envelope { from, to, message } = (*self.shared.envelopes.value(id)).clone();
            (from, to, message)
        };
        ids.into_iter().map(open).collect()
    }

    /// How many messages are in flight, each as often as it is.
    ///
    /// # Panics
    /// If the property did not declare that it reads everything.
    pub fn in_flight(&self) -> usize {
        self.reads_everything();
        self.state.len() - self.shared.names.len() - 2
    }

    /// The timers of `id` that wait.
    ///
    /// # Panics
    /// If the property did not declare that it reads everything.
    pub fn timers(&self, id: NodeId) -> Vec<N::Timer> {
        self.side(id)
            .map_or_else(Vec::new, |side| side.timers.iter().map(|waiting| waiting.timer.clone()).collect())
    }

    /// What of `id` is durable, in searches with crashes.
    ///
    /// # Panics
    /// If the property did not declare that it reads everything.
    pub fn disk(&self, id: NodeId) -> Option<synod_node::Durable<N>> {
        self.side(id).map(|side| side.disk.clone())
    }

    fn side(&self, id: NodeId) -> Option<&Side<N>> {
        self.reads_everything();
        let index = self.shared.index(id)?;
        Some(self.shared.sides.value(self.shared.places.value(self.state[index]).side.0))
    }

    /// The observer.
    ///
    /// # Panics
    /// If the property did not declare that it reads everything.
    pub fn observer(&self) -> &O {
        self.reads_everything();
        self.shared.observers.value(self.state[self.shared.names.len()])
    }
}
