//! The front door: Redis clients on one side, a [`Backend`] that runs commands on the other.
//!
//! One thread, one task a connection, no task, timer, lock or channel a command. A connection's wake-up goes: collect
//! the outcomes that came, write what is ready in one call, read once, parse all of it, hand the commands to the
//! backend. The backend answers whenever it likes through [`Completions`]: an outcome is put into the place that its
//! command holds in the connection's queue, and the connection is woken once, however many outcomes come.
//!
//! # Bounds
//! * A connection holds no buffer while it is idle: bytes are read into one that all share, and only what is left of
//!   an unfinished request is kept.
//! * While more than a megabyte of replies waits, or too many commands are under way, nothing more is read.
//! * A connection whose replies exceed [`Limits::output_bytes_max`], or that takes none for
//!   [`Limits::output_stall_ms`], is cut off and counted. One reply may be longer; it is written as the client takes it.
//! * A request that has begun must end within [`Limits::request_ms_max`].
//! * All that is held for clients is bounded by [`Limits::client_bytes_max`]. Beyond it those who hold more than their share
//!   get no more: a transaction that is being queued is refused, an unfinished request too, and who does not read is cut off.
//!
//! # What is left out
//! TLS: its greeting is recognised and refused.

mod connection;
mod door;
mod facts;
mod registry;
mod replies;
mod turns;

pub use door::{Server, check_address, reserve_descriptors};
pub use registry::{Completions, Counts};

use std::fmt;
use synod_store::{Administration, Cluster, Command, Settings};

/// The name of a submitted command, by which its outcome finds its place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Token {
    /// Which connection, as an index.
    pub(crate) connection: u32,
    /// Which user of that index: a late outcome must not reach a later connection.
    pub(crate) generation: u32,
    /// Which of the connection's replies.
    pub(crate) sequence: u64,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}:{}", self.connection, self.generation, self.sequence)
    }
}

/// Whatever runs commands: a replicated group, or one keyspace in a test. It lives on the server's thread.
pub trait Backend: 'static {
    /// Takes a command. Its outcome goes to the [`Completions`] that the backend was built with, now or later, in any
    /// order. If [`Command::is_read_only`], the state may be queried instead, provided the answer is linearizable.
    fn submit(&self, token: Token, command: Command);

    /// Takes what an operator asks for. The reply is its outcome.
    fn administer(&self, token: Token, request: Administration);

    /// One wake-up's commands have all been submitted: begin with them.
    fn flush(&self);

    /// Who serves the slots, as far as this node knows.
    fn cluster(&self) -> Cluster;

    /// What this node's copy of the state holds.
    fn position(&self) -> Position;
}

/// What a node's copy of the state holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// The keys.
    pub keys: u64,
    /// Those with an expiry.
    pub expiring_keys: u64,
    /// The end of the log that it reflects.
    pub log_position: u64,
}

/// How the server is set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// What sessions are told.
    pub settings: Settings,
    /// What connections may take.
    pub limits: Limits,
    /// Seeds the choices of commands that want chance.
    pub seed: u64,
}

/// What connections may take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The most clients at a time.
    pub clients_max: usize,
    /// The most bytes of replies that may wait for one client behind the one that is being written.
    pub output_bytes_max: usize,
    /// The most bytes that the process holds for all clients together: unfinished requests, transactions that are being
    /// queued, commands under way, replies that wait.
    pub client_bytes_max: usize,
    /// The most memory that the process may take; beyond it no command runs that may take more. 0: as much as there is.
    pub memory_bytes_max: u64,
    /// How long a client may take nothing of its replies, in ms.
    pub output_stall_ms: u64,
    /// How long a request that has begun may take to arrive, in ms.
    pub request_ms_max: u64,
    /// How long a connection may be idle, in ms; `None`: for ever.
    pub idle_ms_max: Option<u64>,
    /// The most commands of one connection that may be under way.
    pub in_flight_max: usize,
    /// The longest pause after a wrong password, in ms.
    pub password_delay_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            clients_max: 10_000,
            output_bytes_max: 64 << 20,
            client_bytes_max: 512 << 20,
            memory_bytes_max: 0,
            output_stall_ms: 60_000,
            request_ms_max: 30_000,
            idle_ms_max: None,
            in_flight_max: 1_024,
            password_delay_ms_max: 5_000,
        }
    }
}
