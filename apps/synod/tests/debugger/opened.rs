//! What can be opened: searches, runs, sessions, and files without a server.

use super::browser::Browser;
use super::served::{Served, synod};
use serde_json::json;
use std::fs;

/// The search that finds a mutant of Paxos, and where its trace is then.
fn counterexample(directory: &std::path::Path) -> String {
    let searched = ["--search", "--module", "paxos", "--test", CAUGHT_BY, "--mutant", MUTANT];
    // On one thread the search finds the same trace each time, and some steps of it can be left out.
    let kept = ["--threads", "1", "--save-traces"];
    let output = synod(&["test"]).args(searched).args(kept).arg(directory).output().expect("it runs");
    assert!(!output.status.success(), "the mutant is found");
    let files: Vec<_> = fs::read_dir(directory).expect("a directory").flatten().collect();
    let [file] = &files[..] else { panic!("one trace, not {files:?}") };
    file.path().display().to_string()
}

const MUTANT: &str = "counts_old_promises";
const CAUGHT_BY: &str = "x4";

#[test]
fn a_counterexample_is_opened_minimised_exported_and_opened_again_without_a_server() {
    let directory = tempfile::tempdir().expect("a directory");
    let trace = counterexample(directory.path());
    let served = Served::begin(&["--trace", &trace, "--mutant", MUTANT]);
    let session = served.api("GET /api/session", "");
    let violation = session["violations"][0]["moment"].as_u64().expect("it ends in a violation");
    let mut browser = Browser::open(&served.address, (1440, 900), false);
    browser.wait_focus(violation);
    browser.click("first");
    browser.wait_focus(0);
    browser.click("first-violation");
    assert_eq!(browser.focus_after(0), violation);
    browser.click("tab-inspector");
    assert!(!browser.text("inspector-violation").is_empty());
    browser.click("minimise");
    let smaller = browser.focus_after(violation);
    let steps = |moment: u64| served.api(&format!("GET /api/share?m={moment}"), "")["steps"].as_u64();
    assert!(steps(smaller) <= steps(violation));
    browser.wait_seen("inspector-violation");

    let (status, page) = served.told(&format!("GET /api/export?m={smaller}"), "");
    assert_eq!(status, 200);
    let file = directory.path().join("exported.html");
    fs::write(&file, page).expect("it can be written");
    let mut offline = Browser::open(&format!("file://{}", file.display()), (1440, 900), false);
    let end = offline.focus();
    offline.click("first");
    offline.focus_after(end);
    offline.click("last");
    assert_eq!(offline.focus_after(0), end);
    offline.click("tab-inspector");
    assert_eq!(offline.text("inspector-violation"), browser.text("inspector-violation"));
    offline.click("tab-nodes");
    let refused =
        offline.evaluate("document.querySelector('[data-testid=crash-n1]').getAttribute('aria-disabled')");
    assert_eq!(refused, json!("true"), "what needs the server says so");
    assert!(offline.complaints.is_empty(), "{:?}", offline.complaints);
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn a_search_that_finds_something_opens_the_debugger_on_it() {
    let served = Served::of(synod(&[
        "test", "--search", "--module", "paxos", "--test", CAUGHT_BY, "--mutant", MUTANT, "--debug",
    ]));
    let session = served.api("GET /api/session", "");
    assert_eq!(session["violations"][0]["moment"], session["head"]);
}

#[test]
fn a_run_is_opened_by_its_seed_saved_and_opened_again() {
    let served = Served::begin(&["--module", "paxos", "--test", "2", "--seed", "3"]);
    let session = served.api("GET /api/session", "");
    let head = session["head"].as_u64().expect("a moment");
    assert!(head > 50, "{session}");
    assert_eq!(
        (&session["violations"], session["invariants"].as_array().map(Vec::len)),
        (&json!([]), Some(2))
    );
    // Any moment of it can be branched.
    let grown = served.api("POST /api/random", &json!({"at": head / 2, "steps": 20, "seed": 1}).to_string());
    let branch = grown["moment"].as_u64().expect("a moment");
    let (status, trace) = served.told(&format!("GET /api/save?m={branch}"), "");
    assert_eq!(status, 200);
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("branch.trace");
    fs::write(&file, &trace).expect("it can be written");
    let again = Served::begin(&["--trace", &file.display().to_string()]);
    let moment = again.api("GET /api/session", "")["head"].as_u64().expect("a moment");
    let state = |served: &Served, moment: u64| {
        served.api(&format!("GET /api/tree?m={moment}&node=n1&base={moment}"), "")
    };
    assert_eq!(state(&again, moment), state(&served, branch));
}

#[test]
fn every_module_is_driven_by_random_steps() {
    for (module, workload) in [
        ("pingpong", "1,2,3"),
        ("clientserver", "PUT:a:1,GET:a"),
        ("primarybackup", "PUT:a:1,GET:a"),
        ("shardedstore", "PUT:a:1,GET:a"),
    ] {
        let served = Served::begin(&["--module", module, "--workload", workload]);
        let mut browser = Browser::open(&served.address, (1024, 768), true);
        let begin = browser.focus();
        browser.write("random-steps", "300");
        browser.click("random-run");
        let end = browser.focus_after(begin);
        assert!(end >= begin + 20, "{module}: from {begin} to {end}");
        let answered = served.api(&format!("GET /api/moment?m={end}"), "");
        assert!(
            answered["invariants"].as_array().is_some_and(|all| all.iter().all(|one| one["holds"] == true))
        );
        browser.click("step-back");
        assert_eq!(browser.focus_after(end), end - 1);
        assert!(browser.complaints.is_empty(), "{module}: {:?}", browser.complaints);
    }
}
