//! Every way to search finds the same: with each reduction and without, on one thread and on many, breadth-first,
//! depth-first and by walks, by fingerprints and by whole states.

use crate::models::crew::Threads;
use crate::models::ledger::{self, Ledger, Size, lines_are_kept};
use crate::models::paxos::Paxos;
use crate::models::register::SingleCopy;
use crate::models::systems::{Recording, agreed, paxos, register, two_phase};
use crate::models::two_phase::{MANAGER, Resource, TwoPhase};
use crate::models::walk::{Edge, WALKER, Walk, graph};
use synod_checker::{
    Alone, Blind, Budgets, Checkable, Checker, Finding, Network, Property, Reads, Reductions, Report,
    Settings, Spent, Subject, Verdict, View, Walks,
};
use synod_node::NodeId;
use synod_stdx::Rng;

/// What must not depend on how a search is done.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Outcome {
    verdict: Verdict,
    by_depth: Vec<u64>,
    /// What was found, and how far away.
    found: Vec<(String, usize)>,
}

fn outcome(report: &Report) -> Outcome {
    let about = |finding: &Finding| (format!("{:?}", finding.subject), finding.state.steps());
    let mut found: Vec<_> = report.findings.iter().map(about).collect();
    found.sort();
    Outcome { verdict: report.verdict, by_depth: report.stats.by_depth.clone(), found }
}

fn subjects(report: &Report) -> Vec<String> {
    let mut all: Vec<_> = report.findings.iter().map(|found| format!("{:?}", found.subject)).collect();
    all.sort();
    all
}

/// Searches in every way, with a new checker each time.
fn agree<N: Checkable>(make: &dyn Fn() -> Checker<N>, settings: &Settings<N>) -> Report {
    let with = |no_ops, commuting, is_exact| {
        let reductions = Reductions { no_ops, commuting, ..Reductions::none() };
        Settings { reductions, is_exact, ..settings.clone() }
    };
    let broad = |settings: &Settings<N>, threads| {
        let checker = make();
        checker.breadth_first(&checker.start(), settings, &Threads(threads))
    };
    let mut reference = None;
    for no_ops in [false, true] {
        let right = broad(&with(no_ops, false, true), 1);
        for (commuting, is_exact, threads) in [
            (false, false, 1),
            (true, false, 1),
            (true, false, 2),
            (true, false, 4),
            (false, false, 2),
            (true, true, 2),
        ] {
            let report = broad(&with(no_ops, commuting, is_exact), threads);
            let how = format!("no_ops {no_ops}, commuting {commuting}, exact {is_exact}, {threads} threads");
            assert_eq!(outcome(&report), outcome(&right), "{how}");
            assert!(commuting || report.stats.generated == right.stats.generated, "{how}");
        }
        for is_exact in [false, true] {
            let checker = make();
            let deep = checker.depth_first(&checker.start(), &with(no_ops, true, is_exact), &Alone);
            assert_eq!(deep.stats.unique, right.stats.unique, "depth-first");
            assert_eq!(deep.stats.generated, right.stats.generated, "depth-first");
            assert_eq!((deep.verdict, subjects(&deep)), (right.verdict, subjects(&right)), "depth-first");
        }
        reference.get_or_insert(right);
    }
    let report = broad(&with(true, true, false), 1);
    let reference = reference.unwrap();
    assert_eq!((report.verdict, subjects(&report)), (reference.verdict, subjects(&reference)));
    agree_within(make, settings, report.stats.depth / 2);
    report
}

/// With a depth limit: run twice, and depth-first.
fn agree_within<N: Checkable>(make: &dyn Fn() -> Checker<N>, settings: &Settings<N>, limit: u32) {
    let settings = Settings { depth_max: Some(limit), ..settings.clone() };
    let broad = |threads| {
        let checker = make();
        outcome(&checker.breadth_first(&checker.start(), &settings, &Threads(threads)))
    };
    let alone = broad(1);
    assert_eq!([broad(2), broad(2)], [alone.clone(), alone.clone()]);
    for is_exact in [false, true] {
        let checker = make();
        let settings = Settings { is_exact, ..settings.clone() };
        let deep = checker.depth_first(&checker.start(), &settings, &Alone);
        assert_eq!((deep.verdict, deep.stats.unique), (alone.verdict, alone.by_depth.iter().sum()));
    }
}

