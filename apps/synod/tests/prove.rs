//! `synod prove`, as a person at a terminal sees it, and what is left when it is over: the page.

#[path = "support/cluster.rs"]
mod cluster;

use cluster::{Running, wait_for};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A run ends within this on the busiest machine, or the test fails.
const PATIENCE: Duration = Duration::from_secs(400);

/// A run that is over.
struct Proved {
    code: Option<i32>,
    out: String,
    errors: String,
    directory: TempDir,
}

impl Proved {
    fn page(&self) -> PathBuf {
        self.directory.path().join("page.html")
    }

    /// Command lines that name the run's directory: processes that outlived it.
    fn left(&self) -> Vec<String> {
        let mark = self.directory.path().display().to_string();
        let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(&mark).then_some(line)
        });
        lines.collect()
    }
}

fn prove(words: &[&str]) -> Proved {
    let directory = tempfile::Builder::new().prefix("synod-test-").tempdir().unwrap();
    let temporary = directory.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let file = |name| File::create(directory.path().join(name)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_synod"));
    command
        .arg("prove")
        .args(words)
        .arg("--page")
        .arg(directory.path().join("page.html"))
        .env("TMPDIR", temporary);
    command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
    let mut process = Running::of(command.spawn().unwrap());
    let said = |name| fs::read_to_string(directory.path().join(name)).unwrap();
    let status =
        process.wait(PATIENCE).unwrap_or_else(|| panic!("it does not end: {}{}", said("out"), said("err")));
    let (out, errors) = (said("out"), said("err"));
    Proved { code: status.code(), out, errors, directory }
}

#[test]
fn histories_under_faults_are_judged_and_the_page_says_what_came_of_it() {
    let faults = "kill-leader,pause-follower,partition-one-way,partition-leader";
    let proved = prove(&["--minutes", "0.4", "--nodes", "3", "--seed", "5", "--faults", faults, "--json"]);
    let text = format!("{}{}", proved.out, proved.errors);
    let json: serde_json::Value =
        serde_json::from_str(&proved.out).unwrap_or_else(|error| panic!("{error}: {text}"));
    // A machine that is busy with other tests may be later than a second; nothing else may be otherwise than promised.
    let findings = json["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["by"] == "liveness"), "{text}");
    let (verdict, word) = match proved.code {
        Some(0) => ("held", "Held"),
        Some(1) => ("violated", "Violated"),
        code => panic!("it ended with {code:?}: {text}"),
    };
    assert_eq!(json["verdict"], verdict, "{text}");
    let judged = json["judgements"].as_array().unwrap();
    assert_eq!(judged.len(), 5, "{text}");
    if verdict == "held" {
        assert!(judged.iter().all(|one| one["operations"].as_u64() > Some(0)), "{text}");
        let kinds = json["kinds"].as_array().unwrap();
        assert!(kinds.len() == 4 && kinds.iter().all(|kind| kind["times"].as_u64() > Some(0)), "{text}");
    }
    let page = fs::read_to_string(proved.page()).unwrap();
    assert!(page.contains(&format!(">{word}</h1>")) && page.contains("</html>"), "{page}");
    // The page needs nothing from elsewhere.
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="), "{page}");
    let is_gone = wait_for(Duration::from_secs(30), || proved.left().is_empty().then_some(()));
    assert!(is_gone.is_some(), "{:?}", proved.left());
}

#[test]
fn a_fault_that_this_store_cannot_have_shows_nothing() {
    // A place of three nodes has no fourth to go to.
    let proved = prove(&["--minutes", "0.15", "--nodes", "3", "--faults", "member-replace", "--no-record"]);
    assert_eq!(proved.code, Some(3), "{}{}", proved.out, proved.errors);
    assert!(proved.out.contains("member-replace: left out: it needs 4 nodes"), "{}", proved.out);
    assert!(proved.out.contains("NOT SHOWN") && !proved.out.contains("HELD"), "{}", proved.out);
    assert!(fs::read_to_string(proved.page()).unwrap().contains(">Not shown</h1>"));
}

#[test]
fn a_program_that_is_no_node_shows_nothing() {
    let proved = prove(&["--minutes", "0.1", "--nodes", "3", "--program", "/bin/false"]);
    assert_eq!(proved.code, Some(3), "{}{}", proved.out, proved.errors);
    assert!(proved.errors.contains("not shown: node"), "{}", proved.errors);
    assert_eq!(proved.out, "");
}

#[test]
fn wrong_arguments_are_refused_before_anything_starts() {
    let begun = tempfile::tempdir().unwrap();
    fs::write(begun.path().join("mine"), "").unwrap();
    let mine = begun.path().display().to_string();
    for (words, expected) in [
        (vec!["--faults", "kil"], "no fault is called kil; there are all, kill, pause"),
        (vec!["--minutes", "0"], "give a number of minutes"),
        (vec!["--nodes", "2"], "3..=9"),
        (vec!["--data", &mine], "it is not empty; choose another directory"),
    ] {
        let proved = prove(&words);
        assert_eq!(proved.code, Some(2), "{words:?}: {}", proved.errors);
        assert!(proved.errors.contains(expected), "{words:?}: {}", proved.errors);
        assert!(!proved.page().exists());
    }
    assert!(begun.path().join("mine").exists());
}
