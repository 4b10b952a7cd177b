//! The loop: connections, windows, clocks.

use super::report::Report;
use super::socket::Socket;
use super::workload::Requests;
use super::{Error, Extent, Options, Workload};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use synod_resp::{ReplyScanner, write_request};
use tokio_rustls::rustls::Stream;

/// A connection to a server.
pub(super) struct Connection {
    socket: Socket,
    address: SocketAddr,
    pub(super) output: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    scanner: ReplyScanner,
    /// Since when the requests under way count, oldest first: time and how many.
    pub(super) sent: VecDeque<(Instant, usize)>,
    pub(super) in_flight: usize,
}

/// An answer to a request.
pub(super) struct Answer<'a> {
    /// How long after its request.
    pub(super) latency: Duration,
    /// The error, if it is one.
    pub(super) error: Option<&'a [u8]>,
    /// Whether it says that there is nothing.
    pub(super) is_null: bool,
}

struct Load<'a> {
    options: &'a Options,
    requests: Requests,
    connections: Vec<Connection>,
    started: Instant,
    /// How many requests were begun.
    begun: u64,
    report: Report,
    scratch: Vec<u8>,
}

/// The processor time that this process has taken.
pub(super) fn own_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live `timespec`, which the call fills.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    if result == 0 { Duration::new(time.tv_sec as u64, time.tv_nsec as u32) } else { Duration::ZERO }
}

/// Runs one test from connecting to the last answer.
pub(super) fn run(options: &Options, workload: Workload) -> Result<Report, Error> {
    let (mut poll, connections) = connect(options)?;
    let mut load = Load {
        options,
        requests: Requests::new(workload, options),
        connections,
        started: Instant::now(),
        begun: 0,
        report: Report::new(workload, options),
        scratch: vec![0; 256 << 10],
    };
    let cpu_before = own_cpu();
    load.drive(&mut poll)?;
    load.report.elapsed = load.started.elapsed();
    load.report.own_cpu = own_cpu().saturating_sub(cpu_before);
    Ok(load.report)
}

/// Opens all connections and authenticates them, before the clock runs.
pub(super) fn connect(options: &Options) -> Result<(Poll, Vec<Connection>), Error> {
    let poll = Poll::new().map_err(|error| Error::Connection(options.addresses[0], error))?;
    let mut connections = Vec::new();
    for index in 0..options.clients {
        let address = options.addresses[index % options.addresses.len()];
        let fail = |error| Error::Connection(address, error);
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).map_err(fail)?;
        stream.set_nodelay(true).map_err(fail)?;
        let mut tls = options.caller.tls(address).map_err(fail)?;
        if let Some(tls) = &mut tls {
            tls.complete_io(&mut stream).map_err(fail)?;
        }
        if let Some(password) = &options.password {
            match &mut tls {
                None => authenticate(&mut stream, address, password)?,
                Some(tls) => authenticate(&mut Stream::new(tls, &mut stream), address, password)?,
            }
        }
        let mut socket = Socket::of(stream, tls).map_err(fail)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(socket.stream(), Token(index), interest).map_err(fail)?;
        connections.push(Connection {
            socket,
            address,
            output: Vec::new(),
            written: 0,
            input: Vec::new(),
            scanner: ReplyScanner::default(),
            sent: VecDeque::new(),
            in_flight: 0,
        });
    }
    Ok((poll, connections))
}

fn authenticate(stream: &mut (impl Read + Write), address: SocketAddr, password: &[u8]) -> Result<(), Error> {
    let mut request = Vec::new();
    write_request(&mut request, &[b"AUTH", password]);
    let mut answer = [0; 256];
    let read = stream.write_all(&request).and_then(|()| stream.read(&mut answer));
    let read = read.map_err(|error| Error::Connection(address, error))?;
    if answer.starts_with(b"+OK") {
        return Ok(());
    }
    Err(Error::Refused(address, String::from_utf8_lossy(&answer[..read]).trim_end().to_owned()))
}

