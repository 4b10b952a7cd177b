//! Clients that ask for more than the nodes can do: what is let in is answered, the rest never happened, and it ends with them.

// The first test overloads the machine on purpose: one at a time.
#[path = "support/alone.rs"]
mod alone;
#[path = "support/cluster.rs"]
mod cluster;

use alone::alone;
use cluster::{Cluster, PATIENCE, Wire};
use std::time::Duration;
use synod_resp::Reply;
use synod_synod::bench::{Extent, Options, Step, Workload, run_steps};
use synod_synod::tls::Caller;

fn options(cluster: &Cluster, clients: usize) -> Options {
    Options {
        addresses: cluster.client_addresses(),
        clients,
        pipeline: 1,
        extent: Extent::Time(Duration::from_secs(1)),
        value_bytes: 1_000,
        keys: 10_000,
        fills: false,
        password: None,
        caller: Caller::PLAIN,
        shows_progress: false,
    }
}

#[test]
fn overload_leaves_nothing_in_doubt_and_ends_with_its_cause() {
    let _alone = alone();
    let cluster = Cluster::start(3);
    cluster.await_leader();
    // No machine does that many.
    let steps =
        [Step { rate: 200, seconds: 1 }, Step { rate: 150_000, seconds: 3 }, Step { rate: 200, seconds: 6 }];
    let course = run_steps(&options(&cluster, 50), Workload::Set, &steps).unwrap();
    let (done, refused) = course
        .seconds()
        .iter()
        .fold((0, 0), |(done, refused), second| (done + second.done, refused + second.refused));
    assert!(course.is_good(), "an error that is no refusal, or no answer: {course:?}");
    assert!(refused > 0 && done > 0, "{done} were done, {refused} refused");
    let last = &course.seconds()[8..10];
    assert!(last.iter().all(|second| second.refused == 0 && second.done > 0), "it goes on: {last:?}");
    let metrics = cluster.metrics(1);
    assert!(metrics.contains("synod_requests_timed_out_total 0\n"), "{metrics}");
}

#[test]
fn a_command_over_all_slots_and_groups_is_answered_in_time() {
    let _alone = alone();
    let cluster = Cluster::start_with_groups(3, 2);
    cluster.await_leader();
    let mut wire = Wire::open(cluster.client_address(1), PATIENCE).unwrap();
    let keys: Vec<String> = (0..100_000).map(|number| format!("key:{number}")).collect();
    let mut words = vec!["MSET"];
    words.extend(keys.iter().flat_map(|key| [key.as_str(), "v"]));
    assert_eq!(wire.ask(&words), Some(Reply::OK));
    words = vec!["DEL"];
    words.extend(keys.iter().map(String::as_str));
    assert_eq!(wire.ask(&words), Some(Reply::Integer(100_000)));
    // What it could not do well it refuses, and goes on.
    words.extend(keys.iter().chain(&keys).map(String::as_str));
    let refusal =
        "ERR a command of 300001 words is longer than this server's limit of 262144; send it in parts";
    assert_eq!(wire.ask(&words), Some(Reply::error(refusal)));
    assert_eq!(wire.ask(&["PING"]), Some(Reply::simple("PONG")));
}
