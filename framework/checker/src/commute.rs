//! Of two steps that commute, one order is enough.
//!
//! Let `s0 -a-> s -b-> t`, where `a` and `b` are deliveries or timers at different nodes, `b` could happen in `s0` too,
//! and at most one of them shows something to the observer. Then `s0 -b-> s' -a-> t` leads to the same state. So `b`
//! need not be taken in `s`, if `b` stands before `a` in some fixed order, and `a` is the step by which `s` was first
//! found. Nothing is lost: `t` is found from `s'`, at the same depth, unless the same rule leaves `a` out there, for a
//! step that stands even later in the order; and orders end. (A sleep set of one step, with state matching; Godefroid,
//! "Partial-order methods for the verification of concurrent systems", 1996, chapter 5.)
//!
//! So every state is found, at its depth, and every local step is taken: invariants, goals, panics and wrong answers
//! are what they were. A prune could stand in the way between `s0` and `s'`; so where one reads the node of `b`, `b`
//! is taken. Up to a symmetry the argument does not hold, and the rule is off.

use crate::Checkable;
use crate::observer::Observer;
use crate::shared::NOTHING_SEEN;
use crate::stim::{Choice, Stim};
use crate::worker::{NONE, Successor, Worker};

/// The step by which a state was first found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Its place in the fixed order: none for a step that commutes with nothing.
    order: Option<u64>,
    place: u32,
    showed: bool,
}

impl Arrival {
    /// How the first state was found: by no step.
    pub(crate) const START: Arrival = Arrival { order: None, place: NONE, showed: true };
}

impl<N: Checkable, O: Observer<N>> Worker<'_, N, O> {
    fn order(&mut self, stim: Stim) -> Option<u64> {
        match stim.choice() {
            Choice::Deliver { envelope, is_late: false } => Some(self.envelope_hash(envelope)),
            Choice::Fire { timer, is_late: false } => Some(self.shared.timers.hash(timer)),
            Choice::Deliver { .. }
            | Choice::Fire { .. }
            | Choice::Drop { .. }
            | Choice::Undrop { .. }
            | Choice::Act { .. }
            | Choice::Cut { .. } => None,
        }
    }

    /// A step's place among others, by content: the same in every run, on any number of threads.
    pub(crate) fn content_order(&mut self, stim: Stim) -> (u32, u64) {
        let kind = stim.bits() >> 28;
        let content = match stim.choice() {
            Choice::Deliver { envelope, .. } | Choice::Drop { envelope } | Choice::Undrop { envelope } => {
                self.envelope_hash(envelope)
            }
            Choice::Fire { timer, .. } => self.shared.timers.hash(timer),
            Choice::Act { .. } | Choice::Cut { .. } => u64::from(stim.bits()),
        };
        (kind, content)
    }

    /// What a new state must know of the step that found it; what it sent that was not there goes to `fresh`.
    pub(crate) fn arrival(&mut self, state: &[u32], next: &Successor, fresh: &mut Vec<u32>) -> Arrival {
        let order = self.order(next.stim);
        if order.is_none() || next.step == NONE {
            return Arrival::START;
        }
        let showed = self.known[next.step as usize].seen != NOTHING_SEEN;
        let flight = &state[self.places + 2..];
        let is_set = self.shared.system.network == crate::Network::Set;
        for (envelope, _) in self.sends(next.step) {
            if !is_set || flight.binary_search(envelope).is_err() {
                fresh.push(*envelope);
            }
        }
        Arrival { order, place: next.place, showed }
    }

    /// Whether `next` may be left out of what follows a state that was found by `arrival`.
    pub(crate) fn is_covered(
        &mut self,
        next: &Successor,
        arrival: &Arrival,
        fresh: &[u32],
        pruned_by: u64,
    ) -> bool {
        let Some(before) = arrival.order else { return false };
        if next.step == NONE || next.place == arrival.place || pruned_by >> next.place & 1 == 1 {
            return false;
        }
        if arrival.showed && self.known[next.step as usize].seen != NOTHING_SEEN {
            return false;
        }
        if let Choice::Deliver { envelope, .. } = next.stim.choice()
            && fresh.contains(&envelope)
        {
            return false;
        }
        self.order(next.stim).is_some_and(|order| order < before)
    }
}
