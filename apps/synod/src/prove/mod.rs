//! `synod prove`: shows the guarantee on this machine. Real processes, real disks, clients that record what they are told,
//! faults that a seed draws, a judge that checks the histories while the run goes on, and a page that says what came of it.
//!
//! * `plan`: which faults, when; all from the seed.
//! * `faults`: carries them out on the `cluster`, whose nodes reach each other through a `proxy`.
//! * `clients` run the `workloads` and `record` what they are told; the `judge` reads the records.
//! * `probes` see whether the store serves, `bounds` what the nodes take.
//! * `report` says what came of it, in words, as JSON, and as a `page`.
//!
//! The verdict is *held* only if every history was judged whole, and each kind of fault that was asked for was carried out, or
//! is named as left out. A history that was too hard to judge, a key that could not be read in the end, or a run that was
//! interrupted is *not shown*.

mod bounds;
mod clients;
pub mod clocks;
mod cluster;
mod faults;
mod findings;
mod images;
mod judge;
mod lateness;
mod meter;
mod page;
mod plan;
mod probes;
mod proxy;
mod record;
mod redis;
mod report;
pub mod wire;
mod workloads;

use crate::cli::{Prove, usage_error};
use crate::interrupt;
use bounds::{Bounds, Places};
use clients::Shared;
use cluster::{Cluster, Plan};
use faults::{Conductor, Tried};
use findings::Finding;
use judge::Judged;
use lateness::Lateness;
use plan::{Kind, Step};
use probes::Probes;
use record::Record;
use report::{Outcome, Verdict};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};
use synod_stdx::Rng;
use workloads::{Bank, Counters, Lists, Locks, Registers};

/// The exit code of a run that found a violation.
const VIOLATED: u8 = 1;
/// The exit code of a run that showed nothing.
const NOT_SHOWN: u8 = 3;
/// How many groups share the slots.
const GROUPS: u32 = 2;
/// So much later than planned the last fault may begin, for each minute of the run.
const LATE_PER_MINUTE: Duration = Duration::from_secs(60);

/// Runs `synod prove`.
pub fn run(arguments: &Prove) -> ExitCode {
    let kinds = match Kind::parse(&arguments.faults) {
        Ok(kinds) => kinds,
        Err(problem) => return usage_error(&problem),
    };
    let place = match Place::new(arguments) {
        Ok(place) => place,
        Err(problem) => return usage_error(&problem),
    };
    interrupt::listen();
    let outcome = match prove(arguments, &kinds, place) {
        Ok(outcome) => outcome,
        Err(problem) => {
            eprintln!("synod: not shown: {problem}");
            return ExitCode::from(NOT_SHOWN);
        }
    };
    let written = std::fs::write(&arguments.page, page::page(&outcome));
    match written.and_then(|()| report::tell(&outcome, &arguments.page, arguments.json)) {
        Err(error) => {
            eprintln!("synod: the report cannot be written: {error}");
            ExitCode::from(NOT_SHOWN)
        }
        Ok(()) => match outcome.verdict {
            Verdict::Held => ExitCode::SUCCESS,
            Verdict::Violated => ExitCode::from(VIOLATED),
            Verdict::NotShown => ExitCode::from(NOT_SHOWN),
        },
    }
}

/// A directory for the nodes, which is gone in the end unless somebody may want to look at it.
struct Place {
    path: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn new(arguments: &Prove) -> Result<Place, String> {
        if let Some(path) = &arguments.data {
            let is_empty = std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none());
            if !is_empty {
                return Err(format!("--data {}: it is not empty; choose another directory", path.display()));
            }
            std::fs::create_dir_all(path).map_err(|error| format!("--data {}: {error}", path.display()))?;
            let path = path.canonicalize().map_err(|error| format!("--data {}: {error}", path.display()))?;
            return Ok(Place { path, temporary: None });
        }
        let made = tempfile::Builder::new().prefix("synod-prove-").tempdir();
        let temporary = made.map_err(|error| format!("no directory for temporary files: {error}"))?;
        Ok(Place { path: temporary.path().to_owned(), temporary: Some(temporary) })
    }

    /// Leaves everything where it is.
    fn keep(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            let _ = temporary.keep();
        }
    }
}

/// The records of all workloads.
struct Records {
    registers: Record<Registers>,
    counters: Record<Counters>,
    lists: Record<Lists>,
    bank: Record<Bank>,
    locks: Locks,
}

impl Records {
    fn new(began: Instant) -> Records {
        Records {
            registers: Record::new(began),
            counters: Record::new(began),
            lists: Record::new(began),
            bank: Record::new(began),
            locks: Locks::default(),
        }
    }

    fn judged(&self) -> [&dyn Judged; 5] {
        [&self.registers, &self.counters, &self.lists, &self.bank, &self.locks]
    }
}

