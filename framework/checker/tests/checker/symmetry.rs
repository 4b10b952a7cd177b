//! Searches up to a symmetry: fewer states, and the same verdicts.

use crate::models::crew::Threads;
use crate::models::ledger::{self, Ledger, Size, lines_are_kept};
use crate::models::systems::{agreed, two_phase};
use crate::models::two_phase::{MANAGER, Resource, TwoPhase};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use synod_checker::{
    Alone, Blind, Budgets, Checkable, Checker, Crew, Network, Observer, Property, Reads, Reductions, Report,
    Settings, Symmetry, System, User, Verdict, View,
};
use synod_node::{Context, Durable, Node, NodeId, Rename, RequestId};

fn up_to<N: Checkable>(symmetry: Symmetry<N>) -> Reductions<N> {
    Reductions { symmetry: Some(Arc::new(symmetry)), ..Reductions::default() }
}

fn resources(system: &System<TwoPhase>) -> Vec<NodeId> {
    system.names().into_iter().filter(|id| *id != MANAGER).collect()
}

fn two_phase_up_to_names(count: u32, is_exact: bool, crew: &dyn Crew) -> Report {
    let system = two_phase(count);
    let reductions = up_to(Symmetry::new(&system, &[resources(&system)]).unwrap());
    let settings = Settings { reductions, is_exact, ..Settings::default() }.invariant(agreed(&system));
    let checker = Checker::new(system, Blind).unwrap();
    checker.breadth_first(&checker.start(), &settings, crew)
}

#[test]
fn resource_managers_are_interchangeable() {
    let mut counts = Vec::new();
    for count in 3..=7 {
        let report = two_phase_up_to_names(count, false, &Alone);
        assert_eq!(report.verdict, Verdict::Exhausted);
        counts.push(report.stats.unique);
    }
    // Of 288, 1,568, 8,832, 50,816 and 296,448.
    assert_eq!(counts, PINNED);
}

const PINNED: [u64; 5] = [80, 166, 314, 553, 920];

#[test]
fn whole_states_and_more_threads_count_the_same() {
    for (is_exact, threads) in [(false, 1), (true, 1), (false, 2), (true, 2)] {
        let report = two_phase_up_to_names(5, is_exact, &Threads(threads));
        assert_eq!((report.verdict, report.stats.unique), (Verdict::Exhausted, PINNED[2]));
    }
}

