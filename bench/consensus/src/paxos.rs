//! Synod's core: three servers, driven by their own messages.

use crate::{Cluster, Payload};
use std::collections::VecDeque;
use synod_clientserver::ClientId;
use synod_node::{Context, Effect, Node, NodeId, StateMachine};
use synod_paxos::{Message, Process, Server, Settings, Slot, Timer};

/// An application that counts what it was told.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Count(u64);

impl StateMachine for Count {
    type Command = Payload;
    type Output = ();

    fn apply(&mut self, _command: &Payload) {
        self.0 += 1;
    }

    fn is_read_only(_command: &Payload) -> bool {
        false
    }

    fn query(&self, _command: &Payload) -> Option<()> {
        None
    }

    fn bytes(command: &Payload) -> usize {
        command.len()
    }
}

pub struct Paxos {
    servers: Vec<Process<Count>>,
    network: VecDeque<(NodeId, NodeId, Message<Count>)>,
    context: Vec<Context<Process<Count>>>,
    submitted: u64,
    answered: u64,
}

const CLIENT: NodeId = NodeId::client(1);

impl Paxos {
    pub fn start() -> Paxos {
        let ids = NodeId::servers(3);
        // Nothing is dropped, and nothing is replaced by a checkpoint.
        let settings =
            Settings { retained_slots_max: u64::MAX, checkpoint_bytes: usize::MAX, ..Settings::default() };
        let server = |id: &NodeId| Process::Server(Server::new(*id, &ids, Count::default(), settings));
        let mut paxos = Paxos {
            servers: ids.iter().map(server).collect(),
            network: VecDeque::new(),
            context: ids.iter().map(|id| Context::new(*id)).collect(),
            submitted: 0,
            answered: 0,
        };
        while !paxos.servers[0].server().is_some_and(Server::is_leader) {
            paxos.servers[0].on_timer(Timer::Tick, &mut paxos.context[0]);
            paxos.carry(0);
            paxos.deliver();
        }
        paxos
    }

    /// Writes are durable at once; timers never fire.
    fn carry(&mut self, index: usize) {
        let from = NodeId::server(index as u32 + 1);
        for effect in self.context[index].drain_effects() {
            match effect {
                Effect::Send { to, message } | Effect::SendEarly { to, message } => {
                    self.network.push_back((from, to, message));
                }
                Effect::SetTimer { .. } | Effect::Persist(_) | Effect::Checkpoint(_) | Effect::Compact(_) => {
                }
                Effect::Reply { .. } => unreachable!("servers have no users"),
            }
        }
    }

    fn deliver(&mut self) {
        while let Some((from, to, mut message)) = self.network.pop_front() {
            if to == CLIENT {
                let Message::Results { outputs, .. } = message else { unreachable!("the leader answers") };
                self.answered += outputs.len() as u64;
                continue;
            }
            // No server learns how far the others are, so none drops anything.
            if let Message::Accepted { executed_through, .. } = &mut message {
                *executed_through = Slot::ZERO;
            }
            let index = to.number() as usize - 1;
            self.servers[index].on_message(from, message, &mut self.context[index]);
            self.servers[index].assert_invariants();
            self.carry(index);
        }
    }
}

impl Cluster for Paxos {
    fn propose(&mut self, commands: Vec<Payload>) {
        let first = self.submitted + 1;
        self.submitted += commands.len() as u64;
        let client = ClientId::new(CLIENT, 0);
        let submit = Message::Submit { client, first, acked_below: self.answered + 1, commands };
        self.network.push_back((CLIENT, NodeId::server(1), submit));
    }

    fn run(&mut self) -> usize {
        let before = self.answered;
        self.deliver();
        (self.answered - before) as usize
    }

    fn held(&self) -> Vec<usize> {
        let slots =
            |process: &Process<Count>| process.server().map_or(0, |server| server.log().slots() as usize);
        self.servers.iter().map(slots).collect()
    }
}
