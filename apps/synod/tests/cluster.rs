//! Three real nodes under load while they are killed, stopped, restarted and robbed of their disks.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/load.rs"]
mod load;

use cluster::{Cluster, PATIENCE, Wire, wait_for, write_until_acknowledged};
use load::Load;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use synod_resp::Reply;

/// How long they go on until there are checkpoints.
const CHECKPOINT_PATIENCE: Duration = Duration::from_secs(60);
/// How long the clients work before a fault, during it and after it.
const STRETCH: Duration = Duration::from_millis(1_000);

/// Kills `victims` at once under load, and brings them back.
fn kill_and_restart(cluster: &mut Cluster, load: &Load, victims: &[u32]) {
    std::thread::sleep(STRETCH);
    load.next_phase();
    std::thread::sleep(STRETCH / 4);
    victims.iter().for_each(|number| cluster.kill(*number));
    std::thread::sleep(STRETCH);
    victims.iter().for_each(|number| cluster.restart(*number));
    cluster.await_leader();
    load.await_progress();
}

#[test]
fn whatever_is_killed_clients_see_one_linearizable_store_and_lose_nothing() {
    let mut cluster = Cluster::start(3);
    let load = Load::start(&cluster.client_addresses());
    load.await_progress();
    let leader = cluster.await_leader();
    kill_and_restart(&mut cluster, &load, &[leader]);
    let follower = cluster.follower();
    kill_and_restart(&mut cluster, &load, &[follower]);
    let (leader, follower) = (cluster.await_leader(), cluster.follower());
    kill_and_restart(&mut cluster, &load, &[leader, follower]);
    kill_and_restart(&mut cluster, &load, &[1, 2, 3]);
    // The load goes on until it was enough for checkpoints to replace records, on slow machines too.
    let deadline = Instant::now() + CHECKPOINT_PATIENCE;
    while !cluster.nodes.iter().all(|node| has_checkpoint(&node.setup.data())) && Instant::now() < deadline {
        std::thread::sleep(STRETCH / 4);
    }
    let addresses = cluster.client_addresses();
    println!("{}", load.finish(&addresses));
    for node in &cluster.nodes {
        assert!(has_checkpoint(&node.setup.data()), "no checkpoint of {}", node.setup.data().display());
    }
}

fn has_checkpoint(data: &Path) -> bool {
    let files = std::fs::read_dir(data.join("journal")).unwrap();
    files.into_iter().any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with("checkpoint-"))
}

#[test]
fn a_killed_leader_is_replaced_within_a_second_or_so() {
    let mut cluster = Cluster::start(3);
    let mut gaps = Vec::new();
    for round in 0..7 {
        let leader = cluster.await_leader();
        cluster.await_caught_up();
        let survivors: Vec<SocketAddr> = cluster
            .numbers()
            .into_iter()
            .filter(|number| *number != leader)
            .map(|number| cluster.client_address(number))
            .collect();
        write_until_acknowledged(&survivors, "before", &round.to_string());
        let killed = Instant::now();
        cluster.kill(leader);
        let gap = write_until_acknowledged(&survivors, "after", &round.to_string()) - killed;
        println!("kill -9 of the leader, node {leader}: the next write is acknowledged after {gap:.0?}");
        gaps.push(gap);
        cluster.restart(leader);
    }
    gaps.sort_unstable();
    let median = gaps[gaps.len() / 2];
    println!("unavailability after a kill -9 of the leader: median {median:.0?}, longest {:.0?}", gaps[6]);
    assert!(median < Duration::from_secs(5), "{gaps:?}");
}

#[test]
fn a_leader_that_was_paused_serves_no_stale_read() {
    let mut cluster = Cluster::start(3);
    let paused = cluster.await_leader();
    let survivors: Vec<SocketAddr> = cluster
        .numbers()
        .into_iter()
        .filter(|number| *number != paused)
        .map(|number| cluster.client_address(number))
        .collect();
    write_until_acknowledged(&survivors, "k", "old");
    let mut wire = Wire::open(cluster.client_address(paused), PATIENCE).unwrap();
    assert_eq!(wire.ask(&["GET", "k"]), Some(Reply::bulk("old")));
    let process = cluster.node(paused).process.as_ref().unwrap();
    process.signal(libc::SIGSTOP);
    write_until_acknowledged(&survivors, "k", "new");
    // It wakes up, takes itself for the leader, and finds a read in its socket.
    wire.send(&["GET", "k"]).unwrap();
    process.signal(libc::SIGCONT);
    assert_eq!(wire.receive(), Some(Reply::bulk("new")));
}

#[test]
fn a_leader_that_is_told_to_stop_hands_over_and_ends_well() {
    let mut cluster = Cluster::start(3);
    let mut gaps = Vec::new();
    for _ in 0..3 {
        let leader = cluster.await_leader();
        cluster.await_caught_up();
        let follower = cluster.client_address(cluster.follower());
        let is_done = AtomicBool::new(false);
        let (ended, gap) = std::thread::scope(|scope| {
            let writer = scope.spawn(|| longest_gap(follower, &is_done));
            std::thread::sleep(Duration::from_millis(300));
            let ended = cluster.stop(leader);
            std::thread::sleep(Duration::from_millis(500));
            is_done.store(true, Ordering::Relaxed);
            (ended, writer.join().unwrap())
        });
        let (status, took) = ended;
        println!("SIGTERM of the leader, node {leader}: ended after {took:.0?}, longest gap {gap:.0?}");
        assert!(status.success(), "{status}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        gaps.push(gap);
        cluster.restart(leader);
    }
    gaps.sort_unstable();
    assert!(gaps[1] < Duration::from_secs(2), "{gaps:?}");
}

/// Writes through one node until told to end; the longest time between two acknowledged writes.
fn longest_gap(address: SocketAddr, is_done: &AtomicBool) -> Duration {
    let mut wire = Wire::open(address, PATIENCE).unwrap();
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    while !is_done.load(Ordering::Relaxed) {
        match wire.ask(&["INCR", "writes"]) {
            Some(Reply::Integer(_)) => {
                longest = longest.max(last.elapsed());
                last = Instant::now();
            }
            other => println!("while the leader stops: {other:?}"),
        }
    }
    longest
}

#[test]
fn a_node_that_lost_its_disk_catches_up_under_a_new_life_and_counts_again() {
    let mut cluster = Cluster::start(3);
    let load = Load::start(&cluster.client_addresses());
    load.await_progress();
    let lost = cluster.follower();
    cluster.kill(lost);
    std::fs::remove_dir_all(cluster.node(lost).setup.data()).unwrap();
    std::thread::sleep(STRETCH);
    cluster.node(lost).setup.incarnation = 1;
    cluster.restart(lost);
    let is_back = || cluster.status(lost).filter(|_| cluster.follows(lost));
    let status = wait_for(PATIENCE, is_back).expect("it never stops rejoining");
    assert!(status.keys > 0, "{status:?}");
    cluster.await_caught_up();
    load.await_progress();
    // It counts: with the other follower gone, nothing is chosen without it.
    let leader = cluster.await_leader();
    let other = cluster.numbers().into_iter().find(|number| ![lost, leader].contains(number)).unwrap();
    cluster.kill(other);
    load.await_progress();
    load.await_progress();
    cluster.restart(other);
    // The same again, and it may lead too.
    if leader != lost {
        cluster.kill(leader);
        cluster.await_leader();
        load.await_progress();
        cluster.restart(leader);
    }
    let addresses = cluster.client_addresses();
    println!("{}", load.finish(&addresses));
}
