//! A server: acceptor, replica and, at times, leader. Its shared state, its roles, and who handles what.

use crate::election::Liveness;
use crate::leader::Leader;
use crate::recovery::{Rejoin, Retained};
use crate::replica::{Executed, Replica};
use crate::{
    Ballot, ClockReport, Incarnation, Log, LogClock, Message, Process, Proposal, Record, Run, Settings, Slot,
    Timer,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use synod_node::{ClockReading, Context, NodeId, StateMachine};
use synod_stdx::mark;

/// What a server is doing. Each role owns its data; only the `become_*` methods change it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Role<S: StateMachine> {
    /// Accepts what the leader of `leader` proposes, if there is one known.
    Follower { leader: Option<Ballot> },
    /// Asks for promises in the ballot that it promised itself.
    Candidate { promises: BTreeMap<NodeId, Promise<S>> },
    /// Proposes in the ballot that it promised itself.
    Leader(Leader<S>),
    /// Begins anew: takes no part until it knows what its former self may have promised.
    Rejoining(Rejoin<S>),
    /// There is a later life under its name: takes no part any more.
    Retired,
}

/// What an acceptor told a candidate.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Promise<S: StateMachine> {
    /// Which life of the acceptor promised.
    pub(crate) incarnation: Incarnation,
    pub(crate) chosen_through: Slot,
    pub(crate) snapshot: Option<Arc<Replica<S>>>,
    pub(crate) accepted: Vec<Run<S::Command>>,
}

/// What of a slot a server knows: for invariants, scripts and pages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SlotStatus {
    /// Nothing is accepted in it.
    Empty,
    /// Something is accepted in it.
    Accepted,
    /// What it holds is known to be chosen.
    Chosen,
    /// It was chosen, executed and dropped.
    Cleared,
}

/// A server of a Multi-Paxos group that replicates `S`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Server<S: StateMachine> {
    pub(crate) me: NodeId,
    /// The other members, in order.
    pub(crate) peers: Vec<NodeId>,
    pub(crate) settings: Settings,
    pub(crate) incarnation: Incarnation,
    /// Nothing below this ballot is accepted.
    pub(crate) promised: Ballot,
    pub(crate) log: Log<S::Command>,
    /// Every slot up to here is accepted in `promised`, or chosen.
    pub(crate) accepted_through: Slot,
    /// Every slot up to here is chosen, and what was chosen is in the log, or executed and dropped.
    pub(crate) chosen_through: Slot,
    pub(crate) replica: Replica<S>,
    pub(crate) role: Role<S>,
    pub(crate) liveness: Liveness,
    pub(crate) clock: LogClock,
    /// The members' lives that are known: what former lives said counts no more. Its own is there only once a later one is
    /// known.
    pub(crate) incarnations: BTreeMap<NodeId, Incarnation>,
    /// Bytes of commands executed since the last checkpoint.
    pub(crate) unsaved_bytes: usize,
    /// What is executed and still in the log.
    pub(crate) retained: Retained,
    /// What the owner's commands gave; empty between two steps.
    pub(crate) executed: Vec<S::Output>,
}

impl<S: StateMachine> Server<S> {
    /// Member `me` of the group `members`, which has never run before.
    ///
    /// # Panics
    /// If `me` is not one of them.
    pub fn new(me: NodeId, members: &[NodeId], machine: S, settings: Settings) -> Self {
        let members: BTreeSet<NodeId> = members.iter().copied().collect();
        assert!(members.contains(&me), "{me} is no member of its own group");
        // The first member wants to lead at once, the others only if it does not.
        let missed = if members.first() == Some(&me) { settings.missed_ticks_max - 1 } else { 0 };
        Server {
            me,
            peers: members.into_iter().filter(|member| *member != me).collect(),
            settings,
            incarnation: 0,
            promised: Ballot::ZERO,
            log: Log::default(),
            accepted_through: Slot::ZERO,
            chosen_through: Slot::ZERO,
            replica: Replica::new(machine),
            role: Role::Follower { leader: None },
            liveness: Liveness::new(missed),
            clock: LogClock::default(),
            incarnations: BTreeMap::new(),
            unsaved_bytes: 0,
            retained: Retained::default(),
            executed: Vec::new(),
        }
    }

    /// The same, and `first` is the member that wants to lead at once, instead of the first by name: where several groups
    /// have the same places, their leaders are so spread over them.
    #[must_use]
    pub fn with_first(mut self, first: NodeId) -> Self {
        self.liveness = Liveness::new(if self.me == first { self.settings.missed_ticks_max - 1 } else { 0 });
        self
    }

