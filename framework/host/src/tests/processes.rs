//! Processes that talk to each other.

use super::{Do, N1, N2, N3, Process, alone, listener, peer};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

/// Three processes that know each other.
fn three(directory: &Path) -> [Process; 3] {
    let listeners: Vec<(TcpListener, SocketAddr)> = (0..3).map(|_| listener()).collect();
    let addresses: Vec<SocketAddr> = listeners.iter().map(|(_, address)| *address).collect();
    let mut started = (1..).zip(listeners).map(|(number, (listener, _))| {
        let mut config = alone(number, directory);
        let others = (1..).zip(&addresses).filter(|(other, _)| *other != number);
        config.peers = others.map(|(other, address)| peer(other, *address)).collect();
        Process::listening(config, listener)
    });
    std::array::from_fn(|_| started.next().unwrap())
}

#[test]
fn a_message_and_its_answer_cross_between_processes() {
    let directory = tempfile::tempdir().unwrap();
    let mut processes = three(directory.path());
    for (asker, others) in [(0, [N2, N3]), (1, [N1, N3]), (2, [N1, N2])] {
        for other in others {
            processes[asker].ask(Do::Ask(other));
        }
    }
    for process in processes {
        let counters = process.counters();
        assert!(counters.frames_sent >= 4 && counters.frames_received >= 4, "{counters:?}");
        assert_eq!(counters.refused, [].into());
        process.end();
    }
}

#[test]
fn a_process_that_comes_back_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let ((first, first_at), (second, second_at)) = (listener(), listener());
    let mut config = alone(1, directory.path());
    config.peers = vec![peer(2, second_at)];
    let mut one = Process::listening(config, first);
    let mut config = alone(2, directory.path());
    config.peers = vec![peer(1, first_at)];
    let kept = second.try_clone().unwrap();
    let two = Process::listening(config.clone(), second);
    one.ask(Do::Ask(N2));
    two.end();
    let asked = one.tell(Do::Ask(N2));
    let two = Process::listening(config, kept);
    assert_eq!(one.answer().0, asked);
    one.end();
    two.end();
}

#[test]
fn messages_to_a_process_that_is_away_are_dropped_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = alone(1, directory.path());
    // Bound, but nobody accepts there.
    config.peers = vec![peer(2, listener().1)];
    let mut process = Process::start(config);
    process.tell(Do::Ask(N2));
    process.ask(Do::Tell);
    let counters = process.counters();
    assert!(counters.frames_dropped >= 1, "{counters:?}");
    assert_eq!(counters.frames_sent, 0);
    process.end();
}

#[test]
fn timers_whose_ranges_do_not_overlap_fire_in_order_and_none_early() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(alone(1, directory.path()));
    let begin = Instant::now();
    let ranges: Vec<_> = (0..20).map(|number| (number, number * 3, number * 3 + 3)).collect();
    process.tell(Do::Remember(ranges.clone()));
    for (number, low, _) in ranges {
        assert_eq!(process.answer().0.0, number);
        assert!(begin.elapsed() >= Duration::from_millis(low), "timer {number} fired early");
    }
    // An earlier one than all that wait is not held up by them.
    process.tell(Do::Remember(vec![(1, 3_600_000, 3_600_000), (2, 0, 0)]));
    assert_eq!(process.answer().0.0, 2);
    process.end();
}
