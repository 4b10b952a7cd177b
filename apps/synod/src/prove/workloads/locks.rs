//! Locks: `SET lock token NX PX time`, which nobody gives back. No two clients hold one at once, and one that nobody holds
//! can be had. What is promised is in `docs/locks.md`; moments are microseconds of the run.

use crate::prove::clients::{ANSWER_MAX, Answer, Shared, attempt};
use crate::prove::findings::Finding;
use crate::prove::judge::Judged;
use crate::prove::meter::End;
use crate::prove::record::Count;
use crate::prove::wire::Wire;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;
use synod_resp::Reply;
use synod_stdx::Rng;

const LOCKS: u64 = 4;
/// For how long a lock is asked for, in ms: longer than what a fail-over may take from it.
const LIFE_MS: (u64, u64) = (2_500, 6_000);
const SECOND: i64 = 1_000_000;
/// A fail-over takes from a lock at most this, beside 1 %.
const FAIL_OVER: i64 = SECOND * 3 / 2;
/// A lock that nobody holds can be had so long after its time, beside 1 %.
const CAN_BE_HAD: i64 = SECOND;
/// A command whose outcome is unknown may run at any later time. So long nothing is said of a lock that it was to take.
const STRAGGLES: i64 = 20 * SECOND;
/// Attempts that are older than this have no part in what comes.
const KEPT: i64 = 60 * SECOND;

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
    token: u64,
    life: i64,
    sent: i64,
    answered: i64,
    outcome: Outcome,
}

/// What the clients were told.
#[derive(Default)]
pub(in crate::prove) struct Locks {
    attempts: Mutex<Vec<Attempt>>,
    count: Mutex<Count>,
}

/// The name of the workload in reports.
const NAME: &str = "locks";

impl Attempt {
    /// Until then it surely holds the lock.
    fn holds_until(&self) -> i64 {
        self.sent + self.life * 99 / 100 - FAIL_OVER
    }

    /// After this it surely does not, unless it is `Unknown` and came late.
    fn is_over_at(&self) -> i64 {
        let straggles = if self.outcome == Outcome::Unknown { STRAGGLES } else { 0 };
        self.answered + straggles + self.life * 101 / 100 + CAN_BE_HAD
    }

    fn told(&self) -> String {
        let seconds = |us: i64| us as f64 / 1e6;
        format!(
            "{:.3} s to {:.3} s: token {} for {} ms: {:?}",
            seconds(self.sent),
            seconds(self.answered),
            self.token,
            self.life / 1_000,
            self.outcome
        )
    }
}

impl Locks {
    /// A client that takes locks until the run is done.
    pub(in crate::prove) fn take(&self, shared: &Shared, mut rng: Rng, pause_ms: (u64, u64)) {
        let mut wire: Option<Wire> = None;
        while !shared.is_done() {
            sleep(Duration::from_millis(rng.between(pause_ms.0, pause_ms.1)));
            if wire.is_none() || rng.chance(200) {
                wire = rng.pick(&shared.addresses).and_then(|address| shared.open(*address, ANSWER_MAX));
            }
            if wire.is_none() {
                continue;
            }
            let (lock, life_ms) = (rng.below(LOCKS), rng.between(LIFE_MS.0, LIFE_MS.1));
            let token = shared.unique();
            let sent = shared.now_us();
            let [name, value, life] = [format!("lock:{lock}"), token.to_string(), life_ms.to_string()];
            let words = ["SET", &name, &value, "NX", "PX", &life].map(str::to_owned);
            let answer = attempt(&mut wire, &[words.into()]);
            let answered = shared.now_us();
            let outcome = match answer {
                Answer::DidNotHappen => None,
                Answer::Unknown => Some(Outcome::Unknown),
                Answer::Reply(Reply::Null) => Some(Outcome::Refused),
                Answer::Reply(reply) if reply == Reply::OK => Some(Outcome::Granted),
                Answer::Reply(reply) => {
                    let text = format!("a lock was answered {reply:?}, which it cannot be");
                    shared.findings.add(Finding::violation(NAME, answered, text));
                    None
                }
            };
            let end = match outcome {
                None => End::Refused,
                Some(Outcome::Unknown) => End::Unknown,
                Some(Outcome::Granted | Outcome::Refused) => End::Done,
            };
            shared.meter.count(end, Duration::from_micros(answered - sent));
            let Some(outcome) = outcome else { continue };
            let (sent, answered) = (sent.cast_signed(), answered.cast_signed());
            let life = life_ms.cast_signed() * 1_000;
            let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
            attempts.push(Attempt { lock, token, life, sent, answered, outcome });
        }
    }
}

