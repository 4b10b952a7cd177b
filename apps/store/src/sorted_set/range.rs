//! Ranges of a sorted set: by rank, by score or by member, from either end, and a part of what they hold.

use super::score::{Bound, Edge};
use super::{Ranked, SortedSet, compare};
use crate::collection::span_of;
use crate::operation::Field;
use std::cmp::Ordering;
use std::ops;
use synod_stdx::{Cursor, Malformed, put_u64};

/// Which members a command means.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Range<'a> {
    pub(crate) by: By<'a>,
    /// Whether it goes from the highest to the lowest; ranks count from there then.
    pub(crate) is_reverse: bool,
    /// So many are passed over: all of them if it is negative.
    pub(crate) offset: i64,
    /// So many are taken: all of them if it is negative.
    pub(crate) limit: i64,
}

/// What a range is told by. The lower bound stands first.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum By<'a> {
    Rank(i64, i64),
    Score(Bound, Bound),
    Member(Edge<'a>, Edge<'a>),
}

impl<'a> Range<'a> {
    /// All that `by` says, from the lowest on.
    pub(crate) fn whole(by: By<'a>) -> Range<'a> {
        Range { by, is_reverse: false, offset: 0, limit: -1 }
    }
}

/// An answer to a search that is for a border, not for an item.
fn before(is_before: bool) -> Ordering {
    if is_before { Ordering::Less } else { Ordering::Greater }
}

impl SortedSet {
    /// The indices of the members that `range` means.
    pub(super) fn span(&self, range: &Range<'_>) -> ops::Range<usize> {
        let whole = match range.by {
            By::Rank(start, end) => {
                let span = span_of(start, end, self.len());
                if range.is_reverse { self.len() - span.end..self.len() - span.start } else { span }
            }
            By::Score(low, high) => {
                let is_below = |score: f64, bound: Bound, is_with_equal: bool| {
                    score < bound.score || is_with_equal && score == bound.score
                };
                let seek = |bound: Bound, is_with_equal: bool| {
                    self.order.seek(|ranked| before(is_below(ranked.score.0, bound, is_with_equal))).0
                };
                seek(low, low.is_open)..seek(high, !high.is_open)
            }
            By::Member(low, high) => {
                let low = match low {
                    Edge::Lowest => 0,
                    Edge::Highest => self.len(),
                    Edge::Closed(member) => self.members_before(member, false),
                    Edge::Open(member) => self.members_before(member, true),
                };
                let high = match high {
                    Edge::Lowest => 0,
                    Edge::Highest => self.len(),
                    Edge::Closed(member) => self.members_before(member, true),
                    Edge::Open(member) => self.members_before(member, false),
                };
                low..high
            }
        };
        let count = whole.end.saturating_sub(whole.start);
        let offset = usize::try_from(range.offset).map_or(count, |offset| offset.min(count));
        let taken = usize::try_from(range.limit).map_or(count, |limit| limit).min(count - offset);
        if range.is_reverse {
            let end = whole.end - offset.min(whole.end);
            end.saturating_sub(taken)..end
        } else {
            whole.start + offset..whole.start + offset + taken
        }
    }

    /// How many members of the lowest score come before `member`. Ranges by member are meant for sets in which all
    /// scores are equal; where they are not, a higher score is behind every name: the same on all replicas.
    fn members_before(&self, member: &[u8], is_with_equal: bool) -> usize {
        let Some(lowest) = self.order.at(0).map(|ranked| ranked.score.0) else { return 0 };
        let is_before = |ranked: &Ranked| match (*ranked.member).cmp(member) {
            Ordering::Less => true,
            Ordering::Equal => is_with_equal,
            Ordering::Greater => false,
        };
        let order = |ranked: &Ranked| compare(ranked.score.0, lowest).then_with(|| before(is_before(ranked)));
        self.order.seek(order).0
    }
}

impl<'a> Field<'a> for f64 {
    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.to_bits());
    }

    fn take(input: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let number = f64::from_bits(input.u64()?);
        if number.is_nan() { Err(Malformed("not a number")) } else { Ok(number) }
    }
}

impl<'a> Field<'a> for Bound {
    fn put(&self, out: &mut Vec<u8>) {
        self.score.put(out);
        self.is_open.put(out);
    }

    fn take(input: &mut Cursor<'a>) -> Result<Self, Malformed> {
        Ok(Bound { score: Field::take(input)?, is_open: Field::take(input)? })
    }
}

impl<'a> Field<'a> for Edge<'a> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Edge::Lowest => out.push(0),
            Edge::Highest => out.push(1),
            Edge::Closed(member) => {
                out.push(2);
                member.put(out);
            }
            Edge::Open(member) => {
                out.push(3);
                member.put(out);
            }
        }
    }

    fn take(input: &mut Cursor<'a>) -> Result<Self, Malformed> {
        match input.u8()? {
            0 => Ok(Edge::Lowest),
            1 => Ok(Edge::Highest),
            2 => Ok(Edge::Closed(Field::take(input)?)),
            3 => Ok(Edge::Open(Field::take(input)?)),
            4.. => Err(Malformed("unknown kind of edge")),
        }
    }
}

impl<'a> Field<'a> for Range<'a> {
    fn put(&self, out: &mut Vec<u8>) {
        match &self.by {
            By::Rank(start, end) => {
                out.push(0);
                start.put(out);
                end.put(out);
            }
            By::Score(low, high) => {
                out.push(1);
                low.put(out);
                high.put(out);
            }
            By::Member(low, high) => {
                out.push(2);
                low.put(out);
                high.put(out);
            }
        }
        self.is_reverse.put(out);
        self.offset.put(out);
        self.limit.put(out);
    }

    fn take(input: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let by = match input.u8()? {
            0 => By::Rank(Field::take(input)?, Field::take(input)?),
            1 => By::Score(Field::take(input)?, Field::take(input)?),
            2 => By::Member(Field::take(input)?, Field::take(input)?),
            3.. => return Err(Malformed("unknown kind of range")),
        };
        let is_reverse = Field::take(input)?;
        Ok(Range { by, is_reverse, offset: Field::take(input)?, limit: Field::take(input)? })
    }
}
