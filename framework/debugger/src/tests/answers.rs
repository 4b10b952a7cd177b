//! What the page is answered, and hostile words.

use super::toy::opened;
use crate::act::Act;
use crate::{Answer, Ask, Desk};
use serde_json::Value;

fn json(desk: &dyn Desk, ask: Ask) -> Value {
    match desk.ask(ask) {
        Ok(Answer::Json(value)) => value,
        other => panic!("{other:?}"),
    }
}

fn act(desk: &dyn Desk, at: u32, act: Act) -> u32 {
    json(desk, Ask::Act { at, act, quick: false })["moment"].as_u64().expect("a moment") as u32
}

/// Both nodes run, and the client asked with these words.
fn asked(desk: &dyn Desk, words: &str) -> u32 {
    let at = act(desk, 0, Act::Start { node: "n1".to_owned() });
    let at = act(desk, at, Act::Start { node: "c1".to_owned() });
    act(desk, at, Act::Request { node: "c1".to_owned(), text: Some(format!("1 {words}")) })
}

#[test]
fn a_long_text_is_cut_and_says_how_long_it_is() {
    let desk = opened(1);
    let moment = asked(&*desk, &"<script>alert(1)</script>".repeat(40_000));
    let told = json(&*desk, Ask::Moment { m: moment, base: None });
    assert!(told.to_string().len() < 100_000, "{} bytes", told.to_string().len());
    let inbox = told["nodes"][0]["inbox"][0]["text"].as_str().expect("a message");
    assert!(inbox.contains("<script>") && inbox.ends_with("bytes in all)"), "{inbox}");
    // Nothing of it can end the element in which an exported file keeps it.
    let Ok(Answer::File(name, _, page)) = desk.ask(Ask::Export { m: moment }) else { panic!("no file") };
    assert_eq!(name, format!("session-{moment}.html"));
    let data =
        page.split("id=\"exported\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("data");
    let data: Value = serde_json::from_str(data).expect("the whole of it");
    assert!(data["moments"][moment.to_string()].to_string().contains("<script>"));
    assert!(!page.contains("<script>alert"));
}

#[test]
fn columns_tell_each_moment() {
    let desk = opened(1);
    let moment = asked(&*desk, "x");
    let Ok(Answer::Bytes(bytes)) = desk.ask(Ask::Columns { from: 1 }) else { panic!("no columns") };
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((number(0), number(4)), (moment, 1));
    assert_eq!(bytes.len(), 8 + moment as usize * (8 + 4 * 4 + 2 * 2 + 4));
    let parents = 8 + 8 * moment as usize;
    assert_eq!((number(parents), number(parents + 4)), (0, 1));
}

#[test]
fn what_is_not_there_is_refused_in_words() {
    let desk = opened(1);
    let refused = [
        (Ask::Moment { m: 9, base: None }, "there is no moment 9"),
        (Ask::Moment { m: 0, base: Some(7) }, "there is no moment 7"),
        (Ask::Tree { m: 0, node: "n7".to_owned(), base: None }, "there is no node `n7`"),
        (Ask::Job { id: 3 }, "there is no job 3"),
        (Ask::Load { trace: "nonsense".to_owned() }, "this is no trace"),
        (Ask::Predicate { predicate: "(".to_owned(), at: 0 }, "missing at the end"),
        (Ask::Random { at: 0, steps: 0, seed: 0 }, ""),
    ];
    for (ask, why) in refused {
        match desk.ask(ask.clone()) {
            Err(refusal) => assert!(refusal.words.contains(why), "{ask:?}: {refusal}"),
            Ok(answer) => assert!(why.is_empty(), "{ask:?} is answered {answer:?}"),
        }
    }
}

#[test]
fn two_moments_are_compared_from_where_they_part() {
    let desk = opened(1);
    let moment = asked(&*desk, "x");
    let arrived = act(&*desk, moment, Act::Deliver { id: 1 });
    let lost = act(&*desk, moment, Act::Drop { id: 1 });
    let compared = json(&*desk, Ask::Compare { a: arrived, b: lost });
    assert_eq!(compared["ancestor"], moment);
    assert_eq!((&compared["a_next"], &compared["b_next"]), (&arrived.into(), &lost.into()));
    let changes = compared["nodes"][0]["changes"].to_string();
    assert!(changes.contains("\"total\""), "{changes}");
    let back = json(&*desk, Ask::Compare { a: moment, b: lost });
    assert_eq!((&back["a_next"], &back["a_steps"]), (&crate::columns::NONE.into(), &0.into()));
    assert_eq!(back["flight"]["only_a"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_job_runs_until_something_holds_and_grafts_its_way() {
    let desk = opened(2);
    let moment = asked(&*desk, "x");
    let wish =
        r#"{"kind": "run_until", "at": 3, "predicate": "n1.total >= 3", "seed": 1, "steps_max": 10000}"#;
    let wish = serde_json::from_str(wish).expect("a wish");
    let job = json(&*desk, Ask::Start(wish))["job"].as_u64().expect("a job") as usize;
    let end = loop {
        let told = json(&*desk, Ask::Job { id: job });
        if told["state"] != "running" {
            break told;
        }
        std::thread::yield_now();
    };
    assert_eq!(end["state"], "found", "{end}");
    let there = end["moment"].as_u64().expect("a moment") as u32;
    assert!(there > moment);
    let holds = json(&*desk, Ask::Predicate { predicate: "n1.total >= 3".to_owned(), at: there });
    assert_eq!(holds["holds"], true);
    let share = json(&*desk, Ask::Share { m: there });
    assert!(share["rust"].as_str().is_some_and(|rust| rust.contains("#[test]")), "{share}");
}

#[test]
fn every_file_of_the_page_is_served_and_in_order() {
    let listed: Vec<&str> = include_str!("../../page/modules.txt").lines().collect();
    let served: Vec<&str> = crate::page::MODULES.iter().map(|(name, _)| *name).collect();
    assert_eq!(served, listed);
    for (at, (name, text)) in crate::page::MODULES.iter().enumerate() {
        for line in text.lines().filter(|line| line.starts_with("import ")) {
            let needed = line.split("\"./").nth(1).and_then(|rest| rest.split('"').next()).expect("a module");
            let place = served.iter().position(|other| *other == needed);
            assert!(place.is_some_and(|place| place < at), "{name} needs {needed} before it");
            assert!(line.ends_with("\";"), "{name}: an import of one line: {line}");
        }
    }
}
