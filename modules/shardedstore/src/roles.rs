//! The nodes of this protocol.

use crate::client::{Request, Response};
use crate::server::Ctx;
use crate::service::{Controller, ServiceMember};
use crate::{Checkpoint, Client, Message, Record, Server, Sharded, Timer};
use synod_node::{Context, Durable, Node, NodeId, RequestId};

/// A node of this protocol: one of its roles, for the application `S`.
#[expect(
    clippy::large_enum_variant,
    reason = "there are few nodes, and a server is what most of them are; a box would cost each step a hop"
)]
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Process<S: Sharded> {
    /// A member of the configuration service.
    Service(ServiceMember),
    /// A client of the configuration service.
    Controller(Controller),
    /// A member of a group.
    Server(Server<S>),
    /// Asks on behalf of its user.
    Client(Client<S>),
}

impl<S: Sharded> Process<S> {
    /// A member `me` of the configuration service, for a store of `slot_count` slots.
    pub fn master(me: NodeId, masters: &[NodeId], slot_count: u16, settings: synod_paxos::Settings) -> Self {
        Process::Service(ServiceMember::new(me, masters, slot_count, settings))
    }

    /// A client of the configuration service, in a session that no other life of it ever used.
    pub fn controller(me: NodeId, life: u128, masters: &[NodeId]) -> Self {
        Process::Controller(Controller::Client(synod_paxos::Client::new(me, life, masters)))
    }

    /// The member of a group, if it is one.
    pub fn server(&self) -> Option<&Server<S>> {
        match self {
            Process::Server(server) => Some(server),
            Process::Service(_) | Process::Controller(_) | Process::Client(_) => None,
        }
    }

    /// The member of the configuration service, if it is one.
    pub fn service(&self) -> Option<&ServiceMember> {
        match self {
            Process::Service(member) => Some(member),
            Process::Controller(_) | Process::Server(_) | Process::Client(_) => None,
        }
    }

    /// The client, if it is one.
    pub fn client(&self) -> Option<&Client<S>> {
        match self {
            Process::Client(client) => Some(client),
            Process::Service(_) | Process::Controller(_) | Process::Server(_) => None,
        }
    }
}

/// Lets a client of the configuration service act.
fn within<S: Sharded>(
    controller: &mut Controller,
    ctx: &mut Ctx<S>,
    run: impl FnOnce(&mut Controller, &mut Context<Controller>),
) {
    crate::service::within(controller, ctx, run, |to, message| (to, Message::Masters(message)));
}

impl<S: Sharded> Node for Process<S> {
    type Message = Message<S>;
    type Timer = Timer;
    type Record = Record<S>;
    type Checkpoint = Checkpoint<S>;
    type Request = Request<S::Command>;
    type Response = Response<S::Output>;

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        match self {
            Process::Service(member) => member.on_start(ctx),
            Process::Controller(controller) => within(controller, ctx, Controller::on_start),
            Process::Server(server) => server.on_start(ctx),
            Process::Client(_) => {}
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message<S>, ctx: &mut Context<Self>) {
        match (self, message) {
            (Process::Service(member), Message::Masters(message)) => {
                member.on_message((from, from), message, ctx);
            }
            (Process::Service(member), Message::SeatedMaster { seat, message }) => {
                member.on_message((from, seat), message, ctx);
            }
            (Process::Controller(controller), Message::Masters(message)) => {
                within(controller, ctx, |inner, ctx| inner.on_message(from, message, ctx));
            }
            (Process::Server(server), message) => server.on_message(from, message, ctx),
            (Process::Client(client), message) => client.on_message(from, message, ctx),
            (Process::Service(_) | Process::Controller(_), message) => {
                unreachable!("the configuration service or its client was sent {message:?}")
            }
        }
    }

    fn accepts(&self, from: NodeId, message: &Message<S>) -> bool {
        match (self, message) {
            (Process::Service(member), Message::Masters(message)) => member.accepts((from, from), message),
            (Process::Service(member), Message::SeatedMaster { seat, message }) => {
                member.accepts((from, *seat), message)
            }
            (Process::Controller(inner), Message::Masters(message)) => inner.accepts(from, message),
            (Process::Service(_) | Process::Controller(_), _) | (_, Message::SeatedMaster { .. }) => false,
            (_, Message::Masters(message)) => crate::masters::is_answer(message),
            (Process::Client(_), Message::Members(message)) => crate::masters::is_answer(message),
            (Process::Server(server), Message::Members(message)) => server.accepts((from, from), message),
            (Process::Server(server), Message::Seated { seat, message }) => {
                server.accepts((from, *seat), message)
            }
            (Process::Client(_), Message::Seated { .. }) => false,
            (_, Message::NotLeader { .. }) => true,
            (_, Message::Results { .. } | Message::Elsewhere { .. } | Message::Forgotten { .. }) => {
                matches!(self, Process::Client(_))
            }
            (
                _,
                Message::Submit { .. }
                | Message::Ask { .. }
                | Message::Ready { .. }
                | Message::Give { .. }
                | Message::Taken { .. }
                | Message::Prepare { .. }
                | Message::Vote { .. }
                | Message::Refused { .. }
                | Message::Outcome { .. }
                | Message::Finished { .. }
                | Message::Inquire { .. },
            ) => matches!(self, Process::Server(_)),
        }
    }

