//! The local steps, one by one; the whole system is in the scenarios.

use crate::{Client, Message, Process, RETRY_MS, Server, Timer};
use synod_node::{Context, Effect, Node, NodeId, Rename, RequestId};

const N1: NodeId = NodeId::server(1);
const C1: NodeId = NodeId::client(1);
const R1: RequestId = RequestId(1);

fn asked() -> (Process, Context<Process>) {
    let mut client = Process::Client(Client::new(N1));
    let mut ctx = Context::new(C1);
    client.on_request(R1, 7, &mut ctx);
    (client, ctx)
}

#[test]
fn a_request_becomes_a_ping_and_a_retry() {
    let (_, mut ctx) = asked();
    let ping = Effect::Send { to: N1, message: Message::Ping { value: 7 } };
    let retry = Effect::SetTimer { timer: Timer::Retry { id: R1 }, after: RETRY_MS..=RETRY_MS };
    assert_eq!(ctx.take_effects(), [ping, retry]);
}

#[test]
fn the_server_echoes_whoever_asks() {
    let mut server = Process::Server(Server);
    let mut ctx = Context::new(N1);
    server.on_message(C1, Message::Ping { value: 7 }, &mut ctx);
    assert_eq!(ctx.take_effects(), [Effect::Send { to: C1, message: Message::Pong { value: 7 } }]);
}

#[test]
fn only_the_pong_of_the_present_question_is_an_answer_and_only_once() {
    let (mut client, mut ctx) = asked();
    ctx.take_effects();
    client.on_message(N1, Message::Pong { value: 6 }, &mut ctx);
    assert_eq!(ctx.take_effects(), []);
    client.on_message(N1, Message::Pong { value: 7 }, &mut ctx);
    assert_eq!(ctx.take_effects(), [Effect::Reply { id: R1, response: 7 }]);
    client.on_message(N1, Message::Pong { value: 7 }, &mut ctx);
    assert_eq!(ctx.take_effects(), []);
}

#[test]
fn a_stale_retry_is_ignored_and_a_live_one_asks_again() {
    let (mut client, mut ctx) = asked();
    let first = ctx.take_effects();
    client.on_timer(Timer::Retry { id: R1 }, &mut ctx);
    assert_eq!(ctx.take_effects(), first);
    client.on_message(N1, Message::Pong { value: 7 }, &mut ctx);
    ctx.take_effects();
    client.on_timer(Timer::Retry { id: R1 }, &mut ctx);
    assert_eq!(ctx.take_effects(), []);
}

#[test]
fn a_client_renamed_is_the_client_of_the_other_server() {
    let n2 = NodeId::server(2);
    let swap = |id| match id {
        N1 => n2,
        id if id == n2 => N1,
        id => id,
    };
    let (client, _) = asked();
    let mut other = Process::Client(Client::new(n2));
    other.on_request(R1, 7, &mut Context::new(C1));
    let mut renamed = client.clone();
    renamed.rename(&swap);
    assert_eq!(renamed, other);
    renamed.rename(&swap);
    assert_eq!(renamed, client);
}
