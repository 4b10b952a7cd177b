//! What the clients of one workload saw, in pages: each page holds the operations on keys that are used for a few seconds, so
//! that it can be judged whole while the run goes on, and is judged again after later faults.

use super::findings::{Finding, Findings};
use super::workloads::Workload;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use synod_history::{Budget, History, OpId, Outcome, Specification, Verdict, check};

/// What the judge may spend on one page.
const BUDGET: Budget = Budget { steps_max: 8_000_000, memo_bytes_max: 192 << 20 };
/// A page is closed when all of its operations have ended, which clients see to within this.
const OPEN_MAX: Duration = Duration::from_secs(30);
/// A page's keys are read once more so many pages later, when other faults have passed, and the page is judged again.
const READ_AGAIN_AFTER: u64 = 4;

/// The operations of one page.
struct Page<W: Workload> {
    history: History<<W::Spec as Specification>::Op, <W::Spec as Specification>::Ret>,
    /// Operations that are under way.
    open: usize,
    began: Instant,
    /// Operations that were judged.
    judged: usize,
    /// When it was turned, once it was.
    turned: Option<Instant>,
    /// What is wrong with it was said.
    is_violated: bool,
}

/// An operation that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    page: u64,
    id: OpId,
    pub(super) began: Instant,
}

/// How many operations there were.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct Count {
    /// Operations on pages that were judged and found linearizable.
    pub(super) judged: usize,
    /// Pages that were.
    pub(super) pages: usize,
    /// Those of the judged operations whose outcome nobody knows.
    pub(super) unknown: usize,
    /// Those that certainly did not happen.
    pub(super) failed: usize,
}

