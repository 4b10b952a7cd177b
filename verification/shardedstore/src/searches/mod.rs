//! Searches of `shardedstore`: the rows of the module's list.

pub mod hand_over;
pub mod replacing;
pub mod shards;

use shards::{
    Asks, BUDGET, CONTROLLER, MASTER, Plan, Shards, Stand, changed, done, has_settled, is_answered, joins,
    joins_and_leaves, key, leads, member, only, sound, with_timers_of,
};
use synod_checker::{State, Walks};
use synod_node::NodeId;
use synod_shardedstore::{TextCommand, TextOutput};
use synod_testkit::{Desk, Pinned, Search, Staged, Stop};

/// Rows 2.10 to 2.14 and 3.8 to 3.12 of the module's list.
pub const SEARCHES: &[Search] = &[
    row("2.10", "a_put_and_a_get_of_one_group_give_the_right_results", |desk| {
        one_group(desk, put_then_get())
    }),
    row("2.11", "a_put_and_a_get_while_everything_moves_give_the_right_results", |desk| {
        everything_moves(desk, put_then_get(), Pinned::new(512, 11))
    }),
    row("2.12", "appends_of_two_clients_while_a_slot_moves_are_linearizable", |desk| {
        a_slot_moves(desk, &appends(), Some(Pinned::new(1_440, 16)))
    }),
    row("2.13", "random_ways_of_two_groups_of_one_are_linearizable", |desk| {
        random_ways(desk, 1, &four_appending())
    }),
    row("2.14", "random_ways_of_two_groups_of_three_are_linearizable", |desk| {
        random_ways(desk, 3, &four_appending())
    }),
    row("3.8", "a_multi_put_and_a_multi_get_of_one_group_give_the_right_results", |desk| {
        one_group(desk, multi_put_then_get(10))
    }),
    row("3.9", "a_multi_put_and_a_multi_get_while_everything_moves_give_the_right_results", |desk| {
        everything_moves(desk, multi_put_then_get(10), Pinned::new(512, 11))
    }),
    row("3.10", "who_reads_two_groups_sees_a_swap_or_none", |desk| a_slot_moves(desk, &swaps(), None)),
    row("3.11", "random_ways_of_transactions_over_two_groups_of_one", |desk| {
        random_ways(desk, 1, &transacting())
    }),
    row("3.12", "random_ways_of_transactions_over_two_groups_of_three", |desk| {
        random_ways(desk, 3, &transacting())
    }),
];

const C1: NodeId = NodeId::client(1);
const C2: NodeId = NodeId::client(2);

