//! What is said, and what timers remind of.

use crate::{ClientId, Seq};

/// What nodes say to each other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message<C, O> {
    /// Client to server: run these, each once, in order.
    Request {
        /// Who asks.
        client: ClientId,
        /// The number of the first command; the others follow it without a gap.
        first: Seq,
        /// Every result below this number has reached the client.
        acked_below: Seq,
        /// What to run.
        commands: Vec<C>,
    },
    /// Server to client: what came of them.
    Results {
        /// Whose they are: one that comes late must not answer a later session.
        client: ClientId,
        /// The number of the first command that is answered; the others follow it without a gap.
        first: Seq,
        /// The results.
        outputs: Vec<O>,
    },
    /// Server to client: it knows nothing of this client, whose numbers began long ago.
    Forgotten {
        /// The session that was asked for.
        client: ClientId,
    },
}

/// What a node reminds itself of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Timer {
    /// A client's request was perhaps lost. Stale once a later one is the lowest that waits.
    Retry {
        /// The lowest number that waited when the timer was set.
        lowest: Seq,
    },
}
