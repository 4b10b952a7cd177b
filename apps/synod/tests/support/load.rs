//! Load on a cluster, and the judgement of what its clients saw.

use crate::cluster::{PATIENCE, Wire, wait_for};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use synod_client::{Client, Options};
use synod_history::{Budget, History, KeyValue, KvOp, KvRet, Verdict, check};
use synod_resp::Reply;
use synod_stdx::Rng;

/// Clients that send plain commands.
const PLAIN_CLIENTS: u64 = 6;
/// Clients whose increments run exactly once.
const ONCE_CLIENTS: u64 = 2;
/// The keys of one phase.
const KEYS: u64 = 4;
/// A plain client waits so long: longer than a node lets it wait.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// The bulk client's values are so long: a few seconds of them fill a checkpoint.
const BULK_BYTES: usize = 64 << 10;
/// The one key of the bulk client.
const BULK: &str = "bulk";
/// What all exactly-once clients count.
const COUNTER: &str = "counter";

struct Shared {
    addresses: Vec<SocketAddr>,
    history: Mutex<History<KvOp, KvRet>>,
    started: Instant,
    is_done: AtomicBool,
    /// Each phase has keys of its own, so that no key's history grows long.
    phase: AtomicU64,
    /// Plain commands that were answered.
    answered: AtomicU64,
    /// Exactly-once increments that were acknowledged.
    counted: AtomicU64,
    /// The number in the last bulk value that was acknowledged.
    bulk: AtomicU64,
}

/// Clients at work.
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What came of a load.
pub struct Summary {
    operations: usize,
    unanswered: usize,
    failed: usize,
    counted: u64,
    judged_in: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} operations are linearizable, {} of them never answered, {} refused; {} increments counted exactly once; judged in {:.1?}",
            self.operations, self.unanswered, self.failed, self.counted, self.judged_in
        )
    }
}

impl Shared {
    fn record<T>(&self, record: impl FnOnce(&mut History<KvOp, KvRet>) -> T) -> T {
        let mut history = self.history.lock().unwrap();
        history.set_time_us(self.started.elapsed().as_micros() as u64);
        record(&mut history)
    }
}

