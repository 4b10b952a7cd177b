//! The configuration service: numbered answers to *which group owns this slot*, as a replicated state machine.

use crate::codec::Disk;
use crate::nodes::{Addresses, NODE_BOUND, Nodes, SERVICE, first_member, members_of_node, node_of};
use crate::{Assignment, ConfigurationError, GroupId, SlotId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use synod_node::{NodeId, StateMachine};
use synod_stdx::{Malformed, Reader, Wire, Writer, put_varint};

/// The number of a configuration, from 0: each is one more than the last.
pub type ConfigurationNumber = u64;

/// Who owns what, from one change to the next.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Configuration {
    /// Its number.
    pub number: ConfigurationNumber,
    /// The groups, each with its members in the order of its seats; never empty. When a group joins, that is the order of
    /// names.
    pub groups: BTreeMap<GroupId, Vec<NodeId>>,
    /// Which of them owns which slots. A group may own none.
    pub slots: Assignment,
    /// The nodes of the cluster.
    pub nodes: Arc<Nodes>,
    /// The members of the configuration service itself, in the order of its seats. Empty where a store does not name them.
    pub service: Vec<NodeId>,
}

impl Configuration {
    /// The members of a group, or of the [`SERVICE`], in the order of its seats.
    pub fn members(&self, group: GroupId) -> Option<&Vec<NodeId>> {
        match group {
            SERVICE => Some(&self.service).filter(|members| !members.is_empty()),
            group => self.groups.get(&group),
        }
    }
}

/// What is asked of the service.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ConfigurationCommand {
    /// The first configuration: these groups with equal parts. So no slot need move before the store can be used.
    Found {
        /// Their names and members, at least one of each.
        groups: Vec<(GroupId, Vec<NodeId>)>,
        /// The cluster's nodes with the numbers of their disks. None where the store shall not name them.
        nodes: Vec<(u32, Addresses, u128)>,
        /// The members of the service itself.
        service: Vec<NodeId>,
    },
    /// A node belongs to the cluster from now on, and may come.
    AddNode {
        /// Its number, which no node has now.
        node: u32,
        /// Where it will be reached.
        addresses: Addresses,
    },
    /// A node is no more, and none of its disks may come again. It must be no member of anything.
    RemoveNode {
        /// Its number.
        node: u32,
    },
    /// A node of the cluster is here, with this disk. If it had another one before, what that one promised is lost.
    Attach {
        /// Its number.
        node: u32,
        /// The number of its disk: 128 bits that it drew.
        disk: u128,
        /// Whether nothing ever ran on the disk.
        is_new: bool,
        /// It takes this disk for that of this incarnation; at least, if it is new.
        incarnation: u64,
        /// Where it is reached; as before, if `None`.
        addresses: Option<Addresses>,
    },
    /// A new group takes its part of the slots.
    Join {
        /// Its name, which no group has now.
        group: GroupId,
        /// Its members, at least one.
        members: Vec<NodeId>,
    },
    /// A group gives its slots to the others and is no more.
    Leave {
        /// Which one.
        group: GroupId,
    },
    /// Slots go to a group, whatever balance says: it is kept until groups change the next time.
    Move {
        /// The first slot.
        first: SlotId,
        /// The last slot, not before the first.
        last: SlotId,
        /// Where to.
        group: GroupId,
    },
    /// The groups get equal parts of the slots again, with the least movement.
    Balance,
    /// A member of a group is replaced: another one has its seat from now on.
    Replace {
        /// Of which group; or of the [`SERVICE`].
        group: GroupId,
        /// Who goes: any of the names that a member on its node has or had.
        old: NodeId,
        /// Who comes, on a node that has no member of the group. If it had one before, this one gets another name.
        new: NodeId,
    },
    /// What the leader of the service makes of a replacement in the service itself that it cannot take now: nothing changes, and
    /// whoever asked is told so.
    Unspared {
        /// Who would have gone.
        old: NodeId,
    },
    /// Reads a configuration.
    Query {
        /// Which one; the newest, if `None`.
        number: Option<ConfigurationNumber>,
    },
}

/// What the service answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ConfigurationOutput {
    /// Done: this configuration is the first in which it is so.
    Ok(ConfigurationNumber),
    /// What was queried.
    Configuration(Arc<Configuration>),
    /// The node is here.
    Attached {
        /// Its disk is that of this incarnation.
        incarnation: u64,
        /// The newest configuration: who comes must know it before anything of it runs.
        number: ConfigurationNumber,
    },
    /// Nothing was changed.
    Error(ConfigurationError),
}

