//! Each mutant is one test: its search, or its scenario, must find it by a violation.

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use synod_scenarios::{expiry, mutants, searches, shardedstore};
use synod_testkit::{Mutant, Orders, Unwatched, hunt, search_report};

/// The programs' own, which runs are quicker with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let trial =
        |mutant: Mutant| Trial::test(format!("{}::{}", mutant.module, mutant.name), move || caught(&mutant));
    let in_runs = |mutant: &'static Mutant| {
        Trial::test(format!("{}::{}", mutant.module, mutant.name), move || caught_in_runs(mutant))
    };
    let of_time = |mutant: &'static Mutant| {
        let caught = || said(mutant, expiry::caught(mutant, SEEDS_OF_TIME), SEEDS_OF_TIME);
        Trial::test(format!("{}::{}", mutant.module, mutant.name), caught)
    };
    let trials = mutants::all().into_iter().map(trial).chain(mutants::IN_RUNS.iter().map(in_runs));
    let trials = trials.chain(expiry::MUTANTS.iter().map(of_time));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// How many seeds a scenario has to find a mutant.
const SEEDS: u64 = 10;
/// How many the scenario about time has.
const SEEDS_OF_TIME: u64 = 200;

fn caught_in_runs(mutant: &Mutant) -> Result<(), Failed> {
    said(mutant, shardedstore::replacements::caught(mutant, SEEDS), SEEDS)
}

/// What a run said of a mutant, if one of the seeds caught it.
fn said(mutant: &Mutant, caught: Option<String>, seeds: u64) -> Result<(), Failed> {
    match caught {
        Some(words) => {
            println!("{}: {words}", mutant.name);
            Ok(())
        }
        None => Err(format!("not caught under {seeds} seeds: {}", mutant.what).into()),
    }
}

fn caught(mutant: &Mutant) -> Result<(), Failed> {
    let hunted = hunt(mutant, &searches::all(), &Orders::default(), &Unwatched);
    match hunted.found() {
        Some(_) => Ok(()),
        None => Err(format!("not caught: {}\n{}", mutant.what, search_report(&hunted.searched)).into()),
    }
}
