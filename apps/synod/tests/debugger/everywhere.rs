//! Each feature is used once on the smallest protocol, on one of the middle and on the largest: what `by_hand.rs` looks at
//! closely on Paxos does not depend on Paxos.

use super::browser::Browser;
use super::hand::{Hand, first, node};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is different between the protocols.
struct Module {
    name: &'static str,
    /// A request, and what is none and what is said of that.
    asks: &'static str,
    wrong: (&'static str, &'static str),
    /// The message that carries the request to `n1`.
    message: &'static str,
    /// Something that comes to be, and can be found by a search.
    goal: &'static str,
    /// Something that never is, where there is no end of states.
    never: &'static str,
}

const PINGPONG: Module = Module {
    name: "pingpong",
    asks: "7",
    wrong: ("seven", "a number"),
    message: "Ping",
    goal: "sent(Pong)",
    never: "sent(Nothing)",
};

const PAXOS: Module = Module {
    name: "paxos",
    asks: "PUT:a:1",
    wrong: ("DANCE", "PUT:key:value"),
    message: "Submit",
    goal: "count(nodes where role is Leader) > 0",
    never: "n1.promised > b99",
};

const SHARDEDSTORE: Module = Module {
    name: "shardedstore",
    asks: "PUT:a:1",
    wrong: ("DANCE", "PUT:key:value"),
    message: "Masters.Query",
    goal: "n1.promised >= b1",
    never: "n1.promised > b99",
};

#[test]
fn every_feature_is_used_on_pingpong() {
    every_feature(&PINGPONG);
    a_wrong_answer_is_made_by_hand_and_minimised();
}

#[test]
fn every_feature_is_used_on_paxos() {
    // Its mistake is found by a search: see `opened.rs`.
    every_feature(&PAXOS);
}

#[test]
fn every_feature_is_used_on_shardedstore() {
    every_feature(&SHARDEDSTORE);
    // Random steps of this seed show a seeded mistake.
    let mut hand = Hand::begin(&[
        "--module",
        "shardedstore",
        "--clients",
        "1",
        "--mutant",
        "serves_what_is_to_come",
        "--workload",
        "PUT:a:1,GET:a,APPEND:a:2,GET:a",
    ]);
    let begin = hand.browser.focus();
    hand.browser.write("random-steps", "600");
    hand.browser.write("random-seed", "1");
    hand.browser.click("random-run");
    let violated = hand.browser.focus_after(begin);
    is_minimised(&mut hand, violated);
    hand.done();
}

fn every_feature(module: &Module) {
    let mut hand = Hand::begin(&["--module", module.name, "--clients", "1"]);
    let asked = messages(&mut hand, module);
    faults(&mut hand, asked);
    time(&mut hand, asked);
    exploring(&mut hand, module, asked);
    looking(&mut hand, module, asked);
    keeping(&mut hand, module, asked);
    hand.done();
}

/// Requests, deliveries, losses, doubles and timers. Returns the moment of the request.
fn messages(hand: &mut Hand, module: &Module) -> u64 {
    let (wrong, help) = module.wrong;
    hand.browser.write("request-c1-text", wrong);
    hand.browser.click("request-c1-send");
    let told = hand.browser.text("toast");
    assert!(told.contains(help), "{told}");
    hand.browser.click("toast-close");
    hand.browser.write("request-c1-text", module.asks);
    let asked = hand.step("request-c1-send");
    assert_eq!(node(&asked, "c1")["user"]["waiting"][0]["text"], module.asks);
    let reason = hand.reason("request-c1-send");
    assert!(reason.contains("waits for an answer"), "{reason}");
    let message = sent(&asked, module);
    let before = inbox(&asked);
    assert_eq!(inbox(&hand.step(&format!("duplicate-{message}"))), before + 1);
    let lost = hand.step(&format!("drop-{message}"));
    assert_eq!(inbox(&lost), before);
    let arrived = hand.step(&format!("deliver-{}", sent(&lost, module)));
    let title = arrived["title"].as_str().expect("a title");
    assert!(title.starts_with("n1 <- c1"), "{title}");
    hand.browser.go_to(asked["moment"].as_u64().expect("a moment"));
    let fired = hand.step(&format!("fire-{}", first(&asked, "c1", "timers")));
    assert!(fired["title"].as_str().is_some_and(|title| title.starts_with("c1 !! ")), "{fired}");
    let gone = hand.step("give_up-c1");
    assert_eq!(node(&gone, "c1")["user"]["waiting"], json!([]));
    asked["moment"].as_u64().expect("a moment")
}

