//! A member of a group: a Paxos server that replicates the group's state, and, while it leads, the one who acts for it.
//!
//! Whatever a leader keeps beside the log ([`Leading`]) may be lost at any moment: it is made again from the replicated
//! state, and whoever waits for it asks again.

use crate::group_state::GroupState;
use crate::homes::{Homes, Moved, Out, Said, Wrappers, outward};
use crate::leading::{Asked, Leading, Vote};
use crate::masters::Masters;
use crate::{
    Configuration, ConfigurationNumber, GroupId, Message, Process, Record, RequestName, Seats, Sharded, Step,
    Stepped, Timer,
};
use std::sync::Arc;
use synod_node::{ClockReading, Context, Durable, Node, NodeId, RequestId};
use synod_paxos::{Settings, Timer as PaxosTimer};
use synod_stdx::mark;

/// What a handler acts through.
pub(crate) type Ctx<S> = Context<Process<S>>;
/// The Paxos server inside.
pub(crate) type Inner<S> = synod_paxos::Process<GroupState<S>>;

/// What the group of the Paxos server inside replicates: for where the rest of a [`Server`] is borrowed.
pub(crate) fn state_of<S: Sharded>(inner: &Inner<S>) -> &GroupState<S> {
    inner.server().expect("a member is a server").replica().machine()
}

/// About how many bytes one part of a slot that moves has: few enough that others hardly wait for it in a log or on a
/// wire, and enough that a large slot is soon gone.
pub const PART_BYTES: usize = 64 << 10;

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Server<S: Sharded> {
    pub(crate) inner: Inner<S>,
    pub(crate) group: GroupId,
    /// For which seat of the group it speaks, and where the others are.
    pub(crate) homes: Homes,
    pub(crate) masters: Masters,
    /// About how many bytes one part of a slot that moves has.
    pub(crate) part_bytes: usize,
    /// What it keeps while it leads and is caught up.
    pub(crate) leading: Option<Leading<S>>,
}

/// A group, as its members are made of it.
#[derive(Clone, Debug)]
pub struct GroupPlan<'a, S> {
    /// The group's name.
    pub group: GroupId,
    /// Its members when it joined: the names of its seats.
    pub members: &'a [NodeId],
    /// The members of the configuration service.
    pub masters: &'a [NodeId],
    /// How many slots the store has.
    pub slot_count: u16,
    /// The application, without anything in it.
    pub store: S,
    /// How the group's Paxos goes about it.
    pub settings: Settings,
    /// About how many bytes one part of a slot that moves has: [`PART_BYTES`], or less to see many parts of little.
    pub part_bytes: usize,
}

impl<S: Sharded> Server<S> {
    /// Member `me` of a group, which has never run before.
    ///
    /// # Panics
    /// If `me` is not one of its members, or there are no masters.
    pub fn new(me: NodeId, plan: &GroupPlan<'_, S>) -> Self {
        let state = GroupState::new(plan.group, plan.slot_count, plan.store.clone());
        Server::of(synod_paxos::Server::new(me, plan.members, state, plan.settings), me, plan)
    }

    /// Member `me` of a group, whose disk is lost, in a life of its own: it takes no part in quorums until it has caught up.
    ///
    /// # Panics
    /// As [`Server::new`]; or if the incarnation is the first.
    pub fn rejoining(me: NodeId, plan: &GroupPlan<'_, S>, incarnation: u64) -> Self {
        let mut names = plan.members.to_vec();
        names.sort_unstable();
        Server::replacing(me, plan, (Seats::named(&names), 0), incarnation)
    }

    /// Member `me` of a group, who has its seat anew, in a life of its own, because another member had it or because its disk
    /// is lost: it takes no part in quorums until it has caught up. The seats are those that the configurations before a
    /// number have.
    ///
    /// # Panics
    /// If `me` has none of them, or the incarnation is the first.
    pub fn replacing(
        me: NodeId,
        plan: &GroupPlan<'_, S>,
        (seats, next): (Seats, ConfigurationNumber),
        incarnation: u64,
    ) -> Self {
        let state = GroupState::new(plan.group, plan.slot_count, plan.store.clone());
        let seat = seats.seat_of(me).expect("a member has a seat");
        let paxos = synod_paxos::Server::rejoining(seat, &seats.names(), state, plan.settings, incarnation);
        let mut server = Server::of(paxos, me, plan);
        server.homes.go_out(Out { seats, next });
        server
    }

