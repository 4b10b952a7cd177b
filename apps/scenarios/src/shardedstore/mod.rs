//! Scenarios of `shardedstore`.

mod configurations;

pub use configurations::CONFIGURATIONS;

use synod_testkit::{Kind, Play, Scenario};

const fn row(number: &'static str, name: &'static str, kind: Kind, play: Play) -> Scenario {
    Scenario::new("shardedstore", number, name, kind, play)
}
