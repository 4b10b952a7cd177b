//! TODO essay

mod client;
mod codec;
pub mod invariants;
mod message;
mod pipeline;
#[cfg(test)]
mod script_tests;
mod server;
mod settings;
mod transfer;
mod view;
mod view_server;

pub use client::Client;
pub use message::{Checkpoint, Index, Message, Operation, Timer};
pub use server::Server;
pub use settings::{CHECK_MS, LOST_TICKS, PING_MS, Settings};
pub use view::{Member, View, ViewNumber};
pub use view_server::ViewServer;

use synod_clientserver::Outcome;
use synod_node::{Context, Durable, Node, NodeId, RequestId, StateMachine};
use synod_stdx::Wire;

#[cfg(test)]
mod tests;

/// An application that can be replicated here: its state and its results have a byte form, so that they can be sent.
pub trait Replicable: StateMachine<Output: Wire> + Wire {}

impl<S: StateMachine<Output: Wire> + Wire> Replicable for S {}

/// A node of this protocol: one of its three roles, for the application `S`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Process<S: Replicable> {
    /// Says who serves.
    ViewServer(ViewServer),
    /// Serves, or stands by.
    Server(Server<S>),
    /// Asks on behalf of its user.
    Client(Client<S>),
}

impl<S: Replicable> Process<S> {
    /// The view server, if it is one.
    pub fn view_server(&self) -> Option<&ViewServer> {
        match self {
            Process::ViewServer(view_server) => Some(view_server),
            Process::Server(_) | Process::Client(_) => None,
        }
    }

    /// The server, if it is one.
    pub fn server(&self) -> Option<&Server<S>> {
        match self {
            Process::Server(server) => Some(server),
            Process::ViewServer(_) | Process::Client(_) => None,
        }
    }
}

impl<S: Replicable> Node for Process<S> {
    type Message = Message<S::Command, S::Output>;
    type Timer = Timer;
    /// Every durable thing replaces the last: see [`Checkpoint`].
    type Record = ();
    type Checkpoint = Checkpoint;
    type Request = S::Command;
    type Response = Outcome<S::Output>;

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        match self {
            Process::ViewServer(view_server) => view_server.on_start(ctx),
            Process::Server(server) => server.on_start(ctx),
            Process::Client(_) => {}
        }
    }

    fn on_message(&mut self, from: NodeId, message: Self::Message, ctx: &mut Context<Self>) {
        match self {
            Process::ViewServer(view_server) => on_view_servers_message(view_server, from, &message, ctx),
            Process::Server(server) => on_servers_message(server, from, message, ctx),
            Process::Client(client) => on_clients_message(client, message, ctx),
        }
    }

    fn on_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        match (self, timer) {
            (Process::ViewServer(view_server), Timer::Check) => view_server.on_check(ctx),
            (Process::Server(server), Timer::Ping) => server.on_tick(ctx),
            (Process::Client(client), Timer::Session(synod_clientserver::Timer::Retry { lowest })) => {
                client.on_retry(lowest, ctx);
            }
            (Process::ViewServer(_) | Process::Server(_) | Process::Client(_), _) => {
                unreachable!("each role has a timer of its own")
            }
        }
    }

    fn on_request(&mut self, id: RequestId, command: S::Command, ctx: &mut Context<Self>) {
        match self {
            Process::Client(client) => client.on_request(id, command, ctx),
            Process::ViewServer(_) | Process::Server(_) => unreachable!("users ask clients"),
        }
    }

    fn on_recover(&mut self, durable: Durable<Self>, ctx: &mut Context<Self>) {
        match self {
            Process::ViewServer(view_server) => view_server.on_recover(durable.checkpoint, ctx),
            Process::Server(server) => server.on_recover(durable.checkpoint, ctx),
            Process::Client(_) => {}
        }
    }

    fn assert_invariants(&self) {
        match self {
            Process::ViewServer(view_server) => view_server.assert_invariants(),
            Process::Server(server) => server.assert_invariants(),
            Process::Client(client) => client.assert_invariants(),
        }
    }
}

type Said<S> = Message<<S as StateMachine>::Command, <S as StateMachine>::Output>;

fn on_view_servers_message<S: Replicable>(
    view_server: &mut ViewServer,
    from: NodeId,
    message: &Said<S>,
    ctx: &mut Context<Process<S>>,
) {
    match message {
        Message::Ping { life, acked, is_backup_lost } => {
            view_server.on_ping(Member { id: from, life: *life }, *acked, *is_backup_lost, ctx);
        }
        Message::Ask => view_server.on_ask(from, ctx),
        Message::Announce { .. }
        | Message::Session(_)
        | Message::Transfer { .. }
        | Message::TransferTaken { .. }
        | Message::Forward { .. }
        | Message::Taken { .. } => unreachable!("the view server is pinged and asked"),
    }
}

fn on_servers_message<S: Replicable>(
    server: &mut Server<S>,
    from: NodeId,
    message: Said<S>,
    ctx: &mut Context<Process<S>>,
) {
    match message {
        Message::Announce { view } => server.on_announce(view, ctx),
        Message::Session(synod_clientserver::Message::Request { client, first, acked_below, commands }) => {
            server.on_operation(Operation { client, first, acked_below, commands }, ctx);
        }
        Message::Transfer { view, offset, total, bytes } => {
            server.on_transfer(from, view, (offset, total, &bytes), ctx);
        }
        Message::TransferTaken { view, through } => server.on_transfer_taken(from, view, through, ctx),
        Message::Forward { view, first, operations } => {
            server.on_forward(from, (view, first), &operations, ctx);
        }
        Message::Taken { view, through } => server.on_taken(from, view, through, ctx),
        Message::Ping { .. } | Message::Ask | Message::Session(_) => {
            unreachable!("pings go to the view server, and answers to clients")
        }
    }
}

fn on_clients_message<S: Replicable>(
    client: &mut Client<S>,
    message: Said<S>,
    ctx: &mut Context<Process<S>>,
) {
    match message {
        Message::Announce { view } => client.on_announce(view, ctx),
        Message::Session(answer) => client.on_answer(answer, ctx),
        Message::Ping { .. }
        | Message::Ask
        | Message::Transfer { .. }
        | Message::TransferTaken { .. }
        | Message::Forward { .. }
        | Message::Taken { .. } => unreachable!("a client is told who serves, and answered"),
    }
}