/// The service: every configuration that there ever was, and the disks that nodes came with.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConfigurationService {
    slot_count: u16,
    history: Vec<Arc<Configuration>>,
    /// The latest disk of each node that ever was, with its incarnation. One that is removed keeps its own: a node that is
    /// added under its number again has lived before.
    disks: BTreeMap<u32, (u64, u128)>,
}

/// Of fewer members than these none can be replaced: a quorum of the others must say what it promised.
const REPLACED_OF_MIN: usize = 3;

/// What is to be the next configuration; its number is not looked at.
type Changed = Result<Configuration, ConfigurationError>;

/// What a store is founded with.
struct Foundation<'a> {
    groups: &'a [(GroupId, Vec<NodeId>)],
    nodes: &'a [(u32, Addresses, u128)],
    service: &'a [NodeId],
}

/// What a node says of its disk.
#[derive(Clone, Copy)]
struct Claim {
    number: u128,
    is_new: bool,
    incarnation: u64,
}

impl ConfigurationService {
    /// A service of `slot_count` slots without a group.
    ///
    /// # Panics
    /// If there are no slots.
    pub fn new(slot_count: u16) -> Self {
        assert!(slot_count > 0, "a store has slots");
        ConfigurationService { slot_count, history: Vec::new(), disks: BTreeMap::new() }
    }

    /// The newest configuration, once a group has joined.
    pub fn latest(&self) -> Option<&Arc<Configuration>> {
        self.history.last()
    }

    /// Every configuration that there ever was, in order.
    pub fn history(&self) -> &[Arc<Configuration>] {
        &self.history
    }

    fn find(&self, number: Option<ConfigurationNumber>) -> ConfigurationOutput {
        let found = match number {
            None => self.history.last(),
            Some(number) => usize::try_from(number).ok().and_then(|number| self.history.get(number)),
        };
        match (found, number) {
            (Some(configuration), _) => ConfigurationOutput::Configuration(Arc::clone(configuration)),
            (None, Some(number)) if !self.history.is_empty() => {
                ConfigurationOutput::Error(ConfigurationError::NoSuchConfiguration(number))
            }
            (None, _) => ConfigurationOutput::Error(ConfigurationError::NoConfiguration),
        }
    }

    fn founded(&self, Foundation { groups, nodes, service }: &Foundation<'_>) -> Changed {
        if self.latest().is_some() {
            return Err(ConfigurationError::IsFounded);
        }
        let mut all = BTreeMap::new();
        for (group, members) in *groups {
            let members: BTreeSet<NodeId> = members.iter().copied().collect();
            if members.is_empty() {
                return Err(ConfigurationError::NoMembers);
            }
            if *group == SERVICE || all.insert(*group, members.into_iter().collect()).is_some() {
                return Err(ConfigurationError::GroupExists(*group));
            }
        }
        let Some((first, _)) = all.first_key_value() else { return Err(ConfigurationError::NoMembers) };
        let slots = Assignment::whole(self.slot_count, *first).balanced(&names(&all));
        let mut known = Nodes::new();
        for (node, addresses, _) in *nodes {
            if known.contains_key(node) {
                return Err(ConfigurationError::NodeExists(*node));
            }
            has_own_addresses(&known, *node, addresses)?;
            known.insert(*node, addresses.clone());
        }
        let service: BTreeSet<NodeId> = service.iter().copied().collect();
        all.values().flatten().chain(&service).try_for_each(|member| is_on_a_node(&known, *member))?;
        let service = service.into_iter().collect();
        Ok(Configuration { number: 0, groups: all, slots, nodes: Arc::new(known), service })
    }

