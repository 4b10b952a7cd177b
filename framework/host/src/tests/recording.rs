//! The flight recorder.

use super::{Do, Process, alone};
use std::path::{Path, PathBuf};
use synod_world::{Trace, TraceEvent};

const KEPT_BYTES: u64 = 2_000;

fn read(path: &Path) -> Trace {
    Trace::from_text(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn old(path: &Path) -> PathBuf {
    path.with_extension("trace.old")
}

fn is_keep(event: &TraceEvent, word: u64) -> bool {
    matches!(event, TraceEvent::Request { request, .. } if *request == format!("Keep({word})"))
}

#[test]
fn a_recording_is_a_trace_of_what_happened_last() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flight.trace");
    let mut config = alone(1, directory.path());
    config.recording = Some((path.clone(), KEPT_BYTES));
    let mut process = Process::start(config);
    process.ask(Do::Keep(1));
    process.ask(Do::Keep(2));
    process.end();
    let trace = read(&path);
    assert!(matches!(&trace.events[0], TraceEvent::Start { node, .. } if node == "n1"), "{:?}", trace.events);
    assert!(is_keep(&trace.events[1], 1) && is_keep(&trace.events[2], 2), "{:?}", trace.events);
    assert!(!old(&path).exists());
}

#[test]
fn a_recording_that_is_full_becomes_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flight.trace");
    let mut config = alone(1, directory.path());
    config.recording = Some((path.clone(), KEPT_BYTES));
    let mut process = Process::start(config);
    for word in 1..=200 {
        process.ask(Do::Keep(word));
    }
    process.end();
    let mut events = read(&old(&path)).events;
    let bytes: usize = events.iter().map(|event| event.to_line().len()).sum();
    assert!(bytes as u64 >= KEPT_BYTES, "only {bytes} bytes are kept");
    assert!((bytes as u64) < 2 * KEPT_BYTES, "{bytes} bytes are kept");
    events.extend(read(&path).events);
    let first = 200 - events.len() as u64 + 1;
    for (event, word) in events.iter().zip(first..) {
        assert!(is_keep(event, word), "{event:?} is not the request to keep {word}");
    }
}

#[test]
fn a_restart_does_not_lose_the_recording_of_what_led_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flight.trace");
    let mut config = alone(1, directory.path());
    config.recording = Some((path.clone(), KEPT_BYTES));
    let mut process = Process::start(config.clone());
    process.ask(Do::Keep(1));
    process.end();
    let mut process = Process::start(config);
    process.ask(Do::Keep(2));
    process.end();
    assert!(is_keep(read(&old(&path)).events.last().unwrap(), 1));
    let events = read(&path).events;
    assert!(matches!(events[0], TraceEvent::Restart { .. }) && is_keep(&events[1], 2), "{events:?}");
}