/// A search of this module.
pub const fn row(
    number: &'static str,
    name: &'static str,
    play: fn(&mut Desk<'_>) -> Result<(), Stop>,
) -> Search {
    Search { module: "shardedstore", number, name, play, is_long: false }
}

fn put_then_get() -> Asks {
    vec![
        (TextCommand::put("k", "x"), Some(TextOutput::Ok)),
        (TextCommand::get("k"), Some(TextOutput::value("x"))),
    ]
}

/// A key of the lowest, and of the highest slot.
pub fn ends(slots: u16) -> (String, String) {
    (key(0, slots, 0), key(slots - 1, slots, 0))
}

fn multi_put_then_get(slots: u16) -> Asks {
    let (one, two) = ends(slots);
    vec![
        (TextCommand::multi_put(&[(&one, "x"), (&two, "y")]), Some(TextOutput::Ok)),
        (TextCommand::multi_get(&[&one, &two]), Some(TextOutput::values(&["x", "y"]))),
    ]
}

/// Client 1 appends first to each key, and client 2 then.
fn appends() -> [Asks; 2] {
    let (one, two) = ends(2);
    let both = |first: [&str; 2], then: [&str; 2]| -> Asks {
        [&one, &two]
            .into_iter()
            .zip(first.into_iter().zip(then))
            .map(|(key, (piece, value))| (TextCommand::append(key, piece), Some(TextOutput::appended(value))))
            .collect()
    };
    [both(["X1", "X2"], ["X1", "X2"]), both(["Y1", "Y2"], ["X1Y1", "X2Y2"])]
}

fn swaps() -> [Asks; 2] {
    let (one, two) = ends(2);
    [
        vec![
            (TextCommand::multi_put(&[(&one, "X"), (&two, "Y")]), Some(TextOutput::Ok)),
            (TextCommand::swap(&one, &two), Some(TextOutput::Ok)),
        ],
        vec![(TextCommand::multi_get(&[&one, &two]), Some(TextOutput::values(&["Y", "X"])))],
    ]
}

fn four_appending() -> Vec<Asks> {
    let (one, two) = ends(2);
    let append = |key: &str, piece: &str| vec![(TextCommand::append(key, piece), None)];
    vec![append(&one, "a"), append(&one, "b"), append(&two, "c"), append(&two, "d")]
}

fn transacting() -> Vec<Asks> {
    let (one, two) = ends(2);
    let put = |value| vec![(TextCommand::multi_put(&[(&one, value), (&two, value)]), None)];
    let get = || vec![(TextCommand::multi_get(&[&one, &two]), None)];
    vec![put("1"), put("2"), get(), get()]
}

/// The controller has made its first changes, up to so many. Nobody else does anything meanwhile.
pub fn after_changes(bench: &mut Stand<'_, '_>, from: &State, groups: u32, count: u64) -> Staged<State> {
    let plan = only(sound(groups, 1), bench, &[MASTER, CONTROLLER]).calm();
    bench.must_reach(&format!("{count} changes are made"), from, plan.goal(changed(count)))
}

/// These groups lead, and carry out this configuration.
pub fn settled(bench: &mut Stand<'_, '_>, from: &State, groups: &[u32], number: u64) -> Staged<State> {
    let mut state = from.clone();
    for group in groups {
        let id = member(*group);
        let plan = only(sound(2, 1), bench, &[id]).calm();
        let plan = with_timers_of(plan, bench, &[id]);
        state = bench.must_reach(&format!("group {group} has a leader"), &state, plan.goal(leads(*group)))?;
    }
    for number in 0..=number {
        let ids: Vec<NodeId> = groups.iter().map(|group| member(*group)).chain([MASTER]).collect();
        let goal =
            groups.iter().map(|group| has_settled(*group, number)).reduce(synod_checker::Property::and);
        let Some(goal) = goal else { return Ok(state) };
        let plan = only(sound(2, 1), bench, &ids).calm();
        let stage = format!("configuration {number} is carried out");
        state = bench.must_reach(&stage, &state, plan.goal(goal))?;
    }
    Ok(state)
}

/// Template A.
fn one_group(desk: &mut Desk<'_>, user: Asks) -> Staged {
    let mut bench = Shards::new(1, 10, joins(1, 1), vec![user]).bench(desk)?;
    let start = bench.start();
    let joined = after_changes(&mut bench, &start, 1, 1)?;
    let plan = || sound(1, 1);
    let all = bench.must_reach("the client is done", &joined, plan().calm().goal(done(&[1])))?;
    bench.explore("every way on", &all, plan().states(BUDGET / 4))?;
    bench.explore("every way", &joined, plan().prune(done(&[1])).states(BUDGET))?;
    let still = with_timers_of(plan(), &bench, &[]);
    bench.exhaust("every way from the start without timers", &start, still, Pinned::new(4, 2))
}

/// Template B: both groups join and the first leaves, so that every slot moves, some of them twice.
fn everything_moves(desk: &mut Desk<'_>, user: Asks, pinned: Pinned) -> Staged {
    let mut bench = Shards::new(2, 10, joins_and_leaves(1), vec![user]).bench(desk)?;
    let start = bench.start();
    let joined = after_changes(&mut bench, &start, 2, 1)?;
    let plan = || sound(2, 1);
    let way = only(plan(), &bench, &[C1, MASTER, member(1)]).calm();
    let first = bench.must_reach("the client has one result", &joined, way.goal(is_answered(C1, 1)))?;
    let changed = after_changes(&mut bench, &first, 2, 3)?;
    let moved = settled(&mut bench, &changed, &[1, 2], 2)?;
    let all = bench.must_reach("the client is done", &moved, plan().calm().goal(done(&[1])))?;
    bench.explore("every way on", &all, plan().states(BUDGET / 4))?;
    bench.explore("every way since the changes", &changed, plan().prune(done(&[1])).states(BUDGET))?;
    bench.explore("every way since the first", &joined, plan().prune(done(&[1])).states(BUDGET))?;
    let still = with_timers_of(plan().prune(done(&[1])), &bench, &[]);
    bench.exhaust("every way since they were carried out, without timers", &moved, still, pinned)
}

/// Template C: the second of two slots moves between what two clients ask.
fn a_slot_moves(desk: &mut Desk<'_>, users: &[Asks; 2], pinned: Option<Pinned>) -> Staged {
    let mut bench = Shards::new(2, 2, joins(2, 1), users.to_vec()).bench(desk)?;
    let start = bench.start();
    let joined = after_changes(&mut bench, &start, 2, 1)?;
    let plan = || sound(2, 1);
    let way = only(plan(), &bench, &[C1, MASTER, member(1)]).calm();
    let one = bench.must_reach("client 1 is done", &joined, way.goal(done(&[1])))?;
    let changed = after_changes(&mut bench, &one, 2, 2)?;
    let moved = settled(&mut bench, &changed, &[1, 2], 1)?;
    let way = only(plan(), &bench, &[C2, MASTER, member(1), member(2)]).calm();
    let all = bench.must_reach("client 2 is done", &moved, way.goal(done(&[2])))?;
    bench.explore("every way on", &all, plan().states(BUDGET / 4))?;
    let rest = || plan().prune(done(&[2]));
    bench.explore("every way since the change", &changed, rest().states(BUDGET))?;
    let stage = "every way since it was carried out, without timers";
    let still = with_timers_of(rest(), &bench, &[]);
    match pinned {
        Some(pinned) => bench.exhaust(stage, &moved, still, pinned),
        None => bench.explore(stage, &moved, still.states(BUDGET)),
    }
}

fn random_ways(desk: &mut Desk<'_>, members: u32, users: &[Asks]) -> Staged {
    let shards = Shards::new(2, 2, joins_and_leaves(members), users.to_vec());
    let mut bench = Shards { members, ..shards }.bench(desk)?;
    let start = bench.start();
    let walks = Walks { seed: u64::from(members), count: u64::MAX, steps: 1_000 };
    let plan: Plan = sound(2, members).prune(done(&[1, 2, 3, 4]));
    bench.walk("random ways", &start, plan.states(BUDGET / 4), walks)
}
