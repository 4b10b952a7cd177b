//! The log of accepted proposals: runs of consecutive slots that were accepted together, shared and never copied.
//!
//! A batch of commands is one allocation from where it was received to where it is executed: the leader's log, its
//! messages, its durable record and, in a simulation, the followers' logs all point at it. A log is a queue of such
//! runs, in the order of slots; a proposal of a higher ballot cuts out what it replaces.

use crate::{Ballot, Slot};
use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use synod_clientserver::{ClientId, Seq, read_seq};
use synod_node::{NodeId, Rename};
use synod_stdx::{Malformed, Reader, Wire, Writer, put_varint};

/// What can be chosen for a slot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Proposal<C> {
    /// Nothing: fills a slot that a new leader found empty below one that is not.
    Noop,
    /// A client's command.
    Command {
        /// Whose.
        client: ClientId,
        /// Its number within the client's session.
        seq: Seq,
        /// Every result of the session below this number has reached the client.
        acked_below: Seq,
        /// What to run.
        command: C,
    },
    /// A command of whoever owns the server, in no session: it may be chosen twice, or never, and the application must
    /// make that harmless. See [`Server::propose`](crate::Server::propose).
    Own {
        /// What to run.
        command: C,
    },
}

/// Consecutive slots that hold proposals of one ballot.
pub struct Run<C> {
    first: Slot,
    ballot: Ballot,
    shared: Arc<[Proposal<C>]>,
    start: u32,
    len: u32,
}

impl<C> Clone for Run<C> {
    fn clone(&self) -> Self {
        let Run { first, ballot, ref shared, start, len } = *self;
        Run { first, ballot, shared: Arc::clone(shared), start, len }
    }
}

impl<C> Run<C> {
    /// A run of `proposals` from slot `first` on.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(first: Slot, ballot: Ballot, proposals: Arc<[Proposal<C>]>) -> Self {
        assert!(!proposals.is_empty() && first > Slot::ZERO, "a run holds a slot");
        let len = u32::try_from(proposals.len()).expect("a run is bounded by the window");
        Run { first, ballot, shared: proposals, start: 0, len }
    }

    /// Its first slot.
    pub fn first(&self) -> Slot {
        self.first
    }

    /// Its last slot.
    pub fn last(&self) -> Slot {
        Slot(self.first.0 + u64::from(self.len) - 1)
    }

    /// The ballot in which all of it was accepted.
    pub fn ballot(&self) -> Ballot {
        self.ballot
    }

    /// The proposals, in the order of slots.
    pub fn proposals(&self) -> &[Proposal<C>] {
        &self.shared[self.start as usize..(self.start + self.len) as usize]
    }

    /// How many slots it holds.
    pub fn slots(&self) -> u64 {
        u64::from(self.len)
    }

    /// The same proposals in another ballot: what a new leader proposes again.
    pub(crate) fn in_ballot(mut self, ballot: Ballot) -> Self {
        self.ballot = ballot;
        self
    }

    /// The part of it within `(after, through]`, if there is one.
    pub(crate) fn clip(&self, after: Slot, through: Slot) -> Option<Self> {
        let (first, last) = (self.first.max(after.next()), self.last().min(through));
        if first > last {
            return None;
        }
        let mut clipped = self.clone();
        clipped.start += (first.0 - self.first.0) as u32;
        clipped.len = (last.0 - first.0 + 1) as u32;
        clipped.first = first;
        Some(clipped)
    }
}

/// How many slots between `after` and the last of `runs` are in none of them; `None` if the runs are not in order.
pub(crate) fn missing_slots<C>(after: Slot, runs: &[Run<C>]) -> Option<u64> {
    let mut reached = after;
    let mut missing = 0;
    for (index, run) in runs.iter().enumerate() {
        if index > 0 && run.first <= runs[index - 1].last() {
            return None;
        }
        missing += run.first.since(reached.next());
        reached = reached.max(run.last());
    }
    Some(missing)
}

impl<C: PartialEq> PartialEq for Run<C> {
    fn eq(&self, other: &Self) -> bool {
        (self.first, self.ballot) == (other.first, other.ballot) && self.proposals() == other.proposals()
    }
}

impl<C: Eq> Eq for Run<C> {}

impl<C: Hash> Hash for Run<C> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.first, self.ballot, self.proposals()).hash(state);
    }
}

impl<C: fmt::Debug> fmt::Debug for Run<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} {:?}", self.first, self.ballot, self.proposals())
    }
}

/// What is accepted, by slot. How it is cut into runs is part of what a log is: it tells what messages will be like, and a
/// server that is equal to another one must do the same.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Log<C> {
    /// Slots up to here are dropped.
    dropped_through: Slot,
    /// In the order of slots, not overlapping, all above `dropped_through`.
    runs: VecDeque<Run<C>>,
    /// So many runs at the end hold one slot each, of one ballot, one behind the other: when they are joined depends on it.
    singles: usize,
}

