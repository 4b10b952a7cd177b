//! Single-decree Paxos with three servers, as Stateright's `paxos`.

use super::register::{Registers, with_clients};
use stateright::actor::register::RegisterMsg;
use stateright::actor::{Actor, Id, Out, majority, model_peers};
use stateright::util::{HashableHashMap, HashableHashSet};
use std::borrow::Cow;

const SERVERS: usize = 3;

/// The system.
pub fn model(clients: u32) -> Registers<Server> {
    let server = |index| Server { peers: model_peers(index, SERVERS) };
    with_clients((0..SERVERS).map(server).collect(), clients)
}

/// A round and its leader.
type Ballot = (u32, Id);
/// A request, who asked, what to write.
type Proposal = (u64, Id, char);
/// What was accepted, and in which ballot.
type Accepted = (Ballot, Proposal);

/// What servers say to each other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Message {
    Prepare(Ballot),
    Prepared(Ballot, Option<Accepted>),
    Accept(Ballot, Proposal),
    Accepted(Ballot),
    Decided(Ballot, Proposal),
}

/// A server's fixed part.
pub struct Server {
    peers: Vec<Id>,
}

/// A server's state.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct State {
    ballot: Ballot,
    proposal: Option<Proposal>,
    promises: HashableHashMap<Id, Option<Accepted>>,
    accepts: HashableHashSet<Id>,
    accepted: Option<Accepted>,
    is_decided: bool,
}

impl Server {
    fn majority(&self) -> usize {
        majority(self.peers.len() + 1)
    }

    fn say(&self, message: Message, out: &mut Out<Self>) {
        out.broadcast(&self.peers, &RegisterMsg::Internal(message));
    }

    fn on_promise(
        &self,
        me: Id,
        state: &mut State,
        (from, accepted): (Id, Option<Accepted>),
        out: &mut Out<Self>,
    ) {
        state.promises.insert(from, accepted);
        if state.promises.len() != self.majority() {
            return;
        }
        let newest = state.promises.values().max().copied().flatten().map(|(_, proposal)| proposal);
        let proposal = newest.or(state.proposal).expect("it leads for one");
        state.proposal = Some(proposal);
        state.accepted = Some((state.ballot, proposal));
        state.accepts.insert(me);
        self.say(Message::Accept(state.ballot, proposal), out);
    }

    fn on_accepted(&self, state: &mut State, from: Id, out: &mut Out<Self>) {
        state.accepts.insert(from);
        if state.accepts.len() != self.majority() {
            return;
        }
        let proposal = state.proposal.expect("it leads for one");
        state.is_decided = true;
        self.say(Message::Decided(state.ballot, proposal), out);
        let (request, client, _) = proposal;
        out.send(client, RegisterMsg::PutOk(request));
    }

    fn on_internal(
        &self,
        me: Id,
        state: &mut Cow<'_, State>,
        (from, message): (Id, Message),
        out: &mut Out<Self>,
    ) {
        match message {
            Message::Prepare(ballot) if ballot > state.ballot => {
                state.to_mut().ballot = ballot;
                out.send(from, RegisterMsg::Internal(Message::Prepared(ballot, state.accepted)));
            }
            Message::Prepared(ballot, accepted) if ballot == state.ballot => {
                self.on_promise(me, state.to_mut(), (from, accepted), out);
            }
            Message::Accept(ballot, proposal) if ballot >= state.ballot => {
                let state = state.to_mut();
                state.ballot = ballot;
                state.accepted = Some((ballot, proposal));
                out.send(from, RegisterMsg::Internal(Message::Accepted(ballot)));
            }
            Message::Accepted(ballot) if ballot == state.ballot => {
                self.on_accepted(state.to_mut(), from, out);
            }
            Message::Decided(ballot, proposal) => {
                let state = state.to_mut();
                state.ballot = ballot;
                state.accepted = Some((ballot, proposal));
                state.is_decided = true;
            }
            Message::Prepare(_) | Message::Prepared(..) | Message::Accept(..) | Message::Accepted(_) => {}
        }
    }
}

impl Actor for Server {
    type Msg = RegisterMsg<u64, char, Message>;
    type State = State;
    type Timer = ();
    type Random = ();
    type Storage = ();

    fn on_start(&self, _id: Id, _storage: &Option<()>, _out: &mut Out<Self>) -> State {
        State {
            ballot: (0, Id::from(0)),
            proposal: None,
            promises: HashableHashMap::default(),
            accepts: HashableHashSet::default(),
            accepted: None,
            is_decided: false,
        }
    }

    fn on_msg(&self, me: Id, state: &mut Cow<'_, State>, from: Id, message: Self::Msg, out: &mut Out<Self>) {
        if state.is_decided {
            if let (RegisterMsg::Get(request), Some((_, (_, _, value)))) = (message, state.accepted) {
                out.send(from, RegisterMsg::GetOk(request, value));
            }
            return;
        }
        match message {
            RegisterMsg::Put(request, value) if state.proposal.is_none() => {
                let state = state.to_mut();
                state.proposal = Some((request, from, value));
                state.ballot = (state.ballot.0 + 1, me);
                state.promises.insert(me, state.accepted);
                self.say(Message::Prepare(state.ballot), out);
            }
            RegisterMsg::Internal(message) => self.on_internal(me, state, (from, message), out),
            RegisterMsg::Put(..) | RegisterMsg::Get(_) | RegisterMsg::PutOk(_) | RegisterMsg::GetOk(..) => {}
        }
    }
}
