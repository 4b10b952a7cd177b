//! Other names for the nodes, for drivers that look for states that are alike.

use crate::client::{Phase, Running};
use crate::{Client, Message, Participant, Record, Replica, Request, Response, Tag, Timer};
use synod_node::{NodeId, Rename};

impl Rename for Tag {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Tag { round, writer, op: _ } = self;
        // The first tag has no writer.
        if *round > 0 {
            writer.rename(name);
        }
    }
}

impl Rename for Participant {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Participant::Replica(replica) => replica.rename(name),
            Participant::Client(client) => client.rename(name),
        }
    }
}

impl Rename for Replica {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Replica { tag, value: _ } = self;
        tag.rename(name);
    }
}

impl Rename for Client {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Client { me, replicas, op: _, running } = self;
        me.rename(name);
        replicas.rename(name);
        replicas.sort_unstable();
        running.rename(name);
    }
}

impl Rename for Running {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Running { id: _, request: _, phase } = self;
        phase.rename(name);
    }
}

impl Rename for Phase {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Phase::Query { states } => states.rename(name),
            Phase::Store { tag, value: _, stored } => {
                tag.rename(name);
                stored.rename(name);
            }
        }
    }
}

impl Rename for Message {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Message::Query { op: _ } | Message::Stored { op: _ } => {}
            Message::State { op: _, tag, value: _ } | Message::Store { op: _, tag, value: _ } => {
                tag.rename(name);
            }
        }
    }
}

impl Rename for Timer {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Timer::Retry { op: _ } => {}
        }
    }
}

impl Rename for Record {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Record::Kept { tag, value: _ } => tag.rename(name),
            Record::Began { op: _ } => {}
        }
    }
}

impl Rename for Request {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Request::Write(_) | Request::Read => {}
        }
    }
}

impl Rename for Response {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Response::Written | Response::Value(_) => {}
        }
    }
}
