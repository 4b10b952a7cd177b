//! Nodes on machines of their own, between which the network fails: silently, one way, for long.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/net.rs"]
mod net;

use cluster::{PATIENCE, Wire, wait_for};
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

/// Writes through all nodes in turn for so long, while so many of 1,000 packets between the nodes are lost. The longest time
/// without a write.
fn longest_gap_with_loss(permille: u32, lasts: Duration) -> Duration {
    let machines = Machines::start(3);
    machines.cluster.await_leader();
    machines.lose(permille);
    let (begin, mut last, mut longest) = (Instant::now(), Instant::now(), Duration::ZERO);
    let (mut written, mut asked) = (0, 0);
    let mut clients: Vec<Option<Wire>> = (1..=3).map(|_| None).collect();
    while begin.elapsed() < lasts.max(last.duration_since(begin) + PATIENCE) {
        let at = asked % 3;
        asked += 1;
        let client =
            clients[at].take().or_else(|| machines.client(at as u32 + 1, Duration::from_millis(700)));
        let Some(mut client) = client else { continue };
        if client.ask(&["SET", "k", &asked.to_string()]) == Some(Reply::OK) {
            let gap = last.elapsed();
            if gap > Duration::from_secs(1) {
                println!("after {:.1?}: {gap:.1?} without a write", begin.elapsed());
            }
            (longest, last) = (longest.max(gap), Instant::now());
            written += 1;
            clients[at] = Some(client);
        }
        if begin.elapsed() >= lasts && last.elapsed() < Duration::from_millis(700) {
            break;
        }
    }
    let lost = machines.lost();
    println!(
        "{written} of {asked} writes in {lasts:.0?}, {lost} packets lost; at most {longest:.1?} without one"
    );
    assert!(lost > 100, "packets are lost");
    longest.max(last.elapsed())
}

/// Whether packets can be lost by chance here.
fn has_nft() -> bool {
    let is_there = std::process::Command::new("nft").arg("--version").output().is_ok();
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "nftables is not installed, nothing loses packets");
        println!("SKIPPED: nftables is not installed, nothing loses packets");
    }
    is_there
}

#[test]
fn writes_go_on_while_a_third_of_all_packets_is_lost() {
    inside("writes_go_on_while_a_third_of_all_packets_is_lost", || {
        if has_nft() {
            let longest = longest_gap_with_loss(300, Duration::from_secs(12));
            assert!(longest < PATIENCE, "no write for {longest:.1?}");
        }
    });
}

#[test]
#[ignore = "takes minutes: `cargo test -p synod-synod --test networks -- --ignored`"]
fn writes_go_on_for_minutes_while_a_third_of_all_packets_is_lost() {
    inside("writes_go_on_for_minutes_while_a_third_of_all_packets_is_lost", || {
        if has_nft() {
            let longest = longest_gap_with_loss(300, Duration::from_secs(120));
            assert!(longest < PATIENCE, "no write for {longest:.1?}");
        }
    });
}
