//! Clients' requests at a leader: what runs at once, what waits for its slots, and what is sent elsewhere.

use crate::group_state::{SlotStatus, Whereabouts};
use crate::queue::{Waiting, Wanted};
use crate::server::Ctx;
use crate::{Lot, Message, RequestName, Server, Sharded, SlotId, Slots, Step};
use synod_clientserver::{Admission, Seq};
use synod_node::{Node, NodeId};
use synod_paxos::Message as Paxos;
use synod_stdx::mark;

/// What a request to a slot can do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    /// Go on.
    Free,
    /// Wait.
    Busy,
    /// Go to whoever else is named; whether to wait there.
    Elsewhere(crate::GroupId, bool),
    /// Nothing: ask again later.
    Unknown,
}

impl<S: Sharded> Server<S> {
    /// Whether a request that needs `slot` runs here now. `is_awaited`: the old owner sent whoever asks, or it waits here
    /// already.
    fn access(&self, slot: SlotId, is_awaited: bool) -> Access {
        let Some(leading) = &self.leading else { return Access::Unknown };
        match self.state().whereabouts(slot) {
            Whereabouts::Here(SlotStatus::Served) => {
                let is_wanted = leading.locking.contains_key(&slot) || leading.freezing.contains_key(&slot);
                if is_wanted { Access::Busy } else { Access::Free }
            }
            Whereabouts::Here(SlotStatus::Locked(_) | SlotStatus::Frozen) => Access::Busy,
            Whereabouts::SentTo(group) => Access::Elsewhere(group, true),
            Whereabouts::ComesFrom(_) if is_awaited => Access::Busy,
            Whereabouts::ComesFrom(group) => Access::Elsewhere(group, false),
            // The old owner is ahead: it knows that the slot is to come here, and this group will learn it.
            Whereabouts::With(_) | Whereabouts::Unknown if is_awaited => Access::Busy,
            Whereabouts::With(group) => Access::Elsewhere(group, false),
            Whereabouts::Unknown => Access::Unknown,
        }
    }

    pub(crate) fn on_lot(&mut self, from: NodeId, lot: Lot<S::Command>, ctx: &mut Ctx<S>) {
        let Lot { slot, client, first, acked_below, is_on_its_way, commands } = lot;
        if slot.number() >= self.state().slot_count {
            // No client of this store says so.
            return;
        }
        let (executed, is_known) = self.state().executed(client, slot);
        match self.access(slot, is_on_its_way) {
            Access::Elsewhere(group, is_on_its_way) => {
                ctx.send_early(from, Message::Elsewhere { slot, group, is_on_its_way });
                return;
            }
            Access::Unknown => return,
            Access::Free | Access::Busy => {}
        }
        let is_here = self.state().has(slot);
        let Some(leading) = &self.leading else { return };
        let mut taken = leading.taken.get(client, slot);
        // Nothing is known of this session. Whether that is so the log must say: a leader that was deposed without
        // knowing has not heard of whoever came since.
        if is_here && !is_known && taken.is_none() && first > 1 {
            taken = Some(first - 1);
        }
        for (seq, command) in (first..).zip(commands) {
            let name = RequestName { client, slot, seq };
            // While the slot is on its way nobody here knows what ran: the first that comes is taken for the next, and
            // may turn out to be an old one.
            let expected = match taken {
                Some(taken) if is_here => taken.max(executed) + 1,
                Some(taken) => taken + 1,
                None if is_here => executed + 1,
                None => seq,
            };
            if is_here && seq <= executed {
                self.answer_again(name);
            } else if seq == expected && self.admit(name, acked_below, command) {
                taken = Some(seq);
            }
            // Else it is on its way already, or behind a gap, or too much: the client will submit it again.
        }
        if let (Some(leading), Some(taken)) = (&mut self.leading, taken) {
            leading.taken.insert(client, slot, taken);
        }
    }

    fn answer_again(&mut self, name: RequestName) {
        let output = match self.state().admit(name) {
            Admission::Again(output) => output.clone(),
            Admission::Run | Admission::Answered | Admission::Early | Admission::Forgotten => return,
        };
        mark!("shardedstore.answered_again");
        if let Some(leading) = &mut self.leading {
            leading.answers.push(name, output);
        }
    }

