//! The configuration service: numbered answers to *which group owns this slot*, as a replicated state machine.

use crate::{Assignment, GroupId, SlotId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use synod_node::{NodeId, StateMachine};
use synod_stdx::{Malformed, Reader, Wire, put_varint};

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
}

/// What is asked of the service.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ConfigurationCommand {
    /// The first configuration: these groups with equal parts. So no slot need move before the store can be used.
    Found {
        /// Their names and members, at least one of each.
        groups: Vec<(GroupId, Vec<NodeId>)>,
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
        /// Of which group.
        group: GroupId,
        /// Who goes.
        old: NodeId,
        /// Who comes, and never was a member of the group.
        new: NodeId,
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
    /// Nothing was changed.
    Error(ConfigurationError),
}

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
    /// It was a member of the group before: name one that never was.
    WasMember(NodeId),
    /// Of one or two members none can be replaced: too few are left to say what it promised.
    TooFewMembers(GroupId),
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
                write!(f, "{id} was a member of the group before; name one that never was")
            }
            ConfigurationError::TooFewMembers(group) => {
                write!(
                    f,
                    "{group} has fewer than three members, and can spare none; move its slots to another group"
                )
            }
        }
    }
}

/// The service: every configuration that there ever was.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConfigurationService {
    slot_count: u16,
    history: Vec<Arc<Configuration>>,
}

/// Of fewer members than these none can be replaced: a quorum of the others must say what it promised.
const REPLACED_OF_MIN: usize = 3;

type Changed = Result<(BTreeMap<GroupId, Vec<NodeId>>, Assignment), ConfigurationError>;

