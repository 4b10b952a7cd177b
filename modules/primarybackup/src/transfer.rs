//! A state on its way to a new backup, in pieces.

use crate::Settings;
use crate::settings::Patience;
use std::sync::Arc;

/// The encoded state, and how much of it has gone: `taken <= sent <= bytes.len()`, and at most so many pieces lie
/// between the two. Go-back-n: a piece that is lost is sent again with all behind it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Transfer {
    bytes: Arc<[u8]>,
    taken: usize,
    sent: usize,
    patience: Patience,
}

impl Transfer {
    /// Nothing of `bytes` is sent yet.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        assert!(!bytes.is_empty(), "a state is never encoded to nothing");
        Transfer { bytes: bytes.into(), taken: 0, sent: 0, patience: Patience::default() }
    }

    /// How many bytes the whole has.
    pub(crate) fn total(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The next piece that may be sent: where it begins, and it itself.
    pub(crate) fn take_unsent(&mut self, settings: Settings) -> Option<(u64, Arc<[u8]>)> {
        let limit = self.taken + settings.chunk_bytes_max * settings.chunks_max;
        let end = (self.sent + settings.chunk_bytes_max).min(limit).min(self.bytes.len());
        if end <= self.sent {
            return None;
        }
        let piece = (self.sent as u64, self.bytes[self.sent..end].into());
        self.sent = end;
        Some(piece)
    }

    /// The backup has every byte before `through`. Returns whether that is all.
    pub(crate) fn settle(&mut self, through: u64) -> bool {
        let through = usize::try_from(through).unwrap_or(usize::MAX).min(self.bytes.len());
        if through > self.taken {
            self.taken = through;
            self.sent = self.sent.max(through);
            self.patience = Patience::default();
        }
        self.taken == self.bytes.len()
    }

    /// A tick has passed. If the backup has answered nothing for more than one, everything will be sent again.
    pub(crate) fn on_tick(&mut self) {
        if self.patience.is_tried_by_tick(true) {
            self.sent = self.taken;
        }
    }

    /// Whether the backup has answered nothing for so long that it is given up.
    pub(crate) fn is_backup_lost(&self) -> bool {
        self.patience.is_over()
    }

    pub(crate) fn assert_invariants(&self) {
        assert!(self.taken <= self.sent && self.sent <= self.bytes.len(), "more was taken than sent");
    }
}
