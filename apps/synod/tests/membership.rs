//! The cluster's membership is in its log: nodes come and go while it serves, files that differ make no second history, and a
//! lost disk is found out. On real processes.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/load.rs"]
mod load;

use cluster::{Cluster, PATIENCE, Wire, wait_for};
use load::Load;
use std::fs;
use std::time::Duration;
use synod_resp::Reply;
use synod_synod::administer::role_of;

const ANSWER_MAX: Duration = Duration::from_secs(8);

fn operate(cluster: &Cluster, node: u32, words: &[&str]) -> Option<Reply> {
    Wire::open(cluster.client_address(node), ANSWER_MAX)?.ask(&[&["SYNOD"], words].concat())
}

/// A change is made, as soon as it can be.
fn change(cluster: &Cluster, node: u32, words: &[&str]) {
    let mut last = None;
    let made = wait_for(PATIENCE, || {
        last = operate(cluster, node, words);
        matches!(last, Some(Reply::Integer(_))).then_some(())
    });
    assert!(made.is_some(), "{words:?}: {last:?}");
}

fn refused(cluster: &Cluster, node: u32, words: &[&str], expected: &str) {
    match operate(cluster, node, words) {
        Some(Reply::Error(text)) => assert!(text.contains(expected), "{words:?}: {text}"),
        other => panic!("{words:?}: {other:?}"),
    }
}

fn add(cluster: &Cluster, by: u32, node: u32) {
    let ports = cluster.nodes[node as usize - 1].setup.own;
    let (peer, client) = (ports.peer.to_string(), ports.client.to_string());
    change(cluster, by, &["NODE", "ADD", &node.to_string(), &peer, &client]);
}

fn await_role(cluster: &Cluster, node: u32, group: &str, roles: &[&str]) {
    let role = || role_of(&cluster.status(node).into_iter().collect::<Vec<_>>(), group, node);
    let is_there = || role().filter(|role| roles.contains(&role.as_str()));
    let came = wait_for(PATIENCE, is_there);
    assert!(came.is_some(), "node {node} is {:?} in {group}, not one of {roles:?}", role());
}

const COUNTS: [&str; 3] = ["follower", "candidate", "leader"];

/// Four nodes, of which the first three found the cluster; the file of the fourth lists itself and node 1.
fn three_and_one() -> Cluster {
    let mut cluster = Cluster::prepare(4);
    for node in &mut cluster.nodes {
        node.setup.listed = Some(if node.setup.node == 4 { vec![1, 4] } else { vec![1, 2, 3] });
    }
    found(&mut cluster);
    cluster
}

/// Starts the first three nodes, and waits until they serve.
fn found(cluster: &mut Cluster) {
    (1..=3).for_each(|node| cluster.spawn(node));
    cluster.await_leader();
    for node in 1..=3 {
        assert!(wait_for(PATIENCE, || cluster.status(node)).is_some(), "node {node} does not come");
    }
}

fn await_log(cluster: &Cluster, node: u32, words: &str) {
    let setup = &cluster.nodes[node as usize - 1].setup;
    let said = wait_for(PATIENCE, || setup.log().contains(words).then_some(()));
    assert!(said.is_some(), "node {node} does not say `{words}`:\n{}", setup.log());
}

#[test]
fn a_node_comes_takes_every_place_of_another_and_that_one_goes() {
    let mut cluster = three_and_one();
    let addresses = cluster.client_addresses();
    let load = Load::start(&addresses[..2]);
    load.await_progress();
    cluster.spawn(4);
    await_log(&cluster, 4, "the cluster has no node 4; add it first");
    refused(&cluster, 1, &["MEMBER", "REPLACE", "g1", "3", "4"], "there is no node 4");
    add(&cluster, 2, 4);
    refused(&cluster, 1, &["NODE", "ADD", "4", "h:1", "h:2"], "node 4 belongs to the cluster already");
    assert!(wait_for(PATIENCE, || cluster.status(4)).is_some(), "node 4 does not come");
    refused(&cluster, 1, &["NODE", "REMOVE", "3"], "node 3 has a member of g1");
    change(&cluster, 1, &["MEMBER", "REPLACE", "g1", "3", "4"]);
    await_role(&cluster, 4, "g1", &COUNTS);
    refused(&cluster, 1, &["NODE", "REMOVE", "3"], "node 3 has a member of the configuration service");
    change(&cluster, 1, &["MEMBER", "REPLACE", "config", "3", "4"]);
    await_role(&cluster, 4, "config", &COUNTS);
    change(&cluster, 1, &["NODE", "REMOVE", "3"]);
    await_log(&cluster, 3, "node 3 was removed from the cluster");
    assert!(cluster.node(3).process.as_mut().unwrap().wait(PATIENCE).is_some(), "node 3 goes on");

    // The new node counts: with it and one other there is a majority, of the group and of the service, also after a restart.
    load.next_phase();
    cluster.kill(4);
    cluster.restart(4);
    await_role(&cluster, 4, "g1", &COUNTS);
    cluster.kill(1);
    load.next_phase();
    load.await_progress();
    change(&cluster, 2, &["NODE", "ADD", "9", "127.0.0.1:9", "127.0.0.1:10"]);
    cluster.restart(1);
    println!("{}", load.finish(&[addresses[0], addresses[1], addresses[3]]));
    // Node 3 stays away with its old disk.
    cluster.node(3).process = None;
    cluster.spawn(3);
    assert!(cluster.node(3).process.as_mut().unwrap().wait(PATIENCE).is_some(), "a removed node runs");
}