    /// The same, and `first` is the member that wants to lead at once, instead of the first by name.
    #[must_use]
    pub fn with_first(mut self, first: NodeId) -> Self {
        if let Inner::Server(server) = self.inner {
            self.inner = Inner::Server(server.with_first(first));
        }
        self
    }

    fn of(server: synod_paxos::Server<GroupState<S>>, home: NodeId, plan: &GroupPlan<'_, S>) -> Self {
        Server {
            homes: Homes::new(server.id(), home),
            inner: Inner::Server(server),
            group: plan.group,
            masters: Masters::new(plan.masters),
            part_bytes: plan.part_bytes,
            leading: None,
        }
    }

    /// Its group.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// The Paxos server in it.
    ///
    /// # Panics
    /// Never: it is one.
    pub fn paxos(&self) -> &synod_paxos::Server<GroupState<S>> {
        self.inner.server().expect("a member is a server")
    }

    /// What its group replicates, as far as it is executed here.
    pub fn state(&self) -> &GroupState<S> {
        state_of(&self.inner)
    }

    /// Whether `from`, which speaks for `seat`, may say this.
    pub(crate) fn accepts(
        &self,
        (from, seat): (NodeId, NodeId),
        message: &synod_paxos::Message<GroupState<S>>,
    ) -> bool {
        self.homes.may_speak(from, seat) && self.inner.accepts(seat, message)
    }

    pub(crate) fn on_start(&mut self, ctx: &mut Ctx<S>) {
        self.within(ctx, Inner::on_start);
        self.rejoin_everywhere(ctx);
    }

    pub(crate) fn on_recover(&mut self, durable: Durable<Inner<S>>, ctx: &mut Ctx<S>) {
        self.within(ctx, |inner, ctx| inner.on_recover(durable, ctx));
        self.note_homes(ctx);
    }

    pub(crate) fn on_message(&mut self, from: NodeId, message: Message<S>, ctx: &mut Ctx<S>) {
        match message {
            Message::Members(message) => self.on_member((from, from), message, ctx),
            Message::Seated { seat, message } => self.on_member((from, seat), message, ctx),
            Message::Masters(message) => {
                if let Some(configuration) = self.masters.on_message(from, message) {
                    self.on_configuration(&configuration);
                }
            }
            // Not let in: only members of the service hear it.
            Message::SeatedMaster { .. } => {}
            message => self.on_message_to_leader(from, message, ctx),
        }
        self.settle(ctx);
    }

    /// What is said to the group. Only a leader that knows all that was chosen before it can speak for it.
    fn on_message_to_leader(&mut self, from: NodeId, message: Message<S>, ctx: &mut Ctx<S>) {
        if self.leading.is_none() {
            // To that nobody need answer anything.
            if !matches!(message, Message::NotLeader { .. }) {
                let leader = self.leader().filter(|leader| *leader != ctx.me());
                ctx.send_early(from, Message::NotLeader { group: self.group, leader });
            }
            return;
        }
        match message {
            Message::Submit { lots } => {
                for lot in lots {
                    self.on_lot(from, lot, ctx);
                }
            }
            Message::Ask { first, is_on_its_way, queries } => {
                self.on_ask(from, (first, is_on_its_way), queries, ctx);
            }
            Message::NotLeader { group, leader } => self.on_not_leader(group, leader, from),
            Message::Ready { number, group } => self.on_ready(from, number, group, ctx),
            Message::Give { number, chunks } => self.on_give(from, number, chunks, ctx),
            Message::Taken { number, slots } => self.on_taken(from, number, &slots, ctx),
            Message::Prepare { attempt, slots, command } => {
                self.on_prepare(from, (attempt, slots), command, ctx);
            }
            Message::Vote { attempt, group, lock, slots, fragment } => {
                self.on_vote(from, (attempt, group), Vote { lock, slots, fragment }, ctx);
            }
            Message::Refused { attempt, slot, with } => self.on_refused(attempt, slot, with),
            Message::Outcome { attempt, lock, part } => self.on_outcome(from, (attempt, lock), part, ctx),
            Message::Finished { attempt, group } => self.on_finished(attempt, group),
            Message::Inquire { attempt, group, lock } => self.on_inquire(from, attempt, (group, lock), ctx),
            Message::Results { .. } | Message::Elsewhere { .. } | Message::Forgotten { .. } => {
                unreachable!("these go to clients")
            }
            Message::Masters(_)
            | Message::SeatedMaster { .. }
            | Message::Members(_)
            | Message::Seated { .. } => {
                unreachable!("not to the leader alone")
            }
        }
    }

