//! Nodes on machines of their own, between which the network fails: silently, one way, for long.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/net.rs"]
mod net;

use cluster::{PATIENCE, wait_for};
use net::{Machines, inside};
use std::time::{Duration, Instant};
use synod_resp::Reply;

/// A write through this node is acknowledged.
fn writes(machines: &Machines, node: u32, value: &str) -> Option<()> {
    let mut wire = machines.client(node, Duration::from_millis(500))?;
    (wire.ask(&["SET", "k", value])? == Reply::OK).then_some(())
}

/// How long it takes from now until a node serves.
fn serves_after(machines: &Machines, node: u32) -> Duration {
    let begin = Instant::now();
    let served = wait_for(PATIENCE, || {
        let mut wire = machines.client(node, Duration::from_millis(200))?;
        wire.ask(&["GET", "k"]).filter(|reply| !reply.is_error())
    });
    assert!(served.is_some(), "node {node} does not serve");
    begin.elapsed()
}

/// The leader is cut off for a while. Connections whose data nobody acknowledges must not wait as long as they were silent.
fn heals_after(outages: &[u64]) {
    let machines = Machines::start(3);
    for seconds in outages {
        let leader = machines.cluster.await_leader();
        machines.isolate(leader, true);
        let others: Vec<u32> =
            machines.cluster.numbers().into_iter().filter(|node| *node != leader).collect();
        assert!(wait_for(PATIENCE, || writes(&machines, others[0], "during")).is_some(), "the others go on");
        std::thread::sleep(Duration::from_secs(*seconds));
        machines.isolate(leader, false);
        let took = serves_after(&machines, leader);
        println!("after {seconds} s of silence: serves again after {} ms", took.as_millis());
        assert!(took < Duration::from_secs(5), "it waited {took:?} after {seconds} s");
    }
}

#[test]
fn a_node_serves_soon_after_a_partition_however_long_it_was() {
    inside("a_node_serves_soon_after_a_partition_however_long_it_was", || heals_after(&[1, 12]));
}

#[test]
#[ignore = "takes minutes: `cargo test -p synod-synod --test networks -- --ignored`"]
fn a_node_serves_soon_after_partitions_of_a_minute() {
    inside("a_node_serves_soon_after_partitions_of_a_minute", || heals_after(&[5, 20, 60, 60]));
}

/// Whether a node hears a majority of three that hears it.
fn has_quorum(cut: &[(u32, u32)]) -> bool {
    let is_two_way = |a: u32, b: u32| !cut.contains(&(a, b)) && !cut.contains(&(b, a));
    [(1, 2), (1, 3), (2, 3)].into_iter().any(|(a, b)| is_two_way(a, b))
}

/// Each of the topologies `chosen`, one after the other without a pause: of the six ways, those in the number's bits are cut.
fn commit_in(chosen: impl Iterator<Item = u32>) {
    let machines = Machines::start(3);
    let links = machines.links();
    let mut is_cut: Vec<(u32, u32)> = Vec::new();
    let mut longest = Duration::ZERO;
    for topology in chosen {
        let cut: Vec<(u32, u32)> = links
            .iter()
            .enumerate()
            .filter(|(bit, _)| topology & 1 << bit != 0)
            .map(|(_, link)| *link)
            .collect();
        links
            .iter()
            .filter(|link| is_cut.contains(link) && !cut.contains(link))
            .for_each(|(a, b)| machines.heal(*a, *b));
        links
            .iter()
            .filter(|link| cut.contains(link) && !is_cut.contains(link))
            .for_each(|(a, b)| machines.cut(*a, *b));
        is_cut.clone_from(&cut);
        if !has_quorum(&cut) {
            continue;
        }
        let begin = Instant::now();
        let value = format!("in {topology}");
        let committed = wait_for(PATIENCE, || (1..=3).find_map(|node| writes(&machines, node, &value)));
        assert!(committed.is_some(), "no write with {cut:?} cut");
        longest = longest.max(begin.elapsed());
        println!("{cut:?} cut: a write after {} ms", begin.elapsed().as_millis());
    }
    println!("the longest: {} ms", longest.as_millis());
}

#[test]
fn whatever_ways_are_cut_who_has_a_quorum_commits() {
    // Those that cut off a node one way or both ways, and a chain.
    let chosen = [0b00_0011, 0b11_0000, 0b00_0101, 0b10_1000, 0b00_0110, 0b01_0010];
    inside("whatever_ways_are_cut_who_has_a_quorum_commits", || commit_in(chosen.into_iter()));
}

#[test]
#[ignore = "takes minutes: `cargo test -p synod-synod --test networks -- --ignored`"]
fn in_every_one_of_64_topologies_who_has_a_quorum_commits() {
    inside("in_every_one_of_64_topologies_who_has_a_quorum_commits", || commit_in(0..64));
}
