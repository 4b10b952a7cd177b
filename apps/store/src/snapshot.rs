//! The byte form of a whole keyspace: what a replica that fell behind is sent, and what a restart reads.

use crate::space::{Position, Space};
use crate::value::Entry;
use crate::{Keyspace, SLOT_COUNT, SlotId};
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_clientserver::Sessions;
use synod_stdx::{Malformed, Reader, Wire, Writer, put_bytes, put_u64, put_varint};

/// The version of this form; a higher one is refused.
const VERSION: u8 = 3;

impl Wire for Keyspace {
    fn encode(&self, out: &mut Writer<'_>) {
        out.push(VERSION);
        put_varint(out, self.clock_ms);
        self.floors.encode(out);
        put_varint(out, self.space.version());
        put_varint(out, u64::from(self.sweep.slot));
        put_u64(out, self.sweep.hash);
        put_varint(out, self.sessions.len() as u64);
        for (slot, sessions) in &*self.sessions {
            slot.encode(out);
            sessions.encode(out);
        }
        put_varint(out, self.space.len());
        for (_, key, entry) in self.space.walk(Position::START) {
            if out.is_cut() {
                return;
            }
            put_bytes(out, &key.bytes);
            entry.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        if input.u8()? != VERSION {
            return Err(Malformed("a snapshot of another version"));
        }
        let clock_ms = input.varint()?;
        let floors = BTreeMap::decode(input)?;
        let version = input.varint()?;
        let slot = u16::try_from(input.varint()?).ok().filter(|slot| *slot < SLOT_COUNT);
        let slot = slot.ok_or(Malformed("no such slot"))?;
        let sweep = Position { slot, hash: input.u64()? };
        let count = input.length(4)?;
        let sessions = (0..count).map(|_| Ok((SlotId::decode(input)?, Arc::new(Sessions::decode(input)?))));
        let sessions = Arc::new(sessions.collect::<Result<BTreeMap<_, _>, Malformed>>()?);
        let mut space = Space::new();
        // A key takes a length, and its entry a type, a length, a version and an expiry.
        for _ in 0..input.length(5)? {
            let key = Arc::decode(input)?;
            if !space.restore(key, Entry::decode(input)?) {
                return Err(Malformed("a key twice"));
            }
        }
        space.set_version(version);
        Ok(Keyspace { space, clock_ms, floors, sweep, sessions })
    }
}
