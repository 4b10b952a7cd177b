//! Predicates: read, misread, and asked of trees.

use crate::{Predicate, Sight};
use std::sync::Arc;
use synod_node::NodeId;
use synod_stdx::Tree;

fn sight() -> Sight {
    let tree = |text: &str| Some(Arc::new(Tree::of_text(text)));
    let leader = "Server(\n    Server {\n        role: Leader {\n            acks: 2,\n        },\n        promised: b10.n1,\n    },\n)";
    let follower = "Server(\n    Server {\n        role: Follower,\n        promised: b2.n1,\n        name: \"x\",\n    },\n)";
    Sight {
        nodes: vec![
            (NodeId::server(1), tree(leader)),
            (NodeId::server(2), tree(follower)),
            (NodeId::server(3), None),
        ],
        sent: vec!["Accept".to_owned(), "Session.Request".to_owned()],
    }
}

#[test]
fn predicates_hold_where_they_should() {
    let cases = [
        ("n1.role is Leader", true),
        ("n2.role is Leader", false),
        ("n2.role is not Leader", true),
        ("n1.acks = 2 and n1.role.acks >= 2", true),
        ("n1.acks > 2 or n2.role is Follower", true),
        // Numbers in texts are numbers: as letters, b10 would be before b2.
        ("n2.promised < n1.promised", true),
        ("n1.promised < b3", false),
        ("n2.promised < b3", true),
        ("n2.name = \"x\"", true),
        ("count(nodes where role is Leader) = 1", true),
        ("count(nodes where role is Leader) > 1", false),
        ("count(nodes) = 2", true),
        ("count(nodes where promised > b1 and not role is Leader) == 1", true),
        ("sent(Accept)", true),
        ("sent(Request)", true),
        ("not sent(Accepted)", true),
        ("n3 is down", true),
        ("n1 is down", false),
        // What is not there is neither less nor more.
        ("n1.nothing < 5", false),
        ("n1.nothing > 5", false),
        ("n1.nothing != 5", true),
        ("(n1.acks = 3 or n1.acks = 2) and not (sent(Nack))", true),
    ];
    for (text, holds) in cases {
        let predicate = Predicate::read(text).unwrap_or_else(|misread| panic!("{text}: {misread}"));
        assert_eq!(predicate.holds(&sight()), holds, "{text}");
        assert_eq!(predicate.reads_messages(), text.contains("sent("), "{text}");
    }
}

#[test]
fn what_is_no_predicate_is_told_where_and_why() {
    let cases = [
        ("", 0, "a value"),
        ("n1.role is", 10, "a value"),
        ("role is Leader", 0, "of which node is `role`"),
        ("n1.role Leader", 8, "does not belong here"),
        ("count(nodes where role is Leader > 1", 33, "missing before `>`"),
        ("count(n1)", 6, "`nodes` is missing"),
        ("n1.a = \"open", 7, "does not end"),
        ("most(nodes) > 1", 0, "there is no `most(…)`"),
        ("n1.a = 1 and and n1.b = 2", 13, "a value"),
        ("n1.a = 1 & n1.b", 9, "means nothing"),
    ];
    for (text, column, words) in cases {
        let misread = Predicate::read(text).expect_err(text);
        assert_eq!(misread.column, column, "{text}: {misread}");
        assert!(misread.words.contains(words), "{text}: {misread}");
    }
}

#[test]
fn only_the_nodes_that_matter_are_read() {
    for (text, n1, n2) in [
        ("n1.promised > 3", true, false),
        ("not (n2 is down or sent(Accept))", false, true),
        ("count(nodes where role is Leader) > 1", true, true),
        ("count(nodes) = 3", false, false),
        ("sent(Accept) and 3 < n1.slots", true, false),
    ] {
        let predicate = Predicate::read(text).expect("a predicate");
        assert_eq!(
            (predicate.reads(NodeId::server(1)), predicate.reads(NodeId::server(2))),
            (n1, n2),
            "{text}"
        );
    }
}
