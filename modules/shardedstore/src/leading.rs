//! What a leader keeps beside the replicated state. All of it may be lost.

use crate::pace::Pace;
use crate::queue::Queue;
use crate::{
    Attempt, ConfigurationNumber, GroupId, LockNumber, Message, Reached, RequestName, Results, Sharded,
    SlotId, Step,
};
use std::collections::{BTreeMap, BTreeSet};
use synod_clientserver::{ClientId, Seq};
use synod_node::NodeId;
use synod_paxos::Ballot;
use synod_stdx::mark;

/// Results on their way to clients, gathered over one step.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Answers<O> {
    by_client: BTreeMap<NodeId, Vec<Results<O>>>,
}

impl<O> Default for Answers<O> {
    fn default() -> Self {
        Answers { by_client: BTreeMap::new() }
    }
}

impl<O> Answers<O> {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_client.is_empty()
    }

    pub(crate) fn push(&mut self, name: RequestName, output: O) {
        let RequestName { client, slot, seq } = name;
        let lots = self.by_client.entry(client.node()).or_default();
        match lots.last_mut() {
            Some(last)
                if (last.client, last.slot) == (client, slot)
                    && last.first + last.outputs.len() as u64 == seq =>
            {
                last.outputs.push(output);
            }
            Some(_) | None => lots.push(Results { slot, client, first: seq, outputs: vec![output] }),
        }
    }

    /// Sends what was gathered. It was chosen, so it is durable on a quorum whatever this server's own disk has.
    pub(crate) fn send<S: Sharded<Output = O>>(&mut self, ctx: &mut crate::server::Ctx<S>) {
        for (client, lots) in std::mem::take(&mut self.by_client) {
            ctx.send_early(client, Message::Results { lots });
        }
    }
}

/// The last number of each session that waits or is in the log, and is not executed: of few sessions in each slot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Taken {
    by_slot: Vec<Vec<(ClientId, Seq)>>,
}

impl Taken {
    fn new(slot_count: u16) -> Self {
        Taken { by_slot: vec![Vec::new(); slot_count.into()] }
    }

    /// A name in the log may have any slot in it, where a fooled member put it there: of that nothing was taken here.
    pub(crate) fn get(&self, client: ClientId, slot: SlotId) -> Option<Seq> {
        let here = self.by_slot.get(usize::from(slot.number()))?;
        here.iter().find(|(known, _)| *known == client).map(|(_, seq)| *seq)
    }

    pub(crate) fn insert(&mut self, client: ClientId, slot: SlotId, seq: Seq) {
        let here = &mut self.by_slot[usize::from(slot.number())];
        match here.binary_search_by_key(&client, |(known, _)| *known) {
            Ok(at) => here[at].1 = seq,
            Err(at) => here.insert(at, (client, seq)),
        }
    }

    fn remove(&mut self, client: ClientId, slot: SlotId) {
        let here = self.by_slot.get_mut(usize::from(slot.number()));
        here.into_iter().for_each(|here| here.retain(|(known, _)| *known != client));
    }
}

/// A participant's vote: its lock.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Vote<S: Sharded> {
    pub(crate) lock: LockNumber,
    /// What is locked: there these slots are, wherever they are to go.
    pub(crate) slots: Vec<SlotId>,
    /// What the command's keys hold in these slots.
    pub(crate) fragment: S::Fragment,
}

/// What the coordinator's leader was told of a try.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Votes<S: Sharded> {
    pub(crate) attempt: Attempt,
    /// Who has locked what.
    pub(crate) by_group: BTreeMap<GroupId, Vote<S>>,
    /// An entry that ends the try is on its way into the log.
    pub(crate) is_ending: bool,
    /// A slot is on its way: the next try begins with the next tick.
    pub(crate) waits_for_tick: bool,
    /// When whoever is asked for locks was asked, if the command is large.
    pub(crate) asked: Again,
}

impl<S: Sharded> Votes<S> {
    pub(crate) fn new(attempt: Attempt) -> Self {
        Votes {
            attempt,
            by_group: BTreeMap::new(),
            is_ending: false,
            waits_for_tick: false,
            asked: Again::default(),
        }
    }
}

/// When something large is said again: it is on its way for a while, and whoever gets it is busy with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Again {
    said: Option<(GroupId, usize)>,
}

impl Again {
    /// Whether it is to be said to `group` now, which is asked each tick: at first, and then after so many rounds.
    pub(crate) fn is_due(&mut self, group: GroupId, rounds: usize) -> bool {
        match &mut self.said {
            Some((to, waited)) if *to == group && *waited < rounds => {
                mark!("shardedstore.says_much_once");
                *waited += 1;
                false
            }
            _ => {
                self.said = (rounds > 0).then_some((group, 0));
                true
            }
        }
    }

