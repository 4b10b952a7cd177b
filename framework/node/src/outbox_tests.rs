//! What leaves when.

use crate::{Context, Departure, Durable, Node, NodeId, Outbox, Rename, RequestId, Sink, TimerRange};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Quiet;

impl Node for Quiet {
    type Message = &'static str;
    type Timer = &'static str;
    type Record = u32;
    type Checkpoint = u32;
    type Request = ();
    type Response = &'static str;

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}
    fn on_message(&mut self, _from: NodeId, _message: &'static str, _ctx: &mut Context<Self>) {}
    fn on_timer(&mut self, _timer: &'static str, _ctx: &mut Context<Self>) {}
    fn on_request(&mut self, _id: RequestId, _request: (), _ctx: &mut Context<Self>) {}
    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {}
}

#[derive(Default)]
struct Log(Vec<String>);

impl Log {
    fn take(&mut self) -> String {
        std::mem::take(&mut self.0).join(" ")
    }
}

impl Sink<Quiet> for Log {
    fn depart(&mut self, departure: Departure<Quiet>) {
        self.0.push(match departure {
            Departure::Message { to, message } => format!("{message}->{to}"),
            Departure::Reply { id, response } => format!("{response}->{id}"),
        });
    }
    fn set_timer(&mut self, timer: &'static str, after: TimerRange) {
        self.0.push(format!("{timer}@{after:?}"));
    }
    fn persist(&mut self, record: u32) {
        self.0.push(format!("write {record}"));
    }
    fn checkpoint(&mut self, checkpoint: u32) {
        self.0.push(format!("checkpoint {checkpoint}"));
    }
}

const N2: NodeId = NodeId::server(2);

#[test]
fn a_promise_waits_for_every_write_before_it_and_nothing_else_waits() {
    let (mut outbox, mut log, mut ctx) =
        (Outbox::default(), Log::default(), Context::<Quiet>::new(NodeId::server(1)));
    ctx.send(N2, "a");
    ctx.persist(1);
    ctx.send(N2, "b");
    ctx.send_early(N2, "c");
    ctx.set_timer("t", 1..=2);
    outbox.take(&mut ctx, &mut log);
    assert_eq!(log.take(), "a->n2 write 1 c->n2 t@1..=2");
    // A later handler's send waits too, although that handler wrote nothing.
    ctx.reply(RequestId(7), "d");
    ctx.checkpoint(2);
    ctx.send(N2, "e");
    outbox.take(&mut ctx, &mut log);
    assert_eq!(log.take(), "checkpoint 2");
    assert_eq!((outbox.writes(), outbox.held()), (2, 3));
    outbox.on_durable(1, &mut log);
    assert_eq!(log.take(), "b->n2 d->r7");
    outbox.on_durable(1, &mut log);
    assert_eq!(log.take(), "e->n2");
    assert!(outbox.is_empty());
}

#[test]
#[should_panic(expected = "more writes became durable")]
fn a_driver_that_counts_wrong_is_told() {
    Outbox::<Quiet>::default().on_durable(1, &mut Log::default());
}

#[test]
fn what_waits_is_renamed() {
    let outbox_to = |to| {
        let (mut outbox, mut ctx) = (Outbox::default(), Context::<Quiet>::new(NodeId::server(1)));
        ctx.persist(1);
        ctx.send(to, "a");
        ctx.reply(RequestId(7), "b");
        outbox.take(&mut ctx, &mut Log::default());
        outbox
    };
    let n3 = NodeId::server(3);
    let mut outbox = outbox_to(N2);
    outbox.rename(&|id| if id == N2 { n3 } else { id });
    assert_eq!(outbox, outbox_to(n3));
    assert_ne!(outbox, outbox_to(N2));
}
