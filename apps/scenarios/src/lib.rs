//! The scenarios of all modules: named claims, each shown under many seeds. One registry a module; `cargo test` and
//! the command line share them.
//!
//! They stand apart from the modules because a module knows no driver, and the binary needs the registries outside of
//! tests.

mod asks;
pub mod clientserver;
pub mod expiry;
pub mod fuzz;
pub mod kv;
pub mod mutants;
pub mod opened;
pub mod paxos;
pub mod pingpong;
pub mod primarybackup;
pub mod searches;
pub mod shardedstore;

use synod_testkit::Scenario;

/// Every scenario of every module, in order.
pub fn all() -> Vec<Scenario> {
    [
        pingpong::SCENARIOS,
        clientserver::SCENARIOS,
        primarybackup::VIEWS,
        primarybackup::SCENARIOS,
        primarybackup::BEYOND,
        paxos::SCENARIOS,
        paxos::BEYOND,
        shardedstore::CONFIGURATIONS,
        shardedstore::SERVICE,
        shardedstore::MOVES,
        shardedstore::MOVES_IN_TROUBLE,
        shardedstore::TRANSACTIONS,
        shardedstore::TRANSACTIONS_IN_TROUBLE,
        shardedstore::BEYOND,
        shardedstore::REPLACEMENTS,
        shardedstore::SERVICE_MOVES,
        expiry::SCENARIOS,
    ]
    .concat()
}

/// The names of the modules that have scenarios, in the order in which they build on each other.
pub const MODULES: &[&str] = &["pingpong", "clientserver", "primarybackup", "paxos", "shardedstore", "store"];
