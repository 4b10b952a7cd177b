//! The client: one operation at a time, in two phases.

use crate::{Message, Participant, Record, Request, Response, Tag, Timer};
use std::collections::{BTreeMap, BTreeSet};
use synod_node::{Context, NodeId, RequestId};

/// How long a client waits for a majority before it asks again, in milliseconds.
pub const RETRY_MS: u64 = 20;

/// A client of all replicas.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Client {
    pub(crate) me: NodeId,
    /// In the order of their names.
    pub(crate) replicas: Vec<NodeId>,
    /// The number of the last operation.
    pub(crate) op: u64,
    pub(crate) running: Option<Running>,
}

/// An operation that is not answered yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Running {
    pub(crate) id: RequestId,
    pub(crate) request: Request,
    pub(crate) phase: Phase,
}

/// What a majority is waited for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Phase {
    /// What the replicas keep.
    Query { states: BTreeMap<NodeId, (Tag, Option<u64>)> },
    /// That the replicas keep this.
    Store { tag: Tag, value: Option<u64>, stored: BTreeSet<NodeId> },
}

impl Client {
    /// The client `me`, which has asked nothing yet.
    pub fn new(me: NodeId, replicas: &[NodeId]) -> Self {
        let replicas: BTreeSet<NodeId> = replicas.iter().copied().collect();
        Client { me, replicas: replicas.into_iter().collect(), op: 0, running: None }
    }

    /// Whether `node` is one of its replicas.
    pub fn knows(&self, node: NodeId) -> bool {
        self.replicas.contains(&node)
    }

    /// Whether it reads now.
    pub fn is_reading(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.request == Request::Read)
    }

    fn is_majority(&self, count: usize) -> bool {
        count > self.replicas.len() / 2
    }

    /// # Panics
    /// If the last request is not answered yet: a user of this client asks one thing at a time.
    pub(crate) fn on_request(&mut self, id: RequestId, request: Request, ctx: &mut Context<Participant>) {
        assert!(self.running.is_none(), "a second request while the first one waits");
        self.op += 1;
        ctx.persist(Record::Began { op: self.op });
        self.running = Some(Running { id, request, phase: Phase::Query { states: BTreeMap::new() } });
        self.ask(ctx);
    }

    pub(crate) fn on_state(
        &mut self,
        from: NodeId,
        op: u64,
        state: (Tag, Option<u64>),
        ctx: &mut Context<Participant>,
    ) {
        let Some(Running { request, phase: Phase::Query { states }, .. }) = &mut self.running else { return };
        if op != self.op {
            return;
        }
        states.insert(from, state);
        let count = states.len();
        let Some((newest, kept)) = states.values().max_by_key(|(tag, _)| *tag).copied() else { return };
        let (tag, value) = match request {
            Request::Write(value) => (Tag { round: newest.round + 1, writer: self.me, op }, Some(*value)),
            Request::Read => (newest, kept),
        };
        if self.is_majority(count) {
            self.turn_to(Phase::Store { tag, value, stored: BTreeSet::new() }, ctx);
        }
    }

    fn turn_to(&mut self, phase: Phase, ctx: &mut Context<Participant>) {
        if let Some(running) = &mut self.running {
            running.phase = phase;
        }
        self.ask(ctx);
    }

    pub(crate) fn on_stored(&mut self, from: NodeId, op: u64, ctx: &mut Context<Participant>) {
        let Some(Running { id, request, phase: Phase::Store { value, stored, .. } }) = &mut self.running
        else {
            return;
        };
        if op != self.op {
            return;
        }
        stored.insert(from);
        let (id, count) = (*id, stored.len());
        let response = match request {
            Request::Write(_) => Response::Written,
            Request::Read => Response::Value(*value),
        };
        if self.is_majority(count) {
            self.running = None;
            ctx.reply(id, response);
        }
    }

    pub(crate) fn on_retry(&mut self, op: u64, ctx: &mut Context<Participant>) {
        if op == self.op {
            self.ask(ctx);
        }
    }

    /// Asks the replicas that have not answered.
    fn ask(&self, ctx: &mut Context<Participant>) {
        let Some(Running { phase, .. }) = &self.running else { return };
        let op = self.op;
        for replica in &self.replicas {
            match phase {
                Phase::Query { states } if !states.contains_key(replica) => {
                    ctx.send(*replica, Message::Query { op });
                }
                Phase::Store { tag, value, stored } if !stored.contains(replica) => {
                    ctx.send(*replica, Message::Store { op, tag: *tag, value: *value });
                }
                Phase::Query { .. } | Phase::Store { .. } => {}
            }
        }
        ctx.set_timer(Timer::Retry { op }, RETRY_MS..=RETRY_MS);
    }

    pub(crate) fn recover(&mut self, op: u64) {
        self.op = op;
    }
}
