//! Values that differ and have one hash: a search by fingerprints would take two states for one.
//!
//! Each distinct value is kept once, and is compared with those of its hash when it comes (`intern.rs`). So a `Hash` that leaves
//! out what `Eq` compares shows itself as soon as two such values have come, before a state with the second one is counted.
//! Then the step objects, and the search ends as violated, with the type's name. Searches that compare whole states
//! ([`Settings::is_exact`](crate::Settings::is_exact), and `eventually`) go on: they take the two for two.
//!
//! Of states up to a symmetry it is a sample. What a place becomes under other names is compared where a step is taken under
//! them (see `orbit.rs`); what a message or an observer becomes is only hashed.

use crate::Checkable;
use crate::place::Side;
use crate::report::{Finding, Report, Subject, Verdict};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::state::State;
use std::any::type_name;
use std::fmt::Debug;

fn words(what: &str, one: &dyn Debug, other: &dyn Debug) -> String {
    format!("the `Hash` of {what} leaves out what its `Eq` compares: {one:?} and {other:?} have one hash")
}

impl<N: Checkable> Shared<N> {
    /// Two values that differ and have one hash, in words.
    #[cold]
    pub(crate) fn clash(&self) -> Option<String> {
        let node = || self.nodes.clash().map(|(a, b)| words(type_name::<N>(), a, b));
        let message =
            || self.envelopes.clash().map(|(a, b)| words(type_name::<N::Message>(), &a.message, &b.message));
        let timer = || self.timers.clash().map(|(a, b)| words(type_name::<N::Timer>(), &a.timer, &b.timer));
        let side = || self.sides.clash().map(|(a, b)| words(part_that_differs(a, b), a, b));
        let observer = || self.observers.clash().map(|(a, b)| words(a.type_name(), a, b));
        let user = || self.users.clash().map(|(a, b)| words("a user's position", a, b));
        let extras = || self.extras.clash().map(|(a, b)| words("what is left of the budgets", a, b));
        let place = || self.places.clash().map(|(a, b)| words("a place", a, b));
        node()
            .or_else(message)
            .or_else(timer)
            .or_else(side)
            .or_else(observer)
            .or_else(user)
            .or_else(extras)
            .or_else(place)
    }
}

/// The type of what differs between what the world keeps around two nodes.
fn part_that_differs<N: Checkable>(one: &Side<N>, other: &Side<N>) -> &'static str {
    if one.timers != other.timers {
        type_name::<N::Timer>()
    } else if one.disk.checkpoint != other.disk.checkpoint {
        type_name::<N::Checkpoint>()
    } else if one.disk != other.disk || one.writing != other.writing {
        type_name::<N::Record>()
    } else {
        type_name::<synod_node::Departure<N>>()
    }
}

/// What a search reports, with what is wrong about hashes, if it relied on them and anything is.
pub(crate) fn told<N: Checkable>(
    shared: &Shared<N>,
    settings: &Settings<N>,
    from: &State,
    mut report: Report,
) -> Report {
    let is_told = report.findings.iter().any(|found| found.subject == Subject::Step);
    if !settings.is_exact
        && !is_told
        && let Some(words) = shared.clash()
    {
        report.findings.push(Finding { subject: Subject::Step, words, state: from.clone() });
        report.verdict = Verdict::Violated;
    }
    report
}
