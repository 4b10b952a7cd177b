//! A member of a group is replaced under load, on real nodes that are killed: its place on another node counts afterwards.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/load.rs"]
mod load;

use cluster::{Cluster, PATIENCE, Wire, wait_for};
use load::Load;
use std::time::Duration;
use synod_resp::Reply;
use synod_synod::administer::{missing, role_of};

/// The group whose member is replaced: the only one, on three of four nodes.
const GROUP: &str = "g2";
const ANSWER_MAX: Duration = Duration::from_secs(8);

/// What a node answers to an operator's words.
fn operate(cluster: &Cluster, node: u32, words: &[&str]) -> Option<Reply> {
    Wire::open(cluster.client_address(node), ANSWER_MAX)?.ask(&[&["SYNOD"], words].concat())
}

/// A change is made; the number of its configuration.
fn change(cluster: &Cluster, node: u32, words: &[&str]) -> u64 {
    let made = wait_for(PATIENCE, || match operate(cluster, node, words)? {
        Reply::Integer(number) => Some(number.cast_unsigned()),
        other => panic!("{words:?}: {other:?}"),
    });
    made.unwrap_or_else(|| panic!("{words:?} is not answered"))
}

fn refused(cluster: &Cluster, node: u32, words: &[&str], expected: &str) {
    match operate(cluster, node, words) {
        Some(Reply::Error(text)) => assert!(text.contains(expected), "{words:?}: {text}"),
        other => panic!("{words:?}: {other:?}"),
    }
}

/// Waits until every slot is where the configuration has it: all of them move, which takes its time on a busy disk.
fn await_settled(cluster: &Cluster, configuration: u64) {
    let missing = || {
        let said: Vec<_> =
            cluster.numbers().into_iter().filter_map(|number| cluster.status(number)).collect();
        missing(&said, configuration)
    };
    let is_settled = || {
        std::thread::sleep(Duration::from_millis(50));
        missing().filter(|missing| *missing == 0)
    };
    assert!(wait_for(3 * PATIENCE, is_settled).is_some(), "slots do not arrive: {:?}", missing());
}

fn await_role(cluster: &Cluster, node: u32, roles: &[&str]) {
    let role = || role_of(&cluster.status(node).into_iter().collect::<Vec<_>>(), GROUP, node);
    let is_there = || role().filter(|role| roles.contains(&role.as_str()));
    assert!(wait_for(PATIENCE, is_there).is_some(), "node {node} is {:?}, not one of {roles:?}", role());
}

/// The node has no member of the group any more: the one that it had knew that it was replaced, and ended.
fn await_gone(cluster: &Cluster, node: u32) {
    let role = || Some(role_of(&[cluster.status(node)?], GROUP, node));
    let gone = wait_for(PATIENCE, || role().filter(Option::is_none));
    assert!(gone.is_some(), "node {node} is {:?} in {GROUP}", role());
}

#[test]
fn a_dead_nodes_place_is_taken_by_another_and_counts() {
    let mut cluster = Cluster::start_with_groups(4, 1);
    for words in [&["GROUP", "JOIN", GROUP, "1", "2", "3"] as &[&str], &["GROUP", "LEAVE", "g1"]] {
        let number = change(&cluster, 1, words);
        await_settled(&cluster, number);
    }
    let addresses = cluster.client_addresses();
    let living = [addresses[0], addresses[3]];
    let load = Load::start(&living);
    load.await_progress();

    refused(&cluster, 1, &["MEMBER", "REPLACE", GROUP, "3", "9"], "there is no node 9");
    refused(&cluster, 1, &["MEMBER", "REPLACE", GROUP, "4", "3"], "node 4 is no member");
    refused(&cluster, 1, &["MEMBER", "REPLACE", GROUP, "3", "1"], "node 1 is a member of the group already");
    cluster.kill(3);
    load.next_phase();
    let knows = || (!cluster.status(1)?.connected.contains(&3)).then_some(());
    assert!(wait_for(PATIENCE, knows).is_some(), "node 1 does not notice that node 3 is gone");
    refused(&cluster, 1, &["MEMBER", "REPLACE", GROUP, "2", "4"], "cannot spare node 2 while node 3 is away");
    change(&cluster, 1, &["MEMBER", "REPLACE", GROUP, "3", "4"]);
    await_role(&cluster, 4, &["follower", "candidate", "leader"]);
    load.await_progress();

    // The old one comes back, and learns that it is over.
    for _ in 0..2 {
        cluster.restart(3);
        await_gone(&cluster, 3);
        cluster.kill(3);
    }

    // Two of the first three are gone; what is left is a quorum.
    load.next_phase();
    cluster.kill(2);
    load.await_progress();
    println!("{}", load.finish(&living));

    // A restart finds the new member where it was. The configuration service has a quorum for it again.
    cluster.restart(2);
    cluster.kill(4);
    cluster.restart(4);
    await_role(&cluster, 4, &["follower", "candidate", "leader"]);
    let reads = || Wire::open(living[1], ANSWER_MAX)?.ask(&["GET", "counter"]);
    assert!(matches!(wait_for(PATIENCE, reads), Some(Reply::Bulk(_))), "the data is lost");
}

/// Of five nodes, three play a group; one of them is replaced while it is alive. Every node may restart afterwards, alone and
/// all at once, and so once more.
#[test]
fn a_node_whose_member_was_replaced_starts_again() {
    let mut cluster = Cluster::start_with_groups(5, 1);
    let number = change(&cluster, 1, &["GROUP", "JOIN", GROUP, "1", "2", "4"]);
    await_settled(&cluster, number);
    let addresses = cluster.client_addresses();
    let keys: Vec<String> = (0..40).map(|index| format!("key:{index}")).collect();
    for key in &keys {
        cluster::write_until_acknowledged(&addresses, key, "before");
    }
    change(&cluster, 1, &["MEMBER", "REPLACE", GROUP, "4", "5"]);
    await_role(&cluster, 5, &["follower", "candidate", "leader"]);
    await_gone(&cluster, 4);
    for node in [4, 4, 5, 1] {
        cluster.kill(node);
        cluster.restart(node);
    }
    await_gone(&cluster, 4);
    for _ in 0..2 {
        cluster.numbers().into_iter().for_each(|node| cluster.kill(node));
        cluster.numbers().into_iter().for_each(|node| cluster.restart(node));
    }
    await_gone(&cluster, 4);
    await_role(&cluster, 5, &["follower", "candidate", "leader"]);
    for key in &keys {
        cluster::write_until_acknowledged(&addresses[3..4], key, "after");
    }
}
