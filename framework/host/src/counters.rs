//! What a host counts, for operators.

use std::collections::BTreeMap;

/// Totals since the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Frames that arrived from peers.
    pub frames_received: u64,
    /// Bytes that arrived from peers.
    pub bytes_received: u64,
    /// Frames put on their way to peers.
    pub frames_sent: u64,
    /// Frames that were not sent, because the peer was away or its buffer full.
    pub frames_dropped: u64,
    /// Messages that hold a state and arrived from peers, in parts.
    pub transfers_received: u64,
    /// Those that arrived at peers.
    pub transfers_sent: u64,
    /// Those that did not, because the peer could not read them or was silent for too long.
    pub transfers_given_up: u64,
    /// Parts of them that arrived.
    pub parts_received: u64,
    /// Parts of them that were put on their way.
    pub parts_sent: u64,
    /// Batches that the disk made durable: each is one sync.
    pub disk_batches: u64,
    /// Records in them.
    pub disk_records: u64,
    /// Bytes in them.
    pub disk_bytes: u64,
    /// The longest that one batch took, in microseconds.
    pub disk_us_max: u64,
    /// Checkpoints stored.
    pub checkpoints: u64,
    /// Those of them that a node was made to store, because its records kept the journal long.
    pub compactions: u64,
    /// By how much a timer fired late at most, in microseconds.
    pub late_us_max: u64,
    /// How many timers fired more than 100 ms late.
    pub stalls: u64,
    /// Steps that nodes took.
    pub steps: u64,
    /// How many of them took more than 20 ms, in which this process did nothing else.
    pub long_steps: u64,
    /// The longest that one took, in microseconds.
    pub step_us_max: u64,
    /// Connections refused or dropped, by reason.
    pub refused: BTreeMap<&'static str, u64>,
}

impl Counters {
    /// One more connection was refused or dropped for `reason`.
    pub fn refuse(&mut self, reason: &'static str) {
        *self.refused.entry(reason).or_default() += 1;
    }
}
