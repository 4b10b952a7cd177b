//! Threads for searches.

use synod_checker::{Crew, Progress, Spent};

/// So many threads, and all the time there is.
#[derive(Clone, Copy, Debug)]
pub struct Threads(pub usize);

impl Crew for Threads {
    fn threads(&self) -> usize {
        self.0
    }

    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        std::thread::scope(|scope| {
            for thread in 1..self.0 {
                scope.spawn(move || work(thread));
            }
            work(0);
        });
    }
}

/// One thread, whose time is over at once.
pub struct Hurried;

impl Crew for Hurried {
    fn poll(&self, _progress: &Progress) -> Option<Spent> {
        Some(Spent::Time)
    }
}