/// Walks with one seed on one thread and on two.
fn walks_agree<N: Checkable>(make: &dyn Fn() -> Checker<N>, settings: &Settings<N>, walks: Walks) -> Report {
    let walk = |threads, is_exact| {
        let checker = make();
        let settings = Settings { is_exact, ..settings.clone() };
        checker.walk(&checker.start(), &settings, walks, &Threads(threads))
    };
    let alone = walk(1, false);
    for (threads, is_exact) in [(1, true), (2, false), (2, false), (3, false)] {
        let report = walk(threads, is_exact);
        assert_eq!(outcome(&report), outcome(&alone), "{threads} threads");
        let words = |report: &Report| -> Vec<String> {
            report.findings.iter().map(|finding| finding.words.clone()).collect()
        };
        assert_eq!(words(&report), words(&alone));
        // Where something settles it early, threads may have seen more.
        if alone.findings.is_empty() {
            assert_eq!(report.stats.unique, alone.stats.unique);
            assert_eq!(report.stats.generated, alone.stats.generated);
        }
    }
    // What a checker learnt before, and in which order, does not matter either.
    let checker = make();
    checker.walk(&checker.start(), settings, Walks { seed: !walks.seed, ..walks }, &Alone);
    let again = checker.walk(&checker.start(), settings, walks, &Alone);
    assert_eq!(outcome(&again), outcome(&alone));
    assert_eq!((again.stats.unique, again.stats.generated), (alone.stats.unique, alone.stats.generated));
    alone
}

#[test]
fn of_several_walks_that_find_something_the_first_counts() {
    // The only way to 8 leads past eight ways back: some walks take ten times as long as others.
    let edges: Vec<Edge> = (0..8).flat_map(|at| [(at, at + 1), (at, 0)]).collect();
    let found = Property::when("it is at 8", Reads::Nodes(vec![WALKER]), |view| {
        view.node(WALKER).is_some_and(|walk: &Walk| walk.at == 8)
    });
    let make = || Checker::new(graph(&edges), Blind).unwrap();
    for seed in 0..20 {
        let settings = Settings::default().goal(found.clone());
        walks_agree(&make, &settings, Walks { seed, count: 8, steps: 100_000 });
    }
}

#[test]
fn what_changes_nothing_may_be_left_out_in_every_network() {
    let mut dice = Rng::new(6);
    let place = |dice: &mut Rng| dice.below(6) as u8;
    for _ in 0..100 {
        let edges: Vec<Edge> = (0..4 + dice.below(8)).map(|_| (place(&mut dice), place(&mut dice))).collect();
        for network in [Network::Set, Network::Bag, Network::Ordered] {
            let mut system = graph(&edges);
            system.network = network;
            let checker = Checker::new(system, Blind).unwrap();
            let places = |no_ops| {
                let at = |place| {
                    Property::when(format!("at {place}"), Reads::Nodes(vec![WALKER]), move |view| {
                        view.node(WALKER).is_some_and(|walk: &Walk| walk.at == place)
                    })
                };
                let reductions = Reductions { no_ops, ..Reductions::default() };
                let goals = (0..6).map(at).collect();
                let settings = Settings { goals, reductions, ..Settings::default() };
                let report = checker.breadth_first(&checker.start(), &settings, &Alone);
                // Without messages that have no effect on the way it may be nearer.
                subjects(&report)
            };
            assert_eq!(places(true), places(false), "{edges:?} {network:?}");
        }
    }
}

