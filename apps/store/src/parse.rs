//! From a client's words to operations: options, numbers and times are understood here, once, with Redis's errors.

use crate::collection::refuse_later;
use crate::extended::{Extended, Number};
use crate::items::Items;
use crate::operation::{Absent, Expiry, Operation, SetAnswer, When};
use crate::strings::{NOT_A_FLOAT, NOT_AN_INTEGER, NOT_AN_INTEGER_TEXT};
use crate::value::Kind;
use synod_resp::{Args, Reply, parse_integer};

/// The time of the log never is later than this, in ms since 1970.
const NOW_MS_MAX: i64 = 1 << 44;

pub(crate) const SYNTAX: Reply = Reply::error("ERR syntax error");

/// A client's words with what is needed to make them deterministic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    /// The command's name in lower case, for errors.
    pub(crate) name: &'static str,
    pub(crate) args: Args<'a>,
    /// A number drawn by who proposes.
    pub(crate) random: u64,
    /// The longest value that a command may make.
    pub(crate) value_bytes_max: u64,
}

/// An operation, or the error that the client gets.
pub(crate) type Parsed<'a> = Result<Operation<'a>, Reply>;

impl<'a> Words<'a> {
    /// The argument at `index`. The arity was checked, so it is there where the grammar demands it.
    pub(crate) fn word(&self, index: usize) -> &'a [u8] {
        self.args.get(index).unwrap_or_default()
    }

    pub(crate) fn is(&self, index: usize, word: &str) -> bool {
        self.word(index).eq_ignore_ascii_case(word.as_bytes())
    }

    pub(crate) fn integer(&self, index: usize) -> Result<i64, Reply> {
        parse_integer(self.word(index)).ok_or(NOT_AN_INTEGER)
    }

    pub(crate) fn wrong_arity(&self) -> Reply {
        Reply::Error(format!("ERR wrong number of arguments for '{}' command", self.name).into())
    }

    fn invalid_expire_time(&self) -> Reply {
        Reply::Error(format!("ERR invalid expire time in '{}' command", self.name).into())
    }

    /// The time that the number at `index` means, in ms: since 1970, or from when the operation runs.
    pub(crate) fn time(&self, index: usize, unit: Unit) -> Result<i64, Reply> {
        let number = self.integer(index)?;
        let ms = match unit {
            Unit::Seconds | Unit::AtSeconds => number.checked_mul(1000),
            Unit::Ms | Unit::AtMs => Some(number),
        };
        // A duration must have an end, whenever it begins.
        let latest = if unit.is_duration() { NOW_MS_MAX } else { 0 };
        ms.filter(|ms| ms.checked_add(latest).is_some()).ok_or_else(|| self.invalid_expire_time())
    }

    /// As `time`, for commands that take no time in the past.
    fn positive_time(&self, index: usize, unit: Unit) -> Result<Expiry, Reply> {
        if self.integer(index)? <= 0 {
            return Err(self.invalid_expire_time());
        }
        let ms = self.time(index, unit)?.cast_unsigned();
        Ok(if unit.is_duration() { Expiry::In(ms) } else { Expiry::At(ms) })
    }
}

/// How a time is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Ms,
    /// Seconds since 1970.
    AtSeconds,
    /// Milliseconds since 1970.
    AtMs,
}

impl Unit {
    /// Whether it counts from when the operation runs.
    pub(crate) fn is_duration(self) -> bool {
        matches!(self, Unit::Seconds | Unit::Ms)
    }

    /// The unit that an option's name stands for.
    fn of_option(word: &[u8]) -> Option<Unit> {
        [("EX", Unit::Seconds), ("PX", Unit::Ms), ("EXAT", Unit::AtSeconds), ("PXAT", Unit::AtMs)]
            .into_iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, unit)| unit)
    }
}

pub(crate) fn get<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Get { key: words.word(1) })
}

pub(crate) fn set<'a>(words: &Words<'a>) -> Parsed<'a> {
    let (mut when, mut answer) = (When::Always, SetAnswer::Ok);
    // The place of the number, and its unit.
    let mut time: Option<(usize, Unit)> = None;
    let mut keep = false;
    let mut at = 3;
    while at < words.args.len() {
        if words.is(at, "NX") && when != When::IfPresent {
            when = When::IfAbsent;
        } else if words.is(at, "XX") && when != When::IfAbsent {
            when = When::IfPresent;
        } else if words.is(at, "GET") {
            answer = SetAnswer::Old;
        } else if words.is(at, "KEEPTTL") && time.is_none() {
            keep = true;
        } else if let Some(unit) = Unit::of_option(words.word(at))
            && time.is_none()
            && !keep
            && at + 1 < words.args.len()
        {
            at += 1;
            time = Some((at, unit));
        } else {
            return Err(SYNTAX);
        }
        at += 1;
    }
    let expiry = match time {
        Some((at, unit)) => words.positive_time(at, unit)?,
        None if keep => Expiry::Keep,
        None => Expiry::Clear,
    };
    Ok(Operation::Set { key: words.word(1), value: words.word(2), when, expiry, answer })
}

