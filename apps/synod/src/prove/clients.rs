//! Clients at work, a thread each: they ask one node and then another, and record what they are told.

use super::findings::{Finding, Findings};
use super::meter::{End, Meter};
use super::record::Record;
use super::wire::Wire;
use super::workloads::{Counters, Workload};
use crate::tls::Caller;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use synod_client::{Client, Error, Options};
use synod_history::{KvOp, KvRet, Specification};
use synod_resp::{Reply, write_request};
use synod_stdx::Rng;

/// A client waits so long for an answer. Then it goes on as another, and the command may still run.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(5);
/// A client that only reads waits so long.
const WATCH_MAX: Duration = Duration::from_secs(1);
/// An exactly-once client repeats a command for so long.
const ONCE_PATIENCE: Duration = Duration::from_secs(12);
/// How long it waits for one node.
const ONCE_ATTEMPT_MAX: Duration = Duration::from_millis(1_500);
/// Of 1,000 commands so many are sent on a new connection, to a node that is drawn.
const MOVES_PERMILLE: u32 = 30;

/// What all clients share.
pub(super) struct Shared {
    pub(super) addresses: Vec<SocketAddr>,
    /// How every other connection is opened; the rest are plain.
    caller: Caller,
    connections: AtomicU64,
    pub(super) began: Instant,
    /// Whether it is judged how soon the nodes serve again.
    pub(super) is_timed: bool,
    pub(super) is_done: AtomicBool,
    pub(super) findings: Findings,
    pub(super) meter: Meter,
    unique: AtomicU64,
    processes: AtomicU64,
}

impl Shared {
    pub(super) fn new(
        (addresses, caller): (Vec<SocketAddr>, Caller),
        began: Instant,
        is_timed: bool,
    ) -> Shared {
        Shared {
            addresses,
            caller,
            connections: AtomicU64::new(0),
            began,
            is_timed,
            is_done: AtomicBool::new(false),
            findings: Findings::default(),
            meter: Meter::new(began),
            unique: AtomicU64::new(1),
            processes: AtomicU64::new(1),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Relaxed)
    }

    /// A connection that waits at most `patience` for each answer; `None` if nobody listens.
    pub(super) fn open(&self, address: SocketAddr, patience: Duration) -> Option<Wire> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let caller = if number.is_multiple_of(2) { &self.caller } else { &Caller::PLAIN };
        Wire::open_by(caller, address, patience)
    }

    /// The time of the run in microseconds.
    pub(super) fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    /// A number that nobody else has.
    pub(super) fn unique(&self) -> u64 {
        self.unique.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of a client in the histories.
    pub(super) fn next_number(&self) -> u64 {
        self.processes.fetch_add(1, Ordering::Relaxed)
    }
}

/// How an attempt ended.
pub(super) enum Answer {
    /// The last command's answer.
    Reply(Reply),
    /// The operation did not happen.
    DidNotHappen,
    /// It may happen at any later time.
    Unknown,
}

/// Where an answer says that the key is, if it does: nodes of a Redis Cluster do not ask each other.
fn moved_to(answer: &Answer) -> Option<SocketAddr> {
    let Answer::Reply(Reply::Error(words)) = answer else { return None };
    words.strip_prefix("MOVED ")?.split(' ').nth(1)?.parse().ok()
}

/// Sends commands in one piece, and waits for the answers; at another node, if the first one says so.
pub(super) fn attempt(wire: &mut Option<Wire>, commands: &[Vec<String>]) -> Answer {
    let answer = attempt_here(wire, commands);
    let Some(address) = moved_to(&answer) else { return answer };
    *wire = Wire::open(address, ANSWER_MAX);
    let answer = attempt_here(wire, commands);
    if moved_to(&answer).is_some() { Answer::DidNotHappen } else { answer }
}

fn attempt_here(wire: &mut Option<Wire>, commands: &[Vec<String>]) -> Answer {
    let Some(open) = wire else { return Answer::DidNotHappen };
    let mut request = Vec::new();
    commands.iter().for_each(|words| write_request(&mut request, words));
    let sent = open.send_bytes(&request);
    let replies: Option<Vec<Reply>> = sent.and_then(|()| commands.iter().map(|_| open.receive()).collect());
    let Some(last) = replies.and_then(|mut replies| replies.pop()) else {
        *wire = None;
        return Answer::Unknown;
    };
    let Reply::Error(words) = &last else { return Answer::Reply(last) };
    match words.split(' ').next().unwrap_or_default() {
        "TRYAGAIN" | "CLUSTERDOWN" | "EXECABORT" => Answer::DidNotHappen,
        // Redis says so of commands that it does not run.
        "LOADING" | "READONLY" | "MASTERDOWN" | "ASK" => Answer::DidNotHappen,
        "MAYBE" => Answer::Unknown,
        // What a full node says in the place of an answer.
        _ if words.starts_with("ERR max number of clients") => {
            *wire = None;
            Answer::DidNotHappen
        }
        _ => Answer::Reply(last),
    }
}

