//! Bookkeeping with rules of its own: how far a follower is, and what a quorum has reached.

use crate::{Run, Slot};
use synod_node::{NodeId, Rename};

/// So many ticks pass between two snapshots to one follower: the first may still be on its way.
const SNAPSHOT_PAUSE_TICKS: u32 = 8;
/// So many ticks after a state was last sent to a follower the log is still kept from there on. More than pass between two
/// questions of a replica that begins anew.
const HOLD_TICKS: u32 = 4 * crate::election::REJOIN_TICKS as u32;

/// What a leader knows of a follower. Always `matched <= sent`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Progress {
    node: NodeId,
    /// It accepted everything up to here in the leader's ballot, or knows that it is chosen.
    matched: Slot,
    /// Everything up to here was sent.
    sent: Slot,
    /// It has not said yet how far it is: `sent` is a guess.
    is_probing: bool,
    /// Nothing was accepted since the last tick.
    is_stalled: bool,
    /// Ticks until a snapshot may be sent again.
    snapshot_pause: u32,
    /// A state that goes up to this slot is perhaps on its way to it, or it executed so much behind one: until it has the
    /// whole log, or gets no further for so many ticks, the log is kept from there on. Else the log would never reach back
    /// to a state that took long.
    hold: Option<(Slot, u32)>,
    /// The last round of read confirmations that it answered.
    confirmed: u64,
}

impl Progress {
    /// A follower that said how far it is.
    pub(crate) fn found(node: NodeId, matched: Slot) -> Self {
        let mut progress = Progress::probing(node, matched);
        progress.matched = matched;
        progress.is_probing = false;
        progress
    }

    /// A follower that is not known to follow; `guess` is where to begin.
    pub(crate) fn probing(node: NodeId, guess: Slot) -> Self {
        Progress {
            node,
            matched: Slot::ZERO,
            sent: guess,
            is_probing: true,
            is_stalled: false,
            snapshot_pause: 0,
            hold: None,
            confirmed: 0,
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn matched(&self) -> Slot {
        self.matched
    }

    pub(crate) fn sent(&self) -> Slot {
        self.sent
    }

    pub(crate) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// It said how far it is, in answer to a question of this ballot.
    pub(crate) fn on_found(&mut self, through: Slot) {
        if self.is_probing {
            self.is_probing = false;
            self.matched = self.matched.max(through);
            self.sent = self.matched;
        }
    }

    /// Whether `run` is the next that it needs, and not too much is on its way; then it counts as sent.
    pub(crate) fn send_next<C>(&mut self, run: &Run<C>, slots_max: u64) -> bool {
        let fits = self.sent.next() == run.first() && run.last().since(self.matched) <= slots_max;
        if fits {
            self.sent = run.last();
        }
        fits
    }

    /// It has not said how far it is, and has nothing to say to news: what follows `guess` is to be sent again.
    pub(crate) fn probe_again(&mut self, guess: Slot) {
        if self.is_probing {
            self.sent = self.sent.min(guess);
        }
    }

    pub(crate) fn on_sent(&mut self, through: Slot) {
        self.sent = self.sent.max(through);
    }

    /// It accepted up to `through`; returns whether it lacks something of what ends at `last`.
    pub(crate) fn on_accepted(&mut self, through: Slot, last: Slot) -> bool {
        self.on_found(through);
        self.is_stalled &= through <= self.matched;
        self.matched = self.matched.max(through);
        self.sent = self.sent.max(self.matched);
        self.sent < last
    }

    pub(crate) fn on_confirmed(&mut self, round: u64) {
        self.confirmed = self.confirmed.max(round);
    }

    /// Whether a snapshot through this slot may be sent now; if so it counts as sent, and the next one waits for some ticks.
    pub(crate) fn begin_snapshot(&mut self, through: Slot) -> bool {
        let may = self.snapshot_pause == 0;
        if may {
            self.snapshot_pause = SNAPSHOT_PAUSE_TICKS;
            self.hold(through);
        }
        may
    }

    /// A state through this slot is sent. One that was sent before may still be on its way: then this one is lost.
    pub(crate) fn hold(&mut self, through: Slot) {
        let (first, _) = self.hold.unwrap_or((through, 0));
        self.hold = Some((first, HOLD_TICKS));
    }

    /// From which slot on it needs the log, if a state is on its way to it.
    pub(crate) fn held(&self) -> Option<Slot> {
        self.hold.map(|(through, _)| through)
    }

    /// A tick passed, it said that it executed everything up to `executed`, and the log ends at `last`.
    pub(crate) fn on_tick_of_hold(&mut self, executed: Slot, last: Slot) {
        self.hold.take_if(|(through, ticks)| {
            *ticks = if executed > *through { HOLD_TICKS } else { *ticks - 1 };
            *through = executed.max(*through);
            *ticks == 0 || *through >= last
        });
    }

    /// A tick passed, and the log ends at `last`; returns whether everything not accepted should be sent again, and
    /// then counts it as not sent.
    pub(crate) fn on_tick(&mut self, last: Slot) -> bool {
        self.snapshot_pause = self.snapshot_pause.saturating_sub(1);
        let resend = self.is_stalled;
        self.is_stalled = self.is_probing || self.matched < last;
        if resend && !self.is_probing {
            self.sent = self.matched;
        }
        resend
    }

    pub(crate) fn assert_invariants(&self, last: Slot) {
        assert!(self.matched <= self.sent && self.sent <= last, "{} accepted what was never sent", self.node);
    }
}

impl Rename for Progress {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.node.rename(name);
    }
}

/// Counting to a majority.
pub(crate) struct Quorum;

impl Quorum {
    /// What at least `quorum` of the members have reached: the `quorum`-th highest. Groups are small: counting for each
    /// member beats sorting a copy.
    pub(crate) fn reached<T: Ord + Copy>(quorum: usize, members: &(impl Iterator<Item = T> + Clone)) -> T {
        let has_quorum = |value: &T| members.clone().filter(|other| other >= value).count() >= quorum;
        members.clone().filter(has_quorum).max().expect("a quorum is not more than all")
    }
}

#[cfg(test)]
mod tests {
    use super::{HOLD_TICKS, Progress};
    use crate::Slot;
    use synod_node::NodeId;

    #[test]
    fn the_log_is_held_behind_a_state_until_its_receiver_has_caught_up_or_gets_no_further() {
        let mut progress = Progress::probing(NodeId::server(2), Slot(900));
        let last = Slot(1_000);
        assert!(progress.begin_snapshot(Slot(500)));
        progress.hold(Slot(700));
        assert_eq!(progress.held(), Some(Slot(500)), "the first state may still be on its way");
        for _ in 1..HOLD_TICKS {
            progress.on_tick_of_hold(Slot(0), last);
        }
        assert_eq!(progress.held(), Some(Slot(500)));
        progress.on_tick_of_hold(Slot(600), last);
        assert_eq!(progress.held(), Some(Slot(600)), "it follows what was executed, and time begins anew");
        for _ in 1..HOLD_TICKS {
            progress.on_tick_of_hold(Slot(600), last);
        }
        assert_eq!(progress.held(), Some(Slot(600)));
        progress.on_tick_of_hold(Slot(600), last);
        assert_eq!(progress.held(), None, "it gets no further");
        progress.hold(Slot(700));
        progress.on_tick_of_hold(last, last);
        assert_eq!(progress.held(), None, "it has caught up");
    }
}
