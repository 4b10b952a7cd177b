//! The byte form of a log's entries and of what comes of them.

use super::{Fields, tag};
use crate::{Attempt, Chunk, Configuration, GroupId, Lock, RequestName, Sharded, SlotId, Step, Stepped};
use std::sync::Arc;
use synod_clientserver::{Sessions, read_seq};
use synod_stdx::{Digest, Malformed, Reader, Wire, Writer, put_bytes};

impl Wire for RequestName {
    fn encode(&self, out: &mut Writer<'_>) {
        Fields(out).and(&self.client).and(&self.slot).and(&self.seq);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (client, slot) = Wire::decode(input)?;
        Ok(RequestName { client, slot, seq: read_seq(input)? })
    }
}

impl Wire for Attempt {
    fn encode(&self, out: &mut Writer<'_>) {
        Fields(out).and(&self.name).and(&self.coordinator).and(&self.number);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (name, coordinator, number) = <(RequestName, GroupId, u64)>::decode(input)?;
        Ok(Attempt { name, coordinator, number })
    }
}

/// A part of a slot goes through a queue, a log and a disk: its digest goes with it, so that what arrives is what left.
impl<S: Sharded<Output: Wire, Fragment: Wire>> Wire for Chunk<S> {
    fn encode(&self, out: &mut Writer<'_>) {
        let mut body = Vec::new();
        let mut inner = Writer::new(&mut body);
        let fields = Fields(&mut inner).and(&self.slot).and(&self.round).and(&self.position).and(&self.next);
        fields.and(&self.fragment).and(&self.sessions.is_some());
        if let Some(sessions) = &self.sessions {
            sessions.encode(&mut inner);
        }
        Digest::of(&body).encode(out);
        put_bytes(out, &body);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let digest = u64::decode(input)?;
        let body = input.bytes()?;
        if Digest::of(body) != digest {
            return Err(Malformed("a part of a slot is not what it was"));
        }
        let mut input = Reader::new(body);
        let (slot, round) = <(SlotId, u32)>::decode(&mut input)?;
        let (position, next) = <(u64, Option<u64>)>::decode(&mut input)?;
        let fragment = S::Fragment::decode(&mut input)?;
        let sessions = Option::<Sessions<S::Output>>::decode(&mut input)?.map(Arc::new);
        if !input.is_empty() || next.is_some() && sessions.is_some() {
            return Err(Malformed("no part of a slot"));
        }
        Ok(Chunk { slot, round, position, next, fragment, sessions })
    }
}

impl<S: Sharded<Command: Wire, Output: Wire, Fragment: Wire>> Wire for Step<S> {
    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            Step::Run { name, acked_below, command } => tag(1, out).and(name).and(acked_below).and(command),
            Step::Read(command) => tag(2, out).and(command),
            Step::Configure(configuration) => tag(3, out).and(&**configuration),
            Step::Freeze { at_ms, number, slots } => tag(4, out).and(at_ms).and(number).and(slots),
            Step::Take { number, chunks } => tag(5, out).and(number).and(chunks),
            Step::Release { number, slots } => tag(6, out).and(number).and(slots),
            Step::Begin { name, acked_below, command } => tag(7, out).and(name).and(acked_below).and(command),
            Step::Prepare { attempt, slots } => tag(8, out).and(attempt).and(slots),
            Step::Decide { at_ms, attempt, output, parts } => {
                tag(9, out).and(at_ms).and(attempt).and(output).and(parts)
            }
            Step::Abandon { attempt } => tag(10, out).and(attempt),
            Step::Finish { attempt, lock, part } => tag(11, out).and(attempt).and(lock).and(part),
            Step::Told { name, group } => tag(12, out).and(name).and(group),
            Step::Copy { number, slots } => tag(13, out).and(number).and(slots),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => {
                let (name, acked_below) = Wire::decode(input)?;
                Step::Run { name, acked_below, command: S::Command::decode(input)? }
            }
            2 => Step::Read(S::Command::decode(input)?),
            3 => Step::Configure(Arc::new(Configuration::decode(input)?)),
            4 => {
                let (at_ms, number, slots) = Wire::decode(input)?;
                Step::Freeze { at_ms, number, slots }
            }
            5 => Step::Take { number: u64::decode(input)?, chunks: Vec::decode(input)? },
            6 => Step::Release { number: u64::decode(input)?, slots: Vec::decode(input)? },
            7 => {
                let (name, acked_below) = Wire::decode(input)?;
                Step::Begin { name, acked_below, command: S::Command::decode(input)? }
            }
            8 => Step::Prepare { attempt: Attempt::decode(input)?, slots: Vec::decode(input)? },
            9 => Step::Decide {
                at_ms: u64::decode(input)?,
                attempt: Attempt::decode(input)?,
                output: S::Output::decode(input)?,
                parts: Vec::decode(input)?,
            },
            10 => Step::Abandon { attempt: Attempt::decode(input)? },
            11 => Step::Finish {
                attempt: Attempt::decode(input)?,
                lock: u64::decode(input)?,
                part: Option::decode(input)?,
            },
            12 => Step::Told { name: RequestName::decode(input)?, group: GroupId::decode(input)? },
            13 => Step::Copy { number: u64::decode(input)?, slots: Vec::decode(input)? },
            0 | 14.. => return Err(Malformed("no such entry")),
        })
    }
}

impl Wire for Lock {
    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            Lock::Held(number) => tag(1, out).and(number),
            Lock::NotNow => tag(2, out),
            Lock::Never => tag(3, out),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Lock::Held(u64::decode(input)?),
            2 => Lock::NotNow,
            3 => Lock::Never,
            0 | 4.. => return Err(Malformed("no such lock")),
        })
    }
}

impl<O: Wire> Wire for Stepped<O> {
    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            Stepped::Ran { name, output } => tag(1, out).and(name).and(output),
            Stepped::NotRun { name } => tag(2, out).and(name),
            Stepped::Read(output) => tag(3, out).and(output),
            Stepped::NotRead => tag(4, out),
            Stepped::Moved => tag(5, out),
            Stepped::Begun { name } => tag(6, out).and(name),
            Stepped::Prepared { attempt, lock, slots } => tag(7, out).and(attempt).and(lock).and(slots),
            Stepped::Abandoned { attempt } => tag(8, out).and(attempt),
            Stepped::Finished { attempt, is_committed } => tag(9, out).and(attempt).and(is_committed),
            Stepped::Known => tag(10, out),
            Stepped::Forgotten { name } => tag(11, out).and(name),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Stepped::Ran { name: RequestName::decode(input)?, output: O::decode(input)? },
            2 => Stepped::NotRun { name: RequestName::decode(input)? },
            3 => Stepped::Read(O::decode(input)?),
            4 => Stepped::NotRead,
            5 => Stepped::Moved,
            6 => Stepped::Begun { name: RequestName::decode(input)? },
            7 => Stepped::Prepared {
                attempt: Attempt::decode(input)?,
                lock: Lock::decode(input)?,
                slots: Vec::decode(input)?,
            },
            8 => Stepped::Abandoned { attempt: Attempt::decode(input)? },
            9 => Stepped::Finished { attempt: Attempt::decode(input)?, is_committed: bool::decode(input)? },
            10 => Stepped::Known,
            11 => Stepped::Forgotten { name: RequestName::decode(input)? },
            0 | 12.. => return Err(Malformed("no such outcome")),
        })
    }
}
