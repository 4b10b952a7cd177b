//! Hashes, lists, sets and sorted sets, in both versions of the protocol.

use super::Pair;
use synod_resp::Protocol;
use synod_stdx::Rng;

/// What the commands of one type are made of.
struct Family {
    commands: &'static [&'static str],
    /// Words that stand where an option does.
    options: &'static [&'static str],
}

/// Commands on keys of any type; each family also runs these.
const ANY: &[&str] = &[
    "DEL K",
    "TYPE K",
    "EXISTS K",
    "OBJECT ENCODING K",
    "OBJECT ENCODING K",
    "COPY K K REPLACE",
    "RENAME K K",
    "RENAMENX K K",
    "EXPIRE K 1000",
    "PERSIST K",
    "TTL K",
    "SCAN 0 COUNT 100000 TYPE hash",
    "SCAN 0 COUNT 100000 TYPE zset",
    "SCAN 0 COUNT 100000 TYPE ZSET",
    "SCAN 0 COUNT 100000 TYPE foo",
    "DBSIZE",
    // What holds another type.
    "SET a V",
    "SET a V XX GET",
    "GET K",
    "GETDEL K",
    "GETEX K",
    "GETEX K EX x",
    "GETEX K EX -1",
    "APPEND K V",
    "STRLEN K",
    "INCR K",
    "INCRBYFLOAT K x",
    "GETRANGE K 0 1",
    "SETRANGE K 0 x",
    "SETRANGE K 0 ",
    "MGET K K",
    "HSET b M V",
    "RPUSH c V",
    "SADD d M",
    "MULTI",
    "EXEC",
    "EXEC",
    "EXEC",
];

const HASHES: Family = Family {
    commands: &[
        "HSET K M V",
        "HSET K M V M V",
        "HSET K M V M",
        "HSET K PAIRS",
        "HSETNX K M V",
        "HGET K M",
        "HMSET K M V M V",
        "HMSET K M V M",
        "HMGET K M M M",
        "HGETALL K",
        "HKEYS K",
        "HVALS K",
        "HDEL K M",
        "HDEL K M M M",
        "HEXISTS K M",
        "HLEN K",
        "HSTRLEN K M",
        "HINCRBY K M N",
        "HINCRBY K n N",
        "HINCRBYFLOAT K M F",
        "HINCRBYFLOAT K n F",
        "HRANDFIELD K",
        "HRANDFIELD K I",
        "HRANDFIELD K I WITHVALUES",
        "HRANDFIELD K I O",
        "HRANDFIELD K I O O",
        "HSCAN K 0 COUNT 100000",
        "HSCAN K 0 COUNT 100000 MATCH P",
        "HSCAN K x",
        "HSCAN K 0 COUNT E",
        "HSCAN K 0 COUNT 100000 O N",
        "HSET K M",
        "HGET K",
        "HGET K M M",
    ],
    options: &["WITHVALUES", "MATCH", "TYPE", "foo"],
};

const LISTS: Family = Family {
    commands: &[
        "LPUSH K M",
        "LPUSH K M M M",
        "RPUSH K M",
        "RPUSH K M M M",
        "RPUSH K MEMBERS",
        "LPUSH K MEMBERS",
        "LPUSHX K M",
        "RPUSHX K M M",
        "LPOP K",
        "RPOP K",
        "LPOP K I",
        "RPOP K I",
        "LPOP K I I",
        "LLEN K",
        "LRANGE K N N",
        "LRANGE K I I",
        "LRANGE K 0 -1",
        "LINDEX K N",
        "LINDEX K I",
        "LSET K N M",
        "LSET K I M",
        "LINSERT K BEFORE M M",
        "LINSERT K AFTER M M",
        "LINSERT K O M M",
        "LREM K N M",
        "LREM K I M",
        "LTRIM K N N",
        "LTRIM K 1 -2",
        "LPOS K M",
        "LPOS K M RANK J",
        "LPOS K M COUNT I",
        "LPOS K M RANK J COUNT I MAXLEN I",
        "LPOS K M MAXLEN I RANK -1",
        "LPOS K M O J",
        "LPOS K M O",
        "LMOVE K K LEFT RIGHT",
        "LMOVE K K RIGHT LEFT",
        "LMOVE K K LEFT LEFT",
        "LMOVE K K RIGHT O",
        "RPOPLPUSH K K",
        "LMPOP 1 K LEFT",
        "LMPOP 2 K K RIGHT COUNT I",
        "LMPOP N K K LEFT COUNT 2",
        "LMPOP 2 K K O",
        "LMPOP 2 K K LEFT O I",
        "LMPOP 3 K K LEFT",
        "LPUSH K",
        "LLEN K K",
    ],
    options: &["LEFT", "RIGHT", "COUNT", "RANK", "before", "MAXLEN", "foo"],
};

