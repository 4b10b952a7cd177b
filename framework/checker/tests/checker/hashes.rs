//! A `Hash` that leaves out what `Eq` compares: no search takes two states for one, wherever the value stands.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use synod_checker::{
    Alone, Blind, Budgets, Checker, Fairness, Network, Observer, Property, Reads, Reductions, Report,
    Settings, Subject, Symmetry, System, User, Verdict, View, Walks,
};
use synod_node::{Context, Durable, Node, NodeId, Rename, RequestId};

const N1: NodeId = NodeId::server(1);

/// A number, of which the hash says nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Veiled(u8);

impl Hash for Veiled {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

impl Rename for Veiled {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {}
}

/// Where the veiled number stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Stands {
    Node,
    Message,
    Timer,
    Record,
    Observer,
}

/// Counts to three, where the veiled number stands. As a record, writes down a one and a two in any order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Counter {
    stands: Stands,
    count: Veiled,
    /// What it counted to, or what it read from its disk after a crash.
    result: Vec<u8>,
}

impl Counter {
    fn go_on(&mut self, count: u8, ctx: &mut Context<Self>) {
        match self.stands {
            _ if count == 3 => self.result = vec![3],
            Stands::Node => ctx.set_timer(Veiled(0), 1..=1),
            Stands::Message => ctx.send(ctx.me(), (0, Veiled(count + 1))),
            Stands::Timer => ctx.set_timer(Veiled(count + 1), 1..=1),
            Stands::Record | Stands::Observer => {}
        }
    }
}

impl Node for Counter {
    type Message = (u8, Veiled);
    type Timer = Veiled;
    type Record = Veiled;
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        if self.stands == Stands::Record {
            ctx.send(ctx.me(), (1, Veiled(0)));
            ctx.send(ctx.me(), (2, Veiled(0)));
        }
        self.go_on(0, ctx);
    }
    fn on_message(&mut self, _from: NodeId, (plain, count): (u8, Veiled), ctx: &mut Context<Self>) {
        match self.stands {
            Stands::Record => ctx.persist(Veiled(plain)),
            Stands::Observer => ctx.reply(RequestId(1), ()),
            Stands::Node | Stands::Message | Stands::Timer => self.go_on(count.0, ctx),
        }
    }
    fn on_timer(&mut self, count: Veiled, ctx: &mut Context<Self>) {
        if self.stands == Stands::Node {
            self.count.0 += 1;
            self.go_on(self.count.0, ctx);
        } else {
            self.go_on(count.0, ctx);
        }
    }
    fn on_request(&mut self, _id: RequestId, (): (), ctx: &mut Context<Self>) {
        ctx.send(ctx.me(), (0, Veiled(0)));
    }
    fn on_recover(&mut self, durable: Durable<Self>, _ctx: &mut Context<Self>) {
        self.result = durable.records.iter().map(|record| record.0).collect();
    }
}

/// Remembers who was answered last, and objects if that was `wrong` when the third is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Last {
    last: Veiled,
    wrong: u8,
}

impl Observer<Counter> for Last {
    fn on_invoke(&mut self, _client: NodeId, _id: RequestId, (): &()) {}
    fn on_return(&mut self, client: NodeId, _id: RequestId, (): &()) -> Result<(), String> {
        let who = (1..=3).find(|number| NodeId::server(*number) == client).expect("one of three") as u8;
        if who == 3 && self.last.0 == self.wrong {
            return Err("the wrong one was last".to_owned());
        }
        self.last = Veiled(who);
        Ok(())
    }
    fn on_give_up(&mut self, _client: NodeId, _id: RequestId) {}
}

fn checker(stands: Stands, wrong: u8) -> Checker<Counter> {
    let mut system = System::new(Network::Bag);
    let counter = Counter { stands, count: Veiled(0), result: Vec::new() };
    if stands == Stands::Observer {
        for id in NodeId::servers(3) {
            system.add_with_user(id, counter.clone(), User::asks(vec![((), None)]));
        }
    } else {
        system.budgets = Budgets { crashes: u8::from(stands == Stands::Record), ..Budgets::default() };
        system.add(N1, counter);
    }
    Checker::new(system, Last { last: Veiled(0), wrong }).unwrap()
}

fn never(result: Vec<u8>) -> Property<Counter> {
    let is_it = move |view: &View<'_, Counter>| view.node(N1).is_some_and(|node| node.result == result);
    Property::when("the result", Reads::Nodes(vec![N1]), is_it).negated()
}

