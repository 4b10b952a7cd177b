//! What waits at a leader for a slot: first come, first served, slot by slot.

use crate::{Attempt, RequestName, Sharded, SlotId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use synod_clientserver::Seq;
use synod_node::NodeId;

/// How many requests wait at most; more are dropped, and will be asked again.
const WAITING_MAX: usize = 16_384;
/// About how many bytes of commands wait at most.
const BYTES_MAX: usize = 64 << 20;
/// After so many ticks a request is dropped: it will be asked again, of whoever has the slot then.
const TICKS_MAX: u32 = 40;

/// Something that needs slots.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Wanted<S: Sharded> {
    /// A client's command.
    Run { name: RequestName, acked_below: Seq, command: S::Command },
    /// A client's read.
    Read { from: NodeId, seq: Seq, query: S::Command },
    /// A transaction's locks.
    Prepare { attempt: Attempt, slots: Vec<SlotId> },
}

/// A request with the slots that it needs here.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Waiting<S: Sharded> {
    pub(crate) wanted: Wanted<S>,
    pub(crate) slots: Vec<SlotId>,
    bytes: usize,
    ticks: u32,
}

/// What waits, in the order in which it came. Nothing overtakes what needs one of its slots and came before: so whoever
/// needs several slots gets them, however many need one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Queue<S: Sharded> {
    waiting: VecDeque<Waiting<S>>,
    /// How many wait for each slot.
    wanted: BTreeMap<SlotId, usize>,
    bytes: usize,
}

impl<S: Sharded> Default for Queue<S> {
    fn default() -> Self {
        Queue { waiting: VecDeque::new(), wanted: BTreeMap::new(), bytes: 0 }
    }
}

impl<S: Sharded> Queue<S> {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether something waits for one of `slots`.
    pub(crate) fn needs(&self, slots: &[SlotId]) -> bool {
        slots.iter().any(|slot| self.wanted.contains_key(slot))
    }

    /// Whether the locks of this try wait.
    pub(crate) fn has(&self, attempt: Attempt) -> bool {
        let is_it = |waiting: &Waiting<S>| match &waiting.wanted {
            Wanted::Prepare { attempt: other, .. } => *other == attempt,
            Wanted::Run { .. } | Wanted::Read { .. } => false,
        };
        self.waiting.iter().any(is_it)
    }

    /// One more waits; whether there is room for it.
    pub(crate) fn push(&mut self, wanted: Wanted<S>, slots: Vec<SlotId>) -> bool {
        let bytes = match &wanted {
            Wanted::Run { command, .. } | Wanted::Read { query: command, .. } => S::bytes(command),
            Wanted::Prepare { slots, .. } => 2 * slots.len(),
        };
        if self.waiting.len() >= WAITING_MAX || self.bytes + bytes > BYTES_MAX {
            return false;
        }
        self.bytes += bytes;
        slots.iter().for_each(|slot| *self.wanted.entry(*slot).or_default() += 1);
        self.waiting.push_back(Waiting { wanted, slots, bytes, ticks: 0 });
        true
    }

    /// Takes out everything for which `may_go` says so, in order, unless it needs a slot of one before it that stays and,
    /// as `claims` says, claims its slots.
    pub(crate) fn take(
        &mut self,
        mut may_go: impl FnMut(&Waiting<S>) -> bool,
        claims: impl Fn(&Waiting<S>) -> bool,
    ) -> Vec<Waiting<S>> {
        let mut wanted_before = BTreeSet::new();
        let (mut taken, mut left) = (Vec::new(), VecDeque::new());
        for waiting in self.waiting.drain(..) {
            let is_behind = waiting.slots.iter().any(|slot| wanted_before.contains(slot));
            if !is_behind && may_go(&waiting) {
                self.bytes -= waiting.bytes;
                leave(&mut self.wanted, &waiting.slots);
                taken.push(waiting);
            } else {
                if claims(&waiting) {
                    wanted_before.extend(waiting.slots.iter().copied());
                }
                left.push_back(waiting);
            }
        }
        self.waiting = left;
        taken
    }

    /// A tick passed: takes out what waits too long.
    pub(crate) fn on_tick(&mut self) -> Vec<Waiting<S>> {
        self.waiting.iter_mut().for_each(|waiting| waiting.ticks += 1);
        let mut old = Vec::new();
        while self.waiting.front().is_some_and(|first| first.ticks >= TICKS_MAX) {
            let Some(first) = self.waiting.pop_front() else { break };
            self.bytes -= first.bytes;
            leave(&mut self.wanted, &first.slots);
            old.push(first);
        }
        old
    }
}

/// One that waited for `slots` waits no more.
fn leave(wanted: &mut BTreeMap<SlotId, usize>, slots: &[SlotId]) {
    for slot in slots {
        if let Some(count) = wanted.get_mut(slot) {
            *count -= 1;
            if *count == 0 {
                wanted.remove(slot);
            }
        }
    }
}
