//! A member of the configuration service: a Paxos server whose seat may have had other homes, as that of a group's member.
//!
//! The service's own log says who its members are. A command that gives a seat another home counts from its entry on; see
//! `homes.rs`, which says what becomes of the former home, and how the new one is let in.

use crate::homes::{Hearing, Homes, Moved, Out, Said, Wrappers, end_lives, outward};
use crate::masters::Masters;
use crate::nodes::{SERVICE, first_member};
use crate::server::Ctx;
use crate::{
    Checkpoint, ConfigurationCommand, ConfigurationNumber, ConfigurationService, Message, Record, Seats,
    Sharded,
};
use synod_node::{Context, Durable, Node, NodeId, RequestId};
use synod_paxos::{Message as Paxos, Request, Settings, Timer as PaxosTimer};
use synod_stdx::mark;

/// The Paxos process inside a member of the service; and a client of the service.
pub type Controller = synod_paxos::Process<ConfigurationService>;

/// A member of the configuration service.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ServiceMember {
    inner: Controller,
    homes: Homes,
    /// The members as it knew them when it was built: whom it asks for configurations while it is not let in.
    masters: Masters,
    /// The seats, as the configurations that are executed here have them.
    seats: Seats,
    /// So many configurations are in them.
    taken: usize,
}

impl ServiceMember {
    /// Member `me` of the service, which has never run before, where the service is founded with these members.
    ///
    /// # Panics
    /// If `me` is none of them.
    pub fn new(me: NodeId, members: &[NodeId], slot_count: u16, settings: Settings) -> Self {
        let service = ConfigurationService::new(slot_count);
        let server = synod_paxos::Server::new(me, members, service, settings);
        ServiceMember::of(server, me, members)
    }

    /// Member `me` of the service, which has its seat anew, because its disk is lost or another member had the seat. The seats
    /// are those that the configurations before a number have.
    ///
    /// # Panics
    /// If `me` has none of them, or the incarnation is the first.
    pub fn replacing(
        me: NodeId,
        (seats, next): (Seats, ConfigurationNumber),
        slot_count: u16,
        settings: Settings,
        incarnation: u64,
    ) -> Self {
        let seat = seats.seat_of(me).expect("a member has a seat");
        let service = ConfigurationService::new(slot_count);
        let server = synod_paxos::Server::rejoining(seat, &seats.names(), service, settings, incarnation);
        let mut member = ServiceMember::of(server, me, &seats.homes());
        member.homes.go_out(Out { seats, next });
        member
    }

    fn of(server: synod_paxos::Server<ConfigurationService>, home: NodeId, asked: &[NodeId]) -> Self {
        ServiceMember {
            homes: Homes::new(server.id(), home),
            masters: Masters::new(asked),
            seats: Seats::named(&server.members()),
            inner: Controller::Server(server),
            taken: 0,
        }
    }

    /// The Paxos server in it.
    ///
    /// # Panics
    /// Never: it is one.
    pub fn paxos(&self) -> &synod_paxos::Server<ConfigurationService> {
        self.inner.server().expect("a member is a server")
    }

    /// The service, as far as it is executed here.
    pub fn service(&self) -> &ConfigurationService {
        self.paxos().replica().machine()
    }

    /// The member that plays a seat, as far as this one knows.
    pub fn home_of(&self, seat: NodeId) -> NodeId {
        self.homes.home_of(seat)
    }

    pub(crate) fn on_start<S: Sharded>(&mut self, ctx: &mut Ctx<S>) {
        self.within(None, ctx, Controller::on_start);
        self.rejoin_everywhere(ctx);
    }

    pub(crate) fn on_recover<S: Sharded>(&mut self, durable: Durable<Controller>, ctx: &mut Ctx<S>) {
        self.within(None, ctx, |inner, ctx| inner.on_recover(durable, ctx));
        self.settle(ctx);
    }

    /// A member or a client says something; a member for a seat.
    pub(crate) fn on_message<S: Sharded>(
        &mut self,
        (from, seat): (NodeId, NodeId),
        message: Paxos<ConfigurationService>,
        ctx: &mut Ctx<S>,
    ) {
        if crate::masters::is_answer(&message) {
            if let Some(known) = self.masters.on_message(from, message) {
                self.masters.note(&known);
                self.homes.note_next(known.number, known.members(SERVICE));
            }
            return;
        }
        let message = self.without_unspared(message);
        match self.homes.hear(&self.seats, (from, seat), &message) {
            Hearing::TooEarly => {}
            Hearing::Former(incarnation) => {
                ctx.send_early(from, Message::Masters(Paxos::Superseded { incarnation }));
            }
            Hearing::Counts => {
                self.within(Some((seat, from)), ctx, |inner, ctx| inner.on_message(seat, message, ctx));
            }
        }
        self.settle(ctx);
    }

