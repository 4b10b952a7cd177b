//! The searches of all modules: claims that the model checker shows.

pub mod pingpong;

use synod_testkit::Search;

/// Every search of every module, in order.
pub fn all() -> Vec<Search> {
    [pingpong::SEARCHES].concat()
}
