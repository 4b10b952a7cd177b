//! Operations on their way to the backup, in the order in which they will run.

use crate::settings::{Patience, Settings};
use crate::{Index, Operation};
use std::collections::VecDeque;

/// How many operations travel in one message at most.
const OPERATIONS_MAX: usize = 256;
/// About how many bytes of commands travel in one message at most.
const BYTES_MAX: usize = 1 << 20;

/// What a primary was asked and has not answered. Those from `next` on wait; the first `sent` of them were sent to the
/// backup, `sent <= waiting.len()`, and there are at most [`Settings::operations_max`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Pipeline<C> {
    /// The index of the first in `waiting`: every one before it was taken by the backup.
    next: Index,
    waiting: VecDeque<Operation<C>>,
    sent: usize,
    patience: Patience,
}

impl<C> Default for Pipeline<C> {
    fn default() -> Self {
        Pipeline { next: 1, waiting: VecDeque::new(), sent: 0, patience: Patience::default() }
    }
}

impl<C: Clone> Pipeline<C> {
    /// One more, unless there is no room, or everything in it waits already: a client asks again.
    pub(crate) fn push(&mut self, operation: Operation<C>, settings: Settings) {
        let latest = self.waiting.iter().rev().find(|other| other.client == operation.client);
        let is_new = latest.is_none_or(|other| other.last() < operation.last());
        if is_new && self.waiting.len() < settings.operations_max {
            self.waiting.push_back(operation);
        }
    }

    /// What may be sent and was not: the index of the first, and they themselves.
    pub(crate) fn take_unsent(&mut self, weigh: impl Fn(&C) -> usize) -> Option<(Index, Vec<Operation<C>>)> {
        let first = self.next + self.sent as u64;
        let mut bytes = 0;
        let mut batch: Vec<Operation<C>> = Vec::new();
        for operation in self.waiting.range(self.sent..).take(OPERATIONS_MAX) {
            bytes += operation.commands.iter().map(&weigh).sum::<usize>();
            if bytes > BYTES_MAX && !batch.is_empty() {
                break;
            }
            batch.push(operation.clone());
        }
        self.sent += batch.len();
        (!batch.is_empty()).then_some((first, batch))
    }

    /// The backup took everything up to `through`: yields what is news of it, in order.
    pub(crate) fn settle(&mut self, through: Index) -> impl Iterator<Item = Operation<C>> + use<'_, C> {
        let count = (through.saturating_add(1).saturating_sub(self.next) as usize).min(self.sent);
        if count > 0 {
            self.patience = Patience::default();
        }
        self.next += count as u64;
        self.sent -= count;
        self.waiting.drain(..count)
    }

    /// Everything that waits, in order: there is no backup that had to take it.
    pub(crate) fn take_all(&mut self) -> Vec<Operation<C>> {
        std::mem::take(self).waiting.into()
    }

    /// The same operations in a new view, whose indices begin again.
    #[must_use]
    pub(crate) fn renewed(self) -> Self {
        Pipeline { waiting: self.waiting, ..Pipeline::default() }
    }

    /// A tick has passed. If the backup has answered nothing for more than one, everything will be sent again.
    pub(crate) fn on_tick(&mut self) {
        if self.patience.is_tried_by_tick(self.sent > 0) {
            self.sent = 0;
        }
    }

    /// Whether the backup has answered nothing for so long that it is given up.
    pub(crate) fn is_backup_lost(&self) -> bool {
        self.patience.is_over()
    }

    /// The last index that the backup is known to have taken.
    pub(crate) fn taken(&self) -> Index {
        self.next - 1
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn assert_invariants(&self, settings: Settings) {
        assert!(self.sent <= self.waiting.len(), "more was sent than there is");
        assert!(self.waiting.len() <= settings.operations_max, "more waits than may");
    }
}
