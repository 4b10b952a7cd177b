//! Searches of `pingpong`.

use std::sync::Arc;
use synod_checker::{Blind, Fairness, Network, Property, Reductions, Settings, Symmetry, System, User};
use synod_node::NodeId;
use synod_pingpong::{Client, Process, Server};
use synod_testkit::{Desk, Pinned, Search, Staged, Stop};

const SERVER: NodeId = NodeId::server(1);

/// Row 4 of the module's list, and what goes beyond it.
pub const SEARCHES: &[Search] = &[
    search("4", "every_way_of_ten_pings_ends_with_their_pongs", |desk| {
        pings(desk, 1, 10, Pinned::new(120, 29).with_transitions(1_595))
    }),
    search("x1", "every_way_of_three_clients_ends_with_their_own_pongs", |desk| {
        pings(desk, 3, 3, Pinned::new(4_095, 26).with_transitions(67_056))
    }),
    search("x3", "clients_that_ask_the_same_are_alike", alike),
    search("x2", "a_lost_ping_is_never_the_end", lost_pings),
];

const fn search(
    number: &'static str,
    name: &'static str,
    play: fn(&mut Desk<'_>) -> Result<(), Stop>,
) -> Search {
    Search { module: "pingpong", number, name, play, is_long: false }
}

/// One server, and clients whose users ask `pings` times each.
fn system(desk: &Desk<'_>, network: Network, clients: u32, pings: u64) -> System<Process> {
    let values = |id: NodeId| (0..pings).map(move |n| u64::from(id.number()) * 1000 + n).collect();
    of_users(desk.mutant(), network, NodeId::clients(clients).into_iter().map(values).collect())
}

/// One server, and a client for each list of values; a mutant of this name takes the steps, if there is one.
pub fn of_users(mutant: Option<&'static str>, network: Network, users: Vec<Vec<u64>>) -> System<Process> {
    let mut system = System::new(network);
    system.mutant = mutant.and_then(crate::mutants::substitute);
    system.add(SERVER, Process::Server(Server));
    for (number, values) in (1..).zip(users) {
        let asks = values.into_iter().map(|value| (value, Some(value))).collect();
        system.add_with_user(NodeId::client(number), Process::Client(Client::new(SERVER)), User::asks(asks));
    }
    system
}

fn pings(desk: &mut Desk<'_>, clients: u32, pings: u64, pinned: Pinned) -> Staged {
    let system = system(desk, Network::Set, clients, pings);
    let mut bench = desk.bench(system, Blind)?;
    let users = NodeId::clients(clients);
    let done = Property::users_are_done(&users);
    let start = bench.start();
    bench.must_reach("all pongs come", &start, Settings::default().goal(done.clone()))?;
    // Counted as another checker counts: every delivery is a transition.
    let bare = Settings { reductions: Reductions::none(), ..Settings::default() };
    bench.exhaust("every way, counted", &start, bare.prune(done.clone()), pinned)?;
    let reduced = Pinned { transitions: None, ..pinned };
    bench.exhaust("every way", &start, Settings::default().prune(done), reduced)
}

/// Liveness: where each message is delivered once at most, and some are lost, asking again is what saves the day.
fn lost_pings(desk: &mut Desk<'_>) -> Staged {
    let mut system = system(desk, Network::Bag, 1, 2);
    system.budgets.drops = 3;
    let mut bench = desk.bench(system, Blind)?;
    let done = Property::users_are_done(&NodeId::clients(1));
    let start = bench.start();
    let plan = || Settings::default().prune(Property::crowded(4));
    bench.eventually("in every fair run", &start, plan(), (&done, Fairness::Weak))?;
    bench.eventually("from every state", &start, plan(), (&done, Fairness::Possible))
}

/// Three clients that differ in their names alone: six ways to name them, and one state for all.
fn alike(desk: &mut Desk<'_>) -> Staged {
    let mut system = System::new(Network::Set);
    system.mutant = desk.mutant().and_then(crate::mutants::substitute);
    system.add(SERVER, Process::Server(Server));
    let clients = NodeId::clients(3);
    for id in &clients {
        let asks = (0..3).map(|value| (value, Some(value))).collect();
        system.add_with_user(*id, Process::Client(Client::new(SERVER)), User::asks(asks));
    }
    let symmetry = Symmetry::new(&system, std::slice::from_ref(&clients)).map_err(Stop::Failed)?;
    let mut bench = desk.bench(system, Blind)?;
    let done = Property::users_are_done(&clients);
    let start = bench.start();
    // As many as of three clients with questions of their own, whose messages are told apart by their values.
    let plan = || Settings::default().prune(done.clone());
    bench.exhaust("told apart", &start, plan(), Pinned::new(4_095, 26))?;
    let mut plan = plan();
    plan.reductions.symmetry = Some(Arc::new(symmetry));
    let pinned = if bench.has_symmetry() { Pinned::new(815, 26) } else { Pinned::new(4_095, 26) };
    bench.exhaust("up to their names", &start, plan, pinned)
}
