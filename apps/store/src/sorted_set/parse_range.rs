//! The commands on ranges of a sorted set: from words to operations.

use super::range::{By, Range};
use super::score::{Bound, Edge};
use super::{SortedSetOperation, parse::parsed};
use crate::parse::{Parsed, SYNTAX, Words};
use synod_resp::Reply;

const NO_BOUND: Reply = Reply::error("ERR min or max is not a float");
const NO_EDGE: Reply = Reply::error("ERR min or max not valid string range item");

/// What the bounds of a range are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    Rank,
    Score,
    Member,
}

/// What a command's name says of the range; options say the rest.
#[derive(Clone, Copy)]
struct Style {
    /// Where the first bound stands; the second one is behind it.
    at: usize,
    measure: Option<Measure>,
    is_reverse: Option<bool>,
    takes_scores: bool,
}

/// The bounds at `at`, the lower one first.
fn parse_bounds<'a>(
    words: &Words<'a>,
    at: usize,
    measure: Measure,
    is_swapped: bool,
) -> Result<By<'a>, Reply> {
    let (low, high) = if is_swapped { (at + 1, at) } else { (at, at + 1) };
    let bound = |index| Bound::parse(words.word(index)).ok_or(NO_BOUND);
    let edge = |index| Edge::parse(words.word(index)).ok_or(NO_EDGE);
    Ok(match measure {
        Measure::Rank => By::Rank(words.integer(at)?, words.integer(at + 1)?),
        Measure::Score => By::Score(bound(low)?, bound(high)?),
        Measure::Member => By::Member(edge(low)?, edge(high)?),
    })
}

/// A range, and whether scores are wanted.
fn parse_range<'a>(words: &Words<'a>, style: Style) -> Result<(Range<'a>, bool), Reply> {
    let Style { at, mut measure, mut is_reverse, takes_scores } = style;
    let (mut offset, mut limit, mut with_scores) = (0, -1, false);
    let mut next = at + 2;
    while next < words.args.len() {
        if takes_scores && words.is(next, "WITHSCORES") {
            with_scores = true;
        } else if words.is(next, "LIMIT") && next + 2 < words.args.len() {
            (offset, limit) = (words.integer(next + 1)?, words.integer(next + 2)?);
            next += 2;
        } else if is_reverse.is_none() && words.is(next, "REV") {
            is_reverse = Some(true);
        } else if measure.is_none() && words.is(next, "BYLEX") {
            measure = Some(Measure::Member);
        } else if measure.is_none() && words.is(next, "BYSCORE") {
            measure = Some(Measure::Score);
        } else {
            return Err(SYNTAX);
        }
        next += 1;
    }
    let (measure, is_reverse) = (measure.unwrap_or(Measure::Rank), is_reverse.unwrap_or(false));
    if limit != -1 && measure == Measure::Rank {
        return Err(Reply::error(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ));
    }
    if with_scores && measure == Measure::Member {
        return Err(Reply::error("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
    }
    let by = parse_bounds(words, at, measure, is_reverse)?;
    // An offset without a limit cannot be said of ranks; one that was is of no effect.
    let offset = if measure == Measure::Rank { 0 } else { offset };
    Ok((Range { by, is_reverse, offset, limit }, with_scores))
}

fn list<'a>(words: &Words<'a>, measure: Option<Measure>, is_reverse: Option<bool>) -> Parsed<'a> {
    let (range, with_scores) = parse_range(words, Style { at: 2, measure, is_reverse, takes_scores: true })?;
    parsed(SortedSetOperation::List { key: words.word(1), range, with_scores })
}

pub(super) fn range<'a>(words: &Words<'a>) -> Parsed<'a> {
    list(words, None, None)
}

pub(super) fn reverse_range<'a>(words: &Words<'a>) -> Parsed<'a> {
    list(words, Some(Measure::Rank), Some(true))
}

pub(super) fn range_by_score<'a>(words: &Words<'a>) -> Parsed<'a> {
    list(words, Some(Measure::Score), Some(false))
}

pub(super) fn reverse_range_by_score<'a>(words: &Words<'a>) -> Parsed<'a> {
    list(words, Some(Measure::Score), Some(true))
}

pub(super) fn range_by_member<'a>(words: &Words<'a>) -> Parsed<'a> {
    list(words, Some(Measure::Member), Some(false))
}

pub(super) fn reverse_range_by_member<'a>(words: &Words<'a>) -> Parsed<'a> {
    list(words, Some(Measure::Member), Some(true))
}

pub(super) fn store_range<'a>(words: &Words<'a>) -> Parsed<'a> {
    let style = Style { at: 3, measure: None, is_reverse: None, takes_scores: false };
    let (range, _) = parse_range(words, style)?;
    parsed(SortedSetOperation::StoreRange { to: words.word(1), from: words.word(2), range })
}

fn count<'a>(words: &Words<'a>, measure: Measure) -> Parsed<'a> {
    let range = Range::whole(parse_bounds(words, 2, measure, false)?);
    parsed(SortedSetOperation::CountRange { key: words.word(1), range })
}

pub(super) fn count_by_score<'a>(words: &Words<'a>) -> Parsed<'a> {
    count(words, Measure::Score)
}

pub(super) fn count_by_member<'a>(words: &Words<'a>) -> Parsed<'a> {
    count(words, Measure::Member)
}

fn remove<'a>(words: &Words<'a>, measure: Measure) -> Parsed<'a> {
    let range = Range::whole(parse_bounds(words, 2, measure, false)?);
    parsed(SortedSetOperation::RemoveRange { key: words.word(1), range })
}

pub(super) fn remove_by_rank<'a>(words: &Words<'a>) -> Parsed<'a> {
    remove(words, Measure::Rank)
}

pub(super) fn remove_by_score<'a>(words: &Words<'a>) -> Parsed<'a> {
    remove(words, Measure::Score)
}

pub(super) fn remove_by_member<'a>(words: &Words<'a>) -> Parsed<'a> {
    remove(words, Measure::Member)
}
