//! The byte form of messages and of what is durable.

use super::{Fields, tag};
use crate::{Attempt, Checkpoint, GroupId, Lot, Message, Record, Request, Results, Sharded, SlotId};
use synod_clientserver::{ClientId, read_seq};
use synod_node::NodeId;
use synod_stdx::{Malformed, Reader, Wire, Writer};

/// What an application must offer to run on a host.
pub trait Shippable: Sharded<Command: Wire, Output: Wire, Fragment: Wire, View: Wire> + Wire {}

impl<S: Sharded<Command: Wire, Output: Wire, Fragment: Wire, View: Wire> + Wire> Shippable for S {}

impl<C: Wire> Wire for Lot<C> {
    fn encode(&self, out: &mut Writer<'_>) {
        let Lot { slot, client, first, acked_below, is_on_its_way, commands } = self;
        Fields(out).and(slot).and(client).and(first).and(acked_below).and(is_on_its_way).and(commands);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (slot, client) = Wire::decode(input)?;
        let (first, acked_below) = (read_seq(input)?, read_seq(input)?);
        let (is_on_its_way, commands) = Wire::decode(input)?;
        Ok(Lot { slot, client, first, acked_below, is_on_its_way, commands })
    }
}

impl<O: Wire> Wire for Results<O> {
    fn encode(&self, out: &mut Writer<'_>) {
        let Results { slot, client, first, outputs } = self;
        Fields(out).and(slot).and(client).and(first).and(outputs);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (slot, client) = Wire::decode(input)?;
        Ok(Results { slot, client, first: read_seq(input)?, outputs: Vec::decode(input)? })
    }
}

impl<S: Shippable> Wire for Message<S> {
    fn is_bulky(&self) -> bool {
        match self {
            Message::Masters(message) | Message::SeatedMaster { message, .. } => message.is_bulky(),
            Message::Members(message) | Message::Seated { message, .. } => message.is_bulky(),
            _ => false,
        }
    }

    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            Message::Masters(message) => tag(1, out).and(message),
            Message::Members(message) => tag(2, out).and(message),
            Message::Submit { lots } => tag(3, out).and(lots),
            Message::Results { lots } => tag(4, out).and(lots),
            Message::Ask { first, is_on_its_way, queries } => {
                tag(5, out).and(first).and(is_on_its_way).and(queries)
            }
            Message::Elsewhere { slot, group, is_on_its_way } => {
                tag(6, out).and(slot).and(group).and(is_on_its_way)
            }
            Message::NotLeader { group, leader } => tag(7, out).and(group).and(leader),
            Message::Forgotten { slot, client } => tag(8, out).and(slot).and(client),
            Message::Give { number, chunks } => tag(9, out).and(number).and(chunks),
            Message::Taken { number, slots } => tag(10, out).and(number).and(slots),
            Message::Prepare { attempt, slots, command } => tag(11, out).and(attempt).and(slots).and(command),
            Message::Vote { attempt, group, lock, slots, fragment } => {
                tag(12, out).and(attempt).and(group).and(lock).and(slots).and(fragment)
            }
            Message::Refused { attempt, slot, with } => tag(13, out).and(attempt).and(slot).and(with),
            Message::Outcome { attempt, lock, part } => tag(14, out).and(attempt).and(lock).and(part),
            Message::Finished { attempt, group } => tag(15, out).and(attempt).and(group),
            Message::Ready { number, group } => tag(17, out).and(number).and(group),
            Message::Inquire { attempt, group, lock } => tag(16, out).and(attempt).and(group).and(lock),
            Message::Seated { seat, message } => tag(18, out).and(seat).and(message),
            Message::SeatedMaster { seat, message } => tag(19, out).and(seat).and(message),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Message::Masters(Wire::decode(input)?),
            2 => Message::Members(Wire::decode(input)?),
            3 => Message::Submit { lots: Vec::decode(input)? },
            4 => Message::Results { lots: Vec::decode(input)? },
            5 => {
                let first = read_seq(input)?;
                let (is_on_its_way, queries) = Wire::decode(input)?;
                Message::Ask { first, is_on_its_way, queries }
            }
            6 => {
                let (slot, group, is_on_its_way) = Wire::decode(input)?;
                Message::Elsewhere { slot, group, is_on_its_way }
            }
            7 => Message::NotLeader { group: GroupId::decode(input)?, leader: Option::decode(input)? },
            8 => Message::Forgotten { slot: SlotId::decode(input)?, client: ClientId::decode(input)? },
            9 => Message::Give { number: u64::decode(input)?, chunks: Vec::decode(input)? },
            10 => Message::Taken { number: u64::decode(input)?, slots: Vec::decode(input)? },
            11 => {
                let (attempt, slots, command) = Wire::decode(input)?;
                Message::Prepare { attempt, slots, command }
            }
            12 => {
                let (attempt, group, lock) = Wire::decode(input)?;
                let slots = Vec::decode(input)?;
                Message::Vote { attempt, group, lock, slots, fragment: S::Fragment::decode(input)? }
            }
            13 => {
                let (attempt, slot, with) = Wire::decode(input)?;
                Message::Refused { attempt, slot, with }
            }
            14 => {
                let (attempt, lock, part) = Wire::decode(input)?;
                Message::Outcome { attempt, lock, part }
            }
            15 => Message::Finished { attempt: Attempt::decode(input)?, group: GroupId::decode(input)? },
            16 => {
                let (attempt, group, lock) = Wire::decode(input)?;
                Message::Inquire { attempt, group, lock }
            }
            17 => Message::Ready { number: u64::decode(input)?, group: GroupId::decode(input)? },
            18 => {
                let seat = NodeId::decode(input)?;
                Message::Seated { seat, message: Wire::decode(input)? }
            }
            19 => {
                let seat = NodeId::decode(input)?;
                Message::SeatedMaster { seat, message: Wire::decode(input)? }
            }
            0 | 20.. => return Err(Malformed("no such message")),
        })
    }
}

/// As it stands in recordings.
impl<C: Wire> Wire for Request<C> {
    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            Request::Commands(commands) => tag(1, out).and(commands),
            Request::Queries(queries) => tag(2, out).and(queries),
            Request::Configure(command) => tag(3, out).and(command),
            Request::HandOver => tag(4, out),
            Request::Clock(reading) => tag(5, out).and(reading),
            Request::Service(number, members) => tag(6, out).and(number).and(members),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Request::Commands(Vec::decode(input)?),
            2 => Request::Queries(Vec::decode(input)?),
            3 => Request::Configure(Wire::decode(input)?),
            4 => Request::HandOver,
            5 => Request::Clock(Wire::decode(input)?),
            6 => Request::Service(u64::decode(input)?, Vec::decode(input)?),
            0 | 7.. => return Err(Malformed("no such request")),
        })
    }
}

impl<S: Shippable> Wire for Record<S> {
    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            Record::Masters(record) => tag(1, out).and(record),
            Record::Members(record) => tag(2, out).and(record),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Record::Masters(Wire::decode(input)?),
            2 => Record::Members(Wire::decode(input)?),
            0 | 3.. => return Err(Malformed("no such record")),
        })
    }
}

impl<S: Shippable> Wire for Checkpoint<S> {
    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            Checkpoint::Masters(checkpoint) => tag(1, out).and(checkpoint),
            Checkpoint::Members(checkpoint) => tag(2, out).and(checkpoint),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Checkpoint::Masters(Wire::decode(input)?),
            2 => Checkpoint::Members(Wire::decode(input)?),
            0 | 3.. => return Err(Malformed("no such checkpoint")),
        })
    }
}
