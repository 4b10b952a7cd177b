//! What real nodes recorded: a cluster of three whose leader was killed, gone through again in the browser.

use super::browser::Browser;
use super::cluster::{Cluster, PATIENCE, Wire, write_until_acknowledged};
use super::hand::node;
use super::pictures::directory;
use super::searched::search;
use super::served::{Served, synod};
use serde_json::{Value, json};
use std::path::PathBuf;
use synod_resp::Reply;

/// Lets three nodes serve, kills the one that leads, lets the others go on, brings it back, and ends them all. Returns
/// their recordings, the leader's number, and what keeps the files.
fn flight() -> (Vec<PathBuf>, u32, Cluster) {
    let mut cluster = Cluster::start_as(3, |setup| setup.records = true);
    let all = cluster.client_addresses();
    for number in 0..10 {
        write_until_acknowledged(&all, &format!("before{number}"), "written");
    }
    let leader = cluster.await_leader();
    cluster.kill(leader);
    for number in 0..10 {
        write_until_acknowledged(&all, &format!("without{number}"), "written");
    }
    cluster.restart(leader);
    write_until_acknowledged(&[cluster.client_address(leader)], "after", "written");
    let mut wire = Wire::open(cluster.client_address(leader), PATIENCE).expect("it serves");
    assert_eq!(wire.ask(&["GET", "without9"]), Some(Reply::bulk("written")));
    cluster.await_caught_up();
    for number in cluster.numbers() {
        let (status, _) = cluster.stop(number);
        assert!(status.success(), "node {number} ended with {status}");
    }
    let files = cluster.nodes.iter().map(|node| node.setup.recording()).collect();
    (files, leader, cluster)
}

fn begin(files: &[PathBuf], more: &[&str]) -> Served {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let mut arguments: Vec<&str> = names.iter().map(String::as_str).collect();
    arguments.extend(more);
    Served::begin(&arguments)
}

/// The first moment whose title has these words.
fn moment_of(served: &Served, words: &str) -> u64 {
    let found = served.api(&format!("GET /api/find?limit=1&q={}", words.replace(' ', "%20")), "");
    found["moments"][0].as_u64().unwrap_or_else(|| panic!("no `{words}`: {found}"))
}

