//! A moment as it is: the world, and what the world does not know of: links, pauses and users.

use crate::Shown;
use crate::desk::locked;
use crate::setup::{Setup, Violation};
use crate::words::{PANIC, WRONG_ANSWER};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;
use synod_node::{Context, Node, NodeId, RequestId, Stimulus};
use synod_stdx::caught;
use synod_world::{Envelope, EnvelopeId, Event, Happening, Misfit, Step, Taker, TimerId, World, digest_of};

/// How far a user is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// How many requests it made.
    pub asked: u64,
    /// How many of its script's requests it made.
    pub scripted: u64,
    /// How many were answered.
    pub answered: u64,
    /// What it waits for, in order.
    pub waiting: Vec<Waiting>,
    /// What it gave up, and was not answered since, in order.
    pub given_up: Vec<RequestId>,
}

/// A request that waits for its answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Its name.
    pub id: RequestId,
    /// In which moment it was asked.
    pub asked_at: u32,
    /// Its number in the user's script, from 0, if it is of it.
    pub scripted: Option<u64>,
}

/// What users saw, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard<N: Node> {
    /// A user asked.
    Asked(NodeId, RequestId, N::Request),
    /// A user was answered.
    Told(NodeId, RequestId, N::Response),
    /// A user waits no longer.
    GaveUp(NodeId, RequestId),
}

/// See the module's page.
#[derive(Clone, Debug)]
pub struct Stage<N: Node> {
    /// Nodes, messages, timers and disks.
    pub world: World<N>,
    /// Who takes no step.
    pub paused: BTreeSet<NodeId>,
    /// Who ran at some time.
    pub started: BTreeSet<NodeId>,
    /// Over which links, from and to, nothing is delivered.
    pub cuts: BTreeSet<(NodeId, NodeId)>,
    /// How far the users are.
    pub users: BTreeMap<NodeId, Position>,
    /// In which moment each message that is in flight was sent, and each timer that waits was set, by its number.
    pub born: BTreeMap<u64, u32>,
    /// In which moments each node began the writes that are not durable yet.
    pub written: BTreeMap<NodeId, VecDeque<u32>>,
    /// What users saw, where a claim wants to know ([`Setup::hears`]).
    pub heard: Vec<Heard<N>>,
}

/// What came of a step.
pub(crate) struct Taken<N: Node> {
    pub(crate) happenings: Vec<Happening<N>>,
    /// Whose request was answered first: the moment in which it was asked.
    pub(crate) answers: Option<u32>,
    /// What went wrong in the step itself: a panic of a handler, or a wrong answer.
    pub(crate) violation: Option<Violation>,
    /// A digest of what the node did, where it is compared ([`Setup::compares`]) and a node did something.
    pub(crate) did: Option<u64>,
}

impl<N: Shown> Stage<N> {
    pub(crate) fn new(setup: &Setup<N>) -> Stage<N> {
        Stage {
            world: setup.first.clone(),
            paused: BTreeSet::new(),
            started: BTreeSet::new(),
            cuts: BTreeSet::new(),
            users: BTreeMap::new(),
            born: BTreeMap::new(),
            written: BTreeMap::new(),
            heard: Vec::new(),
        }
    }

    /// Takes a step, which becomes moment `moment`. A stage whose handler panicked is no more: take another one.
    pub(crate) fn take(&mut self, setup: &Setup<N>, step: Step<N>, moment: u32) -> Result<Taken<N>, String> {
        let mut taken = Taken { happenings: Vec::new(), answers: None, violation: None, did: None };
        match step {
            Step::World(event) => return self.take_event(setup, event, moment),
            Step::Undrop(envelope) => {
                let id = self.world.put(envelope);
                self.born.insert(id.0, moment);
                taken.happenings.push(Happening::Sent(id));
            }
            Step::GiveUp(node) => {
                possible(self.give_up_blocked(node))?;
                let position = self.users.entry(node).or_default();
                let waiting = position.waiting.remove(0);
                position.given_up.push(waiting.id);
                if setup.hears {
                    self.heard.push(Heard::GaveUp(node, waiting.id));
                }
            }
            Step::Pause(node) => {
                possible(self.pause_blocked(node))?;
                self.paused.insert(node);
            }
            Step::Resume(node) => {
                possible(self.resume_blocked(node))?;
                self.paused.remove(&node);
            }
            Step::Cut { from, to } => {
                possible(self.cut_blocked(from, to))?;
                self.cuts.insert((from, to));
            }
            Step::Heal { from, to } => {
                possible(self.heal_blocked(from, to))?;
                self.cuts.remove(&(from, to));
            }
        }
        Ok(taken)
    }

