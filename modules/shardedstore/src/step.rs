//! What stands in a group's log, and what comes of it. Everything that changes a group's state is one of these.

use crate::{Configuration, ConfigurationNumber, GroupId, Sharded, SlotId};
use std::fmt;
use std::sync::Arc;
use synod_clientserver::{ClientId, Seq, Sessions};
use synod_node::StateMachine;

/// Which command of which client. The exactly-once record of a command stands with its home slot, so this names the
/// transaction that a command becomes, too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestName {
    /// Whose session.
    pub client: ClientId,
    /// The home slot: the lowest that the command touches.
    pub slot: SlotId,
    /// The number within the client's session in that slot, from 1.
    pub seq: Seq,
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}#{}", self.client, self.slot, self.seq)
    }
}

impl fmt::Debug for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One try to commit a transaction: the next has a higher number. A try that was given up never commits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// The transaction.
    pub name: RequestName,
    /// Who coordinates it.
    pub coordinator: GroupId,
    /// Which of that group's tries: it never uses a number twice.
    pub number: u64,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.name, self.coordinator, self.number)
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The number of a lock, which a group gives once only. A request to lock that comes late may lock again what was unlocked:
/// what was decided on the first lock is then nothing to the second.
pub type LockNumber = u64;

/// How far a slot has come: the round of its parts, and the place in it where the next part begins.
pub type Reached = (u32, u64);

/// A part of a slot that moves: some of what it holds, or of what was written while an earlier round of parts was on its
/// way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Chunk<S: Sharded> {
    /// Which slot.
    pub slot: SlotId,
    /// The round that it is a part of: the first brings what the slot held when the round began, each other one what was
    /// written since the one before it began.
    pub round: u32,
    /// Where in the round this part begins.
    pub position: u64,
    /// Where the next one begins; `None` if this is the last of its round.
    pub next: Option<u64>,
    /// The part.
    pub fragment: S::Fragment,
    /// What clients were answered in this slot. With the last part of the last round: whoever has it, serves.
    pub sessions: Option<Arc<Sessions<S::Output>>>,
}

/// An entry of a group's log.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step<S: Sharded> {
    /// Run a client's command, once, if all of its slots are here.
    Run {
        /// Which one.
        name: RequestName,
        /// Every result of the session below this number has reached the client.
        acked_below: Seq,
        /// What to run.
        command: S::Command,
    },
    /// Never in the log: what a read around the log asks.
    Read(S::Command),
    /// The next configuration.
    Configure(Arc<Configuration>),
    /// The new owner is sent what these slots hold now, while they are served on.
    Copy {
        /// The configuration that moves them.
        number: ConfigurationNumber,
        /// Which ones, and which round of each this is.
        slots: Vec<(SlotId, u32)>,
    },
    /// These slots are served no more: they go to their new owner as they are now.
    Freeze {
        /// The time of the log, in ms since 1970: nobody was told a later one while they were served here.
        at_ms: u64,
        /// The configuration that moves them.
        number: ConfigurationNumber,
        /// Which ones.
        slots: Vec<SlotId>,
    },
    /// Parts of slots that come here.
    Take {
        /// The configuration that moves them.
        number: ConfigurationNumber,
        /// The parts.
        chunks: Vec<Chunk<S>>,
    },
    /// The new owner has these slots, durably: forget them.
    Release {
        /// The configuration that moved them.
        number: ConfigurationNumber,
        /// Which ones.
        slots: Vec<SlotId>,
    },
    /// Coordinate a transaction, since not all slots of the command are here.
    Begin {
        /// Which command.
        name: RequestName,
        /// Every result of the session below this number has reached the client.
        acked_below: Seq,
        /// What to run.
        command: S::Command,
    },
    /// Lock these slots for a transaction: the vote for it.
    Prepare {
        /// Which try.
        attempt: Attempt,
        /// The slots that are wanted here.
        slots: Vec<SlotId>,
    },
    /// At the coordinator: all have voted, the transaction is committed.
    Decide {
        /// The time of the log at which the command ran, in ms since 1970.
        at_ms: u64,
        /// Which try.
        attempt: Attempt,
        /// What the client is told.
        output: S::Output,
        /// For each group its lock, and what its keys hold from now on.
        parts: Vec<(GroupId, LockNumber, S::Fragment)>,
    },
    /// At the coordinator: this try is given up, unless it was decided.
    Abandon {
        /// Which try.
        attempt: Attempt,
    },
    /// At a participant: the transaction is over; unlock.
    Finish {
        /// Which try.
        attempt: Attempt,
        /// Which lock.
        lock: LockNumber,
        /// What the keys hold from now on, if it was committed.
        part: Option<S::Fragment>,
    },
    /// At the coordinator: a participant knows that it was committed.
    Told {
        /// Which transaction.
        name: RequestName,
        /// Who knows.
        group: GroupId,
    },
}