/// Every way to search, by fingerprints.
fn every_search(checker: &Checker<Counter>, settings: &Settings<Counter>) -> Vec<Report> {
    let from = checker.start();
    let walks = Walks { seed: 1, count: 100, steps: 10 };
    vec![
        checker.breadth_first(&from, settings, &Alone),
        checker.depth_first(&from, settings, &Alone),
        checker.walk(&from, settings, walks, &Alone),
    ]
}

#[test]
fn no_two_states_are_taken_for_one() {
    let cases = [
        (Stands::Node, "Counter", vec![3]),
        (Stands::Message, "(u8, checker::hashes::Veiled)", vec![3]),
        (Stands::Timer, "Veiled", vec![3]),
        (Stands::Record, "Veiled", vec![1, 2]),
        (Stands::Record, "Veiled", vec![2, 1]),
        (Stands::Observer, "Last", vec![1]),
        (Stands::Observer, "Last", vec![2]),
    ];
    for (stands, type_name, wrong) in cases {
        let settings = Settings::default().invariant(never(wrong.clone()));
        for report in every_search(&checker(stands, wrong[0]), &settings) {
            assert_eq!(report.verdict, Verdict::Violated, "{stands:?}");
            let refused = report
                .findings
                .iter()
                .find(|found| found.words.contains("leaves out what its `Eq` compares"));
            let words = &refused.unwrap_or_else(|| panic!("{stands:?}: {:?}", report.findings)).words;
            assert!(words.contains(type_name), "{stands:?}: {words}");
        }
        // Whole states are compared, so both are seen, and what is wrong is found by its own name.
        let settings = Settings { is_exact: true, ..settings };
        let checker = checker(stands, wrong[0]);
        let report = checker.breadth_first(&checker.start(), &settings, &Alone);
        let found = report.violation().expect("it is violated");
        assert!(!found.words.contains("Hash"), "{stands:?}: {}", found.words);
        assert_eq!(found.subject == Subject::Step, stands == Stands::Observer, "{stands:?}");
        assert_eq!(checker.minimised(found, &settings).words, found.words);
    }
}

/// The verdicts on a property are remembered by what it reads, not by its hash.
#[test]
fn no_verdict_is_taken_for_another_ones() {
    let checker = checker(Stands::Node, 0);
    let below_two = Property::when("below two", Reads::Nodes(vec![N1]), |view: &View<'_, Counter>| {
        view.node(N1).is_some_and(|node| node.count.0 < 2)
    });
    let settings = Settings { is_exact: true, ..Settings::default() }.invariant(below_two.clone());
    let report = checker.breadth_first(&checker.start(), &settings, &Alone);
    assert_eq!(report.violation().map(|found| found.state.steps()), Some(2));
    let question = (&below_two.negated(), Fairness::Weak);
    let report = checker.eventually(&checker.start(), &Settings::default(), question, &Alone);
    assert_eq!(report.verdict, Verdict::Exhausted, "{:?}", report.findings);
}

/// One asks a third node, and is told that it is the first or the second.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Racer {
    Judge { winner: Option<NodeId> },
    Runner { me: NodeId, is_done: bool, place: Veiled },
}

impl Node for Racer {
    type Message = bool;
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        if let Racer::Runner { .. } = self {
            ctx.send(NodeId::server(3), true);
        }
    }
    fn on_message(&mut self, from: NodeId, is_first: bool, ctx: &mut Context<Self>) {
        match self {
            Racer::Judge { winner } => {
                ctx.send(from, winner.is_none());
                winner.get_or_insert(from);
            }
            Racer::Runner { place, is_done, .. } => {
                (*is_done, *place) = (true, Veiled(if is_first { 1 } else { 2 }));
            }
        }
    }
    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {}
    fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {}
    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {}
}

impl Rename for Racer {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Racer::Judge { winner } => winner.rename(name),
            Racer::Runner { me, .. } => me.rename(name),
        }
    }
}

/// A node that only another name makes equal in hash to one that was met.
#[test]
fn what_clashes_under_another_name_is_found_too() {
    let mut system = System::new(Network::Bag);
    for id in NodeId::servers(2) {
        system.add(id, Racer::Runner { me: id, is_done: false, place: Veiled(0) });
    }
    system.add(NodeId::server(3), Racer::Judge { winner: None });
    let symmetry = Symmetry::new(&system, &[NodeId::servers(2)]).unwrap();
    let reductions = Reductions { symmetry: Some(Arc::new(symmetry)), ..Reductions::default() };
    let settings = Settings { reductions, ..Settings::default() };
    let checker = Checker::new(system, Blind).unwrap();
    let report = checker.breadth_first(&checker.start(), &settings, &Alone);
    assert!(report.violation().is_some_and(|found| found.words.contains("Racer")), "{:?}", report.findings);
}
