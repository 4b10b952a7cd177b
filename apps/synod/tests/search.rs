//! The model checker on the command line: what it prints, keeps and replays, and what it says of bad input.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn synod(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_synod")).arg("test").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The arguments are wrong: exit code 2, and an error that says what is.
fn refused(arguments: &[&str], because: &str) {
    let output = synod(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(said.contains(because), "{arguments:?}: {said}");
}

#[test]
fn a_search_tells_what_it_saw() {
    let output = synod(&["--search", "--module", "pingpong", "--test", "4", "--threads", "1"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for line in [
        "pingpong 4 every_way_of_ten_pings_ends_with_their_pongs",
        "every way (breadth-first): exhausted: holds",
        "120 states from 1,596 transitions",
        "by depth: 1 1 1 2 2 2 3 3 3",
        "1 shown, 0 failed, 0 cut short",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[test]
fn every_stage_is_a_line_of_json() {
    let output = synod(&["--search", "--json", "--module", "clientserver", "--test", "3.7"]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    let lines: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert_eq!(lines[1]["verdict"], "exhausted: holds");
    assert_eq!(lines[1]["unique_states"], 376);
    assert_eq!(lines[1]["found"], serde_json::Value::Null);
}

#[test]
fn a_violation_is_told_kept_and_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let traces = directory.path().to_str().unwrap();
    let mutant = "runs_what_it_ran";
    let search = ["--search", "--module", "clientserver", "--test", "3.8", "--mutant", mutant];
    let output = synod(&[&search[..], &["--save-traces", traces]].concat());
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("n1    <- c1    Request"), "{said}");
    assert!(said.contains("=> a step: not linearizable"), "{said}");
    let file =
        directory.path().join("clientserver-every_way_of_append_append_get_runs_each_append_once.trace");
    let file = file.to_str().unwrap();

    let again = synod(&["--replay", file, "--mutant", mutant]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stdout).starts_with("still fails: a step: not linearizable"), "{again:?}");
    // Without the mistake the server answers the second delivery with the first one's result.
    let mended = synod(&["--replay", file]);
    assert_eq!(mended.status.code(), Some(1));
    assert!(text(&mended.stdout).starts_with("no longer fits, at step 3, because no message"), "{mended:?}");
}

#[test]
fn a_way_that_the_module_can_still_go_no_longer_fails() {
    let directory = tempfile::tempdir().unwrap();
    let traces = directory.path().to_str().unwrap();
    let mutant = "any_pong_is_an_answer";
    let search = ["--search", "--module", "pingpong", "--test", "4", "--mutant", mutant];
    assert_eq!(synod(&[&search[..], &["--save-traces", traces]].concat()).status.code(), Some(1));
    let file = directory.path().join("pingpong-every_way_of_ten_pings_ends_with_their_pongs.trace");
    let mended = synod(&["--replay", file.to_str().unwrap()]);
    assert_eq!((mended.status.code(), text(&mended.stdout).as_str()), (Some(0), "no longer fails\n"));
}

#[test]
fn memory_ends_a_search_with_words() {
    let output = synod(&["--search", "--module", "clientserver", "--test", "3.9", "--memory", "1M"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("budget spent: no violation in") && said.contains("(memory)"), "{said}");
    assert!(said.contains("CUT SHORT: clientserver 3.9"), "{said}");
}

#[test]
fn a_budget_of_states_is_never_called_exhausted() {
    let output = synod(&["--search", "--module", "clientserver", "--test", "3.11", "--states", "5000"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("budget spent: no violation in 5"), "{said}");
    assert!(!said.contains("exhausted"), "{said}");
}

#[test]
fn an_interrupt_ends_a_search_with_what_it_found_so_far() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_synod"))
        .args(["test", "--search", "--module", "paxos", "--test", "20"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    // A stage is over, so the next one is under way.
    while !said.contains("by depth") {
        assert!(out.read_line(&mut said).unwrap() > 0, "{said}");
    }
    let id = libc::pid_t::try_from(child.id()).unwrap();
    // SAFETY: a plain system call; the child was not waited for, so its number is still its own.
    assert_eq!(unsafe { libc::kill(id, libc::SIGINT) }, 0);
    out.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("(interrupted)") && said.contains("0 shown, 0 failed, 1 cut short"), "{said}");
}

#[test]
fn what_does_not_exist_is_named() {
    refused(
        &["--search", "--module", "raft"],
        "no such module; there are pingpong, register, clientserver, primarybackup, paxos, shardedstore",
    );
    refused(&["--search", "--module", "paxos", "--test", "99"], "no such scenario; there are\n  20   a_put");
    refused(&["--search", "--mutant", "none"], "no such mistake; there are\n  pingpong");
    refused(&["--mutants", "--test", "none"], "no such scenario");
    refused(&["--search", "--memory", "lots"], "write it as 8G, 512M or a number of bytes");
    refused(&["--search", "--states", "0"], "--states: see at least one");
    refused(&["--timers"], "belong to --search");
    refused(&["--full"], "--search");
}

#[test]
fn a_file_that_is_no_trace_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let header = |version: u32, module: &str, scenario: &str, rest: &str| {
        format!(
            "{{\"format\":\"synod-trace\",\"version\":{version},\"module\":\"{module}\",\
             \"scenario\":\"{scenario}\",\"seed\":null,\"reason\":\"\"{rest}}}\n"
        )
    };
    let known = "every_way_of_ten_pings_ends_with_their_pongs";
    let stage = ",\"stage\":\"every way\"";
    refused(
        &["--replay", directory.path().join("none").to_str().unwrap()],
        "give a file that --save-traces wrote",
    );
    for (name, text, because) in [
        ("empty", String::new(), "the trace is empty"),
        ("other", "{\"format\":\"something\"}\n".to_owned(), "not `synod-trace`"),
        ("noise", "What?\n".to_owned(), "line 1 of the trace is damaged"),
        ("newer", header(99, "pingpong", known, ""), "the trace has version 99"),
        ("module", header(2, "raft", known, stage), "it is of module `raft`"),
        ("scenario", header(2, "pingpong", "none", stage), "has no scenario `none` any more"),
        ("stageless", header(2, "pingpong", known, ""), "neither a seed nor which stage"),
        ("stage", header(2, "pingpong", known, ",\"stage\":\"none\""), "has no stage `none` any more"),
        (
            "event",
            header(2, "pingpong", known, stage) + "{\"event\":\"leap\"}\n",
            "line 2 of the trace is damaged",
        ),
    ] {
        refused(&["--replay", &write(name, text.as_bytes())], because);
    }
    refused(&["--replay", &write("bytes", &[0xff, 0xfe, 0])], "it is no text");
    let foreign = header(2, "pingpong", known, stage) + "{\"event\":\"crash\",\"at_us\":0,\"node\":\"n9\"}\n";
    let output = synod(&["--replay", &write("foreign", foreign.as_bytes())]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "no longer fits, at step 1, because there is no node `n9`\n");
}

#[test]
fn a_simulated_trace_is_replayed_by_its_seed() {
    let directory = tempfile::tempdir().unwrap();
    let traces = directory.path().to_str().unwrap();
    let played = synod(&["--module", "pingpong", "--test", "1", "--seed", "3", "--save-traces", traces]);
    assert_eq!(played.status.code(), Some(0), "{played:?}");
    let file = Path::new(traces).join("pingpong-a_ping_is_answered_by_its_pong-3.trace");
    let again = synod(&["--replay", file.to_str().unwrap()]);
    assert_eq!((again.status.code(), text(&again.stdout).as_str()), (Some(0), "no longer fails\n"));
}
