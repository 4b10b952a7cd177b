//! Who may ask, and what hostile words do: nothing.

use super::browser::Browser;
use super::served::{Served, synod};
use serde_json::json;

#[test]
fn only_its_own_page_is_answered() {
    let served = Served::begin(&["--module", "pingpong"]);
    let (host, token) = (served.host(), served.token());
    let ask = "GET /api/session";
    let status = |headers: &[(&str, &str)]| served.ask(ask, headers, "").0;
    assert_eq!(status(&[("Host", host), ("X-Synod-Token", token)]), 200);
    assert_eq!(status(&[("Host", host)]), 401);
    assert_eq!(status(&[("Host", host), ("X-Synod-Token", "0123")]), 401);
    assert_eq!(status(&[("Host", "example.com"), ("X-Synod-Token", token)]), 403);
    assert_eq!(status(&[("Host", host), ("X-Synod-Token", token), ("Origin", "http://example.com")]), 403);
    assert_eq!(
        status(&[("Host", host), ("X-Synod-Token", token), ("Origin", &format!("http://{host}"))]),
        200
    );
    let (status, head, _) = served.ask("GET /", &[("Host", host)], "");
    assert_eq!(status, 200);
    for policy in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "nosniff", "no-store"]
    {
        assert!(head.contains(policy), "{policy}: {head}");
    }
    assert_eq!(served.ask("GET /", &[("Host", "example.com")], "").0, 403);
    assert_eq!(served.ask("GET /page/../Cargo.toml", &[("Host", host)], "").0, 404);
}

#[test]
fn what_is_asked_wrongly_is_told_what_to_do() {
    let served = Served::begin(&["--module", "paxos"]);
    let headers = [("Host", served.host()), ("X-Synod-Token", served.token())];
    let cases = [
        ("GET /api/nonsense", "", "there is no /api/nonsense"),
        ("GET /api/moment?m=99999", "", "there is no moment 99999"),
        ("GET /api/moment?m=-1", "", "/api/moment"),
        ("POST /api/act", "{", "the body is no JSON"),
        ("POST /api/act", r#"{"at": 0, "act": {"do": "dance"}}"#, "dance"),
        ("POST /api/load", "nothing", "this is no trace"),
        ("POST /api/session", "{}", "is asked by GET"),
        ("POST /api/predicate", r#"{"at": 0, "predicate": "role is Leader"}"#, "of which node"),
    ];
    for (line, body, words) in cases {
        let (status, _, told) = served.ask(line, &headers, body);
        assert!(status == 400 && told.contains(words), "{line}: {status} {told}");
    }
}

#[test]
fn hostile_words_are_texts_and_long_ones_freeze_nothing() {
    let served = Served::begin(&["--module", "paxos", "--clients", "1"]);
    let mut browser = Browser::open(&served.address, (1440, 900), false);
    let hostile = "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">";
    let at = served.api("GET /api/session", "")["head"].clone();
    let long = format!("PUT:{hostile}:{}", "x".repeat(1_000_000));
    let act = json!({"at": at, "act": {"do": "request", "node": "c1", "text": long}});
    let moment = served.api("POST /api/act", &act.to_string())["moment"].as_u64().expect("a moment");
    browser.visit(&format!("{}#m={moment}", served.address));
    browser.click("tab-inspector");
    browser.wait_words("event-title", "<script>");
    let queued = browser.evaluate("document.querySelector('[data-testid=nodes], #nodes').textContent");
    assert!(queued.as_str().is_some_and(|text| text.contains("<script>")), "{queued}");
    browser.click("tab-nodes");
    browser.click("state-open-c1");
    browser.wait_words("state-c1", "window");
    assert!(browser.text("title").contains("paxos"));
    assert_ne!(browser.evaluate("document.title"), json!("broken"));
    assert_eq!(browser.evaluate("document.querySelectorAll('script:not([src]), img').length"), json!(0));
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn wrong_commands_say_what_to_write() {
    let cases: [(&[&str], &str); 10] = [
        (&["debug"], "--module"),
        (&["debug", "--module", "raft"], "there are pingpong, register, clientserver"),
        (&["debug", "--module", "paxos", "--servers", "0"], "from 1 to 30"),
        (&["debug", "--module", "paxos", "--clients", "99"], "at most 30"),
        (&["debug", "--module", "paxos", "--workload", "DANCE"], "write PUT:key:value"),
        (
            &["debug", "--module", "paxos", "--workload", "GET:a;GET:b;GET:c"],
            "has 3 users, and there are 2 clients",
        ),
        (&["debug", "--module", "paxos", "--mutant", "nonsense"], "no such mistake; there are"),
        (&["debug", "--module", "paxos", "--test", "nonsense"], "no such scenario; there are"),
        (&["debug", "--trace", "not_there.trace"], "give a readable trace file"),
        (&["debug", "--module", "paxos", "--trace", "x"], "cannot be used with"),
    ];
    for (arguments, words) in cases {
        let output = synod(arguments).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(words), "{arguments:?}: {told}");
    }
}