pub(crate) fn set_nx<'a>(words: &Words<'a>) -> Parsed<'a> {
    let (when, answer) = (When::IfAbsent, SetAnswer::Flag);
    Ok(Operation::Set { key: words.word(1), value: words.word(2), when, expiry: Expiry::Clear, answer })
}

pub(crate) fn set_ex<'a>(words: &Words<'a>) -> Parsed<'a> {
    set_with_time(words, Unit::Seconds)
}

pub(crate) fn pset_ex<'a>(words: &Words<'a>) -> Parsed<'a> {
    set_with_time(words, Unit::Ms)
}

fn set_with_time<'a>(words: &Words<'a>, unit: Unit) -> Parsed<'a> {
    let expiry = words.positive_time(2, unit)?;
    let (when, answer) = (When::Always, SetAnswer::Ok);
    Ok(Operation::Set { key: words.word(1), value: words.word(3), when, expiry, answer })
}

pub(crate) fn get_set<'a>(words: &Words<'a>) -> Parsed<'a> {
    let (when, answer) = (When::Always, SetAnswer::Old);
    Ok(Operation::Set { key: words.word(1), value: words.word(2), when, expiry: Expiry::Clear, answer })
}

pub(crate) fn get_del<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::GetDel { key: words.word(1) })
}

pub(crate) fn get_ex<'a>(words: &Words<'a>) -> Parsed<'a> {
    let expiry = match words.args.len() {
        2 => Expiry::Keep,
        3 if words.is(2, "PERSIST") => Expiry::Clear,
        4 => {
            let unit = Unit::of_option(words.word(2)).ok_or(SYNTAX)?;
            match words.positive_time(3, unit) {
                Ok(expiry) => expiry,
                // A key that is not there is told before a time that is none.
                Err(error) if error == NOT_AN_INTEGER => {
                    return Ok(fail_if_present(words, NOT_AN_INTEGER_TEXT));
                }
                Err(_) => return Ok(fail_if_present(words, "ERR invalid expire time in 'getex' command")),
            }
        }
        _ => return Err(SYNTAX),
    };
    Ok(Operation::GetEx { key: words.word(1), expiry })
}

fn fail_if_present<'a>(words: &Words<'a>, text: &'static str) -> Operation<'a> {
    Operation::FailIfPresent { key: words.word(1), text: text.as_bytes() }
}

pub(crate) fn mget<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::MGet { keys: Items::Words(words.args.skip(1)) })
}

pub(crate) fn mset<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::MSet { pairs: pairs(words)? })
}

pub(crate) fn mset_nx<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::MSetNx { pairs: pairs(words)? })
}

fn pairs<'a>(words: &Words<'a>) -> Result<Items<'a>, Reply> {
    if words.args.len().is_multiple_of(2) {
        return Err(words.wrong_arity());
    }
    Ok(Items::Words(words.args.skip(1)))
}

pub(crate) fn append<'a>(words: &Words<'a>) -> Parsed<'a> {
    let value_bytes_max = words.value_bytes_max;
    Ok(Operation::Append { key: words.word(1), value: words.word(2), value_bytes_max })
}

pub(crate) fn str_len<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::StrLen { key: words.word(1) })
}

pub(crate) fn get_range<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::GetRange { key: words.word(1), start: words.integer(2)?, end: words.integer(3)? })
}

pub(crate) fn set_range<'a>(words: &Words<'a>) -> Parsed<'a> {
    let offset = u64::try_from(words.integer(2)?).map_err(|_| Reply::error("ERR offset is out of range"))?;
    let value_bytes_max = words.value_bytes_max;
    Ok(Operation::SetRange { key: words.word(1), offset, value: words.word(3), value_bytes_max })
}

pub(crate) fn incr<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Add { key: words.word(1), delta: 1 })
}

pub(crate) fn decr<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Add { key: words.word(1), delta: -1 })
}

pub(crate) fn incr_by<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Add { key: words.word(1), delta: words.integer(2)? })
}

pub(crate) fn decr_by<'a>(words: &Words<'a>) -> Parsed<'a> {
    let delta = words.integer(2)?.checked_neg();
    let delta = delta.ok_or(Reply::error("ERR decrement would overflow"))?;
    Ok(Operation::Add { key: words.word(1), delta })
}

pub(crate) fn incr_by_float<'a>(words: &Words<'a>) -> Parsed<'a> {
    match Extended::parse(words.word(2)) {
        None => refuse_later(words, Kind::String, Absent::Refused, &NOT_A_FLOAT),
        // That infinity cannot be added is told only if the value is a number.
        Some(Number::Infinite | Number::Finite(_)) => {
            Ok(Operation::AddFloat { key: words.word(1), delta: words.word(2) })
        }
    }
}
