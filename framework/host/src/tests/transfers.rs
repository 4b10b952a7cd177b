//! States that go in parts: between processes, and between the two halves of the bookkeeping.

use super::handshakes::{HELLO, await_end, dial, one_of_three};
use super::{Do, Message, N1, N2, N3, PATIENCE, Process, STATE_CAME, alone, listener, peer};
use crate::frame::{Ack, AckState, BadFrame, Part, put_frame, put_part};
use crate::transfer::{Arrival, Outgoing, PART_BYTES, Receiving, SendStep, TRANSFER_IDLE_MAX, WINDOW_PARTS};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use synod_node::RequestId;
use synod_stdx::{Rng, Wire};

/// A state of five windows.
const WORDS: u64 = 5_500_000;

/// Processes 1 and 2. What 1 sends to 2 goes through `between`, which is told where 2 listens and says where 1 should dial.
fn two(directory: &Path, between: impl FnOnce(SocketAddr) -> SocketAddr) -> [Process; 2] {
    let ((first, first_at), (second, second_at)) = (listener(), listener());
    let mut config = alone(1, directory);
    config.peers = vec![peer(2, between(second_at))];
    let mut one = Process::listening(config, first);
    let mut config = alone(2, directory);
    config.peers = vec![peer(1, first_at)];
    let mut two = Process::listening(config, second);
    // Both are connected now.
    one.ask(Do::Ask(N2));
    two.ask(Do::Ask(N1));
    [one, two]
}

/// Carries what is said to `to`, of each connection as many bytes as `limit` says for its number, and then cuts it; no faster
/// than `chunk` bytes a millisecond.
fn proxy(to: SocketAddr, limit: impl Fn(usize) -> usize + Send + 'static, chunk: usize) -> SocketAddr {
    let (listener, address) = listener();
    std::thread::spawn(move || {
        for (number, from) in listener.incoming().enumerate() {
            let (mut from, Ok(mut to)) = (from.unwrap(), TcpStream::connect(to)) else { return };
            let (mut back_from, mut back_to) = (to.try_clone().unwrap(), from.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back_from, &mut back_to));
            let mut left = limit(number);
            let mut buffer = vec![0; chunk];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                if to.write_all(&buffer[..read.min(left)]).is_err() || read >= left {
                    break;
                }
                left -= read;
                std::thread::sleep(Duration::from_millis(1));
            }
            let _ = from.shutdown(std::net::Shutdown::Both);
            let _ = to.shutdown(std::net::Shutdown::Both);
        }
    });
    address
}

fn assert_came(process: &Process, words: u64) {
    let (id, (kept, _)) = process.answer();
    assert_eq!(id, STATE_CAME);
    assert!(kept.into_iter().eq(0..words), "what came is not what was sent");
}

#[test]
fn a_state_of_many_windows_arrives() {
    let directory = tempfile::tempdir().unwrap();
    let [mut one, two] = two(directory.path(), |second| second);
    for words in [0, 1, WORDS] {
        let came = std::iter::repeat_with(|| {
            // It is lost if the last one has only just arrived.
            one.tell(Do::Give(N2, words));
            two.answers.recv_timeout(Duration::from_millis(200)).ok()
        });
        let (id, (kept, _)) = came.flatten().find(|(_, (kept, _))| kept.len() as u64 == words).unwrap();
        assert!(id == STATE_CAME && kept.into_iter().eq(0..words), "what came is not what was sent");
    }
    let received = two.counters();
    assert!(received.transfers_received >= 3 && received.parts_received > 4 * WINDOW_PARTS, "{received:?}");
    assert_eq!(received.refused, [].into());
    one.end();
    two.end();
}

#[test]
fn a_transfer_goes_on_where_its_connection_was_cut() {
    let directory = tempfile::tempdir().unwrap();
    // Each of the first connections carries a few parts, and not whole ones.
    let limit = |number| if number < 4 { 12 * PART_BYTES + 1_234 } else { usize::MAX };
    let [mut one, two] = two(directory.path(), |second| proxy(second, limit, PART_BYTES));
    one.tell(Do::Give(N2, WORDS));
    assert_came(&two, WORDS);
    let parts = (Message::State((0..WORDS).collect()).to_bytes().len() as u64).div_ceil(PART_BYTES as u64);
    let sent = one.counters().parts_sent;
    // Had it begun anew, more were sent again.
    assert!(sent <= parts + 4 * WINDOW_PARTS, "{sent} parts sent of {parts}");
    assert_eq!(two.counters().transfers_received, 1);
    one.end();
    two.end();
}

#[test]
fn other_messages_overtake_a_state() {
    let directory = tempfile::tempdir().unwrap();
    let [mut one, two] = two(directory.path(), |second| proxy(second, |_| usize::MAX, 32 << 10));
    one.tell(Do::Give(N2, WORDS));
    for _ in 0..3 {
        one.ask(Do::Ask(N2));
    }
    assert!(two.answers.try_recv().is_err(), "the state came first");
    assert_came(&two, WORDS);
    one.end();
    two.end();
}

