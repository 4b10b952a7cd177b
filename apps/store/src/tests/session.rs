//! Connections: transactions, watched keys, authentication, versions of the protocol, order.

use super::Desk;
use crate::{Action, Outcome, Password, Settings};
use synod_resp::{Oversized, Protocol, Reply};

fn check(desk: &mut Desk, script: &[(&str, &str)]) {
    for (command, expected) in script {
        assert_eq!(desk.say(command), *expected, "{command}");
    }
}

#[test]
fn a_transaction_runs_as_one_and_an_error_inside_stops_nothing() {
    check(
        &mut Desk::default(),
        &[
            ("EXEC", "-ERR EXEC without MULTI"),
            ("DISCARD", "-ERR DISCARD without MULTI"),
            ("MULTI", "+OK"),
            ("MULTI", "-ERR MULTI calls can not be nested"),
            ("WATCH k", "-ERR WATCH inside MULTI is not allowed"),
            ("SET k v", "+QUEUED"),
            ("PING", "+QUEUED"),
            ("INCR k", "+QUEUED"),
            ("SET k v EX nine", "+QUEUED"),
            ("GET k", "+QUEUED"),
            (
                "EXEC",
                "[+OK, +PONG, -ERR value is not an integer or out of range, -ERR value is not an integer or out of range, \"v\"]",
            ),
            ("MULTI", "+OK"),
            ("NOPE", "-ERR unknown command 'NOPE', with args beginning with: "),
            ("SET k w", "+QUEUED"),
            ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
            ("GET k", "\"v\""),
            ("MULTI", "+OK"),
            ("SET k w", "+QUEUED"),
            ("DISCARD", "+OK"),
            ("GET k", "\"v\""),
            ("MULTI", "+OK"),
            ("EXEC", "[]"),
        ],
    );
}

#[test]
fn a_transaction_runs_only_if_what_it_watched_stayed() {
    let mut desk = Desk::default();
    let steps = [("MULTI", "+OK"), ("INCR n", "+QUEUED")];
    for (between, outcome) in [
        ("PING", "[:1]"),
        ("SET w x", "null-array"),
        ("DEL w", "null-array"),
        ("GET w", "[:2]"),
        ("SET other x", "[:3]"),
        ("UNWATCH", "[:4]"),
    ] {
        desk.say("WATCH w other2");
        desk.say(between);
        check(&mut desk, &steps);
        assert_eq!(desk.say("EXEC"), outcome, "{between}");
    }
    // A key that expired is not as it was.
    desk.say("SET w x PX 100");
    desk.say("WATCH w");
    desk.now_ms += 101;
    check(&mut desk, &steps);
    assert_eq!(desk.say("EXEC"), "null-array");
    // A transaction forgets what was watched.
    desk.say("SET w y");
    check(&mut desk, &steps);
    assert_eq!(desk.say("EXEC"), "[:5]");
}

#[test]
fn commands_of_one_connection_never_overtake_each_other() {
    let mut desk = Desk::default();
    let submit = |action: Action| match action {
        Action::Submit(command, awaiting) => (command, awaiting),
        other => panic!("{other:?}"),
    };
    // A read alone is quick; a write behind it waits.
    let (read, for_read) = submit(desk.act(&["GET", "k"]));
    assert!(read.is_read_only());
    assert!(matches!(desk.act(&["SET", "k", "v"]), Action::Wait));
    assert!(matches!(desk.act(&["PING"]), Action::Reply(_)));
    assert_eq!(desk.finish(&read, for_read), Reply::Null);
    // A read behind a write goes through the log; so does one behind that.
    let (write, for_write) = submit(desk.act(&["SET", "k", "v"]));
    let (second, for_second) = submit(desk.act(&["GET", "k"]));
    assert!(!second.is_read_only());
    let (third, for_third) = submit(desk.act(&["DEL", "k"]));
    for (command, awaiting) in [(write, for_write), (second, for_second), (third, for_third)] {
        desk.finish(&command, awaiting);
    }
    assert!(submit(desk.act(&["GET", "k"])).0.is_read_only());
}

#[test]
fn exec_waits_for_the_versions_of_what_is_watched() {
    let mut desk = Desk::default();
    let Action::Submit(versions, awaiting) = desk.act(&["WATCH", "k"]) else { panic!() };
    desk.say("MULTI");
    desk.say("GET k");
    assert!(matches!(desk.act(&["EXEC"]), Action::Wait));
    assert_eq!(desk.finish(&versions, awaiting), Reply::OK);
    assert_eq!(desk.say("EXEC"), "[null]");
    // If they never come, the transaction must not run.
    let Action::Submit(_, awaiting) = desk.act(&["WATCH", "k"]) else { panic!() };
    let lost = desk.session.on_outcome(awaiting, Outcome::NoLeader("no leader".into()));
    assert_eq!(format!("{lost:?}"), "-CLUSTERDOWN did not happen: no leader");
    desk.say("MULTI");
    desk.say("SET k v");
    assert_eq!(desk.say("EXEC"), "null-array");
}

