//! The protocol's times and bounds. Safety depends on none of them.

/// How often a server pings the view server, in milliseconds.
pub const PING_MS: u64 = 25;
/// How often the view server looks who has pinged, in milliseconds. Who has not since the last look is dead.
pub const CHECK_MS: u64 = 100;
/// After so many ticks of [`PING_MS`] in a row in which its backup owed an answer and gave none, a primary says that it
/// is lost.
pub const LOST_TICKS: u32 = 16;

const _: () = assert!(2 * PING_MS <= CHECK_MS, "one lost ping kills nobody");
const _: () = assert!(LOST_TICKS >= 2, "what was lost is sent again before the backup is given up");

/// What of a server can be tuned.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Settings {
    /// How many bytes of a state one message carries at most; more than none.
    pub chunk_bytes_max: usize,
    /// How many such messages are under way at most; more than none.
    pub chunks_max: usize,
    /// How many operations a primary keeps that its backup has not taken: beyond it, requests are dropped and clients
    /// ask again.
    pub operations_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { chunk_bytes_max: 256 << 10, chunks_max: 8, operations_max: 1024 }
    }
}

/// How long a primary has waited for its backup: ticks in a row with an answer owed and none come, up to
/// [`LOST_TICKS`].
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Patience {
    ticks: u32,
}

impl Patience {
    /// A tick has passed. Whether what is owed should be sent again: not at the first, since it may have been sent a
    /// moment ago.
    pub(crate) fn is_tried_by_tick(&mut self, is_owed: bool) -> bool {
        if !is_owed && self.ticks == 0 {
            return false;
        }
        self.ticks = (self.ticks + 1).min(LOST_TICKS);
        self.ticks > 1
    }

    /// Whether it has waited too long.
    pub(crate) fn is_over(&self) -> bool {
        self.ticks >= LOST_TICKS
    }
}
