//! The replicated side of a slot's way from one group to another: what the old owner keeps of it, and what the new one has.
//!
//! A slot with little in it is frozen, and goes as it is. One that holds much is served on while it goes: in the first
//! round of parts the new owner is sent what the slot held when the round began, in each other round what was written
//! since the one before it began. Once a round would be short the slot is frozen, and that round is the last. Views of the
//! slot at these moments stand in the group's state, which costs as much memory as is written meanwhile: so every member
//! has the same views, and whoever leads the group next goes on in the middle of a round.

use crate::group_state::{GroupState, Held, SlotStatus};
use crate::{Chunk, ConfigurationNumber, GroupId, Reached, Sharded, SlotId, Stepped};
use std::sync::Arc;
use synod_stdx::mark;

/// A slot that belongs to another group now.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Leaving<V> {
    pub(crate) owner: GroupId,
    /// What the new owner is sent now; nothing before the slot is on its way.
    pub(crate) round: Option<Round<V>>,
}

/// What goes to the new owner, in one or more parts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Round<V> {
    /// From 0.
    pub(crate) number: u32,
    /// What the new owner has before it; nothing in the first round.
    pub(crate) earlier: Option<V>,
    /// What it has then.
    pub(crate) later: V,
}

/// A slot that comes from its old owner.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Coming {
    pub(crate) from: GroupId,
    /// The part that is wanted next.
    pub(crate) wanted: Reached,
}

impl<V> Leaving<V> {
    pub(crate) fn to(owner: GroupId) -> Self {
        Leaving { owner, round: None }
    }

    /// The number of the next round.
    pub(crate) fn next_round(&self) -> u32 {
        self.round.as_ref().map_or(0, |round| round.number + 1)
    }

    fn begin_round(&mut self, later: V) {
        let number = self.next_round();
        let earlier = self.round.take().map(|round| round.later);
        self.round = Some(Round { number, earlier, later });
    }
}

impl<S: Sharded> GroupState<S> {
    /// Which round of a slot that leaves is under way.
    pub(crate) fn round_of(&self, slot: SlotId) -> Option<u32> {
        self.leaving.get(&slot)?.round.as_ref().map(|round| round.number)
    }

    /// Whether what was written to a slot since its round began fits in about `bytes_max`.
    pub(crate) fn has_changed_little(&self, slot: SlotId, bytes_max: usize) -> bool {
        let Some(round) = self.leaving.get(&slot).and_then(|leaving| leaving.round.as_ref()) else {
            return false;
        };
        self.store.difference(Some(&round.later), &self.store.slot_view(slot), 0, bytes_max).1.is_none()
    }

    pub(crate) fn copy(
        &mut self,
        number: ConfigurationNumber,
        slots: &[(SlotId, u32)],
    ) -> Stepped<S::Output> {
        let mut news = Stepped::Known;
        for (slot, round) in slots {
            let is_served = self.has(*slot) && self.is_in(number);
            if let Some(leaving) = self.leaving.get_mut(slot)
                && leaving.next_round() == *round
                && is_served
            {
                leaving.begin_round(self.store.slot_view(*slot));
                news = Stepped::Moved;
            }
        }
        news
    }

    pub(crate) fn freeze(&mut self, number: ConfigurationNumber, slots: &[SlotId]) -> Stepped<S::Output> {
        let mut news = Stepped::Known;
        for slot in slots {
            let is_current = self.is_in(number);
            if let Some(leaving) = self.leaving.get_mut(slot)
                && let Some(held) = self.held.find_mut(*slot)
                && held.status == SlotStatus::Served
                && is_current
            {
                held.status = SlotStatus::Frozen;
                leaving.begin_round(self.store.slot_view(*slot));
                news = Stepped::Moved;
            }
        }
        news
    }

    /// The part of a slot on its way that begins at `position` of round `round`, if that is the round under way.
    pub(crate) fn chunk(
        &self,
        slot: SlotId,
        (round, position): Reached,
        bytes_max: usize,
    ) -> Option<Chunk<S>> {
        let (leaving, held) = (self.leaving.get(&slot)?, self.held.find(slot)?);
        let Round { earlier, later, .. } = leaving.round.as_ref().filter(|known| known.number == round)?;
        let (fragment, next) = self.store.difference(earlier.as_ref(), later, position, bytes_max);
        let is_last = next.is_none() && held.status == SlotStatus::Frozen;
        let sessions = is_last.then(|| Arc::clone(&held.sessions));
        Some(Chunk { slot, round, position, next, fragment, sessions })
    }

    pub(crate) fn take(&mut self, number: ConfigurationNumber, chunks: &[Chunk<S>]) -> Stepped<S::Output> {
        if !self.is_in(number) {
            return Stepped::Known;
        }
        let mut news = Stepped::Known;
        for chunk in chunks {
            let Some(coming) = self.coming.get_mut(&chunk.slot) else { continue };
            if coming.wanted != chunk.reached() {
                continue;
            }
            news = Stepped::Moved;
            self.store.write(&chunk.fragment);
            match (chunk.next, &chunk.sessions) {
                (Some(next), _) => {
                    mark!("shardedstore.part_of_slot");
                    coming.wanted = (chunk.round, next);
                }
                (None, None) => {
                    mark!("shardedstore.copied_while_served");
                    coming.wanted = (chunk.round + 1, 0);
                }
                (None, Some(sessions)) => {
                    self.coming.remove(&chunk.slot);
                    let sessions = Arc::clone(sessions);
                    self.held.insert(chunk.slot, Held { sessions, status: SlotStatus::Served });
                }
            }
        }
        news
    }

    pub(crate) fn release(&mut self, number: ConfigurationNumber, slots: &[SlotId]) -> Stepped<S::Output> {
        let mut news = Stepped::Known;
        for slot in slots {
            let is_frozen = self.held.find(*slot).is_some_and(|held| held.status == SlotStatus::Frozen);
            if is_frozen && self.is_in(number) {
                self.held.remove(*slot);
                self.leaving.remove(slot);
                self.store.clear(*slot);
                news = Stepped::Moved;
            }
        }
        news
    }
}
