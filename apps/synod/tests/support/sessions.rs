//! Sessions of foreign clients, for any server at an address.

#![allow(dead_code, reason = "each test program uses a part of it")]

use redis::{Commands as _, RedisResult};
use std::net::SocketAddr;
use std::process::Command;

/// A session of Rust's `redis` crate with one server.
pub fn rust_session(address: SocketAddr) -> RedisResult<()> {
    let client = redis::Client::open(format!("redis://{address}"))?;
    rust_commands(&mut client.get_connection()?)?;
    let client = redis::Client::open(format!("redis://{address}/?protocol=resp3"))?;
    rust_commands(&mut client.get_connection()?)
}

/// A session of Rust's `redis` crate with a cluster: it asks for the slots and goes where they are.
pub fn rust_cluster_session(address: SocketAddr) -> RedisResult<()> {
    let client = redis::cluster::ClusterClient::new(vec![format!("redis://{address}")])?;
    let mut connection = client.get_connection()?;
    for index in 0..50 {
        let key = format!("cluster:{index}");
        let () = connection.set(&key, index)?;
        assert_eq!(connection.get::<_, i64>(&key)?, index);
    }
    Ok(())
}

fn rust_commands(connection: &mut redis::Connection) -> RedisResult<()> {
    let () = redis::cmd("FLUSHALL").query(connection)?;
    let () = connection.set("k", "v")?;
    assert_eq!(connection.get::<_, String>("k")?, "v");
    assert_eq!(connection.get::<_, Option<String>>("nothing")?, None);
    assert_eq!(connection.incr::<_, _, i64>("n", 5)?, 5);
    assert_eq!(connection.decr::<_, _, i64>("n", 2)?, 3);
    assert_eq!(connection.append::<_, _, i64>("k", "w")?, 2);
    assert_eq!(connection.strlen::<_, i64>("k")?, 2);
    assert_eq!(connection.getrange::<_, String>("k", 0, 0)?, "v");
    let () = connection.mset(&[("a", 1), ("b", 2)])?;
    assert_eq!(connection.mget::<_, Vec<Option<i64>>>(&["a", "b", "c"])?, [Some(1), Some(2), None]);
    assert!(connection.exists::<_, bool>("a")?);
    assert_eq!(connection.del::<_, i64>(&["a", "b"])?, 2);
    assert!(connection.expire::<_, bool>("k", 100)?);
    assert!((99..=100).contains(&connection.ttl::<_, i64>("k")?));
    assert!(connection.persist::<_, bool>("k")?);
    let () = connection.set_ex("short", "x", 1)?;
    assert!(connection.rename::<_, _, String>("k", "l").is_ok());
    let mut keys: Vec<String> = connection.scan()?.collect::<RedisResult<_>>()?;
    keys.sort();
    assert_eq!(keys, ["l", "n", "short"]);
    let (count, text): (i64, String) = redis::pipe().atomic().incr("n", 1).get("l").query(connection)?;
    assert_eq!((count, text.as_str()), (4, "vw"));
    let watched: (i64,) = redis::transaction(connection, &["n"], |connection, pipe| {
        let old: i64 = connection.get("n")?;
        pipe.set("n", old * 2).ignore().get("n").query(connection)
    })?;
    assert_eq!(watched, (8,));
    let error = redis::cmd("INCR").arg("l").query::<i64>(connection).unwrap_err();
    assert!(error.to_string().contains("not an integer"), "{error}");
    let info: redis::InfoDict = redis::cmd("INFO").query(connection)?;
    assert_eq!(info.get::<i64>("cluster_enabled"), Some(1));
    Ok(())
}

/// A session of Python's `redis` package; `None` if it is not installed.
pub fn python_session(address: SocketAddr) -> Option<()> {
    let has_package = Command::new("python3").args(["-c", "import redis"]).output().ok()?;
    if !has_package.status.success() {
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/session.py");
    let output = Command::new("python3")
        .args([script, &address.ip().to_string(), &address.port().to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python's session failed:\n{text}");
    Some(())
}

/// What `redis-cli` prints; `None` if it is not installed.
pub fn redis_cli(address: SocketAddr, arguments: &[&str]) -> Option<String> {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let output = Command::new("redis-cli").args(["-h", &host, "-p", &port]).args(arguments).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// Runs `redis-benchmark`, which must not meet an error; `None` if it is not installed.
pub fn redis_benchmark(address: SocketAddr, arguments: &[&str]) -> Option<()> {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let output = Command::new("redis-benchmark")
        .args(["-h", &host, "-p", &port, "-q"])
        .args(arguments)
        .output()
        .ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let complaints = ["error", "warning"];
    let is_clean = !complaints.iter().any(|word| text.to_lowercase().contains(word));
    assert!(output.status.success() && is_clean, "{arguments:?}:\n{text}");
    Some(())
}

/// A foreign program is missing: that is said, and is a failure where everything must be there.
pub fn require(what: &str, ran: Option<()>) {
    if ran.is_none() {
        let text = format!("{what} is not installed, nothing was compared with it");
        assert!(std::env::var_os("CI").is_none(), "{text}");
        println!("SKIPPED: {text}");
    }
}
