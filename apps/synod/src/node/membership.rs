//! The cluster as this node knows it: the nodes with their addresses, and the groups, of which the configuration service is
//! one, whose members this node may run. All of it comes from the configurations; the file of the node only says where to
//! begin.
//!
//! A fact in the superblock of the process holds it, kept before a member starts: so the next start has it at once, and a
//! member that once ran is never taken for a new one. Members come and go with the configurations, taken one after the other; a
//! member of a group that left runs on, since the group may still have something to say.
//!
//! A node whose disk was lost begins with what the service said when it came back (`joining.rs`). Each group that was there
//! then perhaps had a member here, which has to rejoin; groups that come later have not. Where this node has the place of
//! another in a group, its member begins anew there (`synod_shardedstore`, `homes.rs`): in a life that is numbered by the
//! replacements of that place and, within it, by this node's own lives. A member that was replaced ends once it knows, and
//! what it wrote is dropped. If its node comes back to the group, another member begins, under another name.

use super::blueprint::{Blueprint, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use synod_node::NodeId;
use synod_shardedstore::{
    Addresses, Configuration, ConfigurationNumber, GroupId, Nodes, SERVICE, Seats, member_on, node_of,
};

/// The name of the fact.
pub(super) const FACT: &str = "membership";

/// A group as this node knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Group {
    seats: Seats,
    /// The members that run on this node, each with the life in which it has to rejoin; 0 if it began as new. Two where one was
    /// replaced and has not ended when the node comes back.
    here: BTreeMap<NodeId, u64>,
}

impl Group {
    /// This node's member, as far as the seats say: its home, if it has one.
    fn home_on(&self, node: u32) -> Option<NodeId> {
        self.seats.homes().into_iter().find(|home| node_of(*home) == node)
    }
}

/// The cluster, as far as this node knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Membership {
    me: u32,
    incarnation: u64,
    /// The newest configuration that was looked at.
    seen: Option<ConfigurationNumber>,
    nodes: Nodes,
    /// The nodes that once were, and are no more.
    gone: BTreeSet<u32>,
    /// The numbers of the disks that the founders had, until the store is founded.
    disks: BTreeMap<u32, u128>,
    groups: BTreeMap<GroupId, Group>,
}

/// The news in a configuration.
#[derive(Default, Debug)]
pub(super) struct Change {
    /// The members that begin here now, with their groups.
    pub(super) begins: Vec<(GroupId, NodeId)>,
    /// The nodes that are no more.
    pub(super) gone: Vec<u32>,
}

impl Membership {
    /// That of node `me` of a cluster that these nodes found together, with these disks.
    pub(super) fn founding(me: u32, founders: &[(u32, Addresses, u128)]) -> Membership {
        let numbers: BTreeSet<u32> = founders.iter().map(|(node, ..)| *node).collect();
        let count = match numbers.len() {
            0..=2 => numbers.len(),
            3 | 4 => 3,
            _ => 5,
        };
        let members: Vec<NodeId> =
            numbers.into_iter().take(count).map(|node| member_on(SERVICE, node)).collect();
        let own = member_on(SERVICE, me);
        let here = members.contains(&own).then_some((own, 0)).into_iter().collect();
        let seats = Seats::of_homes(members.into_iter().map(|member| vec![member]).collect());
        let seats = seats.expect("a cluster is founded by somebody");
        Membership {
            me,
            incarnation: 0,
            seen: None,
            gone: BTreeSet::new(),
            nodes: founders.iter().map(|(node, addresses, _)| (*node, addresses.clone())).collect(),
            disks: founders.iter().map(|(node, _, disk)| (*node, *disk)).collect(),
            groups: BTreeMap::from([(SERVICE, Group { seats, here })]),
        }
    }

    /// That of node `me`, which comes in this incarnation, of what another node knows. `None` if that cannot be read.
    pub(super) fn told(me: u32, incarnation: u64, text: &str) -> Option<Membership> {
        let mut told = Membership::parse(me, incarnation, text)?;
        told.disks.clear();
        for group in told.groups.values_mut() {
            let own = group.home_on(me).map(|home| (home, group.seats.life(home, incarnation)));
            group.here = own.into_iter().collect();
        }
        Some(told)
    }

