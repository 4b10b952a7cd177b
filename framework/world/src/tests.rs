//! What a world does with a node that writes, sends and counts.

use crate::{Event, Happening, Header, Misfit, Trace, TraceError, TraceEvent, World};
use synod_node::{Context, Durable, Node, NodeId, RequestId};

const N1: NodeId = NodeId::server(1);
const N2: NodeId = NodeId::server(2);

/// Persists each number that it is asked to keep, then tells its peer and answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Keeper {
    kept: Vec<u32>,
}

impl Node for Keeper {
    type Message = u32;
    type Timer = &'static str;
    type Record = u32;
    type Checkpoint = Vec<u32>;
    type Request = u32;
    type Response = usize;

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        ctx.set_timer("tick", 10..=20);
    }
    fn on_message(&mut self, _from: NodeId, message: u32, _ctx: &mut Context<Self>) {
        self.kept.push(message);
    }
    fn on_timer(&mut self, _timer: &'static str, ctx: &mut Context<Self>) {
        ctx.checkpoint(self.kept.clone());
    }
    fn on_request(&mut self, id: RequestId, request: u32, ctx: &mut Context<Self>) {
        self.kept.push(request);
        ctx.persist(request);
        ctx.send(N2, request);
        ctx.reply(id, self.kept.len());
    }
    fn on_recover(&mut self, durable: Durable<Self>, _ctx: &mut Context<Self>) {
        self.kept = durable.checkpoint.unwrap_or_default();
        self.kept.extend(durable.records);
    }
}

fn started() -> World<Keeper> {
    let mut world = World::default();
    for id in [N1, N2] {
        world.add(id, Keeper::default());
        world.apply(Event::Start(id), &mut Vec::new()).unwrap();
    }
    world
}

fn ask(world: &mut World<Keeper>, request: u32) -> Vec<Happening<Keeper>> {
    let mut seen = Vec::new();
    let event = Event::Request { node: N1, id: RequestId(u64::from(request)), request };
    world.apply(event, &mut seen).unwrap();
    seen
}

#[test]
fn a_crash_between_the_write_and_the_promise_loses_both() {
    let mut world = started();
    assert_eq!(ask(&mut world, 1), vec![Happening::Wrote(N1)]);
    assert_eq!(world.flight().count(), 0);
    let mut seen = Vec::new();
    world.apply(Event::Durable { node: N1, writes: 1 }, &mut seen).unwrap();
    assert!(matches!(seen[..], [Happening::Sent(_), Happening::Replied { response: 1, .. }]));
    ask(&mut world, 2);
    world.apply(Event::Crash(N1), &mut seen).unwrap();
    world.apply(Event::Restart(N1), &mut seen).unwrap();
    assert_eq!(world.node(N1).unwrap().kept, [1]);
    assert_eq!(world.flight().count(), 1, "what left before the crash is still in flight");
}

#[test]
fn a_checkpoint_replaces_the_records_before_it_and_not_those_after() {
    let mut world = started();
    ask(&mut world, 1);
    let timer = world.timers().find(|(_, t)| t.node == N1).unwrap().0;
    world.apply(Event::Fire(timer), &mut Vec::new()).unwrap();
    ask(&mut world, 2);
    world.apply(Event::Durable { node: N1, writes: 3 }, &mut Vec::new()).unwrap();
    assert_eq!(world.disk(N1), Some(&Durable { checkpoint: Some(vec![1]), records: vec![2] }));
}

#[test]
fn what_cannot_happen_is_refused_and_changes_nothing() {
    let mut world = started();
    let before = world.clone();
    let mut apply = |event| world.apply(event, &mut Vec::new()).unwrap_err();
    assert_eq!(apply(Event::Start(N1)), Misfit::Running(N1));
    assert_eq!(apply(Event::Restart(N1)), Misfit::Running(N1));
    assert_eq!(apply(Event::Crash(NodeId::client(1))), Misfit::NoSuchNode(NodeId::client(1)));
    assert_eq!(apply(Event::Durable { node: N1, writes: 1 }), Misfit::NotWriting(N1));
    assert_eq!(world, before);
}

#[test]
fn a_message_to_a_crashed_node_stays_in_flight_until_it_is_dropped() {
    let mut world = started();
    ask(&mut world, 1);
    world.apply(Event::Durable { node: N1, writes: 1 }, &mut Vec::new()).unwrap();
    let message = world.flight().next().unwrap().0;
    world.apply(Event::Crash(N2), &mut Vec::new()).unwrap();
    assert_eq!(world.apply(Event::Deliver(message), &mut Vec::new()), Err(Misfit::NotRunning(N2)));
    world.apply(Event::Duplicate(message), &mut Vec::new()).unwrap();
    world.apply(Event::Drop(message), &mut Vec::new()).unwrap();
    world.apply(Event::Restart(N2), &mut Vec::new()).unwrap();
    let copy = world.flight().next().unwrap().0;
    world.apply(Event::Deliver(copy), &mut Vec::new()).unwrap();
    assert_eq!(world.node(N2).unwrap().kept, [1]);
}

#[test]
fn a_trace_replays_by_the_text_of_its_events() {
    let mut world = started();
    ask(&mut world, 1);
    let mut replayed = world.clone();
    let mut events = Vec::new();
    for event in [Event::Durable { node: N1, writes: 1 }, Event::Crash(N1), Event::Restart(N1)] {
        events.push(TraceEvent::of(5, &event, &world));
        world.apply(event, &mut Vec::new()).unwrap();
    }
    let deliver = Event::Deliver(world.flight().next().unwrap().0);
    events.push(TraceEvent::of(6, &deliver, &world));
    world.apply(deliver, &mut Vec::new()).unwrap();
    let header = Header { seed: Some(3), ..Header::of("world", "keeper", "") };
    let text = Trace { header, events }.to_text();
    let trace = Trace::from_text(&text).unwrap();
    for line in &trace.events {
        let event = replayed.find(line).expect("the same world has the same events");
        replayed.apply(event, &mut Vec::new()).unwrap();
    }
    assert_eq!(replayed, world);
    assert_eq!(trace.events[3].to_string(), "       0.006 ms  n2    <- n1    1");
    assert!(replayed.find(&trace.events[3]).is_none(), "a message arrives once");
}

#[test]
fn a_damaged_or_foreign_trace_is_refused_by_name() {
    assert_eq!(Trace::from_text(""), Err(TraceError::Empty));
    assert_eq!(Trace::from_text("{\"format\":\"mp3\"}"), Err(TraceError::NotATrace("mp3".into())));
    let newer = "{\"format\":\"synod-trace\",\"version\":99,\"shape\":\"unknown\"}";
    assert_eq!(Trace::from_text(newer), Err(TraceError::NewerVersion(99)));
    let header = "{\"format\":\"synod-trace\",\"version\":1,\"module\":\"m\",\"scenario\":\"s\",\"seed\":null,\"reason\":\"\"}";
    assert!(matches!(
        Trace::from_text(&format!("{header}\n{{\"event\":\"fly\"}}")),
        Err(TraceError::BadLine(2, _))
    ));
}
