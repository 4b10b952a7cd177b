//! States that wait to be left, one after the other in pages of a fixed size. A page that is done with is filled again,
//! so that a level is written where the one before it was read.

use crate::commute::Arrival;
use crate::stim::Stim;

/// So many words a page has, unless one state alone needs more: 16 KiB.
const WORDS: usize = 4096;
/// How many words stand before a state's own.
const HEAD: usize = 4;
/// In the first word: by this step the observer was shown something.
const SHOWED: u32 = 1 << 31;
/// In an envelope's word: it was sent by the step by which the state was found. Envelopes' ids are below 2^28.
const FRESH: u32 = 1 << 31;

/// See the module's page.
#[derive(Default)]
pub(crate) struct Page {
    /// The number of the first state, of all.
    pub(crate) first: u32,
    /// How many states there are.
    pub(crate) count: u32,
    words: Vec<u32>,
}

/// A state that is to be left, beside its vector.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) fingerprint: u64,
    pub(crate) arrival: Arrival,
}

impl Page {
    /// An empty page.
    pub(crate) fn with_room() -> Self {
        Page { words: Vec::with_capacity(WORDS), ..Page::default() }
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.words.clear();
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.words.capacity() as u64 * 4
    }

    /// Whether a state with so many words still has room. An empty page takes any.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.count == 0 || self.words.len() + HEAD + len <= WORDS
    }

    /// Appends a state; `flight` is where its envelopes begin, `fresh` those that are marked.
    pub(crate) fn push(&mut self, waiting: Waiting, (state, flight): (&[u32], usize), fresh: &[u32]) {
        let Waiting { fingerprint, arrival } = waiting;
        let showed = if arrival.showed { SHOWED } else { 0 };
        let (low, high) = (fingerprint as u32, (fingerprint >> 32) as u32);
        self.words.extend([state.len() as u32 | showed, arrival.stim.bits(), low, high]);
        let from = self.words.len() + flight;
        self.words.extend_from_slice(state);
        let here = &mut self.words[from..];
        for envelope in fresh {
            if let Some(word) = here.iter_mut().find(|word| *word == envelope) {
                *word |= FRESH;
            }
        }
        self.count += 1;
    }

    /// Appends the state that begins at word `at` to `states`, and says where the next one begins.
    pub(crate) fn read(
        &self,
        at: usize,
        flight: usize,
        states: &mut Vec<u32>,
        fresh: &mut Vec<u32>,
    ) -> (Waiting, usize) {
        let [first, stim, low, high] = [0, 1, 2, 3].map(|word| self.words[at + word]);
        let end = at + HEAD + (first & !SHOWED) as usize;
        let from = states.len() + flight;
        states.extend_from_slice(&self.words[at + HEAD..end]);
        fresh.clear();
        for word in &mut states[from..] {
            if *word & FRESH != 0 {
                *word &= !FRESH;
                fresh.push(*word);
            }
        }
        let arrival = Arrival { stim: Stim::from_bits(stim), showed: first & SHOWED != 0 };
        (Waiting { fingerprint: u64::from(high) << 32 | u64::from(low), arrival }, end)
    }

    /// Where the states end.
    pub(crate) fn end(&self) -> usize {
        self.words.len()
    }
}
