//! Those who watch what users ask and are told, outside of the system: automata beside the state.

use crate::Checkable;
use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use synod_node::{NodeId, RequestId, Value};

/// Sees what users see, and objects. A plain value, part of a state's identity: what it forgets makes states equal.
pub trait Observer<N: Checkable>: Value + Send + Sync + 'static {
    /// A user asks.
    fn on_invoke(&mut self, client: NodeId, id: RequestId, request: &N::Request);

    /// A user is answered.
    ///
    /// # Errors
    /// What is wrong with the answer, given what was seen before.
    fn on_return(&mut self, client: NodeId, id: RequestId, response: &N::Response) -> Result<(), String>;

    /// A user waits no longer: whether what it asked will happen is open for ever.
    fn on_give_up(&mut self, client: NodeId, id: RequestId);

    /// Replaces each node's name by another, for searches up to a symmetry.
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {}
}

/// Sees nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Blind;

impl<N: Checkable> Observer<N> for Blind {
    fn on_invoke(&mut self, _client: NodeId, _id: RequestId, _request: &N::Request) {}
    fn on_return(&mut self, _client: NodeId, _id: RequestId, _response: &N::Response) -> Result<(), String> {
        Ok(())
    }
    fn on_give_up(&mut self, _client: NodeId, _id: RequestId) {}
}

/// Any observer, known by what it does alone: the checker of a node is one, whoever watches.
pub struct Witness<N: Checkable>(Box<dyn Watching<N>>);

/// An [`Observer`] without its type.
trait Watching<N: Checkable>: Send + Sync {
    fn on_invoke(&mut self, client: NodeId, id: RequestId, request: &N::Request);
    fn on_return(&mut self, client: NodeId, id: RequestId, response: &N::Response) -> Result<(), String>;
    fn on_give_up(&mut self, client: NodeId, id: RequestId);
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId);
    fn copied(&self) -> Box<dyn Watching<N>>;
    fn equals(&self, other: &dyn Watching<N>) -> bool;
    fn hash_into(&self, state: &mut dyn Hasher);
    fn told(&self) -> &dyn fmt::Debug;
    fn type_name(&self) -> &'static str;
    fn as_any(&self) -> &dyn Any;
}

impl<N: Checkable, O: Observer<N>> Watching<N> for O {
    fn on_invoke(&mut self, client: NodeId, id: RequestId, request: &N::Request) {
        Observer::on_invoke(self, client, id, request);
    }
    fn on_return(&mut self, client: NodeId, id: RequestId, response: &N::Response) -> Result<(), String> {
        Observer::on_return(self, client, id, response)
    }
    fn on_give_up(&mut self, client: NodeId, id: RequestId) {
        Observer::on_give_up(self, client, id);
    }
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        Observer::rename(self, name);
    }
    fn copied(&self) -> Box<dyn Watching<N>> {
        Box::new(self.clone())
    }
    fn equals(&self, other: &dyn Watching<N>) -> bool {
        other.as_any().downcast_ref::<O>() == Some(self)
    }
    fn hash_into(&self, mut state: &mut dyn Hasher) {
        self.hash(&mut state);
    }
    fn told(&self) -> &dyn fmt::Debug {
        self
    }
    fn type_name(&self) -> &'static str {
        std::any::type_name::<O>()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl<N: Checkable> Witness<N> {
    /// An observer as a witness.
    pub fn new(observer: impl Observer<N>) -> Self {
        Witness(Box::new(observer))
    }

    /// The observer's type.
    pub(crate) fn type_name(&self) -> &'static str {
        self.0.type_name()
    }
}

impl<N: Checkable> Observer<N> for Witness<N> {
    fn on_invoke(&mut self, client: NodeId, id: RequestId, request: &N::Request) {
        self.0.on_invoke(client, id, request);
    }
    fn on_return(&mut self, client: NodeId, id: RequestId, response: &N::Response) -> Result<(), String> {
        self.0.on_return(client, id, response)
    }
    fn on_give_up(&mut self, client: NodeId, id: RequestId) {
        self.0.on_give_up(client, id);
    }
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.0.rename(name);
    }
}

impl<N: Checkable> Clone for Witness<N> {
    fn clone(&self) -> Self {
        Witness(self.0.copied())
    }
}

impl<N: Checkable> PartialEq for Witness<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals(&*other.0)
    }
}

impl<N: Checkable> Eq for Witness<N> {}

impl<N: Checkable> Hash for Witness<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_into(state);
    }
}

impl<N: Checkable> fmt::Debug for Witness<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.told().fmt(f)
    }
}

/// What an observer is shown.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Seen<N: Checkable> {
    Invoke { client: NodeId, id: RequestId, request: N::Request },
    Return { client: NodeId, id: RequestId, response: N::Response },
    GiveUp { client: NodeId, id: RequestId },
}

impl<N: Checkable> Seen<N> {
    pub(crate) fn show(&self, observer: &mut Witness<N>) -> Result<(), String> {
        match self {
            Seen::Invoke { client, id, request } => Observer::on_invoke(observer, *client, *id, request),
            Seen::Return { client, id, response } => {
                return Observer::on_return(observer, *client, *id, response);
            }
            Seen::GiveUp { client, id } => Observer::on_give_up(observer, *client, *id),
        }
        Ok(())
    }
}
