//! Searches of `primarybackup`: the rows of the module's list.

pub mod fail_over;
pub mod pair;

use pair::{
    Asks, BUDGET, Node, Plan, Said, Service, Stand, another_view, done, only, serves, sound, turns_to,
    views_above, with_timers_of,
};
use synod_checker::{Checker, State, Walks};
use synod_clientserver::{KvCommand, KvOutput};
use synod_node::NodeId;
use synod_primarybackup::{Message, ViewNumber};
use synod_testkit::{Desk, Pinned, Search, Staged, Stop};
use synod_verify::kv;

/// Rows 2.16 to 2.20 of the module's list.
pub const SEARCHES: &[Search] = &[
    row("2.16", "every_way_of_a_single_server_gives_the_right_results", single),
    row("2.17", "every_way_of_a_put_and_a_get_gives_the_right_results", put_and_get),
    row("2.18", "forwards_out_of_order_change_nothing", reordered_forwards),
    row("2.19", "who_is_cut_off_serves_nobody_and_the_other_takes_over", cut_off),
    row("2.20", "random_ways_of_three_servers_are_linearizable", walks),
];

/// A search of this module.
pub const fn row(
    number: &'static str,
    name: &'static str,
    play: fn(&mut Desk<'_>) -> Result<(), Stop>,
) -> Search {
    Search { module: "primarybackup", number, name, play, is_long: false }
}

/// A put of the one key.
pub fn put(value: &str) -> (KvCommand, Option<KvOutput>) {
    (KvCommand::put("k", value), Some(KvOutput::PutOk))
}

/// An append to the one key, and what it then holds, if that does not depend on others.
pub fn append(value: &str, whole: Option<&str>) -> (KvCommand, Option<KvOutput>) {
    (KvCommand::append("k", value), whole.map(KvOutput::appended))
}

/// A get of the one key that must find `value`.
pub fn get(value: &str) -> (KvCommand, Option<KvOutput>) {
    (KvCommand::get("k"), Some(KvOutput::value(value)))
}

fn put_then_get() -> Asks {
    vec![put("x"), get("x")]
}

/// Servers 1 and 2 serve in view 2, by the shortest way: nobody's timer fires, and no client is heard.
pub fn paired(bench: &mut Stand<'_, '_>, servers: u32) -> Staged<State> {
    let start = bench.start();
    let plan = with_timers_of(only(sound(servers), bench, (&[0, 1, 2], &[])), bench, (&[], &[]));
    let plan = plan.prune(another_view(1, 1, None)).prune(another_view(2, 1, Some(2))).prune(views_above(2));
    bench.must_reach("servers 1 and 2 serve", &start, plan.calm().goal(serves(servers, 2, 1, Some(2))))
}

/// From `from` on these clients have asked who serves, and know that server 1 does.
pub fn asked(bench: &mut Stand<'_, '_>, from: &State, clients: &[u32]) -> Staged<State> {
    let plan = with_timers_of(only(sound(2), bench, (&[0], clients)), bench, (&[], &[])).calm();
    let goal = clients.iter().map(|client| turns_to(*client, 1)).reduce(synod_checker::Property::and);
    bench.must_reach("the clients know server 1", from, plan.goal(goal.expect("there are clients")))
}

fn single(desk: &mut Desk<'_>) -> Staged {
    let mut bench = Service::new(1, vec![vec![put("x"), append("y", Some("xy")), get("xy")]]).bench(desk)?;
    let start = bench.start();
    bench.must_reach("all are done", &start, sound(1).goal(done(&[1])))?;
    let still = with_timers_of(sound(1), &bench, (&[], &[])).prune(done(&[1]));
    bench.exhaust("every way without timers", &start, still, Pinned::new(44, 12))?;
    bench.exhaust("every way", &start, sound(1).prune(done(&[1])), Pinned::new(1_872, 20))
}

fn put_and_get(desk: &mut Desk<'_>) -> Staged {
    let mut bench = Service::new(3, vec![put_then_get()]).bench(desk)?;
    let pair = paired(&mut bench, 3)?;
    let plan = |bench: &Stand<'_, '_>| only(sound(3), bench, (&[0, 1, 2], &[1])).prune(views_above(2));
    bench.must_reach("all are done without server 3", &pair, plan(&bench).goal(done(&[1])))?;
    let still = with_timers_of(plan(&bench), &bench, (&[], &[])).prune(done(&[1]));
    bench.exhaust("every way without timers", &pair, still, Pinned::new(22, 11))?;
    let near = plan(&bench).prune(done(&[1]));
    bench.exhaust("every way in this view", &pair, near, Pinned::new(33_772, 48))?;
    let few = sound(3).prune(views_above(3)).prune(done(&[1])).states(BUDGET);
    bench.explore("every way of few views", &pair, few)?;
    bench.explore("every way", &pair, sound(3).prune(done(&[1])).states(BUDGET))
}

fn is_request(message: &Said) -> bool {
    matches!(message, Message::Session(synod_clientserver::Message::Request { .. }))
}

fn is_forward(message: &Said, index: u64) -> bool {
    matches!(message, Message::Forward { view: ViewNumber(2), first, .. } if *first == index)
}

fn is_taken(message: &Said, index: u64) -> bool {
    matches!(message, Message::Taken { view: ViewNumber(2), through } if *through == index)
}

const N1: NodeId = NodeId::server(1);
const N2: NodeId = NodeId::server(2);
const C1: NodeId = NodeId::client(1);
const C2: NodeId = NodeId::client(2);

type Desktop = Checker<Node>;

/// Both requests reach the primary, first that of client 1.
fn requests(checker: &Desktop, state: &State) -> Option<State> {
    let state = checker.deliver(state, (C1, N1), is_request)?;
    checker.deliver(&state, (C2, N1), is_request)
}

/// A backup that drops what is out of order is where it was.
const REORDERED: Pinned = Pinned::new(105_396, 44);

fn reordered_forwards(desk: &mut Desk<'_>) -> Staged {
    let users = vec![vec![append("x", None)], vec![append("y", None)]];
    let mut bench = Service::new(2, users).bench(desk)?;
    let pair = paired(&mut bench, 2)?;
    let asked = asked(&mut bench, &pair, &[1, 2])?;
    let within = |above: u64| sound(2).prune(views_above(above)).prune(done(&[1, 2]));
    let plan = |above: u64| within(above).states(BUDGET);
    let reordered = bench.by_hand("forwards in reverse", &asked, |checker, state| {
        let state = requests(checker, &state)?;
        let state = checker.deliver(&state, (N1, N2), |message| is_forward(message, 2))?;
        let state = checker.deliver(&state, (N1, N2), |message| is_forward(message, 1))?;
        // The second is delivered again, as the network may.
        let state = checker.deliver(&state, (N1, N2), |message| is_forward(message, 2))?;
        let state = checker.deliver(&state, (N2, N1), |message| is_taken(message, 1))?;
        checker.deliver(&state, (N2, N1), |message| is_taken(message, 2))
    })?;
    let goal = sound(2).prune(views_above(2)).goal(done(&[1, 2]));
    bench.must_reach("all are done", &reordered, goal.clone())?;
    bench.explore("every way after the reversal", &reordered, plan(4))?;
    let alone = serves(2, 3, 1, None);
    let way = with_timers_of(only(sound(2), &bench, (&[0, 1], &[])), &bench, (&[0], &[]));
    let second = bench.by_hand("only the second forward", &asked, |checker, state| {
        let state = requests(checker, &state)?;
        checker.deliver(&state, (N1, N2), |message| is_forward(message, 2))
    })?;
    let lonely = bench.must_reach("server 1 serves alone", &second, way.prune(views_above(3)).goal(alone))?;
    bench.exhaust("every way of the second forward", &second, within(2), REORDERED)?;
    bench.explore("every way after the backup was lost", &lonely, plan(4))?;
    let sent =
        bench.by_hand("requests at the primary", &asked, |checker, state| requests(checker, &state))?;
    bench.exhaust("every way from the requests", &sent, within(2), REORDERED)?;
    bench.explore("every way from the requests over views", &sent, plan(4))
}

/// Client 2 has turned to server 2 already, so that a link to server 1 adds nothing.
const TAKEN_OVER: Pinned = Pinned::new(2_628, 18);

fn cut_off(desk: &mut Desk<'_>) -> Staged {
    let users = vec![vec![append("x", Some("x"))], vec![append("y", Some("xy"))]];
    let mut bench = Service::new(2, users).bench(desk)?;
    let pair = paired(&mut bench, 2)?;
    let way = with_timers_of(only(sound(2), &bench, (&[0, 1], &[])), &bench, (&[0], &[]));
    let way = way.prune(views_above(3)).goal(serves(2, 3, 1, None));
    let alone = bench.must_reach("server 1 serves alone", &pair, way)?;
    let way = only(sound(2), &bench, (&[0, 1], &[1])).prune(views_above(3)).goal(done(&[1]));
    let first = bench.must_reach("client 1 is done", &alone, way)?;
    let apart = |plan: Plan| plan.cut(N1, C2).cut(C2, N1);
    let over = apart(sound(2)).prune(another_view(4, 1, Some(2))).prune(another_view(5, 2, None));
    let over = over.prune(views_above(5));
    // Server 1 acknowledges view 4, and is heard no more.
    let way = with_timers_of(only(over.clone(), &bench, (&[0, 1, 2], &[])), &bench, (&[], &[]));
    let joined = bench.must_reach("server 2 is backup again", &first, way.goal(serves(2, 4, 1, Some(2))))?;
    let way = with_timers_of(only(over.clone(), &bench, (&[0, 2], &[])), &bench, (&[0], &[]));
    let taken_over = bench.must_reach("server 2 serves alone", &joined, way.goal(serves(2, 5, 2, None)))?;
    bench.must_reach("client 2 is done", &taken_over, over.clone().goal(done(&[1, 2])))?;
    let plan = || over.clone().prune(done(&[1, 2])).states(BUDGET);
    bench.explore("every way since server 1 served alone", &first, plan())?;
    let last = over.clone().prune(done(&[1, 2]));
    bench.exhaust("every way since server 2 serves alone", &taken_over, last, TAKEN_OVER)?;
    let whole = sound(2).prune(views_above(5)).prune(done(&[1, 2]));
    bench.exhaust("every way with all links", &taken_over, whole, TAKEN_OVER)
}

fn walks(desk: &mut Desk<'_>) -> Staged {
    let asks = |who: u32| kv::shared_appends("k", who, 2);
    let mut bench = Service::new(3, vec![asks(1), asks(2)]).bench(desk)?;
    let start = bench.start();
    let plan = || sound(3).prune(done(&[1, 2])).states(BUDGET / 3);
    bench.walk("random ways", &start, plan(), Walks { seed: 20, count: 2_000, steps: 1_000 })?;
    bench.explore_depth_first("a thousand steps deep", &start, Plan { depth_max: Some(1_000), ..plan() })
}
