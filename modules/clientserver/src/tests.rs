//! Sessions, windows and the small store, by direct calls.

use crate::{Admission, Backoff, ClientId, KvCommand, KvOutput, KvStore, Sessions, Window};
use synod_node::{NodeId, RequestId, StateMachine};
use synod_stdx::{Wire, marks};

const C1: ClientId = ClientId::new(NodeId::client(1), 0);

fn session(number: u64) -> ClientId {
    ClientId::from_bits(number)
}

#[test]
fn a_request_runs_once_and_is_answered_as_often_as_asked() {
    let mut table = Sessions::new(4, 4);
    assert_eq!(table.admit(C1, 1), Admission::Run);
    table.record(C1, 1, 1, "one");
    assert_eq!(table.admit(C1, 1), Admission::Again(&"one"));
    assert_eq!(table.admit(C1, 2), Admission::Run);
    assert_eq!(table.admit(C1, 3), Admission::Early);
    table.record(C1, 2, 2, "two");
    assert_eq!(table.admit(C1, 1), Admission::Answered, "the client said that it has the first result");
    assert_eq!(table.admit(C1, 2), Admission::Again(&"two"));
}

#[test]
fn results_are_bounded_even_if_a_client_never_acknowledges() {
    let mut table = Sessions::new(4, 3);
    for seq in 1..=10 {
        table.record(C1, seq, 1, seq);
    }
    assert_eq!(table.results().copied().collect::<Vec<_>>(), [8, 9, 10]);
}

#[test]
fn a_client_cannot_drop_a_result_that_it_was_not_given() {
    let mut table = Sessions::new(4, 4);
    table.record(C1, 1, 99, "one");
    assert_eq!(table.admit(C1, 1), Admission::Again(&"one"));
}

#[test]
fn the_client_not_heard_of_for_longest_is_forgotten_and_told_so() {
    let mut table = Sessions::new(32, 1);
    for client in 1..=32 {
        table.record(session(client), 1, 1, ());
    }
    table.record(session(1), 2, 2, ());
    table.record(session(33), 1, 1, ());
    assert_eq!(marks::count("clientserver.session_forgotten"), 1);
    assert_eq!(table.len(), 31, "the sixteenth part went, one came");
    assert_eq!(table.admit(session(2), 2), Admission::Forgotten);
    assert_eq!(table.admit(session(3), 2), Admission::Forgotten);
    assert_eq!(table.admit(session(3), 0), Admission::Forgotten, "requests are numbered from 1");
    assert_eq!(table.admit(session(4), 2), Admission::Run);
    assert_eq!(table.admit(session(1), 3), Admission::Run);
}

#[test]
fn a_session_table_survives_its_byte_form() {
    let mut table = Sessions::new(8, 8);
    for (client, seq) in [(1, 1), (1, 2), (2, 1)] {
        table.record(session(client), seq, 1, KvOutput::appended("x").bytes() as u64 + seq);
    }
    assert_eq!(Sessions::from_bytes(&table.to_bytes()), Ok(table.clone()));
    let bytes = table.to_bytes();
    for cut in 0..bytes.len() {
        assert!(Sessions::<u64>::from_bytes(&bytes[..cut]).is_err());
    }
}

#[test]
fn a_window_opens_with_the_first_answer_and_goes_back_to_the_lowest() {
    let mut window = Window::default();
    for n in 1..=3 {
        window.push(RequestId(n), n * 10);
    }
    assert_eq!(window.take_unsent((9, 9), |_| 1), Some((1, vec![10])));
    assert_eq!(window.take_unsent((9, 9), |_| 1), None, "only one is outstanding until it is answered");
    assert_eq!(window.settle(1, vec!["a"]).collect::<Vec<_>>(), [(RequestId(1), "a")]);
    assert_eq!(window.take_unsent((1, 9), |_| 1), Some((2, vec![20])));
    assert_eq!(window.take_unsent((1, 9), |_| 1), Some((3, vec![30])));
    assert_eq!(window.settle(3, vec!["c"]).count(), 0, "results behind a gap come again");
    window.rewind();
    assert_eq!(window.take_unsent((9, 9), |_| 1), Some((2, vec![20, 30])));
    assert_eq!(window.settle(1, vec!["a", "b", "c"]).map(|(id, _)| id.0).collect::<Vec<_>>(), [2, 3]);
    assert!(window.is_empty());
    assert_eq!(window.lowest(), 4);
}

#[test]
fn what_is_sent_at_once_is_bounded_by_its_bytes_but_never_nothing() {
    let mut window = Window::default();
    for (n, bytes) in [(1, 1), (2, 50), (3, 30), (4, 30), (5, 999)] {
        window.push(RequestId(n), bytes);
    }
    window.take_unsent((9, 64), |bytes| *bytes);
    assert_eq!(window.settle(1, vec![()]).count(), 1);
    let mut batches = Vec::new();
    while let Some((_, commands)) = window.take_unsent((9, 64), |bytes| *bytes) {
        batches.push(commands);
    }
    assert_eq!(batches, [vec![50], vec![30, 30], vec![999]]);
}

#[test]
fn a_lost_session_tells_only_what_was_sent() {
    let mut window = Window::default();
    window.push(RequestId(1), ());
    window.push(RequestId(2), ());
    window.take_unsent((9, 9), |_| 1);
    assert_eq!(window.abandon().collect::<Vec<_>>(), [RequestId(1)]);
    assert_eq!(window.take_unsent((9, 9), |_| 1), Some((1, vec![()])));
}

#[test]
fn backoff_doubles_up_to_its_cap() {
    let mut backoff = Backoff::new(20, 100);
    let mut ranges = Vec::new();
    for _ in 0..5 {
        ranges.push(backoff.range());
        backoff.grow();
    }
    assert_eq!(ranges, [20..=40, 40..=80, 80..=100, 100..=100, 100..=100]);
    let capped = backoff.clone();
    backoff.grow();
    assert_eq!(backoff, capped, "states that behave alike are equal");
    backoff.reset();
    assert_eq!(backoff.range(), 20..=40);
}

/// Row 1.1 of the scenarios.
#[test]
fn the_store_gets_puts_appends_and_overwrites() {
    let mut store = KvStore::default();
    let mut check = |command: KvCommand, expected: KvOutput| assert_eq!(store.apply(&command), expected);
    check(KvCommand::get("missing"), KvOutput::KeyNotFound);
    check(KvCommand::put("k", "v"), KvOutput::PutOk);
    check(KvCommand::get("k"), KvOutput::value("v"));
    check(KvCommand::append("k", "w"), KvOutput::appended("vw"));
    check(KvCommand::append("new", "n"), KvOutput::appended("n"));
    check(KvCommand::put("k", "z"), KvOutput::PutOk);
    check(KvCommand::get("k"), KvOutput::value("z"));
    let odd = "ключ \u{0} \"'\\\n\t 鍵 🗝";
    check(KvCommand::put(odd, odd), KvOutput::PutOk);
    check(KvCommand::append(odd, odd), KvOutput::appended(&format!("{odd}{odd}")));
    let mut rng = synod_stdx::Rng::new(11);
    let long: String = (0..1000).map(|_| char::from(b'a' + rng.below(26) as u8)).collect();
    check(KvCommand::put("long", &long), KvOutput::PutOk);
    check(KvCommand::get("long"), KvOutput::value(&long));
}
