//! What is on disk, and who may have it.

use super::{Do, Keeper, PATIENCE, Process, STALL, STALLED, UNREADABLE, alone, open};
use crate::{Host, HostConfig, HostError, Identity, Opened, Resident, inspect, set_aside};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::PoisonError;
use std::time::Instant;
use synod_journal::Error;
use synod_node::{NodeId, RequestId};

#[test]
fn what_was_answered_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let config = alone(1, directory.path());
    let mut process = Process::start(config.clone());
    assert_eq!(process.ask(Do::Tell), (vec![], None), "the first start is no recovery");
    for word in 1..=100 {
        process.ask(Do::Keep(word));
    }
    process.end();
    let mut process = Process::start(config);
    assert_eq!(process.ask(Do::Tell), ((1..=100).collect(), Some((false, 100))));
    process.end();
}

#[test]
fn a_checkpoint_replaces_the_records_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let config = alone(1, directory.path());
    let mut process = Process::start(config.clone());
    for word in 1..=3 {
        process.ask(Do::Keep(word));
    }
    process.ask(Do::Checkpoint);
    process.ask(Do::Keep(4));
    assert_eq!(process.counters().checkpoints, 1);
    process.end();
    let mut process = Process::start(config.clone());
    assert_eq!(process.ask(Do::Tell), (vec![1, 2, 3, 4], Some((true, 1))));
    process.ask(Do::Keep(5));
    process.end();
    let mut process = Process::start(config);
    assert_eq!(process.ask(Do::Tell), (vec![1, 2, 3, 4, 5], Some((true, 2))));
    process.end();
}

#[test]
fn a_compaction_waits_until_as_much_was_logged_as_the_last_checkpoint_holds() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(alone(1, directory.path()));
    let keep =
        |process: &mut Process, words: u64| (0..words).for_each(|word| drop(process.ask(Do::Keep(word))));
    keep(&mut process, 100);
    process.ask(Do::Checkpoint);
    assert_eq!(process.counters().checkpoints, 1);
    keep(&mut process, 10);
    process.ask(Do::Compact);
    // Checkpoints are stored in order: had the compaction been one, it would be counted.
    process.ask(Do::Checkpoint);
    assert_eq!(process.counters().checkpoints, 2);
    keep(&mut process, 200);
    process.ask(Do::Compact);
    process.ask(Do::Checkpoint);
    assert_eq!(process.counters().checkpoints, 4);
    process.end();
}

#[test]
fn a_checkpoint_holds_back_what_follows_it_and_a_compaction_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(alone(1, directory.path()));
    process.ask(Do::Keep(STALLED));
    let stall = STALL.lock().unwrap_or_else(PoisonError::into_inner);
    process.ask(Do::Compact);
    process.ask(Do::Keep(1));
    assert_eq!(process.counters().checkpoints, 0, "the answers came while nothing could be stored");
    let held_back = process.tell(Do::Checkpoint);
    process.counters();
    assert!(process.answers.try_recv().is_err(), "the checkpoint was answered before it was stored");
    drop(stall);
    assert_eq!(process.answer().0, held_back);
    assert_eq!(process.counters().checkpoints, 2);
    process.end();
}

#[test]
fn each_start_has_the_next_number_and_bits_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let config = alone(1, directory.path());
    let (mut last, mut nonces) = (0, BTreeSet::new());
    for _ in 0..5 {
        let start = open(&config, |_| {}).unwrap().start();
        assert_eq!(start.number, last + 1);
        assert!(nonces.insert(start.nonce), "128 random bits come again");
        last = start.number;
    }
}

#[test]
fn data_of_another_cluster_process_or_life_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let ours = alone(1, directory.path());
    drop(open(&ours, |_| {}).unwrap());
    let others = [
        HostConfig { cluster: 8, ..ours.clone() },
        HostConfig { number: 2, ..ours.clone() },
        HostConfig { incarnation: 1, ..ours.clone() },
    ];
    for other in others {
        let refused = open(&other, |_| {}).err();
        assert!(
            matches!(refused, Some(HostError::Journal(_, Error::WrongIdentity { .. }))),
            "{other:?} got {refused:?}"
        );
    }
    open(&ours, |_| {}).unwrap();
}

#[test]
fn data_that_was_set_aside_is_kept_and_its_node_begins_its_next_life() {
    let directory = tempfile::tempdir().unwrap();
    let config = alone(1, directory.path());
    let mut process = Process::start(config.clone());
    process.ask(Do::Keep(1));
    assert!(set_aside(&config.data, next_life(&config, 1)).is_err(), "a process runs on it");
    process.end();
    // Cut off between its two halves, it leaves what does not open, and can be done again.
    let aside = unlocked(|| set_aside(&config.data, next_life(&config, 1)));
    std::fs::rename(aside.join("journal"), config.data.join("journal")).unwrap();
    let half = open(&config, |_| {}).err().expect("half of it is old");
    assert!(half.to_string().contains("manifest belongs to n1 incarnation 0"), "{half}");
    let again = unlocked(|| set_aside(&config.data, next_life(&config, 2)));
    assert_eq!(again.file_name().unwrap(), "damaged-2");
    assert!(again.join("journal/manifest").is_file() && aside.join("superblock-a").is_file());
    let opened = open(&config, |_| {}).unwrap();
    assert_eq!((opened.incarnation(), opened.start().number), (2, 1));
    drop(opened);
    let mut process = Process::start(config.clone());
    assert_eq!(process.ask(Do::Tell), (vec![], Some((false, 0))), "nothing of the old life");
    process.end();
    let inspection = unlocked(|| inspect(&config.data, |_, _, _| String::new()));
    assert!(inspection.whole.is_ok() && inspection.files.iter().all(|(_, found)| found.is_ok()));
}

