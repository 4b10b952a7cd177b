//! Sessions: moments stay what they were, however one comes to them.

use super::toy::{SERVER, setup};
use crate::act::Act;
use crate::columns::Kind;
use crate::minimise::minimise;
use crate::session::Session;
use crate::setup::Errand;
use synod_node::NodeId;
use synod_stdx::Rng;

fn started(clients: u32) -> (Session<super::toy::Toy>, u32) {
    let mut session = Session::open(setup(clients)).expect("it opens");
    let mut at = 0;
    for id in session.nodes.clone() {
        at = session.act(at, &Act::Start { node: id.to_string() }, false).expect("it starts");
    }
    (session, at)
}

#[test]
fn a_moment_is_the_same_when_its_steps_are_taken_again() {
    let (mut session, at) = started(3);
    // Long enough that most moments are not kept, and with branches everywhere.
    let mut rng = Rng::new(5);
    let mut known = Vec::new();
    let mut from = at;
    for seed in 0..60 {
        let Ok(moment) = session.random(from, 40, seed) else { continue };
        known.push((moment, session.peek(moment).clone()));
        from = known[rng.below(known.len() as u64) as usize].0;
    }
    assert!(session.moments.len() > 1_000 && session.children.values().any(|children| children.len() > 1));
    for (moment, stage) in known.into_iter().rev() {
        let again = session.stage(moment);
        assert_eq!(again.world, stage.world, "moment {moment}");
        assert_eq!((&again.users, &again.born), (&stage.users, &stage.born), "moment {moment}");
    }
}

#[test]
fn the_same_step_leads_to_the_same_moment() {
    let (mut session, at) = started(1);
    let ask = Act::Request { node: "c1".to_owned(), text: None };
    let first = session.act(at, &ask, false).expect("it asks");
    assert_eq!(session.act(at, &ask, false), Ok(first));
    let other = Act::Request { node: "c1".to_owned(), text: Some("5 by hand".to_owned()) };
    let other = session.act(at, &other, false).expect("it asks");
    assert_ne!(other, first);
    assert_eq!(session.children[&at], [first, other]);
    // A request by hand is none of the script's: that goes on where it was.
    assert_eq!(session.stage(other).users[&NodeId::client(1)].scripted, 0);
}

#[test]
fn what_is_not_possible_changes_nothing_and_says_why() {
    let (mut session, at) = started(1);
    let node = || "n1".to_owned();
    let refused = [
        (Act::Start { node: node() }, "runs already"),
        (Act::Restart { node: node() }, "runs already"),
        (Act::Resume { node: node() }, "is not paused"),
        (Act::Durable { node: node() }, "writes nothing"),
        (Act::CrashKeeping { node: node() }, "writes nothing"),
        (Act::Deliver { id: 77 }, "not in flight"),
        (Act::Drop { id: 77 }, "not in flight"),
        (Act::Fire { id: 77 }, "does not wait"),
        (Act::Request { node: node(), text: None }, "is no client"),
        (Act::Request { node: "c1".to_owned(), text: Some("much".to_owned()) }, "write how much to add"),
        (Act::GiveUp { node: "c1".to_owned() }, "waits for nothing"),
        (Act::Heal { from: node(), to: "c1".to_owned() }, "is not cut"),
        (Act::Cut { from: node(), to: node() }, "no link to itself"),
        (Act::Crash { node: "n9".to_owned() }, "there is no node `n9`"),
    ];
    let count = session.moments.len();
    for (act, why) in refused {
        let words = session.act(at, &act, false).expect_err(why);
        assert!(words.contains(why), "{act:?}: {words}");
    }
    assert_eq!(session.moments.len(), count);
    assert_eq!(session.random(at, 1, 1).map(|moment| moment > at), Ok(true));
}

#[test]
fn causes_lead_back_to_who_asked() {
    let (mut session, at) = started(1);
    let asked = session.act(at, &Act::Request { node: "c1".to_owned(), text: None }, false).expect("it asks");
    let envelope = session.stage(asked).world.flight().next().map(|(id, _)| id.0).expect("one is sent");
    let added = session.act(asked, &Act::Deliver { id: envelope }, false).expect("it arrives");
    assert_eq!(session.rows[added as usize].cause, asked);
    // What is sent waits until what was written is durable.
    assert!(session.stage(added).world.flight().next().is_none());
    let durable = session.act(added, &Act::Durable { node: "n1".to_owned() }, false).expect("it is durable");
    assert_eq!(
        (session.rows[durable as usize].kind, session.rows[durable as usize].cause),
        (Kind::Durable, added)
    );
    let answer = session.stage(durable).world.flight().next().map(|(id, _)| id.0).expect("the total");
    let told = session.act(durable, &Act::Deliver { id: answer }, false).expect("it arrives");
    assert_eq!(session.rows[told as usize].answers, asked);
    assert_eq!(session.cause_chain(told), [durable, added, asked]);
    let why = session.why(told, "n1", "total").expect("it is there");
    let moments: Vec<u64> =
        why["chain"].as_array().unwrap().iter().filter_map(|link| link["moment"].as_u64()).collect();
    assert_eq!(moments, [u64::from(added), u64::from(asked)]);
    assert!(why["chain"][0]["words"].as_str().unwrap().contains("0 -> 1"), "{why}");
    assert!(session.why(told, "n1", "nonsense").is_err());
}

