//! How much is let in. A command that would wait too long is refused before it begins: whoever sent it may send it again,
//! and those that were let in are answered soon. Nothing that is in a log, or on its way there, is ever refused.
//!
//! The room at the gateway follows the time that commands take there, as a congestion window follows a network's: it shrinks
//! while they take longer than the goal, and grows while it is full and they do not.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The most commands that may be at the gateway at a time, and the fewest that always may.
const ROOM: (usize, usize) = (256, 8_192);
/// About how many bytes of commands may be at the gateway at a time.
pub(super) const ROOM_BYTES: usize = 16 << 20;
/// So long a command may take on the average, from the gateway to the answer, before the room shrinks.
const GOAL: Duration = Duration::from_millis(100);
/// The room is looked over so often at most: what it changes shows only once commands have gone through.
const ROUND: Duration = Duration::from_millis(50);
/// While one has waited so long, and there was no room meanwhile, whoever comes makes the one whose turn is last be refused.
pub(super) const WAIT_MAX: Duration = Duration::from_millis(100);
/// A command that has waited so long, and there was no room meanwhile, is refused too.
pub(super) const STALE: Duration = Duration::from_millis(400);

/// The room at the gateway.
pub(super) struct Room {
    size: Cell<usize>,
    /// When this round began.
    since: Cell<Instant>,
    /// How many commands were answered in this round, and what they took together.
    answered: Cell<u32>,
    taken: Cell<Duration>,
    /// When something last waited for room.
    full_at: Cell<Option<Instant>>,
}

impl Room {
    pub(super) fn new(now: Instant) -> Room {
        Room {
            size: Cell::new(ROOM.1),
            since: Cell::new(now),
            answered: Cell::new(0),
            taken: Cell::new(Duration::ZERO),
            full_at: Cell::new(None),
        }
    }

    /// How many commands may be at the gateway now.
    pub(super) fn size(&self) -> usize {
        self.size.get()
    }

    /// At `now` something waits for room.
    pub(super) fn note_full(&self, now: Instant) {
        self.full_at.set(Some(now));
    }

    /// Whether something has waited for room after `then`. A process that stands still for a while, or a machine that is busy
    /// otherwise, makes commands wait too: that is no reason to refuse them.
    pub(super) fn was_full_since(&self, then: Instant) -> bool {
        self.full_at.get().is_some_and(|at| at >= then)
    }

    /// A command was answered at `now`, `taken` after it came to the gateway.
    pub(super) fn note_answered(&self, taken: Duration, now: Instant) {
        self.answered.set(self.answered.get() + 1);
        self.taken.set(self.taken.get() + taken);
        let mean = self.taken.get() / self.answered.get();
        // Commands from before the last change say nothing of it.
        if now.duration_since(self.since.get()) < ROUND.max(mean) {
            return;
        }
        let size = self.size.get();
        if mean > GOAL {
            let smaller = (size as u128 * GOAL.as_micros() / mean.as_micros()) as usize;
            self.size.set(smaller.max(size / 2).max(ROOM.0));
        } else if self.was_full_since(self.since.get()) {
            self.size.set((size + size / 4).min(ROOM.1));
        }
        self.since.set(now);
        self.answered.set(0);
        self.taken.set(Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::{GOAL, ROOM, ROUND, Room};
    use std::time::{Duration, Instant};

    /// Lets `rounds` rounds go by in which commands take `taken`, with or without others that wait.
    fn pass(room: &Room, now: &mut Instant, rounds: u32, taken: Duration, is_full: bool) {
        for _ in 0..rounds {
            if is_full {
                room.note_full(*now);
            }
            *now += ROUND.max(taken);
            room.note_answered(taken, *now);
        }
    }

    #[test]
    fn the_room_shrinks_while_commands_are_late_and_grows_while_it_is_full() {
        let mut now = Instant::now();
        let room = Room::new(now);
        pass(&room, &mut now, 40, GOAL * 3, true);
        assert_eq!(room.size(), ROOM.0);
        pass(&room, &mut now, 40, GOAL / 2, false);
        assert_eq!(room.size(), ROOM.0, "nobody wanted more");
        pass(&room, &mut now, 40, GOAL / 2, true);
        assert_eq!(room.size(), ROOM.1);
    }

    #[test]
    fn the_room_is_halved_at_most_in_a_round_and_not_within_one() {
        let mut now = Instant::now();
        let room = Room::new(now);
        pass(&room, &mut now, 1, GOAL * 50, true);
        assert_eq!(room.size(), ROOM.1 / 2);
        for _ in 0..1_000 {
            now += Duration::from_micros(1);
            room.note_answered(GOAL * 50, now);
        }
        assert_eq!(room.size(), ROOM.1 / 2);
    }

    #[test]
    fn a_silence_changes_nothing() {
        let mut now = Instant::now();
        let room = Room::new(now);
        now += Duration::from_secs(5);
        room.note_full(now);
        assert_eq!(room.size(), ROOM.1);
    }
}
