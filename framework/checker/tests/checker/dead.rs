//! Messages that can never matter again: fewer states, the same verdicts, and wrong declarations are reported.

use crate::models::crew::Threads;
use crate::models::ledger::{self, Ledger, Message as Line, Size};
use crate::models::paxos::Paxos;
use crate::models::systems::{Recording, paxos};
use std::sync::Arc;
use synod_checker::{
    Alone, Blind, Budgets, Checkable, Checker, Dead, Network, Property, Reads, Reductions, Report, Settings,
    Subject, Symmetry, System, Verdict, Walks,
};
use synod_node::{Context, Durable, Node, NodeId, RequestId, Stimulus};

fn settings<N: Checkable>(dead: Dead<N>) -> Settings<N> {
    let reductions = Reductions { dead: Some(dead), ..Reductions::default() };
    Settings { reductions, ..Settings::default() }
}

fn dead_in_paxos() -> Dead<Paxos> {
    Arc::new(|node, stimulus| match stimulus {
        Stimulus::Message { message, .. } => node.is_dead(message),
        Stimulus::Start | Stimulus::Timer(()) | Stimulus::Request { .. } | Stimulus::Recover(_) => false,
    })
}

fn search_paxos(clients: u32, settings: &Settings<Paxos>, threads: usize) -> Report {
    let checker = Checker::new(paxos(clients), Recording::default()).unwrap();
    checker.breadth_first(&checker.start(), settings, &Threads(threads))
}

#[test]
fn paxos_has_a_fraction_of_its_states() {
    let report = search_paxos(3, &settings(dead_in_paxos()), 1);
    // Of 1,194,428.
    assert_eq!((report.verdict, report.stats.unique), (Verdict::Exhausted, 280_499), "{:?}", report.findings);
}

#[test]
fn every_search_counts_the_same() {
    let fast = settings(dead_in_paxos());
    let right = search_paxos(2, &fast, 1);
    assert_eq!((right.verdict, right.stats.unique), (Verdict::Exhausted, 6038));
    for (is_exact, commuting, threads) in
        [(true, true, 1), (false, false, 1), (true, false, 2), (false, true, 4)]
    {
        let mut settings = Settings { is_exact, ..fast.clone() };
        settings.reductions.commuting = commuting;
        let report = search_paxos(2, &settings, threads);
        assert_eq!(
            (report.verdict, report.stats.by_depth),
            (Verdict::Exhausted, right.stats.by_depth.clone())
        );
    }
    let checker = Checker::new(paxos(2), Recording::default()).unwrap();
    let deep = checker.depth_first(&checker.start(), &fast, &Alone);
    assert_eq!((deep.verdict, deep.stats.unique), (Verdict::Exhausted, right.stats.unique));
}

#[test]
fn the_same_is_found_as_near() {
    let decided = |count: usize| {
        Property::when(format!("{count} know"), Reads::Nodes(NodeId::servers(3)), move |view| {
            view.nodes().filter(|(_, node): &(NodeId, &Paxos)| node.decision().is_some()).count() == count
        })
    };
    let found = |mut settings: Settings<Paxos>| {
        settings.goals = (1..=3).map(decided).collect();
        let report = search_paxos(2, &settings, 2);
        let mut found: Vec<_> = report
            .findings
            .iter()
            .map(|found| (format!("{:?}", found.subject), found.state.steps()))
            .collect();
        found.sort();
        found
    };
    let right = found(Settings::default());
    assert_eq!((right.len(), found(settings(dead_in_paxos()))), (3, right));
}

fn wrong_in_paxos(
    wrong: impl Fn(&Paxos, &crate::models::paxos::Message) -> bool + Send + Sync + 'static,
) -> String {
    let dead: Dead<Paxos> = Arc::new(move |node, stimulus| match stimulus {
        Stimulus::Message { message, .. } => wrong(node, message),
        Stimulus::Start | Stimulus::Timer(()) | Stimulus::Request { .. } | Stimulus::Recover(_) => false,
    });
    let report = search_paxos(2, &settings(dead.clone()), 1);
    assert_eq!(report.verdict, Verdict::Violated);
    let found = report.violation().unwrap();
    assert_eq!(found.subject, Subject::Step);
    assert_eq!(search_paxos(2, &settings(dead), 2).verdict, Verdict::Violated, "on two threads");
    found.words.clone()
}

#[test]
fn a_wrong_declaration_is_reported() {
    use crate::models::paxos::Message;
    // It has an effect at once.
    let words = wrong_in_paxos(|_, message| matches!(message, Message::Decided(_)));
    assert!(words.contains("was declared dead, and it has an effect"), "{words}");
    // It has none now, and will have one once the decision is known.
    let words = wrong_in_paxos(|node, message| {
        let is_read = matches!(message, Message::Ask { request: crate::models::register::Request::Get, .. });
        is_read && matches!(node, Paxos::Server(_)) && node.decision().is_none()
    });
    assert!(words.contains("was declared dead, and later it is not"), "{words}");
}

const SIZE: Size = Size { servers: 2, clients: 2, retries: 0, is_hasty: false };

