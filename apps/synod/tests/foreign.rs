//! Foreign clients use a real cluster unchanged, through every node of it.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/sessions.rs"]
mod sessions;

use cluster::{Cluster, PATIENCE, wait_for};
use sessions::{python_session, redis_benchmark, redis_cli, require, rust_cluster_session, rust_session};

#[test]
fn rusts_redis_crate_runs_its_sessions_through_every_node() {
    let cluster = Cluster::start(3);
    for address in cluster.client_addresses() {
        rust_session(address).unwrap();
        rust_cluster_session(address).unwrap();
    }
}

#[test]
fn pythons_redis_package_runs_its_session_through_every_node() {
    let cluster = Cluster::start(3);
    for address in cluster.client_addresses() {
        require("python's redis package", python_session(address));
    }
}

#[test]
fn redis_cli_writes_at_one_node_and_reads_at_every_other() {
    let cluster = Cluster::start(3);
    let addresses = cluster.client_addresses();
    for writer in &addresses {
        let value = writer.to_string();
        let Some(set) = redis_cli(*writer, &["set", "k", &value]) else { return require("redis-cli", None) };
        assert_eq!(set, "OK");
        for reader in &addresses {
            for mode in [&[][..], &["-3"], &["-c"]] {
                let words = [mode, &["get", "k"]].concat();
                assert_eq!(redis_cli(*reader, &words).unwrap(), value, "{words:?}");
            }
        }
        let check = redis_cli(*writer, &["--cluster", "check", &value]).unwrap();
        assert!(check.contains("All 16384 slots covered"), "{check}");
    }
}

#[test]
fn redis_benchmark_meets_no_error_at_any_node() {
    let cluster = Cluster::start(3);
    for address in cluster.client_addresses() {
        for pipeline in ["1", "16"] {
            let arguments = ["-t", "set,get,incr,mset", "-n", "2000", "-c", "50", "-P", pipeline];
            require("redis-benchmark", redis_benchmark(address, &arguments));
        }
    }
}

#[test]
fn redis_benchmark_and_redis_cli_take_several_groups_for_a_cluster() {
    let cluster = Cluster::start_with_groups(3, 2);
    cluster.await_settled(0);
    let address = cluster.client_addresses()[0];
    let Some(_) = redis_cli(address, &["ping"]) else { return require("redis-cli", None) };
    // It measures masters, and wants two: the groups' first leaders are on different nodes.
    let masters = || redis_cli(address, &["cluster", "info"]).filter(|info| info.contains("cluster_size:2"));
    assert!(wait_for(PATIENCE, masters).is_some(), "{:?}", redis_cli(address, &["cluster", "info"]));
    for pipeline in ["1", "16"] {
        let tests = "set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,mset";
        let arguments = ["--cluster", "-t", tests, "-n", "1000", "-r", "200", "-c", "20", "-P", pipeline];
        require("redis-benchmark", redis_benchmark(address, &arguments));
    }
    let check = redis_cli(address, &["--cluster", "check", &address.to_string()]).unwrap();
    for line in ["in 2 masters", "All nodes agree about slots configuration", "All 16384 slots covered"] {
        assert!(check.contains(line), "{check}");
    }
}
