//! Locks and keys with a time to live, taken and looked at while a clock jumps and nodes are killed; and the judgement of
//! what the clients saw.

use crate::clocks::Clocked;
use crate::cluster::Wire;
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use synod_resp::Reply;
use synod_stdx::Rng;

const JUMPS: u64 = 60;
/// By how many seconds the one wrong clock may be wrong.
const OFFSETS_S: [i64; 6] = [-3_600, -1, 0, 1, 3_600, 7_200];
/// Every third of these jumps comes with a kill; before and after them none does.
const JUMPS_WITH_KILLS: std::ops::Range<u64> = 20..40;
const LOCKS: u64 = 6;
const LOCK_CLIENTS: u64 = 4;
const KEY_CLIENTS: u64 = 2;
/// So many keys a client looks at in turn.
const KEYS_MAX: usize = 8;
const LIFE_MS: [u64; 2] = [300, 2_000];

/// Moments are microseconds since the load began.
const SECOND: i64 = 1_000_000;
/// What a kill may change is not asked for so long before and after it.
const NEAR_KILL: i64 = 3 * SECOND;
/// How exact a life is, beyond 1 %, where no node is killed.
const EXACT: i64 = SECOND / 20;
/// A fail-over takes from a life at most this.
const FAIL_OVER: i64 = SECOND * 3 / 2;
/// A command whose outcome is unknown may run so long after its client gave up.
const STRAGGLES: i64 = 3 * SECOND;

/// Between these moments a command ran.
#[derive(Clone, Copy, Debug)]
struct Span {
    sent: i64,
    answered: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Granted,
    Refused,
    Unknown,
}

/// Somebody asked for a lock.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    lock: u64,
    life: i64,
    span: Span,
    outcome: Outcome,
}

/// Somebody looked at a key that lives from `given` on.
#[derive(Clone, Copy, Debug)]
struct Look {
    life: i64,
    given: Span,
    seen: Span,
    is_there: bool,
    /// It had been seen to be gone.
    was_gone: bool,
}

/// What the clients saw.
#[derive(Default)]
pub struct Seen {
    attempts: Vec<Attempt>,
    looks: Vec<Look>,
    /// Keys that were not there any more when their time to live was to be changed.
    lost: Vec<String>,
}

/// Clients at work.
pub struct Load {
    addresses: Vec<SocketAddr>,
    begun: Instant,
    is_done: AtomicBool,
}

impl Load {
    pub fn on(addresses: Vec<SocketAddr>) -> Load {
        Load { addresses, begun: Instant::now(), is_done: AtomicBool::new(false) }
    }

    fn now(&self) -> i64 {
        self.begun.elapsed().as_micros() as i64
    }

    /// Lets clients work until `faults` is over.
    pub fn run<T>(&self, rng: &Rng, faults: impl FnOnce() -> T) -> (T, Seen) {
        let caller = |name: u64| Caller { load: self, rng: rng.split(&format!("client {name}")), wire: None };
        std::thread::scope(|scope| {
            let lockers = (0..LOCK_CLIENTS).map(caller);
            let mut threads: Vec<_> = lockers.map(|caller| scope.spawn(|| caller.take_locks())).collect();
            for name in LOCK_CLIENTS..LOCK_CLIENTS + KEY_CLIENTS {
                let caller = caller(name);
                threads.push(scope.spawn(move || caller.watch_keys(name)));
            }
            let ending = Ending(self);
            let result = faults();
            drop(ending);
            let mut seen = Seen::default();
            for thread in threads {
                let mut part = thread.join().expect("a client met what no client may meet");
                seen.attempts.append(&mut part.attempts);
                seen.looks.append(&mut part.looks);
                seen.lost.append(&mut part.lost);
            }
            (result, seen)
        })
    }
}

/// Ends the load when it is dropped.
struct Ending<'a>(&'a Load);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.is_done.store(true, Ordering::Relaxed);
    }
}

