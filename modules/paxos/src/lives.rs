//! Lives: a member that begins anew without what it had on disk does so under its name and a higher number.
//!
//! Its former life may be lost with its disk, or may be alive elsewhere, cut off, and not know. Let W be those who let the
//! new life in: as many *others* as make a quorum, with the leader of the highest ballot b that one of them had promised.
//! Each of them made the new life durable before it answered.
//! * **A ballot above b.** Its candidate needs promises of a quorum, which meets W outside of this member: two quorums meet,
//!   and W is one without it. Who is in both promised after it had let the new life in, or b would be higher; so its promise
//!   names the new life, before anything is counted. From then on the candidate, and the leader that it becomes, counts
//!   nothing that the former life says: not promises, not votes, not confirmations of reads. If the candidate is the former
//!   life itself, it learns that it is over.
//! * **b and below.** The former life is the member, as it always was: one acceptor that keeps what it promised. The new one
//!   promised b and votes in nothing below. In b its leader, who is in W, counts the former life's votes up to the moment in
//!   which it heard of the new one, and all that it had proposed by then is in what it gives to the new life.
//!
//! So at each ballot one of the two is the acceptor, and what the former one accepted below b and was chosen, the leader of b
//! has found, as in any Paxos. **Reads**: a confirmation of the former life is worth what its vote is. It counts only for a
//! leader who has not heard of the new one, so in a ballot below b, or in b before anybody was let in; and if b was led
//! already when the read came, the former life had promised b or a quorum without it had.
//!
//! Ballots name the life that proposes in them, or a word that the former life sent long ago might pass for the new one's.
//! Who lets somebody in tells all the lives that it knows: else a member that began anew later would not know of those
//! before it, and one after the other all could forget. After Michael, Ports, Sharma and Szekeres, "Recovering shared objects
//! without stable storage" (DISC 2017).

use crate::server::Role;
use crate::{Ballot, Incarnation, Message, Process, Record, Server};
use synod_node::{Context, NodeId, StateMachine};
use synod_stdx::mark;

impl<S: StateMachine> Server<S> {
    /// The latest life of a member that is known here; of this one its own.
    pub fn life_of(&self, node: NodeId) -> Incarnation {
        match node == self.me {
            true => self.incarnation,
            false => self.incarnations.get(&node).copied().unwrap_or(0),
        }
    }

    /// Whether what `from` says in this life of it counts: a life that is over does not speak. A life that is news is
    /// learnt.
    pub(crate) fn is_present(
        &mut self,
        from: NodeId,
        incarnation: Incarnation,
        ctx: &mut Context<Process<S>>,
    ) -> bool {
        let known = self.life_of(from);
        if incarnation > known {
            self.learn_life(from, incarnation, ctx);
            return from != self.me;
        }
        if incarnation < known {
            mark!("paxos.former_life_ignored");
        }
        incarnation == known
    }

    /// Whether the life that proposes in `ballot` is over; if so, `from`, who speaks for it, is told.
    pub(crate) fn is_over(&self, from: NodeId, ballot: Ballot, ctx: &mut Context<Process<S>>) -> bool {
        let known = self.life_of(ballot.node);
        let is_over = ballot.life < known;
        if is_over {
            mark!("paxos.former_life_told");
            ctx.send_early(from, Message::Superseded { incarnation: known });
        }
        is_over
    }

    /// The lives that are known here, this one's own included.
    pub(crate) fn lives(&self) -> Vec<(NodeId, Incarnation)> {
        let own = (self.incarnation > 0).then_some((self.me, self.incarnation));
        let others = self.incarnations.iter().map(|(node, life)| (*node, *life));
        let mut lives: Vec<_> = others.chain(own).collect();
        lives.sort_unstable();
        lives
    }

    pub(crate) fn learn_lives(&mut self, lives: Vec<(NodeId, Incarnation)>, ctx: &mut Context<Process<S>>) {
        for (node, incarnation) in lives {
            self.learn_life(node, incarnation, ctx);
        }
    }

    /// The server's owner knows of a life of `member`: what an earlier one says counts no more, and if that is this one, it
    /// takes no part any more.
    pub fn supersede(&mut self, member: NodeId, incarnation: Incarnation, ctx: &mut Context<Process<S>>) {
        self.learn_life(member, incarnation, ctx);
    }

    /// A member lives in this life; whether that is news. What its former lives promised counts no more, whether it came or
    /// is on its way.
    pub(crate) fn learn_life(
        &mut self,
        node: NodeId,
        incarnation: Incarnation,
        ctx: &mut Context<Process<S>>,
    ) -> bool {
        if incarnation <= self.life_of(node) || self.is_retired() {
            return false;
        }
        mark!("paxos.heard_of_a_new_life");
        self.incarnations.insert(node, incarnation);
        ctx.persist(Record::Rejoined { node, incarnation });
        if node == self.me {
            self.become_retired(ctx);
            return true;
        }
        self.liveness.forget(node);
        self.clock.forget(node);
        match &mut self.role {
            Role::Candidate { promises } => {
                if promises.get(&node).is_some_and(|promise| promise.incarnation < incarnation) {
                    promises.remove(&node);
                }
            }
            // Whoever led is over: somebody else is to lead.
            Role::Follower { leader: Some(ballot) } if ballot.node == node && ballot.life < incarnation => {
                mark!("paxos.leader_is_over");
                self.become_follower(None, ctx);
            }
            Role::Rejoining(rejoin) => rejoin.forget(node),
            Role::Follower { .. } | Role::Leader(_) | Role::Retired => {}
        }
        true
    }

    /// There is a later life under this name.
    fn become_retired(&mut self, ctx: &mut Context<Process<S>>) {
        mark!("paxos.retired");
        self.become_follower(None, ctx);
        self.role = Role::Retired;
    }

    /// A peer is new under an old name.
    pub(crate) fn on_rejoin(
        &mut self,
        from: NodeId,
        incarnation: Incarnation,
        ctx: &mut Context<Process<S>>,
    ) {
        let known = self.life_of(from);
        if incarnation < known {
            ctx.send_early(from, Message::Superseded { incarnation: known });
            return;
        }
        if self.learn_life(from, incarnation, ctx) {
            mark!("paxos.rejoined");
            // What the former self accepted is not there any more, although it was counted: lead anew.
            if self.is_leader() {
                self.become_candidate(ctx);
            }
        }
        if self.is_retired() {
            return;
        }
        let leading = self.is_leader().then(|| {
            let open = self.log.runs(self.chosen_through, crate::Slot(u64::MAX)).collect();
            (std::sync::Arc::new(self.replica.clone()), open)
        });
        if let Role::Leader(leader) = &mut self.role {
            leader.hold(from, self.replica.through());
        }
        let (lives, promised) = (self.lives(), self.promised);
        ctx.send(from, Message::Welcome { incarnation, lives, promised, leading });
    }
}
