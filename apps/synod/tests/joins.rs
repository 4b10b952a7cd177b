//! A group joins while one of its nodes dies and comes back: every slot arrives, whenever it died.
//!
//! `JOINS_SEED` and `JOINS_ROUNDS` go through other seeds and more of them than the suite does.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/load.rs"]
mod load;

use cluster::{Cluster, PATIENCE, Wire, wait_for};
use load::Load;
use std::time::{Duration, Instant};
use synod_resp::Reply;
use synod_stdx::Rng;
use synod_synod::administer::missing;

/// How long one node lets an operator wait.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// How many groups join one after the other in one cluster; each takes its part of the slots.
const JOINS: u32 = 3;
/// The slots of a join arrive within this, once all nodes run.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);

/// A change is made through any node that runs; the number of its configuration.
fn change(cluster: &Cluster, words: &[&str]) -> u64 {
    let words = [&["SYNOD"], words].concat();
    let made = wait_for(PATIENCE, || {
        cluster.client_addresses().into_iter().find_map(|address| {
            match Wire::open(address, ANSWER_MAX)?.ask(&words)? {
                Reply::Integer(number) => Some(number.cast_unsigned()),
                _ => None,
            }
        })
    });
    made.unwrap_or_else(|| panic!("{words:?} is not answered"))
}

/// Waits until every slot is where the configuration has it; how long that took.
fn await_arrival(cluster: &Cluster, configuration: u64, seed: u64) -> Duration {
    let started = Instant::now();
    let said =
        || cluster.numbers().into_iter().filter_map(|number| cluster.status(number)).collect::<Vec<_>>();
    let is_there = || missing(&said(), configuration).filter(|missing| *missing == 0);
    let arrived = wait_for(ARRIVAL_MAX, || {
        std::thread::sleep(Duration::from_millis(20));
        is_there()
    });
    let missing = missing(&said(), configuration);
    assert!(arrived.is_some(), "JOINS_SEED={seed}: {missing:?} slots do not arrive: {:#?}", said());
    started.elapsed()
}

/// Groups join a cluster under load. During each join one of its nodes is killed, and it comes back after a while.
fn join_with_a_death(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut cluster = Cluster::start_with_groups(3, 1);
    let addresses = cluster.client_addresses();
    let load = Load::start(&addresses);
    load.await_progress();
    for group in 2..2 + JOINS {
        load.next_phase();
        let victim = 1 + rng.below(3) as u32;
        let number = change(&cluster, &["GROUP", "JOIN", &format!("g{group}"), "1", "2", "3"]);
        // Most of a join is over in a tenth of a second; a few steps come later.
        let width = if rng.chance(500) { 100 } else { 1_000 };
        std::thread::sleep(Duration::from_millis(rng.below(width)));
        cluster.kill(victim);
        std::thread::sleep(Duration::from_millis(rng.below(2_000)));
        cluster.restart(victim);
        let took = await_arrival(&cluster, number, seed);
        println!("seed {seed}: g{group} joined {took:.1?} after node {victim} came back");
    }
    load.await_progress();
    println!("seed {seed}: {}", load.finish(&addresses));
}

#[test]
fn a_group_joins_while_one_of_its_nodes_dies_and_comes_back() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("it is a number"));
    let first: u64 = number("JOINS_SEED").unwrap_or(1);
    for seed in first..first + number("JOINS_ROUNDS").unwrap_or(1) {
        join_with_a_death(seed);
    }
}
