//! Scenarios of `paxos`.

mod beyond;
mod cluster;
pub(crate) mod oracles;
mod rows;

pub use beyond::BEYOND;
pub use rows::SCENARIOS;

use synod_testkit::{Kind, Play, Scenario};

const fn row(number: &'static str, name: &'static str, kind: Kind, play: Play) -> Scenario {
    Scenario::new("paxos", number, name, kind, play)
}
