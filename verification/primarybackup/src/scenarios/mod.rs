//! Scenarios of `primarybackup`.

mod beyond;
mod rows;
mod service;
mod views;

pub use beyond::BEYOND;
pub use rows::SCENARIOS;
pub use views::VIEWS;

use synod_testkit::{Kind, Play, Scenario};

const fn row(number: &'static str, name: &'static str, kind: Kind, play: Play) -> Scenario {
    Scenario::new("primarybackup", number, name, kind, play)
}