    fn joined(&self, group: GroupId, members: &[NodeId]) -> Changed {
        if members.is_empty() {
            return Err(ConfigurationError::NoMembers);
        }
        if group == SERVICE {
            return Err(ConfigurationError::GroupExists(group));
        }
        let mut members = members.to_vec();
        members.sort_unstable();
        members.dedup();
        let Some(latest) = self.latest() else {
            return self.founded(&Foundation { groups: &[(group, members)], nodes: &[], service: &[] });
        };
        members.iter().try_for_each(|member| is_on_a_node(&latest.nodes, *member))?;
        let mut groups = latest.groups.clone();
        if groups.contains_key(&group) {
            return Err(ConfigurationError::GroupExists(group));
        }
        // A group that comes back has its seats as it had them. Other members would not agree on who they are.
        let seats = self.history.iter().rev().find_map(|known| known.groups.get(&group));
        let first = |members: &[NodeId]| members.iter().copied().map(first_member).collect::<BTreeSet<_>>();
        let is_same = |seats: &Vec<NodeId>| first(seats) == first(&members);
        let members = match seats {
            Some(seats) if !is_same(seats) => return Err(ConfigurationError::WasGroup(group)),
            Some(seats) => seats.clone(),
            None => members,
        };
        groups.insert(group, members);
        let slots = latest.slots.balanced(&names(&groups));
        Ok(Configuration { groups, slots, ..Configuration::clone(latest) })
    }

    fn left(&self, group: GroupId) -> Changed {
        let latest = self.with(group)?;
        let mut groups = latest.groups.clone();
        groups.remove(&group);
        if groups.is_empty() {
            return Err(ConfigurationError::LastGroup(group));
        }
        let slots = latest.slots.balanced(&names(&groups));
        Ok(Configuration { groups, slots, ..latest.clone() })
    }

    fn replaced(&self, group: GroupId, old: NodeId, new: NodeId) -> Changed {
        let mut next = self.with(group)?.clone();
        is_on_a_node(&next.nodes, new)?;
        let members = match group {
            SERVICE => &mut next.service,
            group => next.groups.get_mut(&group).ok_or(ConfigurationError::NoSuchGroup(group))?,
        };
        let at = |node| members.iter().position(|member| first_member(*member) == first_member(node));
        let Some(seat) = at(old) else {
            return Err(ConfigurationError::NoMember(old));
        };
        if at(new).is_some() {
            return Err(ConfigurationError::IsMember(new));
        }
        if members.len() < REPLACED_OF_MIN {
            return Err(ConfigurationError::TooFewMembers(group));
        }
        let had = |name: &NodeId| {
            let of = |known: &Arc<Configuration>| known.members(group).is_some_and(|ids| ids.contains(name));
            self.history.iter().any(of)
        };
        let name = members_of_node(new).find(|name| !had(name));
        members[seat] = name.ok_or(ConfigurationError::WasMember(new))?;
        Ok(next)
    }

    fn moved(&self, (first, last): (SlotId, SlotId), group: GroupId) -> Changed {
        let latest = self.with(group).ok().filter(|_| group != SERVICE);
        let latest = latest.ok_or(ConfigurationError::NoSuchGroup(group))?;
        let (first, last) = (first.number(), last.number());
        if first > last || last >= self.slot_count {
            return Err(ConfigurationError::NoSuchSlots);
        }
        let slots = latest.slots.moved((first, last), group);
        if slots == latest.slots {
            return Err(ConfigurationError::OwnsThem(group));
        }
        Ok(Configuration { slots, ..latest.clone() })
    }

    fn evened(&self) -> Changed {
        let latest = self.latest().ok_or(ConfigurationError::NoConfiguration)?;
        let slots = latest.slots.balanced(&names(&latest.groups));
        if slots == latest.slots {
            return Err(ConfigurationError::IsBalanced);
        }
        Ok(Configuration { slots, ..Configuration::clone(latest) })
    }

    fn added(&self, node: u32, addresses: &Addresses) -> Changed {
        let latest = self.named()?;
        if latest.nodes.contains_key(&node) {
            return Err(ConfigurationError::NodeExists(node));
        }
        with_node(latest, node, addresses)
    }

    fn removed(&self, node: u32) -> Changed {
        let mut next = self.named()?.clone();
        let groups = next.groups.iter().chain([(&SERVICE, &next.service)]);
        let is_there = |members: &Vec<NodeId>| members.iter().any(|member| node_of(*member) == node);
        if let Some((group, _)) = groups.into_iter().find(|(_, members)| is_there(members)) {
            return Err(ConfigurationError::HasMember(node, *group));
        }
        match Arc::make_mut(&mut next.nodes).remove(&node) {
            Some(_) => Ok(next),
            None => Err(ConfigurationError::NoSuchNode(node)),
        }
    }

    /// The newest configuration, in which the cluster's nodes must be named.
    fn named(&self) -> Result<&Configuration, ConfigurationError> {
        let latest = self.latest().filter(|latest| !latest.nodes.is_empty());
        latest.map(AsRef::as_ref).ok_or(ConfigurationError::NoNodes)
    }

