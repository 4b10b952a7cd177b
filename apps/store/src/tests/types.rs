//! Hashes, lists, sets and sorted sets: commands and the exact answers, which are those of a stock Redis 7.

use super::Desk;

/// Runs `script` on an empty store: lines of `command -> answer`.
fn check(script: &str) {
    let mut desk = Desk::default();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (command, expected) = line.split_once(" -> ").expect(line);
        assert_eq!(desk.say(command), expected, "{command}");
    }
}

#[test]
fn hashes_answer_as_redis_does() {
    check(
        r#"
        HSET h f v -> :1
        HSET h f w g 1 -> :1
        HSET h f -> -ERR wrong number of arguments for 'hset' command
        HGETALL h -> {"f": "w", "g": "1"}
        HMGET h f x g -> ["w", null, "1"]
        HINCRBY h g 41 -> :42
        HINCRBY h f 1 -> -ERR hash value is not an integer
        HINCRBY h g 9223372036854775807 -> -ERR increment or decrement would overflow
        HINCRBYFLOAT h g 0.5 -> "42.5"
        HINCRBYFLOAT h g inf -> -ERR value is NaN or Infinity
        HSTRLEN h g -> :4
        HEXISTS h x -> :0
        HSETNX h f z -> :0
        HRANDFIELD h 9 WITHVALUES -> [("f", "w"), ("g", "42.5")]
        HRANDFIELD none 9 -> []
        HSCAN h 0 MATCH f -> ["0", ["f", "w"]]
        OBJECT ENCODING h -> "listpack"
        HDEL h f g x -> :2
        EXISTS h -> :0
        SET s x -> +OK
        HGET s f -> -WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn lists_answer_as_redis_does() {
    check(
        r#"
        RPUSH l a b c -> :3
        LPUSH l z -> :4
        LRANGE l 0 -1 -> ["z", "a", "b", "c"]
        LRANGE l -2 100 -> ["b", "c"]
        LRANGE l 3 1 -> []
        LINDEX l -1 -> "c"
        LINDEX none x -> null
        LINDEX l x -> -ERR value is not an integer or out of range
        LSET none x y -> -ERR no such key
        LSET l 9 y -> -ERR index out of range
        LINSERT l AFTER a b -> :5
        LINSERT l AFTER x b -> :-1
        LPOS l b COUNT 0 -> [:2, :3]
        LPOS l b RANK -1 -> :3
        LREM l -1 b -> :1
        LMOVE l m LEFT RIGHT -> "z"
        LMPOP 2 none l RIGHT COUNT 2 -> ["l", ["c", "b"]]
        LPOP l 0 -> []
        LPOP l 9 -> ["a"]
        LPOP l 9 -> null-array
        LPOP l -> null
        RPUSHX l a -> :0
        OBJECT ENCODING m -> "quicklist"
        LPOP m -1 -> -ERR value is out of range, must be positive
        "#,
    );
}

#[test]
fn sets_answer_as_redis_does() {
    check(
        r#"
        SADD a 1 2 3 -> :3
        SADD a 3 -> :0
        OBJECT ENCODING a -> "intset"
        SADD b 3 x -> :2
        OBJECT ENCODING b -> "hashtable"
        SINTER a b -> {"3"}
        SINTER a none -> {}
        SDIFF b a -> {"x"}
        SUNIONSTORE u a b -> :4
        SINTERCARD 2 a u LIMIT 2 -> :2
        SINTERCARD 3 a u -> -ERR Number of keys can't be greater than number of args
        SMISMEMBER a 1 9 -> [:1, :0]
        SMOVE b a x -> :1
        SPOP none -> null
        SPOP none 2 -> {}
        SREM b 3 -> :1
        EXISTS b -> :0
        SINTERSTORE u a none -> :0
        EXISTS u -> :0
        "#,
    );
}

#[test]
fn sorted_sets_answer_as_redis_does() {
    check(
        r#"
        ZADD z 1 a 2 b 2.5 c -> :3
        ZADD z CH 0.1 a 9 d -> :2
        ZADD z GT INCR -5 b -> null
        ZADD z XX INCR inf c -> ,inf
        ZADD z INCR -inf c -> -ERR resulting score is not a number (NaN)
        ZADD z NX XX 1 a -> -ERR XX and NX options at the same time are not compatible
        ZADD z nan a -> -ERR value is not a valid float
        ZRANGE z 0 -1 WITHSCORES -> [("a", ,0.10000000000000001), ("b", ,2), ("d", ,9), ("c", ,inf)]
        ZRANGE z 0 -1 REV -> ["c", "d", "b", "a"]
        ZRANGE z (2 +inf BYSCORE LIMIT 0 1 -> ["d"]
        ZRANGE z 0 1 LIMIT 0 1 -> -ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
        ZRANK z d -> :2
        ZREVRANK z d -> :1
        ZRANK z x -> null
        ZCOUNT z 2 9 -> :2
        ZCOUNT z x 9 -> -ERR min or max is not a float
        ZMSCORE z a x -> [,0.10000000000000001, null]
        ZPOPMAX z -> ["c", ,inf]
        ZPOPMIN z 1 -> [("a", ,0.10000000000000001)]
        ZMPOP 1 z MAX -> ["z", [["d", ,9]]]
        SADD s b x -> :2
        ZUNION 2 z s WEIGHTS 2 3 WITHSCORES -> [("x", ,3), ("b", ,7)]
        ZINTERCARD 2 z s -> :1
        ZDIFFSTORE d 2 s z -> :1
        ZUNION 0 z -> -ERR at least 1 input key is needed for 'zunion' command
        ZADD l 0 a 0 b 0 c -> :3
        ZRANGEBYLEX l [b + -> ["b", "c"]
        ZREVRANGEBYLEX l + (a LIMIT 1 5 -> ["b"]
        ZLEXCOUNT l - (c -> :2
        ZREMRANGEBYRANK l 0 -2 -> :2
        ZRANGESTORE m l 0 -1 -> :1
        OBJECT ENCODING m -> "listpack"
        "#,
    );
}

#[test]
fn ranges_of_names_among_different_scores_mean_the_same_in_every_tree() {
    use synod_stdx::{Rng, Wire};
    let mut desk = Desk::default();
    let mut rng = Rng::new(1);
    for index in 0..500 {
        let score = rng.below(3).to_string();
        desk.ask(&["ZADD", "z", &score, &format!("m{:03}", (index * 7) % 500)]);
    }
    // The same members in a tree that was built in order.
    let mut twin =
        Desk { keyspace: crate::Keyspace::from_bytes(&desk.keyspace.to_bytes()).unwrap(), ..Desk::default() };
    for _ in 0..200 {
        let (low, high) = (rng.below(500), rng.below(500));
        let line = format!("ZRANGEBYLEX z [m{low:03} (m{high:03}");
        assert_eq!(desk.say(&line), twin.say(&line));
    }
    let line = "ZREMRANGEBYLEX z [m100 [m200";
    assert_eq!(desk.say(line), twin.say(line));
    assert_eq!(desk.keyspace, twin.keyspace);
}
