//! The nodes of a cluster: the processes that run members of groups. Which there are, and where others reach them, is data in
//! the log of the configuration service.

use crate::GroupId;
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_node::NodeId;
use synod_stdx::{Malformed, Reader, Wire, Writer};

/// The configuration service, where a group is named: its members have seats and homes as those of groups do.
pub const SERVICE: GroupId = GroupId(0);

/// The number of a node is below this, so that a member's name tells its group and its node.
pub const NODE_BOUND: u32 = 1_000;
/// The number of a group is below this, so that there is room in a member's name for which of its node's members it is.
pub const GROUP_BOUND: u32 = 20_000;
/// So many members a group can have on one node, one after the other.
pub const MEMBERS_OF_NODE_MAX: u32 = (1 << 31) / (GROUP_BOUND * NODE_BOUND);
/// The longest address, in bytes: a host's name has 253 at most, and then come a colon and a port.
pub const ADDRESS_BYTES_MAX: usize = 260;

/// The first member that a group has on a node; that the configuration service has there, if the group is [`SERVICE`].
///
/// # Panics
/// If there is no such group.
pub const fn member_on(group: GroupId, node: u32) -> NodeId {
    NodeId::server(group.0 * NODE_BOUND + node)
}

/// The first member that a member's group had on its node. A node that comes back to a group has another member there, under a
/// name that the group never had: what its former one said or wrote is nobody's any more.
pub const fn first_member(member: NodeId) -> NodeId {
    NodeId::server(member.number() % (GROUP_BOUND * NODE_BOUND))
}

/// All members that the group of `member` can have on its node, one after the other.
pub(crate) fn members_of_node(member: NodeId) -> impl Iterator<Item = NodeId> {
    let first = first_member(member).number();
    (0..MEMBERS_OF_NODE_MAX).map(move |before| NodeId::server(first + before * GROUP_BOUND * NODE_BOUND))
}

/// The node that runs a member.
pub const fn node_of(member: NodeId) -> u32 {
    member.number() % NODE_BOUND
}

/// Where a node is reached: `host:port`, the host by name or by number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Addresses {
    /// By other nodes.
    pub peer: Arc<str>,
    /// By clients.
    pub client: Arc<str>,
}

/// The nodes of a cluster, by their numbers. Empty where a store does not name them, as in the searches.
pub type Nodes = BTreeMap<u32, Addresses>;

impl Addresses {
    /// Whether both could be addresses.
    pub fn are_possible(&self) -> bool {
        [&self.peer, &self.client].iter().all(|address| (1..=ADDRESS_BYTES_MAX).contains(&address.len()))
    }
}

impl Wire for Addresses {
    fn encode(&self, out: &mut Writer<'_>) {
        self.peer.encode(out);
        self.client.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (peer, client) = Wire::decode(input)?;
        Ok(Addresses { peer, client })
    }
}
