//! Coverage marks: a rare branch says its name, a test asserts that it was taken. Counted per thread, so that tests
//! that run in parallel do not see each other's.
//!
//! The idea is that of "testing marks": a test that passes without reaching the branch that it was written for is a
//! test of something else.

use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    static HITS: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Notes that the branch `name` was taken by this thread. Called by [`mark!`](crate::mark).
pub fn hit(name: &'static str) {
    HITS.with_borrow_mut(|hits| *hits.entry(name).or_default() += 1);
}

/// How often this thread took the branch `name` so far.
pub fn count(name: &str) -> u64 {
    HITS.with_borrow(|hits| hits.get(name).copied().unwrap_or(0))
}

/// Every branch that this thread took so far, with how often.
pub fn all() -> BTreeMap<&'static str, u64> {
    HITS.with_borrow(Clone::clone)
}

/// Marks a rare branch: `mark!("paxos.gap_filled")`. For rare branches only: it looks up a map.
#[macro_export]
macro_rules! mark {
    ($name:literal) => {
        $crate::marks::hit($name)
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_mark_counts_for_its_own_thread() {
        assert_eq!(super::count("stdx.test"), 0);
        mark!("stdx.test");
        assert_eq!(super::count("stdx.test"), 1);
        std::thread::scope(|s| s.spawn(|| assert_eq!(super::count("stdx.test"), 0)).join().unwrap());
    }
}
