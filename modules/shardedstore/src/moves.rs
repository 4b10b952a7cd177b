//! Slots on their way: what the leaders of the old and of the new owner do for it.
//!
//! A new owner says when it is ready: it knows the configuration, and somebody leads it. Before, nothing is frozen for it.
//! A group that gives slots freezes few at a time, sends them in parts of bounded size, and goes on to the next when
//! these are gone: so each slot is away from its clients only as long as its own few parts are on their way, however many
//! there are. The receiver logs each part, and says which it wants next: so whoever leads either group goes on where the
//! last one stopped.

use crate::group_state::SlotStatus;
use crate::leading::Asked;
use crate::server::{Ctx, state_of};
use crate::{Chunk, ConfigurationNumber, GroupId, Message, Server, Sharded, SlotId, Step};
use std::collections::{BTreeMap, BTreeSet};
use synod_node::NodeId;
use synod_stdx::mark;

/// How many slots are frozen at a time at most.
const FROZEN_MAX: usize = 64;
/// About how many bytes of slots are frozen at a time, unless one alone has more.
const FROZEN_BYTES_MAX: usize = 256 << 10;
/// About how many bytes one part of a slot has.
const CHUNK_BYTES_MAX: usize = 256 << 10;

impl<S: Sharded> Server<S> {
    /// A new leader: what is frozen is to be sent.
    pub(crate) fn resume_moves(&mut self, ctx: &mut Ctx<S>) {
        let is_frozen = |slot: &&SlotId| {
            self.state().held.get(slot).is_some_and(|held| held.status == SlotStatus::Frozen)
        };
        let frozen: Vec<SlotId> = self.state().leaving.keys().filter(is_frozen).copied().collect();
        if let Some(leading) = &mut self.leading {
            leading.giving = frozen.iter().map(|slot| (*slot, 0)).collect();
        }
        self.give(&frozen, ctx);
        self.advance_moves();
    }

    /// Something came, or went, or is frozen now, or the configuration is new.
    pub(crate) fn on_moved(&mut self, ctx: &mut Ctx<S>) {
        let number = self.state().configuration().map(|configuration| configuration.number);
        let Some(leading) = &mut self.leading else { return };
        leading.is_due = true;
        leading.located.clear();
        let is_new = std::mem::replace(&mut leading.number, number) != number;
        let state = state_of(&self.inner);
        let status = |slot: &SlotId| state.held.get(slot).map(|held| held.status);
        let frozen: Vec<SlotId> = leading
            .freezing
            .keys()
            .filter(|slot| status(slot) == Some(SlotStatus::Frozen))
            .copied()
            .collect();
        for slot in &frozen {
            leading.freezing.remove(slot);
            leading.giving.insert(*slot, 0);
        }
        leading.giving.retain(|slot, _| status(slot).is_some());
        leading.releasing.retain(|slot| status(slot).is_some());
        let givers = std::mem::take(&mut leading.givers);
        let (came, still): (BTreeMap<_, _>, _) =
            givers.into_iter().partition(|(slot, _)| !state.coming.contains_key(slot));
        leading.givers = still;
        self.give(&frozen, ctx);
        self.tell_taken(came, ctx);
        self.advance_moves();
        self.ask_for_next(ctx);
        if is_new {
            self.send_ready(ctx);
        }
    }

    /// Chooses the slots that leave next, and freezes those of them that no transaction has locked.
    pub(crate) fn advance_moves(&mut self) {
        let Some(leading) = &mut self.leading else { return };
        let state = state_of(&self.inner);
        let Some(number) = state.configuration().map(|configuration| configuration.number) else { return };
        if state.leaving.is_empty() {
            return;
        }
        if leading.freezing.is_empty() && leading.giving.is_empty() {
            let mut bytes = 0;
            let is_ready = |owner: &GroupId| leading.ready.get(owner) == Some(&number);
            let wanted = state.leaving.iter().filter(|(_, owner)| is_ready(owner)).map(|(slot, _)| slot);
            for slot in wanted.take(FROZEN_MAX) {
                bytes += state.store.slot_bytes(*slot);
                if bytes > FROZEN_BYTES_MAX && !leading.freezing.is_empty() {
                    break;
                }
                leading.freezing.insert(*slot, false);
            }
        }
        let mut slots = Vec::new();
        for (slot, is_proposed) in leading.freezing.iter_mut().filter(|(_, is_proposed)| !**is_proposed) {
            let status = state.held.get(slot).map(|held| held.status);
            if status == Some(SlotStatus::Served) && !leading.locking.contains_key(slot) {
                *is_proposed = true;
                slots.push(*slot);
            }
        }
        if !slots.is_empty() {
            leading.proposals.push(Step::Freeze { number, slots });
        }
    }

    /// Sends the wanted part of each of these slots, which are frozen.
    fn give(&mut self, slots: &[SlotId], ctx: &mut Ctx<S>) {
        let Some(leading) = &self.leading else { return };
        let state = self.state();
        let Some(number) = state.configuration().map(|configuration| configuration.number) else { return };
        let mut parcels: BTreeMap<GroupId, Vec<Chunk<S>>> = BTreeMap::new();
        for slot in slots {
            let (Some(to), Some(position)) = (state.leaving.get(slot), leading.giving.get(slot)) else {
                continue;
            };
            let chunk = state.chunk(*slot, *position, CHUNK_BYTES_MAX);
            parcels.entry(*to).or_default().extend(chunk);
        }
        for (to, chunks) in parcels.into_iter().filter(|(_, chunks)| !chunks.is_empty()) {
            self.send_to_group(to, Message::Give { number, chunks }, ctx);
        }
    }

