//! What may go wrong may go wrong together: one kind of fault takes nothing from another.

use synod_checker::{
    Alone, Blind, Budgets, Checker, Network, Property, Reads, Reductions, Settings, System, User, View,
};
use synod_node::{Context, Durable, Node, NodeId, RequestId};

/// Counts what it is asked, and never answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Silent {
    asked: u32,
}

impl Node for Silent {
    type Message = ();
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}

    fn on_message(&mut self, _from: NodeId, (): (), _ctx: &mut Context<Self>) {}

    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {}

    fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {
        self.asked += 1;
    }

    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {}
}

/// A user asks for a second thing once it has given up the first.
#[test]
fn a_user_of_a_server_that_may_crash_may_give_up_too() {
    for id in [NodeId::server(1), NodeId::client(1)] {
        for crashes in [0, 1] {
            let mut system = System::new(Network::Set);
            system.budgets = Budgets { crashes, give_ups: 1, ..Budgets::default() };
            let asks = User::asks(vec![((), None), ((), None)]);
            system.add_with_user(id, Silent::default(), asks);
            let twice = Property::when("asked twice", Reads::Nodes(vec![id]), move |view| {
                view.node(id).is_some_and(|node: &Silent| node.asked == 2)
            });
            let checker = Checker::new(system, Blind).unwrap();
            let report = checker.breadth_first(&checker.start(), &Settings::default().goal(twice), &Alone);
            assert!(report.goal().is_some(), "{id} with {crashes} crashes: {:?}", report.verdict);
        }
    }
}

/// Says one word to another, which ignores it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Herald {
    to: Option<NodeId>,
}

impl Node for Herald {
    type Message = u32;
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        if let Some(to) = self.to {
            ctx.send(to, 7);
        }
    }

    fn on_message(&mut self, _from: NodeId, _word: u32, _ctx: &mut Context<Self>) {}

    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {}

    fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {}

    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {}
}

fn heralds() -> System<Herald> {
    let mut system = System::new(Network::Bag);
    system.add(NodeId::server(1), Herald { to: Some(NodeId::server(2)) });
    system.add(NodeId::server(2), Herald { to: None });
    system
}

/// A message that its receiver ignores has arrived all the same, where messages arrive once.
#[test]
fn what_is_in_flight_is_seen_with_and_without_reductions() {
    let quiet = || {
        Property::new("something is in flight", Reads::Everything, |view: &View<'_, Herald>| {
            if view.in_flight() > 0 { Ok(()) } else { Err("nothing is".to_owned()) }
        })
    };
    for reductions in [Reductions::default(), Reductions::none()] {
        let settings = Settings { reductions, ..Settings::default() }.invariant(quiet());
        let checker = Checker::new(heralds(), Blind).unwrap();
        let report = checker.breadth_first(&checker.start(), &settings, &Alone);
        assert!(report.violation().is_some(), "{:?}", report.verdict);
    }
}

/// A property that panics ends no program: the way to the state is told, as for any other objection.
#[test]
fn a_property_that_panics_is_violated_where_it_panics() {
    let fussy = || {
        Property::new("fussy", Reads::Everything, |view: &View<'_, Herald>| {
            assert!(view.in_flight() > 0, "it looked for a message");
            Ok(())
        })
    };
    let checker = Checker::new(heralds(), Blind).unwrap();
    for settings in [
        Settings::default().invariant(fussy()),
        Settings::default().goal(Property::when(
            "fussy goal",
            Reads::Everything,
            |view: &View<'_, Herald>| {
                assert!(view.in_flight() > 0, "it looked for a message");
                false
            },
        )),
    ] {
        let report = checker.breadth_first(&checker.start(), &settings, &Alone);
        let found = report.violation().expect("it is violated");
        assert!(found.words.contains("the property panicked: it looked for a message"), "{}", found.words);
        assert_eq!(found.state.steps(), 1);
    }
}

/// Is reminded once, and does nothing about it; or sets the same timer again, so often.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Sleeper {
    is_restless: bool,
}

impl Node for Sleeper {
    type Message = ();
    type Timer = u8;
    type Record = ();
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        ctx.set_timer(1, 1..=1);
        ctx.set_timer(2, 2..=2);
    }

    fn on_message(&mut self, _from: NodeId, (): (), _ctx: &mut Context<Self>) {}

    fn on_timer(&mut self, timer: u8, ctx: &mut Context<Self>) {
        if self.is_restless {
            ctx.set_timer(timer, u64::from(timer)..=u64::from(timer));
        }
    }

    fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {}

    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {}
}

/// A timer that fires without effect is set no more, and lets those behind it fire.
#[test]
fn which_timers_are_set_is_seen_with_and_without_reductions() {
    let id = NodeId::server(1);
    for is_restless in [false, true] {
        let seen = |reductions| {
            let are_set = |timers: &[u8]| {
                let timers = timers.to_vec();
                Property::when(format!("{timers:?}"), Reads::Everything, move |view: &View<'_, Sleeper>| {
                    view.timers(id) == timers
                })
            };
            let goals = [&[1, 2][..], &[2, 1], &[1], &[2], &[]].map(are_set).to_vec();
            let mut system = System::new(Network::Set);
            system.add(id, Sleeper { is_restless });
            let checker = Checker::new(system, Blind).unwrap();
            let settings = Settings { goals, reductions, ..Settings::default() };
            let report = checker.breadth_first(&checker.start(), &settings, &Alone);
            let mut names: Vec<String> =
                report.findings.iter().map(|found| found.subject.to_string()).collect();
            names.sort();
            names
        };
        let right: &[&str] = if is_restless { &["[1, 2]", "[2, 1]"] } else { &["[1, 2]", "[2]", "[]"] };
        assert_eq!(seen(Reductions::default()), right);
        assert_eq!(seen(Reductions::none()), right);
    }
}
