//! A handler that is not deterministic is caught without any checks.

use crate::models::crew::Threads;
use std::sync::atomic::{AtomicU64, Ordering};
use synod_checker::{Blind, Checker, Network, Settings, Subject, System, Verdict};
use synod_node::{Context, Durable, Node, NodeId, RequestId};

/// Something outside of the state.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Counts messages, or whatever it likes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Moody {
    peers: Vec<NodeId>,
    seen: u8,
    is_moody: bool,
}

impl Node for Moody {
    type Message = ();
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        ctx.broadcast(&self.peers, &());
    }
    fn on_message(&mut self, _from: NodeId, (): (), _ctx: &mut Context<Self>) {
        let calls = CALLS.fetch_add(1, Ordering::Relaxed);
        if self.is_moody {
            self.seen = (calls % 200) as u8;
        } else if self.seen < 20 {
            self.seen += 1;
        }
    }
    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {}
    fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {}
    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {}
}

fn checker(is_moody: bool) -> Checker<Moody> {
    let mut system = System::new(Network::Set);
    for id in NodeId::servers(3) {
        let peers = NodeId::servers(3).into_iter().filter(|peer| *peer != id).collect();
        system.add(id, Moody { peers, seen: 0, is_moody });
    }
    Checker::new(system, Blind).unwrap()
}

#[test]
fn a_moody_handler_is_caught() {
    for threads in [1, 2] {
        let checker = checker(true);
        let report =
            checker.breadth_first(&checker.start(), &Settings::default().until_first(), &Threads(threads));
        let found = report.violation().expect("it is caught");
        assert_eq!(found.subject, Subject::Step);
        assert!(report.stats.steps < 4096, "soon");
        assert!(found.words.contains("took the same step twice with different results"), "{}", found.words);
    }
}

#[test]
fn a_steady_one_is_run_again_now_and_then_and_passes() {
    let checker = checker(false);
    let report = checker.breadth_first(&checker.start(), &Settings::default(), &Threads(1));
    assert_eq!((report.verdict, report.stats.unique), (Verdict::Exhausted, 21 * 21 * 21));
    // Twenty counts and the last that stays, of two messages each, at three nodes.
    let local_steps = 21 * 2 * 3;
    let again = report.stats.handled - local_steps;
    assert!(again > 10 && again * 1000 < report.stats.steps, "{again} of {}", report.stats.steps);
}
