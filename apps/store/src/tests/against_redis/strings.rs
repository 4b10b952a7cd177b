//! Strings, keys and transactions.

use super::Pair;
use synod_resp::Protocol;
use synod_stdx::Rng;

const SEED: u64 = 2026;

const COMMANDS: &[&str] = &[
    "GET K",
    "SET K V",
    "SET K V O O",
    "SET K V O",
    "SETNX K V",
    "SETEX K E V",
    "PSETEX K E V",
    "GETSET K V",
    "GETDEL K",
    "GETEX K",
    "GETEX K O E",
    "GETEX K PERSIST",
    "GETEX K O",
    "MGET K K K",
    "MSET K V K V",
    "MSET K V K",
    "MSETNX K V K V",
    "APPEND K V",
    "STRLEN K",
    "GETRANGE K N N",
    "SUBSTR K N N",
    "SETRANGE K S V",
    "INCR K",
    "INCR K",
    "DECR K",
    "INCRBY K N",
    "DECRBY K N",
    "INCRBYFLOAT K F",
    "INCRBYFLOAT K F",
    "INCRBYFLOAT K N",
    "DEL K",
    "DEL K K",
    "UNLINK K",
    "EXISTS K K",
    "TYPE K",
    "TOUCH K K",
    "RENAME K K",
    "RENAMENX K K",
    "COPY K K",
    "COPY K K REPLACE",
    "COPY K K O",
    "KEYS P",
    "DBSIZE",
    "EXPIRE K E",
    "EXPIRE K E C",
    "EXPIRE K E C C",
    "PEXPIRE K E C",
    "EXPIREAT K T",
    "PEXPIREAT K T C",
    "TTL K",
    "PTTL K",
    "EXPIRETIME K",
    "PEXPIRETIME K",
    "PERSIST K",
    "OBJECT FREQ K",
    "OBJECT FOO K",
    "SCAN 0 COUNT 1000",
    "SCAN 0 COUNT 1000 MATCH P",
    "SCAN x",
    "SCAN 0 COUNT N O",
    "MULTI",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH w",
    "WATCH w",
    "SET w V",
    "APPEND w V",
    "PERSIST w",
    "UNWATCH",
    "PING",
    "ECHO V",
    "NOPE K",
    "GET",
    "SET K",
    "INCRBY K",
];

/// A command made of a template: each capital letter is a kind of argument.
fn invent(rng: &mut Rng) -> Vec<String> {
    let template = *rng.pick(COMMANDS).unwrap();
    let far = "253402300799";
    let later = rng.between(100, 10_000).to_string() + "000";
    let mut pick = |choices: &[&str]| (*rng.pick(choices).unwrap()).to_owned();
    let kinds: Vec<String> = template
        .split(' ')
        .map(|word| match word {
            "K" => pick(&["a", "b", "c", "d", "{a}e", ""]),
            "V" => pick(&[
                "",
                "v",
                "12",
                "-7",
                "3.25",
                "hello world",
                " 1",
                "9223372036854775807",
                "1e3",
                "\u{0}\r\n",
            ]),
            "N" => pick(&[
                "0",
                "1",
                "-1",
                "2",
                "-3",
                "100000",
                "x",
                "",
                "9223372036854775807",
                "-9223372036854775808",
                "01",
            ]),
            // No time that is over before both have answered, and hardly one twice.
            "E" => pick(&["0", "-1", &later, &later, "x", "", "9223372036854775807", "-9223372036854775808"]),
            "S" => pick(&["0", "1", "7", "-1", "x", "20000000000"]),
            "F" => pick(&[
                "0.1",
                "-0.1",
                "1000.1",
                "3",
                "1e10",
                "1.7e-5",
                "123456789.123",
                "-1e18",
                "x",
                "inf",
                "5.",
                ".5",
            ]),
            "T" => pick(&[far, "1", "-5", "253402300799000", "x"]),
            "O" => pick(&["NX", "XX", "GET", "KEEPTTL", "EX", "PERSIST", "REPLACE", "foo", "100000"]),
            "C" => pick(&["NX", "XX", "GT", "LT", "foo"]),
            "P" => pick(&["*", "?", "[a-c]", "[^a]", "{a}*", "\\a", "x*"]),
            literal => literal.to_owned(),
        })
        .collect();
    kinds
}

#[test]
fn random_commands_get_the_answers_of_a_stock_server() {
    let Some(mut pair) = Pair::start(Protocol::Resp2, SEED) else { return };
    let mut rng = Rng::new(SEED);
    for index in 0..30_000 {
        // What is watched is always there: see the crate's page for the one case in which the two differ.
        let words = match index % 50 {
            0 => ["SETNX", "w", "v"].map(str::to_owned).to_vec(),
            _ => invent(&mut rng),
        };
        pair.ask(&words);
    }
}
