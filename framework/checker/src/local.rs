//! The local step as the checker takes it: one stimulus at one place, and everything that follows at once.
//!
//! What follows at once: writes become durable, unless they are late; the user takes the answers and asks the next
//! request. So a global state has no half-done things in it that no other node could tell apart.

use crate::Checkable;
use crate::observer::Seen;
use crate::place::{Side, Waiting};
use crate::stim::Act;
use crate::system::Substitute;
use crate::user::{Ask, Position, User};
use std::collections::VecDeque;
use synod_node::{Context, Departure, Durable, NodeId, RequestId, Sink, Stimulus, TimerRange, step};
use synod_stdx::caught;
use synod_world::{Envelope, Write};

/// What happened within one step, in the words of a trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Detail {
    /// So many writes became durable.
    Durable(usize),
    /// The user asked.
    Request(RequestId, String),
}

/// A place at work.
pub(crate) struct Local<'a, N: Checkable> {
    pub(crate) id: NodeId,
    pub(crate) index: usize,
    pub(crate) built: &'a N,
    pub(crate) mutant: Option<&'a Substitute<N>>,
    pub(crate) user: Option<&'a User<N>>,
    /// Whether a node may ever restart: only then what is durable matters.
    pub(crate) keeps_disk: bool,
    pub(crate) node: Option<N>,
    pub(crate) side: Side<N>,
    pub(crate) position: Option<Position>,
    pub(crate) done: Done<N>,
}

/// What a step did to the rest of the world.
pub(crate) struct Done<N: Checkable> {
    pub(crate) sends: Vec<Envelope<N>>,
    pub(crate) seen: Vec<Seen<N>>,
    pub(crate) details: Vec<Detail>,
    pub(crate) objection: Option<String>,
    pub(crate) wrote: bool,
    replies: VecDeque<(RequestId, N::Response)>,
}

impl<N: Checkable> Default for Done<N> {
    fn default() -> Self {
        Done {
            sends: Vec::new(),
            seen: Vec::new(),
            details: Vec::new(),
            objection: None,
            wrote: false,
            replies: VecDeque::new(),
        }
    }
}

