//! The commands on lists: their rows of the table, and from words to operations.

use super::{End, ListOperation};
use crate::collection::{Counted, natural, parse_amount, parse_counted, refuse_later};
use crate::items::Items;
use crate::operation::{Absent, Operation};
use crate::parse::{Parsed, SYNTAX, Words};
use crate::table::{CommandSpec, DENY_OOM, FAST, LIST, NO_KEYS, ONE_KEY, READ, TWO_KEYS, WRITE, row};
use crate::value::Kind;
use synod_resp::Reply;

const R: u32 = LIST | READ;
const W: u32 = LIST | WRITE;
const GROW: u32 = W | DENY_OOM;
const PUSH: u32 = GROW | FAST;

/// The rows of the table.
#[rustfmt::skip]
pub(crate) static COMMANDS: &[CommandSpec] = &[
    row(("lindex", 3), R, ONE_KEY, at, ("1.0.0", "Reads the element of a list at an index.")),
    row(("linsert", 5), GROW, ONE_KEY, insert, ("2.2.0", "Puts an element before or after another one.")),
    row(("llen", 2), R | FAST, ONE_KEY, count, ("1.0.0", "Counts the elements of a list.")),
    row(("lmove", 5), GROW, TWO_KEYS, move_element, ("6.2.0", "Moves an element from an end of a list to one of another.")),
    CommandSpec { counted: 1, ..row(("lmpop", -4), W, NO_KEYS, pop_of_first, ("7.0.0", "Takes elements off the first list that is there.")) },
    row(("lpop", -2), W | FAST, ONE_KEY, pop_left, ("1.0.0", "Takes elements off the front of a list.")),
    row(("lpos", -3), R, ONE_KEY, find, ("6.0.6", "Tells where in a list an element is.")),
    row(("lpush", -3), PUSH, ONE_KEY, push_left, ("1.0.0", "Puts elements at the front of a list.")),
    row(("lpushx", -3), PUSH, ONE_KEY, push_left_if_present, ("2.2.0", "As LPUSH, if the list is there.")),
    row(("lrange", 4), R, ONE_KEY, range, ("1.0.0", "Reads the elements of a list from one index to another.")),
    row(("lrem", 4), W, ONE_KEY, remove, ("1.0.0", "Removes the elements of a list that are equal to one.")),
    row(("lset", 4), GROW, ONE_KEY, set, ("1.0.0", "Replaces the element of a list at an index.")),
    row(("ltrim", 4), W, ONE_KEY, trim, ("1.0.0", "Removes all elements of a list but those of a range.")),
    row(("rpop", -2), W | FAST, ONE_KEY, pop_right, ("1.0.0", "Takes elements off the end of a list.")),
    row(("rpoplpush", 3), GROW, TWO_KEYS, move_to_front, ("1.2.0", "Moves the last element of a list to the front of another.")),
    row(("rpush", -3), PUSH, ONE_KEY, push_right, ("1.0.0", "Puts elements at the end of a list.")),
    row(("rpushx", -3), PUSH, ONE_KEY, push_right_if_present, ("2.2.0", "As RPUSH, if the list is there.")),
];

fn parsed(operation: ListOperation<'_>) -> Parsed<'_> {
    Ok(Operation::Lists { operation })
}

fn push_left<'a>(words: &Words<'a>) -> Parsed<'a> {
    push(words, End::Left, false)
}

fn push_right<'a>(words: &Words<'a>) -> Parsed<'a> {
    push(words, End::Right, false)
}

fn push_left_if_present<'a>(words: &Words<'a>) -> Parsed<'a> {
    push(words, End::Left, true)
}

fn push_right_if_present<'a>(words: &Words<'a>) -> Parsed<'a> {
    push(words, End::Right, true)
}

fn push<'a>(words: &Words<'a>, end: End, only_if_present: bool) -> Parsed<'a> {
    let elements = Items::Words(words.args.skip(2));
    parsed(ListOperation::Push { key: words.word(1), elements, end, only_if_present })
}

fn pop_left<'a>(words: &Words<'a>) -> Parsed<'a> {
    pop(words, End::Left)
}

