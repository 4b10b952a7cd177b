//! Exactly-once requests: a server, clients that retry, and the session table between them.
//!
//! A client retries because the network loses, so a server sees some requests twice; running an `append` twice is
//! wrong. Every request therefore carries a client's name and a sequence number, and the server keeps, per client, the
//! last number that it ran and the results that the client may still ask for ([`Sessions`]). A request runs exactly
//! once, however often it arrives; its result is answered as often as it is asked for.
//!
//! # Guarantees
//! * Every request runs at most once, and once the client is answered, exactly once; in the order of sequence numbers.
//! * The result of a request is kept until the client says, with a later request, that it has it.
//! * Memory is bounded: at most [`WINDOW_MAX`] results a client, at most a given number of clients.
//!
//! # Windows
//! A client may have several requests outstanding ([`Window`]). Requests run in order, so a server that misses one
//! drops those behind it, and the client sends again everything that is not answered, lowest first (go-back-n). With
//! each request travels the lowest number that the client was not yet answered: results below it are dropped. A client
//! opens its window only when its first request was answered: so a server that knows nothing of a client whose numbers
//! began long ago knows that it has forgotten it, and says so ([`Outcome::MayHaveHappened`]) rather than run anything
//! twice.
//!
//! # Backoff
//! Retries double their range up to a cap; the driver picks from the range, which is the jitter.
//!
//! # What is left out
//! A server that crashes has lost everything: replication is the next modules' matter. They reuse [`Sessions`] and
//! [`Window`] as they are.
//!
//! Read more: Birrell and Nelson, "Implementing remote procedure calls" (1984), section 3; Ongaro, "Consensus: bridging
//! theory and practice" (2014), section 6.3; Lee et al., "Implementing linearizability at large scale and low latency"
//! (RIFL, 2015).

mod client;
mod codec;
mod kv;
mod message;
mod rename;
#[cfg(test)]
mod rename_tests;
#[cfg(test)]
mod script_tests;
mod server;
mod sessions;
mod window;

pub use client::Client;
pub use kv::{KvCommand, KvOutput, KvStore, Text};
pub use message::{Message, Timer};
pub use server::Server;
pub use sessions::{Admission, ClientId, Seq, Sessions, WINDOW_MAX, read_seq};
pub use window::{Backoff, Outcome, Window};

use synod_node::{Context, Durable, Node, NodeId, RequestId, StateMachine};

#[cfg(test)]
mod tests;

/// A node of this protocol: one of its two roles, for the application `S`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Process<S: StateMachine> {
    /// Runs the application.
    Server(Server<S>),
    /// Asks on behalf of its user.
    Client(Client<S>),
}

impl<S: StateMachine> Node for Process<S> {
    type Message = Message<S::Command, S::Output>;
    type Timer = Timer;
    /// Nothing is durable.
    type Record = ();
    type Checkpoint = ();
    type Request = S::Command;
    type Response = Outcome<S::Output>;

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}

    fn on_message(&mut self, from: NodeId, message: Self::Message, ctx: &mut Context<Self>) {
        match (self, message) {
            (Process::Server(server), Message::Request { client, first, acked_below, commands }) => {
                if let Some(answer) = server.run(client, (first, acked_below), &commands) {
                    ctx.send(from, answer);
                }
            }
            (Process::Client(client), answer @ (Message::Results { .. } | Message::Forgotten { .. })) => {
                client.on_answer(answer, ctx);
            }
            (Process::Server(_), Message::Results { .. } | Message::Forgotten { .. })
            | (Process::Client(_), Message::Request { .. }) => {
                unreachable!("requests go to servers and results to clients")
            }
        }
    }

    fn accepts(&self, _from: NodeId, message: &Self::Message) -> bool {
        match message {
            Message::Request { .. } => matches!(self, Process::Server(_)),
            Message::Results { .. } | Message::Forgotten { .. } => matches!(self, Process::Client(_)),
        }
    }

    fn on_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        match (self, timer) {
            (Process::Client(client), Timer::Retry { lowest }) => client.on_retry(lowest, ctx),
            (Process::Server(_), Timer::Retry { .. }) => unreachable!("a server sets no timer"),
        }
    }

    fn on_request(&mut self, id: RequestId, command: S::Command, ctx: &mut Context<Self>) {
        match self {
            Process::Client(client) => client.on_request(id, command, ctx),
            Process::Server(_) => unreachable!("users ask clients"),
        }
    }

    fn on_recover(&mut self, _durable: Durable<Self>, ctx: &mut Context<Self>) {
        self.on_start(ctx);
    }

    fn assert_invariants(&self) {
        match self {
            Process::Server(server) => server.assert_invariants(),
            Process::Client(client) => client.assert_invariants(),
        }
    }
}
