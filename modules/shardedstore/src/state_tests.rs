//! A group's state, the queue, the small application and byte forms, by direct calls.

use crate::queue::{Queue, Waiting, Wanted};
use crate::{
    Attempt, Chunk, Configuration, ConfigurationCommand, ConfigurationOutput, ConfigurationService, GroupId,
    GroupState, Lock, Lot, Message, Record, RequestName, Results, Sharded, SlotId, SlotStatus, Step, Stepped,
    TextCommand, TextOutput, Texts, Whereabouts, invariants,
};
use std::sync::Arc;
use synod_clientserver::ClientId;
use synod_node::{NodeId, StateMachine};
use synod_stdx::{Digest, Malformed, Rng, Wire};

const G1: GroupId = GroupId(1);
const G2: GroupId = GroupId(2);
const SLOTS: u16 = 2;
const CLIENT: ClientId = ClientId::new(NodeId::client(1), 0);

fn slot(number: u16) -> SlotId {
    SlotId::new(number.into()).expect("there are so many")
}

fn name(slot_number: u16, seq: u64) -> RequestName {
    RequestName { client: CLIENT, slot: slot(slot_number), seq }
}

/// The configurations of a store that group 1 joins first, and group 2 then: the second slot is group 2's.
fn configurations() -> Vec<Arc<Configuration>> {
    let mut service = ConfigurationService::new(SLOTS);
    for group in [1, 2] {
        let members = vec![NodeId::server(10 * group)];
        service.apply(&ConfigurationCommand::Join { group: GroupId(group), members });
    }
    let of = |number| match service.query(&ConfigurationCommand::Query { number: Some(number) }) {
        Some(ConfigurationOutput::Configuration(configuration)) => configuration,
        other => panic!("{other:?}"),
    };
    vec![of(0), of(1)]
}

type State = GroupState<Texts>;

fn pair() -> (State, State) {
    let mut groups = (State::new(G1, SLOTS, Texts::new(SLOTS)), State::new(G2, SLOTS, Texts::new(SLOTS)));
    let first = Step::Configure(Arc::clone(&configurations()[0]));
    assert_eq!((groups.0.apply(&first), groups.1.apply(&first)), (Stepped::Moved, Stepped::Moved));
    groups
}

/// Both know the second configuration, and nothing has moved.
fn moving_pair() -> (State, State) {
    let (mut one, mut two) = pair();
    for (key, value) in [("c", "1"), ("a", "22"), ("k0", "333")] {
        let seq = one.executed(CLIENT, slot(1)).0 + 1;
        let command = TextCommand::put(key, value);
        one.apply(&Step::Run { name: name(1, seq), acked_below: seq, command });
    }
    let second = Step::Configure(Arc::clone(&configurations()[1]));
    assert_eq!((one.apply(&second), two.apply(&second)), (Stepped::Moved, Stepped::Moved));
    (one, two)
}

fn run(state: &mut State, name: RequestName, command: TextCommand) -> Stepped<TextOutput> {
    state.apply(&Step::Run { name, acked_below: name.seq, command })
}

/// The slot goes over, in parts of a few bytes.
fn hand_over(one: &mut State, two: &mut State) -> usize {
    one.apply(&Step::Freeze { at_ms: 0, number: 1, slots: vec![slot(1)] });
    ship_round(one, two)
}

/// The round of the slot that is under way goes over, in parts of a few bytes.
fn ship_round(one: &State, two: &mut State) -> usize {
    let round = one.round_of(slot(1)).expect("a round is under way");
    let (mut parts, mut position) = (0, Some(0));
    while let Some(at) = position {
        let chunk = one.chunk(slot(1), (round, at), 1).expect("it is under way");
        position = chunk.next;
        parts += 1;
        two.apply(&Step::Take { number: 1, chunks: vec![chunk] });
    }
    parts
}

