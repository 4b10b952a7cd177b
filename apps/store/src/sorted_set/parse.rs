//! The commands on sorted sets: their rows of the table, and from words to operations.

use super::parse_range as ranges;
use super::score::parse_score;
use super::{Aggregate, Extreme, Only, SortedSetOperation, Told};
use crate::collection::{
    Counted, Sample, natural, parse_amount, parse_counted, parse_cursor, parse_sample, parse_scan_options,
    refuse_later,
};
use crate::items::Items;
use crate::operation::{Absent, Operation, When};
use crate::parse::{Parsed, SYNTAX, Words};
use crate::set::How;
use crate::strings::NOT_A_FLOAT;
use crate::table::{CommandSpec, DENY_OOM, FAST, NO_KEYS, ONE_KEY, READ, SORTED_SET, TWO_KEYS, WRITE, row};
use crate::value::Kind;
use std::borrow::Cow;
use synod_resp::Reply;

const R: u32 = SORTED_SET | READ;
const W: u32 = SORTED_SET | WRITE;

/// The rows of the table.
#[rustfmt::skip]
pub(crate) static COMMANDS: &[CommandSpec] = &[
    row(("zadd", -4), W | DENY_OOM | FAST, ONE_KEY, add, ("1.2.0", "Adds members to a sorted set, or gives them other scores.")),
    row(("zcard", 2), R | FAST, ONE_KEY, count, ("1.2.0", "Counts the members of a sorted set.")),
    row(("zcount", 4), R | FAST, ONE_KEY, ranges::count_by_score, ("2.0.0", "Counts the members of a range of scores.")),
    CommandSpec { counted: 1, ..row(("zdiff", -3), R, NO_KEYS, difference, ("6.2.0", "Lists what is in the first sorted set and in no other.")) },
    CommandSpec { counted: 2, ..row(("zdiffstore", -4), W | DENY_OOM, ONE_KEY, store_difference, ("6.2.0", "Stores what is in the first sorted set and in no other.")) },
    row(("zincrby", 4), W | DENY_OOM | FAST, ONE_KEY, increment, ("1.2.0", "Adds to the score of a member.")),
    CommandSpec { counted: 1, ..row(("zinter", -3), R, NO_KEYS, intersection, ("6.2.0", "Lists what is in each of the sorted sets.")) },
    CommandSpec { counted: 1, ..row(("zintercard", -3), R, NO_KEYS, count_shared, ("7.0.0", "Counts what is in each of the sorted sets.")) },
    CommandSpec { counted: 2, ..row(("zinterstore", -4), W | DENY_OOM, ONE_KEY, store_intersection, ("2.0.0", "Stores what is in each of the sorted sets.")) },
    row(("zlexcount", 4), R | FAST, ONE_KEY, ranges::count_by_member, ("2.8.9", "Counts the members of a range of names.")),
    CommandSpec { counted: 1, ..row(("zmpop", -4), W, NO_KEYS, pop_of_first, ("7.0.0", "Takes members out of the first sorted set that is there.")) },
    row(("zmscore", -3), R | FAST, ONE_KEY, scores, ("6.2.0", "Tells the scores of several members.")),
    row(("zpopmax", -2), W | FAST, ONE_KEY, pop_highest, ("5.0.0", "Takes the members of the highest scores out.")),
    row(("zpopmin", -2), W | FAST, ONE_KEY, pop_lowest, ("5.0.0", "Takes the members of the lowest scores out.")),
    row(("zrandmember", -2), R, ONE_KEY, sample, ("6.2.0", "Names some members of a sorted set.")),
    row(("zrange", -4), R, ONE_KEY, ranges::range, ("1.2.0", "Lists a range of a sorted set.")),
    row(("zrangebylex", -4), R, ONE_KEY, ranges::range_by_member, ("2.8.9", "Lists a range of names.")),
    row(("zrangebyscore", -4), R, ONE_KEY, ranges::range_by_score, ("1.0.5", "Lists a range of scores.")),
    row(("zrangestore", -5), W | DENY_OOM, TWO_KEYS, ranges::store_range, ("6.2.0", "Stores a range of a sorted set.")),
    row(("zrank", 3), R | FAST, ONE_KEY, rank, ("2.0.0", "Tells how many members have a lower score.")),
    row(("zrem", -3), W | FAST, ONE_KEY, remove, ("1.2.0", "Removes members of a sorted set.")),
    row(("zremrangebylex", 4), W, ONE_KEY, ranges::remove_by_member, ("2.8.9", "Removes a range of names.")),
    row(("zremrangebyrank", 4), W, ONE_KEY, ranges::remove_by_rank, ("2.0.0", "Removes a range of ranks.")),
    row(("zremrangebyscore", 4), W, ONE_KEY, ranges::remove_by_score, ("1.2.0", "Removes a range of scores.")),
    row(("zrevrange", -4), R, ONE_KEY, ranges::reverse_range, ("1.2.0", "Lists a range of ranks, the highest score first.")),
    row(("zrevrangebylex", -4), R, ONE_KEY, ranges::reverse_range_by_member, ("2.8.9", "Lists a range of names, the last one first.")),
    row(("zrevrangebyscore", -4), R, ONE_KEY, ranges::reverse_range_by_score, ("2.2.0", "Lists a range of scores, the highest first.")),
    row(("zrevrank", 3), R | FAST, ONE_KEY, reverse_rank, ("2.0.0", "Tells how many members have a higher score.")),
    row(("zscan", -3), R, ONE_KEY, scan, ("2.8.0", "Lists the members of a sorted set, some at a time.")),
    row(("zscore", 3), R | FAST, ONE_KEY, score, ("1.2.0", "Tells the score of a member.")),
    CommandSpec { counted: 1, ..row(("zunion", -3), R, NO_KEYS, union, ("6.2.0", "Lists what is in any of the sorted sets.")) },
    CommandSpec { counted: 2, ..row(("zunionstore", -4), W | DENY_OOM, ONE_KEY, store_union, ("2.0.0", "Stores what is in any of the sorted sets.")) },
];

