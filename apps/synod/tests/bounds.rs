//! What a node takes stays within bounds, whatever its clients do.

#[path = "support/cluster.rs"]
mod cluster;

use cluster::{Cluster, PATIENCE, Wire};
use std::path::Path;
use synod_resp::Reply;

const MIB: u64 = 1 << 20;

/// The bytes of all files below a directory. One that goes while it is looked at counts as nothing.
fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// The member of the configuration service writes a few records at the beginning and then nothing: they must not keep all
/// that the groups write from then on.
#[test]
fn a_journal_stays_short_however_much_is_written_over_little_data() {
    let mut cluster = Cluster::start_with_groups(1, 3);
    let mut wire = Wire::open(cluster.client_address(1), PATIENCE).unwrap();
    let value = "v".repeat(MIB as usize);
    let keys = ["{a}", "{b}", "{c}", "{d}"];
    let data = cluster.node(1).setup.data();
    let mut most = 0;
    for round in 0..560 {
        // Most of it goes to one group.
        let key = if round % 40 == 0 { keys[round / 40 % 4] } else { keys[0] };
        assert_eq!(wire.ask(&["SET", key, &value]), Some(Reply::OK));
        most = most.max(bytes_below(&data));
    }
    let live = 4 * MIB;
    assert!(most <= 2 * live + 256 * MIB, "{} MiB on the disk", most / MIB);
    let process = cluster.node(1).process.as_ref().unwrap().id();
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    assert!(open < 40, "{open} descriptors are open");
    cluster.kill(1);
    cluster.restart(1);
    cluster.await_leader();
    let mut wire = Wire::open(cluster.client_address(1), PATIENCE).unwrap();
    assert_eq!(wire.ask(&["STRLEN", keys[0]]), Some(Reply::Integer(MIB as i64)));
}
