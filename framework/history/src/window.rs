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
const STEPS_MAX: u64 = 1_000_000;

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
    *steps_left -= (allowed - budget.steps_max).max(1);
    matches!(found, Found::Stuck { .. })
}
