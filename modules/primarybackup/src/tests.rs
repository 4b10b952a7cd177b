//! Pipelines, transfers, views and byte forms, by direct calls.

use crate::pipeline::Pipeline;
use crate::transfer::Transfer;
use crate::{Checkpoint, LOST_TICKS, Member, Operation, Settings, View, ViewNumber};
use synod_clientserver::{ClientId, KvCommand, KvOutput, Server};
use synod_node::NodeId;
use synod_stdx::{Malformed, Wire, marks};

type Message = crate::Message<KvCommand, KvOutput>;

const N1: Member = Member { id: NodeId::server(1), life: 1 };
const N2: Member = Member { id: NodeId::server(2), life: 3 };
const PAIR: View = View { number: ViewNumber(2), primary: Some(N1), backup: Some(N2) };

fn client(number: u32) -> ClientId {
    ClientId::new(NodeId::client(number), 0)
}

fn operation(number: u32, first: u64, count: usize) -> Operation<u64> {
    let commands = vec![7; count];
    Operation { client: client(number), first, acked_below: first, commands }
}

fn indices(pipeline: &mut Pipeline<u64>) -> Option<(u64, usize)> {
    pipeline.take_unsent(|_| 1).map(|(first, batch)| (first, batch.len()))
}

#[test]
fn a_pipeline_sends_in_order_and_settles_what_is_taken() {
    let mut pipeline = Pipeline::default();
    for number in 1..=3 {
        pipeline.push(operation(number, 1, 1), Settings::default());
    }
    assert_eq!(indices(&mut pipeline), Some((1, 3)));
    assert_eq!(indices(&mut pipeline), None);
    let settled: Vec<_> = pipeline.settle(2).map(|operation| operation.client).collect();
    assert_eq!(settled, [client(1), client(2)]);
    assert_eq!(pipeline.settle(2).count(), 0, "an acknowledgement that comes again settles nothing");
    assert_eq!((pipeline.taken(), pipeline.len()), (2, 1));
    pipeline.push(operation(4, 1, 1), Settings::default());
    assert_eq!(indices(&mut pipeline), Some((4, 1)));
    let mut renewed = pipeline.renewed();
    assert_eq!(renewed.taken(), 0, "in a new view indices begin again");
    assert_eq!(indices(&mut renewed), Some((1, 2)), "and everything is sent again");
}

#[test]
fn what_was_not_sent_cannot_be_taken() {
    let mut pipeline = Pipeline::default();
    pipeline.push(operation(1, 1, 1), Settings::default());
    assert_eq!(pipeline.settle(9).count(), 0);
    assert_eq!(pipeline.len(), 1);
}

#[test]
fn a_pipeline_keeps_no_request_twice_and_no_more_than_it_may() {
    let settings = Settings { operations_max: 2, ..Settings::default() };
    let mut pipeline = Pipeline::default();
    pipeline.push(operation(1, 5, 2), settings);
    pipeline.push(operation(1, 5, 1), settings);
    pipeline.push(operation(1, 5, 2), settings);
    assert_eq!(pipeline.len(), 1, "all of it waits already");
    pipeline.push(operation(1, 5, 3), settings);
    assert_eq!(pipeline.len(), 2, "one command of it is new");
    pipeline.push(operation(2, 1, 1), settings);
    assert_eq!(pipeline.len(), 2, "there is no room: the client asks again");
    pipeline.assert_invariants(settings);
}

#[test]
fn a_batch_is_bounded_by_its_bytes_but_never_empty() {
    let mut pipeline = Pipeline::default();
    for number in 1..=3 {
        pipeline.push(operation(number, 1, 1), Settings::default());
    }
    let half = 600 << 10;
    assert_eq!(pipeline.take_unsent(|_| half).map(|(_, batch)| batch.len()), Some(1));
    assert_eq!(pipeline.take_unsent(|_| half / 2).map(|(_, batch)| batch.len()), Some(2));
}

#[test]
fn patience_begins_with_the_second_tick_and_has_an_end() {
    let mut pipeline = Pipeline::default();
    pipeline.on_tick();
    pipeline.push(operation(1, 1, 1), Settings::default());
    assert_eq!(indices(&mut pipeline), Some((1, 1)));
    pipeline.on_tick();
    assert_eq!(indices(&mut pipeline), None, "it may have been sent a moment ago");
    for _ in 1..LOST_TICKS {
        assert!(!pipeline.is_backup_lost());
        pipeline.on_tick();
        assert_eq!(indices(&mut pipeline), Some((1, 1)), "sent again");
    }
    assert!(pipeline.is_backup_lost());
    assert_eq!(pipeline.settle(1).count(), 1);
    assert!(!pipeline.is_backup_lost(), "an answer restores it");
}

