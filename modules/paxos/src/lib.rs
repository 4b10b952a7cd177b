//! Multi-Paxos: a group of servers that agree on one log of commands, and so on one state.
//! (essay to come)

mod acceptor;
mod ballot;
mod client;
mod codec;
mod election;
pub mod invariants;
mod leader;
mod log;
mod message;
mod progress;
mod reads;
mod recovery;
mod replica;
mod server;
mod settings;

pub use ballot::{Ballot, Slot};
pub use client::{Client, Request};
pub use codec::Portable;
pub use log::{Log, Proposal, Run};
pub use message::{Checkpoint, Incarnation, Message, Record, Timer};
pub use replica::Replica;
pub use server::{Server, SlotStatus};
pub use settings::Settings;

use synod_clientserver::Outcome;
use synod_node::{Context, Durable, Node, NodeId, RequestId, StateMachine};

/// A node of this protocol: one of its two roles, for the application `S`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Process<S: StateMachine> {
    /// A member of the group.
    Server(Server<S>),
    /// Asks on behalf of its user.
    Client(Client<S>),
}

impl<S: StateMachine> Process<S> {
    /// The server, if it is one.
    pub fn server(&self) -> Option<&Server<S>> {
        match self {
            Process::Server(server) => Some(server),
            Process::Client(_) => None,
        }
    }
}

impl<S: StateMachine> Node for Process<S> {
    type Message = Message<S>;
    type Timer = Timer;
    type Record = Record<S::Command>;
    type Checkpoint = Checkpoint<S>;
    type Request = Request<S::Command>;
    type Response = Outcome<S::Output>;

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        match self {
            Process::Server(server) => server.on_start(ctx),
            Process::Client(_) => {}
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message<S>, ctx: &mut Context<Self>) {
        match (self, message) {
            (Process::Server(server), message) => server.on_message(from, message, ctx),
            (Process::Client(client), Message::Results { client: session, first, outputs }) => {
                client.on_results(from, (session, first, outputs), ctx);
            }
            (Process::Client(client), Message::Answers { first, outputs }) => {
                client.on_answers(from, (first, outputs), ctx);
            }
            (Process::Client(client), Message::NotLeader { leader }) => {
                client.on_not_leader(from, leader, ctx)
            }
            (Process::Client(client), Message::Forgotten { client: session }) => {
                client.on_forgotten(session, ctx);
            }
            (Process::Client(_), message) => unreachable!("a client was sent {message:?}"),
        }
    }

    fn on_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        match (self, timer) {
            (Process::Server(server), Timer::Tick) => server.on_tick(ctx),
            (Process::Client(client), Timer::Retry { answered }) => client.on_retry(answered, ctx),
            (Process::Server(_), Timer::Retry { .. }) | (Process::Client(_), Timer::Tick) => {
                unreachable!("servers tick and clients retry")
            }
        }
    }

    fn on_request(&mut self, id: RequestId, request: Request<S::Command>, ctx: &mut Context<Self>) {
        match (self, request) {
            (Process::Client(client), request) => client.on_request(id, request, ctx),
            (Process::Server(server), Request::HandOver) => server.hand_over(ctx),
            (Process::Server(_), Request::Commands(_) | Request::Queries(_)) => {
                unreachable!("users ask clients")
            }
        }
    }

    fn on_recover(&mut self, durable: Durable<Self>, ctx: &mut Context<Self>) {
        match self {
            Process::Server(server) => server.on_recover(durable, ctx),
            Process::Client(_) => {}
        }
    }

    fn assert_invariants(&self) {
        match self {
            Process::Server(server) => server.assert_invariants(),
            Process::Client(client) => client.assert_invariants(),
        }
    }
}
