//! What must always be true of a group, as predicates over its servers' states. Simulator, checker and debugger share
//! them. Each returns the words of its objection.

use crate::{Server, Slot, SlotStatus};
use synod_node::StateMachine;

/// No two servers know different things to be chosen for one slot, within `(after, through]`.
///
/// # Errors
/// Names the slot and the servers.
pub fn servers_agree_on_what_is_chosen<S: StateMachine>(
    servers: &[&Server<S>],
    after: Slot,
    through: Slot,
) -> Result<(), String> {
    for slot in (after.0 + 1..=through.0).map(Slot) {
        let knows = |server: &&&Server<S>| server.status(slot) == SlotStatus::Chosen;
        let mut knowing = servers.iter().filter(knows);
        let Some(first) = knowing.next() else { continue };
        let proposal = first.log().find(slot).map(|(_, proposal)| proposal);
        for other in knowing {
            let theirs = other.log().find(slot).map(|(_, proposal)| proposal);
            if theirs != proposal {
                let (a, b) = (first.id(), other.id());
                return Err(format!("for {slot} {a} knows {proposal:?} to be chosen, and {b} {theirs:?}"));
            }
        }
    }
    Ok(())
}

/// What a server knows to be chosen is accepted, or was executed, by a majority; within `(after, through]`.
///
/// # Errors
/// Names the slot and who knows it.
pub fn what_is_chosen_is_held_by_a_majority<S: StateMachine>(
    servers: &[&Server<S>],
    after: Slot,
    through: Slot,
) -> Result<(), String> {
    for slot in (after.0 + 1..=through.0).map(Slot) {
        let Some(knowing) = servers.iter().find(|server| server.status(slot) == SlotStatus::Chosen) else {
            continue;
        };
        let proposal = knowing.log().find(slot).map(|(_, proposal)| proposal);
        let holds = |server: &&&Server<S>| match server.status(slot) {
            SlotStatus::Cleared => true,
            SlotStatus::Empty => false,
            SlotStatus::Accepted | SlotStatus::Chosen => {
                server.log().find(slot).map(|(_, held)| held) == proposal
            }
        };
        let holding = servers.iter().filter(holds).count();
        if holding < knowing.quorum() {
            let id = knowing.id();
            return Err(format!(
                "{id} knows {slot} to be chosen, and only {holding} servers hold {proposal:?}"
            ));
        }
    }
    Ok(())
}

/// What a server cleared, a majority has executed or accepted: nothing is forgotten before it is safe.
///
/// # Errors
/// Names the slot and who cleared it.
pub fn what_is_cleared_is_held_by_a_majority<S: StateMachine>(servers: &[&Server<S>]) -> Result<(), String> {
    let Some(clearing) = servers.iter().max_by_key(|server| server.log().dropped_through()) else {
        return Ok(());
    };
    let slot = clearing.log().dropped_through();
    let holding = servers.iter().filter(|server| server.status(slot) != SlotStatus::Empty).count();
    if slot > Slot::ZERO && holding < clearing.quorum() {
        return Err(format!("{} cleared {slot}, and only {holding} servers hold it", clearing.id()));
    }
    Ok(())
}

/// Two servers lead in one ballot only if they are one.
///
/// # Errors
/// Names both.
pub fn a_ballot_has_one_leader<S: StateMachine>(servers: &[&Server<S>]) -> Result<(), String> {
    let leaders: Vec<_> = servers.iter().filter(|server| server.is_leader()).collect();
    for (index, one) in leaders.iter().enumerate() {
        if let Some(other) = leaders[index + 1..].iter().find(|other| other.promised() == one.promised()) {
            return Err(format!("{} and {} lead in {}", one.id(), other.id(), one.promised()));
        }
    }
    Ok(())
}
