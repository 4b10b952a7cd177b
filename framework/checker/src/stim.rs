//! One thing that may happen next, in 32 bits: what a path is made of.

/// A choice of the search. Four bits of kind, 28 of what it is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Stim(u32);

/// What a [`Stim`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    /// An envelope is delivered; the receiver's writes are late or not.
    Deliver { envelope: u32, is_late: bool },
    /// A timer fires.
    Fire { timer: u32, is_late: bool },
    /// An envelope is lost.
    Drop { envelope: u32 },
    /// An envelope that was lost is in flight again. Never chosen by a search: a stage's edit.
    Undrop { envelope: u32 },
    /// Something happens to one place.
    Act { place: usize, act: Act },
    /// This partition holds from now on.
    Cut { partition: u32 },
}

/// What may happen to one place besides messages and timers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// It runs for the first time.
    Start,
    /// Its oldest write becomes durable.
    Durable,
    /// It loses what is not durable.
    Crash,
    /// It runs again.
    Restart,
    /// Its user waits no longer.
    GiveUp,
    /// It takes no step.
    Pause,
    /// It takes steps again.
    Resume,
}

const ACTS: [Act; 7] =
    [Act::Start, Act::Durable, Act::Crash, Act::Restart, Act::GiveUp, Act::Pause, Act::Resume];
const BITS: u32 = 28;
const LOW: u32 = (1 << BITS) - 1;
/// A stimulus can name so many messages, and as many timers.
pub(crate) const CHOICES: u32 = 1 << BITS;

impl Stim {
    /// No step at all.
    pub(crate) const NONE: Stim = Stim(u32::MAX);

    pub(crate) fn new(choice: Choice) -> Self {
        let (kind, low) = match choice {
            Choice::Deliver { envelope, is_late } => (u32::from(is_late), envelope),
            Choice::Fire { timer, is_late } => (2 + u32::from(is_late), timer),
            Choice::Drop { envelope } => (4, envelope),
            Choice::Undrop { envelope } => (5, envelope),
            Choice::Act { place, act } => (6, (place as u32) << 4 | act as u32),
            Choice::Cut { partition } => (7, partition),
        };
        assert!(low <= LOW, "a search knows at most 2^28 different messages, and as many timers");
        Stim(kind << BITS | low)
    }

    pub(crate) fn deliver(envelope: u32) -> Self {
        Stim::new(Choice::Deliver { envelope, is_late: false })
    }

    pub(crate) fn act(place: usize, act: Act) -> Self {
        Stim::new(Choice::Act { place, act })
    }

    pub(crate) fn choice(self) -> Choice {
        let low = self.0 & LOW;
        match self.0 >> BITS {
            kind @ (0 | 1) => Choice::Deliver { envelope: low, is_late: kind == 1 },
            kind @ (2 | 3) => Choice::Fire { timer: low, is_late: kind == 3 },
            4 => Choice::Drop { envelope: low },
            5 => Choice::Undrop { envelope: low },
            6 => Choice::Act { place: (low >> 4) as usize, act: ACTS[(low & 15) as usize] },
            _ => Choice::Cut { partition: low },
        }
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    pub(crate) fn from_bits(bits: u32) -> Self {
        Stim(bits)
    }
}
