//! What clients are told of the cluster, and what operators ask of it.

use super::Desk;
use crate::{
    Action, Administration, Cluster, ClusterNode, Environment, Facts, Outcome, Session, Settings, SlotId,
    SlotRun, Statistics,
};
use synod_resp::{Limits, Parsed, Reply, RequestParser, write_request};
use synod_shardedstore::GroupId;

struct Told(Cluster);

impl Facts for Told {
    fn cluster(&self) -> Cluster {
        self.0.clone()
    }

    fn statistics(&self) -> Statistics {
        Statistics::default()
    }

    fn clients(&self, _ids: Option<&[u64]>) -> String {
        String::new()
    }
}

/// What a new session at one node of `cluster` answers.
fn ask(cluster: &Cluster, line: &str) -> Reply {
    match say(&mut None, cluster, 5, line) {
        Action::Reply(reply) => reply,
        action => panic!("{action:?}"),
    }
}

/// What is done about this line at a node of `cluster`.
fn say(session: &mut Option<Session>, cluster: &Cluster, now_ms: u64, line: &str) -> Action {
    let (settings, facts) = (Settings::default(), Told(cluster.clone()));
    let environment = Environment { monotonic_ms: now_ms, random: 0, settings: &settings, facts: &facts };
    let session = session.get_or_insert_with(|| Session::new(1, "a".to_owned(), &environment));
    let mut request = Vec::new();
    write_request(&mut request, &line.split(' ').collect::<Vec<_>>());
    let mut parser = RequestParser::new(Limits::default(), true);
    let Ok(Parsed::Command(args)) = parser.advance(&request) else { panic!("no command") };
    session.on_command(args, &environment)
}

#[test]
fn who_follows_the_slots_is_told_now_and_then_where_they_are() {
    let node = |port| ClusterNode {
        id: "a".repeat(40),
        host: "h".to_owned(),
        port,
        peer_port: 0,
        is_connected: true,
    };
    // Slot 12182 is that of foo, 5061 that of bar.
    let run = |first, last, leader| SlotRun { first, last, leader };
    let runs = vec![run(0, 9_999, Some(0)), run(10_000, 16_000, Some(1)), run(16_001, 16_383, None)];
    let mut cluster = Cluster { nodes: vec![node(1), node(2)], myself: 0, runs, epoch: 1 };
    let mut session = None;
    let mut is_moved = |cluster: &Cluster, now_ms, line: &str| {
        let action = say(&mut session, cluster, now_ms, line);
        if let Action::Submit(_, awaiting) = action {
            session.as_mut().unwrap().on_outcome(awaiting, Outcome::Done(Reply::OK));
            return false;
        }
        let Action::Reply(reply) = action else { panic!("{line}") };
        reply == Reply::Error("MOVED 12182 h:2".into())
    };
    assert!(!is_moved(&cluster, 5, "SET foo 1"), "a client that never asked is not redirected");
    is_moved(&cluster, 6, "CLUSTER SLOTS");
    assert!(!is_moved(&cluster, 7, "MSET foo 1 bar 2"), "what names several slots belongs nowhere");
    assert!(!is_moved(&cluster, 7, "DBSIZE"));
    assert!(is_moved(&cluster, 7, "SET foo 1"));
    assert!(!is_moved(&cluster, 8, "SET foo 1"), "advice is not repeated at once");
    assert!(!is_moved(&cluster, 1_006, "GET foo"));
    assert!(is_moved(&cluster, 1_007, "GET foo"));
    assert!(!is_moved(&cluster, 3_000, "GET bar"), "it is here");
    cluster.nodes[1].is_connected = false;
    assert!(!is_moved(&cluster, 5_000, "GET foo"), "nobody is sent to a node that is not heard of");
    cluster.nodes[1].is_connected = true;
    is_moved(&cluster, 6_500, "RESET");
    assert!(!is_moved(&cluster, 7_000, "GET foo"));
}

fn check(desk: &mut Desk, script: &[(&str, &str)]) {
    for (command, expected) in script {
        assert_eq!(desk.say(command), *expected, "{command}");
    }
}

