//! From a history to a verdict: split by key, decide each key, show the smallest contradiction.

use std::collections::BTreeMap;

use crate::bytes::Shown;
use crate::history::{Call, History, OpId, calls};
use crate::search::{Budget, Found, search};
use crate::specification::Specification;
use crate::verdict::{Contradiction, Reason, Seen, Verdict};
use crate::window::{WINDOW_MAX, smallest_window, window_around};
use crate::zones::{self, Clash};

/// The calls that are checked together.
type Part<'a, S> = Vec<Call<'a, <S as Specification>::Op, <S as Specification>::Ret>>;

/// Whether `history` is linearizable with respect to `S`: key by key where every operation has one, each key by
/// the check of registers if its values are unique, else by search within `budget`.
pub fn check<S: Specification>(history: &History<S::Op, S::Ret>, budget: Budget) -> Verdict {
    let calls = calls(history);
    let mut keys: BTreeMap<Option<&[u8]>, Part<'_, S>> = BTreeMap::new();
    let split = calls.iter().all(|call| S::key(call.op).is_some());
    for call in calls {
        keys.entry(if split { S::key(call.op) } else { None }).or_default().push(call);
    }
    Check::<S> { history, budget, zones: true }.run(&keys)
}

/// The same in one piece and by search alone: what the faster ways are compared with.
#[cfg(test)]
pub(crate) fn check_whole<S: Specification>(history: &History<S::Op, S::Ret>, budget: Budget) -> Verdict {
    Check::<S> { history, budget, zones: false }.run(&BTreeMap::from([(None, calls(history))]))
}

/// A key that contradicts the specification.
struct Failing {
    /// The call with the first answer that cannot be explained.
    culprit: usize,
    evidence: Evidence,
}

enum Evidence {
    Zones(Clash),
    /// An order of what was answered before.
    Search(Vec<usize>),
}

struct Check<'a, S: Specification> {
    history: &'a History<S::Op, S::Ret>,
    budget: Budget,
    zones: bool,
}

impl<S: Specification> Check<'_, S> {
    fn run(mut self, keys: &BTreeMap<Option<&[u8]>, Part<'_, S>>) -> Verdict {
        let mut gave_up = None;
        let mut smallest: Option<(Option<&[u8]>, Failing)> = None;
        for (key, calls) in keys {
            match self.decide(calls) {
                Ok(None) => {}
                Ok(Some(failing)) => {
                    if smallest.as_ref().is_none_or(|(_, other)| failing.culprit < other.culprit) {
                        smallest = Some((*key, failing));
                    }
                }
                Err(reason) => {
                    gave_up.get_or_insert(Verdict::GaveUp { key: key.map(shown), reason });
                }
            }
        }
        if let Some((key, failing)) = smallest {
            return Verdict::NotLinearizable(Box::new(self.contradiction(key, &keys[&key], failing)));
        }
        gave_up.unwrap_or(Verdict::Linearizable { operations: self.history.len(), keys: keys.len() })
    }

    fn decide(&mut self, calls: &[Call<'_, S::Op, S::Ret>]) -> Result<Option<Failing>, Reason> {
        let by_zones = if self.zones { zones::decide::<S>(calls) } else { None };
        if let Some(decided) = by_zones {
            return Ok(decided.err().map(|clash| {
                let culprit = first_bad_answer_by_zones::<S>(calls);
                Failing { culprit, evidence: Evidence::Zones(clash) }
            }));
        }
        match search::<S>(calls, &mut self.budget) {
            Found::Order(_) => Ok(None),
            Found::Stuck { culprit, order } => Ok(Some(self.first_bad_answer(calls, culprit, order))),
            Found::GaveUp(reason) => Err(reason),
        }
    }

    /// The first answer that cannot be explained when it is told, from that of `culprit` on, which is the first that
    /// cannot be explained together with later ones.
    fn first_bad_answer(
        &mut self,
        calls: &[Call<'_, S::Op, S::Ret>],
        culprit: usize,
        order: Vec<usize>,
    ) -> Failing {
        let mut fits = (culprit, order);
        for (end, call) in
            answers(calls).into_iter().filter(|(end, _)| Some(*end) >= calls[culprit].returned())
        {
            match search::<S>(&known_at(calls, end), &mut self.budget) {
                Found::Order(order) => fits = (call, order),
                Found::Stuck { .. } => {
                    let evidence = match search::<S>(&known_at(calls, end - 1), &mut self.budget) {
                        Found::Order(order) => Evidence::Search(order),
                        Found::Stuck { .. } | Found::GaveUp(_) => Evidence::Search(fits.1),
                    };
                    return Failing { culprit: call, evidence };
                }
                Found::GaveUp(_) => break,
            }
        }
        // Too hard to say: the last answer is bad in any case.
        let last = answers(calls).last().map_or(culprit, |(_, call)| *call);
        Failing { culprit: last, evidence: Evidence::Search(fits.1) }
    }

    fn contradiction(
        &self,
        key: Option<&[u8]>,
        calls: &[Call<'_, S::Op, S::Ret>],
        failing: Failing,
    ) -> Contradiction {
        let id = |call: usize| calls[call].id;
        let end = calls[failing.culprit].returned().expect("a bad answer is an answer");
        let (window, why, order) = match failing.evidence {
            Evidence::Zones(clash) => (clash.calls, clash.why, None),
            Evidence::Search(order) => {
                let known = known_at(calls, end);
                let smallest = smallest_window::<S>(&known);
                let (window, why) = if smallest.len() <= WINDOW_MAX {
                    (smallest, "no order of these gives each the answer that it got".to_owned())
                } else {
                    let why = format!(
                        "after all that was answered before, that of {} is wrong",
                        id(failing.culprit)
                    );
                    (window_around::<S>(&known, failing.culprit), why)
                };
                (window, why, Some(order.into_iter().map(id).collect()))
            }
        };
        Contradiction {
            key: key.map(shown),
            operations: calls.len(),
            window: window.into_iter().map(|call| self.seen(id(call))).collect(),
            why,
            culprit: id(failing.culprit),
            answered_before: answers(calls).partition_point(|(at, _)| *at < end),
            order,
        }
    }

    fn seen(&self, id: OpId) -> Seen {
        Seen::new(id, &self.history.operations()[id.0])
    }
}

fn shown(key: &[u8]) -> String {
    Shown(key).to_string()
}

/// The answers in the order in which they were told.
fn answers<Op, Ret>(calls: &[Call<'_, Op, Ret>]) -> Vec<(u64, usize)> {
    let mut answers: Vec<(u64, usize)> =
        calls.iter().enumerate().filter_map(|(at, call)| Some((call.returned()?, at))).collect();
    answers.sort_unstable();
    answers
}

/// What was known at the place `end` of the history. The calls stand at the same places as in `calls`.
fn known_at<'a, Op, Ret>(calls: &[Call<'a, Op, Ret>], end: u64) -> Vec<Call<'a, Op, Ret>> {
    calls
        .iter()
        .take_while(|call| call.invoked <= end)
        .map(|call| Call { answer: call.answer.filter(|(_, at)| *at <= end), ..*call })
        .collect()
}

/// The call with the first answer that cannot be explained when it is told. The calls contradict the specification,
/// and the check of registers applies to them.
fn first_bad_answer_by_zones<S: Specification>(calls: &[Call<'_, S::Op, S::Ret>]) -> usize {
    let answers = answers(calls);
    let fits = |end| matches!(zones::decide::<S>(&known_at(calls, end)), Some(Ok(())));
    let bad = answers.partition_point(|(end, _)| fits(*end));
    answers[bad.min(answers.len() - 1)].1
}
