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
use crate::shared::NOTHING_SEEN;
use crate::stim::{Choice, Stim};
use crate::worker::{NONE, Successor, Worker};

/// The step by which a state was first found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) stim: Stim,
    /// Whether the observer was shown something.
    pub(crate) showed: bool,
}

impl Arrival {
    /// How the first state was found: by no step.
    pub(crate) const START: Arrival = Arrival { stim: Stim::NONE, showed: true };
}

/// What may be left out of what follows a state: what stands before its arrival.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cover {
    order: u64,
    place: u32,
    showed: bool,
    pruned_by: u64,
}

/// A step that may be left out: its place in the order, the node, whether it shows something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Later {
    pub(crate) order: u64,
    pub(crate) place: usize,
    pub(crate) shows: bool,
}

impl Cover {
    /// Whether `later` may be left out, unless its message was sent by the arrival.
    pub(crate) fn covers(&self, later: Later) -> bool {
        later.order < self.order
            && later.place != self.place as usize
            && self.pruned_by >> later.place & 1 == 0
            && !(self.showed && later.shows)
    }
}

impl<N: Checkable> Worker<'_, N> {
    /// What a new state must know of the step that found it.
    pub(crate) fn arrival(&self, next: &Successor) -> Arrival {
        let showed = next.step != NONE && self.known[next.step as usize].seen != NOTHING_SEEN;
        Arrival { stim: next.stim, showed }
    }

    /// What may be left out behind `arrival`, where some prune reads the places `pruned_by`.
    pub(crate) fn cover(&mut self, arrival: Arrival, pruned_by: u64) -> Option<Cover> {
        let (order, place) = match arrival.stim.choice() {
            Choice::Deliver { envelope, is_late: false } => {
                (self.envelope_hash(envelope), self.link(envelope).1)
            }
            Choice::Fire { timer, is_late: false } => self.timer(timer),
            Choice::Deliver { .. }
            | Choice::Fire { .. }
            | Choice::Drop { .. }
            | Choice::Undrop { .. }
            | Choice::Act { .. }
            | Choice::Cut { .. } => return None,
        };
        Some(Cover { order, place, showed: arrival.showed, pruned_by })
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
}