#[test]
fn an_operators_words_are_understood_or_say_what_is_wrong() {
    let mut desk = Desk::default();
    let group = GroupId(3);
    let slot = |number| SlotId::new(number).unwrap();
    for (line, expected) in [
        ("SYNOD GROUP JOIN g3", Administration::JoinGroup { group, nodes: Vec::new() }),
        ("synod group join 3 1 2", Administration::JoinGroup { group, nodes: vec![1, 2] }),
        ("SYNOD GROUP LEAVE 3", Administration::LeaveGroup { group }),
        ("SYNOD MEMBER REPLACE g3 1 4", Administration::ReplaceMember { group, old: 1, new: 4 }),
        ("SYNOD SLOT MOVE 5 7 g3", Administration::MoveSlots { first: slot(5), last: slot(7), group }),
        ("SYNOD REBALANCE", Administration::Rebalance),
        ("SYNOD CONFIG HISTORY", Administration::History),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let Action::Administer(request, awaiting) = desk.act(&words) else { panic!("{line}") };
        assert_eq!(request, expected, "{line}");
        // Nothing overtakes it.
        assert!(matches!(desk.act(&["GET", "k"]), Action::Wait));
        let reply = desk.session.on_outcome(awaiting, Outcome::Done(Reply::Integer(1)));
        assert_eq!(reply, Reply::Integer(1));
    }
    check(
        &mut desk,
        &[
            ("SYNOD NOPE", "-ERR unknown subcommand 'NOPE'. Try SYNOD HELP."),
            ("SYNOD GROUP JOIN x", "-ERR a group is written as its number, from 1, or as g3"),
            ("SYNOD GROUP JOIN 0", "-ERR a group is written as its number, from 1, or as g3"),
            ("SYNOD GROUP JOIN 1 x", "-ERR name nodes by their numbers, as 1 2 3"),
            ("SYNOD SLOT MOVE 0 16384 1", "-ERR Invalid slot; there are 0 to 16383"),
        ],
    );
    assert!(desk.say("SYNOD GROUP LEAVE").starts_with("-ERR say SYNOD GROUP JOIN group [node ...]"));
    desk.say("MULTI");
    assert_eq!(desk.say("SYNOD REBALANCE"), "-ERR Command not allowed inside a transaction");
}

#[test]
fn a_node_that_leads_groups_is_the_master_of_their_slots() {
    let node = |n: u16| ClusterNode {
        id: n.to_string().repeat(40),
        host: "h".to_owned(),
        port: n,
        peer_port: n + 10,
        is_connected: true,
    };
    let run = |first, last, leader| SlotRun { first, last, leader };
    let runs = vec![run(0, 99, Some(1)), run(100, 100, Some(0)), run(101, 16_383, Some(1))];
    let nodes = vec![node(1), node(2), node(3)];
    let mut cluster = Cluster { nodes, myself: 2, runs, epoch: 7 };
    let (one, two, three) = ("1".repeat(40), "2".repeat(40), "3".repeat(40));
    let told = |port: u16, id: &str| format!("[\"h\", :{port}, \"{id}\", []]");
    let (first, second, third) = (told(1, &one), told(2, &two), told(3, &three));
    assert_eq!(
        format!("{:?}", ask(&cluster, "CLUSTER SLOTS")),
        format!(
            "[[:0, :99, {second}, {third}], [:100, :100, {first}, {third}], [:101, :16383, {second}, {third}]]"
        )
    );
    let Reply::Verbatim(lines) = ask(&cluster, "CLUSTER NODES") else { panic!() };
    let expected = format!(
        "{one} h:1@11 master - 0 0 7 connected 100\n{two} h:2@12 master - 0 0 7 connected 0-99 101-16383\n\
         {three} h:3@13 myself,slave {one} 0 0 7 connected\n"
    );
    assert_eq!(String::from_utf8_lossy(&lines), expected);
    let Reply::Verbatim(info) = ask(&cluster, "CLUSTER INFO") else { panic!() };
    let info = String::from_utf8_lossy(&info).into_owned();
    for line in ["cluster_state:ok", "cluster_slots_assigned:16384", "cluster_size:2"] {
        assert!(info.contains(line), "{info}");
    }
    let shown = format!("{:?}", ask(&cluster, "CLUSTER SHARDS"));
    assert!(shown.contains("\"slots\": [:0, :99, :101, :16383]"), "{shown}");
    // Nobody is known to lead the slots of a group: they are not covered, and asked of this node.
    cluster.runs[1].leader = None;
    let Reply::Verbatim(info) = ask(&cluster, "CLUSTER INFO") else { panic!() };
    let info = String::from_utf8_lossy(&info).into_owned();
    assert!(info.contains("cluster_state:fail") && info.contains("cluster_slots_ok:16383"), "{info}");
}
