//! The flight recorder.

use super::{Do, Process, Record, Whole, alone};
use crate::HostConfig;
use std::path::{Path, PathBuf};
use synod_world::{Recorded, Recording, Trace, TraceError, TraceEvent};

const KEPT_BYTES: u64 = 4_000;

/// Where a process of this configuration records, and what keeps that place.
fn recording() -> (PathBuf, HostConfig, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flight.trace");
    let recording = Some((path.clone(), KEPT_BYTES));
    (path, HostConfig { recording, ..alone(1, directory.path()) }, directory)
}

fn read(path: &Path) -> Recording {
    Recording::from_text(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn old(path: &Path) -> PathBuf {
    path.with_extension("trace.old")
}

/// The word that a line asks to keep, if it asks for that.
fn kept(recorded: &Recorded) -> Option<u64> {
    match &recorded.event {
        TraceEvent::Request { request, .. } => {
            let asked: Do = recorded.value().unwrap();
            assert_eq!(*request, format!("{asked:?}"), "words and bytes say the same");
            match asked {
                Do::Keep(word) => Some(word),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The words that a recording asks to keep, in order.
fn all_kept(recording: &Recording) -> Vec<u64> {
    recording.lines.iter().filter_map(|(recorded, _)| kept(recorded)).collect()
}

#[test]
fn a_recording_is_a_trace_of_what_happened_last() {
    let (path, config, _directory) = recording();
    let mut process = Process::start(config);
    process.ask(Do::Keep(1));
    process.ask(Do::Keep(2));
    process.end();
    let recording = read(&path);
    let (first, did) = &recording.lines[0];
    assert!(matches!(&first.event, TraceEvent::Start { node, .. } if node == "n1"), "{first:?}");
    assert!(did.is_some());
    assert_eq!(first.built.as_ref().and_then(|words| words.as_str()), Some(super::BUILT));
    assert_eq!(all_kept(&recording), [1, 2]);
    let durable =
        |(recorded, _): &&(Recorded, _)| matches!(recorded.event, TraceEvent::Durable { writes: 1, .. });
    assert_eq!(recording.lines.iter().filter(durable).count(), 2, "each was durable before it was answered");
    assert_eq!(
        (recording.origin.cluster, recording.origin.process, recording.origin.part),
        (super::CLUSTER, 1, 0)
    );
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(Trace::from_text(&text), Err(TraceError::Recording), "it is more than a trace");
    assert!(!old(&path).exists());
}

#[test]
fn a_recording_that_is_full_becomes_the_old_one() {
    let (path, config, _directory) = recording();
    let mut process = Process::start(config);
    for word in 1..=200 {
        process.ask(Do::Keep(word));
    }
    process.end();
    let (before, last) = (read(&old(&path)), read(&path));
    assert_eq!(before.origin.part + 1, last.origin.part, "no part is missing between the two");
    let bytes = std::fs::metadata(old(&path)).unwrap().len();
    assert!((KEPT_BYTES..2 * KEPT_BYTES).contains(&bytes), "{bytes} bytes are kept");
    let mut words = all_kept(&before);
    words.extend(all_kept(&last));
    assert_eq!(words, (200 - words.len() as u64 + 1..=200).collect::<Vec<_>>());
    assert!(words.len() > 10);
}

#[test]
fn a_restart_does_not_lose_the_recording_of_what_led_to_it() {
    let (path, config, _directory) = recording();
    let mut process = Process::start(config.clone());
    process.ask(Do::Keep(1));
    process.end();
    let mut process = Process::start(config);
    process.ask(Do::Keep(2));
    process.end();
    assert_eq!(all_kept(&read(&old(&path))), [1]);
    let recording = read(&path);
    let (first, did) = &recording.lines[0];
    assert!(matches!(first.event, TraceEvent::Restart { .. }) && did.is_some(), "{first:?}");
    let recovered: (Option<Whole>, Vec<Record>) = first.value().unwrap();
    assert_eq!(recovered, (None, vec![Record(1)]));
    assert_eq!(all_kept(&recording), [2]);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = alone(1, directory.path());
    config.recording = Some((directory.path().join("nowhere").join("flight.trace"), KEPT_BYTES));
    let why = Process::start(config).outcome().unwrap_err().to_string();
    assert!(why.starts_with("recording: ") && why.contains("nowhere"), "{why}");
}

#[test]
fn a_line_that_was_being_written_at_the_end_is_left_out() {
    let (path, config, _directory) = recording();
    let mut process = Process::start(config);
    process.ask(Do::Keep(1));
    process.end();
    let text = std::fs::read_to_string(&path).unwrap();
    let whole = Recording::from_text(&text).unwrap();
    let torn = Recording::from_text(&format!("{text}{{\"event\":\"fi")).unwrap();
    assert_eq!(torn, whole);
    let damaged = Recording::from_text(&text.replace("request", "reqest"));
    assert!(matches!(damaged, Err(TraceError::BadLine(4, _))), "{damaged:?}");
}
