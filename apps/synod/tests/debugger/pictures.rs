//! The pictures of the documentation. They are written where `SYNOD_PICTURES` says, or to a directory that goes.

use super::browser::Browser;
use super::served::{Served, synod};
use std::path::PathBuf;

/// Where pictures go, and what keeps that place as long as the test lasts.
pub fn directory() -> (PathBuf, tempfile::TempDir) {
    let kept = tempfile::tempdir().expect("a directory");
    let place = std::env::var_os("SYNOD_PICTURES").map_or_else(|| kept.path().to_path_buf(), PathBuf::from);
    std::fs::create_dir_all(&place).expect("it can be made");
    (place, kept)
}

#[test]
fn the_page_is_whole_in_both_sizes_and_colours() {
    let (directory, _kept) = directory();
    for module in ["paxos", "shardedstore"] {
        let served = Served::begin(&["--module", module, "--workload", "PUT:a:1,GET:a"]);
        let mut browser = Browser::open(&served.address, (1440, 900), false);
        let begin = browser.focus();
        browser.write("random-steps", "160");
        browser.write("random-seed", "4");
        browser.click("random-run");
        browser.focus_after(begin);
        for (width, height) in [(1440, 900), (1024, 768)] {
            for (is_dark, scheme) in [(false, "light"), (true, "dark")] {
                browser.look(width, height, is_dark);
                // Nothing is wider than the window, and no pane has lost its place.
                browser.wait("document.documentElement.scrollWidth <= innerWidth", "nothing sticks out");
                for pane in ["left", "centre", "right", "explore", "toolbar"] {
                    let box_of = format!("document.getElementById('{pane}').getBoundingClientRect()");
                    browser.wait(&format!("{box_of}.width > 100 && {box_of}.height > 20"), pane);
                }
                browser.screenshot(&directory.join(format!("{module}-{width}x{height}-{scheme}.png")));
            }
        }
        assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
    }
}

/// The way that `docs/debugger.md` goes. On one thread the search finds the same way each time; on more, any of
/// those that are as short, and of some of them no step can be left out.
#[test]
fn the_tutorial_finds_the_forgotten_promise() {
    let (directory, _kept) = directory();
    let mut search = synod(&["test", "--search", "--module", "paxos", "--test", "x2"]);
    search.args(["--mutant", "forgets_promises", "--threads", "1", "--debug"]);
    let served = Served::of(search);
    let mut browser = Browser::open(&served.address, (1440, 900), false);
    let violated = browser.focus();
    browser.click("tab-inspector");
    browser.wait_seen("inspector-violation");
    assert!(browser.text("inspector-violation").contains("only 1 servers hold"));
    browser.screenshot(&directory.join("tutorial-1-violation.png"));
    // Who holds something else in the slot, and why?
    browser.click("tab-nodes");
    browser.click("state-open-n2");
    browser.wait("document.querySelector('[data-testid=why-n2-promised]')", "the state is there");
    browser.click("why-n2-promised");
    browser.wait_seen("why-chain");
    assert!(browser.text("why-chain").contains("wrote it: b1.n1 -> b2.n3"), "{}", browser.text("why-chain"));
    browser.screenshot(&directory.join("tutorial-2-why.png"));
    browser.click("why-clear");
    // After its restart it has promised nothing, though its disk knows better.
    let session = served.api("GET /api/session", "");
    let names: Vec<String> = (1..=session["moments"].as_u64().expect("a number") - 1)
        .map(|moment| served.api(&format!("GET /api/moment?m={moment}"), "")["title"].to_string())
        .collect();
    let restart = names.iter().position(|title| title.contains("n2 restarts")).expect("it restarts") + 1;
    browser.go_to(restart as u64);
    let told = served.api(&format!("GET /api/moment?m={restart}"), "");
    let n2 = &told["nodes"][1];
    assert_eq!((&n2["term"], &n2["disk"]["records"]), (&"b0.n0".into(), &2.into()), "{n2}");
    browser.click("tab-nodes");
    browser.screenshot(&directory.join("tutorial-3-restart.png"));
    // Fewer steps are enough.
    browser.click("first-violation");
    browser.wait_focus(violated);
    browser.click("minimise");
    let smaller = browser.focus_after(violated);
    browser.click("tab-history");
    browser.click("tab-inspector");
    browser.screenshot(&directory.join("tutorial-4-minimised.png"));
    let steps = served.api(&format!("GET /api/share?m={smaller}"), "")["steps"].as_u64().expect("a number");
    assert!(steps < violated, "{steps} of {violated}");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}
