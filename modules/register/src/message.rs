//! What nodes say, what timers remind of, and what is durable.

use synod_node::NodeId;

/// The age of a value: a higher tag is newer. No two writes have equal tags.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tag {
    /// One more than the highest round that the writer heard of.
    pub round: u64,
    /// The writer.
    pub writer: NodeId,
    /// The number of the writer's operation.
    pub op: u64,
}

impl Tag {
    /// The tag of the register before the first write.
    pub const ZERO: Tag = Tag { round: 0, writer: NodeId::client(0), op: 0 };
}

/// What nodes say to each other. `op` numbers a client's operations, so that late answers count for none of the next.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Client to replica: what do you keep?
    Query {
        /// The client's operation.
        op: u64,
    },
    /// Replica to client: this.
    State {
        /// The client's operation.
        op: u64,
        /// The age of the value.
        tag: Tag,
        /// The value; none before the first write.
        value: Option<u64>,
    },
    /// Client to replica: keep this, unless you keep something newer.
    Store {
        /// The client's operation.
        op: u64,
        /// The age of the value.
        tag: Tag,
        /// The value.
        value: Option<u64>,
    },
    /// Replica to client: what I keep is as new, and durable.
    Stored {
        /// The client's operation.
        op: u64,
    },
}

/// What a node reminds itself of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Timer {
    /// A message of this operation was perhaps lost. Stale once the operation has ended.
    Retry {
        /// The operation.
        op: u64,
    },
}

/// One durable step.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// A replica keeps this value.
    Kept {
        /// Its age.
        tag: Tag,
        /// The value.
        value: Option<u64>,
    },
    /// A client used this number: after a restart it takes a higher one.
    Began {
        /// The number.
        op: u64,
    },
}

/// What a user asks of a client.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Request {
    /// Write this value.
    Write(u64),
    /// Read the value.
    Read,
}

/// What a client answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Response {
    /// The value is written.
    Written,
    /// The value; none before the first write.
    Value(Option<u64>),
}
