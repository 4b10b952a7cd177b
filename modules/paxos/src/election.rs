//! Who leads: heartbeats as failure detection, and elections that progress under partial connectivity.
//!
//! Each tick, every server asks every other whether it is there. The answer says whom it follows, and whether it is
//! *happy*: its leader was heard lately and reaches a quorum. A server wants to lead when it has been unhappy for a
//! while, itself reaches a quorum, and none that it hears is happy with a leader at least as new as its own. So
//! * a leader that lost its quorum is replaced although it is alive and heard (quorum loss);
//! * the one server that still reaches a quorum leads, whatever its log holds: phase 1 brings it what it lacks
//!   (constrained election);
//! * a server that lost only its link to the leader keeps quiet while those in between are content (chain);
//! * ballots grow only by a takeover: a candidate asks again in the ballot that it has.
//!
//! After Ng, Haridi and Carbone, "Omni-Paxos: breaking the barriers of partial connectivity" (EuroSys 2023), section 5.

use crate::server::Role;
use crate::{Ballot, Message, Process, Server, Slot};
use std::collections::BTreeMap;
use synod_node::{Context, NodeId, Rename, StateMachine};
use synod_stdx::mark;

/// Who waits to be let in asks for it again after so many ticks, and oftener at first.
pub(crate) const REJOIN_TICKS: u64 = 8;

/// What a server knows of the others' presence.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Liveness {
    tick: u64,
    /// So many ticks in a row without a leader that reaches a quorum.
    missed: u32,
    /// Who answered this tick: whom it follows, and whether it is happy.
    heard: BTreeMap<NodeId, (Ballot, bool)>,
    /// Who answered last tick.
    heard_before: BTreeMap<NodeId, (Ballot, bool)>,
    /// How far each peer has executed, as far as it said; in the order of their names. A handful: a list beats a map.
    executed: Vec<(NodeId, Slot)>,
    /// The highest ballot heard of.
    highest: Ballot,
}

impl Liveness {
    pub(crate) fn new(missed: u32) -> Self {
        Liveness {
            tick: 0,
            missed,
            heard: BTreeMap::new(),
            heard_before: BTreeMap::new(),
            executed: Vec::new(),
            highest: Ballot::ZERO,
        }
    }

    /// A ballot was heard of.
    pub(crate) fn note(&mut self, ballot: Ballot) {
        self.highest = self.highest.max(ballot);
    }

    pub(crate) fn highest(&self) -> Ballot {
        self.highest
    }

    /// A new leader or candidate gets the full time to show itself.
    pub(crate) fn give_time(&mut self) {
        self.missed = 0;
    }

    /// Whether `peer` answered lately.
    pub(crate) fn is_heard(&self, peer: NodeId) -> bool {
        self.heard.contains_key(&peer) || self.heard_before.contains_key(&peer)
    }

    /// `peer` begins anew: nothing was heard of it yet.
    pub(crate) fn forget(&mut self, peer: NodeId) {
        self.heard.remove(&peer);
        self.heard_before.remove(&peer);
        self.note_executed(peer, Slot::ZERO);
    }

    /// How far `peer` said that it executed.
    pub(crate) fn executed(&self, peer: NodeId) -> Slot {
        self.executed.iter().find(|(known, _)| *known == peer).map_or(Slot::ZERO, |(_, through)| *through)
    }

    /// A peer says how far it executed. That may be less than before: it may have crashed.
    pub(crate) fn note_executed(&mut self, peer: NodeId, through: Slot) {
        match self.executed.iter_mut().find(|(known, _)| *known == peer) {
            Some((_, known)) => *known = through,
            None => {
                self.executed.push((peer, through));
                self.executed.sort_unstable();
            }
        }
    }
}

impl Rename for Liveness {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Liveness { tick: _, missed: _, heard, heard_before, executed, highest } = self;
        heard.rename(name);
        heard_before.rename(name);
        executed.rename(name);
        executed.sort_unstable();
        highest.rename(name);
    }
}

impl<S: StateMachine> Server<S> {
    pub(crate) fn on_tick(&mut self, ctx: &mut Context<Process<S>>) {
        if self.is_retired() {
            return;
        }
        if self.is_rejoining() {
            self.liveness.tick += 1;
            // The answer holds a whole state perhaps: at first it is asked for often, then less so.
            let tick = self.liveness.tick;
            if tick.is_power_of_two() || tick.is_multiple_of(REJOIN_TICKS) {
                self.broadcast_rejoin(ctx);
            }
        } else {
            // Before the judgement: a candidate that this makes has asked already.
            self.send_prepare(ctx);
            self.judge_leader(ctx);
            self.resend(ctx);
            self.maybe_compact();
            self.liveness.tick += 1;
            self.clock.on_asked(self.liveness.tick);
            self.liveness.heard_before = std::mem::take(&mut self.liveness.heard);
            for peer in &self.peers {
                ctx.send_early(*peer, Message::Heartbeat { tick: self.liveness.tick });
            }
        }
        self.set_tick(ctx);
    }

