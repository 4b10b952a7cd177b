//! `synod up` and `synod status`, as a person at a terminal uses them.

#[path = "support/cluster.rs"]
mod cluster;

use cluster::{PATIENCE, Running, Wire, wait_for};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use synod_resp::Reply;
use synod_stdx::Rng;

fn synod(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synod"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A port from which on three clusters of ports are free, far enough apart for `up`.
fn free_port() -> u16 {
    // No two tests of this process draw the same.
    static DRAWS: AtomicU64 = AtomicU64::new(0);
    let draw = DRAWS.fetch_add(1, Ordering::Relaxed);
    let mut rng = Rng::new(draw << 32 | u64::from(std::process::id()));
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let mut drawn = std::iter::repeat_with(|| rng.between(11_000, 21_000) as u16);
    let fits =
        |port: &u16| (0..3).all(|n| [0, 10_000, 20_000].iter().all(|offset| is_free(port + offset + n)));
    drawn.by_ref().take(100).find(fits).expect("some ports are free")
}

/// Starts `up`, and waits for its welcome.
fn up(data: &Path, port: u16, more: &[&str]) -> (Running, String) {
    let output = data.with_extension("out");
    let file = std::fs::File::create(&output).unwrap();
    let (place, number) = (data.display().to_string(), port.to_string());
    let mut command = synod(&["up", "--data", &place, "--port", &number]);
    command.args(more).stdout(file.try_clone().unwrap()).stderr(file);
    let mut process = Running::of(command.spawn().unwrap());
    let said = || std::fs::read_to_string(&output).unwrap();
    let welcome = wait_for(PATIENCE, || {
        assert_eq!(process.ended(), None, "{}", said());
        Some(said()).filter(|text| text.contains("Stop it"))
    });
    (process, welcome.unwrap_or_else(|| panic!("no welcome: {}", said())))
}

fn stop(mut process: Running) {
    process.signal(libc::SIGINT);
    let status = process.wait(PATIENCE).expect("an interrupt ends it");
    assert!(status.success(), "{status}");
}

fn ask(port: u16, words: &[&str]) -> Reply {
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    Wire::open(address, PATIENCE).and_then(|mut wire| wire.ask(words)).expect("an answer")
}

fn run(arguments: &[&str]) -> (Output, String) {
    let output = synod(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
    (output, text)
}

#[test]
fn one_command_starts_a_cluster_and_the_next_one_has_its_data() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("cluster");
    let place = data.display().to_string();
    let port = free_port();
    let (process, welcome) = up(&data, port, &[]);
    assert!(welcome.contains(&format!("redis-cli -p {port} set greeting hello")), "{welcome}");
    assert_eq!(ask(port, &["SET", "greeting", "hello"]), Reply::OK);
    for number in 0..3 {
        assert_eq!(ask(port + number, &["GET", "greeting"]), Reply::bulk("hello"));
    }
    let (output, table) = run(&["status", "--data", &place]);
    assert!(
        output.status.success()
            && table
                .lines()
                .filter(|line| line.starts_with("n1 ") || line.starts_with("n2 ") || line.starts_with("n3 "))
                .count()
                == 3,
        "{table}"
    );
    assert!(table.contains("0-8191       g1") && table.contains("8192-16383   g2"), "{table}");
    assert!(table.contains("leader") && table.contains("follower"), "{table}");
    let (output, json) = run(&["status", "--json", "--data", &place]);
    assert!(output.status.success(), "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let nodes = json["nodes"].as_array().expect("a list of nodes");
    let executed = nodes.iter().map(|node| node["status"]["groups"][0]["chosen_through"].as_u64());
    assert!(nodes.len() == 3 && executed.max() > Some(Some(0)), "{json}");
    // A second one on the same ports says what is in its way.
    let other = directory.path().join("other").display().to_string();
    let (output, text) = run(&["up", "--data", &other, "--port", &port.to_string()]);
    assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
    assert!(text.contains(&format!("port {port}")) && text.contains("--port"), "{text}");
    stop(process);
    let (output, table) = run(&["status", "--data", &place]);
    assert!(!output.status.success() && table.contains("down"), "{table}");

    let (process, _) = up(&data, port, &[]);
    assert_eq!(ask(port + 1, &["GET", "greeting"]), Reply::bulk("hello"));
    // A second one in the same directory touches nothing of the first one's, whatever its port.
    let other_port = free_port().to_string();
    let files = || std::fs::read_to_string(data.join("node1/synod.toml")).unwrap();
    let before = files();
    for more in [&[][..], &["--fresh", "--yes"]] {
        let (output, text) = run(&[&["up", "--data", place.as_str(), "--port", &other_port], more].concat());
        assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
        assert!(text.contains("a cluster of another `synod up` runs there; stop it"), "{text}");
    }
    assert_eq!(files(), before);
    assert_eq!(ask(port + 1, &["GET", "greeting"]), Reply::bulk("hello"));
    stop(process);
    for (more, expected) in [
        (&["--groups", "5"][..], "--groups 5: the store in"),
        (&["--nodes", "5"], "has 3 nodes; say --nodes 3, or --fresh"),
        (&["--fresh"], "--fresh: this deletes node1, node2, node3, peer-key in"),
    ] {
        let (output, text) = run(&[&["up", "--data", place.as_str(), "--port", &other_port], more].concat());
        assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
        assert!(text.contains(expected), "{text}");
    }
    let (process, _) = up(&data, port, &["--fresh", "--yes"]);
    assert_eq!(ask(port + 2, &["GET", "greeting"]), Reply::Null);
    stop(process);
}

#[test]
fn what_is_not_a_clusters_directory_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("letter");
    std::fs::write(&kept, "dear reader").unwrap();
    let place = directory.path().display().to_string();
    for more in [&[][..], &["--fresh"]] {
        let (output, text) = run(&[&["up", "--data", place.as_str()], more].concat());
        assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
    }
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "dear reader");
}

