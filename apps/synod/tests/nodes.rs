//! What nodes refuse: damaged disks, strangers, impostors, noise. Each refusal has a name, and the cluster serves on.

#[path = "support/cluster.rs"]
mod cluster;

use cluster::{Cluster, NAME, PATIENCE, Ports, Setup, wait_for, write_until_acknowledged};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use synod_host::Refusal;
use synod_host::frame::{ANSWER_BYTES, GO, Hello, answer_from_bytes, put_frame};
use synod_node::NodeId;
use synod_stdx::{Digest, Malformed, Reader, Rng, Wire, Writer};

/// The segment of a stopped node's journal that holds the most, and how many bytes of it are used.
fn fullest_segment(setup: &Setup) -> (PathBuf, usize) {
    let files = std::fs::read_dir(setup.data().join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let segments = files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("segment-"));
    let used = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
    };
    segments
        .map(|path| (path.clone(), used(&path)))
        .max_by_key(|(_, used)| *used)
        .expect("a journal has segments")
}

#[test]
fn a_damaged_journal_is_named_and_its_node_does_not_start() {
    let mut cluster = Cluster::start(3);
    let addresses = cluster.client_addresses();
    for index in 0..200 {
        write_until_acknowledged(&addresses, &format!("key:{index}"), &"v".repeat(200));
    }
    let victim = cluster.follower();
    cluster.await_caught_up();
    assert!(cluster.stop(victim).0.success());
    let setup = cluster.node(victim).setup.clone();
    let (segment, used) = fullest_segment(&setup);
    let mut bytes = std::fs::read(&segment).unwrap();
    // Inside of a value: the zeros between records mean nothing.
    let flipped = used / 2 + bytes[used / 2..].windows(8).position(|window| window == [b'v'; 8]).unwrap();
    bytes[flipped] ^= 0x10;
    std::fs::write(&segment, &bytes).unwrap();

    let said = setup.log().len();
    let mut process = setup.start();
    let status = process.wait(PATIENCE).expect("it does not start");
    let news = setup.log().split_off(said);
    println!("{news}");
    assert!(!status.success() && status.code().is_some(), "{status}");
    let words = news.lines().find(|line| line.starts_with("synod: ")).expect("it says why");
    let name = segment.file_name().unwrap().to_string_lossy();
    for expected in [&*name, "is damaged at byte ", "slots", &format!("n100{victim}")] {
        assert!(words.contains(expected), "{expected} is missing: {words}");
    }
    let digits = words.split("at byte ").nth(1).unwrap();
    let offset: usize = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    assert!(offset <= flipped && flipped - offset < 4096, "byte {offset}, damaged at {flipped}");
    write_until_acknowledged(&addresses, "after", "the refusal");

    // What the message advises works: it comes back with an empty disk, as a new life.
    std::fs::remove_dir_all(setup.data()).unwrap();
    cluster.node(victim).setup.incarnation = 1;
    cluster.restart(victim);
    let is_back = || cluster.status(victim).filter(|status| cluster.follows(victim) && status.keys > 200);
    assert!(wait_for(PATIENCE, is_back).is_some(), "{:?}", cluster.status(victim));
}

#[test]
fn one_directory_serves_one_process() {
    let mut cluster = Cluster::start(3);
    let setup = cluster.node(2).setup.clone();
    let second = Setup { own: Ports::free(1)[0], directory: cluster.place().join("second"), ..setup.clone() };
    std::fs::create_dir_all(&second.directory).unwrap();
    std::os::unix::fs::symlink(setup.data(), second.data()).unwrap();
    let status = second.start().wait(PATIENCE).expect("it does not start");
    assert!(!status.success(), "{status}");
    assert!(second.log().contains("in use by another program"), "{}", second.log());
    write_until_acknowledged(&cluster.client_addresses(), "k", "v");
}

#[test]
fn of_two_nodes_with_one_number_only_one_is_let_in() {
    let cluster = Cluster::start(3);
    let follower = cluster.follower();
    let directory = cluster.place().join("impostor");
    let setup = &cluster.nodes[follower as usize - 1].setup;
    let impostor = Setup { own: Ports::free(1)[0], directory, ..setup.clone() };
    let _process = impostor.start();
    let told = "two processes have one number";
    let is_told = || impostor.log().contains(told).then_some(());
    assert!(wait_for(PATIENCE, is_told).is_some(), "nobody says that {told}");
    assert!(cluster.status(follower).is_some(), "the node that runs goes on");
    write_until_acknowledged(&cluster.client_addresses(), "k", "v");
}

