//! What may go wrong may go wrong together: one kind of fault takes nothing from another.

use synod_checker::{Alone, Blind, Budgets, Checker, Network, Property, Reads, Settings, System, User};
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
