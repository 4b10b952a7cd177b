//! Those who watch what clients of a register see.

use super::systems::recorder::Recorder;
use super::systems::register::{Request, Response};
use std::sync::Arc;
use synod_checker::{Checkable, Observer};
use synod_history::{Monitor, Register, RegisterOp, RegisterRet};
use synod_node::{Node, NodeId, RequestId};

/// Keeps what can still matter.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Watched(Monitor<Register>);

fn bytes(letter: char) -> Arc<[u8]> {
    letter.to_string().into_bytes().into()
}

impl<N: Checkable + Node<Request = Request, Response = Response>> Observer<N> for Watched {
    fn on_invoke(&mut self, client: NodeId, _id: RequestId, request: &Request) {
        let op = match request {
            Request::Put(letter) => RegisterOp::Write(bytes(*letter)),
            Request::Get => RegisterOp::Read,
        };
        self.0.invoke(u64::from(client.number()), op);
    }

    fn on_return(&mut self, client: NodeId, _id: RequestId, response: &Response) -> Result<(), String> {
        let ret = match response {
            Response::Put => RegisterRet::Written,
            Response::Get(value) => RegisterRet::Value(value.map(bytes)),
        };
        self.0.complete(u64::from(client.number()), &ret)
    }

    fn on_give_up(&mut self, client: NodeId, _id: RequestId) {
        self.0.abandon(u64::from(client.number()));
    }
}

/// Keeps everything.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Recording(Recorder);

impl<N: Checkable + Node<Request = Request, Response = Response>> Observer<N> for Recording {
    fn on_invoke(&mut self, client: NodeId, _id: RequestId, request: &Request) {
        self.0.on_invoke(client, request);
    }

    fn on_return(&mut self, client: NodeId, _id: RequestId, response: &Response) -> Result<(), String> {
        self.0.on_return(client, response)
    }

    fn on_give_up(&mut self, _client: NodeId, _id: RequestId) {
        unreachable!("nobody gives up here");
    }
}
