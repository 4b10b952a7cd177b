//! Searches of `shardedstore` beyond the module's list: what is late, what crashed, what stood still.

use super::shards::{
    Asks, BUDGET, Claim, Plan, Shards, Sight, Stand, done, has_settled, is_answered, joins, key, leads,
    member, only, sound, with_timers_of, without_timers,
};
use super::{after_changes, ends, row, settled};
use crate::scenarios::texts::around_the_log;
use synod_checker::{Budgets, Fairness, Network, Property, Reads, State};
use synod_node::{NodeId, StateMachine as _};
use synod_shardedstore::{
    ConfigurationCommand, GroupId, Message, Process, Server, SlotId, SlotStatus, TextCommand, TextOutput,
    Texts,
};
use synod_testkit::{Desk, Pinned, Search, Staged};

/// Searches beyond the list.
pub const SEARCHES: &[Search] = &[
    row("x3", "a_command_that_ran_before_its_slot_moved_runs_once", ran_before),
    row("x4", "a_lock_outlives_a_crash", locks_outlive_crashes),
    row("x5", "a_former_owner_reads_nothing_stale", former_owner),
    row("x6", "a_lock_that_comes_late_writes_nothing_twice", late_lock),
    row("x7", "a_transaction_can_always_end", can_end),
    row("x8", "a_slot_that_moves_and_a_transaction_that_wants_it", moves_and_locks),
    row("x9", "one_crash_anywhere_while_a_slot_moves", crash_while_moving),
    row("x10", "a_try_whose_home_moved_away_leaves_no_locks", home_moves),
    row("x11", "a_slot_that_is_copied_while_it_is_written_moves_whole", copied_while_written),
];

const C1: NodeId = NodeId::client(1);
const C2: NodeId = NodeId::client(2);
const N21: NodeId = member(2);
const MASTER: NodeId = super::shards::MASTER;

/// A group's first member has this under a key.
fn has(group: u32, key: &str, value: &str) -> Claim {
    let id = member(group);
    let (get, output) = (TextCommand::get(key), TextOutput::value(value));
    Property::when(format!("g{group} has {value}"), Reads::Nodes(vec![id]), move |view: &Sight<'_>| {
        let state = view.node(id).and_then(Process::server).map(Server::state);
        state.is_some_and(|state| state.store().query(&get).as_ref() == Some(&output))
    })
}

/// Two groups own a slot each, and what these users ask may begin.
fn two_groups<'d, 'a>(desk: &'d mut Desk<'a>, shards: Shards) -> Staged<(Stand<'d, 'a>, State)> {
    let mut bench = shards.bench(desk)?;
    let start = bench.start();
    let changed = after_changes(&mut bench, &start, 2, 2)?;
    let moved = settled(&mut bench, &changed, &[1, 2], 1)?;
    Ok((bench, moved))
}

/// The answer to client 1 is late, and it asks again when the slot has moved.
fn ran_before(desk: &mut Desk<'_>) -> Staged {
    let (_, two) = ends(2);
    let users = vec![vec![(TextCommand::append(&two, "X"), Some(TextOutput::appended("X")))]];
    let mut bench = Shards::new(2, 2, joins(2, 1), users).bench(desk)?;
    let start = bench.start();
    let joined = after_changes(&mut bench, &start, 2, 1)?;
    let way = only(sound(2, 1), &bench, &[C1, MASTER, member(1)]).calm().cut(member(1), C1);
    let ran = bench.must_reach("the command has run", &joined, way.goal(has(1, &two, "X")))?;
    let changed = after_changes(&mut bench, &ran, 2, 2)?;
    let moved = settled(&mut bench, &changed, &[1, 2], 1)?;
    let late = || sound(2, 1).cut(member(1), C1).prune(done(&[1]));
    let way = with_timers_of(late().calm(), &bench, &[C1]).goal(done(&[1]));
    bench.must_reach("the client is done", &moved, way)?;
    let way = with_timers_of(late(), &bench, &[C1]);
    bench.exhaust("every way of the client", &moved, way, Pinned::new(5_280, 24))?;
    bench.explore("every way since the change", &changed, sound(2, 1).states(BUDGET / 2))
}

