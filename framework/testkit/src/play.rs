//! The two doors to a registry: tests and the command line.

use crate::crew::Unwatched;
use crate::search::{Orders, Search, Searched, Stop, search_one};
use crate::{Failed, Outcome, Scenario, Stage};
use libtest_mimic::{Arguments, Trial};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{env, fs, panic, thread};
use synod_simulator::Failure;
use synod_stdx::panic_words;

/// How many states a stage sees at most in the tests with timers and checks.
pub const VARIANT_STATES_MAX: u64 = 100_000;
/// A test sees so many states of what has no end.
const EXPLORED_MAX: u64 = 1_000_000;

/// What came of one scenario under all of its seeds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Played {
    /// The scenario's module.
    pub module: &'static str,
    /// The scenario's number.
    pub number: &'static str,
    /// The scenario's name.
    pub name: &'static str,
    /// How many seeds were played.
    pub seeds: u64,
    /// All events of all seeds.
    pub steps: u64,
    /// All virtual microseconds of all seeds.
    pub virtual_us: u64,
    /// What it comes to.
    pub verdict: Verdict,
}

/// What a scenario comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The claim held under every seed that was played.
    Held,
    /// It did not: the report, ready to be printed.
    Failed(String),
}

/// Plays one seed. A panic of the play itself counts as a failure of that seed.
///
/// # Errors
/// If the claim does not hold.
pub fn play_one(scenario: &Scenario, seed: u64, record: bool) -> Result<Outcome, Box<Failed>> {
    let stage = Stage { seed, kind: scenario.kind, record };
    panic::catch_unwind(|| (scenario.play)(&stage)).unwrap_or_else(|panic| {
        let what = format!("the play panicked: {}", panic_words(&*panic));
        let failure =
            Failure { seed, at_us: 0, what, options: format!("{:?}", stage.options()), last: Vec::new() };
        Err(Box::new(Failed { failure, trace: None, reel: None }))
    })
}

/// Plays `seeds` seeds from `first_seed` on, on `threads` threads. `on_seed` is called after each. Stops at the first
/// seed that fails; of several that failed at once the lowest is reported.
pub fn play_all(
    scenario: &Scenario,
    first_seed: u64,
    seeds: u64,
    threads: usize,
    on_seed: &(dyn Fn() + Sync),
) -> Played {
    let next = AtomicU64::new(first_seed);
    let stop = AtomicBool::new(false);
    let sums = Mutex::new((0u64, 0u64, 0u64));
    let failed: Mutex<Option<(u64, Box<Failed>)>> = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..threads.clamp(1, seeds.max(1) as usize) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first_seed + seeds {
                        break;
                    }
                    match play_one(scenario, seed, false) {
                        Ok(outcome) => {
                            let mut sums = sums.lock().expect("no play panics while it counts");
                            sums.0 += 1;
                            sums.1 += outcome.steps;
                            sums.2 += outcome.virtual_us;
                        }
                        Err(failure) => {
                            stop.store(true, Ordering::Relaxed);
                            let mut failed = failed.lock().expect("no play panics while it reports");
                            if failed.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
                                *failed = Some((seed, failure));
                            }
                        }
                    }
                    on_seed();
                }
            });
        }
    });
    let (played, steps, virtual_us) = *sums.lock().expect("all plays are over");
    let failed = failed.into_inner().expect("all plays are over");
    let verdict =
        failed.map_or(Verdict::Held, |(seed, failed)| Verdict::Failed(report(scenario, seed, &failed)));
    let Scenario { module, number, name, .. } = *scenario;
    Played { module, number, name, seeds: played, steps, virtual_us, verdict }
}