/// What is otherwise than promised.
fn violations(attempts: &[Attempt], is_whole_from: i64) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    for lock in 0..LOCKS {
        let mut of_lock: Vec<Attempt> =
            attempts.iter().filter(|attempt| attempt.lock == lock).copied().collect();
        of_lock.sort_by_key(|attempt| attempt.sent);
        let (refused, holders): (Vec<Attempt>, Vec<Attempt>) =
            of_lock.into_iter().partition(|attempt| attempt.outcome == Outcome::Refused);
        let granted: Vec<&Attempt> =
            holders.iter().filter(|attempt| attempt.outcome == Outcome::Granted).collect();
        for (index, one) in granted.iter().enumerate() {
            for other in &granted[index + 1..] {
                if other.answered < one.holds_until() && one.answered < other.holds_until() {
                    let text = format!("two hold lock:{lock} at once\n  {}\n  {}", one.told(), other.told());
                    found.push((other.answered, text));
                }
            }
        }
        for refused in refused.iter().filter(|refused| refused.sent > is_whole_from) {
            let may_hold =
                |holder: &Attempt| holder.sent <= refused.answered && refused.sent <= holder.is_over_at();
            if !holders.iter().any(may_hold) {
                let last = holders.iter().rfind(|holder| holder.sent <= refused.answered);
                let last = last.map_or_else(|| "nobody ever had it".to_owned(), Attempt::told);
                let text = format!(
                    "nobody holds lock:{lock}, and it cannot be had\n  {}\n  the last who had it: {last}",
                    refused.told()
                );
                found.push((refused.answered, text));
            }
        }
    }
    found
}

impl Judged for Locks {
    fn name(&self) -> &'static str {
        NAME
    }

    fn turn(&self) {}

    fn judge_due(&self, shared: &Shared, _rng: &mut Rng, is_last: bool) -> bool {
        let now = shared.now_us().cast_signed();
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        // What was forgotten may have held a lock: of what came soon after it nothing is said.
        let is_forgotten = self.counted().judged > 0;
        let first = attempts.iter().map(|attempt| attempt.sent).min().unwrap_or(0);
        let is_whole_from = if is_forgotten { first + STRAGGLES + 10 * SECOND } else { 0 };
        for (at, text) in violations(&attempts, is_whole_from) {
            shared.findings.add(Finding::violation(NAME, at.cast_unsigned(), text));
        }
        let before = attempts.len();
        attempts.retain(|attempt| !is_last && attempt.answered > now - KEPT);
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        count.judged += before - attempts.len();
        count.pages += usize::from(is_last);
        true
    }

    fn counted(&self) -> Count {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pages_left(&self) -> usize {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).len().min(1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Outcome, SECOND, violations};

    fn attempt(sent_s: i64, outcome: Outcome) -> Attempt {
        let (sent, answered) = (sent_s * SECOND, sent_s * SECOND + 1_000);
        Attempt { lock: 0, token: 1, life: 5 * SECOND, sent, answered, outcome }
    }

    #[test]
    fn two_grants_within_one_life_are_a_violation() {
        let [first, early, late] = [10, 13, 14].map(|sent| attempt(sent, Outcome::Granted));
        assert!(violations(&[first, early], 0)[0].1.starts_with("two hold lock:0 at once"));
        assert_eq!(violations(&[first, late], 0), []);
    }

    #[test]
    fn a_refusal_that_no_holder_explains_is_a_violation() {
        let granted = attempt(10, Outcome::Granted);
        let [soon, late] = [16, 17].map(|sent| attempt(sent, Outcome::Refused));
        assert_eq!(violations(&[granted, soon], 0), []);
        assert!(violations(&[granted, late], 0)[0].1.starts_with("nobody holds lock:0"));
        // Somebody of whom nobody knows may have it.
        assert_eq!(violations(&[granted, attempt(11, Outcome::Unknown), late], 0), []);
    }
}
