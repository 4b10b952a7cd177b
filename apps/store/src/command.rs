//! The replicated command: one allocation, shared by everyone who holds it.

use crate::operation::Operation;
use crate::{Keyspace, SlotId};
use std::fmt;
use std::sync::Arc;
use synod_shardedstore::Slots;
use synod_stdx::{Cursor, Malformed, Reader, Wire, Writer, kind_of, put_varint};

/// A command to the keyspace: what to do, and the time of the log at which it runs, which the leader that proposes it
/// notes. Whoever submits it has no say in that.
///
/// The byte form of what to do is: version, flags, the lowest slot that it touches (2 bytes, little-endian), operation. A
/// clone shares it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Command {
    /// In ms since 1970; zero until a leader stamps it.
    at_ms: u64,
    bytes: Arc<[u8]>,
}

/// The version of the byte form. A node that meets a higher one refuses it.
const VERSION: u8 = 3;
const SLOT_AT: usize = 2;
const HEADER_BYTES: usize = 4;
const FLAG_READ_ONLY: u8 = 1;
const FLAG_LOGGED: u8 = 2;
/// It touches more slots than one.
const FLAG_SEVERAL: u8 = 4;
/// It is about all keys: whoever submits it asks group after group.
const FLAG_ALL_KEYS: u8 = 8;

/// How a command reaches the state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Route {
    /// A command that only reads may be answered without the log.
    Shortest,
    /// Through the log, also if it only reads.
    Log,
}

impl Command {
    /// Makes a command of `operation`; `scratch` is overwritten.
    pub(crate) fn new(operation: &Operation<'_>, route: Route, scratch: &mut Vec<u8>) -> Command {
        scratch.clear();
        let read_only = if operation.is_read_only() { FLAG_READ_ONLY } else { 0 };
        let logged = if route == Route::Log { FLAG_LOGGED } else { 0 };
        let all_keys = if operation.is_about_all_keys() { FLAG_ALL_KEYS } else { 0 };
        let (home, is_several) = home_of(operation);
        let several = if is_several { FLAG_SEVERAL } else { 0 };
        scratch.extend_from_slice(&[VERSION, read_only | logged | several | all_keys]);
        scratch.extend_from_slice(&home.number().to_le_bytes());
        operation.encode(scratch);
        let command = Command { at_ms: 0, bytes: Arc::from(scratch.as_slice()) };
        // One large value must not hold memory for the connection's life.
        if scratch.capacity() > 64 << 10 {
            *scratch = Vec::new();
        }
        command
    }

    /// A command that lets the time go on where `slot` is, so that keys which are due are removed although nobody asks.
    pub fn tick(slot: SlotId) -> Command {
        let tick = Operation::Tick { slot: slot.number().into() };
        Command::new(&tick, Route::Log, &mut Vec::new())
    }

    /// The slots that it touches: those of the keys that it names, and that of the client whose exactly-once command it
    /// is. What names no key touches one slot too, that of its cursor or some slot: it runs where that is.
    pub fn slots(&self) -> Slots {
        if !self.has_several_slots() {
            return Slots::One(self.home());
        }
        let mut slots = Vec::new();
        if let Ok(operation) = self.operation() {
            for_each_slot(&operation, &mut |slot| slots.push(slot));
        }
        if slots.is_empty() { Slots::One(self.home()) } else { Slots::of(slots) }
    }

    /// Whether it touches more than one slot.
    pub(crate) fn has_several_slots(&self) -> bool {
        self.bytes[1] & FLAG_SEVERAL != 0
    }

    /// The lowest slot that it touches.
    fn home(&self) -> SlotId {
        let number = u16::from_le_bytes([self.bytes[SLOT_AT], self.bytes[SLOT_AT + 1]]);
        SlotId::new(number.into()).expect("a command names a slot")
    }

    /// Whether it is about all keys, wherever they are: then [`Walk`](crate::Walk) makes commands of it that are not.
    pub fn is_about_all_keys(&self) -> bool {
        self.bytes[1] & FLAG_ALL_KEYS != 0
    }

    /// Whether it changes no key and need not go through the log, so that a query may answer it.
    pub fn is_read_only(&self) -> bool {
        self.bytes[1] & (FLAG_READ_ONLY | FLAG_LOGGED) == FLAG_READ_ONLY
    }

    /// The time of the log at which it runs, in ms since 1970; zero until a leader stamped it.
    pub fn at_ms(&self) -> u64 {
        self.at_ms
    }

    /// A leader proposes it, or answers it, at this time of the log.
    pub(crate) fn stamp(&mut self, at_ms: u64) {
        self.at_ms = at_ms;
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The byte form of what it says to do.
    pub(crate) fn operation_bytes(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// What it says to do.
    ///
    /// # Errors
    /// If a newer version wrote it.
    pub(crate) fn operation(&self) -> Result<Operation<'_>, Malformed> {
        Operation::decode(&mut Cursor::new(&self.bytes[HEADER_BYTES..]))
    }
}

/// Calls `see` with each slot that `operation` touches, some perhaps several times.
fn for_each_slot(operation: &Operation<'_>, see: &mut impl FnMut(SlotId)) {
    operation.for_each_key(&mut |key| see(SlotId::of(key)));
    match operation {
        Operation::Once { client, .. } => see(Keyspace::slot_of_client(*client)),
        Operation::Tick { slot }
        | Operation::Stretch { first: slot, .. }
        | Operation::CountInSlot { slot }
        | Operation::KeysInSlot { slot, .. } => SlotId::new(*slot).into_iter().for_each(see),
        Operation::Scan { cursor, .. } => {
            let position = crate::keyspace::position_of(*cursor);
            position.and_then(|position| SlotId::new(position.slot.into())).into_iter().for_each(see);
        }
        _ => {}
    }
}

/// The lowest slot that `operation` touches, and whether it touches another one; some slot, if it touches none.
fn home_of(operation: &Operation<'_>) -> (SlotId, bool) {
    let (mut home, mut is_several) = (None, false);
    for_each_slot(operation, &mut |slot| {
        is_several |= home.is_some_and(|home| home != slot);
        home = Some(home.map_or(slot, |home: SlotId| home.min(slot)));
    });
    (home.unwrap_or(SlotId::of(b"")), is_several)
}

impl Wire for Command {
    fn encode(&self, out: &mut Writer<'_>) {
        put_varint(out, self.at_ms);
        self.bytes.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let at_ms = input.varint()?;
        let bytes = input.bytes()?;
        let (Some(&VERSION), true) = (bytes.first(), bytes.len() > HEADER_BYTES) else {
            return Err(Malformed("no command of a version that this program reads"));
        };
        let slot = u16::from_le_bytes([bytes[SLOT_AT], bytes[SLOT_AT + 1]]);
        SlotId::new(slot.into()).ok_or(Malformed("a command on no slot"))?;
        Ok(Command { at_ms, bytes: Arc::from(bytes) })
    }
}

/// Shows the operation, escaped and cut short.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 80;
        let body = &self.bytes[HEADER_BYTES..];
        let cut = if body.len() > SHOWN_MAX { "…" } else { "" };
        let operation = Operation::decode(&mut Cursor::new(body));
        let name = operation.map_or_else(|_| "Unknown".to_owned(), |operation| kind_of(&operation));
        // Its number says the same as its name.
        let fields = body.get(1..body.len().min(SHOWN_MAX)).unwrap_or_default();
        write!(f, "{name} {}{cut}@{}", fields.escape_ascii(), self.at_ms)
    }
}
