//! Hashes of contents: what fingerprints are sums of.
//!
//! An id means something in one run only, since threads race for the next one; a content has the same hash in all. Each
//! kind of content has a salt of its own, so that an envelope and a place that happen to look alike do not cancel out.

use foldhash::quality::FixedState;
use std::hash::{BuildHasher as _, Hash};

/// The kinds of content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Salt {
    Node = 1,
    Side,
    User,
    Place,
    Visible,
    Envelope,
    Timer,
    Events,
    Observer,
    Extras,
    Position,
    Lot,
}

const SEED: u64 = 0x5379_6e6f_6421_0001;

/// The 64-bit hash of `value` as a content of kind `salt`.
pub(crate) fn content_hash(salt: Salt, value: &impl Hash) -> u64 {
    FixedState::with_seed(SEED ^ ((salt as u64) << 56)).hash_one(value)
}
