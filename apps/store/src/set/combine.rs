//! What several collections have in common, or together, or not.

use super::How;
use std::collections::BTreeSet;

/// A collection, as far as combining goes.
pub(crate) trait Members {
    fn count(&self) -> usize;
    fn has(&self, member: &[u8]) -> bool;
    /// All members, in an order that is the same on every replica.
    fn names(&self) -> Box<dyn Iterator<Item = &[u8]> + '_>;
}

/// The members of the combination of `inputs`, each once.
pub(crate) fn combine<'a, M: Members>(inputs: &[&'a M], how: How) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
    let Some((first, others)) = inputs.split_first() else { return Box::new(std::iter::empty()) };
    match how {
        How::Union => {
            let all: BTreeSet<&[u8]> = inputs.iter().flat_map(|input| input.names()).collect();
            Box::new(all.into_iter())
        }
        How::Intersection => {
            // Each member of the smallest is looked for in the others.
            let mut others = inputs.to_vec();
            others.sort_by_key(|input| input.count());
            let smallest = others.remove(0);
            Box::new(smallest.names().filter(move |name| others.iter().all(|other| other.has(name))))
        }
        How::Difference => {
            let others = others.to_vec();
            Box::new(first.names().filter(move |name| !others.iter().any(|other| other.has(name))))
        }
    }
}
