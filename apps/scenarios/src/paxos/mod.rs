//! Scenarios of `paxos`.

mod beyond;
mod cluster;
mod oracles;
mod rows;

pub use beyond::BEYOND;
pub use rows::SCENARIOS;

use synod_testkit::{Failed, Kind, Outcome, Scenario, Stage};

const fn row(
    number: &'static str,
    name: &'static str,
    kind: Kind,
    play: fn(&Stage) -> Result<Outcome, Box<Failed>>,
) -> Scenario {
    Scenario { module: "paxos", number, name, kind, seeds: 20, play }
}
