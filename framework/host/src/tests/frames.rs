//! Frames that do not check out end their connection, never the process.

use super::handshakes::{HELLO, await_end, dial, one_of_three};
use super::{Do, Message, N1, N2, N3};
use crate::frame::{FRAME_BYTES_MAX, put_frame};
use std::io::Write;
use synod_node::{NodeId, RequestId};
use synod_stdx::Wire;

fn frame(from: NodeId, to: NodeId, message: &impl Wire) -> Vec<u8> {
    let mut out = Vec::new();
    put_frame(&mut out, 0, (from, to), message);
    out
}

/// Every way in which a frame from process 2 can be wrong, and the name of each.
fn bad_frames() -> Vec<(Vec<u8>, &'static str)> {
    let good = frame(N2, N1, &Message::Keep(1));
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut too_large = good.clone();
    too_large[..4].copy_from_slice(&(FRAME_BYTES_MAX as u32 + 1).to_le_bytes());
    vec![
        (flipped, "frame_checksum"),
        (too_large, "frame_too_large"),
        (vec![0; 8], "frame_too_small"),
        (frame(N2, N1, &(4u64, 1u64)), "frame_malformed"),
        (frame(N2, N1, &(3u64, (1u64, 1u64))), "frame_malformed"),
        (frame(N2, N3, &Message::Keep(1)), "frame_misdirected"),
        (frame(N3, N1, &Message::Keep(1)), "frame_misdirected"),
        (frame(N1, N1, &Message::Keep(1)), "frame_misdirected"),
    ]
}

#[test]
fn a_bad_frame_ends_its_connection_is_counted_and_the_process_serves_on() {
    for (bytes, name) in bad_frames() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = one_of_three(directory.path());
        let (mut stream, answer) = dial(process.address, &HELLO.to_bytes());
        assert_eq!(answer, Ok(()));
        stream.write_all(&bytes).unwrap();
        await_end(stream);
        assert_eq!(process.refused(), [(name, 1)]);
        assert!(process.ask(Do::Tell).0.is_empty(), "{name} reached the node");
        let (mut stream, answer) = dial(process.address, &HELLO.to_bytes());
        assert_eq!(answer, Ok(()), "the peer may dial again after {name}");
        stream.write_all(&frame(N2, N1, &Message::Keep(2))).unwrap();
        assert_eq!(process.answer(), (RequestId(2), (vec![2], None)));
        process.end();
    }
}

#[test]
fn what_came_before_a_bad_frame_counts_without_waiting_for_anything_else() {
    let directory = tempfile::tempdir().unwrap();
    let process = one_of_three(directory.path());
    let (mut stream, _) = dial(process.address, &HELLO.to_bytes());
    let mut bytes = frame(N2, N1, &Message::Keep(1));
    bytes.extend(vec![0; 8]);
    stream.write_all(&bytes).unwrap();
    assert_eq!(process.answer(), (RequestId(1), (vec![1], None)));
    await_end(stream);
    assert_eq!(process.refused(), [("frame_too_small", 1)]);
    process.end();
}

#[test]
fn a_frame_may_arrive_in_any_pieces() {
    let directory = tempfile::tempdir().unwrap();
    let process = one_of_three(directory.path());
    let (mut stream, _) = dial(process.address, &HELLO.to_bytes());
    stream.set_nodelay(true).unwrap();
    for word in 1..=3 {
        for byte in frame(N2, N1, &Message::Keep(word)) {
            stream.write_all(&[byte]).unwrap();
        }
        assert_eq!(process.answer().0, RequestId(word));
    }
    assert_eq!(process.counters().frames_received, 3);
    process.end();
}

#[test]
fn what_is_left_in_an_older_connection_of_a_peer_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = one_of_three(directory.path());
    let (mut older, _) = dial(process.address, &HELLO.to_bytes());
    let (mut newer, answer) = dial(process.address, &HELLO.to_bytes());
    assert_eq!(answer, Ok(()));
    older.write_all(&frame(N2, N1, &Message::Keep(1))).unwrap();
    await_end(older);
    newer.write_all(&frame(N2, N1, &Message::Keep(2))).unwrap();
    assert_eq!(process.answer(), (RequestId(2), (vec![2], None)));
    assert_eq!(process.ask(Do::Tell).0, [2]);
    process.end();
}
