//! Transactions at the leaders: who is asked for locks, who is told what became of it. What is decided, and by which rule,
//! stands in [`two_phase`](crate::two_phase).

use crate::group_state::Whereabouts;
use crate::leading::{Asked, Vote, Votes};
use crate::queue::Wanted;
use crate::server::{Ctx, state_of};
use crate::sharded::is_among;
use crate::{Attempt, GroupId, Lock, LockNumber, Message, RequestName, Server, Sharded, SlotId, Step};
use std::collections::BTreeMap;
use synod_node::NodeId;
use synod_stdx::mark;

/// About how many bytes are sent again to a group in a tick: what is more waits for so many ticks more.
const AGAIN_BYTES_MAX: usize = 256 << 10;

/// What a try waits for.
enum Next {
    /// Nothing: everybody has locked.
    Nobody,
    /// This group is to lock these slots.
    Ask(GroupId, Vec<SlotId>),
    /// Slots have moved since groups locked them: this try comes to nothing.
    Misfit,
}

impl<S: Sharded> Server<S> {
    /// Whatever each transaction that this group coordinates waits for is asked for, again perhaps.
    pub(crate) fn advance_transactions(&mut self, ctx: &mut Ctx<S>) {
        if let Some(leading) = &mut self.leading {
            for votes in leading.votes.values_mut() {
                votes.is_ending = false;
                votes.waits_for_tick = false;
            }
        }
        let names: Vec<RequestName> = self.state().transactions.keys().copied().collect();
        if let Some(leading) = &mut self.leading {
            let open = &state_of(&self.inner).transactions;
            leading.told.retain(|(name, _), _| open.contains_key(name));
        }
        for name in names {
            self.advance_transaction(name, ctx);
            self.tell_outcome(name, ctx);
        }
    }

    /// Asks the next group for its locks; with all of them, decides.
    pub(crate) fn advance_transaction(&mut self, name: RequestName, ctx: &mut Ctx<S>) {
        let state = state_of(&self.inner);
        let Some(open) = state.transactions.get(&name).filter(|open| open.committed.is_none()) else {
            return;
        };
        let (attempt, command) = (open.attempt, open.command.clone());
        let Some(leading) = &mut self.leading else { return };
        let fresh = || Votes::new(attempt);
        let votes = leading.votes.entry(name).or_insert_with(fresh);
        if votes.attempt != attempt {
            let waits_for_tick = votes.waits_for_tick;
            *votes = Votes { waits_for_tick, ..fresh() };
        }
        if votes.is_ending || votes.waits_for_tick {
            return;
        }
        let home_is_here = state.has(name.slot);
        let Some(holders) = self.holders(attempt, &command) else { return };
        match self.next_holder(attempt, &holders) {
            // Each tick looks again whether the time is known.
            Next::Nobody if home_is_here && !self.paxos().has_time() => {}
            Next::Nobody if home_is_here => self.decide(attempt, &command),
            Next::Ask(group, slots) if home_is_here && group == self.group => self.want_locks(attempt, slots),
            Next::Ask(group, slots) if home_is_here => {
                let rounds = S::bytes(&command) / AGAIN_BYTES_MAX;
                let votes = self.leading.as_mut().and_then(|leading| leading.votes.get_mut(&name));
                if votes.is_some_and(|votes| votes.asked.is_due(group, rounds)) {
                    self.send_to_group(group, Message::Prepare { attempt, slots, command }, ctx);
                }
            }
            // Another leader of this group looked for a slot elsewhere, or the home slot is gone.
            Next::Nobody | Next::Ask(..) | Next::Misfit => self.give_up(attempt),
        }
    }

    /// Who has which slots of a command: those that are locked are where they are locked.
    fn holders(&self, attempt: Attempt, command: &S::Command) -> Option<BTreeMap<GroupId, Vec<SlotId>>> {
        let votes = self.leading.as_ref()?.votes.get(&attempt.name)?;
        let own = self.state().prepared_for(attempt);
        let has_locked = |slot: &SlotId| {
            let voted = votes.by_group.iter().find(|(_, vote)| is_among(&vote.slots, *slot));
            let voted = voted.map(|(group, _)| *group);
            voted.or_else(|| own.filter(|own| is_among(&own.slots, *slot)).map(|_| self.group))
        };
        let mut holders: BTreeMap<GroupId, Vec<SlotId>> = BTreeMap::new();
        for slot in S::slots(command, self.state().slot_count).as_slice() {
            let group = has_locked(slot).or_else(|| self.locate(*slot))?;
            holders.entry(group).or_default().push(*slot);
        }
        Some(holders)
    }