/// A state in words that names alone may change, one line a fact.
fn facts<N>(view: &View<'_, N>, names: &[NodeId], name: &dyn Fn(NodeId) -> NodeId) -> Vec<String>
where
    N: Checkable + Rename,
    N: Node<Message: Rename, Record: Rename, Checkpoint: Rename>,
{
    let mut facts = Vec::new();
    for id in names.iter().copied() {
        let (mut node, mut disk) = (view.node(id).cloned(), view.disk(id));
        node.rename(name);
        disk.rename(name);
        let user = (view.asked(id), view.answered(id));
        // Timers that may fire in either order stand in an order that does not matter.
        let mut timers: Vec<String> = view.timers(id).iter().map(|timer| format!("{timer:?}")).collect();
        timers.sort();
        facts.push(format!("{} {node:?} {disk:?} {user:?} {timers:?}", name(id)));
    }
    let mut at = 0;
    for (from, to, mut message) in view.messages() {
        message.rename(name);
        facts.push(format!("{} {} {message:?}", name(from), name(to)));
        at += 1;
    }
    facts.push(format!("{at}"));
    facts.sort();
    facts
}

fn permutations(ids: &[NodeId]) -> Vec<Vec<NodeId>> {
    let Some((last, rest)) = ids.split_last() else { return vec![Vec::new()] };
    let insert =
        |order: Vec<NodeId>| (0..=order.len()).map(move |at| [&order[..at], &[*last], &order[at..]].concat());
    permutations(rest).into_iter().flat_map(insert).collect()
}

/// What properties see of the states of a search up to names, and of those that these stand for; and how many were searched.
fn sights<N>(system: System<N>, groups: &[Vec<NodeId>], is_exact: bool) -> (u64, BTreeSet<Vec<String>>)
where
    N: Checkable + Rename,
    N: Node<Message: Rename, Timer: Rename, Record: Rename, Checkpoint: Rename, Response: Rename>,
{
    let all_sights: Arc<Mutex<BTreeSet<Vec<String>>>> = Arc::default();
    let into = Arc::clone(&all_sights);
    let (ids, names) = (groups.to_vec(), system.names());
    let sees = Property::when("sees", Reads::Everything, move |view| {
        let mut all: Vec<Vec<(NodeId, NodeId)>> = vec![Vec::new()];
        for group in &ids {
            let orders = permutations(group);
            let join = |one: &Vec<(NodeId, NodeId)>| {
                let with = |order: &Vec<NodeId>| {
                    let pairs = group.iter().copied().zip(order.iter().copied());
                    one.iter().copied().chain(pairs).collect::<Vec<_>>()
                };
                orders.iter().map(with).collect::<Vec<_>>()
            };
            all = all.iter().flat_map(join).collect();
        }
        let orbit = all.iter().map(|pairs| {
            let name = |id| pairs.iter().find(|(from, _)| *from == id).map_or(id, |(_, to)| *to);
            facts(view, &names, &name)
        });
        into.lock().unwrap().extend(orbit);
        true
    });
    let reductions = up_to(Symmetry::new(&system, groups).unwrap());
    let settings = Settings { reductions, is_exact, ..Settings::default() }.invariant(sees);
    let checker = Checker::new(system, Blind).unwrap();
    let report = checker.breadth_first(&checker.start(), &settings, &Alone);
    assert_eq!(report.verdict, Verdict::Exhausted, "{:?}", report.findings);
    let all = std::mem::take(&mut *all_sights.lock().unwrap());
    (report.stats.unique, all)
}

#[test]
fn orbits_of_two_phase_commit_make_up_all_states() {
    for count in 3..=5 {
        let system = two_phase(count);
        let groups = [resources(&system)];
        let (some, all) = sights(system, &groups, count == 4);
        let (unique, right) = sights(two_phase(count), &[], false);
        assert!(all == right && some * 3 < unique, "{some} of {unique}");
    }
}

/// Without a second copy of any message: what properties see does not count copies.
const SIZE: Size = Size { servers: 2, clients: 2, retries: 0, is_hasty: false };

#[test]
fn orbits_of_a_ledger_make_up_all_states() {
    for network in [Network::Set, Network::Bag, Network::Ordered] {
        let system = || ledger::system(SIZE, network, Budgets { crashes: 1, ..Budgets::default() });
        let groups = [NodeId::servers(2), NodeId::clients(2)];
        let (some, sights_of_some) = sights(system(), &groups, false);
        let (all, right) = sights(system(), &[], false);
        assert!(sights_of_some == right, "{network:?}");
        assert_eq!(sights(system(), &groups, true), (some, right));
        assert!(some * 3 < all, "{network:?}: {some} of {all}");
    }
}

#[test]
fn messages_on_one_link_keep_their_order() {
    let size = Size { servers: 2, clients: 1, retries: 1, is_hasty: false };
    let search = |groups: &[Vec<NodeId>], is_exact| {
        let system = ledger::system(size, Network::Ordered, Budgets { drops: 1, ..Budgets::default() });
        let reductions = up_to(Symmetry::new(&system, groups).unwrap());
        let settings = Settings { reductions, is_exact, ..Settings::default() };
        let checker = Checker::new(system, Blind).unwrap();
        checker.breadth_first(&checker.start(), &settings, &Alone).stats
    };
    let groups = [NodeId::servers(2)];
    let (fast, exact, whole) = (search(&groups, false), search(&groups, true), search(&[], true));
    assert_eq!(fast.by_depth, exact.by_depth);
    assert!(fast.unique * 2 >= whole.unique && fast.unique * 10 < whole.unique * 6);
}

#[test]
fn who_is_paused_or_cut_off_is_renamed() {
    let size = Size { servers: 2, clients: 0, retries: 0, is_hasty: false };
    let [n1, n2, n3] = [1, 2, 3].map(NodeId::server);
    let count = |budgets: Budgets, groups: &[Vec<NodeId>]| {
        let mut system = ledger::system(size, Network::Set, budgets);
        system.partitions = vec![vec![(n3, n1)], vec![(n3, n2)]];
        let settings =
            Settings { reductions: up_to(Symmetry::new(&system, groups).unwrap()), ..Settings::default() };
        let checker = Checker::new(system, Blind).unwrap();
        checker.breadth_first(&checker.start(), &settings, &Alone).stats.unique
    };
    let (pauses, cuts) =
        (Budgets { pauses: 1, ..Budgets::default() }, Budgets { cuts: 1, ..Budgets::default() });
    let both = [vec![n1, n2]];
    // Nobody, either, and nobody any more.
    assert_eq!((count(pauses.clone(), &[]), count(pauses, &both)), (4, 3));
    assert_eq!((count(cuts.clone(), &[]), count(cuts, &both)), (3, 2));
}

fn ledger_report(budgets: Budgets, is_hasty: bool, (groups, is_exact): (&[Vec<NodeId>], bool)) -> Report {
    let size = Size { servers: 2, clients: 1, retries: 1, is_hasty };
    let mut system = ledger::system(size, Network::Bag, budgets);
    let [n1, n2, c1] = [NodeId::server(1), NodeId::server(2), NodeId::client(1)];
    system.partitions = vec![vec![(c1, n1), (n1, c1)], vec![(c1, n2), (n2, c1)]];
    let reductions = up_to(Symmetry::new(&system, groups).unwrap());
    let settings = Settings { reductions, is_exact, ..Settings::default() }
        .invariant(lines_are_kept(size))
        .until_first();
    let checker = Checker::new(system, Blind).unwrap();
    checker.breadth_first(&checker.start(), &settings, &Alone)
}

#[test]
fn faults_are_renamed_too() {
    let all = [
        Budgets { crashes: 1, late_writes: 1, ..Budgets::default() },
        Budgets { pauses: 2, ..Budgets::default() },
        Budgets { cuts: 2, drops: 1, ..Budgets::default() },
        Budgets { give_ups: 1, pauses: 1, cuts: 1, ..Budgets::default() },
    ];
    for budgets in all {
        let groups = [NodeId::servers(2)];
        let whole = ledger_report(budgets.clone(), false, (&[], true));
        let fast = ledger_report(budgets.clone(), false, (&groups, false));
        let exact = ledger_report(budgets.clone(), false, (&groups, true));
        assert_eq!((whole.verdict, fast.verdict), (Verdict::Exhausted, Verdict::Exhausted));
        println!("{budgets:?}: {} of {}", fast.stats.unique, whole.stats.unique);
        assert_eq!(fast.stats.by_depth, exact.stats.by_depth, "{budgets:?}");
        assert_eq!(fast.stats.depth, whole.stats.depth);
        let (some, all) = (fast.stats.unique, whole.stats.unique);
        assert!(some * 2 >= all && some * 10 < all * 6, "{some} of {all} with {budgets:?}");
    }
}

#[test]
fn a_violation_is_found_as_near_as_without() {
    let budgets = Budgets { crashes: 1, late_writes: 1, ..Budgets::default() };
    let whole = ledger_report(budgets.clone(), true, (&[], false));
    let up_to_names = ledger_report(budgets, true, (&[NodeId::servers(2)], false));
    let steps = |report: &Report| report.violation().unwrap().state.steps();
    assert_eq!(steps(&whole), steps(&up_to_names));
}

#[test]
fn a_property_that_reads_one_of_the_group_tells_it_apart() {
    let system = two_phase(3);
    let second = resources(&system)[0];
    let prepared = Property::when("n2 is prepared", Reads::Nodes(vec![second]), move |view| {
        view.node(second).is_some_and(|node: &TwoPhase| node.is(Resource::Prepared))
    });
    let reductions = up_to(Symmetry::new(&system, &[resources(&system)]).unwrap());
    let settings = Settings { reductions, ..Settings::default() }.invariant(prepared);
    let checker = Checker::new(system, Blind).unwrap();
    let report = checker.breadth_first(&checker.start(), &settings, &Alone);
    assert_eq!(report.verdict, Verdict::Violated);
    // Two of three are interchangeable then.
    assert_eq!(report.stats.unique, states_in_orbits_of_two());
}

fn states_in_orbits_of_two() -> u64 {
    let system = two_phase(3);
    let rest = resources(&system)[1..].to_vec();
    sights(system, &[rest], false).0
}

#[test]
fn what_is_no_symmetry_is_refused() {
    let refused = |system: &System<Ledger>, groups: &[Vec<NodeId>]| {
        Symmetry::new(system, groups).err().expect("it is refused")
    };
    let system = || ledger::system(SIZE, Network::Set, Budgets::default());
    let [n1, n9, c1] = [NodeId::server(1), NodeId::server(9), NodeId::client(1)];
    assert!(refused(&system(), &[vec![n1, n9]]).contains("n9 is to be interchangeable, and is not there"));
    assert!(refused(&system(), &[vec![n1], vec![n1]]).contains("n1 is named twice"));
    assert!(refused(&system(), &[vec![n1, c1]]).contains("one is a client, one a server"));
    let client =
        |retries| Ledger::Client { servers: NodeId::servers(2), retries, waiting: None, is_tired: false };
    let c3 = NodeId::client(3);
    let mut lone = system();
    lone.add(c3, client(0));
    assert!(refused(&lone, &[vec![c1, c3]]).contains("only one has a user"));
    let mut asking = system();
    asking.add_with_user(c3, client(0), User::asks(vec![((), None), ((), None)]));
    assert!(refused(&asking, &[vec![c1, c3]]).contains("c1 asks None"));
    let mut wide = system();
    wide.add_with_user(c3, client(0), User::asks(vec![((), None)]).with_window(2));
    assert!(refused(&wide, &[vec![c1, c3]]).contains("windows differ"));
    let mut stubborn = system();
    stubborn.add_with_user(c3, client(7), User::asks(vec![((), None)]));
    assert!(refused(&stubborn, &[vec![c1, c3]]).contains("is built as"));
}

/// Each node tells all; who hears first of a greater name than its own follows it: names are compared.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Vain {
    peers: BTreeSet<NodeId>,
    follows: Option<NodeId>,
}

