//! A thing that happens again and again is said once, and then how often it happened, now and then.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So long nothing more is said of the same thing.
const PAUSE: Duration = Duration::from_secs(10);
/// So many things are told apart. When one more comes, all are forgotten.
const THINGS_MAX: usize = 256;

/// What was said already, and when.
#[derive(Debug)]
pub(crate) struct Repeats<T> {
    said: BTreeMap<T, (Instant, u64)>,
}

impl<T> Default for Repeats<T> {
    fn default() -> Self {
        Repeats { said: BTreeMap::new() }
    }
}

impl<T: Ord> Repeats<T> {
    /// `thing` happens at `now`. Yields how often it happened since it was said last, this time among them, if it is to be
    /// said now.
    pub(crate) fn note(&mut self, thing: T, now: Instant) -> Option<u64> {
        if self.said.len() >= THINGS_MAX && !self.said.contains_key(&thing) {
            self.said.clear();
        }
        match self.said.get_mut(&thing) {
            None => {
                self.said.insert(thing, (now, 0));
                Some(1)
            }
            Some((at, unsaid)) => {
                *unsaid += 1;
                if now.duration_since(*at) < PAUSE {
                    return None;
                }
                *at = now;
                Some(std::mem::take(unsaid))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PAUSE, Repeats, THINGS_MAX};
    use std::time::{Duration, Instant};

    #[test]
    fn the_same_thing_is_said_once_and_then_counted() {
        let (mut repeats, begin) = (Repeats::default(), Instant::now());
        let said: Vec<Option<u64>> =
            (0..25).map(|second| repeats.note("a", begin + Duration::from_secs(second))).collect();
        let expected = |second| match second {
            0 => Some(1),
            10 | 20 => Some(10),
            _ => None,
        };
        assert_eq!(said, (0..25).map(expected).collect::<Vec<_>>());
        assert_eq!(repeats.note("b", begin), Some(1));
    }

    #[test]
    fn however_many_things_there_are_few_are_remembered() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for thing in 0..10 * THINGS_MAX {
            assert_eq!(repeats.note(thing, now + PAUSE / 2), Some(1));
            assert!(repeats.said.len() <= THINGS_MAX);
        }
    }
}
