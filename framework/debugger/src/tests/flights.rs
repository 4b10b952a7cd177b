//! What real processes recorded, put together again: clocks that disagree, messages that were lost, processes that were
//! killed, and files that are not what they should be.

use super::toy::{Client, Counter, SERVER, Said, Toy};
use crate::act::Act;
use crate::columns::{DIFFERS, KINDS, Kind};
use crate::flight::Flight;
use crate::session::Session;
use crate::setup::{Past, Setup};
use serde_json::{Value, json};
use synod_node::{Context, Durable, Effect, NodeId, RequestId, Stimulus, step};
use synod_world::{Origin, Recorded, Recording, TraceEvent, did_line, digest_of};

const C1: NodeId = NodeId::client(1);
/// So many bytes of a recovery are kept.
const RECOVERED_MAX: usize = 1_000;

/// A process that records, with a clock of its own.
struct Process {
    id: NodeId,
    node: Toy,
    clock: u64,
    origin: Origin,
    text: String,
}

fn built(id: NodeId) -> Toy {
    if id == SERVER { Toy::Counter(Counter::default()) } else { Toy::Client(Client::default()) }
}

impl Process {
    fn start(id: NodeId, clock: u64) -> Process {
        let origin = Origin { cluster: 7, process: id.to_bits(), start: 1, part: 0 };
        let text = Recording::header_line(origin);
        let mut process = Process { id, node: built(id), clock, origin, text };
        process.take(Stimulus::Start);
        process
    }

    /// Begins to be recorded anew, with what is durable.
    fn restart(&mut self, durable: Durable<Toy>) {
        self.node = built(self.id);
        self.origin.start += 1;
        self.text = Recording::header_line(self.origin);
        self.take(Stimulus::Recover(durable));
    }

    fn begin(&mut self, stimulus: &Stimulus<Toy>) {
        self.clock += 10;
        let name = json!(self.id.to_string());
        self.text += &Recorded::of((self.clock, self.id), stimulus, &name, RECOVERED_MAX).to_line();
    }

    /// Takes a step, whose writes are durable at once, and returns what it sends.
    fn take(&mut self, stimulus: Stimulus<Toy>) -> Vec<Said> {
        self.begin(&stimulus);
        let mut ctx = Context::new(self.id);
        step(&mut self.node, stimulus, &mut ctx);
        self.text += &did_line(digest_of(ctx.effects()));
        let effects = ctx.take_effects();
        let writes = effects.iter().filter(|effect| matches!(effect, Effect::Persist(_))).count();
        if writes > 0 {
            let (at_us, node) = (self.clock, self.id.to_string());
            let event = TraceEvent::Durable { at_us, node, writes };
            self.text += &Recorded { event, bytes: None, built: None }.to_line();
        }
        effects
            .into_iter()
            .filter_map(|effect| if let Effect::Send { message, .. } = effect { Some(message) } else { None })
            .collect()
    }

    fn ask(&mut self, id: u64, amount: u64) -> Said {
        let request = (amount, "recorded".to_owned());
        self.take(Stimulus::Request { id: RequestId(id), request }).remove(0)
    }

    fn hear(&mut self, from: NodeId, message: Said) -> Vec<Said> {
        self.take(Stimulus::Message { from, message })
    }

    fn recording(&self) -> Recording {
        Recording::from_text(&self.text).expect("what was written can be read")
    }
}

fn rebuild(id: NodeId, words: &Value) -> Result<Toy, String> {
    if *words == json!(id.to_string()) { Ok(built(id)) } else { Err(format!("it was built as {words}")) }
}

fn named(recordings: Vec<Recording>) -> Vec<(String, Recording)> {
    let name = |(number, recording)| (format!("file{number}"), recording);
    (1..).zip(recordings).map(name).collect()
}

fn flown(recordings: Vec<Recording>) -> Session<Toy> {
    let flight = Flight::read(named(recordings), &rebuild).expect("they belong together");
    let mut setup = Setup::of("recorded", []);
    setup.compares = true;
    setup.first = flight.first;
    setup.remarks = flight.remarks;
    setup.past = Past::Recorded(flight.strands);
    Session::open(setup).expect("it opens")
}

fn refused(recordings: Vec<Recording>) -> String {
    Flight::read(named(recordings), &rebuild).expect_err("it is refused")
}

/// What happened on the way to where a page begins.
fn kinds(session: &Session<Toy>) -> Vec<Kind> {
    session.path(session.head).iter().map(|moment| session.rows[*moment as usize].kind).collect()
}

fn flagged(session: &Session<Toy>) -> Vec<u32> {
    let is_flagged = |moment: &u32| session.rows[*moment as usize].flags & DIFFERS != 0;
    (0..session.rows.len() as u32).filter(is_flagged).collect()
}