impl Node for Vain {
    type Message = ();
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        for peer in self.peers.clone() {
            ctx.send(peer, ());
        }
    }
    fn on_message(&mut self, from: NodeId, (): (), ctx: &mut Context<Self>) {
        if from > ctx.me() {
            self.follows = Some(from);
        }
    }
    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {}
    fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {}
    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {}
}

impl Rename for Vain {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.peers.rename(name);
        self.follows.rename(name);
    }
}

#[test]
fn a_handler_that_compares_names_is_caught() {
    let mut system = System::new(Network::Set);
    for id in NodeId::servers(3) {
        system.add(id, Vain { peers: NodeId::servers(3).into_iter().collect(), follows: None });
    }
    let reductions = up_to(Symmetry::new(&system, &[NodeId::servers(3)]).unwrap());
    let settings = Settings { reductions, ..Settings::default() };
    let checker = Checker::new(system, Blind).unwrap();
    let report = checker.breadth_first(&checker.start(), &settings, &Alone);
    let words = &report.violation().unwrap().words;
    assert!(words.contains("is not what the symmetry says"), "{words}");
}

/// What is asked of states, and which of the interchangeable nodes it names.
fn names_one(kind: &str, reads: Reads) -> Settings<TwoPhase> {
    let first = NodeId::server(2);
    let commits = Property::when("the first commits", reads, move |view: &View<'_, TwoPhase>| {
        let is = |(id, node): (NodeId, &TwoPhase)| id == first && node.is(Resource::Committed);
        view.all_nodes().filter_map(|(id, node)| Some((id, node?))).any(is)
    });
    match kind {
        "invariant" => Settings::default().invariant(commits.negated()),
        "goal" => Settings::default().goal(commits),
        _ => Settings::default().prune(commits),
    }
}