/// What may come of a moment is searched with the nodes that served: where one may crash, it does.
fn is_searched(served: &Served, browser: &mut Browser, at: u64, member: &str) {
    browser.go_to(at);
    browser.write("predicate", &format!("{member} is down"));
    browser.wait_text("predicate-verdict", "not here");
    browser.choose("search-faults", "a crash");
    browser.click("search");
    let down = browser.focus_after(at);
    let title = served.api(&format!("GET /api/moment?m={down}"), "")["title"].clone();
    assert_eq!(title, format!("{member} crashes").as_str());
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn recordings_of_a_cluster_with_a_killed_leader_are_gone_through_again_and_branched() {
    let (files, leader, cluster) = flight();
    let served = begin(&files, &[]);
    let session = served.api("GET /api/session", "");
    assert_eq!(session["remarks"], json!([]), "nothing is flagged, and nothing was left out");
    assert_eq!(session["violations"], json!([]));
    assert_eq!(session["nodes"].as_array().map(Vec::len), Some(12), "{session}");
    let end = session["head"].as_u64().expect("a moment");
    assert_eq!(session["moments"], end + 1, "one branch, which is what happened");
    assert!(end > 1_000, "only {end} moments");
    // What the leader said before it was killed, and what it knew when it came back.
    let member = format!("n{}", 1000 + leader);
    let crashed = moment_of(&served, &format!("{member} crashes"));
    let restarted = moment_of(&served, &format!("{member} restarts"));
    assert!(crashed < restarted && restarted < end);
    let leads = |moment: u64, name: &str| {
        node(&served.api(&format!("GET /api/moment?m={moment}"), ""), name)["leads"] == true
    };
    assert!(leads(crashed - 1, &member) && !leads(end, &member));

    let mut browser = Browser::open(&served.address, (1440, 900), false);
    browser.wait_focus(end);
    browser.go_to(crashed);
    browser.click("tab-nodes");
    browser.wait_words(&format!("node-{member}"), "crashed");
    let (pictures, _kept) = directory();
    browser.screenshot(&pictures.join("recorded-1440x900.png"));
    // From the moment before, it goes otherwise: nobody was killed.
    browser.go_to(crashed - 1);
    browser.write("random-steps", "60");
    browser.click("random-run");
    let branch = browser.focus_after(crashed - 1);
    assert!(branch > end, "{branch} is no new moment");
    let told = served.api(&format!("GET /api/moment?m={branch}"), "");
    assert_eq!(node(&told, &member)["status"], "running");
    let holds = |claim: &Value| claim["holds"] == true;
    assert!(
        told["invariants"].as_array().is_some_and(|all| all.len() == 4 && all.iter().all(holds)),
        "{told}"
    );
    // A person asks in the words of a Redis client.
    browser.write("request-c2-text", "SET");
    browser.click("request-c2-send");
    assert!(browser.text("toast").contains("wrong number of arguments"), "{}", browser.text("toast"));
    browser.write("request-c2-text", "SET by hand");
    browser.click("request-c2-send");
    let asked = browser.focus_after(branch);
    assert!(
        served.api(&format!("GET /api/moment?m={asked}"), "")["title"].to_string().contains("SET by hand")
    );
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);

    is_searched(&served, &mut browser, end, &member);
    // Whoever leads tells the others so, whenever its timer fires.
    assert_eq!(search(&served, crashed - 1, "sent(Heartbeat)", 0)["state"], "found");

    // The branch is kept as a trace, and found again where the recordings are.
    let share = served.api(&format!("GET /api/share?m={asked}"), "");
    assert!(
        share["command"].as_str().is_some_and(|command| command.contains("flight.rec --trace ")),
        "{share}"
    );
    let (_, trace) = served.told(&format!("GET /api/save?m={asked}"), "");
    let file = cluster.place().join("branch.trace");
    std::fs::write(&file, trace).expect("it can be written");
    let again = begin(&files, &["--trace", &file.display().to_string()]);
    let there = again.api("GET /api/session", "")["head"].as_u64().expect("a moment");
    let state =
        |served: &Served, m: u64| served.api(&format!("GET /api/tree?m={m}&node={member}&base={m}"), "");
    assert_eq!(state(&again, there), state(&served, asked));
}

#[test]
fn a_recording_of_something_else_is_flagged_and_a_file_that_is_none_is_refused() {
    let (files, _, cluster) = flight();
    // One step of the second node did something else.
    let text = std::fs::read_to_string(&files[1]).expect("it can be read");
    let at =
        text.match_indices("{\"did\":\"").nth(100).expect("it took a hundred steps").0 + "{\"did\":\"".len();
    let other = if text[at..].starts_with('0') { "1" } else { "0" };
    let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
    std::fs::write(&files[1], changed).expect("it can be written");
    let served = begin(&files, &[]);
    let session = served.api("GET /api/session", "");
    let remark = session["remarks"][0].as_str().expect("a remark").to_owned();
    let moment: u64 = remark.rsplit(' ').next().and_then(|word| word.parse().ok()).expect("a moment");
    let mut browser = Browser::open(&served.address, (1440, 900), true);
    assert!(browser.text("toast").contains(&remark), "{}", browser.text("toast"));
    browser.go_to(moment);
    browser.click("tab-inspector");
    browser.wait_seen("inspector-flagged");
    assert!(browser.text("inspector-flagged").contains("did something else when this was recorded"));

    let refused = |arguments: &[&str]| {
        let output = synod(&[&["debug"], arguments].concat()).output().expect("it runs");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let first = files[0].display().to_string();
    let why = refused(&[&first, &first]);
    assert!(why.contains("are the same recording"), "{why}");
    let why = refused(&["--trace", &first]);
    assert!(why.contains("open it with `synod debug FILE ...`"), "{why}");
    let none = cluster.place().join("none.rec");
    let why = refused(&[&none.display().to_string()]);
    assert!(why.contains("No such file") && why.contains("`recording`"), "{why}");
    std::fs::write(&none, "nonsense\n").expect("it can be written");
    let why = refused(&[&first, &none.display().to_string()]);
    assert!(why.contains("none.rec: line 1 of the trace is damaged"), "{why}");
}
