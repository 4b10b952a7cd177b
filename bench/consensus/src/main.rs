//! The consensus core alone: three replicas in one thread, no disk, 128-byte commands, beside two crates driven the
//! same way.
//!
//! Each core is a closed loop: so many commands are in flight; whenever some are decided, as many new ones are
//! proposed. Messages are handed over in memory, without being encoded. Nothing that is decided is dropped from a log,
//! in any core. A payload is shared by whoever holds it, in each core. Rounds of the cores alternate, so that a machine
//! that changes its speed is fair to all.
//!
//! `cargo run --release [rounds] [commands] [in flight] [core]` prints commands a second and CPU time a command for all three replicas
//! (median, least and most of the rounds), and the bytes of heap that a command keeps a replica.

mod counting;
mod omni;
mod paxos;
mod raft_rs;

use std::sync::Arc;
use std::time::Instant;

/// A command.
pub type Payload = Arc<[u8]>;

/// The bytes of a command.
const PAYLOAD_BYTES: usize = 128;

/// Three replicas of some consensus core, and a network in memory.
pub trait Cluster {
    /// Proposes commands at the leader.
    fn propose(&mut self, payloads: Vec<Payload>);
    /// Delivers messages until there are none; returns how many commands the leader learned to be decided.
    fn run(&mut self) -> usize;
    /// How many commands each replica holds.
    fn held(&self) -> Vec<usize>;
}

/// A core's name and how to start three replicas of it.
type Entry = (&'static str, fn() -> Box<dyn Cluster>);

/// What is measured.
const CORES: &[Entry] = &[
    ("synod-paxos", || Box::new(paxos::Paxos::start())),
    ("omnipaxos", || Box::new(omni::Omni::start())),
    ("raft-rs", || Box::new(raft_rs::RaftRs::start())),
];

fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call only writes to `time`.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// One round's figures.
struct Round {
    per_second: f64,
    cpu_us: f64,
    kept_bytes: f64,
}

fn round(start: fn() -> Box<dyn Cluster>, in_flight: usize, commands: usize) -> Round {
    let mut cluster = start();
    // Buffers that a core makes once are not counted as kept.
    for _ in 0..4 {
        cluster.propose((0..1024).map(|_| Payload::from([0u8; PAYLOAD_BYTES])).collect());
        while cluster.run() > 0 {}
    }
    let heap_before = counting::live_bytes();
    let (begin, cpu_before) = (Instant::now(), cpu_seconds());
    let (mut proposed, mut decided) = (0, 0);
    while decided < commands {
        let room = (in_flight - (proposed - decided)).min(commands - proposed);
        if room > 0 {
            let payloads = (0..room).map(|n| {
                let mut bytes = [0u8; PAYLOAD_BYTES];
                bytes[..8].copy_from_slice(&((proposed + n) as u64).to_le_bytes());
                Payload::from(bytes)
            });
            cluster.propose(payloads.collect());
            proposed += room;
        }
        let news = cluster.run();
        assert!(news > 0, "nothing was decided of {} commands in flight", proposed - decided);
        decided += news;
    }
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
    let heap = counting::live_bytes() - heap_before;
    assert!(
        cluster.held().iter().all(|held| *held >= commands),
        "a replica lacks commands: {:?}",
        cluster.held()
    );
    Round {
        per_second: commands as f64 / seconds,
        cpu_us: cpu * 1e6 / commands as f64,
        kept_bytes: heap as f64 / commands as f64 / 3.0,
    }
}

fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

fn main() {
    let argument = |n: usize, default: usize| {
        std::env::args().nth(n).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (rounds, commands) = (argument(1, 7), argument(2, 300_000));
    println!(
        "{rounds} rounds of {commands} commands of {PAYLOAD_BYTES} bytes, three replicas in one thread\n"
    );
    println!(
        "in flight  core          commands/s (least to most)          CPU µs/command (least to most)   bytes kept"
    );
    let depths =
        std::env::args().nth(3).and_then(|text| text.parse().ok()).map_or(vec![1, 64, 1024], |one| vec![one]);
    let cores: Vec<&Entry> = match std::env::args().nth(4) {
        Some(name) => CORES.iter().filter(|(core, _)| *core == name).collect(),
        None => CORES.iter().collect(),
    };
    for in_flight in depths {
        let mut figures: Vec<Vec<Round>> = cores.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for ((_, start), figures) in cores.iter().zip(&mut figures) {
                figures.push(round(*start, in_flight, commands));
            }
        }
        for ((name, _), figures) in cores.iter().zip(&figures) {
            let (rate, slow, fast) = spread(figures.iter().map(|round| round.per_second).collect());
            let (cpu, cpu_min, cpu_max) = spread(figures.iter().map(|round| round.cpu_us).collect());
            let (kept, _, _) = spread(figures.iter().map(|round| round.kept_bytes).collect());
            println!(
                "{in_flight:>9}  {name:<12}  {rate:>10.0} ({slow:>9.0} to {fast:>9.0})  {cpu:>8.3} ({cpu_min:.3} to {cpu_max:.3})         {kept:>8.0}"
            );
        }
        let rate = |index: usize| spread(figures[index].iter().map(|round| round.per_second).collect()).0;
        if cores.len() < CORES.len() {
            continue;
        }
        println!(
            "{:>9}  ratio to omnipaxos {:.2}, to raft-rs {:.2}\n",
            "",
            rate(0) / rate(1),
            rate(0) / rate(2)
        );
    }
}
