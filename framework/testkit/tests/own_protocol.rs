//! The example of a protocol of one's own: what its page says to do finds what it says.

#[expect(dead_code, reason = "nobody runs it here")]
#[path = "../examples/own_protocol.rs"]
mod own_protocol;

use serde_json::{Value, from_value, json};
use synod_debugger::{Answer, Desk, open};

fn ask(desk: &dyn Desk, ask: Value) -> Value {
    match desk.ask(from_value(ask).expect("a question")) {
        Ok(Answer::Json(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

fn searched(desk: &dyn Desk, at: u64, predicate: &str) -> Value {
    let wish = json!({
        "ask": "start", "kind": "search", "at": at, "predicate": predicate, "states_max": 20_000,
    });
    let job = ask(desk, wish)["job"].clone();
    loop {
        let told = ask(desk, json!({"ask": "job", "id": job}));
        if told["state"] != "running" {
            return told;
        }
        std::thread::yield_now();
    }
}

#[test]
fn two_work_at_once_where_the_lock_is_lent_for_a_while() {
    let desk = open(own_protocol::setup()).expect("it opens");
    let mut at = 0;
    for node in ["n1", "n2", "n3"] {
        let early = searched(&*desk, at, "count(nodes where works) > 1");
        assert!(early["words"].as_str().is_some_and(|words| words.contains("has not started")), "{early}");
        let act = json!({"do": "start", "node": node});
        at = ask(&*desk, json!({"ask": "act", "at": at, "act": act}))["moment"].as_u64().expect("a moment");
    }
    let found = searched(&*desk, at, "count(nodes where works) > 1");
    assert_eq!(found["state"], "found", "{found}");
    // Both ask, both are heard, the lease ends in between, and both hear that they have it.
    assert_eq!(found["moment"].as_u64(), Some(at + 7), "{found}");
    let holds =
        json!({"ask": "predicate", "predicate": "count(nodes where works) > 1", "at": found["moment"]});
    assert_eq!(ask(&*desk, holds)["holds"], true);
}