    fn take_event(&mut self, setup: &Setup<N>, event: Event<N>, moment: u32) -> Result<Taken<N>, String> {
        self.foretell(setup, &event, moment);
        let mut happenings = Vec::new();
        let (world, did) = (&mut self.world, Mutex::new(None));
        let compared = |node: &mut N, stimulus: Stimulus<N>, ctx: &mut Context<N>| {
            setup.taker()(node, stimulus, ctx);
            *locked(&did) = Some(digest_of(ctx.effects()));
        };
        let taker: &Taker<'_, N> = if setup.compares { &compared } else { setup.taker() };
        let taken = caught(|| world.apply_by(taker, event, &mut happenings));
        let mut violation = match taken {
            Ok(Ok(_)) => None,
            Ok(Err(misfit)) => return Err(misfit.to_string()),
            Err(words) => Some((PANIC.to_owned(), words)),
        };
        let mut answers = None;
        for happening in &happenings {
            match happening {
                Happening::Sent(EnvelopeId(number)) | Happening::TimerSet(TimerId(number), _) => {
                    self.born.insert(*number, moment);
                }
                Happening::Replied { node, id, response } => {
                    let Some(waiting) = self.on_reply(*node, *id) else { continue };
                    answers = answers.or(Some(waiting.asked_at));
                    violation = violation.or_else(|| wrong_answer(setup, *node, &waiting, response));
                    if setup.hears {
                        self.heard.push(Heard::Told(*node, *id, response.clone()));
                    }
                }
                Happening::Wrote(node) => self.written.entry(*node).or_default().push_back(moment),
            }
        }
        let did = *locked(&did);
        Ok(Taken { happenings, answers, violation, did })
    }

    /// Notes what the world does not know of an event that is about to happen.
    fn foretell(&mut self, setup: &Setup<N>, event: &Event<N>, moment: u32) {
        match event {
            Event::Request { node, id, request } => {
                let next = self.next_request(setup, *node).filter(|next| next.1 == *request);
                let position = self.users.entry(*node).or_default();
                let scripted = next.map(|_| position.scripted);
                position.scripted += u64::from(scripted.is_some());
                position.asked = position.asked.max(id.0);
                if *id != RequestId::TOLD {
                    position.waiting.push(Waiting { id: *id, asked_at: moment, scripted });
                }
                if setup.hears {
                    self.heard.push(Heard::Asked(*node, *id, request.clone()));
                }
            }
            Event::Deliver(EnvelopeId(number))
            | Event::Drop(EnvelopeId(number))
            | Event::Fire(TimerId(number)) => {
                self.born.remove(number);
            }
            Event::Crash(node) => {
                self.paused.remove(node);
                self.written.remove(node);
                let is_its = |id: &TimerId| self.world.timer(*id).is_some_and(|timer| timer.node == *node);
                let timers: Vec<TimerId> = self.world.timers().map(|(id, _)| id).filter(is_its).collect();
                timers.iter().for_each(|id| {
                    self.born.remove(&id.0);
                });
            }
            Event::Durable { node, writes } => {
                if let Some(written) = self.written.get_mut(node) {
                    written.drain(..(*writes).min(written.len()));
                }
            }
            Event::Start(node) | Event::Recover { node, .. } => {
                self.started.insert(*node);
            }
            Event::Duplicate(_) | Event::Restart(_) | Event::Replace { .. } => {}
        }
    }

    fn on_reply(&mut self, node: NodeId, id: RequestId) -> Option<Waiting> {
        let position = self.users.get_mut(&node)?;
        let Some(at) = position.waiting.iter().position(|waiting| waiting.id == id) else {
            position.given_up.retain(|given_up| *given_up != id);
            return None;
        };
        position.answered += 1;
        Some(position.waiting.remove(at))
    }

    /// The next request of a node's user, by its script, and its name.
    pub(crate) fn next_request(&self, setup: &Setup<N>, node: NodeId) -> Option<(RequestId, N::Request)> {
        let (asked, scripted) =
            self.users.get(&node).map_or((0, 0), |position| (position.asked, position.scripted));
        let (request, _) = setup.users.get(&node)?(scripted)?;
        Some((RequestId(asked + 1), request))
    }

