//! Each mutant is one test: its search, or its scenario, must find it by a violation.

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use synod_scenarios::{mutants, searches, shardedstore};
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
    let trials = mutants::all().into_iter().map(trial).chain(mutants::IN_RUNS.iter().map(in_runs));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// How many seeds a scenario has to find a mutant.
const SEEDS: u64 = 10;

fn caught_in_runs(mutant: &Mutant) -> Result<(), Failed> {
    match shardedstore::replacements::caught(mutant, SEEDS) {
        Some(words) => {
            println!("{}: {words}", mutant.name);
            Ok(())
        }
        None => Err(format!("not caught under {SEEDS} seeds: {}", mutant.what).into()),
    }
}

fn caught(mutant: &Mutant) -> Result<(), Failed> {
    let hunted = hunt(mutant, &searches::all(), &Orders::default(), &Unwatched);
    match hunted.found() {
        Some(_) => Ok(()),
        None => Err(format!("not caught: {}\n{}", mutant.what, search_report(&hunted.searched)).into()),
    }
}
