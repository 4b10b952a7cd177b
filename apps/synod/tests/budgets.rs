//! What clients make a server hold has a bound, whatever they do at once; and those who ask for little are served.

// The tests look at the memory of the whole process: one at a time.
#[path = "support/alone.rs"]
mod alone;
mod support;

use alone::alone;
use std::time::Duration;
use support::{Client, Running};
use synod_resp::{Reply, write_request};
use synod_store::Settings;
use synod_synod::server::Limits;

fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_request(&mut bytes, words);
    bytes
}

fn is_out_of_memory(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(text) if text.starts_with("OOM "))
}

/// The number behind `field` in a section of `INFO`.
fn info(client: &mut Client, section: &str, field: &str) -> u64 {
    let Reply::Bulk(text) = client.ask(&["INFO", section]) else { panic!("INFO gives text") };
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text.lines().find(|line| line.starts_with(field)).expect("INFO tells it");
    line.split(':').nth(1).unwrap().trim().parse().unwrap()
}

#[test]
fn a_reply_that_is_longer_than_what_may_wait_is_written_as_its_client_takes_it() {
    let _alone = alone();
    let server = Running::start();
    let mut client = server.connect();
    let value = "v".repeat(1 << 20);
    // More than may wait behind another reply.
    for _ in 0..76 {
        client.ask(&["RPUSH", "list", &value]);
    }
    let Reply::Array(items) = client.ask(&["LRANGE", "list", "0", "-1"]) else {
        panic!("a list is an array")
    };
    assert_eq!(items.len(), 76);
    assert!(items.iter().all(|item| *item == Reply::bulk(value.as_str())));
    assert_eq!(client.ask(&["PING"]), Reply::simple("PONG"), "the connection goes on");
}

#[test]
fn a_reply_that_the_server_may_not_hold_is_an_error_and_closes_nothing() {
    let _alone = alone();
    let limits = Limits { client_bytes_max: 8 << 20, ..Limits::default() };
    let server = Running::with(Settings::default(), limits);
    let mut client = server.connect();
    let value = "v".repeat(1 << 20);
    assert_eq!(client.ask(&["SET", "big", &value]), Reply::OK);
    let words: Vec<&str> = std::iter::once("MGET").chain(vec!["big"; 20]).collect();
    assert!(is_out_of_memory(&client.ask(&words)));
    assert_eq!(client.ask(&["GET", "big"]), Reply::bulk(value.as_str()), "the connection goes on");
}

#[test]
fn transactions_that_are_being_queued_share_a_budget() {
    let _alone = alone();
    let budget = 16 << 20;
    let limits = Limits { client_bytes_max: budget, ..Limits::default() };
    let server = Running::with(Settings::default(), limits);
    let mut greedy: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    let mut modest = server.connect();
    assert_eq!(modest.ask(&["MULTI"]), Reply::OK);
    assert_eq!(modest.ask(&["SET", "modest", "1"]), Reply::simple("QUEUED"));
    let value = "v".repeat(256 << 10);
    let mut refused = vec![false; greedy.len()];
    for client in &mut greedy {
        assert_eq!(client.ask(&["MULTI"]), Reply::OK);
    }
    // Sixteen times the budget, in turns.
    for _ in 0..128 {
        for (client, is_refused) in greedy.iter_mut().zip(&mut refused) {
            let reply = client.ask(&["SET", "greedy", &value]);
            *is_refused |= is_out_of_memory(&reply);
        }
    }
    assert!(refused.iter().any(|is_refused| *is_refused), "{refused:?}");
    // Whoever holds little goes on, and was never refused.
    assert_eq!(modest.ask(&["SET", "modest", "2"]), Reply::simple("QUEUED"));
    assert_eq!(modest.ask(&["EXEC"]), Reply::Array(vec![Reply::OK, Reply::OK]));
    for (client, is_refused) in greedy.iter_mut().zip(refused) {
        let reply = client.ask(&["EXEC"]);
        let is_aborted = matches!(&reply, Reply::Error(text) if text.starts_with("EXECABORT"));
        assert_eq!(is_aborted, is_refused, "{reply:?}");
        assert_eq!(client.ask(&["PING"]), Reply::simple("PONG"), "an error closes nothing");
    }
    assert_eq!(server.connect().ask(&["GET", "modest"]), Reply::bulk("2"));
}

#[test]
fn unfinished_requests_share_it_too_and_the_largest_are_refused_with_an_error() {
    let _alone = alone();
    let limits = Limits { client_bytes_max: 16 << 20, ..Limits::default() };
    let server = Running::with(Settings::default(), limits);
    let mut modest = server.connect();
    let whole = request(&[b"SET", b"modest", &[b'm'; 1_000]]);
    modest.send(&whole[..500]);
    let mut greedy: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in &mut greedy {
        client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$16000000\r\n");
    }
    let part = vec![b'g'; 512 << 10];
    for _ in 0..8 {
        for client in &mut greedy {
            // A server that has refused a request does not read on for ever.
            use std::io::Write as _;
            let _ = client.stream.write_all(&part);
        }
    }
    let refused = greedy.iter_mut().filter_map(|client| {
        let (answer, is_closed) = client.everything(Duration::from_millis(100));
        answer.starts_with(b"-OOM ").then_some(is_closed)
    });
    let refused: Vec<bool> = refused.collect();
    assert!(refused.len() >= 10, "80 MiB were begun where 16 may be: {} were refused", refused.len());
    modest.send(&whole[500..]);
    assert_eq!(modest.reply(), Some(Reply::OK));
    assert_eq!(modest.ask(&["STRLEN", "modest"]), Reply::Integer(1_000));
}

#[test]
fn beyond_maxmemory_what_takes_memory_is_refused_and_the_rest_goes_on() {
    let _alone = alone();
    let unbounded = Running::start();
    let taken = info(&mut unbounded.connect(), "memory", "used_memory");
    let limits = Limits { memory_bytes_max: taken + (64 << 20), ..Limits::default() };
    let server = Running::with(Settings::default(), limits);
    let mut client = server.connect();
    let value = "v".repeat(1 << 20);
    let mut count = 0;
    let refused = loop {
        let reply = client.ask(&["SET", &format!("key:{count}"), &value]);
        if reply != Reply::OK {
            break reply;
        }
        count += 1;
        assert!(count < 2_000, "nothing is ever refused");
        std::thread::sleep(Duration::from_millis(1));
    };
    assert_eq!(refused, Reply::error("OOM command not allowed when used memory > 'maxmemory'."));
    assert!(count >= 8, "{count} of a megabyte each");
    assert_eq!(client.ask(&["GET", "key:0"]), Reply::bulk(value.as_str()));
    assert_eq!(client.ask(&["DEL", "key:0"]), Reply::Integer(1));
    assert_eq!(client.ask(&["MULTI"]), Reply::OK);
    assert!(is_out_of_memory(&client.ask(&["SET", "a", "b"])));
    assert!(matches!(client.ask(&["EXEC"]), Reply::Error(text) if text.starts_with("EXECABORT")));
}
