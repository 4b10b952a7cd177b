//! What of the protocol can be tuned. Agreement depends on none of it.

/// The tunable part of a server. All servers of a group should have the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Settings {
    /// Whether the driver tells servers what the clocks of their machines read. A leader then proposes and answers nothing
    /// before it knows the log's time; else it stamps nothing.
    pub tells_clocks: bool,
    /// Each tick, a server asks who is there; milliseconds. The driver adds up to a fifth.
    pub tick_ms: u64,
    /// After so many ticks without a leader that reaches a quorum, a server wants to lead.
    pub missed_ticks_max: u32,
    /// How many slots may be proposed and not yet chosen.
    pub window_slots_max: u64,
    /// How many batches may be proposed and not yet chosen: beyond it commands gather into the next batch.
    pub batches_in_flight_max: usize,
    /// How many commands one batch holds at most.
    pub batch_slots_max: usize,
    /// About how many bytes of commands one batch holds at most.
    pub batch_bytes_max: usize,
    /// How many commands may wait for their turn to be proposed.
    pub pending_max: usize,
    /// How many rounds of read confirmations may be under way: beyond it reads gather into the next.
    pub read_rounds_max: u64,
    /// How many reads may wait for their turn.
    pub reads_max: usize,
    /// How many executed slots the log keeps for replicas that lag; one that lags more gets a snapshot.
    pub retained_slots_max: u64,
    /// As `retained_slots_max`, in bytes of commands.
    pub retained_bytes_max: usize,
    /// After about so many bytes of executed commands a checkpoint replaces the durable records.
    pub checkpoint_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            tells_clocks: false,
            tick_ms: 50,
            missed_ticks_max: 4,
            window_slots_max: 65_536,
            batches_in_flight_max: 4,
            batch_slots_max: 4096,
            batch_bytes_max: 1 << 20,
            pending_max: 65_536,
            read_rounds_max: 2,
            reads_max: 65_536,
            retained_slots_max: 65_536,
            retained_bytes_max: 256 << 20,
            checkpoint_bytes: 64 << 20,
        }
    }
}

impl Settings {
    /// The time within which a lost leader is noticed, in milliseconds: what the field calls the election timeout.
    pub const fn election_timeout_ms(&self) -> u64 {
        // A tick takes up to a fifth longer than it is named.
        (self.missed_ticks_max as u64 + 1) * self.tick_ms * 6 / 5
    }
}