/// Runs one operation and records it. False if its outcome is unknown.
fn run_operation<W: Workload>(
    shared: &Shared,
    record: &Record<W>,
    wire: &mut Option<Wire>,
    (page, process): (u64, u64),
    op: &<W::Spec as Specification>::Op,
) -> bool {
    let commands = W::commands(op);
    let ticket = record.invoke(page, process, op.clone());
    let answer = attempt(wire, &commands);
    let end = match answer {
        Answer::DidNotHappen => {
            record.fail(ticket);
            End::Refused
        }
        Answer::Unknown => {
            record.leave(ticket);
            End::Unknown
        }
        Answer::Reply(reply) => match W::understand(op, &reply) {
            Some(ret) => {
                record.complete(ticket, ret);
                End::Done
            }
            None => {
                record.leave(ticket);
                let text = format!("{op} was answered {reply:?}, which it cannot be");
                shared.findings.add(Finding::violation(W::NAME, shared.now_us(), text));
                End::Unknown
            }
        },
    };
    shared.meter.count(end, ticket.began.elapsed());
    !matches!(end, End::Unknown)
}

/// A client of `W` that begins an operation every so many ms, until the run is done.
pub(super) fn work<W: Workload>(shared: &Shared, record: &Record<W>, mut rng: Rng, pause_ms: (u64, u64)) {
    let mut wire: Option<Wire> = None;
    let mut process = shared.next_number();
    while !shared.is_done() {
        sleep(Duration::from_millis(rng.between(pause_ms.0, pause_ms.1)));
        if wire.is_none() || rng.chance(MOVES_PERMILLE) {
            wire = rng.pick(&shared.addresses).and_then(|address| shared.open(*address, ANSWER_MAX));
        }
        if wire.is_none() {
            continue;
        }
        let page = record.page();
        let op = W::draw(&mut rng, page, shared.unique());
        if !run_operation(shared, record, &mut wire, (page, process), &op) {
            // Its last command may still run: it goes on as another client, on another connection.
            process = shared.next_number();
            wire = None;
        }
    }
}

/// A client that only reads, and only through one node: it sees a node that does not know that it is cut off, and is not held
/// up by writes that wait there.
pub(super) fn watch<W: Workload>(
    shared: &Shared,
    record: &Record<W>,
    address: SocketAddr,
    mut rng: Rng,
    pause_ms: (u64, u64),
) {
    let mut wire: Option<Wire> = None;
    let mut process = shared.next_number();
    while !shared.is_done() {
        sleep(Duration::from_millis(rng.between(pause_ms.0, pause_ms.1)));
        wire = wire.or_else(|| shared.open(address, WATCH_MAX));
        let page = record.page();
        let reads = W::reads(page);
        let (Some(op), Some(_)) = (rng.pick(&reads), &wire) else { continue };
        if !run_operation(shared, record, &mut wire, (page, process), op) {
            process = shared.next_number();
            wire = None;
        }
    }
}

/// Reads everything that is on a page, through nodes that are drawn. False if something could not be read now.
pub(super) fn read_page<W: Workload>(shared: &Shared, record: &Record<W>, page: u64, rng: &mut Rng) -> bool {
    let process = shared.next_number();
    W::reads(page).into_iter().all(|op| {
        let address = rng.pick(&shared.addresses);
        let mut wire = address.and_then(|address| shared.open(*address, Duration::from_secs(1)));
        let ticket = record.invoke(page, process, op.clone());
        let ret = match attempt(&mut wire, &W::commands(&op)) {
            Answer::Reply(reply) => W::understand(&op, &reply),
            Answer::DidNotHappen | Answer::Unknown => None,
        };
        match ret {
            Some(ret) => record.complete(ticket, ret),
            None => {
                // A read that nobody saw changes nothing.
                record.fail(ticket);
                return false;
            }
        }
        true
    })
}

/// A client whose increments run exactly once, however often they are sent.
pub(super) fn count_once(shared: &Shared, record: &Record<Counters>, mut rng: Rng, pause_ms: (u64, u64)) {
    let options = Options { patience: ONCE_PATIENCE, attempt_max: ONCE_ATTEMPT_MAX, ..Options::default() };
    let Ok(mut client) = Client::connect(&shared.addresses, options) else { return };
    let process = shared.next_number();
    while !shared.is_done() {
        sleep(Duration::from_millis(rng.between(pause_ms.0, pause_ms.1)));
        let page = record.page();
        let op = Counters::draw(&mut rng, page, shared.unique());
        let (KvOp::Increment { key, .. } | KvOp::Get { key }) = &op else { continue };
        let key = key.clone();
        let ticket = record.invoke(page, process, op.clone());
        let answer = match &op {
            KvOp::Get { .. } => client.get(&key).map(|value| KvRet::Value(value.map(Into::into))),
            _ => client.incr(&key).map(KvRet::Number),
        };
        let end = match answer {
            Ok(ret) => {
                record.complete(ticket, ret);
                End::Done
            }
            Err(Error::DidNotHappen(_) | Error::NoAddress) => {
                record.fail(ticket);
                End::Refused
            }
            Err(Error::MayHaveHappened(_) | Error::AnswerIsGone) => {
                record.leave(ticket);
                End::Unknown
            }
            Err(error @ (Error::Refused(_) | Error::Unexpected(_))) => {
                record.leave(ticket);
                let text = format!("{op} was answered: {error}, which it cannot be");
                shared.findings.add(Finding::violation(Counters::NAME, shared.now_us(), text));
                End::Unknown
            }
        };
        shared.meter.count(end, ticket.began.elapsed());
    }
}
