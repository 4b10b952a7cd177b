//! What a client sends again, how much of it, and to whom.

use crate::client::AGAIN_BYTES_MAX;
use crate::{
    Client, ConfigurationCommand, ConfigurationOutput, ConfigurationService, GroupId, Message, Process,
    Request, SlotId, TextCommand, Texts, Timer,
};
use std::collections::BTreeSet;
use synod_node::{Context, Effect, Node, NodeId, RequestId, StateMachine};
use synod_paxos::Message as Paxos;

const SLOTS: u16 = 1_024;
const GROUP: GroupId = GroupId(1);
const CLIENT: NodeId = NodeId::client(1);
const MASTER: NodeId = NodeId::server(100);

type Store = Process<Texts>;

/// A client of one group, whose members are 1 to 3, and of which it takes the first for the leader.
fn client() -> (Store, Context<Store>) {
    let mut ctx = Context::new(CLIENT);
    let mut client = Process::Client(Client::new(CLIENT, 0, &[MASTER], SLOTS));
    let mut service = ConfigurationService::new(SLOTS);
    service.apply(&ConfigurationCommand::Join { group: GROUP, members: NodeId::servers(3) });
    let Some(known @ ConfigurationOutput::Configuration(_)) =
        service.query(&ConfigurationCommand::Query { number: None })
    else {
        panic!("there is a configuration")
    };
    client.on_message(
        MASTER,
        Message::Masters(Paxos::Answers { first: 0, outputs: vec![Some(known)] }),
        &mut ctx,
    );
    ask(&mut client, &mut ctx, 0, &[TextCommand::put("known", "")]);
    let slot = Texts::slot_of("known", SLOTS);
    let results = crate::Results {
        slot,
        client: synod_clientserver::ClientId::new(CLIENT, 0),
        first: 1,
        outputs: vec![crate::TextOutput::Ok],
    };
    client.on_message(NodeId::server(1), Message::Results { lots: vec![results] }, &mut ctx);
    ctx.take_effects();
    (client, ctx)
}

/// A round goes by that began before anything was asked.
fn begin_rounds(client: &mut Store, ctx: &mut Context<Store>) {
    client.on_timer(Timer::Retry, ctx);
    assert_eq!(sent(ctx).2, 0, "nothing has waited for a whole round");
}

fn ask(client: &mut Store, ctx: &mut Context<Store>, from: u64, commands: &[TextCommand]) {
    client.on_request(RequestId(from), Request::Commands(commands.to_vec()), ctx);
}

/// What was sent: to whom, in which slots, and how many bytes of commands.
fn sent(ctx: &mut Context<Store>) -> (BTreeSet<NodeId>, BTreeSet<SlotId>, usize) {
    let (mut to_all, mut slots, mut bytes) = (BTreeSet::new(), BTreeSet::new(), 0);
    for effect in ctx.take_effects() {
        let (Effect::Send { to, message } | Effect::SendEarly { to, message }) = effect else { continue };
        let Message::Submit { lots } = message else { continue };
        to_all.insert(to);
        for lot in lots {
            slots.insert(lot.slot);
            bytes += lot.commands.iter().map(Texts::bytes).sum::<usize>();
        }
    }
    (to_all, slots, bytes)
}

/// Commands of a kilobyte, each in a slot of its own.
fn many() -> Vec<TextCommand> {
    let mut taken = BTreeSet::from([Texts::slot_of("known", SLOTS)]);
    let keys = (0..).map(|number: u32| format!("key{number}"));
    let keys = keys.filter(|key| taken.insert(Texts::slot_of(key, SLOTS))).take(900);
    keys.map(|key| TextCommand::put(&key, &"v".repeat(1_000))).collect()
}

#[test]
fn a_leader_that_is_late_is_sent_a_little_again_and_after_some_rounds_all_of_it() {
    let (mut client, mut ctx) = client();
    let commands = many();
    ask(&mut client, &mut ctx, 10, &commands);
    let (to, slots, all) = sent(&mut ctx);
    assert_eq!((to, slots.len()), ([NodeId::server(1)].into(), commands.len()));
    begin_rounds(&mut client, &mut ctx);
    let mut again = BTreeSet::new();
    let rounds = all.div_ceil(AGAIN_BYTES_MAX) + 1;
    for round in 0..rounds {
        client.on_timer(Timer::Retry, &mut ctx);
        let (to, slots, bytes) = sent(&mut ctx);
        assert_eq!(to, NodeId::servers(3).into_iter().collect(), "another one may lead by now");
        assert!(bytes <= 3 * (AGAIN_BYTES_MAX + 2_000), "{bytes} bytes in round {round}");
        again.extend(slots);
    }
    assert_eq!(again.len(), commands.len(), "what is lost is sent again some time");
}

#[test]
fn another_leader_gets_everything_at_once() {
    let (mut client, mut ctx) = client();
    let commands = many();
    ask(&mut client, &mut ctx, 10, &commands);
    sent(&mut ctx);
    begin_rounds(&mut client, &mut ctx);
    let leads = |leader| Message::NotLeader { group: GROUP, leader: Some(NodeId::server(leader)) };
    client.on_message(NodeId::server(2), leads(3), &mut ctx);
    assert_eq!(sent(&mut ctx).1.len(), 0, "the leader is not doubted yet");
    client.on_timer(Timer::Retry, &mut ctx);
    sent(&mut ctx);
    client.on_message(NodeId::server(2), leads(1), &mut ctx);
    assert_eq!(sent(&mut ctx).1.len(), 0, "that is no news");
    client.on_message(NodeId::server(2), leads(3), &mut ctx);
    let (to, slots, _) = sent(&mut ctx);
    assert_eq!((to, slots.len()), ([NodeId::server(3)].into(), commands.len()));
}

#[test]
fn a_large_command_is_sent_again_the_later_the_larger_it_is() {
    let (mut client, mut ctx) = client();
    let size = 10 * AGAIN_BYTES_MAX;
    ask(&mut client, &mut ctx, 10, &[TextCommand::put("large", &"v".repeat(size))]);
    assert!(sent(&mut ctx).2 > size);
    begin_rounds(&mut client, &mut ctx);
    for round in 0..10 {
        client.on_timer(Timer::Retry, &mut ctx);
        let (to, _, bytes) = sent(&mut ctx);
        assert_eq!(bytes, 0, "in round {round}");
        assert_eq!(to.len(), 3, "all are asked who leads");
    }
    client.on_timer(Timer::Retry, &mut ctx);
    assert!(sent(&mut ctx).2 > size);
}