    /// What the fact says.
    pub(super) fn parse(me: u32, incarnation: u64, text: &str) -> Option<Membership> {
        let (mut seen, mut nodes, mut gone) = (None, Nodes::new(), BTreeSet::new());
        let (mut disks, mut groups) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            let mut words = line.split(' ');
            match words.next()? {
                "seen" => seen = words.next()?.parse().ok(),
                "node" => {
                    let node = words.next()?.parse().ok()?;
                    let addresses = Addresses { peer: words.next()?.into(), client: words.next()?.into() };
                    nodes.insert(node, addresses);
                }
                "gone" => drop(gone.insert(words.next()?.parse().ok()?)),
                "disk" => {
                    let node = words.next()?.parse().ok()?;
                    disks.insert(node, u128::from_str_radix(words.next()?, 16).ok()?);
                }
                "group" => {
                    let id = GroupId(words.next()?.parse().ok()?);
                    let member = |word: &str| {
                        let (member, life) = word.split_once('=')?;
                        Some((NodeId::from_bits(member.parse().ok()?), life.parse().ok()?))
                    };
                    let here = match words.next()? {
                        "-" => BTreeMap::new(),
                        members => members.split(',').map(member).collect::<Option<_>>()?,
                    };
                    let home = |word: &str| word.parse().ok().map(NodeId::from_bits);
                    let seats = words.map(|word| word.split(',').map(home).collect::<Option<_>>());
                    let seats = Seats::of_homes(seats.collect::<Option<_>>()?)?;
                    groups.insert(id, Group { seats, here });
                }
                _ => return None,
            }
        }
        let is_whole = groups.contains_key(&SERVICE) && !nodes.is_empty();
        is_whole.then_some(Membership { me, incarnation, seen, nodes, gone, disks, groups })
    }

    /// The same in words.
    pub(super) fn to_text(&self) -> String {
        let seen = self.seen.map_or_else(|| "-".to_owned(), |seen| seen.to_string());
        let mut text = format!("seen {seen}\n");
        for (node, Addresses { peer, client }) in &self.nodes {
            let _ = writeln!(text, "node {node} {peer} {client}");
        }
        for node in &self.gone {
            let _ = writeln!(text, "gone {node}");
        }
        for (node, disk) in &self.disks {
            let _ = writeln!(text, "disk {node} {disk:032x}");
        }
        for (id, group) in &self.groups {
            let homes = |homes: &Vec<NodeId>| {
                homes.iter().map(|id| id.to_bits().to_string()).collect::<Vec<_>>().join(",")
            };
            let seats: Vec<String> = group.seats.all_homes().iter().map(homes).collect();
            let here = group.here.iter().map(|(member, life)| format!("{}={life}", member.to_bits()));
            let here = here.reduce(|some, more| format!("{some},{more}")).unwrap_or_else(|| "-".to_owned());
            let _ = writeln!(text, "group {} {here} {}", id.0, seats.join(" "));
        }
        text
    }

    pub(super) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Whether a node once was, and is no more.
    pub(super) fn is_gone(&self, node: u32) -> bool {
        self.gone.contains(&node)
    }

    /// The numbers of the disks of those who found the store, while it is not founded.
    pub(super) fn disks(&self) -> &BTreeMap<u32, u128> {
        &self.disks
    }

    /// The number of the configuration that is looked at next.
    pub(super) fn next(&self) -> ConfigurationNumber {
        self.seen.map_or(0, |seen| seen + 1)
    }

    /// The members of the configuration service.
    pub(super) fn service(&self) -> Vec<NodeId> {
        self.groups[&SERVICE].seats.homes()
    }

    /// The members that run here, with their groups.
    pub(super) fn here(&self) -> Vec<(GroupId, NodeId)> {
        let members =
            |(id, group): (&GroupId, &Group)| group.here.keys().map(|member| (*id, *member)).collect();
        self.groups.iter().flat_map(|group| -> Vec<_> { members(group) }).collect()
    }

    /// This node's member of a group; the one that came last.
    pub(super) fn member_here(&self, id: GroupId) -> Option<NodeId> {
        self.groups.get(&id)?.here.keys().next_back().copied()
    }

    /// The members here that were replaced: each ends when it knows.
    pub(super) fn replaced_here(&self) -> Vec<NodeId> {
        let replaced = |group: &Group| {
            let members = group.here.keys().copied();
            members.filter(|member| !group.seats.is_home(*member)).collect::<Vec<_>>()
        };
        self.groups.values().flat_map(replaced).collect()
    }

    /// A member that was replaced runs here no more.
    pub(super) fn end(&mut self, member: NodeId) {
        for group in self.groups.values_mut() {
            group.here.remove(&member);
        }
    }

    /// The members that ran here, or may have, and do no more.
    pub(super) fn ended_here(&self) -> Vec<NodeId> {
        let ended = |group: &Group| {
            let homes = group.seats.all_homes().iter().flatten().copied();
            let own = homes.filter(|home| node_of(*home) == self.me && !group.here.contains_key(home));
            own.collect::<Vec<_>>()
        };
        self.groups.values().flat_map(ended).collect()
    }

    /// How a member is built that runs here.
    pub(super) fn member(&self, (id, member): (GroupId, NodeId)) -> Blueprint {
        let group = &self.groups[&id];
        let homes = |homes: &Vec<NodeId>| homes.iter().map(|id| id.to_bits()).collect();
        let seats = group.seats.all_homes().iter().map(homes).collect();
        let life = group.here.get(&member).copied().unwrap_or(0);
        let role = Role::Member { group: id.0, name: member.to_bits(), seats, life, next: self.next() };
        self.blueprint(role)
    }

    /// How a node of this process is built.
    pub(super) fn blueprint(&self, role: Role) -> Blueprint {
        let service = self.service().into_iter().map(NodeId::to_bits).collect();
        Blueprint { node: self.me, service, role }
    }

    /// Every member of a group, with its node.
    pub(super) fn members(&self) -> impl Iterator<Item = (u32, NodeId)> + '_ {
        let homes = self.groups.values().flat_map(|group| group.seats.all_homes()).flatten();
        homes.map(|id| (node_of(*id), *id))
    }

    /// The groups in which a node has or had a place that another may speak of.
    pub(super) fn groups_of(&self, node: u32) -> Vec<GroupId> {
        let has = |(_, group): &(&GroupId, &Group)| {
            group.seats.all_homes().iter().flatten().any(|home| node_of(*home) == node)
        };
        self.groups.iter().filter(has).map(|(id, _)| *id).collect()
    }

    /// Takes the next configuration.
    pub(super) fn take(&mut self, next: &Configuration) -> Change {
        let mut change = Change::default();
        if next.number != self.next() {
            return change;
        }
        let service = Some((SERVICE, &next.service)).filter(|(_, members)| !members.is_empty());
        let groups = next.groups.iter().map(|(id, members)| (*id, members));
        for (id, members) in groups.chain(service) {
            let none = || Group { seats: Seats::default(), here: BTreeMap::new() };
            let group = self.groups.entry(id).or_insert_with(none);
            group.seats.take(members);
            let Some(own) = group.home_on(self.me).filter(|own| !group.here.contains_key(own)) else {
                continue;
            };
            let is_first = group.seats.names().contains(&own);
            // A member of a group that joins later has not lived before, whatever became of this node's disk.
            let disks_lost = if is_first { 0 } else { self.incarnation };
            group.here.insert(own, group.seats.life(own, disks_lost));
            change.begins.push((id, own));
        }
        if !next.nodes.is_empty() {
            change.gone = self.nodes.keys().filter(|node| !next.nodes.contains_key(node)).copied().collect();
            self.gone.extend(&change.gone);
            self.gone.retain(|node| !next.nodes.contains_key(node));
            self.nodes = (*next.nodes).clone();
        }
        self.seen = Some(next.number);
        self.disks.clear();
        change
    }
}

