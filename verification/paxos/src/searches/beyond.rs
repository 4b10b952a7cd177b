//! Searches of `paxos` beyond the module's list: crashes, snapshots, rival leaders, reads without a log entry.

use super::group::{
    BUDGET, Caller, Claim, Group, Node, Plan, Sight, Stand, append, clients, is_answered, only, servers,
    sound, what_is_chosen_is_on_disks, with_timers_of, without_timers,
};
use super::{elected, led, row};
use synod_checker::{Budgets, Property, Reads, State};
use synod_clientserver::KvCommand;
use synod_node::NodeId;
use synod_paxos::{Message, Record, Slot};
use synod_testkit::{Desk, Pinned, Search, Staged};

/// Searches beyond the list.
pub const SEARCHES: &[Search] = &[
    row("x1", "one_crash_and_restart_anywhere_loses_nothing", crash_anywhere),
    row("x2", "a_promise_outlives_a_crash", crashed_promise),
    row("x3", "what_was_answered_outlives_a_crash", crashed_acceptance),
    row("x4", "rival_leaders_choose_one_value_a_slot", rivals),
    row("x5", "a_ballot_is_used_once_also_by_a_server_that_crashed", crashed_leader),
    row("x6", "a_snapshot_brings_the_sessions_along", snapshot),
    row("x7", "reads_around_the_log_are_never_stale", reads),
    row("x8", "a_deposed_leader_answers_no_read", stale_reads),
    row("x10", "clients_that_ask_the_same_are_alike", alike),
    row("x9", "compaction_leaves_everything_to_those_that_lag", compaction),
];

fn done(callers: &[u32]) -> Claim {
    Property::users_are_done(&clients(callers))
}

/// A message like this is in flight to a server.
fn is_sent(
    to: u32,
    what: &'static str,
    is_meant: fn(&Message<synod_clientserver::KvStore>) -> bool,
) -> Claim {
    let id = NodeId::server(to);
    Property::when(format!("{what} is on its way to n{to}"), Reads::Everything, move |view: &Sight<'_>| {
        view.messages().iter().any(|(_, receiver, message)| *receiver == id && is_meant(message))
    })
}

fn one_each() -> Vec<Caller> {
    vec![Caller::new(1, &[append("k", "X")]), Caller::new(3, &[append("k", "Y")])]
}

fn with_budgets(mut group: Group, budgets: Budgets) -> Group {
    group.budgets = budgets;
    group
}

const ONE_CRASH: Budgets = Budgets { crashes: 1, late_writes: 1, drops: 0, give_ups: 0, pauses: 0, cuts: 0 };

/// What is asked where crashes are possible.
fn durable(count: u32) -> Plan {
    sound(count).invariant(what_is_chosen_is_on_disks(count))
}

fn crash_anywhere(desk: &mut Desk<'_>) -> Staged {
    let mut bench = with_budgets(Group::new(3, one_each()), ONE_CRASH).bench(desk)?;
    // First with two of three alone, which goes deeper.
    let pair = led(&mut bench, (3, 1))?;
    let plan = only(durable(3), &bench, (&[1, 2], &[1])).without_timers(bench.checker().names());
    bench.explore("a led pair without timers", &pair, plan.states(BUDGET))?;
    let start = bench.start();
    bench.explore("from the start", &start, durable(3).states(BUDGET))?;
    let led = led(&mut bench, (3, 2))?;
    let still = without_timers(durable(3), &bench).prune(done(&[1, 2])).states(BUDGET);
    bench.explore("a led group without timers", &led, still)?;
    let plan = only(durable(3), &bench, (&[1, 2], &[1])).without_timers(&NodeId::servers(3));
    let first = bench.must_reach("the first is answered", &led, plan.goal(is_answered(1, 1)))?;
    bench.explore("after the first answer", &first, durable(3).prune(done(&[1, 2])).states(BUDGET))
}

