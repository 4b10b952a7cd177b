//! The nodes of a cluster as data of the configuration service, by direct calls.

use crate::{
    Addresses, ConfigurationCommand as Command, ConfigurationError as Error, ConfigurationOutput as Output,
    ConfigurationService, GroupId, SERVICE, Seats, member_on, node_of,
};
use synod_node::{NodeId, StateMachine};
use synod_stdx::Wire;

const G1: GroupId = GroupId(1);

pub(crate) fn at(node: u32) -> Addresses {
    Addresses { peer: format!("host{node}:17001").into(), client: format!("host{node}:7001").into() }
}

pub(crate) fn attach(node: u32, disk: u128, incarnation: Option<u64>) -> Command {
    let (is_new, incarnation) = (incarnation.is_none(), incarnation.unwrap_or(0));
    Command::Attach { node, disk, is_new, incarnation, addresses: None }
}

fn incarnation(output: &Output) -> Option<u64> {
    match output {
        Output::Attached { incarnation, .. } => Some(*incarnation),
        Output::Ok(_) | Output::Configuration(_) | Output::Error(_) => None,
    }
}

fn on(group: GroupId, nodes: &[u32]) -> Vec<NodeId> {
    nodes.iter().map(|node| member_on(group, *node)).collect()
}

/// Nodes 1 to 3, whose disks are 101 to 103, with one group and the service.
fn founded() -> ConfigurationService {
    let mut service = ConfigurationService::new(10);
    let nodes = (1..=3).map(|node| (node, at(node), 100 + u128::from(node))).collect();
    let command =
        Command::Found { groups: vec![(G1, on(G1, &[1, 2, 3]))], nodes, service: on(SERVICE, &[1, 2, 3]) };
    assert_eq!(service.apply(&command), Output::Ok(0));
    service
}

fn add(node: u32) -> Command {
    Command::AddNode { node, addresses: at(node) }
}

#[test]
fn a_name_tells_group_and_node() {
    let member = member_on(GroupId(3), 2);
    assert_eq!((member, node_of(member)), (NodeId::server(3002), 2));
    assert_eq!(member_on(SERVICE, 2), NodeId::server(2));
}

#[test]
fn nodes_are_added_once_and_have_addresses_of_their_own() {
    let mut service = founded();
    assert_eq!(service.apply(&add(4)), Output::Ok(1));
    assert_eq!(service.apply(&add(4)), Output::Error(Error::NodeExists(4)));
    let taken = Command::AddNode { node: 5, addresses: at(2) };
    assert_eq!(service.apply(&taken), Output::Error(Error::NoSuchAddress(5)));
    for node in [0, 1_000] {
        assert_eq!(service.apply(&add(node)), Output::Error(Error::NoSuchAddress(node)));
    }
    let long = Addresses { client: "x".repeat(261).into(), ..at(5) };
    let long = Command::AddNode { node: 5, addresses: long };
    assert_eq!(service.apply(&long), Output::Error(Error::NoSuchAddress(5)));
    let unfounded = &mut ConfigurationService::new(10);
    assert_eq!(unfounded.apply(&add(4)), Output::Error(Error::NoNodes));
}

#[test]
fn members_are_on_nodes_that_there_are() {
    let mut service = founded();
    let join = |nodes: &[u32]| Command::Join { group: GroupId(2), members: on(GroupId(2), nodes) };
    assert_eq!(service.apply(&join(&[1, 4])), Output::Error(Error::NoSuchNode(4)));
    let replace = Command::Replace { group: G1, old: member_on(G1, 3), new: member_on(G1, 4) };
    assert_eq!(service.apply(&replace), Output::Error(Error::NoSuchNode(4)));
    service.apply(&add(4));
    assert_eq!(service.apply(&join(&[1, 4])), Output::Ok(2));
    assert_eq!(service.apply(&replace), Output::Ok(3));
    let service_joins = Command::Join { group: SERVICE, members: on(SERVICE, &[4]) };
    assert_eq!(service.apply(&service_joins), Output::Error(Error::GroupExists(SERVICE)));
}

#[test]
fn a_node_with_a_member_stays() {
    let mut service = founded();
    let remove = |node| Command::RemoveNode { node };
    assert_eq!(service.apply(&remove(3)), Output::Error(Error::HasMember(3, G1)));
    service.apply(&add(4));
    service.apply(&Command::Replace { group: G1, old: member_on(G1, 3), new: member_on(G1, 4) });
    assert_eq!(service.apply(&remove(3)), Output::Error(Error::HasMember(3, SERVICE)));
    let replace = Command::Replace { group: SERVICE, old: member_on(SERVICE, 3), new: member_on(SERVICE, 4) };
    assert_eq!(service.apply(&replace), Output::Ok(3));
    assert_eq!(service.apply(&remove(3)), Output::Ok(4));
    assert_eq!(service.apply(&remove(3)), Output::Error(Error::NoSuchNode(3)));
    let newest = service.latest().unwrap();
    assert_eq!(newest.nodes.keys().copied().collect::<Vec<_>>(), [1, 2, 4]);
    let seats = Seats::of(SERVICE, service.history());
    assert_eq!((seats.names(), seats.homes()), (on(SERVICE, &[1, 2, 3]), on(SERVICE, &[1, 2, 4])));
}

#[test]
fn a_lost_disk_is_found_out_and_an_old_one_is_refused() {
    let mut service = founded();
    assert_eq!(incarnation(&service.apply(&attach(1, 101, Some(0)))), Some(0), "the disk that it has");
    assert_eq!(service.apply(&attach(4, 104, None)), Output::Error(Error::NoSuchNode(4)));
    service.apply(&add(4));
    assert_eq!(incarnation(&service.apply(&attach(4, 104, None))), Some(0), "a node that never came");
    assert_eq!(incarnation(&service.apply(&attach(4, 104, None))), Some(0), "and asks once more");
    assert_eq!(incarnation(&service.apply(&attach(1, 201, None))), Some(1), "it has lost its disk");
    assert_eq!(service.apply(&attach(1, 101, Some(0))), Output::Error(Error::FormerDisk(1)));
    assert_eq!(service.apply(&attach(1, 202, Some(1))), Output::Error(Error::FormerDisk(1)), "two at once");
    assert_eq!(incarnation(&service.apply(&attach(1, 301, Some(7)))), Some(7), "somebody said so");
    assert_eq!(incarnation(&service.apply(&attach(1, 401, None))), Some(8));
    // A node that is removed and added again has lived before.
    service.apply(&Command::RemoveNode { node: 4 });
    service.apply(&add(4));
    assert_eq!(service.apply(&attach(4, 104, Some(0))), Output::Error(Error::FormerDisk(4)));
    assert_eq!(incarnation(&service.apply(&attach(4, 104, None))), Some(1));
    assert_eq!(ConfigurationService::from_bytes(&service.to_bytes()), Ok(service));
}

#[test]
fn a_node_that_moved_is_reached_where_it_is() {
    let mut service = founded();
    let moved = |node, addresses| Command::Attach {
        node,
        disk: 100 + u128::from(node),
        is_new: false,
        incarnation: 0,
        addresses: Some(addresses),
    };
    assert_eq!(incarnation(&service.apply(&moved(1, at(1)))), Some(0));
    assert_eq!(service.history().len(), 1, "it is where it was");
    assert_eq!(incarnation(&service.apply(&moved(1, at(9)))), Some(0));
    assert_eq!(service.latest().map(|newest| newest.nodes[&1].clone()), Some(at(9)));
    assert_eq!(service.apply(&moved(2, at(9))), Output::Error(Error::NoSuchAddress(2)));
}
