//! Which protocol nodes a node's process runs, and how they are called.
//!
//! | what | name on node 2 |
//! |---|---|
//! | member of the configuration service | `n2` |
//! | member of group 3 | `n3002` |
//! | the same, if node 2 had gone from group 3 and came back | `n20003002` |
//! | gateway: the store's client, for what clients say here | `c2` |
//! | controller: the configuration service's client, for what operators say here | `c1002` |

use synod_node::NodeId;
use synod_shardedstore::SERVICE;
pub(crate) use synod_shardedstore::{GROUP_BOUND, NODE_BOUND, member_on as member, node_of};
use synod_store::ClusterNode;

/// The member of the configuration service on a node.
pub(crate) fn service(node: u32) -> NodeId {
    member(SERVICE, node)
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
    /// The nodes of the cluster of this name, as node `me` knows them.
    pub(crate) fn of(cluster: &str, me: u32, known: &synod_shardedstore::Nodes) -> Nodes {
        let cluster = u128::from(synod_stdx::Digest::of(cluster.as_bytes()));
        let node = |(number, addresses): (&u32, &synod_shardedstore::Addresses)| {
            let (host, port) = host_and_port(&addresses.client);
            ClusterNode {
                id: format!("{cluster:032x}{number:08x}"),
                host,
                port,
                peer_port: host_and_port(&addresses.peer).1,
                is_connected: true,
            }
        };
        Nodes {
            numbers: known.keys().copied().collect(),
            seen: known.iter().map(node).collect(),
            myself: known.keys().position(|number| *number == me).unwrap_or(0),
        }
    }

    /// Which of the nodes runs `id`, as an index.
    pub(crate) fn index_of(&self, id: NodeId) -> Option<usize> {
        self.numbers.iter().position(|node| *node == node_of(id))
    }
}

/// The parts of an address; the port is 0 if it has none.
fn host_and_port(address: &str) -> (String, u16) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    (host.trim_matches(['[', ']']).to_owned(), port.parse().unwrap_or(0))
}
