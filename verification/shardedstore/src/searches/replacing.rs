//! Searches of a group of three, one of whose members is replaced: whoever crashes, at any moment, and starts again. The seeded
//! mistakes about replacements need longer histories than these: runs find them (`shardedstore/replacements.rs`).

use super::shards::{
    Asks, BUDGET, CONTROLLER, Claim, MASTER, Node, Plan, Shards, Sight, Stand, done, has_settled,
    is_answered, leads, member, only, settings, sound, with_timers_of,
};
use super::{after_changes, row};
use crate::scenarios::store::{join, masters};
use synod_checker::{Budgets, Property, Reads, State, Walks};
use synod_node::NodeId;
use synod_paxos::invariants;
use synod_shardedstore::{
    ConfigurationCommand, GroupId, GroupPlan, PART_BYTES, Process, Seats, Server, TextCommand, TextOutput,
    Texts,
};
use synod_testkit::{Desk, Search, Staged};

/// The searches.
pub const SEARCHES: &[Search] = &[
    row("x12", "one_crash_anywhere_while_a_member_is_replaced", one_crash),
    row("x13", "who_goes_and_who_comes_may_both_crash", both_crash),
];

const C1: NodeId = NodeId::client(1);
/// The members: the last of them goes, and another one comes.
const MEMBERS: [NodeId; 3] = [member(1), NodeId::server(12), OLD];
const OLD: NodeId = NodeId::server(13);
const NEW: NodeId = NodeId::server(14);

const ONE_CRASH: Budgets = Budgets { crashes: 1, late_writes: 1, drops: 0, give_ups: 0, pauses: 0, cuts: 0 };

/// The member that comes. It runs from the beginning, as if its process had heard of the change before anybody else.
fn newcomer() -> Node {
    let homes = vec![vec![MEMBERS[0]], vec![MEMBERS[1]], vec![OLD, NEW]];
    let seats = Seats::of_homes(homes).expect("each seat has a home");
    let plan = GroupPlan {
        group: GroupId(1),
        members: &MEMBERS,
        masters: &masters(1),
        slot_count: 1,
        store: Texts::new(1),
        settings: settings(),
        part_bytes: PART_BYTES,
    };
    let life = seats.life(NEW, 0);
    Process::Server(Server::replacing(NEW, &plan, (seats, 2), life))
}

fn bench<'d, 'a>(desk: &'d mut Desk<'a>, budgets: Budgets) -> Staged<Stand<'d, 'a>> {
    let replace = ConfigurationCommand::Replace { group: GroupId(1), old: OLD, new: NEW };
    let user: Asks = vec![
        (TextCommand::put("k", "x"), Some(TextOutput::Ok)),
        (TextCommand::append("k", "y"), Some(TextOutput::appended("xy"))),
    ];
    let shards = Shards::new(1, 1, vec![join(1, 3), replace], vec![user]);
    let shards = Shards { members: 3, budgets, ..shards };
    let judge = shards.judge();
    let mut system = shards.system(desk.mutant());
    system.add(NEW, newcomer());
    desk.bench(system, judge)
}

/// Every state must keep these claims; the judge sees to the client's history.
fn claims() -> Plan {
    let all = || Reads::Nodes([MEMBERS[0], MEMBERS[1], OLD, NEW].to_vec());
    let agree = |view: &Sight<'_>| {
        let servers: Vec<_> = view.nodes().filter_map(|(_, node)| node.server()).map(Server::paxos).collect();
        let last = servers.iter().map(|server| server.chosen_through()).max().unwrap_or_default();
        invariants::servers_agree_on_what_is_chosen(&servers, Default::default(), last)?;
        invariants::a_ballot_has_one_leader(&servers)
    };
    sound(1, 4).invariant(Property::new("the members agree on what is chosen", all(), agree))
}

/// The new member is let in.
fn is_let_in() -> Claim {
    Property::when(format!("{NEW} is let in"), Reads::Nodes(vec![NEW]), |view: &Sight<'_>| {
        let server = view.node(NEW).and_then(Process::server);
        server.is_some_and(|server| !server.paxos().is_rejoining())
    })
}

/// The former member knows that it is over.
fn has_retired() -> Claim {
    Property::when(format!("{OLD} has retired"), Reads::Nodes(vec![OLD]), |view: &Sight<'_>| {
        view.node(OLD).and_then(Process::server).is_some_and(|server| server.paxos().is_retired())
    })
}

/// The group serves, has answered the client once, and the change is made; and then it has taken it.
fn changed(bench: &mut Stand<'_, '_>) -> Staged<(State, State)> {
    let start = bench.start();
    let joined = after_changes(bench, &start, 1, 1)?;
    let way = with_timers_of(only(claims(), bench, &MEMBERS).calm(), bench, &MEMBERS[..1]);
    let led = bench.must_reach("a member leads", &joined, way.goal(leads(1)))?;
    let within: Vec<NodeId> = MEMBERS.into_iter().chain([MASTER]).collect();
    let way = only(claims(), bench, &within).calm();
    let settled = bench.must_reach("the group is there", &led, way.goal(has_settled(1, 0)))?;
    let way = only(claims(), bench, &[&within[..], &[C1]].concat()).calm();
    let asked = bench.must_reach("the client is answered", &settled, way.goal(is_answered(C1, 1)))?;
    let way = only(claims(), bench, &[MASTER, CONTROLLER]).calm();
    let changed = bench.must_reach("the change is made", &asked, way.goal(is_answered(CONTROLLER, 2)))?;
    let way = only(claims(), bench, &within).calm();
    let taken = bench.must_reach("the group takes it", &changed, way.goal(has_settled(1, 1)))?;
    Ok((changed, taken))
}

fn one_crash(desk: &mut Desk<'_>) -> Staged {
    let mut bench = bench(desk, ONE_CRASH)?;
    let (changed, taken) = changed(&mut bench)?;
    let within = [MEMBERS[0], MEMBERS[1], NEW];
    // The other member learns of the change with the leader's next news.
    let way = with_timers_of(only(claims(), &bench, &within).calm(), &bench, &MEMBERS[..1]);
    let let_in = bench.must_reach("the new member is let in", &taken, way.goal(is_let_in()))?;
    let way = only(claims(), &bench, &[MEMBERS[0], MEMBERS[1], OLD]).calm();
    let retired = bench.must_reach("the former one knows", &let_in, way.goal(has_retired()))?;
    let rest = || claims().prune(done(&[1]));
    bench.explore("every way since the change", &changed, rest().states(BUDGET))?;
    bench.explore("every way since it was taken", &taken, rest().states(BUDGET))?;
    bench.explore("every way since the new one is in", &let_in, rest().states(BUDGET))?;
    bench.explore("every way since the former one knows", &retired, rest().states(BUDGET))?;
    let walks = Walks { seed: 1, count: 2_000, steps: 200 };
    bench.walk("ways on since the change", &changed, rest(), walks)
}

/// Both crash, and what was not durable is lost.
fn both_crash(desk: &mut Desk<'_>) -> Staged {
    let mut bench = bench(desk, Budgets { crashes: 2, ..ONE_CRASH })?;
    let (_, taken) = changed(&mut bench)?;
    let walks = Walks { seed: 2, count: 2_000, steps: 200 };
    bench.walk("ways on since it was taken", &taken, claims().prune(done(&[1])), walks)
}