#[cfg(test)]
mod tests {
    use super::Membership;
    use synod_node::StateMachine as _;
    use synod_shardedstore::{
        Addresses, ConfigurationCommand as Command, ConfigurationService, GroupId, SERVICE, first_member,
        member_on,
    };

    const G1: GroupId = GroupId(1);

    fn at(node: u32) -> Addresses {
        Addresses { peer: format!("host{node}:1").into(), client: format!("host{node}:2").into() }
    }

    fn founders(count: u32) -> Vec<(u32, Addresses, u128)> {
        (1..=count).map(|node| (node, at(node), u128::from(node) << 99)).collect()
    }

    fn founded(count: u32) -> ConfigurationService {
        let mut service = ConfigurationService::new(16);
        let members = |group| (1..=count).map(|node| member_on(group, node)).collect::<Vec<_>>();
        let found = Command::Found {
            groups: vec![(G1, members(G1))],
            nodes: founders(count),
            service: members(SERVICE).into_iter().take(3).collect(),
        };
        service.apply(&found);
        service
    }

    fn learn(membership: &mut Membership, service: &ConfigurationService) -> (Vec<GroupId>, Vec<u32>) {
        let next = membership.next() as usize;
        let changes: Vec<_> = service.history()[next..].iter().map(|known| membership.take(known)).collect();
        let begins =
            changes.iter().flat_map(|change| change.begins.iter().map(|(group, _)| *group)).collect();
        (begins, changes.iter().flat_map(|change| change.gone.clone()).collect())
    }

