//! What the table says of commands on keys: clients route by it.

use super::Pair;
use crate::table::{self, CommandSpec, Run};
use std::collections::BTreeSet;
use synod_resp::{Protocol, Reply};

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// Arity, flags, places of keys and categories of a command.
fn facts(info: &Reply) -> (Vec<String>, BTreeSet<String>, BTreeSet<String>) {
    let Reply::Array(commands) = info else { panic!("{info:?}") };
    let [Reply::Array(fields)] = commands.as_slice() else { panic!("{info:?}") };
    let names = |field: &Reply| match field {
        Reply::Array(items) | Reply::Set(items) => items.iter().map(|item| format!("{item:?}")).collect(),
        other => panic!("{other:?}"),
    };
    let numbers = [1, 3, 4, 5].map(|index| format!("{:?}", fields[index]));
    (numbers.to_vec(), names(&fields[2]), names(&fields[6]))
}

#[test]
fn arities_flags_and_places_of_keys_are_those_of_a_stock_server() {
    let Some(mut pair) = Pair::start(Protocol::Resp2, 0) else { return };
    let mut complaints = Vec::new();
    // A container's keys are those of its subcommands, which this table does not list.
    let on_keys = |spec: &&CommandSpec| matches!(spec.run, Run::Store(_)) && !spec.has(table::CONTAINER);
    for spec in table::all().filter(on_keys) {
        let request = words(&format!("COMMAND INFO {}", spec.name));
        let (theirs, ours) = (facts(&pair.stock.ask(&request)), facts(&pair.desk.ask(&request)));
        if theirs != ours {
            complaints.push(format!("{}:\n  theirs {theirs:?}\n  ours   {ours:?}", spec.name));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn keys_are_found_where_a_stock_server_finds_them() {
    let Some(mut pair) = Pair::start(Protocol::Resp2, 0) else { return };
    for line in [
        "GET a",
        "MSET a 1 b 2",
        "COPY a b REPLACE",
        "OBJECT ENCODING a",
        "HSET h f v",
        "RPOPLPUSH a b",
        "LMOVE a b LEFT RIGHT",
        "LMPOP 2 a b LEFT",
        "LMPOP 2 a b LEFT COUNT 3",
        "LMPOP 1 a LEFT",
        "SINTERCARD 3 a b c LIMIT 1",
        "SINTERSTORE d a b",
        "SDIFF a b c",
        "SMOVE a b m",
        "ZUNION 2 a b WEIGHTS 1 2",
        "ZINTER 1 a",
        "ZDIFF 2 a b WITHSCORES",
        "ZINTERCARD 2 a b",
        "ZUNIONSTORE d 2 a b",
        "ZINTERSTORE d 1 a AGGREGATE MIN",
        "ZDIFFSTORE d 3 a b c",
        "ZRANGESTORE d a 0 -1",
        "ZMPOP 2 a b MIN",
        "ZADD z 1 m",
        "ZUNION 9 a b",
        "ZUNION x a",
        "ZUNIONSTORE d x a",
        "LMPOP 0 a LEFT",
        "SINTERCARD -1 a",
    ] {
        pair.ask(&words(&format!("COMMAND GETKEYS {line}")));
    }
}
