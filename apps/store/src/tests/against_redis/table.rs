//! What the table says of commands on keys: clients route by it.

use super::Pair;
use crate::table::{self, CommandSpec, Run};
use std::collections::{BTreeMap, BTreeSet};
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

#[test]
fn too_few_and_too_many_words_are_told_alike() {
    let Some(mut pair) = Pair::start(Protocol::Resp2, 0) else { return };
    for spec in table::all().filter(|spec| matches!(spec.run, Run::Store(_))) {
        let arity = spec.arity.unsigned_abs() as usize;
        for count in [0, arity.saturating_sub(2), arity, arity + 1] {
            // What is right is no matter of this test.
            if !spec.takes(count + 1) {
                let line: Vec<String> =
                    [spec.name.to_owned()].into_iter().chain(vec!["1".into(); count]).collect();
                pair.ask(&line);
            }
        }
    }
}

/// The rows of the page about commands: name and state.
fn rows() -> BTreeMap<String, &'static str> {
    const PAGE: &str = include_str!("../../../../../docs/redis-compatibility.md");
    let row = |line: &'static str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?;
        let state = cells.next().filter(|state| ["full", "partly", "own", "absent"].contains(state))?;
        Some((name.to_lowercase(), state))
    };
    let all: Vec<_> = PAGE.lines().filter_map(row).collect();
    let rows: BTreeMap<_, _> = all.iter().cloned().collect();
    assert_eq!(rows.len(), all.len(), "a command has two rows");
    rows
}

#[test]
fn the_page_tells_which_commands_there_are() {
    let known: BTreeSet<String> = table::all().map(|spec| spec.name.to_owned()).collect();
    let told: BTreeSet<String> =
        rows().into_iter().filter(|(_, state)| *state != "absent").map(|(name, _)| name).collect();
    assert_eq!(told.difference(&known).collect::<Vec<_>>(), [""; 0], "told, but not there");
    assert_eq!(known.difference(&told).collect::<Vec<_>>(), [""; 0], "there, but not told");
}

#[test]
fn the_page_has_a_row_for_every_command_of_a_stock_server() {
    let Some(mut pair) = Pair::start(Protocol::Resp2, 0) else { return };
    let Reply::Array(names) = pair.stock.ask(&words("COMMAND LIST")) else { panic!("a list") };
    let theirs: BTreeSet<String> = names
        .iter()
        .map(|name| format!("{name:?}").trim_matches('"').to_lowercase())
        // The subcommands are told in the rows of their commands.
        .filter(|name| !name.contains('|'))
        .collect();
    let rows = rows();
    let forgotten: Vec<_> = theirs.iter().filter(|name| !rows.contains_key(*name)).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
    // What a stock server of the version that is compared with does not have is Synod's own.
    let own: Vec<_> = rows.iter().filter(|(name, _)| !theirs.contains(*name)).collect();
    assert!(own.iter().all(|(_, state)| **state == "own"), "{own:?}");
}
