//! Exact counts of small protocols, as other checkers have them.

mod models;

use models::paxos::Paxos;
use models::recorder::Recorder;
use models::register::{self, Request, Response};
use models::two_phase::{TwoPhase, nobody_commits_what_another_aborts};
use synod_checker::{
    Alone, Blind, Checkable, Checker, Network, Observer, Property, Reads, Reductions, Report, Settings,
    System, User, Verdict,
};
use synod_node::{Node, NodeId, RequestId};

/// The recorder as an observer.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Recording(Recorder);

impl<N: Checkable + Node<Request = Request, Response = Response>> Observer<N> for Recording {
    fn on_invoke(&mut self, client: NodeId, _id: RequestId, request: &Request) {
        self.0.on_invoke(client, request);
    }
    fn on_return(&mut self, client: NodeId, _id: RequestId, response: &Response) -> Result<(), String> {
        self.0.on_return(client, response)
    }
    fn on_give_up(&mut self, _client: NodeId, _id: RequestId) {}
}

fn paxos(clients: u32) -> System<Paxos> {
    let mut system = System::new(Network::Bag);
    for (id, node) in Paxos::nodes(3, clients) {
        if id.is_client() {
            let asks = register::requests(id.number()).into_iter().map(|request| (request, None)).collect();
            system.add_with_user(id, node, User::asks(asks));
        } else {
            system.add(id, node);
        }
    }
    system
}

fn search_paxos(clients: u32, commuting: bool) -> Report {
    let checker = Checker::new(paxos(clients), Recording::default()).unwrap();
    let mut settings = Settings::default();
    settings.reductions = Reductions { commuting, ..Reductions::default() };
    checker.breadth_first(&checker.start(), &settings, &Alone)
}

fn counts(report: &Report) -> (u64, u64, u32) {
    assert_eq!(report.verdict, Verdict::Exhausted);
    (report.stats.generated, report.stats.unique, report.stats.depth)
}

#[test]
fn paxos_has_the_states_that_others_count() {
    assert_eq!(counts(&search_paxos(2, false)), (32_971, 16_668, 20));
    let (_, unique, depth) = counts(&search_paxos(2, true));
    assert_eq!((unique, depth), (16_668, 20));
}

#[test]
fn paxos_with_three_clients() {
    let report = search_paxos(3, false);
    println!("{:?}", report.stats);
    assert_eq!(counts(&report), (2_420_477, 1_194_428, 27));
}

fn two_phase(resources: u32) -> Report {
    let mut system = System::new(Network::Set);
    for (id, node) in TwoPhase::nodes(resources) {
        system.add(id, node);
    }
    let names = system.names();
    let checker = Checker::new(system, Blind).unwrap();
    let agreed = Property::when("nobody commits what another aborts", Reads::Nodes(names), |view| {
        let nodes: Vec<&TwoPhase> = view.nodes().map(|(_, node)| node).collect();
        nobody_commits_what_another_aborts(nodes.iter().copied())
    });
    let settings = Settings::default().invariant(agreed);
    checker.breadth_first(&checker.start(), &settings, &Alone)
}

#[test]
fn two_phase_commit_has_the_states_that_others_count() {
    assert_eq!(counts(&two_phase(3)).1, 288);
    assert_eq!(counts(&two_phase(7)).1, 296_448);
}