#[test]
fn paxos_agrees() {
    let make = || Checker::new(paxos(2), Recording::default()).unwrap();
    let servers = NodeId::servers(3);
    let decided = |view: &View<'_, Paxos>| view.nodes().filter_map(|(_, node)| node.decision()).count();
    let never_all = Property::new("not all know", Reads::Nodes(servers), move |view| match decided(view) {
        3 => Err("all know".to_owned()),
        _ => Ok(()),
    });
    let report = agree(&make, &Settings::default().invariant(never_all));
    assert_eq!((report.verdict, report.stats.unique), (Verdict::Violated, 16_668));
    let walks = Walks { seed: 11, count: 40, steps: 12 };
    let walked = walks_agree(&make, &Settings::default(), walks);
    assert_eq!(walked.verdict, Verdict::BudgetSpent(Spent::Walks));
}

#[test]
fn two_phase_commit_agrees() {
    let make = || Checker::new(two_phase(4), Blind).unwrap();
    let system = two_phase(4);
    let report = agree(&make, &Settings::default().invariant(agreed(&system)));
    assert_eq!((report.verdict, report.stats.unique), (Verdict::Exhausted, 1568));
    // Two goals of different depths, and a prune.
    let is = |id: NodeId, resource| {
        Property::when(format!("{id} is {resource:?}"), Reads::Nodes(vec![id]), move |view| {
            view.node(id).is_some_and(|node: &TwoPhase| node.is(resource))
        })
    };
    let (n2, n3) = (NodeId::server(2), NodeId::server(3));
    let goals = vec![is(n2, Resource::Committed), is(n3, Resource::Aborted)];
    let settings = Settings { goals, ..Settings::default() }.prune(is(NodeId::server(4), Resource::Aborted));
    let report = agree(&make, &settings);
    assert_eq!((report.verdict, report.findings.len()), (Verdict::GoalReached, 2));
    let cut = Settings::default().cut(MANAGER, n2).invariant(agreed(&system));
    assert_eq!(agree(&make, &cut).verdict, Verdict::Exhausted);
}

#[test]
fn a_register_agrees() {
    let make = || Checker::new(register(1, 2), Recording::default()).unwrap();
    let report = agree(&make, &Settings::default());
    assert_eq!((report.verdict, report.stats.unique), (Verdict::Exhausted, 93));
    // Two copies are no register: the step that answers wrongly is found.
    let make = || Checker::new(register(2, 2), Recording::default()).unwrap();
    let report = agree(&make, &Settings::<SingleCopy>::default());
    assert_eq!((report.verdict, report.findings.len()), (Verdict::Violated, 1));
    assert_eq!(report.findings[0].subject, Subject::Step);
    let walks = Walks { seed: 3, count: 200, steps: 30 };
    assert_eq!(walks_agree(&make, &Settings::default(), walks).verdict, Verdict::Violated);
}

const ALL_FAULTS: Budgets = Budgets { crashes: 1, late_writes: 1, drops: 1, give_ups: 1, pauses: 1, cuts: 1 };

fn faulty(size: Size, network: Network, budgets: &Budgets) -> Checker<Ledger> {
    let mut system = ledger::system(size, network, ledger::finite(network, budgets));
    system.partitions = vec![vec![(NodeId::client(1), NodeId::server(1))]];
    Checker::new(system, Blind).unwrap()
}

#[test]
fn a_ledger_with_faults_agrees() {
    let size = Size { servers: 1, clients: 1, retries: 1, is_hasty: false };
    for network in [Network::Set, Network::Bag, Network::Ordered] {
        let make = || faulty(size, network, &ALL_FAULTS);
        let report = agree(&make, &Settings::default().invariant(lines_are_kept(size)));
        assert_eq!(report.verdict, Verdict::Exhausted, "{network:?}: {:?}", report.findings);
        assert!(report.stats.unique > 300, "{network:?}: {}", report.stats.unique);
        let walks = Walks { seed: 5, count: 50, steps: 25 };
        walks_agree(&make, &Settings::default(), walks);
    }
    let size = Size { servers: 2, clients: 2, retries: 0, is_hasty: false };
    let late = Budgets { late_writes: 1, crashes: 1, ..Budgets::default() };
    let report =
        agree(&|| faulty(size, Network::Bag, &late), &Settings::default().invariant(lines_are_kept(size)));
    assert_eq!(report.verdict, Verdict::Exhausted);
}