    /// Why a node takes no step now, if it does not.
    fn still(&self, node: NodeId) -> Option<String> {
        if !self.world.is_running(node) {
            return Some(format!("{node} does not run"));
        }
        self.paused.contains(&node).then(|| format!("{node} is paused"))
    }

    /// Why a message cannot be delivered now.
    pub(crate) fn delivery_blocked(&self, envelope: &Envelope<N>) -> Option<String> {
        let Envelope { from, to, .. } = envelope;
        let cut =
            || self.cuts.contains(&(*from, *to)).then(|| format!("the link from {from} to {to} is cut"));
        self.still(*to).or_else(cut)
    }

    /// Why a timer cannot fire now.
    pub(crate) fn timer_blocked(&self, id: TimerId) -> Option<String> {
        let Some(timer) = self.world.timer(id) else { return Some(Misfit::NotSet(id).to_string()) };
        let bound = |(earlier, other): &(TimerId, &synod_world::PendingTimer<N>)| {
            *earlier < id && other.node == timer.node && other.after.end() <= timer.after.start()
        };
        let before = || {
            let (_, first) = self.world.timers().find(bound)?;
            Some(format!("{:?} was set before and is due before it", first.timer))
        };
        self.still(timer.node).or_else(before)
    }

    pub(crate) fn crash_blocked(&self, node: NodeId) -> Option<String> {
        (!self.world.is_running(node)).then(|| format!("{node} does not run"))
    }

    pub(crate) fn durable_blocked(&self, node: NodeId) -> Option<String> {
        let nothing =
            || (self.world.writing(node).next().is_none()).then(|| format!("{node} writes nothing"));
        self.crash_blocked(node).or_else(nothing)
    }

    pub(crate) fn pause_blocked(&self, node: NodeId) -> Option<String> {
        self.still(node)
    }

    pub(crate) fn resume_blocked(&self, node: NodeId) -> Option<String> {
        (!self.paused.contains(&node)).then(|| format!("{node} is not paused"))
    }

    pub(crate) fn start_blocked(&self, node: NodeId) -> Option<String> {
        if self.world.is_running(node) {
            return Some(format!("{node} runs already"));
        }
        self.started.contains(&node).then(|| format!("{node} has run before: restart it"))
    }

    pub(crate) fn restart_blocked(&self, node: NodeId) -> Option<String> {
        if self.world.is_running(node) {
            return Some(format!("{node} runs already"));
        }
        (!self.started.contains(&node)).then(|| format!("{node} never ran: start it"))
    }

    pub(crate) fn cut_blocked(&self, from: NodeId, to: NodeId) -> Option<String> {
        if from == to {
            return Some(format!("{from} needs no link to itself"));
        }
        self.cuts.contains(&(from, to)).then(|| format!("the link from {from} to {to} is cut already"))
    }

    pub(crate) fn heal_blocked(&self, from: NodeId, to: NodeId) -> Option<String> {
        (!self.cuts.contains(&(from, to))).then(|| format!("the link from {from} to {to} is not cut"))
    }

    pub(crate) fn give_up_blocked(&self, node: NodeId) -> Option<String> {
        let waits = self.users.get(&node).is_some_and(|position| !position.waiting.is_empty());
        (!waits).then(|| format!("the user of {node} waits for nothing"))
    }

    pub(crate) fn request_blocked(&self, node: NodeId) -> Option<String> {
        if !node.is_client() {
            return Some(format!("{node} is no client"));
        }
        let waits = || {
            let is_waiting = self.users.get(&node).is_some_and(|position| !position.waiting.is_empty());
            is_waiting.then(|| format!("the user of {node} waits for an answer"))
        };
        self.still(node).or_else(waits)
    }
}

/// Why something cannot be done, as an error.
pub(crate) fn possible(blocked: Option<String>) -> Result<(), String> {
    blocked.map_or(Ok(()), Err)
}

/// What is wrong with an answer, if only another one is right.
fn wrong_answer<N: Shown>(
    setup: &Setup<N>,
    node: NodeId,
    waiting: &Waiting,
    response: &N::Response,
) -> Option<Violation> {
    let (request, expected) = setup.users.get(&node)?(waiting.scripted?)?;
    let expected = expected.filter(|expected| expected != response)?;
    let words = format!("{node}: {request:?} was answered {response:?} where only {expected:?} is right");
    Some((WRONG_ANSWER.to_owned(), words))
}