/// So many runs of one slot each are joined to one, once as many have come behind them: a run costs as much memory as a
/// short command.
const JOINED: usize = 16;

impl<C> Default for Log<C> {
    fn default() -> Self {
        Log { dropped_through: Slot::ZERO, runs: VecDeque::new(), singles: 0 }
    }
}

impl<C> Log<C> {
    /// Slots up to here are dropped: all that was in them is part of a snapshot.
    pub fn dropped_through(&self) -> Slot {
        self.dropped_through
    }

    /// The last slot that holds something; [`dropped_through`](Log::dropped_through) if none does.
    pub fn last(&self) -> Slot {
        self.runs.back().map_or(self.dropped_through, Run::last)
    }

    /// How many slots hold something.
    pub fn slots(&self) -> u64 {
        self.runs.iter().map(Run::slots).sum()
    }

    /// The index of the first run that ends at `slot` or later.
    fn position(&self, slot: Slot) -> usize {
        // Most look-ups are near the end, and a long log is not in the cache.
        const NEAR: usize = 4;
        let mut index = self.runs.len();
        while index > self.runs.len().saturating_sub(NEAR) {
            if self.runs[index - 1].last() < slot {
                return index;
            }
            index -= 1;
        }
        if index == 0 { 0 } else { self.runs.partition_point(|run| run.last() < slot) }
    }

    /// What `slot` holds.
    pub fn find(&self, slot: Slot) -> Option<(Ballot, &Proposal<C>)> {
        let run = self.runs.get(self.position(slot)).filter(|run| run.first <= slot)?;
        Some((run.ballot, &run.proposals()[(slot.0 - run.first.0) as usize]))
    }

    /// The run that holds `slot`.
    fn run_at(&self, slot: Slot) -> Option<&Run<C>> {
        self.runs.get(self.position(slot)).filter(|run| run.first <= slot)
    }

    /// The runs within `(after, through]`, cut to it, in order.
    pub fn runs(&self, after: Slot, through: Slot) -> impl Iterator<Item = Run<C>> + use<'_, C> {
        let from = self.position(after.next());
        self.runs
            .range(from..)
            .take_while(move |run| run.first <= through)
            .filter_map(move |run| run.clip(after, through))
    }

    /// The proposals within `(after, through]`, in order, a run at a time, each with its last slot: as
    /// [`runs`](Log::runs), and nothing is shared for it.
    pub fn proposals(&self, after: Slot, through: Slot) -> impl Iterator<Item = (Slot, &[Proposal<C>])> {
        let from = self.position(after.next());
        let within = self.runs.range(from..).take_while(move |run| run.first <= through);
        within.map(move |run| {
            let (first, last) = (run.first.max(after.next()), run.last().min(through));
            let (from, until) = ((first.0 - run.first.0) as usize, (last.0 + 1 - run.first.0) as usize);
            (last, &run.proposals()[from..until])
        })
    }

    /// Adds a run behind all others, and joins what has become old of runs that are short.
    fn push(&mut self, run: Run<C>)
    where
        C: Clone,
    {
        let follows =
            self.runs.back().is_some_and(|last| last.last().next() == run.first && last.ballot == run.ballot);
        self.singles = match (run.len, follows) {
            (1, true) => self.singles + 1,
            (1, false) => 1,
            _ => 0,
        };
        self.runs.push_back(run);
        if self.singles == 2 * JOINED {
            let end = self.runs.len() - JOINED;
            let (first, ballot) = (self.runs[end - JOINED].first, self.runs[end - JOINED].ballot);
            let joined =
                self.runs.range(end - JOINED..end).flat_map(|run| run.proposals().iter().cloned()).collect();
            self.runs.drain(end - JOINED + 1..end);
            let place = self.runs.len() - JOINED - 1;
            self.runs[place] = Run::new(first, ballot, joined);
            self.singles = JOINED;
        }
    }

    /// Puts `run` in the place of whatever its slots held. Slots that are dropped stay dropped.
    pub fn put(&mut self, run: &Run<C>)
    where
        C: Clone,
    {
        let Some(run) = run.clip(self.dropped_through, Slot(u64::MAX)) else { return };
        if run.first > self.last() {
            self.push(run);
            return;
        }
        self.singles = 0;
        let from = self.position(run.first);
        let until = self.runs.partition_point(|other| other.first <= run.last());
        let before = self.runs.get(from).and_then(|other| other.clip(Slot::ZERO, Slot(run.first.0 - 1)));
        let behind = until.checked_sub(1).filter(|last| *last >= from);
        let after = behind.and_then(|last| self.runs[last].clip(run.last(), Slot(u64::MAX)));
        let tail = self.runs.split_off(until.max(from));
        self.runs.truncate(from);
        self.runs.extend(before);
        self.runs.push_back(run);
        self.runs.extend(after);
        self.runs.extend(tail);
    }

    /// The last slot up to which, from the one after `through` on, every slot holds a proposal of `ballot`.
    pub fn contiguous(&self, through: Slot, ballot: Ballot) -> Slot {
        let mut reached = through;
        while let Some(run) = self.run_at(reached.next()) {
            if run.ballot != ballot {
                break;
            }
            reached = run.last();
        }
        reached
    }

    /// Drops every slot up to `through`.
    pub fn drop_through(&mut self, through: Slot) {
        if through <= self.dropped_through {
            return;
        }
        self.dropped_through = through;
        self.singles = 0;
        while self.runs.front().is_some_and(|run| run.last() <= through) {
            self.runs.pop_front();
        }
        if let Some(clipped) = self.runs.front().and_then(|run| run.clip(through, Slot(u64::MAX))) {
            self.runs[0] = clipped;
        }
    }

    /// Drops every slot after `through`.
    pub fn drop_after(&mut self, through: Slot) {
        self.singles = 0;
        while self.runs.back().is_some_and(|run| run.first > through) {
            self.runs.pop_back();
        }
        let end = self.runs.len();
        if let Some(clipped) = self.runs.back().and_then(|run| run.clip(Slot::ZERO, through)) {
            self.runs[end - 1] = clipped;
        }
    }

    /// Panics if the runs are out of order or overlap.
    pub fn assert_invariants(&self) {
        // Only the ends: this runs after every handler, and the log may be long. The tests check the whole.
        if let (Some(first), Some(last)) = (self.runs.front(), self.runs.back()) {
            assert!(first.first > self.dropped_through, "a dropped slot is held");
            assert!(first.first <= last.last(), "runs are in order");
        }
    }

    #[cfg(test)]
    pub(crate) fn assert_whole(&self) {
        let mut reached = self.dropped_through;
        for run in &self.runs {
            assert!(run.first > reached, "{} is not behind {reached}", run.first);
            reached = run.last();
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for Log<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}] ", self.dropped_through)?;
        f.debug_list().entries(&self.runs).finish()
    }
}

