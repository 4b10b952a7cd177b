//! A protocol of one's own in the debugger: `cargo run -p synod-testkit --example own_protocol`.
//!
//! Workers ask for a lock, work while they have it, and give it back. The lock is lent for a while only, for a worker may
//! die. Is that right? Start all three nodes, write `count(nodes where works) > 1`, and press *Search*.

use std::future::pending;
use std::io;
use synod_debugger::{Setup, open, serve};
use synod_node::{Context, Durable, Node, NodeId, RequestId};
use synod_testkit::seeker;

const LOCK: NodeId = NodeId::server(1);

/// A node: the one that lends the lock, or one that works.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Process {
    /// Lends the lock.
    Lock {
        /// To whom it is lent.
        holder: Option<NodeId>,
    },
    /// Works while it has the lock.
    Worker {
        /// Whether it works now.
        works: bool,
    },
}

/// What they say.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// A worker wants the lock.
    Want,
    /// It has it.
    Lent,
    /// It gives it back.
    Done,
}

/// What they wait for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Timer {
    /// To ask again.
    Ask,
    /// The work to be done.
    Work,
    /// The lock to be free, whether it was given back or not.
    Lease,
}

impl Node for Process {
    type Message = Message;
    type Timer = Timer;
    type Record = ();
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        if let Process::Worker { .. } = self {
            ctx.set_timer(Timer::Ask, 10..=50);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, ctx: &mut Context<Self>) {
        match (self, message) {
            (Process::Lock { holder: holder @ None }, Message::Want) => {
                *holder = Some(from);
                ctx.send(from, Message::Lent);
                ctx.set_timer(Timer::Lease, 1_000..=1_000);
            }
            (Process::Lock { holder }, Message::Done) if *holder == Some(from) => *holder = None,
            (Process::Worker { works }, Message::Lent) => {
                *works = true;
                ctx.set_timer(Timer::Work, 100..=200);
            }
            (Process::Lock { .. } | Process::Worker { .. }, _) => {}
        }
    }

    fn on_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        match (self, timer) {
            (Process::Lock { holder }, _) => *holder = None,
            (Process::Worker { works }, Timer::Work) => {
                *works = false;
                ctx.send(LOCK, Message::Done);
                ctx.set_timer(Timer::Ask, 10..=50);
            }
            (Process::Worker { works }, _) => {
                if !*works {
                    ctx.send(LOCK, Message::Want);
                    ctx.set_timer(Timer::Ask, 10..=50);
                }
            }
        }
    }

    fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {}

    fn on_recover(&mut self, _durable: Durable<Self>, ctx: &mut Context<Self>) {
        self.on_start(ctx);
    }
}

/// A lock and two workers.
pub fn setup() -> Setup<Process> {
    let worker = |number| (NodeId::server(number), Process::Worker { works: false });
    let nodes = [(LOCK, Process::Lock { holder: None }), worker(2), worker(3)];
    let mut setup = Setup::of("a lock that is lent", nodes);
    // So that it can be searched, too.
    setup.seeker = Some(seeker(&setup));
    setup
}

fn main() -> io::Result<()> {
    let desk = open(setup()).map_err(io::Error::other)?;
    serve(desk, 0, |address| println!("open {address}"), pending())
}
