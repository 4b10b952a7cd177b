//! The byte form of a group's replicated state: what its snapshots hold.

use super::{Fields, tag};
use crate::group_state::{Held, Prepared, Transaction};
use crate::slot_table::SlotTable;
use crate::transfer::{Coming, Leaving, Round};
use crate::{Attempt, Configuration, GroupId, GroupState, Sharded, SlotId, SlotStatus};
use std::sync::Arc;
use synod_clientserver::Sessions;
use synod_stdx::{Malformed, Reader, Wire, Writer, put_varint};

impl Wire for SlotStatus {
    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            SlotStatus::Served => tag(1, out),
            SlotStatus::Locked(attempt) => tag(2, out).and(attempt),
            SlotStatus::Frozen => tag(3, out),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => SlotStatus::Served,
            2 => SlotStatus::Locked(Attempt::decode(input)?),
            3 => SlotStatus::Frozen,
            0 | 4.. => return Err(Malformed("no such status of a slot")),
        })
    }
}

impl<V: Wire> Wire for Leaving<V> {
    fn encode(&self, out: &mut Writer<'_>) {
        Fields(out).and(&self.owner).and(&self.round.is_some());
        if let Some(Round { number, earlier, later }) = &self.round {
            Fields(out).and(number).and(&earlier.is_some());
            earlier.iter().for_each(|earlier| earlier.encode(out));
            later.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (owner, is_on_its_way) = <(GroupId, bool)>::decode(input)?;
        let mut round = None;
        if is_on_its_way {
            let (number, earlier) = <(u32, Option<V>)>::decode(input)?;
            round = Some(Round { number, earlier, later: V::decode(input)? });
        }
        Ok(Leaving { owner, round })
    }
}

impl Wire for Coming {
    fn encode(&self, out: &mut Writer<'_>) {
        Fields(out).and(&self.from).and(&self.wanted);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (from, wanted) = Wire::decode(input)?;
        Ok(Coming { from, wanted })
    }
}

impl<S: Sharded<Command: Wire, Fragment: Wire>> Wire for Transaction<S> {
    fn encode(&self, out: &mut Writer<'_>) {
        Fields(out).and(&self.acked_below).and(&self.attempt).and(&self.command);
        self.committed.is_some().encode(out);
        self.committed.iter().for_each(|left| left.encode(out));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (acked_below, attempt, command) = Wire::decode(input)?;
        Ok(Transaction { acked_below, attempt, command, committed: Option::decode(input)? })
    }
}

impl Wire for Prepared {
    fn encode(&self, out: &mut Writer<'_>) {
        Fields(out).and(&self.attempt).and(&self.lock).and(&self.slots);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (attempt, lock, slots) = Wire::decode(input)?;
        Ok(Prepared { attempt, lock, slots })
    }
}

impl<S> Wire for GroupState<S>
where
    S: Sharded<Command: Wire, Output: Wire, Fragment: Wire, View: Wire> + Wire,
{
    fn encode(&self, out: &mut Writer<'_>) {
        let GroupState { group, slot_count, store, configuration, held, leaving, coming, .. } = self;
        Fields(out).and(group).and(&u32::from(*slot_count)).and(&configuration.is_some());
        if let Some(configuration) = configuration {
            configuration.encode(out);
        }
        put_varint(out, held.iter().count() as u64);
        for (slot, held) in held.iter() {
            Fields(out).and(&slot).and(&held.status).and(&*held.sessions);
        }
        Fields(out).and(leaving).and(coming).and(&self.transactions).and(&self.prepared);
        Fields(out).and(&self.attempts).and(&self.locks).and(&self.addresses).and(&self.seats).and(store);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (group, slot_count) = <(GroupId, u32)>::decode(input)?;
        let slot_count = u16::try_from(slot_count).map_err(|_| Malformed("too many slots"))?;
        let configuration = Option::<Configuration>::decode(input)?.map(Arc::new);
        let mut held = SlotTable::new(slot_count);
        for _ in 0..input.length(2)? {
            let (slot, status) = <(SlotId, SlotStatus)>::decode(input)?;
            if slot.number() >= slot_count || held.contains(slot) {
                return Err(Malformed("no such slot"));
            }
            held.insert(slot, Held { status, sessions: Arc::new(Sessions::decode(input)?) });
        }
        let (leaving, coming) = Wire::decode(input)?;
        let (transactions, prepared) = Wire::decode(input)?;
        let (attempts, locks) = Wire::decode(input)?;
        let (addresses, seats) = Wire::decode(input)?;
        Ok(GroupState {
            group,
            slot_count,
            store: S::decode(input)?,
            configuration,
            held,
            leaving,
            coming,
            transactions,
            attempts,
            locks,
            prepared,
            addresses,
            seats,
        })
    }
}
