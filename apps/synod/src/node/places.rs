//! Which protocol nodes a node's process runs, and how they are called.
//!
//! | what | name on node 2 |
//! |---|---|
//! | member of the configuration service | `n2` |
//! | member of group 3 | `n3002` |
//! | gateway: the store's client, for what clients say here | `c2` |
//! | controller: the configuration service's client, for what operators say here | `c1002` |

use super::blueprint::{Blueprint, Role};
use crate::config::Config;
use synod_node::NodeId;
use synod_shardedstore::GroupId;
use synod_store::ClusterNode;

/// The number of a node is below this, so that a name tells group and node.
pub(crate) const NODE_BOUND: u32 = 1_000;
/// The number of a group is below this.
pub(crate) const GROUP_BOUND: u32 = 1_000_000;

/// The member of the configuration service on a node.
pub(crate) fn master(node: u32) -> NodeId {
    NodeId::server(node)
}

/// The member of a group on a node.
pub(crate) fn member(group: GroupId, node: u32) -> NodeId {
    NodeId::server(group.0 * NODE_BOUND + node)
}

/// The gateway on a node.
pub(crate) fn gateway(node: u32) -> NodeId {
    NodeId::client(node)
}

/// Whether it is the gateway on some node.
pub(crate) fn is_gateway(id: NodeId) -> bool {
    id.is_client() && id.number() < NODE_BOUND
}

/// The controller on a node.
pub(crate) fn controller(node: u32) -> NodeId {
    NodeId::client(NODE_BOUND + node)
}

/// The node that runs `id`.
pub(crate) fn node_of(id: NodeId) -> u32 {
    id.number() % NODE_BOUND
}

/// The nodes of the cluster, as clients and protocol know them.
#[derive(Clone)]
pub(crate) struct Nodes {
    /// Their numbers, in order.
    pub(crate) numbers: Vec<u32>,
    /// How clients see each of them.
    pub(crate) seen: Vec<ClusterNode>,
    /// Which of them this is.
    pub(crate) myself: usize,
}

impl Nodes {
    pub(crate) fn of(config: &Config) -> Nodes {
        let mut peers = config.peers.clone();
        peers.sort_by_key(|peer| peer.node);
        let node = |peer: &crate::config::Peer| ClusterNode {
            id: format!(
                "{:032x}{:08x}",
                u128::from(synod_stdx::Digest::of(config.cluster.as_bytes())),
                peer.node
            ),
            host: peer.client.ip().to_string(),
            port: peer.client.port(),
            peer_port: peer.peer.port(),
            is_connected: true,
        };
        Nodes {
            numbers: peers.iter().map(|peer| peer.node).collect(),
            seen: peers.iter().map(node).collect(),
            myself: peers.iter().position(|peer| peer.node == config.node).unwrap_or(0),
        }
    }

    /// This node's number.
    pub(crate) fn me(&self) -> u32 {
        self.numbers[self.myself]
    }

    /// How a node of this process is built.
    pub(super) fn blueprint(&self, role: Role) -> Blueprint {
        Blueprint { node: self.me(), nodes: self.numbers.clone(), role }
    }

    /// Which of the nodes runs `id`, as an index.
    pub(crate) fn index_of(&self, id: NodeId) -> Option<usize> {
        self.numbers.iter().position(|node| *node == node_of(id))
    }
}
