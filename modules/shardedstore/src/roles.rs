//! The nodes of this protocol.

use crate::client::{Request, Response};
use crate::server::Ctx;
use crate::{Checkpoint, Client, ConfigurationService, Message, Record, Server, Sharded, Timer};
use synod_node::{Context, Durable, Effect, Node, NodeId, RequestId};

/// A member of the configuration service, or a client of it.
pub type Master = synod_paxos::Process<ConfigurationService>;

/// A node of this protocol: one of its roles, for the application `S`.
#[expect(
    clippy::large_enum_variant,
    reason = "there are few nodes, and a server is what most of them are; a box would cost each step a hop"
)]
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Process<S: Sharded> {
    /// A member of the configuration service; or a controller, which is a client of it.
    Master(Master),
    /// A member of a group.
    Server(Server<S>),
    /// Asks on behalf of its user.
    Client(Client<S>),
}

impl<S: Sharded> Process<S> {
    /// A member `me` of the configuration service, for a store of `slot_count` slots.
    pub fn master(me: NodeId, masters: &[NodeId], slot_count: u16, settings: synod_paxos::Settings) -> Self {
        let service = ConfigurationService::new(slot_count);
        Process::Master(Master::Server(synod_paxos::Server::new(me, masters, service, settings)))
    }

    /// A client of the configuration service, in a session that no other life of it ever used.
    pub fn controller(me: NodeId, life: u128, masters: &[NodeId]) -> Self {
        Process::Master(Master::Client(synod_paxos::Client::new(me, life, masters)))
    }

    /// The member of a group, if it is one.
    pub fn server(&self) -> Option<&Server<S>> {
        match self {
            Process::Server(server) => Some(server),
            Process::Master(_) | Process::Client(_) => None,
        }
    }

    /// The client, if it is one.
    pub fn client(&self) -> Option<&Client<S>> {
        match self {
            Process::Client(client) => Some(client),
            Process::Master(_) | Process::Server(_) => None,
        }
    }
}

/// Lets a member or a client of the configuration service act.
fn within<S: Sharded>(
    master: &mut Master,
    ctx: &mut Ctx<S>,
    run: impl FnOnce(&mut Master, &mut Context<Master>),
) {
    ctx.within(
        |ctx| run(master, ctx),
        |effect| match effect {
            Effect::Send { to, message } => Effect::Send { to, message: Message::Masters(message) },
            Effect::SendEarly { to, message } => Effect::SendEarly { to, message: Message::Masters(message) },
            Effect::SetTimer { timer, after } => Effect::SetTimer { timer: Timer::Paxos(timer), after },
            Effect::Persist(record) => Effect::Persist(Record::Masters(record)),
            Effect::Checkpoint(state) => Effect::Checkpoint(Checkpoint::Masters(state)),
            Effect::Compact(state) => Effect::Compact(Checkpoint::Masters(state)),
            Effect::Reply { id, response } => {
                Effect::Reply { id, response: Response::Configuration(response) }
            }
        },
    );
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
            Process::Master(master) => within(master, ctx, Master::on_start),
            Process::Server(server) => server.on_start(ctx),
            Process::Client(_) => {}
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message<S>, ctx: &mut Context<Self>) {
        match (self, message) {
            (Process::Master(master), Message::Masters(message)) => {
                within(master, ctx, |master, ctx| master.on_message(from, message, ctx));
            }
            (Process::Server(server), message) => server.on_message(from, message, ctx),
            (Process::Client(client), message) => client.on_message(from, message, ctx),
            (Process::Master(_), message) => unreachable!("the configuration service was sent {message:?}"),
        }
    }

    fn accepts(&self, from: NodeId, message: &Message<S>) -> bool {
        match (self, message) {
            (Process::Master(master), Message::Masters(message)) => master.accepts(from, message),
            (Process::Master(_), _) => false,
            (_, Message::Masters(message)) => crate::masters::is_answer(message),
            (Process::Client(_), Message::Members(message)) => crate::masters::is_answer(message),
            (Process::Server(server), Message::Members(message)) => server.accepts(from, message),
            (Process::Server(server), Message::Seated { seat, message }) => server.accepts(*seat, message),
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
            (Process::Master(master), Timer::Paxos(timer)) => {
                within(master, ctx, |master, ctx| master.on_timer(timer, ctx));
            }
            (Process::Server(server), timer) => server.on_timer(timer, ctx),
            (Process::Client(client), Timer::Retry) => client.on_retry(ctx),
            (Process::Master(_), Timer::Retry) | (Process::Client(_), Timer::Paxos(_)) => {
                unreachable!("a timer of another role")
            }
        }
    }

    fn on_request(&mut self, id: RequestId, request: Request<S::Command>, ctx: &mut Context<Self>) {
        match (self, request) {
            (Process::Client(client), request) => client.on_request(id, request, ctx),
            (Process::Master(master), Request::Configure(command)) => {
                use crate::ConfigurationCommand as Command;
                use synod_paxos::Request as Inner;
                let is_read = matches!(command, Command::Query { .. });
                let commands = vec![command];
                let request = if is_read { Inner::Queries(commands) } else { Inner::Commands(commands) };
                within(master, ctx, |master, ctx| master.on_request(id, request, ctx));
            }
            (Process::Master(master), Request::HandOver) => {
                within(master, ctx, |master, ctx| master.on_request(id, synod_paxos::Request::HandOver, ctx));
            }
            (Process::Master(master), Request::Clock(reading)) => {
                let request = synod_paxos::Request::Clock(reading);
                within(master, ctx, |master, ctx| master.on_request(id, request, ctx));
            }
            (Process::Server(server), Request::HandOver) => server.hand_over(ctx),
            (Process::Server(server), Request::Clock(reading)) => server.on_clock(reading, ctx),
            (Process::Server(_), _) | (Process::Master(_), Request::Commands(_) | Request::Queries(_)) => {
                unreachable!("users ask clients")
            }
        }
    }

    fn on_recover(&mut self, durable: Durable<Self>, ctx: &mut Context<Self>) {
        match self {
            Process::Master(master) => {
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
                within(master, ctx, |master, ctx| master.on_recover(durable, ctx));
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
            Process::Client(_) => {}
        }
    }

    fn compaction(&self) -> Option<Checkpoint<S>> {
        match self {
            Process::Master(master) => master.compaction().map(Checkpoint::Masters),
            Process::Server(server) => server.paxos().compaction().map(Checkpoint::Members),
            Process::Client(_) => None,
        }
    }

    fn assert_invariants(&self) {
        match self {
            Process::Master(master) => master.assert_invariants(),
            Process::Server(server) => server.assert_invariants(),
            Process::Client(client) => client.assert_invariants(),
        }
    }
}
