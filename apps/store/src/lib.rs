//! The store that users see, as two pure values: a crate without sockets, clocks, threads or disks.
//!
//! * [`Keyspace`] is the replicated state, a deterministic [`StateMachine`](synod_node::StateMachine): [`Command`] in,
//!   [`Reply`](synod_resp::Reply) out. Its clone is cheap and is a snapshot; its byte form is its
//!   [`Wire`](synod_stdx::Wire) form. It holds the keys, what exactly-once clients did, and a clock that only commands
//!   move.
//! * [`Session`] is one connection's half of the conversation: the words of a command in, an [`Action`] out. It knows
//!   transactions, authentication, protocol versions and the order of a connection's commands.
//!
//! Between them stands whoever submits a session's commands and brings back their [`Outcome`]: a consensus group, or
//! one keyspace in a test.
//!
//! # From words to state
//! A client's words are understood once, where they arrive: options, numbers, and times, which become absolute there.
//! The result is a [`Command`], one allocation that log, followers and keyspace share. It carries the proposer's clock,
//! and a random number where one is needed, so that applying it is the same everywhere.
//!
//! # Exactly once
//! `ONCE <client> <sequence> <command …>` runs the command unless that client's sequence number ran before; then it
//! answers what it answered then. A client picks a random number below 2^63 for itself and counts from 1 without gaps,
//! one command at a time or several in order. Errors tell the other cases apart: `ONCEGAP` (did not happen, an earlier
//! one is missing), `ONCEGONE` (happened, its answer is no longer kept: the last 64 are), `ONCEUNKNOWN` (the client was
//! forgotten because 65,536 others came since, or never was: it may have happened).
//!
//! # Types
//! Strings, hashes, lists, sets and sorted sets. The last four are made of one structure, a sequence in a tree that counts
//! (`tree.rs`): indices and ranks are quick, and a write to a large collection that a snapshot shares copies one path.
//! Hashes and sets stand in the order of a hash that never changes, so that replicas agree about every order, and a
//! cursor of a scan means the same on any of them. Each type has a module with its value, its operations, and its rows
//! of the table of commands.
//!
//! # What is left out
//! Streams, bits, geography, scripts, pub/sub, commands that wait; there is a place for each type of value. `LCS`, `SORT`,
//! `DUMP`, `RESTORE`. Differences to a stock server in what is there: numbers in hexadecimal are not taken by
//! `INCRBYFLOAT`, `HINCRBYFLOAT` and as scores; picks that may be the same are at most 2^20; a watched key that was
//! absent, came and went does not abort the transaction, for its state is the one that was seen; `DBSIZE` counts keys
//! that expired and were not removed yet, as a stock server does. `docs/redis-compatibility.md` has all of it.

mod administration;
mod collection;
mod command;
mod dictionary;
mod environment;
mod extended;
mod glob;
mod hash;
mod items;
mod key;
mod keys;
mod keyspace;
mod list;
mod operation;
mod outcome;
mod parse;
mod parse_keys;
mod session;
mod set;
mod sharded;
mod snapshot;
mod sorted_set;
mod space;
mod strings;
mod table;
mod table_session;
mod tree;
mod value;
mod walk;

pub use administration::{Administration, is_address};
pub use command::Command;
pub use environment::{
    Cluster, ClusterNode, Environment, Facts, NoFacts, Password, Settings, SlotRun, Statistics,
};
pub use keyspace::Keyspace;
pub use outcome::Outcome;
pub use session::{Action, Awaiting, Session};
pub use sharded::{Fragment, SlotView};
pub use synod_shardedstore::{SLOT_COUNT, SlotId};
pub use walk::{Progress, Walk};

#[cfg(test)]
mod tests;