    /// A leader answers at once what it cannot take now. To wait would hold up all that its client asks behind it.
    fn without_unspared(&self, message: Paxos<ConfigurationService>) -> Paxos<ConfigurationService> {
        match message {
            Paxos::Submit { client, first, acked_below, commands } if self.paxos().is_leader() => {
                let taken = |command| match command {
                    ConfigurationCommand::Replace { old, .. } if !self.may_take(&command) => {
                        mark!("shardedstore.replacement_in_the_service_refused");
                        ConfigurationCommand::Unspared { old }
                    }
                    command => command,
                };
                let commands = commands.into_iter().map(taken).collect();
                Paxos::Submit { client, first, acked_below, commands }
            }
            message => message,
        }
    }

    /// Whether the service may take a command now: no replacement while it cannot spare the member, since a member that is not
    /// let in yet is not there.
    fn may_take(&self, command: &ConfigurationCommand) -> bool {
        let ConfigurationCommand::Replace { group: SERVICE, old, .. } = command else { return true };
        let homes = self.seats.homes();
        let at = homes.iter().position(|home| first_member(*home) == first_member(*old));
        at.is_none_or(|at| self.paxos().can_spare(self.seats.names()[at]))
    }

    /// Whether `from`, which speaks for `seat`, may say this.
    pub(crate) fn accepts(
        &self,
        (from, seat): (NodeId, NodeId),
        message: &Paxos<ConfigurationService>,
    ) -> bool {
        crate::masters::is_answer(message)
            || self.homes.may_speak(from, seat) && self.inner.accepts(seat, message)
    }

    pub(crate) fn on_timer<S: Sharded>(&mut self, timer: PaxosTimer, ctx: &mut Ctx<S>) {
        let is_tick = timer == PaxosTimer::Tick;
        self.within(None, ctx, |inner, ctx| inner.on_timer(timer, ctx));
        if is_tick {
            self.rejoin_everywhere(ctx);
        }
        self.settle(ctx);
    }

    pub(crate) fn on_request<S: Sharded>(
        &mut self,
        id: RequestId,
        request: Request<ConfigurationCommand>,
        ctx: &mut Ctx<S>,
    ) {
        self.within(None, ctx, |inner, ctx| inner.on_request(id, request, ctx));
        self.settle(ctx);
    }

    pub(crate) fn compaction(&self) -> Option<synod_paxos::Checkpoint<ConfigurationService>> {
        self.inner.compaction()
    }

    pub(crate) fn assert_invariants(&self) {
        self.inner.assert_invariants();
    }

    /// Takes note of configurations that were executed: seats may have other homes.
    fn settle<S: Sharded>(&mut self, ctx: &mut Ctx<S>) {
        if self.paxos().is_rejoining() {
            return;
        }
        let history = self.inner.server().map_or(&[][..], |server| server.replica().machine().history());
        for members in history[self.taken..].iter().filter_map(|known| known.members(SERVICE)) {
            self.seats.take(members);
        }
        self.taken = history.len();
        let Some(lives) = self.homes.note(&self.seats) else { return };
        let is_replaced = self.homes.is_replaced();
        self.within(None, ctx, |inner, ctx| end_lives(inner, is_replaced, &lives, ctx));
    }

    /// See [`Homes::rejoin_everywhere`].
    fn rejoin_everywhere<S: Sharded>(&mut self, ctx: &mut Ctx<S>) {
        let ServiceMember { inner, homes, masters, .. } = self;
        homes.rejoin_everywhere(inner, masters, |seat, message| Message::SeatedMaster { seat, message }, ctx);
    }

    fn within<S: Sharded>(
        &mut self,
        asker: Option<Moved>,
        ctx: &mut Ctx<S>,
        run: impl FnOnce(&mut Controller, &mut Context<Controller>),
    ) {
        let (inner, homes) = (&mut self.inner, &self.homes);
        within(inner, ctx, run, |to, message| match homes.address(asker, to, message) {
            (to, Said::Plainly(message)) => (to, Message::Masters(message)),
            (to, Said::For(seat, message)) => (to, Message::SeatedMaster { seat, message }),
        });
    }
}

/// Lets a member or a client of the configuration service act. `address` says where a message goes, and as what.
pub(crate) fn within<S: Sharded>(
    inner: &mut Controller,
    ctx: &mut Ctx<S>,
    run: impl FnOnce(&mut Controller, &mut Context<Controller>),
    address: impl Fn(NodeId, Paxos<ConfigurationService>) -> (NodeId, Message<S>),
) {
    let wrappers = Wrappers {
        record: Record::Masters,
        checkpoint: Checkpoint::Masters,
        response: crate::Response::Configuration,
    };
    ctx.within(|ctx| run(inner, ctx), |effect| outward(effect, &address, &wrappers));
}
