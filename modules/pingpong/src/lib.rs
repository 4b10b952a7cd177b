//! Ping and pong: the smallest protocol, and the file to copy for the next one.
//!
//! A client asks a server to echo a value. The network may lose the ping or the pong, so the client asks again until it
//! is answered. The server keeps nothing, so a ping that arrives twice is answered twice; the client knows the answer to
//! its present question by the value and ignores every other.
//!
//! # Guarantees
//! * A client is answered with the value that it asked about, once for each request, whatever the network loses,
//!   duplicates or reorders.
//! * Every request is answered in the end, if the network delivers a message that is sent often enough.
//!
//! # How a module reads
//! `message.rs` holds what is said and what timers remind of, `server.rs` and `client.rs` one role each, this file the
//! process that is either, and why it is so. `rename.rs` tells where nodes are named. Nothing here knows who drives it.
//!
//! # What is left out
//! Durability: a crashed client has forgotten its question, and its user with it. Backoff: a fixed retry is enough where
//! nobody is overloaded; `clientserver` has it.

mod client;
mod codec;
mod message;
mod rename;
#[cfg(test)]
mod script_tests;
mod server;

pub use client::{Client, RETRY_MS};
pub use message::{Message, Timer};
pub use server::Server;

use synod_node::{Context, Durable, Node, NodeId, RequestId};

#[cfg(test)]
mod tests;

/// A node of this protocol: one of its two roles.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Process {
    /// Echoes.
    Server(Server),
    /// Asks.
    Client(Client),
}

impl Node for Process {
    type Message = Message;
    type Timer = Timer;
    /// Nothing is durable.
    type Record = ();
    type Checkpoint = ();
    /// The value to be echoed.
    type Request = u64;
    /// The echo.
    type Response = u64;

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}

    fn on_message(&mut self, from: NodeId, message: Message, ctx: &mut Context<Self>) {
        match (self, message) {
            (Process::Server(server), Message::Ping { value }) => server.on_ping(from, value, ctx),
            (Process::Client(client), Message::Pong { value }) => client.on_pong(value, ctx),
            (Process::Server(_), Message::Pong { .. }) | (Process::Client(_), Message::Ping { .. }) => {
                unreachable!("a ping goes to a server and a pong to a client")
            }
        }
    }

    fn accepts(&self, _from: NodeId, message: &Message) -> bool {
        match message {
            Message::Ping { .. } => matches!(self, Process::Server(_)),
            Message::Pong { .. } => matches!(self, Process::Client(_)),
        }
    }

    fn on_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        match (self, timer) {
            (Process::Client(client), Timer::Retry { id }) => client.on_retry(id, ctx),
            (Process::Server(_), Timer::Retry { .. }) => unreachable!("a server sets no timer"),
        }
    }

    fn on_request(&mut self, id: RequestId, value: u64, ctx: &mut Context<Self>) {
        match self {
            Process::Client(client) => client.on_request(id, value, ctx),
            Process::Server(_) => unreachable!("users ask clients"),
        }
    }

    fn on_recover(&mut self, _durable: Durable<Self>, ctx: &mut Context<Self>) {
        self.on_start(ctx);
    }
}
