//! Commands that look at many names do so in steps of bounded work, whatever the pattern and the count.

use super::Desk;
use crate::{Action, Outcome, Progress, Walk};
use std::collections::BTreeSet;
use synod_node::StateMachine;
use synod_resp::Reply;

/// Goes through a command about all keys. Yields its answer, and how many steps it took.
fn walk(desk: &mut Desk, words: &[impl AsRef<[u8]>]) -> (Reply, usize) {
    let Action::Submit(command, awaiting) = desk.act(words) else { panic!("it is for the store") };
    let mut walk = Walk::new(command);
    let (mut next, mut steps) = (walk.next_command(), 0);
    loop {
        crate::Keyspace::stamp(&mut next, desk.now_ms);
        steps += 1;
        match walk.on_reply(desk.run(&next)) {
            Progress::Done(reply) => return (desk.session.on_outcome(awaiting, Outcome::Done(reply)), steps),
            Progress::Next(command) => next = command,
        }
    }
}

fn names(reply: &Reply) -> BTreeSet<Vec<u8>> {
    let Reply::Array(names) = reply else { panic!("{reply:?}") };
    let name = |reply: &Reply| match reply {
        Reply::Bulk(name) => name.to_vec(),
        other => panic!("{other:?}"),
    };
    let set: BTreeSet<Vec<u8>> = names.iter().map(name).collect();
    assert_eq!(set.len(), names.len(), "none is told twice");
    set
}

#[test]
fn all_keys_are_told_in_steps_also_where_one_slot_has_them() {
    for tag in ["", "{one slot}"] {
        let mut desk = Desk::default();
        let keys: Vec<String> = (0..30_000).map(|index| format!("{tag}{index}")).collect();
        for some in keys.chunks(1_000) {
            let words: Vec<&str> =
                std::iter::once("MSET").chain(some.iter().flat_map(|key| [key.as_str(), "v"])).collect();
            assert_eq!(desk.ask(&words), Reply::OK);
        }
        let (reply, steps) = walk(&mut desk, &["KEYS", "*"]);
        assert_eq!(names(&reply), keys.iter().map(|key| key.clone().into_bytes()).collect());
        assert!((4..40).contains(&steps), "{steps} steps");
        let (reply, _) = walk(&mut desk, &["KEYS", "*99"]);
        assert_eq!(
            names(&reply),
            keys.iter().filter(|key| key.ends_with("99")).map(|key| key.clone().into_bytes()).collect()
        );
        // A client's own scan ends its steps too, whatever it asks for.
        let Reply::Array(scanned) = desk.ask(&["SCAN", "0", "COUNT", "1000000000"]) else {
            panic!("an array")
        };
        let Reply::Array(first) = &scanned[1] else { panic!("an array") };
        assert!((1_000..25_000).contains(&first.len()), "{} at once", first.len());
        assert_ne!(scanned[0], Reply::bulk("0"));
    }
}

#[test]
fn the_worst_pattern_is_matched_in_steps_and_a_longer_one_refused() {
    let mut desk = Desk::default();
    let key = |index: usize| [b"a".repeat(60_000), index.to_string().into_bytes()].concat();
    for index in 0..40 {
        assert_eq!(desk.ask(&[b"SET".to_vec(), key(index), b"v".to_vec()]), Reply::OK);
    }
    let pattern = [b"*".to_vec(), b"a".repeat(1_022), b"b".to_vec()].concat();
    let (reply, steps) = walk(&mut desk, &[b"KEYS".to_vec(), pattern.clone()]);
    assert_eq!(reply, Reply::Array(Vec::new()));
    // Three keys are all that a step may look at.
    assert!((13..=40).contains(&steps), "{steps} steps");
    let longer = [pattern, b"b".to_vec()].concat();
    let error = Reply::error("ERR the pattern is too long: this server matches up to 1024 bytes");
    for words in [
        vec![b"KEYS".to_vec(), longer.clone()],
        vec![b"SCAN".to_vec(), b"0".to_vec(), b"MATCH".to_vec(), longer.clone()],
    ] {
        assert_eq!(desk.ask(&words), error);
    }
    assert_eq!(desk.ask(&["HSET", "h", "f", "v"]), Reply::Integer(1));
    assert_eq!(
        desk.ask(&[b"HSCAN".to_vec(), b"h".to_vec(), b"0".to_vec(), b"MATCH".to_vec(), longer]),
        error
    );
}
