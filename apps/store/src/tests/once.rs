//! Exactly-once commands.

use super::Desk;
use synod_stdx::marks;

#[test]
fn a_command_that_comes_twice_runs_once() {
    let mut desk = Desk::default();
    assert_eq!(desk.say("ONCE 5 1 INCR n"), ":1");
    assert_eq!(desk.say("ONCE 5 1 INCR n"), ":1");
    assert_eq!(desk.say("ONCE 5 2 INCR n"), ":2");
    assert_eq!(desk.say("ONCE 5 1 INCR n"), ":1");
    assert_eq!(desk.say("ONCE 6 1 INCR n"), ":3");
    assert_eq!(desk.say("GET n"), "\"3\"");
    assert!(marks::count("store.once_answered_again") >= 2);
    // It is remembered across a restart.
    let bytes = synod_stdx::Wire::to_bytes(&desk.keyspace);
    desk.keyspace = synod_stdx::Wire::from_bytes(&bytes).unwrap();
    assert_eq!(desk.say("ONCE 5 2 INCR n"), ":2");
}

#[test]
fn what_cannot_run_exactly_once_says_whether_it_happened() {
    let mut desk = Desk::default();
    assert!(desk.say("ONCE 5 2 INCR n").starts_with("-ONCEUNKNOWN may have happened"));
    for sequence in 1..=70 {
        assert_eq!(desk.say(&format!("ONCE 5 {sequence} INCR n")), format!(":{sequence}"));
    }
    assert!(desk.say("ONCE 5 72 INCR n").starts_with("-ONCEGAP did not happen"));
    assert!(desk.say("ONCE 5 6 INCR n").starts_with("-ONCEGONE happened"));
    assert_eq!(desk.say("ONCE 5 7 INCR n"), ":7", "the last 64 are kept");
    assert_eq!(desk.say("GET n"), "\"70\"");
}

#[test]
fn what_is_no_request_takes_no_number() {
    let mut desk = Desk::default();
    for (line, answer) in [
        (
            "ONCE 5 0 INCR n",
            "-ERR ONCE takes a client number from 0 to 9223372036854775807 and a sequence number from 1",
        ),
        ("ONCE x 1 INCR n", "-ERR value is not an integer or out of range"),
        ("ONCE 5 1 PING", "-ERR 'ping' is not a command on keys"),
        ("ONCE 5 1 INCR", "-ERR wrong number of arguments for 'incr' command"),
        ("ONCE 5 1 NOPE", "-ERR unknown command 'NOPE', with args beginning with: "),
        ("ONCE 5 1 ONCE 5 1 GET", "-ERR 'once' is not a command on keys"),
        // An answer that is an error is an answer.
        ("SET s x", "+OK"),
        ("ONCE 5 1 INCR s", "-ERR value is not an integer or out of range"),
        ("SET s 1", "+OK"),
        ("ONCE 5 1 INCR s", "-ERR value is not an integer or out of range"),
        ("ONCE 5 2 INCR s", ":2"),
    ] {
        assert_eq!(desk.say(line), answer, "{line}");
    }
}
