//! What is said, what timers remind of, and what is made durable.

use crate::replica::Replica;
use crate::{Ballot, ClockReport, KeptTime, Run, Slot};
use std::sync::Arc;
use synod_clientserver::{ClientId, Seq};
use synod_node::{NodeId, StateMachine};

/// Which life of a replica speaks: a higher one each time that it begins anew without its former disk, because that is
/// lost or because it is now played elsewhere. Names are in the papers' words where they have one.
pub type Incarnation = u64;

/// A leader's executed state and its open slots.
pub type Leading<S> = (Arc<Replica<S>>, Vec<Run<<S as StateMachine>::Command>>);

/// What nodes say to each other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message<S: StateMachine> {
    // --- clients and servers ---
    /// Client to server: run these, each once, in order.
    Submit {
        /// Whose session.
        client: ClientId,
        /// The number of the first command; the others follow it without a gap.
        first: Seq,
        /// Every result below this number has reached the client.
        acked_below: Seq,
        /// What to run.
        commands: Vec<S::Command>,
    },
    /// Server to client: what came of them.
    Results {
        /// Whose session.
        client: ClientId,
        /// The number of the first command that is answered; the others follow it without a gap.
        first: Seq,
        /// The results.
        outputs: Vec<S::Output>,
    },
    /// Client to server: read, linearizably, without writing a log entry.
    Query {
        /// The first of the client's own numbers for these reads, in which the answer will name them; the others
        /// follow it without a gap.
        first: Seq,
        /// What to read.
        queries: Vec<S::Command>,
    },
    /// Server to client: what was read.
    Answers {
        /// The number of the first read that is answered; the others follow it without a gap.
        first: Seq,
        /// The results; none where only the log can answer.
        outputs: Vec<Option<S::Output>>,
    },
    /// Server to client: ask somebody else.
    NotLeader {
        /// Who leads, if known.
        leader: Option<NodeId>,
    },
    /// Server to client: nothing is known of this session, whose numbers began long ago.
    Forgotten {
        /// Which session.
        client: ClientId,
    },

    // --- phase 1: for all open slots at once ---
    /// Candidate to all: promise to accept nothing below this ballot (1a).
    Prepare {
        /// The candidate's ballot.
        ballot: Ballot,
        /// The candidate knows what was chosen up to here.
        chosen_through: Slot,
    },
    /// Acceptor to candidate: promised, and this is what was accepted before (1b).
    Promise {
        /// The ballot that is promised.
        ballot: Ballot,
        /// Which life of the acceptor promises.
        incarnation: Incarnation,
        /// The peers' lives that the acceptor knows of: what a former life promised counts no more.
        incarnations: Vec<(NodeId, Incarnation)>,
        /// The acceptor knows what was chosen up to here.
        chosen_through: Slot,
        /// The acceptor's state, if its log no longer reaches back to what the candidate knows.
        snapshot: Option<Arc<Replica<S>>>,
        /// What the acceptor accepted in slots that the candidate does not know.
        accepted: Vec<Run<S::Command>>,
    },
    /// Acceptor to candidate or leader: a higher ballot was promised.
    Rejected {
        /// The ballot that is refused.
        ballot: Ballot,
        /// The ballot that was promised.
        promised: Ballot,
    },

    // --- phase 2 ---
    /// Leader to acceptors: accept these (2a). Also tells what is chosen.
    Accept {
        /// What to accept, and in which ballot; none where only the news matters.
        run: Option<Run<S::Command>>,
        /// The leader's ballot.
        ballot: Ballot,
        /// Everything up to here is chosen.
        chosen_through: Slot,
    },
    /// Acceptor to leader: accepted, and durable (2b).
    Accepted {
        /// The leader's ballot.
        ballot: Ballot,
        /// Which life of the acceptor accepts.
        incarnation: Incarnation,
        /// Every slot up to here is accepted in this ballot, or known to be chosen.
        through: Slot,
        /// Every slot up to here is executed.
        executed_through: Slot,
    },
    /// Leader to a follower that fell behind the compacted log: my state.
    Snapshot {
        /// The leader's ballot.
        ballot: Ballot,
        /// The state, and how far it got.
        replica: Arc<Replica<S>>,
    },

    // --- reads without a log entry ---
    /// Leader to followers: am I still the one? (ReadIndex; Ongaro 2014, section 6.4)
    Confirm {
        /// The leader's ballot.
        ballot: Ballot,
        /// Which round of questions.
        round: u64,
    },
    /// Follower to leader: when you asked, nothing higher was promised here.
    Confirmed {
        /// The leader's ballot.
        ballot: Ballot,
        /// Which life of the follower says so.
        incarnation: Incarnation,
        /// Which round of questions.
        round: u64,
    },

    // --- who is there ---
    /// To all, each tick: are you there?
    Heartbeat {
        /// The sender's tick.
        tick: u64,
    },
    /// The answer.
    Alive {
        /// The tick of the question.
        tick: u64,
        /// Which life of the sender is there.
        incarnation: Incarnation,
        /// Whom the sender follows, or the ballot in which it leads or wants to.
        following: Ballot,
        /// The leader was heard lately and reaches a quorum, as far as the sender knows.
        happy: bool,
        /// The sender executed everything up to here.
        executed_through: Slot,
        /// What the sender tells of the time, if its driver tells it its clocks.
        clock: Option<ClockReport>,
    },
    /// A leader that stops to the follower that is furthest: take over.
    TakeOver {
        /// The ballot that ends.
        ballot: Ballot,
    },

    // --- a replica that begins anew ---
    /// To all: I am new under an old name. What did my former self know?
    Rejoin {
        /// The new life's number.
        incarnation: Incarnation,
    },
    /// The answer.
    Welcome {
        /// The life that asked.
        incarnation: Incarnation,
        /// The lives that the sender knows of, its own included; a first one is not named.
        lives: Vec<(NodeId, Incarnation)>,
        /// The highest ballot that the sender promised.
        promised: Ballot,
        /// From a leader, its state and its open slots.
        leading: Option<Leading<S>>,
    },
    /// To a life that is over: there is a later one under your name.
    Superseded {
        /// The later life's number.
        incarnation: Incarnation,
    },
}