#[test]
fn a_node_of_another_cluster_is_refused_by_name() {
    let mut cluster = Cluster::start(3);
    let stranger = cluster.follower();
    cluster.kill(stranger);
    let leader = cluster.await_leader();
    let directory = cluster.place().join("stranger");
    let setup = &cluster.nodes[stranger as usize - 1].setup;
    let other = Setup { cluster: "other".to_owned(), directory, ..setup.clone() };
    let _process = other.start();
    cluster.await_refusal(leader, "other_cluster", 0);
    let is_told = || other.log().contains("the peer belongs to another cluster").then_some(());
    assert!(wait_for(PATIENCE, is_told).is_some(), "{}", other.log());
    write_until_acknowledged(&[cluster.client_address(leader)], "k", "v");
}

/// The number that no process of the cluster under attack runs under.
const ABSENT: u32 = 3;

/// Bytes in the place of a message.
struct Noise(Vec<u8>);

impl Wire for Noise {
    fn encode(&self, out: &mut Writer<'_>) {
        out.extend_from_slice(&self.0);
    }

    fn decode(_: &mut Reader<'_>) -> Result<Noise, Malformed> {
        Err(Malformed("noise is not read"))
    }
}

/// Whom the noise goes to.
struct Target {
    cluster: Cluster,
    node: u32,
    address: SocketAddr,
    /// The number of the absent node's disk.
    disk: u128,
}

impl Target {
    /// Two nodes of three, so that the third one's number is free for the test.
    fn start() -> Target {
        let mut cluster = Cluster::start(3);
        cluster.kill(ABSENT);
        let node = cluster.await_leader();
        let address = cluster.node(node).setup.own.peer;
        let superblock = std::fs::read(cluster.node(ABSENT).setup.data().join("superblock-a")).unwrap();
        let disk = u128::from_le_bytes(superblock[16..32].try_into().unwrap());
        Target { cluster, node, address, disk }
    }

    fn hello(&self) -> Hello {
        let cluster = Digest::of(NAME.as_bytes());
        // No later than a real start: the real node of this number could come back.
        let (from, to) = (ABSENT, self.node);
        Hello { cluster, from, to, incarnation: 0, start: u64::MAX, nonce: 1, disk: self.disk }
    }

    /// Sends `bytes` to the peer port; the connection must be dropped and counted as `reason`, or as nothing.
    fn check(&self, what: &str, bytes: &[u8], reason: Option<&str>) -> Vec<u8> {
        let before = reason.map(|reason| (reason, self.cluster.refusals(self.node, reason)));
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may be closed before everything is written.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let closed = stream.read_to_end(&mut answer);
        if let Err(error) = closed {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{what} is not dropped");
        }
        if let Some((reason, before)) = before {
            self.cluster.await_refusal(self.node, reason, before);
        }
        write_until_acknowledged(&[self.cluster.client_address(self.node)], "after", what);
        answer
    }

    fn check_hello(&self, hello: Hello, refusal: Refusal) {
        let answer = self.check(refusal.name(), &hello.to_bytes(), Some(refusal.name()));
        let answer: [u8; ANSWER_BYTES] = answer.try_into().expect("a refusal is answered");
        assert_eq!(answer_from_bytes(&answer).0, Err(refusal));
    }
}

