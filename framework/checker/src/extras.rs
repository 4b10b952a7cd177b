//! What of a state belongs to no node: what is left of the budgets, and the partition that holds.

use crate::system::Budgets;

/// The part of a state beside nodes and network.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Extras {
    pub(crate) left: Budgets,
    /// A bit for each place that takes no step.
    pub(crate) paused: u64,
    /// The partition that holds: its number plus one; 0 for none.
    pub(crate) partition: u32,
}