    pub(crate) fn on_timer(&mut self, timer: Timer, ctx: &mut Ctx<S>) {
        match timer {
            Timer::Paxos(timer) => {
                let is_tick = timer == PaxosTimer::Tick;
                self.within(ctx, |inner, ctx| inner.on_timer(timer, ctx));
                self.settle(ctx);
                if is_tick {
                    self.on_tick(ctx);
                    self.settle(ctx);
                }
            }
            Timer::Retry => unreachable!("clients retry"),
        }
    }

    /// Each tick a leader asks again for whatever it waits for.
    fn on_tick(&mut self, ctx: &mut Ctx<S>) {
        self.rejoin_everywhere(ctx);
        if self.leading.is_none() {
            return;
        }
        if let Some(leading) = &mut self.leading {
            leading.proposed.clear();
        }
        self.ask_for_next(ctx);
        self.forget_old_waiting();
        self.give_again(ctx);
        self.send_ready(ctx);
        self.advance_transactions(ctx);
        self.inquire(ctx);
    }

    /// Asks for the configuration after the one in force, if that is carried out.
    pub(crate) fn ask_for_next(&mut self, ctx: &mut Ctx<S>) {
        if self.state().is_settled() {
            let number = self.state().next_number();
            self.masters.ask(Some(number), ctx);
        }
    }

    fn on_configuration(&mut self, next: &Arc<Configuration>) {
        self.masters.note(next);
        self.homes.note_next(next.number, next.groups.get(&self.group));
        let is_next = next.number == self.state().next_number() && self.state().is_settled();
        if is_next && self.may_take(next) {
            self.propose_once(Asked::Configure(next.number), Step::Configure(Arc::clone(next)));
        }
    }

    /// Puts an entry into the log, if this server leads.
    pub(crate) fn propose(&mut self, step: Step<S>) {
        if let Some(leading) = &mut self.leading {
            leading.proposals.push(step);
        }
    }

    /// As [`propose`](Server::propose), unless it was proposed lately.
    pub(crate) fn propose_once(&mut self, asked: Asked, step: Step<S>) {
        let is_news = self.leading.as_mut().is_some_and(|leading| leading.proposed.insert(asked));
        if is_news {
            self.propose(step);
        }
    }

    /// After each step: sees what was executed and whether this server leads, and acts upon it.
    fn settle(&mut self, ctx: &mut Ctx<S>) {
        self.settle_steps(ctx);
        self.note_homes(ctx);
    }

    fn settle_steps(&mut self, ctx: &mut Ctx<S>) {
        self.note_role(ctx);
        let executed = self.inner.server_mut().map(synod_paxos::Server::take_executed).unwrap_or_default();
        if self.leading.is_none() {
            return;
        }
        for stepped in executed {
            self.on_stepped(stepped, ctx);
        }
        if self.leading.as_ref().is_some_and(|leading| leading.is_due) {
            self.advance_moves();
        }
        self.advance_queue(ctx);
        let Some(leading) = &mut self.leading else { return };
        leading.answers.send(ctx);
        let proposals = std::mem::take(&mut leading.proposals);
        if !proposals.is_empty() {
            self.within(ctx, |inner, ctx| {
                if let Some(server) = inner.server_mut() {
                    server.propose(proposals, ctx);
                }
            });
        }
    }

    /// Begins or ends to act for the group.
    pub(crate) fn note_role(&mut self, ctx: &mut Ctx<S>) {
        let paxos = self.paxos();
        let ballot = paxos.is_caught_up().then(|| paxos.promised());
        if self.leading.as_ref().map(|leading| leading.ballot) == ballot {
            return;
        }
        let slot_count = self.state().slot_count;
        self.leading = ballot.map(|ballot| Leading::new(ballot, slot_count));
        if self.leading.is_some() {
            mark!("shardedstore.leads");
            self.resume_moves(ctx);
            self.send_ready(ctx);
            self.advance_transactions(ctx);
            self.ask_for_next(ctx);
        }
    }

