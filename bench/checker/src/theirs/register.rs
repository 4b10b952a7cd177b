//! A register on one server, as Stateright's `single-copy-register`.

use stateright::Expectation;
use stateright::actor::register::{RegisterActor, RegisterMsg};
use stateright::actor::{Actor, ActorModel, Id, Network, Out};
use stateright::semantics::LinearizabilityTester;
use stateright::semantics::register::Register;
use std::borrow::Cow;

/// What clients saw: part of each state.
pub type History = LinearizabilityTester<Id, Register<char>>;

/// Servers, and after them clients that write once and read once.
pub type Registers<A> = ActorModel<RegisterActor<A>, (), History>;

/// The system of these servers and so many clients. A message is delivered once, in any order.
pub fn with_clients<A, M>(servers: Vec<A>, clients: u32) -> Registers<A>
where
    A: Actor<Msg = RegisterMsg<u64, char, M>>,
    A::Timer: Ord,
    M: Clone + std::fmt::Debug + Ord + std::hash::Hash,
{
    let server_count = servers.len();
    ActorModel::new((), LinearizabilityTester::new(Register(char::default())))
        .actors(servers.into_iter().map(RegisterActor::Server))
        .actors((0..clients).map(|_| RegisterActor::Client { put_count: 1, server_count }))
        .init_network(Network::new_unordered_nonduplicating([]))
        .property(Expectation::Always, "linearizable", |_, state| {
            state.history.serialized_history().is_some()
        })
        .record_msg_in(RegisterMsg::record_returns)
        .record_msg_out(RegisterMsg::record_invocations)
}

/// The system.
pub fn model(clients: u32) -> Registers<Server> {
    with_clients(vec![Server], clients)
}

/// The server: it does what it is asked, each time.
pub struct Server;

impl Actor for Server {
    type Msg = RegisterMsg<u64, char, ()>;
    type State = char;
    type Timer = ();
    type Random = ();
    type Storage = ();

    fn on_start(&self, _id: Id, _storage: &Option<()>, _out: &mut Out<Self>) -> char {
        char::default()
    }

    fn on_msg(&self, _id: Id, value: &mut Cow<'_, char>, from: Id, message: Self::Msg, out: &mut Out<Self>) {
        match message {
            RegisterMsg::Put(request, new) => {
                *value = Cow::Owned(new);
                out.send(from, RegisterMsg::PutOk(request));
            }
            RegisterMsg::Get(request) => out.send(from, RegisterMsg::GetOk(request, **value)),
            RegisterMsg::PutOk(_) | RegisterMsg::GetOk(..) | RegisterMsg::Internal(()) => {}
        }
    }
}
