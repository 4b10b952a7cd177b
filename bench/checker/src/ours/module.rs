//! The module that the store runs: Multi-Paxos with sessions, as it is, for as many states as are asked for.

use super::systems::crew::Threads;
use super::{Way, counts_of};
use crate::models::Counts;
use synod_checker::{
    Blind, Checker, Network, Property, Reads, Reductions, Settings, State, System, User, View,
};
use synod_clientserver::{KvCommand, KvStore};
use synod_node::NodeId;
use synod_paxos::{Client, Process, Request, Server, Slot, invariants};

/// After so many states a search ends.
const STATES: u64 = 1_000_000;
/// The same for a search that goes down with timers: elections follow one another, so that most local states are new.
const STATES_DEEP: u64 = 4_000;

type Node = Process<KvStore>;

/// Searches from the start with all timers, or, without any, from a state in which the first server leads: nobody would
/// ever want to.
pub fn search(has_timers: bool, way: Way) -> Counts {
    let checker = Checker::new(system(), Blind).expect("the first steps are right");
    let states = if has_timers && way.is_depth_first { STATES_DEEP } else { STATES };
    let mut settings = Settings::default().states(states).invariant(agreed());
    settings.reductions = Reductions { commuting: !way.is_exact, ..Reductions::default() };
    let from = if has_timers {
        checker.start()
    } else {
        settings = settings.without_timers(checker.names());
        led(&checker)
    };
    let report = if way.is_depth_first {
        checker.depth_first(&from, &settings, &Threads(1))
    } else {
        checker.breadth_first(&from, &settings, &Threads(way.threads))
    };
    counts_of(&report)
}

/// Three servers and two clients, each of which appends once to a key that both share. Anything that was ever sent may
/// arrive again. Ballots grow for ever, so the states are as many as one likes to see.
fn system() -> System<Node> {
    let servers = NodeId::servers(3);
    let mut system = System::new(Network::Set);
    for id in &servers {
        let server = Server::new(*id, &servers, KvStore::default(), synod_paxos::Settings::default());
        system.add(*id, Process::Server(server));
    }
    for number in 1..=2 {
        let id = NodeId::client(number);
        let append = Request::Commands(vec![KvCommand::append("key", &format!("{number},"))]);
        let user = User::asks(vec![(append, None)]);
        system.add_with_user(id, Process::Client(Client::new(id, 0, &servers)), user);
    }
    system
}

fn servers<'a>(view: &'a View<'_, Node>) -> Vec<&'a Server<KvStore>> {
    view.nodes().filter_map(|(_, node)| node.server()).collect()
}

fn agreed() -> Property<Node> {
    Property::new("servers agree", Reads::Nodes(NodeId::servers(3)), |view| {
        let servers = servers(view);
        invariants::servers_agree_on_what_is_chosen(&servers, Slot::ZERO, Slot(3))?;
        invariants::a_ballot_has_one_leader(&servers)
    })
}

/// A nearest state in which the first server leads.
fn led(checker: &Checker<Node>) -> State {
    let leads = Property::when("a server leads", Reads::Nodes(NodeId::servers(1)), |view| {
        servers(view).iter().any(|server| server.is_leader())
    });
    let others = &checker.names()[1..];
    let settings = Settings::default().goal(leads).without_timers(others);
    let report = checker.breadth_first(&checker.start(), &settings, &Threads(1));
    report.goal().expect("it can lead").clone()
}
