//! Who lends a search its threads and its clock: the checker itself names neither.

use crate::report::Spent;

/// How far a search is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Different states so far.
    pub unique: u64,
    /// Transitions so far.
    pub generated: u64,
    /// The depth that is being searched.
    pub depth: u32,
    /// States that wait to be left.
    pub frontier: u64,
}

/// What a search needs of whoever starts it.
pub trait Crew: Sync {
    /// How many threads work.
    fn threads(&self) -> usize {
        1
    }

    /// Calls `work` once on each thread, with the thread's number from 0, and returns when all have.
    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        work(0);
    }

    /// Asked every few hundred states, by every thread: whether the search must end now.
    fn poll(&self, _progress: &Progress) -> Option<Spent> {
        None
    }
}

/// One thread, and all the time there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Crew for Alone {}
