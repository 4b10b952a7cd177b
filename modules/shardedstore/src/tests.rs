//! Assignments, the service and byte forms, by direct calls.

use crate::nodes_tests::{at, attach};
use crate::{
    Assignment, Configuration, ConfigurationCommand as Command, ConfigurationError as Error,
    ConfigurationOutput as Output, ConfigurationService, GROUP_BOUND, GroupId, MEMBERS_OF_NODE_MAX,
    NODE_BOUND, SERVICE, SLOT_COUNT, Seats, SlotId, first_member, node_of,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_node::{NodeId, StateMachine};
use synod_stdx::{Malformed, Rng, Wire};

const G1: GroupId = GroupId(1);
const G2: GroupId = GroupId(2);

fn slot(number: u16) -> SlotId {
    SlotId::new(number.into()).expect("there are so many")
}

fn groups(count: u32) -> Vec<GroupId> {
    (1..=count).map(GroupId).collect()
}

/// The largest and the smallest number of slots of a group.
fn extremes(assignment: &Assignment, groups: &[GroupId]) -> (usize, usize) {
    let counts = assignment.counts();
    let owned = |group: &GroupId| counts.get(group).copied().unwrap_or(0);
    let sizes: Vec<usize> = groups.iter().map(owned).collect();
    (*sizes.iter().max().expect("there are groups"), *sizes.iter().min().expect("there are groups"))
}

/// What any balanced assignment must move at least: what lies above the parts, which differ by one at most. The largest
/// groups get the larger parts.
fn least_movement(assignment: &Assignment, groups: &[GroupId]) -> usize {
    let counts = assignment.counts();
    let mut sizes: Vec<usize> = groups.iter().map(|group| counts.get(group).copied().unwrap_or(0)).collect();
    sizes.sort_unstable_by(|one, two| two.cmp(one));
    let kept: usize = counts.iter().filter(|(group, _)| groups.contains(group)).map(|(_, count)| count).sum();
    let total = usize::from(assignment.slot_count());
    let (part, more) = (total / groups.len(), total % groups.len());
    let surplus = |(at, size): (usize, &usize)| size.saturating_sub(part + usize::from(at < more));
    (total - kept) + sizes.iter().enumerate().map(surplus).sum::<usize>()
}

#[test]
fn an_assignment_is_shown_as_its_runs() {
    let whole = Assignment::whole(10, G1);
    assert_eq!(format!("{whole:?}"), "0-9:g1");
    let moved = whole.moved((3, 3), G2).moved((5, 9), G2);
    assert_eq!(format!("{moved:?}"), "0-2:g1,3:g2,4:g1,5-9:g2");
    assert_eq!(moved.moved((4, 4), G2).runs().count(), 2, "neighbours with one owner are one run");
    assert_eq!(moved.owner(slot(3)), Some(G2));
    assert_eq!(moved.owner(slot(4)), Some(G1));
    assert_eq!(moved.owner(slot(10)), None);
    assert_eq!(moved.distance(&whole), 6);
}

#[test]
fn balance_is_within_one_and_moves_as_little_as_it_can_whatever_was_before() {
    let mut rng = Rng::new(7);
    for _ in 0..2_000 {
        let slot_count = rng.between(1, 60) as u16;
        let mut assignment = Assignment::whole(slot_count, G1);
        let mut members = groups(1);
        for _ in 0..rng.below(12) {
            let at = rng.below(u64::from(slot_count)) as u16;
            let to = *rng.pick(&members).expect("never empty");
            let before = assignment.clone();
            match rng.below(3) {
                0 => assignment = assignment.moved((at, slot_count - 1), to),
                1 => {
                    let new = GroupId(rng.between(1, 20) as u32);
                    members.retain(|group| *group != new);
                    members.push(new);
                    assignment = assignment.balanced(&members);
                    assert_eq!(assignment.distance(&before), least_movement(&before, &members));
                }
                _ if members.len() > 1 => {
                    members.retain(|group| *group != to);
                    assignment = assignment.balanced(&members);
                    assert_eq!(assignment.distance(&before), least_movement(&before, &members));
                }
                _ => continue,
            }
            let counted: usize = assignment.counts().values().sum();
            assert_eq!(counted, usize::from(slot_count), "every slot has an owner");
            assert!(assignment.counts().keys().all(|owner| members.contains(owner)));
            let again = assignment.balanced(&members);
            let (most, least) = extremes(&again, &members);
            assert!(most - least <= 1, "{again:?}");
            assert_eq!(again.balanced(&members), again, "what is balanced stays");
        }
    }
}

/// A mutant of the balancer: balanced, and then two slots change places for nothing.
#[test]
fn a_balancer_that_moves_more_than_it_must_is_caught() {
    let before = Assignment::whole(12, G1).balanced(&groups(2));
    let members = groups(3);
    let right = before.balanced(&members);
    let stays = |number: u16, owner| {
        right.owner(slot(number)) == Some(owner) && before.owner(slot(number)) == Some(owner)
    };
    let stayed = |owner| (0..12).find(|number| stays(*number, owner)).expect("each group keeps some");
    let (one, two) = (stayed(G1), stayed(G2));
    let mutant = right.moved((one, one), G2).moved((two, two), G1);
    assert_eq!(extremes(&mutant, &members), extremes(&right, &members), "it is balanced all the same");
    assert_eq!(right.distance(&before), least_movement(&before, &members));
    assert_ne!(mutant.distance(&before), least_movement(&before, &members));
}

/// The highest of the hashes of slot and group wins: consistent hashing without a ring.
fn rendezvous(slot_count: u16, groups: &[GroupId]) -> Vec<GroupId> {
    let weight = |slot: u16, group: GroupId| Rng::new(u64::from(slot) << 32 | u64::from(group.0)).next_u64();
    let owner = |slot| *groups.iter().max_by_key(|group| weight(slot, **group)).expect("there are groups");
    (0..slot_count).map(owner).collect()
}

/// What the crate's page says of hashing. `cargo test -p synod-shardedstore a_balancer -- --nocapture` prints it.
#[test]
fn a_balancer_beats_hashing() {
    let mut balanced = Assignment::whole(SLOT_COUNT, G1);
    let mut hashed = rendezvous(SLOT_COUNT, &groups(1));
    let (mut moved, mut moved_by_hashing) = (0, 0);
    for count in 2..=16 {
        let members = groups(count);
        let next = balanced.balanced(&members);
        let next_hashed = rendezvous(SLOT_COUNT, &members);
        moved += next.distance(&balanced);
        moved_by_hashing += hashed.iter().zip(&next_hashed).filter(|(one, two)| one != two).count();
        (balanced, hashed) = (next, next_hashed);
        let mut sizes = BTreeMap::<GroupId, usize>::new();
        hashed.iter().for_each(|owner| *sizes.entry(*owner).or_default() += 1);
        let (most, least) = (sizes.values().max().copied(), sizes.values().min().copied());
        let (largest, smallest) = extremes(&balanced, &members);
        println!(
            "{count} groups: balancer {smallest} to {largest} in {} runs, {moved} moved; hashing {} to {}, {moved_by_hashing} moved",
            balanced.runs().count(),
            least.unwrap_or(0),
            most.unwrap_or(0),
        );
        assert!(largest - smallest <= 1);
        assert!(most > Some(largest) && least < Some(smallest), "hashing is less balanced");
    }
    assert!(balanced.runs().count() < 256, "the table stays small");
}

fn join(group: u32) -> Command {
    let members = (0..3).map(|n| NodeId::server(3 * group + n)).collect();
    Command::Join { group: GroupId(group), members }
}

fn found(groups: Vec<(GroupId, Vec<NodeId>)>) -> Command {
    Command::Found { groups, nodes: Vec::new(), service: Vec::new() }
}

#[test]
fn the_same_member_twice_is_one() {
    let mut service = ConfigurationService::new(10);
    let members = vec![NodeId::server(2), NodeId::server(1), NodeId::server(2)];
    assert_eq!(service.apply(&Command::Join { group: G1, members }), Output::Ok(0));
    let members = &service.latest().expect("a group joined").groups[&G1];
    assert_eq!(*members, NodeId::servers(2));
}

#[test]
fn a_store_is_founded_once_with_equal_parts() {
    let mut service = ConfigurationService::new(10);
    let twice = vec![(G1, NodeId::servers(3)), (G1, NodeId::servers(2))];
    assert_eq!(service.apply(&found(twice)), Output::Error(Error::GroupExists(G1)));
    assert_eq!(service.apply(&found(Vec::new())), Output::Error(Error::NoMembers));
    let nobody = vec![(G1, NodeId::servers(3)), (G2, Vec::new())];
    assert_eq!(service.apply(&found(nobody)), Output::Error(Error::NoMembers));
    let groups = vec![(G2, NodeId::servers(2)), (G1, NodeId::servers(3))];
    assert_eq!(service.apply(&found(groups.clone())), Output::Ok(0));
    let first = service.latest().expect("it is founded");
    assert_eq!(extremes(&first.slots, &[G1, G2]), (5, 5));
    assert_eq!(service.apply(&found(groups)), Output::Error(Error::IsFounded));
}

fn replace(old: u32, new: u32) -> Command {
    Command::Replace { group: G1, old: NodeId::server(old), new: NodeId::server(new) }
}

#[test]
fn a_member_is_replaced_in_its_place_and_comes_back_as_another() {
    let mut service = ConfigurationService::new(10);
    assert_eq!(service.apply(&replace(3, 9)), Output::Error(Error::NoSuchGroup(G1)));
    service.apply(&join(1));
    let id = NodeId::server;
    assert_eq!(service.apply(&replace(2, 9)), Output::Error(Error::NoMember(id(2))));
    assert_eq!(service.apply(&replace(3, 5)), Output::Error(Error::IsMember(id(5))));
    assert_eq!(service.apply(&replace(3, 9)), Output::Ok(1));
    assert_eq!(service.apply(&replace(9, 7)), Output::Ok(2));
    assert_eq!(service.apply(&replace(4, 2)), Output::Ok(3));
    let members = |service: &ConfigurationService| service.latest().expect("it joined").groups[&G1].clone();
    assert_eq!(members(&service), [7, 2, 5].map(id));
    comes_back(&mut service.clone());
    let seats = Seats::of(G1, service.history());
    assert_eq!(
        (seats.names(), seats.homes()),
        (NodeId::servers(5)[2..].to_vec(), [7, 2, 5].map(id).to_vec())
    );
    assert_eq!(
        [3, 9, 7, 5, 1].map(|n| seats.seat_of(id(n))),
        [Some(id(3)), Some(id(3)), Some(id(3)), Some(id(5)), None]
    );
    // Slots stay where they are; and a group that comes back has its seats as it had them.
    let slots = |service: &ConfigurationService| service.latest().expect("it joined").slots.clone();
    assert_eq!(slots(&service), Assignment::whole(10, G1));
    service.apply(&join(2));
    service.apply(&Command::Leave { group: G1 });
    let other = Command::Join { group: G1, members: [2, 5, 8].map(id).to_vec() };
    assert_eq!(service.apply(&other), Output::Error(Error::WasGroup(G1)));
    let back = Command::Join { group: G1, members: [2, 5, 7].map(id).to_vec() };
    assert_eq!(service.apply(&back), Output::Ok(6));
    assert_eq!(members(&service), [7, 2, 5].map(id));
}

/// Where 7, 2 and 5 are members, 3 was one: it comes again and again, in any seat, under a name that the group never had.
fn comes_back(service: &mut ConfigurationService) {
    for before in 1..MEMBERS_OF_NODE_MAX {
        assert!(matches!(service.apply(&replace(7, 3)), Output::Ok(_)));
        assert_eq!(service.apply(&replace(5, 3)), Output::Error(Error::IsMember(NodeId::server(3))));
        let seats = Seats::of(G1, service.history());
        let name = NodeId::server(3 + before * GROUP_BOUND * NODE_BOUND);
        assert_eq!((seats.homes()[0], node_of(name), first_member(name)), (name, 3, NodeId::server(3)));
        assert_eq!(seats.seat_of(name), Some(NodeId::server(3)), "the seat is called as its first home");
        // Who is meant by an old name of it is plain.
        assert!(matches!(service.apply(&replace(3, 7)), Output::Ok(_)));
    }
    assert_eq!(service.apply(&replace(7, 3)), Output::Error(Error::WasMember(NodeId::server(3))));
}

#[test]
fn a_group_that_can_spare_nobody_keeps_its_members() {
    let mut service = ConfigurationService::new(10);
    service.apply(&Command::Join { group: G1, members: NodeId::servers(2) });
    assert_eq!(service.apply(&replace(2, 9)), Output::Error(Error::TooFewMembers(G1)));
}

#[test]
fn what_moves_left_uneven_is_balanced_again_and_once_only() {
    let mut service = ConfigurationService::new(10);
    assert_eq!(service.apply(&Command::Balance), Output::Error(Error::NoConfiguration));
    service.apply(&join(1));
    service.apply(&join(2));
    assert_eq!(service.apply(&Command::Balance), Output::Error(Error::IsBalanced));
    service.apply(&Command::Move { first: slot(0), last: slot(9), group: G2 });
    assert_eq!(service.apply(&Command::Balance), Output::Ok(3));
    let latest = service.latest().expect("there are four");
    assert_eq!(extremes(&latest.slots, &[G1, G2]), (5, 5));
}

#[test]
fn a_query_changes_nothing_and_answers_as_applying_it_does() {
    let mut service = ConfigurationService::new(10);
    for number in [None, Some(0), Some(7)] {
        let query = Command::Query { number };
        assert!(ConfigurationService::is_read_only(&query));
        assert_eq!(service.query(&query), Some(Output::Error(Error::NoConfiguration)));
    }
    service.apply(&join(1));
    let before = service.clone();
    for number in [None, Some(0), Some(7)] {
        let query = Command::Query { number };
        assert_eq!(service.query(&query), Some(service.apply(&query)));
    }
    assert_eq!(service, before);
}

#[test]
fn every_command_and_output_survives_its_byte_form() {
    let mut service = ConfigurationService::new(10);
    service.apply(&join(1));
    service.apply(&join(2));
    let latest = Arc::clone(service.latest().expect("two groups joined"));
    let commands = [
        join(300),
        Command::Leave { group: G2 },
        Command::Move { first: slot(3), last: slot(7), group: G1 },
        Command::Balance,
        Command::Replace { group: G1, old: NodeId::server(3), new: NodeId::server(300) },
        Command::Found {
            groups: vec![(G1, NodeId::servers(3)), (G2, NodeId::servers(2))],
            nodes: vec![(7, at(7), 1 << 100 | 1)],
            service: NodeId::servers(3),
        },
        Command::AddNode { node: 8, addresses: at(8) },
        Command::RemoveNode { node: 9 },
        attach(7, 5, None),
        attach(7, u128::MAX, Some(3)),
        Command::Unspared { old: NodeId::server(3) },
        Command::Query { number: Some(300) },
        Command::Query { number: None },
    ];
    let errors = [
        Error::GroupExists(G1),
        Error::NoSuchGroup(G2),
        Error::NoMembers,
        Error::NoSuchNode(3),
        Error::NodeExists(999),
        Error::HasMember(4, SERVICE),
        Error::HasMember(4, GroupId(300)),
        Error::NoSuchAddress(5),
        Error::FormerDisk(6),
        Error::NoNodes,
        Error::LastGroup(G1),
        Error::NoSuchSlots,
        Error::OwnsThem(G2),
        Error::IsBalanced,
        Error::IsFounded,
        Error::NoSuchConfiguration(300),
        Error::NoConfiguration,
        Error::NoMember(NodeId::server(300)),
        Error::IsMember(NodeId::server(3)),
        Error::WasMember(NodeId::client(3)),
        Error::TooFewMembers(G1),
        Error::Unspared(NodeId::server(3)),
        Error::WasGroup(G1),
    ];
    let outputs =
        [Output::Ok(300), Output::Configuration(latest)].into_iter().chain(errors.map(Output::Error));
    for command in commands {
        let bytes = command.to_bytes();
        assert_eq!(Command::from_bytes(&bytes), Ok(command.clone()));
        assert!((0..bytes.len()).all(|cut| Command::from_bytes(&bytes[..cut]).is_err()), "{command:?}");
    }
    for output in outputs {
        let bytes = output.to_bytes();
        assert_eq!(Output::from_bytes(&bytes), Ok(output.clone()));
        assert!((0..bytes.len()).all(|cut| Output::from_bytes(&bytes[..cut]).is_err()), "{output:?}");
        if let Output::Error(error) = output {
            assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn bytes_that_are_no_assignment_are_refused() {
    let bytes = |slot_count: u32, starts: &[(u32, GroupId)]| {
        let mut out = Vec::new();
        slot_count.append_to(&mut out);
        starts.to_vec().append_to(&mut out);
        Assignment::from_bytes(&out)
    };
    assert_eq!(bytes(10, &[(0, G1)]), Ok(Assignment::whole(10, G1)));
    let none = Err(Malformed("no such assignment"));
    assert_eq!(bytes(10, &[]), none);
    assert_eq!(bytes(0, &[(0, G1)]), none);
    assert_eq!(bytes(10, &[(1, G1)]), none, "slot 0 has no owner");
    assert_eq!(bytes(10, &[(0, G1), (10, G2)]), none, "a run without slots");
    assert_eq!(bytes(10, &[(0, G1), (5, G1)]), none, "two runs of one owner");
    assert_eq!(bytes(10, &[(0, G1), (5, G2), (5, G1)]), none);
    assert_eq!(bytes(70_000, &[(0, G1)]), Err(Malformed("too many slots")));
    let stray = Configuration {
        number: 0,
        groups: BTreeMap::new(),
        slots: Assignment::whole(10, G1),
        nodes: Default::default(),
        service: Vec::new(),
    };
    assert_eq!(Configuration::from_bytes(&stray.to_bytes()), Err(Malformed("a slot of no group")));
}