impl<S: Sharded> Step<S> {
    /// Tells a command in it that it runs at this time of the log.
    pub(crate) fn stamp(&mut self, at_ms: u64) {
        match self {
            Step::Run { command, .. } | Step::Begin { command, .. } | Step::Read(command) => {
                <S as StateMachine>::stamp(command, at_ms);
            }
            Step::Freeze { at_ms: frozen_ms, .. } => *frozen_ms = at_ms,
            Step::Configure(_)
            | Step::Copy { .. }
            | Step::Take { .. }
            | Step::Release { .. }
            | Step::Prepare { .. }
            | Step::Decide { .. }
            | Step::Abandon { .. }
            | Step::Finish { .. }
            | Step::Told { .. } => {}
        }
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Step::Run { command, .. } | Step::Begin { command, .. } | Step::Read(command) => {
                <S as StateMachine>::bytes(command)
            }
            Step::Configure(configuration) => 64 + 8 * configuration.slots.runs().count(),
            Step::Copy { slots, .. } => 64 + 6 * slots.len(),
            Step::Freeze { slots, .. } | Step::Release { slots, .. } | Step::Prepare { slots, .. } => {
                64 + 2 * slots.len()
            }
            Step::Take { chunks, .. } => chunks.iter().map(Chunk::bytes).sum(),
            Step::Decide { output, parts, .. } => {
                let written: usize = parts.iter().map(|(_, _, part)| S::fragment_bytes(part)).sum();
                written + S::output_bytes(output)
            }
            Step::Finish { part, .. } => 64 + part.as_ref().map_or(0, S::fragment_bytes),
            Step::Abandon { .. } | Step::Told { .. } => 64,
        }
    }
}

impl<S: Sharded> Chunk<S> {
    /// How far the slot must have come for this part to be the next.
    pub(crate) fn reached(&self) -> Reached {
        (self.round, self.position)
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let results =
            self.sessions.as_ref().map_or(0, |sessions| sessions.results().map(S::output_bytes).sum());
        64 + results + S::fragment_bytes(&self.fragment)
    }
}

/// Whether slots are locked for a try.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lock {
    /// They are, under this number.
    Held(LockNumber),
    /// One is not here, or locked for another.
    NotNow,
    /// The try is over.
    Never,
}

/// What came of an entry, for the leader, who acts upon it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Stepped<O> {
    /// A client's command ran, or a transaction was committed: the client's answer.
    Ran {
        /// Which command.
        name: RequestName,
        /// Its result.
        output: O,
    },
    /// A client's command did not run: a slot is not here or locked, or one before it is missing.
    NotRun {
        /// Which command.
        name: RequestName,
    },
    /// A client's command did not run, now or perhaps ever: its session is unknown, and its numbers began long ago.
    Forgotten {
        /// Which command.
        name: RequestName,
    },
    /// What was read.
    Read(O),
    /// Nothing was read: a slot is not here, or locked.
    NotRead,
    /// The configuration is in force, or a slot came, or went: look what is to be done.
    Moved,
    /// A transaction begins here.
    Begun {
        /// Which one.
        name: RequestName,
    },
    /// A participant has locked its slots, or could not.
    Prepared {
        /// Which try.
        attempt: Attempt,
        /// Whether the slots are locked.
        lock: Lock,
        /// The slots that were wanted.
        slots: Vec<SlotId>,
    },
    /// A try is given up, for good.
    Abandoned {
        /// Which one.
        attempt: Attempt,
    },
    /// A participant has unlocked its slots.
    Finished {
        /// Which try.
        attempt: Attempt,
        /// Whether it was committed.
        is_committed: bool,
    },
    /// Nothing to do: it was done before.
    Known,
}

impl<O> Stepped<O> {
    /// The application's output in it.
    pub(crate) fn output(&self) -> Option<&O> {
        match self {
            Stepped::Ran { output, .. } | Stepped::Read(output) => Some(output),
            Stepped::NotRun { .. }
            | Stepped::Forgotten { .. }
            | Stepped::NotRead
            | Stepped::Moved
            | Stepped::Begun { .. }
            | Stepped::Prepared { .. }
            | Stepped::Abandoned { .. }
            | Stepped::Finished { .. }
            | Stepped::Known => None,
        }
    }
}
