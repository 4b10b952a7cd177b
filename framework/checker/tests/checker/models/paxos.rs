//! Paxos for one value: servers agree on the first write, and every read returns it.
//!
//! A server that is asked to write leads a ballot of its own for that value, unless it leads one already. It asks the
//! others to promise that they accept nothing older (`Prepare`); from a majority's promises it learns the newest value
//! that anybody accepted and proposes that one, or its own if there is none (`Accept`); what a majority has accepted is
//! decided, and it says so. A server that knows the decision answers reads and does nothing else.
//!
//! # What is left out
//! Everything that a service would need: a write that another value beat is never answered, nor is a read that arrives
//! before the decision, and nobody asks again. So a run may end with users waiting, and the state space is finite.
//!
//! The same system as `paxos` among Stateright's examples, so that counts can be compared: three servers, a network that
//! delivers each message at most once, in any order, beside a [`Recorder`](super::recorder::Recorder). With two clients
//! 16,668 states, the farthest 20 steps from the first; with three 1,194,428, and 27. A decision that arrives sets the
//! ballot to its own, even where a newer one was promised: nothing more is promised or accepted then.
//!
//! # Where to read more
//! Lamport, "Paxos made simple" (2001), section 2.

use super::register::{Client, Request, Response};
use std::collections::{BTreeMap, BTreeSet};
use synod_node::{Context, Durable, Node, NodeId, RequestId};

/// A round, and who leads it. A newer ballot is greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ballot {
    /// From 1.
    pub round: u32,
    /// Who leads it.
    pub leader: NodeId,
}

/// A write, and who is to be answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Proposal {
    /// The client that asked.
    pub client: NodeId,
    /// Its request.
    pub id: RequestId,
    /// What is to be written.
    pub value: char,
}

/// A proposal that was accepted, and in which ballot. The newer one is greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Accepted {
    /// The ballot.
    pub ballot: Ballot,
    /// The proposal; a ballot has one.
    pub proposal: Proposal,
}

/// What nodes say.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Client to server.
    Ask {
        /// The request's name.
        id: RequestId,
        /// What is asked.
        request: Request,
    },
    /// Server to client.
    Answer {
        /// The request that is answered.
        id: RequestId,
        /// The answer.
        response: Response,
    },
    /// Phase 1, from a ballot's leader: accept nothing older any more.
    Prepare {
        /// The ballot.
        ballot: Ballot,
    },
    /// The promise.
    Prepared {
        /// The ballot that it is given to.
        ballot: Ballot,
        /// What its giver accepted last.
        accepted: Option<Accepted>,
    },
    /// Phase 2, from a ballot's leader: accept this.
    Accept(Accepted),
    /// It is accepted.
    Accepted {
        /// The ballot.
        ballot: Ballot,
    },
    /// A majority has accepted it.
    Decided(Accepted),
}

/// A server: leader of its own ballot, and acceptor of all.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Server {
    peers: Vec<NodeId>,
    /// The newest ballot that it promised to or leads.
    ballot: Option<Ballot>,
    /// What it leads a ballot for.
    proposal: Option<Proposal>,
    /// Who promised, and what each had accepted; itself included.
    promises: BTreeMap<NodeId, Option<Accepted>>,
    /// Who accepted its proposal; itself included.
    accepts: BTreeSet<NodeId>,
    /// What it accepted last.
    accepted: Option<Accepted>,
    /// Whether it knows that what it accepted last is decided.
    is_decided: bool,
}

impl Server {
    fn new(peers: Vec<NodeId>) -> Self {
        Server {
            peers,
            ballot: None,
            proposal: None,
            promises: BTreeMap::new(),
            accepts: BTreeSet::new(),
            accepted: None,
            is_decided: false,
        }
    }

    /// The decision, if it knows it.
    pub fn decision(&self) -> Option<char> {
        self.accepted.filter(|_| self.is_decided).map(|accepted| accepted.proposal.value)
    }

    /// How many servers are more than half of all.
    fn majority(&self) -> usize {
        self.peers.len().div_ceil(2) + 1
    }

    fn on_message(&mut self, from: NodeId, message: &Message, ctx: &mut Context<Paxos>) {
        if let Some(value) = self.decision() {
            // All that is left to do: answer reads.
            if let Message::Ask { id, request: Request::Get } = message {
                ctx.send(from, Message::Answer { id: *id, response: Response::Get(Some(value)) });
            }
            return;
        }
        match *message {
            Message::Ask { id, request: Request::Put(value) } => {
                if self.proposal.is_none() {
                    self.become_leader(Proposal { client: from, id, value }, ctx);
                }
            }
            // The value may be decided without its knowing, so it cannot even say that there is none.
            Message::Ask { request: Request::Get, .. } => {}
            Message::Prepare { ballot } => {
                if self.ballot < Some(ballot) {
                    self.ballot = Some(ballot);
                    ctx.send(from, Message::Prepared { ballot, accepted: self.accepted });
                }
            }
            Message::Prepared { ballot, accepted } => {
                if self.ballot == Some(ballot) {
                    self.on_promise(from, ballot, accepted, ctx);
                }
            }
            Message::Accept(accepted) => {
                if self.ballot <= Some(accepted.ballot) {
                    self.ballot = Some(accepted.ballot);
                    self.accepted = Some(accepted);
                    ctx.send(from, Message::Accepted { ballot: accepted.ballot });
                }
            }
            Message::Accepted { ballot } => {
                if self.ballot == Some(ballot) {
                    self.on_accepted(from, ballot, ctx);
                }
            }
            Message::Decided(accepted) => {
                self.ballot = Some(accepted.ballot);
                self.accepted = Some(accepted);
                self.is_decided = true;
            }
            Message::Answer { .. } => unreachable!("servers answer clients"),
        }
    }

