//! A table of commands and the exact answers, which are those of a stock Redis 7.

use super::Desk;

/// Runs `script` on an empty store: lines of `command -> answer`, a comment after `#`.
fn check(script: &str) {
    let mut desk = Desk::default();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (command, expected) = line.split_once(" -> ").expect(line);
        assert_eq!(desk.say(command), expected, "{command}");
    }
}

#[test]
fn strings_answer_as_redis_does() {
    check(
        r#"
        GET k -> null
        SET k v -> +OK
        GET k -> "v"
        SET k w NX -> null
        SET k w XX GET -> "v"
        SET n w XX -> null
        SET k v EX 0 -> -ERR invalid expire time in 'set' command
        SET k v EX 9223372036854775807 -> -ERR invalid expire time in 'set' command
        SET k v EX abc -> -ERR value is not an integer or out of range
        SET k v EX -> -ERR syntax error
        SET k v NX XX -> -ERR syntax error
        SET k v EX 10 PX 10 -> -ERR syntax error
        SET k v KEEPTTL EX 10 -> -ERR syntax error
        SET k -> -ERR wrong number of arguments for 'set' command
        SETNX k v -> :0
        SETEX k 10 v -> +OK
        TTL k -> :10
        SET k v KEEPTTL -> +OK
        TTL k -> :10
        SETEX k 0 v -> -ERR invalid expire time in 'setex' command
        PSETEX k -1 v -> -ERR invalid expire time in 'psetex' command
        GETSET k w -> "v"
        TTL k -> :-1
        GETEX k EX 100 -> "w"
        TTL k -> :100
        GETEX k PERSIST -> "w"
        TTL k -> :-1
        GETEX k EX 0 -> -ERR invalid expire time in 'getex' command
        GETEX k PXAT 1 -> "w"
        GETDEL k -> null
        MSET a 1 b 2 -> +OK
        MSET a 1 b -> -ERR wrong number of arguments for 'mset' command
        MGET a b c -> ["1", "2", null]
        MSETNX c 3 a 4 -> :0
        EXISTS c -> :0
        MSETNX c 3 d 4 -> :1
        GETDEL d -> "4"
        APPEND s ab -> :2
        APPEND s cd -> :4
        STRLEN s -> :4
        GETRANGE s 1 -2 -> "bc"
        GETRANGE s -3 100 -> "bcd"
        GETRANGE s 3 1 -> ""
        GETRANGE s a 1 -> -ERR value is not an integer or out of range
        SUBSTR s 0 0 -> "a"
        SETRANGE s 6 x -> :7
        GET s -> "abcd\x00\x00x"
        SETRANGE s -1 x -> -ERR offset is out of range
        SETRANGE s 536870912 x -> -ERR string exceeds maximum allowed size (proto-max-bulk-len)
        "#,
    );
}

#[test]
fn numbers_answer_as_redis_does() {
    check(
        r#"
        INCR n -> :1
        INCRBY n 41 -> :42
        DECR n -> :41
        DECRBY n 41 -> :0
        DECRBY n -9223372036854775808 -> -ERR decrement would overflow
        INCRBY n 9223372036854775807 -> :9223372036854775807
        INCR n -> -ERR increment or decrement would overflow
        INCRBY n x -> -ERR value is not an integer or out of range
        SET s abc -> +OK
        INCR s -> -ERR value is not an integer or out of range
        INCRBYFLOAT s 1 -> -ERR value is not a valid float
        INCRBYFLOAT f 10.5 -> "10.5"
        INCRBYFLOAT f 0.1 -> "10.6"
        INCRBYFLOAT f -5 -> "5.6"
        INCRBYFLOAT f 5.0e3 -> "5005.60000000000000009"
        INCRBYFLOAT f inf -> -ERR increment would produce NaN or Infinity
        INCRBYFLOAT f x -> -ERR value is not a valid float
        "#,
    );
}

