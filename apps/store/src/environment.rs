//! What a session needs to know of the world around it. It asks for nothing else.

use std::collections::BTreeSet;
use std::fmt;

/// The world at the moment of one command.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Milliseconds by a clock that never goes back; from when on does not matter. It tells how long a connection is
    /// idle. When keys expire is a matter of the log's time.
    pub monotonic_ms: u64,
    /// 64 fresh random bits, for a command that wants chance.
    pub random: u64,
    /// What the operator set.
    pub settings: &'a Settings,
    /// What is asked rarely.
    pub facts: &'a dyn Facts,
}

/// What the operator set, as far as sessions care.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The password that clients must give, if any.
    pub password: Option<Password>,
    /// The longest key, in bytes.
    pub key_bytes_max: usize,
    /// The longest value, in bytes.
    pub value_bytes_max: u64,
    /// The most words of a command. One over more keys would hold the nodes for so long that they take each other for dead.
    pub words_max: usize,
    /// The most bytes that a transaction may queue, and a connection may watch.
    pub transaction_bytes_max: usize,
    /// The most commands that a transaction may queue.
    pub transaction_commands_max: usize,
    /// What `CONFIG GET` tells besides the settings above: names and values. Never a password.
    pub told: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            password: None,
            key_bytes_max: 64 << 10,
            value_bytes_max: 16 << 20,
            words_max: 1 << 18,
            transaction_bytes_max: 64 << 20,
            transaction_commands_max: 1 << 16,
            told: Vec::new(),
        }
    }
}

/// A password. It is compared in constant time and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// The password that consists of `bytes`.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Password {
        Password(bytes.into())
    }

    /// Whether `given` is this password. Takes a time that depends on the length of `given` alone.
    pub fn is(&self, given: &[u8]) -> bool {
        let mut difference = u8::from(self.0.len() != given.len());
        for (index, byte) in given.iter().enumerate() {
            // Beyond the end it is compared with something, so that the time does not tell the length.
            difference |= byte ^ self.0.get(index).copied().unwrap_or(!byte);
        }
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What is asked rarely.
pub trait Facts {
    /// Who serves the slots.
    fn cluster(&self) -> Cluster;
    /// The numbers of `INFO`.
    fn statistics(&self) -> Statistics;
    /// The lines of `CLIENT LIST` for the other connections: those numbered `ids`, or all.
    fn clients(&self, ids: Option<&[u64]>) -> String;
    /// Whether the process takes all the memory that it may: then nothing is run that may take more.
    fn is_out_of_memory(&self) -> bool {
        false
    }
    /// Whether a connection may make the process hold so many bytes for it, beside what it holds for the others.
    fn may_hold(&self, bytes: usize) -> bool {
        let _ = bytes;
        true
    }
}

/// Nothing to tell: for who needs a session's commands and no server around it.
#[derive(Clone, Copy, Debug)]
pub struct NoFacts;

impl Facts for NoFacts {
    fn cluster(&self) -> Cluster {
        Cluster::of_one_group(Vec::new(), 0, None)
    }

    fn statistics(&self) -> Statistics {
        Statistics::default()
    }

    fn clients(&self, _ids: Option<&[u64]>) -> String {
        String::new()
    }
}

/// The nodes, and which of them leads the groups that serve the slots.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cluster {
    /// All nodes.
    pub nodes: Vec<ClusterNode>,
    /// Which of them this is.
    pub myself: usize,
    /// The slots, in order: stretches whose slots have one owner. None while no configuration is known.
    pub runs: Vec<SlotRun>,
    /// Grows whenever a leader or an owner changes: the epoch that clients see.
    pub epoch: u64,
}

/// Slots that follow each other and are led by one node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotRun {
    /// The first slot.
    pub first: u16,
    /// The last slot.
    pub last: u16,
    /// The node that leads the group that owns them, if that is known.
    pub leader: Option<usize>,
}

impl Cluster {
    /// One group that serves all slots, led by the node `leader`.
    pub fn of_one_group(nodes: Vec<ClusterNode>, myself: usize, leader: Option<usize>) -> Cluster {
        let all = SlotRun { first: 0, last: crate::SLOT_COUNT - 1, leader };
        Cluster { nodes, myself, runs: vec![all], epoch: 1 }
    }

    /// The node that clients are sent to for the slots of `run`: the one that leads, or this one while none is known.
    pub(crate) fn master_of(&self, run: &SlotRun) -> usize {
        run.leader.unwrap_or(self.myself)
    }

    /// The nodes that clients are sent to for some slots.
    pub(crate) fn masters(&self) -> BTreeSet<usize> {
        self.runs.iter().map(|run| self.master_of(run)).collect()
    }

    /// The master that this node is, or copies.
    pub(crate) fn primary(&self) -> usize {
        let masters = self.masters();
        if masters.contains(&self.myself) { self.myself } else { *masters.first().unwrap_or(&self.myself) }
    }
}

/// One node, as clients see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterNode {
    /// 40 hexadecimal digits, never changing.
    pub id: String,
    /// Where clients reach it.
    pub host: String,
    /// The port for clients.
    pub port: u16,
    /// The port for other nodes.
    pub peer_port: u16,
    /// Whether this node hears from it.
    pub is_connected: bool,
}

/// The numbers of `INFO`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// The process's number.
    pub process_id: u32,
    /// How long it runs.
    pub uptime_seconds: u64,
    /// Open connections of clients.
    pub connected_clients: u64,
    /// The most that there may be.
    pub clients_max: u64,
    /// Connections accepted so far.
    pub connections_received: u64,
    /// Connections refused because there were too many.
    pub connections_rejected: u64,
    /// Connections cut off because the client did not read its replies.
    pub connections_cut_off: u64,
    /// Commands so far.
    pub commands_processed: u64,
    /// Bytes from clients so far.
    pub input_bytes: u64,
    /// Bytes to clients so far.
    pub output_bytes: u64,
    /// The memory that the process takes.
    pub memory_bytes: u64,
    /// The most that it may take; 0: nobody has said.
    pub memory_bytes_max: u64,
    /// Keys, as far as this node has learned.
    pub keys: u64,
    /// Keys with an expiry.
    pub expiring_keys: u64,
    /// Where the log of this node ends.
    pub log_position: u64,
}