#[test]
fn a_property_that_names_one_of_those_that_are_alike_is_refused() {
    let system = two_phase(3);
    let all = Reads::Nodes(system.names());
    for kind in ["invariant", "goal", "prune"] {
        for reads in [all.clone(), Reads::Everything] {
            for is_exact in [false, true] {
                let symmetry = Symmetry::new(&system, &[resources(&system)]).unwrap();
                let settings =
                    Settings { is_exact, reductions: up_to(symmetry), ..names_one(kind, reads.clone()) };
                let checker = Checker::new(two_phase(3), Blind).unwrap();
                let from = checker.start();
                let broad = checker.breadth_first(&from, &settings, &Threads(2));
                let deep = checker.depth_first(&from, &settings, &Alone);
                for report in [broad, deep] {
                    let mut refused = report.findings.iter().map(|found| &found.words);
                    let is_named = refused.any(|words| {
                        words
                            .contains("the first commits` tells nodes apart that the symmetry says are alike")
                    });
                    assert!(is_named, "{kind}, {reads:?}: {:?}", report.findings);
                    assert_eq!(report.verdict, Verdict::Violated);
                    assert!(report.stats.unique < PINNED[0], "it ends there");
                }
            }
        }
    }
}

#[test]
fn users_are_compared_from_the_first_request_to_the_last() {
    let n1 = NodeId::server(1);
    let ask = |number: u64| synod_checker::Ask { request: (), expected: (number > 0).then_some(()) };
    let compare = |one: User<Ledger>, two: User<Ledger>| {
        let client = Ledger::Client { servers: vec![n1], retries: 0, waiting: None, is_tired: false };
        let mut system = System::new(Network::Bag);
        system.add_with_user(NodeId::client(1), client.clone(), one);
        system.add_with_user(NodeId::client(2), client, two);
        Symmetry::new(&system, &[NodeId::clients(2)]).err()
    };
    let until = move |last: u64, odd: u64| {
        User::new(move |number| (number < last).then(|| ask(u64::from(number == odd))))
    };
    assert_eq!(compare(until(5000, 0), until(5000, 0)), None);
    let late = compare(until(5000, 4000), until(5000, 9999)).expect("it is refused");
    assert!(late.contains("c1 asks"), "{late}");
    let longer = compare(until(4000, 0), until(4001, 0)).expect("it is refused");
    assert!(longer.contains("c1 asks None"), "{longer}");
    let endless = compare(until(u64::MAX, 0), until(u64::MAX, 0)).expect("it is refused");
    assert!(endless.contains("ask more than 16384 requests"), "{endless}");
}

