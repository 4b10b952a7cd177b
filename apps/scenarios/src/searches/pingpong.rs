//! Searches of `pingpong`.

use std::sync::Arc;
use synod_checker::{
    Blind, Fairness, Network, Property, Reads, Reductions, Settings, Survives, System, User,
};
use synod_node::NodeId;
use synod_pingpong::{Client, Message, Process, Server};
use synod_stdx::Wire;
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
    search("x2", "a_lost_ping_is_never_the_end", lost_pings),
];

const fn search(
    number: &'static str,
    name: &'static str,
    play: fn(&mut Desk<'_>) -> Result<(), Stop>,
) -> Search {
    Search { module: "pingpong", number, name, play, is_long: false }
}

/// A message of this module in its byte form and back.
fn survives() -> Survives<Process> {
    Arc::new(|message: &Message| match Message::from_bytes(&message.to_bytes()) {
        Ok(back) if back == *message => None,
        other => Some(format!("{message:?} becomes {other:?} by way of its bytes")),
    })
}

/// One server, and clients whose users ask `pings` times each.
fn system(desk: &Desk<'_>, network: Network, clients: u32, pings: u64) -> System<Process> {
    let mut system = System::new(network);
    system.mutant = desk.mutant().and_then(crate::mutants::of_pingpong);
    system.add(SERVER, Process::Server(Server));
    for id in NodeId::clients(clients) {
        let values = (0..pings).map(|n| u64::from(id.number()) * 1000 + n);
        let asks = values.map(|value| (value, Some(value))).collect();
        system.add_with_user(id, Process::Client(Client::new(SERVER)), User::asks(asks));
    }
    system
}

fn pings(desk: &mut Desk<'_>, clients: u32, pings: u64, pinned: Pinned) -> Staged {
    let system = system(desk, Network::Set, clients, pings);
    let mut bench = desk.bench(system, Blind, Some(survives()))?;
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
    let mut bench = desk.bench(system, Blind, Some(survives()))?;
    let done = Property::users_are_done(&NodeId::clients(1));
    let start = bench.start();
    let plan = || Settings::default().prune(crowded(4));
    bench.eventually("in every fair run", &start, plan(), (&done, Fairness::Weak))?;
    bench.eventually("from every state", &start, plan(), (&done, Fairness::Possible))
}

/// More messages are in flight than are of interest: without an end to asking again there is no end to states.
fn crowded(messages: usize) -> Property<Process, Blind> {
    Property::when("many messages are in flight", Reads::Everything, move |view| view.in_flight() > messages)
}
