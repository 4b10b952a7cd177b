//! The commands on sorted sets, as they run.

use super::combine::combine_scores;
use super::range::{By, Range};
use super::score::parse_score;
use super::{COMPACT_MEMBERS_MAX, Extreme, Only, Ranked, SortedSet, SortedSetOperation, Told};
use crate::Keyspace;
use crate::collection::{Answer, NOT_A_READ, Scan};
use crate::items::Items;
use crate::operation::When;
use crate::set::{How, combine};
use crate::strings::NOT_A_FLOAT;
use std::sync::Arc;
use synod_resp::{Float, Reply};

const NOT_A_NUMBER: Reply = Reply::error("ERR resulting score is not a number (NaN)");

fn bulk(member: &Arc<[u8]>) -> Reply {
    Reply::Bulk(member.clone())
}

fn double_or_null(score: Option<f64>) -> Reply {
    score.map_or(Reply::Null, |score| Reply::Double(Float(score)))
}

fn pair(ranked: &Ranked) -> (Reply, Reply) {
    (bulk(&ranked.member), Reply::Double(ranked.score))
}

impl Keyspace {
    pub(crate) fn write_sorted_set(&mut self, operation: &SortedSetOperation<'_>) -> Answer {
        match operation {
            SortedSetOperation::Add { key, pairs, when, only, told } => {
                self.edit(key, |sorted: &mut SortedSet| sorted.add(pairs, (*when, *only), *told))
            }
            SortedSetOperation::Remove { key, members } => self.edit(key, |sorted: &mut SortedSet| {
                let removed = members.iter().filter(|member| sorted.remove(member)).count();
                (Reply::Integer(removed as i64), removed > 0)
            }),
            SortedSetOperation::RemoveRange { key, range } => self.edit(key, |sorted: &mut SortedSet| {
                let removed = sorted.remove_span(sorted.span(range)).len();
                (Reply::Integer(removed as i64), removed > 0)
            }),
            SortedSetOperation::Pop { key, end, count } => self.edit(key, |sorted: &mut SortedSet| {
                let popped = sorted.pop(*end, count.unwrap_or(1));
                let is_changed = !popped.is_empty();
                let mut pairs = popped.iter().map(pair);
                match count {
                    Some(_) => (Reply::Pairs(pairs.collect()), is_changed),
                    None => {
                        let one = pairs.next().map(|(member, score)| vec![member, score]);
                        (Reply::Array(one.unwrap_or_default()), is_changed)
                    }
                }
            }),
            SortedSetOperation::PopOfFirst { keys, end, count } => {
                self.pop_of_first_sorted(keys, *end, *count)
            }
            SortedSetOperation::Store { to, keys, how, weights, aggregate } => {
                let new: SortedSet =
                    combine_scores(&self.inputs(keys)?, *how, weights, *aggregate).into_iter().collect();
                let count = new.len();
                self.store(to, new);
                Ok(Reply::Integer(count as i64))
            }
            SortedSetOperation::StoreRange { to, from, range } => {
                let sorted = self.view::<SortedSet>(from)?;
                let new = sorted.part(range);
                let count = new.len();
                self.store(to, new);
                Ok(Reply::Integer(count as i64))
            }
            // The others read; they come here if they had to keep their place behind a write.
            _ => self.read_sorted_set(operation),
        }
    }

    pub(crate) fn read_sorted_set(&self, operation: &SortedSetOperation<'_>) -> Answer {
        Ok(match operation {
            SortedSetOperation::List { key, range, with_scores } => {
                self.view::<SortedSet>(key)?.list(range, *with_scores)
            }
            SortedSetOperation::CountRange { key, range } => {
                Reply::Integer(self.view::<SortedSet>(key)?.span(range).len() as i64)
            }
            SortedSetOperation::Rank { key, member, is_reverse } => {
                let sorted = self.view::<SortedSet>(key)?;
                let rank = sorted.rank(member);
                let rank = if *is_reverse { rank.map(|rank| sorted.len() - 1 - rank) } else { rank };
                rank.map_or(Reply::Null, |rank| Reply::Integer(rank as i64))
            }
            SortedSetOperation::Score { key, member } => {
                double_or_null(self.view::<SortedSet>(key)?.score(member))
            }
            SortedSetOperation::Scores { key, members } => {
                let sorted = self.view::<SortedSet>(key)?;
                Reply::Array(members.iter().map(|member| double_or_null(sorted.score(member))).collect())
            }
            SortedSetOperation::Count { key } => Reply::Integer(self.view::<SortedSet>(key)?.len() as i64),
            SortedSetOperation::Sample { key, random, count, with_scores } => {
                self.view::<SortedSet>(key)?.sample(*random, *count, *with_scores)
            }
            SortedSetOperation::Combine { keys, how, weights, aggregate, with_scores } => {
                let inputs = self.inputs(keys)?;
                let members = combine_scores(&inputs, *how, weights, *aggregate).into_iter();
                if *with_scores {
                    let pair = |(score, member)| (Reply::bulk(member), Reply::Double(Float(score)));
                    Reply::Pairs(members.map(pair).collect())
                } else {
                    Reply::Array(members.map(|(_, member)| Reply::bulk(member)).collect())
                }
            }
            SortedSetOperation::CountShared { keys, limit } => {
                let limit = match usize::try_from(*limit) {
                    Ok(0) | Err(_) => usize::MAX,
                    Ok(limit) => limit,
                };
                let inputs = self.inputs(keys)?;
                let inputs: Vec<_> = inputs.iter().collect();
                Reply::Integer(combine(&inputs, How::Intersection).take(limit).count() as i64)
            }
            SortedSetOperation::Scan { key, cursor, count, pattern } => {
                let sorted = self.view::<SortedSet>(key)?;
                let (cursor, count, pattern) = (*cursor, *count, *pattern);
                let scan = Scan { cursor, count, pattern, is_whole: sorted.is_compact() };
                scan.run(&sorted.scores, |named, told| {
                    told.extend([bulk(&named.name), Reply::bulk(named.value.to_string())]);
                })
            }
            SortedSetOperation::Refuse { keys, text } => {
                self.inputs(keys)?;
                return Err(Reply::Error(String::from_utf8_lossy(text).into_owned().into()));
            }
            _ => return Err(NOT_A_READ),
        })
    }

