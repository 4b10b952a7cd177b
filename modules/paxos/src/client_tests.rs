//! What a client sends again, and what not.

use crate::{Client, Message, Process, Request, Timer};
use synod_clientserver::{KvCommand, KvOutput, KvStore};
use synod_node::{Context, Effect, Node, NodeId, RequestId};

type Group = Process<KvStore>;

const C1: NodeId = NodeId::client(1);
const N1: NodeId = NodeId::server(1);

fn client() -> (Group, Context<Group>) {
    (Process::Client(Client::new(C1, 0, &NodeId::servers(3))), Context::new(C1))
}

/// Whom a message of this kind was sent to again.
fn sent_to(ctx: &mut Context<Group>, is_kind: fn(&Message<KvStore>) -> bool) -> Vec<NodeId> {
    let effects = ctx.take_effects().into_iter();
    effects
        .filter_map(|effect| match effect {
            Effect::Send { to, message } if is_kind(&message) => Some(to),
            _ => None,
        })
        .collect()
}

fn is_submit(message: &Message<KvStore>) -> bool {
    matches!(message, Message::Submit { .. })
}

fn is_query(message: &Message<KvStore>) -> bool {
    matches!(message, Message::Query { .. })
}

#[test]
fn reads_that_are_answered_do_not_hide_a_lost_write() {
    let (mut client, mut ctx) = client();
    client.on_request(RequestId(1), Request::Commands(vec![KvCommand::put("k", "v")]), &mut ctx);
    client.on_request(RequestId(2), Request::Queries(vec![KvCommand::get("k")]), &mut ctx);
    ctx.take_effects();
    let outputs = vec![Some(KvOutput::KeyNotFound)];
    client.on_message(N1, Message::Answers { first: 1, outputs }, &mut ctx);
    client.on_request(RequestId(3), Request::Queries(vec![KvCommand::get("k")]), &mut ctx);
    ctx.take_effects();
    // The write was lost; the second read came only after the timer was set.
    client.on_timer(Timer::Retry { command: 1, read: 1 }, &mut ctx);
    assert_eq!(sent_to(&mut ctx, is_submit), NodeId::servers(3));
}

#[test]
fn what_is_answered_is_not_sent_again() {
    let (mut client, mut ctx) = client();
    client.on_request(RequestId(1), Request::Commands(vec![KvCommand::put("k", "v")]), &mut ctx);
    client.on_request(RequestId(2), Request::Queries(vec![KvCommand::get("k")]), &mut ctx);
    let session = synod_clientserver::ClientId::new(C1, 0);
    let outputs = vec![KvOutput::PutOk];
    client.on_message(N1, Message::Results { client: session, first: 1, outputs }, &mut ctx);
    ctx.take_effects();
    client.on_timer(Timer::Retry { command: 1, read: 1 }, &mut ctx);
    let mut again = Context::new(C1);
    std::mem::swap(&mut again, &mut ctx);
    let effects = again.take_effects();
    let sent = |is_kind: fn(&Message<KvStore>) -> bool| {
        effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Send { message, .. } if is_kind(message)))
            .count()
    };
    assert_eq!((sent(is_submit), sent(is_query)), (0, 3), "only the read is still open");
}

#[test]
fn a_stale_retry_sends_nothing() {
    let (mut client, mut ctx) = client();
    client.on_request(RequestId(1), Request::Queries(vec![KvCommand::get("k")]), &mut ctx);
    let outputs = vec![Some(KvOutput::KeyNotFound)];
    client.on_message(N1, Message::Answers { first: 1, outputs }, &mut ctx);
    ctx.take_effects();
    client.on_timer(Timer::Retry { command: 1, read: 1 }, &mut ctx);
    assert_eq!(ctx.take_effects(), []);
}
