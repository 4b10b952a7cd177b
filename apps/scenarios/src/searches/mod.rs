//! The searches of all modules: claims that the model checker shows.

pub mod beyond;
pub mod clientserver;
pub mod fail_over;
pub mod group;
pub mod hand_over;
pub mod locks;
pub mod pair;
pub mod paxos;
pub mod pingpong;
pub mod primarybackup;
pub mod replacing;
pub mod shardedstore;
pub mod shards;

use synod_testkit::Search;

/// Every search of every module, in order.
pub fn all() -> Vec<Search> {
    [
        pingpong::SEARCHES,
        clientserver::SEARCHES,
        primarybackup::SEARCHES,
        fail_over::SEARCHES,
        paxos::SEARCHES,
        beyond::SEARCHES,
        shardedstore::SEARCHES,
        hand_over::SEARCHES,
        replacing::SEARCHES,
        locks::SEARCHES,
    ]
    .concat()
}
