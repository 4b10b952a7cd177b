//! Seeded mistakes of the modules, for the searches to find.

use synod_checker::Handler;

/// The mutant of `clientserver` with this name.
pub fn of_clientserver(_name: &'static str) -> Option<Handler<crate::searches::clientserver::Node>> {
    None
}

/// The mutant of `paxos` with this name.
pub fn of_paxos(_name: &'static str) -> Option<Handler<crate::searches::group::Node>> {
    None
}
