//! Each search is one test.

use std::process::ExitCode;

fn main() -> ExitCode {
    synod_testkit::search_main(&synod_scenarios::searches::all())
}