/// A client that asks one node and then another.
struct Caller<'a> {
    load: &'a Load,
    rng: Rng,
    wire: Option<Wire>,
}

impl Caller<'_> {
    /// When the command ran, and its answer if one came. `None` if it did not run.
    fn ask(&mut self, words: &[&str]) -> Option<(Span, Option<Reply>)> {
        if self.wire.is_none() || self.rng.chance(200) {
            let address = self.rng.pick(&self.load.addresses)?;
            self.wire = Wire::open(*address, Duration::from_secs(8));
        }
        let wire = self.wire.as_mut()?;
        let sent = self.load.now();
        let reply = wire.ask(words);
        let span = Span { sent, answered: self.load.now() };
        match reply {
            Some(Reply::Error(error)) => match error.split(' ').next().unwrap_or_default() {
                "TRYAGAIN" | "CLUSTERDOWN" => None,
                "MAYBE" => Some((span, None)),
                _ => panic!("{words:?}: {error}"),
            },
            Some(reply) => Some((span, Some(reply))),
            None => {
                self.wire = None;
                Some((span, None))
            }
        }
    }

    fn life_ms(&mut self) -> u64 {
        self.rng.between(LIFE_MS[0], LIFE_MS[1])
    }

    fn pause(&mut self) {
        std::thread::sleep(Duration::from_millis(self.rng.between(4, 16)));
    }

    /// Takes locks, and never gives them back.
    fn take_locks(mut self) -> Seen {
        let mut seen = Seen::default();
        while !self.load.is_done.load(Ordering::Relaxed) {
            self.pause();
            let (lock, life_ms) = (self.rng.below(LOCKS), self.life_ms());
            let token = self.rng.next_u64().to_string();
            let words = ["SET", &format!("lock:{lock}"), &token, "NX", "PX", &life_ms.to_string()];
            let Some((span, reply)) = self.ask(&words) else { continue };
            let outcome = match reply {
                Some(Reply::Null) => Outcome::Refused,
                Some(reply) => {
                    assert_eq!(reply, Reply::OK, "{words:?}");
                    Outcome::Granted
                }
                None => Outcome::Unknown,
            };
            seen.attempts.push(Attempt { lock, life: life_ms as i64 * 1_000, span, outcome });
        }
        seen
    }

    /// Gives keys a time to live in one way or another, and looks at them until they must be gone.
    fn watch_keys(mut self, name: u64) -> Seen {
        let mut seen = Seen::default();
        let mut keys: Vec<(String, Look)> = Vec::new();
        for number in 0.. {
            if self.load.is_done.load(Ordering::Relaxed) {
                break;
            }
            self.pause();
            let now = self.load.now();
            keys.retain(|(_, look)| now < latest(look.given.answered, look.life) + SECOND / 5);
            if keys.len() < KEYS_MAX && self.rng.chance(500) {
                let key = format!("key:{name}:{number}");
                let life_ms = self.life_ms();
                let Some((given, found)) = self.give_life(&key, life_ms) else { continue };
                if !found {
                    seen.lost.push(format!("{key} was gone at once: {given:?}"));
                    continue;
                }
                let life = life_ms as i64 * 1_000;
                keys.push((key, Look { life, given, seen: given, is_there: true, was_gone: false }));
            }
            let index = self.rng.below(KEYS_MAX as u64) as usize;
            let Some((key, look)) = keys.get_mut(index) else { continue };
            let Some((span, Some(reply))) = self.ask(&["GET", key]) else { continue };
            look.seen = span;
            look.was_gone |= !look.is_there;
            look.is_there = reply != Reply::Null;
            seen.looks.push(*look);
        }
        seen
    }

    /// When it was given, if that is sure, and whether the key was there.
    fn give_life(&mut self, key: &str, life_ms: u64) -> Option<(Span, bool)> {
        let ms = life_ms.to_string();
        let first: Option<&[&str]> = match self.rng.below(4) {
            0 | 1 => None,
            2 => Some(&["SET", key, "v"]),
            _ => Some(&["SET", key, "v", "PX", "100000"]),
        };
        let last: &[&str] = match (first.map(<[&str]>::len), self.rng.chance(500)) {
            (None, true) => &["SET", key, "v", "PX", &ms],
            (None, false) => &["PSETEX", key, &ms, "v"],
            (Some(3), _) => &["PEXPIRE", key, &ms],
            (Some(_), _) => &["GETEX", key, "PX", &ms],
        };
        if let Some(words) = first {
            self.ask(words)?.1?;
        }
        let (span, reply) = self.ask(last)?;
        let found = ![Reply::Null, Reply::Integer(0)].contains(&reply?);
        Some((span, found))
    }
}