/// The record of one workload.
pub(super) struct Record<W: Workload> {
    began: Instant,
    page: AtomicU64,
    pages: Mutex<BTreeMap<u64, Page<W>>>,
    count: Mutex<Count>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Workload> Record<W> {
    pub(super) fn new(began: Instant) -> Record<W> {
        Record { began, page: AtomicU64::new(0), pages: Mutex::default(), count: Mutex::default() }
    }

    /// The page whose keys are in use.
    pub(super) fn page(&self) -> u64 {
        self.page.load(Ordering::Relaxed)
    }

    /// From now on other keys are used.
    pub(super) fn turn_page(&self) {
        let old = self.page.fetch_add(1, Ordering::Relaxed);
        if let Some(page) = locked(&self.pages).get_mut(&old) {
            page.turned = Some(Instant::now());
        }
    }

    /// Somebody asks for `op`, on keys of `page`.
    pub(super) fn invoke(
        &self,
        page_number: u64,
        process: u64,
        op: <W::Spec as Specification>::Op,
    ) -> Ticket {
        let mut pages = locked(&self.pages);
        let now = Instant::now();
        let page = pages.entry(page_number).or_insert_with(|| Page {
            history: History::new(),
            open: 0,
            began: now,
            judged: 0,
            turned: None,
            is_violated: false,
        });
        page.open += 1;
        page.history.set_time_us((now - self.began).as_micros() as u64);
        Ticket { page: page_number, id: page.history.invoke(process, op), began: now }
    }

    fn end(&self, ticket: Ticket, end: impl FnOnce(&mut Page<W>)) {
        // The time is taken under the lock: the order of the history is that of the calls.
        let mut pages = locked(&self.pages);
        if let Some(page) = pages.get_mut(&ticket.page) {
            page.history.set_time_us(self.began.elapsed().as_micros() as u64);
            page.open -= 1;
            end(page);
        }
    }

    /// The operation was answered.
    pub(super) fn complete(&self, ticket: Ticket, ret: <W::Spec as Specification>::Ret) {
        self.end(ticket, |page| page.history.complete(ticket.id, ret));
    }

    /// The operation did not happen and never will.
    pub(super) fn fail(&self, ticket: Ticket) {
        self.end(ticket, |page| page.history.fail(ticket.id));
    }

    /// Nobody will ever know whether the operation happened.
    pub(super) fn leave(&self, ticket: Ticket) {
        self.end(ticket, |_| {});
    }

    /// How many operations were judged.
    pub(super) fn count(&self) -> Count {
        *locked(&self.count)
    }

    /// The pages that are closed and not yet judged, and those whose keys may be read once more: the second answer.
    pub(super) fn due(&self, is_last: bool) -> (Vec<u64>, Vec<u64>) {
        let current = self.page();
        let pages = locked(&self.pages);
        let is_closed = |number: u64, page: &Page<W>| {
            (number < current || is_last)
                && (page.open == 0 || page.turned.unwrap_or(page.began).elapsed() > OPEN_MAX)
        };
        let closed = pages.iter().filter(|(number, page)| is_closed(**number, page));
        let unjudged = closed.clone().filter(|(_, page)| page.judged == 0).map(|(number, _)| *number);
        let old = closed
            .filter(|(number, page)| is_last || (page.judged > 0 && **number + READ_AGAIN_AFTER <= current));
        (unjudged.collect(), old.map(|(number, _)| *number).collect())
    }

    /// Judges the whole history of a page. `is_final`: nothing is added to it any more, and it is forgotten.
    pub(super) fn judge(&self, number: u64, is_final: bool, findings: &Findings) {
        // Judged outside of the lock: clients go on.
        let found = locked(&self.pages).get(&number).map(|page| (page.history.clone(), page.is_violated));
        let Some((history, is_violated)) = found else { return };
        let verdict = check::<W::Spec>(&history, BUDGET);
        match &verdict {
            Verdict::Linearizable { .. } => {}
            Verdict::NotLinearizable(_) if is_violated => {}
            Verdict::NotLinearizable(contradiction) => {
                let at_us = contradiction.window.iter().filter_map(|seen| seen.returned?.time_us).max();
                findings.add(Finding::violation(W::NAME, at_us.unwrap_or(0), contradiction.to_string()));
            }
            Verdict::GaveUp { .. } => findings.add(Finding::gave_up(W::NAME, verdict.to_string())),
        }
        let mut pages = locked(&self.pages);
        if let Some(page) = pages.get_mut(&number) {
            page.judged = history.len();
            page.is_violated |= matches!(verdict, Verdict::NotLinearizable(_));
        }
        if is_final {
            pages.remove(&number);
            let mut count = locked(&self.count);
            if verdict.is_linearizable() {
                let outcomes = history.operations().iter().map(|operation| &operation.outcome);
                count.unknown += outcomes.clone().filter(|end| matches!(end, Outcome::Unknown)).count();
                count.failed += outcomes.filter(|end| matches!(end, Outcome::Failed)).count();
                count.judged += history.len();
                count.pages += 1;
            }
        }
    }

    /// How many pages were neither judged for the last time nor forgotten.
    pub(super) fn left(&self) -> usize {
        locked(&self.pages).len()
    }
}

#[cfg(test)]
mod tests {
    use super::{Findings, Record};
    use crate::prove::workloads::{Registers, Workload as _};
    use std::time::Instant;
    use synod_history::{KvOp, KvRet};

    fn written() -> Record<Registers> {
        let record = Record::new(Instant::now());
        let KvOp::Get { key } = Registers::reads(0).remove(0) else { panic!("a register is read by GET") };
        let write = record.invoke(0, 1, KvOp::Put { key, value: (*b"1").into() });
        record.complete(write, KvRet::Ok);
        record
    }

    #[test]
    fn an_acknowledged_write_that_is_lost_is_found() {
        let (record, findings) = (written(), Findings::default());
        record.turn_page();
        assert_eq!(record.due(false), (vec![0], vec![]));
        record.judge(0, false, &findings);
        assert!(!findings.has_violation());
        // Later the keys are read once more, and the page is judged again.
        (0..4).for_each(|_| record.turn_page());
        assert_eq!(record.due(false), (vec![], vec![0]));
        let read = record.invoke(0, 2, Registers::reads(0).remove(0));
        record.complete(read, KvRet::Value(None));
        record.judge(0, true, &findings);
        assert!(findings.has_violation(), "{:?}", findings.all());
        assert_eq!((record.left(), record.count().judged), (0, 0));
    }

    #[test]
    fn what_is_under_way_keeps_its_page_open() {
        let record = written();
        let write = record.invoke(0, 1, Registers::reads(0).remove(0));
        record.turn_page();
        assert_eq!(record.due(true), (vec![], vec![]));
        record.leave(write);
        assert_eq!(record.due(true), (vec![0], vec![0]));
    }
}
