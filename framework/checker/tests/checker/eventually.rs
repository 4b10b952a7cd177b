//! What must be in the end: by any run, or by every fair one.

use crate::models::crew::Hurried;
use crate::models::ledger::{self, Ledger, Size};
use crate::models::walk::{Edge, WALKER, Walk, walk};
use synod_checker::{
    Alone, Blind, Budgets, Checker, Fairness, Network, Property, Reads, Report, Settings, Spent, Subject,
    Verdict,
};
use synod_node::NodeId;

fn visits(place: u8) -> Property<Walk> {
    Property::when(format!("it visits {place}"), Reads::Nodes(vec![WALKER]), move |view| {
        view.node(WALKER).is_some_and(|walk: &Walk| walk.at == place)
    })
}

fn ask(
    (network, edges): (Network, &[Edge]),
    goal: u8,
    fairness: Fairness,
    settings: &Settings<Walk>,
) -> Report {
    let checker = Checker::new(walk(network, edges), Blind).unwrap();
    checker.eventually(&checker.start(), settings, (&visits(goal), fairness), &Alone)
}

fn verdicts(walk: (Network, &[Edge]), goal: u8) -> [Verdict; 2] {
    [Fairness::Possible, Fairness::Weak]
        .map(|fairness| ask(walk, goal, fairness, &Settings::default()).verdict)
}

#[test]
fn what_is_owed_comes() {
    let (holds, violated) = (Verdict::Exhausted, Verdict::Violated);
    // A way and nothing else.
    assert_eq!(verdicts((Network::Bag, &[(0, 1), (1, 2)]), 2), [holds, holds]);
    // It may turn on the spot, but not for ever: the other message comes too.
    assert_eq!(verdicts((Network::Set, &[(0, 0), (0, 1)]), 1), [holds, holds]);
    // The message to 2 may come each time at 1, where it has no effect.
    assert_eq!(verdicts((Network::Set, &[(0, 1), (1, 0), (0, 2)]), 2), [holds, violated]);
    // A step is the wrong one.
    assert_eq!(verdicts((Network::Set, &[(0, 1), (0, 2)]), 2), [violated, violated]);
    // The goal holds from the beginning.
    assert_eq!(verdicts((Network::Set, &[(0, 1)]), 0), [holds, holds]);
}

#[test]
fn a_round_is_told_with_its_first_step() {
    let edges = [(0, 1), (1, 2), (2, 3), (3, 1)];
    let report = ask((Network::Bag, &edges), 9, Fairness::Weak, &Settings::default());
    let found = report.violation().unwrap();
    assert_eq!(found.subject, Subject::Eventually("it visits 9".to_owned()));
    assert_eq!(found.words, "from step 2 on this repeats, 3 steps a time, and it is never that it visits 9");
    assert_eq!(found.state.steps(), 4);
    let report = ask((Network::Bag, &edges), 9, Fairness::Possible, &Settings::default());
    let found = report.violation().unwrap();
    assert_eq!(
        (found.words.as_str(), found.state.steps()),
        ("from here on it can never be that it visits 9", 0)
    );
}

#[test]
fn a_round_pays_for_everything_that_is_owed() {
    // Two messages that never have an effect again are in flight for ever: they come too.
    let edges = [(0, 1), (1, 2), (2, 1)];
    let report = ask((Network::Set, &edges), 9, Fairness::Weak, &Settings::default());
    let found = report.violation().unwrap();
    // All three messages are in flight after two steps; then each comes, and the walk goes back to where it was.
    assert!(found.words.starts_with("from step 3 on this repeats, 4 steps a time"), "{}", found.words);
}

#[test]
fn an_end_is_told_as_one() {
    let report = ask((Network::Bag, &[(0, 1), (1, 2)]), 9, Fairness::Weak, &Settings::default());
    let found = report.violation().unwrap();
    assert_eq!(found.words, "nothing more has to happen here, and it was never that it visits 9");
    assert_eq!(found.state.steps(), 2);
}

