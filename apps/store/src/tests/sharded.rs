//! The keyspace in several groups: slots of commands, what moves, what runs on the parts of several groups, and walks over
//! all of them.

use super::Desk;
use crate::table::{self, CommandSpec, Run};
use crate::{Action, Command, Fragment, Keyspace, Progress, SLOT_COUNT, SlotId, SlotView, Walk};
use std::collections::{BTreeMap, BTreeSet};
use synod_node::StateMachine;
use synod_resp::{Limits, Parsed, Reply, RequestParser, write_request};
use synod_shardedstore::Sharded;
use synod_stdx::{Rng, Wire, marks};

const PARTS: usize = 3;

fn submitted(desk: &mut Desk, words: &[String]) -> Option<Command> {
    match desk.act(words) {
        Action::Submit(command, awaiting) => {
            let _ = desk.session.on_outcome(awaiting, crate::Outcome::Done(Reply::OK));
            Some(command)
        }
        _ => None,
    }
}

fn slots_of(keys: &[String]) -> BTreeSet<SlotId> {
    keys.iter().map(|key| SlotId::of(key.as_bytes())).collect()
}

/// The words of a call of `spec` whose keys are known, each with a slot of its own.
fn call(spec: &CommandSpec) -> Vec<Vec<String>> {
    let example: &[&str] = match spec.name {
        "copy" | "rename" | "renamenx" | "rpoplpush" => &["X a b"],
        "append" | "getset" | "setnx" | "incrby" | "decrby" => &["X a 1"],
        "mset" | "msetnx" => &["X a 1 b 2 c 3"],
        "del" | "unlink" | "exists" | "touch" | "mget" | "sdiff" | "sinter" | "sunion" => &["X a b c"],
        "sdiffstore" | "sinterstore" | "sunionstore" => &["X d a b"],
        "object" => &["X ENCODING a"],
        "lmove" => &["X a b LEFT RIGHT"],
        "lmpop" => &["X 2 a b LEFT", "X 1 a LEFT COUNT 3"],
        "zmpop" => &["X 2 a b MIN"],
        "sintercard" | "zintercard" => &["X 3 a b c", "X 2 a b LIMIT 1"],
        "smove" => &["X a b m"],
        "zunion" | "zinter" | "zdiff" => &["X 2 a b", "X 1 a WITHSCORES"],
        "zunionstore" | "zinterstore" | "zdiffstore" => &["X d 2 a b"],
        "zrangestore" => &["X d a 0 -1"],
        "scan" => &["X 0"],
        "keys" => &["X *"],
        "set" => &["X a 1", "X a 1 PX 100 NX"],
        "setex" | "psetex" => &["X a 10 1"],
        "setrange" => &["X a 1 v"],
        "getrange" | "substr" | "lrange" | "ltrim" | "zrange" | "zrevrange" => &["X a 0 1"],
        "zremrangebyrank" | "zremrangebyscore" | "zrangebyscore" | "zrevrangebyscore" | "zcount" => {
            &["X a 0 1"]
        }
        "zremrangebylex" | "zrangebylex" | "zrevrangebylex" | "zlexcount" => &["X a - +"],
        "hset" | "hmset" | "hsetnx" => &["X a f v"],
        "hincrby" | "hincrbyfloat" | "zincrby" => &["X a 1 2"],
        "zadd" => &["X a 1 m"],
        "linsert" => &["X a BEFORE p e"],
        "lset" | "lrem" => &["X a 0 e"],
        "hscan" | "sscan" | "zscan" => &["X a 0"],
        "expire" | "pexpire" | "expireat" | "pexpireat" | "lindex" | "incrbyfloat" => &["X a 1"],
        _ if spec.keys == (0, 0, 0) => &["X"],
        _ if spec.takes(2) => &["X a"],
        _ => &["X a m"],
    };
    example
        .iter()
        .map(|line| line.replacen('X', spec.name, 1).split(' ').map(str::to_owned).collect())
        .collect()
}

/// The keys among the words, as the table has them.
fn keys_of(spec: &CommandSpec, words: &[String]) -> Vec<String> {
    let mut request = Vec::new();
    write_request(&mut request, words);
    let mut parser = RequestParser::new(Limits::default(), true);
    let Ok(Parsed::Command(args)) = parser.advance(&request) else { panic!("no command") };
    spec.keys_of(args).map(|key| String::from_utf8(key.to_vec()).unwrap()).collect()
}

