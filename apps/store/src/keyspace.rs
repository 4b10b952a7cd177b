//! The replicated state: keys, sessions of exactly-once clients, and a clock that only commands move.
//!
//! # Time
//! The state has a clock: the highest time of the log that an applied command was stamped with. No machine's wall clock
//! is asked. A duration becomes a deadline when its command runs, by this time.
//!
//! A key whose deadline is not after the clock is absent for every command, removed or not. A query does not move the
//! clock, and sees the keys at the clock's time: so a read never sees a key expired that a later read would see alive
//! again. A read that names a key which expired between the clock and its own time is therefore not answered by a query:
//! it goes through the log, which moves the clock. So does one that tells a time far ahead of the clock
//! ([`UNLOGGED_MS_MAX`]).
//!
//! A slot that came from another group may have been read there at a later time than this group's. That group's time is
//! then the *floor* of the slot's until this group's has passed it: neither group's time leaps for the other's.
//!
//! # Removal
//! Each logged command also examines a few keys further on and removes those that expired: bounded work, the same on
//! every replica. [`Command::tick`] does more of it.

use crate::key::{Probe, hash_of};
use crate::operation::{Absent, Operation};
use crate::space::{Position, Space};
use crate::value::{Entry, Kind};
use crate::{Command, SLOT_COUNT, SlotId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use synod_clientserver::{Admission, ClientId, Sessions};
use synod_node::{StateMachine, UNLOGGED_MS_MAX};
use synod_resp::Reply;
use synod_stdx::{Cursor, mark};

/// How many exactly-once clients a slot remembers. A client has its slot by its number: 65,536 clients are four to a slot,
/// and more than this one time in a million.
const SESSIONS_PER_SLOT_MAX: usize = 16;
const RESULTS_PER_SESSION_MAX: usize = 64;
/// How many keys a logged command examines, and how many a tick does.
const SWEEP_KEYS: usize = 4;
const SWEEP_TICK_KEYS: usize = 1_024;

/// The key-value store as a deterministic state machine. A clone is cheap and is a snapshot.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Keyspace {
    pub(crate) space: Space,
    pub(crate) clock_ms: u64,
    /// The times of slots that came here from groups whose time was ahead.
    pub(crate) floors: BTreeMap<SlotId, u64>,
    /// Where the removal of expired keys goes on.
    pub(crate) sweep: Position,
    /// What exactly-once clients did, by the slots of their numbers.
    pub(crate) sessions: Arc<BTreeMap<SlotId, SlotSessions>>,
}

/// What the exactly-once clients of one slot did.
pub(crate) type SlotSessions = Arc<Sessions<Reply>>;

impl Default for Keyspace {
    fn default() -> Self {
        Keyspace::new()
    }
}

impl Keyspace {
    /// A store without keys.
    pub fn new() -> Self {
        Keyspace {
            space: Space::new(),
            clock_ms: 0,
            floors: BTreeMap::new(),
            sweep: Position::START,
            sessions: Arc::default(),
        }
    }

    /// The slot with which the record of an exactly-once client moves.
    pub(crate) fn slot_of_client(client: u64) -> SlotId {
        let slot = hash_of(&client.to_le_bytes()) % u64::from(SLOT_COUNT);
        SlotId::new(slot).expect("there are so many")
    }

    /// How many keys there are, those that expired but were not removed yet included.
    pub fn len(&self) -> u64 {
        self.space.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.space.len() == 0
    }

    /// How many keys have an expiry. While there are some, a [`Command::tick`] now and then frees memory.
    pub fn expiring(&self) -> u64 {
        self.space.expiring()
    }

    /// The clock of a slot, in ms since 1970: the state's, or its floor.
    pub(crate) fn clock_of(&self, slot: SlotId) -> u64 {
        match self.floors.is_empty() {
            true => self.clock_ms,
            false => self.floors.get(&slot).copied().unwrap_or(0).max(self.clock_ms),
        }
    }

    /// The clock of the slot of a position.
    pub(crate) fn clock_at(&self, position: Position) -> u64 {
        SlotId::new(position.slot.into()).map_or(self.clock_ms, |slot| self.clock_of(slot))
    }

