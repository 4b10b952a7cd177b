//! What is said, what timers remind of, and what is durable.

use crate::{View, ViewNumber};
use std::sync::Arc;
use synod_clientserver::{ClientId, Seq};

/// The number of an operation within its view, from 1: the order in which primary and backup run it.
pub type Index = u64;

/// What a client asked in one message: what the primary forwards as one, and both run as one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Operation<C> {
    /// Who asked.
    pub client: ClientId,
    /// The number of the first command in the client's session; the others follow it without a gap.
    pub first: Seq,
    /// Every result below this number has reached the client.
    pub acked_below: Seq,
    /// What to run.
    pub commands: Vec<C>,
}

impl<C> Operation<C> {
    /// The number of the last command.
    pub fn last(&self) -> Seq {
        (self.first + self.commands.len() as u64).saturating_sub(1)
    }
}

/// What nodes say to each other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message<C, O> {
    /// Server to view server, every [`PING_MS`](crate::PING_MS): it is there.
    Ping {
        /// Which of its lives it is in.
        life: u64,
        /// The last view in which it took its part. From the primary of the current view this is the
        /// acknowledgement: its backup, if it has one, has the whole state.
        acked: ViewNumber,
        /// From a primary: its backup has answered nothing for [`LOST_TICKS`](crate::LOST_TICKS), so that it
        /// acknowledges the view without it. Such a backup may lack something, and must not be promoted.
        is_backup_lost: bool,
    },
    /// Client to view server: who is the primary?
    Ask,
    /// View server to whoever pinged or asked: the newest view.
    Announce {
        /// It.
        view: View,
    },
    /// Between a client and its primary: see [`synod_clientserver::Message`].
    Session(synod_clientserver::Message<C, O>),
    /// Primary to a new backup: a piece of its state.
    Transfer {
        /// The view that names both, in case the backup has not heard of it.
        view: View,
        /// Where the piece begins, in bytes.
        offset: u64,
        /// How many bytes the whole has; more than none.
        total: u64,
        /// The piece.
        bytes: Arc<[u8]>,
    },
    /// Backup to primary: so much of the state has arrived.
    TransferTaken {
        /// The view whose state it is.
        view: ViewNumber,
        /// It has every byte before this one.
        through: u64,
    },
    /// Primary to backup: run these next, in this order.
    Forward {
        /// The view in which they are ordered.
        view: ViewNumber,
        /// The index of the first; the others follow it without a gap.
        first: Index,
        /// What to run.
        operations: Vec<Operation<C>>,
    },
    /// Backup to primary: it ran them.
    Taken {
        /// The view in which they are ordered.
        view: ViewNumber,
        /// It ran every operation up to here.
        through: Index,
    },
}

/// What a node reminds itself of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Timer {
    /// A server's: to ping, and to send again what its backup has not answered. Set again each time.
    Ping,
    /// The view server's: to look who has not pinged since the last look. Set again each time.
    Check,
    /// A client's: its request was perhaps lost, or its primary is gone.
    Session(synod_clientserver::Timer),
}

/// What is durable: each replaces what was before it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Checkpoint {
    /// A server's: how many lives it has begun. Its state is not durable: its backup has it.
    Life(u64),
    /// The view server's.
    View {
        /// The newest view.
        view: View,
        /// Whether its primary has acknowledged it.
        is_acked: bool,
    },
}
