//! What a person can do at a moment.

use crate::Shown;
use crate::session::Session;
use crate::setup::Setup;
use crate::stage::{Stage, possible};
use crate::words;
use serde::Deserialize;
use synod_node::{NodeId, RequestId};
use synod_world::{Envelope, EnvelopeId, Event, Step, TimerId};

/// A choice, as the page sends it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Act {
    /// A message arrives.
    Deliver { id: u64 },
    /// A message is lost.
    Drop { id: u64 },
    /// A message will arrive once more.
    Duplicate { id: u64 },
    /// A timer fires.
    Fire { id: u64 },
    /// A node starts.
    Start { node: String },
    /// A node crashes, and loses what is not durable.
    Crash { node: String },
    /// What a node wrote becomes durable, and then it crashes.
    CrashKeeping { node: String },
    /// A crashed node restarts.
    Restart { node: String },
    /// A node takes no step until it resumes.
    Pause { node: String },
    /// A paused node goes on.
    Resume { node: String },
    /// What a node wrote becomes durable.
    Durable { node: String },
    /// A node's user waits no longer.
    GiveUp { node: String },
    /// A node's user asks for this, or for what it has next.
    Request { node: String, text: Option<String> },
    /// Nothing is delivered from one node to another.
    Cut { from: String, to: String },
    /// What one node sends to another can be delivered again.
    Heal { from: String, to: String },
}

/// So many steps follow from one, where they follow by themselves.
const FOLLOWERS_MAX: usize = 10_000;

impl<N: Shown> Session<N> {
    /// Does it, and returns the moment that it leads to. With `quick`, what follows by itself happens too: writes become
    /// durable, and users ask what they have next.
    ///
    /// # Errors
    /// Why it is not possible.
    pub(crate) fn act(&mut self, at: u32, act: &Act, quick: bool) -> Result<u32, String> {
        let stage = self.stage(at);
        let (steps, spoken) = self.meant(&stage, act)?;
        let mut moment = at;
        for step in steps {
            moment = self.add(moment, step, self.rows[at as usize].at_us)?;
        }
        if let Some(spoken) = spoken {
            self.spoken.insert(moment, spoken);
        }
        if quick { self.follow(moment) } else { Ok(moment) }
    }

    fn follow(&mut self, at: u32) -> Result<u32, String> {
        let mut moment = at;
        for _ in 0..FOLLOWERS_MAX {
            let stage = self.stage(moment);
            let Some(step) = self.nodes.iter().find_map(|node| follower(&stage, self, *node)) else { break };
            if self.violations.contains_key(&moment) {
                break;
            }
            moment = self.add(moment, step, self.rows[at as usize].at_us)?;
        }
        Ok(moment)
    }

    fn meant(&self, stage: &Stage<N>, act: &Act) -> Result<(Vec<Step<N>>, Option<String>), String> {
        let node = |text: &str| words::node(&self.nodes, text);
        let one = |step: Step<N>| Ok((vec![step], None));
        let event = |event: Event<N>| Ok((vec![Step::World(event)], None));
        match act {
            Act::Deliver { id } => {
                let (id, envelope) = flying(stage, *id)?;
                possible(stage.delivery_blocked(envelope))?;
                event(Event::Deliver(id))
            }
            Act::Drop { id } => event(Event::Drop(flying(stage, *id)?.0)),
            Act::Duplicate { id } => event(Event::Duplicate(flying(stage, *id)?.0)),
            Act::Fire { id } => {
                possible(stage.timer_blocked(TimerId(*id)))?;
                event(Event::Fire(TimerId(*id)))
            }
            Act::Start { node: of } => {
                possible(stage.start_blocked(node(of)?))?;
                event(Event::Start(node(of)?))
            }
            Act::Crash { node: of } => {
                possible(stage.crash_blocked(node(of)?))?;
                event(Event::Crash(node(of)?))
            }
            Act::CrashKeeping { node: of } => {
                let node = node(of)?;
                possible(stage.durable_blocked(node))?;
                Ok((vec![durable(stage, node), Step::World(Event::Crash(node))], None))
            }
            Act::Restart { node: of } => {
                possible(stage.restart_blocked(node(of)?))?;
                event(Event::Restart(node(of)?))
            }
            Act::Pause { node: of } => one(Step::Pause(node(of)?)),
            Act::Resume { node: of } => one(Step::Resume(node(of)?)),
            Act::Durable { node: of } => {
                possible(stage.durable_blocked(node(of)?))?;
                one(durable(stage, node(of)?))
            }
            Act::GiveUp { node: of } => one(Step::GiveUp(node(of)?)),
            Act::Request { node: of, text } => self.asked(stage, node(of)?, text.as_deref()),
            Act::Cut { from, to } => one(Step::Cut { from: node(from)?, to: node(to)? }),
            Act::Heal { from, to } => one(Step::Heal { from: node(from)?, to: node(to)? }),
        }
    }

    fn asked(
        &self,
        stage: &Stage<N>,
        node: NodeId,
        text: Option<&str>,
    ) -> Result<(Vec<Step<N>>, Option<String>), String> {
        possible(stage.request_blocked(node))?;
        let next = stage.next_request(&self.setup, node);
        let (id, request) = match text {
            None => {
                next.ok_or_else(|| format!("the user of {node} has nothing more to ask: write a request"))?
            }
            Some(text) => {
                let Some((_, read)) = &self.setup.reader else {
                    return Err(
                        "requests cannot be written here: only what the users have next can be asked"
                            .to_owned(),
                    );
                };
                let asked = stage.users.get(&node).map_or(0, |position| position.asked);
                (RequestId(asked + 1), read(node, text)?)
            }
        };
        Ok((vec![Step::World(Event::Request { node, id, request })], text.map(str::to_owned)))
    }
}

/// What of a node follows by itself.
fn follower<N: Shown>(stage: &Stage<N>, session: &Session<N>, node: NodeId) -> Option<Step<N>> {
    becomes_durable(stage, node).or_else(|| asks_next(stage, &session.setup, node))
}

/// Everything that a node writes becomes durable, if it writes something.
pub(crate) fn becomes_durable<N: Shown>(stage: &Stage<N>, node: NodeId) -> Option<Step<N>> {
    stage.durable_blocked(node).is_none().then(|| durable(stage, node))
}

/// A node's user asks what it has next, if it has something and may.
pub(crate) fn asks_next<N: Shown>(stage: &Stage<N>, setup: &Setup<N>, node: NodeId) -> Option<Step<N>> {
    if stage.request_blocked(node).is_some() {
        return None;
    }
    let (id, request) = stage.next_request(setup, node)?;
    Some(Step::World(Event::Request { node, id, request }))
}

fn durable<N: Shown>(stage: &Stage<N>, node: NodeId) -> Step<N> {
    Step::World(Event::Durable { node, writes: stage.world.writing(node).count() })
}

fn flying<N: Shown>(stage: &Stage<N>, id: u64) -> Result<(EnvelopeId, &Envelope<N>), String> {
    let id = EnvelopeId(id);
    let found = stage.world.envelope(id).map(|envelope| (id, envelope));
    found.ok_or_else(|| "this message is not in flight at this moment".to_owned())
}