impl Load<'_> {
    fn drive(&mut self, poll: &mut Poll) -> Result<(), Error> {
        let progress = self.progress_bar();
        let mut events = Events::with_capacity(1_024);
        self.started = Instant::now();
        for index in 0..self.connections.len() {
            self.refill(index)?;
        }
        let mut shown = Instant::now();
        while self.connections.iter().any(|connection| connection.in_flight > 0) {
            match poll.poll(&mut events, Some(Duration::from_millis(100))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Connection(self.options.addresses[0], error)),
                Ok(()) => {}
            }
            for event in &events {
                let index = event.token().0;
                if event.is_readable() {
                    self.receive(index)?;
                } else if event.is_writable() {
                    self.connections[index].flush()?;
                }
            }
            if shown.elapsed() > Duration::from_millis(100) {
                shown = Instant::now();
                self.show(&progress);
            }
        }
        progress.finish_and_clear();
        Ok(())
    }

    fn progress_bar(&self) -> ProgressBar {
        let length = match self.options.extent {
            Extent::Requests(requests) => requests,
            Extent::Time(time) => time.as_millis() as u64,
        };
        let target = if self.options.shows_progress {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = ProgressStyle::with_template("{prefix:6} {wide_bar} {percent:>3}% {msg}");
        ProgressBar::with_draw_target(Some(length), target)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            .with_prefix(self.report.workload.to_string())
    }

    fn show(&self, progress: &ProgressBar) {
        let elapsed = self.started.elapsed();
        progress.set_position(match self.options.extent {
            Extent::Requests(_) => self.report.requests,
            Extent::Time(_) => elapsed.as_millis() as u64,
        });
        progress
            .set_message(format!("{:.0}/s", self.report.requests as f64 / elapsed.as_secs_f64().max(1e-9)));
    }

    /// How many more requests may be begun.
    fn allowance(&self) -> u64 {
        match self.options.extent {
            Extent::Requests(requests) => requests - self.begun,
            Extent::Time(time) if self.started.elapsed() < time => u64::MAX,
            Extent::Time(_) => 0,
        }
    }

    /// Fills a connection's window and writes.
    fn refill(&mut self, index: usize) -> Result<(), Error> {
        let allowance = self.allowance();
        let connection = &mut self.connections[index];
        let count = (self.options.pipeline.saturating_sub(connection.in_flight) as u64).min(allowance);
        if count > 0 {
            for _ in 0..count {
                self.requests.write_next(&mut connection.output);
            }
            self.begun += count;
            connection.in_flight += count as usize;
            connection.sent.push_back((Instant::now(), count as usize));
        }
        connection.flush()
    }

    /// Reads the answers that came and asks as many times again.
    fn receive(&mut self, index: usize) -> Result<(), Error> {
        let report = &mut self.report;
        self.connections[index].receive(&mut self.scratch, |answer| report.note(&answer))?;
        self.refill(index)
    }
}

impl Connection {
    /// Reads the answers that came, and shows each to `note`.
    pub(super) fn receive(
        &mut self,
        scratch: &mut [u8],
        mut note: impl FnMut(Answer<'_>),
    ) -> Result<(), Error> {
        loop {
            let read = match self.socket.read(scratch) {
                Ok(0) => return Err(Error::Closed(self.address)),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Connection(self.address, error)),
            };
            self.input.extend_from_slice(&scratch[..read]);
            self.take_answers(Instant::now(), &mut note)?;
            // A short read has emptied the socket.
            if read < scratch.len() && self.socket.is_emptied_by_a_short_read() {
                return Ok(());
            }
        }
    }

    fn take_answers(&mut self, now: Instant, note: &mut impl FnMut(Answer<'_>)) -> Result<(), Error> {
        let mut from = 0;
        loop {
            let scanned = self.scanner.advance(&self.input);
            let Some(scanned) = scanned.map_err(|error| Error::Protocol(self.address, error))? else { break };
            let reply = &self.input[from..scanned.end];
            from = scanned.end;
            self.in_flight = self.in_flight.saturating_sub(1);
            let Some((at, left)) = self.sent.front_mut() else { continue };
            note(Answer {
                latency: now.duration_since(*at),
                error: scanned.is_error.then_some(reply),
                is_null: scanned.is_null,
            });
            *left -= 1;
            if *left == 0 {
                self.sent.pop_front();
            }
        }
        let passed = self.scanner.release();
        if passed == self.input.len() {
            self.input.clear();
        } else {
            self.input.drain(..passed);
        }
        Ok(())
    }

    /// Writes what waits, as far as the socket takes it.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        while self.written < self.output.len() {
            match self.socket.write(&self.output[self.written..]) {
                Ok(0) => return Err(Error::Closed(self.address)),
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Connection(self.address, error)),
            }
        }
        self.output.clear();
        self.written = 0;
        match self.socket.flush() {
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Err(Error::Connection(self.address, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