/// An answer that nobody waits for is dead. (Clients ask once.)
fn dead_in_ledger() -> Dead<Ledger> {
    Arc::new(|node, stimulus| match (node, stimulus) {
        (Ledger::Client { waiting, .. }, Stimulus::Message { message: Line::Answer(_), .. }) => {
            waiting.is_none()
        }
        (Ledger::Client { .. } | Ledger::Server { .. }, _) => false,
    })
}

#[test]
fn dead_messages_go_with_every_network_and_with_symmetry() {
    for network in [Network::Set, Network::Bag, Network::Ordered] {
        let budgets = Budgets { crashes: 1, late_writes: 1, drops: 1, ..Budgets::default() };
        let system = || ledger::system(SIZE, network, ledger::finite(network, &budgets));
        let done = Property::users_are_done(&NodeId::clients(2));
        let search = |settings: &Settings<Ledger>| {
            let checker = Checker::new(system(), Blind).unwrap();
            let report = checker.breadth_first(&checker.start(), settings, &Alone);
            assert_eq!(
                (report.verdict, report.findings.len()),
                (Verdict::GoalReached, 1),
                "{:?}",
                report.findings
            );
            (report.stats.unique, report.findings[0].state.steps())
        };
        let plain_settings = Settings { goals: vec![done.clone()], ..Settings::default() };
        let dead = Settings { goals: vec![done], ..settings(dead_in_ledger()) };
        let mut both = dead.clone();
        let groups = [NodeId::servers(2), NodeId::clients(2)];
        both.reductions.symmetry = Some(Arc::new(Symmetry::new(&system(), &groups).unwrap()));
        let (plain, some, few) = (search(&plain_settings), search(&dead), search(&both));
        // Where messages stay in flight for ever, the server's lines tell which answers are. On ordered links a dead message is
        // in the way of others.
        let is_less = if network == Network::Bag { some.0 < plain.0 } else { some.0 == plain.0 };
        assert!(is_less && few.0 * 3 < some.0, "{network:?}: {} {} {}", plain.0, some.0, few.0);
        assert_eq!((some.1, few.1), (plain.1, plain.1));
        assert_eq!(search(&Settings { is_exact: true, ..dead.clone() }), some);
        assert_eq!(search(&Settings { is_exact: true, ..both.clone() }), few);
        // What reads messages may read dead ones.
        let reads = || Property::new("reads everything", Reads::Everything, |_| Ok(()));
        let all = search(&plain_settings.invariant(reads())).0;
        assert_eq!(search(&dead.invariant(reads())).0, all);
        // In a bag it sees, too, which messages arrived without an effect.
        assert_eq!(all > plain.0, network == Network::Bag, "{network:?}: {all} {}", plain.0);
    }
}

/// Does what it is told first, and nothing else. It may forget that it did.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Once {
    tells: Option<NodeId>,
    did: Option<u8>,
    persists: bool,
}

impl Node for Once {
    type Message = u8;
    type Timer = ();
    type Record = u8;
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        for what in (1..=4).filter(|_| self.tells.is_some()) {
            ctx.send(self.tells.unwrap(), what);
        }
    }
    fn on_message(&mut self, _from: NodeId, what: u8, ctx: &mut Context<Self>) {
        if self.did.is_none() {
            self.did = Some(what);
            if self.persists {
                ctx.persist(what);
            }
        }
    }
    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {}
    fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {}
    fn on_recover(&mut self, durable: Durable<Self>, _ctx: &mut Context<Self>) {
        self.did = durable.records.first().copied();
    }
}

#[test]
fn what_a_crash_brings_back_to_life_is_not_dead() {
    let dead: Dead<Once> = Arc::new(|node, _| node.did.is_some());
    let checker = |persists, budgets| {
        let mut system = System::new(Network::Bag);
        system.budgets = budgets;
        let (n1, n2) = (NodeId::server(1), NodeId::server(2));
        system.add(n1, Once { tells: Some(n2), did: None, persists });
        system.add(n2, Once { tells: None, did: None, persists });
        Checker::new(system, Blind).unwrap()
    };
    let words = |persists, budgets| {
        let checker = checker(persists, budgets);
        let (from, settings) = (checker.start(), settings(dead.clone()));
        let walks = Walks { seed: 1, count: 500, steps: 20 };
        let reports = [
            checker.walk(&from, &settings, walks, &Alone),
            checker.breadth_first(&from, &settings, &Alone),
            checker.depth_first(&from, &settings, &Alone),
        ];
        let words = |report: &Report| report.violation().map(|found| found.words.clone());
        assert_eq!([words(&reports[0]), words(&reports[1])], [words(&reports[2]), words(&reports[2])]);
        words(&reports[0])
    };
    let crash = Budgets { crashes: 1, ..Budgets::default() };
    let late = Budgets { late_writes: 1, ..crash.clone() };
    assert_eq!(words(false, Budgets::default()), None);
    assert_eq!(words(true, crash.clone()), None);
    for lost in [words(false, crash), words(true, late)] {
        let lost = lost.expect("it is reported");
        assert!(lost.contains("was declared dead, and later it is not"), "{lost}");
    }
}
