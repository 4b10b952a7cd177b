//! What is wrong ends the run, and is told with the seed and what happened last.

use super::{C1, Do, N1, Probe, calm, three};
use crate::{Ask, Failure, Fixed, Oracle, Simulator, Workload};
use synod_node::{NodeId, RequestId};
use synod_stdx::Rng;
use synod_world::{TraceEvent, World};

fn with_client(requests: Vec<(Do, Option<u64>)>) -> Simulator<Probe> {
    let mut sim = three(9, calm());
    sim.start(C1, Probe::default()).unwrap();
    sim.drive(C1, 1, Fixed::new(requests));
    sim
}

#[test]
fn a_handler_that_panics_is_a_failure_with_the_seed_and_the_last_events() {
    let mut sim = three(9, calm());
    sim.ask(N1, Do::Say(1)).unwrap();
    sim.run_ms(3).unwrap();
    let failure = sim.ask(N1, Do::Panic).unwrap_err();
    assert_eq!((failure.seed, failure.at_us), (9, 3_000));
    assert_eq!(failure.what, "a handler panicked: asked to break");
    assert!(matches!(failure.last.last(), Some(TraceEvent::Request { request, .. }) if request == "Panic"));
    let text = failure.to_string();
    assert!(text.contains("seed 9 failed after 3.000 ms: a handler panicked: asked to break"), "{text}");
    assert!(text.contains("latency_us: (1000, 1000)") && text.contains("n2    <- n1    1"), "{text}");
}

#[test]
fn a_failure_shows_no_more_events_than_asked_for() {
    let mut sim = three(9, calm());
    sim.options().last_events = 3;
    for word in 0..10 {
        sim.ask(N1, Do::Say(word)).unwrap();
    }
    assert_eq!(sim.failure("enough").last.len(), 3);
}

#[test]
fn a_client_that_is_answered_twice_is_a_failure() {
    let mut sim = with_client(vec![(Do::AnswerTwice, None)]);
    let failure = sim.run_ms(1).unwrap_err();
    assert_eq!(failure.what, "c1 answered r1 twice, or without being asked");
}

#[test]
fn an_answer_that_the_client_may_not_get_is_a_failure() {
    let mut sim = with_client(vec![(Do::Say(4), Some(4)), (Do::Say(5), Some(6))]);
    let failure = sim.run_ms(1).unwrap_err();
    assert!(failure.what.contains("Say(5) was answered 5 where only 6 is right"), "{failure}");
}

#[test]
fn a_client_is_done_when_its_last_request_is_answered() {
    let mut sim = with_client(vec![(Do::Say(4), Some(4)), (Do::Keep(5), Some(5))]);
    assert!(!sim.is_done());
    assert!(sim.run_until(10, Simulator::is_done).unwrap());
    assert_eq!((sim.answered(C1), sim.now_us(), sim.take_wait_us_max()), (2, 500, 500));
}

/// Asks at once as often as it may, and never stops.
struct Eager;

impl Workload<Probe> for Eager {
    fn next(&mut self, now_us: u64, _rng: &mut Rng) -> Ask<Do> {
        Ask::Request(Do::Keep(now_us))
    }

    fn on_response(&mut self, _request: &Do, _response: &u64) -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn a_client_has_at_most_its_window_outstanding() {
    let mut sim = three(1, calm());
    sim.start(C1, Probe::default()).unwrap();
    sim.drive(C1, 5, Eager);
    sim.run_ms(0).unwrap();
    assert_eq!(sim.world().node(C1).unwrap().kept.len(), 5);
    sim.run_ms(100).unwrap();
    let unanswered = sim.world().node(C1).unwrap().kept.len() as u64 - sim.answered(C1);
    assert_eq!(unanswered, 5);
}

/// Objects to one kind of thing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Objector {
    Answers,
    Steps,
    TheEnd,
}

impl Oracle<Probe> for Objector {
    fn on_return(&mut self, client: NodeId, id: RequestId, response: &u64) -> Result<(), String> {
        if *self == Objector::Answers { Err(format!("{client} got {response} for {id}")) } else { Ok(()) }
    }

    fn after_step(&mut self, world: &World<Probe>, node: NodeId) -> Result<(), String> {
        let heard = world.node(node).map_or(0, |probe| probe.heard.len());
        if *self == Objector::Steps && heard > 0 { Err(format!("{node} heard something")) } else { Ok(()) }
    }

    fn at_end(&mut self, _world: &World<Probe>) -> Result<(), String> {
        if *self == Objector::TheEnd { Err("not like this".to_owned()) } else { Ok(()) }
    }
}

#[test]
fn an_objection_of_an_oracle_ends_the_run() {
    let objection = |objector: Objector| -> Failure {
        let mut sim = with_client(vec![(Do::Say(4), None)]);
        sim.watch(objector);
        sim.ask(N1, Do::Say(1)).unwrap();
        sim.run_ms(10).and_then(|()| sim.finish()).unwrap_err()
    };
    assert_eq!(objection(Objector::Answers).what, "c1 got 4 for r1");
    let failure = objection(Objector::Steps);
    assert_eq!(
        (failure.what.as_str(), failure.at_us),
        ("n2 heard something", 1_000),
        "at once, not in the end"
    );
    let failure = objection(Objector::TheEnd);
    assert_eq!((failure.what.as_str(), failure.at_us), ("not like this", 10_000));
}
