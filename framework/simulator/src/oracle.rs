//! Those who watch and may object. An oracle is never part of the system that it judges.

use synod_node::{Node, NodeId, RequestId};
use synod_world::{Envelope, World};

/// Sees a run and objects to what must not be.
pub trait Oracle<N: Node> {
    /// A client asks.
    fn on_invoke(&mut self, _client: NodeId, _id: RequestId, _request: &N::Request) {}

    /// A client is answered.
    ///
    /// # Errors
    /// What is wrong with the answer.
    fn on_return(&mut self, _client: NodeId, _id: RequestId, _response: &N::Response) -> Result<(), String> {
        Ok(())
    }

    /// A message leaves, whether or not it will arrive.
    ///
    /// # Errors
    /// What is wrong with it.
    fn on_sent(&mut self, _world: &World<N>, _envelope: &Envelope<N>) -> Result<(), String> {
        Ok(())
    }

    /// `node` took a step.
    ///
    /// # Errors
    /// What is wrong with the world.
    fn after_step(&mut self, _world: &World<N>, _node: NodeId) -> Result<(), String> {
        Ok(())
    }

    /// The run is over.
    ///
    /// # Errors
    /// What is wrong with the run as a whole.
    fn at_end(&mut self, _world: &World<N>) -> Result<(), String> {
        Ok(())
    }
}