fn total(session: &mut Session<Toy>, moment: u32) -> Option<u64> {
    match session.stage(moment).world.node(SERVER) {
        Some(Toy::Counter(counter)) => Some(counter.total),
        Some(Toy::Client(_)) | None => None,
    }
}

/// A client that asks to add 1, and a server whose clock is an hour behind.
fn one_added() -> (Process, Process) {
    let (mut server, mut client) = (Process::start(SERVER, 5), Process::start(C1, 3_600_000_000));
    let add = client.ask(1, 1);
    let total = server.hear(C1, add).remove(0);
    client.hear(SERVER, total);
    (server, client)
}

#[test]
fn what_was_sent_comes_before_it_arrives_whatever_the_clocks_say() {
    let (server, client) = one_added();
    for recordings in [[server.recording(), client.recording()], [client.recording(), server.recording()]] {
        let mut session = flown(recordings.to_vec());
        use Kind::{Deliver, Durable, Request, Start};
        assert_eq!(kinds(&session), [Start, Start, Request, Deliver, Durable, Deliver]);
        assert_eq!((flagged(&session), session.remarks.len()), (vec![], 0));
        let end = session.head;
        assert_eq!(total(&mut session, end), Some(1));
        assert_eq!(session.stage(end).world.flight().count(), 0);
        let clocks: Vec<f64> = session.rows.iter().map(|row| row.at_us).collect();
        assert!(clocks.is_sorted(), "time does not run back: {clocks:?}");
    }
}

#[test]
fn a_step_that_did_something_else_is_flagged_and_the_others_are_not() {
    let (server, client) = one_added();
    let mut other = server.recording();
    // The step of the message, after the start.
    other.lines[1].1 = other.lines[1].1.map(|did| did ^ 1);
    let mut session = flown(vec![other, client.recording()]);
    assert!(session.remarks[0].starts_with("a step did something else"), "{:?}", session.remarks);
    let [moment] = flagged(&session)[..] else { panic!("{:?}", flagged(&session)) };
    assert_eq!(session.rows[moment as usize].kind, Kind::Deliver);
    let told = session.show(moment, None);
    assert!(
        told["flagged"].as_str().is_some_and(|words| words.starts_with("n1 did something else")),
        "{told}"
    );
    assert_eq!(session.show(moment - 1, None)["flagged"], Value::Null);
}

#[test]
fn what_was_overtaken_on_its_link_was_lost() {
    let (mut server, mut client) = (Process::start(SERVER, 5), Process::start(C1, 5));
    client.ask(1, 1);
    let second = client.ask(2, 2);
    server.hear(C1, second);
    let session = flown(vec![server.recording(), client.recording()]);
    use Kind::{Deliver, Drop, Durable, Request, Start};
    assert_eq!(kinds(&session), [Start, Start, Request, Request, Drop, Deliver, Durable]);
    assert_eq!(flagged(&session), Vec::<u32>::new());
}

#[test]
fn what_an_unrecorded_process_sent_comes_all_the_same() {
    let (server, _) = one_added();
    let mut session = flown(vec![server.recording()]);
    assert_eq!(kinds(&session), [Kind::Start, Kind::Undrop, Kind::Deliver, Kind::Durable]);
    let end = session.head;
    assert_eq!((total(&mut session, end), flagged(&session)), (Some(1), vec![]));
}

#[test]
fn a_process_that_was_killed_goes_on_with_what_its_disk_had() {
    let (mut server, mut client) = one_added();
    let before = server.recording();
    server.restart(Durable { checkpoint: None, records: vec![1] });
    let add = client.ask(2, 2);
    server.hear(C1, add);
    // In whatever order the files are named.
    let mut session = flown(vec![server.recording(), client.recording(), before]);
    let kinds = kinds(&session);
    let crash = kinds.iter().position(|kind| *kind == Kind::Crash).expect("it crashed");
    assert_eq!(kinds[crash + 1], Kind::Restart, "{kinds:?}");
    let end = session.head;
    assert_eq!((total(&mut session, end), flagged(&session)), (Some(3), vec![]));
    // It can be branched there: this time it comes back without having been asked.
    let path = session.path(end);
    let restarted = path[crash + 1];
    let branch = session.act(restarted, &Act::Crash { node: "n1".to_owned() }, false).expect("it crashes");
    let back = session.act(branch, &Act::Restart { node: "n1".to_owned() }, false).expect("it restarts");
    assert_eq!(total(&mut session, back), Some(1));
    // What was saved of the branch leads there again, where the recordings are open.
    let lines = session.lines(back);
    let (before, after) = (one_added().0.recording(), server.recording());
    let mut other = flown(vec![before, after, client.recording()]);
    let there = other.replay(0, &lines).expect("each step is possible");
    assert_eq!(other.stage(there).world, session.stage(back).world);
}

