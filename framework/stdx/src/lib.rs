//! What every other crate of the project leans on, and nothing that belongs to one of them: a pure crate.
//!
//! * [`Rng`]: the only source of randomness. Seeded, integer, splittable: each concern of a run draws from a
//!   stream of its own, so that one more draw in the network does not change what the workload does.
//! * [`Wire`], [`Writer`] and [`Reader`]: the byte form of hot messages and log records. Little-endian, length-prefixed,
//!   written into a reused `Vec<u8>`, or part after part where it is large; a reader never allocates by a length that the
//!   bytes only announce. [`Cursor`] reads bytes that are all here, and borrows them.
//! * [`mark!`] and [`marks`]: coverage marks. A rare branch carries a name; a test asserts that it was reached.
//! * [`FixedHasher`]: the hasher for look-up maps, the same on every machine. Such maps are never iterated.
//! * [`changes`]: what differs between two values, for people who read traces.
//! * [`Tree`]: a value as a tree of its named parts, for who shows or compares states.
//! * [`kind_of`]: the name of a message's or timer's kind.
//! * [`caught`]: a panic as words, unprinted, for who runs handlers that may be wrong.
//! * [`Digest`]: a 64-bit running digest of bytes, for pinning a run's event log.
//!
//! What is left out: clocks, threads, files and sockets. They live in `host` and in the programs.

mod bytes;
mod changes;
mod digest;
mod kind;
pub mod marks;
mod quiet;
mod rng;
mod tree;
mod wire;

pub use bytes::{
    Cursor, Malformed, NextPart, Put, Reader, TakePart, Writer, put_bytes, put_u32, put_u64, put_varint,
};
pub use changes::{Change, changes};
pub use digest::Digest;
pub use kind::{kind_of, words_of};
pub use quiet::{caught, panic_words};
pub use rng::Rng;
pub use tree::Tree;
pub use wire::Wire;

/// A hash map for look-ups alone: fixed hasher, never iterated where order could reach an observer.
#[expect(clippy::disallowed_types, reason = "the one door to it")]
pub type LookupMap<K, V> = std::collections::HashMap<K, V, FixedHasher>;

/// A hash set for membership alone: as [`LookupMap`].
#[expect(clippy::disallowed_types, reason = "the one door to it")]
pub type LookupSet<T> = std::collections::HashSet<T, FixedHasher>;

/// The fixed hasher of [`LookupMap`]: fast, unkeyed, equal on every machine. Not for keys that an adversary picks
/// where collisions would matter.
pub type FixedHasher = rustc_hash::FxBuildHasher;
