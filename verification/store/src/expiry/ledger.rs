//! Judges the answers that clients got about keys with a time to live, by the run's true time alone.
//!
//! A key is only ever set where it is absent, for some time `T`, and never deleted. So whoever gets it holds it for `T`. A
//! grant counts for the client from when it asked, and for everybody else from when it was answered.

use std::collections::BTreeMap;

/// What `T` may fall short of, or go beyond: one percent.
const PERCENT: u64 = 100;
/// The time of one fail-over, by which a key may be gone early, in microseconds.
const FAIL_OVER_US: u64 = 1_000_000;
/// A key may be there so much longer, in microseconds.
const LATE_US: u64 = 1_000_000;

/// From when a client asked until it was answered, in virtual microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) asked_us: u64,
    pub(super) answered_us: u64,
}

/// A key that somebody got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Grant {
    asked_us: u64,
    /// `None`: nobody knows whether it was granted, or when.
    answered_us: Option<u64>,
    ttl_us: u64,
}

impl Grant {
    /// Until then everybody must see it.
    fn safe_until_us(&self) -> u64 {
        (self.asked_us + self.ttl_us - self.ttl_us / PERCENT).saturating_sub(FAIL_OVER_US)
    }

    /// From then on nobody may see it.
    fn gone_from_us(&self) -> u64 {
        match self.answered_us {
            Some(answered_us) => answered_us + self.ttl_us + self.ttl_us / PERCENT + LATE_US,
            None => u64::MAX,
        }
    }
}

/// The keys' grants by their tokens, and what is wrong so far.
#[derive(Default, Debug)]
pub(super) struct Ledger {
    keys: BTreeMap<String, BTreeMap<String, Grant>>,
    /// The latest time that was told: in milliseconds since 1970, and when it was.
    told: Vec<(u64, u64)>,
    pub(super) objection: Option<String>,
    pub(super) granted: u64,
    pub(super) seen_gone: u64,
}

impl Ledger {
    fn object(&mut self, what: String) {
        self.objection.get_or_insert(what);
    }

    fn ms(us: u64) -> f64 {
        us as f64 / 1_000.0
    }

    /// Somebody is about to ask for a key.
    pub(super) fn asks(&mut self, key: &str, token: &str, asked_us: u64, ttl_ms: u64) {
        let grant = Grant { asked_us, answered_us: None, ttl_us: ttl_ms * 1_000 };
        self.keys.entry(key.to_owned()).or_default().insert(token.to_owned(), grant);
    }

    /// Somebody got the key.
    pub(super) fn granted(&mut self, key: &str, token: &str, span: Span) {
        self.granted += 1;
        let grants = self.keys.entry(key.to_owned()).or_default();
        let earlier = grants.iter().filter(|(other, grant)| *other != token && grant.answered_us.is_some());
        // One that was answered before this one was asked came first; of others nobody knows the order.
        let holder =
            earlier.filter(|(_, grant)| grant.answered_us.is_some_and(|at_us| at_us < span.asked_us));
        let holder = holder.map(|(other, grant)| (other.clone(), *grant));
        let holder = holder.into_iter().find(|(_, grant)| span.answered_us < grant.safe_until_us());
        if let Some(grant) = grants.get_mut(token) {
            grant.answered_us = Some(span.answered_us);
        }
        if let Some((other, grant)) = holder {
            self.object(format!(
                "{key} was granted to {token} by {:.1} ms, and {other} asked for it at {:.1} ms for {:.1} ms",
                Ledger::ms(span.answered_us),
                Ledger::ms(grant.asked_us),
                Ledger::ms(grant.ttl_us),
            ));
        }
    }

    /// Somebody asked for the key and did not get it: another one must hold it.
    pub(super) fn refused(&mut self, key: &str, token: &str, span: Span) {
        let grants = self.keys.entry(key.to_owned()).or_default();
        grants.remove(token);
        let is_held = grants
            .values()
            .any(|grant| grant.asked_us <= span.answered_us && span.asked_us <= grant.gone_from_us());
        if !is_held {
            self.object(format!(
                "{key} was refused to {token}, who asked at {:.1} ms, and nobody can hold it",
                Ledger::ms(span.asked_us)
            ));
        }
    }

