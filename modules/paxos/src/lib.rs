//! Multi-Paxos: a group of servers that agree on one log of commands, and so on one state.
//!
//! Any minority of the servers may crash, restart, be cut off, lose its disk or be played elsewhere: the rest goes on, and
//! whatever a client was told stays true. One of the servers leads. It puts the clients' commands into slots of a log; a command whose
//! slot a majority has accepted is *chosen*: no later leader can put another one there. Every server executes what is
//! chosen, in the order of slots, and so all go through the same states.
//!
//! # Guarantees
//! * **Agreement.** Two servers never know different commands to be chosen for one slot.
//! * **Exactly once.** A command of a client's session runs once, however often and to whomever it was submitted.
//! * **Linearizability**, of reads too: an answer reflects every command that was answered before it was asked for.
//! * **Durability.** What is chosen is on the disks of a majority; a server that lost its disk counts only once it has
//!   caught up.
//! * **Progress** while some server reaches a majority and messages get through in the end. Ballots do not grow while
//!   nothing changes.
//!
//! # Roles
//! A [`Server`] is acceptor, replica and, at times, leader, in one: `acceptor.rs`, `replica.rs`, `leader.rs`. A
//! [`Client`] keeps a window of commands and a list of reads. [`Process`] is either.
//!
//! # How a command is chosen
//! 1. A client submits it to the leader, with its session and number.
//! 2. The leader gathers what is pending into a batch, gives it the next slots and sends one Accept to each follower,
//!    while it writes the batch to its own disk.
//! 3. A follower writes the batch, and once it is durable answers Accepted, naming the slot up to which it has
//!    everything of this ballot. The leader's own vote waits for its own disk: it is a message to itself.
//! 4. What a quorum has reached is chosen. The leader executes it and answers; the followers learn it with the next
//!    Accept, or at the next tick. So a command costs one Accept and one Accepted a follower, and under load, since at
//!    most a few batches are under way at once and the rest gathers, far less.
//!
//! An acceptor's answer is cumulative, so a lost one is repaired by the next, and a lost Accept by sending everything
//! after what was acknowledged.
//!
//! # How a leader is elected
//! By heartbeats, as in Omni-Paxos: see `election.rs`. A candidate asks all for promises, for all open slots at once
//! (phase 1). With a quorum of them it adopts for each slot what was accepted in the highest ballot, fills gaps with
//! [`Proposal::Noop`] and proposes all that again in its own ballot. Logs play no part in who leads: phase 1 brings the
//! new leader what it lacks, as a snapshot if need be.
//!
//! # Reads without a log entry
//! A leader may have been deposed without knowing. So before it answers reads it asks its followers whether they have
//! promised a higher ballot; a quorum that has not shows that when the reads came nobody else could have chosen
//! anything. Many reads share one round of questions. No clock is trusted. See `reads.rs`.
//!
//! # The time of the log
//! Each command is stamped with a time when it is proposed, and applied at that time by every replica. The time is the
//! log's own: it goes on by the leaders' monotonic clocks, and is drawn slowly to what the members' wall clocks agree on.
//! See `clock.rs`. A driver tells the clocks by [`Request::Clock`]; where none does, commands are not stamped.
//!
//! # What bounds the log
//! Slots that every server has executed are dropped; with a server away, all but the last
//! [`Settings::retained_slots_max`]. Who falls behind that gets a snapshot. Durable records are replaced by a checkpoint
//! whenever enough was executed. See `recovery.rs`, which also says how a server comes back without its disk, and
//! `lives.rs`, which says why its former life does no harm, lost or alive.
//!
//! # What is left out
//! More or fewer members of a group than it began with; leases (they trust clocks); snapshots in pieces; slots chosen out of order: a leader
//! counts prefixes, so that one number a follower is enough.
//!
//! # Read more
//! Lamport, "Paxos made simple" (2001); van Renesse and Altinbuken, "Paxos made moderately complex" (2015); Ongaro and
//! Ousterhout, "In search of an understandable consensus algorithm" (2014), sections 5.3 and 8; Ng, Haridi and Carbone,
//! "Omni-Paxos" (2023); Liskov and Cowling, "Viewstamped Replication revisited" (2012).

mod acceptor;
mod ballot;
mod client;
#[cfg(test)]
mod client_tests;
mod clock;
#[cfg(test)]
mod clock_tests;
mod codec;
mod election;
pub mod invariants;
mod leader;
mod lives;
#[cfg(test)]
mod lives_tests;
mod log;
#[cfg(test)]
mod log_tests;
mod message;
mod progress;
mod reads;
mod recovery;
mod rename;
#[cfg(test)]
mod rename_tests;
mod replica;
mod server;
mod settings;
#[cfg(test)]
mod tests;