impl Load {
    /// Starts clients that use all of `addresses`.
    pub fn start(addresses: &[SocketAddr]) -> Load {
        let shared = Arc::new(Shared {
            addresses: addresses.to_vec(),
            history: Mutex::new(History::new()),
            started: Instant::now(),
            is_done: AtomicBool::new(false),
            phase: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            bulk: AtomicU64::new(0),
        });
        let bulk = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || bulk_client(&shared))
        };
        let plain = (0..PLAIN_CLIENTS).map(|process| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || plain_client(&shared, process))
        });
        let once = (PLAIN_CLIENTS..PLAIN_CLIENTS + ONCE_CLIENTS).map(|process| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || once_client(&shared, process))
        });
        let threads = plain.chain(once).chain([bulk]).collect();
        Load { shared, threads }
    }

    /// From now on the clients use other keys.
    pub fn next_phase(&self) {
        self.shared.phase.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until some commands of both kinds were answered that were not yet answered now.
    pub fn await_progress(&self) {
        let count = || {
            let Shared { answered, counted, .. } = &*self.shared;
            (answered.load(Ordering::Relaxed), counted.load(Ordering::Relaxed))
        };
        let before = count();
        let moved = || {
            let now = count();
            (now.0 > before.0 + 20 && now.1 > before.1 + 5).then_some(())
        };
        assert!(wait_for(PATIENCE, moved).is_some(), "no progress: {before:?} and {:?}", count());
    }

    /// Ends the clients, reads every key through every node, and judges it all.
    pub fn finish(mut self, addresses: &[SocketAddr]) -> Summary {
        self.shared.is_done.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
        let shared = &self.shared;
        let counted = shared.counted.load(Ordering::Relaxed);
        let phases = shared.phase.load(Ordering::Relaxed);
        let keys = (0..=phases).flat_map(|phase| (0..KEYS).map(move |index| key_name(phase, index)));
        let keys: Vec<String> = keys.chain([COUNTER.to_owned()]).collect();
        for (process, address) in (100..).zip(addresses) {
            let mut wire = Wire::open(*address, ANSWER_MAX).expect("every node serves in the end");
            for key in &keys {
                let op = KvOp::Get { key: key.as_bytes().into() };
                let id = shared.record(|history| history.invoke(process, op));
                let Some(Reply::Bulk(_) | Reply::Null) = wire.ask(&["GET", key]).inspect(|reply| {
                    if *key == COUNTER {
                        assert_eq!(*reply, Reply::bulk(counted.to_string()), "increments that ran once");
                    }
                    let ret = KvRet::Value(bulk(reply));
                    shared.record(|history| history.complete(id, ret));
                }) else {
                    panic!("{address} does not answer a read in the end")
                };
            }
        }
        addresses.iter().for_each(|address| self.check_bulk(*address));
        self.judge(counted)
    }

    /// The bulk key holds what was acknowledged last, or a later value whose acknowledgement was lost.
    fn check_bulk(&self, address: SocketAddr) {
        let acknowledged = self.shared.bulk.load(Ordering::Relaxed);
        let mut wire = Wire::open(address, ANSWER_MAX).expect("every node serves in the end");
        let Some(Reply::Bulk(value)) = wire.ask(&["GET", BULK]) else {
            panic!("{BULK} is lost at {address}")
        };
        assert_eq!(value.len(), BULK_BYTES);
        let digits = String::from_utf8_lossy(&value[..20]);
        let found: u64 = digits.parse().unwrap();
        assert!(found >= acknowledged, "{found} is there, {acknowledged} was acknowledged");
    }

    fn judge(&self, counted: u64) -> Summary {
        let history = self.shared.history.lock().unwrap();
        let started = Instant::now();
        let verdict = check::<KeyValue>(&history, Budget::default());
        let judged_in = started.elapsed();
        match verdict {
            Verdict::Linearizable { operations, .. } => {
                let outcomes = history.operations().iter().map(|operation| &operation.outcome);
                let unanswered = outcomes.clone().filter(|o| matches!(o, synod_history::Outcome::Unknown));
                let failed = outcomes.filter(|o| matches!(o, synod_history::Outcome::Failed)).count();
                Summary { operations, unanswered: unanswered.count(), failed, counted, judged_in }
            }
            Verdict::NotLinearizable(contradiction) => panic!("{contradiction}"),
            Verdict::GaveUp { key, reason } => panic!("undecided after {judged_in:?}: {reason:?} at {key:?}"),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.is_done.store(true, Ordering::Relaxed);
    }
}

fn key_name(phase: u64, index: u64) -> String {
    format!("p{phase}:k{index}")
}

fn bulk(reply: &Reply) -> Option<Arc<[u8]>> {
    match reply {
        Reply::Bulk(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

/// A command in words, and what it is to the judge.
fn random_command(rng: &mut Rng, key: &str, unique: u64) -> (Vec<String>, KvOp) {
    let name = |word: &str| word.to_owned();
    let shared: Arc<[u8]> = key.as_bytes().into();
    match rng.below(10) {
        0 | 1 => {
            // Half of the values are numbers, so that increments find some.
            let value = if rng.chance(500) { unique.to_string() } else { format!("v{unique}") };
            let op = KvOp::Put { key: shared, value: value.as_bytes().into() };
            (vec![name("SET"), name(key), value], op)
        }
        2..=4 => (vec![name("GET"), name(key)], KvOp::Get { key: shared }),
        5 | 6 => (vec![name("INCR"), name(key)], KvOp::Increment { key: shared, by: 1 }),
        7 | 8 => {
            let value = format!("a{unique}");
            let op = KvOp::Append { key: shared, value: value.as_bytes().into() };
            (vec![name("APPEND"), name(key), value], op)
        }
        _ => (vec![name("DEL"), name(key)], KvOp::Delete { key: shared }),
    }
}

/// What an answer says; `None` if nothing, `Err` if the command did not happen.
fn understand(op: &KvOp, reply: &Reply) -> Option<Result<KvRet, ()>> {
    match (op, reply) {
        (_, Reply::Error(words)) => match words.split(' ').next().unwrap_or_default() {
            "TRYAGAIN" | "CLUSTERDOWN" => Some(Err(())),
            "MAYBE" => None,
            _ if words.contains("not an integer") => Some(Ok(KvRet::Refused)),
            _ => panic!("{op}: {words}"),
        },
        (KvOp::Get { .. }, reply) => Some(Ok(KvRet::Value(bulk(reply)))),
        (_, Reply::Integer(number)) => Some(Ok(KvRet::Number(*number))),
        (_, reply) => {
            assert_eq!(*reply, Reply::OK, "{op}");
            Some(Ok(KvRet::Ok))
        }
    }
}

fn plain_client(shared: &Shared, process: u64) {
    let mut rng = Rng::new(process);
    let mut unique = process;
    let mut wire: Option<Wire> = None;
    // Whoever got no answer goes on as another: its last command may still run.
    let mut name = process;
    while !shared.is_done.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(rng.between(0, 4)));
        if rng.chance(20) {
            wire = None;
        }
        if wire.is_none() {
            wire = rng.pick(&shared.addresses).and_then(|address| Wire::open(*address, ANSWER_MAX));
        }
        let Some(open) = &mut wire else { continue };
        let key = key_name(shared.phase.load(Ordering::Relaxed), rng.below(KEYS));
        unique += PLAIN_CLIENTS;
        let (words, op) = random_command(&mut rng, &key, unique);
        let id = shared.record(|history| history.invoke(name, op.clone()));
        let reply = open.ask(&words);
        match reply.as_ref().and_then(|reply| understand(&op, reply)) {
            Some(Ok(ret)) => {
                shared.record(|history| history.complete(id, ret));
                shared.answered.fetch_add(1, Ordering::Relaxed);
            }
            Some(Err(())) => shared.record(|history| history.fail(id)),
            None => name += 1_000,
        }
        if reply.is_none() {
            wire = None;
        }
    }
}

fn once_client(shared: &Shared, process: u64) {
    let options = Options { patience: PATIENCE, attempt_max: Duration::from_secs(1), ..Options::default() };
    let mut client = Client::connect(&shared.addresses, options).unwrap();
    while !shared.is_done.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(5));
        let op = KvOp::Increment { key: COUNTER.as_bytes().into(), by: 1 };
        let id = shared.record(|history| history.invoke(process, op));
        // Within its patience the cluster is always whole again: every increment ends in an answer.
        let sum = client.incr(COUNTER.as_bytes()).unwrap();
        shared.record(|history| history.complete(id, KvRet::Number(sum)));
        shared.counted.fetch_add(1, Ordering::Relaxed);
    }
}

/// Writes long values that count up, through one node after the other.
fn bulk_client(shared: &Shared) {
    let mut number = 0u64;
    let mut wires = shared.addresses.iter().cycle().map(|address| Wire::open(*address, ANSWER_MAX));
    let mut wire = None;
    while !shared.is_done.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(4));
        if wire.is_none() {
            wire = wires.next().flatten();
        }
        let Some(open) = &mut wire else { continue };
        number += 1;
        let value = format!("{number:020}{:>width$}", "", width = BULK_BYTES - 20);
        match open.ask(&["SET", BULK, &value]) {
            Some(reply) if reply == Reply::OK => shared.bulk.store(number, Ordering::Relaxed),
            Some(_) => {}
            None => wire = None,
        }
    }
}