#[test]
fn a_slot_is_served_while_it_is_copied_and_what_was_written_follows() {
    let (mut one, mut two) = moving_pair();
    let copy = |round| Step::Copy { number: 1, slots: vec![(slot(1), round)] };
    assert_eq!(one.apply(&copy(1)), Stepped::Known, "the rounds begin with 0");
    assert_eq!(one.apply(&copy(0)), Stepped::Moved);
    assert_eq!(one.apply(&copy(0)), Stepped::Known, "each begins once");
    assert_eq!(one.whereabouts(slot(1)), Whereabouts::Here(SlotStatus::Served));
    // One key changes, one goes and one comes, while the parts of the first round are on their way.
    run(&mut one, name(1, 4), TextCommand::append("c", "x"));
    run(&mut one, name(1, 5), TextCommand::swap("a", "k2"));
    assert!(["a", "c", "k0", "k2"].iter().all(|key| Texts::slot_of(key, SLOTS) == slot(1)));
    assert_eq!(ship_round(&one, &mut two), 3);
    assert_eq!(two.whereabouts(slot(1)), Whereabouts::ComesFrom(G1), "a copy is not served");
    assert!(one.has_changed_little(slot(1), 8) && !one.has_changed_little(slot(1), 1));
    assert_eq!(one.apply(&copy(1)), Stepped::Moved);
    assert_eq!(ship_round(&one, &mut two), 2);
    assert!(one.has_changed_little(slot(1), 0), "nothing was written since");
    assert_eq!(hand_over(&mut one, &mut two), 1);
    assert_eq!(one.whereabouts(slot(1)), Whereabouts::SentTo(G2));
    let read = run(&mut two, name(1, 6), TextCommand::multi_get(&["a", "c", "k0", "k2"]));
    let told = [None, Some("1x"), Some("333"), Some("22")].map(|value| value.map(Into::into));
    assert_eq!(read, Stepped::Ran { name: name(1, 6), output: TextOutput::Values(told.into()) });
    assert_eq!(two.executed(CLIENT, slot(1)), (6, true));
    one.apply(&Step::Release { number: 1, slots: vec![slot(1)] });
    assert_eq!((one.moving(), two.moving()), ((0, 0), (0, 0)));
}

#[test]
fn a_slot_moves_in_parts_with_what_clients_were_answered() {
    let (mut one, mut two) = moving_pair();
    assert_eq!(one.whereabouts(slot(1)), Whereabouts::Here(SlotStatus::Served), "until it is frozen");
    assert_eq!(two.whereabouts(slot(1)), Whereabouts::ComesFrom(G1));
    let before = run(&mut one, name(1, 4), TextCommand::append("c", "x"));
    assert_eq!(before, Stepped::Ran { name: name(1, 4), output: TextOutput::appended("1x") });
    assert!(hand_over(&mut one, &mut two) > 1, "one part is no test of parts");
    assert_eq!(one.whereabouts(slot(1)), Whereabouts::SentTo(G2));
    assert_eq!(run(&mut one, name(1, 5), TextCommand::get("c")), Stepped::NotRun { name: name(1, 5) });
    // What ran there is known here, and runs no more.
    assert_eq!(run(&mut two, name(1, 4), TextCommand::append("c", "x")), before);
    let next = run(&mut two, name(1, 5), TextCommand::multi_get(&["a", "c"]));
    assert_eq!(next, Stepped::Ran { name: name(1, 5), output: TextOutput::values(&["22", "1x"]) });
    assert_eq!(invariants::a_slot_is_served_by_one_group(&[&one, &two]), Ok(()));
    one.apply(&Step::Release { number: 1, slots: vec![slot(1)] });
    assert_eq!(one.whereabouts(slot(1)), Whereabouts::With(G2));
    assert_eq!((one.moving(), two.moving()), ((0, 0), (0, 0)));
    assert_eq!(one.store().slot_bytes(slot(1)), 0, "what was given is forgotten");
    assert_eq!(invariants::no_slot_is_lost(&[&one, &two]), Ok(()));
}

#[test]
fn what_is_late_moves_nothing() {
    let (mut one, mut two) = moving_pair();
    assert_eq!(one.apply(&Step::Release { number: 1, slots: vec![slot(1)] }), Stepped::Known, "not frozen");
    assert_eq!(
        one.apply(&Step::Freeze { at_ms: 0, number: 0, slots: vec![slot(1)] }),
        Stepped::Known,
        "another number"
    );
    hand_over(&mut one, &mut two);
    let (chunk, held) = (one.chunk(slot(1), (0, 0), 1 << 20).expect("frozen"), two.clone());
    assert_eq!(two.apply(&Step::Take { number: 1, chunks: vec![chunk] }), Stepped::Known);
    assert_eq!(two, held, "a part that comes again changes nothing");
    let third = Arc::new(Configuration { number: 3, ..(*configurations()[1]).clone() });
    assert_eq!(two.apply(&Step::Configure(third)), Stepped::Known, "one configuration after the other");
    let second = Step::Configure(Arc::new(Configuration { number: 2, ..(*configurations()[1]).clone() }));
    assert_eq!(one.apply(&second), Stepped::Known, "not before this one is carried out");
}