    /// The one time at which `command` runs, or is answered: its own, but not before any that its slots have seen.
    fn time_of(&self, command: &Command) -> u64 {
        let now_ms = self.clock_ms.max(command.at_ms());
        match self.floors.is_empty() {
            true => now_ms,
            false => {
                command.slots().as_slice().iter().map(|slot| self.clock_of(*slot)).fold(now_ms, u64::max)
            }
        }
    }

    /// A slot that came here was seen at this time.
    pub(crate) fn raise_floor(&mut self, slot: SlotId, clock_ms: u64) {
        if clock_ms > self.clock_ms {
            mark!("store.slot_ahead_of_its_group");
            let floor = self.floors.entry(slot).or_default();
            *floor = clock_ms.max(*floor);
        }
    }

    /// Whether the read-only `operation` must go through the log, which moves the clock: a key that it names expired between
    /// the clock and `now_ms`, where a query would still see it; or its answer tells the time, and that is far
    /// ahead of the clock.
    fn needs_log(&self, operation: &Operation<'_>, now_ms: u64) -> bool {
        if now_ms <= self.clock_ms {
            return false;
        }
        let can_expire = self.space.expiring() > 0;
        let is_telling = operation.tells_time() || can_expire && operation.walks();
        if now_ms - self.clock_ms > UNLOGGED_MS_MAX && is_telling {
            return true;
        }
        let mut is_due = false;
        if can_expire {
            operation.for_each_key(&mut |key| {
                is_due |= self.find(&Probe::new(key)).is_some_and(|entry| entry.is_expired(now_ms));
            });
        }
        is_due
    }

    /// What is stored under a key now.
    pub(crate) fn find(&self, probe: &Probe<'_>) -> Option<&Entry> {
        self.space.find(probe).filter(|entry| !entry.is_expired(self.clock_of(probe.slot)))
    }

    /// The version of a key, 0 if it is absent.
    pub(crate) fn version_of(&self, key: &[u8]) -> u64 {
        self.find(&Probe::new(key)).map_or(0, |entry| entry.version)
    }

    /// Removes a key; whether it was there.
    pub(crate) fn remove(&mut self, probe: &Probe<'_>) -> Option<Entry> {
        let clock_ms = self.clock_of(probe.slot);
        self.space.remove(probe).filter(|entry| !entry.is_expired(clock_ms))
    }

    /// Removes a key if it has expired by `now_ms`, so that what follows finds it truly absent.
    pub(crate) fn drop_if_expired(&mut self, probe: &Probe<'_>, now_ms: u64) {
        if self.space.find(probe).is_some_and(|entry| entry.is_expired(now_ms)) {
            mark!("store.expired_on_access");
            self.space.remove(probe);
        }
    }

    /// Applies a command on the slots that are served here.
    pub(crate) fn run_command(&mut self, command: &Command, is_served: &dyn Fn(SlotId) -> bool) -> Reply {
        let Ok(operation) = command.operation() else { return MALFORMED };
        let now_ms = self.time_of(command);
        self.clock_ms = self.clock_ms.max(command.at_ms());
        if !self.floors.is_empty() {
            let clock_ms = self.clock_ms;
            self.floors.retain(|_, floor| *floor > clock_ms);
        }
        self.sweep_expired(SWEEP_KEYS);
        if self.space.expiring() > 0 {
            // A read that came here because its key's time has come also removes it.
            operation.for_each_key(&mut |key| self.drop_if_expired(&Probe::new(key), now_ms));
        }
        match operation {
            Operation::Stretch { first, step } => self.run_stretch((first, step), now_ms, is_served),
            Operation::Scan { .. } => self.scan(&operation, now_ms, is_served),
            _ => self.run(&operation, now_ms),
        }
    }

    /// Answers a command that changes nothing, on the slots that are served here; `None` if only the log can.
    pub(crate) fn answer_command(
        &self,
        command: &Command,
        is_served: &dyn Fn(SlotId) -> bool,
    ) -> Option<Reply> {
        assert!(command.is_read_only(), "a query changes nothing");
        let Ok(operation) = command.operation() else { return Some(MALFORMED) };
        let now_ms = self.time_of(command);
        if self.needs_log(&operation, now_ms) {
            mark!("store.read_moves_the_clock");
            return None;
        }
        Some(match operation {
            Operation::Stretch { first, step } => self.answer_stretch((first, step), now_ms, is_served),
            Operation::Scan { .. } => self.scan(&operation, now_ms, is_served),
            _ => self.answer(&operation, now_ms),
        })
    }

