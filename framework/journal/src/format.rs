//! The bytes of every file but the superblock, version 2. All numbers are little-endian, all checksums CRC-32 (IEEE).
//!
//! ```text
//! record (64 bytes, then the payload, then zeros up to a multiple of 8)
//!    0 "SyRc"   4 version u8   5 kind u8   6 zero u16   8 payload length u32   12 payload checksum u32
//!   16 protocol node u32   20 identity's node u32   24 cluster u64   32 salt of the segment u64
//!   40 sequence number u64   48 synced u64   56 zero u32   60 checksum of 0..60
//! segment (64 bytes, then records)
//!    0 "SynodSeg"   8 version u32   12 node u32   16 cluster u64   24 number u64   32 salt u64
//!   40 first sequence number u64   48 length of the file u64   56 zero u32   60 checksum of 0..60
//! checkpoint (64 bytes, then the content)
//!    0 "SynodChk"   8 version u32   12 node u32   16 cluster u64   24 salt of the disk u64   32 covered u64
//!   40 content length u64   48 protocol node u32   52 content checksum u32   56 zero u32   60 checksum of 0..60
//! manifest
//!    0 "SynodMan"   8 version u32   12 node u32   16 cluster u64   24 incarnation u64   32 disk u128
//!   48 first segment u64   56 last segment u64   64 superblock u64   72 number of nodes u32
//!   76 nodes (protocol node u32, covered u64)   then a checksum
//! ```

use synod_stdx::{Cursor, Digest, Malformed, put_u32, put_u64};

use crate::disk::Disk;
use crate::error::at;
use crate::{Error, Identity};

/// The version that is written, and the latest that is read.
pub(crate) const VERSION: u32 = 2;
/// The length of the header of a record, a segment and a checkpoint.
pub(crate) const HEADER_BYTES: usize = 64;
/// No journal counts so far, whatever it counts: a file that says so is damaged, and whoever adds one to a number that was read
/// stays below what overflows.
pub(crate) const NUMBER_MAX: u64 = 1 << 62;
/// Records start at multiples of this.
pub(crate) const ALIGN_BYTES: usize = 8;

pub(crate) const RECORD_MAGIC: &[u8; 4] = b"SyRc";
pub(crate) const SEGMENT_MAGIC: &[u8; 8] = b"SynodSeg";
pub(crate) const CHECKPOINT_MAGIC: &[u8; 8] = b"SynodChk";
pub(crate) const MANIFEST_MAGIC: &[u8; 8] = b"SynodMan";
const CHECKSUM_AT: usize = 60;

/// How many bytes a record with `payload` bytes takes.
pub(crate) fn record_bytes(payload: usize) -> usize {
    (HEADER_BYTES + payload).next_multiple_of(ALIGN_BYTES)
}

/// What the header of a record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordHeader {
    pub(crate) kind: u8,
    pub(crate) length: u32,
    pub(crate) payload_checksum: u32,
    pub(crate) node: u32,
    pub(crate) sequence: u64,
    /// Every record up to this number was durable when this one was written.
    pub(crate) synced: u64,
}

/// What every record of one segment shares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    pub(crate) cluster: u64,
    pub(crate) owner: u32,
    pub(crate) salt: u64,
}