/// A transaction over both groups, up to the lock of the second.
fn prepared() -> (State, State, Attempt, TextCommand) {
    let (mut one, mut two) = moving_pair();
    hand_over(&mut one, &mut two);
    one.apply(&Step::Release { number: 1, slots: vec![slot(1)] });
    let command = TextCommand::multi_put(&[("b", "x"), ("c", "y")]);
    let begun = one.apply(&Step::Begin { name: name(0, 1), acked_below: 1, command: command.clone() });
    assert_eq!(begun, Stepped::Begun { name: name(0, 1) });
    let attempt = Attempt { name: name(0, 1), coordinator: G1, number: 1 };
    for (state, number) in [(&mut one, 0), (&mut two, 1)] {
        let prepared = state.apply(&Step::Prepare { attempt, slots: vec![slot(number)] });
        let (lock, slots) = (Lock::Held(1), vec![slot(number)]);
        assert_eq!(prepared, Stepped::Prepared { attempt, lock, slots });
    }
    (one, two, attempt, command)
}

#[test]
fn a_locked_slot_runs_nothing_and_stays() {
    let (mut one, mut two, attempt, _) = prepared();
    assert_eq!(run(&mut two, name(1, 4), TextCommand::get("c")), Stepped::NotRun { name: name(1, 4) });
    assert_eq!(two.query(&Step::Read(TextCommand::get("c"))), Some(Stepped::NotRead));
    let other = Attempt { name: name(1, 9), coordinator: G2, number: 9 };
    let refused = one.apply(&Step::Prepare { attempt: other, slots: vec![slot(0)] });
    assert_eq!(refused, Stepped::Prepared { attempt: other, lock: Lock::NotNow, slots: vec![slot(0)] });
    // Given up, it is as it was; a try that is over is known by its number.
    assert_eq!(one.apply(&Step::Abandon { attempt }), Stepped::Abandoned { attempt });
    assert!(one.is_over(attempt) && !one.is_over(Attempt { number: 3, ..attempt }));
    two.apply(&Step::Finish { attempt, lock: 1, part: None });
    assert!(two.is_unlocked(attempt, 1) && !two.is_unlocked(attempt, 2));
    let read = two.query(&Step::Read(TextCommand::get("c")));
    assert_eq!(read, Some(Stepped::Read(TextOutput::value("1"))));
}

#[test]
fn a_decision_is_written_once_whatever_lock_comes_late() {
    let (mut one, mut two, attempt, command) = prepared();
    let told = two.store().read(&command, &|wanted| wanted == slot(1));
    let own = one.store().read(&command, &|wanted| wanted == slot(0));
    let (output, written) = one.store().run_apart(&command, &[told, own]);
    let part = |number: u16| one.store().part(&written, &|wanted| wanted == slot(number));
    let parts = vec![(G1, 0, part(0)), (G2, 1, part(1))];
    let decided =
        one.apply(&Step::Decide { at_ms: 0, attempt, output: output.clone(), parts: parts.clone() });
    assert_eq!(decided, Stepped::Ran { name: attempt.name, output });
    assert_eq!(one.apply(&Step::Abandon { attempt }), Stepped::Known, "what is committed is not given up");
    let finish = Step::Finish { attempt, lock: 1, part: Some(parts[1].2.clone()) };
    two.apply(&finish);
    run(&mut two, name(1, 4), TextCommand::append("c", "z"));
    // The request to lock, and the decision, once more.
    two.apply(&Step::Prepare { attempt, slots: vec![slot(1)] });
    assert_eq!(two.lock_of(attempt), Some(2), "locked anew, under another number");
    two.apply(&finish);
    assert_eq!(two.lock_of(attempt), Some(2), "the decision is about the first lock");
    two.apply(&Step::Finish { attempt, lock: 2, part: None });
    let read = two.query(&Step::Read(TextCommand::get("c")));
    assert_eq!(read, Some(Stepped::Read(TextOutput::value("yz"))));
    assert_eq!(one.transactions(), (1, 0), "kept until the other group is known to have it");
    one.apply(&Step::Told { name: attempt.name, group: G2 });
    assert_eq!(one.transactions(), (0, 0));
}