    /// The groups are asked in the order of their names, and each only when all before it have locked.
    fn next_holder(&self, attempt: Attempt, holders: &BTreeMap<GroupId, Vec<SlotId>>) -> Next {
        let votes = self.leading.as_ref().and_then(|leading| leading.votes.get(&attempt.name));
        let Some(votes) = votes else { return Next::Misfit };
        let own = self.state().prepared_for(attempt);
        let locked = |group: &GroupId| match *group == self.group {
            true => own.map(|own| &own.slots),
            false => votes.by_group.get(group).map(|vote| &vote.slots),
        };
        let mut next = Next::Nobody;
        for (group, wanted) in holders {
            next = match (locked(group), next) {
                (Some(locked), Next::Nobody) if locked == wanted => Next::Nobody,
                (None, Next::Nobody) => Next::Ask(*group, wanted.clone()),
                (None, next) => next,
                // Other slots than are there; or a group behind one that is still to be asked, since a slot has moved
                // meanwhile: whoever waited there would hold locks out of order.
                (Some(_), _) => return Next::Misfit,
            };
        }
        next
    }

    /// This try will not commit; the next begins.
    fn give_up(&mut self, attempt: Attempt) {
        let Some(leading) = &mut self.leading else { return };
        if let Some(votes) = leading.votes.get_mut(&attempt.name) {
            votes.is_ending = true;
        }
        leading.proposals.push(Step::Abandon { attempt });
    }

    /// Where a slot is to be asked for.
    fn locate(&self, slot: SlotId) -> Option<GroupId> {
        let leading = self.leading.as_ref()?;
        let located = leading.located.get(&slot).copied();
        match self.state().whereabouts(slot) {
            Whereabouts::Here(_) => Some(self.group),
            Whereabouts::SentTo(group) => Some(group),
            Whereabouts::ComesFrom(group) | Whereabouts::With(group) => {
                // Whoever says that it is here, speaks of what is to come.
                located.filter(|located| *located != self.group).or(Some(group))
            }
            Whereabouts::Unknown => None,
        }
    }

    fn decide(&mut self, attempt: Attempt, command: &S::Command) {
        // It may have waited for its locks: it runs now, at one time in all of its groups.
        let (mut command, at_ms) = (command.clone(), self.paxos().now_ms().unwrap_or_default());
        S::stamp(&mut command, at_ms);
        let command = &command;
        let state = state_of(&self.inner);
        let Some(leading) = &mut self.leading else { return };
        let Some(votes) = leading.votes.get_mut(&attempt.name) else { return };
        let own = state.prepared.get(&attempt.name).map_or(&[][..], |own| &own.slots);
        let mut fragments: Vec<S::Fragment> =
            votes.by_group.values().map(|vote| vote.fragment.clone()).collect();
        fragments.push(state.store.read(command, &|slot| is_among(own, slot)));
        let (output, written) = state.store.run_apart(command, &fragments);
        let part = |slots: &[SlotId]| state.store.part(&written, &|slot| is_among(slots, slot));
        let others = votes.by_group.iter().map(|(group, vote)| (*group, vote.lock, part(&vote.slots)));
        let parts = others.chain([(self.group, 0, part(own))]).collect();
        votes.is_ending = true;
        leading.proposals.push(Step::Decide { at_ms, attempt, output, parts });
    }

    pub(crate) fn on_vote(
        &mut self,
        from: NodeId,
        (attempt, group): (Attempt, GroupId),
        vote: Vote<S>,
        ctx: &mut Ctx<S>,
    ) {
        let is_under_way = self.state().is_under_way(attempt);
        let Some(leading) = &mut self.leading else { return };
        leading.leaders.insert(group, from);
        if !is_under_way {
            self.tell_outcome(attempt.name, ctx);
            return;
        }
        if let Some(votes) = leading.votes.get_mut(&attempt.name).filter(|votes| votes.attempt == attempt) {
            votes.by_group.insert(group, vote);
            self.advance_transaction(attempt.name, ctx);
        }
    }

    /// A slot is not where it was looked for: the try is given up, so that nobody waits for its locks meanwhile.
    pub(crate) fn on_refused(&mut self, attempt: Attempt, slot: SlotId, with: Option<GroupId>) {
        if !self.state().is_under_way(attempt) {
            return;
        }
        let Some(leading) = &mut self.leading else { return };
        let Some(votes) = leading.votes.get_mut(&attempt.name).filter(|votes| votes.attempt == attempt)
        else {
            return;
        };
        if votes.is_ending {
            return;
        }
        mark!("shardedstore.slot_not_found");
        match with.filter(|with| leading.located.get(&slot) != Some(with)) {
            Some(with) => {
                leading.located.insert(slot, with);
            }
            None => {
                leading.located.remove(&slot);
                votes.waits_for_tick = true;
            }
        }
        self.give_up(attempt);
    }

