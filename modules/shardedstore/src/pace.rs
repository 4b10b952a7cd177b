//! How fast slots leave. Each part that moves passes two logs and six disks, which what is served needs too.

use crate::SlotId;
use std::collections::BTreeSet;

/// A leader gives about so many bytes between two of its ticks at most, however quickly they are taken.
const TICK_BYTES_MAX: usize = 512 << 10;
/// What is smaller costs what any command costs, and is not counted.
const COUNTED_BYTES_MIN: usize = 16 << 10;

/// What was given since the last tick, and what waits for the next.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Pace {
    given_bytes: usize,
    postponed: BTreeSet<SlotId>,
}

impl Pace {
    /// Whether nothing more is given before the next tick.
    pub(crate) fn is_spent(&self) -> bool {
        self.given_bytes >= TICK_BYTES_MAX
    }

    /// So many bytes are given.
    pub(crate) fn on_given(&mut self, bytes: usize) {
        if bytes >= COUNTED_BYTES_MIN {
            self.given_bytes += bytes;
        }
    }

    /// The slot's next part waits for the next tick.
    pub(crate) fn postpone(&mut self, slot: SlotId) {
        self.postponed.insert(slot);
    }

    /// A tick passed: the slots that waited for it.
    pub(crate) fn on_tick(&mut self) -> BTreeSet<SlotId> {
        self.given_bytes = 0;
        std::mem::take(&mut self.postponed)
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNTED_BYTES_MIN, Pace, TICK_BYTES_MAX};
    use crate::SlotId;

    #[test]
    fn much_is_spread_over_ticks_and_little_is_not_counted() {
        let mut pace = Pace::default();
        (0..1_000).for_each(|_| pace.on_given(COUNTED_BYTES_MIN - 1));
        assert!(!pace.is_spent());
        pace.on_given(TICK_BYTES_MAX - 1);
        assert!(!pace.is_spent());
        pace.on_given(COUNTED_BYTES_MIN);
        assert!(pace.is_spent());
        let slot = SlotId::of(b"k");
        pace.postpone(slot);
        assert_eq!(pace.on_tick().into_iter().collect::<Vec<_>>(), [slot]);
        assert!(!pace.is_spent() && pace.on_tick().is_empty());
    }
}