const ONE_CRASH: Budgets = Budgets { crashes: 1, late_writes: 1, drops: 0, give_ups: 0, pauses: 0, cuts: 0 };

fn put_both(value: &str) -> (TextCommand, Option<TextOutput>) {
    let (one, two) = ends(2);
    (TextCommand::multi_put(&[(&one, value), (&two, value)]), Some(TextOutput::Ok))
}

/// A group's first member has locked slots.
fn has_locked(group: u32) -> Claim {
    let id = member(group);
    Property::when(format!("g{group} has locked"), Reads::Nodes(vec![id]), move |view: &Sight<'_>| {
        let state = view.node(id).and_then(Process::server).map(Server::state);
        state.is_some_and(|state| state.transactions().1 > 0)
    })
}

/// A participant has asked what became of a try.
fn inquires() -> Claim {
    Property::when("somebody asks what became of a try", Reads::Everything, |view: &Sight<'_>| {
        view.messages().iter().any(|(.., message)| matches!(message, Message::Inquire { .. }))
    })
}

/// Client 1 writes both groups' keys, client 2 reads them; one server crashes on the way.
fn locks_outlive_crashes(desk: &mut Desk<'_>) -> Staged {
    let (one, two) = ends(2);
    let get = (TextCommand::get(&two), None);
    let both = (TextCommand::multi_get(&[&one, &two]), None);
    let shards = Shards::new(2, 2, joins(2, 1), vec![vec![put_both("1"), both], vec![get.clone(), get]]);
    let (mut bench, moved) = two_groups(desk, Shards { budgets: ONE_CRASH, ..shards })?;
    let way = only(sound(2, 1), &bench, &[C1, MASTER, member(1), member(2)]).calm();
    let locked = bench.must_reach("group 2 has locked", &moved, way.goal(has_locked(2)))?;
    let rest = || sound(2, 1).prune(done(&[1, 2]));
    // The decision is late: group 2 asks what became of it.
    let way = only(sound(2, 1), &bench, &[C1, MASTER, member(1), member(2)]).cut(member(1), member(2));
    let decided = bench.must_reach("client 1 is answered", &locked, way.calm().goal(is_answered(C1, 1)))?;
    let way = with_timers_of(only(sound(2, 1), &bench, &[N21]), &bench, &[N21]);
    let asked = bench.must_reach("group 2 asks", &decided, way.calm().goal(inquires()))?;
    let near = only(rest(), &bench, &[C2, MASTER, member(1), member(2)]);
    bench.explore("every way of the reader", &asked, without_timers(near, &bench).states(BUDGET / 2))?;
    let asking = with_timers_of(rest(), &bench, &[member(2)]);
    bench.explore("every way since the decision", &decided, asking.states(BUDGET / 2))?;
    // Group 2's server crashes, and leads again.
    let way = only(sound(2, 1), &bench, &[MASTER]).goal(Property::is_down(N21));
    let state = bench.must_reach("server 21 crashes", &locked, way)?;
    let way = only(sound(2, 1), &bench, &[MASTER]).goal(Property::is_down(N21).negated());
    let state = bench.must_reach("server 21 restarts", &state, way)?;
    let way = only(sound(2, 1), &bench, &[N21]).calm().goal(leads(2));
    let restarted = bench.must_reach("server 21 leads again", &state, way)?;
    let still = without_timers(rest(), &bench);
    bench.explore("every way since the crash, without timers", &restarted, still.states(BUDGET))?;
    let near = with_timers_of(rest(), &bench, &[member(1), member(2), C1]);
    bench.explore("every way since then", &locked, near.states(BUDGET))?;
    bench.explore("every way", &moved, rest().states(BUDGET))
}