/// Everything that a person needs to know of a failed seed, the file of its trace included.
fn report(scenario: &Scenario, seed: u64, failed: &Failed) -> String {
    let Scenario { module, number, name, .. } = scenario;
    let mut text = format!("{module} {number} {name}\n{}", failed.failure);
    // The same seed gives the same run, so the trace can be had now.
    let trace = play_one(scenario, seed, true).err().and_then(|failed| failed.trace);
    match trace {
        None => text.push_str("no trace: the failure lies outside the simulation\n"),
        Some(mut trace) => {
            trace.header.module = (*module).to_owned();
            trace.header.scenario = (*name).to_owned();
            match save(&format!("{module}-{name}-{seed}.trace"), &trace.to_text()) {
                Ok(path) => text.push_str(&format!("trace: {}\n", path.display())),
                Err(error) => text.push_str(&format!("the trace could not be written: {error}\n")),
            }
        }
    }
    text.push_str(&format!(
        "reproduce: cargo run --release -- test --module {module} --test {name} --seed {seed}\n"
    ));
    text
}

fn save(name: &str, text: &str) -> std::io::Result<PathBuf> {
    let folder =
        env::var_os("SYNOD_TRACES").map_or_else(|| env::temp_dir().join("synod-traces"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    fs::write(&path, text)?;
    Ok(path)
}

/// The `main` of a test binary without the default harness: each scenario is one test, named
/// `module::number::name`. The number of seeds can be set by `SYNOD_SEEDS`.
pub fn test_main(scenarios: &[Scenario]) -> ExitCode {
    let arguments = Arguments::from_args();
    let wanted = env::var("SYNOD_SEEDS").ok().and_then(|seeds| seeds.parse::<u64>().ok());
    let trials = scenarios.iter().map(|scenario| {
        let scenario = *scenario;
        let seeds = if scenario.seeds == 1 { 1 } else { wanted.unwrap_or(scenario.seeds) };
        let name = format!("{}::{}::{}", scenario.module, scenario.number, scenario.name);
        Trial::test(name, move || match play_all(&scenario, 1, seeds, 1, &|| ()).verdict {
            Verdict::Held => Ok(()),
            Verdict::Failed(report) => Err(report.into()),
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// The `main` of a test binary without the default harness: each search is one test, named `module::number::name`, and
/// one more with timers and checks in at most [`VARIANT_STATES_MAX`] states a stage. Of what has no end at most a
/// million states are seen, of which the command line sees more. Long ones are left out.
pub fn search_main(searches: &[Search]) -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for search in searches.iter().filter(|search| !search.is_long) {
        let search = *search;
        let Search { module, number, name, .. } = search;
        let variant =
            Orders { timers: true, checks: true, states_max: Some(VARIANT_STATES_MAX), ..Orders::default() };
        let plain = format!("{module}::{number}::{name}");
        trials
            .push(Trial::test(format!("{plain}::with_timers_and_checks"), move || judged(&search, &variant)));
        let usual = Orders { explored_max: Some(EXPLORED_MAX), ..Orders::default() };
        trials.push(Trial::test(plain, move || judged(&search, &usual)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn judged(search: &Search, orders: &Orders) -> Result<(), libtest_mimic::Failed> {
    let searched = search_one(search, orders, &Unwatched);
    if searched.is_shown() { Ok(()) } else { Err(search_report(&searched).into()) }
}

/// Everything that a person needs to know of a search that did not show its claim, the file of its trace included.
pub fn search_report(searched: &Searched) -> String {
    let Searched { module, number, name, reports, stop } = searched;
    let mut text = format!("{module} {number} {name}\n");
    match stop {
        None => text.push_str("shown\n"),
        Some(Stop::Failed(words)) => text.push_str(&format!("{words}\n")),
        Some(Stop::CutShort(spent)) => text.push_str(&format!("cut short: {spent}\n")),
        Some(Stop::Replayed(replayed)) => text.push_str(&format!("{replayed}\n")),
        Some(Stop::Opened) => {}
    }
    for found in reports.iter().filter_map(|report| report.found.as_ref()) {
        text.push_str(&found.told);
        text.push_str(&format!("  => {}: {}\n", found.subject, found.words));
        match save(&format!("{module}-{name}.trace"), &found.trace.to_text()) {
            Ok(path) => text.push_str(&format!(
                "trace: {path}\nreplay: cargo run --release -- test --replay {path}\n",
                path = path.display()
            )),
            Err(error) => text.push_str(&format!("the trace could not be written: {error}\n")),
        }
    }
    text.push_str(&format!(
        "reproduce: cargo run --release -- test --search --module {module} --test {name}\n"
    ));
    text
}
