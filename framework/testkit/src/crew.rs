//! Who works on a search: threads, and somebody who watches and may end it.

use crate::search::{Search, StageReport};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, thread};
use synod_checker::{Crew, Progress, Spent};

/// Between two looks at the memory, threads ask so often whether to go on.
const MEMORY_POLLS: u64 = 64;

/// Watches searches. All has a default, so that a test need not watch.
pub trait Watcher: Sync {
    /// Seconds since some moment: whoever has a clock.
    fn seconds(&self) -> f64 {
        0.0
    }

    /// A stage begins.
    fn on_stage(&self, _search: &Search, _stage: &str) {}

    /// A stage goes on.
    fn on_progress(&self, _progress: &Progress) {}

    /// A stage is over.
    fn on_report(&self, _search: &Search, _report: &StageReport) {}

    /// Whether the search is to end now.
    fn is_interrupted(&self) -> bool {
        false
    }
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {}

/// The threads of a search.
pub(crate) struct Threads<'a> {
    count: usize,
    memory_bytes_max: Option<u64>,
    watcher: &'a dyn Watcher,
    polls: AtomicU64,
}

impl<'a> Threads<'a> {
    pub(crate) fn new(count: usize, memory_bytes_max: Option<u64>, watcher: &'a dyn Watcher) -> Self {
        Threads { count, memory_bytes_max, watcher, polls: AtomicU64::new(0) }
    }
}

impl Crew for Threads<'_> {
    fn threads(&self) -> usize {
        self.count
    }

    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        thread::scope(|scope| {
            for thread in 1..self.count {
                scope.spawn(move || work(thread));
            }
            work(0);
        });
    }

    fn poll(&self, progress: &Progress) -> Option<Spent> {
        self.watcher.on_progress(progress);
        if self.watcher.is_interrupted() {
            return Some(Spent::Interrupted);
        }
        let is_due = self.polls.fetch_add(1, Ordering::Relaxed).is_multiple_of(MEMORY_POLLS);
        let is_over = |max: u64| is_due && resident_bytes().is_some_and(|bytes| bytes > max);
        self.memory_bytes_max.is_some_and(is_over).then_some(Spent::Memory)
    }
}

/// The memory of this process that is resident; `None` where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
