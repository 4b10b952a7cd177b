//! The state: deterministic, cheap to clone, the same after a restart; time and cursors.

use super::Desk;
use crate::{Command, Keyspace, SlotId};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use synod_node::StateMachine;
use synod_resp::Reply;
use synod_stdx::{Rng, Wire, marks};

fn hash(keyspace: &Keyspace) -> u64 {
    let mut hasher = DefaultHasher::new();
    keyspace.hash(&mut hasher);
    hasher.finish()
}

/// Some thousand commands of every kind, as a log.
fn log(seed: u64, count: usize) -> Vec<Command> {
    let mut rng = Rng::new(seed);
    let (mut desk, mut commands) = (Desk::default(), Vec::new());
    while commands.len() < count {
        let key = format!("k{}", rng.below(40));
        let other = format!("k{}", rng.below(40));
        let number = rng.below(2_000).to_string();
        desk.now_ms += rng.below(50);
        let typed = format!("{}{}", *rng.pick(&["h", "l", "s", "z"]).unwrap(), rng.below(4));
        let action = match rng.below(24) {
            0..=3 => desk.act(&["SET", &key, &number, "PX", &rng.between(1, 2_000).to_string()]),
            4 => desk.act(&["INCRBY", &key, &number]),
            5 => desk.act(&["APPEND", &key, "1"]),
            6 => desk.act(&["RENAME", &key, &other]),
            7 => desk.act(&["DEL", &key, &other]),
            8 => desk.act(&["MSET", &key, "1", &other, "2"]),
            9 => desk.act(&["PEXPIRE", &key, &number]),
            11 => desk.act(&["HSET", &typed, &key, &number, &other, "1"]),
            12 => desk.act(&["HINCRBYFLOAT", &typed, &key, "0.1"]),
            13 => desk.act(&["HDEL", &typed, &key, &other]),
            14 => desk.act(&["RPUSH", &typed, &key, &number]),
            15 => desk.act(&["LMOVE", &typed, "l0", "LEFT", "RIGHT"]),
            16 => desk.act(&["LTRIM", &typed, "0", "20"]),
            17 => desk.act(&["SADD", &typed, &key, &number]),
            18 => desk.act(&["SPOP", &typed, "2"]),
            19 => desk.act(&["SUNIONSTORE", &typed, "s1", "s2"]),
            20 => desk.act(&["ZADD", &typed, &number, &key, "0.5", &other]),
            21 => desk.act(&["ZPOPMIN", &typed, "2"]),
            22 => desk.act(&["ZUNIONSTORE", &typed, "2", "z1", "s3", "WEIGHTS", "0.1", "3"]),
            23 => desk.act(&["PEXPIRE", &typed, &number]),
            10 => desk.act(&["ONCE", &rng.below(9).to_string(), "1", "INCR", &key]),
            _ => desk.act(&["COPY", &key, &other]),
        };
        if let crate::Action::Submit(command, awaiting) = action {
            desk.finish(&command, awaiting);
            commands.push(command);
        }
    }
    commands
}

#[test]
fn equal_logs_make_equal_states_also_over_snapshots() {
    let commands = log(1, 4_000);
    let (mut whole, mut resumed) = (Keyspace::new(), Keyspace::new());
    for (index, command) in commands.iter().enumerate() {
        let copy = Command::from_bytes(&command.to_bytes()).unwrap();
        assert_eq!(whole.apply(command), resumed.apply(&copy));
        if index % 500 == 0 {
            resumed = Keyspace::from_bytes(&resumed.to_bytes()).unwrap();
        }
    }
    assert_eq!(whole, resumed);
    assert_eq!(hash(&whole), hash(&resumed));
    assert_eq!(whole.to_bytes(), resumed.to_bytes());
    assert!(marks::count("store.expired_in_passing") > 0 && !whole.is_empty());
}

#[test]
fn a_clone_does_not_see_later_writes_and_shares_what_stays() {
    let commands = log(2, 4_000);
    let mut keyspace = Keyspace::new();
    commands[..2_000].iter().for_each(|command| drop(keyspace.apply(command)));
    let (snapshot, bytes) = (keyspace.clone(), keyspace.to_bytes());
    commands[2_000..].iter().for_each(|command| drop(keyspace.apply(command)));
    assert_eq!(snapshot.to_bytes(), bytes);
    assert_ne!(snapshot, keyspace);
}

