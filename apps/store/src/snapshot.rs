//! The byte form of a whole keyspace: what a replica that fell behind is sent, and what a restart reads.

use crate::keyspace::SESSION_SHARDS;
use crate::space::{Position, Space};
use crate::value::Entry;
use crate::{Keyspace, SLOT_COUNT};
use std::sync::Arc;
use synod_clientserver::Sessions;
use synod_stdx::{Malformed, Reader, Wire, put_bytes, put_u64, put_varint};

/// The version of this form; a higher one is refused.
const VERSION: u8 = 1;

impl Wire for Keyspace {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        put_varint(out, self.clock_ms);
        put_varint(out, self.space.version());
        put_varint(out, u64::from(self.sweep.slot));
        put_u64(out, self.sweep.hash);
        for shard in &self.sessions {
            shard.encode(out);
        }
        put_varint(out, self.space.len());
        for (_, key, entry) in self.space.walk(Position::START) {
            put_bytes(out, &key.bytes);
            entry.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        if input.u8()? != VERSION {
            return Err(Malformed("a snapshot of another version"));
        }
        let clock_ms = input.varint()?;
        let version = input.varint()?;
        let slot = u16::try_from(input.varint()?).ok().filter(|slot| *slot < SLOT_COUNT);
        let slot = slot.ok_or(Malformed("no such slot"))?;
        let sweep = Position { slot, hash: input.u64()? };
        let sessions = (0..SESSION_SHARDS).map(|_| Ok(Arc::new(Sessions::decode(input)?)));
        let sessions = sessions.collect::<Result<_, Malformed>>()?;
        let mut space = Space::new();
        // A key takes a length, and its entry a type, a length, a version and an expiry.
        for _ in 0..input.length(5)? {
            let key = input.bytes()?;
            if !space.restore(key, Entry::decode(input)?) {
                return Err(Malformed("a key twice"));
            }
        }
        space.set_version(version);
        Ok(Keyspace { space, clock_ms, sweep, sessions })
    }
}
