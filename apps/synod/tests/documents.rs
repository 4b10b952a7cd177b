//! What the documents say is what the program does.

mod support;

use std::collections::BTreeSet;
use support::Running;
use synod_resp::Reply;

/// The page about commands.
const PAGE: &str = include_str!("../../../docs/redis-compatibility.md");

/// The rows of the page that are about a command: its name and its state.
fn rows() -> Vec<(&'static str, &'static str)> {
    let row = |line: &'static str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?;
        Some((name, cells.next()?)).filter(|(_, state)| ["full", "partly", "own"].contains(state))
    };
    PAGE.lines().filter_map(row).collect()
}

#[test]
fn the_page_about_commands_has_a_row_for_each_and_for_nothing_else() {
    let server = Running::start();
    let Reply::Array(names) = server.connect().ask(&["COMMAND", "LIST"]) else { panic!("a list of names") };
    let known: BTreeSet<String> = names
        .iter()
        .map(|name| match name {
            Reply::Bulk(name) => String::from_utf8_lossy(name).to_uppercase(),
            other => panic!("{other:?}"),
        })
        .collect();
    let told: BTreeSet<String> = rows().iter().map(|(name, _)| (*name).to_owned()).collect();
    let missing: Vec<_> = known.difference(&told).collect();
    let invented: Vec<_> = told.difference(&known).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing: {missing:?}, invented: {invented:?}");
    assert_eq!(rows().len(), told.len(), "a command has two rows");
}

#[test]
fn what_the_page_says_of_settings_and_subcommands_is_answered() {
    let server = Running::start();
    let mut client = server.connect();
    for setting in ["proto-max-bulk-len", "databases", "save"] {
        let reply = client.ask(&["CONFIG", "GET", setting]);
        assert!(matches!(&reply, Reply::Array(pair) if pair.len() == 2), "{setting}: {reply:?}");
    }
    let subcommands: &[&[&str]] = &[
        &["CLUSTER", "SLOTS"],
        &["CLUSTER", "SHARDS"],
        &["CLUSTER", "NODES"],
        &["CLUSTER", "INFO"],
        &["CLUSTER", "MYID"],
        &["CLUSTER", "KEYSLOT", "k"],
        &["CLUSTER", "COUNTKEYSINSLOT", "0"],
        &["CLUSTER", "GETKEYSINSLOT", "0", "1"],
        &["CLUSTER", "COUNT-FAILURE-REPORTS", "x"],
        &["COMMAND", "COUNT"],
        &["COMMAND", "INFO", "get"],
        &["COMMAND", "DOCS", "get"],
        &["COMMAND", "GETKEYS", "get", "k"],
        &["CONFIG", "RESETSTAT"],
        &["CLIENT", "ID"],
        &["CLIENT", "SETNAME", "me"],
        &["CLIENT", "GETNAME"],
        &["CLIENT", "SETINFO", "LIB-NAME", "mine"],
        &["CLIENT", "INFO"],
        &["CLIENT", "LIST", "TYPE", "normal"],
        &["CLIENT", "LIST", "ID", "1"],
        &["CLIENT", "NO-EVICT", "on"],
        &["CLIENT", "NO-TOUCH", "on"],
    ];
    for words in subcommands {
        let reply = client.ask(words);
        assert!(!matches!(reply, Reply::Error(_)), "{words:?}: {reply:?}");
    }
    for section in
        ["server", "clients", "memory", "persistence", "stats", "replication", "cluster", "keyspace"]
    {
        let Reply::Bulk(text) = client.ask(&["INFO", section]) else { panic!("{section}") };
        assert!(String::from_utf8_lossy(&text).to_lowercase().starts_with(&format!("# {section}")));
    }
}
