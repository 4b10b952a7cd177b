//! `COMMAND`: the table, as clients that route by key positions read it.

use crate::parse_keys::{unknown_subcommand, wrong_subcommand_arity};
use crate::table::{self, CommandSpec};
use synod_resp::{Args, Reply};

const FLAG_NAMES: [(u32, &str); 9] = [
    (table::WRITE, "write"),
    (table::READ, "readonly"),
    (table::DENY_OOM, "denyoom"),
    (table::ADMIN, "admin"),
    (table::NO_SCRIPT, "noscript"),
    (table::LOADING, "loading"),
    (table::STALE, "stale"),
    (table::FAST, "fast"),
    (table::NO_AUTH, "no_auth"),
];

const CATEGORY_NAMES: [(u32, &str); 13] = [
    (table::WRITE, "@write"),
    (table::READ, "@read"),
    (table::KEYSPACE, "@keyspace"),
    (table::STRING, "@string"),
    (table::HASH, "@hash"),
    (table::LIST, "@list"),
    (table::SET, "@set"),
    (table::SORTED_SET, "@sortedset"),
    (table::CONNECTION, "@connection"),
    (table::TRANSACTION, "@transaction"),
    (table::ADMIN, "@admin"),
    (table::DANGEROUS, "@dangerous"),
    (table::FAST, "@fast"),
];

const GROUP_NAMES: [(u32, &str); 10] = [
    (table::KEYSPACE, "generic"),
    (table::STRING, "string"),
    (table::HASH, "hash"),
    (table::LIST, "list"),
    (table::SET, "set"),
    (table::SORTED_SET, "sorted-set"),
    (table::CONNECTION, "connection"),
    (table::TRANSACTION, "transactions"),
    (table::SERVER, "server"),
    (table::CLUSTER, "cluster"),
];

pub(super) fn tell(args: Args<'_>) -> Reply {
    let Some(word) = args.get(1) else { return Reply::Array(table::all().map(describe).collect()) };
    let names = args.skip(2);
    match word.to_ascii_lowercase().as_slice() {
        b"count" if args.len() == 2 => Reply::Integer(table::all().count() as i64),
        b"count" => wrong_subcommand_arity("command", "count"),
        b"list" if args.len() == 2 => Reply::Array(table::all().map(|spec| Reply::bulk(spec.name)).collect()),
        b"info" if names.is_empty() => Reply::Array(table::all().map(describe).collect()),
        b"info" => Reply::Array(
            names.iter().map(|name| table::find(name).map_or(Reply::NullArray, describe)).collect(),
        ),
        b"docs" if names.is_empty() => Reply::Map(table::all().map(document).collect()),
        b"docs" => Reply::Map(names.iter().filter_map(table::find).map(document).collect()),
        b"getkeys" if args.len() < 3 => wrong_subcommand_arity("command", "getkeys"),
        b"getkeys" => keys_of(names),
        _ => unknown_subcommand("COMMAND", word),
    }
}

fn keys_of(words: Args<'_>) -> Reply {
    let Some(spec) = table::find(&words[0]) else { return Reply::error("ERR Invalid command specified") };
    if !spec.takes(words.len()) {
        return Reply::error("ERR Invalid number of arguments specified for command");
    }
    if spec.counted_keys(words).is_none() {
        return Reply::error("ERR Invalid arguments specified for command");
    }
    let keys: Vec<Reply> = spec.keys_of(words).map(Reply::bulk).collect();
    if keys.is_empty() { Reply::error("ERR The command has no key arguments") } else { Reply::Array(keys) }
}

fn names_of(spec: &CommandSpec, names: &[(u32, &'static str)]) -> Vec<Reply> {
    names.iter().filter(|(flag, _)| spec.has(*flag)).map(|(_, name)| Reply::simple(name)).collect()
}

/// The ten fields of `COMMAND`.
fn describe(spec: &CommandSpec) -> Reply {
    let mut categories = names_of(spec, &CATEGORY_NAMES);
    if !spec.has(table::FAST) {
        categories.push(Reply::simple("@slow"));
    }
    let mut flags = names_of(spec, &FLAG_NAMES);
    if spec.counted > 0 {
        flags.push(Reply::simple("movablekeys"));
    }
    let (first, last, step) = spec.keys;
    let key_specs = if first == 0 { Vec::new() } else { vec![key_range(spec)] };
    let counted = (spec.counted > 0).then(|| counted_keys(spec));
    Reply::Array(vec![
        Reply::bulk(spec.name),
        Reply::Integer(spec.arity.into()),
        Reply::Set(flags),
        Reply::Integer(first.into()),
        Reply::Integer(last.into()),
        Reply::Integer(step.into()),
        Reply::Set(categories),
        Reply::Array(Vec::new()),
        Reply::Array(key_specs.into_iter().chain(counted).collect()),
        Reply::Array(Vec::new()),
    ])
}

fn map(pairs: Vec<(&'static str, Reply)>) -> Reply {
    Reply::Map(pairs.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect())
}

/// Keys that stand at fixed places, in the newer form: the last key relative to the first.
fn key_range(spec: &CommandSpec) -> Reply {
    let (first, last, step) = spec.keys;
    let range = [
        ("lastkey", if last < 0 { last } else { last - first }.into()),
        ("keystep", step.into()),
        ("limit", 0),
    ];
    key_spec(spec, first.into(), ("range", range))
}

/// Keys whose number a word tells: it stands where the search begins, and they follow.
fn counted_keys(spec: &CommandSpec) -> Reply {
    key_spec(spec, spec.counted.into(), ("keynum", [("keynumidx", 0), ("firstkey", 1), ("keystep", 1)]))
}

fn key_spec(spec: &CommandSpec, index: i64, (kind, numbers): (&str, [(&'static str, i64); 3])) -> Reply {
    let flags = if spec.has(table::READ) { ["RO", "access"] } else { ["RW", "update"] };
    let numbers = numbers.into_iter().map(|(name, number)| (name, Reply::Integer(number)));
    map(vec![
        ("flags", Reply::Set(flags.into_iter().map(Reply::simple).collect())),
        (
            "begin_search",
            map(vec![("type", Reply::bulk("index")), ("spec", map(vec![("index", Reply::Integer(index))]))]),
        ),
        ("find_keys", map(vec![("type", Reply::bulk(kind)), ("spec", map(numbers.collect()))])),
    ])
}

fn document(spec: &CommandSpec) -> (Reply, Reply) {
    let group = GROUP_NAMES.iter().find(|(flag, _)| spec.has(*flag)).map_or("generic", |(_, name)| name);
    let mut pairs = vec![("summary", Reply::bulk(spec.summary)), ("group", Reply::bulk(group))];
    if !spec.since.is_empty() {
        pairs.push(("since", Reply::bulk(spec.since)));
    }
    (Reply::bulk(spec.name), map(pairs))
}