/// Server `server` crashes, and restarts. Nothing else happens.
fn crash_and_restart(bench: &mut Stand<'_, '_>, from: &State, server: u32) -> Staged<State> {
    let plan = only(sound(3), bench, (&[], &[]));
    let state = bench.must_reach(
        &format!("server {server} crashes"),
        from,
        plan.clone().goal(Property::is_down(NodeId::server(server))),
    )?;
    let up = Property::is_down(NodeId::server(server)).negated();
    bench.must_reach(&format!("server {server} restarts"), &state, plan.goal(up))
}

/// Server 1 leads; server 3 takes over by the vote of 2, and 1 does not know.
fn deposed(bench: &mut Stand<'_, '_>) -> Staged<State> {
    let led = led(bench, (3, 1))?;
    elected(bench, &led, 3, &[2, 3], &sound(3))
}

fn crashed_promise(desk: &mut Desk<'_>) -> Staged {
    let mut bench = with_budgets(Group::new(3, one_each()), ONE_CRASH).bench(desk)?;
    let state = deposed(&mut bench)?;
    let state = crash_and_restart(&mut bench, &state, 2)?;
    // Both that lead go on. Server 2 must not accept of the old one what it promised the new one not to.
    let still = without_timers(sound(3), &bench).prune(done(&[1, 2])).states(BUDGET);
    bench.explore("both leaders go on", &state, still)
}

fn crashed_acceptance(desk: &mut Desk<'_>) -> Staged {
    let mut bench = with_budgets(Group::new(3, one_each()), ONE_CRASH).bench(desk)?;
    let led = led(&mut bench, (3, 1))?;
    let plan = only(sound(3), &bench, (&[1, 2], &[1])).without_timers(&NodeId::servers(3));
    let state = bench.must_reach("the first is answered", &led, plan.goal(is_answered(1, 1)))?;
    let state = crash_and_restart(&mut bench, &state, 2)?;
    let state = elected(&mut bench, &state, 3, &[2, 3], &sound(3))?;
    let plan = with_timers_of(only(sound(3), &bench, (&[2, 3], &[2])), &bench, (&[], &[2]));
    bench.must_reach("the second is answered", &state, plan.clone().goal(is_answered(2, 1)))?;
    bench.explore("every way on", &state, plan.states(BUDGET))
}

fn rivals(desk: &mut Desk<'_>) -> Staged {
    let mut bench = Group::new(3, one_each()).bench(desk)?;
    let state = deposed(&mut bench)?;
    let still = without_timers(sound(3), &bench).states(BUDGET);
    bench.explore("both leaders go on without timers", &state, still)?;
    bench.explore("both leaders go on", &state, sound(3).states(BUDGET))?;
    // The old one has accepted something by itself before it is deposed.
    let led = led(&mut bench, (3, 1))?;
    let plan = only(sound(3), &bench, (&[1], &[1])).without_timers(&NodeId::servers(3));
    let own = super::group::holds(1, 1, 1, synod_paxos::SlotStatus::Accepted);
    let state = bench.must_reach("server 1 accepts by itself", &led, plan.goal(own))?;
    let state = elected(&mut bench, &state, 3, &[2, 3], &sound(3))?;
    let plan = only(sound(3), &bench, (&[2, 3], &[2])).without_timers(&NodeId::servers(3));
    let state = bench.must_reach("the second is answered", &state, plan.goal(is_answered(2, 1)))?;
    let state = elected(&mut bench, &state, 1, &[1, 2], &sound(3))?;
    let still = without_timers(sound(3), &bench).states(BUDGET);
    bench.explore("the old leader leads anew", &state, still)
}

/// A server proposed, and its own disk does not have it yet.
fn proposes_ahead_of_its_disk(server: u32) -> Claim {
    let id = NodeId::server(server);
    Property::when(
        format!("n{server} proposed and has not written"),
        Reads::Everything,
        move |view: &Sight<'_>| {
            let proposed =
                view.node(id).and_then(Node::server).is_some_and(|server| server.log().last() > Slot::ZERO);
            let is_written = |record: &Record<_>| matches!(record, Record::Accepted { .. });
            proposed && view.disk(id).is_some_and(|disk| !disk.records.iter().any(is_written))
        },
    )
}