/// Client 2 read from the former owner before, and asks it again when client 1 has written at the new one.
fn former_owner(desk: &mut Desk<'_>) -> Staged {
    let (_, two) = ends(2);
    let put = |value| (TextCommand::put(&two, value), Some(TextOutput::Ok));
    let get = |value| (TextCommand::get(&two), Some(TextOutput::value(value)));
    let users: Vec<Asks> = vec![vec![put("1"), put("2")], vec![get("1"), get("2")]];
    let shards = Shards { asking: around_the_log, ..Shards::new(2, 2, joins(2, 1), users) };
    let mut bench = shards.bench(desk)?;
    let start = bench.start();
    let joined = after_changes(&mut bench, &start, 2, 1)?;
    let near = |client| [client, MASTER, member(1)];
    let way = only(sound(2, 1), &bench, &near(C1)).calm().goal(is_answered(C1, 1));
    let written = bench.must_reach("client 1 has written", &joined, way.prune(done(&[1])))?;
    // Its second read is on its way to the former owner, and stays there.
    let way = only(sound(2, 1), &bench, &near(C2)).calm().goal(is_answered(C2, 1));
    let read = bench.must_reach("client 2 has read", &written, way)?;
    let changed = after_changes(&mut bench, &read, 2, 2)?;
    let first = settled(&mut bench, &changed, &[1, 2], 0)?;
    let groups = [MASTER, member(1), member(2)];
    // The old owner does not know yet that the new one has the slot.
    let way = only(sound(2, 1), &bench, &groups).calm().goal(has_settled(2, 1));
    let given = bench.must_reach("group 2 has the slot", &first, way)?;
    let way = only(sound(2, 1), &bench, &[C1, MASTER, member(1), member(2)]).calm().goal(done(&[1]));
    let way = way.cut(member(2), member(1));
    let again = bench.must_reach("client 1 has written again", &given, way)?;
    let rest = || sound(2, 1).prune(done(&[2]));
    let late = rest().cut(member(2), member(1));
    bench.explore("every way of the reader", &again, without_timers(late, &bench).states(BUDGET))?;
    let still = with_timers_of(rest(), &bench, &[]);
    bench.exhaust("every way on without timers", &again, still, Pinned::new(45_360, 29))?;
    bench.explore("every way on", &again, rest().states(BUDGET / 2))
}

/// Client 1 writes both groups' keys, extends one of them, and reads it; whatever was said may be said again.
fn late_lock(desk: &mut Desk<'_>) -> Staged {
    let (_, two) = ends(2);
    let users = vec![vec![
        put_both("1"),
        (TextCommand::append(&two, "2"), Some(TextOutput::appended("12"))),
        (TextCommand::get(&two), Some(TextOutput::value("12"))),
    ]];
    let (mut bench, moved) = two_groups(desk, Shards::new(2, 2, joins(2, 1), users))?;
    let way = only(sound(2, 1), &bench, &[C1, MASTER, member(1), member(2)]).calm();
    let extended = bench.must_reach("two requests are answered", &moved, way.goal(is_answered(C1, 2)))?;
    let rest = || sound(2, 1).prune(done(&[1]));
    let still = without_timers(rest(), &bench);
    let way = still.clone().goal(has_locked(2));
    bench.explore("every way on without timers", &extended, still.states(BUDGET))?;
    let anew = bench.must_reach("group 2 has locked anew", &extended, way)?;
    let asking = with_timers_of(rest(), &bench, &[member(2)]);
    bench.explore("every way since then", &anew, asking.states(BUDGET / 2))?;
    bench.explore("every way on", &extended, rest().states(BUDGET / 2))
}

/// A transaction over both groups, and a reader of one of its keys.
fn can_end(desk: &mut Desk<'_>) -> Staged {
    let (_, two) = ends(2);
    let users = vec![vec![put_both("1")], vec![(TextCommand::get(&two), None)]];
    // Whatever is said arrives once: a lock that came late would wait for a tick.
    let shards = Shards { network: Network::Bag, ..Shards::new(2, 2, joins(2, 1), users) };
    let (mut bench, moved) = two_groups(desk, shards)?;
    let way = |bench: &Stand<'_, '_>| with_timers_of(sound(2, 1), bench, &[]);
    let plan = way(&bench);
    let question = (&done(&[1, 2]), Fairness::Possible);
    bench.eventually("both can always be done", &moved, plan.states(BUDGET), question)
}

