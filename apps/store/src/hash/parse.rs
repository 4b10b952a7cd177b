//! The commands on hashes: their rows of the table, and from words to operations.

use super::{HashOperation, Part, Told};
use crate::collection::{Sample, parse_cursor, parse_sample, parse_scan_options, refuse_later};
use crate::extended::{Extended, Number};
use crate::items::Items;
use crate::operation::{Absent, Operation};
use crate::parse::{Parsed, Words};
use crate::strings::NOT_A_FLOAT;
use crate::table::{CommandSpec, DENY_OOM, FAST, HASH, ONE_KEY, READ, WRITE, row};
use crate::value::Kind;
use synod_resp::Reply;

const R: u32 = HASH | READ;
const W: u32 = HASH | WRITE;
const GROW: u32 = W | DENY_OOM | FAST;

/// The rows of the table.
#[rustfmt::skip]
pub(crate) static COMMANDS: &[CommandSpec] = &[
    row(("hdel", -3), W | FAST, ONE_KEY, delete, ("2.0.0", "Removes fields of a hash.")),
    row(("hexists", 3), R | FAST, ONE_KEY, exists, ("2.0.0", "Tells whether a hash has a field.")),
    row(("hget", 3), R | FAST, ONE_KEY, value, ("2.0.0", "Reads a field of a hash.")),
    row(("hgetall", 2), R, ONE_KEY, all, ("2.0.0", "Reads all fields of a hash with their values.")),
    row(("hincrby", 4), GROW, ONE_KEY, add, ("2.0.0", "Adds to a number in a field.")),
    row(("hincrbyfloat", 4), GROW, ONE_KEY, add_float, ("2.6.0", "Adds to a number in a field that may have a fraction.")),
    row(("hkeys", 2), R, ONE_KEY, names, ("2.0.0", "Lists the fields of a hash.")),
    row(("hlen", 2), R | FAST, ONE_KEY, count, ("2.0.0", "Counts the fields of a hash.")),
    row(("hmget", -3), R | FAST, ONE_KEY, values_of, ("2.0.0", "Reads several fields of a hash.")),
    row(("hmset", -4), GROW, ONE_KEY, set_all, ("2.0.0", "The old form of HSET, which answers OK.")),
    row(("hrandfield", -2), R, ONE_KEY, sample, ("6.2.0", "Names some fields of a hash.")),
    row(("hscan", -3), R, ONE_KEY, scan, ("2.8.0", "Lists the fields of a hash, some at a time.")),
    row(("hset", -4), GROW, ONE_KEY, set, ("2.0.0", "Sets fields of a hash.")),
    row(("hsetnx", 4), GROW, ONE_KEY, set_new, ("2.0.0", "Sets a field of a hash that is not there.")),
    row(("hstrlen", 3), R | FAST, ONE_KEY, value_length, ("3.2.0", "Tells how long the value of a field is.")),
    row(("hvals", 2), R, ONE_KEY, values, ("2.0.0", "Lists the values of a hash.")),
];

fn parsed(operation: HashOperation<'_>) -> Parsed<'_> {
    Ok(Operation::Hashes { operation })
}

fn delete<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(HashOperation::Delete { key: words.word(1), fields: Items::Words(words.args.skip(2)) })
}

fn exists<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(HashOperation::Has { key: words.word(1), field: words.word(2) })
}

fn value<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(HashOperation::Value { key: words.word(1), field: words.word(2) })
}

fn all<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(HashOperation::All { key: words.word(1), part: Part::Both })
}

fn names<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(HashOperation::All { key: words.word(1), part: Part::Fields })
}

fn values<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(HashOperation::All { key: words.word(1), part: Part::Values })
}

fn add<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(HashOperation::Add { key: words.word(1), field: words.word(2), delta: words.integer(3)? })
}

fn add_float<'a>(words: &Words<'a>) -> Parsed<'a> {
    match Extended::parse(words.word(3)) {
        None => Err(NOT_A_FLOAT),
        Some(Number::Infinite) => Err(Reply::error("ERR value is NaN or Infinity")),
        Some(Number::Finite(_)) => {
            parsed(HashOperation::AddFloat { key: words.word(1), field: words.word(2), delta: words.word(3) })
        }
    }
}

fn count<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(HashOperation::Count { key: words.word(1) })
}

fn values_of<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(HashOperation::Values { key: words.word(1), fields: Items::Words(words.args.skip(2)) })
}

fn set<'a>(words: &Words<'a>) -> Parsed<'a> {
    set_pairs(words, Told::New)
}

fn set_all<'a>(words: &Words<'a>) -> Parsed<'a> {
    set_pairs(words, Told::Ok)
}

fn set_pairs<'a>(words: &Words<'a>, answer: Told) -> Parsed<'a> {
    if !words.args.len().is_multiple_of(2) {
        return Err(words.wrong_arity());
    }
    parsed(HashOperation::Set { key: words.word(1), pairs: Items::Words(words.args.skip(2)), answer })
}

fn set_new<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(HashOperation::SetNew { key: words.word(1), field: words.word(2), value: words.word(3) })
}

fn value_length<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(HashOperation::ValueLength { key: words.word(1), field: words.word(2) })
}

fn sample<'a>(words: &Words<'a>) -> Parsed<'a> {
    let Sample { count, is_paired: with_values } = parse_sample(words, "WITHVALUES")?;
    parsed(HashOperation::Sample { key: words.word(1), random: words.random, count, with_values })
}

fn scan<'a>(words: &Words<'a>) -> Parsed<'a> {
    let cursor = parse_cursor(words, 2)?;
    match parse_scan_options(words, 3, false) {
        Err(error) => refuse_later(words, Kind::Hash, Absent::EmptyScan, &error),
        Ok(options) => parsed(HashOperation::Scan {
            key: words.word(1),
            cursor,
            count: options.count,
            pattern: options.pattern,
        }),
    }
}
