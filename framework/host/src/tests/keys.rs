//! Processes with a key: they find each other, and nobody else gets in.

use super::handshakes::{HELLO, await_end, dial};
use super::{Do, Message, N1, N2, PATIENCE, Process, alone, listener, peer};
use crate::frame::put_frame;
use crate::seal::{Channel, Key, greet};
use crate::{HostConfig, Refusal};
use std::net::SocketAddr;
use std::path::Path;
use synod_node::NodeId;
use tokio::net::TcpStream;

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

/// Process 1 with a key, which knows process 2; nobody accepts where that should be.
fn with_key(directory: &Path) -> Process {
    let config = alone(1, directory);
    Process::start(HostConfig { keys: vec![key(1)], peers: vec![peer(2, listener().1)], ..config })
}

/// Lets one thread wait for what is asked.
fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.expect("in time") })
}

/// Dials with a key, and says what process 2 would.
async fn greet_with(to: SocketAddr, key: &Key) -> Result<Channel, Option<Refusal>> {
    let stream = TcpStream::connect(to).await.unwrap();
    let (channel, answer) = greet(stream, Some(key), &HELLO.to_bytes()).await?;
    crate::frame::answer_from_bytes(&answer).0.map(|()| channel).map_err(Some)
}

#[test]
fn processes_with_one_key_talk_and_others_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let ends = [listener(), listener(), listener()];
    let addresses = [ends[0].1, ends[1].1, ends[2].1];
    let keys = [Some(key(1)), Some(key(1)), Some(key(2))];
    let mut processes = Vec::new();
    for (index, ((end, _), key)) in ends.into_iter().zip(keys).enumerate() {
        let number = index as u32 + 1;
        let others = (1..=3).filter(|other| *other != number);
        let peers = others.map(|other| peer(other, addresses[other as usize - 1])).collect();
        let config = HostConfig { keys: key.into_iter().collect(), peers, ..alone(number, directory.path()) };
        processes.push(Process::listening(config, end));
    }
    processes[2].tell(Do::Ask(N1));
    processes[0].ask(Do::Ask(N2));
    processes[1].ask(Do::Ask(N1));
    let begin = std::time::Instant::now();
    while processes[2].refused().is_empty() {
        assert!(begin.elapsed() < PATIENCE, "who has another key is not told so");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    for process in &processes {
        let refused = process.refused();
        assert!(refused.iter().all(|(name, _)| *name == "other_key"), "{refused:?}");
    }
    assert_eq!(processes[2].counters().frames_received, 0, "who has another key hears nothing");
    processes.into_iter().for_each(Process::end);
}

#[test]
fn who_has_no_key_or_another_one_says_nothing_that_is_heard() {
    let directory = tempfile::tempdir().unwrap();
    let process = with_key(directory.path());
    let (stream, answer) = dial(process.address, &HELLO.to_bytes());
    assert_eq!(answer, Err(Refusal::NoKey));
    await_end(stream);
    let refusal = wait(greet_with(process.address, &key(2))).err();
    assert_eq!(refusal, Some(Some(Refusal::OtherKey)));
    assert_eq!(process.refused(), [("no_key", 1), ("other_key", 1)]);
    process.end();
}

/// While keys are changed a process has both.
#[test]
fn who_has_any_of_the_keys_is_let_in() {
    let directory = tempfile::tempdir().unwrap();
    let config = HostConfig { keys: vec![key(1), key(2)], ..alone(1, directory.path()) };
    let process = Process::start(HostConfig { peers: vec![peer(2, listener().1)], ..config });
    for known in [1, 2] {
        wait(greet_with(process.address, &key(known))).map(drop).unwrap();
    }
    assert_eq!(wait(greet_with(process.address, &key(3))).err(), Some(Some(Refusal::OtherKey)));
    process.end();
}

#[test]
fn a_process_without_a_key_tells_one_that_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let process = super::handshakes::one_of_three(directory.path());
    assert_eq!(wait(greet_with(process.address, &key(1))).err(), Some(Some(Refusal::OtherKey)));
    process.end();
}

#[test]
fn bytes_that_are_slipped_into_a_sealed_connection_end_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = with_key(directory.path());
    let mut frame = Vec::new();
    put_frame(&mut frame, 0, (NodeId::server(2), N1), &Message::Keep(1));
    wait(async {
        let mut channel = greet_with(process.address, &key(1)).await.unwrap();
        channel.write(&[crate::frame::GO]).await.unwrap();
        channel.write(&frame).await.unwrap();
        // Somebody in between: a record that is none.
        let (stream, _) = channel.halves();
        tokio::io::AsyncWriteExt::write_all(stream, &[&[20, 0][..], &[9; 20]].concat()).await.unwrap();
        assert!(matches!(channel.read(&mut Vec::new()).await, Ok(false) | Err(_)), "the connection is over");
    });
    process.answer();
    assert_eq!(process.refused(), [("frame_not_sealed", 1)]);
    process.ask(Do::Keep(1));
    process.end();
}

#[test]
fn a_hello_that_is_said_again_leads_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let process = with_key(directory.path());
    // What a peer says, written down by whoever forwards it.
    let (middle, address) = listener();
    let target = process.address;
    let heard = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut from, _) = middle.accept().unwrap();
        let mut to = std::net::TcpStream::connect(target).unwrap();
        let mut heard = vec![0; 4_096];
        let length = from.read(&mut heard).unwrap();
        heard.truncate(length);
        to.write_all(&heard).unwrap();
        let mut answer = vec![0; 4_096];
        let length = to.read(&mut answer).unwrap();
        from.write_all(&answer[..length]).unwrap();
        heard
    });
    wait(greet_with(address, &key(1))).map(drop).unwrap();
    let heard = heard.join().unwrap();
    let mut again = std::net::TcpStream::connect(target).unwrap();
    again.set_read_timeout(Some(PATIENCE)).unwrap();
    std::io::Write::write_all(&mut again, &heard).unwrap();
    let mut answer = [0; 2];
    std::io::Read::read_exact(&mut again, &mut answer).unwrap();
    let mut rest = vec![0; usize::from(u16::from_le_bytes(answer))];
    std::io::Read::read_exact(&mut again, &mut rest).unwrap();
    // It is answered, and can say nothing more: not even that it is to be let in.
    std::io::Write::write_all(&mut again, &[&[17, 0][..], &[1; 17]].concat()).unwrap();
    await_end(again);
    assert_eq!(process.counters().frames_received, 0);
    assert_eq!(process.refused(), [("other_key", 1)]);
    process.end();
}