/// The number of the request's message, on its way to `n1`.
fn sent(moment: &Value, module: &Module) -> u64 {
    let inbox = node(moment, "n1")["inbox"].as_array().expect("an inbox");
    let message = inbox.iter().find(|message| message["name"] == module.message);
    message.and_then(|message| message["id"].as_u64()).expect("the request is on its way")
}

fn inbox(moment: &Value) -> usize {
    node(moment, "n1")["inbox"].as_array().expect("an inbox").len()
}

/// Crashes, pauses and cuts, and what is impossible then.
fn faults(hand: &mut Hand, asked: u64) {
    hand.browser.go_to(asked);
    let crashed = hand.step("crash-n1");
    assert_eq!(node(&crashed, "n1")["status"], "crashed");
    for (button, why) in
        [("crash-n1", "does not run"), ("pause-n1", "does not run"), ("start-n1", "has run before")]
    {
        let reason = hand.reason(button);
        assert!(reason.contains(why), "{button}: {reason}");
    }
    assert_eq!(node(&hand.step("restart-n1"), "n1")["status"], "running");
    let reason = hand.reason("durable-n1");
    assert!(reason.contains("writes nothing") && hand.reason("crash_keeping-n1") == reason, "{reason}");
    let paused = hand.step("pause-n1");
    assert_eq!(node(&paused, "n1")["inbox"][0]["blocked"], "n1 is paused");
    let resumed = hand.step("resume-n1");
    assert!(node(&resumed, "n1")["inbox"][0]["blocked"].is_null());
    let cut = hand.step("cut-c1-n1");
    assert_eq!(cut["cuts"], json!([{"from": "c1", "to": "n1"}]));
    let is_cut = |message: &Value| message["blocked"].as_str().is_some_and(|why| why.contains("is cut"));
    let all = node(&cut, "n1")["inbox"].as_array().expect("an inbox");
    assert!(all.iter().all(|message| is_cut(message) == (message["from"] == "c1")), "{all:?}");
    assert_eq!(hand.step("heal-c1-n1")["cuts"], json!([]));
}

/// Steps back and on, playing, branches and their names, the diagram, the address.
fn time(hand: &mut Hand, asked: u64) {
    hand.browser.go_to(asked);
    hand.browser.write("random-steps", "30");
    hand.browser.click("random-run");
    let end = hand.browser.focus_after(asked);
    let back = hand.step("step-back")["moment"].as_u64();
    hand.step("step-forward");
    assert_eq!((hand.browser.focus(), back.is_some_and(|back| back < end)), (end, true));
    assert_eq!(hand.step("first")["moment"], 0);
    assert_eq!(hand.step("last")["moment"], end);
    hand.browser.evaluate("document.activeElement.blur()");
    hand.browser.press("Home");
    assert_eq!(hand.browser.focus_after(end), 0);
    hand.browser.press(" ");
    hand.browser.wait("Number(document.documentElement.dataset.focus) >= 2", "it plays");
    hand.browser.click("play");
    // Another branch, with a name.
    hand.browser.go_to(asked);
    let other = hand.step("pause-c1")["moment"].as_u64().expect("a moment");
    hand.browser.click("tab-history");
    hand.name_branch("a user who sleeps");
    hand.browser.click(&format!("branch-{end}"));
    assert_eq!(hand.browser.focus_after(other), end);
    // So do the keys, where the tree has them.
    hand.browser.evaluate("document.querySelector('[data-testid=history]').focus()");
    let row = "document.querySelector('[data-testid=history] [aria-selected=true]')";
    hand.browser.press("Home");
    hand.browser
        .wait(&format!("{row}.style.transform === 'translateY(0px)'"), "the first branch is selected");
    let first = hand.browser.evaluate(&format!("Number({row}.dataset.testid.slice('branch-'.length))"));
    let first = first.as_u64().expect("a moment");
    hand.browser.wait_focus(first);
    hand.browser.press("ArrowDown");
    let second = hand.browser.focus_after(first);
    hand.browser.press("End");
    hand.browser.press("ArrowUp");
    hand.browser.press("Home");
    hand.browser.wait_focus(first);
    assert_ne!(first, second);
    hand.browser.click(&format!("branch-{end}"));
    hand.browser.wait_focus(end);
    hand.go_by_address(other);
    // The number of an event in the diagram.
    hand.browser.go_to(end);
    hand.click_number(60.0);
}