/// A process that has just stopped may hold its lock for another moment.
fn unlocked<T>(work: impl Fn() -> Result<T, HostError>) -> T {
    let begin = Instant::now();
    loop {
        match work() {
            Err(HostError::Journal(_, Error::Locked { .. })) if begin.elapsed() < PATIENCE => {
                std::thread::yield_now();
            }
            done => return done.expect("nothing else is in its way"),
        }
    }
}

fn next_life(config: &HostConfig, incarnation: u64) -> Identity {
    Identity { cluster: config.cluster, node: config.number, incarnation }
}

#[test]
fn records_of_a_node_that_does_not_run_here_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let config = alone(1, directory.path());
    let mut process = Process::start(config.clone());
    process.ask(Do::Keep(1));
    process.end();
    let refused = run_with(open(&config, |_| {}).unwrap(), &[], async |_| ());
    assert!(matches!(refused, Err(HostError::UnknownNode(node)) if node == NodeId::server(1)), "{refused:?}");
}

/// Runs a process with these nodes, and lets `act` act on it until it is done.
fn run_with<T>(
    opened: Opened<Keeper>,
    nodes: &[u32],
    act: impl AsyncFnOnce(Host<Keeper>) -> T,
) -> Result<T, HostError> {
    let listener = super::listener().0;
    listener.set_nonblocking(true).unwrap();
    let resident = |number: &u32| Resident {
        id: NodeId::server(*number),
        node: Keeper::default(),
        built: super::BUILT.into(),
        clock: None,
    };
    let nodes = nodes.iter().map(resident).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let host = opened.host();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::select! {
            biased;
            stopped = opened.run(nodes, listener) => Err(stopped.expect_err("it goes on")),
            done = act(host) => Ok(done),
        }
    })
}

#[test]
fn a_node_that_ended_leaves_nothing_and_the_others_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let config = alone(1, directory.path());
    let (first, second) = (NodeId::server(1), NodeId::server(2));
    let answered = Rc::new(Cell::new(0));
    let count = Rc::clone(&answered);
    let opened = open(&config, move |_| count.set(count.get() + 1)).unwrap();
    let ended = run_with(opened, &[1], async |host| {
        let node = Resident { id: second, node: Keeper::default(), built: super::BUILT.into(), clock: None };
        host.start_node(node);
        for word in 1..=3 {
            host.request(first, RequestId(word), Do::Keep(word));
            host.request(second, RequestId(10 + word), Do::Keep(10 + word));
        }
        // Its records may not be durable yet.
        host.end_node(first);
        assert!(!host.runs(first) && host.runs(second));
        while host.counters().checkpoints < 1 || answered.get() < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    });
    ended.unwrap();
    // The next start drops the rest of its log, and the other node still has all of its own.
    let opened = open(&config, |_| {}).unwrap().without(&[first]);
    let words = run_with(opened, &[2], async |host| host.look(second, |node| node.kept.clone()));
    assert_eq!(words.unwrap(), [11, 12, 13]);
    let dropped = run_with(open(&config, |_| {}).unwrap().without(&[first]), &[2], async |host| {
        tokio::task::yield_now().await;
        host.counters().checkpoints
    });
    assert_eq!(dropped.unwrap(), 0, "nothing is left");
    let refused = run_with(open(&config, |_| {}).unwrap(), &[2], async |_| ());
    assert!(matches!(refused, Err(HostError::UnknownNode(node)) if node == first), "{refused:?}");
}

#[test]
fn data_that_another_process_uses_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let config = alone(1, directory.path());
    let first = open(&config, |_| {}).unwrap();
    let second = Host::<Keeper>::open(config.clone(), |_, _, _| {}, |_, _, _| String::new());
    assert!(matches!(second.err(), Some(HostError::Journal(_, Error::Locked { .. }))));
    drop(first);
    open(&config, |_| {}).unwrap();
}

#[test]
fn a_record_that_is_intact_but_unreadable_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let config = alone(1, directory.path());
    let mut process = Process::start(config.clone());
    process.ask(Do::Keep(1));
    process.ask(Do::Keep(UNREADABLE));
    process.end();
    let outcome = Process::start(config).outcome();
    match outcome {
        Err(HostError::Unreadable { node, record, .. }) => {
            assert_eq!((node, record), (NodeId::server(1), Some(2)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_disk_that_fails_ends_the_process_and_what_was_not_durable_was_not_answered() {
    let directory = tempfile::tempdir().unwrap();
    let config = alone(1, directory.path());
    let mut process = Process::start(config.clone());
    process.ask(Do::Keep(1));
    // In one go: the process may make the next segment at this moment.
    std::fs::rename(config.data.join("journal"), directory.path().join("gone")).unwrap();
    // Sooner or later a new segment is needed, for which there is no directory.
    let mut kept = 1;
    loop {
        process.tell(Do::Keep(kept + 1));
        match process.answers.recv_timeout(PATIENCE) {
            Ok((_, (words, _))) => kept = words.len() as u64,
            Err(_) => break,
        }
        assert!(kept < 10_000, "the disk never failed");
    }
    let stopped = process.outcome().unwrap().expect("it stopped by itself");
    assert!(stopped.0.contains("cannot"), "{stopped}");
}