fn crashed_leader(desk: &mut Desk<'_>) -> Staged {
    let callers = vec![Caller::new(1, &[append("k", "X")]), Caller::new(1, &[append("k", "Y")])];
    let mut bench = with_budgets(Group::new(3, callers), ONE_CRASH).bench(desk)?;
    let led = led(&mut bench, (3, 1))?;
    let plan = only(sound(3), &bench, (&[1, 2], &[1])).without_timers(&NodeId::servers(3));
    let ahead = proposes_ahead_of_its_disk(1);
    let state = bench.must_reach("server 1 proposes ahead of its disk", &led, plan.goal(ahead))?;
    let state = crash_and_restart(&mut bench, &state, 1)?;
    let state = elected(&mut bench, &state, 1, &[1, 3], &sound(3))?;
    let still = without_timers(sound(3), &bench).states(BUDGET);
    bench.explore("it leads anew, and its old messages arrive", &state, still)
}

/// A group that keeps nothing in its log that it executed.
fn forgetful(callers: Vec<Caller>) -> Group {
    let mut group = Group::new(3, callers);
    group.settings.retained_slots_max = 0;
    group.settings.checkpoint_bytes = 1;
    group
}

fn is_first_submit(message: &Message<synod_clientserver::KvStore>) -> bool {
    matches!(message, Message::Submit { client, first: 1, .. } if client.node() == NodeId::client(1))
}

fn snapshot(desk: &mut Desk<'_>) -> Staged {
    let callers =
        vec![Caller::new(1, &[append("k", "X"), append("k", "Z")]), Caller::new(3, &[append("k", "Y")])];
    let mut bench = forgetful(callers).bench(desk)?;
    let led = led(&mut bench, (3, 1))?;
    // The first command was sent to all, so that it may arrive at a later leader too.
    let plan = with_timers_of(sound(3), &bench, (&[], &[1]));
    let plan = plan.goal(is_sent(3, "the first command", is_first_submit));
    let state = bench.must_reach("the first is sent to all", &led, plan)?;
    let plan = only(sound(3), &bench, (&[1, 2], &[1])).without_timers(&NodeId::servers(3));
    let state = bench.must_reach("both are answered", &state, plan.goal(is_answered(1, 2)))?;
    let plan = with_timers_of(only(sound(3), &bench, (&[1, 2], &[])), &bench, (&[1], &[]));
    let state = bench.must_reach("server 2 compacts", &state, plan.goal(has_dropped(2, 2)))?;
    let state = elected(&mut bench, &state, 3, &[2, 3], &sound(3))?;
    let plan = only(sound(3), &bench, (&[2, 3], &[1, 2]));
    let plan = with_timers_of(plan, &bench, (&[], &[2]));
    bench.must_reach("the third is answered", &state, plan.clone().goal(is_answered(2, 1)))?;
    bench.explore("every way on", &state, plan.states(BUDGET))
}

/// A server's log no longer reaches back to a slot.
fn has_dropped(server: u32, slot: u64) -> Claim {
    let id = NodeId::server(server);
    Property::when(format!("n{server} dropped s{slot}"), Reads::Nodes(vec![id]), move |view: &Sight<'_>| {
        view.node(id)
            .and_then(Node::server)
            .is_some_and(|server| server.log().dropped_through() >= Slot(slot))
    })
}

fn reads(desk: &mut Desk<'_>) -> Staged {
    let callers = vec![
        Caller::reading_fast(1, &[KvCommand::append("k", "x"), KvCommand::get("k")]),
        Caller::reading_fast(1, &[KvCommand::get("k"), KvCommand::get("k")]),
    ];
    let mut bench = Group::new(3, callers).bench(desk)?;
    let led = led(&mut bench, (3, 2))?;
    let still = without_timers(sound(3), &bench).prune(done(&[1, 2])).states(BUDGET);
    let way = || sound(3).without_timers(&[servers(&[1, 2, 3]), clients(&[1, 2])].concat());
    let append = bench.must_reach("the append is answered", &led, way().goal(is_answered(1, 1)))?;
    let one = bench.must_reach("a read is answered", &append, way().goal(is_answered(2, 1)))?;
    bench.must_reach("all are answered", &one, way().goal(done(&[1, 2])))?;
    bench.explore("every way of a led group without timers", &led, still)?;
    bench.explore("every way of a led group", &led, sound(3).prune(done(&[1, 2])).states(BUDGET))
}