/// A slot goes to a group.
fn move_to(slot: u16, group: u32) -> ConfigurationCommand {
    let slot = SlotId::new(slot.into()).expect("there are so many");
    ConfigurationCommand::Move { first: slot, last: slot, group: GroupId(group) }
}

/// A group's first member knows a configuration.
fn knows(group: u32, number: u64) -> Claim {
    let id = member(group);
    let name = format!("g{group} knows configuration {number}");
    Property::when(name, Reads::Nodes(vec![id]), move |view: &Sight<'_>| {
        let state = view.node(id).and_then(Process::server).map(Server::state);
        state.and_then(|state| state.configuration()).is_some_and(|known| known.number >= number)
    })
}

/// A group's first member has frozen a slot.
fn has_frozen(group: u32) -> Claim {
    let id = member(group);
    Property::when(format!("g{group} has frozen a slot"), Reads::Nodes(vec![id]), move |view: &Sight<'_>| {
        let state = view.node(id).and_then(Process::server).map(Server::state);
        state.is_some_and(|state| state.held().any(|(_, status)| status == SlotStatus::Frozen))
    })
}

/// Group 2 coordinates, since it has the home slot, and group 1 has locked when the home slot goes to group 1.
fn home_moves(desk: &mut Desk<'_>) -> Staged {
    let mut changes = joins(2, 1);
    changes.extend([move_to(0, 2), move_to(1, 1), move_to(0, 1)]);
    let shards = Shards::new(2, 2, changes, vec![vec![put_both("1")]]);
    let mut bench = Shards { network: Network::Bag, ..shards }.bench(desk)?;
    let start = bench.start();
    let state = after_changes(&mut bench, &start, 2, 4)?;
    let state = settled(&mut bench, &state, &[1, 2], 3)?;
    let all = [C1, MASTER, member(1), member(2)];
    let way = only(sound(2, 1), &bench, &all).calm();
    let way = with_timers_of(way, &bench, &[]).goal(has_locked(1));
    let state = bench.must_reach("group 1 has locked", &state, way)?;
    let state = after_changes(&mut bench, &state, 2, 5)?;
    let groups = [MASTER, member(1), member(2)];
    let way = only(sound(2, 1), &bench, &groups).calm().cut(member(1), member(2));
    let way = way.goal(knows(1, 4));
    let state = bench.must_reach("group 1 knows the move", &state, way)?;
    let way = only(sound(2, 1), &bench, &groups).calm().goal(has_frozen(2));
    let state = bench.must_reach("group 2 has frozen the home slot", &state, way)?;
    // Nobody needs the configuration service any more.
    let state = bench.by_hand("forget", &state, |checker, state| {
        Some(checker.drop_pending(&state, |from, to, _| from == MASTER || to == MASTER))
    })?;
    let plan = with_timers_of(only(sound(2, 1), &bench, &[C1, member(1), member(2)]), &bench, &[]);
    let question = (&done(&[1]), Fairness::Possible);
    bench.eventually("the client can always be served", &state, plan.states(BUDGET), question)
}

/// The second slot is to move to the second group while a transaction wants both.
fn moves_and_locks(desk: &mut Desk<'_>) -> Staged {
    let (one, two) = ends(2);
    let get = (TextCommand::multi_get(&[&one, &two]), None);
    let users = vec![vec![put_both("1"), get.clone()], vec![put_both("2"), get]];
    let mut bench = Shards::new(2, 2, joins(2, 1), users).bench(desk)?;
    let start = bench.start();
    let changed = after_changes(&mut bench, &start, 2, 2)?;
    let first = settled(&mut bench, &changed, &[1, 2], 0)?;
    let plan = || -> Plan { sound(2, 1).prune(done(&[1, 2])) };
    let way = only(plan(), &bench, &[C1, MASTER, member(1), member(2)]).calm();
    bench.must_reach("client 1 is done", &first, way.goal(done(&[1])))?;
    bench.explore("every way", &first, plan().states(BUDGET))?;
    let still = without_timers(plan(), &bench);
    bench.explore("every way without timers", &first, still.states(BUDGET))
}

