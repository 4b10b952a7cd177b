//! From a history to a verdict: split it by keys, decide each part, show the smallest contradiction.

use crate::history::{Call, History, OpId, calls};
use crate::parts::{Part, parts};
use crate::search::{Budget, Found, search};
use crate::specification::Specification;
use crate::verdict::{Contradiction, Reason, Seen, Verdict};
use crate::window::{WINDOW_MAX, smallest_window, window_around};
use crate::zones::{self, Clash};

/// Whether `history` is linearizable with respect to `S`: key by key where every operation has one, keys that an operation
/// joins together, each part by the check of registers if its values are unique, else by search within `budget`.
pub fn check<S: Specification>(history: &History<S::Op, S::Ret>, budget: Budget) -> Verdict {
    check_explained::<S>(history, budget, EXPLANATION)
}

/// The same, with so much for saying why.
pub(crate) fn check_explained<S: Specification>(
    history: &History<S::Op, S::Ret>,
    budget: Budget,
    explanation: Budget,
) -> Verdict {
    Check::<S> { history, budget, explanation, zones: true }.run(&parts(calls(history)))
}

/// The same in one piece and by search alone: what the faster ways are compared with.
#[cfg(test)]
pub(crate) fn check_whole<S: Specification>(history: &History<S::Op, S::Ret>, budget: Budget) -> Verdict {
    Check::<S> { history, budget, explanation: EXPLANATION, zones: false }
        .run(&[Part { keys: Vec::new(), calls: calls(history) }])
}

/// A key that contradicts the specification.
struct Failing {
    /// The call with the first answer that cannot be explained.
    culprit: usize,
    evidence: Evidence,
    /// It may be a later one too: it was too hard to say.
    is_cut: bool,
}

enum Evidence {
    Zones(Clash),
    /// An order of what was answered before.
    Search(Vec<usize>),
}

struct Check<'a, S: Specification> {
    history: &'a History<S::Op, S::Ret>,
    budget: Budget,
    /// What is left for saying why.
    explanation: Budget,
    zones: bool,
}

/// What the explanation of a verdict may spend beside the verdict: well below a second, in little memory.
pub(crate) const EXPLANATION: Budget = Budget { steps_max: 300_000, memo_bytes_max: 64 << 20 };

impl<S: Specification> Check<'_, S> {
    fn run(mut self, parts: &[Part<'_, S>]) -> Verdict {
        let mut gave_up = None;
        let mut smallest: Option<(&Part<'_, S>, Failing)> = None;
        for part in parts {
            match self.decide(&part.calls) {
                Ok(None) => {}
                Ok(Some(failing)) => {
                    if smallest.as_ref().is_none_or(|(_, other)| failing.culprit < other.culprit) {
                        smallest = Some((part, failing));
                    }
                }
                Err(reason) => {
                    gave_up.get_or_insert(Verdict::GaveUp { key: part.name(), reason });
                }
            }
        }
        if let Some((part, failing)) = smallest {
            return Verdict::NotLinearizable(Box::new(self.contradiction(part, failing)));
        }
        let keys = parts.iter().map(|part| part.keys.len().max(1)).sum();
        gave_up.unwrap_or(Verdict::Linearizable { operations: self.history.len(), keys })
    }

    fn decide(&mut self, calls: &[Call<'_, S::Op, S::Ret>]) -> Result<Option<Failing>, Reason> {
        let by_zones = if self.zones { zones::decide::<S>(calls) } else { None };
        if let Some(decided) = by_zones {
            return Ok(decided.err().map(|clash| {
                let culprit = first_bad_answer_by_zones::<S>(calls);
                Failing { culprit, evidence: Evidence::Zones(clash), is_cut: false }
            }));
        }
        match search::<S>(calls, &mut self.budget) {
            Found::Order(_) => Ok(None),
            Found::Stuck { culprit, order } => Ok(Some(self.first_bad_answer(calls, culprit, order))),
            Found::GaveUp(reason) => Err(reason),
        }
    }

    /// The first answer that cannot be explained when it is told, from that of `culprit` on, which is the first that
    /// cannot be explained together with later ones. Looked for by halves, since what cannot be explained cannot be later
    /// either; each attempt may be as hard as the verdict was, so all together have a budget of their own.
    fn first_bad_answer(
        &mut self,
        calls: &[Call<'_, S::Op, S::Ret>],
        culprit: usize,
        order: Vec<usize>,
    ) -> Failing {
        let mut answers = answers(calls);
        answers.retain(|(end, _)| Some(*end) >= calls[culprit].returned());
        // Before `good` all fit, `bad` does not. It is most often near, and what lies far behind it is the hardest.
        let (mut good, mut bad, mut stride) = (0, answers.len() - 1, 1);
        let (mut fits, mut is_cut) = (order, false);
        while good < bad {
            let at = (good + stride - 1).min(good + (bad - good) / 2);
            match search::<S>(&known_at(calls, answers[at].0), &mut self.explanation) {
                Found::Order(order) => (fits, good, stride) = (order, at + 1, stride * 2),
                Found::Stuck { .. } => bad = at,
                Found::GaveUp(_) => {
                    is_cut = true;
                    break;
                }
            }
        }
        let (end, culprit) = answers[good];
        let before = if is_cut {
            None
        } else {
            match search::<S>(&known_at(calls, end - 1), &mut self.explanation) {
                Found::Order(order) => Some(order),
                Found::Stuck { .. } | Found::GaveUp(_) => None,
            }
        };
        Failing { culprit, evidence: Evidence::Search(before.unwrap_or(fits)), is_cut }
    }

    fn contradiction(&self, part: &Part<'_, S>, failing: Failing) -> Contradiction {
        let calls = &part.calls;
        let id = |call: usize| calls[call].id;
        let end = calls[failing.culprit].returned().expect("a bad answer is an answer");
        let (window, why, order) = match failing.evidence {
            Evidence::Zones(clash) => (clash.calls, clash.why, None),
            Evidence::Search(order) => {
                let known = known_at(calls, end);
                let smallest = if failing.is_cut { Vec::new() } else { smallest_window::<S>(&known) };
                let (window, why) = if failing.is_cut {
                    let why = "the search for the first answer that is wrong was cut short".to_owned();
                    (window_around::<S>(&known, failing.culprit), why)
                } else if smallest.len() <= WINDOW_MAX {
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
            key: part.name(),
            operations: calls.len(),
            window: window.into_iter().map(|call| self.seen(id(call))).collect(),
            why,
            culprit: id(failing.culprit),
            is_cut: failing.is_cut,
            answered_before: answers(calls).partition_point(|(at, _)| *at < end),
            order,
        }
    }

    fn seen(&self, id: OpId) -> Seen {
        Seen::new(id, &self.history.operations()[id.0])
    }
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