    /// Tells whoever has slots that are this group's now that it may give them.
    pub(crate) fn send_ready(&mut self, ctx: &mut Ctx<S>) {
        let state = self.state();
        let Some(number) = state.configuration().map(|configuration| configuration.number) else { return };
        let givers: BTreeSet<GroupId> = state.coming.values().map(|coming| coming.from).collect();
        for giver in givers {
            self.send_to_group(giver, Message::Ready { number, group: self.group }, ctx);
        }
    }

    pub(crate) fn on_ready(
        &mut self,
        from: NodeId,
        number: ConfigurationNumber,
        group: GroupId,
        ctx: &mut Ctx<S>,
    ) {
        if self.state().next_number() <= number {
            self.ask_for_next(ctx);
        }
        if let Some(leading) = &mut self.leading {
            leading.leaders.insert(group, from);
            leading.ready.insert(group, number);
        }
        self.advance_moves();
    }

    /// A tick passed: what is not known to have come is sent again.
    pub(crate) fn give_again(&mut self, ctx: &mut Ctx<S>) {
        let Some(leading) = &mut self.leading else { return };
        // Whoever led the other group may be gone.
        leading.leaders.clear();
        leading.releasing.clear();
        leading.freezing.values_mut().for_each(|is_proposed| *is_proposed = false);
        let slots: Vec<SlotId> = leading.giving.keys().copied().collect();
        self.give(&slots, ctx);
        self.advance_moves();
    }

    pub(crate) fn on_give(
        &mut self,
        from: NodeId,
        number: ConfigurationNumber,
        chunks: Vec<Chunk<S>>,
        ctx: &mut Ctx<S>,
    ) {
        let state = self.state();
        let current = state.configuration().map(|configuration| configuration.number);
        if current.is_none_or(|current| current < number) {
            mark!("shardedstore.given_before_configured");
            self.ask_for_next(ctx);
            return;
        }
        let is_over = current.is_some_and(|current| current > number);
        let proposed = self.leading.as_ref().map(|leading| &leading.proposed);
        let is_taken = |chunk: &Chunk<S>| {
            proposed.is_some_and(|proposed| proposed.contains(&Asked::Take(chunk.slot, chunk.position)))
        };
        let (mut known, mut wanted, mut givers) = (Vec::new(), Vec::new(), Vec::new());
        for chunk in chunks {
            match state.coming.get(&chunk.slot).filter(|_| !is_over) {
                None => known.push((chunk.slot, None)),
                Some(coming) if coming.position == chunk.position => {
                    givers.push((chunk.slot, from));
                    wanted.extend((!is_taken(&chunk)).then_some(chunk));
                }
                Some(coming) => known.push((chunk.slot, Some(coming.position))),
            }
        }
        if let Some(leading) = &mut self.leading {
            leading.givers.extend(givers);
            leading.proposed.extend(wanted.iter().map(|chunk| Asked::Take(chunk.slot, chunk.position)));
        }
        if !known.is_empty() {
            ctx.send(from, Message::Taken { number, slots: known });
        }
        if !wanted.is_empty() {
            self.propose(Step::Take { number, chunks: wanted });
        }
    }

    /// Tells the givers which part of their slots is wanted next.
    fn tell_taken(&mut self, came: BTreeMap<SlotId, NodeId>, ctx: &mut Ctx<S>) {
        let Some(leading) = &mut self.leading else { return };
        let state = state_of(&self.inner);
        let Some(number) = state.configuration().map(|configuration| configuration.number) else { return };
        let mut news: BTreeMap<NodeId, Vec<(SlotId, Option<u64>)>> = BTreeMap::new();
        for (slot, giver) in came {
            news.entry(giver).or_default().push((slot, None));
        }
        for (slot, giver) in &leading.givers {
            let position = state.coming.get(slot).map(|coming| coming.position);
            if position.is_some_and(|position| position > 0) {
                news.entry(*giver).or_default().push((*slot, position));
            }
        }
        for (giver, slots) in news {
            ctx.send(giver, Message::Taken { number, slots });
        }
    }

    pub(crate) fn on_taken(
        &mut self,
        from: NodeId,
        number: ConfigurationNumber,
        slots: &[(SlotId, Option<u64>)],
        ctx: &mut Ctx<S>,
    ) {
        if !self.state().is_in(number) {
            return;
        }
        let owners = &state_of(&self.inner).leaving;
        let Some(leading) = &mut self.leading else { return };
        let (mut gone, mut further) = (Vec::new(), Vec::new());
        for (slot, wanted) in slots {
            let Some(position) = leading.giving.get_mut(slot) else { continue };
            if let Some(owner) = owners.get(slot) {
                leading.leaders.insert(*owner, from);
            }
            match wanted {
                None if leading.releasing.insert(*slot) => gone.push(*slot),
                Some(wanted) if *wanted > *position => {
                    *position = *wanted;
                    further.push(*slot);
                }
                None | Some(_) => {}
            }
        }
        self.give(&further, ctx);
        if !gone.is_empty() {
            self.propose(Step::Release { number, slots: gone });
        }
    }
}
