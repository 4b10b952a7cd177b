//! Known steps are taken again now and then: a handler that is not deterministic would make every verdict worthless,
//! and a step that is only looked up would hide it.

use crate::Checkable;
use crate::shared::Shared;
use crate::stim::Stim;
use std::sync::Arc;

/// One look-up in so many.
const ONE_IN: u64 = 4096;

/// Whether a worker's look-up of this number is checked. Early ones are, at growing distances, so that small searches
/// are not left out.
pub(crate) fn is_due(look_up: u64) -> bool {
    look_up.is_multiple_of(ONE_IN) || (look_up < ONE_IN && look_up.is_power_of_two())
}

impl<N: Checkable> Shared<N> {
    /// Takes a known step again: the words, if it comes to something else.
    pub(crate) fn differs_again(&self, place: u32, stim: Stim) -> Option<Arc<str>> {
        let (known, again) = (self.step(place, stim), self.take(place, stim));
        if *known == again {
            return None;
        }
        let id = self.names[self.places.value(place).index as usize];
        let node = |after| self.places.value(after).node.map(|(node, _)| self.nodes.value(node));
        let (a, b) = (node(known.after), node(again.after));
        Some(format!("{id} took the same step twice with different results: {a:?} and {b:?}").into())
    }
}
