//! Searches of `primarybackup` beyond the module's list: crashes, restarts, deposed primaries, states in pieces, progress.

use super::pair::{
    Asks, BUDGET, Plan, Said, Service, Stand, VIEW_SERVER, another_view, done, has_role, is_sent, names,
    only, serves, sound, views_above, with_timers_of,
};
use super::{append, asked, paired, row};
use synod_checker::{Budgets, Fairness, Network, Property, State};
use synod_clientserver::KvCommand;
use synod_node::NodeId;
use synod_primarybackup::{Message, Settings};
use synod_testkit::{Desk, Pinned, Search, Staged};

/// Searches beyond the list.
pub const SEARCHES: &[Search] = &[
    row("x1", "one_crash_and_restart_anywhere_shows_no_wrong_answer", crash_anywhere),
    row("x2", "a_primary_that_restarts_does_not_act_on_its_old_role", restarted_primary),
    row("x3", "a_view_server_that_restarts_names_no_number_twice", restarted_view_server),
    row("x4", "a_deposed_primary_serves_nothing_stale", deposed),
    row("x5", "a_state_in_pieces_begins_anew_with_each_view", pieces),
    row("x6", "two_views_of_one_command_are_exhausted", two_views),
    row("x7", "all_can_be_done_from_every_state", possible),
    row("x8", "a_lost_message_is_never_the_end", lost_messages),
    row("x9", "a_client_finds_another_primary", another_primary),
    row("x10", "acknowledgements_of_another_view_do_not_count", backup_again),
];

const C1: NodeId = NodeId::client(1);
const N1: NodeId = NodeId::server(1);

fn one_each() -> Vec<Asks> {
    vec![vec![append("x", None)], vec![append("y", None)]]
}

fn with_budgets(service: Service, budgets: Budgets) -> Service {
    Service { budgets, ..service }
}

const ONE_CRASH: Budgets = Budgets { crashes: 1, late_writes: 1, drops: 0, give_ups: 0, pauses: 0, cuts: 0 };

fn crash_anywhere(desk: &mut Desk<'_>) -> Staged {
    let mut bench = with_budgets(Service::new(2, one_each()), ONE_CRASH).bench(desk)?;
    let pair = paired(&mut bench, 2)?;
    let start = bench.start();
    let plan = || sound(2).prune(views_above(4)).prune(done(&[1, 2])).states(BUDGET);
    bench.explore("every way of a pair", &pair, plan())?;
    // Without the clients' impatience, which goes deeper.
    let calm = plan().without_timers(&names((&[], &[1, 2])));
    let asked = asked(&mut bench, &pair, &[1, 2])?;
    bench.explore("every way of a pair that is asked", &asked, calm)?;
    bench.explore("every way from the start", &start, plan())
}

/// One node crashes, and restarts. Nothing else happens.
fn crash_and_restart(bench: &mut Stand<'_, '_>, from: &State, server: u32) -> Staged<State> {
    let plan = only(sound(2), bench, (&[], &[]));
    let crashes = format!("server {server} crashes");
    let state =
        bench.must_reach(&crashes, from, plan.clone().goal(Property::is_down(NodeId::server(server))))?;
    let restarts = format!("server {server} restarts");
    bench.must_reach(&restarts, &state, plan.goal(Property::is_down(NodeId::server(server)).negated()))
}

fn restarted_primary(desk: &mut Desk<'_>) -> Staged {
    let mut bench = with_budgets(Service::new(2, one_each()), ONE_CRASH).bench(desk)?;
    let pair = paired(&mut bench, 2)?;
    let asked = asked(&mut bench, &pair, &[1])?;
    let way = with_timers_of(only(sound(2), &bench, (&[1, 2], &[1])), &bench, (&[], &[])).calm();
    let first = bench.must_reach("client 1 is done", &asked, way.goal(done(&[1])))?;
    let restarted = crash_and_restart(&mut bench, &first, 1)?;
    let plan = || sound(2).prune(views_above(3)).prune(done(&[1, 2]));
    let way = with_timers_of(plan(), &bench, (&[], &[])).goal(serves(2, 3, 2, Some(1)));
    let over = bench.must_reach("server 2 serves, and server 1 stands by", &restarted, way)?;
    bench.must_reach("client 2 is done", &over, plan().goal(done(&[1, 2])))?;
    bench.explore("every way since the restart", &restarted, plan().states(BUDGET))
}

