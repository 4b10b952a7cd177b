//! Searches of `clientserver`.

use std::sync::Arc;
use synod_checker::{Fairness, Network, Property, Settings, Symmetry, System, User, Walks};
use synod_clientserver::{Client, KvCommand, KvOutput, KvStore, Outcome, Process, Server};
use synod_node::NodeId;
use synod_testkit::{Bench, Desk, Linearizable, Pinned, Search, Staged, Stop};
use synod_verify::kv::{self, Kv, List};

/// A node of this module, as the searches have it.
pub type Node = Process<KvStore>;
/// Who judges what clients are told.
pub type Judge = Linearizable<Kv>;

const SERVER: NodeId = NodeId::server(1);
/// So many states a stage sees, where there is no end.
const BUDGET: u64 = 3_000_000;
/// So many where a client asks for ever: what it was told grows with each answer, and every state with it.
const ENDLESS: u64 = 500_000;

/// The module's list from row 3.7 on, and what goes beyond it.
pub const SEARCHES: &[Search] = &[
    search("3.7", "every_way_of_put_append_get_gives_the_right_results", |desk| {
        lists(desk, &[vec![put("k", "x"), append("k", "y"), get("k")]], PUT_APPEND_GET)
    }),
    search("3.8", "every_way_of_append_append_get_runs_each_append_once", |desk| {
        lists(desk, &[vec![append("k", "x"), append("k", "y"), get("k")]], PUT_APPEND_GET)
    }),
    search("3.9", "every_way_of_two_clients_on_their_own_keys", |desk| {
        lists(desk, &[kv::own_appends("a", 3), kv::own_appends("b", 3)], TWO_CLIENTS)
    }),
    search("3.10", "every_way_of_two_clients_on_one_key_is_linearizable", |desk| {
        lists(desk, &[kv::shared_appends("k", 1, 3), kv::shared_appends("k", 2, 3)], TWO_ON_ONE_KEY)
    }),
    search("3.11", "puts_and_gets_without_end_give_the_right_results", endless),
    search("x1", "every_way_of_a_window_of_requests_runs_each_once_and_in_order", windows),
    search("x2", "a_client_that_gives_up_and_goes_on_stays_linearizable", give_ups),
    search("x4", "clients_that_ask_the_same_are_alike", alike),
    search("x3", "a_lost_message_is_never_the_end", lost_messages),
];

const PUT_APPEND_GET: Pinned = Pinned::new(376, 18);
const TWO_CLIENTS: Pinned = Pinned::new(812_665, 36);
const TWO_ON_ONE_KEY: Pinned = Pinned::new(1_968_361, 36);

