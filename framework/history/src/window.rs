//! Which of the operations contradict each other.
//!
//! A constraint is relaxed in two ways that never turn a linearizable history into one that is not: a read-only
//! operation is dropped, and the answer of any other is forgotten, so that it may have happened later or never.
//! What can be relaxed without resolving the contradiction has no part in it (delta debugging, Zeller and
//! Hildebrandt 2002, with halving chunks).

use crate::history::Call;
use crate::search::{Budget, Found, search};
use crate::specification::Specification;

/// What one attempt may spend, and how many attempts there are: a window that could be smaller is no error.
const ATTEMPT: Budget = Budget { steps_max: 5_000, memo_bytes_max: 16 << 20 };
const STEPS_MAX: u64 = 400_000;

/// A contradiction between more operations than this tells nobody anything.
pub(crate) const WINDOW_MAX: usize = 12;

/// The places of those of `calls` whose answers contradict each other, whatever the other calls did. The calls as a
/// whole must do so.
pub(crate) fn smallest_window<S: Specification>(calls: &[Call<'_, S::Op, S::Ret>]) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..calls.len()).filter(|at| calls[*at].answer.is_some()).collect();
    let mut steps_left = STEPS_MAX;
    let mut chunk = kept.len().div_ceil(2);
    while chunk > 0 {
        let mut from = 0;
        let mut relaxed_any = false;
        while from < kept.len() && steps_left > 0 {
            let to = (from + chunk).min(kept.len());
            let without: Vec<usize> = [&kept[..from], &kept[to..]].concat();
            if contradicts::<S>(calls, &without, &mut steps_left) {
                kept = without;
                relaxed_any = true;
            } else {
                from = to;
            }
        }
        // The last size runs until nothing more can go.
        chunk = if chunk > 1 || !relaxed_any { chunk / 2 } else { 1 };
        if steps_left == 0 {
            break;
        }
    }
    kept
}

/// Where values repeat, a contradiction may rest on very many operations: on every write that could have come late.
/// Then it is better shown in the light of what came before: `culprit`, what overlaps it, and the operations that
/// may have been the last before it to change anything.
pub(crate) fn window_around<S: Specification>(
    calls: &[Call<'_, S::Op, S::Ret>],
    culprit: usize,
) -> Vec<usize> {
    let from = calls[culprit].invoked;
    let end = calls[culprit].returned().unwrap_or(u64::MAX);
    let before = |call: &&Call<'_, S::Op, S::Ret>| call.returned().is_some_and(|at| at < from);
    let changes = |call: &&Call<'_, S::Op, S::Ret>| !S::is_read_only(call.op);
    let last_change_begins = calls.iter().filter(before).filter(changes).map(|call| call.invoked).max();
    let shown = |at: &usize| {
        let call = &calls[*at];
        if before(&call) {
            changes(&call) && call.returned() >= last_change_begins
        } else {
            *at == culprit || call.invoked < end && call.answer.is_some()
        }
    };
    (0..calls.len()).filter(shown).collect()
}

fn contradicts<S: Specification>(
    calls: &[Call<'_, S::Op, S::Ret>],
    kept: &[usize],
    steps_left: &mut u64,
) -> bool {
    let relaxed: Vec<Call<'_, S::Op, S::Ret>> = calls
        .iter()
        .enumerate()
        .filter_map(|(at, call)| {
            if kept.binary_search(&at).is_ok() {
                Some(*call)
            } else if S::is_read_only(call.op) {
                None
            } else {
                Some(Call { answer: None, ..*call })
            }
        })
        .collect();
    let mut budget = Budget { steps_max: ATTEMPT.steps_max.min(*steps_left), ..ATTEMPT };
    let allowed = budget.steps_max;
    let found = search::<S>(&relaxed, &mut budget);
    // Setting up an attempt costs about as much as a step for every few calls.
    *steps_left = steps_left.saturating_sub((allowed - budget.steps_max).max(1 + calls.len() as u64 / 8));
    matches!(found, Found::Stuck { .. })
}