impl<C: Rename> Rename for Proposal<C> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Proposal::Noop => {}
            Proposal::Command { client, seq: _, acked_below: _, command } => {
                client.rename(name);
                command.rename(name);
            }
            Proposal::Own { command } => command.rename(name),
        }
    }
}

impl<C: Rename + Clone> Rename for Run<C> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        // What is cut away of the shared part stays behind.
        let mut proposals: Arc<[Proposal<C>]> = self.proposals().into();
        proposals.rename(name);
        *self = Run::new(self.first, self.ballot, proposals);
        self.ballot.rename(name);
    }
}

impl<C: Rename + Clone> Rename for Log<C> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Log { dropped_through: _, runs, singles: _ } = self;
        runs.rename(name);
    }
}

impl<C: Wire> Wire for Proposal<C> {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Proposal::Noop => out.push(0),
            Proposal::Command { client, seq, acked_below, command } => {
                out.push(1);
                client.encode(out);
                put_varint(out, *seq);
                // Close to the number itself, so a byte or two.
                put_varint(out, seq.saturating_sub(*acked_below));
                command.encode(out);
            }
            Proposal::Own { command } => {
                out.push(2);
                command.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match input.u8()? {
            0 => Ok(Proposal::Noop),
            1 => {
                let client = ClientId::decode(input)?;
                let seq = read_seq(input)?;
                let acked_below =
                    seq.checked_sub(input.varint()?).ok_or(Malformed("acknowledged below zero"))?;
                Ok(Proposal::Command { client, seq, acked_below, command: C::decode(input)? })
            }
            2 => Ok(Proposal::Own { command: C::decode(input)? }),
            3.. => Err(Malformed("no such proposal")),
        }
    }
}

impl<C: Wire> Wire for Run<C> {
    fn encode(&self, out: &mut Writer<'_>) {
        self.first.encode(out);
        self.ballot.encode(out);
        put_varint(out, self.slots());
        self.proposals().iter().for_each(|proposal| proposal.encode(out));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (first, ballot) = (Slot::decode(input)?, Ballot::decode(input)?);
        let slots = input.length(1)?;
        if slots == 0 || first == Slot::ZERO || first.0.checked_add(slots as u64).is_none() {
            return Err(Malformed("a run without slots"));
        }
        let proposals: Vec<Proposal<C>> =
            (0..slots).map(|_| Proposal::decode(input)).collect::<Result<_, _>>()?;
        Ok(Run::new(first, ballot, proposals.into()))
    }
}