#[test]
fn a_spent_budget_never_holds_and_may_violate() {
    let long: Vec<Edge> = (0..100).map(|at| (at, at + 1)).collect();
    let shallow = Settings { depth_max: Some(50), ..Settings::default() };
    for fairness in [Fairness::Possible, Fairness::Weak] {
        let report = ask((Network::Bag, &long), 100, fairness, &shallow);
        assert_eq!(report.verdict, Verdict::BudgetSpent(Spent::Depth));
        let mut short = long.clone();
        short.extend([(0, 101), (101, 0)]);
        let report = ask((Network::Set, &short), 100, Fairness::Weak, &shallow);
        assert_eq!(report.verdict, Verdict::Violated, "the round is near");
        let checker = Checker::new(walk(Network::Bag, &long), Blind).unwrap();
        let hurried =
            checker.eventually(&checker.start(), &Settings::default(), (&visits(100), fairness), &Hurried);
        assert_eq!(hurried.verdict, Verdict::BudgetSpent(Spent::Time));
    }
}

#[test]
fn nothing_is_known_beyond_a_prune() {
    let settings = Settings::default().prune(visits(1));
    for fairness in [Fairness::Possible, Fairness::Weak] {
        let report = ask((Network::Bag, &[(0, 1), (1, 0)]), 9, fairness, &settings);
        assert_eq!((report.verdict, report.stats.unique), (Verdict::Exhausted, 2));
    }
}

#[test]
fn an_invariant_on_the_way_is_judged() {
    let not_one = Property::new("it is never at 1", Reads::Nodes(vec![WALKER]), |view| {
        if view.node(WALKER).is_some_and(|walk: &Walk| walk.at == 1) { Err("at 1".into()) } else { Ok(()) }
    });
    let settings = Settings::default().invariant(not_one);
    let report = ask((Network::Bag, &[(0, 1), (1, 2)]), 2, Fairness::Weak, &settings);
    assert_eq!(report.violation().unwrap().subject, Subject::Invariant("it is never at 1".to_owned()));
}

fn is_answered(size: Size, network: Network, budgets: &Budgets) -> [Verdict; 2] {
    let clients = NodeId::clients(size.clients);
    [Fairness::Possible, Fairness::Weak].map(|fairness| {
        let mut system = ledger::system(size, network, budgets.clone());
        system.partitions = vec![vec![(NodeId::client(1), NodeId::server(1))]];
        let checker: Checker<Ledger> = Checker::new(system, Blind).unwrap();
        let done = Property::users_are_done(&clients);
        checker.eventually(&checker.start(), &Settings::default(), (&done, fairness), &Alone).verdict
    })
}

#[test]
fn faults_are_not_owed_and_repairs_are() {
    let (holds, violated) = (Verdict::Exhausted, Verdict::Violated);
    let size = |retries| Size { servers: 1, clients: 1, retries, is_hasty: false };
    let none = Budgets::default();
    for network in [Network::Bag, Network::Ordered] {
        assert_eq!(is_answered(size(0), network, &none), [holds, holds]);
        let drops = Budgets { drops: 1, ..none.clone() };
        assert_eq!(is_answered(size(0), network, &drops), [violated, violated]);
        assert_eq!(is_answered(size(1), network, &drops), [holds, holds]);
        let pauses = Budgets { pauses: 1, ..none.clone() };
        assert_eq!(is_answered(size(0), network, &pauses), [holds, holds]);
        let crashes = Budgets { crashes: 1, ..none.clone() };
        assert_eq!(is_answered(size(0), network, &crashes), [holds, holds]);
        let late = Budgets { late_writes: 1, ..none.clone() };
        assert_eq!(is_answered(size(0), network, &late), [holds, holds]);
        // What waits for the disk is lost with it, and nobody asks again.
        let both = Budgets { crashes: 1, late_writes: 1, ..none.clone() };
        assert_eq!(is_answered(size(0), network, &both), [violated, violated]);
        // A cut may last; a second change of the partition may heal it, but need not.
        let cuts = |cuts| Budgets { cuts, ..none.clone() };
        assert_eq!(is_answered(size(0), network, &cuts(1)), [violated, violated]);
    }
    // A client that is told to give up is done without an answer.
    assert_eq!(is_answered(size(0), Network::Set, &Budgets { give_ups: 1, ..none }), [holds, holds]);
}
