//! The byte form of a group's replicated state: what its snapshots hold.

use super::{Fields, tag};
use crate::group_state::{Held, Prepared, Transaction};
use crate::slot_table::SlotTable;
use crate::transfer::{Coming, Leaving, Round};
use crate::{Attempt, Configuration, GroupId, GroupState, RequestName, Seats, Sharded, SlotId, SlotStatus};
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_clientserver::Sessions;
use synod_node::NodeId;
use synod_stdx::{Malformed, Reader, Wire, put_varint};

fn encode_map<K: Wire, V>(map: &BTreeMap<K, V>, out: &mut Vec<u8>, mut encode: impl FnMut(&V, &mut Vec<u8>)) {
    put_varint(out, map.len() as u64);
    for (key, value) in map {
        key.encode(out);
        encode(value, out);
    }
}

fn decode_map<K: Wire + Ord, V>(
    input: &mut Reader<'_>,
    mut decode: impl FnMut(&mut Reader<'_>) -> Result<V, Malformed>,
) -> Result<BTreeMap<K, V>, Malformed> {
    let count = input.length(1)?;
    (0..count).map(|_| Ok((K::decode(input)?, decode(input)?))).collect()
}

impl Wire for SlotStatus {
    fn encode(&self, out: &mut Vec<u8>) {
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
    fn encode(&self, out: &mut Vec<u8>) {
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

impl<S> Wire for GroupState<S>
where
    S: Sharded<Command: Wire, Output: Wire, Fragment: Wire, View: Wire> + Wire,
{
    fn encode(&self, out: &mut Vec<u8>) {
        let GroupState { group, slot_count, store, configuration, held, leaving, coming, .. } = self;
        Fields(out).and(group).and(&u32::from(*slot_count)).and(&configuration.is_some());
        if let Some(configuration) = configuration {
            configuration.encode(out);
        }
        put_varint(out, held.iter().count() as u64);
        for (slot, held) in held.iter() {
            Fields(out).and(&slot).and(&held.status).and(&*held.sessions);
        }
        encode_map(leaving, out, Wire::encode);
        encode_map(coming, out, |coming, out| {
            Fields(out).and(&coming.from).and(&coming.wanted);
        });
        encode_map(&self.transactions, out, |open, out| {
            Fields(out).and(&open.acked_below).and(&open.attempt).and(&open.command);
            open.committed.is_some().encode(out);
            if let Some(left) = &open.committed {
                encode_map(left, out, Wire::encode);
            }
        });
        encode_map(&self.prepared, out, |prepared, out| {
            Fields(out).and(&prepared.attempt).and(&prepared.lock).and(&prepared.slots);
        });
        Fields(out).and(&self.attempts).and(&self.locks);
        encode_map(&self.addresses, out, Wire::encode);
        self.seats.encode(out);
        store.encode(out);
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
        let leaving = decode_map(input, Leaving::decode)?;
        let coming = decode_map(input, |input| {
            let (from, wanted) = <(GroupId, (u32, u64))>::decode(input)?;
            Ok(Coming { from, wanted })
        })?;
        let transactions = decode_map::<RequestName, _>(input, |input| {
            let (acked_below, attempt) = <(u64, Attempt)>::decode(input)?;
            let command = S::Command::decode(input)?;
            let committed = match bool::decode(input)? {
                false => None,
                true => Some(decode_map(input, <(u64, S::Fragment)>::decode)?),
            };
            Ok(Transaction { acked_below, command, attempt, committed })
        })?;
        let prepared = decode_map(input, |input| {
            let (attempt, lock, slots) = <(Attempt, u64, Vec<SlotId>)>::decode(input)?;
            Ok(Prepared { attempt, lock, slots })
        })?;
        let (attempts, locks) = <(u64, u64)>::decode(input)?;
        let addresses = decode_map(input, Vec::<NodeId>::decode)?;
        let seats = Seats::decode(input)?;
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
