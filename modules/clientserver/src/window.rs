//! A client's side of exactly-once: what is outstanding, and when to ask again.

use crate::{Seq, WINDOW_MAX};
use std::collections::VecDeque;
use synod_node::{NodeId, Rename, RequestId, TimerRange};

/// How a request ended.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Outcome<O> {
    /// It ran, once; this is its result.
    Done(O),
    /// The servers have forgotten the session: it ran once or never.
    MayHaveHappened,
}

/// Requests that are not answered yet, in the order of their numbers. The field's name for it is a send window.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Window<C> {
    /// The number of the first in `waiting`: the lowest that is not answered.
    lowest: Seq,
    waiting: VecDeque<(RequestId, C)>,
    /// How many of `waiting`, from the front, were sent at least once.
    sent: usize,
}

impl<C> Default for Window<C> {
    fn default() -> Self {
        Window { lowest: 1, waiting: VecDeque::new(), sent: 0 }
    }
}

impl<C: Clone> Window<C> {
    /// The lowest number that is not answered: what travels with each request.
    pub fn lowest(&self) -> Seq {
        self.lowest
    }

    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// One more request.
    pub fn push(&mut self, id: RequestId, command: C) {
        self.waiting.push_back((id, command));
    }

    /// How many may be outstanding: one until the first was ever answered.
    fn limit(&self) -> usize {
        if self.lowest == 1 { 1 } else { WINDOW_MAX }
    }

    /// The commands that may be sent and were not: their first number and they themselves, at most `count_max`, and no
    /// more than weigh `bytes_max` together unless one alone does.
    pub fn take_unsent(
        &mut self,
        (count_max, bytes_max): (usize, usize),
        weigh: impl Fn(&C) -> usize,
    ) -> Option<(Seq, Vec<C>)> {
        let until = self.limit().min(self.waiting.len()).min(self.sent + count_max);
        if until <= self.sent {
            return None;
        }
        let first = self.lowest + self.sent as u64;
        let mut bytes = 0;
        let mut commands = Vec::with_capacity(until - self.sent);
        for (_, command) in self.waiting.range(self.sent..until) {
            bytes += weigh(command);
            if bytes > bytes_max && !commands.is_empty() {
                break;
            }
            commands.push(command.clone());
        }
        self.sent += commands.len();
        Some((first, commands))
    }

    /// What the commands weigh together that were sent and are not answered.
    pub fn sent_bytes(&self, weigh: impl Fn(&C) -> usize) -> usize {
        self.waiting.range(..self.sent).map(|(_, command)| weigh(command)).sum()
    }

    /// From now on nothing counts as sent: everything will be sent again.
    pub fn rewind(&mut self) {
        self.sent = 0;
    }

    /// The results of the requests from `first` on arrived. Yields those that are news, in order, each with its request.
    pub fn settle<O>(
        &mut self,
        first: Seq,
        outputs: Vec<O>,
    ) -> impl Iterator<Item = (RequestId, O)> + use<'_, C, O> {
        // Results of a later request than the lowest that waits would leave a gap: they will come again.
        let known = self.lowest.saturating_sub(first) as usize;
        let gap = first > self.lowest;
        outputs.into_iter().skip(known).map_while(move |output| {
            let (id, _) = if gap { None } else { self.waiting.pop_front() }?;
            self.lowest += 1;
            self.sent = self.sent.saturating_sub(1);
            Some((id, output))
        })
    }

    /// The session is lost: everything that was sent, to be told that it may have happened; numbers begin again.
    pub fn abandon(&mut self) -> impl Iterator<Item = RequestId> + use<'_, C> {
        let sent = std::mem::take(&mut self.sent);
        self.lowest = 1;
        self.waiting.drain(..sent).map(|(id, _)| id)
    }

    /// Panics if the counts do not fit.
    pub fn assert_invariants(&self) {
        assert!(self.sent <= self.waiting.len() && self.sent <= WINDOW_MAX, "more sent than there is");
        assert!(self.lowest >= 1, "numbers begin at 1");
    }
}

impl<C: Rename> Rename for Window<C> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Window { lowest: _, waiting, sent: _ } = self;
        waiting.rename(name);
    }
}

/// Exponential backoff: each range twice the last, up to a cap; the driver's pick from it is the jitter.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Backoff {
    first_ms: u64,
    cap_ms: u64,
    failures: u32,
}

impl Backoff {
    /// Begins at `first_ms` to twice as much, ends at `cap_ms`.
    ///
    /// # Panics
    /// If the cap is below the first, or either is zero.
    pub fn new(first_ms: u64, cap_ms: u64) -> Self {
        assert!(0 < first_ms && first_ms <= cap_ms, "a backoff grows from more than nothing");
        Backoff { first_ms, cap_ms, failures: 0 }
    }

    /// The range to wait in now.
    pub fn range(&self) -> TimerRange {
        let low = self.first_ms.saturating_mul(1 << self.failures.min(20)).min(self.cap_ms);
        low..=(low * 2).min(self.cap_ms.max(low))
    }

    /// It was in vain once more.
    pub fn grow(&mut self) {
        // Beyond the cap a higher count would tell states apart that behave alike.
        if self.first_ms << self.failures.min(20) < self.cap_ms {
            self.failures += 1;
        }
    }

    /// It worked.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}
