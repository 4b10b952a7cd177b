//! Members and seats: the Paxos of a group, or of the configuration service, knows seats, and messages go from home to home.
//!
//! **How a member is replaced.** A configuration gives its seat another home. The group takes it through its log, as any other,
//! when it can spare the member: a quorum of the *others* is there and keeps up. So one is replaced at a time: who is not let
//! in yet is not there. Whoever executes it knows from then on that the former life is over, tells it so, and listens to the
//! new home, where the seat begins anew: Paxos lets it in as one that lost its disk, with the leader's state
//! (`synod_paxos`, `lives.rs`, which says why it is safe although the former life may be alive and not know). The former
//! home retires when it executes the configuration, or when it is told.
//!
//! **Who is who.** A member whose seat has another name than itself says for which seat it speaks. So whoever is behind
//! and has not heard of the replacement understands it and catches up: it was let in, so the group has taken the
//! configuration. One word is not taken from a home that is not known: that it wants to be let in. That waits for the log.
//! Who answers, answers where it was asked from. Whatever is told to clients and other groups names homes.

use crate::masters::Masters;
use crate::seats::Standing;
use crate::server::Ctx;
use crate::{
    Checkpoint, Configuration, ConfigurationNumber, Message, Process, Record, Response, Seats, Server,
    Sharded, Timer,
};
use synod_clientserver::Outcome;
use synod_node::{Context, Effect, Node as _, NodeId, RequestId, StateMachine};
use synod_paxos::{Message as Paxos, Process as Inner, Request};
use synod_stdx::mark;

/// A seat that is not at home where its name is, and its home.
pub(crate) type Moved = (NodeId, NodeId);

/// What a member goes by that is not let in yet: of its log it knows nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Out {
    /// The seats, as the configurations before `next` have them.
    pub(crate) seats: Seats,
    pub(crate) next: ConfigurationNumber,
}

/// For which seat a member speaks, and where it knows the others to be.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Homes {
    pub(crate) seat: NodeId,
    /// Its own name.
    pub(crate) home: NodeId,
    /// The seats whose homes are not called as they are, and how many replacements there were when this was last looked at.
    moved: Vec<Moved>,
    replaced: u64,
    /// What it goes by while it is not let in.
    out: Option<Out>,
}

/// What is to be done with what a member says for a seat.
pub(crate) enum Hearing {
    /// It counts.
    Counts,
    /// The seat has another home since: its former life is told that this one began.
    Former(u64),
    /// It comes too early.
    TooEarly,
}

/// What a member says, and whether it must say for which seat.
pub(crate) enum Said<M: StateMachine> {
    Plainly(Paxos<M>),
    For(NodeId, Paxos<M>),
}

impl Homes {
    pub(crate) fn new(seat: NodeId, home: NodeId) -> Self {
        Homes { seat, home, moved: Vec::new(), replaced: 0, out: None }
    }

    /// Where a seat is played, as far as is known here. `asker`: somebody asked who speaks for a seat, and is answered.
    fn home_for(&self, asker: Option<Moved>, seat: NodeId) -> NodeId {
        let own = (self.seat, self.home);
        let mut known = [own].into_iter().chain(asker).chain(self.moved.iter().copied());
        known.find(|(name, _)| *name == seat).map_or(seat, |(_, home)| home)
    }

    pub(crate) fn home_of(&self, seat: NodeId) -> NodeId {
        self.home_for(None, seat)
    }

    /// To whom, and what, when the Paxos server says something to a seat or a client.
    pub(crate) fn address<M: StateMachine>(
        &self,
        asker: Option<Moved>,
        to: NodeId,
        message: Paxos<M>,
    ) -> (NodeId, Said<M>) {
        // Another group asks the service as a client does, and its members have no seats here.
        if to.is_client() || crate::masters::is_answer(&message) {
            let to = self.home_for(asker, to);
            let message = match message {
                Paxos::NotLeader { leader } => {
                    Paxos::NotLeader { leader: leader.map(|seat| self.home_for(asker, seat)) }
                }
                message => message,
            };
            return (to, Said::Plainly(message));
        }
        let said = match self.seat == self.home {
            true => Said::Plainly(message),
            false => Said::For(self.seat, message),
        };
        (self.home_for(asker, to), said)
    }