#[test]
fn a_transfer_keeps_a_few_pieces_under_way_and_goes_back_to_what_is_missing() {
    let settings = Settings { chunk_bytes_max: 4, chunks_max: 2, ..Settings::default() };
    let mut transfer = Transfer::new((0..11).collect());
    let sent = |transfer: &mut Transfer| {
        std::iter::from_fn(|| transfer.take_unsent(settings))
            .map(|(offset, bytes)| (offset, bytes.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(sent(&mut transfer), [(0, 4), (4, 4)]);
    assert!(!transfer.settle(4));
    assert_eq!(sent(&mut transfer), [(8, 3)]);
    transfer.on_tick();
    transfer.on_tick();
    assert_eq!(sent(&mut transfer), [(4, 4), (8, 3)], "what is not acknowledged, sent again");
    assert!(!transfer.settle(0), "a late answer");
    assert!(transfer.settle(u64::MAX), "bytes from outside are never asserted on");
    transfer.assert_invariants();
}

#[test]
fn a_view_reads_as_it_is_shown() {
    assert_eq!(PAIR.to_string(), "v2(n1,n2.3)");
    assert_eq!(View::STARTUP.to_string(), "v0(-,-)");
    assert_eq!(ViewNumber::STARTUP.previous(), ViewNumber::STARTUP);
    assert_eq!(PAIR.next(Some(N2), None).to_string(), "v3(n2.3,-)");
    assert!(PAIR.names(N2) && !PAIR.names(Member { life: 4, ..N2 }), "another life is another member");
}

fn messages() -> Vec<Message> {
    let commands = vec![KvCommand::put("k", "v"), KvCommand::get("k")];
    let operations = vec![Operation { client: client(1), first: 300, acked_below: 299, commands }];
    let results =
        synod_clientserver::Message::Results { client: client(1), first: 1, outputs: vec![KvOutput::PutOk] };
    vec![
        Message::Ping { life: 300, acked: ViewNumber(2), is_backup_lost: true },
        Message::Ask,
        Message::Announce { view: PAIR },
        Message::Announce { view: View::STARTUP },
        Message::Session(results),
        Message::Transfer { view: PAIR, offset: 8, total: 300, bytes: [1, 2, 3].into() },
        Message::TransferTaken { view: ViewNumber(2), through: 300 },
        Message::Forward { view: ViewNumber(2), first: 7, operations },
        Message::Taken { view: ViewNumber(2), through: 7 },
    ]
}

#[test]
fn every_message_survives_its_byte_form_and_no_part_of_it_passes_for_one() {
    for message in messages() {
        let bytes = message.to_bytes();
        assert_eq!(Message::from_bytes(&bytes), Ok(message.clone()));
        for cut in 0..bytes.len() {
            assert!(Message::from_bytes(&bytes[..cut]).is_err(), "{message:?} cut at {cut}");
        }
    }
    for checkpoint in [Checkpoint::Life(300), Checkpoint::View { view: PAIR, is_acked: true }] {
        let bytes = checkpoint.to_bytes();
        assert_eq!(Checkpoint::from_bytes(&bytes), Ok(checkpoint));
        assert!(Checkpoint::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    for tag in [0, 9, 255] {
        assert_eq!(Message::from_bytes(&[tag, 1, 0]), Err(Malformed("no such message")));
        assert_eq!(Checkpoint::from_bytes(&[tag, 1, 0]), Err(Malformed("no such checkpoint")));
    }
    // A view that nobody makes: number 3 without a primary, and one server in both parts.
    assert_eq!(Message::from_bytes(&[3, 3, 0, 0]), Err(Malformed("no such view")));
    let both = View { backup: Some(N1), ..PAIR };
    assert_eq!(
        Message::from_bytes(&Message::Announce { view: both }.to_bytes()),
        Err(Malformed("no such view"))
    );
}

/// If this fails, bytes that were stored can no longer be read: make a new version instead.
#[test]
fn the_bytes_are_those_of_version_one() {
    assert_eq!(Checkpoint::Life(3).to_bytes(), [1, 3]);
    assert_eq!(Checkpoint::View { view: PAIR, is_acked: true }.to_bytes(), [2, 2, 1, 2, 1, 1, 4, 3, 1]);
}

/// A transfer whose bytes are damaged leaves the backup where it was: it asks for the whole again.
#[test]
fn a_state_that_cannot_be_read_is_asked_for_again() {
    use crate::{Process, Settings};
    use synod_clientserver::KvStore;
    use synod_node::{Context, Effect, Node};
    type Store = Process<KvStore>;
    let server = crate::Server::new(N2.id, NodeId::server(0), KvStore::default(), Settings::default());
    let mut backup: Store = Process::Server(server);
    let view = View { backup: Some(Member { life: 1, ..N2 }), ..PAIR };
    let mut send = |bytes: &[u8]| {
        let mut ctx = Context::new(N2.id);
        let total = bytes.len() as u64;
        backup.on_message(
            N1.id,
            crate::Message::Transfer { view, offset: 0, total, bytes: bytes.into() },
            &mut ctx,
        );
        let effects: Vec<Effect<Store>> = ctx.take_effects();
        match effects.as_slice() {
            [Effect::Send { message: crate::Message::TransferTaken { through, .. }, .. }] => *through,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(send(&[255; 9]), 0);
    let whole = Server::new(KvStore::default()).to_bytes();
    assert_eq!(send(&whole), whole.len() as u64);
    assert_eq!(send(&whole), whole.len() as u64, "and again, if the answer was lost");
    assert_eq!(marks::count("primarybackup.transfer_out_of_order"), 0);
}
