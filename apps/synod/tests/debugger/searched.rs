//! A search begins at any moment of whatever was opened, and goes no way that a person could not go from there.

use super::served::Served;
use serde_json::{Value, json};
use std::time::Duration;

/// What a search from a moment on comes to.
pub fn search(served: &Served, at: u64, predicate: &str, crashes: u8) -> Value {
    let wish = json!({
        "kind": "search", "at": at, "predicate": predicate, "states_max": 20_000, "crashes": crashes,
    });
    let job = served.api("POST /api/job", &wish.to_string())["job"].clone();
    loop {
        let told = served.api(&format!("GET /api/job?id={job}"), "");
        if told["state"] != "running" {
            return told;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn title(served: &Served, moment: &Value) -> Value {
    served.api(&format!("GET /api/moment?m={moment}"), "")["title"].clone()
}

fn act(served: &Served, at: u64, act: &Value) -> u64 {
    let grown = served.api("POST /api/act", &json!({"at": at, "act": act}).to_string());
    grown["moment"].as_u64().expect("a moment")
}

#[test]
fn a_run_of_a_simulation_is_searched_on_from_where_it_was() {
    for (module, test) in [("paxos", "2"), ("primarybackup", "2.5"), ("shardedstore", "3.2")] {
        let served = Served::begin(&["--module", module, "--test", test, "--seed", "1"]);
        let session = served.api("GET /api/session", "");
        assert_eq!(session["can_search"], true);
        let middle = session["head"].as_u64().expect("a moment") / 2;
        let node = session["nodes"][0]["name"].as_str().expect("a name");
        let found = search(&served, middle, &format!("{node} is down"), 1);
        assert_eq!(found["state"], "found", "{module}: {found}");
        assert_eq!(title(&served, &found["moment"]), json!(format!("{node} crashes")), "{module}");
        let never = search(&served, middle, &format!("{node} is down"), 0);
        assert_eq!(never["state"], "not_found", "{module}: {never}");
        let early = search(&served, 0, &format!("{node} is down"), 0);
        assert!(early["words"].as_str().is_some_and(|words| words.contains("has not started")), "{early}");
    }
}

#[test]
fn who_is_paused_stays_so_in_a_search() {
    let served = Served::begin(&["--module", "pingpong", "--workload", "1"]);
    let head = served.api("GET /api/session", "")["head"].as_u64().expect("a moment");
    let found = search(&served, head, "sent(Pong)", 0);
    assert_eq!(found["state"], "found", "{found}");
    let paused = act(&served, head, &json!({"do": "pause", "node": "n1"}));
    for crashes in [0, 1] {
        let none = search(&served, paused, "sent(Pong)", crashes);
        assert_eq!(none["state"], "not_found", "{none}");
    }
}

#[test]
fn who_waits_no_longer_may_be_answered_late() {
    let served = Served::begin(&["--module", "clientserver", "--workload", "PUT:a:1"]);
    let head = served.api("GET /api/session", "")["head"].as_u64().expect("a moment");
    let gave_up = act(&served, head, &json!({"do": "give_up", "node": "c1"}));
    // The answer comes, and is nothing that was never asked.
    let answered = search(&served, gave_up, "sent(Results)", 0);
    assert_eq!(answered["state"], "found", "{answered}");
    let none = search(&served, gave_up, "n1 is down", 0);
    assert_eq!(none["state"], "not_found", "{none}");
}

/// The moment that this leads to, or the one where it is tried if it is not possible there.
fn tried(served: &Served, what: &str, at: u64, wish: &Value) -> u64 {
    let (status, told) = served.told(&format!("POST /api/{what}"), &wish.to_string());
    if status != 200 {
        return at;
    }
    let grown: Value = serde_json::from_str(&told).expect("JSON");
    grown["moment"].as_u64().expect("a moment")
}

#[test]
fn what_a_search_finds_can_be_gone_from_wherever_it_began() {
    let mut found = 0;
    for (module, workload, kinds) in [
        ("pingpong", "1,2,3", ["Ping", "Pong"]),
        ("clientserver", "PUT:a:1,GET:a", ["Request", "Results"]),
        ("primarybackup", "PUT:a:1,GET:a", ["Forward", "Results"]),
        ("paxos", "PUT:a:1,GET:a", ["Promise", "Accepted"]),
        ("shardedstore", "PUT:a:1,GET:a", ["Accepted", "Results"]),
    ] {
        let served = Served::begin(&["--module", module, "--workload", workload]);
        let session = served.api("GET /api/session", "");
        let mut at = session["head"].as_u64().expect("a moment");
        let server = &session["nodes"][0]["name"];
        for (seed, trouble) in (1..).zip([
            json!({"do": "crash", "node": server}),
            json!({"do": "restart", "node": server}),
            json!({"do": "pause", "node": server}),
            json!({"do": "cut", "from": "c1", "to": server}),
            json!({"do": "resume", "node": server}),
            json!({"do": "give_up", "node": "c1"}),
        ]) {
            at = tried(&served, "random", at, &json!({"at": at, "steps": 6, "seed": seed}));
            at = tried(&served, "act", at, &json!({"at": at, "act": trouble}));
            for kind in kinds {
                for crashes in [0, 1] {
                    let told = search(&served, at, &format!("sent({kind})"), crashes);
                    assert_ne!(told["state"], "failed", "{module}, sent({kind}) from {at}: {told}");
                    found += u32::from(told["state"] == "found");
                }
            }
        }
    }
    assert!(found >= 60, "only {found} were found");
}
