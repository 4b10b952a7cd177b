//! Two clients that change their names.

use crate::{Client, KvCommand, KvStore, Process, Server, Timer};
use std::collections::{BTreeMap, VecDeque};
use synod_node::{Context, Durable, Effect, Node, NodeId, Rename, RequestId};

type Store = Process<KvStore>;

const N1: NodeId = NodeId::server(1);
const C1: NodeId = NodeId::client(1);
const C2: NodeId = NodeId::client(2);

fn swap(id: NodeId) -> NodeId {
    match id {
        C1 => C2,
        C2 => C1,
        id => id,
    }
}

/// The nodes, and every effect that there was, when each of `clients` in turn has appended something. What is sent at
/// last is not delivered.
fn appended(clients: [NodeId; 2]) -> (BTreeMap<NodeId, Store>, Vec<Effect<Store>>) {
    let client = |id| (id, Process::Client(Client::new(id, N1)));
    let mut nodes =
        BTreeMap::from([client(C1), client(C2), (N1, Process::Server(Server::new(KvStore::default())))]);
    let mut effects = Vec::new();
    for (client, value) in clients.into_iter().zip(["a", "b"]) {
        let mut ctx = Context::new(client);
        let asking = nodes.get_mut(&client).expect("both clients are there");
        asking.on_request(RequestId(1), KvCommand::append("k", value), &mut ctx);
        asking.on_request(RequestId(2), KvCommand::get("k"), &mut ctx);
        let mut sent: VecDeque<_> = ctx.take_effects().into_iter().map(|effect| (client, effect)).collect();
        while let Some((from, effect)) = sent.pop_front() {
            if let (Effect::Send { to, message }, 0..12) = (&effect, effects.len()) {
                let mut ctx = Context::new(*to);
                nodes.get_mut(to).expect("all are there").on_message(from, message.clone(), &mut ctx);
                sent.extend(ctx.take_effects().into_iter().map(|effect| (*to, effect)));
            }
            effects.push(effect);
        }
    }
    (nodes, effects)
}

#[test]
fn clients_that_change_names_have_changed_places() {
    let (one, other) = (appended([C1, C2]), appended([C2, C1]));
    assert!(one.1.len() >= 12, "something is under way: {:?}", one.1);
    let mut renamed = one.clone();
    renamed.0.rename(&swap);
    renamed.1.rename(&swap);
    assert_eq!(renamed, other);
    assert_ne!(renamed, one);
    renamed.0.rename(&swap);
    renamed.1.rename(&swap);
    assert_eq!(renamed, one);
}

#[test]
fn whatever_a_driver_keeps_can_be_renamed() {
    fn is_renamed<N>()
    where
        N: Node<Message: Rename, Timer: Rename, Record: Rename, Checkpoint: Rename, Request: Rename> + Rename,
        N: Node<Response: Rename>,
        Durable<N>: Rename,
    {
    }
    is_renamed::<Store>();
    let mut timer = Timer::Retry { lowest: 1 };
    timer.rename(&swap);
    assert_eq!(timer, Timer::Retry { lowest: 1 });
}