    /// Runs a step of a client: not a transaction, not an exactly-once wrapper.
    fn run_step(&mut self, step: &[u8], now_ms: u64) -> Reply {
        match Operation::decode(&mut Cursor::new(step)) {
            Err(_) => MALFORMED,
            Ok(Operation::Transaction { .. } | Operation::Once { .. }) => {
                Reply::error("ERR transactions and exactly-once commands do not nest")
            }
            Ok(operation) => self.run(&operation, now_ms),
        }
    }

    /// Runs an operation that is not read-only, or one that is, at `now_ms`.
    fn run(&mut self, operation: &Operation<'_>, now_ms: u64) -> Reply {
        match operation {
            Operation::Tick { .. } => {
                self.sweep_expired(SWEEP_TICK_KEYS);
                Reply::OK
            }
            Operation::Transaction { watches, steps } => {
                if !self.holds(watches.pairs()) {
                    mark!("store.transaction_aborted");
                    return Reply::NullArray;
                }
                Reply::Array(steps.iter().map(|step| self.run_step(step, now_ms)).collect())
            }
            Operation::Once { client, sequence, step } => self.run_once((*client, *sequence), step, now_ms),
            Operation::Flush {} => {
                self.space.clear();
                Reply::OK
            }
            Operation::Hashes { operation } => self.write_hash(operation).unwrap_or_else(|error| error),
            Operation::Lists { operation } => self.write_list(operation).unwrap_or_else(|error| error),
            Operation::Sets { operation } => self.write_set(operation).unwrap_or_else(|error| error),
            Operation::SortedSets { operation } => {
                self.write_sorted_set(operation).unwrap_or_else(|error| error)
            }
            // The other operations stand in four functions by what they are about. One that none of them knew would be
            // answered as malformed; a test runs every command of the table.
            _ => match self.write_string(operation, now_ms).or_else(|| self.write_key(operation, now_ms)) {
                Some(reply) => reply,
                None => self.answer(operation, now_ms),
            },
        }
    }

    fn run_once(&mut self, (client, sequence): (u64, u64), step: &[u8], now_ms: u64) -> Reply {
        let slot = Keyspace::slot_of_client(client);
        let id = ClientId::from_bits(client);
        if sequence == 0 {
            return Reply::error("ERR the sequence numbers of ONCE begin with 1");
        }
        let known = self.sessions.get(&slot);
        let fresh = if sequence == 1 { Admission::Run } else { Admission::Forgotten };
        match known.map_or(fresh, |sessions| sessions.admit(id, sequence)) {
            Admission::Again(reply) => {
                mark!("store.once_answered_again");
                reply.clone()
            }
            Admission::Answered => Reply::error("ONCEGONE happened before, its answer is no longer kept"),
            Admission::Early => {
                Reply::error("ONCEGAP did not happen: send the sequence number before this one first")
            }
            Admission::Forgotten => Reply::error(
                "ONCEUNKNOWN may have happened: this client is not known, or not any more; read the state and begin anew with another client number",
            ),
            Admission::Run => {
                let reply = self.run_step(step, now_ms);
                let empty = || Arc::new(Sessions::new(SESSIONS_PER_SLOT_MAX, RESULTS_PER_SESSION_MAX));
                let sessions = Arc::make_mut(&mut self.sessions).entry(slot).or_insert_with(empty);
                Arc::make_mut(sessions).record(id, sequence, 0, reply.clone());
                reply
            }
        }
    }

