//! What is asked of states: invariants, goals and prunes, as predicates over what is part of a state's identity.

use crate::Checkable;
use crate::place::Side;
use crate::shared::Shared;
use std::sync::Arc;
use synod_node::NodeId;
use synod_stdx::caught;
use synod_world::Envelope;

/// What a property looks at. The less it is, the fewer times it must be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reads {
    /// These nodes, and how far their users are.
    Nodes(Vec<NodeId>),
    /// Everything: messages in flight, timers and disks too.
    Everything,
}

/// What a property says of a state.
pub(crate) enum Answer {
    /// It holds.
    Holds,
    /// It does not: the objection.
    Not(String),
    /// It says nothing: what its panic said.
    Panicked(String),
}

type Test<N> = Arc<dyn Fn(&View<'_, N>) -> Result<(), String> + Send + Sync>;

/// A named predicate over states.
pub struct Property<N: Checkable> {
    pub(crate) name: String,
    pub(crate) reads: Reads,
    pub(crate) test: Test<N>,
}

impl<N: Checkable> Clone for Property<N> {
    fn clone(&self) -> Self {
        Property { name: self.name.clone(), reads: self.reads.clone(), test: Arc::clone(&self.test) }
    }
}

impl<N: Checkable> Property<N> {
    /// A property that holds where `test` returns no objection. It may read only what it declares. A search up to a
    /// symmetry asks it of states under other names too, and is violated where it says something else of them.
    pub fn new(
        name: impl Into<String>,
        reads: Reads,
        test: impl Fn(&View<'_, N>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Property { name: name.into(), reads, test: Arc::new(test) }
    }

    /// A property that holds where `test` says so.
    pub fn when(
        name: impl Into<String>,
        reads: Reads,
        test: impl Fn(&View<'_, N>) -> bool + Send + Sync + 'static,
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

    /// The objection of a state that is no search's, if the property does not hold in it, or panics.
    pub fn objection(&self, plain: &dyn Plain<N>) -> Option<String> {
        match self.ask(&View::plain(plain, &self.reads)) {
            Answer::Holds => None,
            Answer::Not(words) | Answer::Panicked(words) => Some(words),
        }
    }

    /// Asks the property. That it panics is an answer: the way to that state is what its author wants to see.
    pub(crate) fn ask(&self, view: &View<'_, N>) -> Answer {
        match caught(|| (self.test)(view)) {
            Ok(Ok(())) => Answer::Holds,
            Ok(Err(words)) => Answer::Not(words),
            Err(panic) => Answer::Panicked(format!("the property panicked: {panic}")),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A state, as a property sees it.
pub struct View<'a, N: Checkable> {
    source: Source<'a, N>,
    reads: &'a Reads,
    nodes: Vec<(NodeId, Option<&'a N>)>,
}

/// Where a view looks.
enum Source<'a, N: Checkable> {
    /// A state of a search.
    State(&'a Shared<N>, &'a [u32]),
    /// Any other.
    Plain(&'a dyn Plain<N>),
}

/// A state of somebody else's, of whom properties can be asked too: a debugger's.
pub trait Plain<N: Checkable> {
    /// Every node's name, in the order in which they were added.
    fn ids(&self) -> Vec<NodeId>;
    /// A node, if it runs.
    fn node(&self, id: NodeId) -> Option<&N>;
    /// How many requests of a node's user were answered.
    fn answered(&self, id: NodeId) -> u64;
    /// How many requests a node's user asked.
    fn asked(&self, id: NodeId) -> u64;
    /// Whether a node's user has asked and been answered everything.
    fn is_done(&self, id: NodeId) -> bool;
    /// The messages in flight, each as often as it is.
    fn messages(&self) -> Vec<(NodeId, NodeId, N::Message)>;
    /// The timers of a node that wait.
    fn timers(&self, id: NodeId) -> Vec<N::Timer>;
    /// What of a node is durable.
    fn disk(&self, id: NodeId) -> Option<synod_node::Durable<N>>;
}

impl<'a, N: Checkable> View<'a, N> {
    pub(crate) fn new(shared: &'a Shared<N>, state: &'a [u32], reads: &'a Reads) -> Self {
        let node = |index: usize| {
            let place = shared.places.value(state[index]);
            (shared.names[index], place.node.map(|(node, _)| shared.nodes.value(node)))
        };
        let nodes = match reads {
            Reads::Nodes(ids) => ids.iter().filter_map(|id| shared.index(*id)).map(node).collect(),
            Reads::Everything => (0..shared.names.len()).map(node).collect(),
        };
        View { source: Source::State(shared, state), reads, nodes }
    }

    pub(crate) fn plain(plain: &'a dyn Plain<N>, reads: &'a Reads) -> Self {
        let ids = match reads {
            Reads::Nodes(ids) => ids.clone(),
            Reads::Everything => plain.ids(),
        };
        let nodes = ids.into_iter().map(|id| (id, plain.node(id))).collect();
        View { source: Source::Plain(plain), reads, nodes }
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

    /// The nodes that the property reads, and which of them run, in the order of its declaration.
    pub fn all_nodes(&self) -> impl Iterator<Item = (NodeId, Option<&N>)> {
        self.nodes.iter().copied()
    }

    fn must_read(&self, id: NodeId) {
        assert!(self.nodes.iter().any(|(name, _)| *name == id), "a property reads {id}, undeclared");
    }

    /// How many requests of `id`'s user were answered.
    pub fn answered(&self, id: NodeId) -> u64 {
        self.must_read(id);
        match self.source {
            Source::State(shared, state) => {
                position(shared, state, id).map_or(0, |(_, position)| position.answered)
            }
            Source::Plain(plain) => plain.answered(id),
        }
    }

    /// How many requests `id`'s user asked.
    pub fn asked(&self, id: NodeId) -> u64 {
        self.must_read(id);
        match self.source {
            Source::State(shared, state) => {
                position(shared, state, id).map_or(0, |(_, position)| position.asked)
            }
            Source::Plain(plain) => plain.asked(id),
        }
    }

    /// Whether `id`'s user has asked and been answered everything.
    pub fn is_done(&self, id: NodeId) -> bool {
        self.must_read(id);
        match self.source {
            Source::State(shared, state) => position(shared, state, id).is_some_and(|(index, position)| {
                shared.system.places[index].user.as_ref().is_some_and(|user| user.is_done(position))
            }),
            Source::Plain(plain) => plain.is_done(id),
        }
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
        match self.source {
            Source::State(shared, state) => {
                let mut ids = state[shared.names.len() + 2..].to_vec();
                ids.dedup();
                let open = |id: u32| {
                    let Envelope { from, to, message } = (*shared.envelopes.value(id)).clone();
                    (from, to, message)
                };
                ids.into_iter().map(open).collect()
            }
            Source::Plain(plain) => {
                let mut messages: Vec<(NodeId, NodeId, N::Message)> = Vec::new();
                for message in plain.messages() {
                    if !messages.contains(&message) {
                        messages.push(message);
                    }
                }
                messages
            }
        }
    }

    /// How many messages are in flight, each as often as it is.
    ///
    /// # Panics
    /// If the property did not declare that it reads everything.
    pub fn in_flight(&self) -> usize {
        self.reads_everything();
        match self.source {
            Source::State(shared, state) => state.len() - shared.names.len() - 2,
            Source::Plain(plain) => plain.messages().len(),
        }
    }

    /// The timers of `id` that wait.
    ///
    /// # Panics
    /// If the property did not declare that it reads everything.
    pub fn timers(&self, id: NodeId) -> Vec<N::Timer> {
        self.reads_everything();
        match self.source {
            Source::State(shared, state) => side(shared, state, id).map_or_else(Vec::new, |side| {
                side.timers.iter().map(|waiting| waiting.timer.clone()).collect()
            }),
            Source::Plain(plain) => plain.timers(id),
        }
    }

    /// What of `id` is durable, in searches with crashes.
    ///
    /// # Panics
    /// If the property did not declare that it reads everything.
    pub fn disk(&self, id: NodeId) -> Option<synod_node::Durable<N>> {
        self.reads_everything();
        match self.source {
            Source::State(shared, state) => side(shared, state, id).map(|side| side.disk.clone()),
            Source::Plain(plain) => plain.disk(id),
        }
    }
}

fn position<'a, N: Checkable>(
    shared: &'a Shared<N>,
    state: &[u32],
    id: NodeId,
) -> Option<(usize, &'a crate::user::Position)> {
    let index = shared.index(id)?;
    let user = shared.places.value(state[index]).user?;
    Some((index, shared.users.value(user.0)))
}

fn side<'a, N: Checkable>(shared: &'a Shared<N>, state: &[u32], id: NodeId) -> Option<&'a Side<N>> {
    let index = shared.index(id)?;
    Some(shared.sides.value(shared.places.value(state[index]).side.0))
}
