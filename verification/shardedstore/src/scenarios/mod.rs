//! Scenarios of `shardedstore`.

mod actor;
mod beyond;
mod configurations;
mod moves;
pub mod replacements;
mod service;
mod service_moves;
pub mod store;
pub mod texts;
mod transactions;

pub use actor::{Actor, Lie, Mistake};
pub use beyond::BEYOND;
pub use configurations::CONFIGURATIONS;
pub use moves::{MOVES, MOVES_IN_TROUBLE};
pub use replacements::REPLACEMENTS;
pub use service::SERVICE;
pub use service_moves::SERVICE_MOVES;
pub use transactions::{TRANSACTIONS, TRANSACTIONS_IN_TROUBLE};

use synod_testkit::{Kind, Play, Scenario};

const fn row(number: &'static str, name: &'static str, kind: Kind, play: Play) -> Scenario {
    Scenario::new("shardedstore", number, name, kind, play)
}
