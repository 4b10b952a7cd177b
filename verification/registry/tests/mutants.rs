//! Each mutant is one test: its search, or its scenario, must find it by a violation.

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use synod_registry::{KITS, MutantsInRuns, mutants, searches};
use synod_testkit::{Mutant, Orders, Unwatched, hunt, search_report};

/// The programs' own, which runs are quicker with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let title = |mutant: &Mutant| format!("{}::{}", mutant.module, mutant.name);
    let trial = |mutant: Mutant| Trial::test(title(&mutant), move || caught(&mutant));
    let mut trials: Vec<Trial> = mutants().into_iter().map(trial).collect();
    for in_runs in KITS.iter().flat_map(|kit| kit.mutants_in_runs) {
        let MutantsInRuns { mutants, seeds, caught } = *in_runs;
        let trial = |mutant: &'static Mutant| {
            Trial::test(title(mutant), move || said(mutant, caught(mutant, seeds), seeds))
        };
        trials.extend(mutants.iter().map(trial));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
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
    let hunted = hunt(mutant, &searches(), &Orders::default(), &Unwatched);
    match hunted.found() {
        Some(_) => Ok(()),
        None => Err(format!("not caught: {}\n{}", mutant.what, search_report(&hunted.searched)).into()),
    }
}
