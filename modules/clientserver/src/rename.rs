//! Other names for the nodes, for drivers that look for states that are alike. Types whose fields are their own are
//! renamed where they are defined.

use crate::{KvCommand, KvOutput, KvStore, Message, Outcome, Process, Timer};
use synod_node::{NodeId, Rename, StateMachine};

impl<S> Rename for Process<S>
where
    S: StateMachine<Command: Rename, Output: Rename> + Rename,
{
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Process::Server(server) => server.rename(name),
            Process::Client(client) => client.rename(name),
        }
    }
}

impl<C: Rename, O: Rename> Rename for Message<C, O> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Message::Request { client, first: _, acked_below: _, commands } => {
                client.rename(name);
                commands.rename(name);
            }
            Message::Results { client, first: _, outputs } => {
                client.rename(name);
                outputs.rename(name);
            }
            Message::Forgotten { client } => client.rename(name),
        }
    }
}

impl Rename for Timer {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Timer::Retry { lowest: _ } => {}
        }
    }
}

impl<O: Rename> Rename for Outcome<O> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Outcome::Done(output) => output.rename(name),
            Outcome::MayHaveHappened => {}
        }
    }
}

// The store's keys and values are the users' own words: one that reads like a node's name is none.

impl Rename for KvStore {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {}
}

impl Rename for KvCommand {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {}
}

impl Rename for KvOutput {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {}
}
