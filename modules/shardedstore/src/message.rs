//! What is said, what timers remind of, and what is made durable.

use crate::{
    Attempt, Chunk, ConfigurationCommand, ConfigurationNumber, ConfigurationService, GroupId, GroupState,
    LockNumber, Reached, Sharded, SlotId, Step,
};
use synod_clientserver::{ClientId, Seq};
use synod_node::NodeId;

/// Commands of one client with one home slot, in the order of their numbers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lot<C> {
    /// The home slot of each.
    pub slot: SlotId,
    /// Which session of the client it is, in this slot.
    pub client: ClientId,
    /// The number of the first; the others follow it without a gap.
    pub first: Seq,
    /// Every result of the session below this number has reached the client.
    pub acked_below: Seq,
    /// The old owner said that the slot is on its way to whoever is asked.
    pub is_on_its_way: bool,
    /// What to run.
    pub commands: Vec<C>,
}

/// Results of a lot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Results<O> {
    /// The home slot.
    pub slot: SlotId,
    /// Which session.
    pub client: ClientId,
    /// The number of the first; the others follow it without a gap.
    pub first: Seq,
    /// The results.
    pub outputs: Vec<O>,
}

/// What nodes say to each other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message<S: Sharded> {
    /// Among the members of the configuration service, and between them and whoever asks it.
    Masters(synod_paxos::Message<ConfigurationService>),
    /// The same from a member that replaced another one, and speaks for a seat that is not called as it is.
    SeatedMaster {
        /// For which seat it speaks.
        seat: NodeId,
        /// What it says.
        message: synod_paxos::Message<ConfigurationService>,
    },
    /// Among the members of one group; and what they answer to reads.
    Members(synod_paxos::Message<GroupState<S>>),
    /// The same from a member that replaced another one, and speaks for a seat that is not called as it is.
    Seated {
        /// For which seat it speaks.
        seat: NodeId,
        /// What it says.
        message: synod_paxos::Message<GroupState<S>>,
    },

    // --- clients and servers ---
    /// Client to a group: run these, each once; those of one lot in order.
    Submit {
        /// What to run.
        lots: Vec<Lot<S::Command>>,
    },
    /// Server to client: what came of them.
    Results {
        /// The results.
        lots: Vec<Results<S::Output>>,
    },
    /// Client to a group: read, linearizably, without a log entry. Answered by `Answers` of the group's Paxos.
    Ask {
        /// The client's own number of the first read; the others follow it without a gap.
        first: Seq,
        /// The old owner said that their slots are on their way to whoever is asked.
        is_on_its_way: bool,
        /// What to read.
        queries: Vec<S::Command>,
    },
    /// Server to client: the slot is not here.
    Elsewhere {
        /// Which slot.
        slot: SlotId,
        /// Who has it, or will have it.
        group: GroupId,
        /// Whether it is on its way there: requests wait there for it.
        is_on_its_way: bool,
    },
    /// Server to client or to another group's leader: ask somebody else of this group.
    NotLeader {
        /// Which group.
        group: GroupId,
        /// Who leads, if known.
        leader: Option<NodeId>,
    },
    /// Server to client: nothing is known of this session, whose numbers began long ago.
    Forgotten {
        /// In which slot.
        slot: SlotId,
        /// Which session.
        client: ClientId,
    },

    // --- a slot's way from group to group ---
    /// New owner to old: give me what is mine. Before that nothing is frozen for it: whoever is not there takes nothing.
    Ready {
        /// The configuration that moves slots to it.
        number: ConfigurationNumber,
        /// Who is ready.
        group: GroupId,
    },
    /// Old owner to new: parts of slots that are on their way.
    Give {
        /// The configuration that moves them.
        number: ConfigurationNumber,
        /// The parts.
        chunks: Vec<Chunk<S>>,
    },
    /// New owner to old: durably here.
    Taken {
        /// The configuration that moves them.
        number: ConfigurationNumber,
        /// For each slot the part that is wanted next; `None` if all of it is here.
        slots: Vec<(SlotId, Option<Reached>)>,
    },

    // --- transactions: two-phase commit ---
    /// Coordinator to participant: lock these slots, and tell what the command's keys hold.
    Prepare {
        /// Which try.
        attempt: Attempt,
        /// The slots that are wanted of this group.
        slots: Vec<SlotId>,
        /// The command.
        command: S::Command,
    },
    /// Participant to coordinator: locked, durably; this is what the keys hold.
    Vote {
        /// Which try.
        attempt: Attempt,
        /// Who votes.
        group: GroupId,
        /// Its lock.
        lock: LockNumber,
        /// What is locked.
        slots: Vec<SlotId>,
        /// What the command's keys hold here.
        fragment: S::Fragment,
    },
    /// Participant to coordinator: a slot is not here.
    Refused {
        /// Which try.
        attempt: Attempt,
        /// Which slot.
        slot: SlotId,
        /// Who has it, as far as the participant knows; `None` while it is on its way.
        with: Option<GroupId>,
    },
    /// Coordinator to participant: the try is over.
    Outcome {
        /// Which try.
        attempt: Attempt,
        /// The participant's lock.
        lock: LockNumber,
        /// What the keys hold from now on, if it is committed; else it is given up.
        part: Option<S::Fragment>,
    },
    /// Participant to coordinator: it knows, durably, that the try was committed.
    Finished {
        /// Which try.
        attempt: Attempt,
        /// Who knows.
        group: GroupId,
    },
    /// Participant to coordinator: slots are locked for this try; what became of it?
    Inquire {
        /// Which try.
        attempt: Attempt,
        /// Who asks.
        group: GroupId,
        /// Its lock.
        lock: LockNumber,
    },
}

/// What a node reminds itself of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Timer {
    /// The timer of a Paxos server, or of a client of the configuration service.
    Paxos(synod_paxos::Timer),
    /// Something of a client's was perhaps lost. Never stale: there is one while something waits.
    Retry,
}

/// One durable step.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Record<S: Sharded> {
    /// Of the configuration service.
    Masters(synod_paxos::Record<ConfigurationCommand>),
    /// Of a group.
    Members(synod_paxos::Record<Step<S>>),
}

/// A whole durable state.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Checkpoint<S: Sharded> {
    /// Of the configuration service.
    Masters(synod_paxos::Checkpoint<ConfigurationService>),
    /// Of a group.
    Members(synod_paxos::Checkpoint<GroupState<S>>),
}