pub use ballot::{Ballot, Slot};
pub use client::{Client, Request};
pub use clock::{
    AGREEMENT_MS, AGREEMENT_WAIT_MS, CLOCK_DRIFT_MAX_PPM, ClockReport, KeptTime, LogClock, LogTime,
    SLEW_PERMILLE,
};
pub use codec::Portable;
pub use log::{Log, Proposal, Run};
pub use message::{Checkpoint, Incarnation, Leading, Message, Record, Timer};
pub use replica::Replica;
pub use server::{Server, SlotStatus};
pub use settings::Settings;

use acceptor::GAP_SLOTS_MAX;
use log::missing_slots;
use synod_clientserver::Outcome;
use synod_node::{Context, Durable, Node, NodeId, RequestId, StateMachine};

/// A node of this protocol: one of its two roles, for the application `S`.
#[expect(
    clippy::large_enum_variant,
    reason = "there are two or three of these, and they are never moved about"
)]
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

    /// The server, if it is one, for a node that owns it.
    pub fn server_mut(&mut self) -> Option<&mut Server<S>> {
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
                client.on_not_leader(from, leader, ctx);
            }
            (Process::Client(client), Message::Forgotten { client: session }) => {
                client.on_forgotten(session, ctx);
            }
            (Process::Client(_), message) => unreachable!("a client was sent {message:?}"),
        }
    }

    fn accepts(&self, from: NodeId, message: &Message<S>) -> bool {
        let claimed = message.claimed_ballot();
        match self {
            Process::Client(_) => message.is_for_clients(),
            Process::Server(server) => {
                let may_say = match message {
                    Message::Submit { client, .. } => client.node() == from,
                    Message::Query { queries, .. } => queries.iter().all(S::is_read_only),
                    Message::Results { .. }
                    | Message::Answers { .. }
                    | Message::NotLeader { .. }
                    | Message::Forgotten { .. } => false,
                    // A leader tells itself what it accepted once that is durable.
                    Message::Accepted { .. } => server.is_peer(from) || from == server.id(),
                    Message::Promise { snapshot, accepted, .. } => {
                        let ahead = snapshot.as_ref().map_or(Slot::ZERO, |state| state.through());
                        let missing = missing_slots(server.chosen_through().max(ahead), accepted);
                        server.is_peer(from) && missing.is_some_and(|slots| slots <= GAP_SLOTS_MAX)
                    }
                    // A leader leaves no gap.
                    Message::Welcome { leading: Some((state, open)), .. } => {
                        server.is_peer(from) && missing_slots(state.through(), open) == Some(0)
                    }
                    Message::Prepare { .. }
                    | Message::Rejected { .. }
                    | Message::Accept { .. }
                    | Message::Snapshot { .. }
                    | Message::Confirm { .. }
                    | Message::Confirmed { .. }
                    | Message::Heartbeat { .. }
                    | Message::Alive { .. }
                    | Message::TakeOver { .. }
                    | Message::Rejoin { .. }
                    | Message::Welcome { leading: None, .. }
                    | Message::Superseded { .. } => server.is_peer(from),
                };
                may_say && claimed.is_none_or(|ballot| ballot.node == from)
            }
        }
    }

    fn on_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        match (self, timer) {
            (Process::Server(server), Timer::Tick) => server.on_tick(ctx),
            (Process::Client(client), Timer::Retry { command, read }) => {
                client.on_retry((command, read), ctx);
            }
            (Process::Server(_), Timer::Retry { .. }) | (Process::Client(_), Timer::Tick) => {
                unreachable!("servers tick and clients retry")
            }
        }
    }

    fn on_request(&mut self, id: RequestId, request: Request<S::Command>, ctx: &mut Context<Self>) {
        match (self, request) {
            (Process::Client(client), request) => client.on_request(id, request, ctx),
            (Process::Server(server), Request::HandOver) => server.hand_over(ctx),
            (Process::Server(server), Request::Clock(reading)) => server.on_clock(reading, ctx),
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

    fn compaction(&self) -> Option<Checkpoint<S>> {
        self.server().and_then(Server::compaction)
    }

    fn assert_invariants(&self) {
        match self {
            Process::Server(server) => server.assert_invariants(),
            Process::Client(client) => client.assert_invariants(),
        }
    }
}
