//! Scenarios of `shardedstore`.

mod configurations;
mod service;

pub use configurations::CONFIGURATIONS;
pub use service::SERVICE;

use synod_testkit::{Kind, Play, Scenario};

const fn row(number: &'static str, name: &'static str, kind: Kind, play: Play) -> Scenario {
    Scenario::new("shardedstore", number, name, kind, play)
}
