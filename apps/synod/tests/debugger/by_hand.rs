//! A Paxos group driven by hand, by clicks and keys.

use super::hand::{Hand, first, node};
use serde_json::{Value, json};

impl Hand {
    /// Random steps until a node promises something: that is written, and not durable yet.
    fn until_it_writes(&mut self, name: &str) -> Value {
        let before = self.browser.focus();
        self.browser.write("predicate", &format!("{name}.promised >= b1"));
        self.browser.click("run-until");
        let promised = self.browser.focus_after(before);
        let promised = self.moment(promised);
        assert_eq!(node(&promised, name)["disk"]["writing"].as_array().map(Vec::len), Some(1), "{promised}");
        promised
    }
}

#[test]
fn messages_timers_and_disks_are_chosen() {
    let mut hand = Hand::of_paxos(&[]);
    let start = hand.here();
    assert_eq!(start["title"], "c1 starts");
    // A request, in words; a wrong one says how they are written.
    hand.browser.write("request-c1-text", "DANCE");
    hand.browser.click("request-c1-send");
    assert!(hand.browser.text("toast").contains("PUT:key:value"));
    hand.browser.click("toast-close");
    hand.browser.write("request-c1-text", "PUT:a:1");
    let asked = hand.step("request-c1-send");
    assert_eq!(node(&asked, "c1")["user"]["waiting"][0]["text"], "PUT:a:1");
    let message = first(&asked, "n1", "inbox");
    let doubled = hand.step(&format!("duplicate-{message}"));
    assert_eq!(node(&doubled, "n1")["inbox"].as_array().map(Vec::len), Some(2));
    let lost = hand.step(&format!("drop-{message}"));
    assert_eq!(node(&lost, "n1")["inbox"].as_array().map(Vec::len), Some(1));
    let copy = first(&lost, "n1", "inbox");
    let arrived = hand.step(&format!("deliver-{copy}"));
    assert!(
        arrived["title"].as_str().is_some_and(|title| title.starts_with("n1 <- c1  Submit")),
        "{arrived}"
    );
    // Some ticks without a leader, and it wants to lead: a promise that must be on its disk first.
    let wants = hand.until_it_writes("n1");
    assert!(wants["changes"].as_array().is_some_and(|changes| !changes.is_empty()));
    let durable = hand.step("durable-n1");
    assert_eq!(node(&durable, "n1")["disk"]["records"], 1);
    hand.done();
}

#[test]
fn nodes_crash_restart_and_pause_and_links_are_cut_one_way() {
    let mut hand = Hand::of_paxos(&[]);
    let reason = hand.reason("restart-n1");
    assert!(reason.contains("runs already"), "{reason}");
    let crashed = hand.step("crash-n1");
    assert_eq!(node(&crashed, "n1")["status"], "crashed");
    assert!(hand.reason("crash-n1").contains("does not run"));
    let back = hand.step("restart-n1");
    assert_eq!(node(&back, "n1")["status"], "running");
    let paused = hand.step("pause-n2");
    assert_eq!(node(&paused, "n2")["status"], "paused");
    assert_eq!(node(&paused, "n2")["timers"][0]["blocked"], "n2 is paused");
    let timer = first(&paused, "n2", "timers");
    assert!(hand.reason(&format!("fire-{timer}")).contains("n2 is paused"));
    let resumed = hand.step("resume-n2");
    assert_eq!(node(&resumed, "n2")["status"], "running");
    let cut = hand.step("cut-c1-n1");
    assert_eq!(cut["cuts"], json!([{"from": "c1", "to": "n1"}]));
    hand.browser.write("request-c1-text", "GET:a");
    let asked = hand.step("request-c1-send");
    assert!(node(&asked, "n1")["inbox"][0]["blocked"].as_str().is_some_and(|why| why.contains("is cut")));
    let healed = hand.step("heal-c1-n1");
    assert_eq!(healed["cuts"], json!([]));
    assert!(node(&healed, "n1")["inbox"][0]["blocked"].is_null());
    // What a promise writes is lost, or kept.
    let wants = hand.until_it_writes("n3");
    let kept = hand.step("crash_keeping-n3");
    assert_eq!(node(&kept, "n3")["disk"]["records"], 1);
    let at = wants["moment"].as_u64().expect("a moment");
    hand.browser.go_to(at);
    let lost = hand.step("crash-n3");
    assert_eq!(node(&lost, "n3")["disk"]["records"], 0);
    hand.done();
}

#[test]
fn time_goes_back_and_on_and_branches_have_names() {
    let mut hand = Hand::of_paxos(&["--workload", "PUT:a:1"]);
    let begin = hand.browser.focus();
    hand.browser.write("random-steps", "40");
    hand.browser.click("random-run");
    let end = hand.browser.focus_after(begin);
    hand.browser.click("step-back");
    assert_eq!(hand.browser.focus_after(end), end - 1);
    hand.browser.click("step-forward");
    assert_eq!(hand.browser.focus_after(end - 1), end);
    hand.browser.click("first");
    assert_eq!(hand.browser.focus_after(end), 0);
    hand.browser.click("last");
    assert_eq!(hand.browser.focus_after(0), end);
    // Keys do the same, and playing goes on by itself.
    hand.browser.evaluate("document.activeElement.blur()");
    hand.browser.press("k");
    assert_eq!(hand.browser.focus_after(end), end - 1);
    hand.browser.press("Home");
    assert_eq!(hand.browser.focus_after(end - 1), 0);
    hand.browser.press(" ");
    hand.browser.wait("Number(document.documentElement.dataset.focus) >= 3", "it plays");
    hand.browser.click("play");
    // Another branch from the middle, with a name.
    let middle = end / 2 + 3;
    hand.browser.go_to(middle);
    let crashed = hand.step("crash-n2")["moment"].as_u64().expect("a moment");
    hand.browser.click("tab-history");
    hand.browser
        .wait("document.querySelector('#history .note').textContent === '2 branches'", "two branches");
    hand.name_branch("without n2");
    hand.browser.click(&format!("branch-{end}"));
    assert_eq!(hand.browser.focus_after(crashed), end);
    // The address says which moment it is, and leads back to another.
    hand.go_by_address(crashed);
    // A click on the number of an event in the diagram goes there.
    hand.click_number(200.0);
    hand.done();
}