impl RecordHeader {
    /// Writes the header over the first bytes of `out`.
    pub(crate) fn write(&self, stamp: Stamp, out: &mut [u8]) {
        out[0..4].copy_from_slice(RECORD_MAGIC);
        out[4..8].copy_from_slice(&[VERSION as u8, self.kind, 0, 0]);
        out[8..12].copy_from_slice(&self.length.to_le_bytes());
        out[12..16].copy_from_slice(&self.payload_checksum.to_le_bytes());
        out[16..20].copy_from_slice(&self.node.to_le_bytes());
        out[20..24].copy_from_slice(&stamp.owner.to_le_bytes());
        out[24..32].copy_from_slice(&stamp.cluster.to_le_bytes());
        out[32..40].copy_from_slice(&stamp.salt.to_le_bytes());
        out[40..48].copy_from_slice(&self.sequence.to_le_bytes());
        out[48..56].copy_from_slice(&self.synced.to_le_bytes());
        out[56..60].fill(0);
        let checksum = crc32fast::hash(&out[..CHECKSUM_AT]);
        out[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    }

    /// The header at the front of `bytes`, if there is a sound one of this segment.
    pub(crate) fn read(bytes: &[u8], stamp: Stamp) -> Option<RecordHeader> {
        if !bytes.starts_with(RECORD_MAGIC) {
            return None;
        }
        let mut input = checked(bytes)?;
        input.take(4).ok()?;
        let (version, kind) = (input.u8().ok()?, input.u8().ok()?);
        input.take(2).ok()?;
        let (length, payload_checksum, node) = (input.u32().ok()?, input.u32().ok()?, input.u32().ok()?);
        let found = Stamp { owner: input.u32().ok()?, cluster: input.u64().ok()?, salt: input.u64().ok()? };
        let (sequence, synced) = (input.u64().ok()?, input.u64().ok()?);
        // A segment holds records of its own version only, and none knew of its own sync.
        let is_sound = u32::from(version) == VERSION && synced < sequence;
        (found == stamp && is_sound).then_some(RecordHeader {
            kind,
            length,
            payload_checksum,
            node,
            sequence,
            synced,
        })
    }
}

/// The 128 bits at the front of `input`.
pub(crate) fn u128_of(input: &mut Cursor<'_>) -> Result<u128, Malformed> {
    let (low, high) = (input.u64()?, input.u64()?);
    Ok(u128::from(high) << 64 | u128::from(low))
}

/// The header at the front of `bytes`, if its checksum is right.
fn checked(bytes: &[u8]) -> Option<Cursor<'_>> {
    let header = bytes.get(..HEADER_BYTES)?;
    let checksum = crc32fast::hash(&header[..CHECKSUM_AT]).to_le_bytes();
    (header[CHECKSUM_AT..] == checksum).then(|| Cursor::new(header))
}

pub(crate) fn sealed(mut header: Vec<u8>) -> Vec<u8> {
    header.resize(CHECKSUM_AT, 0);
    let checksum = crc32fast::hash(&header);
    put_u32(&mut header, checksum);
    header
}

/// Refuses a file of a later version before anything else in it is looked at.
fn check_version(file: &str, bytes: &[u8], magic: &[u8; 8]) -> Result<(), Error> {
    let mut input = Cursor::new(bytes);
    let (Ok(found), Ok(version)) = (input.take(8), input.u32()) else {
        return Err(Error::damaged(file, bytes.len() as u64, "the file ends in its header"));
    };
    if found != magic {
        return Err(Error::damaged(file, 0, "the file does not start as its kind does"));
    }
    match version {
        VERSION => Ok(()),
        0..VERSION => Err(Error::damaged(file, 8, format!("this release reads no format version {version}"))),
        _ => Err(Error::NewerVersion { file: file.to_owned(), version }),
    }
}

/// The header of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u64,
    pub(crate) first_sequence: u64,
    pub(crate) bytes: u64,
}

/// Whose files these are. Two clusters may have one name, and a directory may be made twice: the disk's number, which is
/// drawn, tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Owner {
    pub(crate) identity: Identity,
    pub(crate) disk: u128,
}

impl Owner {
    /// What the records of segment `number` are stamped with. Numbers never return, so neither do stamps: what a
    /// recycled file held before is no record of it.
    pub(crate) fn stamp(self, number: u64) -> Stamp {
        Stamp { cluster: self.identity.cluster, owner: self.identity.node, salt: self.salt(number) }
    }

    fn salt(self, number: u64) -> u64 {
        let Identity { cluster, node, incarnation } = self.identity;
        let mut digest = Digest::default();
        for word in [cluster, u64::from(node), incarnation, number] {
            digest.update(&word.to_le_bytes());
        }
        digest.update(&self.disk.to_le_bytes());
        digest.value()
    }
}

impl SegmentHeader {
    pub(crate) fn to_bytes(self, owner: Owner) -> Vec<u8> {
        let identity = owner.identity;
        let mut out = SEGMENT_MAGIC.to_vec();
        put_u32(&mut out, VERSION);
        put_u32(&mut out, identity.node);
        put_u64(&mut out, identity.cluster);
        put_u64(&mut out, self.number);
        put_u64(&mut out, owner.salt(self.number));
        put_u64(&mut out, self.first_sequence);
        put_u64(&mut out, self.bytes);
        sealed(out)
    }