    /// A node comes with a disk: which incarnation of the node that is.
    fn attach(
        &mut self,
        node: u32,
        disk: Claim,
        addresses: Option<&Addresses>,
    ) -> Result<u64, ConfigurationError> {
        let latest = self.named()?;
        let known = latest.nodes.get(&node).ok_or(ConfigurationError::NoSuchNode(node))?;
        let incarnation = match self.disks.get(&node) {
            None => disk.incarnation,
            Some((known, number)) if *number == disk.number => disk.incarnation.max(*known),
            Some((known, _)) if disk.is_new => disk.incarnation.max(known + 1),
            Some((known, _)) if disk.incarnation > *known => disk.incarnation,
            Some(_) => return Err(ConfigurationError::FormerDisk(node)),
        };
        let moved = match addresses.filter(|addresses| *addresses != known) {
            Some(addresses) => Some(with_node(latest, node, addresses)?),
            None => None,
        };
        self.disks.insert(node, (incarnation, disk.number));
        if let Some(next) = moved {
            self.change(Ok(next));
        }
        Ok(incarnation)
    }

    /// The newest configuration, in which there must be `group`.
    fn with(&self, group: GroupId) -> Result<&Configuration, ConfigurationError> {
        let latest = self.latest().filter(|latest| latest.members(group).is_some());
        latest.map(AsRef::as_ref).ok_or(ConfigurationError::NoSuchGroup(group))
    }

    fn change(&mut self, changed: Changed) -> ConfigurationOutput {
        match changed {
            Err(error) => ConfigurationOutput::Error(error),
            Ok(next) => {
                let number = self.history.len() as u64;
                self.history.push(Arc::new(Configuration { number, ..next }));
                ConfigurationOutput::Ok(number)
            }
        }
    }
}

/// The same, and a node is at these addresses.
fn with_node(known: &Configuration, node: u32, addresses: &Addresses) -> Changed {
    has_own_addresses(&known.nodes, node, addresses)?;
    let mut next = known.clone();
    Arc::make_mut(&mut next.nodes).insert(node, addresses.clone());
    Ok(next)
}

/// Whether `node` can be at these addresses, and no other node is.
fn has_own_addresses(nodes: &Nodes, node: u32, addresses: &Addresses) -> Result<(), ConfigurationError> {
    let is_same = |(other, known): (&u32, &Addresses)| {
        *other != node && (known.peer == addresses.peer || known.client == addresses.client)
    };
    match addresses.are_possible() && (1..NODE_BOUND).contains(&node) && !nodes.iter().any(is_same) {
        true => Ok(()),
        false => Err(ConfigurationError::NoSuchAddress(node)),
    }
}

/// Whether a member is on a node of the cluster, where those are named.
fn is_on_a_node(nodes: &Nodes, member: NodeId) -> Result<(), ConfigurationError> {
    let node = node_of(member);
    match nodes.is_empty() || nodes.contains_key(&node) {
        true => Ok(()),
        false => Err(ConfigurationError::NoSuchNode(node)),
    }
}

fn names(groups: &BTreeMap<GroupId, Vec<NodeId>>) -> Vec<GroupId> {
    groups.keys().copied().collect()
}

impl StateMachine for ConfigurationService {
    type Command = ConfigurationCommand;
    type Output = ConfigurationOutput;

    fn apply(&mut self, command: &ConfigurationCommand) -> ConfigurationOutput {
        let changed = match command {
            ConfigurationCommand::Found { groups, nodes, service } => {
                let founded = self.founded(&Foundation { groups, nodes, service });
                if founded.is_ok() {
                    self.disks.extend(nodes.iter().map(|(node, _, disk)| (*node, (0, *disk))));
                }
                founded
            }
            ConfigurationCommand::AddNode { node, addresses } => self.added(*node, addresses),
            ConfigurationCommand::RemoveNode { node } => {
                let removed = self.removed(*node);
                // No disk has this number.
                if let (Ok(_), Some((_, disk))) = (&removed, self.disks.get_mut(node)) {
                    *disk = 0;
                }
                removed
            }
            ConfigurationCommand::Attach { node, disk, is_new, incarnation, addresses } => {
                let disk = Claim { number: *disk, is_new: *is_new, incarnation: *incarnation };
                return match self.attach(*node, disk, addresses.as_ref()) {
                    Ok(incarnation) => {
                        let number = self.history.len() as u64 - 1;
                        ConfigurationOutput::Attached { incarnation, number }
                    }
                    Err(error) => ConfigurationOutput::Error(error),
                };
            }
            ConfigurationCommand::Join { group, members } => self.joined(*group, members),
            ConfigurationCommand::Leave { group } => self.left(*group),
            ConfigurationCommand::Move { first, last, group } => self.moved((*first, *last), *group),
            ConfigurationCommand::Balance => self.evened(),
            ConfigurationCommand::Replace { group, old, new } => self.replaced(*group, *old, *new),
            ConfigurationCommand::Unspared { old } => Err(ConfigurationError::Unspared(*old)),
            ConfigurationCommand::Query { number } => return self.find(*number),
        };
        self.change(changed)
    }