    /// A command whose turn in its session it is runs now, or waits. Whether it does either.
    fn admit(&mut self, name: RequestName, acked_below: Seq, command: S::Command) -> bool {
        let slots = S::slots(&command, self.state().slot_count);
        let wanted = self.wanted_here(&slots);
        let is_free = self.is_free(wanted, Some(name));
        let is_whole = wanted.len() == slots.as_slice().len();
        let Some(leading) = &mut self.leading else { return false };
        let is_next = leading.queue.is_empty() || !leading.queue.needs(wanted);
        if is_free && is_next {
            self.start(name, acked_below, command, is_whole);
            return true;
        }
        mark!("shardedstore.waits_for_a_slot");
        leading.queue.push(Wanted::Run { name, acked_below, command }, wanted.to_vec())
    }

    /// The slots that a command waits for here: all of them, if all are here; else its home slot, in which it begins as a
    /// transaction.
    fn wanted_here<'s>(&self, slots: &'s Slots) -> &'s [SlotId] {
        match slots {
            Slots::Several(all) if !self.has_all(all) => &all[..1],
            Slots::One(_) | Slots::Several(_) => slots.as_slice(),
        }
    }

    fn has_all(&self, slots: &[SlotId]) -> bool {
        slots.iter().all(|slot| self.state().has(*slot))
    }

    /// Whether nothing that is under way stands against a use of `slots`.
    fn is_free(&self, slots: &[SlotId], name: Option<RequestName>) -> bool {
        if slots.iter().any(|slot| self.access(*slot, true) != Access::Free) {
            return false;
        }
        let (Some(leading), Some(name)) = (&self.leading, name) else { return true };
        // A transaction of the same session comes first: results are recorded in order.
        let key = (name.client, name.slot);
        !leading.beginning.contains(&key) && !self.state().has_undecided(name.client, name.slot)
    }

    /// Whether it is a command whose session has a transaction under way. That transaction may need the same slots, and
    /// comes behind it where its locks are wanted later: so whoever waits for it claims no slot meanwhile.
    fn waits_for_its_session(&self, waiting: &Waiting<S>) -> bool {
        match &waiting.wanted {
            Wanted::Run { name, .. } => !self.is_free(&[], Some(*name)),
            Wanted::Read { .. } | Wanted::Prepare { .. } => false,
        }
    }

    /// Puts a command into the log: to run, if all of its slots are here, or to begin as a transaction.
    fn start(&mut self, name: RequestName, acked_below: Seq, command: S::Command, is_whole: bool) {
        let step = if is_whole {
            Step::Run { name, acked_below, command }
        } else {
            if let Some(leading) = &mut self.leading {
                leading.beginning.insert((name.client, name.slot));
            }
            Step::Begin { name, acked_below, command }
        };
        self.propose(step);
    }

    pub(crate) fn on_ask(
        &mut self,
        from: NodeId,
        (first, is_on_its_way): (Seq, bool),
        queries: Vec<S::Command>,
        ctx: &mut Ctx<S>,
    ) {
        let mut ready: Option<(Seq, Vec<Step<S>>)> = None;
        for (seq, query) in (first..).zip(queries) {
            let slots = S::slots(&query, self.state().slot_count);
            let (home, slots) = (slots.home(), slots.as_slice());
            let is_here = self.has_all(slots);
            match self.access(home, is_on_its_way) {
                Access::Elsewhere(group, is_on_its_way) => {
                    ctx.send_early(from, Message::Elsewhere { slot: home, group, is_on_its_way });
                }
                Access::Unknown => {}
                // Several groups read together only through their logs.
                Access::Free | Access::Busy if !is_here && slots.len() > 1 => {
                    let outputs = vec![None];
                    ctx.send_early(from, Message::Members(Paxos::Answers { first: seq, outputs }));
                }
                Access::Free | Access::Busy => {
                    let is_free = self.is_free(slots, None);
                    let Some(leading) = &mut self.leading else { return };
                    if !is_free || (!leading.queue.is_empty() && leading.queue.needs(slots)) {
                        let slots = slots.to_vec();
                        leading.queue.push(Wanted::Read { from, seq, query }, slots);
                        continue;
                    }
                    match &mut ready {
                        Some((start, steps)) if *start + steps.len() as u64 == seq => {
                            steps.push(Step::Read(query));
                        }
                        Some(_) | None => {
                            if let Some(before) = ready.replace((seq, vec![Step::Read(query)])) {
                                self.read(from, before, ctx);
                            }
                        }
                    }
                }
            }
        }
        if let Some(ready) = ready {
            self.read(from, ready, ctx);
        }
    }

    fn read(&mut self, from: NodeId, (first, queries): (Seq, Vec<Step<S>>), ctx: &mut Ctx<S>) {
        self.within(ctx, |inner, ctx| inner.on_message(from, Paxos::Query { first, queries }, ctx));
    }

    /// Whatever waited for slots that are free now goes on; whatever waits for slots that are elsewhere is sent there.
    pub(crate) fn advance_queue(&mut self, ctx: &mut Ctx<S>) {
        loop {
            let Some(leading) = &mut self.leading else { return };
            if !std::mem::take(&mut leading.is_due) || leading.queue.is_empty() {
                return;
            }
            let mut queue = std::mem::take(&mut leading.queue);
            let mut used = std::collections::BTreeSet::new();
            let may_go = |waiting: &Waiting<S>| {
                let may_go = waiting.slots.iter().all(|slot| !used.contains(slot)) && self.may_go(waiting);
                if may_go && self.is_exclusive(waiting) {
                    used.extend(waiting.slots.iter().copied());
                }
                may_go
            };
            let ready = queue.take(may_go, |waiting| !self.waits_for_its_session(waiting));
            if let Some(leading) = &mut self.leading {
                leading.queue = queue;
                // What went may have left the next of its slot nothing to wait for.
                leading.is_due = !ready.is_empty();
            }
            for waiting in ready {
                self.go_on(waiting, ctx);
            }
        }
    }

    /// Whether what comes behind it must see it begun: a lock takes its slots, and a session waits for its transaction.
    fn is_exclusive(&self, waiting: &Waiting<S>) -> bool {
        match &waiting.wanted {
            Wanted::Prepare { .. } => true,
            Wanted::Run { command, .. } => {
                matches!(S::slots(command, self.state().slot_count), Slots::Several(_))
            }
            Wanted::Read { .. } => false,
        }
    }

    fn may_go(&self, waiting: &Waiting<S>) -> bool {
        let name = match &waiting.wanted {
            Wanted::Run { name, .. } => Some(*name),
            Wanted::Read { .. } | Wanted::Prepare { .. } => None,
        };
        self.is_free(&waiting.slots, name) || waiting.slots.iter().any(|slot| !self.is_awaited(*slot))
    }

    /// Whether a slot is here, or comes here, or may.
    fn is_awaited(&self, slot: SlotId) -> bool {
        matches!(self.access(slot, true), Access::Free | Access::Busy)
    }

    fn go_on(&mut self, waiting: Waiting<S>, ctx: &mut Ctx<S>) {
        let Waiting { wanted, slots, .. } = waiting;
        let elsewhere = slots.iter().find(|slot| !self.is_awaited(**slot)).copied();
        match (wanted, elsewhere) {
            (Wanted::Run { name, acked_below, command }, None) => {
                let (executed, _) = self.state().executed(name.client, name.slot);
                let all = S::slots(&command, self.state().slot_count);
                if name.seq > executed && self.wanted_here(&all) == slots {
                    self.start(name, acked_below, command, slots.len() == all.as_slice().len());
                } else if name.seq > executed {
                    // Other slots of it have come or gone while it waited.
                    self.admit(name, acked_below, command);
                } else {
                    // It ran where the slot was before.
                    mark!("shardedstore.ran_before_it_came");
                    self.answer_again(name);
                }
            }
            (Wanted::Read { from, seq, query }, None) => {
                self.read(from, (seq, vec![Step::Read(query)]), ctx);
            }
            (Wanted::Prepare { attempt, slots }, None) => self.lock(attempt, slots),
            (Wanted::Run { name, .. }, Some(slot)) => {
                if let Some(leading) = &mut self.leading {
                    leading.on_not_run(name);
                }
                self.send_elsewhere(name.client.node(), slot, ctx);
            }
            (Wanted::Read { from, .. }, Some(slot)) => self.send_elsewhere(from, slot, ctx),
            (Wanted::Prepare { attempt, .. }, Some(slot)) => self.refuse(attempt, slot, ctx),
        }
    }

    pub(crate) fn send_elsewhere(&mut self, to: NodeId, slot: SlotId, ctx: &mut Ctx<S>) {
        if let Access::Elsewhere(group, is_on_its_way) = self.access(slot, false) {
            ctx.send_early(to, Message::Elsewhere { slot, group, is_on_its_way });
        }
    }

    /// A tick passed: what waited too long is dropped, and may be asked again.
    pub(crate) fn forget_old_waiting(&mut self) {
        let Some(leading) = &mut self.leading else { return };
        leading.is_due = true;
        for old in leading.queue.on_tick() {
            mark!("shardedstore.waited_too_long");
            match old.wanted {
                Wanted::Run { name, .. } => leading.on_not_run(name),
                Wanted::Prepare { attempt, .. } => {
                    leading.asked.remove(&attempt);
                }
                Wanted::Read { .. } => {}
            }
        }
    }
}
