//! Commands about all keys, wherever the keys are: `DBSIZE`, `KEYS`, `RANDOMKEY`, `FLUSHALL`.
//!
//! No group has all keys, so whoever submits such a command asks for a *stretch* after the other. A stretch begins at a
//! slot and is run by the group that serves that slot, which goes on over the slots behind it as long as it serves these
//! too, and says where it stopped: there the next stretch begins, at whichever group serves that slot then. So each slot is
//! looked at once, by one who serves it at that moment, also while slots move. `SCAN` goes the same way: its cursor names a
//! slot, and the client takes the steps. `KEYS` is made of such steps: each is of bounded work, however many keys there are
//! and whatever the pattern.
//!
//! # What is promised
//! Each stretch is linearizable, the whole is not one moment: what is written meanwhile in a slot is seen if its stretch is
//! still to come. With one group that holds all slots there is one stretch, but for `KEYS`.

use crate::command::Route;
use crate::keyspace::MALFORMED;
use crate::operation::Operation;
use crate::space::{Position, SlotMap};
use crate::{Command, Keyspace, SLOT_COUNT, SlotId};
use synod_resp::Reply;
use synod_stdx::{Cursor, mark};

/// A command about all keys on its way over the slots.
#[derive(Clone, Debug)]
pub struct Walk {
    command: Command,
    /// The slot at which the next stretch begins.
    next: u64,
    /// The slot behind the last one, counted on behind the end of all slots: a walk may begin anywhere.
    end: u64,
    /// Of `KEYS`: where the next step of its scan begins.
    cursor: Option<u64>,
    /// What came of it so far.
    found: Reply,
}

/// A step of `KEYS` looks at so many keys at most.
const KEYS_STEP: u64 = 8_192;

/// How a walk goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Submit this next, and tell the walk its reply.
    Next(Command),
    /// This is the answer.
    Done(Reply),
}

impl Walk {
    /// The walk that `command` needs, which is about all keys.
    pub fn new(command: Command) -> Walk {
        let slots = u64::from(SLOT_COUNT);
        let mut cursor = None;
        let (next, found) = match command.operation() {
            Ok(Operation::Keys { .. }) => {
                cursor = Some(0);
                (0, Reply::Array(Vec::new()))
            }
            Ok(Operation::RandomKey { random }) => (random % slots, Reply::Null),
            Ok(Operation::Flush {}) => (0, Reply::OK),
            Ok(_) | Err(_) => (0, Reply::Integer(0)),
        };
        Walk { command, next, end: next + slots, cursor, found }
    }

    /// The command that asks for the next stretch.
    pub fn next_command(&self) -> Command {
        if let (Some(cursor), Ok(Operation::Keys { pattern })) = (self.cursor, self.command.operation()) {
            let scan = Operation::Scan { cursor, count: KEYS_STEP, pattern: Some(pattern), kind: None };
            return Command::new(&scan, Route::Shortest, &mut Vec::new());
        }
        let first = self.next % u64::from(SLOT_COUNT);
        let operation = Operation::Stretch { first, step: self.command.operation_bytes() };
        let route = if self.command.is_read_only() { Route::Shortest } else { Route::Log };
        Command::new(&operation, route, &mut Vec::new())
    }

    /// A stretch was answered.
    pub fn on_reply(&mut self, reply: Reply) -> Progress {
        let Reply::Array(parts) = &reply else { return Progress::Done(reply) };
        if self.cursor.is_some() {
            return self.on_scanned(reply);
        }
        let [Reply::Integer(stopped), part] = parts.as_slice() else { return Progress::Done(reply) };
        let slots = u64::from(SLOT_COUNT);
        let walked = stopped.cast_unsigned().saturating_sub(self.next % slots);
        self.next += walked;
        match (&mut self.found, part) {
            (Reply::Integer(all), Reply::Integer(here)) => *all += here,
            (Reply::Array(all), Reply::Array(here)) => all.extend(here.iter().cloned()),
            (Reply::Null, Reply::Bulk(_)) => return Progress::Done(part.clone()),
            (Reply::Null, Reply::Null) | (Reply::Simple(_), Reply::Simple(_)) => {}
            (_, other) => return Progress::Done(other.clone()),
        }
        if self.next >= self.end || walked == 0 {
            return Progress::Done(std::mem::replace(&mut self.found, Reply::Null));
        }
        mark!("store.walk_goes_on");
        Progress::Next(self.next_command())
    }

