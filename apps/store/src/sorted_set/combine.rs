//! Sorted sets, and sets as sorted sets whose scores are all 1, combined into one.

use super::{Aggregate, SortedSet, compare};
use crate::Keyspace;
use crate::collection::{Collection, WRONG_TYPE};
use crate::items::Items;
use crate::key::Probe;
use crate::set::{How, Members, Set, combine};
use std::collections::BTreeMap;
use synod_resp::Reply;

use super::score::parse_score;

/// What is combined.
pub(super) enum Input<'a> {
    Sorted(&'a SortedSet),
    Plain(&'a Set),
}

impl Members for Input<'_> {
    fn count(&self) -> usize {
        match self {
            Input::Sorted(sorted) => sorted.len(),
            Input::Plain(set) => set.len(),
        }
    }

    fn has(&self, member: &[u8]) -> bool {
        self.score(member).is_some()
    }

    fn names(&self) -> Box<dyn Iterator<Item = &[u8]> + '_> {
        match self {
            Input::Sorted(sorted) => Box::new(sorted.order.iter().map(|ranked| &*ranked.member)),
            Input::Plain(set) => set.names(),
        }
    }
}

impl Input<'_> {
    fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Input::Sorted(sorted) => sorted.score(member),
            Input::Plain(set) => set.has(member).then_some(1.0),
        }
    }

    /// The score times the weight, where what is no number counts as zero.
    fn weighted(&self, member: &[u8], weight: f64) -> Option<f64> {
        self.score(member).map(|score| number_or_zero(score * weight))
    }
}

fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

impl Aggregate {
    fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Aggregate::Sum => number_or_zero(left + right),
            Aggregate::Min => {
                if right < left {
                    right
                } else {
                    left
                }
            }
            Aggregate::Max => {
                if right > left {
                    right
                } else {
                    left
                }
            }
        }
    }
}

impl Keyspace {
    /// What stands under `keys`.
    pub(super) fn inputs(&self, keys: &Items<'_>) -> Result<Vec<Input<'_>>, Reply> {
        let input = |key| match self.find(&Probe::new(key)) {
            None => Ok(Input::Plain(Set::empty())),
            Some(entry) => SortedSet::of(&entry.value)
                .map(|sorted| Input::Sorted(sorted))
                .or_else(|| Set::of(&entry.value).map(|set| Input::Plain(set)))
                .ok_or(WRONG_TYPE),
        };
        keys.iter().map(input).collect()
    }
}

/// The members of the combination with their scores, in order.
pub(super) fn combine_scores<'a>(
    inputs: &'a [Input<'a>],
    how: How,
    weights: &Items<'_>,
    aggregate: Aggregate,
) -> Vec<(f64, &'a [u8])> {
    let mut weights = weights.iter().map(|weight| parse_score(weight).unwrap_or(1.0));
    let mut weighted: Vec<(&Input<'_>, f64)> =
        inputs.iter().map(|input| (input, weights.next().unwrap_or(1.0))).collect();
    let mut scores: BTreeMap<&[u8], f64> = BTreeMap::new();
    match how {
        How::Difference => {
            let inputs: Vec<&Input<'_>> = inputs.iter().collect();
            for member in combine(&inputs, how) {
                scores.insert(member, inputs[0].score(member).unwrap_or_default());
            }
        }
        How::Union | How::Intersection => {
            // The order decides the last digit of a sum: a stock server begins with the smallest.
            weighted.sort_by_key(|(input, _)| input.count());
            let (first, others) = match how {
                How::Union => (&weighted[..], &[][..]),
                How::Intersection | How::Difference => weighted.split_at(weighted.len().min(1)),
            };
            for (input, weight) in first {
                for member in input.names() {
                    let Some(mut score) = input.weighted(member, *weight) else { continue };
                    if let Some(before) = scores.get(member) {
                        score = aggregate.of(*before, score);
                    }
                    let all = others.iter().try_fold(score, |score, (other, weight)| {
                        Some(aggregate.of(score, other.score(member)? * weight))
                    });
                    if let Some(score) = all {
                        scores.insert(member, score);
                    }
                }
            }
        }
    }
    let mut members: Vec<(f64, &[u8])> = scores.into_iter().map(|(member, score)| (score, member)).collect();
    // Members of equal scores stay in their order.
    members.sort_by(|(left, _), (right, _)| compare(*left, *right));
    members
}
