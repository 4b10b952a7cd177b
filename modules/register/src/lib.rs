//! A register on a majority, without a leader: one value that clients read and write, linearizably, while fewer than half
//! of the replicas are down. After Attiya, Bar-Noy and Dolev, "Sharing memory robustly in message-passing systems" (1995);
//! with several writers after Lynch and Shvartsman (1997).
//!
//! Each value has a tag. A replica keeps the value with the highest tag. An operation has two phases, and each waits for a
//! majority: the client queries tags and values; then it stores the value with its tag. A writer stores its own value under
//! a tag above all that it heard of. A reader stores what it is about to answer: without that, the next reader might meet
//! another majority and answer an older value.
//!
//! # Guarantees
//! * Reads and writes are linearizable, whatever the network loses, duplicates or reorders, also while replicas crash and
//!   restart: a replica has on disk what it acknowledges.
//! * An operation ends as long as a majority of the replicas runs, and messages that are sent often enough arrive.
//!
//! # Limitations
//! One register, one operation of a client at a time. A client that crashes forgets its operation: the write may have
//! happened. The set of replicas is fixed.

mod client;
mod codec;
mod message;
mod rename;
mod replica;
#[cfg(test)]
mod script_tests;

pub use client::{Client, RETRY_MS};
pub use message::{Message, Record, Request, Response, Tag, Timer};
pub use replica::Replica;

use synod_node::{Context, Durable, Node, NodeId, RequestId};

/// A node of this protocol: one of its two roles.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Participant {
    /// Keeps a copy of the value.
    Replica(Replica),
    /// Reads and writes on behalf of its user.
    Client(Client),
}

impl Node for Participant {
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    /// The records are few: a replica's last one says everything.
    type Checkpoint = ();
    type Request = Request;
    type Response = Response;

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}

    fn on_message(&mut self, from: NodeId, message: Message, ctx: &mut Context<Self>) {
        match (self, message) {
            (Participant::Replica(replica), Message::Query { op }) => replica.on_query(from, op, ctx),
            (Participant::Replica(replica), Message::Store { op, tag, value }) => {
                replica.on_store(from, op, (tag, value), ctx);
            }
            (Participant::Client(client), Message::State { op, tag, value }) => {
                client.on_state(from, op, (tag, value), ctx);
            }
            (Participant::Client(client), Message::Stored { op }) => client.on_stored(from, op, ctx),
            (Participant::Replica(_), Message::State { .. } | Message::Stored { .. })
            | (Participant::Client(_), Message::Query { .. } | Message::Store { .. }) => {
                unreachable!("`accepts` lets replicas hear clients, and clients hear replicas")
            }
        }
    }

    fn accepts(&self, from: NodeId, message: &Message) -> bool {
        match (self, message) {
            // A tag names its writer, and leaves room for a higher one.
            (Participant::Replica(_), Message::Store { tag, .. }) => tag.round < u64::MAX,
            (Participant::Replica(_), Message::Query { .. }) => true,
            (Participant::Client(client), Message::State { tag, .. }) => {
                client.knows(from) && tag.round < u64::MAX
            }
            (Participant::Client(client), Message::Stored { .. }) => client.knows(from),
            (Participant::Replica(_), Message::State { .. } | Message::Stored { .. })
            | (Participant::Client(_), Message::Query { .. } | Message::Store { .. }) => false,
        }
    }

    fn on_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        match (self, timer) {
            (Participant::Client(client), Timer::Retry { op }) => client.on_retry(op, ctx),
            (Participant::Replica(_), Timer::Retry { .. }) => unreachable!("a replica sets no timer"),
        }
    }

    fn on_request(&mut self, id: RequestId, request: Request, ctx: &mut Context<Self>) {
        match self {
            Participant::Client(client) => client.on_request(id, request, ctx),
            Participant::Replica(_) => unreachable!("users ask clients"),
        }
    }

    fn on_recover(&mut self, durable: Durable<Self>, _ctx: &mut Context<Self>) {
        for record in durable.records {
            match (&mut *self, record) {
                (Participant::Replica(replica), Record::Kept { tag, value }) => replica.recover(tag, value),
                (Participant::Client(client), Record::Began { op }) => client.recover(op),
                (Participant::Replica(_), Record::Began { .. })
                | (Participant::Client(_), Record::Kept { .. }) => {
                    unreachable!("a node reads its own records")
                }
            }
        }
    }
}