    fn is_read_only(command: &ConfigurationCommand) -> bool {
        match command {
            ConfigurationCommand::Query { .. } => true,
            ConfigurationCommand::Found { .. }
            | ConfigurationCommand::Join { .. }
            | ConfigurationCommand::Leave { .. }
            | ConfigurationCommand::Move { .. }
            | ConfigurationCommand::Replace { .. }
            | ConfigurationCommand::Unspared { .. }
            | ConfigurationCommand::AddNode { .. }
            | ConfigurationCommand::RemoveNode { .. }
            | ConfigurationCommand::Attach { .. }
            | ConfigurationCommand::Balance => false,
        }
    }

    fn query(&self, command: &ConfigurationCommand) -> Option<ConfigurationOutput> {
        match command {
            ConfigurationCommand::Query { number } => Some(self.find(*number)),
            ConfigurationCommand::Found { .. }
            | ConfigurationCommand::Join { .. }
            | ConfigurationCommand::Leave { .. }
            | ConfigurationCommand::Move { .. }
            | ConfigurationCommand::Replace { .. }
            | ConfigurationCommand::Unspared { .. }
            | ConfigurationCommand::AddNode { .. }
            | ConfigurationCommand::RemoveNode { .. }
            | ConfigurationCommand::Attach { .. }
            | ConfigurationCommand::Balance => None,
        }
    }
}

impl Wire for ConfigurationService {
    fn encode(&self, out: &mut Writer<'_>) {
        u32::from(self.slot_count).encode(out);
        put_varint(out, self.history.len() as u64);
        self.history.iter().for_each(|configuration| configuration.encode(out));
        let disks: Vec<(u32, (u64, Disk))> = self
            .disks
            .iter()
            .map(|(node, (incarnation, disk))| (*node, (*incarnation, Disk(*disk))))
            .collect();
        disks.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let slot_count = u16::try_from(u32::decode(input)?).map_err(|_| Malformed("too many slots"))?;
        if slot_count == 0 {
            return Err(Malformed("no slots"));
        }
        let history: Vec<Configuration> = Vec::decode(input)?;
        let is_numbered = (0..).zip(&history).all(|(number, configuration)| configuration.number == number);
        if !is_numbered || history.iter().any(|configuration| configuration.slots.slot_count() != slot_count)
        {
            return Err(Malformed("no such history of configurations"));
        }
        let disks = Vec::<(u32, (u64, Disk))>::decode(input)?;
        let mut service = ConfigurationService::new(slot_count);
        service.disks =
            disks.into_iter().map(|(node, (incarnation, Disk(disk)))| (node, (incarnation, disk))).collect();
        service.history.extend(history.into_iter().map(Arc::new));
        Ok(service)
    }
}

impl Wire for Configuration {
    fn encode(&self, out: &mut Writer<'_>) {
        self.number.encode(out);
        let groups: Vec<(GroupId, Vec<NodeId>)> =
            self.groups.iter().map(|(group, members)| (*group, members.clone())).collect();
        groups.encode(out);
        self.slots.encode(out);
        self.nodes.encode(out);
        self.service.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let number = u64::decode(input)?;
        let groups: BTreeMap<_, _> = Vec::<(GroupId, Vec<NodeId>)>::decode(input)?.into_iter().collect();
        let slots = Assignment::decode(input)?;
        if slots.runs().any(|run| !groups.contains_key(&run.owner)) {
            return Err(Malformed("a slot of no group"));
        }
        let (nodes, service) = <(Nodes, Vec<NodeId>)>::decode(input)?;
        Ok(Configuration { number, groups, slots, nodes: Arc::new(nodes), service })
    }
}
