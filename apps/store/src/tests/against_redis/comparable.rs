//! What of an answer is compared: all of it, but for orders and choices that are free.

use synod_resp::Reply;

/// Hides what may differ: the order of keys, fields and members, which of them chance picks, and times that pass
/// between the two answers.
pub(super) fn comparable(words: &[String], reply: &Reply) -> String {
    match (words[0].as_str(), reply) {
        ("KEYS" | "HKEYS" | "HVALS", Reply::Array(items)) => sorted(items),
        ("SMEMBERS" | "SINTER" | "SUNION" | "SDIFF", Reply::Array(items)) => sorted(items),
        ("SMEMBERS" | "SINTER" | "SUNION" | "SDIFF", Reply::Set(items)) => format!("set {}", sorted(items)),
        ("HGETALL", Reply::Array(items)) => sorted_pairs(items),
        ("HGETALL", Reply::Map(pairs)) => {
            let mut pairs: Vec<String> = pairs.iter().map(|pair| format!("{pair:?}")).collect();
            pairs.sort();
            format!("map {pairs:?}")
        }
        ("SCAN" | "SSCAN" | "HSCAN" | "ZSCAN", Reply::Array(pair)) => match pair.as_slice() {
            [cursor, Reply::Array(items)] if matches!(words[0].as_str(), "HSCAN" | "ZSCAN") => {
                format!("{cursor:?} {}", sorted_pairs(items))
            }
            [cursor, Reply::Array(items)] => format!("{cursor:?} {}", sorted(items)),
            _ => format!("{reply:?}"),
        },
        // A string that was appended to is told as `raw` by a stock server, however short it is.
        ("OBJECT", Reply::Bulk(name)) if matches!(&**name, b"int" | b"embstr" | b"raw") => {
            "string".to_owned()
        }
        ("SPOP" | "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER", reply) => shape(reply),
        ("TTL" | "PTTL" | "EXPIRETIME" | "PEXPIRETIME", Reply::Integer(time)) if *time > 0 => {
            let tolerance = if words[0].starts_with('P') { 20_000 } else { 20 };
            format!("about {}", (time + tolerance / 2) / tolerance)
        }
        _ => whole(reply),
    }
}

/// As `comparable`, for what a transaction of these commands answers.
pub(super) fn transaction(queued: &[Vec<String>], reply: &Reply) -> String {
    match reply {
        Reply::Array(replies) if replies.len() == queued.len() => {
            let pairs = queued.iter().zip(replies);
            let told: Vec<String> = pairs.map(|(words, reply)| comparable(words, reply)).collect();
            // A time may fall on the edge of its interval.
            told.iter().map(|text| text.strip_prefix("about").map_or(text.as_str(), |_| "a time")).collect()
        }
        _ => whole(reply),
    }
}

/// All of a reply; its `Debug` form cuts long strings.
fn whole(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Reply::Array(items) => format!("{:?}", items.iter().map(whole).collect::<Vec<_>>()),
        _ => format!("{reply:?}"),
    }
}

fn sorted(items: &[Reply]) -> String {
    let mut items: Vec<String> = items.iter().map(whole).collect();
    items.sort();
    format!("{items:?}")
}

fn sorted_pairs(items: &[Reply]) -> String {
    let mut pairs: Vec<String> = items.chunks(2).map(|pair| format!("{pair:?}")).collect();
    pairs.sort();
    format!("{pairs:?}")
}

/// What chance does not decide.
fn shape(reply: &Reply) -> String {
    let each = |items: &[Reply]| items.iter().map(shape).collect::<Vec<_>>().join(",");
    match reply {
        Reply::Bulk(_) => "bulk".to_owned(),
        Reply::Double(_) => "double".to_owned(),
        Reply::Array(items) => format!("[{}]", each(items)),
        Reply::Set(items) => format!("~[{}]", each(items)),
        _ => format!("{reply:?}"),
    }
}
