//! A group's part in transactions: two-phase commit, each step of it an entry of a replicated log.
//!
//! The group that holds a command's home slot coordinates. It logs that the transaction begins, asks the groups that hold
//! the command's slots to lock them, one group after the other **in the order of the groups' names**, itself among them,
//! and gets from each what the command's keys hold there. With all of that it runs the command apart from any state, and
//! logs the decision: the output, and what the keys hold from now on. From that entry on the transaction is committed;
//! the others are told until each has said that it logged its part.
//!
//! # Why it neither blocks nor deadlocks
//! * The log is the coordinator: whoever leads goes on where the last leader stopped.
//! * A transaction that waits at a group holds locks only in groups of lower names: so no circle of transactions waits for
//!   each other, and none need ever be aborted for the sake of another. Who waits for a slot waits in a queue.
//! * If a slot moves while the try goes on, so that a group of a lower name were to be asked after one of a higher, the try
//!   is given up instead.
//! * Only for a slot that is locked does anybody wait. If a slot is not where it was looked for, the try is given up, its
//!   locks go, and the next try begins. A locked slot does not move, so locks are where they were taken.
//! * Locks have numbers. A request to lock that comes late, when all is over, locks anew, but under another number than the
//!   decision names: so nothing is written twice.
//! * A participant that hears nothing asks. Tries and locks are numbered without a gap, so a group that has given a number
//!   and has no such try, or lock, any more knows that it is over, whoever leads meanwhile: what was committed is kept until
//!   all participants have it.

use crate::group_state::{Prepared, SlotStatus, Transaction};
use crate::{Attempt, GroupId, GroupState, Lock, LockNumber, RequestName, Sharded, SlotId, Stepped};
use synod_clientserver::{Admission, ClientId, Seq};
use synod_stdx::mark;

impl<S: Sharded> GroupState<S> {
    pub(crate) fn begin(
        &mut self,
        name: RequestName,
        acked_below: Seq,
        command: &S::Command,
    ) -> Stepped<S::Output> {
        match self.admit(name) {
            Admission::Again(output) => return Stepped::Ran { name, output: output.clone() },
            Admission::Run if self.has(name.slot) => {}
            Admission::Forgotten => return Stepped::Forgotten { name },
            Admission::Run | Admission::Answered | Admission::Early => {
                return Stepped::NotRun { name };
            }
        }
        if self.transactions.contains_key(&name) {
            return Stepped::Known;
        }
        let (command, attempt) = (command.clone(), self.next_attempt(name));
        self.transactions.insert(name, Transaction { acked_below, command, attempt, committed: None });
        Stepped::Begun { name }
    }

    fn next_attempt(&mut self, name: RequestName) -> Attempt {
        self.attempts += 1;
        Attempt { name, coordinator: self.group, number: self.attempts }
    }

    /// Whether a slot is here, perhaps locked.
    pub(crate) fn has(&self, slot: SlotId) -> bool {
        self.held.find(slot).is_some_and(|held| held.status != SlotStatus::Frozen)
    }

    pub(crate) fn prepare(&mut self, attempt: Attempt, slots: &[SlotId]) -> Stepped<S::Output> {
        let answer = |lock| Stepped::Prepared { attempt, lock, slots: slots.to_vec() };
        match self.prepared.get(&attempt.name).map(|prepared| (prepared.attempt, prepared.lock)) {
            Some((known, lock)) if known == attempt => return answer(Lock::Held(lock)),
            // The coordinator went on to the next try: the one before is given up. Of another coordinator's try it is
            // not known which is the newer one: that one is asked about, and meanwhile its locks stand.
            Some((known, _)) if known.coordinator == attempt.coordinator && known.number < attempt.number => {
                self.unlock(attempt.name);
            }
            Some((known, _)) if known.coordinator == attempt.coordinator => return answer(Lock::Never),
            Some(_) | None => {}
        }
        // What was given up here, in the coordinator's own log, is not locked any more.
        if attempt.coordinator == self.group && !self.is_under_way(attempt) {
            return answer(Lock::Never);
        }
        if !self.serves(slots) {
            return answer(Lock::NotNow);
        }
        for slot in slots {
            self.set_status(*slot, SlotStatus::Locked(attempt));
        }
        self.locks += 1;
        let lock = self.locks;
        self.prepared.insert(attempt.name, Prepared { attempt, lock, slots: slots.to_vec() });
        answer(Lock::Held(lock))
    }

    /// Whether this group coordinates the try, and has not decided.
    pub(crate) fn is_under_way(&self, attempt: Attempt) -> bool {
        self.transactions
            .get(&attempt.name)
            .is_some_and(|open| open.attempt == attempt && open.committed.is_none())
    }