#[test]
fn damaged_snapshots_are_refused_without_a_panic() {
    let mut keyspace = Keyspace::new();
    log(3, 200).iter().for_each(|command| drop(keyspace.apply(command)));
    let bytes = keyspace.to_bytes();
    for end in 0..bytes.len() {
        assert!(Keyspace::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
    }
    let mut rng = Rng::new(4);
    for _ in 0..500 {
        let mut damaged = bytes.clone();
        let at = rng.below(damaged.len() as u64) as usize;
        damaged[at] ^= 1 << rng.below(8);
        let _ = Keyspace::from_bytes(&damaged);
    }
}

#[test]
fn a_key_expires_at_its_millisecond_and_not_by_the_clock_of_a_query() {
    let mut desk = Desk::default();
    desk.say("SET k v PX 100");
    desk.now_ms += 99;
    assert_eq!(desk.say("GET k"), "\"v\"");
    desk.now_ms += 1;
    let crate::Action::Submit(read, awaiting) = desk.act(&["GET", "k"]) else { panic!() };
    // A query alone would still see it, as every other query before the clock moves; so it goes through the log.
    assert_eq!(desk.keyspace.query(&read), None);
    assert_eq!(desk.finish(&read, awaiting), Reply::Null);
    assert!(desk.keyspace.is_empty() && marks::count("store.expired_on_access") > 0);
    // From then on the key is gone for everyone, also for those whose clocks are behind.
    desk.now_ms -= 50;
    assert_eq!(desk.say("GET k"), "null");
    assert_eq!(desk.say("TTL k"), ":-2");
    assert!(marks::count("store.read_moves_the_clock") > 0);
}

#[test]
fn the_time_to_live_passes_although_nothing_is_written() {
    let mut desk = Desk::default();
    desk.say("SET k v PX 100");
    desk.now_ms += 40;
    assert_eq!(desk.say("PTTL k"), ":60");
    assert_eq!(desk.keyspace.clock_ms(), desk.now_ms - 40, "a query moves nothing");
}

#[test]
fn ticks_remove_what_nobody_asks_for() {
    let mut desk = Desk::default();
    for index in 0..5_000 {
        desk.ask(&["SET", &format!("k{index}"), "v", "PX", "100"]);
    }
    desk.ask(&["SET", "stays", "v"]);
    desk.now_ms += 200;
    let mut ticks = 0;
    while desk.keyspace.expiring() > 0 {
        let mut tick = Command::tick(SlotId::of(b""));
        Keyspace::stamp(&mut tick, desk.now_ms);
        desk.keyspace.apply(&tick);
        ticks += 1;
        assert!(ticks < 1_000, "{:?}", desk.keyspace);
    }
    assert_eq!(desk.keyspace.len(), 1);
}

#[test]
fn a_scan_finds_every_key_that_stays_whatever_else_changes() {
    let mut desk = Desk::default();
    let mut expected = BTreeSet::new();
    for index in 0..500 {
        // Half of them in one slot.
        let key = if index % 2 == 0 { format!("{{tag}}{index}") } else { format!("k{index}") };
        desk.ask(&["SET", &key, "v"]);
        expected.insert(key);
    }
    let (mut cursor, mut found, mut rounds) = ("0".to_owned(), BTreeSet::new(), 0);
    loop {
        let Reply::Array(reply) = desk.ask(&["SCAN", &cursor, "COUNT", "7"]) else { panic!() };
        let [Reply::Bulk(next), Reply::Array(keys)] = reply.as_slice() else { panic!() };
        for key in keys {
            let Reply::Bulk(key) = key else { panic!() };
            found.insert(String::from_utf8(key.to_vec()).unwrap());
        }
        // Keys come and go meanwhile.
        desk.ask(&["SET", &format!("{{tag}}new{rounds}"), "v"]);
        desk.ask(&["DEL", &format!("{{tag}}new{}", rounds - 3)]);
        rounds += 1;
        cursor = String::from_utf8(next.to_vec()).unwrap();
        if cursor == "0" {
            break;
        }
    }
    assert!(expected.is_subset(&found));
    assert!(rounds > 60, "{rounds} rounds");
    assert_eq!(desk.say("SCAN 18446744073709551615"), "[\"0\", []]");
}

#[test]
fn commands_are_shown_short_and_escaped() {
    let mut desk = Desk::default();
    let crate::Action::Submit(command, _) = desk.act(&["SET", "k\n", &"v".repeat(1000)]) else { panic!() };
    let shown = format!("{command:?}");
    assert!(shown.contains("k\\n") && shown.len() < 200 && shown.ends_with("…@1000000"), "{shown}");
    assert_eq!(command.at_ms(), 1_000_000);
}
