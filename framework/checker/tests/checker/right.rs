//! Ten cases that other checkers get wrong, each with the right verdict.

use crate::models::crew::{Hurried, Threads};
use crate::models::ledger::{self, Ledger, Size};
use crate::models::systems::two_phase;
use crate::models::walk::{Edge, WALKER, Walk, graph};
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use synod_checker::{
    Alone, Blind, Budgets, CheckSettings, Checkable, Checker, Fairness, Network, Observer, Property, Reads,
    Report, Settings, Spent, Subject, System, User, Verdict, Walks,
};
use synod_node::{Context, Durable, Node, NodeId, RequestId};
use synod_stdx::Rng;

const N1: NodeId = NodeId::server(1);

fn at(place: u8) -> Property<Walk> {
    Property::when(format!("it is at {place}"), Reads::Nodes(vec![WALKER]), move |view| {
        view.node(WALKER).is_some_and(|walk: &Walk| walk.at == place)
    })
}

fn never_at(place: u8) -> Property<Walk> {
    Property::new(format!("it is never at {place}"), Reads::Nodes(vec![WALKER]), move |view| {
        let is_there = view.node(WALKER).is_some_and(|walk: &Walk| walk.at == place);
        if is_there { Err(format!("it is at {place}")) } else { Ok(()) }
    })
}

fn checker(edges: &[Edge]) -> Checker<Walk> {
    Checker::new(graph(edges), Blind).unwrap()
}

/// A random graph of nine places, and how far each is from 0.
fn random_graph(dice: &mut Rng) -> (Vec<Edge>, Vec<Option<u32>>) {
    const PLACES: u64 = 9;
    let place = |dice: &mut Rng| dice.below(PLACES) as u8;
    let edges: Vec<Edge> = (0..5 + dice.below(12)).map(|_| (place(dice), place(dice))).collect();
    let mut far = vec![None; PLACES as usize];
    far[0] = Some(0);
    for depth in 0..PLACES as u32 {
        for (from, to) in &edges {
            if far[*from as usize] == Some(depth) && far[*to as usize].is_none() {
                far[*to as usize] = Some(depth + 1);
            }
        }
    }
    (edges, far)
}

/// Two sets of one type beside each other. Each message moves the least of the one into the other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Sets {
    one: BTreeSet<u8>,
    other: BTreeSet<u8>,
}

impl Node for Sets {
    type Message = ();
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        ctx.send(ctx.me(), ());
    }
    fn on_message(&mut self, _from: NodeId, (): (), _ctx: &mut Context<Self>) {
        // The largest: so the elements in order are the same ones before and after.
        self.other.extend(self.one.pop_last());
    }
    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {}
    fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {}
    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {}
}

#[test]
fn case_1_what_moves_between_adjacent_sets_makes_a_new_state() {
    let mut system = System::new(Network::Set);
    system.add(N1, Sets { one: BTreeSet::from([1, 2]), other: BTreeSet::new() });
    let full = Property::new("the other set is not full", Reads::Nodes(vec![N1]), |view| {
        let is_full = view.node(N1).is_some_and(|sets: &Sets| sets.other.len() == 2);
        if is_full { Err("it is full".to_owned()) } else { Ok(()) }
    });
    let checker = Checker::new(system, Blind).unwrap();
    let report = checker.breadth_first(&checker.start(), &Settings::default().invariant(full), &Alone);
    assert_eq!((report.verdict, report.stats.unique), (Verdict::Violated, 3));
}

fn eventually(edges: &[Edge], goal: u8) -> Report {
    let checker = checker(edges);
    checker.eventually(&checker.start(), &Settings::default(), (&at(goal), Fairness::Weak), &Alone)
}

#[test]
fn case_2_a_round_never_reaches_what_lies_beside_it() {
    let report = eventually(&[(0, 1), (1, 0)], 2);
    assert_eq!(report.verdict, Verdict::Violated);
    let found = report.violation().unwrap();
    assert_eq!(found.words, "from step 1 on this repeats, 2 steps a time, and it is never that it is at 2");
}

#[test]
fn case_3_ways_that_meet_are_not_one_way() {
    for edges in [[(0, 1), (1, 3), (0, 2), (2, 3)], [(0, 2), (2, 3), (0, 1), (1, 3)]] {
        let report = eventually(&edges, 1);
        assert_eq!(report.verdict, Verdict::Violated);
        // By way of 2.
        assert_eq!(report.violation().unwrap().subject, Subject::Eventually("it is at 1".to_owned()));
        assert_eq!(eventually(&edges, 3).verdict, Verdict::Exhausted);
    }
}

