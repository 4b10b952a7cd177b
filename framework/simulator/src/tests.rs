//! What the simulator promises, shown with a node that talks, keeps, ticks and misbehaves when asked to.

mod faults;
mod judgement;
mod reproducible;

use crate::{Options, Simulator};
use synod_node::{Context, Durable, Node, NodeId, RequestId};

const N1: NodeId = NodeId::server(1);
const N2: NodeId = NodeId::server(2);
const N3: NodeId = NodeId::server(3);
const C1: NodeId = NodeId::client(1);

/// Does what it is asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Probe {
    peers: Vec<NodeId>,
    heard: Vec<(NodeId, u64)>,
    fired: Vec<u8>,
    kept: Vec<u64>,
    ticks: u64,
}

/// What a probe can be asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Do {
    /// Tell all peers, and answer.
    Say(u64),
    /// Make it durable, then tell all peers, and answer.
    Keep(u64),
    /// Be reminded of the number between these, in milliseconds.
    Remember(u8, u64, u64),
    /// Tick, telling all peers how often, for ever.
    Tick,
    /// Answer the same request twice.
    AnswerTwice,
    /// Break.
    Panic,
}

impl Node for Probe {
    type Message = u64;
    type Timer = u8;
    type Record = u64;
    type Checkpoint = ();
    type Request = Do;
    type Response = u64;

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}

    fn on_message(&mut self, from: NodeId, message: u64, _ctx: &mut Context<Self>) {
        self.heard.push((from, message));
    }

    fn on_timer(&mut self, timer: u8, ctx: &mut Context<Self>) {
        if timer == TICK {
            self.ticks += 1;
            ctx.persist(self.ticks);
            ctx.broadcast(&self.peers, &self.ticks);
            ctx.set_timer(TICK, 5..=15);
        } else {
            self.fired.push(timer);
        }
    }

    fn on_request(&mut self, id: RequestId, request: Do, ctx: &mut Context<Self>) {
        match request {
            Do::Say(word) => {
                ctx.broadcast(&self.peers, &word);
                ctx.reply(id, word);
            }
            Do::Keep(word) => {
                self.kept.push(word);
                ctx.persist(word);
                ctx.broadcast(&self.peers, &word);
                ctx.reply(id, word);
            }
            Do::Remember(number, low, high) => ctx.set_timer(number, low..=high),
            Do::Tick => ctx.set_timer(TICK, 5..=15),
            Do::AnswerTwice => {
                ctx.reply(id, 1);
                ctx.reply(id, 1);
            }
            Do::Panic => panic!("asked to break"),
        }
    }

    fn on_recover(&mut self, durable: Durable<Self>, _ctx: &mut Context<Self>) {
        self.kept = durable.records;
    }
}

const TICK: u8 = u8::MAX;

/// A world without weather: every message takes a millisecond, every write half of one.
fn calm() -> Options {
    Options {
        latency_us: (1_000, 1_000),
        tail_permille: 0,
        duplicate_permille: 0,
        disk_us: (500, 500),
        clock_skew_permille: 0,
        ..Options::default()
    }
}

/// Three probes that know each other.
fn three(seed: u64, options: Options) -> Simulator<Probe> {
    let mut sim = Simulator::new(seed, options);
    for id in [N1, N2, N3] {
        let peers = [N1, N2, N3].into_iter().filter(|peer| *peer != id).collect();
        sim.start(id, Probe { peers, ..Probe::default() }).unwrap();
    }
    sim
}

fn probe(sim: &Simulator<Probe>, id: NodeId) -> &Probe {
    sim.world().node(id).expect("it runs")
}

/// Has each node say its own number, and lists who heard whom within ten milliseconds.
fn who_hears_whom(sim: &mut Simulator<Probe>) -> Vec<(NodeId, NodeId)> {
    let before: Vec<usize> = [N1, N2, N3].map(|id| probe(sim, id).heard.len()).to_vec();
    for id in [N1, N2, N3] {
        sim.ask(id, Do::Say(u64::from(id.number()))).unwrap();
    }
    sim.run_ms(10).unwrap();
    let mut heard = Vec::new();
    for (id, before) in [N1, N2, N3].into_iter().zip(before) {
        heard.extend(probe(sim, id).heard[before..].iter().map(|(from, _)| (*from, id)));
    }
    heard.sort_unstable();
    heard
}
