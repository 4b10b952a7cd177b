//! The byte form of the configuration service's commands, outputs and state. Version 1: a tag, then the fields in order.

use crate::nodes::Addresses;
use crate::{Configuration, ConfigurationCommand, ConfigurationError, ConfigurationOutput, GroupId, SlotId};
use std::sync::Arc;
use synod_node::NodeId;
use synod_stdx::{Malformed, Reader, Wire, Writer};

impl Wire for SlotId {
    fn encode(&self, out: &mut Writer<'_>) {
        u32::from(self.number()).encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        SlotId::new(u32::decode(input)?.into()).ok_or(Malformed("no such slot"))
    }
}

impl Wire for ConfigurationCommand {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            ConfigurationCommand::Join { group, members } => {
                out.push(1);
                group.encode(out);
                members.encode(out);
            }
            ConfigurationCommand::Leave { group } => {
                out.push(2);
                group.encode(out);
            }
            ConfigurationCommand::Move { first, last, group } => {
                out.push(3);
                (*first, *last, *group).encode(out);
            }
            ConfigurationCommand::Query { number } => {
                out.push(4);
                number.encode(out);
            }
            ConfigurationCommand::Balance => out.push(5),
            ConfigurationCommand::Found { groups, nodes, service } => {
                out.push(6);
                groups.encode(out);
                let nodes: Vec<(u32, Addresses, Disk)> = nodes
                    .iter()
                    .map(|(node, addresses, disk)| (*node, addresses.clone(), Disk(*disk)))
                    .collect();
                nodes.encode(out);
                service.encode(out);
            }
            ConfigurationCommand::AddNode { node, addresses } => {
                out.push(8);
                node.encode(out);
                addresses.encode(out);
            }
            ConfigurationCommand::RemoveNode { node } => {
                out.push(9);
                node.encode(out);
            }
            ConfigurationCommand::Attach { node, disk, is_new, incarnation, addresses } => {
                out.push(10);
                (*node, Disk(*disk)).encode(out);
                (*is_new, *incarnation).encode(out);
                addresses.encode(out);
            }
            ConfigurationCommand::Replace { group, old, new } => {
                out.push(7);
                (*group, *old, *new).encode(out);
            }
            ConfigurationCommand::Unspared { old } => {
                out.push(11);
                old.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => ConfigurationCommand::Join { group: GroupId::decode(input)?, members: Vec::decode(input)? },
            2 => ConfigurationCommand::Leave { group: GroupId::decode(input)? },
            3 => {
                let (first, last, group) = <(SlotId, SlotId, GroupId)>::decode(input)?;
                ConfigurationCommand::Move { first, last, group }
            }
            4 => ConfigurationCommand::Query { number: Option::decode(input)? },
            5 => ConfigurationCommand::Balance,
            6 => {
                let groups = Vec::decode(input)?;
                let nodes = Vec::<(u32, Addresses, Disk)>::decode(input)?;
                let nodes =
                    nodes.into_iter().map(|(node, addresses, Disk(disk))| (node, addresses, disk)).collect();
                ConfigurationCommand::Found { groups, nodes, service: Vec::decode(input)? }
            }
            7 => {
                let (group, old, new) = Wire::decode(input)?;
                ConfigurationCommand::Replace { group, old, new }
            }
            8 => {
                let (node, addresses) = Wire::decode(input)?;
                ConfigurationCommand::AddNode { node, addresses }
            }
            9 => ConfigurationCommand::RemoveNode { node: u32::decode(input)? },
            10 => {
                let (node, Disk(disk)) = Wire::decode(input)?;
                let (is_new, incarnation, addresses) = Wire::decode(input)?;
                ConfigurationCommand::Attach { node, disk, is_new, incarnation, addresses }
            }
            11 => ConfigurationCommand::Unspared { old: NodeId::decode(input)? },
            0 | 12.. => return Err(Malformed("no such command")),
        })
    }
}

impl Wire for ConfigurationOutput {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            ConfigurationOutput::Ok(number) => {
                out.push(1);
                number.encode(out);
            }
            ConfigurationOutput::Configuration(configuration) => {
                out.push(2);
                configuration.encode(out);
            }
            ConfigurationOutput::Error(error) => {
                out.push(3);
                error.encode(out);
            }
            ConfigurationOutput::Attached { incarnation, number } => {
                out.push(4);
                (*incarnation, *number).encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => ConfigurationOutput::Ok(u64::decode(input)?),
            2 => ConfigurationOutput::Configuration(Arc::new(Configuration::decode(input)?)),
            3 => ConfigurationOutput::Error(ConfigurationError::decode(input)?),
            4 => {
                let (incarnation, number) = Wire::decode(input)?;
                ConfigurationOutput::Attached { incarnation, number }
            }
            0 | 5.. => return Err(Malformed("no such output")),
        })
    }
}