/// The lines about groups in what `synod status` prints: group, owned and held slots, leaving and coming ones.
fn group_lines(place: &str) -> Vec<(String, [usize; 4])> {
    let (output, table) = run(&["status", "--data", place]);
    assert!(output.status.success(), "{table}");
    let groups = table.split("owns").nth(1).expect("a table of groups");
    let lines = groups.lines().filter(|line| line.starts_with('g'));
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let numbers = [2, 3, 4, 5].map(|at| words[at].parse().expect("a number"));
        (words[0].to_owned(), numbers)
    };
    lines.map(line).collect()
}

#[test]
fn groups_join_and_leave_and_slots_move_by_one_command_each() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("cluster");
    let place = data.display().to_string();
    let port = free_port();
    let (process, welcome) = up(&data, port, &["--groups", "2"]);
    assert!(welcome.contains("2 groups") && welcome.contains("synod group join 3"), "{welcome}");
    let keys: Vec<String> = (0..500).map(|n| format!("key{n}")).collect();
    for (at, key) in (0..).zip(&keys) {
        assert_eq!(ask(port + at % 3, &["SET", key, "v"]), Reply::OK);
    }
    let change = |arguments: &[&str]| {
        let (output, text) = run(&[arguments, &["--data", &place]].concat());
        assert!(output.status.success() && text.contains("Every slot is where it belongs."), "{text}");
    };
    let group = |name: &str, slots| (name.to_owned(), [slots, slots, 0, 0]);
    change(&["group", "join", "3"]);
    let three = vec![group("g1", 5462), group("g2", 5461), group("g3", 5461)];
    assert_eq!(group_lines(&place), three);
    change(&["slot", "move", "0", "99", "g2"]);
    assert_eq!(group_lines(&place)[0].1[0] + 100, 5462);
    change(&["rebalance"]);
    let counts: Vec<usize> = group_lines(&place).iter().map(|(_, numbers)| numbers[0]).collect();
    assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
    change(&["group", "leave", "g1"]);
    assert_eq!(group_lines(&place)[0], group("g1", 0));
    assert_eq!(ask(port, &["DBSIZE"]), Reply::Integer(500));
    let all: Vec<&str> = ["MGET"].into_iter().chain(keys.iter().map(String::as_str)).collect();
    assert_eq!(ask(port + 1, &all), Reply::Array(vec![Reply::bulk("v"); 500]));

    let (output, history) = run(&["config", "history", "--data", &place]);
    assert!(output.status.success() && history.lines().count() == 5, "{history}");
    assert!(history.starts_with("0  g1 on 1,2,3  g2 on 1,2,3  0-8191:g1,8192-16383:g2"), "{history}");
    for (arguments, expected) in [
        (&["group", "join", "2"][..], "g2 is a group already; choose another name, or let it leave first"),
        (&["group", "leave", "9"], "g9 is no group; let it join first"),
        (
            &["group", "join", "4", "--nodes", "7"],
            "there is no node 7; name some of [1, 2, 3], or none for all",
        ),
        (
            &["group", "join", "1", "--nodes", "2"],
            "g1 was a group of other nodes before; choose a new number",
        ),
        (&["rebalance"], "the slots are balanced already"),
        (&["group", "leave", "x"], "a group is written as its number, from 1, or as g3"),
    ] {
        let (output, text) = run(&[arguments, &["--data", &place]].concat());
        assert!(!output.status.success() && text.contains(expected), "{arguments:?}: {text}");
    }
    stop(process);
    // The groups that came are there again, and so is what they have.
    let (process, welcome) = up(&data, port, &[]);
    assert!(welcome.contains("group 3"), "{welcome}");
    assert_eq!(ask(port + 2, &["DBSIZE"]), Reply::Integer(500));
    assert_eq!(ask(port + 2, &all), Reply::Array(vec![Reply::bulk("v"); 500]));
    stop(process);
}