/// The second slot has two keys, is copied key by key, and is written meanwhile: a key changes, one goes, one comes.
fn copied_while_written(desk: &mut Desk<'_>) -> Staged {
    let [one, two, three] = [0, 1, 2].map(|which| key(1, 2, which));
    let ok = |command| (command, Some(TextOutput::Ok));
    let read = TextCommand::multi_get(&[&one, &two, &three]);
    let told = TextOutput::Values(vec![Some("a1".into()), None, Some("b".into())]);
    let users = vec![vec![
        ok(TextCommand::multi_put(&[(&one, "a"), (&two, "b")])),
        (TextCommand::append(&one, "1"), Some(TextOutput::appended("a1"))),
        ok(TextCommand::swap(&two, &three)),
        (read, Some(told)),
    ]];
    let shards = Shards { part_bytes: 0, ..Shards::new(2, 2, joins(2, 1), users) };
    let mut bench = shards.bench(desk)?;
    let start = bench.start();
    let joined = after_changes(&mut bench, &start, 2, 1)?;
    let way = only(sound(2, 1), &bench, &[C1, MASTER, member(1)]).calm();
    let filled = bench.must_reach("two keys are there", &joined, way.goal(is_answered(C1, 1)))?;
    let changed = after_changes(&mut bench, &filled, 2, 2)?;
    let first = settled(&mut bench, &changed, &[1, 2], 0)?;
    let groups = [MASTER, member(1), member(2)];
    let way = only(sound(2, 1), &bench, &groups).calm().goal(has_begun_a_round(0));
    let copied = bench.must_reach("the first round is under way", &first, way)?;
    let rest = || sound(2, 1).prune(done(&[1]));
    let way = only(rest(), &bench, &[C1, MASTER, member(1)]).calm().goal(is_answered(C1, 3));
    let written = bench.must_reach("it is written meanwhile", &copied, way)?;
    let near = only(rest(), &bench, &groups).calm().goal(has_begun_a_round(1));
    bench.must_reach("what was written is a round of its own", &written, near)?;
    let still = without_timers(rest(), &bench);
    bench.exhaust("every way on without timers", &copied, still, Pinned::new(769_180, 51))?;
    bench.explore("every way since it was written", &written, rest().states(BUDGET / 4))?;
    bench.explore("every way on", &copied, rest().states(BUDGET / 2))
}

/// The first group has begun this round of a slot, and serves it still.
fn has_begun_a_round(round: u32) -> Claim {
    let id = member(1);
    Property::when(format!("round {round} is under way"), Reads::Everything, move |view: &Sight<'_>| {
        let state = view.node(id).and_then(Process::server).map(Server::state);
        let serves = state.is_some_and(|state| state.held().all(|(_, status)| status == SlotStatus::Served));
        let gives = |message: &Message<Texts>| matches!(message, Message::Give { chunks, .. } if chunks.iter().any(|chunk| chunk.round == round));
        serves && view.messages().iter().any(|(.., message)| gives(message))
    })
}

/// The second slot moves, and one server crashes on the way.
fn crash_while_moving(desk: &mut Desk<'_>) -> Staged {
    let (_, two) = ends(2);
    let append = |piece: &str| vec![(TextCommand::append(&two, piece), None)];
    let users = vec![append("a"), append("b")];
    let shards = Shards { budgets: ONE_CRASH, ..Shards::new(2, 2, joins(2, 1), users) };
    let mut bench = shards.bench(desk)?;
    let start = bench.start();
    let joined = after_changes(&mut bench, &start, 2, 1)?;
    let way = only(sound(2, 1), &bench, &[C1, MASTER, member(1)]).calm();
    let one = bench.must_reach("client 1 is done", &joined, way.goal(done(&[1])))?;
    let changed = after_changes(&mut bench, &one, 2, 2)?;
    let first = settled(&mut bench, &changed, &[1, 2], 0)?;
    let plan = || sound(2, 1).prune(done(&[1, 2]));
    let near = only(plan(), &bench, &[MASTER, member(1), member(2)]);
    bench.explore("every way of the groups", &first, near.states(BUDGET))?;
    bench.explore("every way", &first, plan().states(BUDGET))
}
