//! What is said, and what timers remind of.

use synod_node::RequestId;

/// What nodes say to each other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Client to server: echo this.
    Ping {
        /// The value to be echoed.
        value: u64,
    },
    /// Server to client: the echo.
    Pong {
        /// The value of the ping that this answers.
        value: u64,
    },
}

/// What a node reminds itself of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Timer {
    /// A client's ping was perhaps lost. Stale once the request is answered.
    Retry {
        /// The request that waits.
        id: RequestId,
    },
}