    /// Whether a member may speak for a seat at all: for its own only this one does, to itself.
    pub(crate) fn may_speak(&self, from: NodeId, seat: NodeId) -> bool {
        seat != self.seat || from == self.home
    }

    /// A member speaks for a seat.
    pub(crate) fn hear<M: StateMachine>(
        &self,
        seats: &Seats,
        (from, seat): (NodeId, NodeId),
        message: &Paxos<M>,
    ) -> Hearing {
        if from == self.home || from.is_client() || seat == from && self.replaced == 0 {
            return Hearing::Counts;
        }
        match seats.standing(seat, from) {
            Standing::Home => Hearing::Counts,
            Standing::Former(replacement) => {
                mark!("shardedstore.former_home_told");
                Hearing::Former(crate::seats::life(replacement))
            }
            Standing::Unknown if matches!(message, Paxos::Rejoin { .. }) => {
                mark!("shardedstore.rejoins_before_its_configuration");
                Hearing::TooEarly
            }
            Standing::Unknown => {
                mark!("shardedstore.home_not_known_yet");
                Hearing::Counts
            }
        }
    }

    /// What the seats are now, of one who is let in. If some have other homes since this was last looked at, the lives that
    /// began there.
    pub(crate) fn note(&mut self, seats: &Seats) -> Option<Vec<(NodeId, u64)>> {
        let is_let_in = self.out.take().is_some();
        if seats.replaced() == self.replaced && !is_let_in {
            return None;
        }
        self.moved = seats.moved().map(|(seat, home, _)| (seat, home)).collect();
        self.replaced = seats.replaced();
        Some(seats.moved().map(|(seat, _, life)| (seat, life)).collect())
    }

    /// Whether its own seat is played elsewhere now.
    pub(crate) fn is_replaced(&self) -> bool {
        let is_elsewhere = self.moved.iter().any(|(seat, home)| *seat == self.seat && *home != self.home);
        if is_elsewhere {
            mark!("shardedstore.replaced");
        }
        is_elsewhere
    }

    /// It is not let in yet, and goes by this.
    pub(crate) fn go_out(&mut self, out: Out) {
        self.moved = out.seats.moved().map(|(seat, home, _)| (seat, home)).collect();
        self.out = Some(out);
    }

    /// An unadmitted replica asks every node that may host a peer: its peers may not have taken all configurations. And it asks
    /// for the next one.
    pub(crate) fn rejoin_everywhere<S: Sharded, M: StateMachine>(
        &self,
        inner: &Inner<M>,
        masters: &mut Masters,
        seated: impl Fn(NodeId, Paxos<M>) -> Message<S>,
        ctx: &mut Ctx<S>,
    ) {
        let server = inner.server().filter(|server| server.is_rejoining());
        let (Some(out), Some(server)) = (&self.out, server) else { return };
        let incarnation = server.life_of(self.seat);
        for (other, home) in out.seats.others(self.seat) {
            if self.home_of(other) != home {
                ctx.send_early(home, seated(self.seat, Paxos::Rejoin { incarnation }));
            }
        }
        masters.ask(Some(out.next), ctx);
    }

    /// A configuration in which these are the members: if an unadmitted replica was waiting for this one, its peers may have
    /// moved.
    pub(crate) fn note_next(&mut self, number: ConfigurationNumber, members: Option<&Vec<NodeId>>) {
        let Some(mut out) = self.out.take_if(|out| out.next == number) else { return };
        if let Some(members) = members {
            out.seats.take(members);
        }
        out.next += 1;
        self.go_out(out);
    }
}

impl<S: Sharded> Server<S> {
    /// The member that plays a seat, as far as this one knows.
    pub fn home_of(&self, seat: NodeId) -> NodeId {
        self.homes.home_of(seat)
    }

    /// The member that leads the group, as far as this one knows.
    pub fn leader(&self) -> Option<NodeId> {
        self.paxos().leader().map(|seat| self.homes.home_of(seat))
    }