    /// A key was read: the token of its holder, if it was there.
    pub(super) fn read(&mut self, key: &str, found: Option<&str>, span: Span) {
        let Some(grants) = self.keys.get(key) else { return };
        let wrong = match found {
            Some(token) => match grants.get(token) {
                None => Some(format!("{key} holds {token}, which nobody set")),
                Some(grant) => (span.asked_us > grant.gone_from_us()).then(|| {
                    format!(
                        "{key} holds {token} at {:.1} ms, and should be gone since {:.1} ms",
                        Ledger::ms(span.asked_us),
                        Ledger::ms(grant.gone_from_us())
                    )
                }),
            },
            None => {
                self.seen_gone += 1;
                let is_early = |grant: &&Grant| {
                    let answered_before = grant.answered_us.is_some_and(|at_us| at_us < span.asked_us);
                    answered_before && span.answered_us < grant.safe_until_us()
                };
                grants.values().find(is_early).map(|grant| {
                    format!(
                        "{key} is gone at {:.1} ms, and was given {:.1} ms at {:.1} ms",
                        Ledger::ms(span.answered_us),
                        Ledger::ms(grant.ttl_us),
                        Ledger::ms(grant.asked_us)
                    )
                })
            }
        };
        if let Some(wrong) = wrong {
            self.object(wrong);
        }
    }

    /// The rest of a key's time was told, in ms.
    pub(super) fn told_rest(&mut self, key: &str, rest_ms: i64, span: Span) {
        let Ok(rest_ms) = u64::try_from(rest_ms) else { return self.read(key, None, span) };
        let rest_us = rest_ms * 1_000;
        let Some(grants) = self.keys.get(key) else { return };
        let fits = |grant: &Grant| {
            let longest_us = match grant.answered_us {
                Some(answered_us) => {
                    let passed_us = span.asked_us.saturating_sub(answered_us);
                    (grant.ttl_us + grant.ttl_us / PERCENT + LATE_US).saturating_sub(passed_us)
                }
                None => grant.ttl_us,
            };
            let passed_us = span.answered_us.saturating_sub(grant.asked_us);
            let least_us = (grant.ttl_us - grant.ttl_us / PERCENT)
                .saturating_sub(passed_us)
                .saturating_sub(FAIL_OVER_US);
            (least_us..=longest_us.min(grant.ttl_us)).contains(&rest_us)
        };
        if !grants.values().any(fits) {
            self.object(format!(
                "{key} is told to live {rest_ms} ms more at {:.1} ms, which no grant explains",
                Ledger::ms(span.answered_us)
            ));
        }
    }

    /// The time was told, where a right clock says `true_ms` when it was answered.
    pub(super) fn told_time(&mut self, time_ms: u64, true_ms: u64, span: Span) {
        let before = self.told.iter().filter(|(_, at_us)| *at_us < span.asked_us);
        if let Some(latest_ms) = before.map(|(time_ms, _)| *time_ms).max()
            && time_ms < latest_ms
        {
            self.object(format!("the time is {time_ms}, and was {latest_ms} before"));
        }
        self.told.push((time_ms, span.answered_us));
        let waited_ms = (span.answered_us - span.asked_us) / 1_000;
        let error_ms = time_ms.cast_signed() - true_ms.cast_signed();
        if error_ms > 1_500 || error_ms < -1_500 - waited_ms.cast_signed() {
            self.object(format!("the time is {error_ms} ms ahead of the true one"));
        }
    }

    /// Keys that were set at one moment for one time were read at one moment.
    pub(super) fn read_together(&mut self, what: &str, found: &[bool]) {
        if found.iter().any(|there| *there != found[0]) {
            self.object(format!("{what} have one time to live, and were seen {found:?} at one moment"));
        }
    }
}