#[test]
fn the_step_in_which_a_process_ended_is_a_branch() {
    let (mut server, mut client) = one_added();
    let bad = client.ask(2, 13);
    server.begin(&Stimulus::Message { from: C1, message: bad });
    let before = server.recording();
    server.restart(Durable { checkpoint: None, records: vec![1] });
    let good = client.ask(3, 4);
    server.hear(C1, good);
    let mut session = flown(vec![before, server.recording(), client.recording()]);
    let panicked = session.head;
    assert!(session.has_panicked(panicked), "a page begins where it went wrong: {:?}", session.violations);
    let end = *session.leaves.iter().find(|leaf| **leaf != panicked).expect("the others went on");
    assert_eq!((total(&mut session, end), flagged(&session)), (Some(5), vec![]));
}

#[test]
fn a_file_that_begins_too_late_is_said_to() {
    let (mut server, client) = one_added();
    let recording = server.recording();
    let late = |part: u32, from: usize| {
        let origin = Origin { part, ..recording.origin };
        Recording { origin, lines: recording.lines[from..].to_vec() }
    };
    let why = refused(vec![late(1, 1)]);
    assert!(why.contains("too long ago"), "{why}");
    let session = flown(vec![late(1, 1), client.recording()]);
    assert_eq!(session.nodes, [C1], "the client can still be looked at");
    assert!(session.remarks[0].starts_with("file1: 2 of 2 lines are left out"), "{:?}", session.remarks);
    // Two parts that follow each other are one.
    let halves = vec![late(1, 1), Recording { lines: recording.lines[..1].to_vec(), ..recording.clone() }];
    let mut session = flown(halves.into_iter().chain([client.recording()]).collect());
    let end = session.head;
    assert_eq!((total(&mut session, end), session.remarks.len()), (Some(1), 0));
    // A recovery that was too large to be kept is no beginning.
    server.restart(Durable { checkpoint: None, records: vec![1; RECOVERED_MAX] });
    let why = refused(vec![server.recording()]);
    assert!(why.contains("too long ago"), "{why}");
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let (server, client) = one_added();
    let (server, client) = (server.recording(), client.recording());
    let mut stranger = client.clone();
    stranger.origin.cluster += 1;
    assert_eq!(refused(vec![server.clone(), stranger]), "file1 and file2 are of different clusters");
    assert_eq!(refused(vec![server.clone(), server.clone()]), "file1 and file2 are the same recording");
    let mut twin = server.clone();
    twin.origin.process += 1;
    assert_eq!(refused(vec![server.clone(), twin]), "two processes ran the node n1");
    let damage = |change: &dyn Fn(&mut Recorded)| {
        let mut damaged = server.clone();
        damaged.lines.iter_mut().for_each(|(recorded, _)| change(recorded));
        refused(vec![damaged])
    };
    let why = damage(&|recorded| recorded.built = None);
    assert_eq!(why, "file1, event 1: it does not say how n1 was built");
    let why = damage(&|recorded| recorded.built = Some(json!("a bridge")));
    assert_eq!(why, "file1, event 1: n1: it was built as \"a bridge\"");
    let why = damage(&|recorded| recorded.bytes = Some("!".to_owned()));
    assert!(why.starts_with("file1, event 2: its bytes: "), "{why}");
    let why = damage(&|recorded| recorded.bytes = Some("AAAA".to_owned()));
    assert_eq!(why, "file1, event 2: malformed bytes: bytes left over");
    let why = damage(&|recorded| recorded.event = TraceEvent::Pause { node: "n1".to_owned() });
    assert!(why.contains("nothing that a real node records"), "{why}");
}

#[test]
fn what_cannot_follow_a_step_that_went_otherwise_is_remarked() {
    let (server, client) = one_added();
    let mut other = client.recording();
    other.lines.push((
        Recorded {
            event: TraceEvent::Fire { at_us: u64::MAX, node: "c1".to_owned(), timer: "Again(77)".to_owned() },
            bytes: None,
            built: None,
        },
        Some(1),
    ));
    let session = flown(vec![server.recording(), other]);
    let [remark] = &session.remarks[..] else { panic!("{:?}", session.remarks) };
    assert!(remark.ends_with("the timer Again(77) of c1: no such timer waits"), "{remark}");
    assert_eq!(KINDS[session.rows[session.head as usize].kind as usize], "deliver", "the rest is there");
}
