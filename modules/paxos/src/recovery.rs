//! Coming back: from disk, or without one. And what bounds the log: checkpoints and compaction. Which life of a member
//! counts is in `lives.rs`.

use crate::message::Leading;
use crate::server::Role;
use crate::{Ballot, Checkpoint, Log, Message, Process, Record, Server, Slot};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use synod_node::{Context, Durable, NodeId, Rename, StateMachine};
use synod_stdx::mark;

/// What a replica that begins anew has learned so far.
///
/// Its former self may have promised and accepted anything that others relied on. So it waits for answers from as many
/// *others* as make a quorum: every quorum that its former self is part of has another member among them. If that
/// member promised before it answered, its answer tells the ballot; if it promises later, its promise tells the
/// candidate of the new life, and the former one's counts no more (see `lives.rs`). And it waits for the leader of the
/// highest of these ballots: from the moment of its answer on that leader counts nothing more that the former self said,
/// and its answer holds all that it ever proposed. After Liskov and Cowling, "Viewstamped Replication revisited" (2012),
/// section 4.3, and Michael et al. (2017).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Rejoin<S: StateMachine> {
    promised: BTreeMap<NodeId, Ballot>,
    leading: BTreeMap<NodeId, Leading<S>>,
}

impl<S: StateMachine> Rejoin<S> {
    /// `peer` began anew itself: what it said before counts no more.
    pub(crate) fn forget(&mut self, peer: NodeId) {
        self.promised.remove(&peer);
        self.leading.remove(&peer);
    }
}

impl<S: StateMachine> Default for Rejoin<S> {
    fn default() -> Self {
        Rejoin { promised: BTreeMap::new(), leading: BTreeMap::new() }
    }
}

impl<S: StateMachine<Command: Rename, Output: Rename> + Rename> Rename for Rejoin<S> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Rejoin { promised, leading } = self;
        promised.rename(name);
        leading.rename(name);
    }
}

impl<S: StateMachine> Server<S> {
    pub(crate) fn on_recover(&mut self, durable: Durable<Process<S>>, ctx: &mut Context<Process<S>>) {
        // A first life that crashed before anything was durable promised nothing. A later one that did is still out.
        let is_blank = durable.checkpoint.is_none();
        if let Some(checkpoint) = durable.checkpoint {
            self.incarnation = checkpoint.incarnation;
            self.promised = checkpoint.promised;
            self.incarnations = checkpoint.incarnations.into_iter().collect();
            self.replica = (*checkpoint.replica).clone();
            self.log.drop_through(self.replica.through());
            for run in checkpoint.accepted {
                self.log.put(&run);
            }
            if let Some(kept) = checkpoint.time {
                self.clock.recover(kept);
            }
        }
        if is_blank && self.incarnation > 0 {
            return self.on_start(ctx);
        }
        self.role = Role::Follower { leader: None };
        self.chosen_through = self.replica.through();
        self.accepted_through = self.chosen_through;
        let mut chosen_through = self.chosen_through;
        for record in durable.records {
            match record {
                Record::Promised { ballot, chosen_through: known } => {
                    self.promised = self.promised.max(ballot);
                    chosen_through = chosen_through.max(known);
                }
                Record::Accepted { run, chosen_through: known } => {
                    self.promised = self.promised.max(run.ballot());
                    self.log.put(&run);
                    chosen_through = chosen_through.max(known);
                }
                Record::Rejoined { node, incarnation } => {
                    let known = self.incarnations.entry(node).or_default();
                    *known = incarnation.max(*known);
                }
                Record::Time(kept) => self.clock.recover(kept),
            }
        }
        self.liveness.note(self.promised);
        self.advance_chosen(chosen_through, ctx);
        self.accepted_through = self.log.contiguous(self.chosen_through, self.promised);
        if self.incarnations.get(&self.me).is_some_and(|later| *later > self.incarnation) {
            self.role = Role::Retired;
            return;
        }
        self.set_tick(ctx);
    }

    pub(crate) fn broadcast_rejoin(&self, ctx: &mut Context<Process<S>>) {
        for peer in &self.peers {
            ctx.send_early(*peer, Message::Rejoin { incarnation: self.incarnation });
        }
    }

    /// Who begins anew waits for answers; who retired waits for nothing.
    pub(crate) fn on_message_while_out(
        &mut self,
        from: NodeId,
        message: Message<S>,
        ctx: &mut Context<Process<S>>,
    ) {
        match message {
            Message::Welcome { incarnation, lives, promised, leading } => {
                let life = lives.iter().find(|(node, _)| *node == from).map_or(0, |(_, life)| *life);
                self.learn_lives(lives, ctx);
                if incarnation == self.incarnation && self.is_present(from, life, ctx) {
                    self.on_welcome(from, promised, leading, ctx);
                }
            }
            Message::Superseded { incarnation } => self.supersede(self.me, incarnation, ctx),
            Message::Submit { .. } | Message::Query { .. } => {
                ctx.send_early(from, Message::NotLeader { leader: None });
            }
            // It takes no part: not in elections, not in counting, not in reads.
            Message::Results { .. }
            | Message::Answers { .. }
            | Message::NotLeader { .. }
            | Message::Forgotten { .. }
            | Message::Prepare { .. }
            | Message::Promise { .. }
            | Message::Rejected { .. }
            | Message::Accept { .. }
            | Message::Accepted { .. }
            | Message::Snapshot { .. }
            | Message::Confirm { .. }
            | Message::Confirmed { .. }
            | Message::Heartbeat { .. }
            | Message::Alive { .. }
            | Message::TakeOver { .. }
            | Message::Rejoin { .. } => {}
        }
    }

