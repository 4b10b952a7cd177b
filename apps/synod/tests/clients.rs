//! Foreign clients use the front door unchanged.

#[path = "support/sessions.rs"]
mod sessions;
mod support;

use sessions::{python_session, redis_benchmark, redis_cli, require, rust_cluster_session, rust_session};
use support::Running;
use synod_resp::{Reply, write_request};
use synod_synod::bench;

#[test]
fn the_redis_crate_runs_a_session() {
    let server = Running::start();
    rust_session(server.address).unwrap();
    rust_cluster_session(server.address).unwrap();
}

#[test]
fn pythons_redis_package_runs_a_session() {
    let server = Running::start();
    require("python's redis package", python_session(server.address));
}

#[test]
fn redis_cli_talks_to_it_in_every_mode() {
    let server = Running::start();
    let say = |arguments: &[&str]| redis_cli(server.address, arguments);
    let Some(set) = say(&["set", "k", "v"]) else { return require("redis-cli", None) };
    assert_eq!(set, "OK");
    assert_eq!(say(&["get", "k"]).unwrap(), "v");
    assert_eq!(say(&["-3", "get", "k"]).unwrap(), "v");
    assert_eq!(say(&["-c", "get", "k"]).unwrap(), "v");
    assert_eq!(say(&["cluster", "keyslot", "foo"]).unwrap(), "12182");
    let check = say(&["--cluster", "check", &server.address.to_string()]).unwrap();
    assert!(check.contains("All 16384 slots covered"), "{check}");
}

#[test]
fn redis_benchmark_meets_no_error() {
    let server = Running::start();
    for more in [["-P", "1"], ["-P", "16"]] {
        let arguments = ["-t", "ping,set,get,incr,mset", "-n", "5000", "-c", "50"];
        let all = [arguments.as_slice(), &more].concat();
        let ran = redis_benchmark(server.address, &all);
        require("redis-benchmark", ran);
    }
}

#[test]
fn the_load_generator_counts_every_answer() {
    let server = Running::start();
    let options = bench::Options {
        addresses: vec![server.address],
        clients: 8,
        pipeline: 4,
        extent: bench::Extent::Requests(5_001),
        value_bytes: 32,
        keys: 100,
        fills: true,
        password: None,
        caller: synod_synod::tls::Caller::PLAIN,
        shows_progress: false,
    };
    for workload in bench::Workload::NAMED {
        let report = bench::run(&options, workload).unwrap();
        assert_eq!((report.requests, report.errors, report.misses), (5_001, 0, 0), "{workload}");
        assert!(report.latency_ms(50.0) > 0.0 && report.rate() > 0.0);
    }
    let time = std::time::Duration::from_millis(100);
    let timed = bench::Options { extent: bench::Extent::Time(time), ..options };
    assert!(bench::run(&timed, bench::Workload::Set).unwrap().elapsed >= time);
}

#[test]
fn pipelined_reads_and_writes_are_answered_in_order() {
    let server = Running::start();
    let mut client = server.connect();
    let mut request = Vec::new();
    for index in 0..1_000 {
        let value = index.to_string();
        write_request(&mut request, &["GET", "k"]);
        write_request(&mut request, &["SET", "k", &value]);
        write_request(&mut request, &["GET", "k"]);
        write_request(&mut request, &["ECHO", &value]);
    }
    client.send(&request);
    for index in 0..1_000 {
        let before = if index == 0 { Reply::Null } else { Reply::bulk((index - 1).to_string()) };
        assert_eq!(client.reply(), Some(before));
        assert_eq!(client.reply(), Some(Reply::OK));
        assert_eq!(client.reply(), Some(Reply::bulk(index.to_string())));
        assert_eq!(client.reply(), Some(Reply::bulk(index.to_string())));
    }
}

/// More replies are ready than are written at a time, and nothing else happens on the connection that could remind the
/// server of the rest.
#[test]
fn pipelined_reads_of_large_values_are_all_answered() {
    const READS: usize = 8;
    let server = Running::start();
    let mut client = server.connect();
    let value = "v".repeat(1 << 20);
    assert_eq!(client.ask(&["SET", "big", &value]), Reply::OK);
    let mut requests = Vec::new();
    (0..READS).for_each(|_| write_request(&mut requests, &["GET", "big"]));
    for _ in 0..20 {
        client.send(&requests);
        for n in 0..READS {
            assert_eq!(client.reply().as_ref(), Some(&Reply::bulk(&value)), "answer {n}");
        }
    }
}

#[test]
fn a_stopping_server_answers_what_it_has_and_lets_go() {
    let server = Running::start();
    let mut client = server.connect();
    assert_eq!(client.ask(&["SET", "k", "v"]), Reply::OK);
    drop(server);
    assert_eq!(client.reply(), None);
}