    fn on_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        match (self, timer) {
            (Process::Service(member), Timer::Paxos(timer)) => member.on_timer(timer, ctx),
            (Process::Controller(controller), Timer::Paxos(timer)) => {
                within(controller, ctx, |inner, ctx| inner.on_timer(timer, ctx));
            }
            (Process::Server(server), timer) => server.on_timer(timer, ctx),
            (Process::Client(client), Timer::Retry) => client.on_retry(ctx),
            (Process::Service(_) | Process::Controller(_), Timer::Retry)
            | (Process::Client(_), Timer::Paxos(_)) => {
                unreachable!("a timer of another role")
            }
        }
    }

    fn on_request(&mut self, id: RequestId, request: Request<S::Command>, ctx: &mut Context<Self>) {
        match (self, request) {
            (Process::Client(client), request) => client.on_request(id, request, ctx),
            (Process::Controller(controller), Request::Configure(command)) => {
                use crate::ConfigurationCommand as Command;
                use synod_paxos::Request as Inner;
                let is_read = matches!(command, Command::Query { .. });
                let commands = vec![command];
                let request = if is_read { Inner::Queries(commands) } else { Inner::Commands(commands) };
                within(controller, ctx, |inner, ctx| inner.on_request(id, request, ctx));
            }
            (Process::Server(server), Request::Service(number, members)) => {
                server.masters.are(number, &members);
            }
            (Process::Controller(controller), Request::Service(_, members)) => {
                if let Controller::Client(client) = controller {
                    client.ask_these(&members);
                }
            }
            (Process::Service(member), Request::HandOver) => {
                member.on_request(id, synod_paxos::Request::HandOver, ctx);
            }
            (Process::Service(member), Request::Clock(reading)) => {
                member.on_request(id, synod_paxos::Request::Clock(reading), ctx);
            }
            (Process::Server(server), Request::HandOver) => server.hand_over(ctx),
            (Process::Server(server), Request::Clock(reading)) => server.on_clock(reading, ctx),
            (Process::Server(_) | Process::Service(_) | Process::Controller(_), _) => {
                unreachable!("users ask clients")
            }
        }
    }

    fn on_recover(&mut self, durable: Durable<Self>, ctx: &mut Context<Self>) {
        match self {
            Process::Service(member) => {
                let durable = Durable {
                    checkpoint: durable.checkpoint.map(|checkpoint| match checkpoint {
                        Checkpoint::Masters(checkpoint) => checkpoint,
                        Checkpoint::Members(_) => unreachable!("another role's disk"),
                    }),
                    records: durable
                        .records
                        .into_iter()
                        .map(|record| match record {
                            Record::Masters(record) => record,
                            Record::Members(_) => unreachable!("another role's disk"),
                        })
                        .collect(),
                };
                member.on_recover(durable, ctx);
            }
            Process::Server(server) => {
                let durable = Durable {
                    checkpoint: durable.checkpoint.map(|checkpoint| match checkpoint {
                        Checkpoint::Members(checkpoint) => checkpoint,
                        Checkpoint::Masters(_) => unreachable!("another role's disk"),
                    }),
                    records: durable
                        .records
                        .into_iter()
                        .map(|record| match record {
                            Record::Members(record) => record,
                            Record::Masters(_) => unreachable!("another role's disk"),
                        })
                        .collect(),
                };
                server.on_recover(durable, ctx);
            }
            Process::Controller(_) | Process::Client(_) => {}
        }
    }

    fn compaction(&self) -> Option<Checkpoint<S>> {
        match self {
            Process::Service(member) => member.compaction().map(Checkpoint::Masters),
            Process::Server(server) => server.paxos().compaction().map(Checkpoint::Members),
            Process::Controller(_) | Process::Client(_) => None,
        }
    }

    fn assert_invariants(&self) {
        match self {
            Process::Service(member) => member.assert_invariants(),
            Process::Controller(controller) => controller.assert_invariants(),
            Process::Server(server) => server.assert_invariants(),
            Process::Client(client) => client.assert_invariants(),
        }
    }
}