pub(super) fn parsed(operation: SortedSetOperation<'_>) -> Parsed<'_> {
    Ok(Operation::SortedSets { operation })
}

fn add<'a>(words: &Words<'a>) -> Parsed<'a> {
    let [mut nx, mut xx, mut gt, mut lt, mut ch, mut incr] = [false; 6];
    let mut at = 2;
    loop {
        let options = [
            ("NX", &mut nx),
            ("XX", &mut xx),
            ("GT", &mut gt),
            ("LT", &mut lt),
            ("CH", &mut ch),
            ("INCR", &mut incr),
        ];
        let Some((_, flag)) = options.into_iter().find(|(name, _)| words.is(at, name)) else { break };
        *flag = true;
        at += 1;
    }
    let count = words.args.len().saturating_sub(at);
    if count == 0 || !count.is_multiple_of(2) {
        return Err(SYNTAX);
    }
    if nx && xx {
        return Err(Reply::error("ERR XX and NX options at the same time are not compatible"));
    }
    if nx && (gt || lt) || gt && lt {
        return Err(Reply::error("ERR GT, LT, and/or NX options at the same time are not compatible"));
    }
    if incr && count > 2 {
        return Err(Reply::error("ERR INCR option supports a single increment-element pair"));
    }
    let when = match (nx, xx) {
        (true, _) => When::IfAbsent,
        (_, true) => When::IfPresent,
        (false, false) => When::Always,
    };
    let only = match (gt, lt) {
        (true, _) => Only::Greater,
        (_, true) => Only::Less,
        (false, false) => Only::Any,
    };
    let told = match (incr, ch) {
        (true, _) => Told::Sum,
        (_, true) => Told::Changed,
        (false, false) => Told::New,
    };
    add_pairs(words, at, (when, only), told)
}