#[test]
fn nothing_that_comes_to_the_peer_port_harms_a_node() {
    let target = Target::start();
    let hello = target.hello();
    let mut rng = Rng::new(5);
    for length in [1, 41, 42, 43, 10_000] {
        let noise: Vec<u8> = (0..length).map(|_| rng.next_u64() as u8).collect();
        target.check("noise", &noise, Some("not_a_peer"));
    }
    target.check("http", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", Some("not_a_peer"));
    target.check("redis", b"*1\r\n$4\r\nPING\r\n", Some("not_a_peer"));
    target.check("nothing", b"", None);
    let good = hello.to_bytes();
    let flipped = |at: usize, mask: u8| {
        let mut bytes = good.clone();
        bytes[at] ^= mask;
        bytes
    };
    target.check("wrong magic", &flipped(0, 1), Some("not_a_peer"));
    target.check("newer version", &flipped(9, 0x80), Some("newer_version"));
    target.check("wrong checksum", &flipped(good.len() - 1, 1), Some("not_a_peer"));
    target.check("half a hello", &good[..20], Some("not_a_peer"));
    target.check_hello(Hello { cluster: 1, ..hello }, Refusal::OtherCluster);
    target.check_hello(Hello { to: 77, ..hello }, Refusal::OtherNode);
    target.check_hello(Hello { from: 77, ..hello }, Refusal::UnknownNode);
    target.check_hello(Hello { disk: !hello.disk, ..hello }, Refusal::OtherDisk);
    target.check_hello(Hello { from: target.node, ..hello }, Refusal::Myself);

    let mut frame = Vec::new();
    put_frame(&mut frame, 0, (NodeId::server(ABSENT), NodeId::server(target.node)), &Noise(vec![0xee]));
    let unknown_tag = frame.clone();
    let mut broken = frame.clone();
    *broken.last_mut().unwrap() ^= 1;
    let mut stranger = Vec::new();
    put_frame(&mut stranger, 0, (NodeId::server(target.node), NodeId::server(target.node)), &Noise(vec![0]));
    let frames: [(&str, Vec<u8>, Option<&str>); 6] = [
        ("a frame of 4 GB", [0xff; 8].to_vec(), Some("frame_too_large")),
        ("a frame too small", [0; 8].to_vec(), Some("frame_too_small")),
        ("a wrong checksum", broken, Some("frame_checksum")),
        ("an unknown tag", unknown_tag, Some("frame_malformed")),
        ("somebody else's name", stranger, Some("frame_misdirected")),
        // That its sender went away is all that is wrong with it.
        ("half a frame", frame[..frame.len() - 1].to_vec(), None),
    ];
    for (what, bytes, reason) in frames {
        target.check(what, &[good.as_slice(), &[GO], &bytes].concat(), reason);
    }
    target.check_hello(Hello { start: 1, ..hello }, Refusal::Superseded);
}

/// Whoever has the key is a peer, and may have a bug, or somebody behind it: what no peer ever says ends its connection and no
/// process. A ballot that has none after it ended nodes, and so did one in the receiver's own name.
#[test]
fn what_no_peer_says_is_refused_and_nobody_ends() {
    use synod_paxos::{Ballot, Message as Paxos, Slot};
    type Message = synod_shardedstore::Message<synod_store::Keyspace>;
    let target = Target::start();
    let ballot = |round, node| Ballot { round, node: NodeId::server(node), life: 0 };
    let prepare =
        |ballot| -> Message { Message::Masters(Paxos::Prepare { ballot, chosen_through: Slot::ZERO }) };
    let (sender, server, gateway) =
        (NodeId::server(ABSENT), NodeId::server(target.node), NodeId::client(target.node));
    let said: [(&str, NodeId, Message, &str); 7] = [
        ("no ballot after it", server, prepare(ballot(u64::MAX, ABSENT)), "frame_malformed"),
        ("in its receiver's name", server, prepare(ballot(9, target.node)), "frame_unexpected"),
        ("in a third name", server, prepare(ballot(9, 77)), "frame_unexpected"),
        (
            "no slot after it",
            server,
            Message::Masters(Paxos::Prepare { ballot: ballot(9, ABSENT), chosen_through: Slot(u64::MAX) }),
            "frame_malformed",
        ),
        ("what clients are told", server, Message::Results { lots: Vec::new() }, "frame_unexpected"),
        ("what servers are told", gateway, Message::Submit { lots: Vec::new() }, "frame_unexpected"),
        ("another role's matter", server, Message::Submit { lots: Vec::new() }, "frame_unexpected"),
    ];
    for (what, to, message, reason) in said {
        let mut bytes = target.hello().to_bytes();
        bytes.push(GO);
        put_frame(&mut bytes, 0, (sender, to), &message);
        target.check(what, &bytes, Some(reason));
    }
}

#[test]
fn random_frames_of_an_admitted_peer_end_its_connection_only() {
    let target = Target::start();
    let mut rng = Rng::new(6);
    for round in 0..60 {
        let mut bytes = target.hello().to_bytes();
        // Every tag that is written is a small number.
        let tag = 0x80 | rng.next_u64() as u8;
        let message = std::iter::once(tag).chain((0..rng.below(200)).map(|_| rng.next_u64() as u8)).collect();
        bytes.push(GO);
        put_frame(&mut bytes, 0, (NodeId::server(ABSENT), NodeId::server(target.node)), &Noise(message));
        let reason = if rng.chance(500) {
            "frame_malformed"
        } else {
            let last = bytes.len() - 1;
            bytes[last - rng.below(9) as usize] ^= 1 << rng.below(8);
            "frame_checksum"
        };
        target.check(&format!("round {round}"), &bytes, Some(reason));
    }
}

/// A node that lost its data and began as if nothing had happened would make a majority with one that missed what only it
/// and a third node knew. It waits until the log can say what it is.
#[test]
fn a_node_whose_disk_is_lost_makes_no_majority_with_one_that_lags() {
    let mut cluster = Cluster::start(3);
    let leader = cluster.await_leader();
    let [missing, lost] =
        cluster.numbers().into_iter().filter(|number| *number != leader).collect::<Vec<_>>()[..]
    else {
        panic!("three nodes")
    };
    write_until_acknowledged(&cluster.client_addresses(), "k", "old");
    cluster.kill(missing);
    write_until_acknowledged(&[cluster.client_address(leader)], "k", "new");
    cluster.kill(leader);
    cluster.kill(lost);
    std::fs::remove_dir_all(cluster.node(lost).setup.data()).unwrap();
    cluster.restart(missing);
    cluster.spawn(lost);
    let log = || cluster.nodes[lost as usize - 1].setup.log();
    let waits = || log().contains("nothing is on this disk, and").then_some(());
    assert!(wait_for(PATIENCE, waits).is_some(), "{}", log());
    assert_eq!(cluster.leader(), None, "who forgot and who never knew lead nobody");
    // The one that knows is back: with it there is a majority that remembers.
    cluster.restart(leader);
    let address = cluster.client_address(leader);
    let read = wait_for(PATIENCE, || {
        let mut wire = cluster::Wire::open(address, PATIENCE)?;
        wire.ask(&["get", "k"]).filter(|reply| !reply.is_error())
    });
    assert_eq!(read, Some(synod_resp::Reply::bulk("new")));
    assert!(
        wait_for(PATIENCE, || cluster.status(lost)).is_some(),
        "{}",
        cluster.nodes[lost as usize - 1].setup.log()
    );
}

/// An operator who reads the log at night sees what is wrong, and not the same line a thousand times.
#[test]
fn an_outage_is_said_with_who_is_away_and_a_refusal_once() {
    let mut cluster = Cluster::start(3);
    let leader = cluster.await_leader();
    let others: Vec<u32> = cluster.numbers().into_iter().filter(|node| *node != leader).collect();
    cluster.kill(others[0]);
    // One of another cluster dials all the time in its place.
    let setup = cluster.node(others[0]).setup.clone();
    let stranger =
        Setup { cluster: "other".to_owned(), directory: cluster.place().join("stranger"), ..setup.clone() };
    let process = stranger.start();
    cluster.kill(others[1]);
    let log = || cluster.nodes[leader as usize - 1].setup.log();
    let outage = || log().contains("the group has no leader with a majority").then_some(());
    assert!(wait_for(PATIENCE, outage).is_some(), "{}", log());
    let line = log().lines().find(|line| line.contains("has no leader with")).map(str::to_owned).unwrap();
    assert!(
        others.iter().all(|node| line.contains(&node.to_string())) && line.contains("group=g1"),
        "{line}"
    );
    let refusals = log().lines().filter(|line| line.contains("reason=\"other_cluster\"")).count();
    // It dialed some four times a second for ten seconds: its own refusal, and that of its door.
    assert!((1..=4).contains(&refusals), "{refusals} lines:\n{}", log());
    drop(process);
    cluster.restart(others[1]);
    let log = || cluster.nodes[leader as usize - 1].setup.log();
    let is_over = || log().contains("the group has a leader again").then_some(());
    assert!(wait_for(PATIENCE, is_over).is_some(), "{}", log());
}