/// Predicates, searches, and two moments compared.
fn exploring(hand: &mut Hand, module: &Module, asked: u64) {
    hand.browser.go_to(asked);
    hand.browser.write("predicate", "role is");
    hand.browser.wait(
        "document.querySelector('[data-testid=predicate-error]').textContent !== ''",
        "it is a mistake",
    );
    hand.browser.write("predicate", module.goal);
    hand.browser.wait_text("predicate-verdict", "not here");
    hand.browser.click("run-until");
    let by_chance = hand.browser.focus_after(asked);
    hand.browser.wait_text("predicate-verdict", "holds here");
    hand.browser.click("compare-mark");
    hand.browser.go_to(asked);
    hand.browser.click("search");
    let nearest = hand.browser.focus_after(asked);
    hand.browser.wait_text("predicate-verdict", "holds here");
    if nearest == by_chance {
        // There was no choice: another moment is compared.
        hand.browser.go_to(asked);
    }
    hand.browser.click("compare-show");
    hand.browser.wait_seen("compare-panel");
    hand.browser.wait(
        "document.querySelector('[data-testid=compare-sides]').childElementCount > 0",
        "they are compared",
    );
    hand.browser.click("compare-close");
    // Only where servers may crash is one down.
    hand.browser.go_to(asked);
    hand.browser.write("predicate", "n1 is down");
    hand.browser.wait_text("predicate-verdict", "not here");
    hand.browser.choose("search-faults", "a crash");
    hand.browser.click("search");
    let crashed = hand.browser.focus_after(asked);
    assert_eq!(hand.here()["title"], "n1 crashes", "at {crashed}");
    hand.browser.choose("search-faults", "no fault");
    hand.browser.go_to(asked);
    hand.browser.write("predicate", module.never);
    hand.browser.wait_text("predicate-verdict", "not here");
    hand.browser.write("job-limit", "100000000");
    hand.browser.click("search");
    hand.browser.click("job-cancel");
    hand.browser.wait_words("job-progress", "cancel");
}

/// The list of events, the inspector, the state, claims, keys, the palette, and what a screen reader is told.
fn looking(hand: &mut Hand, module: &Module, asked: u64) {
    hand.browser.go_to(asked);
    let message = sent(&hand.here(), module);
    let arrived = hand.step(&format!("deliver-{message}"));
    let at = arrived["moment"].as_u64().expect("a moment");
    hand.browser.click("tab-inspector");
    hand.browser.wait_words("event-title", "n1 <- c1");
    hand.browser.click(&format!("cause-{asked}"));
    assert_eq!(hand.browser.focus_after(at), asked);
    // What the request changed, and why it is so.
    let told = hand.here();
    let change = &told["changes"][0];
    let path = (change["node"].as_str().expect("a node"), change["path"].as_str().expect("a path"));
    hand.browser.click(&format!("change-{}-{}", path.0, path.1));
    hand.browser.wait_seen("why-chain");
    let why = hand.browser.text("why-chain");
    assert!(why.contains("wrote it") && why.contains(module.asks), "{why}");
    hand.browser.click("why-clear");
    hand.browser.click("tab-nodes");
    hand.browser.click("state-open-c1");
    hand.browser.wait("document.querySelectorAll('[data-testid^=why-c1-]').length > 0", "the state is there");
    hand.browser.click("tab-claims");
    hand.browser
        .wait("document.querySelectorAll('[data-testid=invariants] > *').length > 0", "claims are there");
    // The list, by text, by node and by name.
    hand.browser.click("tab-events");
    hand.browser.write("find", "pauses");
    hand.only_listed("pauses");
    hand.browser.evaluate("(field => { field.value = ''; field.dispatchEvent(new Event('input')); })(document.querySelector('[data-testid=find]'))");
    for (filter, chosen, all) in
        [("filter-node", "n1", "all nodes"), ("filter-name", module.message, "all names")]
    {
        hand.browser.choose(filter, chosen);
        hand.only_listed(chosen.rsplit('.').next().expect("a word"));
        hand.browser.choose(filter, all);
    }
    hand.browser.evaluate("document.activeElement.blur()");
    hand.browser.press("?");
    hand.browser.wait_seen("help");
    hand.browser.press("Escape");
    hand.browser.go_to(asked);
    hand.browser.click("palette-open");
    hand.browser.write("palette-input", "crash n1");
    hand.browser
        .wait("document.querySelectorAll('[data-testid^=palette-item-]').length > 0", "something is found");
    hand.browser.press("Enter");
    hand.browser.focus_after(asked);
    hand.browser.wait_words("told", "n1 crashes");
}