impl Wire for ConfigurationError {
    fn encode(&self, out: &mut Writer<'_>) {
        let (tag, number): (u8, u64) = match self {
            ConfigurationError::GroupExists(group) => (1, group.0.into()),
            ConfigurationError::NoSuchGroup(group) => (2, group.0.into()),
            ConfigurationError::NoMembers => (3, 0),
            ConfigurationError::LastGroup(group) => (4, group.0.into()),
            ConfigurationError::NoSuchSlots => (5, 0),
            ConfigurationError::OwnsThem(group) => (6, group.0.into()),
            ConfigurationError::NoSuchConfiguration(number) => (7, *number),
            ConfigurationError::NoConfiguration => (8, 0),
            ConfigurationError::IsBalanced => (9, 0),
            ConfigurationError::IsFounded => (10, 0),
            ConfigurationError::NoMember(id) => (11, id.to_bits().into()),
            ConfigurationError::IsMember(id) => (12, id.to_bits().into()),
            ConfigurationError::WasMember(id) => (13, id.to_bits().into()),
            ConfigurationError::TooFewMembers(group) => (14, group.0.into()),
            ConfigurationError::NoSuchNode(node) => (15, (*node).into()),
            ConfigurationError::NodeExists(node) => (16, (*node).into()),
            ConfigurationError::HasMember(node, group) => (17, u64::from(*node) << 32 | u64::from(group.0)),
            ConfigurationError::NoSuchAddress(node) => (18, (*node).into()),
            ConfigurationError::FormerDisk(node) => (19, (*node).into()),
            ConfigurationError::NoNodes => (20, 0),
            ConfigurationError::Unspared(id) => (21, id.to_bits().into()),
            ConfigurationError::WasGroup(group) => (22, group.0.into()),
        };
        out.push(tag);
        number.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let tag = input.u8()?;
        let number = u64::decode(input)?;
        let id = || u32::try_from(number).map(NodeId::from_bits).map_err(|_| Malformed("no such node"));
        let node = || u32::try_from(number).map_err(|_| Malformed("no such node"));
        let group = || u32::try_from(number).map(GroupId).map_err(|_| Malformed("no such group"));
        Ok(match tag {
            1 => ConfigurationError::GroupExists(group()?),
            2 => ConfigurationError::NoSuchGroup(group()?),
            3 => ConfigurationError::NoMembers,
            4 => ConfigurationError::LastGroup(group()?),
            5 => ConfigurationError::NoSuchSlots,
            6 => ConfigurationError::OwnsThem(group()?),
            7 => ConfigurationError::NoSuchConfiguration(number),
            8 => ConfigurationError::NoConfiguration,
            9 => ConfigurationError::IsBalanced,
            10 => ConfigurationError::IsFounded,
            11 => ConfigurationError::NoMember(id()?),
            12 => ConfigurationError::IsMember(id()?),
            13 => ConfigurationError::WasMember(id()?),
            14 => ConfigurationError::TooFewMembers(group()?),
            15 => ConfigurationError::NoSuchNode(node()?),
            16 => ConfigurationError::NodeExists(node()?),
            17 => ConfigurationError::HasMember((number >> 32) as u32, GroupId(number as u32)),
            18 => ConfigurationError::NoSuchAddress(node()?),
            19 => ConfigurationError::FormerDisk(node()?),
            20 => ConfigurationError::NoNodes,
            21 => ConfigurationError::Unspared(id()?),
            22 => ConfigurationError::WasGroup(group()?),
            0 | 23.. => return Err(Malformed("no such error")),
        })
    }
}

/// The number of a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Disk(pub(crate) u128);

impl Wire for Disk {
    fn encode(&self, out: &mut Writer<'_>) {
        ((self.0 >> 64) as u64, self.0 as u64).encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (high, low) = <(u64, u64)>::decode(input)?;
        Ok(Disk(u128::from(high) << 64 | u128::from(low)))
    }
}
