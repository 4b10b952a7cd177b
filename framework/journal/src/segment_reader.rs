//! Reads the records of one segment, and tells a torn tail from damage.
//!
//! A crash can only spoil what was not yet synced when it came, and each record says how far everything was synced
//! when it was written. So a record that cannot be read, and that some later record (or checkpoint, segment or
//! the superblock) says was durable, was damaged; one of which nobody says so was cut off by a crash before anybody was told that
//! it was durable.

use crate::error::Error;
use crate::format::{ALIGN_BYTES, HEADER_BYTES, RecordHeader, SegmentHeader, Stamp, record_bytes};

/// A segment in memory.
pub(crate) struct SegmentReader<'a> {
    pub(crate) file: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) header: SegmentHeader,
    pub(crate) stamp: Stamp,
    /// The first number of the next segment: all before it must be here.
    pub(crate) end: Option<u64>,
    /// Up to this record the superblock says that the journal was durable.
    pub(crate) watermark: u64,
    pub(crate) describe: fn(u32, u8, &[u8]) -> String,
}

/// Where the records end.
pub(crate) struct Tail {
    pub(crate) offset: usize,
    pub(crate) next_sequence: u64,
    /// From here to `offset` nothing later says that the records are durable.
    pub(crate) unproven_from: usize,
    /// Whether what follows has parts of records that were cut off.
    pub(crate) torn: bool,
}

/// What the bytes at some place are.
enum Found<'a> {
    Record(RecordHeader, &'a [u8]),
    BrokenPayload(RecordHeader),
    Nothing,
}

impl<'a> SegmentReader<'a> {
    /// Calls `visit` with each record in order.
    pub(crate) fn read(&self, mut visit: impl FnMut(RecordHeader, &'a [u8])) -> Result<Tail, Error> {
        let mut offset = HEADER_BYTES;
        let mut next = self.header.first_sequence;
        let mut proven = next - 1;
        let mut places = Vec::new();
        let mut torn = false;
        while self.end != Some(next) {
            match self.found_at(offset) {
                Found::Record(header, payload) if header.sequence == next => {
                    proven = proven.max(header.synced);
                    visit(header, payload);
                    places.push(offset);
                    next += 1;
                    offset += record_bytes(payload.len());
                }
                Found::Record(..) | Found::BrokenPayload(_) | Found::Nothing => {
                    torn = self.is_torn(offset, next, places.last().copied())?;
                    break;
                }
            }
        }
        let first_unproven = (proven + 1).saturating_sub(self.header.first_sequence) as usize;
        let unproven_from = places.get(first_unproven).copied().unwrap_or(offset);
        Ok(Tail { offset, next_sequence: next, unproven_from, torn })
    }

    fn found_at(&self, offset: usize) -> Found<'a> {
        let Some(bytes) = self.bytes.get(offset..) else { return Found::Nothing };
        let Some(header) = RecordHeader::read(bytes, self.stamp) else { return Found::Nothing };
        let content = bytes.get(HEADER_BYTES..record_bytes(header.length as usize));
        match content.map(|content| content.split_at(header.length as usize)) {
            Some((payload, padding))
                if crc32fast::hash(payload) == header.payload_checksum
                    && padding.iter().all(|byte| *byte == 0) =>
            {
                Found::Record(header, payload)
            }
            Some(_) | None => Found::BrokenPayload(header),
        }
    }

    /// Looks behind `offset`, where record `next` should be and cannot be read: whether parts of records are left there that
    /// a crash cut off.
    ///
    /// # Errors
    /// If something proves that the record was durable.
    fn is_torn(&self, offset: usize, next: u64, before: Option<usize>) -> Result<bool, Error> {
        let mut torn = false;
        let mut proof =
            self.end.filter(|end| *end > next).map(|_| "the next segment begins behind it".to_owned());
        if proof.is_none() && self.watermark >= next {
            proof = Some(format!("the superblock says that records up to {} were durable", self.watermark));
        }
        for place in (offset..self.bytes.len()).step_by(ALIGN_BYTES) {
            let header = match self.found_at(place) {
                Found::Nothing => continue,
                Found::Record(header, payload) => {
                    if header.synced >= next {
                        let after = (self.describe)(header.node, header.kind, payload);
                        proof = Some(format!("the next good record is {} ({after})", header.sequence));
                    }
                    header
                }
                Found::BrokenPayload(header) => header,
            };
            torn = true;
            if header.synced >= next {
                proof.get_or_insert_with(|| "a later record says that it was durable".to_owned());
                break;
            }
        }
        match proof {
            None => Ok(torn),
            Some(proof) => Err(self.damage(offset, next, before, &proof)),
        }
    }

    /// Names the damage at `offset`.
    pub(crate) fn damage(&self, offset: usize, next: u64, before: Option<usize>, proof: &str) -> Error {
        let (node, what) = match self.found_at(offset) {
            Found::BrokenPayload(header) if header.sequence == next => {
                (Some(header.node), "has a broken payload")
            }
            Found::Record(..) | Found::BrokenPayload(_) | Found::Nothing => (None, "has no sound header"),
        };
        let before = match before.map(|place| self.found_at(place)) {
            Some(Found::Record(header, payload)) => {
                let text = (self.describe)(header.node, header.kind, payload);
                format!("the last good record before it is {} ({text})", header.sequence)
            }
            Some(Found::BrokenPayload(_) | Found::Nothing) | None => {
                "no good record precedes it here".to_owned()
            }
        };
        Error::Damaged {
            file: self.file.to_owned(),
            offset: offset as u64,
            node,
            detail: format!("record {next} {what}; {before}, {proof}"),
        }
    }
}
