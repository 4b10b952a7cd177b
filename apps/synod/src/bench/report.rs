//! What a test measured, for people and for programs.

use super::load::Answer;
use super::{Options, Workload};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::Duration;

/// The longest latency that is told apart, in µs: an hour. What takes longer counts as that.
const LATENCY_US_MAX: u64 = 3_600_000_000;
/// How many digits of a latency are kept.
const PRECISION_DIGITS: u8 = 3;

/// What a test measured.
#[derive(Debug)]
pub struct Report {
    /// Which test it was.
    pub workload: Workload,
    /// How many connections there were.
    pub clients: usize,
    /// How many requests each kept under way.
    pub pipeline: usize,
    /// How long values were.
    pub value_bytes: usize,
    /// How many requests were answered.
    pub requests: u64,
    /// How many of the answers were errors.
    pub errors: u64,
    /// The first of them.
    pub first_error: Option<String>,
    /// How many answers said that there was nothing.
    pub misses: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// The processor time of this generator.
    pub own_cpu: Duration,
    /// In µs.
    latencies: Histogram<u64>,
}

/// A place for latencies, in µs.
pub(super) fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, PRECISION_DIGITS)
        .expect("an hour in steps of a microsecond is within a histogram's bounds")
}

impl Report {
    pub(super) fn new(workload: Workload, options: &Options) -> Report {
        Report {
            workload,
            clients: options.clients,
            pipeline: options.pipeline,
            value_bytes: options.value_bytes,
            requests: 0,
            errors: 0,
            first_error: None,
            misses: 0,
            elapsed: Duration::ZERO,
            own_cpu: Duration::ZERO,
            latencies: latencies(),
        }
    }

    pub(super) fn note(&mut self, answer: &Answer<'_>) {
        self.requests += 1;
        self.misses += u64::from(answer.is_null);
        if let Some(reply) = answer.error {
            self.errors += 1;
            self.first_error.get_or_insert_with(|| String::from_utf8_lossy(reply).trim_end().to_owned());
        }
        self.note_latency(answer.latency);
    }

    fn note_latency(&mut self, latency: Duration) {
        self.latencies.saturating_record(latency.as_micros() as u64);
    }

    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The latency that `percent` of the requests did not exceed, in ms.
    pub fn latency_ms(&self, percent: f64) -> f64 {
        self.latencies.value_at_percentile(percent) as f64 / 1000.0
    }

    /// This generator's own processor time for a request, in µs.
    pub fn own_cpu_us(&self) -> f64 {
        self.own_cpu.as_secs_f64() * 1e6 / (self.requests.max(1)) as f64
    }

    fn to_json(&self) -> Value {
        json!({
            "test": self.workload.to_string(),
            "clients": self.clients,
            "pipeline": self.pipeline,
            "value_bytes": self.value_bytes,
            "requests": self.requests,
            "errors": self.errors,
            "first_error": self.first_error,
            "misses": self.misses,
            "seconds": self.elapsed.as_secs_f64(),
            "requests_per_second": self.rate(),
            "latency_ms": {
                "mean": self.latencies.mean() / 1000.0,
                "p50": self.latency_ms(50.0),
                "p90": self.latency_ms(90.0),
                "p99": self.latency_ms(99.0),
                "p99.9": self.latency_ms(99.9),
                "max": self.latency_ms(100.0),
            },
            "own_cpu_us_per_request": self.own_cpu_us(),
        })
    }
}

/// Prints one JSON array.
///
/// # Errors
/// If `out` does.
pub fn print_json(reports: &[Report], out: &mut impl Write) -> io::Result<()> {
    let reports: Vec<Value> = reports.iter().map(Report::to_json).collect();
    writeln!(out, "{}", Value::Array(reports))
}

/// Prints a line for each report, under a head.
///
/// # Errors
/// If `out` does.
pub fn print_table(reports: &[Report], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<6} {:>10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10}",
        "test",
        "requests",
        "req/s",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "errors",
        "own µs/req"
    )?;
    for report in reports {
        writeln!(
            out,
            "{:<6} {:>10} {:>8.0} {:>8.3} {:>8.3} {:>8.3} {:>8.3} {:>8.3} {:>8} {:>10.2}",
            report.workload.to_string(),
            report.requests,
            report.rate(),
            report.latency_ms(50.0),
            report.latency_ms(90.0),
            report.latency_ms(99.0),
            report.latency_ms(99.9),
            report.latency_ms(100.0),
            report.errors,
            report.own_cpu_us()
        )?;
        if report.misses > 0 {
            writeln!(out, "       {} answers said that there was nothing", report.misses)?;
        }
        if let Some(error) = &report.first_error {
            writeln!(out, "       the first error: {error}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Report;
    use crate::bench::{Extent, Options, Workload};
    use crate::tls::Caller;
    use std::time::Duration;

    fn report() -> Report {
        let options = Options {
            addresses: Vec::new(),
            clients: 1,
            pipeline: 1,
            extent: Extent::Requests(1),
            value_bytes: 1,
            keys: 1,
            fills: false,
            password: None,
            caller: Caller::PLAIN,
            shows_progress: false,
        };
        Report::new(Workload::Set, &options)
    }

    #[test]
    fn latencies_are_told_apart_from_a_microsecond_to_an_hour() {
        for microseconds in [1, 50, 2_047, 2_048, 12_345, 1_500_000, 59_000_000, 3_599_000_000] {
            let mut report = report();
            report.note_latency(Duration::from_micros(microseconds));
            let (told, exact) = (report.latency_ms(100.0), microseconds as f64 / 1000.0);
            assert!((told - exact).abs() <= exact / 500.0, "{told} ms for {exact} ms");
        }
        let mut late = report();
        late.note_latency(Duration::from_secs(2 * 3_600));
        assert!((3_600_000.0..3_610_000.0).contains(&late.latency_ms(100.0)), "{}", late.latency_ms(100.0));
    }

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut report = report();
        (1..=1_000).for_each(|milliseconds| report.note_latency(Duration::from_millis(milliseconds)));
        for (percent, milliseconds) in [(50.0, 500.0), (90.0, 900.0), (99.0, 990.0), (100.0, 1_000.0)] {
            let told = report.latency_ms(percent);
            assert!((told - milliseconds).abs() <= 1.0, "{told} ms at {percent} %");
        }
    }
}