/// After this moment a key is gone that was given this life before `answered`.
fn latest(answered: i64, life: i64) -> i64 {
    answered + life * 101 / 100 + SECOND
}

/// What was done to the nodes.
#[derive(Default)]
pub struct Faults {
    kills: Vec<i64>,
    told: String,
}

impl Faults {
    fn tell(&mut self, at: i64, text: &str) {
        let _ = writeln!(self.told, "{:>8.3} s  {text}", at as f64 / 1e6);
    }

    /// Lets one clock after the other be wrong, and kills some nodes.
    pub fn play(nodes: &mut Clocked, load: &Load, rng: &mut Rng) -> Faults {
        let mut faults = Faults::default();
        let (mut wrong, mut killed) = (1, None);
        for jump in 0..JUMPS {
            std::thread::sleep(Duration::from_millis(rng.between(300, 900)));
            nodes.set(wrong, 0);
            wrong = rng.between(1, 3) as u32;
            let offset_s = OFFSETS_S[rng.below(OFFSETS_S.len() as u64) as usize];
            nodes.set(wrong, offset_s);
            faults.tell(
                load.now(),
                &format!("the clock of node {wrong} is {offset_s:+} s off, all others are right"),
            );
            if let Some(node) = killed.take() {
                nodes.cluster.restart(node);
                faults.tell(load.now(), &format!("node {node} is back"));
            }
            if JUMPS_WITH_KILLS.contains(&jump) && jump % 3 == 0 {
                let leader = nodes.cluster.await_leader();
                let node = if rng.chance(500) { leader } else { rng.between(1, 3) as u32 };
                faults.kills.push(load.now());
                faults.tell(load.now(), &format!("node {node} is killed, node {leader} leads"));
                nodes.cluster.kill(node);
                killed = Some(node);
            }
        }
        faults
    }
}

/// Compares what clients saw with what is promised.
#[derive(Default)]
pub struct Judge {
    kills: Vec<i64>,
    violations: Vec<String>,
    /// Pairs of grants that follow each other, with no kill near.
    exact_grants: usize,
    /// Refusals that were judged.
    refusals: usize,
    /// Looks that had to find a key, with no kill near, and those that had to find none.
    exact_looks: usize,
    late_looks: usize,
}

impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Judge { exact_grants, refusals, exact_looks, late_looks, .. } = self;
        write!(
            f,
            "with no kill near, {exact_grants} grants followed one another, {refusals} refusals were judged, "
        )?;
        write!(f, "and {exact_looks} looks had to find a key; {late_looks} looks had to find none")
    }
}

impl Judge {
    pub fn of(faults: &Faults, seen: &Seen) -> Judge {
        let mut judge = Judge { kills: faults.kills.clone(), ..Judge::default() };
        for lock in 0..LOCKS {
            let attempts = seen.attempts.iter().filter(|attempt| attempt.lock == lock).copied();
            let mut attempts: Vec<Attempt> = attempts.collect();
            attempts.sort_by_key(|attempt| attempt.span.sent);
            let is_granted = |attempt: &&Attempt| attempt.outcome == Outcome::Granted;
            let grants: Vec<Attempt> = attempts.iter().filter(is_granted).copied().collect();
            judge.judge_grants(&grants);
            judge.judge_refusals(&attempts);
        }
        seen.looks.iter().for_each(|look| judge.judge_look(look));
        judge.violations.extend(seen.lost.iter().cloned());
        judge
    }

