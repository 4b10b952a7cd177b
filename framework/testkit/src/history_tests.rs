//! The history oracle catches a system that lies, so that its silence means something.

use crate::{HistoryOracle, Kind, Stage, Translate};
use synod_history::{KvOp, KvRet};
use synod_node::{Context, Durable, Node, NodeId, RequestId};
use synod_simulator::{Fixed, Simulator};

const C1: NodeId = NodeId::client(1);
const C2: NodeId = NodeId::client(2);

/// A register that answers its own client from its own copy: right for one client, a lie for two.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Register {
    value: Option<u8>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Ask {
    Put(u8),
    Get,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Answer {
    Stored,
    Value(Option<u8>),
}

impl Node for Register {
    type Message = ();
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = Ask;
    type Response = Answer;

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}
    fn on_message(&mut self, _from: NodeId, _message: (), _ctx: &mut Context<Self>) {}
    fn on_timer(&mut self, _timer: (), _ctx: &mut Context<Self>) {}
    fn on_request(&mut self, id: RequestId, request: Ask, ctx: &mut Context<Self>) {
        match request {
            Ask::Put(value) => {
                self.value = Some(value);
                ctx.reply(id, Answer::Stored);
            }
            Ask::Get => ctx.reply(id, Answer::Value(self.value)),
        }
    }
    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {}
}

/// Each client of `lists` asks its list when the one before is done. The verdict, and how many operations it is about.
fn verdict(lists: Vec<(NodeId, Vec<Ask>)>) -> (Result<(), String>, usize) {
    let translate = Translate::<Register> {
        op: |ask| {
            Some(match ask {
                Ask::Put(value) => KvOp::Put { key: (*b"k").into(), value: [*value].into() },
                Ask::Get => KvOp::Get { key: (*b"k").into() },
            })
        },
        ret: |answer| {
            Some(match answer {
                Answer::Stored => KvRet::Ok,
                Answer::Value(value) => KvRet::Value(value.map(|value| [value].into())),
            })
        },
    };
    let stage = Stage { seed: 1, kind: Kind::Run, record: false };
    let mut simulator = stage.simulator();
    let oracle = HistoryOracle::new(translate);
    let judged = oracle.judged();
    simulator.watch(oracle);
    for (client, list) in lists {
        simulator.start(client, Register::default()).unwrap();
        simulator.drive(client, 1, Fixed::new(list.into_iter().map(|ask| (ask, None))));
        assert!(simulator.run_until(10, Simulator::is_done).unwrap());
        simulator.run_ms(1).unwrap();
    }
    let outcome = stage.conclude(simulator, Ok(())).map(|_| ()).map_err(|failed| failed.failure.what);
    (outcome, judged.get())
}

#[test]
fn a_register_that_tells_the_truth_passes() {
    let (verdict, judged) = verdict(vec![(C1, vec![Ask::Get, Ask::Put(1), Ask::Get, Ask::Put(2), Ask::Get])]);
    assert_eq!(verdict, Ok(()));
    assert_eq!(judged, 5, "every operation was looked at");
}

#[test]
fn a_read_that_misses_an_acknowledged_write_is_caught() {
    let (verdict, judged) = verdict(vec![(C1, vec![Ask::Put(1)]), (C2, vec![Ask::Get])]);
    let what = verdict.unwrap_err();
    assert!(what.contains("not linearizable"), "{what}");
    assert_eq!(judged, 2);
}