const SETS: Family = Family {
    commands: &[
        "SADD K M",
        "SADD K M M M",
        "SADD K 1 2 3",
        "SADD K MEMBERS",
        "SADD K MEMBERS",
        "SREM K M",
        "SREM K M 1 2",
        "SMEMBERS K",
        "SISMEMBER K M",
        "SMISMEMBER K M M M",
        "SCARD K",
        "SPOP K",
        "SPOP K I",
        "SPOP K I I",
        "SRANDMEMBER K",
        "SRANDMEMBER K I",
        "SRANDMEMBER K I I",
        "SMOVE K K M",
        "SINTER K",
        "SINTER K K",
        "SINTER K K K",
        "SUNION K K",
        "SUNION K K K",
        "SDIFF K K",
        "SDIFF K K K",
        "SINTERSTORE K K K",
        "SUNIONSTORE K K K",
        "SDIFFSTORE K K K",
        "SINTERCARD 2 K K",
        "SINTERCARD 2 K K LIMIT I",
        "SINTERCARD N K K",
        "SINTERCARD 1 K K",
        "SINTERCARD 1 K O",
        "SSCAN K 0 COUNT 100000",
        "SSCAN K 0 COUNT 100000 MATCH P",
        "SSCAN K x",
        "SSCAN K 0 COUNT E",
        "SSCAN K 0 COUNT 100000 O N",
        "SADD K",
        "SINTERSTORE K",
        "SISMEMBER K M M",
    ],
    options: &["LIMIT", "MATCH", "TYPE", "foo"],
};

fn numbers(count: u64, rng: &mut Rng) -> Vec<String> {
    (0..count).map(|_| rng.below(2 * count).to_string()).collect()
}

/// A command made of a template: each capital letter is a kind of argument.
fn invent(family: &Family, rng: &mut Rng) -> Vec<String> {
    let is_any = rng.below(4) == 0;
    let template = *rng.pick(if is_any { ANY } else { family.commands }).unwrap();
    let long = "long".repeat(20);
    let mut words = Vec::new();
    for word in template.split(' ') {
        let many = *rng.pick(&[10, 100, 150, 600]).unwrap();
        let mut pick = |choices: &[&str]| (*rng.pick(choices).unwrap()).to_owned();
        words.push(match word {
            "K" => pick(&["a", "b", "c", "d", "e", "f", "g", "", "none"]),
            "M" => pick(&["", "a", "b", "c", "n", "7", "-3", "12", "x\u{0}", &long]),
            "V" => pick(&["", "v", "12", "-7", "3.25", " 1", "9223372036854775807", "1e3", "inf", &long]),
            "N" => pick(&[
                "0",
                "1",
                "-1",
                "2",
                "-3",
                "100",
                "x",
                "",
                "9223372036854775807",
                "-9223372036854775808",
                "01",
                "1.5",
            ]),
            "J" => pick(&["1", "-1", "2", "-2", "0", "100", "x", "-9223372036854775807"]),
            "E" => pick(&["0", "-1", "x", ""]),
            "I" => pick(&[
                "0",
                "1",
                "-1",
                "2",
                "-3",
                "5",
                "-20",
                "100",
                "x",
                "-9223372036854775808",
                "9223372036854775807",
            ]),
            "F" => {
                pick(&["0.1", "-0.1", "1000.1", "3", "1e10", "123456789.123", "x", "inf", "-inf", "nan", ""])
            }
            "R" => pick(&[
                "0", "1", "-1", "2.5", "0.1", "1e20", "-1e-7", "inf", "-inf", "-0", "x", "nan", "1e400",
                "1e-400", "3", "4", "",
            ]),
            "P" => pick(&["*", "?", "[a-c]", "[^a]", "x*", "1*"]),
            "O" => pick(family.options),
            "PAIRS" | "SCORED" => {
                words.extend(numbers(2 * many, rng));
                continue;
            }
            "MEMBERS" => {
                words.extend(numbers(many, rng));
                continue;
            }
            literal => literal.to_owned(),
        });
    }
    words
}

fn check(family: &Family, seed: u64) {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let Some(mut pair) = Pair::start(protocol) else { return };
        let mut rng = Rng::new(seed);
        for _ in 0..10_000 {
            let words = invent(family, &mut rng);
            // Now and then it is told by a transaction whether the command modified its key.
            let watched = (rng.below(8) == 0 && words.len() > 1).then(|| words[1].clone());
            if let Some(key) = &watched {
                pair.ask(&["WATCH".to_owned(), key.clone()]);
            }
            pair.ask(&words);
            if watched.is_some() {
                for word in ["MULTI", "PING", "EXEC"] {
                    pair.ask(&[word.to_owned()]);
                }
            }
            // Chance decided what is left; or a stock server keeps it in a form that its members do not explain.
            if matches!(words[0].as_str(), "SPOP" | "SDIFFSTORE") && words.len() > 1 {
                for command in if words[0] == "SPOP" { &["DEL"][..] } else { &["SMEMBERS", "DEL"] } {
                    pair.ask(&[(*command).to_owned(), words[1].clone()]);
                }
            }
        }
    }
}

#[test]
fn hashes_answer_as_a_stock_server_does() {
    check(&HASHES, 1);
}

#[test]
fn lists_answer_as_a_stock_server_does() {
    check(&LISTS, 2);
}

#[test]
fn sets_answer_as_a_stock_server_does() {
    check(&SETS, 3);
}
