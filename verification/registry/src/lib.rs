//! Every module with all that is claimed of it: one list, which command line, tests and debugger read.

pub mod opened;

use synod_testkit::{FuzzTarget, Mutant, Scenario, Search};
pub use synod_verify::{Kit, MutantsInRuns, Shape};

/// The modules, in the order in which they build on each other.
pub static KITS: &[&Kit] = &[
    &synod_verify_pingpong::KIT,
    &synod_verify_register::KIT,
    &synod_verify_clientserver::KIT,
    &synod_verify_primarybackup::KIT,
    &synod_verify_paxos::KIT,
    &synod_verify_shardedstore::KIT,
    &synod_verify_store::KIT,
];

/// Every scenario of every module, in order.
pub fn scenarios() -> Vec<Scenario> {
    KITS.iter().flat_map(|kit| kit.scenarios.concat()).collect()
}

/// Every search of every module, in order.
pub fn searches() -> Vec<Search> {
    KITS.iter().flat_map(|kit| kit.searches.concat()).collect()
}

/// Every seeded mistake that a search finds.
pub fn mutants() -> Vec<Mutant> {
    KITS.iter().flat_map(|kit| kit.mutants.concat()).collect()
}

/// The fuzz targets of all modules.
pub fn fuzz_targets() -> Vec<FuzzTarget> {
    KITS.iter().flat_map(|kit| (kit.fuzz_targets)()).collect()
}

/// The names of the modules.
pub fn modules() -> Vec<&'static str> {
    KITS.iter().map(|kit| kit.module).collect()
}

/// The module of this name.
pub fn kit(module: &str) -> Option<&'static Kit> {
    KITS.iter().copied().find(|kit| kit.module == module)
}
