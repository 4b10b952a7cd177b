//! What must always be true of a store, as predicates over its groups' states. Simulator, checker and debugger share them.
//! A group's state is that of whichever of its members executed most. Each returns the words of its objection.

use crate::{GroupState, Sharded, SlotStatus};

/// No slot is served by two groups.
///
/// # Errors
/// Names the slot and the groups.
pub fn a_slot_is_served_by_one_group<S: Sharded>(groups: &[&GroupState<S>]) -> Result<(), String> {
    for (at, one) in groups.iter().enumerate() {
        for (slot, status) in one.held().filter(|(_, status)| *status != SlotStatus::Frozen) {
            let serves = |other: &&&GroupState<S>| {
                other.held().any(|(theirs, status)| theirs == slot && status != SlotStatus::Frozen)
            };
            if let Some(other) = groups[at + 1..].iter().find(serves) {
                return Err(format!("{} and {} serve slot {slot} ({status:?})", one.group(), other.group()));
            }
        }
    }
    Ok(())
}

/// Each slot is held by somebody, frozen or not, once a group has taken the first configuration.
///
/// # Errors
/// Names the slot.
pub fn no_slot_is_lost<S: Sharded>(groups: &[&GroupState<S>]) -> Result<(), String> {
    let Some(first) = groups.iter().find_map(|group| group.configuration()) else { return Ok(()) };
    let mut is_held = vec![false; usize::from(first.slots.slot_count())];
    for group in groups {
        group.held().for_each(|(slot, _)| is_held[usize::from(slot.number())] = true);
    }
    // The first owner may not have taken its first configuration yet, while another has.
    let is_begun = groups.iter().any(|group| group.held().next().is_some());
    match is_held.iter().position(|held| !held).filter(|_| is_begun) {
        Some(slot) => Err(format!("slot {slot} is held by no group")),
        None => Ok(()),
    }
}