/// Every command gives the same on one store as on two that hold a part each.
#[test]
fn a_command_apart_does_what_it_does_in_one_piece() {
    let mut rng = Rng::new(7);
    let mut whole = Texts::new(SLOTS);
    let mut halves = [Texts::new(SLOTS), Texts::new(SLOTS)];
    for round in 0..2_000 {
        let key = |rng: &mut Rng| format!("k{}", rng.below(6));
        let (one, two, value) = (key(&mut rng), key(&mut rng), round.to_string());
        let command = match rng.below(6) {
            0 => TextCommand::put(&one, &value),
            1 => TextCommand::get(&one),
            2 => TextCommand::append(&one, &value[..1]),
            3 => TextCommand::multi_get(&[&one, &two, &key(&mut rng)]),
            4 => TextCommand::multi_put(&[(&one, &value), (&two, "")]),
            _ => TextCommand::swap(&one, &two),
        };
        let is_in = |number: usize| move |wanted: SlotId| wanted == slot(number as u16);
        let told = [0, 1].map(|number| halves[number].read(&command, &is_in(number)));
        let (output, written) = halves[0].run_apart(&command, &told);
        for number in [0, 1] {
            let part = halves[number].part(&written, &is_in(number));
            halves[number].write(&part);
        }
        assert_eq!(output, whole.apply(&command), "{command:?}");
        for number in [0, 1] {
            let parts = [&whole, &halves[number]].map(|texts| texts.values.get(&slot(number as u16)));
            assert_eq!(parts[0], parts[1], "after {command:?}");
        }
    }
}

#[test]
fn nothing_in_the_queue_overtakes_who_waits_for_one_of_its_slots() {
    let mut queue = Queue::<Texts>::default();
    let read = |seq| Wanted::Read { from: NodeId::client(1), seq, query: TextCommand::get("k") };
    for (seq, slots) in [(1, vec![0, 1]), (2, vec![0]), (3, vec![1]), (4, vec![2])] {
        assert!(queue.push(read(seq), slots.into_iter().map(slot).collect()));
    }
    let taken = |queue: &mut Queue<Texts>, free: &[u16]| -> Vec<u64> {
        let is_free =
            |waiting: &Waiting<Texts>| waiting.slots.iter().all(|wanted| free.contains(&wanted.number()));
        let taken = queue.take(is_free, |_| true);
        let seq = |wanted| match wanted {
            Wanted::Read { seq, .. } => seq,
            Wanted::Run { .. } | Wanted::Prepare { .. } => 0,
        };
        taken.into_iter().map(|waiting| seq(waiting.wanted)).collect()
    };
    assert_eq!(taken(&mut queue, &[0, 2]), [4], "the first wants both, and the second comes behind it");
    assert_eq!(taken(&mut queue, &[0, 1]), [1, 2, 3]);
    assert!(queue.is_empty());
    assert!(queue.push(read(5), vec![slot(0)]));
    let ticks = (1..).find(|_| !queue.on_tick().is_empty());
    assert!(ticks.is_some_and(|ticks| ticks > 10), "what waits too long is dropped, not at once");
}

fn chunk(one: &State) -> Chunk<Texts> {
    let mut frozen = one.clone();
    frozen.apply(&Step::Freeze { at_ms: 0, number: 1, slots: vec![slot(1)] });
    frozen.chunk(slot(1), (0, 0), 1 << 20).expect("it is frozen")
}

