//! The commands on sets: their rows of the table, and from words to operations.

use super::{How, SetOperation};
use crate::collection::{
    Sample, natural, parse_amount, parse_cursor, parse_key_count, parse_sample, parse_scan_options,
    refuse_later,
};
use crate::items::Items;
use crate::operation::{Absent, Operation};
use crate::parse::{Parsed, SYNTAX, Words};
use crate::table::{
    ALL_KEYS, CommandSpec, DENY_OOM, FAST, NO_KEYS, ONE_KEY, READ, SET, TWO_KEYS, WRITE, row,
};
use crate::value::Kind;
use synod_resp::Reply;

const R: u32 = SET | READ;
const W: u32 = SET | WRITE;

/// The rows of the table.
#[rustfmt::skip]
pub(crate) static COMMANDS: &[CommandSpec] = &[
    row(("sadd", -3), W | DENY_OOM | FAST, ONE_KEY, add, ("1.0.0", "Adds members to a set.")),
    row(("scard", 2), R | FAST, ONE_KEY, count, ("1.0.0", "Counts the members of a set.")),
    row(("sdiff", -2), R, ALL_KEYS, difference, ("1.0.0", "Lists what is in the first set and in no other.")),
    row(("sdiffstore", -3), W | DENY_OOM, ALL_KEYS, store_difference, ("1.0.0", "Stores what is in the first set and in no other.")),
    row(("sinter", -2), R, ALL_KEYS, intersection, ("1.0.0", "Lists what is in each of the sets.")),
    CommandSpec { counted: 1, ..row(("sintercard", -3), R, NO_KEYS, count_shared, ("7.0.0", "Counts what is in each of the sets.")) },
    row(("sinterstore", -3), W | DENY_OOM, ALL_KEYS, store_intersection, ("1.0.0", "Stores what is in each of the sets.")),
    row(("sismember", 3), R | FAST, ONE_KEY, has, ("1.0.0", "Tells whether something is in a set.")),
    row(("smembers", 2), R, ONE_KEY, all, ("1.0.0", "Lists the members of a set.")),
    row(("smismember", -3), R | FAST, ONE_KEY, has_each, ("6.2.0", "Tells of each whether it is in a set.")),
    row(("smove", 4), W | FAST, TWO_KEYS, move_member, ("1.0.0", "Moves a member from one set to another.")),
    row(("spop", -2), W | FAST, ONE_KEY, pop, ("1.0.0", "Takes some members out of a set.")),
    row(("srandmember", -2), R, ONE_KEY, sample, ("1.0.0", "Names some members of a set.")),
    row(("srem", -3), W | FAST, ONE_KEY, remove, ("1.0.0", "Removes members of a set.")),
    row(("sscan", -3), R, ONE_KEY, scan, ("2.8.0", "Lists the members of a set, some at a time.")),
    row(("sunion", -2), R, ALL_KEYS, union, ("1.0.0", "Lists what is in any of the sets.")),
    row(("sunionstore", -3), W | DENY_OOM, ALL_KEYS, store_union, ("1.0.0", "Stores what is in any of the sets.")),
];

fn parsed(operation: SetOperation<'_>) -> Parsed<'_> {
    Ok(Operation::Sets { operation })
}

fn add<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SetOperation::Add { key: words.word(1), members: Items::Words(words.args.skip(2)) })
}

fn remove<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SetOperation::Remove { key: words.word(1), members: Items::Words(words.args.skip(2)) })
}

fn move_member<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SetOperation::Move { from: words.word(1), to: words.word(2), member: words.word(3) })
}

fn pop<'a>(words: &Words<'a>) -> Parsed<'a> {
    let count = match words.args.len() {
        2 => None,
        3 => Some(parse_amount(words, 2)?),
        _ => return Err(SYNTAX),
    };
    parsed(SetOperation::Pop { key: words.word(1), random: words.random, count })
}

fn all<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SetOperation::All { key: words.word(1) })
}

fn has<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SetOperation::Has { key: words.word(1), member: words.word(2) })
}

fn has_each<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SetOperation::HasEach { key: words.word(1), members: Items::Words(words.args.skip(2)) })
}

fn count<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(SetOperation::Count { key: words.word(1) })
}

fn sample<'a>(words: &Words<'a>) -> Parsed<'a> {
    if words.args.len() > 3 {
        return Err(SYNTAX);
    }
    let Sample { count, .. } = parse_sample(words, "")?;
    parsed(SetOperation::Sample { key: words.word(1), random: words.random, count })
}

fn combined<'a>(words: &Words<'a>, how: How) -> Parsed<'a> {
    parsed(SetOperation::Combine { keys: Items::Words(words.args.skip(1)), how })
}

fn stored<'a>(words: &Words<'a>, how: How) -> Parsed<'a> {
    parsed(SetOperation::Store { to: words.word(1), keys: Items::Words(words.args.skip(2)), how })
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

fn count_shared<'a>(words: &Words<'a>) -> Parsed<'a> {
    let count = parse_key_count(words, 1)?;
    if count > words.args.len() - 2 {
        return Err(Reply::error("ERR Number of keys can't be greater than number of args"));
    }
    let mut limit = 0;
    for at in (2 + count..words.args.len()).step_by(2) {
        if !words.is(at, "LIMIT") || at + 1 == words.args.len() {
            return Err(SYNTAX);
        }
        limit = natural(words, at + 1).ok_or(Reply::error("ERR LIMIT can't be negative"))?;
    }
    parsed(SetOperation::CountShared { keys: Items::Words(words.args.skip(2).take(count)), limit })
}

fn scan<'a>(words: &Words<'a>) -> Parsed<'a> {
    let cursor = parse_cursor(words, 2)?;
    match parse_scan_options(words, 3, false) {
        Err(error) => refuse_later(words, Kind::Set, Absent::EmptyScan, &error),
        Ok(options) => parsed(SetOperation::Scan {
            key: words.word(1),
            cursor,
            count: options.count,
            pattern: options.pattern,
        }),
    }
}