    pub(crate) fn on_abandoned(&mut self, attempt: Attempt, ctx: &mut Ctx<S>) {
        let Some(leading) = &mut self.leading else { return };
        leading.is_due = true;
        let voters = leading.votes.get(&attempt.name).filter(|votes| votes.attempt == attempt);
        let voters = voters.into_iter().flat_map(|votes| &votes.by_group);
        let locks: Vec<(GroupId, LockNumber)> = voters.map(|(group, vote)| (*group, vote.lock)).collect();
        for (group, lock) in locks {
            self.send_to_group(group, Message::Outcome { attempt, lock, part: None }, ctx);
        }
        if !self.state().transactions.contains_key(&attempt.name) {
            if let Some(leading) = &mut self.leading {
                leading.votes.remove(&attempt.name);
                leading.on_not_run(attempt.name);
            }
            // Whoever has the home slot now will coordinate.
            self.send_elsewhere(attempt.name.client.node(), attempt.name.slot, ctx);
            return;
        }
        if let Some(votes) = self.leading.as_mut().and_then(|leading| leading.votes.get_mut(&attempt.name)) {
            votes.is_ending &= votes.attempt != attempt;
        }
        self.advance_transaction(attempt.name, ctx);
    }

    /// Tells everybody who has locked slots for a committed transaction and is not known to have unlocked them.
    pub(crate) fn tell_outcome(&mut self, name: RequestName, ctx: &mut Ctx<S>) {
        let open = state_of(&self.inner).transactions.get(&name);
        let Some(leading) = &mut self.leading else { return };
        if open.is_none_or(|open| open.committed.is_some()) && leading.votes.remove(&name).is_some() {
            // Its slots are free.
            leading.is_due = true;
        }
        let Some((open, parts)) = open.and_then(|open| Some((open, open.committed.as_ref()?))) else {
            return;
        };
        let (attempt, mut parts) = (open.attempt, parts.clone());
        parts.retain(|group, (_, part)| {
            let rounds = S::fragment_bytes(part) / AGAIN_BYTES_MAX;
            rounds == 0 || leading.told.entry((name, *group)).or_default().is_due(*group, rounds)
        });
        for (group, (lock, part)) in parts {
            self.send_to_group(group, Message::Outcome { attempt, lock, part: Some(part) }, ctx);
        }
    }

    /// The coordinator says what became of a try.
    pub(crate) fn on_outcome(
        &mut self,
        from: NodeId,
        (attempt, lock): (Attempt, LockNumber),
        part: Option<S::Fragment>,
        ctx: &mut Ctx<S>,
    ) {
        if self.state().lock_of(attempt) == Some(lock) {
            self.propose_once(Asked::Finish(attempt, lock), Step::Finish { attempt, lock, part });
        } else if self.state().is_unlocked(attempt, lock) && part.is_some() {
            ctx.send(from, Message::Finished { attempt, group: self.group });
        }
    }

    fn is_being_told(&self, name: RequestName, group: GroupId) -> bool {
        self.leading.as_ref().is_some_and(|leading| leading.told.contains_key(&(name, group)))
    }

    pub(crate) fn on_finished(&mut self, attempt: Attempt, group: GroupId) {
        let name = attempt.name;
        let open = self.state().transactions.get(&name).and_then(|open| open.committed.as_ref());
        if open.is_some_and(|left| left.contains_key(&group)) {
            self.propose_once(Asked::Told(name, group), Step::Told { name, group });
        }
    }

    /// A participant has not heard what became of a try.
    pub(crate) fn on_inquire(
        &mut self,
        from: NodeId,
        attempt: Attempt,
        (group, lock): (GroupId, LockNumber),
        ctx: &mut Ctx<S>,
    ) {
        if let Some(leading) = &mut self.leading {
            leading.leaders.insert(group, from);
        }
        let open = self.state().transactions.get(&attempt.name).filter(|open| open.attempt == attempt);
        match open.map(|open| open.committed.as_ref().map(|left| left.get(&group).cloned())) {
            // It is under way.
            Some(None) => {}
            Some(Some(decided)) => {
                // Decided on this lock, or on one before it: then this one is nothing to it.
                let part = decided.filter(|(decided, _)| *decided == lock).map(|(_, part)| part);
                if part.is_none() {
                    mark!("shardedstore.locked_anew");
                } else if self.is_being_told(attempt.name, group) {
                    // That is much, and is said again by itself.
                    return;
                }
                ctx.send(from, Message::Outcome { attempt, lock, part });
            }
            None if self.state().is_over(attempt) => {
                mark!("shardedstore.orphan_asks");
                ctx.send(from, Message::Outcome { attempt, lock, part: None });
            }
            // This leader was deposed and does not know: others do.
            None => {}
        }
    }

