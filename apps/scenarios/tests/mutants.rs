//! Each mutant is one test: its search must find it by a violation.

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use synod_scenarios::{mutants, searches};
use synod_testkit::{Mutant, Orders, Unwatched, hunt, search_report};

/// The programs' own, which runs are quicker with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let trial =
        |mutant: Mutant| Trial::test(format!("{}::{}", mutant.module, mutant.name), move || caught(&mutant));
    libtest_mimic::run(&Arguments::from_args(), mutants::all().into_iter().map(trial).collect()).exit_code()
}

fn caught(mutant: &Mutant) -> Result<(), Failed> {
    let hunted = hunt(mutant, &searches::all(), &Orders::default(), &Unwatched);
    match hunted.found() {
        Some(_) => Ok(()),
        None => Err(format!("not caught: {}\n{}", mutant.what, search_report(&hunted.searched)).into()),
    }
}