    fn on_welcome(
        &mut self,
        from: NodeId,
        promised: Ballot,
        leading: Option<Leading<S>>,
        ctx: &mut Context<Process<S>>,
    ) {
        let quorum = self.quorum();
        let Role::Rejoining(rejoin) = &mut self.role else { return };
        rejoin.promised.insert(from, promised);
        match leading {
            Some(leading) => rejoin.leading.insert(from, leading),
            None => rejoin.leading.remove(&from),
        };
        let highest = rejoin.promised.values().max().copied().unwrap_or(Ballot::ZERO);
        if rejoin.promised.len() < quorum || rejoin.promised.get(&highest.node) != Some(&highest) {
            return;
        }
        let Some((replica, open)) = rejoin.leading.remove(&highest.node) else { return };
        mark!("paxos.let_in_again");
        self.role = Role::Follower { leader: Some(highest) };
        self.promised = highest;
        self.liveness.note(highest);
        self.log = Log::default();
        self.replica = (*replica).clone();
        self.chosen_through = replica.through();
        self.log.drop_through(replica.through());
        for run in open {
            self.log.put(&run.in_ballot(highest));
        }
        self.accepted_through = self.log.contiguous(self.chosen_through, highest);
        self.save(ctx);
        // What is open may wait for this vote alone.
        self.send_accepted(highest.node, ctx);
    }

    /// Writes a checkpoint if enough was executed since the last one.
    pub(crate) fn maybe_checkpoint(&mut self, ctx: &mut Context<Process<S>>) {
        if self.unsaved_bytes >= self.settings.checkpoint_bytes {
            mark!("paxos.checkpoint");
            self.unsaved_bytes = 0;
            ctx.compact(self.checkpoint());
        }
    }

    /// Makes everything that must survive durable at once.
    pub(crate) fn save(&mut self, ctx: &mut Context<Process<S>>) {
        self.unsaved_bytes = 0;
        ctx.checkpoint(self.checkpoint());
    }

    /// What replaces everything that is durable; none as long as nothing that is there counts.
    pub fn compaction(&self) -> Option<Checkpoint<S>> {
        match self.role {
            Role::Rejoining(_) => None,
            Role::Follower { .. } | Role::Candidate { .. } | Role::Leader(_) | Role::Retired => {
                Some(self.checkpoint())
            }
        }
    }

    fn checkpoint(&self) -> Checkpoint<S> {
        Checkpoint {
            incarnation: self.incarnation,
            promised: self.promised,
            replica: Arc::new(self.replica.clone()),
            accepted: self.log.runs(self.replica.through(), Slot(u64::MAX)).collect(),
            incarnations: self.incarnations.iter().map(|(node, incarnation)| (*node, *incarnation)).collect(),
            time: self.clock.to_keep(),
        }
    }

    /// From which slot on the log is kept for a follower to which a state is on its way: within bounds.
    fn held(&self) -> Option<Slot> {
        let Role::Leader(leader) = &self.role else { return None };
        let slots_max = self.settings.retained_slots_max.saturating_mul(u64::from(HELD_FACTOR).pow(3));
        let by_slots = Slot(self.replica.through().0.saturating_sub(slots_max));
        let bytes_max = self.settings.retained_bytes_max.saturating_mul(HELD_FACTOR as usize);
        let held = leader.held()?;
        mark!("paxos.log_held_for_a_state");
        Some(held.max(by_slots).max(self.retained.excess(bytes_max)))
    }

    /// Drops what all have executed; and, whoever lags, all but the last slots and bytes: one dead replica never stops it.
    pub(crate) fn maybe_compact(&mut self) {
        let executed = self.replica.through();
        let by_all = self.peers.iter().map(|peer| self.liveness.executed(*peer)).fold(executed, Slot::min);
        let by_slots = Slot(executed.0.saturating_sub(self.settings.retained_slots_max));
        let bounded = by_slots.max(self.retained.excess(self.settings.retained_bytes_max));
        let bounded = self.held().map_or(bounded, |held| bounded.min(held));
        if bounded > by_all {
            mark!("paxos.compacted_without_all");
        }
        let through = by_all.max(bounded);
        self.log.drop_through(through);
        self.retained.drop_through(self.log.dropped_through());
    }
}

/// While a state is on its way, so many times more of the log is kept than otherwise, if it must be.
const HELD_FACTOR: u32 = 4;

/// Batches smaller than this are counted together.
const GRAIN_BYTES: usize = 16 << 10;

/// The executed batches that are still in the log, by their last slots, with their bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Retained {
    batches: VecDeque<(Slot, usize)>,
    bytes: usize,
}

impl Retained {
    pub(crate) fn push(&mut self, last: Slot, bytes: usize) {
        self.bytes += bytes;
        match self.batches.back_mut() {
            // Small batches are counted together: to the byte does not matter.
            Some((end, together)) if *together + bytes <= GRAIN_BYTES => {
                (*end, *together) = (last, *together + bytes);
            }
            Some(_) | None => self.batches.push_back((last, bytes)),
        }
    }

    /// The slot through which everything must go so that at most `bytes_max` stay.
    fn excess(&self, bytes_max: usize) -> Slot {
        let mut left = self.bytes;
        let mut through = Slot::ZERO;
        let mut batches = self.batches.iter();
        while left > bytes_max
            && let Some((last, bytes)) = batches.next()
        {
            left -= bytes;
            through = *last;
        }
        through
    }

    fn drop_through(&mut self, through: Slot) {
        while let Some((_, bytes)) = self.batches.front().filter(|(last, _)| *last <= through) {
            self.bytes -= bytes;
            self.batches.pop_front();
        }
    }
}
