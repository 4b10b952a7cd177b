//! What holds for every type that has elements: snapshots, clones, cursors, versions, chance.

use super::Desk;
use crate::{Action, Command, Keyspace};
use std::collections::{BTreeMap, BTreeSet};
use synod_node::StateMachine;
use synod_resp::Reply;
use synod_stdx::{Rng, Wire};

/// Each type: the command that adds element `index` to the key `k`, the scan, the count.
const TYPES: [(&str, &str, &str); 4] = [
    ("HSET k f{} v", "HSCAN", "HLEN"),
    ("RPUSH k e{}", "", "LLEN"),
    ("SADD k m{}", "SSCAN", "SCARD"),
    ("ZADD k {} m{}", "ZSCAN", "ZCARD"),
];

fn filled(add: &str, count: usize) -> Desk {
    let mut desk = Desk::default();
    for index in 0..count {
        desk.say(&add.replace("{}", &index.to_string()));
    }
    desk
}

fn bulk(reply: &Reply) -> String {
    let Reply::Bulk(bytes) = reply else { panic!("{reply:?}") };
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_type_survives_a_snapshot_and_half_a_snapshot_is_refused() {
    for (add, _, count) in TYPES {
        for elements in [1, 5, 700] {
            let mut desk = filled(add, elements);
            desk.say("PEXPIRE k 5000");
            let bytes = desk.keyspace.to_bytes();
            let copy = Keyspace::from_bytes(&bytes).unwrap();
            assert_eq!(copy, desk.keyspace);
            assert_eq!(copy.to_bytes(), bytes);
            let (encoding, kind) = (desk.say("OBJECT ENCODING k"), desk.say("TYPE k"));
            desk.keyspace = copy;
            assert_eq!(desk.say(&format!("{count} k")), format!(":{elements}"));
            assert_eq!((desk.say("OBJECT ENCODING k"), desk.say("TYPE k")), (encoding, kind));
            assert_eq!(desk.say("PTTL k"), ":5000");
            if elements == 5 {
                for end in 0..bytes.len() {
                    assert!(Keyspace::from_bytes(&bytes[..end]).is_err(), "{add}: cut at {end}");
                }
            }
        }
    }
}

#[test]
fn snapshots_that_no_store_wrote_are_refused_or_read_without_a_panic() {
    use crate::{hash::Hash, list::List, set::Set, sorted_set::SortedSet};
    // Empty ones, one element twice, a score that is no number, an announced length beyond the end.
    assert!(Hash::from_bytes(&[0, 0]).is_err());
    assert!(List::from_bytes(&[0]).is_err());
    assert!(Set::from_bytes(&[0, 0]).is_err());
    assert!(SortedSet::from_bytes(&[0, 0]).is_err());
    assert!(Set::from_bytes(&[0, 1, 1, b'a']).is_ok());
    assert!(Set::from_bytes(&[2, 1, 1, b'a']).is_err());
    assert!(Set::from_bytes(&[0, 2, 1, b'a', 1, b'a']).is_err());
    assert!(Hash::from_bytes(&[0, 2, 1, b'a', 0, 1, b'a', 0]).is_err());
    assert!(List::from_bytes(&[0xff, 0xff, 0xff, 0x7f]).is_err());
    let scored = |score: f64, member: u8| [&score.to_bits().to_le_bytes()[..], &[1, member]].concat();
    let sorted = |members: &[Vec<u8>]| [&[0, members.len() as u8][..], &members.concat()].concat();
    assert!(SortedSet::from_bytes(&sorted(&[scored(1.0, b'a'), scored(1.0, b'b')])).is_ok());
    assert!(SortedSet::from_bytes(&sorted(&[scored(1.0, b'a'), scored(1.0, b'a')])).is_err());
    assert!(SortedSet::from_bytes(&sorted(&[scored(1.0, b'a'), scored(2.0, b'a')])).is_err(), "twice");
    assert!(SortedSet::from_bytes(&sorted(&[scored(2.0, b'a'), scored(1.0, b'b')])).is_err(), "order");
    assert!(SortedSet::from_bytes(&sorted(&[scored(f64::NAN, b'a')])).is_err());
    let mut rng = Rng::new(1);
    for (add, _, _) in TYPES {
        let bytes = filled(add, 20).keyspace.to_bytes();
        for _ in 0..300 {
            let mut damaged = bytes.clone();
            let at = rng.below(damaged.len() as u64) as usize;
            damaged[at] ^= 1 << rng.below(8);
            let _ = Keyspace::from_bytes(&damaged);
        }
    }
}

#[test]
fn a_clone_of_the_store_does_not_see_later_writes_to_a_collection() {
    for (add, _, count) in TYPES {
        let mut desk = filled(add, 1_000);
        let (clone, bytes) = (desk.keyspace.clone(), desk.keyspace.to_bytes());
        desk.say(&add.replace("{}", "5000"));
        assert_eq!(desk.say(&format!("{count} k")), ":1001");
        assert_eq!(clone.to_bytes(), bytes);
        assert_ne!(clone, desk.keyspace);
        desk.keyspace = clone;
        assert_eq!(desk.say(&format!("{count} k")), ":1000");
    }
}

#[test]
fn a_copied_key_and_its_origin_go_their_own_ways() {
    for (add, _, count) in TYPES {
        let mut desk = filled(add, 3);
        assert_eq!(desk.say("COPY k other"), ":1");
        desk.say(&add.replace("{}", "99"));
        assert_eq!(desk.say(&format!("{count} other")), ":3");
        assert_eq!(desk.say("RENAME k other"), "+OK");
        assert_eq!(desk.say(&format!("{count} other")), ":4");
        assert_eq!(desk.say(&format!("{count} k")), ":0");
    }
}

#[test]
fn a_scan_finds_every_element_that_stays_also_after_a_move_to_another_store() {
    for (add, scan, _) in TYPES.into_iter().filter(|(_, scan, _)| !scan.is_empty()) {
        let mut desk = filled(add, 1_000);
        let expected: BTreeSet<String> = match desk.ask(&[scan, "k", "0", "COUNT", "100000"]) {
            Reply::Array(reply) => match reply.as_slice() {
                [_, Reply::Array(elements)] => elements.iter().map(bulk).collect(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        assert!(expected.len() >= 1_000);
        let (mut cursor, mut found, mut rounds) = ("0".to_owned(), BTreeSet::new(), 0);
        loop {
            let Reply::Array(reply) = desk.ask(&[scan, "k", &cursor, "COUNT", "9"]) else { panic!() };
            let [next, Reply::Array(elements)] = reply.as_slice() else { panic!() };
            found.extend(elements.iter().map(bulk));
            cursor = bulk(next);
            assert!(cursor.parse::<u64>().unwrap() < 1 << 63);
            if cursor == "0" {
                break;
            }
            rounds += 1;
            // Elements come and go; and now and then the store is another one, made of a snapshot.
            desk.say(&add.replace("{}", &(5_000 + rounds).to_string()));
            let removal = ["HDEL k f", "SREM k m", "ZREM k m"]
                [["HSCAN", "SSCAN", "ZSCAN"].iter().position(|name| *name == scan).unwrap()];
            desk.say(&format!("{removal}{}", 5_000 + rounds - 3));
            if rounds % 10 == 0 {
                desk.keyspace = Keyspace::from_bytes(&desk.keyspace.to_bytes()).unwrap();
            }
        }
        assert!(expected.is_subset(&found), "{scan}");
        assert!(rounds > 50, "{scan}: {rounds} rounds");
    }
}

/// Names of sixteen bytes that differ in the first eight and have one hash: the second half undoes what the first does.
fn names_of_one_hash(count: u64) -> Vec<Vec<u8>> {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let after = |word: u64| {
        let product = u128::from(MULTIPLIER ^ 16 ^ word) * u128::from(MULTIPLIER);
        product as u64 ^ (product >> 64) as u64
    };
    (0..count).map(|word| [word.to_le_bytes(), (after(word) ^ 7).to_le_bytes()].concat()).collect()
}

#[test]
fn elements_of_one_cursor_come_together() {
    let mut desk = filled("SADD k m{}", 100);
    let names = names_of_one_hash(40);
    assert!(names.iter().all(|name| crate::key::hash_of(name) == crate::key::hash_of(&names[0])));
    for name in &names {
        desk.ask(&[b"SADD".as_slice(), b"k", name]);
    }
    let (mut cursor, mut found, mut largest) = ("0".to_owned(), 0, 0);
    loop {
        let Reply::Array(reply) = desk.ask(&["SSCAN", "k", &cursor, "COUNT", "3"]) else { panic!() };
        let [next, Reply::Array(elements)] = reply.as_slice() else { panic!() };
        found += elements.len();
        largest = largest.max(elements.len());
        cursor = bulk(next);
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(found, 140, "each once");
    assert!((40..=43).contains(&largest), "{largest}");
    // A name among others of its hash is found, and removed.
    assert_eq!(desk.ask(&[b"SREM".as_slice(), b"k", &names[17]]), Reply::Integer(1));
    assert_eq!(desk.ask(&[b"SISMEMBER".as_slice(), b"k", &names[17]]), Reply::Integer(0));
    assert_eq!(desk.ask(&[b"SISMEMBER".as_slice(), b"k", &names[18]]), Reply::Integer(1));
}

#[test]
fn a_key_has_a_new_version_if_and_only_if_something_changed() {
    let mut desk = Desk::default();
    let version = |desk: &Desk| desk.keyspace.version_of(b"k");
    for (line, is_changed) in [
        ("HSET k f v", true),
        ("HSETNX k f w", false),
        ("HDEL k x", false),
        ("HINCRBY k f 1", false),
        ("HGET k f", false),
        ("LPUSH k x", false),
        ("HDEL k f", true),
        ("RPUSHX k a", false),
        ("RPUSH k a b", true),
        ("LREM k 0 x", false),
        ("LINSERT k BEFORE x y", false),
        ("LPOP k 0", false),
        ("LSET k 9 x", false),
        ("LMOVE k k LEFT RIGHT", true),
        ("LPOP k 5", true),
        ("SADD k a", true),
        ("SADD k a", false),
        ("SREM k b", false),
        ("SMOVE k other x", false),
        ("SMOVE k other a", true),
        ("ZADD k 1 a", true),
        ("ZADD k 1 a", false),
        ("ZADD k NX 2 a", false),
        ("ZADD k GT 0 a", false),
        ("ZINCRBY k 1 a", true),
        ("ZPOPMIN k 0", false),
        ("ZREMRANGEBYSCORE k 5 9", false),
        ("ZUNIONSTORE k 1 nothing", true),
        ("ZUNIONSTORE k 1 nothing", false),
    ] {
        let before = version(&desk);
        desk.say(line);
        assert_eq!(version(&desk) != before, is_changed, "{line}");
    }
    assert_eq!(desk.say("EXISTS k"), ":0", "a collection without elements is no key");
}

#[test]
fn chance_is_the_proposers_and_fair() {
    let mut desk = filled("SADD k m{}", 10);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..5_000 {
        let Reply::Array(picked) = desk.ask(&["SRANDMEMBER", "k", "3"]) else { panic!() };
        let picked: BTreeSet<String> = picked.iter().map(bulk).collect();
        assert_eq!(picked.len(), 3, "three different ones");
        picked.into_iter().for_each(|member| *seen.entry(member).or_default() += 1);
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.values().all(|count| (1_350..1_650).contains(count)), "{seen:?}");
    assert_eq!(
        match desk.ask(&["SRANDMEMBER", "k", "-50"]) {
            Reply::Array(picked) => picked.len(),
            other => panic!("{other:?}"),
        },
        50
    );
    // The same command takes the same members out of every replica's set.
    let mut twin = Keyspace::from_bytes(&desk.keyspace.to_bytes()).unwrap();
    for line in ["SPOP k", "SPOP k 3", "SPOP k 100"] {
        let words: Vec<&str> = line.split(' ').collect();
        let Action::Submit(command, awaiting) = desk.act(&words) else { panic!() };
        assert_eq!(twin.apply(&command), desk.finish(&command, awaiting));
        assert_eq!(twin, desk.keyspace);
    }
    assert!(twin.is_empty());
}

#[test]
fn expired_collections_are_absent_and_written_anew() {
    for (add, _, count) in TYPES {
        let mut desk = filled(add, 3);
        desk.say("PEXPIRE k 100");
        desk.now_ms += 100;
        assert_eq!(desk.say(&format!("{count} k")), ":0");
        desk.say(&add.replace("{}", "7"));
        assert_eq!(desk.say(&format!("{count} k")), ":1");
        assert_eq!(desk.say("TTL k"), ":-1");
        assert_eq!(desk.keyspace.expiring(), 0);
        // A write alone, before any read noticed.
        desk.say("PEXPIRE k 100");
        desk.now_ms += 100;
        desk.say(&add.replace("{}", "8"));
        assert_eq!(desk.say(&format!("{count} k")), ":1");
    }
}

#[test]
fn counts_that_would_make_endless_answers_are_refused() {
    let mut desk = Desk::default();
    for line in ["SADD s a", "HSET h f v", "ZADD z 1 a"] {
        desk.say(line);
    }
    for line in ["SRANDMEMBER s -1048577", "HRANDFIELD h -99999999 WITHVALUES", "ZRANDMEMBER z -1048577"] {
        assert_eq!(desk.say(line), "-ERR value is out of range", "{line}");
    }
}

#[test]
fn a_command_that_was_damaged_is_answered_somehow() {
    let mut desk = Desk::default();
    for (add, _, _) in TYPES {
        desk.say(&add.replace("{}", "1").replace(" k ", &format!(" {} ", &add[..1])));
    }
    let mut rng = Rng::new(5);
    for line in [
        "HSET H f v g w",
        "HRANDFIELD H 3 WITHVALUES",
        "HSCAN H 0 MATCH x",
        "LPUSH R a b c",
        "LPOS R a RANK -1 COUNT 0 MAXLEN 9",
        "LMPOP 2 x R LEFT COUNT 2",
        "SADD S a b",
        "SRANDMEMBER S 2",
        "SINTERSTORE S S x",
        "ZADD Z NX CH 1 a 2 b",
        "ZRANGESTORE x Z (1 +inf BYSCORE REV LIMIT 1 2",
        "ZRANGEBYLEX Z [a (b LIMIT 0 1",
        "ZUNIONSTORE x 2 Z S WEIGHTS 1 2 AGGREGATE MAX",
        "LINDEX R x",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let Action::Submit(command, awaiting) = desk.act(&words) else { panic!("{line}") };
        assert!(!desk.finish(&command, awaiting).is_error() || line == "LINDEX R x", "{line}");
        let bytes = command.to_bytes();
        for round in 0..400 {
            let mut damaged = bytes.clone();
            let at = rng.below(damaged.len() as u64) as usize;
            if round % 2 == 0 {
                damaged[at] ^= 1 << rng.below(8);
            } else {
                // Cut, with a length that says so.
                damaged.truncate(at.max(1));
                damaged[0] = damaged.len() as u8 - 1;
            }
            if let Ok(command) = Command::from_bytes(&damaged) {
                let mut keyspace = desk.keyspace.clone();
                keyspace.apply(&command);
                if command.is_read_only() {
                    desk.keyspace.query(&command);
                }
            }
        }
    }
}