    /// Asks what became of the tries for which slots are locked here.
    pub(crate) fn inquire(&mut self, ctx: &mut Ctx<S>) {
        let me = self.group;
        let locks = self.state().prepared.values().map(|prepared| (prepared.attempt, prepared.lock));
        let locks: Vec<(Attempt, LockNumber)> =
            locks.filter(|(attempt, _)| attempt.coordinator != me).collect();
        for (attempt, lock) in locks {
            self.send_to_group(attempt.coordinator, Message::Inquire { attempt, group: me, lock }, ctx);
        }
    }

    pub(crate) fn on_prepare(
        &mut self,
        from: NodeId,
        (attempt, slots): (Attempt, Vec<SlotId>),
        command: S::Command,
        ctx: &mut Ctx<S>,
    ) {
        let Some(leading) = &mut self.leading else { return };
        leading.leaders.insert(attempt.coordinator, from);
        leading.asked.insert(attempt, (from, command));
        if self.state().is_prepared(attempt) {
            self.vote(attempt, ctx);
            return;
        }
        match slots.iter().find(|slot| !self.state().has(**slot)) {
            Some(slot) => self.refuse(attempt, *slot, ctx),
            None => self.want_locks(attempt, slots),
        }
    }

    /// Locks slots as soon as they are free.
    fn want_locks(&mut self, attempt: Attempt, slots: Vec<SlotId>) {
        let Some(leading) = &mut self.leading else { return };
        let is_in_log = slots.iter().all(|slot| leading.locking.get(slot) == Some(&attempt));
        if is_in_log || leading.queue.has(attempt) {
            return;
        }
        leading.is_due = true;
        leading.queue.push(Wanted::Prepare { attempt, slots: slots.clone() }, slots);
    }

    /// The slots are free: their lock goes into the log.
    pub(crate) fn lock(&mut self, attempt: Attempt, slots: Vec<SlotId>) {
        if let Some(leading) = &mut self.leading {
            leading.locking.extend(slots.iter().map(|slot| (*slot, attempt)));
        }
        self.propose(Step::Prepare { attempt, slots });
    }

    pub(crate) fn on_prepared(&mut self, attempt: Attempt, lock: Lock, slots: Vec<SlotId>, ctx: &mut Ctx<S>) {
        if let Some(leading) = &mut self.leading {
            leading.locking.retain(|_, other| *other != attempt);
            leading.is_due = true;
        }
        match lock {
            Lock::NotNow => self.want_locks(attempt, slots),
            Lock::Held(_) if attempt.coordinator == self.group => self.advance_transaction(attempt.name, ctx),
            Lock::Held(_) => self.vote(attempt, ctx),
            Lock::Never => {
                if let Some(leading) = &mut self.leading {
                    leading.asked.remove(&attempt);
                }
            }
        }
    }

    /// Tells the coordinator what is locked.
    fn vote(&mut self, attempt: Attempt, ctx: &mut Ctx<S>) {
        let Some(leading) = &mut self.leading else { return };
        let Some((from, command)) = leading.asked.remove(&attempt) else { return };
        let Some(prepared) = self.state().prepared.get(&attempt.name) else { return };
        let (lock, slots) = (prepared.lock, prepared.slots.clone());
        let fragment = self.state().store.read(&command, &|slot| is_among(&slots, slot));
        ctx.send(from, Message::Vote { attempt, group: self.group, lock, slots, fragment });
    }

    /// Tells the coordinator that a slot is not here.
    pub(crate) fn refuse(&mut self, attempt: Attempt, slot: SlotId, ctx: &mut Ctx<S>) {
        let with = match self.state().whereabouts(slot) {
            Whereabouts::SentTo(group) | Whereabouts::ComesFrom(group) | Whereabouts::With(group) => {
                Some(group)
            }
            Whereabouts::Here(_) | Whereabouts::Unknown => None,
        };
        if attempt.coordinator == self.group {
            self.on_refused(attempt, slot, with);
            return;
        }
        let Some(leading) = &mut self.leading else { return };
        if let Some((from, _)) = leading.asked.remove(&attempt) {
            ctx.send(from, Message::Refused { attempt, slot, with });
        }
    }
}
