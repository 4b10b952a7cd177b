//! Clients that mean no good: all at once, through a node that is drawn.

use super::{Conductor, Stop};
use crate::prove::plan::Kind;
use crate::prove::wire::Wire;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use synod_stdx::Rng;

/// A hostile client waits so long.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// So many connections are opened by those that do nothing with them.
const CONNECTIONS: usize = 250;
/// So many keys are set at once,
const HUGE_KEYS: usize = 5_000;
/// each has a value of so many bytes.
const HUGE_BYTES: usize = 1_024;

impl Conductor<'_> {
    pub(super) fn hostile(
        &mut self,
        kind: Kind,
        lasts: Duration,
        rng: &mut Rng,
        what: &mut String,
    ) -> Result<(), Stop> {
        let address = *rng.pick(&self.cluster.clients()).expect("a cluster has nodes");
        let done = AtomicU64::new(0);
        let held = std::thread::scope(|scope| {
            let attack = scope.spawn(|| match kind {
                Kind::HugeWrites => huge_writes(address, lasts, &done),
                Kind::LongPatterns => long_patterns(address, lasts, &done),
                Kind::ManyTransactions => many_transactions(address, lasts, &done),
                _ => unfinished_values(address, lasts, &done),
            });
            let held = self.hold(lasts);
            let _ = attack.join();
            held
        });
        let done = done.load(Ordering::Relaxed);
        *what = match kind {
            Kind::HugeWrites => format!("{done} MSET of {HUGE_KEYS} keys, {HUGE_BYTES} bytes each"),
            Kind::LongPatterns => format!("{done} KEYS with patterns of 1,000 bytes"),
            Kind::ManyTransactions => format!("{done} connections within MULTI, which never end it"),
            _ => format!("{done} connections that announce 512 MB, and send none of it"),
        };
        if done == 0 && held.is_ok() {
            return Err(Stop::LeftOut("no hostile client could reach the node".to_owned()));
        }
        held
    }
}

fn huge_writes(address: SocketAddr, lasts: Duration, done: &AtomicU64) {
    let end = Instant::now() + lasts;
    let value = "x".repeat(HUGE_BYTES);
    let keys = (0..HUGE_KEYS).flat_map(|key| [format!("hostile:{key}"), value.clone()]);
    let words: Vec<String> = ["MSET".to_owned()].into_iter().chain(keys).collect();
    let mut wire = Wire::open(address, ANSWER_MAX);
    while Instant::now() < end {
        match wire.as_mut().and_then(|open| open.ask(&words)) {
            Some(_) => drop(done.fetch_add(1, Ordering::Relaxed)),
            None => wire = Wire::open(address, ANSWER_MAX),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn long_patterns(address: SocketAddr, lasts: Duration, done: &AtomicU64) {
    let end = Instant::now() + lasts;
    let pattern = format!("{}b", "*a".repeat(500));
    let mut wire = Wire::open(address, ANSWER_MAX);
    while Instant::now() < end {
        match wire.as_mut().and_then(|open| open.ask(&["KEYS", &pattern])) {
            Some(_) => drop(done.fetch_add(1, Ordering::Relaxed)),
            None => wire = Wire::open(address, ANSWER_MAX),
        }
    }
}

fn many_transactions(address: SocketAddr, lasts: Duration, done: &AtomicU64) {
    let end = Instant::now() + lasts;
    let mut request = String::from("*1\r\n$5\r\nMULTI\r\n");
    for key in 0..50 {
        let key = format!("hostile:{key}");
        let _ = write!(request, "*3\r\n$6\r\nAPPEND\r\n${}\r\n{key}\r\n$1\r\nx\r\n", key.len());
    }
    hold_open(address, request.as_bytes(), end, done);
}

fn unfinished_values(address: SocketAddr, lasts: Duration, done: &AtomicU64) {
    let end = Instant::now() + lasts;
    hold_open(address, b"*3\r\n$3\r\nSET\r\n$7\r\nhostile\r\n$536870912\r\nxxx", end, done);
}

/// Opens many connections, says the same on each, and hangs up at the end.
fn hold_open(address: SocketAddr, request: &[u8], end: Instant, done: &AtomicU64) {
    let mut open = Vec::new();
    while open.len() < CONNECTIONS && Instant::now() < end {
        let Some(mut wire) = Wire::open(address, ANSWER_MAX) else { continue };
        if wire.send_bytes(request).is_some() {
            done.fetch_add(1, Ordering::Relaxed);
        }
        open.push(wire);
    }
    std::thread::sleep(end.saturating_duration_since(Instant::now()).min(Duration::from_secs(10)));
    // What is sent on a connection that is closed with unread answers is lost to the node as well: none of it matters.
    drop(open);
}
