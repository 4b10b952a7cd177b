//! The acceptor: promises and accepts, durably before it says so.

use crate::server::Role;
use crate::{Ballot, Message, Process, Record, Replica, Run, Server, Slot};
use std::sync::Arc;
use synod_node::{Context, NodeId, StateMachine};
use synod_stdx::mark;

impl<S: StateMachine> Server<S> {
    /// Phase 1b.
    pub(crate) fn on_prepare(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        chosen_through: Slot,
        ctx: &mut Context<Process<S>>,
    ) {
        if !self.follow(from, ballot, ctx) {
            return;
        }
        // A candidate that knows less than the log reaches back to gets the state instead.
        let behind = chosen_through < self.log.dropped_through();
        let (snapshot, after) = if behind {
            mark!("paxos.promise_with_snapshot");
            (Some(Arc::new(self.replica.clone())), self.replica.through())
        } else {
            (None, chosen_through)
        };
        let promise = Message::Promise {
            ballot,
            incarnation: self.incarnation,
            incarnations: self.incarnations.iter().map(|(node, life)| (*node, *life)).collect(),
            chosen_through: self.chosen_through,
            snapshot,
            accepted: self.log.runs(after, Slot(u64::MAX)).collect(),
        };
        ctx.send(from, promise);
    }

    /// Whether the sender of `ballot` may be followed; if it is news, it is promised. Refuses it otherwise.
    fn follow(&mut self, from: NodeId, ballot: Ballot, ctx: &mut Context<Process<S>>) -> bool {
        if self.is_over(from, ballot, ctx) {
            return false;
        }
        if ballot < self.promised {
            ctx.send_early(from, Message::Rejected { ballot, promised: self.promised });
            return false;
        }
        if ballot > self.promised {
            self.promise(ballot, ctx);
        }
        self.become_follower(Some(ballot), ctx);
        true
    }

    /// Phase 2b.
    pub(crate) fn on_accept(
        &mut self,
        from: NodeId,
        (ballot, chosen_through): (Ballot, Slot),
        run: Option<Run<S::Command>>,
        ctx: &mut Context<Process<S>>,
    ) {
        if !self.follow(from, ballot, ctx) {
            return;
        }
        // News that shows a gap here is answered too: so the leader learns what to send.
        let is_answered = run.is_some() || chosen_through > self.accepted_through;
        // What is chosen here does not change any more.
        if let Some(run) = run.and_then(|run| run.clip(self.chosen_through, Slot(u64::MAX))) {
            self.accept(run, ctx);
        }
        self.advance_chosen(chosen_through.min(self.accepted_through), ctx);
        self.maybe_compact();
        if is_answered {
            self.send_accepted(from, ctx);
        }
    }

    /// Accepts `run`, unless it is accepted already.
    pub(crate) fn accept(&mut self, run: Run<S::Command>, ctx: &mut Context<Process<S>>) {
        assert_eq!(run.ballot(), self.promised, "only the promised ballot is accepted");
        if run.last() <= self.accepted_through {
            mark!("paxos.accepted_again");
            return;
        }
        if run.first() > self.accepted_through.next() {
            mark!("paxos.accept_before_a_gap");
        }
        self.log.put(&run);
        self.accepted_through = self.log.contiguous(self.accepted_through, self.promised);
        self.persist_accepted(run, self.chosen_through, ctx);
    }

    /// Makes what was accepted durable, and now and then the time with it.
    pub(crate) fn persist_accepted(
        &mut self,
        run: Run<S::Command>,
        chosen_through: Slot,
        ctx: &mut Context<Process<S>>,
    ) {
        ctx.persist(Record::Accepted { run, chosen_through });
        if let Some(kept) = self.clock.keep_again() {
            ctx.persist(Record::Time(kept));
        }
    }

    /// Tells the leader how far this member accepted, once that is durable.
    pub(crate) fn send_accepted(&self, to: NodeId, ctx: &mut Context<Process<S>>) {
        let accepted = Message::Accepted {
            ballot: self.promised,
            incarnation: self.incarnation,
            through: self.accepted_through,
            executed_through: self.replica.through(),
        };
        ctx.send(to, accepted);
    }

    /// The leader's state replaces this one's, which fell behind the compacted log.
    pub(crate) fn on_snapshot(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        replica: &Arc<Replica<S>>,
        ctx: &mut Context<Process<S>>,
    ) {
        if !self.follow(from, ballot, ctx) {
            return;
        }
        self.install(replica, ctx);
        self.send_accepted(from, ctx);
    }

    /// Takes over a state that is ahead, durably before anything that is sent later.
    pub(crate) fn install(&mut self, replica: &Arc<Replica<S>>, ctx: &mut Context<Process<S>>) {
        if replica.through() <= self.replica.through() {
            return;
        }
        mark!("paxos.snapshot_installed");
        self.replica = (**replica).clone();
        self.chosen_through = replica.through();
        self.log.drop_through(replica.through());
        self.accepted_through = self.accepted_through.max(self.chosen_through);
        self.accepted_through = self.log.contiguous(self.accepted_through, self.promised);
        self.save(ctx);
    }

    /// A leader asks whether it still is one. The answer promises nothing that a crash could take back: whoever leads
    /// later needs a promise from a quorum, and so from somebody who answers this before it promises that.
    pub(crate) fn on_confirm(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        round: u64,
        ctx: &mut Context<Process<S>>,
    ) {
        if self.is_over(from, ballot, ctx) {
            return;
        }
        if ballot == self.promised {
            ctx.send_early(from, Message::Confirmed { ballot, incarnation: self.incarnation, round });
        } else if ballot < self.promised {
            mark!("paxos.read_refused");
            ctx.send_early(from, Message::Rejected { ballot, promised: self.promised });
        }
    }

    /// Resends its Prepare to those that have not promised.
    pub(crate) fn send_prepare(&mut self, ctx: &mut Context<Process<S>>) {
        let Role::Candidate { promises } = &self.role else { return };
        for peer in self.peers.iter().filter(|peer| !promises.contains_key(peer)) {
            ctx.send(*peer, Message::Prepare { ballot: self.promised, chosen_through: self.chosen_through });
        }
    }
}
