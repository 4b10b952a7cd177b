//! Load at a rate that does not wait for answers: it shows how a store fares under more than it can do.
//!
//! A latency counts from the moment at which a request was to be sent, not from its write: time that it waits in this
//! process or in a socket's buffer is part of it.

use super::load::{Answer, Connection, connect};
use super::report::latencies;
use super::workload::Requests;
use super::{Error, Options, Workload};
use hdrhistogram::Histogram;
use mio::{Events, Poll};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How long answers are awaited after the last request.
const REST: Duration = Duration::from_secs(30);
/// A connection's requests wait in numbers, not in bytes, while so many bytes wait for its socket.
const OUTPUT_BYTES_MAX: usize = 64 << 10;

/// So many requests a second, for so many seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Requests a second.
    pub rate: u64,
    /// Seconds.
    pub seconds: u64,
}

impl FromStr for Step {
    type Err = String;

    fn from_str(words: &str) -> Result<Self, String> {
        let step = words.split_once(':').and_then(|(rate, seconds)| {
            Some(Step { rate: rate.parse().ok()?, seconds: seconds.parse().ok()? })
        });
        step.filter(|step| step.rate > 0 && step.seconds > 0)
            .ok_or_else(|| "give a rate and seconds, as in 8000:10".to_owned())
    }
}

/// The requests and answers of one second.
#[derive(Debug)]
pub struct Second {
    /// How many requests were to be sent in it.
    pub asked: u64,
    /// How many were done.
    pub done: u64,
    /// How many were refused, and did not happen.
    pub refused: u64,
    /// How many other errors there were.
    pub errors: u64,
    /// The latencies of what was done, in µs.
    latencies: Histogram<u64>,
}

impl Second {
    fn new() -> Second {
        Second { asked: 0, done: 0, refused: 0, errors: 0, latencies: latencies() }
    }

    fn note(&mut self, answer: &Answer<'_>) {
        match answer.error {
            None => {
                self.done += 1;
                self.latencies.saturating_record(answer.latency.as_micros() as u64);
            }
            Some(error) if error.starts_with(b"-TRYAGAIN") => self.refused += 1,
            Some(_) => self.errors += 1,
        }
    }

    fn add(&mut self, other: &Second) {
        self.asked += other.asked;
        self.done += other.done;
        self.refused += other.refused;
        self.errors += other.errors;
        self.latencies += &other.latencies;
    }

    /// The latency that `percent` of what was done did not exceed, in ms.
    pub fn latency_ms(&self, percent: f64) -> f64 {
        self.latencies.value_at_percentile(percent) as f64 / 1_000.0
    }

    fn to_json(&self) -> Value {
        json!({
            "asked": self.asked, "done": self.done, "refused": self.refused, "errors": self.errors,
            "latency_ms": { "p50": self.latency_ms(50.0), "p99": self.latency_ms(99.0), "max": self.latency_ms(100.0) },
        })
    }
}

/// A run, second by second.
#[derive(Debug)]
pub struct Course {
    steps: Vec<Step>,
    seconds: Vec<Second>,
    first_error: Option<String>,
    unanswered: usize,
}

struct Load<'a> {
    options: &'a Options,
    steps: &'a [Step],
    requests: Requests,
    connections: Vec<Connection>,
    /// Of each connection: the moments of requests that were to be sent and are not written yet.
    late: Vec<VecDeque<Instant>>,
    started: Instant,
    begun: u64,
    course: Course,
    scratch: Vec<u8>,
}

/// Asks at the rates of `steps`, one after the other, whatever the answers.
///
/// # Errors
/// If the servers cannot be reached, close a connection or do not speak the protocol.
pub fn run(options: &Options, workload: Workload, steps: &[Step]) -> Result<Course, Error> {
    let (mut poll, connections) = connect(options)?;
    let course = Course { steps: steps.to_vec(), seconds: Vec::new(), first_error: None, unanswered: 0 };
    let mut load = Load {
        options,
        steps,
        requests: Requests::new(workload, options),
        late: connections.iter().map(|_| VecDeque::new()).collect(),
        connections,
        started: Instant::now(),
        begun: 0,
        course,
        scratch: vec![0; 256 << 10],
    };
    load.drive(&mut poll)?;
    Ok(load.course)
}

