//! Each scenario is one test.

use std::process::ExitCode;

/// The programs' own, which runs are quicker with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    synod_testkit::test_main(&synod_registry::scenarios())
}
