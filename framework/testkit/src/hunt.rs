//! Mutants: mistakes that are seeded into a module, and the searches that must find them. A check of the checks.

use crate::crew::Watcher;
use crate::search::{Found, Orders, Search, Searched, search_one};

/// A seeded mistake that a search has to find.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mutant {
    /// The module with the mistake.
    pub module: &'static str,
    /// Its name: what the node does.
    pub name: &'static str,
    /// What is wrong with that, in a sentence.
    pub what: &'static str,
    /// The number of the search that finds it.
    pub caught_by: &'static str,
}

/// What came of one mutant.
#[derive(Clone, PartialEq, Debug)]
pub struct Hunted {
    /// Which one.
    pub mutant: Mutant,
    /// What its search did.
    pub searched: Searched,
}

impl Hunted {
    /// Unique states of all stages until the violation.
    pub fn states(&self) -> u64 {
        self.searched.reports.iter().map(|report| report.stats.unique).sum()
    }

    /// The violation that gives it away. A goal that is not reached, or a count that is another, does not count.
    pub fn found(&self) -> Option<&Found> {
        self.searched.found()
    }
}

/// Lets the search that must find a mutant look for it.
///
/// # Panics
/// If there is no such search: a mistake in the mutant's row.
pub fn hunt(mutant: &Mutant, searches: &[Search], orders: &Orders, watcher: &dyn Watcher) -> Hunted {
    let is_meant = |search: &&Search| search.module == mutant.module && search.number == mutant.caught_by;
    let search = searches
        .iter()
        .find(is_meant)
        .unwrap_or_else(|| panic!("{} names a search that is not there", mutant.name));
    let orders = Orders { mutant: Some(mutant.name), ..orders.clone() };
    Hunted { mutant: *mutant, searched: search_one(search, &orders, watcher) }
}