const HASTY: Size = Size { servers: 2, clients: 1, retries: 1, is_hasty: true };
const MISHAPS: Budgets = Budgets { crashes: 1, late_writes: 1, drops: 0, give_ups: 0, pauses: 0, cuts: 0 };

fn hasty() -> Checker<Ledger> {
    faulty(HASTY, Network::Bag, &MISHAPS)
}

fn unanswered() -> Property<Ledger> {
    Property::nobody_is_answered(&[NodeId::client(1)])
}

#[test]
fn a_seeded_bug_is_found_by_every_search() {
    let settings = Settings::default().invariant(lines_are_kept(HASTY)).invariant(unanswered());
    let report = agree(&hasty, &settings);
    assert_eq!((report.verdict, report.findings.len()), (Verdict::Violated, 2));
    let walks = Walks { seed: 2, count: 3000, steps: 20 };
    for settings in [settings.clone(), settings.until_first()] {
        let walked = walks_agree(&hasty, &settings, walks);
        assert_eq!(walked.verdict, Verdict::Violated);
        assert_eq!(walked.findings.len(), if settings.until == synod_checker::Until::First { 1 } else { 2 });
    }
}

#[test]
fn each_property_has_its_shortest_counterexample_while_another_is_open() {
    let steps = |settings: &Settings<Ledger>, threads| -> Vec<(String, usize)> {
        let checker = hasty();
        outcome(&checker.breadth_first(&checker.start(), settings, &Threads(threads))).found
    };
    let kept = steps(&Settings::default().invariant(lines_are_kept(HASTY)).until_first(), 1);
    let answered = steps(&Settings::default().invariant(unanswered()).until_first(), 1);
    assert!(answered[0].1 < kept[0].1, "one is nearer than the other");
    let never = Property::new("never violated", Reads::Nodes(vec![]), |_| Ok(()));
    for threads in [1, 2, 4] {
        let all = Settings::default()
            .invariant(never.clone())
            .invariant(lines_are_kept(HASTY))
            .invariant(unanswered());
        let found = steps(&all, threads);
        assert_eq!(found, [kept.clone(), answered.clone()].concat());
    }
}

#[test]
fn a_long_counterexample_is_shortened_to_one_that_still_fails() {
    let settings = Settings::default().invariant(lines_are_kept(HASTY)).until_first();
    let checker = hasty();
    let nearest = checker.breadth_first(&checker.start(), &settings, &Alone);
    let shortest = nearest.violation().unwrap().state.steps();
    let deep = checker.depth_first(&checker.start(), &settings, &Alone);
    let walks = Walks { seed: 2, count: 3000, steps: 40 };
    let walked = checker.walk(&checker.start(), &settings, walks, &Alone);
    let mut shortened = 0;
    for report in [nearest, deep, walked] {
        let found = report.violation().unwrap();
        let short = checker.minimised(found, &settings);
        assert!(short.state.steps() <= found.state.steps());
        assert!(short.state.steps() >= shortest);
        shortened += found.state.steps() - short.state.steps();
        assert_eq!((&short.subject, &short.words), (&found.subject, &found.words));
        // It fails in the state that it leads to, and taking its steps again leads there.
        let here = Settings { depth_max: Some(0), ..settings.clone() };
        let again = checker.breadth_first(&short.state, &here, &Alone);
        assert_eq!(again.verdict, Verdict::Violated);
        assert_eq!(checker.in_causal_order(&short.state).steps(), short.state.steps());
    }
    assert!(shortened > 0, "something was long");
}
