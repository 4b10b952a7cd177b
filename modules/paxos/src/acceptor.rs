//! The acceptor: promises and accepts, durably before it says so.

use crate::server::Role;
use crate::{Ballot, Message, Process, Record, Replica, Run, Server, Slot};
use std::sync::Arc;
use synod_node::{Context, NodeId, StateMachine};
use synod_stdx::mark;

/// So many slots at most are empty below one that is accepted. A leader keeps within it, except where it guesses how far an
/// acceptor is and guesses too high; and a new leader has no more no-ops than that to propose, whatever it is told.
pub(crate) const GAP_SLOTS_MAX: u64 = 65_536;

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

    /// Accepts `run`, unless it is accepted already or too far ahead.
    pub(crate) fn accept(&mut self, run: Run<S::Command>, ctx: &mut Context<Process<S>>) {
        assert_eq!(run.ballot(), self.promised, "only the promised ballot is accepted");
        if run.last() <= self.accepted_through {
            mark!("paxos.accepted_again");
            return;
        }
        let gap = run.first().since(self.accepted_through.next());
        if gap > GAP_SLOTS_MAX {
            mark!("paxos.accept_too_far_ahead");
            return;
        }
        if gap > 0 {
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

#[cfg(test)]
mod tests {
    use super::GAP_SLOTS_MAX;
    use crate::{Ballot, Message, Process, Proposal, Run, Server, Settings, Slot};
    use std::sync::Arc;
    use synod_clientserver::KvStore;
    use synod_node::{Context, Effect, Node as _, NodeId};

    type Group = Process<KvStore>;

    const MEMBERS: [NodeId; 3] = [NodeId::server(1), NodeId::server(2), NodeId::server(3)];

    fn member(place: usize) -> Group {
        Process::Server(Server::new(MEMBERS[place], &MEMBERS, KvStore::default(), Settings::default()))
    }

    fn no_ops(first: u64, slots: usize, ballot: Ballot) -> Run<synod_clientserver::KvCommand> {
        Run::new(Slot(first), ballot, vec![Proposal::Noop; slots].into())
    }

    /// The messages that `node` sends when it hears `message`.
    fn answers(node: &mut Group, from: NodeId, message: Message<KvStore>) -> Vec<Message<KvStore>> {
        let mut ctx = Context::new(node.server().expect("a server").id());
        node.on_message(from, message, &mut ctx);
        node.assert_invariants();
        let sent = ctx.take_effects().into_iter().filter_map(|effect| match effect {
            Effect::Send { message, .. } | Effect::SendEarly { message, .. } => Some(message),
            _ => None,
        });
        sent.collect()
    }

    #[test]
    fn what_begins_too_far_ahead_is_not_accepted_and_is_answered() {
        let mut node = member(1);
        let ballot = Ballot::ZERO.next(MEMBERS[0], 0);
        let accept = |first| Message::Accept {
            run: Some(no_ops(first, 1, ballot)),
            ballot,
            chosen_through: Slot::ZERO,
        };
        let through = |answers: Vec<Message<KvStore>>| match &answers[..] {
            [Message::Accepted { through, .. }] => *through,
            other => panic!("the leader hears how far it is, not {other:?}"),
        };
        assert_eq!(through(answers(&mut node, MEMBERS[0], accept(GAP_SLOTS_MAX + 2))), Slot::ZERO);
        assert_eq!(node.server().expect("a server").log().slots(), 0);
        assert_eq!(through(answers(&mut node, MEMBERS[0], accept(GAP_SLOTS_MAX + 1))), Slot::ZERO);
        assert_eq!(node.server().expect("a server").log().slots(), 1);
        assert_eq!(through(answers(&mut node, MEMBERS[0], accept(1))), Slot(1));
        assert_eq!(through(answers(&mut node, MEMBERS[0], accept(GAP_SLOTS_MAX + 2))), Slot(1));
        assert_eq!(node.server().expect("a server").log().slots(), 3);
    }

    #[test]
    fn a_promise_with_more_empty_slots_than_any_acceptor_has_is_refused() {
        let node = member(0);
        let old = Ballot::ZERO.next(MEMBERS[2], 0);
        let promise = |accepted| Message::Promise {
            ballot: old.next(MEMBERS[0], 0),
            incarnation: 0,
            incarnations: Vec::new(),
            chosen_through: Slot::ZERO,
            snapshot: None,
            accepted,
        };
        let gap = |slots| 1 + slots;
        let accepts = |accepted| node.accepts(MEMBERS[1], &promise(accepted));
        assert!(accepts(vec![no_ops(gap(GAP_SLOTS_MAX), 1, old)]));
        assert!(!accepts(vec![no_ops(gap(GAP_SLOTS_MAX + 1), 1, old)]));
        let half = GAP_SLOTS_MAX / 2;
        let two = |second| vec![no_ops(gap(half), 1, old), no_ops(second, 1, old)];
        assert!(accepts(two(gap(half) + 1 + half)));
        assert!(!accepts(two(gap(half) + 2 + half)), "it is all gaps together that count");
        assert!(!accepts(two(gap(half))), "two runs hold one slot");
    }

    #[test]
    fn a_welcome_with_a_gap_is_refused() {
        let me = MEMBERS[0];
        let node: Group =
            Process::Server(Server::rejoining(me, &MEMBERS, KvStore::default(), Settings::default(), 1));
        let ballot = Ballot::ZERO.next(MEMBERS[1], 0);
        let replica = Arc::new(node.server().expect("a server").replica().clone());
        let welcome = |open| Message::Welcome {
            incarnation: 1,
            lives: Vec::new(),
            promised: ballot,
            leading: Some((Arc::clone(&replica), open)),
        };
        assert!(node.accepts(MEMBERS[1], &welcome(vec![no_ops(1, 2, ballot), no_ops(3, 1, ballot)])));
        assert!(!node.accepts(MEMBERS[1], &welcome(vec![no_ops(1, 2, ballot), no_ops(4, 1, ballot)])));
        assert!(!node.accepts(MEMBERS[1], &welcome(vec![no_ops(2, 1, ballot)])));
    }
}
