//! What was measured, and how it is put into words.

use crate::words::thousands;
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// The longest latency that is told apart, in µs: an hour. What takes longer counts as that.
const LATENCY_US_MAX: u64 = 3_600_000_000;
/// How many digits of a latency are kept.
const PRECISION_DIGITS: u8 = 3;

/// The answers of a stretch of time.
#[derive(Debug)]
pub(super) struct Figures {
    began: Instant,
    /// In µs.
    latencies: Histogram<u64>,
    /// When anybody was last answered, also before this stretch.
    last_answer: Instant,
    /// The longest time between two answers, to whomever. It may have begun before this stretch.
    longest_gap: Duration,
}

impl Figures {
    /// Of a stretch that begins now, where nobody was answered before.
    pub(super) fn new() -> Figures {
        let now = Instant::now();
        Figures::since(now, now)
    }

    fn since(began: Instant, last_answer: Instant) -> Figures {
        let latencies = Histogram::new_with_bounds(1, LATENCY_US_MAX, PRECISION_DIGITS);
        let latencies = latencies.expect("an hour in steps of a microsecond is within a histogram's bounds");
        Figures { began, latencies, last_answer, longest_gap: Duration::ZERO }
    }

    /// Somebody was answered at `at` what was asked at `asked`.
    pub(super) fn note(&mut self, asked: Instant, at: Instant) {
        self.latencies.saturating_record(at.duration_since(asked).as_micros() as u64);
        self.longest_gap = self.longest_gap.max(at.duration_since(self.last_answer));
        self.last_answer = at;
    }

    /// Ends the stretch, and begins the next.
    pub(super) fn take(&mut self) -> Figures {
        let next = Figures::since(Instant::now(), self.last_answer);
        std::mem::replace(self, next)
    }

    /// How many were answered.
    pub(super) fn answered(&self) -> u64 {
        self.latencies.len()
    }

    pub(super) fn longest_gap(&self) -> Duration {
        self.longest_gap
    }

    /// The stretch up to now in a sentence; `what` is what was answered, in the plural.
    pub(super) fn told(&self, what: &str) -> String {
        let time = self.began.elapsed();
        let rate = self.answered() as f64 / time.as_secs_f64().max(1e-9);
        let latency = |percent| words(Duration::from_micros(self.latencies.value_at_percentile(percent)));
        format!(
            "{} {what} in {:.1} s: {} a second; latency median {}, p99 {}",
            thousands(self.answered()),
            time.as_secs_f64(),
            thousands(rate as u64),
            latency(50.0),
            latency(99.0)
        )
    }
}

/// A short time, to three digits or so.
pub(super) fn words(time: Duration) -> String {
    match time.as_micros() {
        us @ 0..1_000 => format!("{us} µs"),
        us @ 1_000..10_000 => format!("{:.2} ms", us as f64 / 1e3),
        us @ 10_000..100_000 => format!("{:.1} ms", us as f64 / 1e3),
        us @ 100_000..10_000_000 => format!("{} ms", us / 1_000),
        us => format!("{:.1} s", us as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::{Figures, words};
    use std::time::Duration;

    #[test]
    fn times_are_short() {
        let times = [83, 1_024, 23_450, 312_999, 12_340_000].map(|us| words(Duration::from_micros(us)));
        assert_eq!(times, ["83 µs", "1.02 ms", "23.4 ms", "312 ms", "12.3 s"]);
    }

    #[test]
    fn a_gap_goes_on_where_a_stretch_ends() {
        let mut figures = Figures::new();
        let begin = figures.last_answer;
        let at = |ms| begin + Duration::from_millis(ms);
        figures.note(begin, at(10));
        assert_eq!((figures.take().longest_gap(), figures.answered()), (Duration::from_millis(10), 0));
        figures.note(at(20), at(300));
        figures.note(at(20), at(310));
        assert_eq!((figures.longest_gap(), figures.answered()), (Duration::from_millis(290), 2));
    }
}
