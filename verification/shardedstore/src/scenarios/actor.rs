//! A node of the simulated store: the node as it is, or with a mistake at its edge.

use std::fmt;
use std::hash::{Hash, Hasher};
use synod_node::{Context, Durable, Effect, Node, NodeId, RequestId, Stimulus, step};
use synod_shardedstore::{
    Checkpoint, Client, Message, Process, Record, Request, Response, Server, Sharded, Texts, Timer,
};

/// What takes a mutant's steps.
pub type Lie<S> = fn(&mut Process<S>, Stimulus<Process<S>>, &mut Context<Process<S>>);

/// A seeded mistake of a node. Two of one name are equal.
pub struct Mistake<S: Sharded> {
    name: &'static str,
    lie: Lie<S>,
}

impl<S: Sharded> Mistake<S> {
    /// The mistake of this name, if `find` knows it.
    pub fn find(name: &'static str, find: impl FnOnce(&str) -> Option<Lie<S>>) -> Option<Self> {
        find(name).map(|lie| Mistake { name, lie })
    }
}

impl<S: Sharded> Clone for Mistake<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Sharded> Copy for Mistake<S> {}

impl<S: Sharded> PartialEq for Mistake<S> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<S: Sharded> Eq for Mistake<S> {}

impl<S: Sharded> Hash for Mistake<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl<S: Sharded> fmt::Debug for Mistake<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.name, f)
    }
}

/// A node of the store, and the mistake that takes its steps, if one does.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Actor<S: Sharded = Texts> {
    process: Process<S>,
    mutant: Option<Mistake<S>>,
}

impl<S: Sharded> Actor<S> {
    /// A node whose steps this mistake takes.
    pub fn new(process: Process<S>, mutant: Option<Mistake<S>>) -> Self {
        Actor { process, mutant }
    }

    /// The node.
    pub fn node(&self) -> &Process<S> {
        &self.process
    }

    /// The member of a group, if it is one.
    pub fn server(&self) -> Option<&Server<S>> {
        self.process.server()
    }

    /// The client, if it is one.
    pub fn client(&self) -> Option<&Client<S>> {
        self.process.client()
    }

    fn step(&mut self, stimulus: Stimulus<Process<S>>, ctx: &mut Context<Self>) {
        let process = &mut self.process;
        let mutant = self.mutant;
        let run = |ctx: &mut Context<Process<S>>| match mutant {
            Some(mistake) => (mistake.lie)(process, stimulus, ctx),
            None => step(process, stimulus, ctx),
        };
        ctx.within(run, |effect| match effect {
            Effect::Send { to, message } => Effect::Send { to, message },
            Effect::SendEarly { to, message } => Effect::SendEarly { to, message },
            Effect::SetTimer { timer, after } => Effect::SetTimer { timer, after },
            Effect::Persist(record) => Effect::Persist(record),
            Effect::Checkpoint(checkpoint) => Effect::Checkpoint(checkpoint),
            Effect::Compact(checkpoint) => Effect::Compact(checkpoint),
            Effect::Reply { id, response } => Effect::Reply { id, response },
        });
    }
}

impl<S: Sharded> Node for Actor<S> {
    type Message = Message<S>;
    type Timer = Timer;
    type Record = Record<S>;
    type Checkpoint = Checkpoint<S>;
    type Request = Request<S::Command>;
    type Response = Response<S::Output>;

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        self.step(Stimulus::Start, ctx);
    }

    fn on_message(&mut self, from: NodeId, message: Message<S>, ctx: &mut Context<Self>) {
        self.step(Stimulus::Message { from, message }, ctx);
    }

    fn on_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        self.step(Stimulus::Timer(timer), ctx);
    }

    fn on_request(&mut self, id: RequestId, request: Request<S::Command>, ctx: &mut Context<Self>) {
        self.step(Stimulus::Request { id, request }, ctx);
    }

    fn on_recover(&mut self, durable: Durable<Self>, ctx: &mut Context<Self>) {
        let Durable { checkpoint, records } = durable;
        self.step(Stimulus::Recover(Durable { checkpoint, records }), ctx);
    }

    // Each step of the process asserts its own.
}
