//! What is searched.

use std::fmt;
use std::str::FromStr;

/// A system whose states are counted, all of them, with its safety property tested in each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Model {
    /// Single-decree Paxos: three servers, clients that write once and read once; reads and writes are linearizable.
    Paxos {
        /// How many clients.
        clients: u32,
    },
    /// Two-phase commit: nobody commits what another aborts.
    TwoPhase {
        /// How many resource managers.
        resources: u32,
    },
    /// A register on one server, clients that write once and read once; reads and writes are linearizable.
    Register {
        /// How many clients.
        clients: u32,
    },
    /// Multi-Paxos as the store runs it: three servers, two clients that append once. It has no peer, and no end.
    Module {
        /// Whether timers fire.
        has_timers: bool,
    },
}

/// All that is searched, in the order of the table.
pub const MODELS: &[Model] = &[
    Model::Paxos { clients: 2 },
    Model::Paxos { clients: 3 },
    Model::TwoPhase { resources: 7 },
    Model::TwoPhase { resources: 8 },
    Model::Register { clients: 4 },
    Model::Module { has_timers: false },
    Model::Module { has_timers: true },
];

impl Model {
    /// Whether the peer searches it too.
    pub fn has_peer(self) -> bool {
        !matches!(self, Model::Module { .. })
    }

    /// How many states there are, where others have published that.
    pub fn published(self) -> Option<u64> {
        match self {
            Model::Paxos { clients: 2 } => Some(16_668),
            Model::Paxos { clients: 3 } => Some(1_194_428),
            Model::TwoPhase { resources: 7 } => Some(296_448),
            Model::TwoPhase { resources: 8 } => Some(1_745_408),
            Model::Register { clients: 4 } => Some(400_233),
            Model::Paxos { .. } | Model::TwoPhase { .. } | Model::Register { .. } | Model::Module { .. } => {
                None
            }
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Model::Paxos { clients } => write!(f, "paxos-{clients}"),
            Model::TwoPhase { resources } => write!(f, "2pc-{resources}"),
            Model::Register { clients } => write!(f, "register-{clients}"),
            Model::Module { has_timers: false } => f.write_str("module"),
            Model::Module { has_timers: true } => f.write_str("module-timers"),
        }
    }
}

impl FromStr for Model {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = MODELS.iter().find(|model| model.to_string() == text);
        found.copied().ok_or_else(|| {
            let names: Vec<String> = MODELS.iter().map(Model::to_string).collect();
            format!("`{text}` is no model: there are {}", names.join(", "))
        })
    }
}

/// What a search counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Different states.
    pub unique: u64,
    /// The first state, and one for each transition that was taken.
    pub generated: u64,
    /// States in the longest run that was searched, the first one included.
    pub depth: u64,
}
