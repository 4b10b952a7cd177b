//! Slots on their way: what the leaders of the old and of the new owner do for it.
//!
//! A new owner says when it is ready: it knows the configuration, and somebody leads it. Before, nothing is frozen for it.
//! A group that gives slots chooses few at a time, sends them in parts of bounded size, and goes on to the next when
//! these are gone. A slot with little in it is frozen first. One that holds much is copied while it is served, in rounds
//! (`transfer.rs`), and frozen for the last, which is short: so each slot is away from its clients only as long as a few
//! parts are on their way, however many slots there are and however much they hold. The receiver logs each part, and
//! says which it wants next: so whoever leads either group goes on where the last one stopped. What is not frozen yet has
//! time (`pace.rs`).

use crate::group_state::SlotStatus;
use crate::leading::{Asked, Leading};
use crate::server::{Ctx, state_of};
use crate::transfer::Leaving;
use crate::{
    Chunk, ConfigurationNumber, GroupId, GroupState, Message, Reached, Server, Sharded, SlotId, Step,
};
use std::collections::{BTreeMap, BTreeSet};
use synod_node::NodeId;
use synod_stdx::mark;

/// How many slots are chosen at a time at most. Together they have about the bytes of one part, unless one alone has more.
const CHOSEN_MAX: usize = 64;
/// After so many rounds a slot is frozen, however much is written to it meanwhile.
const ROUNDS_MAX: u32 = 8;

impl<S: Sharded> Server<S> {
    /// A new leader: what is on its way is to be sent.
    pub(crate) fn resume_moves(&mut self, ctx: &mut Ctx<S>) {
        let state = self.state();
        let begun = |slot: &SlotId| state.round_of(*slot).map(|round| (*slot, (round, 0)));
        let giving: BTreeMap<SlotId, Reached> = state.leaving.keys().filter_map(begun).collect();
        let slots: Vec<SlotId> = giving.keys().copied().collect();
        if let Some(leading) = &mut self.leading {
            leading.giving = giving;
        }
        self.give(&slots, ctx);
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
        let status = |slot: &SlotId| state.held.find(*slot).map(|held| held.status);
        let is_begun = |slot: &SlotId| {
            let known = leading.giving.get(slot).map(|(round, _)| *round);
            state.round_of(*slot).filter(|round| known.is_none_or(|known| known <= *round))
        };
        let chosen = leading.copying.keys().chain(leading.freezing.keys());
        let begun: Vec<(SlotId, u32)> =
            chosen.filter_map(|slot| is_begun(slot).map(|round| (*slot, round))).collect();
        for (slot, round) in &begun {
            leading.copying.remove(slot);
            leading.freezing.remove(slot);
            leading.giving.insert(*slot, (*round, 0));
        }
        let begun: Vec<SlotId> = begun.into_iter().map(|(slot, _)| slot).collect();
        leading.giving.retain(|slot, _| status(slot).is_some());
        leading.releasing.retain(|slot| status(slot).is_some());
        let givers = std::mem::take(&mut leading.givers);
        let (came, still): (BTreeMap<_, _>, _) =
            givers.into_iter().partition(|(slot, _)| !state.coming.contains_key(slot));
        leading.givers = still;
        self.give(&begun, ctx);
        self.tell_taken(came, ctx);
        self.advance_moves();
        self.ask_for_next(ctx);
        if is_new {
            self.send_ready(ctx);
        }
    }

    /// Chooses the slots that leave next, begins rounds, and freezes those whose turn it is and that no transaction has
    /// locked.
    pub(crate) fn advance_moves(&mut self) {
        let Some(leading) = &mut self.leading else { return };
        let state = state_of(&self.inner);
        let Some(number) = state.configuration().map(|configuration| configuration.number) else { return };
        if state.leaving.is_empty() {
            return;
        }
        // What is durably with its new owner holds up nobody while it is forgotten here.
        let is_given = leading.giving.keys().all(|slot| leading.releasing.contains(slot));
        let is_idle = leading.freezing.is_empty() && leading.copying.is_empty();
        if is_idle && is_given && !leading.pace.is_spent() {
            leading.choose(state, number, self.part_bytes);
        }
        let mut copies = Vec::new();
        for (slot, is_proposed) in leading.copying.iter_mut().filter(|(_, is_proposed)| !**is_proposed) {
            *is_proposed = true;
            copies.extend(state.leaving.get(slot).map(|leaving| (*slot, leaving.next_round())));
        }
        if !copies.is_empty() {
            leading.proposals.push(Step::Copy { number, slots: copies });
        }
        let mut slots = Vec::new();
        for (slot, is_proposed) in leading.freezing.iter_mut().filter(|(_, is_proposed)| !**is_proposed) {
            let status = state.held.find(*slot).map(|held| held.status);
            if status == Some(SlotStatus::Served) && !leading.locking.contains_key(slot) {
                *is_proposed = true;
                slots.push(*slot);
            }
        }
        if !slots.is_empty() {
            leading.proposals.push(Step::Freeze { at_ms: 0, number, slots });
        }
    }