const fn search(
    number: &'static str,
    name: &'static str,
    play: fn(&mut Desk<'_>) -> Result<(), Stop>,
) -> Search {
    Search { module: "clientserver", number, name, play, is_long: false }
}

fn put(key: &str, value: &str) -> (KvCommand, Option<KvOutput>) {
    (KvCommand::put(key, value), None)
}

fn append(key: &str, value: &str) -> (KvCommand, Option<KvOutput>) {
    (KvCommand::append(key, value), None)
}

fn get(key: &str) -> (KvCommand, Option<KvOutput>) {
    (KvCommand::get(key), None)
}

/// A user who asks these one after the other.
pub fn user(list: List) -> User<Node> {
    let done = |(command, output): (KvCommand, Option<KvOutput>)| (command, output.map(Outcome::Done));
    User::asks(list.into_iter().map(done).collect())
}

/// One server, and a client for each user.
pub fn system(mutant: Option<&'static str>, network: Network, users: Vec<User<Node>>) -> System<Node> {
    let mut system = System::new(network);
    system.mutant = mutant.and_then(crate::mutants::substitute);
    system.add(SERVER, Process::Server(Server::new(KvStore::default())));
    for (number, user) in (1..).zip(users) {
        let id = NodeId::client(number);
        system.add_with_user(id, Process::Client(Client::new(id, SERVER)), user);
    }
    system
}

type Stand<'d, 'a> = Bench<'d, 'a, Node>;

fn bench<'d, 'a>(desk: &'d mut Desk<'a>, users: Vec<User<Node>>) -> Staged<Stand<'d, 'a>> {
    let system = system(desk.mutant(), Network::Set, users);
    desk.bench(system, Judge::default())
}

fn clients(count: usize) -> Vec<NodeId> {
    NodeId::clients(count as u32)
}

/// Rows 3.7 to 3.10: it must finish, every way of it is right, and without a network nothing happens.
fn lists(desk: &mut Desk<'_>, lists: &[List], pinned: Pinned) -> Staged {
    let mut bench = bench(desk, lists.iter().cloned().map(user).collect())?;
    let clients = clients(lists.len());
    let done = Property::users_are_done(&clients);
    let start = bench.start();
    bench.must_reach("all are done", &start, Settings::default().goal(done.clone()))?;
    bench.exhaust("every way", &start, Settings::default().prune(done), pinned)?;
    let mut all = clients.clone();
    all.push(SERVER);
    let silent = Settings::default().only(&all, &[]).invariant(Property::nobody_is_answered(&clients));
    bench.exhaust("nothing gets through", &start, silent, Pinned::new(1, 0))
}

/// Puts and gets of two own keys for ever, with the right answers.
fn forever(who: u32) -> User<Node> {
    User::new(move |index| {
        // Put a, put b, get a, get b, and so on with other values.
        let key = format!("{who}/{}", index % 2);
        let round = index / 4;
        let ask = if index % 4 < 2 {
            (KvCommand::put(&key, &round.to_string()), KvOutput::PutOk)
        } else {
            (KvCommand::get(&key), KvOutput::value(&round.to_string()))
        };
        Some(synod_checker::Ask { request: ask.0, expected: Some(Outcome::Done(ask.1)) })
    })
}

fn endless(desk: &mut Desk<'_>) -> Staged {
    for count in [1, 2] {
        let users = (1..=count).map(forever).collect();
        let mut bench = bench(desk, users)?;
        let start = bench.start();
        let name = |what: &str| format!("{what} of {count}");
        bench.explore(&name("breadth-first"), &start, Settings::default().states(ENDLESS))?;
        let walks = Walks { seed: u64::from(count), count: 300, steps: 1_000 };
        bench.walk(&name("walks"), &start, Settings::default(), walks)?;
    }
    Ok(())
}

fn windows(desk: &mut Desk<'_>) -> Staged {
    let window = |key: &str| user(kv::own_appends(key, 4)).with_window(3);
    let mut bench = bench(desk, vec![window("a"), user(kv::own_appends("b", 1))])?;
    let done = Property::users_are_done(&clients(2));
    let start = bench.start();
    bench.must_reach("all are done", &start, Settings::default().goal(done.clone()))?;
    bench.explore("every way", &start, Settings::default().prune(done).states(BUDGET))
}

fn give_ups(desk: &mut Desk<'_>) -> Staged {
    let users = vec![user(kv::shared_appends("k", 1, 2)).with_window(2), user(kv::shared_appends("k", 2, 2))];
    let mut system = system(desk.mutant(), Network::Set, users);
    system.budgets.give_ups = 2;
    let mut bench = desk.bench(system, Judge::default())?;
    let start = bench.start();
    bench.explore("every way", &start, Settings::default().states(BUDGET))
}

/// Liveness: where each message is delivered once at most, and some are lost, asking again is what saves the day.
fn lost_messages(desk: &mut Desk<'_>) -> Staged {
    let mut system = system(desk.mutant(), Network::Bag, vec![user(kv::own_appends("k", 2))]);
    system.budgets.drops = 2;
    let mut bench = desk.bench(system, Judge::default())?;
    let done = Property::users_are_done(&clients(1));
    let start = bench.start();
    let plan = || Settings::default().prune(Property::crowded(3));
    bench.eventually("in every fair run", &start, plan(), (&done, Fairness::Weak))?;
    bench.eventually("from every state", &start, plan(), (&done, Fairness::Possible))
}

/// Two clients that differ in their names alone.
fn alike(desk: &mut Desk<'_>) -> Staged {
    let one = || user(vec![append("k", "x"), append("k", "x")]);
    let system = system(desk.mutant(), Network::Set, vec![one(), one()]);
    let symmetry = Symmetry::new(&system, &[clients(2)]).map_err(Stop::Failed)?;
    let mut bench = desk.bench(system, Judge::default())?;
    let start = bench.start();
    let plan = || Settings::default().prune(Property::users_are_done(&clients(2)));
    bench.exhaust("told apart", &start, plan(), Pinned::new(29_213, 24))?;
    let mut plan = plan();
    plan.reductions.symmetry = Some(Arc::new(symmetry));
    let pinned = if bench.has_symmetry() { Pinned::new(14_609, 24) } else { Pinned::new(29_213, 24) };
    bench.exhaust("up to their names", &start, plan, pinned)
}
