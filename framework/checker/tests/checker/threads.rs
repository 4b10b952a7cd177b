//! A search counts the same, and finds as near, on any number of threads.

use crate::models::crew::Threads;
use crate::models::paxos::{Message, Paxos};
use crate::models::register::{Request, Response, requests};
use crate::models::two_phase::{Resource, TwoPhase};
use synod_checker::{
    Blind, Checkable, Checker, Network, Property, Reads, Reductions, Report, Settings, System, User, Verdict,
    View,
};
use synod_node::{Node, NodeId};

fn two_phase() -> System<TwoPhase> {
    let mut system = System::new(Network::Set);
    for (id, node) in TwoPhase::nodes(5) {
        system.add(id, node);
    }
    system
}

fn paxos(network: Network) -> System<Paxos> {
    let mut system = System::new(network);
    for (id, node) in Paxos::nodes(3, 2) {
        if id.is_client() {
            let asks: Vec<(Request, Option<Response>)> =
                requests(id.number()).into_iter().map(|request| (request, None)).collect();
            system.add_with_user(id, node, User::asks(asks));
        } else {
            system.add(id, node);
        }
    }
    system
}

/// Searches with each number of threads and with and without the reduction: the states, their depths, and how long the
/// counterexample is, must be the same; without the reduction transitions too.
fn agree<N: Checkable + Node>(system: impl Fn() -> System<N>, settings: &Settings<N>) -> Report {
    let mut first: Option<Report> = None;
    for commuting in [false, true] {
        for threads in [1, 2, 4] {
            let checker = Checker::new(system(), Blind).unwrap();
            let reductions = Reductions { commuting, ..Reductions::default() };
            let settings = Settings { reductions, ..settings.clone() };
            let report = checker.breadth_first(&checker.start(), &settings, &Threads(threads));
            let Some(first) = &first else {
                first = Some(report);
                continue;
            };
            assert_eq!(report.verdict, first.verdict, "{threads} threads");
            let steps = |report: &Report| report.findings.first().map(|finding| finding.state.steps());
            assert_eq!(steps(&report), steps(first), "{threads} threads");
            if first.verdict == Verdict::Exhausted {
                assert_eq!(report.stats.by_depth, first.stats.by_depth, "{threads} threads");
                assert_eq!(report.stats.unique, first.stats.unique, "{threads} threads");
                if !commuting {
                    assert_eq!(report.stats.generated, first.stats.generated, "{threads} threads");
                }
            }
        }
    }
    first.unwrap()
}

#[test]
fn all_states_are_counted_the_same() {
    assert_eq!(agree(two_phase, &Settings::default()).stats.unique, 8_832);
    for network in [Network::Bag, Network::Ordered] {
        assert_eq!(agree(|| paxos(network), &Settings::default()).verdict, Verdict::Exhausted);
    }
}

#[test]
fn a_counterexample_is_as_long() {
    let names = two_phase().names();
    let some = Property::when("two do not abort", Reads::Nodes(names), |view: &View<'_, TwoPhase>| {
        view.nodes().filter(|(_, node)| node.is(Resource::Aborted)).count() < 2
    });
    let report = agree(two_phase, &Settings::default().invariant(some).until_first());
    assert_eq!(report.violation().unwrap().state.steps(), 2);
    let silent = Property::when("nobody accepts", Reads::Everything, |view| {
        !view.messages().iter().any(|(_, _, message)| matches!(message, Message::Accepted { .. }))
    });
    let report = agree(|| paxos(Network::Bag), &Settings::default().invariant(silent).until_first());
    assert_eq!(report.violation().unwrap().state.steps(), 4);
}

#[test]
fn a_prune_takes_away_the_same() {
    let servers = NodeId::servers(3);
    let undecided =
        Property::when("somebody knows the decision", Reads::Nodes(servers), |view: &View<'_, Paxos>| {
            view.nodes().any(|(_, node)| node.decision().is_some())
        });
    let report = agree(|| paxos(Network::Bag), &Settings::default().prune(undecided));
    assert!(report.stats.unique < 16_668);
}