    /// Whom this server follows, or the ballot in which it leads or wants to.
    fn following(&self) -> Ballot {
        match &self.role {
            Role::Follower { leader } => leader.unwrap_or(Ballot::ZERO),
            Role::Candidate { .. } | Role::Leader(_) => self.promised,
            Role::Rejoining(_) | Role::Retired => Ballot::ZERO,
        }
    }

    /// Whether the leader was heard lately and reaches a quorum, as far as is known here.
    pub fn is_happy(&self) -> bool {
        self.following() > Ballot::ZERO && self.liveness.missed < self.settings.missed_ticks_max
    }

    fn judge_leader(&mut self, ctx: &mut Context<Process<S>>) {
        let following = self.following();
        let heard = &self.liveness.heard;
        let is_led = match &self.role {
            Role::Leader(_) => {
                let followers = heard.values().filter(|(theirs, _)| *theirs == following).count();
                followers + 1 >= self.quorum()
            }
            Role::Follower { leader: Some(ballot) } => {
                heard.get(&ballot.node).is_some_and(|(theirs, happy)| *theirs == *ballot && *happy)
            }
            Role::Follower { leader: None } | Role::Candidate { .. } => false,
            Role::Rejoining(_) | Role::Retired => return,
        };
        if is_led {
            self.liveness.missed = 0;
            return;
        }
        self.liveness.missed = (self.liveness.missed + 1).min(self.settings.missed_ticks_max);
        let is_connected = heard.len() + 1 >= self.quorum();
        let others_content = heard.values().any(|(theirs, happy)| *happy && *theirs >= self.promised);
        if self.liveness.missed < self.settings.missed_ticks_max || !is_connected || others_content {
            return;
        }
        match &self.role {
            // It asks again in the ballot that it has, unless it heard of a higher one.
            Role::Candidate { .. } | Role::Leader(_) if self.liveness.highest <= self.promised => {}
            Role::Candidate { .. }
            | Role::Leader(_)
            | Role::Follower { .. }
            | Role::Rejoining(_)
            | Role::Retired => {
                self.become_candidate(ctx);
            }
        }
    }

    pub(crate) fn on_heartbeat(&mut self, from: NodeId, tick: u64, ctx: &mut Context<Process<S>>) {
        let alive = Message::Alive {
            tick,
            incarnation: self.incarnation,
            following: self.following(),
            happy: self.is_happy(),
            executed_through: self.replica.through(),
            clock: self.clock.report(),
        };
        ctx.send_early(from, alive);
    }

    pub(crate) fn on_alive(
        &mut self,
        from: NodeId,
        tick: u64,
        (following, happy, executed_through): (Ballot, bool, Slot),
        ctx: &mut Context<Process<S>>,
    ) {
        // An answer to the tick before still shows that somebody is there.
        if tick.saturating_add(1) < self.liveness.tick {
            return;
        }
        self.liveness.heard.insert(from, (following, happy));
        self.liveness.note_executed(from, executed_through);
        self.liveness.note(following);
        // Somebody is content with a newer leader than this server knows of: no reason to disturb it.
        let news =
            happy && following > self.following() && following > self.promised && following.node != self.me;
        if news && following.life >= self.life_of(following.node) {
            mark!("paxos.heard_of_a_leader");
            self.become_follower(Some(following), ctx);
        }
    }

    /// The leader stops, and this server is to be the next.
    pub(crate) fn on_take_over(&mut self, ballot: Ballot, ctx: &mut Context<Process<S>>) {
        if ballot == self.promised && matches!(self.role, Role::Follower { .. }) {
            self.become_candidate(ctx);
        }
    }

    /// Whether this server leads, and the group can do without `member`: a quorum of the others is there and no more than
    /// a window behind. Who is not let in yet is not there.
    pub fn can_spare(&self, member: NodeId) -> bool {
        let keeps_up = |peer: &&NodeId| {
            let lag = self.chosen_through.since(self.liveness.executed(**peer));
            self.liveness.is_heard(**peer) && lag <= self.settings.window_slots_max
        };
        let others = self.peers.iter().filter(|peer| **peer != member).filter(keeps_up).count();
        self.is_leader() && others + usize::from(self.me != member) >= self.quorum()
    }

    /// Stops leading, if it does, and asks the follower that is furthest to take over.
    pub(crate) fn hand_over(&mut self, ctx: &mut Context<Process<S>>) {
        let Role::Leader(leader) = &self.role else { return };
        let heir = leader.furthest(|peer| self.liveness.is_heard(peer));
        let ballot = self.promised;
        self.become_follower(None, ctx);
        if let Some(heir) = heir {
            ctx.send(heir, Message::TakeOver { ballot });
        }
    }
}