#[test]
fn keys_answer_as_redis_does() {
    check(
        r#"
        MSET a 1 b 2 c 3 -> +OK
        DBSIZE -> :3
        EXISTS a a b x -> :3
        TOUCH a x -> :1
        TYPE a -> +string
        TYPE x -> +none
        RENAME x y -> -ERR no such key
        RENAME a z -> +OK
        RENAMENX z b -> :0
        RENAMENX z y -> :1
        COPY y y -> -ERR source and destination objects are the same
        COPY y b -> :0
        COPY y b REPLACE -> :1
        COPY y b DB 1 -> -ERR Copying to another database is not allowed in cluster mode
        COPY y b DB 16 -> -ERR DB index is out of range
        GET b -> "1"
        DEL y b x -> :2
        KEYS * -> ["c"]
        RANDOMKEY -> "c"
        SCAN 0 -> ["0", ["c"]]
        SCAN abc -> -ERR invalid cursor
        SCAN 0 COUNT 0 -> -ERR syntax error
        SCAN 0 MATCH -> -ERR syntax error
        SCAN 0 TYPE list -> ["0", []]
        OBJECT ENCODING c -> "int"
        OBJECT ENCODING x -> null
        OBJECT FOO -> -ERR unknown subcommand 'FOO'. Try OBJECT HELP.
        OBJECT ENCODING -> -ERR wrong number of arguments for 'object|encoding' command
        UNLINK c -> :1
        RANDOMKEY -> null
        FLUSHALL ASYNC SYNC -> -ERR syntax error
        FLUSHDB ASYNC -> +OK
        "#,
    );
}

#[test]
fn expiries_answer_as_redis_does() {
    check(
        r#"
        EXPIRE k 10 -> :0
        SET k v -> +OK
        TTL x -> :-2
        EXPIRE k 100 XX -> :0
        EXPIRE k 100 GT -> :0
        EXPIRE k 100 LT -> :1
        EXPIRE k 50 GT -> :0
        EXPIRE k 200 GT -> :1
        EXPIRE k 200 NX -> :0
        EXPIRE k 100 XX LT -> :1
        PTTL k -> :100000
        EXPIRETIME k -> :1100
        PEXPIRETIME k -> :1100000
        PEXPIRE k 1500 -> :1
        TTL k -> :2
        EXPIREAT k 2000 -> :1
        PEXPIRETIME k -> :2000000
        PEXPIREAT k 2000001 -> :1
        EXPIRETIME k -> :2000
        PERSIST k -> :1
        PERSIST k -> :0
        EXPIRE k 100 GT LT -> -ERR GT and LT options at the same time are not compatible
        EXPIRE k 100 NX XX -> -ERR NX and XX, GT or LT options at the same time are not compatible
        EXPIRE k abc FOO -> -ERR Unsupported option FOO
        EXPIRE k 9223372036854775807 -> -ERR invalid expire time in 'expire' command
        EXPIRE k -1 -> :1
        EXISTS k -> :0
        "#,
    );
}

#[test]
fn what_nobody_knows_is_told_in_the_stock_servers_words() {
    let mut desk = Desk::default();
    let mut error = |words: &[&str]| {
        let mut out = Vec::new();
        desk.ask(words).write(synod_resp::Protocol::Resp2, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(error(&["FO\r\nOB!!"]), "-ERR unknown command 'FO  OB!!', with args beginning with: \r\n");
    assert_eq!(
        error(&["nope", "a", "b c"]),
        "-ERR unknown command 'nope', with args beginning with: 'a' 'b c' \r\n"
    );
    let long = "x".repeat(300);
    let shown = "x".repeat(128);
    let expected = format!("-ERR unknown command '{shown}', with args beginning with: '{shown}' \r\n");
    assert_eq!(error(&[&long, &long, &long]), expected);
    assert_eq!(error(&["get"]), "-ERR wrong number of arguments for 'get' command\r\n");
    assert_eq!(error(&["POST", "/"]), "-closed: an HTTP request came to the Redis port\r\n");
}

#[test]
fn every_command_of_the_table_runs() {
    for spec in crate::table::all() {
        let mut desk = Desk::default();
        let words = vec!["1"; spec.arity.unsigned_abs() as usize - 1];
        let mut words: Vec<&str> = std::iter::once(spec.name).chain(words).collect();
        if spec.name == "once" {
            words = vec!["once", "1", "1", "get", "k"];
        }
        let shown = format!("{:?}", desk.ask(&words));
        assert!(!shown.contains("newer version") && !shown.contains("unknown command"), "{words:?}: {shown}");
    }
}