    /// Sends the wanted part of each of these slots, which are on their way.
    fn give(&mut self, slots: &[SlotId], ctx: &mut Ctx<S>) {
        let Some(leading) = &mut self.leading else { return };
        let state = state_of(&self.inner);
        let Some(number) = state.configuration().map(|configuration| configuration.number) else { return };
        let mut parcels: BTreeMap<GroupId, Vec<Chunk<S>>> = BTreeMap::new();
        for slot in slots {
            let (Some(leaving), Some(wanted)) = (state.leaving.get(slot), leading.giving.get(slot)) else {
                continue;
            };
            let is_served = state.held.find(*slot).is_some_and(|held| held.status == SlotStatus::Served);
            if is_served && leading.pace.is_spent() {
                mark!("shardedstore.part_postponed");
                leading.pace.postpone(*slot);
                continue;
            }
            let chunk = state.chunk(*slot, *wanted, self.part_bytes);
            leading.pace.on_given(chunk.as_ref().map_or(0, Chunk::bytes));
            parcels.entry(leaving.owner).or_default().extend(chunk);
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
        leading.copying.values_mut().for_each(|is_proposed| *is_proposed = false);
        leading.freezing.values_mut().for_each(|is_proposed| *is_proposed = false);
        let before = std::mem::replace(&mut leading.given_before, leading.giving.clone());
        let postponed = leading.pace.on_tick();
        let is_stuck = |(slot, wanted): &(&SlotId, &Reached)| {
            postponed.contains(slot) || before.get(slot) == Some(wanted)
        };
        let slots: Vec<SlotId> = leading.giving.iter().filter(is_stuck).map(|(slot, _)| *slot).collect();
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
            proposed.is_some_and(|proposed| proposed.contains(&Asked::Take(chunk.slot, chunk.reached())))
        };
        let (mut known, mut wanted, mut givers) = (Vec::new(), Vec::new(), Vec::new());
        for chunk in chunks {
            match state.coming.get(&chunk.slot).filter(|_| !is_over) {
                None => known.push((chunk.slot, None)),
                Some(coming) if coming.wanted == chunk.reached() => {
                    givers.push((chunk.slot, from));
                    wanted.extend((!is_taken(&chunk)).then_some(chunk));
                }
                Some(coming) => known.push((chunk.slot, Some(coming.wanted))),
            }
        }
        if let Some(leading) = &mut self.leading {
            leading.givers.extend(givers);
            leading.proposed.extend(wanted.iter().map(|chunk| Asked::Take(chunk.slot, chunk.reached())));
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
        let mut news: BTreeMap<NodeId, Vec<(SlotId, Option<Reached>)>> = BTreeMap::new();
        for (slot, giver) in came {
            news.entry(giver).or_default().push((slot, None));
        }
        for (slot, giver) in &leading.givers {
            let wanted = state.coming.get(slot).map(|coming| coming.wanted);
            if wanted.is_some_and(|wanted| wanted > (0, 0)) {
                news.entry(*giver).or_default().push((*slot, wanted));
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
        slots: &[(SlotId, Option<Reached>)],
        ctx: &mut Ctx<S>,
    ) {
        if !self.state().is_in(number) {
            return;
        }
        let state = state_of(&self.inner);
        let Some(leading) = &mut self.leading else { return };
        let (mut gone, mut further) = (Vec::new(), Vec::new());
        for (slot, wanted) in slots {
            let Some(reached) = leading.giving.get_mut(slot) else { continue };
            if let Some(leaving) = state.leaving.get(slot) {
                leading.leaders.insert(leaving.owner, from);
            }
            match wanted {
                None if leading.releasing.insert(*slot) => gone.push(*slot),
                Some(wanted) if *wanted > *reached => {
                    *reached = *wanted;
                    if state.round_of(*slot) == Some(wanted.0) {
                        further.push(*slot);
                    } else {
                        leading.end_round(state, *slot, self.part_bytes);
                    }
                }
                None | Some(_) => {}
            }
        }
        self.give(&further, ctx);
        if !gone.is_empty() {
            self.propose(Step::Release { number, slots: gone });
        }
        self.advance_moves();
    }
}

impl<S: Sharded> Leading<S> {
    /// Chooses the slots that leave next: as many as are soon gone. One that has more than fits a part is copied first.
    fn choose(&mut self, state: &GroupState<S>, number: ConfigurationNumber, part_bytes: usize) {
        let is_ready = |owner: GroupId| self.ready.get(&owner) == Some(&number);
        let ready =
            state.leaving.iter().filter(|(_, leaving)| is_ready(leaving.owner)).map(|(slot, _)| *slot);
        let ready: Vec<SlotId> =
            ready.filter(|slot| !self.giving.contains_key(slot)).take(CHOSEN_MAX).collect();
        let mut all = 0;
        for slot in ready {
            let bytes = state.store.slot_bytes(slot);
            all += bytes;
            if all > part_bytes && all > bytes {
                break;
            }
            let chosen = if bytes > part_bytes { &mut self.copying } else { &mut self.freezing };
            chosen.insert(slot, false);
        }
    }

    /// The new owner has a round of a slot whole: what was written meanwhile comes next, and is the last if it is little.
    fn end_round(&mut self, state: &GroupState<S>, slot: SlotId, part_bytes: usize) {
        let rounds = state.leaving.get(&slot).map_or(0, Leaving::next_round);
        let is_last = rounds >= ROUNDS_MAX || state.has_changed_little(slot, part_bytes);
        let chosen = if is_last { &mut self.freezing } else { &mut self.copying };
        chosen.insert(slot, false);
    }
}