impl ConfigurationService {
    /// A service of `slot_count` slots without a group.
    ///
    /// # Panics
    /// If there are no slots.
    pub fn new(slot_count: u16) -> Self {
        assert!(slot_count > 0, "a store has slots");
        ConfigurationService { slot_count, history: Vec::new() }
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

    fn founded(&self, groups: &[(GroupId, Vec<NodeId>)]) -> Changed {
        if self.latest().is_some() {
            return Err(ConfigurationError::IsFounded);
        }
        let mut all = BTreeMap::new();
        for (group, members) in groups {
            let members: BTreeSet<NodeId> = members.iter().copied().collect();
            if members.is_empty() {
                return Err(ConfigurationError::NoMembers);
            }
            if all.insert(*group, members.into_iter().collect()).is_some() {
                return Err(ConfigurationError::GroupExists(*group));
            }
        }
        let Some((first, _)) = all.first_key_value() else { return Err(ConfigurationError::NoMembers) };
        let slots = Assignment::whole(self.slot_count, *first).balanced(&names(&all));
        Ok((all, slots))
    }

    fn joined(&self, group: GroupId, members: &[NodeId]) -> Changed {
        if members.is_empty() {
            return Err(ConfigurationError::NoMembers);
        }
        let mut members = members.to_vec();
        members.sort_unstable();
        members.dedup();
        let Some(latest) = self.latest() else {
            return Ok((BTreeMap::from([(group, members)]), Assignment::whole(self.slot_count, group)));
        };
        let mut groups = latest.groups.clone();
        // A group that comes back has its seats as it had them.
        let seats = self.history.iter().rev().find_map(|known| known.groups.get(&group));
        let is_same = |seats: &&Vec<NodeId>| {
            seats.iter().collect::<BTreeSet<_>>() == members.iter().collect::<BTreeSet<_>>()
        };
        let members = seats.filter(is_same).cloned().unwrap_or(members);
        if groups.insert(group, members).is_some() {
            return Err(ConfigurationError::GroupExists(group));
        }
        let slots = latest.slots.balanced(&names(&groups));
        Ok((groups, slots))
    }

    fn left(&self, group: GroupId) -> Changed {
        let latest = self.with(group)?;
        let mut groups = latest.groups.clone();
        groups.remove(&group);
        if groups.is_empty() {
            return Err(ConfigurationError::LastGroup(group));
        }
        let slots = latest.slots.balanced(&names(&groups));
        Ok((groups, slots))
    }

    fn replaced(&self, group: GroupId, old: NodeId, new: NodeId) -> Changed {
        let latest = self.with(group)?;
        let mut groups = latest.groups.clone();
        let Some(members) = groups.get_mut(&group) else {
            return Err(ConfigurationError::NoSuchGroup(group));
        };
        let Some(seat) = members.iter().position(|member| *member == old) else {
            return Err(ConfigurationError::NoMember(old));
        };
        if members.contains(&new) {
            return Err(ConfigurationError::IsMember(new));
        }
        // What it has on disk is of a life that is over.
        let had = |known: &Arc<Configuration>| known.groups.get(&group).is_some_and(|ids| ids.contains(&new));
        if self.history.iter().any(had) {
            return Err(ConfigurationError::WasMember(new));
        }
        if members.len() < REPLACED_OF_MIN {
            return Err(ConfigurationError::TooFewMembers(group));
        }
        members[seat] = new;
        Ok((groups, latest.slots.clone()))
    }

    fn moved(&self, (first, last): (SlotId, SlotId), group: GroupId) -> Changed {
        let latest = self.with(group)?;
        let (first, last) = (first.number(), last.number());
        if first > last || last >= self.slot_count {
            return Err(ConfigurationError::NoSuchSlots);
        }
        let slots = latest.slots.moved((first, last), group);
        if slots == latest.slots {
            return Err(ConfigurationError::OwnsThem(group));
        }
        Ok((latest.groups.clone(), slots))
    }

    fn evened(&self) -> Changed {
        let latest = self.latest().ok_or(ConfigurationError::NoConfiguration)?;
        let slots = latest.slots.balanced(&names(&latest.groups));
        if slots == latest.slots {
            return Err(ConfigurationError::IsBalanced);
        }
        Ok((latest.groups.clone(), slots))
    }

    /// The newest configuration, in which there must be `group`.
    fn with(&self, group: GroupId) -> Result<&Configuration, ConfigurationError> {
        let latest = self.latest().filter(|latest| latest.groups.contains_key(&group));
        latest.map(AsRef::as_ref).ok_or(ConfigurationError::NoSuchGroup(group))
    }

    fn change(&mut self, changed: Changed) -> ConfigurationOutput {
        match changed {
            Err(error) => ConfigurationOutput::Error(error),
            Ok((groups, slots)) => {
                let number = self.history.len() as u64;
                self.history.push(Arc::new(Configuration { number, groups, slots }));
                ConfigurationOutput::Ok(number)
            }
        }
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
            ConfigurationCommand::Found { groups } => self.founded(groups),
            ConfigurationCommand::Join { group, members } => self.joined(*group, members),
            ConfigurationCommand::Leave { group } => self.left(*group),
            ConfigurationCommand::Move { first, last, group } => self.moved((*first, *last), *group),
            ConfigurationCommand::Balance => self.evened(),
            ConfigurationCommand::Replace { group, old, new } => self.replaced(*group, *old, *new),
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
            | ConfigurationCommand::Balance => None,
        }
    }
}

impl Wire for ConfigurationService {
    fn encode(&self, out: &mut Vec<u8>) {
        u32::from(self.slot_count).encode(out);
        put_varint(out, self.history.len() as u64);
        self.history.iter().for_each(|configuration| configuration.encode(out));
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
        let mut service = ConfigurationService::new(slot_count);
        service.history.extend(history.into_iter().map(Arc::new));
        Ok(service)
    }
}

impl Wire for Configuration {
    fn encode(&self, out: &mut Vec<u8>) {
        self.number.encode(out);
        let groups: Vec<(GroupId, Vec<NodeId>)> =
            self.groups.iter().map(|(group, members)| (*group, members.clone())).collect();
        groups.encode(out);
        self.slots.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let number = u64::decode(input)?;
        let groups: BTreeMap<_, _> = Vec::<(GroupId, Vec<NodeId>)>::decode(input)?.into_iter().collect();
        let slots = Assignment::decode(input)?;
        if slots.runs().any(|run| !groups.contains_key(&run.owner)) {
            return Err(Malformed("a slot of no group"));
        }
        Ok(Configuration { number, groups, slots })
    }
}