#[test]
fn a_panic_is_a_violation_with_nothing_after_it() {
    let (mut session, at) = started(1);
    let ask = Act::Request { node: "c1".to_owned(), text: Some("13".to_owned()) };
    let asked = session.act(at, &ask, false).expect("it asks");
    let envelope = session.stage(asked).world.flight().next().map(|(id, _)| id.0).expect("one is sent");
    let panicked = session.act(asked, &Act::Deliver { id: envelope }, false).expect("it is a moment");
    let (name, words) = session.violations[&panicked].clone();
    assert!(name == "a handler panicked" && words.contains("thirteen is not added"), "{name}: {words}");
    let after =
        session.act(panicked, &Act::Crash { node: "n1".to_owned() }, false).expect_err("nothing comes after");
    assert!(after.contains("step back"), "{after}");
    assert_eq!(
        session.act(asked, &Act::Crash { node: "n1".to_owned() }, false).map(|moment| moment > panicked),
        Ok(true)
    );
}

#[test]
fn a_crash_loses_what_is_not_durable_unless_it_is_kept() {
    let (mut session, at) = started(1);
    let asked = session.act(at, &Act::Request { node: "c1".to_owned(), text: None }, false).expect("it asks");
    let envelope = session.stage(asked).world.flight().next().map(|(id, _)| id.0).expect("one is sent");
    let added = session.act(asked, &Act::Deliver { id: envelope }, false).expect("it arrives");
    let total = |session: &mut Session<super::toy::Toy>, act: Act| {
        let crashed = session.act(added, &act, false).expect("it crashes");
        let back = session.act(crashed, &Act::Restart { node: "n1".to_owned() }, false).expect("it restarts");
        match session.stage(back).world.node(SERVER) {
            Some(super::toy::Toy::Counter(counter)) => counter.total,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(total(&mut session, Act::Crash { node: "n1".to_owned() }), 0);
    assert_eq!(total(&mut session, Act::CrashKeeping { node: "n1".to_owned() }), 1);
}

#[test]
fn a_branch_is_minimised_to_what_its_violation_needs() {
    let (mut session, at) = started(3);
    let mut moment = session.random(at, 30, 3).expect("something happens");
    let ask = |node: &str| Act::Request { node: node.to_owned(), text: Some("9 much".to_owned()) };
    // Whoever waits gives up, asks for too much, and it arrives.
    for node in ["c1", "c2"] {
        let _ =
            session.act(moment, &Act::GiveUp { node: node.to_owned() }, false).map(|after| moment = after);
        moment = session.act(moment, &ask(node), false).expect("it asks");
        let stage = session.stage(moment);
        let envelope = stage.world.flight().last().map(|(id, _)| id.0).expect("one is sent");
        moment = session.act(moment, &Act::Deliver { id: envelope }, false).expect("it arrives");
    }
    assert!(session.violations.contains_key(&moment), "{:?}", session.violations);
    let lines = session.lines(moment);
    let kept = minimise(&lines, session.reading(), "the total is below ten", &Errand::default())
        .expect("it fails again");
    // Two starts, two requests, two deliveries at most: the counter, the clients, and what brings it to ten.
    assert!(kept.len() <= 7 && kept.len() < lines.len(), "{kept:#?}");
    let end = session.replay(0, &kept).expect("each step is possible");
    assert!(session.violations.contains_key(&end));
    assert_eq!(minimise(&lines, session.reading(), "something else", &Errand::default()), None);
}

#[test]
fn a_trace_leads_where_it_led() {
    let (mut session, at) = started(2);
    let asked = Act::Request { node: "c2".to_owned(), text: Some("4 by hand".to_owned()) };
    let asked = session.act(at, &asked, false).expect("it asks");
    let cut = session
        .act(asked, &Act::Cut { from: "n1".to_owned(), to: "c1".to_owned() }, false)
        .expect("it is cut");
    let end = session.random(cut, 50, 9).expect("something happens");
    let lines = session.lines(end);
    let (mut other, _) = started(2);
    let begin = other.moments.len();
    let there = other.replay(0, &lines).expect("each step is possible");
    assert_eq!(other.stage(there).world, session.stage(end).world);
    assert_eq!(other.path(there).len(), session.path(end).len());
    // The starts were there already.
    assert_eq!(other.moments.len() - begin, lines.len() - 3);
}