#[test]
fn who_loses_its_terminal_stops_in_order() {
    // Also where whoever runs the tests has said that they outlive a terminal: what they start would ignore its end.
    // SAFETY: it sets what a signal does, and nothing here relies on it.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
    let directory = tempfile::tempdir().unwrap();
    let (mut process, _) = up(&directory.path().join("cluster"), free_port(), &["--nodes", "1"]);
    process.signal(libc::SIGHUP);
    let status = process.wait(PATIENCE).expect("a hangup ends it");
    assert!(status.success(), "{status}");
    let mut node = cluster::Cluster::start(1);
    let mut process = node.node(1).process.take().unwrap();
    process.signal(libc::SIGHUP);
    let status = process.wait(PATIENCE).expect("a hangup ends a node");
    assert!(status.success() && node.node(1).setup.log().contains("handing over"), "{status}");
}

/// A program whose output nobody reads ends, and no bug of it is reported.
#[test]
fn a_reader_that_goes_away_is_no_panic() {
    for arguments in [&["test", "--module", "pingpong", "--seeds", "50"][..], &["bench", "--help"]] {
        let mut child =
            synod(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked") && output.status.code() != Some(101), "{}: {said}", output.status);
    }
}

/// A node whose disk is damaged stays down and says why; the others serve, and it is brought back while they do.
#[test]
fn a_node_that_cannot_start_does_not_keep_the_others_down() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("cluster");
    let port = free_port();
    let (process, _) = up(&data, port, &[]);
    assert_eq!(ask(port, &["SET", "k", "v"]), Reply::OK);
    stop(process);
    let broken = data.join("node3");
    for name in ["superblock-a", "superblock-b"] {
        std::fs::write(broken.join(name), "").unwrap();
    }
    let (process, _) = up(&data, port, &[]);
    let said = std::fs::read_to_string(data.with_extension("out")).unwrap();
    assert!(said.contains("node 3 ended: synod: ") && said.contains("superblock-a is damaged"), "{said}");
    assert_eq!(ask(port + 1, &["GET", "k"]), Reply::bulk("v"));
    let (output, text) = run(&["disk", "check", broken.to_str().unwrap(), "--repair-from-peers"]);
    assert!(output.status.success(), "{text}");
    stop(process);
    let (process, _) = up(&data, port, &[]);
    assert!(
        wait_for(PATIENCE, || (ask(port + 2, &["GET", "k"]) == Reply::bulk("v")).then_some(())).is_some(),
        "the third one serves again"
    );
    stop(process);
}
