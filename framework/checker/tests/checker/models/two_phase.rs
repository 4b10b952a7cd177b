//! Two-phase commit: a transaction commits at every resource manager, or at none.
//!
//! A resource manager prepares or aborts, as it likes. Once all have prepared, the transaction manager may commit;
//! before it has decided, it may abort at any time. The resource managers do what it decides.
//!
//! What a node may do as it likes is a message that it sends to itself when it starts. In a network that is a set it
//! stays deliverable, so the choice is open until it has no effect any more.
//!
//! # What is left out
//! Who asks for the transaction, time-outs, recovery: every node runs for ever, and is slow.
//!
//! The same system as `2pc` among Stateright's examples, so that counts can be compared: in a network that is a set,
//! 288 states with 3 resource managers, 8,832 with 5, 296,448 with 7, 1,745,408 with 8.
//!
//! # Where to read more
//! Gray and Lamport, "Consensus on transaction commit" (2006), section 3 and its appendix in TLA+.

use std::collections::BTreeSet;
use synod_node::{Context, Durable, Node, NodeId, Rename, RequestId};

/// The transaction manager's name. The resource managers come after it.
pub const MANAGER: NodeId = NodeId::server(1);

/// What nodes say.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Any node to itself: it may do so now.
    May(Choice),
    /// Resource manager to transaction manager: it will do what is decided.
    Prepared,
    /// Transaction manager to all: it is decided that the transaction happens.
    Commit,
    /// Transaction manager to all: it is decided that it does not.
    Abort,
}

/// What a node does as it likes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Choice {
    /// A resource manager that works prepares.
    Prepare,
    /// A resource manager that works, or a transaction manager that has not decided, aborts.
    Abort,
    /// A transaction manager that has not decided commits, if all are prepared.
    Commit,
}

/// How far a resource manager is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Resource {
    /// It is free to prepare or to abort.
    Working,
    /// It does what is decided.
    Prepared,
    /// The transaction happened here.
    Committed,
    /// It did not.
    Aborted,
}

/// The transaction manager.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Manager {
    resources: Vec<NodeId>,
    /// Who is known to be prepared. Nobody is added after the decision.
    prepared: BTreeSet<NodeId>,
    /// Whether it commits, once that is decided.
    decision: Option<bool>,
}

impl Manager {
    fn on_message(&mut self, from: NodeId, message: &Message, ctx: &mut Context<TwoPhase>) {
        if self.decision.is_some() {
            return;
        }
        match message {
            Message::Prepared => {
                self.prepared.insert(from);
            }
            Message::May(Choice::Abort) => {
                self.decision = Some(false);
                ctx.broadcast(&self.resources, &Message::Abort);
            }
            Message::May(Choice::Commit) => {
                if self.prepared.len() == self.resources.len() {
                    self.decision = Some(true);
                    ctx.broadcast(&self.resources, &Message::Commit);
                }
            }
            Message::May(Choice::Prepare) | Message::Commit | Message::Abort => {
                unreachable!("that is for resource managers")
            }
        }
    }
}

impl Resource {
    fn on_message(&mut self, message: &Message, ctx: &mut Context<TwoPhase>) {
        match message {
            Message::May(Choice::Prepare) => {
                if *self == Resource::Working {
                    *self = Resource::Prepared;
                    ctx.send(MANAGER, Message::Prepared);
                }
            }
            Message::May(Choice::Abort) => {
                if *self == Resource::Working {
                    *self = Resource::Aborted;
                }
            }
            Message::Commit => *self = Resource::Committed,
            Message::Abort => *self = Resource::Aborted,
            Message::May(Choice::Commit) | Message::Prepared => {
                unreachable!("that is for the transaction manager")
            }
        }
    }
}

/// A node of the system.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TwoPhase {
    /// Decides.
    Manager(Manager),
    /// Does.
    Resource(Resource),
}

impl TwoPhase {
    /// The nodes of a system: the transaction manager, then the resource managers.
    pub fn nodes(resources: u32) -> Vec<(NodeId, TwoPhase)> {
        let names: Vec<NodeId> = (2..=resources + 1).map(NodeId::server).collect();
        let manager = Manager { resources: names.clone(), prepared: BTreeSet::new(), decision: None };
        let resource = |name| (name, TwoPhase::Resource(Resource::Working));
        std::iter::once((MANAGER, TwoPhase::Manager(manager)))
            .chain(names.into_iter().map(resource))
            .collect()
    }

    /// Whether this is a resource manager that is so far.
    pub fn is(&self, resource: Resource) -> bool {
        *self == TwoPhase::Resource(resource)
    }
}

/// What must hold: it never happened at one and was given up at another.
pub fn nobody_commits_what_another_aborts<'a>(nodes: impl IntoIterator<Item = &'a TwoPhase>) -> bool {
    let (mut committed, mut aborted) = (false, false);
    for node in nodes {
        committed |= node.is(Resource::Committed);
        aborted |= node.is(Resource::Aborted);
    }
    !(committed && aborted)
}

impl Node for TwoPhase {
    type Message = Message;
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        let choices = match self {
            TwoPhase::Manager(_) => [Choice::Abort, Choice::Commit],
            TwoPhase::Resource(_) => [Choice::Abort, Choice::Prepare],
        };
        for choice in choices {
            ctx.send(ctx.me(), Message::May(choice));
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, ctx: &mut Context<Self>) {
        match self {
            TwoPhase::Manager(manager) => manager.on_message(from, &message, ctx),
            TwoPhase::Resource(resource) => resource.on_message(&message, ctx),
        }
    }

    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {
        unreachable!("nobody sets a timer")
    }

    fn on_request(&mut self, _id: RequestId, (): (), _ctx: &mut Context<Self>) {
        unreachable!("nobody has a user")
    }

    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {
        unreachable!("nothing here is durable")
    }
}

impl Rename for TwoPhase {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            TwoPhase::Manager(Manager { resources, prepared, decision: _ }) => {
                resources.rename(name);
                resources.sort_unstable();
                prepared.rename(name);
            }
            TwoPhase::Resource(_) => {}
        }
    }
}

impl Rename for Message {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {}
}
