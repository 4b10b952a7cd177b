//! Primary-backup: two copies of an application, and a view server that says which one serves.
//!
//! One server, the **primary**, takes the clients' requests. It forwards each to the **backup**, and answers when the
//! backup has run it too. If the primary dies the backup has everything that was ever answered, and takes over. Who is
//! what is decided in one place, the **view server**: it numbers its decisions, the *views*, and a server acts in the
//! newest view that it has heard of, and in no other.
//!
//! # Guarantees
//! * **No split brain.** A request is answered only by a primary whose backup, if its view has one, ran it in that view.
//!   A backup that was promoted takes nothing of the old view any more, so the old primary, which may know nothing of
//!   the new one, can serve nothing new: no write and no read.
//! * **Nothing answered is lost** while one of a view's two servers lives, and the other was initialised. The view server
//!   promotes nobody but the backup of the view before, and only if that view was acknowledged: its primary does so
//!   when the backup has its whole state.
//! * **Exactly once**, also over a fail-over: a replica is a [`synod_clientserver::Server`], an application behind its
//!   session table, and both go over. A client is that of `clientserver`, turned to whoever is primary now.
//! * A server that restarts has lost its memory. It begins a new *life*, which is durable before anybody hears of it, and
//!   in views a [`Member`] is a server in one of its lives: what the former life was, the new one is not.
//!
//! # Views
//! Servers ping every 25 ms; every 100 ms the view server looks, and who has not pinged since the last look is dead. It
//! leaves a view only when its primary has acknowledged it. Then a dead backup is replaced by an idle server, or by
//! nobody; a dead primary by its backup; and each time only when the one that is to be primary is heard, so that a ping
//! lost here and a crash there do not add up to a view that nobody can serve. The view, and that it is acknowledged, are
//! durable before anybody is told, so the view server may restart: a number never names two views.
//!
//! A primary that has an answer due from its backup for 16 ticks acknowledges the view *without* it
//! ([`Message::Ping`]): the view server replaces that backup at once, and never promotes it. So neither a backup that dies
//! while it receives the state, nor a link that fails between the two, stops the service.
//!
//! # Operations
//! What one message of a client asks is one [`Operation`]. The primary numbers operations within the view, and forwards
//! up to 1024 before the first is acknowledged; acknowledgements are cumulative. The backup runs them in order and drops
//! what comes early; what is not acknowledged is sent again, the rest behind it (go-back-n). A result that is in the
//! session table is repeated at once: it was run by both. A new view numbers anew, and whatever waits is forwarded again.
//!
//! A state goes over in pieces of at most 256 KiB, eight under way, and is sent from its beginning in each new view.
//! Meanwhile requests wait, up to the same bound.
//!
//! # What it cannot do
//! * **The view server is a single point of failure.** While it is away a pair goes on serving, but nobody takes over.
//! * **A primary that dies before it acknowledges blocks the service**, for nobody else has the state; so it is when both
//!   servers of a view are gone. It goes on if the primary was only slow or cut off.
//! * The state is in memory: what all servers of a view forget together is lost, and then nothing is answered.
//! * The number of a server's life is on its disk. A server that gets another disk must get another name.
//!
//! `src/scripts` shows the first two as stories. Paxos has none of these limits, and pays with a third server.
//!
//! # What is left out
//! Reads that spare the backup: they would need leases, and so clocks. Transfers of what changed only.
//!
//! Read more: Alsberg and Day, "A principle for resilient sharing of distributed resources" (1976); Budhiraja, Marzullo,
//! Schneider and Toueg, "The primary-backup approach" (1993), sections 2 and 3; Oki and Liskov, "Viewstamped
//! replication" (1988), section 2, for the word *view*.

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

    fn accepts(&self, from: NodeId, message: &Self::Message) -> bool {
        use synod_clientserver::Message as Session;
        match message {
            Message::Ping { .. } => !from.is_client() && matches!(self, Process::ViewServer(_)),
            Message::Ask => matches!(self, Process::ViewServer(_)),
            Message::Announce { .. } => !matches!(self, Process::ViewServer(_)),
            Message::Session(Session::Results { .. } | Session::Forgotten { .. }) => {
                matches!(self, Process::Client(_))
            }
            Message::Session(Session::Request { client, .. }) => {
                client.node() == from && from.is_client() && matches!(self, Process::Server(_))
            }
            Message::Transfer { .. }
            | Message::TransferTaken { .. }
            | Message::Forward { .. }
            | Message::Taken { .. } => matches!(self, Process::Server(_)),
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
            Process::ViewServer(view_server) => view_server.on_recover(durable.checkpoint.as_ref(), ctx),
            Process::Server(server) => server.on_recover(durable.checkpoint.as_ref(), ctx),
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
