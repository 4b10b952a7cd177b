//! What the clients had of the store, second by second.

use serde::Serialize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How an operation ended for its client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// It was answered.
    Done,
    /// It was refused, and did not happen.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// One second of all clients.
#[derive(Clone, Default, Debug, Serialize)]
pub(super) struct Second {
    /// Operations that were answered.
    pub(super) done: u32,
    /// Those that did not happen.
    pub(super) refused: u32,
    /// Those whose outcome nobody knows.
    pub(super) unknown: u32,
    /// The median latency of what was answered, in microseconds.
    pub(super) median_us: u32,
    /// The latency that one of a hundred exceeds.
    pub(super) p99_us: u32,
}

#[derive(Default)]
struct Counting {
    seconds: Vec<Second>,
    /// The latencies of the second that is under way.
    latencies: Vec<u32>,
}

/// Counts what happens to clients.
pub(super) struct Meter {
    began: Instant,
    counting: Mutex<Counting>,
}

impl Counting {
    /// Ends seconds until `second` is under way.
    fn advance(&mut self, second: usize) {
        while self.seconds.len() <= second {
            let mut latencies = std::mem::take(&mut self.latencies);
            latencies.sort_unstable();
            let at = |permille: usize| latencies.get(latencies.len() * permille / 1_000).copied();
            if let Some(last) = self.seconds.last_mut() {
                last.median_us = at(500).unwrap_or(0);
                last.p99_us = at(990).unwrap_or(0);
            }
            self.seconds.push(Second::default());
        }
    }
}

impl Meter {
    pub(super) fn new(began: Instant) -> Meter {
        Meter { began, counting: Mutex::default() }
    }

    /// An operation ended now, after `took`.
    pub(super) fn count(&self, end: End, took: Duration) {
        let second = self.began.elapsed().as_secs() as usize;
        let mut counting = self.counting.lock().unwrap_or_else(PoisonError::into_inner);
        counting.advance(second);
        if end == End::Done {
            counting.latencies.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
        if let Some(last) = counting.seconds.last_mut() {
            match end {
                End::Done => last.done += 1,
                End::Refused => last.refused += 1,
                End::Unknown => last.unknown += 1,
            }
        }
    }

    /// All seconds that are over.
    pub(super) fn seconds(&self) -> Vec<Second> {
        let second = self.began.elapsed().as_secs() as usize;
        let mut counting = self.counting.lock().unwrap_or_else(PoisonError::into_inner);
        counting.advance(second);
        counting.seconds[..second].to_vec()
    }
}
