//! Whatever a group may come to hold can be renamed, and back.

use crate::{Checkpoint, Client, Message, Process, Record, Request, Server, Settings, Timer};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use synod_clientserver::{KvCommand, KvStore};
use synod_node::{Context, Durable, Effect, Node, NodeId, Rename, RequestId, Stimulus, step};

type Group = Process<KvStore>;

const SERVERS: [NodeId; 3] = [NodeId::server(1), NodeId::server(2), NodeId::server(3)];
const N1: NodeId = SERVERS[0];
const N2: NodeId = SERVERS[1];
const N3: NodeId = SERVERS[2];
const C1: NodeId = NodeId::client(1);
const C2: NodeId = NodeId::client(2);

/// A group in which messages arrive in the order in which they were sent, and everything that it ever held.
#[derive(Clone, PartialEq, Debug, Default)]
struct Play {
    nodes: BTreeMap<NodeId, Group>,
    sent: VecDeque<(NodeId, NodeId, Message<KvStore>)>,
    states: Vec<Group>,
    messages: Vec<Message<KvStore>>,
    records: Vec<Record<KvCommand>>,
    checkpoints: Vec<Checkpoint<KvStore>>,
}

impl Play {
    fn step(&mut self, id: NodeId, stimulus: Stimulus<Group>) {
        let mut ctx = Context::new(id);
        let node = self.nodes.get_mut(&id).expect("all are there");
        step(node, stimulus, &mut ctx);
        self.states.push(node.clone());
        for effect in ctx.take_effects() {
            match effect {
                Effect::Send { to, message } | Effect::SendEarly { to, message } => {
                    self.messages.push(message.clone());
                    self.sent.push_back((id, to, message));
                }
                Effect::Persist(record) => self.records.push(record),
                Effect::Checkpoint(checkpoint) | Effect::Compact(checkpoint) => {
                    self.checkpoints.push(checkpoint);
                }
                Effect::SetTimer { .. } | Effect::Reply { .. } => {}
            }
        }
    }

    fn deliver(&mut self) {
        while let Some((from, to, message)) = self.sent.pop_front() {
            self.step(to, Stimulus::Message { from, message });
        }
    }

    fn tick(&mut self, times: usize) {
        for id in SERVERS.repeat(times) {
            self.step(id, Stimulus::Timer(Timer::Tick));
            self.deliver();
        }
    }

    fn request(&mut self, id: NodeId, request: Request<KvCommand>) {
        self.step(id, Stimulus::Request { id: RequestId(1), request });
    }
}

/// The first server is elected, each of `clients` in turn writes and reads, a server loses its disk, another one leads.
fn story(clients: [NodeId; 2]) -> Play {
    let mut run = Play::default();
    // So small that everything executed is written at once.
    let settings = Settings { checkpoint_bytes: 1, ..Settings::default() };
    for id in SERVERS {
        let server = Server::new(id, &SERVERS, KvStore::default(), settings);
        run.nodes.insert(id, Process::Server(server));
        run.step(id, Stimulus::Start);
    }
    for id in [C1, C2] {
        run.nodes.insert(id, Process::Client(Client::new(id, 0, &SERVERS)));
    }
    run.tick(3);
    for (client, value) in clients.into_iter().zip(["a", "b"]) {
        run.request(client, Request::Commands(vec![KvCommand::append("k", value)]));
        run.request(client, Request::Queries(vec![KvCommand::get("k")]));
    }
    run.deliver();
    let server = Server::rejoining(N3, &SERVERS, KvStore::default(), settings, 1);
    run.nodes.insert(N3, Process::Server(server));
    run.step(N3, Stimulus::Start);
    run.deliver();
    run.tick(2);
    run.request(N1, Request::HandOver);
    run.request(clients[0], Request::Commands(vec![KvCommand::put("k", "c")]));
    run.deliver();
    run.tick(1);
    run
}

fn renamed<T: Rename + Clone>(value: &T, name: &dyn Fn(NodeId) -> NodeId) -> T {
    let mut renamed = value.clone();
    renamed.rename(name);
    renamed
}

fn swap_clients(id: NodeId) -> NodeId {
    match id {
        C1 => C2,
        C2 => C1,
        id => id,
    }
}

fn swap_servers(id: NodeId) -> NodeId {
    match id {
        N1 => N3,
        N3 => N1,
        id => id,
    }
}

fn swap_followers(id: NodeId) -> NodeId {
    match id {
        N2 => N3,
        N3 => N2,
        id => id,
    }
}

fn next_server(id: NodeId) -> NodeId {
    if SERVERS.contains(&id) { NodeId::server(id.number() % 3 + 1) } else { id }
}

/// Two swaps, and three steps around, lead back.
fn assert_comes_back<T: Rename + Clone + PartialEq + Debug>(values: &[T]) {
    for value in values {
        for swap in [swap_clients, swap_servers] {
            assert_eq!(renamed(&renamed(value, &swap), &swap), *value);
        }
        let around = renamed(&renamed(&renamed(value, &next_server), &next_server), &next_server);
        assert_eq!(around, *value);
    }
}

#[test]
fn renaming_there_and_back_changes_nothing_and_once_does() {
    let run = story([C1, C2]);
    let word = |text: String| text.split([' ', '{', '(']).next().unwrap_or_default().to_owned();
    let kinds: BTreeSet<String> = run.messages.iter().map(|message| word(format!("{message:?}"))).collect();
    assert!(kinds.len() >= 16, "only {kinds:?} were said");
    let roles: BTreeSet<_> = run.states.iter().filter_map(Process::server).map(Server::role_name).collect();
    assert_eq!(roles.len(), 4, "{roles:?}");
    assert_comes_back(&run.states);
    assert_comes_back(&run.messages);
    assert_comes_back(&run.records);
    assert_comes_back(&run.checkpoints);
    for state in &run.states {
        assert_ne!(renamed(state, &next_server), *state);
    }
}

/// What is kept in the order of names is so again: a server that was renamed is like one that always had that name.
#[test]
fn a_server_that_never_ran_is_renamed_to_the_other() {
    let [n1, n2, n3] =
        SERVERS.map(|id| Process::Server(Server::new(id, &SERVERS, KvStore::default(), Settings::default())));
    assert_eq!(renamed(&n2, &swap_followers), n3);
    // The first wants to lead at once: names of servers are not all alike.
    assert_ne!(renamed(&n2, &|id| next_server(next_server(id))), n1);
}

#[test]
fn clients_that_change_names_have_changed_places() {
    let (mut run, other) = (story([C1, C2]), story([C2, C1]));
    assert_ne!(run, other);
    run.nodes.rename(&swap_clients);
    run.states.rename(&swap_clients);
    run.messages.rename(&swap_clients);
    run.records.rename(&swap_clients);
    run.checkpoints.rename(&swap_clients);
    assert_eq!(run, other);
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
    is_renamed::<Group>();
}
