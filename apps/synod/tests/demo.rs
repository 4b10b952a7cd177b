//! `synod demo`, as a person at a terminal sees it, and what is left when it is over: nothing.

#[path = "support/cluster.rs"]
mod cluster;

use cluster::{Running, wait_for};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A demo ends within this on the busiest machine, or the test fails.
const PATIENCE: Duration = Duration::from_secs(300);

/// A demo that runs, with a directory of its own for temporary files.
struct Demo {
    process: Running,
    directory: TempDir,
}

impl Demo {
    fn start(arguments: &[&str]) -> Demo {
        let directory = tempfile::Builder::new().prefix("synod-test-").tempdir().unwrap();
        let temporary = directory.path().join("tmp");
        fs::create_dir(&temporary).unwrap();
        let file = |name| File::create(directory.path().join(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_synod"));
        command.arg("demo").args(arguments).env("TMPDIR", temporary);
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        Demo { process: Running::of(command.spawn().unwrap()), directory }
    }

    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap()
    }

    /// Waits until it has said this.
    fn until(&mut self, words: &str) {
        let found = wait_for(PATIENCE, || {
            let (out, ended) = (self.said("out"), self.process.ended());
            assert!(ended.is_none() || out.contains(words), "{out}{}", self.said("err"));
            out.contains(words).then_some(())
        });
        assert!(found.is_some(), "{words} was not said: {}", self.said("out"));
    }

    /// Waits for its end: how it ended, and all that it said.
    fn end(&mut self) -> (ExitStatus, String) {
        let status = self.process.wait(PATIENCE);
        let said = [self.said("out"), self.said("err")].concat();
        (status.unwrap_or_else(|| panic!("it does not end: {said}")), said)
    }

    /// The numbers of its children: processes whose command lines name its directory.
    fn children(&self) -> Vec<String> {
        let mark = self.directory.path().display().to_string();
        let child = |entry: fs::DirEntry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let is_child = String::from_utf8_lossy(&line).contains(&mark);
            is_child.then(|| entry.file_name().display().to_string())
        };
        fs::read_dir("/proc").unwrap().flatten().filter_map(child).collect()
    }

    fn assert_childless(&self) {
        let gone = wait_for(PATIENCE, || self.children().is_empty().then_some(()));
        assert!(gone.is_some(), "{:?} outlive the demo", self.children());
    }

    fn left(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.directory.path().join("tmp")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// The demo says all of this, in this order, ends well, and leaves nothing. Returns all that it says.
fn check(protocol: &str, expected: &[&str]) -> String {
    let mut demo = Demo::start(&[protocol, "--seconds", "1"]);
    let (status, said) = demo.end();
    assert!(status.success(), "{status}: {said}");
    let mut rest = said.as_str();
    for words in expected {
        let at = rest.find(words).unwrap_or_else(|| panic!("no `{words}` where it should be: {said}"));
        rest = &rest[at + words.len()..];
    }
    demo.assert_childless();
    assert_eq!(demo.left(), Vec::<PathBuf>::new());
    said
}

#[test]
fn ping_pong_tells_how_fast_a_round_trip_is() {
    check(
        "pingpong",
        &[
            "n1 is a server",
            "round trips in",
            "latency median",
            "every answer was the value",
            "every process is stopped",
        ],
    );
}

#[test]
fn a_server_that_stood_still_ran_every_append_once() {
    check(
        "clientserver",
        &[
            "operations in",
            "n1 is stopped",
            "n1 goes on",
            "acknowledged appends is there exactly once",
            "every process is stopped",
        ],
    );
}

/// The view of a line: its number, its primary and its backup, if it names both.
fn view(line: &str) -> Option<(u64, &str, &str)> {
    let (number, members) = line.split_once("view ")?.1.split_once(": ")?;
    let (primary, backup) = members.strip_suffix(" is backup")?.split_once(" is primary, ")?;
    Some((number.parse().ok()?, primary, backup))
}

#[test]
fn a_backup_takes_over_with_every_append() {
    // A busy system may change views at any time, and let any server begin: only what must be is looked for.
    let said = check(
        "primarybackup",
        &[
            "is backup",
            "operations in",
            "the primary, is killed: kill -9",
            "is primary",
            "fail-over: for",
            "is started again",
            "operations in",
            "acknowledged appends is there exactly once",
            "every process is stopped",
        ],
    );
    let (before, after) = said.split_once(", the primary, is killed").expect("one is killed");
    let killed = before.split_whitespace().last().expect("it has a name");
    let last_before = before.lines().rev().find_map(view).expect("a view before the kill");
    let first_after = after.lines().find_map(view).expect("a view after the kill");
    assert!(first_after.0 > last_before.0, "{said}");
    assert_eq!((last_before.1, first_after.1), (killed, last_before.2), "the backup is promoted: {said}");
}

#[test]
fn an_interrupt_stops_every_process() {
    let mut demo = Demo::start(&["primarybackup", "--seconds", "60"]);
    demo.until("is backup");
    assert_eq!(demo.children().len(), 4);
    demo.process.signal(libc::SIGINT);
    let (status, said) = demo.end();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    demo.assert_childless();
    assert_eq!(demo.left(), Vec::<PathBuf>::new());
}

#[test]
fn no_process_outlives_a_demo_that_is_killed() {
    for (protocol, words) in [("primarybackup", "view 2: "), ("clientserver", "n1 is stopped")] {
        let mut demo =
            Demo::start(&[protocol, "--seconds", if protocol == "clientserver" { "1" } else { "60" }]);
        demo.until(words);
        demo.process.signal(libc::SIGKILL);
        demo.end();
        demo.assert_childless();
    }
}

#[test]
fn bad_input_is_told_and_starts_nothing() {
    let rows: &[(&[&str], &str)] = &[
        (&[], "<PROTOCOL>"),
        (&["pingpung"], "pingpong"),
        (&["raft"], "[possible values: pingpong, clientserver, primarybackup]"),
        (&["pingpong", "--seconds", "0"], "0 is not in 1..=60"),
        (&["pingpong", "--seconds", "86400"], "86400 is not in 1..=60"),
        (&["pingpong", "--seconds", "-1"], "'-1'"),
        (&["pingpong", "--seconds", "soon"], "invalid digit"),
        (&["pingpong", "more"], "'more'"),
    ];
    for (arguments, words) in rows {
        let mut demo = Demo::start(arguments);
        let (status, said) = demo.end();
        assert_eq!(status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert_eq!(demo.left(), Vec::<PathBuf>::new());
    }
}
