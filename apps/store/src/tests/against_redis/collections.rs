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
    "ZADD e R M",
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

const SORTED_SETS: Family = Family {
    commands: &[
        "ZADD K R M",
        "ZADD K R M R M R M",
        "ZADD K SCORED",
        "ZADD K O R M",
        "ZADD K O O R M",
        "ZADD K O R M R M",
        "ZADD K CH R M R M",
        "ZADD K INCR R M",
        "ZADD K O INCR R M",
        "ZADD K R M R",
        "ZINCRBY K R M",
        "ZINCRBY K R M",
        "ZREM K M",
        "ZREM K M M M",
        "ZSCORE K M",
        "ZMSCORE K M M M",
        "ZCARD K",
        "ZCOUNT K B B",
        "ZRANK K M",
        "ZREVRANK K M",
        "ZRANGE K N N",
        "ZRANGE K I I WITHSCORES",
        "ZRANGE K 0 -1 WITHSCORES",
        "ZRANGE K 0 -1 REV",
        "ZRANGE K B B BYSCORE",
        "ZRANGE K B B BYSCORE REV WITHSCORES",
        "ZRANGE K B B BYSCORE LIMIT I I",
        "ZRANGE K B B REV BYSCORE LIMIT I I WITHSCORES",
        "ZRANGE K I I O",
        "ZRANGE K I I LIMIT I I",
        "ZRANGE K - + BYLEX WITHSCORES",
        "ZRANGESTORE K K I I",
        "ZRANGESTORE K K B B BYSCORE",
        "ZRANGESTORE K K B B BYSCORE REV LIMIT I I",
        "ZRANGESTORE K K I I O",
        "ZRANGEBYSCORE K B B",
        "ZRANGEBYSCORE K B B WITHSCORES LIMIT I I",
        "ZRANGEBYSCORE K B B O",
        "ZREVRANGEBYSCORE K B B WITHSCORES",
        "ZREVRANGEBYSCORE K B B LIMIT I I",
        "ZREVRANGE K I I WITHSCORES",
        "ZREVRANGE K I I O",
        "ZPOPMIN K",
        "ZPOPMAX K",
        "ZPOPMIN K I",
        "ZPOPMAX K I",
        "ZPOPMAX K I I",
        "ZMPOP 1 K MIN",
        "ZMPOP 2 K K MAX COUNT I",
        "ZMPOP N K K MIN",
        "ZMPOP 2 K K O",
        "ZRANDMEMBER K",
        "ZRANDMEMBER K I",
        "ZRANDMEMBER K I WITHSCORES",
        "ZRANDMEMBER K I O",
        "ZREMRANGEBYRANK K I I",
        "ZREMRANGEBYSCORE K B B",
        "ZSCAN K 0 COUNT 100000",
        "ZSCAN K 0 COUNT 100000 MATCH P",
        "ZSCAN K x",
        "ZSCAN K 0 COUNT E",
        "ZSCAN K 0 COUNT 100000 O N",
        "ZADD K R",
        "ZSCORE K",
        "ZRANK K M M",
    ],
    options: &["NX", "XX", "GT", "LT", "CH", "INCR", "WITHSCORES", "REV", "BYSCORE", "LIMIT", "MATCH", "foo"],
};

/// Sorted sets and sets, combined.
const COMBINATIONS: Family = Family {
    commands: &[
        "ZADD K R M R M R M",
        "ZADD K R M R M R M",
        "ZADD K SCORED",
        "SADD K M M",
        "SADD K MEMBERS",
        "ZUNION 1 K",
        "ZUNION 2 K K",
        "ZUNION 3 K K K WITHSCORES",
        "ZUNION 2 K K WEIGHTS R R WITHSCORES",
        "ZUNION 2 K K AGGREGATE MIN WITHSCORES",
        "ZUNION 2 K K WEIGHTS R R AGGREGATE MAX WITHSCORES",
        "ZUNION 2 K K O",
        "ZUNION N K K",
        "ZUNION 3 K K",
        "ZINTER 2 K K",
        "ZINTER 3 K K K WITHSCORES",
        "ZINTER 2 K K WEIGHTS R R WITHSCORES",
        "ZINTER 2 K K AGGREGATE MIN WITHSCORES",
        "ZINTER 2 K K AGGREGATE O WITHSCORES",
        "ZINTER 1 K WEIGHTS R WITHSCORES",
        "ZINTER N K WEIGHTS R R",
        "ZDIFF 1 K WITHSCORES",
        "ZDIFF 2 K K WITHSCORES",
        "ZDIFF 3 K K K",
        "ZDIFF 2 K K WEIGHTS 1 2",
        "ZUNIONSTORE K 2 K K",
        "ZUNIONSTORE K 2 K K WEIGHTS R R",
        "ZUNIONSTORE K 2 K K AGGREGATE MAX",
        "ZUNIONSTORE K 2 K K WITHSCORES",
        "ZUNIONSTORE K N K K",
        "ZINTERSTORE K 2 K K",
        "ZINTERSTORE K 2 K K WEIGHTS R R AGGREGATE MIN",
        "ZINTERSTORE K 2 K K O R",
        "ZDIFFSTORE K 2 K K",
        "ZINTERCARD 2 K K",
        "ZINTERCARD 2 K K LIMIT I",
        "ZINTERCARD N K K",
        "ZINTERCARD 2 K K O I",
        "ZRANGE K 0 -1 WITHSCORES",
        "ZCARD K",
    ],
    options: &["WEIGHTS", "AGGREGATE", "WITHSCORES", "LIMIT", "SUM", "max", "foo"],
};

/// Ranges of names are defined where all scores are equal.
const NAMES: Family = Family {
    commands: &[
        "ZADD z 0 M 0 M 0 M 0 M",
        "ZADD z 0 M 0 M 0 M 0 M",
        "ZREM z M M",
        "ZLEXCOUNT z L L",
        "ZRANGEBYLEX z L L",
        "ZRANGEBYLEX z L L LIMIT I I",
        "ZREVRANGEBYLEX z L L",
        "ZREVRANGEBYLEX z L L LIMIT I I",
        "ZRANGE z L L BYLEX",
        "ZRANGE z L L BYLEX REV LIMIT I I",
        "ZRANGE z L L BYLEX O",
        "ZRANGESTORE y z L L BYLEX",
        "ZREMRANGEBYLEX z L L",
        "RPUSH q V",
        "ZLEXCOUNT q L L",
        "ZRANGEBYLEX nowhere L L",
        "ZRANGE z 0 -1",
    ],
    options: &["WITHSCORES", "LIMIT", "BYSCORE", "REV", "foo"],
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
            "B" => pick(&[
                "0", "1", "(1", "-1", "2.5", "(2.5", "100", "(500", "inf", "+inf", "-inf", "(-inf", "x",
                "nan", "", "(", " 1", "1e400",
            ]),
            "L" => pick(&["-", "+", "[a", "(a", "[b", "(c", "[", "(", "[7", "(x", "[zz", "a", "", "+x"]),
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
        let Some(mut pair) = Pair::start(protocol, seed) else { return };
        let mut rng = Rng::new(seed);
        for _ in 0..4_000 {
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

#[test]
fn sorted_sets_answer_as_a_stock_server_does() {
    check(&SORTED_SETS, 4);
    check(&COMBINATIONS, 5);
    check(&NAMES, 6);
}
