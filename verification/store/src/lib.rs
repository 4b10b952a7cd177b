//! All that is claimed of the store that users see, and how it is shown: keys with a time to live, and the log's time.

pub mod expiry;
mod fuzz;
pub mod locks;

use synod_verify::{Kit, MutantsInRuns};

/// What the store brings along.
pub static KIT: Kit = Kit {
    module: "store",
    scenarios: &[expiry::SCENARIOS],
    searches: &[locks::SEARCHES],
    mutants: &[locks::MUTANTS],
    mutants_in_runs: &[MutantsInRuns { mutants: expiry::MUTANTS, seeds: 200, caught: expiry::caught }],
    usual_servers: 3,
    by_hand: None,
    show_run: |_| None,
    dress: |_| {},
    fuzz_targets: || vec![fuzz::target()],
};
