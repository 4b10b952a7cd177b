//! Hash slots: which of 16,384 places a key belongs to, as Redis Cluster has it.

use std::fmt;

/// How many slots there are.
pub const SLOT_COUNT: u16 = 16_384;

/// One of the [`SLOT_COUNT`] slots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(u16);

impl SlotId {
    /// The lowest.
    pub const FIRST: SlotId = SlotId(0);

    /// The slot numbered `number`, or `None` if there are not so many.
    pub fn new(number: u64) -> Option<SlotId> {
        u16::try_from(number).ok().filter(|number| *number < SLOT_COUNT).map(SlotId)
    }

    /// The slot of `key`: CRC16 of its hash tag, or of all of it. The tag stands between the first `{` and the first
    /// `}` behind it, and is not empty.
    pub fn of(key: &[u8]) -> SlotId {
        let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
            let rest = &key[open + 1..];
            rest.iter().position(|byte| *byte == b'}').map(|length| &rest[..length])
        });
        SlotId(crc16(tag.filter(|tag| !tag.is_empty()).unwrap_or(key)) % SLOT_COUNT)
    }

    /// The slot numbered `number`, which is known to be one.
    pub(crate) fn at(number: u16) -> SlotId {
        debug_assert!(number < SLOT_COUNT, "there are not so many slots");
        SlotId(number)
    }

    /// Its number, below [`SLOT_COUNT`].
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The slots from one to another, both included, for people: `7` or `0-9`.
pub(crate) struct SlotRange(pub(crate) SlotId, pub(crate) SlotId);

impl fmt::Debug for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SlotRange(first, last) if first == last => write!(f, "{first}"),
            SlotRange(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// CRC16/XMODEM of each byte alone.
const TABLE: [u16; 256] = {
    let mut table = [0u16; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| (crc << 8) ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::{SlotId, crc16};

    #[test]
    fn slots_are_those_of_redis_cluster() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (key, slot) in [
            ("foo", 12182),
            ("", 0),
            ("foo{bar}{zap}", 5061),
            ("bar", 5061),
            ("{user1000}.following", 3443),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
        ] {
            assert_eq!(SlotId::of(key.as_bytes()).number(), slot, "{key}");
        }
    }
}
