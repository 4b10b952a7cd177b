//! Those who watch what users ask and are told, outside of the system: automata beside the state.

use crate::Checkable;
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

/// What an observer is shown.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Seen<N: Checkable> {
    Invoke { client: NodeId, id: RequestId, request: N::Request },
    Return { client: NodeId, id: RequestId, response: N::Response },
    GiveUp { client: NodeId, id: RequestId },
}

impl<N: Checkable> Seen<N> {
    pub(crate) fn show<O: Observer<N>>(&self, observer: &mut O) -> Result<(), String> {
        match self {
            Seen::Invoke { client, id, request } => observer.on_invoke(*client, *id, request),
            Seen::Return { client, id, response } => return observer.on_return(*client, *id, response),
            Seen::GiveUp { client, id } => observer.on_give_up(*client, *id),
        }
        Ok(())
    }
}
