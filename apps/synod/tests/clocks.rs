//! Wall clocks that are wrong, jump and go back: a key lives as long as it was given, and a lock has one holder.

#[path = "support/clocks.rs"]
mod clocks;
#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/locks.rs"]
mod locks;
#[path = "support/sessions.rs"]
mod sessions;

use clocks::{Answer, Clocked, library, true_time};
use locks::{Faults, Judge, Load};
use sessions::require;
use std::path::Path;
use std::time::Duration;
use synod_resp::Reply;
use synod_stdx::Rng;

const HOUR_S: i64 = 3_600;
/// Times that the nodes tell differ from the true one by at most this.
const TIME_ERROR_MAX: Duration = Duration::from_millis(100);
/// A fail-over takes from a key's life at most this.
const FAIL_OVER: Duration = Duration::from_millis(1_500);
/// A key is gone so long after its end, beyond 1 % of its life.
const LATE_MAX: Duration = Duration::from_secs(1);

fn bulk(text: &str) -> Reply {
    Reply::bulk(text)
}

fn number(reply: &Reply) -> i64 {
    match reply {
        Reply::Integer(number) => *number,
        reply => panic!("{reply:?} is no number"),
    }
}

/// A key that an acknowledged command gave a time to live.
struct Mortal {
    key: &'static str,
    life: Duration,
    given: Answer,
}

impl Mortal {
    fn set(nodes: &Clocked, through: u32, key: &'static str, life_s: u64) -> Mortal {
        let given = nodes.ask(through, &["SET", key, key, "EX", &life_s.to_string()]);
        assert_eq!(given.reply, Reply::OK);
        Mortal { key, life: Duration::from_secs(life_s), given }
    }

    /// Every node has it, and says how long it has left, within 1.5 s.
    fn assert_goes_on(&self, nodes: &Clocked) {
        let error = Duration::from_millis(1_500);
        for node in nodes.cluster.numbers() {
            assert_eq!(nodes.ask(node, &["GET", self.key]).reply, bulk(self.key), "node {node}");
            let left = nodes.ask(node, &["PTTL", self.key]);
            let said = Duration::from_millis(number(&left.reply).try_into().expect("it is there"));
            let least = self.life - (left.answered - self.given.sent);
            let most = self.life - (left.sent - self.given.answered);
            let range = least.saturating_sub(error)..=most + error;
            assert!(range.contains(&said), "node {node}: {} has {said:?}, not {range:?}", self.key);
        }
    }

    /// Whether it was there; and that is as it must be. A fail-over within its life may take `slack` from it.
    fn look(&self, nodes: &Clocked, node: u32, slack: Duration) -> bool {
        let seen = nodes.ask(node, &["GET", self.key]);
        let is_there = seen.reply == bulk(self.key);
        let age_max = seen.answered - self.given.sent;
        let age_min = seen.sent - self.given.answered;
        let context = || format!("{} at node {node}, of {:?}, after {age_max:?}", self.key, self.life);
        assert!(is_there || age_max >= self.life * 99 / 100 - slack, "gone too early: {}", context());
        assert!(!is_there || age_min <= self.life * 101 / 100 + LATE_MAX, "there too late: {}", context());
        is_there
    }
}

/// One may have the lock, then nobody else.
fn assert_one_takes_the_lock(nodes: &Clocked, through: [u32; 3], lock: &str) {
    let take = |node: u32, token: &str| nodes.ask(node, &["SET", lock, token, "NX", "PX", "30000"]).reply;
    assert_eq!(take(through[0], "a"), Reply::OK, "{lock} through node {}", through[0]);
    assert_eq!(
        take(through[1], "b"),
        Reply::Null,
        "{lock} is held, and asked for through node {}",
        through[1]
    );
    let left = number(&nodes.ask(through[2], &["PTTL", lock]).reply);
    assert!((27_001..=30_000).contains(&left), "{lock} has {left} ms left at node {}", through[2]);
}

/// What a node takes for the time since 1970, and when it was asked.
fn told_time(nodes: &Clocked, node: u32) -> (Duration, Answer) {
    let answer = nodes.ask(node, &["TIME"]);
    let Reply::Array(parts) = &answer.reply else { panic!("TIME is a pair") };
    let part = |index: usize| match &parts[index] {
        Reply::Bulk(digits) => String::from_utf8_lossy(digits).parse::<u64>().unwrap(),
        part => panic!("{part:?} is no part of a time"),
    };
    (Duration::from_secs(part(0)) + Duration::from_micros(part(1)), answer)
}

/// Whether all nodes tell the true time, and it never goes back from one to the next.
fn check_time(nodes: &Clocked) -> Result<(), String> {
    let mut last = Duration::ZERO;
    for _ in 0..10 {
        for node in nodes.cluster.numbers() {
            let before = true_time();
            let (told, _) = told_time(nodes, node);
            let range = before - TIME_ERROR_MAX..=true_time() + TIME_ERROR_MAX;
            if told < last || !range.contains(&told) {
                return Err(format!("node {node} tells {told:?} after {last:?}, it is {range:?}"));
            }
            last = told;
        }
    }
    Ok(())
}

