//! As `parse`, for the commands on keys of any type.

use crate::collection::{ScanOptions, parse_cursor, parse_pattern, parse_scan_options};
use crate::items::Items;
use crate::operation::{Aspect, ExpireWhen, Operation, TtlForm};
use crate::parse::{Parsed, SYNTAX, Unit, Words};
use synod_resp::Reply;

pub(crate) fn del<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Del { keys: Items::Words(words.args.skip(1)) })
}

pub(crate) fn exists<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Exists { keys: Items::Words(words.args.skip(1)) })
}

pub(crate) fn kind<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Type { key: words.word(1) })
}

pub(crate) fn rename<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Rename { from: words.word(1), to: words.word(2) })
}

pub(crate) fn rename_nx<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::RenameNx { from: words.word(1), to: words.word(2) })
}

pub(crate) fn copy<'a>(words: &Words<'a>) -> Parsed<'a> {
    let (mut replace, mut at) = (false, 3);
    while at < words.args.len() {
        if words.is(at, "REPLACE") {
            replace = true;
        } else if words.is(at, "DB") && at + 1 < words.args.len() {
            at += 1;
            match words.integer(at)? {
                0 => {}
                1..=15 => {
                    return Err(Reply::error(
                        "ERR Copying to another database is not allowed in cluster mode",
                    ));
                }
                _ => return Err(Reply::error("ERR DB index is out of range")),
            }
        } else {
            return Err(SYNTAX);
        }
        at += 1;
    }
    if words.word(1) == words.word(2) {
        return Err(Reply::error("ERR source and destination objects are the same"));
    }
    Ok(Operation::Copy { from: words.word(1), to: words.word(2), replace })
}

pub(crate) fn random_key<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::RandomKey { random: words.random })
}

pub(crate) fn keys<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Keys { pattern: parse_pattern(words, 1)? })
}

pub(crate) fn scan<'a>(words: &Words<'a>) -> Parsed<'a> {
    let cursor = parse_cursor(words, 1)?;
    let ScanOptions { count, pattern, kind } = parse_scan_options(words, 2, true)?;
    Ok(Operation::Scan { cursor, count, pattern, kind })
}

pub(crate) fn db_size<'a>(_words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::DbSize {})
}

pub(crate) fn flush<'a>(words: &Words<'a>) -> Parsed<'a> {
    match words.args.len() {
        1 => Ok(Operation::Flush {}),
        2 if words.is(1, "ASYNC") || words.is(1, "SYNC") => Ok(Operation::Flush {}),
        _ => Err(SYNTAX),
    }
}

pub(crate) fn expire<'a>(words: &Words<'a>) -> Parsed<'a> {
    expire_at_time(words, Unit::Seconds)
}

pub(crate) fn pexpire<'a>(words: &Words<'a>) -> Parsed<'a> {
    expire_at_time(words, Unit::Ms)
}

pub(crate) fn expire_at<'a>(words: &Words<'a>) -> Parsed<'a> {
    expire_at_time(words, Unit::AtSeconds)
}

pub(crate) fn pexpire_at<'a>(words: &Words<'a>) -> Parsed<'a> {
    expire_at_time(words, Unit::AtMs)
}

fn expire_at_time<'a>(words: &Words<'a>, unit: Unit) -> Parsed<'a> {
    let [mut nx, mut xx, mut gt, mut lt] = [false; 4];
    for at in 3..words.args.len() {
        let options = [("NX", &mut nx), ("XX", &mut xx), ("GT", &mut gt), ("LT", &mut lt)];
        match options.into_iter().find(|(name, _)| words.is(at, name)) {
            Some((_, flag)) => *flag = true,
            None => {
                let option = String::from_utf8_lossy(words.word(at));
                return Err(Reply::Error(format!("ERR Unsupported option {option}").into()));
            }
        }
    }
    if nx && (xx || gt || lt) {
        return Err(Reply::error("ERR NX and XX, GT or LT options at the same time are not compatible"));
    }
    let when = match (nx, xx, gt, lt) {
        (_, _, true, true) => {
            return Err(Reply::error("ERR GT and LT options at the same time are not compatible"));
        }
        (true, ..) => ExpireWhen::IfNone,
        (_, _, true, _) => ExpireWhen::IfLater,
        (_, true, _, true) => ExpireWhen::IfAnyAndEarlier,
        (_, _, _, true) => ExpireWhen::IfEarlier,
        (_, true, ..) => ExpireWhen::IfAny,
        (false, false, false, false) => ExpireWhen::Always,
    };
    let (key, ms) = (words.word(1), words.time(2, unit)?);
    Ok(match unit.is_duration() {
        true => Operation::ExpireIn { key, after_ms: ms, when },
        false => Operation::ExpireAt { key, at_ms: ms, when },
    })
}

pub(crate) fn ttl<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Ttl { key: words.word(1), form: TtlForm::RelativeSeconds })
}

pub(crate) fn pttl<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Ttl { key: words.word(1), form: TtlForm::RelativeMs })
}

pub(crate) fn expire_time<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Ttl { key: words.word(1), form: TtlForm::AbsoluteSeconds })
}

pub(crate) fn pexpire_time<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Ttl { key: words.word(1), form: TtlForm::AbsoluteMs })
}

pub(crate) fn time<'a>(_words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Time {})
}

pub(crate) fn persist<'a>(words: &Words<'a>) -> Parsed<'a> {
    Ok(Operation::Persist { key: words.word(1) })
}

pub(crate) fn object<'a>(words: &Words<'a>) -> Parsed<'a> {
    let aspects = [
        ("encoding", Aspect::Encoding),
        ("idletime", Aspect::IdleTime),
        ("refcount", Aspect::RefCount),
        ("freq", Aspect::Frequency),
    ];
    let Some((name, aspect)) = aspects.into_iter().find(|(name, _)| words.is(1, name)) else {
        return Err(unknown_subcommand("OBJECT", words.word(1)));
    };
    if words.args.len() != 3 {
        return Err(wrong_subcommand_arity("object", name));
    }
    Ok(Operation::Object { key: words.word(2), aspect })
}

/// What a client is told that used a subcommand which does not exist.
pub(crate) fn unknown_subcommand(command: &str, word: &[u8]) -> Reply {
    let word = String::from_utf8_lossy(&word[..word.len().min(128)]);
    Reply::Error(format!("ERR unknown subcommand '{word}'. Try {command} HELP.").into())
}

pub(crate) fn wrong_subcommand_arity(command: &str, name: &str) -> Reply {
    Reply::Error(format!("ERR wrong number of arguments for '{command}|{name}' command").into())
}