    #[test]
    fn the_service_has_three_or_five_members_however_many_found_the_store() {
        let counts =
            [1, 2, 3, 4, 5, 6, 9].map(|count| Membership::founding(1, &founders(count)).service().len());
        assert_eq!(counts, [1, 2, 3, 3, 5, 5, 5]);
        let outside = Membership::founding(4, &founders(4));
        assert_eq!(outside.here(), []);
        assert_eq!(Membership::parse(4, 0, &outside.to_text()), Some(outside));
    }

    #[test]
    fn members_begin_where_a_configuration_says_so() {
        let mut service = founded(4);
        let mut third = Membership::founding(3, &founders(4));
        assert_eq!(third.here(), [(SERVICE, member_on(SERVICE, 3))]);
        assert_eq!(learn(&mut third, &service), (vec![G1], vec![]));
        assert_eq!(third.disks().len(), 0, "the service knows them now");
        let (old, new) = (member_on(SERVICE, 2), member_on(SERVICE, 4));
        service.apply(&Command::Replace { group: SERVICE, old, new });
        service.apply(&Command::AddNode { node: 5, addresses: at(5) });
        let mut fourth = Membership::told(4, 2, &third.to_text()).unwrap();
        assert_eq!(learn(&mut fourth, &service), (vec![SERVICE], vec![]));
        learn(&mut third, &service);
        assert_eq!(third.service(), [1, 4, 3].map(|node| member_on(SERVICE, node)));
        assert_eq!(fourth.nodes().len(), 5);
        // The place in the service began elsewhere, and this node's disk was lost twice: both count.
        assert!(fourth.to_text().contains(&format!("group 0 4={} ", (1_u64 << 32) | 2)));
        assert!(fourth.to_text().contains("group 1 1004=2 "), "its member of the group may have lived");
        assert_eq!(Membership::parse(4, 2, &fourth.to_text()), Some(fourth));
        service.apply(&Command::RemoveNode { node: 5 });
        assert_eq!(learn(&mut third, &service), (vec![], vec![5]));
        assert_eq!((third.is_gone(5), third.is_gone(6)), (true, false));
        assert_eq!(Membership::parse(3, 0, &third.to_text()), Some(third));
    }

    /// Its first member runs on until it knows; the second one is another, and what it was before is no more.
    #[test]
    fn a_node_that_comes_back_has_another_member() {
        let mut service = founded(4);
        let mut third = Membership::founding(3, &founders(4));
        learn(&mut third, &service);
        let replace =
            |old, new| Command::Replace { group: G1, old: member_on(G1, old), new: member_on(G1, new) };
        service.apply(&Command::AddNode { node: 5, addresses: at(5) });
        service.apply(&replace(3, 5));
        service.apply(&replace(4, 3));
        learn(&mut third, &service);
        let first = member_on(G1, 3);
        let second = third.member_here(G1).expect("it is back");
        assert_eq!((first_member(second), second == first), (first, false));
        assert_eq!((third.replaced_here(), third.ended_here()), (vec![first], vec![]));
        assert_eq!(Membership::parse(3, 0, &third.to_text()), Some(third.clone()));
        third.end(first);
        assert_eq!((third.replaced_here(), third.ended_here()), (vec![], vec![first]));
        assert_eq!(third.member_here(G1), Some(second));
        assert_eq!(Membership::parse(3, 0, &third.to_text()), Some(third));
        // A node that lost its disk meanwhile runs the second member too.
        let told = Membership::told(3, 1, &Membership::founding(1, &founders(4)).to_text());
        let mut told = told.expect("it can be read");
        learn(&mut told, &service);
        assert_eq!((told.member_here(G1), told.here().len()), (Some(second), 3));
    }

    #[test]
    fn damaged_words_are_not_taken_for_a_membership() {
        let text = Membership::founding(1, &founders(3)).to_text();
        for wrong in ["", "seen -\n", &text.replace("group", "grope"), &text.replace("node 2", "node x")] {
            assert_eq!(Membership::parse(1, 0, wrong), None, "{wrong}");
        }
    }
}