#[test]
fn states_of_one_pair_are_not_queued_and_other_pairs_wait() {
    let mut sending = crate::transfer::Sending::default();
    let now = Instant::now();
    assert_eq!(sending.offer((N1, N2), 1, now), None);
    assert_eq!(sending.offer((N1, N2), 2, now), Some(1), "the newer one waits in place of the older one");
    assert_eq!(sending.begin(7, now), Some(2));
    assert_eq!(sending.offer((N1, N2), 3, now), Some(3), "one is under way");
    assert_eq!(sending.offer((N3, N2), 4, now), None);
    sending.current.as_mut().unwrap().on_ack(Ack { transfer: 7, next: 0, state: AckState::Done }, now);
    let later = now + Duration::from_millis(500);
    assert!(sending.end(later));
    assert_eq!(sending.offer((N1, N2), 5, later), Some(5), "it has just arrived");
    assert_eq!(sending.begin(8, later), Some(4));
    assert_eq!(sending.offer((N1, N2), 6, later + Duration::from_millis(500)), None);
    for number in 0..100 {
        let pair = (N1, synod_node::NodeId::server(100 + number));
        assert_eq!(sending.offer(pair, 0, later).is_some(), number >= 63, "a bound on what waits");
    }
    assert_eq!(sending.lose_waiting().len(), 64);
    assert!(sending.begin(9, later).is_none() && sending.current.is_some(), "what is under way stays");
}

fn part(transfer: u64, number: u64, is_last: bool, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_part(&mut out, 0, (N2, N1), &Part { transfer, part: number, is_last, bytes });
    out
}

#[test]
fn a_part_that_does_not_fit_ends_its_connection_and_the_process_serves_on() {
    let state = Message::State((0..100).collect()).to_bytes();
    let (begin, end) = state.split_at(50);
    let mut flipped = part(1, 0, true, &state);
    *flipped.last_mut().unwrap() ^= 1;
    let mut cut_short = Vec::new();
    put_frame(&mut cut_short, 0, (N2, N1), &());
    cut_short[24] = 2;
    let crc = crc32fast::hash(&cut_short[8..]);
    cut_short[4..8].copy_from_slice(&crc.to_le_bytes());
    let wrong = [
        (flipped, "frame_checksum"),
        (cut_short, "frame_malformed"),
        ([part(1, 0, false, begin), part(1, 2, true, end)].concat(), "frame_transfer"),
        ([part(1, 0, true, &state), part(1, 1, true, end)].concat(), "frame_transfer"),
        (part(1, 0, false, &[]), "frame_transfer"),
        (part(1, 0, false, &vec![0; PART_BYTES + 1]), "frame_transfer"),
    ];
    for (bytes, name) in wrong {
        let directory = tempfile::tempdir().unwrap();
        let mut process = one_of_three(directory.path());
        let (mut stream, _) = dial(process.address, &HELLO.to_bytes());
        stream.write_all(&bytes).unwrap();
        await_end(stream);
        assert_eq!(process.refused(), [(name, 1)]);
        let (mut stream, _) = dial(process.address, &HELLO.to_bytes());
        while process.answers.recv_timeout(Duration::from_millis(50)).is_ok() {}
        stream.write_all(&part(2, 0, false, begin)).unwrap();
        stream.write_all(&part(2, 1, true, end)).unwrap();
        // The thread of the first one may still be there: then the second is refused, and sent again.
        while process.answers.recv_timeout(Duration::from_millis(50)).is_err() {
            stream.write_all(&part(2, 0, false, begin)).unwrap();
            stream.write_all(&part(2, 1, true, end)).unwrap();
        }
        assert_eq!(process.ask(Do::Tell).0.len(), 100);
        process.end();
    }
}

#[test]
fn a_state_that_is_none_is_refused_and_its_connection_stays() {
    for content in [vec![9; 10], [Message::State(vec![1]).to_bytes(), vec![0]].concat()] {
        let directory = tempfile::tempdir().unwrap();
        let mut process = one_of_three(directory.path());
        let (mut stream, _) = dial(process.address, &HELLO.to_bytes());
        stream.write_all(&part(1, 0, true, &content)).unwrap();
        let begun = Instant::now();
        while process.refused() != [("frame_malformed", 1)] && begun.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        let mut frame = Vec::new();
        put_frame(&mut frame, 0, (N2, N1), &Message::Keep(5));
        stream.write_all(&frame).unwrap();
        assert_eq!(process.answer().0, RequestId(5));
        assert_eq!(process.refused(), [("frame_malformed", 1)]);
        assert_eq!(process.ask(Do::Tell).0, [5]);
        process.end();
    }
}

/// The two halves with a network between them that loses what a broken connection loses.
struct Halves {
    outgoing: Outgoing,
    receiving: Receiving,
    /// Parts that came and were not read.
    came: std::sync::mpsc::Receiver<(Vec<u8>, bool)>,
    held: u64,
    read: Vec<u8>,
}