/// Shares, saves, loads and exports, through the browser's own dialogs.
fn keeping(hand: &mut Hand, module: &Module, asked: u64) {
    hand.browser.go_to(asked);
    hand.browser.write("random-steps", "20");
    hand.browser.click("random-run");
    let end = hand.browser.focus_after(asked);
    hand.browser.click("share");
    assert!(hand.browser.text("share-link").contains(&format!("#m={end}")));
    hand.browser.wait_words("share-command", "synod debug --trace");
    hand.browser.wait_words("share-rust", "synod_registry::opened::replayed");
    hand.browser.press("Escape");
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().display().to_string();
    hand.browser.command("Page.setDownloadBehavior", &json!({"behavior": "allow", "downloadPath": place}));
    hand.browser.click("save");
    let trace = downloaded(directory.path(), "trace");
    hand.browser.click("export");
    let page = downloaded(directory.path(), "html");
    // The saved way is the first of another debugger's branches, chosen as a file.
    let mut other = Hand::begin(&["--module", module.name, "--clients", "1"]);
    let begin = other.browser.focus();
    other.browser.command("Page.setInterceptFileChooserDialog", &json!({"enabled": true}));
    other.browser.click("load");
    let document = other.browser.command("DOM.getDocument", &json!({}));
    let input = json!({"nodeId": document["root"]["nodeId"], "selector": "[data-testid=load-file]"});
    let input = other.browser.command("DOM.querySelector", &input);
    let chosen = json!({"nodeId": input["nodeId"], "files": [trace.display().to_string()]});
    other.browser.command("DOM.setFileInputFiles", &chosen);
    let there = other.browser.focus_after(begin);
    assert_eq!(other.moment(there)["title"], hand.moment(end)["title"]);
    other.done();
    let mut offline = Browser::open(&format!("file://{}", page.display()), (1024, 768), true);
    let end = offline.focus();
    offline.click("first");
    assert_eq!(offline.focus_after(end), 0);
    assert!(offline.complaints.is_empty(), "{:?}", offline.complaints);
}

/// The one file of this kind that comes into a directory, whole.
fn downloaded(directory: &Path, kind: &str) -> PathBuf {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let files = fs::read_dir(directory).expect("a directory").flatten().map(|entry| entry.path());
        let is_it = |path: &PathBuf| {
            path.extension().is_some_and(|it| it == kind) && fs::metadata(path).is_ok_and(|it| it.len() > 0)
        };
        if let Some(file) = files.into_iter().find(is_it) {
            return file;
        }
        assert!(Instant::now() < deadline, "no .{kind} file comes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A pong of the first ping is taken for the second's: by clicks alone.
fn a_wrong_answer_is_made_by_hand_and_minimised() {
    let mistake = ["--mutant", "any_pong_is_an_answer", "--workload", "1000,1001"];
    let mut hand = Hand::begin(&[&["--module", "pingpong", "--clients", "1"], &mistake[..]].concat());
    // Its user has asked already.
    let asked = hand.here();
    let ping = sent(&asked, &PINGPONG);
    let mut moment = hand.step(&format!("duplicate-{ping}"));
    while inbox(&moment) > 0 {
        let ping = first(&moment, "n1", "inbox");
        moment = hand.step(&format!("deliver-{ping}"));
    }
    let answered = hand.step(&format!("deliver-{}", first(&moment, "c1", "inbox")));
    assert_eq!(node(&answered, "c1")["user"]["answered"], 1);
    hand.step("pause-n1");
    let second = hand.step("request-c1-send");
    let wrong = hand.step(&format!("deliver-{}", first(&second, "c1", "inbox")));
    assert!(wrong["violation"].as_str().is_some_and(|words| words.contains("was answered")), "{wrong}");
    let violated = wrong["moment"].as_u64().expect("a moment");
    is_minimised(&mut hand, violated);
    hand.done();
}

/// The violation at this moment is starred, gone to, and minimised.
fn is_minimised(hand: &mut Hand, violated: u64) {
    let before = hand.moment(violated);
    let words = before["violation"].as_str().expect("a violation").to_owned();
    let name = words.split(':').next().expect("a name").to_owned();
    hand.browser.click("tab-claims");
    hand.browser.wait_seen(&format!("violation-{violated}"));
    hand.browser.click("tab-history");
    let star =
        format!("document.querySelector('[data-testid=branch-{violated}]').classList.contains('violated')");
    hand.browser.wait(&star, "the branch is starred");
    hand.browser.click("first");
    hand.browser.wait_focus(0);
    hand.browser.click("first-violation");
    assert_eq!(hand.browser.focus_after(0), violated);
    hand.browser.click("minimise");
    let smaller = hand.browser.focus_after(violated);
    assert!(hand.steps(smaller) < hand.steps(violated));
    let kept = hand.moment(smaller);
    assert!(kept["violation"].as_str().is_some_and(|words| words.starts_with(&name)), "{kept}");
}