#[test]
fn case_4_a_depth_limit_hides_nothing_within_it() {
    // The long way to 3 is taken first in one of the two orders; 4 is two steps away.
    let ways = [[(0, 1), (1, 2), (2, 3), (0, 3), (3, 4)], [(0, 3), (3, 4), (0, 1), (1, 2), (2, 3)]];
    for edges in ways {
        let checker = checker(&edges);
        let settings = Settings { depth_max: Some(3), ..Settings::default() }.invariant(never_at(4));
        assert_eq!(checker.depth_first(&checker.start(), &settings, &Alone).verdict, Verdict::Violated);
        assert_eq!(checker.breadth_first(&checker.start(), &settings, &Alone).verdict, Verdict::Violated);
    }
    let mut dice = Rng::new(4);
    for _ in 0..200 {
        let (edges, far) = random_graph(&mut dice);
        let checker = checker(&edges);
        for limit in 0..8 {
            let settings = Settings { depth_max: Some(limit), ..Settings::default() };
            let deep = checker.depth_first(&checker.start(), &settings, &Alone);
            let broad = checker.breadth_first(&checker.start(), &settings, &Alone);
            let within = far.iter().flatten().filter(|far| **far <= limit).count() as u64;
            assert_eq!(deep.stats.unique, within, "{edges:?} within {limit}");
            assert_eq!(
                (broad.stats.unique, broad.verdict),
                (within, deep.verdict),
                "{edges:?} within {limit}"
            );
            let is_cut = far.contains(&Some(limit));
            let right = if is_cut { Verdict::BudgetSpent(Spent::Depth) } else { Verdict::Exhausted };
            assert_eq!(deep.verdict, right, "{edges:?} within {limit}");
        }
    }
}

/// Objects to an answer that nobody waits for.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Strict {
    waiting: BTreeSet<(NodeId, RequestId)>,
    answers: u32,
}

impl<N: Checkable> Observer<N> for Strict {
    fn on_invoke(&mut self, client: NodeId, id: RequestId, _request: &N::Request) {
        self.waiting.insert((client, id));
    }
    fn on_return(&mut self, client: NodeId, id: RequestId, _response: &N::Response) -> Result<(), String> {
        self.answers += 1;
        let is_right = self.waiting.remove(&(client, id)) && self.answers <= 2;
        if is_right { Ok(()) } else { Err(format!("{client} is answered once more")) }
    }
    fn on_give_up(&mut self, _client: NodeId, _id: RequestId) {}
}

#[test]
fn case_5_an_answer_that_is_ignored_was_given_to_nobody() {
    let size = Size { servers: 2, clients: 2, retries: 0, is_hasty: false };
    // Every answer arrives again and again; each server answers each client.
    let system: System<Ledger> = ledger::system(size, Network::Set, Budgets::default());
    let checker = Checker::new(system, Strict::default()).unwrap();
    for no_ops in [true, false] {
        let mut settings = Settings::default();
        settings.reductions.no_ops = no_ops;
        let report = checker.breadth_first(&checker.start(), &settings, &Alone);
        assert_eq!(report.verdict, Verdict::Exhausted, "{:?}", report.findings);
    }
}

#[test]
fn case_6_time_runs_out_on_one_thread_too() {
    let checker = Checker::new(two_phase(5), Blind).unwrap();
    let (from, settings) = (checker.start(), Settings::default());
    let walks = Walks { seed: 1, count: u64::MAX, steps: 40 };
    let long = Walks { seed: 1, count: 1, steps: u32::MAX };
    let goal = Property::when("never", Reads::Nodes(vec![]), |_| false);
    let reports = [
        checker.breadth_first(&from, &settings, &Hurried),
        checker.depth_first(&from, &settings, &Hurried),
        checker.depth_first(&from, &Settings { depth_max: Some(40), ..Settings::default() }, &Hurried),
        checker.walk(&from, &settings, walks, &Hurried),
        checker.walk(
            &from,
            &Settings { reductions: synod_checker::Reductions::none(), ..Settings::default() },
            long,
            &Hurried,
        ),
        checker.eventually(&from, &settings, (&goal, Fairness::Possible), &Hurried),
    ];
    for report in reports {
        assert_eq!(report.verdict, Verdict::BudgetSpent(Spent::Time));
        assert!(report.stats.unique < 8832);
    }
}

/// Counts its messages, and says that counting makes no difference.
#[derive(Clone, Debug)]
struct Forgetful {
    count: u32,
}

impl PartialEq for Forgetful {
    fn eq(&self, other: &Self) -> bool {
        self.count.min(1) == other.count.min(1)
    }
}

impl Eq for Forgetful {}

impl Hash for Forgetful {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.count.min(1).hash(state);
    }
}

impl Node for Forgetful {
    type Message = ();
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        ctx.send(ctx.me(), ());
    }
    fn on_message(&mut self, _from: NodeId, (): (), _ctx: &mut Context<Self>) {
        self.count += 1;
    }
    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {}
    fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {}
    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {}
}

