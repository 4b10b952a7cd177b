//! The fuzz targets of the modules: no node panics, whatever message a process sends that is let in.

use synod_registry::fuzz_targets as targets;

/// Episodes that panicked once, each at another place.
const FOUND: &[(&str, u64)] = &[
    ("clientserver", 3),
    ("clientserver", 9),
    ("primarybackup", 30),
    ("primarybackup", 429),
    ("primarybackup", 484),
    ("primarybackup", 531),
    ("primarybackup", 2_789),
    ("paxos", 1),
    ("paxos", 221),
    ("paxos", 242),
    ("paxos", 1_007_598),
    ("shardedstore", 3),
    ("shardedstore", 350),
    ("shardedstore", 26_719),
    ("shardedstore", 1_003_444),
    ("store", 5),
    ("store", 1_141),
    ("store", 2_594),
    ("store", 9_788),
];

#[test]
fn what_was_found_is_mended() {
    for target in targets() {
        for (_, seed) in FOUND.iter().filter(|(name, _)| *name == target.name) {
            let run = target.run(*seed, 1);
            assert!(run.is_ok(), "{}", run.unwrap_err());
        }
    }
}

#[test]
fn no_strange_message_makes_a_node_panic() {
    for target in targets() {
        let run = target.run(1, 20_000);
        assert!(run.is_ok(), "{}", run.unwrap_err());
    }
}
