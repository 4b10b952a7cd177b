//! Searches of `paxos`: the rows of the module's list.

pub mod beyond;
pub mod group;

use group::{
    BUDGET, Caller, Claim, Group, Plan, Sight, Stand, append, asks_for_votes, clients, holds, is_answered,
    lacks, leads, not, only, rounds_above, sound, wants_to_lead, with_timers_of, without_timers,
};
use synod_checker::{Property, Reads, State, Walks};
use synod_clientserver::{KvCommand, KvOutput};
use synod_node::NodeId;
use synod_paxos::{Slot, SlotStatus};
use synod_testkit::{Desk, Search, Staged, Stop};
use synod_verify::kv::own_appends;

/// So many states random ways see, and at length: ten million are not for each change.
const WALKED: u64 = 1_000_000;
const WALKED_LONG: u64 = 10_000_000;

/// Rows 20 to 27 of the module's list, and two of them at length.
pub const SEARCHES: &[Search] = &[
    row("20", "a_put_and_a_get_of_three_servers_give_the_right_results", put_and_get),
    row("21", "two_of_five_servers_answer_nobody", minority),
    row("22", "what_one_majority_chose_another_goes_on_with", two_majorities),
    row("23", "a_value_of_an_old_ballot_does_not_count_for_a_new_quorum", quorum_hunt),
    row("24", "a_slot_is_chosen_only_behind_what_stands_before_it", gap),
    row("25", "random_ways_of_three_servers_are_linearizable", |desk| walks(desk, 3, WALKED)),
    row("26", "random_ways_of_five_servers_are_linearizable", |desk| walks(desk, 5, WALKED)),
    row("27", "a_group_of_one_takes_three_steps_a_command", singleton),
    long("x11", "long_random_ways_of_three_servers_are_linearizable", |desk| walks(desk, 3, WALKED_LONG)),
    long("x12", "long_random_ways_of_five_servers_are_linearizable", |desk| walks(desk, 5, WALKED_LONG)),
];

