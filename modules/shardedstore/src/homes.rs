//! Members and seats: the group's Paxos knows seats, and messages go from home to home.
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

use crate::seats::Standing;
use crate::server::{Ctx, Inner};
use crate::{Configuration, ConfigurationNumber, GroupState, Message, Seats, Server, Sharded};
use synod_node::{Context, Node, NodeId};
use synod_paxos::Message as Paxos;
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

/// Where what the Paxos server says goes.
pub(crate) struct Directions<'a> {
    /// This member's seat and home.
    pub(crate) own: Moved,
    /// Who is answered, if somebody asked.
    pub(crate) asker: Option<Moved>,
    pub(crate) moved: &'a [Moved],
}

impl Directions<'_> {
    fn home(&self, seat: NodeId) -> NodeId {
        let mut known = [self.own].into_iter().chain(self.asker).chain(self.moved.iter().copied());
        known.find(|(name, _)| *name == seat).map_or(seat, |(_, home)| home)
    }

    /// To whom, and what, when the Paxos server says something to a seat or a client.
    pub(crate) fn address<S: Sharded>(
        &self,
        to: NodeId,
        message: Paxos<GroupState<S>>,
    ) -> (NodeId, Message<S>) {
        if to.is_client() {
            let message = match message {
                Paxos::NotLeader { leader } => {
                    Paxos::NotLeader { leader: leader.map(|seat| self.home(seat)) }
                }
                message => message,
            };
            return (to, Message::Members(message));
        }
        let (seat, home) = self.own;
        let message = match seat == home {
            true => Message::Members(message),
            false => Message::Seated { seat, message },
        };
        (self.home(to), message)
    }
}

impl<S: Sharded> Server<S> {
    /// The member that plays `seat`, as far as is known here.
    pub(crate) fn home_of(&self, seat: NodeId) -> NodeId {
        Directions { own: (self.seat, self.home), asker: None, moved: &self.moved }.home(seat)
    }

    /// The member that leads the group, as far as this one knows.
    pub fn leader(&self) -> Option<NodeId> {
        self.paxos().leader().map(|seat| self.home_of(seat))
    }

    /// A member speaks for a seat.
    pub(crate) fn on_member(
        &mut self,
        (from, seat): (NodeId, NodeId),
        message: Paxos<GroupState<S>>,
        ctx: &mut Ctx<S>,
    ) {
        if from != self.home && !from.is_client() && (seat != from || self.replaced > 0) {
            match self.state().seats.standing(seat, from) {
                Standing::Home => {}
                Standing::Former(replacement) => {
                    mark!("shardedstore.former_home_told");
                    let incarnation = crate::seats::life(replacement);
                    ctx.send_early(from, Message::Members(Paxos::Superseded { incarnation }));
                    return;
                }
                Standing::Unknown if matches!(message, Paxos::Rejoin { .. }) => {
                    mark!("shardedstore.rejoins_before_its_configuration");
                    return;
                }
                Standing::Unknown => mark!("shardedstore.home_not_known_yet"),
            }
        }
        self.within_for(Some((seat, from)), ctx, |inner, ctx| inner.on_message(seat, message, ctx));
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
        let is_let_in = self.out.take().is_some();
        let seats = &self.state().seats;
        if seats.replaced() == self.replaced && !is_let_in {
            return;
        }
        let replaced = seats.replaced();
        let lives: Vec<(NodeId, u64)> = seats.moved().map(|(seat, _, life)| (seat, life)).collect();
        self.moved = seats.moved().map(|(seat, home, _)| (seat, home)).collect();
        self.replaced = replaced;
        if self.moved.iter().any(|(seat, home)| *seat == self.seat && *home != self.home) {
            mark!("shardedstore.replaced");
            self.within(ctx, |inner, ctx| {
                inner.on_request(synod_node::RequestId(0), synod_paxos::Request::HandOver, ctx);
            });
        }
        self.within(ctx, |inner, ctx| supersede(inner, &lives, ctx));
        self.note_role(ctx);
    }

    /// It is not let in yet, and goes by this.
    pub(crate) fn go_out(&mut self, out: Out) {
        self.moved = out.seats.moved().map(|(seat, home, _)| (seat, home)).collect();
        self.out = Some(out);
    }

    /// Who is not let in yet asks whoever may play the others' seats: the group may not have taken all configurations, and
    /// asks for the next one.
    pub(crate) fn rejoin_everywhere(&mut self, ctx: &mut Ctx<S>) {
        let Some(out) = self.out.as_ref().filter(|_| self.paxos().is_rejoining()) else { return };
        let (seat, incarnation) = (self.seat, self.paxos().life_of(self.seat));
        for (other, home) in out.seats.others(self.seat) {
            if self.home_of(other) != home {
                ctx.send_early(home, Message::Seated { seat, message: Paxos::Rejoin { incarnation } });
            }
        }
        self.masters.ask(Some(out.next), ctx);
    }

    /// A configuration: if it is the next that who is not let in waits for, others may be elsewhere.
    pub(crate) fn note_next(&mut self, next: &Configuration) {
        let Some(mut out) = self.out.take_if(|out| out.next == next.number) else { return };
        if let Some(members) = next.groups.get(&self.group) {
            out.seats.take(members);
        }
        out.next += 1;
        self.go_out(out);
    }
}

fn supersede<S: Sharded>(inner: &mut Inner<S>, lives: &[(NodeId, u64)], ctx: &mut Context<Inner<S>>) {
    let Some(server) = inner.server_mut() else { return };
    for (seat, life) in lives {
        server.supersede(*seat, *life, ctx);
    }
}
