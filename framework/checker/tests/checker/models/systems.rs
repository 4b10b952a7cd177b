//! Whole systems: the models with their networks, users and observers.

use super::paxos::Paxos;
use super::recorder::Recorder;
use super::register::{self, Request, Response, SingleCopy};
use super::two_phase::{TwoPhase, nobody_commits_what_another_aborts};
use synod_checker::{Checkable, Network, Observer, Property, Reads, System, User};
use synod_node::{Node, NodeId, RequestId};

/// The recorder as an observer.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Recording(pub Recorder);

impl<N: Checkable + Node<Request = Request, Response = Response>> Observer<N> for Recording {
    fn on_invoke(&mut self, client: NodeId, _id: RequestId, request: &Request) {
        self.0.on_invoke(client, request);
    }
    fn on_return(&mut self, client: NodeId, _id: RequestId, response: &Response) -> Result<(), String> {
        self.0.on_return(client, response)
    }
    fn on_give_up(&mut self, _client: NodeId, _id: RequestId) {}
}

fn with_users<N: Checkable + Node<Request = Request, Response = Response>>(
    nodes: Vec<(NodeId, N)>,
) -> System<N> {
    let mut system = System::new(Network::Bag);
    for (id, node) in nodes {
        if id.is_client() {
            let asks = register::requests(id.number()).into_iter().map(|request| (request, None)).collect();
            system.add_with_user(id, node, User::asks(asks));
        } else {
            system.add(id, node);
        }
    }
    system
}

/// Paxos with three servers.
pub fn paxos(clients: u32) -> System<Paxos> {
    with_users(Paxos::nodes(3, clients))
}

/// A register that `servers` hold a copy of each.
pub fn register(servers: u32, clients: u32) -> System<SingleCopy> {
    with_users(SingleCopy::nodes(servers, clients))
}

/// Two-phase commit.
pub fn two_phase(resources: u32) -> System<TwoPhase> {
    let mut system = System::new(Network::Set);
    for (id, node) in TwoPhase::nodes(resources) {
        system.add(id, node);
    }
    system
}

/// Its invariant.
pub fn agreed(system: &System<TwoPhase>) -> Property<TwoPhase> {
    Property::new("nobody commits what another aborts", Reads::Nodes(system.names()), |view| {
        let nodes: Vec<&TwoPhase> = view.nodes().map(|(_, node)| node).collect();
        let is_agreed = nobody_commits_what_another_aborts(nodes.iter().copied());
        if is_agreed { Ok(()) } else { Err("one commits, another aborts".to_owned()) }
    })
}