fn messages() -> Vec<Message<Texts>> {
    let (one, ..) = moving_pair();
    let (.., attempt, command) = prepared();
    let fragment = vec![("c".into(), None), ("d".into(), Some("1".into()))];
    let (client, first, acked_below) = (CLIENT, 3, 2);
    let lot = Lot {
        slot: slot(1),
        client,
        first,
        acked_below,
        is_on_its_way: true,
        commands: vec![command.clone()],
    };
    let outputs =
        vec![TextOutput::Ok, TextOutput::Value(None), TextOutput::appended("x"), TextOutput::values(&["y"])];
    vec![
        Message::Masters(synod_paxos::Message::NotLeader { leader: None }),
        Message::Members(synod_paxos::Message::Query {
            first: 1,
            queries: vec![Step::Read(command.clone())],
        }),
        Message::Submit { lots: vec![lot] },
        Message::Results { lots: vec![Results { slot: slot(0), client, first, outputs }] },
        Message::Ask { first, is_on_its_way: false, queries: vec![TextCommand::get("k")] },
        Message::Elsewhere { slot: slot(1), group: G2, is_on_its_way: true },
        Message::NotLeader { group: G1, leader: Some(NodeId::server(3)) },
        Message::Forgotten { slot: slot(1), client },
        Message::Ready { number: 4, group: G2 },
        Message::Give { number: 1, chunks: vec![chunk(&one)] },
        Message::Taken { number: 1, slots: vec![(slot(0), None), (slot(1), Some((1, 7)))] },
        Message::Prepare { attempt, slots: vec![slot(1)], command },
        Message::Vote { attempt, group: G2, lock: 1, slots: vec![slot(1)], fragment: fragment.clone() },
        Message::Refused { attempt, slot: slot(1), with: Some(G1) },
        Message::Outcome { attempt, lock: 1, part: Some(fragment) },
        Message::Finished { attempt, group: G2 },
        Message::Inquire { attempt, group: G2, lock: 3 },
        Message::Seated {
            seat: NodeId::server(10),
            message: synod_paxos::Message::Rejoin { incarnation: 5 },
        },
    ]
}

fn steps() -> Vec<Step<Texts>> {
    let (one, ..) = moving_pair();
    let (.., attempt, command) = prepared();
    let fragment = vec![("c".into(), Some("1".into()))];
    let (name, number, slots) = (attempt.name, 1, vec![slot(0), slot(1)]);
    vec![
        Step::Run { name, acked_below: 1, command: command.clone() },
        Step::Read(command.clone()),
        Step::Configure(Arc::clone(&configurations()[1])),
        Step::Copy { number, slots: vec![(slot(0), 0), (slot(1), 3)] },
        Step::Freeze { at_ms: 0, number, slots: slots.clone() },
        Step::Take { number, chunks: vec![chunk(&one)] },
        Step::Release { number, slots: slots.clone() },
        Step::Begin { name, acked_below: 1, command },
        Step::Prepare { attempt, slots },
        Step::Decide { at_ms: 0, attempt, output: TextOutput::Ok, parts: vec![(G2, 1, fragment.clone())] },
        Step::Abandon { attempt },
        Step::Finish { attempt, lock: 1, part: Some(fragment) },
        Step::Told { name, group: G2 },
    ]
}

fn survives<T: Wire + PartialEq + std::fmt::Debug>(value: &T, digest: &mut Digest) {
    let bytes = value.to_bytes();
    assert_eq!(T::from_bytes(&bytes).as_ref(), Ok(value));
    for cut in 0..bytes.len() {
        assert!(T::from_bytes(&bytes[..cut]).is_err(), "{value:?} cut at {cut}");
    }
    digest.update(&bytes);
}

/// The bytes of version 3. If this fails, old nodes and logs can no longer be read: make a new version instead.
#[test]
fn everything_survives_its_byte_form_which_is_that_of_version_three() {
    let mut digest = Digest::default();
    messages().iter().for_each(|message| survives(message, &mut digest));
    steps().iter().for_each(|step| survives(step, &mut digest));
    let (one, two, ..) = prepared();
    let (mut half_given, mut half_taken) = moving_pair();
    half_given.apply(&Step::Copy { number: 1, slots: vec![(slot(1), 0)] });
    ship_round(&half_given, &mut half_taken);
    half_given.apply(&Step::Copy { number: 1, slots: vec![(slot(1), 1)] });
    [one, two, half_given, half_taken].iter().for_each(|state| survives(state, &mut digest));
    let service = ConfigurationService::new(SLOTS);
    survives(&service, &mut digest);
    let record: Record<Texts> =
        Record::Masters(synod_paxos::Record::Rejoined { node: NodeId::server(1), incarnation: 2 });
    survives(&record, &mut digest);
    assert_eq!(digest.value(), 7_287_666_728_093_926_765);
}

#[test]
fn a_part_that_is_not_what_it_was_is_refused() {
    let (one, ..) = moving_pair();
    let bytes = chunk(&one).to_bytes();
    let mut digest_differs = 0;
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let error = Chunk::<Texts>::from_bytes(&damaged).expect_err("a part was damaged and taken");
        digest_differs += u32::from(error == Malformed("a part of a slot is not what it was"));
    }
    assert!(digest_differs > 10, "the digest is what finds it");
}
