//! Reads without a log entry: each waits until a quorum confirmed that its leader still led when the read came, and
//! until what was chosen by then is executed.

use crate::Slot;
use std::collections::VecDeque;
use synod_clientserver::Seq;
use synod_node::{NodeId, Rename};

/// The client's number of the first read, and the reads.
pub(crate) type Asked<C> = (Seq, Vec<C>);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Waiting<C> {
    /// The round of confirmations that must be over: one that began after the read came.
    round: u64,
    /// The slot that must be executed.
    index: Slot,
    client: NodeId,
    asked: Asked<C>,
}

/// The reads of one leader. Rounds and indexes never fall along the queue.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Reads<C> {
    waiting: VecDeque<Waiting<C>>,
    /// How many single reads wait.
    count: usize,
    /// The last round that began.
    begun: u64,
    /// The last round that a quorum confirmed.
    confirmed: u64,
}

impl<C> Default for Reads<C> {
    fn default() -> Self {
        Reads { waiting: VecDeque::new(), count: 0, begun: 0, confirmed: 0 }
    }
}

impl<C> Reads<C> {
    /// How many single reads wait.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn begun(&self) -> u64 {
        self.begun
    }

    /// Reads wait for the next round; in a group of one, where nobody need confirm anything, for none.
    pub(crate) fn push(&mut self, is_alone: bool, index: Slot, client: NodeId, asked: Asked<C>) {
        self.count += asked.1.len();
        let index = self.waiting.back().map_or(index, |last| last.index.max(index));
        let round = self.begun + u64::from(!is_alone);
        self.waiting.push_back(Waiting { round, index, client, asked });
    }

    /// The round that begins now, if a read waits for it and at most `rounds_max` are then under way.
    pub(crate) fn begin_round(&mut self, rounds_max: u64) -> Option<u64> {
        let is_wanted = self.waiting.back().is_some_and(|last| last.round > self.begun);
        if !is_wanted || self.begun - self.confirmed >= rounds_max {
            return None;
        }
        self.begun += 1;
        Some(self.begun)
    }

    /// The round that is under way, to be asked for again.
    pub(crate) fn unconfirmed(&self) -> Option<u64> {
        (self.begun > self.confirmed).then_some(self.begun)
    }

    /// A quorum confirmed this round, and so those before it.
    pub(crate) fn on_confirmed(&mut self, round: u64) {
        self.confirmed = self.confirmed.max(round);
    }

    /// The next read that may be answered by a state that executed `through`.
    pub(crate) fn pop_ready(&mut self, through: Slot) -> Option<(NodeId, Asked<C>)> {
        let first = self.waiting.front()?;
        if first.round > self.confirmed || first.index > through {
            return None;
        }
        let Waiting { client, asked, .. } = self.waiting.pop_front()?;
        self.count -= asked.1.len();
        Some((client, asked))
    }

    /// Who waits.
    pub(crate) fn clients(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.waiting.iter().map(|waiting| waiting.client)
    }

    pub(crate) fn assert_invariants(&self) {
        assert!(self.confirmed <= self.begun, "a round was confirmed before it began");
    }
}

impl<C: Rename> Rename for Waiting<C> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Waiting { round: _, index: _, client, asked } = self;
        client.rename(name);
        asked.rename(name);
    }
}

impl<C: Rename> Rename for Reads<C> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Reads { waiting, count: _, begun: _, confirmed: _ } = self;
        waiting.rename(name);
    }
}
