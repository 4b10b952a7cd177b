//! The crate `omnipaxos` with its storage in memory.

use crate::{Cluster, Payload};
use omnipaxos::messages::Message;
use omnipaxos::storage::{Entry, NoSnapshot};
use omnipaxos::{ClusterConfig, OmniPaxos, OmniPaxosConfig, ServerConfig};
use omnipaxos_storage::memory_storage::MemoryStorage;

#[derive(Clone, Debug)]
pub struct Command(#[expect(dead_code, reason = "it is only carried")] Payload);

impl Entry for Command {
    type Snapshot = NoSnapshot;
}

pub struct Omni {
    nodes: Vec<OmniPaxos<Command, MemoryStorage<Command>>>,
    outgoing: Vec<Message<Command>>,
    leader: usize,
    decided: usize,
}

impl Omni {
    pub fn start() -> Omni {
        let nodes = (1..=3).map(|pid| {
            let cluster_config =
                ClusterConfig { configuration_id: 1, nodes: vec![1, 2, 3], flexible_quorum: None };
            let server_config = ServerConfig { pid, election_tick_timeout: 1, ..Default::default() };
            let config = OmniPaxosConfig { cluster_config, server_config };
            config.build(MemoryStorage::default()).expect("the configuration is sound")
        });
        let mut omni = Omni { nodes: nodes.collect(), outgoing: Vec::new(), leader: 0, decided: 0 };
        loop {
            omni.nodes.iter_mut().for_each(OmniPaxos::tick);
            omni.deliver();
            let leaders: Vec<_> = omni.nodes.iter().map(OmniPaxos::get_current_leader).collect();
            if let Some((pid, true)) = leaders[0]
                && leaders.iter().all(|leader| *leader == leaders[0])
            {
                omni.leader = pid as usize - 1;
                return omni;
            }
        }
    }

    fn deliver(&mut self) {
        loop {
            for node in &mut self.nodes {
                node.take_outgoing_messages(&mut self.outgoing);
            }
            if self.outgoing.is_empty() {
                return;
            }
            for message in std::mem::take(&mut self.outgoing) {
                self.nodes[message.get_receiver() as usize - 1].handle_incoming(message);
            }
        }
    }
}

impl Cluster for Omni {
    fn propose(&mut self, payloads: Vec<Payload>) {
        for payload in payloads {
            self.nodes[self.leader].append(Command(payload)).expect("the leader takes it");
        }
    }

    fn run(&mut self) -> usize {
        self.deliver();
        let decided = self.nodes[self.leader].get_decided_idx();
        let news = decided - self.decided;
        // Whoever runs an application reads what was decided.
        let read =
            self.nodes[self.leader].read_decided_suffix(self.decided).map_or(0, |entries| entries.len());
        assert_eq!(read, news);
        self.decided = decided;
        news
    }

    fn held(&self) -> Vec<usize> {
        self.nodes.iter().map(OmniPaxos::get_accepted_idx).collect()
    }
}