impl Load<'_> {
    fn drive(&mut self, poll: &mut Poll) -> Result<(), Error> {
        let mut events = Events::with_capacity(1_024);
        let end = Duration::from_secs(self.steps.iter().map(|step| step.seconds).sum());
        self.started = Instant::now();
        loop {
            let now = self.started.elapsed();
            self.begin(now);
            if now > end {
                self.course.unanswered = self.unanswered();
                if self.course.unanswered == 0 || now > end + REST {
                    return Ok(());
                }
            }
            match poll.poll(&mut events, Some(Duration::from_millis(1))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Connection(self.options.addresses[0], error)),
                Ok(()) => {}
            }
            for event in &events {
                if event.is_readable() {
                    self.receive(event.token().0)?;
                }
            }
            for index in 0..self.connections.len() {
                self.write(index)?;
            }
        }
    }

    /// How many requests were to be sent and have no answer yet.
    fn unanswered(&self) -> usize {
        let under_way = self.connections.iter().map(|connection| connection.in_flight);
        under_way.chain(self.late.iter().map(VecDeque::len)).sum()
    }

    fn second(&mut self, at: Duration) -> &mut Second {
        let index = at.as_secs() as usize;
        while self.course.seconds.len() <= index {
            self.course.seconds.push(Second::new());
        }
        &mut self.course.seconds[index]
    }

    /// The moment at which a request is to be sent, by its number.
    fn planned(&self, mut number: u64) -> Option<Duration> {
        let mut from = Duration::ZERO;
        for step in self.steps {
            let count = step.rate * step.seconds;
            if number < count {
                return Some(from + Duration::from_nanos(number * 1_000_000_000 / step.rate));
            }
            number -= count;
            from += Duration::from_secs(step.seconds);
        }
        None
    }

    /// Lets every request begin whose moment has come: each on the next connection.
    fn begin(&mut self, now: Duration) {
        while let Some(planned) = self.planned(self.begun).filter(|planned| *planned <= now) {
            let index = self.begun as usize % self.connections.len();
            self.late[index].push_back(self.started + planned);
            self.second(planned).asked += 1;
            self.begun += 1;
        }
    }

    fn write(&mut self, index: usize) -> Result<(), Error> {
        let connection = &mut self.connections[index];
        if self.late[index].is_empty() && connection.output.is_empty() {
            return Ok(());
        }
        while connection.output.len() < OUTPUT_BYTES_MAX
            && let Some(at) = self.late[index].pop_front()
        {
            self.requests.write_next(&mut connection.output);
            connection.in_flight += 1;
            connection.sent.push_back((at, 1));
        }
        connection.flush()
    }

    fn receive(&mut self, index: usize) -> Result<(), Error> {
        let now = self.started.elapsed();
        self.second(now);
        let (second, first_error) =
            (&mut self.course.seconds[now.as_secs() as usize], &mut self.course.first_error);
        self.connections[index].receive(&mut self.scratch, |answer| {
            second.note(&answer);
            if let Some(error) = answer.error.filter(|error| !error.starts_with(b"-TRYAGAIN")) {
                first_error.get_or_insert_with(|| String::from_utf8_lossy(error).trim_end().to_owned());
            }
        })
    }
}

impl Course {
    /// Its seconds, from the first on.
    pub fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    /// Whether everything was answered, and with no error but refusals.
    pub fn is_good(&self) -> bool {
        self.unanswered == 0 && self.first_error.is_none()
    }

    /// Prints one JSON object.
    ///
    /// # Errors
    /// If `out` does.
    pub fn print_json(&self, out: &mut impl Write) -> io::Result<()> {
        let seconds: Vec<Value> = self.seconds.iter().map(Second::to_json).collect();
        let course =
            json!({ "seconds": seconds, "unanswered": self.unanswered, "first_error": self.first_error });
        writeln!(out, "{course}")
    }

    /// Prints a line for each second, and one for each step.
    ///
    /// # Errors
    /// If `out` does.
    pub fn print_table(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{:>12} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}",
            "second", "asked", "done", "refused", "errors", "p50 ms", "p99 ms", "max ms"
        )?;
        let mut line = |name: String, second: &Second| {
            writeln!(
                out,
                "{name:>12} {:>8} {:>8} {:>8} {:>8} {:>9.1} {:>9.1} {:>9.1}",
                second.asked,
                second.done,
                second.refused,
                second.errors,
                second.latency_ms(50.0),
                second.latency_ms(99.0),
                second.latency_ms(100.0)
            )
        };
        for (number, second) in self.seconds.iter().enumerate() {
            line(number.to_string(), second)?;
        }
        let mut rest = self.seconds.iter();
        for step in &self.steps {
            let mut sum = Second::new();
            rest.by_ref().take(step.seconds as usize).for_each(|second| sum.add(second));
            line(format!("{}/s {} s", step.rate, step.seconds), &sum)?;
        }
        if self.unanswered > 0 {
            writeln!(out, "{} requests were never answered", self.unanswered)?;
        }
        if let Some(error) = &self.first_error {
            writeln!(out, "the first error: {error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn a_step_is_a_rate_and_seconds() {
        assert_eq!("8000:10".parse(), Ok(Step { rate: 8_000, seconds: 10 }));
        for wrong in ["", "8000", "0:1", "1:0", "8000:x", ":", "-1:3"] {
            assert!(wrong.parse::<Step>().is_err(), "{wrong}");
        }
    }
}
