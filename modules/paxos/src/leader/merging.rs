//! What a new leader makes of the promises that it has.

use super::RESEND_SLOTS_MAX;
use crate::server::Promise;
use crate::{Ballot, Log, Proposal, Run, Slot};
use std::collections::BTreeMap;
use synod_node::{NodeId, StateMachine};
use synod_stdx::mark;

/// For each slot after `base`, what was accepted in the highest ballot, by this server or by one that promised.
pub(super) fn merge<S: StateMachine>(
    own: &Log<S::Command>,
    base: Slot,
    promises: &BTreeMap<NodeId, Promise<S>>,
) -> Log<S::Command> {
    let all = Slot(u64::MAX);
    let theirs = promises.values().flat_map(|promise| &promise.accepted);
    let mut runs: Vec<Run<S::Command>> =
        own.runs(base, all).chain(theirs.filter_map(|run| run.clip(base, all))).collect();
    runs.sort_by_key(Run::ballot);
    let mut merged = Log::default();
    merged.drop_through(base);
    for run in runs {
        merged.put(&run);
    }
    merged
}

/// The slots after `base` as the new leader proposes them: what was accepted, and nothing in between.
pub(super) fn propose_again<C: Clone>(merged: &Log<C>, base: Slot, ballot: Ballot) -> Vec<Run<C>> {
    let mut runs = Vec::new();
    let mut first = base.next();
    while first <= merged.last() {
        let last = Slot(merged.last().0.min(first.0 + RESEND_SLOTS_MAX - 1));
        let proposals = (first.0..=last.0).map(|slot| match merged.find(Slot(slot)) {
            Some((_, proposal)) => proposal.clone(),
            None => {
                mark!("paxos.gap_filled");
                Proposal::Noop
            }
        });
        runs.push(Run::new(first, ballot, proposals.collect()));
        first = last.next();
    }
    runs
}