#[test]
fn the_slots_of_every_command_are_those_of_the_keys_in_the_table() {
    let mut desk = Desk::default();
    let mut tried = 0;
    for spec in table::all().filter(|spec| matches!(spec.run, Run::Store(_))) {
        for words in call(spec) {
            let keys = keys_of(spec, &words);
            let command = submitted(&mut desk, &words).unwrap_or_else(|| panic!("{words:?} is no call"));
            let slots: BTreeSet<SlotId> = command.slots().as_slice().iter().copied().collect();
            let is_whole = spec.keys == (0, 0, 0) && spec.counted == 0;
            assert_eq!(is_whole, keys.is_empty(), "{words:?}");
            assert!(slots.len() == 1 || !is_whole, "{words:?}");
            if !is_whole {
                assert_eq!(slots, slots_of(&keys), "{words:?}");
            }
            assert_eq!(Command::from_bytes(&command.to_bytes()).unwrap().slots(), command.slots());
            // Exactly once: the client's slot as well. In a transaction: those of all steps and all watched keys.
            let once: Vec<String> =
                ["ONCE", "7", "1"].map(str::to_owned).into_iter().chain(words.clone()).collect();
            match submitted(&mut desk, &once) {
                None => assert!(is_whole, "{words:?}"),
                Some(command) => {
                    let mut expected = slots_of(&keys);
                    expected.insert(Keyspace::slot_of_client(7));
                    assert_eq!(command.slots().as_slice(), expected.into_iter().collect::<Vec<_>>());
                }
            }
            tried += 1;
        }
    }
    assert!(tried > 120, "{tried} calls");
    for (lines, keys) in [(&["SET a 1", "MGET b c"][..], &["a", "b", "c"][..]), (&["INCR a"], &["a"])] {
        desk.say("MULTI");
        lines.iter().for_each(|line| assert_eq!(desk.say(line), "+QUEUED"));
        let command = submitted(&mut desk, &["EXEC".to_owned()]).expect("a transaction");
        let slots: BTreeSet<SlotId> = command.slots().as_slice().iter().copied().collect();
        assert_eq!(slots, slots_of(&keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()));
    }
}

/// One store in several parts: each slot is with one of them.
struct Parts {
    parts: Vec<Keyspace>,
    owners: BTreeMap<SlotId, usize>,
    /// Slots on their way: where to, and what they held when they were copied.
    copied: BTreeMap<SlotId, (usize, SlotView)>,
}

impl Parts {
    fn new(rng: &mut Rng) -> Parts {
        let slots = (0..SLOT_COUNT).filter_map(|number| SlotId::new(number.into()));
        // Long runs and short ones.
        let mut owner = 0;
        let owners = slots.map(|slot| {
            if rng.below(200) == 0 {
                owner = rng.below(PARTS as u64) as usize;
            }
            (slot, owner)
        });
        let copied = BTreeMap::new();
        Parts { parts: vec![Keyspace::new(); PARTS], owners: owners.collect(), copied }
    }

    fn owner(&self, slot: SlotId) -> usize {
        self.owners[&slot]
    }

    fn apply(&mut self, command: &Command) -> Reply {
        if command.is_about_all_keys() {
            let mut walk = Walk::new(command.clone());
            let mut next = walk.next_command();
            loop {
                Keyspace::stamp(&mut next, command.at_ms());
                let reply = self.apply(&next);
                match walk.on_reply(reply) {
                    Progress::Done(reply) => return reply,
                    Progress::Next(command) => next = command,
                }
            }
        }
        let slots = command.slots();
        let home = self.owner(slots.home());
        let owners = &self.owners;
        if slots.as_slice().iter().all(|slot| owners[slot] == home) {
            return self.parts[home].apply_among(command, &|slot| owners[&slot] == home);
        }
        // As a transaction does it: each part is read where it is, and written there.
        let read = |owner: usize| self.parts[owner].read(command, &|slot| owners[&slot] == owner);
        let involved: BTreeSet<usize> = slots.as_slice().iter().map(|slot| owners[slot]).collect();
        let ship = |fragment: Fragment| Fragment::from_bytes(&fragment.to_bytes()).unwrap();
        let fragments: Vec<Fragment> = involved.iter().map(|owner| ship(read(*owner))).collect();
        let (output, written) = self.parts[home].run_apart(command, &fragments);
        for owner in involved {
            let part = self.parts[owner].part(&written, &|slot| owners[&slot] == owner);
            self.parts[owner].write(&ship(part));
        }
        output
    }

