//! Foreign clients use a real cluster unchanged, through every node of it.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/sessions.rs"]
mod sessions;

use cluster::Cluster;
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
