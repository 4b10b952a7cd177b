//! Mistakes in `shardedstore`.

use crate::searches::shards::Node;
use synod_checker::Substitute;
use synod_testkit::Mutant;

/// What can be wrong with it.
pub const MUTANTS: &[Mutant] = &[];

/// What takes the steps of a mutant.
pub fn substitute(_name: &'static str) -> Option<Substitute<Node>> {
    None
}