fn is_read(message: &Message<synod_clientserver::KvStore>) -> bool {
    matches!(message, Message::Query { .. })
}

fn stale_reads(desk: &mut Desk<'_>) -> Staged {
    let callers = vec![Caller::reading_fast(
        3,
        &[KvCommand::append("k", "x"), KvCommand::get("k"), KvCommand::get("k")],
    )];
    let mut bench = Group::new(3, callers).bench(desk)?;
    let state = deposed(&mut bench)?;
    let plan = only(sound(3), &bench, (&[2, 3], &[1])).without_timers(&NodeId::servers(3));
    let state = bench.must_reach("the append is answered", &state, plan.goal(is_answered(1, 1)))?;
    let plan = with_timers_of(only(sound(3), &bench, (&[], &[1])), &bench, (&[], &[1]));
    let state =
        bench.must_reach("the read is sent to all", &state, plan.goal(is_sent(1, "the read", is_read)))?;
    // Server 1 still takes itself for the leader, and is asked.
    let still = without_timers(sound(3), &bench).states(BUDGET);
    bench.explore("the deposed leader is asked", &state, still)?;
    let plan = with_timers_of(sound(3), &bench, (&[1, 3], &[1])).states(BUDGET);
    bench.explore("the deposed leader is asked, and ticks", &state, plan)
}

fn compaction(desk: &mut Desk<'_>) -> Staged {
    let callers = vec![Caller::new(1, &[append("k", "X")]), Caller::new(3, &[append("k", "Y")])];
    let mut bench = forgetful(callers).bench(desk)?;
    let led = led(&mut bench, (3, 1))?;
    let plan = only(sound(3), &bench, (&[1, 2], &[1])).without_timers(&NodeId::servers(3));
    let state = bench.must_reach("the first is answered", &led, plan.goal(is_answered(1, 1)))?;
    // Server 3 missed it, and follows now: it gets the state.
    let plan = only(sound(3), &bench, (&[1, 2, 3], &[]));
    let plan = with_timers_of(plan, &bench, (&[1], &[]));
    bench.must_reach("server 3 has caught up", &state, plan.goal(has_executed(3, 1)))?;
    let plan = with_timers_of(sound(3), &bench, (&[1, 2], &[2])).states(BUDGET);
    bench.explore("every way on", &state, plan)
}

/// A server has executed a slot.
fn has_executed(server: u32, slot: u64) -> Claim {
    let id = NodeId::server(server);
    Property::when(format!("n{server} executed s{slot}"), Reads::Nodes(vec![id]), move |view: &Sight<'_>| {
        view.node(id).and_then(Node::server).is_some_and(|server| server.replica().through() >= Slot(slot))
    })
}

/// Two clients that differ in their names alone, and a led group without timers: a space with an end.
fn alike(desk: &mut Desk<'_>) -> Staged {
    let one = || Caller::new(1, &[append("k", "x")]);
    let (mut bench, symmetry) = Group::new(3, vec![one(), one()]).bench_with_symmetry(desk)?;
    // Servers 1 and 2 alone: all three make millions.
    let led = led(&mut bench, (3, 1))?;
    let plan = |bench: &Stand<'_, '_>| {
        only(sound(3), bench, (&[1, 2], &[1, 2])).without_timers(bench.checker().names()).prune(done(&[1, 2]))
    };
    let pinned = Pinned::new(9_733, 17);
    let apart = plan(&bench);
    bench.exhaust("told apart", &led, apart, pinned)?;
    let mut alike = plan(&bench);
    alike.reductions.symmetry = Some(symmetry);
    let pinned = if bench.has_symmetry() { Pinned::new(4_872, 17) } else { pinned };
    bench.exhaust("up to their names", &led, alike, pinned)
}