    /// Whether every watched key still has its version.
    fn holds<'a>(&self, mut watches: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> bool {
        watches.all(|(key, version)| version == self.version_of(key).to_le_bytes())
    }

    /// Answers an operation that changes nothing, asked at `now_ms`: what is alive is decided by the state's clock, how
    /// long it still is by `now_ms`.
    fn answer(&self, operation: &Operation<'_>, now_ms: u64) -> Reply {
        match operation {
            Operation::FailIfPresent { key, text } => self.refuse(key, (Kind::String, Absent::Null), text),
            Operation::Refuse { key, kind, absent, text } => self.refuse(key, (*kind, *absent), text),
            Operation::Hashes { operation } => self.read_hash(operation).unwrap_or_else(|error| error),
            Operation::Lists { operation } => self.read_list(operation).unwrap_or_else(|error| error),
            Operation::Sets { operation } => self.read_set(operation).unwrap_or_else(|error| error),
            Operation::SortedSets { operation } => {
                self.read_sorted_set(operation).unwrap_or_else(|error| error)
            }
            Operation::Fail { text } => Reply::Error(String::from_utf8_lossy(text).into_owned().into()),
            Operation::Versions { keys } => Reply::Array(
                keys.iter().map(|key| Reply::Integer(self.version_of(key).cast_signed())).collect(),
            ),
            Operation::Transaction { watches, steps } => {
                if !self.holds(watches.pairs()) {
                    return Reply::NullArray;
                }
                Reply::Array(steps.iter().map(|step| self.answer_step(step, now_ms)).collect())
            }
            _ => match self.read_string(operation).or_else(|| self.read_key(operation, now_ms)) {
                Some(reply) => reply,
                None => MALFORMED,
            },
        }
    }

    fn answer_step(&self, step: &[u8], now_ms: u64) -> Reply {
        match Operation::decode(&mut Cursor::new(step)) {
            Ok(operation) if !matches!(operation, Operation::Transaction { .. }) => {
                self.answer(&operation, now_ms)
            }
            Ok(_) | Err(_) => MALFORMED,
        }
    }

    /// Examines the next `keys_max` keys and removes those that expired.
    fn sweep_expired(&mut self, keys_max: usize) {
        /// So many slots without keys are passed at most.
        const SLOTS_MAX: u16 = 64;
        if self.space.expiring() == 0 {
            return;
        }
        let mut expired = Vec::new();
        let last_slot = self.sweep.slot.saturating_add(SLOTS_MAX);
        let mut next = Position { slot: last_slot, hash: 0 };
        for (seen, (position, key, entry)) in self.space.walk_until(self.sweep, last_slot).enumerate() {
            if seen >= keys_max && position != self.sweep {
                next = position;
                break;
            }
            if entry.is_expired(self.clock_ms) {
                expired.push(key.bytes.clone());
            }
        }
        self.sweep = if next.slot >= SLOT_COUNT { Position::START } else { next };
        for key in expired {
            mark!("store.expired_in_passing");
            self.space.remove(&Probe::new(&key));
        }
    }
}

/// A command that this program does not know: a newer version wrote it. Every replica of this version answers so.
pub(crate) const MALFORMED: Reply =
    Reply::error("ERR this command was written by a newer version; upgrade all nodes first");

impl StateMachine for Keyspace {
    type Command = Command;
    type Output = Reply;

    fn apply(&mut self, command: &Command) -> Reply {
        self.run_command(command, &|_| true)
    }

    fn is_read_only(command: &Command) -> bool {
        command.is_read_only()
    }

    fn query(&self, command: &Command) -> Option<Reply> {
        self.answer_command(command, &|_| true)
    }

    fn stamp(command: &mut Command, at_ms: u64) {
        command.stamp(at_ms);
    }

    fn clock_ms(&self) -> u64 {
        self.clock_ms
    }

    fn bytes(command: &Command) -> usize {
        command.size()
    }

    fn output_bytes(output: &Reply) -> usize {
        output.size_hint()
    }
}

/// Shows the counts, not the keys.
impl fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyspace({} keys, v{}, {} ms)", self.space.len(), self.space.version(), self.clock_ms)
    }
}

/// The cursor of `SCAN` at a position: 49 bits of the hash behind the slot, so that it fits 63 bits.
pub(crate) fn cursor_of(position: Position) -> u64 {
    u64::from(position.slot) << 49 | position.hash >> 15
}

/// The first position that has this cursor; `None` if the cursor is behind the last slot.
pub(crate) fn position_of(cursor: u64) -> Option<Position> {
    let slot = u16::try_from(cursor >> 49).ok().filter(|slot| *slot < SLOT_COUNT)?;
    Some(Position { slot, hash: (cursor & ((1 << 49) - 1)) << 15 })
}
