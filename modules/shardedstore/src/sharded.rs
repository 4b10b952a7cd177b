//! What an application must offer to be sharded: its state falls into slots.

use crate::SlotId;
use synod_node::{StateMachine, Value};

/// The slots that a command touches.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Slots {
    /// One: nearly always.
    One(SlotId),
    /// At least two, in the order of their numbers.
    Several(Vec<SlotId>),
}

impl Slots {
    /// The slots of these keys.
    ///
    /// # Panics
    /// If there are none.
    pub fn of(slots: impl IntoIterator<Item = SlotId>) -> Self {
        let mut slots: Vec<SlotId> = slots.into_iter().collect();
        slots.sort_unstable();
        slots.dedup();
        match slots.as_slice() {
            [] => panic!("a command touches a slot"),
            [slot] => Slots::One(*slot),
            [_, ..] => Slots::Several(slots),
        }
    }

    /// The lowest: the exactly-once record of the command stands there, whoever owns the others.
    pub fn home(&self) -> SlotId {
        self.as_slice()[0]
    }

    /// All of them, in order.
    pub fn as_slice(&self) -> &[SlotId] {
        match self {
            Slots::One(slot) => std::slice::from_ref(slot),
            Slots::Several(slots) => slots,
        }
    }
}

/// Whether `slot` is among `slots`, which are in the order of their numbers.
pub(crate) fn is_among(slots: &[SlotId], slot: SlotId) -> bool {
    slots.binary_search(&slot).is_ok()
}

/// A deterministic application whose state falls into slots, each of which can be taken out, moved and put in elsewhere,
/// and whose commands say which slots they touch.
///
/// What a part of the state is, is the application's matter: a [`Fragment`](Sharded::Fragment) is some keys with what
/// each holds, or that it holds nothing. A slot that moves travels as fragments, and so does what a transaction reads in
/// one group and writes in another.
pub trait Sharded: StateMachine {
    /// Some keys, and what they hold. Cheap to clone.
    type Fragment: Value;

    /// What one slot holds at one moment, shared with the state as far as that goes. A clone is cheap.
    type View: Value;

    /// As [`apply`](StateMachine::apply), for a command that looks further than the slots that it names: on those for which
    /// `is_served` says so, which are here and in nobody's hands.
    fn apply_among(&mut self, command: &Self::Command, is_served: &dyn Fn(SlotId) -> bool) -> Self::Output {
        let _ = is_served;
        self.apply(command)
    }

    /// As [`query`](StateMachine::query), on the slots for which `is_served` says so.
    fn query_among(
        &self,
        command: &Self::Command,
        is_served: &dyn Fn(SlotId) -> bool,
    ) -> Option<Self::Output> {
        let _ = is_served;
        self.query(command)
    }

    /// The slots that `command` touches, where there are `slot_count` of them.
    fn slots(command: &Self::Command, slot_count: u16) -> Slots;

    /// What the keys of `command` hold here, as far as their slots are wanted.
    fn read(&self, command: &Self::Command, wanted: &dyn Fn(SlotId) -> bool) -> Self::Fragment;

    /// Runs `command` on a state that has these fragments and nothing else: its output, and what its keys hold then.
    fn run_apart(
        &self,
        command: &Self::Command,
        fragments: &[Self::Fragment],
    ) -> (Self::Output, Self::Fragment);

    /// The part of `fragment` whose slots are wanted.
    fn part(&self, fragment: &Self::Fragment, wanted: &dyn Fn(SlotId) -> bool) -> Self::Fragment;

    /// Lets each key of `fragment` hold what it says.
    fn write(&mut self, fragment: &Self::Fragment);

    /// What `slot` holds now. Cheap, however much that is, and not changed by what is written later.
    fn slot_view(&self, slot: SlotId) -> Self::View;

    /// What turns `earlier` into `later`, from `position` on (0 at first), about `bytes_max` of it; and the position behind
    /// it, if that is not the end. All of `later`, if there is nothing earlier. Both are views of one slot of this state,
    /// which is not older than they are.
    fn difference(
        &self,
        earlier: Option<&Self::View>,
        later: &Self::View,
        position: u64,
        bytes_max: usize,
    ) -> (Self::Fragment, Option<u64>);

    /// About how many bytes `slot` holds.
    fn slot_bytes(&self, slot: SlotId) -> usize;

    /// The log's time is `at_ms` now, in ms since 1970: what is read from here on is not read at an earlier time.
    fn advance_clock(&mut self, at_ms: u64) {
        let _ = at_ms;
    }

    /// Forgets everything in `slot`.
    fn clear(&mut self, slot: SlotId);

    /// About how many bytes `fragment` takes: what logs and batches are bounded by.
    fn fragment_bytes(fragment: &Self::Fragment) -> usize;
}