    /// Reads the header of `file`, which must be segment `number` with the length that its header names: it was so
    /// before the file got its name.
    pub(crate) fn read(file: &str, bytes: &[u8], owner: Owner, number: u64) -> Result<Self, Error> {
        check_version(file, bytes, SEGMENT_MAGIC)?;
        let parse = |mut input: Cursor<'_>| -> Result<SegmentHeader, Malformed> {
            input.take(40)?;
            Ok(SegmentHeader { number, first_sequence: input.u64()?, bytes: input.u64()? })
        };
        let header = checked(bytes).and_then(|input| parse(input).ok());
        let header = header.ok_or_else(|| Error::damaged(file, 0, "the segment's header is broken"))?;
        if !bytes.starts_with(&header.to_bytes(owner)) {
            return Err(Error::damaged(file, 0, "the segment is not the one that its name says"));
        }
        if [number, header.first_sequence].iter().any(|number| !(1..=NUMBER_MAX).contains(number)) {
            return Err(Error::damaged(file, 0, "the segment has numbers that no journal reaches"));
        }
        if header.bytes != bytes.len() as u64 {
            let detail = format!("the segment has {} bytes instead of {}", bytes.len(), header.bytes);
            return Err(Error::damaged(file, bytes.len() as u64, detail));
        }
        Ok(header)
    }
}

/// The header of a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CheckpointHeader {
    pub(crate) node: u32,
    pub(crate) covered: u64,
}

/// A checkpoint that was found, and found to be whole: where its content is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointFile {
    name: String,
    node: u32,
    bytes: u64,
    checksum: u32,
}

impl CheckpointFile {
    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes of its content.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn damaged(&self, offset: u64, detail: &str) -> Error {
        Error::Damaged { file: self.name.clone(), offset, node: Some(self.node), detail: detail.to_owned() }
    }
}

/// Reads the content of a checkpoint, part by part.
pub struct CheckpointParts<'a, D> {
    disk: &'a D,
    file: &'a CheckpointFile,
    read: u64,
    checksum: crc32fast::Hasher,
}

impl<'a, D: Disk> CheckpointParts<'a, D> {
    pub(crate) fn new(disk: &'a D, file: &'a CheckpointFile) -> Self {
        CheckpointParts { disk, file, read: 0, checksum: crc32fast::Hasher::new() }
    }

    /// The next part; empty at the end. Whoever has seen the end has seen what the header vouches for.
    ///
    /// # Errors
    /// If the disk refuses, or the content is not what the header says.
    pub fn next_part(&mut self) -> Result<Vec<u8>, Error> {
        let bytes_max = PART_BYTES.min(usize::try_from(self.file.bytes - self.read).unwrap_or(PART_BYTES));
        let name = self.file.name();
        let part = self.disk.read_part(name, HEADER_BYTES as u64 + self.read, bytes_max);
        let part = part.map_err(at("read", name))?;
        self.checksum.update(&part);
        self.read += part.len() as u64;
        let is_end = part.len() < bytes_max || self.read == self.file.bytes;
        if is_end && (self.read, self.checksum.clone().finalize()) != (self.file.bytes, self.file.checksum) {
            let detail = "the checkpoint's content is not what its header says";
            return Err(self.file.damaged(HEADER_BYTES as u64, detail));
        }
        Ok(part)
    }
}

/// Checkpoints are read in parts of this size.
const PART_BYTES: usize = 1 << 20;

impl CheckpointHeader {
    /// The header of a content of `bytes` bytes with this checksum.
    pub(crate) fn to_bytes(self, owner: Owner, bytes: u64, checksum: u32) -> Vec<u8> {
        let identity = owner.identity;
        let mut out = CHECKPOINT_MAGIC.to_vec();
        put_u32(&mut out, VERSION);
        put_u32(&mut out, identity.node);
        put_u64(&mut out, identity.cluster);
        // No segment has the number 0.
        put_u64(&mut out, owner.salt(0));
        put_u64(&mut out, self.covered);
        put_u64(&mut out, bytes);
        put_u32(&mut out, self.node);
        put_u32(&mut out, checksum);
        sealed(out)
    }