    /// Nothing was otherwise than promised, and enough was tried to say so.
    pub fn assert_promises_held(&self, faults: &Faults, seed: u64) {
        let shown = self.violations.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
        assert!(
            self.violations.is_empty(),
            "{} violations, the first of them:\n{shown}\nCLOCKS_SEED={seed} draws these faults again:\n{}",
            self.violations.len(),
            faults.told
        );
        let is_enough = self.exact_grants > 20 && self.refusals > 200;
        assert!(is_enough && self.exact_looks > 200 && self.late_looks > 50, "too little was tried: {self}");
    }

    fn is_near_kill(&self, from: i64, to: i64) -> bool {
        self.kills.iter().any(|kill| (from - NEAR_KILL..=to + NEAR_KILL).contains(kill))
    }

    /// Until when a key is there that was given this life after `sent`, as far as `to`.
    fn earliest(&self, sent: i64, life: i64, to: i64) -> i64 {
        let slack = if self.is_near_kill(sent, to) { FAIL_OVER } else { EXACT };
        sent + life * 99 / 100 - slack
    }

    /// No two hold the lock at once: one of the two grants came after the other's life.
    fn judge_grants(&mut self, grants: &[Attempt]) {
        for (index, one) in grants.iter().enumerate() {
            let near =
                grants[index + 1..].iter().take_while(|other| other.span.sent < one.span.sent + one.life);
            for other in near {
                let to = one.span.answered.max(other.span.answered);
                let holds = |attempt: &Attempt| self.earliest(attempt.span.sent, attempt.life, to);
                if other.span.answered < holds(one) && one.span.answered < holds(other) {
                    self.violations.push(format!("two hold a lock: {one:?} and {other:?}"));
                }
            }
        }
        let exact =
            grants.windows(2).filter(|pair| !self.is_near_kill(pair[0].span.sent, pair[1].span.answered));
        self.exact_grants += exact.count();
    }

    /// Whoever was refused was so because of somebody who may have held the lock then.
    fn judge_refusals(&mut self, attempts: &[Attempt]) {
        let may_hold = |holder: &Attempt, refused: &Attempt| {
            let straggles = if holder.outcome == Outcome::Unknown { STRAGGLES } else { 0 };
            holder.span.sent <= refused.span.answered
                && refused.span.sent <= latest(holder.span.answered + straggles, holder.life)
        };
        let (refused, holders): (Vec<Attempt>, Vec<Attempt>) =
            attempts.iter().copied().partition(|attempt| attempt.outcome == Outcome::Refused);
        for refused in refused {
            if self.is_near_kill(refused.span.sent, refused.span.answered) {
                continue;
            }
            self.refusals += 1;
            if !holders.iter().any(|holder| may_hold(holder, &refused)) {
                let last = holders.iter().rfind(|holder| holder.span.sent <= refused.span.answered);
                self.violations
                    .push(format!("nobody held a lock: {refused:?}; the last who had it: {last:?}"));
            }
        }
    }

    fn judge_look(&mut self, look: &Look) {
        let Look { life, given, seen, is_there, was_gone } = *look;
        let (early, late) = (self.earliest(given.sent, life, seen.answered), latest(given.answered, life));
        self.exact_looks +=
            usize::from(seen.answered < early && !self.is_near_kill(given.sent, seen.answered));
        self.late_looks += usize::from(seen.sent > late);
        if !is_there && seen.answered < early {
            self.violations.push(format!("a key was gone too early: {look:?}"));
        }
        if is_there && (seen.sent > late || was_gone) {
            self.violations.push(format!("a key was there too late: {look:?}"));
        }
    }
}
