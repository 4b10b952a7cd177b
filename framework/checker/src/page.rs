//! States that wait to be left, one after the other in pages of a fixed size. A page that is done with is filled again,
//! so that a level is written where the one before it was read. Where all its ids are small, as they nearly always are, a
//! state takes two bytes an id: half the memory, and fresh memory costs as much as the search that fills it.

use crate::commute::Arrival;
use crate::stim::Stim;

/// So many half words a page has, unless one state alone needs more: 16 KiB.
const HALVES: usize = 8192;
/// How many half words stand before a state's own.
const HEAD: usize = 8;
/// In the first word: by this step the observer was shown something.
const SHOWED: u32 = 1 << 31;
/// In the first word: ids take two half words each.
const WIDE: u32 = 1 << 30;
/// In an envelope's word: it was sent by the step by which the state was found. Envelopes' ids are below 2^28.
const FRESH: u32 = 1 << 31;
/// The same in a half word: ids that take only one are below this.
const FRESH_HALF: u16 = 1 << 15;

/// See the module's page.
#[derive(Default)]
pub(crate) struct Page {
    /// The number of the first state, of all.
    pub(crate) first: u32,
    /// How many states there are.
    pub(crate) count: u32,
    halves: Vec<u16>,
}

/// A state that is to be left, beside its vector.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) fingerprint: u64,
    pub(crate) arrival: Arrival,
}

fn halves(word: u32) -> [u16; 2] {
    [word as u16, (word >> 16) as u16]
}

fn word(halves: &[u16]) -> u32 {
    u32::from(halves[1]) << 16 | u32::from(halves[0])
}

impl Page {
    /// An empty page.
    pub(crate) fn with_room() -> Self {
        Page { halves: Vec::with_capacity(HALVES), ..Page::default() }
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.halves.clear();
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.halves.capacity() as u64 * 2
    }

    /// Whether a state with so many words surely still has room. An empty page takes any.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.count == 0 || self.halves.len() + HEAD + 2 * len <= HALVES
    }

    /// Appends a state; `flight` is where its envelopes begin, `fresh` those that are marked.
    pub(crate) fn push(&mut self, waiting: Waiting, (state, flight): (&[u32], usize), fresh: &[u32]) {
        let Waiting { fingerprint, arrival } = waiting;
        let is_wide = state.iter().fold(0, |all, id| all | id) >= u32::from(FRESH_HALF);
        let mut first = u32::try_from(state.len()).expect("a state is smaller than memory");
        first |= if arrival.showed { SHOWED } else { 0 } | if is_wide { WIDE } else { 0 };
        for head in [first, arrival.stim.bits(), fingerprint as u32, (fingerprint >> 32) as u32] {
            self.halves.extend(halves(head));
        }
        let from = self.halves.len();
        if is_wide {
            let mark = |(at, id): (usize, &u32)| {
                halves(if at >= flight && fresh.contains(id) { id | FRESH } else { *id })
            };
            self.halves.extend(state.iter().enumerate().flat_map(mark));
        } else {
            self.halves.extend(state.iter().map(|id| *id as u16));
            let here = &mut self.halves[from + flight..];
            for envelope in fresh {
                if let Some(half) = here.iter_mut().find(|half| **half == *envelope as u16) {
                    *half |= FRESH_HALF;
                }
            }
        }
        self.count += 1;
    }

    /// Appends the state that begins at half word `at` to `states`, and says where the next one begins.
    pub(crate) fn read(
        &self,
        at: usize,
        flight: usize,
        states: &mut Vec<u32>,
        fresh: &mut Vec<u32>,
    ) -> (Waiting, usize) {
        let [first, stim, low, high] = [0, 2, 4, 6].map(|head| word(&self.halves[at + head..at + head + 2]));
        let len = (first & !(SHOWED | WIDE)) as usize;
        let (from, begin) = (at + HEAD, states.len());
        fresh.clear();
        let end = if first & WIDE == 0 {
            let end = from + len;
            states.extend(self.halves[from..end].iter().map(|half| u32::from(*half)));
            unmark(&mut states[begin + flight..], u32::from(FRESH_HALF), fresh);
            end
        } else {
            let end = from + 2 * len;
            states.extend(self.halves[from..end].chunks_exact(2).map(word));
            unmark(&mut states[begin + flight..], FRESH, fresh);
            end
        };
        let arrival = Arrival { stim: Stim::from_bits(stim), showed: first & SHOWED != 0 };
        (Waiting { fingerprint: u64::from(high) << 32 | u64::from(low), arrival }, end)
    }

    /// Where the states end.
    pub(crate) fn end(&self) -> usize {
        self.halves.len()
    }
}

/// Takes the marks away, and says what was marked.
fn unmark(flight: &mut [u32], mark: u32, fresh: &mut Vec<u32>) {
    for id in flight {
        if *id & mark != 0 {
            *id &= !mark;
            fresh.push(*id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_ids_are_read_as_they_were_written() {
        let mut page = Page::with_room();
        let small = [1u32, 2, 3, 7, 9];
        let large = [1u32, 70_000, 3, 7, 1 << 27];
        let showed = Arrival { stim: Stim::deliver(5), showed: true };
        let (one, other) = (u64::MAX - 1, 1 << 40);
        page.push(Waiting { fingerprint: one, arrival: Arrival::START }, (&small, 3), &[9]);
        page.push(Waiting { fingerprint: other, arrival: showed }, (&large, 3), &[1 << 27]);
        let (mut states, mut fresh) = (Vec::new(), Vec::new());
        let (first, at) = page.read(0, 3, &mut states, &mut fresh);
        assert_eq!((states.as_slice(), fresh.as_slice()), (&small[..], &[9][..]));
        assert_eq!((first.fingerprint, first.arrival.stim), (one, Stim::NONE));
        states.clear();
        let (second, end) = page.read(at, 3, &mut states, &mut fresh);
        assert_eq!((states.as_slice(), fresh.as_slice()), (&large[..], &[1 << 27][..]));
        assert_eq!(
            (second.fingerprint, second.arrival.stim, second.arrival.showed),
            (other, showed.stim, true)
        );
        assert_eq!((end, page.count), (page.end(), 2));
    }
}