fn restarted_view_server(desk: &mut Desk<'_>) -> Staged {
    let mut bench = with_budgets(Service::new(2, one_each()), ONE_CRASH).bench(desk)?;
    let start = bench.start();
    let still = |plan: Plan, bench: &Stand<'_, '_>| with_timers_of(plan, bench, (&[], &[]));
    // The first pings may come in any order, and the view that one of them makes may be lost.
    let early = still(only(sound(2), &bench, (&[0, 1, 2], &[])), &bench);
    bench.explore("every way of the first views", &start, early.states(BUDGET))?;
    let pair = paired(&mut bench, 2)?;
    let restarted = crash_and_restart(&mut bench, &pair, VIEW_SERVER.number())?;
    let plan = || sound(2).prune(views_above(4)).prune(done(&[1, 2])).states(BUDGET);
    bench.explore("every way since the restart", &restarted, plan())
}

fn is_answer(message: &Said) -> bool {
    matches!(message, Message::Session(synod_clientserver::Message::Results { .. }))
}

/// Client 1 gets twice, and its first answer comes late: when server 2 has taken over, and client 2 has appended there.
fn deposed(desk: &mut Desk<'_>) -> Staged {
    let gets = vec![(KvCommand::get("k"), None), (KvCommand::get("k"), None)];
    let mut bench = Service::new(2, vec![gets, vec![append("y", None)]]).bench(desk)?;
    let pair = paired(&mut bench, 2)?;
    let asked = asked(&mut bench, &pair, &[1])?;
    let way = only(sound(2), &bench, (&[1, 2, 0], &[1])).cut(N1, C1);
    let way = with_timers_of(way, &bench, (&[], &[])).prune(views_above(2));
    let answered = bench.must_reach("an answer is late", &asked, way.goal(is_sent(N1, C1, 1, is_answer)))?;
    let way = with_timers_of(only(sound(2), &bench, (&[0, 2], &[])), &bench, (&[0], &[]));
    let way = way.prune(another_view(3, 2, None)).prune(views_above(3));
    let over = bench.must_reach("server 2 serves alone", &answered, way.goal(serves(2, 3, 2, None)))?;
    let way = with_timers_of(only(sound(2), &bench, (&[0, 2], &[2])), &bench, (&[], &[2]));
    let written = bench.must_reach("client 2 is done", &over, way.goal(done(&[2])))?;
    let near = only(sound(2), &bench, (&[1, 2], &[1])).prune(done(&[1, 2]));
    bench.exhaust("every way without the view server", &written, near, Pinned::new(201, 22))?;
    let plan = sound(2).prune(views_above(4)).prune(done(&[1, 2])).states(BUDGET);
    bench.explore("every way", &written, plan)
}

fn pieces(desk: &mut Desk<'_>) -> Staged {
    let service = with_budgets(Service::new(3, one_each()), ONE_CRASH);
    let settings = Settings { chunk_bytes_max: 8, chunks_max: 2, ..Settings::default() };
    let mut bench = Service { settings, ..service }.bench(desk)?;
    let start = bench.start();
    let way = with_timers_of(only(sound(3), &bench, (&[0, 1], &[1])), &bench, (&[], &[1])).calm();
    let alone = bench.must_reach("client 1 is done with one server", &start, way.goal(done(&[1])))?;
    let way = with_timers_of(only(sound(3), &bench, (&[0, 1, 2], &[])), &bench, (&[], &[])).calm();
    let way = way.prune(another_view(2, 1, Some(2)));
    let joining = bench.must_reach("server 2 joins", &alone, way.goal(has_role(2, "joining")))?;
    let plan = || sound(3).prune(views_above(4)).prune(done(&[1, 2]));
    let whole = plan().goal(serves(3, 2, 1, Some(2)));
    bench.must_reach("server 2 has the whole", &joining, whole.prune(views_above(2)))?;
    let still = with_timers_of(plan(), &bench, (&[], &[2]));
    bench.explore("every way of the pieces without servers' timers", &joining, still.states(BUDGET))?;
    bench.explore("every way of the pieces", &joining, plan().states(BUDGET))
}

/// As far as view 3, with one command: nothing is left out, timers neither.
fn two_views(desk: &mut Desk<'_>) -> Staged {
    let mut bench = Service::new(2, vec![vec![append("x", Some("x"))]]).bench(desk)?;
    let pair = paired(&mut bench, 2)?;
    let asked = asked(&mut bench, &pair, &[1])?;
    let plan = sound(2).prune(views_above(3)).prune(done(&[1]));
    let calm = plan.clone().without_timers(&names((&[], &[1])));
    bench.exhaust("every way, the client's impatience apart", &asked, calm, Pinned::new(55_472, 37))?;
    bench.exhaust("every way", &asked, plan, Pinned::new(166_416, 39))
}

