//! Who is let in, and who is refused by which name.

use super::{CLUSTER, Do, Message, N1, PATIENCE, Process, alone, listener, peer};
use crate::Refusal;
use crate::frame::{
    ANSWER_BYTES, GO, HELLO_BYTES, Hello, MAGIC, Seen, VERSION, answer_from_bytes, answer_to_bytes, put_frame,
};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use synod_node::NodeId;

/// What process 2 says to process 1.
pub(super) const HELLO: Hello =
    Hello { cluster: CLUSTER, from: 2, to: 1, incarnation: 0, start: 5, nonce: 55, disk: 77 };

/// Process 1, which knows processes 2 and 3; nobody accepts where they should be.
pub(super) fn one_of_three(directory: &Path) -> Process {
    let mut config = alone(1, directory);
    let nowhere = listener().1;
    config.peers = vec![peer(2, nowhere), peer(3, nowhere)];
    Process::start(config)
}

/// Dials, says `hello`, agrees with what the answer says was seen, and yields the answer.
pub(super) fn dial(to: SocketAddr, hello: &[u8]) -> (TcpStream, Result<(), Refusal>) {
    let (mut stream, (answer, _)) = say(to, hello);
    if answer.is_ok() {
        stream.write_all(&[GO]).unwrap();
    }
    (stream, answer)
}

/// Dials, says `hello`, and yields the answer.
pub(super) fn say(to: SocketAddr, hello: &[u8]) -> (TcpStream, (Result<(), Refusal>, Option<Seen>)) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(hello).unwrap();
    let mut answer = [0; ANSWER_BYTES];
    stream.read_exact(&mut answer).unwrap();
    (stream, answer_from_bytes(&answer))
}

/// Waits until the other side has closed the connection.
pub(super) fn await_end(mut stream: TcpStream) {
    match stream.read(&mut [0; 1]) {
        Ok(0) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        other => panic!("the connection was not closed: {other:?}"),
    }
}

/// `bytes` with those at `at` replaced.
fn with(mut bytes: Vec<u8>, at: usize, by: &[u8]) -> Vec<u8> {
    bytes[at..at + by.len()].copy_from_slice(by);
    bytes
}

/// A hello of the version before.
fn older() -> Vec<u8> {
    let mut hello = with(HELLO.to_bytes(), MAGIC.len(), &[VERSION - 1]);
    let crc = crc32fast::hash(&hello[..HELLO_BYTES - 4]);
    hello[HELLO_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
    hello
}

#[test]
fn who_does_not_fit_is_refused_by_name() {
    let strangers = [
        (Hello { cluster: 8, ..HELLO }.to_bytes(), Refusal::OtherCluster),
        (Hello { to: 3, ..HELLO }.to_bytes(), Refusal::OtherNode),
        (Hello { from: 1, ..HELLO }.to_bytes(), Refusal::Myself),
        (Hello { from: 9, ..HELLO }.to_bytes(), Refusal::UnknownNode),
        (with(HELLO.to_bytes(), 0, b"*1\r\n$4\r\nP"), Refusal::NotAPeer),
        (with(HELLO.to_bytes(), MAGIC.len(), &[0]), Refusal::NotAPeer),
        (with(HELLO.to_bytes(), MAGIC.len(), &[VERSION + 1]), Refusal::NewerVersion),
        (older(), Refusal::OlderVersion),
        (with(HELLO.to_bytes(), HELLO_BYTES - 1, &[0]), Refusal::NotAPeer),
    ];
    for (hello, refusal) in strangers {
        let directory = tempfile::tempdir().unwrap();
        let mut process = one_of_three(directory.path());
        let (stream, answer) = dial(process.address, &hello);
        assert_eq!(answer, Err(refusal));
        await_end(stream);
        assert_eq!(process.refused(), [(refusal.name(), 1)]);
        let (_stream, answer) = dial(process.address, &HELLO.to_bytes());
        assert_eq!(answer, Ok(()), "who fits is let in after one who did not");
        process.ask(Do::Keep(1));
        process.end();
    }
}

#[test]
fn an_older_start_or_life_is_refused_once_a_later_one_was_here() {
    let directory = tempfile::tempdir().unwrap();
    let process = one_of_three(directory.path());
    let say = |hello: Hello| {
        let (mut stream, answer) = dial(process.address, &hello.to_bytes());
        if answer.is_ok() {
            // Once a message of it was heard, the peer is known.
            let mut frame = Vec::new();
            put_frame(&mut frame, 0, (NodeId::server(hello.from), N1), &Message::Keep(1));
            stream.write_all(&frame).unwrap();
            process.answer();
        }
        answer
    };
    assert_eq!(say(HELLO), Ok(()));
    assert_eq!(say(HELLO), Ok(()), "the same start may dial again");
    assert_eq!(say(Hello { nonce: 56, ..HELLO }), Err(Refusal::Superseded), "two starts of one number");
    assert_eq!(say(Hello { start: 4, ..HELLO }), Err(Refusal::Superseded));
    assert_eq!(say(Hello { from: 3, start: 4, ..HELLO }), Ok(()), "another process has starts of its own");
    assert_eq!(say(Hello { start: 9, disk: 78, ..HELLO }), Err(Refusal::OtherDisk), "a life has one disk");
    assert_eq!(
        say(Hello { incarnation: 1, start: 1, disk: 78, ..HELLO }),
        Ok(()),
        "a later life counts from anew"
    );
    assert_eq!(say(Hello { incarnation: 1, start: 2, ..HELLO }), Err(Refusal::OtherDisk));
    assert_eq!(say(Hello { start: 6, ..HELLO }), Err(Refusal::Superseded));
    assert_eq!(process.refused(), [("other_disk", 2), ("superseded", 3)]);
    process.end();
}

#[test]
fn who_hangs_up_before_its_hello_is_no_peer() {
    let directory = tempfile::tempdir().unwrap();
    let process = one_of_three(directory.path());
    let mut stream = TcpStream::connect(process.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&HELLO.to_bytes()[..20]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = [0; ANSWER_BYTES];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer_from_bytes(&answer), (Err(Refusal::NotAPeer), None));
    await_end(stream);
    assert_eq!(process.refused(), [("not_a_peer", 1)]);
    process.end();
}

#[test]
fn a_process_that_is_refused_says_so_once_and_dials_again() {
    let directory = tempfile::tempdir().unwrap();
    let (other, address) = listener();
    let mut config = alone(1, directory.path());
    config.incarnation = 3;
    config.peers = vec![peer(2, address)];
    let process = Process::start(config);
    let mut hellos = Vec::new();
    for _ in 0..3 {
        let (mut stream, _) = other.accept().unwrap();
        let mut hello = [0; HELLO_BYTES];
        stream.read_exact(&mut hello).unwrap();
        hellos.push(Hello::from_bytes(&hello).unwrap());
        stream.write_all(&answer_to_bytes(Err(Refusal::OtherCluster), None)).unwrap();
    }
    let Hello { cluster, from, to, incarnation, start, nonce: _, disk: _ } = hellos[0];
    assert_eq!((cluster, from, to, incarnation), (CLUSTER, 1, 2, 3));
    assert!(start > 0 && hellos.iter().all(|hello| *hello == hellos[0]), "{hellos:?}");
    assert_eq!(process.refused(), [("other_cluster", 1)]);
    process.end();
}