#[test]
fn without_the_password_nothing_runs() {
    let settings = Settings { password: Some(Password::new("secret")), ..Settings::default() };
    let mut desk = Desk::new(settings);
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.";
    check(
        &mut desk,
        &[
            ("PING", "-NOAUTH Authentication required."),
            ("GET k", "-NOAUTH Authentication required."),
            ("AUTH nope", wrong),
            ("AUTH other secret", wrong),
            ("HELLO 3 AUTH default nope", wrong),
            ("AUTH default secret", "+OK"),
            ("PING", "+PONG"),
            ("RESET", "+RESET"),
            ("PING", "-NOAUTH Authentication required."),
            ("AUTH secret", "+OK"),
        ],
    );
    assert!(desk.say("CONFIG GET *").find("secret").is_none());
    assert!(matches!(desk.act(&["AUTH", "nope"]), Action::ReplyLater(_)), "a wrong guess costs time");
    let text = "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?";
    check(&mut Desk::default(), &[("AUTH x", text), ("AUTH default x", "+OK")]);
    assert_eq!(format!("{:?}", Password::new("secret")), "Password(…)");
    for (given, is_right) in [("secret", true), ("secre", false), ("secrets", false), ("", false)] {
        assert_eq!(Password::new("secret").is(given.as_bytes()), is_right, "{given}");
    }
}

#[test]
fn hello_changes_the_protocol() {
    let mut desk = Desk::default();
    check(
        &mut desk,
        &[
            ("HELLO 9", "-NOPROTO unsupported protocol version"),
            ("HELLO x", "-ERR Protocol version is not an integer or out of range"),
            ("HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'"),
        ],
    );
    assert_eq!(desk.session.protocol(), Protocol::Resp2);
    let Reply::Map(pairs) = desk.ask(&["HELLO", "3", "SETNAME", "me"]) else { panic!() };
    assert!(pairs.contains(&(Reply::bulk("proto"), Reply::Integer(3))));
    assert!(pairs.contains(&(Reply::bulk("mode"), Reply::bulk("cluster"))));
    assert_eq!(desk.session.protocol(), Protocol::Resp3);
    check(&mut desk, &[("CLIENT GETNAME", "\"me\""), ("RESET", "+RESET"), ("CLIENT GETNAME", "null")]);
    assert_eq!(desk.session.protocol(), Protocol::Resp2);
}

#[test]
fn connections_are_named_and_described() {
    let mut desk = Desk::default();
    check(
        &mut desk,
        &[
            ("CLIENT ID", ":1"),
            ("CLIENT SETNAME me", "+OK"),
            ("CLIENT SETINFO LIB-NAME py", "+OK"),
            ("CLIENT SETINFO LIB-VER 1.0", "+OK"),
            ("CLIENT SETINFO LIB-FOO 1.0", "-ERR Unrecognized option 'LIB-FOO'"),
            ("CLIENT NO-EVICT on", "+OK"),
            ("CLIENT NO-TOUCH x", "-ERR syntax error"),
            (
                "CLIENT MAINT_NOTIFICATIONS on",
                "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.",
            ),
            ("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command"),
            ("SELECT 0", "+OK"),
            ("SELECT 1", "-ERR SELECT is not allowed in cluster mode"),
            ("READONLY", "+OK"),
            ("ASKING", "+OK"),
            ("ECHO x", "\"x\""),
            ("WAIT 1 0", ":0"),
            ("WAIT 1 -1", "-ERR timeout is negative"),
            ("CONFIG GET save", "{\"save\": \"\"}"),
            (
                "CONFIG SET save x",
                "-ERR the configuration is read at start: change the file and restart the node",
            ),
        ],
    );
    let name = desk.ask(&["CLIENT", "SETNAME", "a b"]);
    assert_eq!(
        format!("{name:?}"),
        "-ERR Client names cannot contain spaces, newlines or special characters."
    );
    let Reply::Verbatim(line) = desk.ask(&["CLIENT", "INFO"]) else { panic!() };
    let line = String::from_utf8(line.to_vec()).unwrap();
    assert!(line.contains("name=me") && line.contains("lib-name=py lib-ver=1.0"), "{line}");
    let Reply::Verbatim(info) = desk.ask(&["INFO"]) else { panic!() };
    let info = String::from_utf8(info.to_vec()).unwrap();
    for line in ["redis_version:7.2.0", "redis_mode:cluster", "cluster_enabled:1", "loading:0", "role:master"]
    {
        assert!(info.contains(&format!("{line}\r\n")), "{line} in {info}");
    }
}