    /// A step of `KEYS` was answered.
    fn on_scanned(&mut self, reply: Reply) -> Progress {
        let parts = match reply {
            Reply::Array(parts) => <[Reply; 2]>::try_from(parts).map_err(Reply::Array),
            other => Err(other),
        };
        let [Reply::Bulk(cursor), Reply::Array(here)] = (match parts {
            Ok(parts) => parts,
            Err(other) => return Progress::Done(other),
        }) else {
            return Progress::Done(MALFORMED);
        };
        if let Reply::Array(all) = &mut self.found {
            all.extend(here);
        }
        match std::str::from_utf8(&cursor).ok().and_then(|text| text.parse().ok()) {
            None | Some(0) => Progress::Done(std::mem::replace(&mut self.found, Reply::Null)),
            Some(cursor) => {
                self.cursor = Some(cursor);
                mark!("store.walk_goes_on");
                Progress::Next(self.next_command())
            }
        }
    }
}

impl Keyspace {
    /// The first slot from `first` on that is not served here; `first` is.
    pub(crate) fn end_of_stretch(&self, first: u16, is_served: &dyn Fn(SlotId) -> bool) -> u16 {
        let is_not = |number: &u16| !SlotId::new((*number).into()).is_some_and(is_served);
        (first.saturating_add(1)..SLOT_COUNT).find(is_not).unwrap_or(SLOT_COUNT)
    }

    /// Runs a step about all keys on the slots from `first` on that are served here.
    pub(crate) fn run_stretch(
        &mut self,
        (first, step): (u64, &[u8]),
        now_ms: u64,
        is_served: &dyn Fn(SlotId) -> bool,
    ) -> Reply {
        let Ok(Operation::Flush {}) = Operation::decode(&mut Cursor::new(step)) else {
            return self.answer_stretch((first, step), now_ms, is_served);
        };
        let Ok(first) = u16::try_from(first) else { return MALFORMED };
        let end = self.end_of_stretch(first, is_served);
        for slot in (first..end).filter_map(|number| SlotId::new(number.into())) {
            self.space.clear_slot(slot);
        }
        Reply::Array(vec![Reply::Integer(end.into()), Reply::OK])
    }

    /// Answers a step about all keys that changes nothing, on the slots from `first` on that are served here.
    pub(crate) fn answer_stretch(
        &self,
        (first, step): (u64, &[u8]),
        now_ms: u64,
        is_served: &dyn Fn(SlotId) -> bool,
    ) -> Reply {
        let Ok(first) = u16::try_from(first) else { return MALFORMED };
        let Ok(step) = Operation::decode(&mut Cursor::new(step)) else { return MALFORMED };
        let end = self.end_of_stretch(first, is_served);
        let keys = |hash| {
            let walk = self.space.walk_until(Position { slot: first, hash }, end);
            walk.filter(move |(position, _, entry)| !entry.is_expired(self.clock_at(*position).max(now_ms)))
                .map(|(_, key, _)| &key.bytes)
        };
        let found = match step {
            Operation::DbSize {} => {
                let slots = (first..end).filter_map(|number| SlotId::new(number.into()));
                let counts = slots.map(|slot| self.space.slot(slot).map_or(0, SlotMap::len));
                Reply::Integer(counts.sum::<usize>() as i64)
            }
            // In the slot where the walk begins, a place by chance.
            Operation::RandomKey { random } => {
                let hash = if random % u64::from(SLOT_COUNT) == u64::from(first) { random } else { 0 };
                let found = keys(hash).next().or_else(|| keys(0).next());
                found.map_or(Reply::Null, |key| Reply::Bulk(key.clone()))
            }
            _ => return MALFORMED,
        };
        Reply::Array(vec![Reply::Integer(end.into()), found])
    }
}