/// Nodes go from a group and from the service and come back, into their own seat and into that of another, while others are
/// killed; each node drops what its former member wrote.
#[test]
fn a_node_comes_back_to_a_group_that_it_left() {
    let mut cluster = three_and_one();
    let addresses = cluster.client_addresses();
    add(&cluster, 1, 4);
    cluster.spawn(4);
    assert!(wait_for(PATIENCE, || cluster.status(4)).is_some(), "node 4 does not come");
    let load = Load::start(&addresses[..1]);
    load.await_progress();
    let changes =
        [("g1", 3, 4), ("g1", 2, 3), ("config", 3, 4), ("g1", 4, 2), ("config", 2, 3), ("g1", 2, 4)];
    for (number, (group, old, new)) in changes.into_iter().enumerate() {
        // Node 1 is asked: it is always a member, and never killed.
        change(&cluster, 1, &["MEMBER", "REPLACE", group, &old.to_string(), &new.to_string()]);
        let killed = if number % 2 == 0 { old } else { new };
        cluster.kill(killed);
        cluster.restart(killed);
        await_role(&cluster, new, group, &COUNTS);
        let ended = || {
            let log = cluster.nodes[old as usize - 1].setup.log();
            let ends = log.matches("a member that was replaced ends here").count();
            let gone = changes[..=number].iter().filter(|(_, gone, _)| *gone == old).count();
            (ends >= gone).then_some(())
        };
        assert!(wait_for(PATIENCE, ended).is_some(), "the member of {group} on node {old} goes on");
        // It starts without its former member, of whose log something may be left.
        cluster.kill(old);
        cluster.restart(old);
    }
    refused(&cluster, 1, &["MEMBER", "REPLACE", "g1", "2", "3"], "node 2 is no member of the group");
    refused(&cluster, 1, &["MEMBER", "REPLACE", "g1", "3", "4"], "node 4 is a member of the group already");
    load.next_phase();
    load.await_progress();
    println!("{}", load.finish(&addresses));
}

#[test]
fn lists_that_differ_make_no_second_history() {
    let mut cluster = Cluster::prepare(5);
    for node in &mut cluster.nodes {
        node.setup.listed = (node.setup.node <= 3).then(|| vec![1, 2, 3]);
    }
    cluster.spawn(4);
    cluster.spawn(5);
    found(&mut cluster);
    await_log(&cluster, 4, "the cluster has no node 4; add it first");
    // Nobody takes part by another list, and nobody changes its list later.
    cluster.kill(3);
    cluster.node(3).setup.listed = None;
    cluster.spawn(3);
    let ended = cluster.node(3).process.as_mut().unwrap().wait(PATIENCE);
    assert!(ended.is_some_and(|status| !status.success()), "node 3 runs by another list");
    await_log(&cluster, 3, "the cluster has no node 4 as far as this node knows, but 1, 2, 3; add it");
    cluster.node(3).process = None;
    cluster.kill(1);
    cluster.kill(2);
    std::thread::sleep(Duration::from_secs(2));
    for node in [4, 5] {
        assert_eq!(cluster.status(node), None, "node {node} serves");
    }
    cluster.node(3).setup.listed = Some(vec![1, 2, 3]);
    found(&mut cluster);
}

#[test]
fn a_lost_disk_is_found_out_and_the_old_one_is_refused() {
    let mut cluster = Cluster::start(3);
    let addresses = cluster.client_addresses();
    let load = Load::start(&addresses[..2]);
    load.await_progress();
    cluster.kill(3);
    let data = cluster.node(3).setup.data();
    let old = data.with_extension("old");
    fs::rename(&data, &old).unwrap();
    cluster.restart(3);
    await_log(&cluster, 3, "this node has lived before");
    for group in ["g1", "config"] {
        await_role(&cluster, 3, group, &COUNTS);
    }
    // It counts: with it there is a majority.
    cluster.kill(1);
    load.next_phase();
    load.await_progress();
    cluster.restart(1);
    // Lost once more, and the first one put back.
    cluster.kill(3);
    fs::remove_dir_all(&data).unwrap();
    cluster.restart(3);
    await_role(&cluster, 3, "g1", &COUNTS);
    cluster.kill(3);
    fs::rename(&data, data.with_extension("newest")).unwrap();
    fs::rename(&old, &data).unwrap();
    cluster.spawn(3);
    await_log(&cluster, 3, "superseded");
    std::thread::sleep(Duration::from_secs(1));
    let role = role_of(&cluster.status(3).into_iter().collect::<Vec<_>>(), "g1", 3);
    assert!(role.is_none_or(|role| role != "leader"), "a disk that was given up leads");
    println!("{}", load.finish(&addresses[..2]));
}