    fn on_stepped(&mut self, stepped: Stepped<S::Output>, ctx: &mut Ctx<S>) {
        let Some(leading) = &mut self.leading else { return };
        match stepped {
            Stepped::Ran { name, output } => {
                leading.on_run(name);
                leading.answers.push(name, output);
                self.tell_outcome(name, ctx);
            }
            Stepped::NotRun { name } => leading.on_not_run(name),
            Stepped::Forgotten { name } => {
                leading.on_not_run(name);
                let RequestName { client, slot, .. } = name;
                ctx.send_early(client.node(), Message::Forgotten { slot, client });
            }
            Stepped::Moved => self.on_moved(ctx),
            Stepped::Begun { name } => self.advance_transaction(name, ctx),
            Stepped::Prepared { attempt, lock, slots } => self.on_prepared(attempt, lock, slots, ctx),
            Stepped::Abandoned { attempt } => self.on_abandoned(attempt, ctx),
            Stepped::Finished { attempt, is_committed } => {
                leading.is_due = true;
                if is_committed {
                    let finished = Message::Finished { attempt, group: self.group };
                    self.send_to_group(attempt.coordinator, finished, ctx);
                }
            }
            Stepped::Known => leading.is_due = true,
            Stepped::Read(_) | Stepped::NotRead => {}
        }
    }

    /// Says something to the leader of another group, or to all of its members, if it is not known who that is.
    pub(crate) fn send_to_group(&mut self, group: GroupId, message: Message<S>, ctx: &mut Ctx<S>) {
        let Some(leading) = &self.leading else { return };
        if let Some(leader) = leading.leaders.get(&group) {
            ctx.send(*leader, message);
            return;
        }
        let Some(members) = self.state().members(group) else { return };
        let members = members.to_vec();
        ctx.broadcast(&members, &message);
    }

    fn on_not_leader(&mut self, group: GroupId, leader: Option<NodeId>, from: NodeId) {
        let Some(leading) = &mut self.leading else { return };
        if leading.leaders.get(&group) != Some(&from) {
            return;
        }
        match leader {
            Some(leader) => leading.leaders.insert(group, leader),
            None => leading.leaders.remove(&group),
        };
        leading.on_other_leader(group);
    }

    /// Lets the Paxos server inside act.
    pub(crate) fn within(
        &mut self,
        ctx: &mut Ctx<S>,
        run: impl FnOnce(&mut Inner<S>, &mut Context<Inner<S>>),
    ) {
        self.within_for(None, ctx, run);
    }

    /// Lets the Paxos server inside act upon what was said for a seat.
    pub(crate) fn within_for(
        &mut self,
        asker: Option<Moved>,
        ctx: &mut Ctx<S>,
        run: impl FnOnce(&mut Inner<S>, &mut Context<Inner<S>>),
    ) {
        let (inner, homes) = (&mut self.inner, &self.homes);
        let address = |to, message| match homes.address(asker, to, message) {
            (to, Said::Plainly(message)) => (to, Message::Members(message)),
            (to, Said::For(seat, message)) => (to, Message::Seated { seat, message }),
        };
        let wrappers = Wrappers {
            record: Record::Members,
            checkpoint: crate::Checkpoint::Members,
            response: |_| unreachable!("a member has no user"),
        };
        ctx.within(|ctx| run(inner, ctx), |effect| outward(effect, address, &wrappers));
    }

    /// A driver tells what the clocks of this machine read.
    pub(crate) fn on_clock(&mut self, reading: ClockReading, ctx: &mut Ctx<S>) {
        let request = synod_paxos::Request::Clock(reading);
        self.within(ctx, |inner, ctx| inner.on_request(RequestId::TOLD, request, ctx));
        self.settle(ctx);
    }

    /// Lets another member lead, if this one does.
    pub(crate) fn hand_over(&mut self, ctx: &mut Ctx<S>) {
        let request = synod_paxos::Request::HandOver;
        self.within(ctx, |inner, ctx| inner.on_request(RequestId::TOLD, request, ctx));
        self.settle(ctx);
    }

    pub(crate) fn assert_invariants(&self) {
        self.inner.assert_invariants();
        self.state().assert_invariants();
        let is_idle = |leading: &Leading<S>| leading.proposals.is_empty() && leading.answers.is_empty();
        assert!(self.leading.as_ref().is_none_or(is_idle), "a step ends with something left to do");
    }
}