#[test]
fn case_7_a_field_that_equality_leaves_out_is_reported() {
    let mut system = System::new(Network::Set);
    system.add(N1, Forgetful { count: 0 });
    let checker = Checker::with_checks(system, Blind, CheckSettings { survives: None }).unwrap();
    let report = checker.breadth_first(&checker.start(), &Settings::default(), &Alone);
    let words = &report.violation().expect("it is reported").words;
    assert!(words.contains("equality leaves something out"), "{words}");
}

#[test]
fn case_7_a_property_reads_what_it_declares_alone() {
    let mut system = System::new(Network::Set);
    system.add(N1, Forgetful { count: 0 });
    system.add(NodeId::server(2), Forgetful { count: 0 });
    let reads_more = Property::when("reads more", Reads::Nodes(vec![N1]), |view| {
        view.node(NodeId::server(2)).is_some_and(|node: &Forgetful| node.count > 0)
    });
    let checker = Checker::new(system, Blind).unwrap();
    let settings = Settings::default().invariant(reads_more);
    let report = checker.breadth_first(&checker.start(), &settings, &Alone);
    let words = &report.violation().expect("it is reported").words;
    assert!(words.contains("the property panicked"), "{words}");
}

#[test]
fn case_8_a_depth_limit_loses_no_states_on_many_threads() {
    let settings = Settings { depth_max: Some(9), ..Settings::default() };
    let search = |threads| {
        let checker = Checker::new(two_phase(6), Blind).unwrap();
        let report = checker.breadth_first(&checker.start(), &settings, &Threads(threads));
        assert_eq!(report.verdict, Verdict::BudgetSpent(Spent::Depth));
        report.stats.by_depth
    };
    let alone = search(1);
    assert!(alone.len() == 10 && alone[9] > 1000, "{alone:?}");
    for threads in [2, 4, 2, 4] {
        assert_eq!(search(threads), alone);
    }
}

#[test]
fn case_9_each_property_has_its_own_nearest_counterexample() {
    let mut dice = Rng::new(9);
    for round in 0..60 {
        let (edges, far) = random_graph(&mut dice);
        let places: Vec<u8> = (1..9).filter(|place| far[*place as usize].is_some()).collect();
        let settings =
            places.iter().fold(Settings::default(), |settings, place| settings.invariant(never_at(*place)));
        let checker = checker(&edges);
        let report = checker.breadth_first(&checker.start(), &settings, &Threads(1 + round % 3));
        assert_eq!(report.findings.len(), places.len(), "{edges:?}");
        for place in places {
            let subject = Subject::Invariant(format!("it is never at {place}"));
            let found = report.findings.iter().find(|found| found.subject == subject).unwrap();
            assert_eq!(Some(found.state.steps() as u32), far[place as usize], "{edges:?}");
        }
    }
}

fn is_same_exactly<N: Checkable>(system: System<N>) -> u64 {
    let checker = Checker::new(system, Blind).unwrap();
    let [fast, exact] = [false, true].map(|is_exact| {
        let settings = Settings { is_exact, ..Settings::default() };
        let report = checker.breadth_first(&checker.start(), &settings, &Alone);
        assert_eq!(report.verdict, Verdict::Exhausted);
        report.stats.by_depth
    });
    assert_eq!(fast, exact);
    fast.iter().sum()
}

#[test]
fn case_10_fingerprints_lose_no_states() {
    assert_eq!(is_same_exactly(two_phase(7)), 296_448);
    let size = Size { servers: 2, clients: 1, retries: 2, is_hasty: false };
    let budgets = Budgets { crashes: 1, late_writes: 1, drops: 1, ..Budgets::default() };
    for network in [Network::Set, Network::Bag, Network::Ordered] {
        let unique = is_same_exactly(ledger::system(size, network, ledger::finite(network, &budgets)));
        assert!(unique > 150, "{network:?}: {unique}");
    }
}

/// A client that tells its user of every answer, the second one too.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Gossip {
    Server,
    Client,
}

impl Node for Gossip {
    type Message = RequestId;
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}
    fn on_message(&mut self, from: NodeId, id: RequestId, ctx: &mut Context<Self>) {
        match self {
            Gossip::Server => ctx.send(from, id),
            Gossip::Client => ctx.reply(id, ()),
        }
    }
    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {}
    fn on_request(&mut self, id: RequestId, (): (), ctx: &mut Context<Self>) {
        ctx.send(N1, id);
    }
    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {}
}

#[test]
fn case_5_an_answer_that_is_told_twice_is_wrong() {
    let mut system = System::new(Network::Set);
    system.add(N1, Gossip::Server);
    system.add_with_user(NodeId::client(1), Gossip::Client, User::asks(vec![((), None)]));
    let checker = Checker::new(system, Blind).unwrap();
    let report = checker.breadth_first(&checker.start(), &Settings::default(), &Alone);
    assert_eq!(report.violation().unwrap().words, "c1 was answered r1 twice, or never asked it");
}