/// What happens at a place.
pub(crate) enum Event<'a, N: Checkable> {
    Deliver(&'a Envelope<N>),
    Fire(&'a Waiting<N>),
    Act(Act),
}

impl<N: Checkable> Clone for Event<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N: Checkable> Copy for Event<'_, N> {}

impl<N: Checkable> Local<'_, N> {
    /// Takes `event` and what follows at once. With `is_late` what the handlers write is not durable yet; nor is it
    /// while something that was written before is not, since writes become durable in order.
    pub(crate) fn run(&mut self, event: Event<'_, N>, is_late: bool) {
        let is_behind = !self.side.writing.is_empty();
        match event {
            Event::Deliver(envelope) => {
                self.step(Stimulus::Message { from: envelope.from, message: envelope.message.clone() });
            }
            Event::Fire(timer) => {
                self.side.take_timer(timer);
                self.step(Stimulus::Timer(timer.timer.clone()));
            }
            Event::Act(Act::Start) => {
                self.node = Some(self.built.clone());
                self.step(Stimulus::Start);
            }
            Event::Act(Act::Durable) => {
                self.become_durable(1);
                // What else is under way stays so.
                return self.settle(true);
            }
            Event::Act(Act::Crash) => {
                self.node = None;
                let disk = std::mem::take(&mut self.side.disk);
                self.side = Side { disk, ..Side::default() };
                return;
            }
            Event::Act(Act::Restart) => {
                self.node = Some(self.built.clone());
                let durable = self.side.disk.clone();
                self.step(Stimulus::Recover(durable));
            }
            Event::Act(Act::GiveUp) => self.give_up(),
            Event::Act(Act::Pause | Act::Resume) => {}
        }
        self.settle(is_late || is_behind);
        // Then there is no choice whether they are late.
        self.done.wrote &= !is_behind;
    }

    /// Runs a handler, and takes its effects.
    fn step(&mut self, stimulus: Stimulus<N>) {
        let Some(node) = &mut self.node else { return };
        let mut ctx = Context::new(self.id);
        let mutant = self.mutant;
        let taken = caught(|| match mutant {
            None => step(node, stimulus, &mut ctx),
            Some(mutant) => mutant(node, stimulus, &mut ctx),
        });
        if let Err(panic) = taken {
            self.object(format!("{} panicked: {panic}", self.id));
            return;
        }
        let mut outbox = std::mem::take(&mut self.side.outbox);
        outbox.take(&mut ctx, self);
        self.side.outbox = outbox;
    }

    /// What follows at once: until nothing waits that need not.
    fn settle(&mut self, is_late: bool) {
        loop {
            let writes = self.side.writing.len();
            if writes > 0 && !is_late {
                self.become_durable(writes);
            } else if let Some((id, response)) = self.done.replies.pop_front() {
                self.on_reply(id, response);
            } else if !self.ask() {
                return;
            }
        }
    }

    /// The oldest `writes` become durable, and what waited for them leaves.
    fn become_durable(&mut self, writes: usize) {
        self.done.details.push(Detail::Durable(writes));
        for write in self.side.writing.drain(..writes).filter(|_| self.keeps_disk) {
            match write {
                Write::Record(record) => self.side.disk.records.push(record),
                Write::Checkpoint(checkpoint) => {
                    self.side.disk = Durable { checkpoint: Some(checkpoint), records: Vec::new() };
                }
            }
        }
        let mut outbox = std::mem::take(&mut self.side.outbox);
        outbox.on_durable(writes, self);
        self.side.outbox = outbox;
    }

    /// Asks the user's next request, if it may.
    fn ask(&mut self) -> bool {
        let (Some(user), Some(position)) = (self.user, &mut self.position) else { return false };
        if self.node.is_none() || self.done.objection.is_some() {
            return false;
        }
        let Some(ask) = user.next(position) else { return false };
        position.asked += 1;
        let id = RequestId(position.asked);
        position.outstanding.push(id);
        self.done.details.push(Detail::Request(id, format!("{:?}", ask.request)));
        self.done.seen.push(Seen::Invoke { client: self.id, id, request: ask.request.clone() });
        self.step(Stimulus::Request { id, request: ask.request });
        true
    }

    fn on_reply(&mut self, id: RequestId, response: N::Response) {
        let (Some(user), Some(position)) = (self.user, &mut self.position) else {
            return self.object(format!("{} answered {id}, which nobody asked", self.id));
        };
        if let Some(at) = position.given_up.iter().position(|given_up| *given_up == id) {
            position.given_up.remove(at);
            return;
        }
        let Some(at) = position.outstanding.iter().position(|waiting| *waiting == id) else {
            return self.object(format!("{} was answered {id} twice, or never asked it", self.id));
        };
        position.outstanding.remove(at);
        position.answered += 1;
        // Of what was asked before a search began, the script may know nothing.
        let ask = id.0.checked_sub(1).and_then(|index| user.ask(index));
        if let Some(Ask { request, expected: Some(expected) }) = ask
            && expected != response
        {
            self.object(format!(
                "{}: {request:?} was answered {response:?} where only {expected:?} is right",
                self.id
            ));
        }
        self.done.seen.push(Seen::Return { client: self.id, id, response });
    }

    fn give_up(&mut self) {
        let Some(position) = &mut self.position else { return };
        if position.outstanding.is_empty() {
            return;
        }
        let id = position.outstanding.remove(0);
        position.given_up.push(id);
        self.done.seen.push(Seen::GiveUp { client: self.id, id });
    }

    fn object(&mut self, what: String) {
        self.done.objection.get_or_insert(what);
    }
}

impl<N: Checkable> Sink<N> for Local<'_, N> {
    fn depart(&mut self, departure: Departure<N>) {
        match departure {
            Departure::Message { to, message } => {
                self.done.sends.push(Envelope { from: self.id, to, message });
            }
            Departure::Reply { id, response } => self.done.replies.push_back((id, response)),
        }
    }

    fn set_timer(&mut self, timer: N::Timer, after: TimerRange) {
        self.side.set_timer(Waiting { place: self.index, timer, after });
    }

    fn persist(&mut self, record: N::Record) {
        self.done.wrote = true;
        self.side.writing.push_back(Write::Record(record));
    }

    fn checkpoint(&mut self, checkpoint: N::Checkpoint) {
        self.done.wrote = true;
        self.side.writing.push_back(Write::Checkpoint(checkpoint));
    }
}