const fn long(
    number: &'static str,
    name: &'static str,
    play: fn(&mut Desk<'_>) -> Result<(), Stop>,
) -> Search {
    Search { is_long: true, ..row(number, name, play) }
}

/// A search of this module.
pub const fn row(
    number: &'static str,
    name: &'static str,
    play: fn(&mut Desk<'_>) -> Result<(), Stop>,
) -> Search {
    Search { module: "paxos", number, name, play, is_long: false }
}

fn done(callers: &[u32]) -> Claim {
    Property::users_are_done(&clients(callers))
}

fn put_then_get() -> Caller {
    let put = (KvCommand::put("k", "x"), Some(KvOutput::PutOk));
    Caller::new(1, &[put, (KvCommand::get("k"), Some(KvOutput::value("x")))])
}

/// The state in which server 1 leads by the votes of so many others, the next by their names, and they know. Nobody
/// else's timers fire on the way.
pub fn led(bench: &mut Stand<'_, '_>, (count, followers): (u32, usize)) -> Staged<State> {
    let start = bench.start();
    let among: Vec<u32> = (1..=followers as u32 + 1).collect();
    let plan = with_timers_of(only(sound(count), bench, (&among, &[])), bench, (&[1], &[]));
    bench.must_reach("server 1 leads", &start, plan.calm().goal(leads(1, followers)))
}

/// From `from` on, server `leader` becomes the leader of those that hear each other. The others tick only to find that
/// their leader is gone. First it asks for votes, then it gets them: two short ways instead of a long one.
pub fn elected(
    bench: &mut Stand<'_, '_>,
    from: &State,
    leader: u32,
    among: &[u32],
    plan: &Plan,
) -> Staged<State> {
    let others = among.iter().filter(|server| **server != leader);
    let plan = others.fold(plan.clone(), |plan, server| plan.prune(wants_to_lead(*server)));
    let plan = with_timers_of(only(plan, bench, (among, &[])), bench, (among, &[])).calm();
    let asks = format!("server {leader} asks for votes");
    // It may have led before: then it asks anew, in a higher round.
    let state = bench.must_reach(&asks, from, plan.clone().goal(asks_for_votes(leader)))?;
    bench.must_reach(&format!("server {leader} leads again"), &state, plan.goal(leads(leader, 1)))
}

fn put_and_get(desk: &mut Desk<'_>) -> Staged {
    let mut bench = Group::new(3, vec![put_then_get()]).bench(desk)?;
    let start = bench.start();
    let first = only(sound(3), &bench, (&[1, 2], &[1])).goal(is_answered(1, 1));
    let first = bench.must_reach("the first result from two servers", &start, first)?;
    bench.must_reach("all results from all servers", &first, sound(3).goal(done(&[1])))?;
    let led = led(&mut bench, (3, 2))?;
    bench.explore("every way", &start, sound(3).prune(done(&[1])).states(BUDGET))?;
    bench.explore("every way after the first result", &first, sound(3).prune(done(&[1])).states(BUDGET))?;
    let still = without_timers(sound(3), &bench).prune(done(&[1])).states(BUDGET);
    bench.explore("every way of a led group without timers", &led, still)
}

fn minority(desk: &mut Desk<'_>) -> Staged {
    let mut bench = Group::new(5, vec![put_then_get()]).bench(desk)?;
    let start = bench.start();
    let silent = Property::nobody_is_answered(&clients(&[1]));
    let plan = only(sound(5).invariant(silent.clone()), &bench, (&[1, 2], &[1]));
    bench.explore("two of five", &start, plan.states(BUDGET))?;
    // A leader that loses its majority after the election answers nobody either.
    let led = led(&mut bench, (5, 2))?;
    let plan = only(sound(5).invariant(silent), &bench, (&[1, 2], &[1]));
    let plan = without_timers(plan, &bench).states(BUDGET);
    bench.explore("a led two of five without timers", &led, plan)
}

fn two_majorities(desk: &mut Desk<'_>) -> Staged {
    let appends = [
        (KvCommand::append("k", "X"), Some(KvOutput::appended("X"))),
        (KvCommand::append("k", "Y"), Some(KvOutput::appended("XY"))),
    ];
    let callers = vec![Caller::new(1, &appends[..1]), Caller::new(3, &appends[1..])];
    let mut bench = Group::new(3, callers).bench(desk)?;
    let start = bench.start();
    let plan = only(sound(3), &bench, (&[1, 2], &[1])).goal(is_answered(1, 1));
    let first = bench.must_reach("the first append from two servers", &start, plan)?;
    for others in [[1, 3], [2, 3]] {
        let name = |what: &str| format!("{what} from n{} and n{}", others[0], others[1]);
        let plan = |bench: &Stand<'_, '_>| only(sound(3), bench, (&others, &[2]));
        // Server 1 leads already; without it server 3 must be elected.
        let led =
            if others[0] == 1 { first.clone() } else { elected(&mut bench, &first, 3, &others, &sound(3))? };
        let way = with_timers_of(plan(&bench), &bench, (&[3], &[2]));
        let all = bench.must_reach(&name("the second"), &led, way.goal(done(&[1, 2])))?;
        bench.explore(&name("every way"), &first, plan(&bench).prune(done(&[1, 2])).states(BUDGET))?;
        let still = without_timers(plan(&bench), &bench).prune(done(&[1, 2])).states(BUDGET);
        bench.explore(&name("every way without timers"), &led, still)?;
        let still = without_timers(sound(3), &bench).states(BUDGET);
        bench.explore(&name("every way on with all, without timers,"), &all, still)?;
    }
    Ok(())
}

/// Servers 1 and 2 hold nothing in the first slot, and nothing is in the second or cleared: what the stages of the hunt
/// leave out.
fn hunted(empty: &[u32]) -> Plan {
    let mut plan = sound(5);
    for server in 1..=5 {
        plan = plan.prune(not(lacks(server, 2)));
    }
    for server in empty {
        plan = plan.prune(not(lacks(*server, 1)));
    }
    plan.prune(rounds_above(3, 5))
}

fn quorum_hunt(desk: &mut Desk<'_>) -> Staged {
    let callers = vec![Caller::new(4, &[append("k", "X")]), Caller::new(5, &[append("k", "Y")])];
    let mut bench = Group::new(5, callers).bench(desk)?;
    let accepted = |server, client| holds(server, client, 1, SlotStatus::Accepted);
    let start = bench.start();
    // Server 4 leads by the votes of 2 and 3 and proposes; only server 3 hears it.
    let state = elected(&mut bench, &start, 4, &[2, 3, 4], &hunted(&[1, 2]))?;
    let plan = only(hunted(&[1, 2]), &bench, (&[2, 3, 4], &[1])).without_timers(&NodeId::servers(5));
    let state = bench.must_reach("server 4 has the first", &state, plan.clone().goal(accepted(4, 1)))?;
    let state = bench.must_reach("server 3 has the first", &state, plan.goal(accepted(3, 1)))?;
    // Server 5 leads by the votes of 1 and 2, which know nothing of it.
    let state = elected(&mut bench, &state, 5, &[1, 2, 5], &hunted(&[1, 2]))?;
    let plan = only(hunted(&[1, 2]), &bench, (&[1, 2, 5], &[2])).without_timers(&NodeId::servers(5));
    let state = bench.must_reach("server 5 has the second", &state, plan.goal(accepted(5, 2)))?;
    let plan = only(hunted(&[1, 2]), &bench, (&[3, 5], &[])).without_timers(&NodeId::servers(5));
    let state = bench.must_reach("server 3 has the second", &state, plan.goal(accepted(3, 2)))?;
    // What was said so far is on its way no longer. Server 4 leads anew by the votes of 1 and 2.
    let state = bench
        .by_hand("forget", &state, |checker, state| Some(checker.drop_pending(&state, |_, _, _| true)))?;
    let state = elected(&mut bench, &state, 4, &[1, 2, 4], &hunted(&[]))?;
    let plan = only(hunted(&[]), &bench, (&[1, 2, 4], &[1])).without_timers(&NodeId::servers(5));
    let state = bench.must_reach("server 1 has the first", &state, plan.clone().goal(accepted(1, 1)))?;
    // What server 3 said of the first ballot arrives while the value is not chosen: it must not count.
    let three = NodeId::server(3);
    let early = bench.by_hand("remember early", &state, |checker, state| {
        Some(checker.undrop(&state, |from, _, _| from == three))
    })?;
    let still = without_timers(hunted(&[]), &bench).states(BUDGET);
    bench.explore("whatever server 3 said, too early", &early, still)?;
    let chosen = holds(4, 1, 1, SlotStatus::Chosen);
    let state = bench.must_reach("the first is chosen", &state, plan.goal(chosen))?;
    // Or it arrives now.
    let state = bench.by_hand("remember", &state, |checker, state| {
        Some(checker.undrop(&state, |from, _, _| from == three))
    })?;
    let late = hunted(&[]).cut(three, NodeId::server(5)).states(BUDGET);
    bench.explore("whatever server 3 said", &state, late)
}

/// A server knows the second slot to be chosen before the first.
fn out_of_order() -> Claim {
    Property::when("s2 is chosen and s1 is not", Reads::Nodes(NodeId::servers(3)), |view: &Sight<'_>| {
        view.nodes().filter_map(|(_, node)| node.server()).any(|server| {
            let first = server.status(Slot(1));
            server.status(Slot(2)) == SlotStatus::Chosen
                && (first == SlotStatus::Accepted || first == SlotStatus::Empty)
        })
    })
}

fn gap(desk: &mut Desk<'_>) -> Staged {
    let two = |server, who: &str| {
        Caller::new(server, &[append("k", &format!("{who}1")), append("k", &format!("{who}2"))])
    };
    let mut bench = Group::new(3, vec![two(1, "x"), two(3, "y")]).bench(desk)?;
    let led = led(&mut bench, (3, 2))?;
    let ahead = out_of_order();
    // Here a leader counts prefixes, so no server ever sees that: it must not be found.
    let plan = without_timers(sound(3), &bench).invariant(not(ahead)).states(BUDGET);
    bench.explore("every way of a led group without timers", &led, plan)?;
    let start = bench.start();
    bench.explore("every way", &start, sound(3).states(BUDGET))
}

fn walks(desk: &mut Desk<'_>, servers: u32, states: u64) -> Staged {
    let callers = vec![Caller::new(1, &[append("k", "x")]), Caller::new(2, &[append("k", "y")])];
    let mut bench = Group::new(servers, callers).bench(desk)?;
    let start = bench.start();
    let walks = Walks { seed: u64::from(servers), count: u64::MAX, steps: 1_000 };
    let plan = sound(servers).prune(done(&[1, 2])).states(states);
    bench.walk("random ways", &start, plan, walks)
}

fn singleton(desk: &mut Desk<'_>) -> Staged {
    let mut bench = Group::new(1, vec![Caller::new(1, &own(3))]).bench(desk)?;
    let start = bench.start();
    // One tick to lead; then each command is submitted, voted for, and answered. The vote is a message to itself, since
    // it waits for the disk.
    let plan = sound(1).goal(done(&[1]));
    bench.must_reach_at("three commands", &start, plan.clone(), 1 + 3 * 3)?;
    let plan = Plan { depth_max: Some(9), ..plan };
    bench.must_not_reach("three commands in fewer steps", &start, plan)?;
    let deep = Plan { depth_max: Some(1_000), ..sound(1).prune(done(&[1])).states(100_000) };
    bench.explore_depth_first("a thousand steps deep", &start, deep)?;
    bench.explore("every way", &start, sound(1).prune(done(&[1])).states(BUDGET))
}

fn own(count: usize) -> synod_verify::kv::List {
    own_appends("k", count)
}