/// `EX` and `EXPIREAT` end lives when they should; a fail-over before may have taken `slack` from the first.
fn assert_keys_expire(nodes: &Clocked, through: u32, slack: Duration) {
    let (told, asked) = told_time(nodes, through);
    let end_s = told.as_secs() + 2;
    let left = Duration::from_secs(end_s) - told;
    assert_eq!(nodes.ask(through, &["SET", "at", "at"]).reply, Reply::OK);
    assert_eq!(number(&nodes.ask(through, &["EXPIREAT", "at", &end_s.to_string()]).reply), 1);
    let mortal = Mortal::set(nodes, through, "d", 3);
    let (mut has_at, mut has_mortal) = (true, true);
    while has_at || has_mortal {
        for node in nodes.cluster.numbers() {
            let seen = nodes.ask(node, &["GET", "at"]);
            has_at = seen.reply == bulk("at");
            let (least, most) = (seen.sent - asked.answered, seen.answered - asked.sent);
            assert!(
                has_at || most + TIME_ERROR_MAX >= left,
                "gone after {most:?}, not {left:?}, node {node}"
            );
            assert!(!has_at || least <= left + 5 * TIME_ERROR_MAX, "{least:?}, not {left:?}, node {node}");
            has_mortal = mortal.look(nodes, node, slack);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What must hold when `wrong`'s clock was or is wrong. `lock` is a key of its own for each time.
fn assert_lives_are_right(nodes: &Clocked, wrong: u32, lock: &str, slack: Duration) {
    let time = check_time(nodes);
    let [next, last] = [wrong % 3 + 1, (wrong + 1) % 3 + 1];
    assert_one_takes_the_lock(nodes, [wrong, next, last], &format!("{lock}:1"));
    assert_one_takes_the_lock(nodes, [next, wrong, wrong], &format!("{lock}:2"));
    assert_one_takes_the_lock(nodes, [last, last, next], &format!("{lock}:3"));
    assert_keys_expire(nodes, wrong, slack);
    // Last: with a time that is a little wrong, lives are right all the same.
    time.unwrap_or_else(|error| panic!("{lock}: {error}"));
}

/// The clock of the leader, or of a follower, is wrong for a second, in which a write goes through that node. Later all
/// nodes are killed and started again, once with all clocks right and once with that one wrong.
fn let_a_clock_jump(library: &Path, leads: bool, offset_s: i64) {
    let mut nodes = Clocked::start(library, None);
    let leader = nodes.cluster.await_leader();
    let wrong = if leads { leader } else { nodes.cluster.follower() };
    println!("node {leader} leads, the clock of node {wrong} jumps by {offset_s} s");
    let mortals = [("minute", 60), ("day", 86_400)].map(|(key, life_s)| Mortal::set(&nodes, 1, key, life_s));
    let assert_all = |nodes: &Clocked, lock: &str, slack: Duration| {
        mortals.iter().for_each(|mortal| mortal.assert_goes_on(nodes));
        assert_lives_are_right(nodes, wrong, lock, slack);
        mortals.iter().for_each(|mortal| mortal.assert_goes_on(nodes));
    };

    nodes.set(wrong, offset_s);
    assert_eq!(nodes.ask(wrong, &["SET", "through", "it"]).reply, Reply::OK);
    check_time(&nodes).expect("one wrong clock of three changes nothing");
    std::thread::sleep(Duration::from_secs(1));
    mortals.iter().for_each(|mortal| mortal.assert_goes_on(&nodes));
    nodes.set(wrong, 0);
    assert_all(&nodes, "after the jump", Duration::ZERO);

    nodes.kill_all();
    nodes.restart_all();
    assert_all(&nodes, "after a restart", FAIL_OVER);

    nodes.kill_all();
    nodes.set(wrong, offset_s);
    nodes.restart_all();
    assert_all(&nodes, "after a restart with a wrong clock", FAIL_OVER);
}

/// Runs `test` with a clock that is an hour ahead, and at the same time with one that is an hour behind.
fn ahead_and_behind(test: impl Fn(&Path, i64) + Sync) {
    let Some(library) = library() else { return require("libfaketime", None) };
    std::thread::scope(|scope| {
        scope.spawn(|| test(&library, HOUR_S));
        scope.spawn(|| test(&library, -HOUR_S));
    });
}

#[test]
fn a_leaders_clock_that_jumps_by_an_hour_changes_no_life() {
    ahead_and_behind(|library, offset_s| let_a_clock_jump(library, true, offset_s));
}

#[test]
fn a_followers_clock_that_jumps_by_an_hour_changes_no_life() {
    ahead_and_behind(|library, offset_s| let_a_clock_jump(library, false, offset_s));
}

#[test]
fn through_a_node_whose_clock_is_always_wrong_a_lock_is_taken_once_whoever_leads() {
    ahead_and_behind(|library, offset_s| {
        let wrong = 1;
        let mut nodes = Clocked::start(library, Some((wrong, offset_s)));
        let leads = nodes.cluster.await_leader() == wrong;
        assert_one_takes_the_lock(&nodes, [wrong; 3], "first");
        assert_lives_are_right(&nodes, wrong, &format!("from the start, {offset_s} s"), Duration::ZERO);
        nodes.let_lead(wrong, !leads);
        assert_lives_are_right(&nodes, wrong, &format!("after a fail-over, {offset_s} s"), FAIL_OVER);
    });
}

/// One clock of three is wrong at a time, and jumps; nodes are killed meanwhile.
#[test]
fn no_lock_is_held_twice_whatever_one_clock_does() {
    let Some(library) = library() else { return require("libfaketime", None) };
    let seed = std::env::var("CLOCKS_SEED").map_or(1, |seed| seed.parse().expect("CLOCKS_SEED is a number"));
    println!("CLOCKS_SEED={seed} draws these jumps and kills");
    let rng = Rng::new(seed);
    let mut nodes = Clocked::start(&library, None);
    let load = Load::on(nodes.cluster.client_addresses());
    let (faults, seen) = load.run(&rng, || Faults::play(&mut nodes, &load, &mut rng.split("faults")));
    let judge = Judge::of(&faults, &seen);
    println!("{judge}");
    judge.assert_promises_held(&faults, seed);
}
