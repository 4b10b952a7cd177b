//! The commands on keys of any type, as they run.

use crate::Keyspace;
use crate::collection::NO_SUCH_KEY;
use crate::collection::{SCAN_WORK_MAX, work_of};
use crate::glob::Pattern;
use crate::key::{Key, Probe};
use crate::keyspace::{cursor_of, position_of};
use crate::operation::{Aspect, ExpireWhen, Operation, TtlForm};
use crate::space::{Position, SlotMap};
use crate::value::Entry;
use crate::{SLOT_COUNT, SlotId};
use std::num::NonZeroU64;
use synod_resp::Reply;

const NO_FREQUENCY: Reply = Reply::error(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

impl Keyspace {
    /// Runs `operation` if it is one that writes keys.
    pub(crate) fn write_key(&mut self, operation: &Operation<'_>, now_ms: u64) -> Option<Reply> {
        Some(match operation {
            Operation::Del { keys } => {
                let removed = keys.iter().filter(|key| self.remove(&Probe::new(key)).is_some()).count();
                Reply::Integer(removed as i64)
            }
            Operation::Rename { from, to } => match self.move_key(from, to) {
                true => Reply::OK,
                false => NO_SUCH_KEY,
            },
            Operation::RenameNx { from, to } => {
                if self.find(&Probe::new(from)).is_none() {
                    NO_SUCH_KEY
                } else {
                    let is_free = self.find(&Probe::new(to)).is_none();
                    Reply::Integer((is_free && self.move_key(from, to)).into())
                }
            }
            Operation::Copy { from, to, replace } => self.copy_key(from, to, *replace),
            Operation::ExpireAt { key, at_ms, when } => {
                self.expire_at(&Probe::new(key), (*at_ms, *when), now_ms)
            }
            Operation::ExpireIn { key, after_ms, when } => {
                let at_ms = now_ms.cast_signed().saturating_add(*after_ms);
                self.expire_at(&Probe::new(key), (at_ms, *when), now_ms)
            }
            Operation::Persist { key } => {
                let probe = Probe::new(key);
                let has_expiry = self.find(&probe).is_some_and(|entry| entry.expires_at_ms.is_some());
                if has_expiry {
                    self.space.change(&probe, |entry| entry.expires_at_ms = None);
                }
                Reply::Integer(has_expiry.into())
            }
            _ => return None,
        })
    }

    /// Answers `operation` if it is one that reads keys.
    pub(crate) fn read_key(&self, operation: &Operation<'_>, now_ms: u64) -> Option<Reply> {
        Some(match operation {
            Operation::Exists { keys } => {
                Reply::Integer(keys.iter().filter(|key| self.find(&Probe::new(key)).is_some()).count() as i64)
            }
            Operation::Type { key } => {
                Reply::simple(self.find(&Probe::new(key)).map_or("none", |entry| entry.value.type_name()))
            }
            Operation::RandomKey { random } => self.random_key(*random, now_ms),
            Operation::Keys { pattern } => {
                let pattern = Pattern::new(pattern);
                let live = self.space.walk(Position::START).filter(|(position, key, entry)| {
                    !entry.is_expired(self.clock_at(*position).max(now_ms)) && pattern.matches(&key.bytes)
                });
                Reply::Array(live.map(|(_, key, _)| Reply::Bulk(key.bytes.clone())).collect())
            }
            Operation::Scan { .. } => self.scan(operation, now_ms, &|_| true),
            Operation::DbSize {} => Reply::Integer(self.space.len() as i64),
            Operation::Time {} => {
                let (seconds, us) = (now_ms / 1_000, now_ms % 1_000 * 1_000);
                Reply::Array(vec![Reply::bulk(seconds.to_string()), Reply::bulk(us.to_string())])
            }
            Operation::Ttl { key, form } => self.time_to_live(&Probe::new(key), *form, now_ms),
            Operation::Object { key, aspect } => match self.find(&Probe::new(key)) {
                None => Reply::Null,
                Some(entry) => describe(entry, *aspect),
            },
            Operation::CountInSlot { slot } => {
                let count = SlotId::new(*slot).and_then(|slot| self.space.slot(slot)).map_or(0, SlotMap::len);
                Reply::Integer(count as i64)
            }
            Operation::KeysInSlot { slot, count } => {
                let keys = SlotId::new(*slot).into_iter().flat_map(|slot| self.space.walk_slot(slot, 0));
                let keys = keys.take(usize::try_from(*count).unwrap_or(usize::MAX));
                Reply::Array(keys.map(|(_, key, _)| Reply::Bulk(key.bytes.clone())).collect())
            }
            _ => return None,
        })
    }

    /// Moves what is stored under `from`, with its expiry, to `to`; whether there was anything.
    fn move_key(&mut self, from: &[u8], to: &[u8]) -> bool {
        if from == to {
            return self.find(&Probe::new(from)).is_some();
        }
        let Some(entry) = self.remove(&Probe::new(from)) else { return false };
        self.space.put(&Probe::new(to), entry.value, entry.expires_at_ms);
        true
    }

    fn copy_key(&mut self, from: &[u8], to: &[u8], replace: bool) -> Reply {
        let Some(entry) = self.find(&Probe::new(from)).cloned() else { return Reply::Integer(0) };
        let target = Probe::new(to);
        if !replace && self.find(&target).is_some() {
            return Reply::Integer(0);
        }
        self.space.put(&target, entry.value, entry.expires_at_ms);
        Reply::Integer(1)
    }

    fn expire_at(&mut self, probe: &Probe<'_>, (at_ms, when): (i64, ExpireWhen), now_ms: u64) -> Reply {
        self.drop_if_expired(probe, now_ms);
        let Some(entry) = self.find(probe) else { return Reply::Integer(0) };
        let current = entry.expires_at_ms.map(|at_ms| at_ms.get().cast_signed());
        // A key without an expiry counts as one that expires later than any other.
        let is_wanted = match when {
            ExpireWhen::Always => true,
            ExpireWhen::IfNone => current.is_none(),
            ExpireWhen::IfAny => current.is_some(),
            ExpireWhen::IfLater => current.is_some_and(|current| at_ms > current),
            ExpireWhen::IfEarlier => current.is_none_or(|current| at_ms < current),
            ExpireWhen::IfAnyAndEarlier => current.is_some_and(|current| at_ms < current),
        };
        if !is_wanted {
            return Reply::Integer(0);
        }
        self.set_deadline(probe, u64::try_from(at_ms).ok(), now_ms);
        Reply::Integer(1)
    }

    /// Lets a key that is there expire at `at_ms`; one whose time is over goes at once.
    pub(crate) fn set_deadline(&mut self, probe: &Probe<'_>, at_ms: Option<u64>, now_ms: u64) {
        match at_ms.filter(|at_ms| *at_ms > now_ms).and_then(NonZeroU64::new) {
            None => drop(self.space.remove(probe)),
            at_ms => drop(self.space.change(probe, |entry| entry.expires_at_ms = at_ms)),
        }
    }

    fn time_to_live(&self, probe: &Probe<'_>, form: TtlForm, now_ms: u64) -> Reply {
        let Some(entry) = self.find(probe) else { return Reply::Integer(-2) };
        let Some(at_ms) = entry.expires_at_ms else { return Reply::Integer(-1) };
        let in_seconds = |ms: u64| (ms.saturating_add(500) / 1000).cast_signed();
        let rest_ms = at_ms.get().saturating_sub(now_ms);
        Reply::Integer(match form {
            TtlForm::RelativeSeconds => in_seconds(rest_ms),
            TtlForm::RelativeMs => rest_ms.cast_signed(),
            TtlForm::AbsoluteSeconds => in_seconds(at_ms.get()),
            TtlForm::AbsoluteMs => at_ms.get().cast_signed(),
        })
    }

    fn random_key(&self, random: u64, now_ms: u64) -> Reply {
        // Two numbers of one: a slot, and a place in it. From there on, and then from the front, the first live key.
        let from = Position { slot: (random % u64::from(SLOT_COUNT)) as u16, hash: random };
        let is_live = |(position, _, entry): &(Position, &Key, &Entry)| {
            !entry.is_expired(self.clock_at(*position).max(now_ms))
        };
        let found = self.space.walk(from).find(is_live);
        let found = found.or_else(|| self.space.walk(Position::START).find(is_live));
        found.map_or(Reply::Null, |(_, key, _)| Reply::Bulk(key.bytes.clone()))
    }

    /// Ends where the slots end that are served here, at the latest: the cursor leads on to where the next one is.
    pub(crate) fn scan(
        &self,
        operation: &Operation<'_>,
        now_ms: u64,
        is_served: &dyn Fn(SlotId) -> bool,
    ) -> Reply {
        let Operation::Scan { cursor, count, pattern, kind } = operation else { return NO_SUCH_KEY };
        let (mut keys, mut next, mut seen, mut last) = (Vec::new(), 0, 0, None);
        let (pattern, mut work) = (pattern.map(Pattern::new), 0);
        let from = position_of(*cursor);
        let end = from.map_or(0, |from| self.end_of_stretch(from.slot, is_served));
        if (1..SLOT_COUNT).contains(&end) {
            next = cursor_of(Position { slot: end, hash: 0 });
        }
        let walk = from.into_iter().flat_map(|from| self.space.walk_until(from, end));
        for (position, key, entry) in walk {
            let here = cursor_of(position);
            // Keys that share a cursor come together, so that none is passed over.
            if (seen >= *count || work >= SCAN_WORK_MAX) && last != Some(here) {
                next = here;
                break;
            }
            seen += 1;
            work += work_of(pattern.as_ref(), &key.bytes);
            last = Some(here);
            let is_wanted = !entry.is_expired(self.clock_at(position).max(now_ms))
                && pattern.as_ref().is_none_or(|pattern| pattern.matches(&key.bytes))
                && kind.is_none_or(|kind| kind.eq_ignore_ascii_case(entry.value.type_name().as_bytes()));
            if is_wanted {
                keys.push(Reply::Bulk(key.bytes.clone()));
            }
        }
        Reply::Array(vec![Reply::bulk(next.to_string()), Reply::Array(keys)])
    }
}

fn describe(entry: &Entry, aspect: Aspect) -> Reply {
    match aspect {
        Aspect::IdleTime => Reply::Integer(0),
        Aspect::RefCount => Reply::Integer(1),
        Aspect::Frequency => NO_FREQUENCY,
        Aspect::Encoding => Reply::bulk(entry.value.encoding()),
    }
}