fn increment<'a>(words: &Words<'a>) -> Parsed<'a> {
    add_pairs(words, 2, (When::Always, Only::Any), Told::Sum)
}

fn add_pairs<'a>(words: &Words<'a>, at: usize, (when, only): (When, Only), told: Told) -> Parsed<'a> {
    let pairs = Items::Words(words.args.skip(at));
    if pairs.pairs().any(|(score, _)| parse_score(score).is_none()) {
        return Err(NOT_A_FLOAT);
    }
    parsed(SortedSetOperation::Add { key: words.word(1), pairs, when, only, told })
}

fn remove<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SortedSetOperation::Remove { key: words.word(1), members: Items::Words(words.args.skip(2)) })
}

fn count<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SortedSetOperation::Count { key: words.word(1) })
}

fn score<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SortedSetOperation::Score { key: words.word(1), member: words.word(2) })
}

fn scores<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SortedSetOperation::Scores { key: words.word(1), members: Items::Words(words.args.skip(2)) })
}

fn rank<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SortedSetOperation::Rank { key: words.word(1), member: words.word(2), is_reverse: false })
}

fn reverse_rank<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SortedSetOperation::Rank { key: words.word(1), member: words.word(2), is_reverse: true })
}

fn pop<'a>(words: &Words<'a>, end: Extreme) -> Parsed<'a> {
    let count = match words.args.len() {
        2 => None,
        3 => Some(parse_amount(words, 2)?),
        _ => return Err(SYNTAX),
    };
    parsed(SortedSetOperation::Pop { key: words.word(1), end, count })
}

fn pop_lowest<'a>(words: &Words<'a>) -> Parsed<'a> {
    pop(words, Extreme::Lowest)
}

fn pop_highest<'a>(words: &Words<'a>) -> Parsed<'a> {
    pop(words, Extreme::Highest)
}

fn pop_of_first<'a>(words: &Words<'a>) -> Parsed<'a> {
    let Counted { keys, choice, count } = parse_counted(words, ["MIN", "MAX"])?;
    let end = if choice == 0 { Extreme::Lowest } else { Extreme::Highest };
    parsed(SortedSetOperation::PopOfFirst { keys, end, count })
}

fn sample<'a>(words: &Words<'a>) -> Parsed<'a> {
    let Sample { count, is_paired: with_scores } = parse_sample(words, "WITHSCORES")?;
    parsed(SortedSetOperation::Sample { key: words.word(1), random: words.random, count, with_scores })
}

fn scan<'a>(words: &Words<'a>) -> Parsed<'a> {
    let cursor = parse_cursor(words, 2)?;
    match parse_scan_options(words, 3, false) {
        Err(error) => refuse_later(words, Kind::SortedSet, Absent::EmptyScan, &error),
        Ok(options) => parsed(SortedSetOperation::Scan {
            key: words.word(1),
            cursor,
            count: options.count,
            pattern: options.pattern,
        }),
    }
}

/// What is to be combined, and how.
struct Combination<'a> {
    keys: Items<'a>,
    weights: Items<'a>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: u64,
}

/// What a command of this family takes besides keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Weights, an aggregate, and scores if the answer is a list.
    Scores,
    Limit,
}

/// The keys whose number the word at `at` tells.
fn parse_keys<'a>(words: &Words<'a>, at: usize) -> Result<Items<'a>, Reply> {
    let count = words.integer(at)?;
    let count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
        Reply::Error(format!("ERR at least 1 input key is needed for '{}' command", words.name).into())
    })?;
    if count > words.args.len() - (at + 1) {
        return Err(SYNTAX);
    }
    Ok(Items::Words(words.args.skip(at + 1).take(count)))
}

