//! Scenarios: named claims about a protocol, each shown under many seeds. The modules' test bench.
//!
//! A [`Scenario`] is data: which module, which number and name, what kind, how many seeds by default, and the play that
//! shows the claim for one seed. A module has one registry of them, a list. Two doors lead to it: [`test_main`] makes
//! each scenario one named test of `cargo test`, and [`play_all`] runs it for the command line, seeds in parallel, with
//! a table at the end.
//!
//! Whoever fails says the seed, the options, the last events in columns and the command that reproduces it, and leaves
//! a trace file.
//!
//! # Swarms
//! [`Stage::options`] draws a run's weather from its seed: each seed turns some kinds of faults off and others wild, so
//! that faults meet in ways that an average never shows (Groce et al., "Swarm testing", 2012).

mod bench;
mod crew;
mod fuzz;
mod history;
#[cfg(test)]
mod history_tests;
mod hunt;
mod linearizable;
mod play;
mod scenario;
mod search;
mod searcher;
mod shown;

pub use bench::{Bench, Staged};
pub use crew::{Unwatched, Watcher, resident_bytes};
pub use fuzz::{FuzzFailure, FuzzTarget, decodes, episode_of_nodes, mutate, spoiled};
pub use history::{HistoryOracle, Translate};
pub use hunt::{Hunted, Mutant, hunt};
pub use linearizable::{Linearizable, Translator};
pub use play::{
    Played, VARIANT_STATES_MAX, Verdict, play_all, play_one, search_main, search_report, test_main,
};
pub use scenario::{Failed, Kind, Outcome, Play, Reel, Scenario, Stage};
pub use search::{
    Desk, Dresser, Found, Orders, Pinned, Replayed, Search, Searched, StageReport, Stop, Without, exhibit,
    search_one,
};
pub use searcher::seeker;
pub use shown::Exhibit;

#[cfg(test)]
mod tests;