    /// Leads a new ballot for `proposal`. It promises to itself without a message.
    fn become_leader(&mut self, proposal: Proposal, ctx: &mut Context<Paxos>) {
        assert!(self.promises.is_empty() && self.accepts.is_empty(), "it leads one ballot at most");
        let round = self.ballot.map_or(1, |ballot| ballot.round + 1);
        let ballot = Ballot { round, leader: ctx.me() };
        self.proposal = Some(proposal);
        self.ballot = Some(ballot);
        self.promises.insert(ctx.me(), self.accepted);
        ctx.broadcast(&self.peers, &Message::Prepare { ballot });
    }

    /// A promise to its ballot. With the last one that a majority lacked, the leader proposes: what was accepted in
    /// the newest ballot, since it may be decided, or else what it was asked. It accepts that itself without a message.
    fn on_promise(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        accepted: Option<Accepted>,
        ctx: &mut Context<Paxos>,
    ) {
        self.promises.insert(from, accepted);
        if self.promises.len() != self.majority() {
            return;
        }
        let newest = self.promises.values().max().copied().flatten();
        let proposal = newest.map(|accepted| accepted.proposal).or(self.proposal).expect("it leads for one");
        let accepted = Accepted { ballot, proposal };
        self.proposal = Some(proposal);
        self.accepted = Some(accepted);
        self.accepts.insert(ctx.me());
        ctx.broadcast(&self.peers, &Message::Accept(accepted));
    }

    /// Its proposal was accepted. With the last one that a majority lacked, it is decided.
    fn on_accepted(&mut self, from: NodeId, ballot: Ballot, ctx: &mut Context<Paxos>) {
        self.accepts.insert(from);
        if self.accepts.len() != self.majority() {
            return;
        }
        let proposal = self.proposal.expect("it leads for one");
        self.is_decided = true;
        ctx.broadcast(&self.peers, &Message::Decided(Accepted { ballot, proposal }));
        ctx.send(proposal.client, Message::Answer { id: proposal.id, response: Response::Put });
    }

    /// Whether `message` has no effect, and never will.
    fn is_dead(&self, message: &Message) -> bool {
        if self.is_decided {
            return !matches!(message, Message::Ask { request: Request::Get, .. });
        }
        match message {
            Message::Ask { request: Request::Put(_), .. } => self.proposal.is_some(),
            Message::Ask { request: Request::Get, .. } | Message::Decided(_) | Message::Answer { .. } => {
                false
            }
            Message::Prepare { ballot } => self.ballot >= Some(*ballot),
            Message::Prepared { ballot, .. } | Message::Accepted { ballot } => self.ballot > Some(*ballot),
            Message::Accept(accepted) => self.ballot > Some(accepted.ballot),
        }
    }

    fn assert_invariants(&self) {
        assert!(
            self.accepted.map(|accepted| accepted.ballot) <= self.ballot,
            "accepts what it promised not to"
        );
        assert!(!self.is_decided || self.accepted.is_some(), "knows the decision and not what it is");
    }
}

/// A node of the system.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Paxos {
    /// Agrees.
    Server(Server),
    /// Asks.
    Client(Client),
}

impl Paxos {
    /// The nodes of a system.
    pub fn nodes(servers: u32, clients: u32) -> Vec<(NodeId, Paxos)> {
        let server = |id: NodeId| {
            let peers = NodeId::servers(servers).into_iter().filter(|peer| *peer != id).collect();
            (id, Paxos::Server(Server::new(peers)))
        };
        let client = |number| (NodeId::client(number), Paxos::Client(Client::new(number, servers)));
        NodeId::servers(servers).into_iter().map(server).chain((1..=clients).map(client)).collect()
    }

    /// Whether `message` has no effect on this node, and never will.
    pub fn is_dead(&self, message: &Message) -> bool {
        match (self, message) {
            (Paxos::Server(server), message) => server.is_dead(message),
            (Paxos::Client(client), Message::Answer { id, .. }) => client.is_past(*id),
            (Paxos::Client(_), _) => false,
        }
    }

    /// The decision, if this is a server that knows it.
    pub fn decision(&self) -> Option<char> {
        match self {
            Paxos::Server(server) => server.decision(),
            Paxos::Client(_) => None,
        }
    }
}

impl Node for Paxos {
    type Message = Message;
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = Request;
    type Response = Response;

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}

    fn on_message(&mut self, from: NodeId, message: Message, ctx: &mut Context<Self>) {
        match (self, message) {
            (Paxos::Server(server), message) => server.on_message(from, &message, ctx),
            (Paxos::Client(client), Message::Answer { id, response }) => {
                if client.on_answer(id) {
                    ctx.reply(id, response);
                }
            }
            (
                Paxos::Client(_),
                Message::Ask { .. }
                | Message::Prepare { .. }
                | Message::Prepared { .. }
                | Message::Accept(_)
                | Message::Accepted { .. }
                | Message::Decided(_),
            ) => unreachable!("clients are answered and nothing else"),
        }
    }

    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {
        unreachable!("nobody sets a timer")
    }

    fn on_request(&mut self, id: RequestId, request: Request, ctx: &mut Context<Self>) {
        match self {
            Paxos::Client(client) => {
                let server = client.on_request(id);
                ctx.send(server, Message::Ask { id, request });
            }
            Paxos::Server(_) => unreachable!("users ask clients"),
        }
    }

    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {
        unreachable!("nothing here is durable")
    }

    fn assert_invariants(&self) {
        match self {
            Paxos::Server(server) => server.assert_invariants(),
            Paxos::Client(_) => {}
        }
    }
}
