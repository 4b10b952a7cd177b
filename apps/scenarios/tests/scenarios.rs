//! Each scenario is one test.

use std::process::ExitCode;

fn main() -> ExitCode {
    synod_testkit::test_main(&synod_scenarios::all())
}
