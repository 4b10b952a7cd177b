//! How late this machine itself runs. A thread sleeps for a hundredth of a second, again and again, and writes down by how much
//! it was woken too late: time in which no node can be blamed for doing nothing.

use super::clients::Shared;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(10);
/// What is less is usual.
const USUAL: Duration = Duration::from_millis(10);

/// The wakes that were late: when, in microseconds of the run, and by how much.
#[derive(Default)]
pub(super) struct Lateness(Mutex<Vec<(u64, u64)>>);

impl Lateness {
    /// Watches until the run is done.
    pub(super) fn watch(&self, shared: &Shared) {
        while !shared.is_done() {
            let began = Instant::now();
            sleep(PERIOD);
            let late = began.elapsed().saturating_sub(PERIOD);
            if late > USUAL {
                let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                all.push((shared.now_us(), late.as_micros() as u64));
            }
        }
    }

    /// How many microseconds the machine was late in all within `from_us..to_us`.
    pub(super) fn in_all(&self, from_us: u64, to_us: u64) -> u64 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .filter(|(at, late)| *at > from_us && at.saturating_sub(*late) < to_us)
            .map(|(_, late)| *late)
            .sum()
    }
}