    /// Another member leads `group` now, and knows nothing of what was said.
    pub(crate) fn forget(&mut self, group: GroupId) {
        self.said = self.said.filter(|(to, _)| *to != group);
    }
}

/// An entry that the words of others ask for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Asked {
    Configure(ConfigurationNumber),
    Take(SlotId, Reached),
    Finish(Attempt, LockNumber),
    Told(RequestName, GroupId),
}

/// What a leader keeps.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Leading<S: Sharded> {
    /// In which ballot it leads.
    pub(crate) ballot: Ballot,
    /// What waits for slots.
    pub(crate) queue: Queue<S>,
    /// Something happened that what waits may have waited for.
    pub(crate) is_due: bool,
    /// Entries for the log, gathered over one step.
    pub(crate) proposals: Vec<Step<S>>,
    /// What was proposed since the last tick and is not proposed again, however often it is said.
    pub(crate) proposed: BTreeSet<Asked>,
    pub(crate) answers: Answers<S::Output>,
    /// The last number of each session that waits or is in the log, and is not executed.
    pub(crate) taken: Taken,
    /// Transactions that are to begin, and are not in the log or not executed.
    pub(crate) beginning: BTreeSet<(ClientId, SlotId)>,
    /// Slots whose lock is in the log and not executed, and for which try.
    pub(crate) locking: BTreeMap<SlotId, Attempt>,
    /// The configuration in force when something last moved.
    pub(crate) number: Option<ConfigurationNumber>,
    /// Who is ready to take slots, under which configuration.
    pub(crate) ready: BTreeMap<GroupId, ConfigurationNumber>,
    /// Slots that leave next: nothing new gets them. Frozen as soon as nothing has them locked; and whether that is on
    /// its way into the log.
    pub(crate) freezing: BTreeMap<SlotId, bool>,
    /// Slots of which the next round begins next, and whether that is on its way into the log.
    pub(crate) copying: BTreeMap<SlotId, bool>,
    /// Slots of which a round is under way, and which part of each their new owner wants.
    pub(crate) giving: BTreeMap<SlotId, Reached>,
    /// The same a tick ago: what is as it was then is sent again.
    pub(crate) given_before: BTreeMap<SlotId, Reached>,
    /// How much of that was given lately.
    pub(crate) pace: Pace,
    /// Slots whose release is on its way into the log.
    pub(crate) releasing: BTreeSet<SlotId>,
    /// Who gives slots that come here.
    pub(crate) givers: BTreeMap<SlotId, NodeId>,
    /// Transactions that this group coordinates.
    pub(crate) votes: BTreeMap<RequestName, Votes<S>>,
    /// When parts of decisions that are large were told, and to whom.
    pub(crate) told: BTreeMap<(RequestName, GroupId), Again>,
    /// Tries for which another group's leader wants slots here, and what it will then ask for.
    pub(crate) asked: BTreeMap<Attempt, (NodeId, S::Command)>,
    /// Where slots are that were not where they were looked for.
    pub(crate) located: BTreeMap<SlotId, GroupId>,
    /// Who leads other groups, as far as is known.
    pub(crate) leaders: BTreeMap<GroupId, NodeId>,
}

impl<S: Sharded> Leading<S> {
    pub(crate) fn new(ballot: Ballot, slot_count: u16) -> Self {
        Leading {
            ballot,
            queue: Queue::default(),
            is_due: true,
            proposals: Vec::new(),
            proposed: BTreeSet::new(),
            answers: Answers::default(),
            taken: Taken::new(slot_count),
            beginning: BTreeSet::new(),
            locking: BTreeMap::new(),
            number: None,
            ready: BTreeMap::new(),
            freezing: BTreeMap::new(),
            copying: BTreeMap::new(),
            giving: BTreeMap::new(),
            given_before: BTreeMap::new(),
            pace: Pace::default(),
            releasing: BTreeSet::new(),
            givers: BTreeMap::new(),
            votes: BTreeMap::new(),
            told: BTreeMap::new(),
            asked: BTreeMap::new(),
            located: BTreeMap::new(),
            leaders: BTreeMap::new(),
        }
    }

    /// A command ran.
    pub(crate) fn on_run(&mut self, name: RequestName) {
        if self.taken.get(name.client, name.slot).is_some_and(|taken| taken <= name.seq) {
            self.taken.remove(name.client, name.slot);
        }
        self.beginning.remove(&(name.client, name.slot));
    }

    /// Another member leads `group` now, and may not know what was said to the one before.
    pub(crate) fn on_other_leader(&mut self, group: GroupId) {
        self.votes.values_mut().for_each(|votes| votes.asked.forget(group));
        self.told.values_mut().for_each(|told| told.forget(group));
    }

    /// A command did not run: its client may submit it again.
    pub(crate) fn on_not_run(&mut self, name: RequestName) {
        self.taken.remove(name.client, name.slot);
        self.beginning.remove(&(name.client, name.slot));
        self.is_due = true;
    }
}