    fn pop_of_first_sorted(&mut self, keys: &Items<'_>, end: Extreme, count: u64) -> Answer {
        for key in keys.iter() {
            if self.view::<SortedSet>(key)?.len() > 0 {
                let popped = self.edit(key, |sorted: &mut SortedSet| (sorted.pop(end, count), count > 0))?;
                // Pairs in both versions of the protocol.
                let pairs = popped.iter().map(pair).map(|(member, score)| Reply::Array(vec![member, score]));
                return Ok(Reply::Array(vec![Reply::bulk(key), Reply::Array(pairs.collect())]));
            }
        }
        Ok(Reply::NullArray)
    }
}

impl SortedSet {
    /// Adds members; the answer, and whether anything changed.
    fn add(&mut self, pairs: &Items<'_>, (when, only): (When, Only), told: Told) -> (Reply, bool) {
        let (mut new, mut changed, mut sum) = (0, 0, None);
        for (score, member) in pairs.pairs() {
            let Some(mut score) = parse_score(score) else { return (NOT_A_FLOAT, new + changed > 0) };
            let old = self.score(member);
            let is_allowed = match when {
                When::Always => true,
                When::IfAbsent => old.is_none(),
                When::IfPresent => old.is_some(),
            };
            if !is_allowed {
                continue;
            }
            if told == Told::Sum
                && let Some(old) = old
            {
                score += old;
                if score.is_nan() {
                    return (NOT_A_NUMBER, false);
                }
            }
            let is_wanted = old.is_none_or(|old| match only {
                Only::Any => true,
                Only::Greater => score > old,
                Only::Less => score < old,
            });
            if !is_wanted {
                continue;
            }
            sum = Some(score);
            match self.set(member, score) {
                None => new += 1,
                Some(old) => changed += i64::from(old != score),
            }
        }
        let reply = match told {
            Told::New => Reply::Integer(new),
            Told::Changed => Reply::Integer(new + changed),
            Told::Sum => double_or_null(sum),
        };
        (reply, new + changed > 0)
    }

    fn pop(&mut self, end: Extreme, count: u64) -> Vec<Ranked> {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.len());
        match end {
            Extreme::Lowest => self.remove_span(0..count),
            Extreme::Highest => {
                let mut popped = self.remove_span(self.len() - count..self.len());
                popped.reverse();
                popped
            }
        }
    }

    /// The members that `range` means, in its direction.
    fn members(&self, range: &Range<'_>) -> Box<dyn Iterator<Item = &Ranked> + '_> {
        let members = self.order.range(self.span(range));
        if range.is_reverse { Box::new(members.rev()) } else { Box::new(members) }
    }

    fn list(&self, range: &Range<'_>, with_scores: bool) -> Reply {
        let members = self.members(range);
        if with_scores {
            Reply::Pairs(members.map(pair).collect())
        } else {
            Reply::Array(members.map(|ranked| bulk(&ranked.member)).collect())
        }
    }

    /// The members of a range as a sorted set of their own. They are added one by one, as a stock server does it, which
    /// knows how many they are only for ranks: that decides which form they have there.
    fn part(&self, range: &Range<'_>) -> SortedSet {
        let span = self.span(range);
        let is_large = matches!(range.by, By::Rank(..)) && span.len() > COMPACT_MEMBERS_MAX;
        let mut part = SortedSet { is_large, ..SortedSet::new() };
        for ranked in self.members(range) {
            part.set(&ranked.member, ranked.score.0);
        }
        part
    }

    fn sample(&self, random: u64, count: Option<i64>, with_scores: bool) -> Reply {
        let Some(count) = count else {
            return self.scores.pick(random).map_or(Reply::Null, |named| bulk(&named.name));
        };
        let picked = self.scores.sample(random, count).into_iter();
        if with_scores {
            Reply::Pairs(picked.map(|named| (bulk(&named.name), Reply::Double(named.value))).collect())
        } else {
            Reply::Array(picked.map(|named| bulk(&named.name)).collect())
        }
    }
}