    /// A member speaks for a seat.
    pub(crate) fn on_member(
        &mut self,
        (from, seat): (NodeId, NodeId),
        message: Paxos<crate::GroupState<S>>,
        ctx: &mut Ctx<S>,
    ) {
        match self.homes.hear(&self.state().seats, (from, seat), &message) {
            Hearing::TooEarly => {}
            Hearing::Former(incarnation) => {
                ctx.send_early(from, Message::Members(Paxos::Superseded { incarnation }));
            }
            Hearing::Counts => {
                self.within_for(Some((seat, from)), ctx, |inner, ctx| inner.on_message(seat, message, ctx));
            }
        }
    }

    /// Whether the group may take `next` now: not while it cannot spare the member that is replaced.
    pub(crate) fn may_take(&self, next: &Configuration) -> bool {
        let members = next.groups.get(&self.group);
        let moving = members.and_then(|members| self.state().seats.moving(members));
        let may = moving.is_none_or(|seat| self.paxos().can_spare(seat));
        if !may {
            mark!("shardedstore.replacement_waits");
        }
        may
    }

    /// Seats have other homes since the last step: their former lives are over, and perhaps this one is.
    pub(crate) fn note_homes(&mut self, ctx: &mut Ctx<S>) {
        if self.paxos().is_rejoining() {
            return;
        }
        let seats = &crate::server::state_of(&self.inner).seats;
        let Some(lives) = self.homes.note(seats) else { return };
        let is_replaced = self.homes.is_replaced();
        self.within(ctx, |inner, ctx| end_lives(inner, is_replaced, &lives, ctx));
        self.note_role(ctx);
    }

    /// See [`Homes::rejoin_everywhere`].
    pub(crate) fn rejoin_everywhere(&mut self, ctx: &mut Ctx<S>) {
        let Server { inner, homes, masters, .. } = self;
        homes.rejoin_everywhere(inner, masters, |seat, message| Message::Seated { seat, message }, ctx);
    }
}

/// Tells a Paxos server that lives began. If its own seat is played elsewhere now, it hands over first.
pub(crate) fn end_lives<M: StateMachine>(
    inner: &mut Inner<M>,
    is_replaced: bool,
    lives: &[(NodeId, u64)],
    ctx: &mut Context<Inner<M>>,
) {
    if is_replaced {
        inner.on_request(RequestId::TOLD, Request::HandOver, ctx);
    }
    let Some(server) = inner.server_mut() else { return };
    for (seat, life) in lives {
        server.supersede(*seat, *life, ctx);
    }
}

/// How the log of a Paxos process is written down, and how it answers its user: each role has kinds of its own.
pub(crate) struct Wrappers<S: Sharded, M: StateMachine> {
    pub(crate) record: fn(synod_paxos::Record<M::Command>) -> Record<S>,
    pub(crate) checkpoint: fn(synod_paxos::Checkpoint<M>) -> Checkpoint<S>,
    pub(crate) response: fn(Outcome<M::Output>) -> Response<S::Output>,
}

/// What a Paxos process does, as its owner does it. `address` says where a message goes, and as what.
pub(crate) fn outward<S: Sharded, M: StateMachine>(
    effect: Effect<Inner<M>>,
    address: impl Fn(NodeId, Paxos<M>) -> (NodeId, Message<S>),
    wrappers: &Wrappers<S, M>,
) -> Effect<Process<S>> {
    match effect {
        Effect::Send { to, message } => {
            let (to, message) = address(to, message);
            Effect::Send { to, message }
        }
        Effect::SendEarly { to, message } => {
            let (to, message) = address(to, message);
            Effect::SendEarly { to, message }
        }
        Effect::SetTimer { timer, after } => Effect::SetTimer { timer: Timer::Paxos(timer), after },
        Effect::Persist(record) => Effect::Persist((wrappers.record)(record)),
        Effect::Checkpoint(state) => Effect::Checkpoint((wrappers.checkpoint)(state)),
        Effect::Compact(state) => Effect::Compact((wrappers.checkpoint)(state)),
        Effect::Reply { id, response } => Effect::Reply { id, response: (wrappers.response)(response) },
    }
}
