//! A state that is larger than any buffer: a node that lost its disk gets it, and nobody holds it twice.

#[path = "support/cluster.rs"]
mod cluster;

use cluster::{Cluster, PATIENCE, Wire, wait_for};
use std::time::{Duration, Instant};
use synod_resp::Reply;

const VALUE_BYTES: usize = 256 << 10;
const VALUES: usize = 400;

/// The most memory that a process ever had, and what it has, in KiB.
fn memory_kib(process: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux says so");
        line.trim_start_matches(':').trim_end_matches("kB").trim().parse::<u64>().unwrap()
    };
    (field("VmHWM"), field("VmRSS"))
}

fn value(index: usize) -> String {
    format!("{index:08}").repeat(VALUE_BYTES / 8)
}

/// The longest of some writes through a node.
fn slowest_write(wire: &mut Wire, count: usize) -> Duration {
    let one = |_| {
        let begun = Instant::now();
        assert_eq!(wire.ask(&["SET", "other", "x"]), Some(Reply::OK));
        begun.elapsed()
    };
    (0..count).map(one).max().unwrap()
}

#[test]
fn a_large_state_reaches_a_node_that_lost_its_disk_and_no_node_holds_it_twice() {
    let mut cluster = Cluster::start(3);
    let leader = cluster.await_leader();
    let lost = cluster.follower();
    let mut wire = Wire::open(cluster.client_address(leader), PATIENCE).unwrap();
    for index in 0..VALUES {
        assert_eq!(wire.ask(&["SET", &format!("key:{index}"), &value(index)]), Some(Reply::OK));
    }
    cluster.await_caught_up();
    cluster.kill(lost);
    std::fs::remove_dir_all(cluster.node(lost).setup.data()).unwrap();
    let leader_process = cluster.node(leader).process.as_ref().unwrap().id();
    let data_kib = (VALUES * VALUE_BYTES / 1024) as u64;
    // So that what the leader takes for the transfer shows, whatever it took before.
    std::fs::write(format!("/proc/{leader_process}/clear_refs"), "5").unwrap();
    let (before, _) = memory_kib(leader_process);
    cluster.node(lost).setup.incarnation = 1;
    cluster.restart(lost);
    let slowest = slowest_write(&mut wire, 20);
    let is_back = || cluster.status(lost).filter(|_| cluster.follows(lost));
    wait_for(PATIENCE, is_back).expect("it never stops rejoining");
    cluster.await_caught_up();
    let (peak, _) = memory_kib(leader_process);
    let lost_process = cluster.node(lost).process.as_ref().unwrap().id();
    let (lost_peak, _) = memory_kib(lost_process);
    println!(
        "{data_kib} KiB: the leader's peak {before} -> {peak} KiB, the new node's {lost_peak} KiB, slowest write {slowest:?}"
    );
    assert!(peak < before + data_kib / 3, "the leader held the state once more: {before} KiB, then {peak}");
    assert!(lost_peak < before * 13 / 10, "the new node held the state twice: {lost_peak} KiB");
    let parts = |number, name: &str| {
        let metrics = cluster.metrics(number);
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        line.unwrap_or_else(|| panic!("no {name} in {metrics}"))
    };
    assert!(parts(lost, "synod_state_parts_received_total") * 256 >= data_kib);
    assert!(parts(leader, "synod_state_parts_sent_total") * 256 < data_kib * 3 / 2, "it was sent twice");
    // It has all, and from its own disk too.
    cluster.kill(lost);
    cluster.restart(lost);
    cluster.await_caught_up();
    cluster.kill(leader);
    let mut wire = Wire::open(cluster.client_address(lost), PATIENCE).unwrap();
    for index in [0, 1, VALUES / 2, VALUES - 1] {
        let key = format!("key:{index}");
        let found = wait_for(PATIENCE, || wire.ask(&["GET", &key]).filter(|reply| !reply.is_error()));
        assert!(found == Some(Reply::bulk(value(index))), "{key}");
    }
}
