//! The replicated command: one allocation, shared by everyone who holds it.

use crate::operation::Operation;
use std::fmt;
use std::sync::Arc;
use synod_stdx::{Malformed, Reader, Wire, put_u64};

/// A command to the keyspace: what to do, and the proposer's wall clock.
///
/// Its byte form is: version, flags, time (8 bytes, little-endian), operation. A clone shares the bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Command {
    bytes: Arc<[u8]>,
}

/// The version of the byte form. A node that meets a higher one refuses it.
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 10;
const FLAG_READ_ONLY: u8 = 1;
const FLAG_LOGGED: u8 = 2;

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
    pub(crate) fn new(
        now_ms: u64,
        operation: &Operation<'_>,
        route: Route,
        scratch: &mut Vec<u8>,
    ) -> Command {
        scratch.clear();
        let read_only = if operation.is_read_only() { FLAG_READ_ONLY } else { 0 };
        let logged = if route == Route::Log { FLAG_LOGGED } else { 0 };
        scratch.extend_from_slice(&[VERSION, read_only | logged]);
        put_u64(scratch, now_ms);
        operation.encode(scratch);
        let command = Command { bytes: Arc::from(scratch.as_slice()) };
        // One large value must not hold memory for the connection's life.
        if scratch.capacity() > 64 << 10 {
            *scratch = Vec::new();
        }
        command
    }

    /// A command that tells the state the time, so that keys which are due are removed although nobody asks.
    pub fn tick(now_ms: u64) -> Command {
        Command::new(now_ms, &Operation::Tick {}, Route::Log, &mut Vec::new())
    }

    /// Whether it changes no key and need not go through the log, so that a query may answer it.
    pub fn is_read_only(&self) -> bool {
        self.bytes[1] & (FLAG_READ_ONLY | FLAG_LOGGED) == FLAG_READ_ONLY
    }

    /// The proposer's wall clock, in ms since 1970.
    pub fn now_ms(&self) -> u64 {
        let time = self.bytes[2..HEADER_BYTES].try_into().expect("a command has its header");
        u64::from_le_bytes(time)
    }

    /// How many bytes it takes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// What it says to do.
    ///
    /// # Errors
    /// If a newer version wrote it.
    pub(crate) fn operation(&self) -> Result<Operation<'_>, Malformed> {
        Operation::decode(&mut Reader::new(&self.bytes[HEADER_BYTES..]))
    }
}

impl Wire for Command {
    fn encode(&self, out: &mut Vec<u8>) {
        self.bytes.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let bytes = input.bytes()?;
        match bytes.first() {
            Some(&VERSION) if bytes.len() > HEADER_BYTES => Ok(Command { bytes: Arc::from(bytes) }),
            _ => Err(Malformed("no command of a version that this program reads")),
        }
    }
}

/// Shows the operation, escaped and cut short.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 80;
        let body = &self.bytes[HEADER_BYTES..];
        let cut = if body.len() > SHOWN_MAX { "…" } else { "" };
        write!(f, "{}{cut}@{}", body[..body.len().min(SHOWN_MAX)].escape_ascii(), self.now_ms())
    }
}