/// What a node reminds itself of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Timer {
    /// A server looks who is there, and resends what is not answered. Never stale: each sets the next.
    Tick,
    /// Something of a client's was perhaps lost. Stale for whatever was answered since.
    Retry {
        /// The lowest number of a command that waited when the timer was set.
        command: Seq,
        /// The lowest number of a read that waited when the timer was set.
        read: Seq,
    },
}

/// One durable step of an acceptor.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Record<C> {
    /// Nothing below this ballot will be accepted.
    Promised {
        /// The ballot.
        ballot: Ballot,
        /// Everything up to here was known to be chosen: later answers rely on it.
        chosen_through: Slot,
    },
    /// These were accepted; the ballot is also promised.
    Accepted {
        /// What.
        run: Run<C>,
        /// Everything up to here was known to be chosen.
        chosen_through: Slot,
    },
    /// A member began anew: what its former lives said counts no more. If it is this one, its life is over.
    Rejoined {
        /// Which member.
        node: NodeId,
        /// Its new life's number.
        incarnation: Incarnation,
    },
    /// The log's time, as it was known here when something was accepted.
    Time(KeptTime),
}

/// An acceptor's and a replica's whole durable state.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Checkpoint<S: StateMachine> {
    /// Which life this is.
    pub incarnation: Incarnation,
    /// Nothing below this ballot will be accepted.
    pub promised: Ballot,
    /// The executed state, and how far it got.
    pub replica: Arc<Replica<S>>,
    /// What is accepted after it.
    pub accepted: Vec<Run<S::Command>>,
    /// The peers' lives that are known.
    pub incarnations: Vec<(NodeId, Incarnation)>,
    /// The log's time, if it is known here.
    pub time: Option<KeptTime>,
}

impl<S: StateMachine> Message<S> {
    /// Whether servers say it to clients, and nobody else to anybody.
    pub(crate) fn is_for_clients(&self) -> bool {
        matches!(
            self,
            Message::Results { .. }
                | Message::Answers { .. }
                | Message::NotLeader { .. }
                | Message::Forgotten { .. }
        )
    }

    /// The ballot in which its sender says that it leads, or wants to: one of its own.
    pub(crate) fn claimed_ballot(&self) -> Option<Ballot> {
        match self {
            Message::Prepare { ballot, .. }
            | Message::Accept { ballot, .. }
            | Message::Snapshot { ballot, .. }
            | Message::Confirm { ballot, .. } => Some(*ballot),
            _ => None,
        }
    }
}
