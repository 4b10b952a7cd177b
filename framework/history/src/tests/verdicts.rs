//! What the verdicts say.

use crate::{
    Budget, History, KeyValue, KvOp, KvRet, Register, RegisterOp, RegisterRet, Verdict, check,
    check_history_text,
};
use std::sync::Arc;

fn bytes(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

fn put(key: &str, value: &str) -> KvOp {
    KvOp::Put { key: bytes(key), value: bytes(value) }
}

fn seen(text: &str) -> KvRet {
    KvRet::Value(Some(bytes(text)))
}

/// One operation after the other, each by a process of its own.
fn in_turn(operations: impl IntoIterator<Item = (KvOp, KvRet)>) -> History<KvOp, KvRet> {
    let mut history = History::new();
    for (at, (op, ret)) in operations.into_iter().enumerate() {
        let id = history.invoke(at as u64, op);
        history.complete(id, ret);
    }
    history
}

fn verdict(history: &History<KvOp, KvRet>) -> Verdict {
    check::<KeyValue>(history, Budget::default())
}

#[test]
fn a_stale_read_is_shown_with_the_write_that_it_missed() {
    let text = "{:process 0, :type :invoke, :f :write, :value 1}
                {:process 0, :type :ok, :f :write, :value 1}
                {:process 1, :type :invoke, :f :write, :value 2}
                {:process 2, :type :invoke, :f :read, :value nil}
                {:process 2, :type :ok, :f :read, :value 2}
                {:process 2, :type :invoke, :f :read, :value nil}
                {:process 2, :type :ok, :f :read, :value 1}";
    let expected = "\
not linearizable: 4 of 4 operations contradict each other: a value was seen both before and after another one \
that was written in between
  op  process  invoked  answered  operation  answer
  #0        0        0         1  write 1    ok       ||
  #1        1        2     never  write 2    unknown    |---->
  #2        2        3         4  read       2           ||
  #3        2        5         6  read       1             ||
the 2 answers before that of #3 can be explained, that one cannot";
    assert_eq!(check_history_text(text).unwrap().to_string(), expected);
}

#[test]
fn the_search_shows_only_what_contradicts() {
    let mut history = in_turn([
        (put("x", "a"), KvRet::Ok),
        (KvOp::Get { key: bytes("x") }, seen("a")),
        (KvOp::Append { key: bytes("x"), value: bytes("b") }, seen("ab")),
        (KvOp::Append { key: bytes("x"), value: bytes("c") }, seen("abc")),
    ]);
    history.set_time_us(1_500);
    let lost = history.invoke(7, KvOp::Append { key: bytes("x"), value: bytes("d") });
    let read = history.invoke(8, KvOp::Get { key: bytes("x") });
    history.complete(read, seen("ab"));
    assert_eq!(lost.to_string(), "#4");
    let expected = "\
not linearizable: key x: 2 of 6 operations contradict each other: no order of these gives each the answer that it got
  op  process  invoked  answered  operation   answer
  #3        3        6         7  append x c  abc     ||
  #5        8   1500us    1500us  get x       ab        ||
the 4 answers before that of #5 can be explained, that one cannot; until then: #0 #1 #2 #3";
    assert_eq!(verdict(&history).to_string(), expected);
}

#[test]
fn the_key_that_fails_first_is_chosen() {
    let history = in_turn([
        (put("big", "1"), KvRet::Ok),
        (put("big", "2"), KvRet::Ok),
        (KvOp::Get { key: bytes("big") }, seen("1")),
        (put("small key", "1"), KvRet::Ok),
        (KvOp::Get { key: bytes("small key") }, KvRet::Value(None)),
    ]);
    let Verdict::NotLinearizable(contradiction) = verdict(&history) else { panic!("two keys are wrong") };
    assert_eq!(contradiction.key.as_deref(), Some("\"small key\""));
    assert_eq!(contradiction.operations, 2);
}

#[test]
fn good_histories_say_how_much_was_checked() {
    assert_eq!(verdict(&History::new()).to_string(), "linearizable: 0 operations");
    assert_eq!(verdict(&in_turn([(put("a", "1"), KvRet::Ok)])).to_string(), "linearizable: 1 operations");
    let two = in_turn([(put("a", "1"), KvRet::Ok), (put("b", "1"), KvRet::Ok)]);
    assert_eq!(verdict(&two).to_string(), "linearizable: 2 operations on 2 keys");
}

#[test]
fn keys_that_an_operation_joins_are_named_together() {
    let swap = KvOp::Swap { one: bytes("b"), two: bytes("a") };
    let get = KvOp::Get { key: bytes("b") };
    let history = in_turn([(put("c", "1"), KvRet::Ok), (swap, KvRet::Ok), (get, seen("1"))]);
    let Verdict::NotLinearizable(contradiction) = verdict(&history) else { panic!("nobody wrote b") };
    assert_eq!(contradiction.key.as_deref(), Some("a and 1 that transactions join to it"));
    assert_eq!(contradiction.operations, 2);
}

#[test]
fn a_lost_write_may_take_effect_late_or_never_but_not_come_and_go() {
    let read = |history: &mut History<_, _>, value: Option<&str>| {
        let id = history.invoke(1, RegisterOp::Read);
        history.complete(id, RegisterRet::Value(value.map(bytes)));
    };
    let mut history = History::new();
    history.invoke(0, RegisterOp::Write(bytes("1")));
    read(&mut history, None);
    read(&mut history, Some("1"));
    assert!(check::<Register>(&history, Budget::default()).is_linearizable());
    read(&mut history, None);
    assert!(!check::<Register>(&history, Budget::default()).is_linearizable());
}

#[test]
fn a_failed_write_must_not_be_seen() {
    let mut history = History::new();
    let write = history.invoke(0, RegisterOp::Write(bytes("1")));
    history.fail(write);
    let read = history.invoke(1, RegisterOp::Read);
    history.complete(read, RegisterRet::Value(Some(bytes("1"))));
    let verdict = check::<Register>(&history, Budget::default());
    assert!(verdict.to_string().contains("a value that nobody wrote"), "{verdict}");
}

#[test]
fn redis_commands_answer_as_redis_does() {
    let key = || bytes("n");
    let good = in_turn([
        (KvOp::Increment { key: key(), by: 1 }, KvRet::Number(1)),
        (KvOp::Increment { key: key(), by: -3 }, KvRet::Number(-2)),
        (KvOp::Append { key: key(), value: bytes("x") }, KvRet::Number(3)),
        (KvOp::Increment { key: key(), by: 1 }, KvRet::Refused),
        (KvOp::CompareAndSet { key: key(), from: Some(bytes("-2x")), to: bytes("7") }, KvRet::Swapped(true)),
        (KvOp::Delete { key: key() }, KvRet::Number(1)),
        (KvOp::Delete { key: key() }, KvRet::Number(0)),
        (KvOp::Get { key: key() }, KvRet::Blank),
    ]);
    assert!(verdict(&good).is_linearizable(), "{}", verdict(&good));
    let twice = in_turn([
        (KvOp::Increment { key: key(), by: 1 }, KvRet::Number(1)),
        (KvOp::Increment { key: key(), by: 1 }, KvRet::Number(1)),
    ]);
    assert!(!verdict(&twice).is_linearizable());
}

#[test]
fn a_transaction_over_keys_happens_at_one_moment() {
    let both = || KvOp::Transaction(vec![put("a", "1"), put("b", "1")]);
    let ok = || KvRet::All(vec![KvRet::Ok, KvRet::Ok]);
    let read = |value_a: Option<&str>, value_b: Option<&str>| {
        let get = |key: &str| KvOp::Get { key: bytes(key) };
        let value = |value: Option<&str>| KvRet::Value(value.map(bytes));
        (KvOp::Transaction(vec![get("a"), get("b")]), KvRet::All(vec![value(value_a), value(value_b)]))
    };
    assert!(verdict(&in_turn([(both(), ok()), read(Some("1"), Some("1"))])).is_linearizable());
    let mut torn = History::new();
    torn.invoke(0, both());
    let (op, ret) = read(Some("1"), None);
    let id = torn.invoke(1, op);
    torn.complete(id, ret);
    assert!(!verdict(&torn).is_linearizable());
}

#[test]
fn long_values_are_shown_by_their_ends() {
    let history =
        in_turn([(put("x", "a"), KvRet::Ok), (KvOp::Get { key: bytes("x") }, seen(&"b".repeat(500)))]);
    let text = verdict(&history).to_string();
    assert!(text.contains(&format!("{0} .. {0}  ||", "b".repeat(28))), "{text}");
    assert!(text.lines().all(|line| line.len() < 160), "{text}");
}