    /// Reads `file` to its end, which must be exactly this checkpoint.
    pub(crate) fn verify<D: Disk>(self, disk: &D, name: &str, owner: Owner) -> Result<CheckpointFile, Error> {
        let header = disk.read_part(name, 0, HEADER_BYTES).map_err(at("read", name))?;
        let length = disk.len(name).map_err(at("measure", name))?;
        check_version(name, &header, CHECKPOINT_MAGIC)?;
        let mut file = CheckpointFile { name: name.to_owned(), node: self.node, bytes: 0, checksum: 0 };
        let mut input =
            checked(&header).ok_or_else(|| file.damaged(0, "the checkpoint's header is broken"))?;
        let mut read = || -> Result<(u64, u32), Malformed> {
            input.take(40)?;
            let bytes = input.u64()?;
            input.take(4)?;
            Ok((bytes, input.u32()?))
        };
        (file.bytes, file.checksum) = read().map_err(|malformed| file.damaged(0, malformed.0))?;
        let is_named = header == self.to_bytes(owner, file.bytes, file.checksum);
        if !is_named || length != HEADER_BYTES as u64 + file.bytes {
            let detail = "the checkpoint's content is not what its header says";
            return Err(file.damaged(HEADER_BYTES as u64, detail));
        }
        let mut parts = CheckpointParts::new(disk, &file);
        while !parts.next_part()?.is_empty() {}
        Ok(file)
    }
}

/// What a directory holds: whose it is, which segments, and up to where checkpoints replaced records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Manifest {
    pub(crate) owner: Owner,
    /// Segments before this one are spare.
    pub(crate) first_segment: u64,
    /// No segment after this one has a record.
    pub(crate) last_segment: u64,
    /// A superblock of this number, or a later one, is beside the journal.
    pub(crate) superblock: u64,
    /// For each protocol node with a checkpoint the last sequence number that it covers, in order.
    pub(crate) covered: Vec<(u32, u64)>,
}

impl Manifest {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = MANIFEST_MAGIC.to_vec();
        put_u32(&mut out, VERSION);
        put_u32(&mut out, self.owner.identity.node);
        put_u64(&mut out, self.owner.identity.cluster);
        put_u64(&mut out, self.owner.identity.incarnation);
        out.extend_from_slice(&self.owner.disk.to_le_bytes());
        put_u64(&mut out, self.first_segment);
        put_u64(&mut out, self.last_segment);
        put_u64(&mut out, self.superblock);
        put_u32(&mut out, self.covered.len() as u32);
        for (node, covered) in &self.covered {
            put_u32(&mut out, *node);
            put_u64(&mut out, *covered);
        }
        let checksum = crc32fast::hash(&out);
        put_u32(&mut out, checksum);
        out
    }

    pub(crate) fn read(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        check_version(file, bytes, MANIFEST_MAGIC)?;
        let (body, checksum) = bytes.split_at(bytes.len() - 4);
        if crc32fast::hash(body).to_le_bytes() != checksum {
            return Err(Error::damaged(file, 0, "the manifest's checksum is wrong"));
        }
        Self::parse(body).map_err(|malformed| Error::damaged(file, 0, malformed.to_string()))
    }

    fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let mut input = Cursor::new(body);
        input.take(12)?;
        let node = input.u32()?;
        let identity = Identity { cluster: input.u64()?, node, incarnation: input.u64()? };
        let owner = Owner { identity, disk: u128_of(&mut input)? };
        let (first_segment, last_segment, superblock) = (input.u64()?, input.u64()?, input.u64()?);
        let nodes = input.u32()? as usize;
        if input.remaining() != nodes.saturating_mul(12) {
            return Err(Malformed("the number of nodes is wrong"));
        }
        let covered =
            (0..nodes).map(|_| Ok((input.u32()?, input.u64()?))).collect::<Result<_, Malformed>>()?;
        let is_reached = last_segment.max(superblock) <= NUMBER_MAX;
        if !is_reached || !(1..=last_segment + 1).contains(&first_segment) {
            return Err(Malformed("it has numbers that no journal reaches"));
        }
        Ok(Manifest { owner, first_segment, last_segment, superblock, covered })
    }
}
