//! What operators ask of a cluster over a client's connection: the command `SYNOD`.
//!
//! | words | what happens |
//! |---|---|
//! | `SYNOD GROUP JOIN group [node …]` | a new group takes its part of the slots; on all nodes, if none is named |
//! | `SYNOD GROUP LEAVE group` | its slots go to the other groups |
//! | `SYNOD MEMBER REPLACE group old new` | another node has the old one's place in the group |
//! | `SYNOD SLOT MOVE first last group` | these slots go to the group |
//! | `SYNOD REBALANCE` | groups get equal parts again |
//! | `SYNOD NODE ADD number peer client` | a node belongs to the cluster, and is reached there by nodes and clients |
//! | `SYNOD NODE REMOVE number` | a node that has no member of any group is no more |
//! | `SYNOD NODE LIST` | tells the nodes, where they are and what they run |
//! | `SYNOD CONFIG HISTORY` | tells every configuration that there was |
//!
//! A change answers the number of the first configuration in which it is so; slots are then on their way, while clients go
//! on. A group is written as its number, or as `g3`; the configuration service, in `MEMBER REPLACE`, as `config`.

use crate::parse_keys::unknown_subcommand;
use std::sync::Arc;
use synod_resp::{Args, Reply, parse_integer};
use synod_shardedstore::{ADDRESS_BYTES_MAX, Addresses, GroupId, SERVICE, SlotId};

/// One request of an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Administration {
    /// A new group takes its part of the slots.
    JoinGroup {
        /// Its name.
        group: GroupId,
        /// The numbers of the nodes that run its members; all nodes, if there are none.
        nodes: Vec<u32>,
    },
    /// A group gives its slots to the others.
    LeaveGroup {
        /// Which one.
        group: GroupId,
    },
    /// Another node runs a member of a group instead of one that did.
    ReplaceMember {
        /// Of which group.
        group: GroupId,
        /// The number of the node that goes.
        old: u32,
        /// The number of the node that comes.
        new: u32,
    },
    /// A node belongs to the cluster from now on.
    AddNode {
        /// Its number.
        node: u32,
        /// Where it is reached.
        addresses: Addresses,
    },
    /// A node is no more.
    RemoveNode {
        /// Its number.
        node: u32,
    },
    /// The nodes of the cluster.
    Nodes,
    /// Slots go to a group.
    MoveSlots {
        /// The first slot.
        first: SlotId,
        /// The last slot.
        last: SlotId,
        /// Where to.
        group: GroupId,
    },
    /// Groups get equal parts again.
    Rebalance,
    /// Every configuration that there was.
    History,
}

impl Administration {
    /// What the words behind `SYNOD` ask for.
    pub(crate) fn parse(args: Args<'_>) -> Result<Administration, Reply> {
        let word = |index: usize| args.get(index).unwrap_or_default();
        let is = |index: usize, name: &str| word(index).eq_ignore_ascii_case(name.as_bytes());
        let group = |index: usize| {
            let digits = word(index).strip_prefix(b"g").unwrap_or(word(index));
            let number = parse_integer(digits).and_then(|number| u32::try_from(number).ok());
            number.filter(|number| *number > 0).map(GroupId).ok_or(NO_GROUP)
        };
        let slot = |index: usize| {
            let number = parse_integer(word(index)).and_then(|number| u64::try_from(number).ok());
            number.and_then(SlotId::new).ok_or(Reply::error("ERR Invalid slot; there are 0 to 16383"))
        };
        let node = |word: &[u8]| {
            let number = parse_integer(word).and_then(|number| u32::try_from(number).ok());
            number.ok_or(Reply::error("ERR name nodes by their numbers, as 1 2 3"))
        };
        let address = |index: usize| {
            let text = std::str::from_utf8(word(index)).ok().filter(|text| is_address(text));
            text.map(Arc::from).ok_or(Reply::error("ERR write an address as host:port"))
        };
        let is_long = |words: usize| args.len() == words;
        match () {
            () if is(1, "group") && is(2, "join") && args.len() >= 4 => {
                let nodes = args.skip(4).iter().map(node).collect::<Result<_, _>>()?;
                Ok(Administration::JoinGroup { group: group(3)?, nodes })
            }
            () if is(1, "group") && is(2, "leave") && is_long(4) => {
                Ok(Administration::LeaveGroup { group: group(3)? })
            }
            () if is(1, "member") && is(2, "replace") && is_long(6) => {
                let (old, new) = (node(word(4))?, node(word(5))?);
                let group = if is(3, "config") { SERVICE } else { group(3)? };
                Ok(Administration::ReplaceMember { group, old, new })
            }
            () if is(1, "node") && is(2, "add") && is_long(6) => {
                let addresses = Addresses { peer: address(4)?, client: address(5)? };
                Ok(Administration::AddNode { node: node(word(3))?, addresses })
            }
            () if is(1, "node") && is(2, "remove") && is_long(4) => {
                Ok(Administration::RemoveNode { node: node(word(3))? })
            }
            () if is(1, "node") && is(2, "list") && is_long(3) => Ok(Administration::Nodes),
            () if is(1, "slot") && is(2, "move") && is_long(6) => {
                Ok(Administration::MoveSlots { first: slot(3)?, last: slot(4)?, group: group(5)? })
            }
            () if is(1, "rebalance") && is_long(2) => Ok(Administration::Rebalance),
            () if is(1, "config") && is(2, "history") && is_long(3) => Ok(Administration::History),
            () if ["group", "member", "node", "slot", "rebalance", "config"]
                .iter()
                .any(|name| is(1, name)) =>
            {
                Err(USAGE)
            }
            () => Err(unknown_subcommand("SYNOD", word(1))),
        }
    }
}

/// Whether it is a host's name or number, a colon and a port.
pub fn is_address(text: &str) -> bool {
    let is_host = |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
    let parts = text.rsplit_once(':').filter(|_| text.len() <= ADDRESS_BYTES_MAX);
    parts.is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0))
}

const NO_GROUP: Reply = Reply::error("ERR a group is written as its number, from 1, or as g3");
const USAGE: Reply = Reply::error(
    "ERR say SYNOD GROUP JOIN group [node ...], GROUP LEAVE group, MEMBER REPLACE group old new, NODE ADD number peer client, NODE REMOVE number, NODE LIST, SLOT MOVE first last group, REBALANCE, or CONFIG HISTORY",
);