/// Remembers who was answered last, and is renamed or not.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Last {
    who: Option<NodeId>,
    is_renamed: bool,
}

impl Observer<Ledger> for Last {
    fn on_invoke(&mut self, _client: NodeId, _id: RequestId, (): &()) {}
    fn on_return(&mut self, client: NodeId, _id: RequestId, (): &()) -> Result<(), String> {
        self.who = Some(client);
        Ok(())
    }
    fn on_give_up(&mut self, _client: NodeId, _id: RequestId) {}
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        if self.is_renamed {
            self.who.rename(name);
        }
    }
}

#[test]
fn an_observer_that_keeps_names_is_caught() {
    for is_renamed in [false, true] {
        let system = || ledger::system(SIZE, Network::Bag, Budgets::default());
        let symmetry = Symmetry::new(&system(), &[NodeId::clients(2)]).unwrap();
        let settings = Settings { reductions: up_to(symmetry), ..Settings::default() };
        let checker = Checker::new(system(), Last { who: None, is_renamed }).unwrap();
        let report = checker.breadth_first(&checker.start(), &settings, &Alone);
        let found = report.violation().map(|found| found.words.as_str());
        assert_eq!(found.is_some(), !is_renamed, "{found:?}");
        assert!(
            found.is_none_or(|words| words.contains("the observer is not what the symmetry says")),
            "{found:?}"
        );
    }
}