    /// Begins to move a slot to another part, or ends it: what is written in between comes later.
    fn move_on(&mut self, slot: SlotId, to: usize) {
        let from = self.owner(slot);
        let Some((to, before)) = self.copied.remove(&slot) else {
            if from != to {
                let view = self.parts[from].slot_view(slot);
                self.ship(slot, None, to);
                self.copied.insert(slot, (to, SlotView::from_bytes(&view.to_bytes()).unwrap()));
            }
            return;
        };
        self.ship(slot, Some(&before), to);
        self.give(slot, to);
    }

    /// Moves a slot to another part at once, unless it is on its way.
    fn hand_over(&mut self, slot: SlotId, to: usize) {
        if self.owner(slot) != to && !self.copied.contains_key(&slot) {
            self.ship(slot, None, to);
            self.give(slot, to);
        }
    }

    fn give(&mut self, slot: SlotId, to: usize) {
        let from = self.owners.insert(slot, to).unwrap_or_default();
        self.parts[from].clear(slot);
        assert_eq!(self.parts[from].slot_bytes(slot), 0);
    }

    /// Sends what a slot has that it had not before, in small pieces.
    fn ship(&mut self, slot: SlotId, before: Option<&SlotView>, to: usize) {
        let from = self.owner(slot);
        let (view, mut position) = (self.parts[from].slot_view(slot), 0);
        loop {
            let (fragment, next) = self.parts[from].difference(before, &view, position, 64);
            self.parts[to].write(&Fragment::from_bytes(&fragment.to_bytes()).unwrap());
            match next {
                Some(next) => {
                    assert!(next > position);
                    position = next;
                }
                None => break,
            }
        }
    }
}

/// The reply without an order that nothing fixes.
fn sorted(words: &[String], reply: Reply) -> Reply {
    match reply {
        Reply::Array(mut items) if words[0] == "KEYS" => {
            items.sort_by_key(|item| format!("{item:?}"));
            Reply::Array(items)
        }
        other => other,
    }
}