fn pop_right<'a>(words: &Words<'a>) -> Parsed<'a> {
    pop(words, End::Right)
}

fn pop<'a>(words: &Words<'a>, end: End) -> Parsed<'a> {
    let count = match words.args.len() {
        2 => None,
        3 => Some(parse_amount(words, 2)?),
        _ => return Err(words.wrong_arity()),
    };
    parsed(ListOperation::Pop { key: words.word(1), end, count })
}

fn pop_of_first<'a>(words: &Words<'a>) -> Parsed<'a> {
    let Counted { keys, choice, count } = parse_counted(words, ["LEFT", "RIGHT"])?;
    let end = if choice == 0 { End::Left } else { End::Right };
    parsed(ListOperation::PopOfFirst { keys, end, count })
}

fn count<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(ListOperation::Count { key: words.word(1) })
}

fn range<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(ListOperation::Range { key: words.word(1), start: words.integer(2)?, end: words.integer(3)? })
}

fn trim<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(ListOperation::Trim { key: words.word(1), start: words.integer(2)?, end: words.integer(3)? })
}

fn at<'a>(words: &Words<'a>) -> Parsed<'a> {
    match words.integer(2) {
        Ok(index) => parsed(ListOperation::At { key: words.word(1), index }),
        Err(error) => refuse_later(words, Kind::List, Absent::Null, &error),
    }
}

fn set<'a>(words: &Words<'a>) -> Parsed<'a> {
    match words.integer(2) {
        Ok(index) => parsed(ListOperation::Set { key: words.word(1), index, element: words.word(3) }),
        Err(error) => refuse_later(words, Kind::List, Absent::NoSuchKey, &error),
    }
}

fn insert<'a>(words: &Words<'a>) -> Parsed<'a> {
    let is_behind = words.is(2, "AFTER");
    if !is_behind && !words.is(2, "BEFORE") {
        return Err(SYNTAX);
    }
    parsed(ListOperation::Insert {
        key: words.word(1),
        is_behind,
        pivot: words.word(3),
        element: words.word(4),
    })
}

fn remove<'a>(words: &Words<'a>) -> Parsed<'a> {
    parsed(ListOperation::Remove { key: words.word(1), count: words.integer(2)?, element: words.word(3) })
}

fn end_at(words: &Words<'_>, index: usize) -> Result<End, Reply> {
    if words.is(index, "LEFT") {
        Ok(End::Left)
    } else if words.is(index, "RIGHT") {
        Ok(End::Right)
    } else {
        Err(SYNTAX)
    }
}

fn move_element<'a>(words: &Words<'a>) -> Parsed<'a> {
    let (from_end, to_end) = (end_at(words, 3)?, end_at(words, 4)?);
    parsed(ListOperation::Move { from: words.word(1), to: words.word(2), from_end, to_end })
}

fn move_to_front<'a>(words: &Words<'a>) -> Parsed<'a> {
    let (from_end, to_end) = (End::Right, End::Left);
    parsed(ListOperation::Move { from: words.word(1), to: words.word(2), from_end, to_end })
}

fn find<'a>(words: &Words<'a>) -> Parsed<'a> {
    let (mut rank, mut count, mut looked_at_max) = (1, None, 0);
    for at in (3..words.args.len()).step_by(2) {
        if at + 1 == words.args.len() {
            return Err(SYNTAX);
        }
        let natural = |text: &'static str| natural(words, at + 1).ok_or(Reply::error(text));
        if words.is(at, "RANK") {
            rank = match words.integer(at + 1)? {
                0 => {
                    return Err(Reply::error(
                        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
                    ));
                }
                i64::MIN => {
                    return Err(Reply::error(
                        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
                    ));
                }
                rank => rank,
            };
        } else if words.is(at, "COUNT") {
            count = Some(natural("ERR COUNT can't be negative")?);
        } else if words.is(at, "MAXLEN") {
            looked_at_max = natural("ERR MAXLEN can't be negative")?;
        } else {
            return Err(SYNTAX);
        }
    }
    parsed(ListOperation::Find { key: words.word(1), element: words.word(2), rank, count, looked_at_max })
}
