//! A disk that was put back to an older copy shows nothing of it: a peer that saw more says so.

use super::{Do, Message, N1, N2, Process, alone, listener, open, peer};
use crate::frame::{GO, HELLO_BYTES, Hello, Seen, answer_to_bytes, put_frame};
use crate::{HostConfig, HostError};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

/// Takes the place of a peer that says it has seen this. Yields the hello, and the byte behind the answer if one came.
fn answer_seen(peer: &TcpListener, seen: impl FnOnce(Hello) -> Option<Seen>) -> (Hello, Option<u8>) {
    let (mut stream, _) = peer.accept().unwrap();
    let mut hello = [0; HELLO_BYTES];
    stream.read_exact(&mut hello).unwrap();
    let hello = Hello::from_bytes(&hello).unwrap();
    stream.write_all(&answer_to_bytes(Ok(()), seen(hello))).unwrap();
    let mut go = [0; 1];
    (hello, stream.read_exact(&mut go).is_ok().then_some(go[0]))
}

fn of_two(directory: &Path, other: std::net::SocketAddr) -> HostConfig {
    let mut config = alone(1, directory);
    config.peers = vec![peer(2, other)];
    config
}

/// Three starts, each of which keeps three words.
fn three_starts(config: &HostConfig) {
    for word in 1..=3 {
        let mut process = Process::start(HostConfig { peers: Vec::new(), ..config.clone() });
        (0..3).for_each(|_| drop(process.ask(Do::Keep(word))));
        process.end();
    }
}

#[test]
fn what_a_peer_saw_is_compared_with_the_latest_starts() {
    let (directory, (other, address)) = (tempfile::tempdir().unwrap(), listener());
    let config = of_two(directory.path(), address);
    three_starts(&config);
    let starts = open(&config, |_| {}).unwrap().host().starts();
    let seen = |at: usize, durable| Seen { start: starts[at].number, nonce: starts[at].nonce, durable };
    // Start 2 began behind record 3, and start 3 behind record 6.
    let fitting = [None, Some(seen(0, 3)), Some(seen(1, 0)), Some(seen(1, 6)), Some(seen(2, 9))];
    for known in fitting {
        let process = Process::start(config.clone());
        assert_eq!(answer_seen(&other, |_| known).1, Some(GO), "{known:?}");
        process.end();
    }
    let process = Process::start(config.clone());
    let own = |hello: Hello| Some(Seen { start: hello.start, nonce: hello.nonce, durable: 9 });
    assert_eq!(answer_seen(&other, own).1, Some(GO), "a connection of this very start was lost");
    process.end();
    let contradicting = [
        (seen(1, 7), "node 2 has heard of its record 7, and its start 3 began behind record 6"),
        (Seen { nonce: 1, ..seen(1, 0) }, "node 2 has seen start 2 of it, which it knows nothing of"),
        (Seen { start: 1000, ..seen(1, 0) }, "node 2 has seen start 1000 of it, which it knows nothing of"),
    ];
    for (known, why) in contradicting {
        let copy = tempfile::tempdir().unwrap();
        copy_of(&config.data, &copy.path().join("1"));
        let config = of_two(copy.path(), address);
        let process = Process::start(config.clone());
        assert_eq!(answer_seen(&other, |_| Some(known)).1, None, "it says no other word");
        let stopped = process.outcome().unwrap().expect("it stops by itself");
        assert!(stopped.0.contains(why), "{stopped}");
        assert!(stopped.0.contains("this disk is an older copy of what it was"), "{stopped}");
        for _ in 0..2 {
            let refused = open(&config, |_| {}).err();
            assert!(matches!(&refused, Some(HostError::OlderDisk(known)) if known == why), "{refused:?}");
        }
    }
}

/// Copies a data directory.
fn copy_of(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_of(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// A peer on its own, which hears word `word` from process 1 in a start.
fn keep_by(two: &mut Process, one: &Hello, word: u64, durable: u64) {
    let (mut stream, answer) = super::handshakes::dial(two.address, &one.to_bytes());
    assert_eq!(answer, Ok(()));
    let mut frame = Vec::new();
    put_frame(&mut frame, durable, (N1, N2), &Message::Keep(word));
    stream.write_all(&frame).unwrap();
    assert_eq!(two.answer().1.0.last(), Some(&word));
}

#[test]
fn a_peer_remembers_what_it_saw_through_its_own_restarts() {
    let (directory, nowhere) = (tempfile::tempdir().unwrap(), listener().1);
    let mut config = alone(2, directory.path());
    config.peers = vec![peer(1, nowhere)];
    let hello = Hello { from: 1, to: 2, ..super::handshakes::HELLO };
    let mut two = Process::start(config.clone());
    keep_by(&mut two, &hello, 1, 40);
    let later = Hello { start: 6, nonce: 66, ..hello };
    keep_by(&mut two, &later, 2, 41);
    two.end();
    let two = Process::start(config);
    let older = Hello { start: 6, nonce: 67, ..hello };
    let (refused, seen) = super::handshakes::say(two.address, &older.to_bytes()).1;
    assert_eq!(refused, Err(crate::Refusal::Superseded));
    assert_eq!(seen, Some(Seen { start: 6, nonce: 66, durable: 41 }));
    let other_disk = Hello { disk: 1, ..later };
    assert_eq!(
        super::handshakes::say(two.address, &other_disk.to_bytes()).1,
        (Err(crate::Refusal::OtherDisk), None)
    );
    // A start that was not agreed to changes nothing of what is known.
    let passed = Hello { start: 9, nonce: 99, ..hello };
    for _ in 0..2 {
        let (stream, answer) = super::handshakes::say(two.address, &passed.to_bytes());
        assert_eq!(answer, (Ok(()), Some(Seen { start: 6, nonce: 66, durable: 41 })));
        drop(stream);
    }
    two.end();
}

#[test]
fn a_disk_that_was_put_back_stops_when_it_meets_who_saw_more_however_often_it_started() {
    let (directory, (second, second_at)) = (tempfile::tempdir().unwrap(), listener());
    let config = of_two(directory.path(), second_at);
    three_starts(&config);
    let older = directory.path().join("older");
    copy_of(&config.data, &older);
    let mut two_config = alone(2, directory.path());
    two_config.peers = vec![peer(1, listener().1)];
    let two = Process::listening(two_config, second);
    let mut one = Process::start(config.clone());
    one.tell(Do::Ask(N2));
    while two.counters().frames_received == 0 {
        std::thread::yield_now();
    }
    one.end();
    std::fs::remove_dir_all(&config.data).unwrap();
    copy_of(&older, &config.data);
    // Its numbers pass the one that was seen before it meets the peer.
    three_starts(&config);
    let stopped = Process::start(config).outcome().unwrap().expect("it stops by itself");
    assert!(stopped.0.contains("node 2 has seen start 4 of it"), "{stopped}");
    two.end();
}