/// Nobody dies here, though the view server may think so: so nothing is ever stuck.
fn possible(desk: &mut Desk<'_>) -> Staged {
    let mut bench = Service::new(2, vec![vec![append("x", Some("x"))]]).bench(desk)?;
    let pair = paired(&mut bench, 2)?;
    let goal = done(&[1]);
    let plan = sound(2).prune(views_above(2));
    bench.eventually("in one view", &pair, plan, (&goal, Fairness::Possible))?;
    // A client that knew server 1 finds server 2.
    let asked = asked(&mut bench, &pair, &[1])?;
    let way = with_timers_of(only(sound(2), &bench, (&[0, 2], &[])), &bench, (&[0], &[]));
    let way = way.prune(another_view(3, 2, None)).prune(views_above(3));
    let over = bench.must_reach("server 2 serves alone", &asked, way.goal(serves(2, 3, 2, None)))?;
    let plan = only(sound(2), &bench, (&[0, 2], &[1])).prune(views_above(3));
    bench.eventually("after the fail-over", &over, plan, (&goal, Fairness::Possible))
}

/// Each message is delivered once at most, and some are lost: asking again is what saves the day.
fn lost_messages(desk: &mut Desk<'_>) -> Staged {
    let mut service = Service::new(2, vec![vec![append("x", Some("x"))]]);
    service.network = Network::Bag;
    service.budgets.drops = 1;
    let mut bench = service.bench(desk)?;
    let pair = paired(&mut bench, 2)?;
    let asked = asked(&mut bench, &pair, &[1])?;
    let plan = sound(2).prune(Property::crowded(3)).prune(views_above(2));
    bench.eventually("in every fair run", &asked, plan, (&done(&[1]), Fairness::Weak))
}

/// Server 1 is cut off from the view server, and server 2 has taken over. The client knew server 1.
fn another_primary(desk: &mut Desk<'_>) -> Staged {
    let mut service = Service::new(2, vec![vec![append("x", Some("x"))]]);
    service.network = Network::Bag;
    let mut bench = service.bench(desk)?;
    let pair = paired(&mut bench, 2)?;
    let asked = asked(&mut bench, &pair, &[1])?;
    let way = with_timers_of(only(sound(2), &bench, (&[0, 2], &[])), &bench, (&[0, 2], &[])).calm();
    let way = way.prune(another_view(3, 2, None)).prune(views_above(3));
    let over = bench.must_reach("server 2 serves alone", &asked, way.goal(serves(2, 3, 2, None)))?;
    // What server 1 would say to the view server would pile up, so it says nothing.
    let plan = with_timers_of(sound(2), &bench, (&[0, 2], &[1]));
    let plan = plan.prune(Property::crowded(5)).prune(views_above(3));
    bench.eventually("in every fair run", &over, plan, (&done(&[1]), Fairness::Weak))
}

/// What server 2 acknowledged in view 2 must not count in view 4, where it is server 1's backup again.
fn backup_again(desk: &mut Desk<'_>) -> Staged {
    let mut bench = Service::new(2, one_each()).bench(desk)?;
    let pair = paired(&mut bench, 2)?;
    let asked = asked(&mut bench, &pair, &[1, 2])?;
    let way = with_timers_of(only(sound(2), &bench, (&[1, 2], &[1])), &bench, (&[], &[])).calm();
    let first = bench.must_reach("client 1 is done", &asked, way.goal(done(&[1])))?;
    let way = with_timers_of(only(sound(2), &bench, (&[0, 1], &[])), &bench, (&[0], &[]));
    let way = way.prune(another_view(3, 1, None)).prune(views_above(3));
    let alone = bench.must_reach("server 1 serves alone", &first, way.goal(serves(2, 3, 1, None)))?;
    let way = with_timers_of(only(sound(2), &bench, (&[0, 1, 2], &[])), &bench, (&[], &[]));
    let way = way.prune(another_view(4, 1, Some(2))).prune(views_above(4));
    let again = bench.must_reach("server 2 is backup again", &alone, way.goal(serves(2, 4, 1, Some(2))))?;
    let still = with_timers_of(sound(2), &bench, (&[], &[1, 2])).prune(done(&[1, 2]));
    bench.exhaust("every way without servers' timers", &again, still, Pinned::new(270, 11))?;
    bench.explore("every way", &again, sound(2).prune(views_above(5)).prune(done(&[1, 2])).states(BUDGET))
}