#[test]
fn predicates_run_and_search_and_moments_are_compared() {
    let mut hand = Hand::of_paxos(&["--workload", "PUT:a:1,GET:a"]);
    let begin = hand.browser.focus();
    hand.browser.write("predicate", "role is Leader");
    hand.browser.wait_words("predicate-error", "of which node");
    assert!(hand.reason("run-until").contains("mistake"));
    hand.browser.write("predicate", "count(nodes where role is Leader) > 0");
    hand.browser.wait_text("predicate-verdict", "not here");
    hand.browser.click("run-until");
    let by_chance = hand.browser.focus_after(begin);
    hand.browser.wait_text("predicate-verdict", "holds here");
    hand.browser.click("compare-mark");
    hand.browser.go_to(begin);
    hand.browser.click("search");
    let nearest = hand.browser.focus_after(begin);
    assert!(hand.steps(nearest) <= hand.steps(by_chance), "the nearest is no further");
    // The nearest leader needs a majority, itself included: no other way is shorter.
    let led = hand.here();
    assert_eq!(
        led["nodes"].as_array().map(|nodes| nodes.iter().filter(|node| node["leads"] == true).count()),
        Some(1)
    );
    hand.browser.click("compare-show");
    hand.browser.wait_seen("compare-panel");
    hand.browser.wait_words("compare-sides", "n1");
    hand.browser.click("compare-ancestor");
    let ancestor = hand.browser.focus_after(nearest);
    assert!(ancestor < nearest && ancestor < by_chance);
    hand.browser.click("compare-close");
    // What can never be is looked for until all is seen or the budget is spent, or somebody has enough.
    hand.browser.write("predicate", "n1.promised > b99");
    hand.browser.wait_text("predicate-verdict", "not here");
    hand.browser.write("job-limit", "100000000");
    hand.browser.click("search");
    hand.browser.click("job-cancel");
    hand.browser.wait(
        "/cancel/.test(document.querySelector('[data-testid=job-progress]').textContent)",
        "it is cancelled",
    );
    hand.done();
}

#[test]
fn values_are_traced_to_who_wrote_them_and_moments_are_shared() {
    let mut hand = Hand::of_paxos(&["--workload", "PUT:a:1"]);
    let begin = hand.browser.focus();
    hand.browser.write("predicate", "n1.promised >= b1 and n2.promised >= b1");
    hand.browser.wait_text("predicate-verdict", "not here");
    hand.browser.click("search");
    let promised = hand.browser.focus_after(begin);
    hand.browser.click("tab-nodes");
    hand.browser.click("state-open-n2");
    hand.browser.click("why-n2-promised");
    hand.browser.wait_seen("why-chain");
    let chain = hand.browser.text("why-chain");
    assert!(chain.contains("wrote it: b0.n0 -> b1"), "{chain}");
    hand.browser.click("why-clear");
    hand.browser
        .wait("!document.querySelector('[data-testid=why-chain]').checkVisibility()", "all is shown again");
    // Claims, and one more of one's own.
    hand.browser.click("tab-claims");
    assert!(hand.browser.text("invariants").contains("a ballot has one leader"));
    hand.browser.write("claim-predicate", "n1.promised >= b1");
    hand.browser.click("claim-evaluate");
    hand.browser.wait_words("watch", "n1.promised");
    // A link, a command, a test.
    hand.browser.click("share");
    assert!(hand.browser.text("share-link").contains(&format!("#m={promised}")));
    // They come when the server has told them.
    hand.browser.wait_words("share-command", "synod debug");
    hand.browser.wait_words("share-rust", "#[test]");
    hand.browser.wait_words("share-rust", "synod_registry::opened::replayed");
    hand.browser.press("Escape");
    // Everything by its name, and the keys.
    hand.browser.evaluate("document.activeElement.blur()");
    hand.browser.press("?");
    hand.browser.wait_seen("help");
    assert!(hand.browser.text("help").contains("Step forward"));
    hand.browser.press("Escape");
    hand.browser.click("palette-open");
    hand.browser.write("palette-input", "crash n3");
    hand.browser
        .wait("document.querySelectorAll('[data-testid^=palette-item-]').length > 0", "something is found");
    hand.browser.press("Enter");
    let crashed = hand.browser.focus_after(promised);
    assert_eq!(hand.moment(crashed)["title"], "n3 crashes");
    // Who cannot see it is told it.
    hand.browser.wait_words("told", "n3 crashes");
    hand.done();
}

#[test]
fn events_are_found_and_filtered() {
    let mut hand = Hand::of_paxos(&["--workload", "PUT:a:1"]);
    let begin = hand.browser.focus();
    hand.browser.write("random-steps", "80");
    hand.browser.click("random-run");
    hand.browser.focus_after(begin);
    hand.browser.click("tab-events");
    hand.browser.write("find", "Prepare");
    hand.only_listed("Prepare");
    hand.browser.write("find", "");
    hand.browser.command("Input.insertText", &json!({"text": ""}));
    hand.browser.press("Escape");
    hand.done();
}
