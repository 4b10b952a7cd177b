//! Why the configuration service changes nothing: what is wrong, and what to do.

use crate::nodes::SERVICE;
use crate::{ConfigurationNumber, GroupId};
use std::fmt;
use synod_node::NodeId;

/// Why nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConfigurationError {
    /// A group of this name is there: choose another, or let it leave first.
    GroupExists(GroupId),
    /// There is no such group: let it join first.
    NoSuchGroup(GroupId),
    /// A group needs a member.
    NoMembers,
    /// Nobody would own the slots: let another group join first.
    LastGroup(GroupId),
    /// There are not so many slots, or the first is behind the last.
    NoSuchSlots,
    /// The group owns all of them already.
    OwnsThem(GroupId),
    /// No two groups differ by more than one slot.
    IsBalanced,
    /// There is a configuration already: change it by joins, leaves and moves.
    IsFounded,
    /// There is no configuration of this number yet.
    NoSuchConfiguration(ConfigurationNumber),
    /// No group ever joined.
    NoConfiguration,
    /// It is no member of the group: name one that is.
    NoMember(NodeId),
    /// It is a member of the group already: name another one.
    IsMember(NodeId),
    /// Its node had as many members of the group as one node can have: name another one.
    WasMember(NodeId),
    /// A group of this name was there before, with other members: choose another name.
    WasGroup(GroupId),
    /// The configuration service cannot spare this member now: ask again when a majority of the others is there and has caught up.
    Unspared(NodeId),
    /// Of one or two members none can be replaced: too few are left to say what it promised.
    TooFewMembers(GroupId),
    /// The cluster has no node of this number: add it first.
    NoSuchNode(u32),
    /// A node of this number is there, at other addresses: choose another number, or remove it first.
    NodeExists(u32),
    /// The node has a member of this group, or of the [`SERVICE`]: replace it first.
    HasMember(u32, GroupId),
    /// The address is empty or too long, or another node has it.
    NoSuchAddress(u32),
    /// The node came with an earlier disk: what it says now is over.
    FormerDisk(u32),
    /// The cluster is of an unnamed kind, or not founded: it has no list of nodes.
    NoNodes,
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigurationError::GroupExists(group) => {
                write!(f, "{group} is a group already; choose another name, or let it leave first")
            }
            ConfigurationError::NoSuchGroup(group) => write!(f, "{group} is no group; let it join first"),
            ConfigurationError::NoMembers => f.write_str("a group needs at least one member"),
            ConfigurationError::LastGroup(group) => {
                write!(f, "{group} is the last group, and owns all slots; let another one join first")
            }
            ConfigurationError::NoSuchSlots => f.write_str("there are no such slots"),
            ConfigurationError::OwnsThem(group) => write!(f, "{group} owns these slots already"),
            ConfigurationError::IsFounded => f.write_str("there are groups already; let others join them"),
            ConfigurationError::IsBalanced => f.write_str("the slots are balanced already"),
            ConfigurationError::NoSuchConfiguration(number) => {
                write!(f, "there is no configuration {number} yet")
            }
            ConfigurationError::NoConfiguration => f.write_str("no group has joined yet"),
            ConfigurationError::NoMember(id) => write!(f, "{id} is no member of the group; name one that is"),
            ConfigurationError::IsMember(id) => {
                write!(f, "{id} is a member of the group already; name another one")
            }
            ConfigurationError::WasMember(id) => {
                write!(f, "the node of {id} came back to the group too often; name another one")
            }
            ConfigurationError::WasGroup(group) => {
                write!(f, "{group} was a group of other members before; choose another name")
            }
            ConfigurationError::Unspared(id) => write!(
                f,
                "{id} cannot be spared now; ask again when a majority of the other members is there and has caught up"
            ),
            ConfigurationError::TooFewMembers(group) => {
                write!(
                    f,
                    "{group} has fewer than three members, and can spare none; move its slots to another group"
                )
            }
            ConfigurationError::NoSuchNode(node) => {
                write!(f, "the cluster has no node {node}; add it first: synod node add {node} ...")
            }
            ConfigurationError::NodeExists(node) => {
                write!(
                    f,
                    "node {node} belongs to the cluster already; choose another number, or remove it first"
                )
            }
            ConfigurationError::HasMember(node, SERVICE) => write!(
                f,
                "node {node} has a member of the configuration service; let another node have its seat first: \
                 synod member replace config {node} NEW"
            ),
            ConfigurationError::HasMember(node, group) => write!(
                f,
                "node {node} has a member of {group}; let another node have its seat first: \
                 synod member replace {group} {node} NEW"
            ),
            ConfigurationError::NoSuchAddress(node) => {
                write!(f, "node {node} cannot be reached there: give it an address that no other node has")
            }
            ConfigurationError::FormerDisk(node) => {
                write!(f, "node {node} has come with a later disk: this one must not be used again")
            }
            ConfigurationError::NoNodes => f.write_str("the cluster is not founded yet; ask again"),
        }
    }
}