    /// Whether a try that this group coordinated is over: given up, or committed and told to all. False if it is not known
    /// yet.
    pub(crate) fn is_over(&self, attempt: Attempt) -> bool {
        let open = self.transactions.get(&attempt.name);
        attempt.number <= self.attempts && open.is_none_or(|open| open.attempt != attempt)
    }

    /// Whether a lock was given and is no more. False if it is not known yet.
    pub(crate) fn is_unlocked(&self, attempt: Attempt, lock: LockNumber) -> bool {
        lock <= self.locks && self.lock_of(attempt) != Some(lock)
    }

    /// What is locked here for a try.
    pub(crate) fn prepared_for(&self, attempt: Attempt) -> Option<&Prepared> {
        self.prepared.get(&attempt.name).filter(|prepared| prepared.attempt == attempt)
    }

    /// The lock of a try, if its slots are locked here.
    pub fn lock_of(&self, attempt: Attempt) -> Option<LockNumber> {
        self.prepared_for(attempt).map(|prepared| prepared.lock)
    }

    /// Whether the slots of the try are locked here.
    pub(crate) fn is_prepared(&self, attempt: Attempt) -> bool {
        self.lock_of(attempt).is_some()
    }

    pub(crate) fn decide(
        &mut self,
        attempt: Attempt,
        output: &S::Output,
        parts: &[(GroupId, LockNumber, S::Fragment)],
    ) -> Stepped<S::Output> {
        if !self.is_under_way(attempt) || !self.is_prepared(attempt) {
            return Stepped::Known;
        }
        let name = attempt.name;
        let Some(open) = self.transactions.get_mut(&name) else { return Stepped::Known };
        let acked_below = open.acked_below;
        let others = parts.iter().filter(|(group, ..)| *group != self.group);
        let others = others.map(|(group, lock, part)| (*group, (*lock, part.clone())));
        open.committed = Some(others.collect());
        let is_told = open.committed.as_ref().is_some_and(std::collections::BTreeMap::is_empty);
        if is_told {
            self.transactions.remove(&name);
        }
        for (.., part) in parts.iter().filter(|(group, ..)| *group == self.group) {
            self.store.write(part);
        }
        self.unlock(name);
        self.record(name, acked_below, output.clone());
        Stepped::Ran { name, output: output.clone() }
    }

    pub(crate) fn abandon(&mut self, attempt: Attempt) -> Stepped<S::Output> {
        let name = attempt.name;
        let is_known = |open: &&Transaction<S>| open.attempt == attempt;
        match self.transactions.get(&name).filter(is_known).map(|open| open.committed.is_some()) {
            Some(true) | None => return Stepped::Known,
            Some(false) => {
                mark!("shardedstore.attempt_given_up");
                if self.is_prepared(attempt) {
                    self.unlock(name);
                }
                let next = self.next_attempt(name);
                // Without its home slot there is nothing to coordinate here: the client will ask whoever has it.
                if !self.has(name.slot) {
                    self.transactions.remove(&name);
                } else if let Some(open) = self.transactions.get_mut(&name) {
                    open.attempt = next;
                }
            }
        }
        Stepped::Abandoned { attempt }
    }

    pub(crate) fn finish(
        &mut self,
        attempt: Attempt,
        lock: LockNumber,
        part: Option<&S::Fragment>,
    ) -> Stepped<S::Output> {
        if self.lock_of(attempt) == Some(lock) {
            if let Some(part) = part {
                self.store.write(part);
            }
            self.unlock(attempt.name);
        }
        Stepped::Finished { attempt, is_committed: part.is_some() }
    }

    pub(crate) fn told(&mut self, name: RequestName, group: GroupId) -> Stepped<S::Output> {
        if let Some(open) = self.transactions.get_mut(&name)
            && let Some(left) = &mut open.committed
        {
            left.remove(&group);
            if left.is_empty() {
                self.transactions.remove(&name);
            }
        }
        Stepped::Known
    }

    /// Whether a transaction of this session in this slot is under way.
    pub(crate) fn has_undecided(&self, client: ClientId, slot: SlotId) -> bool {
        let name = |seq| RequestName { client, slot, seq };
        let mut open = self.transactions.range(name(0)..=name(Seq::MAX));
        open.any(|(_, open)| open.committed.is_none())
    }

    fn unlock(&mut self, name: RequestName) {
        if let Some(prepared) = self.prepared.remove(&name) {
            for slot in prepared.slots {
                self.set_status(slot, SlotStatus::Served);
            }
        }
    }

    fn set_status(&mut self, slot: SlotId, status: SlotStatus) {
        let held = self.held.find_mut(slot).expect("only what is here is locked, and what is locked stays");
        held.status = status;
    }
}
