//! The crate `raft` (raft-rs) with its storage in memory.

use crate::{Cluster, Payload};
use raft::eraftpb::{ConfState, Message};
use raft::storage::MemStorage;
use raft::{Config, RawNode, StateRole, Storage as _};

pub struct RaftRs {
    nodes: Vec<RawNode<MemStorage>>,
    network: Vec<Message>,
    decided: usize,
}

impl RaftRs {
    pub fn start() -> RaftRs {
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let nodes = (1..=3).map(|id| {
            let storage = MemStorage::new_with_conf_state(ConfState::from((vec![1, 2, 3], vec![])));
            let config = Config {
                id,
                election_tick: 10,
                heartbeat_tick: 3,
                max_size_per_msg: 1 << 20,
                max_inflight_msgs: 4096,
                ..Default::default()
            };
            RawNode::new(&config, storage, &logger).expect("the configuration is sound")
        });
        let mut raft = RaftRs { nodes: nodes.collect(), network: Vec::new(), decided: 0 };
        raft.nodes[0].campaign().expect("it may campaign");
        raft.deliver();
        assert_eq!(raft.nodes[0].raft.state, StateRole::Leader);
        raft.decided = 0;
        raft
    }

    fn deliver(&mut self) {
        loop {
            for index in 0..3 {
                self.ready(index);
            }
            if self.network.is_empty() {
                return;
            }
            for message in std::mem::take(&mut self.network) {
                let to = message.to as usize - 1;
                self.nodes[to].step(message).expect("a message of the group");
            }
        }
    }

    fn ready(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if !node.has_ready() {
            return;
        }
        let mut ready = node.ready();
        self.network.extend(ready.take_messages());
        let mut committed = ready.take_committed_entries().len();
        let store = node.raft.raft_log.store.clone();
        if !ready.entries().is_empty() {
            store.wl().append(ready.entries()).expect("memory takes it");
        }
        if let Some(hard_state) = ready.hs() {
            store.wl().set_hardstate(hard_state.clone());
        }
        self.network.extend(ready.take_persisted_messages());
        let mut light = node.advance(ready);
        if let Some(commit) = light.commit_index() {
            store.wl().mut_hard_state().set_commit(commit);
        }
        self.network.extend(light.take_messages());
        committed += light.take_committed_entries().len();
        node.advance_apply();
        if index == 0 {
            self.decided += committed;
        }
    }
}

impl Cluster for RaftRs {
    fn propose(&mut self, payloads: Vec<Payload>) {
        for payload in payloads {
            // The crate's own type for bytes: one allocation that all replicas share.
            self.nodes[0].propose(vec![], payload.to_vec()).expect("the leader takes it");
        }
    }

    fn run(&mut self) -> usize {
        self.decided = 0;
        self.deliver();
        self.decided
    }

    fn held(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.raft.raft_log.store.last_index().unwrap_or(0) as usize).collect()
    }
}