fn prove(arguments: &Prove, kinds: &[Kind], mut place: Place) -> Result<Outcome, String> {
    let length = Duration::from_secs_f64(arguments.minutes * 60.0);
    let steps = plan::plan(arguments.seed, length, kinds);
    let faketime = clocks::library().filter(|_| kinds.contains(&Kind::ClockJump));
    let mut cluster = Cluster::start(&Plan {
        nodes: u32::from(arguments.nodes),
        groups: GROUPS,
        directory: place.path.clone(),
        seed: arguments.seed,
        faketime: faketime.clone(),
        records: !arguments.no_record,
        program: arguments.program.clone(),
        loses_power: kinds.contains(&Kind::PowerLoss),
    })?;
    let shared = Shared::new((cluster.clients(), cluster.caller()?), Instant::now(), !arguments.untimed);
    let probes = Probes::new(GROUPS, shared.addresses[0]).ok_or("a node does not say where keys are")?;
    let (records, lateness, mut bounds) = (Records::new(shared.began), Lateness::default(), Bounds::new());
    let tried = std::thread::scope(|scope| {
        let rng = Rng::new(arguments.seed);
        let workers = start_workers(scope, (&shared, &records, &probes, &lateness), &rng);
        let judge_rng = rng.split("judge");
        let judge = scope.spawn(|| judge::judge_while_running(&shared, &records.judged(), judge_rng));
        let places = Places::of(&cluster);
        let mut watch = || bounds.look(&places, shared.now_us(), &shared.findings);
        let about = (faketime.is_some(), GROUPS + 1);
        let mut conductor = Conductor::new(&mut cluster, (&probes, &shared, &lateness), about, &mut watch);
        let tried = conduct(&mut conductor, &steps, length, arguments);
        shared.is_done.store(true, Ordering::Relaxed);
        for worker in workers.into_iter().chain([judge]) {
            if worker.join().is_err() {
                shared.findings.add(Finding::gave_up("prove", "a client or the judge panicked".to_owned()));
            }
        }
        tried
    });
    judge::judge_the_rest(&shared, &records.judged(), Rng::new(arguments.seed).split("last judge"));
    let mut outcome =
        Outcome::of(arguments, (kinds, &steps), tried, (&shared, &records.judged(), &bounds), &place.path);
    drop(cluster);
    if outcome.verdict == Verdict::Violated || arguments.keep {
        place.keep();
    }
    if arguments.redis && !interrupt::is_wanted() {
        outcome.redis = Some(redis::run(arguments.seed, &steps, length)?);
    }
    Ok(outcome)
}

type Workers<'scope> = Vec<ScopedJoinHandle<'scope, ()>>;

/// Starts the clients and the probes.
fn start_workers<'scope, 'env>(
    scope: &'scope std::thread::Scope<'scope, 'env>,
    (shared, records, probes, lateness): (&'scope Shared, &'scope Records, &'scope Probes, &'scope Lateness),
    rng: &Rng,
) -> Workers<'scope> {
    let mut workers = vec![scope.spawn(|| lateness.watch(shared))];
    let draw = |what: &str, client| rng.split(&format!("{what} {client}"));
    for client in 0..4 {
        let rng = draw("registers", client);
        workers.push(scope.spawn(move || clients::work(shared, &records.registers, rng, (10, 50))));
    }
    for client in 0..2 {
        let whats = ["counters", "lists", "transactions", "locks"];
        let [once, list, bank, lock] = whats.map(|what| draw(what, client));
        workers.push(scope.spawn(move || clients::count_once(shared, &records.counters, once, (20, 80))));
        workers.push(scope.spawn(move || clients::work(shared, &records.lists, list, (20, 80))));
        workers.push(scope.spawn(move || clients::work(shared, &records.bank, bank, (30, 120))));
        workers.push(scope.spawn(move || records.locks.take(shared, lock, (40, 120))));
    }
    for address in shared.addresses.clone() {
        let rng = draw("watcher", u32::from(address.port()));
        workers.push(scope.spawn(move || clients::watch(shared, &records.registers, address, rng, (30, 80))));
    }
    for part in 0..probes.parts() {
        for address in shared.addresses.clone() {
            workers.push(scope.spawn(move || probes.ask(shared, part, address)));
        }
    }
    workers
}

/// Carries out the plan, and lets the clients go on until the time is up.
fn conduct(conductor: &mut Conductor, steps: &[Step], length: Duration, arguments: &Prove) -> Vec<Tried> {
    let mut tried = Vec::new();
    let last = length + LATE_PER_MINUTE.mul_f64(arguments.minutes);
    for step in steps {
        if conductor.shared.began.elapsed() > last {
            break;
        }
        let Some(one) = conductor.try_one(step) else { break };
        if !arguments.json {
            report::tell_fault(&one);
        }
        let goes_on = one.is_done || one.left_out.is_some();
        tried.push(one);
        if !goes_on {
            break;
        }
    }
    conductor.rest(length);
    tried
}