#[test]
fn a_cluster_of_one_group_is_described_in_every_form() {
    let mut desk = Desk::default();
    let id = "a".repeat(40);
    check(
        &mut desk,
        &[
            ("CLUSTER SLOTS", &format!("[[:0, :16383, [\"127.0.0.1\", :7001, \"{id}\", []]]]")),
            ("CLUSTER MYID", &format!("\"{id}\"")),
            ("CLUSTER KEYSLOT foo", ":12182"),
            ("CLUSTER COUNT-FAILURE-REPORTS x", ":0"),
            ("SET foo x", "+OK"),
            ("CLUSTER COUNTKEYSINSLOT 12182", ":1"),
            ("CLUSTER GETKEYSINSLOT 12182 10", "[\"foo\"]"),
            ("CLUSTER COUNTKEYSINSLOT 16384", "-ERR Invalid slot"),
            ("CLUSTER FOO", "-ERR unknown subcommand 'FOO'. Try CLUSTER HELP."),
            ("CLUSTER KEYSLOT", "-ERR wrong number of arguments for 'cluster|keyslot' command"),
        ],
    );
    let Reply::Verbatim(nodes) = desk.ask(&["CLUSTER", "NODES"]) else { panic!() };
    let expected = format!("{id} 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-16383\n");
    assert_eq!(String::from_utf8(nodes.to_vec()).unwrap(), expected);
    let Reply::Verbatim(info) = desk.ask(&["CLUSTER", "INFO"]) else { panic!() };
    assert!(String::from_utf8(info.to_vec()).unwrap().contains("cluster_state:ok\r\n"));
    assert!(matches!(desk.ask(&["CLUSTER", "SHARDS"]), Reply::Array(shards) if shards.len() == 1));
}

#[test]
fn the_table_tells_arity_flags_and_keys() {
    let mut desk = Desk::default();
    let shown = desk.say("COMMAND INFO get nope");
    assert!(
        shown.starts_with("[[\"get\", :2, {+readonly, +fast}, :1, :1, :1, {+@read, +@string, +@fast}"),
        "{shown}"
    );
    assert!(shown.ends_with("null-array]"), "{shown}");
    check(
        &mut desk,
        &[
            ("COMMAND GETKEYS MSET a 1 b 2", "[\"a\", \"b\"]"),
            ("COMMAND GETKEYS OBJECT ENCODING k", "[\"k\"]"),
            ("COMMAND GETKEYS PING", "-ERR The command has no key arguments"),
            ("COMMAND GETKEYS NOPE", "-ERR Invalid command specified"),
            ("COMMAND GETKEYS GET", "-ERR Invalid number of arguments specified for command"),
            ("COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP."),
            (
                "COMMAND DOCS getdel",
                "{\"getdel\": {\"summary\": \"Reads a string and removes it.\", \"group\": \"string\", \"since\": \"6.2.0\"}}",
            ),
        ],
    );
    let Reply::Integer(count) = desk.ask(&["COMMAND", "COUNT"]) else { panic!() };
    let Reply::Array(all) = desk.ask(&["COMMAND"]) else { panic!() };
    assert_eq!(all.len() as i64, count);
}

#[test]
fn what_is_too_long_is_told_and_costs_nothing_else() {
    let settings = Settings { key_bytes_max: 4, transaction_bytes_max: 100, ..Settings::default() };
    let mut desk = Desk::new(settings);
    let too_long = "-ERR a key of 5 bytes is longer than this server's limit of 4 bytes";
    check(&mut desk, &[("SET 12345 v", too_long), ("MSET a 1 12345 v", too_long), ("PING", "+PONG")]);
    check(&mut desk, &[("MULTI", "+OK"), ("SET k v", "+QUEUED"), ("SET k v", "+QUEUED")]);
    assert!(desk.say("SET k v").starts_with("-ERR the transaction is over this server's limit"));
    assert!(desk.say("EXEC").starts_with("-EXECABORT"));
    desk.say("MULTI");
    let environment =
        crate::Environment { monotonic_ms: 0, random: 0, settings: &desk.settings, facts: &super::OneNode };
    let reply = desk.session.on_oversized(Oversized::Bulk(20_000_000), &environment);
    let text = "-ERR a string of 20000000 bytes is longer than this server's limit of 16777216 bytes";
    assert_eq!(format!("{reply:?}"), text);
    assert!(desk.say("EXEC").starts_with("-EXECABORT"), "a skipped command spoils its transaction");
}