    /// Member `me`, whose disk is lost or was elsewhere, in a life of its own: it takes no part in quorums until it has
    /// caught up.
    ///
    /// # Panics
    /// If `me` is not one of `members`, or the incarnation is the first.
    pub fn rejoining(
        me: NodeId,
        members: &[NodeId],
        machine: S,
        settings: Settings,
        incarnation: Incarnation,
    ) -> Self {
        assert!(incarnation > 0, "the first life joins without being new under an old name");
        let mut server = Server::new(me, members, machine, settings);
        server.incarnation = incarnation;
        server.role = Role::Rejoining(Rejoin::default());
        server
    }

    /// Its name.
    pub fn id(&self) -> NodeId {
        self.me
    }

    /// All members, itself among them, in order.
    pub fn members(&self) -> Vec<NodeId> {
        let mut members = self.peers.clone();
        members.push(self.me);
        members.sort_unstable();
        members
    }

    /// Whether it is another member.
    pub(crate) fn is_peer(&self, id: NodeId) -> bool {
        self.peers.contains(&id)
    }

    /// How many make a quorum: a majority of all members.
    pub fn quorum(&self) -> usize {
        self.peers.len().div_ceil(2) + 1
    }

    /// The highest ballot that it promised.
    pub fn promised(&self) -> Ballot {
        self.promised
    }

    /// The executed state.
    pub fn replica(&self) -> &Replica<S> {
        &self.replica
    }

    /// What it accepted.
    pub fn log(&self) -> &Log<S::Command> {
        &self.log
    }

    /// Every slot up to here is known to be chosen.
    pub fn chosen_through(&self) -> Slot {
        self.chosen_through
    }

    /// Whether it leads, as far as it knows.
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// Whether it waits to be let in.
    pub fn is_rejoining(&self) -> bool {
        matches!(self.role, Role::Rejoining(_))
    }

    /// Whether it knows that there is a later life under its name, and takes no part any more.
    pub fn is_retired(&self) -> bool {
        matches!(self.role, Role::Retired)
    }

