//! What clients saw: operations with the order of their invocations and answers.

use std::fmt;

/// Names one operation of a [`History`]: its place in the order of invocations, from 0. Shown as `#3`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OpId(pub usize);

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// When an invocation or an answer was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// The place among all events of the history, from 0. No two events share one; the verdict rests on it alone.
    pub index: u64,
    /// The recorder's clock in microseconds, if it has one. For people who read the verdict; it decides nothing.
    pub time_us: Option<u64>,
}

/// How an operation ended, as its client knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome<Ret> {
    /// No answer, for ever: the operation may have taken effect at any time since its invocation, or never.
    Unknown,
    /// The client was told that the operation did not happen and never will.
    Failed,
    /// The operation took effect once, between its invocation and `at`.
    Returned {
        /// What the client was told.
        ret: Ret,
        /// When it was told.
        at: Moment,
    },
}

/// One operation of one client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation<Op, Ret> {
    /// Who invoked it: a logical process, which is a client's connection or a thread of it.
    pub process: u64,
    /// What was asked for.
    pub op: Op,
    /// When it was invoked.
    pub invoked: Moment,
    /// How it ended.
    pub outcome: Outcome<Ret>,
}

/// A recorded history. A recorder calls [`invoke`](History::invoke) before a request leaves the client and
/// [`complete`](History::complete) after its answer arrived; the order of these calls is the history's order.
/// An operation that is never completed has an unknown outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History<Op, Ret> {
    operations: Vec<Operation<Op, Ret>>,
    events: u64,
    time_us: Option<u64>,
}

impl<Op, Ret> Default for History<Op, Ret> {
    fn default() -> Self {
        History { operations: Vec::new(), events: 0, time_us: None }
    }
}

impl<Op, Ret> History<Op, Ret> {
    /// A history without operations.
    pub fn new() -> Self {
        History::default()
    }

    /// Gives the events recorded from now on the time `time_us`, in microseconds.
    pub fn set_time_us(&mut self, time_us: u64) {
        self.time_us = Some(time_us);
    }

    /// Records that `process` asks for `op`.
    pub fn invoke(&mut self, process: u64, op: Op) -> OpId {
        let invoked = self.moment();
        self.operations.push(Operation { process, op, invoked, outcome: Outcome::Unknown });
        OpId(self.operations.len() - 1)
    }

    /// Records the answer of `id`.
    ///
    /// # Panics
    /// If `id` has ended already, or is of another history: a bug of the recorder.
    pub fn complete(&mut self, id: OpId, ret: Ret) {
        let at = self.moment();
        self.end(id, Outcome::Returned { ret, at });
    }

    /// Records that `id` did not happen and never will. If that is not certain, leave the operation open instead.
    ///
    /// # Panics
    /// If `id` has ended already, or is of another history: a bug of the recorder.
    pub fn fail(&mut self, id: OpId) {
        self.events += 1;
        self.end(id, Outcome::Failed);
    }

    fn end(&mut self, id: OpId, outcome: Outcome<Ret>) {
        let operation = &mut self.operations[id.0];
        assert!(matches!(operation.outcome, Outcome::Unknown), "operation {id} ended twice");
        operation.outcome = outcome;
    }

    fn moment(&mut self) -> Moment {
        let index = self.events;
        self.events += 1;
        Moment { index, time_us: self.time_us }
    }

    /// The operations in the order of their invocations: the one named `id` stands at `id.0`.
    pub fn operations(&self) -> &[Operation<Op, Ret>] {
        &self.operations
    }

    /// The same events with other operations and outcomes, if `words` has them for all.
    pub(crate) fn map_operations<Op2, Ret2>(
        &self,
        mut words: impl FnMut(&Operation<Op, Ret>) -> Option<(Op2, Outcome<Ret2>)>,
    ) -> Option<History<Op2, Ret2>> {
        let mut operations = Vec::with_capacity(self.len());
        for operation in &self.operations {
            let (op, outcome) = words(operation)?;
            operations.push(Operation {
                process: operation.process,
                op,
                invoked: operation.invoked,
                outcome,
            });
        }
        Some(History { operations, events: self.events, time_us: self.time_us })
    }

    /// The number of operations, whatever their outcome.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether nothing was invoked.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

/// An operation as the checks see it: failed ones are gone, times are places in the order of events.
pub(crate) struct Call<'a, Op, Ret> {
    pub(crate) id: OpId,
    pub(crate) op: &'a Op,
    pub(crate) invoked: u64,
    /// The answer and its place, or `None` if the outcome is unknown.
    pub(crate) answer: Option<(&'a Ret, u64)>,
}

// Not derived: a copy needs neither `Op: Copy` nor `Ret: Copy`.
impl<Op, Ret> Clone for Call<'_, Op, Ret> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Op, Ret> Copy for Call<'_, Op, Ret> {}

impl<'a, Op, Ret> Call<'a, Op, Ret> {
    pub(crate) fn ret(&self) -> Option<&'a Ret> {
        self.answer.map(|(ret, _)| ret)
    }

    pub(crate) fn returned(&self) -> Option<u64> {
        self.answer.map(|(_, at)| at)
    }
}

/// The operations of `history` that may have happened, in the order of their invocations.
pub(crate) fn calls<Op, Ret>(history: &History<Op, Ret>) -> Vec<Call<'_, Op, Ret>> {
    let mut calls = Vec::with_capacity(history.len());
    for (at, operation) in history.operations().iter().enumerate() {
        let answer = match &operation.outcome {
            Outcome::Failed => continue,
            Outcome::Unknown => None,
            Outcome::Returned { ret, at } => Some((ret, at.index)),
        };
        calls.push(Call { id: OpId(at), op: &operation.op, invoked: operation.invoked.index, answer });
    }
    calls
}