fn invent(rng: &mut Rng) -> Vec<String> {
    // Some share slots.
    let mut key = || format!("{}{}", *rng.pick(&["s", "h", "l", "{t}s", "{t}z"]).unwrap(), rng.below(8));
    let (one, two, three) = (key(), key(), key());
    let number = rng.below(30).to_string();
    let client = rng.below(5).to_string();
    let sequence = rng.between(1, 40).to_string();
    let words: Vec<&str> = match rng.below(26) {
        0..=3 => vec!["SET", &one, &number],
        4 => vec!["SET", &one, &number, "PX", "400"],
        5 => vec!["MSET", &one, "1", &two, "2", &three, &number],
        6 => vec!["MGET", &one, &two, &three],
        7 => vec!["RENAME", &one, &two],
        8 => vec!["COPY", &one, &two, "REPLACE"],
        9 => vec!["DEL", &one, &two],
        10 => vec!["EXISTS", &one, &two, &three],
        11 => vec!["RPUSH", &one, &number],
        12 => vec!["LMOVE", &one, &two, "LEFT", "RIGHT"],
        13 => vec!["SADD", &one, &number, &two],
        14 => vec!["SUNIONSTORE", &one, &two, &three],
        15 => vec!["ZADD", &one, &number, &two],
        16 => vec!["ZUNIONSTORE", &one, "2", &two, &three],
        17 => vec!["HSET", &one, &number, &two],
        18 => vec!["PEXPIRE", &one, "300"],
        19 => vec!["DBSIZE"],
        20 => vec!["KEYS", "*"],
        21 | 22 => vec!["ONCE", &client, &sequence, "INCR", &one],
        23 => vec!["ONCE", &client, &sequence, "MSET", &one, &number, &two, "7"],
        24 => vec!["TYPE", &one],
        _ => vec!["INCR", &one],
    };
    words.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_store_in_parts_answers_as_a_whole_one_while_slots_move() {
    for seed in 0..4 {
        let mut rng = Rng::new(seed);
        let (mut desk, mut parts) = (Desk::default(), Parts::new(&mut rng));
        for step in 0..3_000 {
            if rng.below(4) == 0 {
                let slot = match rng.below(3) {
                    0 => Keyspace::slot_of_client(rng.below(5)),
                    _ => SlotId::of(invent(&mut rng).get(1).map_or(&b""[..], |word| word.as_bytes())),
                };
                parts.move_on(slot, rng.below(PARTS as u64) as usize);
            }
            desk.now_ms += rng.below(20);
            let words = if step % 1_500 == 1_499 { vec!["FLUSHALL".to_owned()] } else { invent(&mut rng) };
            let Action::Submit(command, awaiting) = desk.act(&words) else { continue };
            // What expired and was not removed yet is counted, and the parts remove at other times.
            let by_log = desk.keyspace.apply(&command);
            let _ = desk.session.on_outcome(awaiting, crate::Outcome::Done(Reply::OK));
            let (whole, split) = (sorted(&words, by_log), sorted(&words, parts.apply(&command)));
            if words[0] != "DBSIZE" {
                assert_eq!(whole, split, "seed {seed}, step {step}: {words:?}");
            }
        }
    }
    for mark in ["store.walk_goes_on", "store.slot_in_parts", "store.once_answered_again"] {
        assert!(marks::count(mark) > 0, "{mark} never happens");
    }
}

#[test]
fn no_version_stands_for_two_contents_of_a_key_wherever_it_was() {
    let mut rng = Rng::new(11);
    let (mut desk, mut parts) = (Desk::default(), Parts::new(&mut rng));
    let mut known: BTreeMap<(String, i64), Reply> = BTreeMap::new();
    let slots: Vec<SlotId> = ["a", "b"].iter().map(|key| SlotId::of(key.as_bytes())).collect();
    for step in 0..2_000 {
        let slot = *rng.pick(&slots).unwrap();
        parts.hand_over(slot, rng.below(PARTS as u64) as usize);
        let value = step.to_string();
        let line = match rng.below(5) {
            0 => "DEL a".to_owned(),
            1 => format!("MSET a {value} b x{value}"),
            2 => "RENAME a b".to_owned(),
            // Work on other keys moves the counts of the groups apart.
            3 => format!("SET other{} {value}", rng.below(9)),
            _ => format!("SET b {value}"),
        };
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let command = submitted(&mut desk, &words).unwrap();
        parts.apply(&command);
        for key in ["a", "b"] {
            let version = submitted(&mut desk, &["WATCH".to_owned(), key.to_owned()]).unwrap();
            let content = submitted(&mut desk, &["GET".to_owned(), key.to_owned()]).unwrap();
            let Reply::Array(versions) = parts.apply(&version) else { panic!("versions") };
            let [Reply::Integer(version)] = versions.as_slice() else { panic!("a version") };
            let content = parts.apply(&content);
            let before = known.entry((key.to_owned(), *version)).or_insert_with(|| content.clone());
            assert_eq!(*before, content, "{key} has had version {version} before, step {step}");
        }
    }
}

#[test]
fn a_scan_over_groups_finds_what_stays_while_slots_move() {
    let mut rng = Rng::new(5);
    let (mut desk, mut parts) = (Desk::default(), Parts::new(&mut rng));
    let mut expected = BTreeSet::new();
    for index in 0..300 {
        let key = format!("k{index}");
        let command = submitted(&mut desk, &["SET".to_owned(), key.clone(), "v".to_owned()]).unwrap();
        parts.apply(&command);
        expected.insert(key);
    }
    let (mut cursor, mut found) = ("0".to_owned(), BTreeSet::new());
    loop {
        let words = ["SCAN", &cursor, "COUNT", "5"].map(str::to_owned);
        let command = submitted(&mut desk, &words).unwrap();
        let Reply::Array(reply) = parts.apply(&command) else { panic!() };
        let [Reply::Bulk(next), Reply::Array(keys)] = reply.as_slice() else { panic!() };
        for key in keys {
            let Reply::Bulk(key) = key else { panic!() };
            found.insert(String::from_utf8(key.to_vec()).unwrap());
        }
        for _ in 0..200 {
            let slot = SlotId::new(rng.below(SLOT_COUNT.into())).unwrap();
            parts.hand_over(slot, rng.below(PARTS as u64) as usize);
        }
        cursor = String::from_utf8(next.to_vec()).unwrap();
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(found, expected);
}
