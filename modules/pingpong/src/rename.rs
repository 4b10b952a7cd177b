//! Other names for the nodes, for drivers that look for states that are alike.

use crate::{Message, Process, Server, Timer};
use synod_node::{NodeId, Rename};

impl Rename for Process {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Process::Server(Server) => {}
            Process::Client(client) => client.rename(name),
        }
    }
}

impl Rename for Message {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Message::Ping { value: _ } | Message::Pong { value: _ } => {}
        }
    }
}

impl Rename for Timer {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Timer::Retry { id: _ } => {}
        }
    }
}
