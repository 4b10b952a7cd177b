//! Each search is one test.

use std::process::ExitCode;

/// The programs' own, which runs are quicker with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    synod_testkit::search_main(&synod_registry::searches())
}