#[test]
fn whatever_is_lost_every_part_is_read_once_and_a_window_is_held_at_most() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let parts = 1 + rng.below(60);
        let now = Instant::now();
        let (to_thread, came) = channel();
        let mut halves = Halves {
            outgoing: Outgoing::new(7, (N1, N2), now),
            receiving: Receiving::default(),
            came,
            held: 0,
            read: Vec::new(),
        };
        let mut to_thread = Some(to_thread);
        let (mut connection, mut added) = (1, 0);
        while (halves.read.len() as u64) < parts {
            if rng.chance(50) {
                connection += 1;
            }
            let is_free = rng.chance(700);
            match halves.outgoing.step(Some(connection), is_free, now) {
                SendStep::NeedsPart => {
                    added += 1;
                    halves.outgoing.add(vec![added as u8], added == parts, now);
                }
                SendStep::Put => {
                    let part = halves.outgoing.next_part().unwrap();
                    let mut arrival = halves.receiving.on_part((N1, N2), &part, now).unwrap();
                    if arrival == Arrival::Begins {
                        halves.receiving.begin(7, (N1, N2), to_thread.take().unwrap(), now);
                        arrival = halves.receiving.on_part((N1, N2), &part, now).unwrap();
                    }
                    match arrival {
                        Arrival::Taken => halves.held += 1,
                        Arrival::Answered(ack) => halves.outgoing.on_ack(ack, now),
                        Arrival::Begins => panic!("seed {seed}: it has begun"),
                    }
                }
                SendStep::Waits => {}
                SendStep::Over => panic!("seed {seed}: it is not over"),
            }
            assert!(halves.held <= WINDOW_PARTS, "seed {seed}: {} parts are held", halves.held);
            if rng.chance(400)
                && let Ok((bytes, _)) = halves.came.try_recv()
            {
                halves.held -= 1;
                halves.read.extend(bytes);
                let (_, ack) = halves.receiving.on_read(7, now).unwrap();
                if rng.chance(500) {
                    halves.outgoing.on_ack(ack, now);
                }
            }
        }
        assert!(halves.read.iter().copied().eq((1..=parts).map(|n| n as u8)), "seed {seed}");
        let ended = halves.receiving.on_decoded(7).unwrap();
        let done = halves.receiving.done(&ended);
        halves.outgoing.on_ack(done, now);
        assert_eq!(halves.outgoing.step(Some(connection), true, now), SendStep::Over, "seed {seed}");
    }
}

#[test]
fn parts_beyond_the_window_are_refused_and_a_second_transfer_waits_for_the_thread_of_the_first() {
    let (mut receiving, now) = (Receiving::default(), Instant::now());
    let part = |transfer, part| Part { transfer, part, is_last: false, bytes: &[1] };
    let (parts, came) = channel();
    assert_eq!(receiving.on_part((N2, N1), &part(1, 0), now), Ok(Arrival::Begins));
    receiving.begin(1, (N2, N1), parts, now);
    for number in 0..WINDOW_PARTS {
        assert_eq!(receiving.on_part((N2, N1), &part(1, number), now), Ok(Arrival::Taken));
    }
    assert_eq!(receiving.on_part((N2, N1), &part(1, WINDOW_PARTS), now), Err(BadFrame::Transfer));
    assert_eq!(receiving.on_part((N3, N1), &part(1, 0), now), Err(BadFrame::Transfer), "another pair's");
    let answered = |transfer, state| Ok(Arrival::Answered(Ack { transfer, next: 0, state }));
    assert_eq!(receiving.on_part((N2, N1), &part(2, 1), now), answered(2, AckState::GivenUp), "unknown");
    assert_eq!(receiving.on_part((N2, N1), &part(2, 0), now), answered(2, AckState::GivenUp), "busy");
    assert_eq!(came.iter().count() as u64, WINDOW_PARTS, "the first one is given up");
    assert!(receiving.on_decoded(1).is_none());
    assert_eq!(receiving.on_part((N2, N1), &part(3, 0), now), Ok(Arrival::Begins));
}

#[test]
fn a_transfer_that_does_not_move_is_given_up_by_both_ends() {
    let now = Instant::now();
    let mut outgoing = Outgoing::new(1, (N1, N2), now);
    outgoing.add(vec![1], true, now);
    assert_eq!(outgoing.step(None, true, now), SendStep::Waits);
    assert_eq!(outgoing.step(Some(1), true, now), SendStep::Put);
    outgoing.next_part().unwrap();
    assert_eq!(outgoing.step(Some(1), true, now), SendStep::Waits);
    let later = now + Duration::from_secs(3);
    assert_eq!(outgoing.step(Some(1), true, later), SendStep::Put, "an acknowledgement may be lost");
    let much_later = now + TRANSFER_IDLE_MAX + Duration::from_secs(1);
    assert_eq!(outgoing.step(Some(1), true, much_later), SendStep::Over);
    let mut receiving = Receiving::default();
    let (parts, came) = channel();
    receiving.begin(1, (N1, N2), parts, now);
    receiving.sweep(much_later);
    assert!(receiving.under_way().is_some(), "the sender goes first");
    receiving.sweep(now + 2 * TRANSFER_IDLE_MAX + Duration::from_secs(1));
    assert!(receiving.under_way().is_none());
    assert!(came.recv().is_err(), "the thread ends");
}