/// The options behind the keys, which end before the word at `from`.
fn parse_options<'a>(
    words: &Words<'a>,
    (keys, from): (Items<'a>, usize),
    how: How,
    takes: Takes,
) -> Result<Combination<'a>, Reply> {
    let count = keys.iter().count();
    let none = Items::Bytes { count: 0, bytes: &[] };
    let mut all =
        Combination { keys, weights: none, aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
    let takes_weights = takes == Takes::Scores && how != How::Difference;
    // A command that stores begins with the key to store at.
    let is_list = takes == Takes::Scores && from == 2 + count;
    let mut at = from;
    while at < words.args.len() {
        let left = words.args.len() - at;
        if takes_weights && left > count && words.is(at, "WEIGHTS") {
            all.weights = Items::Words(words.args.skip(at + 1).take(count));
            if all.weights.iter().any(|weight| parse_score(weight).is_none()) {
                return Err(Reply::error("ERR weight value is not a float"));
            }
            at += 1 + count;
        } else if takes_weights && left >= 2 && words.is(at, "AGGREGATE") {
            let names =
                [("SUM", Aggregate::Sum), ("MIN", Aggregate::Min), ("MAX", Aggregate::Max)].into_iter();
            let named = names.map(|(name, aggregate)| (words.is(at + 1, name), aggregate));
            all.aggregate = named.into_iter().find(|(is_it, _)| *is_it).ok_or(SYNTAX)?.1;
            at += 2;
        } else if is_list && words.is(at, "WITHSCORES") {
            all.with_scores = true;
            at += 1;
        } else if takes == Takes::Limit && left >= 2 && words.is(at, "LIMIT") {
            all.limit = natural(words, at + 1).ok_or(Reply::error("ERR LIMIT can't be negative"))?;
            at += 2;
        } else {
            return Err(SYNTAX);
        }
    }
    Ok(all)
}

/// A combination whose number of keys stands at `at`; an error in its options is told after what the keys say.
fn parse_combination<'a>(
    words: &Words<'a>,
    at: usize,
    (how, takes): (How, Takes),
    make: impl FnOnce(Combination<'a>) -> SortedSetOperation<'a>,
) -> Parsed<'a> {
    let keys = parse_keys(words, at)?;
    match parse_options(words, (keys, at + 1 + keys.iter().count()), how, takes) {
        Ok(all) => parsed(make(all)),
        Err(Reply::Error(Cow::Borrowed(text))) => {
            parsed(SortedSetOperation::Refuse { keys, text: text.as_bytes() })
        }
        Err(error) => Err(error),
    }
}

fn combined<'a>(words: &Words<'a>, how: How) -> Parsed<'a> {
    parse_combination(words, 1, (how, Takes::Scores), |all| {
        let Combination { keys, weights, aggregate, with_scores, .. } = all;
        SortedSetOperation::Combine { keys, how, weights, aggregate, with_scores }
    })
}

fn stored<'a>(words: &Words<'a>, how: How) -> Parsed<'a> {
    parse_combination(words, 2, (how, Takes::Scores), |all| {
        let Combination { keys, weights, aggregate, .. } = all;
        SortedSetOperation::Store { to: words.word(1), keys, how, weights, aggregate }
    })
}

fn count_shared<'a>(words: &Words<'a>) -> Parsed<'a> {
    parse_combination(words, 1, (How::Intersection, Takes::Limit), |all| SortedSetOperation::CountShared {
        keys: all.keys,
        limit: all.limit,
    })
}

fn intersection<'a>(words: &Words<'a>) -> Parsed<'a> {
    combined(words, How::Intersection)
}

fn union<'a>(words: &Words<'a>) -> Parsed<'a> {
    combined(words, How::Union)
}

fn difference<'a>(words: &Words<'a>) -> Parsed<'a> {
    combined(words, How::Difference)
}

fn store_intersection<'a>(words: &Words<'a>) -> Parsed<'a> {
    stored(words, How::Intersection)
}

fn store_union<'a>(words: &Words<'a>) -> Parsed<'a> {
    stored(words, How::Union)
}

fn store_difference<'a>(words: &Words<'a>) -> Parsed<'a> {
    stored(words, How::Difference)
}
