//! The cluster as this node knows it: the nodes with their addresses, and the groups, of which the configuration service is
//! one, whose members this node may run. All of it comes from the configurations; the file of the node only says where to
//! begin.
//!
//! A fact in the superblock of the process holds it, kept before a member starts: so the next start has it at once, and a
//! member that once ran is never taken for a new one. Members come and go with the configurations, taken one after the other; a
//! member, once started, runs for ever, since a group that left may still have something to say.
//!
//! A node whose disk was lost begins with what the service said when it came back (`joining.rs`). Each group that was there
//! then perhaps had a member here, which has to rejoin; groups that come later have not. Where this node has the place of
//! another in a group, its member begins anew there (`synod_shardedstore`, `homes.rs`): in a life that is numbered by the
//! replacements of that place and, within it, by this node's own lives. A member that was replaced runs on as retired.

use super::blueprint::{Blueprint, Role};
use super::places;
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
    /// The life in which this node's member has to rejoin; 0 if it began as new; none if there is none.
    life: Option<u64>,
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
    /// The groups whose member here begins now.
    pub(super) begins: Vec<GroupId>,
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
        let life = members.contains(&member_on(SERVICE, me)).then_some(0);
        let seats = Seats::of_homes(members.into_iter().map(|member| vec![member]).collect());
        let seats = seats.expect("a cluster is founded by somebody");
        Membership {
            me,
            incarnation: 0,
            seen: None,
            gone: BTreeSet::new(),
            nodes: founders.iter().map(|(node, addresses, _)| (*node, addresses.clone())).collect(),
            disks: founders.iter().map(|(node, _, disk)| (*node, *disk)).collect(),
            groups: BTreeMap::from([(SERVICE, Group { seats, life })]),
        }
    }

    /// That of node `me`, which comes in this incarnation, of what another node knows. `None` if that cannot be read.
    pub(super) fn told(me: u32, incarnation: u64, text: &str) -> Option<Membership> {
        let mut told = Membership::parse(me, incarnation, text)?;
        told.disks.clear();
        for (id, group) in &mut told.groups {
            let member = member_on(*id, me);
            group.life = group.seats.is_home(member).then(|| group.seats.life(member, incarnation));
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
                    let life = match words.next()? {
                        "-" => None,
                        life => Some(life.parse().ok()?),
                    };
                    let home = |word: &str| word.parse().ok().map(NodeId::from_bits);
                    let seats = words.map(|word| word.split(',').map(home).collect::<Option<_>>());
                    let seats = Seats::of_homes(seats.collect::<Option<_>>()?)?;
                    groups.insert(id, Group { seats, life });
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
            let life = group.life.map_or_else(|| "-".to_owned(), |life| life.to_string());
            let _ = writeln!(text, "group {} {life} {}", id.0, seats.join(" "));
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

    /// The groups that have a member here.
    pub(super) fn here(&self) -> Vec<GroupId> {
        self.groups.iter().filter(|(_, group)| group.life.is_some()).map(|(id, _)| *id).collect()
    }

    /// How this node's member of a group is built that has one here.
    pub(super) fn member(&self, id: GroupId) -> Blueprint {
        let group = &self.groups[&id];
        let homes = |homes: &Vec<NodeId>| homes.iter().map(|id| id.to_bits()).collect();
        let seats = group.seats.all_homes().iter().map(homes).collect();
        let role = Role::Member { group: id.0, seats, life: group.life.unwrap_or(0), next: self.next() };
        self.blueprint(role)
    }

    /// How a node of this process is built.
    pub(super) fn blueprint(&self, role: Role) -> Blueprint {
        let service = self.service().into_iter().map(node_of).collect();
        Blueprint { node: self.me, service, role }
    }

    /// Every member of a group, with its node.
    pub(super) fn members(&self) -> impl Iterator<Item = (u32, NodeId)> + '_ {
        let homes = self.groups.values().flat_map(|group| group.seats.all_homes()).flatten();
        homes.map(|id| (node_of(*id), *id))
    }

    /// The groups in which a node has or had a place that another may speak of.
    pub(super) fn groups_of(&self, node: u32) -> Vec<GroupId> {
        let has = |(id, group): &(&GroupId, &Group)| group.seats.seat_of(member_on(**id, node)).is_some();
        self.groups.iter().filter(has).map(|(id, _)| *id).collect()
    }

    /// The nodes that play the places of a group.
    pub(super) fn homes_of(&self, group: GroupId) -> Vec<u32> {
        let group = self.groups.get(&group);
        group.map_or_else(Vec::new, |group| group.seats.homes().into_iter().map(node_of).collect())
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
            let known = self.groups.get(&id);
            let mut seats = known.map_or_else(Seats::default, |known| known.seats.clone());
            seats.take(members);
            let me = places::member(id, self.me);
            let before = known.and_then(|known| known.life);
            let is_first = seats.names().contains(&me);
            // A member of a group that joins later has not lived before, whatever became of this node's disk.
            let disks_lost = if is_first { 0 } else { self.incarnation };
            let life = before.or_else(|| seats.is_home(me).then(|| seats.life(me, disks_lost)));
            if life.is_some() && before.is_none() {
                change.begins.push(id);
            }
            self.groups.insert(id, Group { seats, life });
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
        Addresses, ConfigurationCommand as Command, ConfigurationService, GroupId, SERVICE, member_on,
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
        let begins = changes.iter().flat_map(|change| change.begins.clone()).collect();
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
        assert_eq!(third.here(), [SERVICE]);
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
        assert!(fourth.to_text().contains(&format!("group 0 {} ", (1_u64 << 32) | 2)));
        assert!(fourth.to_text().contains("group 1 2 "), "its member of the group may have lived");
        assert_eq!(Membership::parse(4, 2, &fourth.to_text()), Some(fourth));
        service.apply(&Command::RemoveNode { node: 5 });
        assert_eq!(learn(&mut third, &service), (vec![], vec![5]));
        assert_eq!((third.is_gone(5), third.is_gone(6)), (true, false));
        assert_eq!(Membership::parse(3, 0, &third.to_text()), Some(third));
    }

    #[test]
    fn damaged_words_are_not_taken_for_a_membership() {
        let text = Membership::founding(1, &founders(3)).to_text();
        for wrong in ["", "seen -\n", &text.replace("group", "grope"), &text.replace("node 2", "node x")] {
            assert_eq!(Membership::parse(1, 0, wrong), None, "{wrong}");
        }
    }
}