    /// The role's name, for people.
    pub fn role_name(&self) -> &'static str {
        match self.role {
            Role::Follower { .. } => "follower",
            Role::Candidate { .. } => "candidate",
            Role::Leader(_) => "leader",
            Role::Rejoining(_) => "rejoining",
            Role::Retired => "retired",
        }
    }

    /// The log's time, as it is known here.
    pub fn clock(&self) -> &LogClock {
        &self.clock
    }

    /// Whether entries can be stamped: the log's time is known here, or no driver tells any.
    pub fn has_time(&self) -> bool {
        !self.settings.tells_clocks || self.clock.now_ms().is_some()
    }

    /// The log's time for what is proposed or answered now, in ms since 1970: not before the last entry that was executed.
    /// `None` where no driver tells the time, or it is not known yet.
    pub fn now_ms(&self) -> Option<u64> {
        self.clock.now_ms().map(|now_ms| now_ms.max(self.replica.machine().clock_ms()))
    }

    /// Who leads, as far as it knows.
    pub fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Follower { leader } => leader.map(|ballot| ballot.node),
            Role::Leader(_) => Some(self.me),
            Role::Candidate { .. } | Role::Rejoining(_) | Role::Retired => None,
        }
    }

    /// What it knows of `slot`.
    pub fn status(&self, slot: Slot) -> SlotStatus {
        if slot <= self.log.dropped_through() {
            SlotStatus::Cleared
        } else if slot <= self.chosen_through {
            SlotStatus::Chosen
        } else if self.log.find(slot).is_some() {
            SlotStatus::Accepted
        } else {
            SlotStatus::Empty
        }
    }

    pub(crate) fn on_start(&mut self, ctx: &mut Context<Process<S>>) {
        if let Role::Rejoining(_) = self.role {
            self.broadcast_rejoin(ctx);
        }
        self.set_tick(ctx);
    }

    pub(crate) fn set_tick(&self, ctx: &mut Context<Process<S>>) {
        ctx.set_timer(Timer::Tick, self.settings.tick_ms..=self.settings.tick_ms * 6 / 5);
    }

    pub(crate) fn on_message(&mut self, from: NodeId, message: Message<S>, ctx: &mut Context<Process<S>>) {
        if self.is_rejoining() || self.is_retired() {
            return self.on_message_while_out(from, message, ctx);
        }
        match message {
            Message::Submit { client, first, acked_below, commands } => {
                self.on_submit(from, (client, first, acked_below), commands, ctx);
            }
            Message::Query { first, queries } => self.on_query(from, first, queries, ctx),
            Message::Prepare { ballot, chosen_through } => self.on_prepare(from, ballot, chosen_through, ctx),
            Message::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted } => {
                self.learn_lives(incarnations, ctx);
                if ballot == self.promised && self.is_present(from, incarnation, ctx) {
                    self.on_promise(from, Promise { incarnation, chosen_through, snapshot, accepted }, ctx);
                }
            }
            Message::Rejected { ballot: _, promised } => self.liveness.note(promised),
            Message::Accept { run, ballot, chosen_through } => {
                self.on_accept(from, (ballot, chosen_through), run, ctx);
            }
            Message::Accepted { ballot, incarnation, through, executed_through } => {
                if ballot == self.promised && self.is_present(from, incarnation, ctx) {
                    self.on_accepted(from, through, executed_through, ctx);
                }
            }
            Message::Snapshot { ballot, replica } => self.on_snapshot(from, ballot, &replica, ctx),
            Message::Confirm { ballot, round } => self.on_confirm(from, ballot, round, ctx),
            Message::Confirmed { ballot, incarnation, round } => {
                if ballot == self.promised && self.is_present(from, incarnation, ctx) {
                    self.on_confirmed(from, round, ctx);
                }
            }
            Message::Heartbeat { tick } => self.on_heartbeat(from, tick, ctx),
            Message::Alive { tick, incarnation, following, happy, executed_through, clock } => {
                if self.is_present(from, incarnation, ctx) {
                    self.on_alive(from, tick, (following, happy, executed_through), ctx);
                    self.on_clock_report(from, (tick, following), clock, ctx);
                } else {
                    ctx.send_early(from, Message::Superseded { incarnation: self.life_of(from) });
                }
            }
            Message::TakeOver { ballot } => self.on_take_over(ballot, ctx),
            Message::Rejoin { incarnation } => self.on_rejoin(from, incarnation, ctx),
            // Late: this server is in again already.
            Message::Welcome { .. } => {}
            Message::Superseded { incarnation } => self.supersede(self.me, incarnation, ctx),
            Message::Results { .. }
            | Message::Answers { .. }
            | Message::NotLeader { .. }
            | Message::Forgotten { .. } => unreachable!("these go to clients"),
        }
    }

    /// A driver tells what the clocks of this machine read.
    pub(crate) fn on_clock(&mut self, reading: ClockReading, ctx: &mut Context<Process<S>>) {
        let members = self.peers.len() + 1;
        self.clock.on_reading(reading, members, matches!(self.role, Role::Leader(_)));
        self.go_on_with_time(ctx);
    }

    /// A peer tells what it knows of the time.
    fn on_clock_report(
        &mut self,
        from: NodeId,
        (tick, following): (u64, Ballot),
        report: Option<ClockReport>,
        ctx: &mut Context<Process<S>>,
    ) {
        let Some(report) = report else { return };
        let is_my_leader = matches!(self.role, Role::Follower { leader: Some(leader) } if leader == following)
            && following.node == from;
        self.clock.on_report(from, tick, report, is_my_leader);
        self.go_on_with_time(ctx);
    }

    /// A leader that found the time does what waited for it.
    fn go_on_with_time(&mut self, ctx: &mut Context<Process<S>>) {
        let knew = self.clock.now_ms().is_some();
        if matches!(self.role, Role::Leader(_)) && !knew && self.knows_time() {
            self.maybe_propose(ctx);
            self.answer_reads(ctx);
        }
        if !self.is_rejoining()
            && !self.is_retired()
            && let Some(kept) = self.clock.keep_first()
        {
            ctx.persist(Record::Time(kept));
        }
    }

    /// Whether a leader can stamp what it proposes; if it did not know the time, it may find it now. True where no driver
    /// tells the time: then nothing is stamped.
    pub(crate) fn knows_time(&mut self) -> bool {
        if !self.settings.tells_clocks || !self.is_leader() {
            return true;
        }
        let clock_ms = self.replica.machine().clock_ms();
        self.clock.at_least(clock_ms);
        self.clock.find_time(self.peers.len() + 1, clock_ms)
    }

    /// Follows `leader`. Whoever waited for this server as the leader is sent there.
    pub(crate) fn become_follower(&mut self, leader: Option<Ballot>, ctx: &mut Context<Process<S>>) {
        if let Role::Follower { leader: known } = self.role
            && known == leader
        {
            return;
        }
        let hint = leader.map(|ballot| ballot.node);
        let before = std::mem::replace(&mut self.role, Role::Follower { leader });
        self.liveness.give_time();
        if let Role::Leader(deposed) = before {
            mark!("paxos.deposed");
            for client in deposed.waiting_clients() {
                ctx.send_early(client, Message::NotLeader { leader: hint });
            }
        }
    }

    /// Asks for promises in a ballot above all that it ever heard of.
    pub(crate) fn become_candidate(&mut self, ctx: &mut Context<Process<S>>) {
        assert!(!self.is_rejoining() && !self.is_retired(), "who takes no part does not lead");
        let ballot = self.promised.max(self.liveness.highest()).next(self.me, self.incarnation);
        self.become_follower(None, ctx);
        self.promise(ballot, ctx);
        self.role = Role::Candidate { promises: BTreeMap::new() };
        self.liveness.give_time();
        self.send_prepare(ctx);
        self.maybe_become_leader(ctx);
    }

    /// Promises `ballot`, durably before anything that is sent later.
    pub(crate) fn promise(&mut self, ballot: Ballot, ctx: &mut Context<Process<S>>) {
        assert!(ballot > self.promised, "a promise is never taken back");
        self.promised = ballot;
        self.accepted_through = self.chosen_through;
        self.liveness.note(ballot);
        ctx.persist(Record::Promised { ballot, chosen_through: self.chosen_through });
    }

    /// Everything up to `through` is chosen: executes what is new, answers whom this server leads.
    pub(crate) fn advance_chosen(&mut self, through: Slot, ctx: &mut Context<Process<S>>) -> bool {
        if through <= self.chosen_through {
            return false;
        }
        let mut answers = crate::leader::Answering::default();
        for (last, proposals) in self.log.proposals(self.chosen_through, through) {
            let bytes = proposals.iter().map(proposal_bytes::<S>).sum();
            self.unsaved_bytes += bytes;
            self.retained.push(last, bytes);
            for proposal in proposals {
                let executed = self.replica.execute(proposal);
                let Role::Leader(leader) = &mut self.role else { continue };
                let news = match executed {
                    Executed::Nothing => None,
                    Executed::Forgotten(client) => {
                        leader.on_forgotten(client, ctx);
                        continue;
                    }
                    Executed::Result(client, seq, output) => Some((client, seq, output)),
                    Executed::Own(output) => {
                        self.executed.push(output);
                        continue;
                    }
                };
                leader.on_executed(proposal, news, &mut answers, ctx);
            }
        }
        answers.flush(ctx);
        assert_eq!(self.replica.through(), through, "a chosen slot was not in the log");
        self.chosen_through = through;
        self.accepted_through = self.accepted_through.max(through);
        self.maybe_checkpoint(ctx);
        true
    }

    /// Panics if the state is one that must not be.
    pub(crate) fn assert_invariants(&self) {
        self.log.assert_invariants();
        assert_eq!(self.replica.through(), self.chosen_through, "what is chosen is executed at once");
        assert!(self.chosen_through <= self.accepted_through, "what is chosen counts as accepted");
        assert!(self.log.dropped_through() <= self.chosen_through, "only what is executed is dropped");
        match &self.role {
            Role::Leader(leader) => {
                self.assert_promised_itself();
                leader.assert_invariants(self.log.last());
            }
            Role::Candidate { promises } => {
                self.assert_promised_itself();
                assert!(promises.len() + 1 < self.quorum(), "a candidate with a quorum leads");
            }
            Role::Follower { leader } => {
                let itself = (self.me, self.incarnation);
                assert!(
                    leader.is_none_or(|ballot| (ballot.node, ballot.life) != itself),
                    "nobody follows itself"
                );
            }
            Role::Rejoining(_) => assert!(self.incarnation > 0, "a first life has nothing to catch up"),
            Role::Retired => {
                let later = self.incarnations.get(&self.me);
                assert!(later.is_some_and(|later| *later > self.incarnation), "who retires knows why");
            }
        }
    }

    fn assert_promised_itself(&self) {
        let Ballot { node, life, .. } = self.promised;
        assert_eq!((node, life), (self.me, self.incarnation), "who leads or wants to promised itself");
    }
}

/// About how many bytes a proposal takes.
pub(crate) fn proposal_bytes<S: StateMachine>(proposal: &Proposal<S::Command>) -> usize {
    match proposal {
        Proposal::Noop => 0,
        Proposal::Command { command, .. } | Proposal::Own { command } => S::bytes(command),
    }
}
