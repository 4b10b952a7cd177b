//! The bytes between processes: a handshake, then frames.
//!
//! ```text
//! hello     "SYNODPEER" version:u8 cluster:u64 from:u32 to:u32 incarnation:u64 start:u64 nonce:u128 disk:u128 crc:u32
//! answer    "SYNODPEER" version:u8 code:u8 start:u64 nonce:u128 durable:u64 crc:u32
//!                                  (code 0: welcome; else a refusal. Then the latest that was seen of the sender's
//!                                  disk: a start, 0 for none, and up to which record its journal was durable)
//! go        one byte, 1            (the sender's disk agrees with that)
//! frame     length:u32 crc:u32 durable:u64 from:u32 to:u32 kind:u8 body     (length and crc are of what follows them)
//! kind 1    message
//! kind 2    transfer:u64 part:u64 is_last:u8 bytes        (a part of a message that holds a state: `transfer.rs`)
//! kind 3    transfer:u64 next:u64 state:u8                (how far its receiver, `from`, read it; 0 on its way, 1 done, 2 given up)
//! ```
//! All numbers are little-endian. Processes of two versions do not talk to each other.

use std::fmt;
use synod_node::NodeId;
use synod_stdx::{Cursor, Malformed, Wire, put_u32, put_u64};

/// What every handshake begins with.
pub const MAGIC: &[u8; 9] = b"SYNODPEER";
/// The version that this program writes and reads.
pub const VERSION: u8 = 3;
/// The bytes of a hello.
pub const HELLO_BYTES: usize = 9 + 1 + 8 + 4 + 4 + 8 + 8 + 16 + 16 + 4;
/// The bytes of an answer to a hello.
pub const ANSWER_BYTES: usize = 9 + 1 + 1 + 8 + 16 + 8 + 4;
/// What the sender says once it knows that its disk is the one that was seen.
pub const GO: u8 = 1;
/// In place of an incarnation: nothing runs at the sender yet.
pub const GUEST_INCARNATION: u64 = u64::MAX;
/// The bytes before a frame's content.
pub const FRAME_HEADER_BYTES: usize = 8;
/// The most bytes of a frame's content: room for the largest command, 512 MiB, and a batch. States go in parts.
pub const FRAME_BYTES_MAX: usize = 768 << 20;
/// The bytes of a frame's content before its body.
const CONTENT_HEADER_BYTES: usize = 17;

/// Who dials, and whom it means to reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The cluster that the sender belongs to.
    pub cluster: u64,
    /// The number of the sending process.
    pub from: u32,
    /// The number of the process that it means to reach.
    pub to: u32,
    /// Which life of the sender's disk this is.
    pub incarnation: u64,
    /// Which start of the sender this is.
    pub start: u64,
    /// What the sender drew for this start.
    pub nonce: u128,
    /// What the sender drew when its disk was first used: another one in the same life is another disk.
    pub disk: u128,
}

/// What was seen of a disk: its latest start, and up to which record its journal was durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The number of the start, from 1.
    pub start: u64,
    /// What was drawn for it.
    pub nonce: u128,
    /// The record.
    pub durable: u64,
}

/// Why a connection is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// These are not the bytes of a peer.
    NotAPeer,
    /// The sender speaks a version that this program does not know.
    NewerVersion,
    /// The sender speaks a version that this program does not speak any more.
    OlderVersion,
    /// The sender belongs to another cluster.
    OtherCluster,
    /// The sender means to reach another process.
    OtherNode,
    /// No process of this number belongs to the cluster.
    UnknownNode,
    /// The sender claims to be this process.
    Myself,
    /// A later start or life of the same process was here: two of one name, or an old one.
    Superseded,
    /// The sender's disk is not the one that its life had: what it promised is lost.
    OtherDisk,
    /// The sender shows no key, and this process has one.
    NoKey,
    /// The sender has another key than this process, or only one of them has one.
    OtherKey,
}

impl Refusal {
    const ALL: [Refusal; 11] = [
        Refusal::NotAPeer,
        Refusal::NewerVersion,
        Refusal::OtherCluster,
        Refusal::OtherNode,
        Refusal::UnknownNode,
        Refusal::Myself,
        Refusal::Superseded,
        Refusal::OtherDisk,
        Refusal::NoKey,
        Refusal::OtherKey,
        // New ones go to the end: their places are their codes.
        Refusal::OlderVersion,
    ];

    fn code(self) -> u8 {
        1 + Refusal::ALL.iter().position(|refusal| *refusal == self).unwrap_or(0) as u8
    }

    /// The name by which it is counted.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::NotAPeer => "not_a_peer",
            Refusal::NewerVersion => "newer_version",
            Refusal::OlderVersion => "older_version",
            Refusal::OtherCluster => "other_cluster",
            Refusal::OtherNode => "other_node",
            Refusal::UnknownNode => "unknown_node",
            Refusal::Myself => "myself",
            Refusal::Superseded => "superseded",
            Refusal::OtherDisk => "other_disk",
            Refusal::NoKey => "no_key",
            Refusal::OtherKey => "other_key",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::NotAPeer => "this port is for the cluster's own processes: clients have another one",
            Refusal::NewerVersion => "the peer speaks a newer protocol: upgrade this process",
            Refusal::OlderVersion => "the peer speaks an older protocol: upgrade it",
            Refusal::OtherCluster => {
                "the peer belongs to another cluster: check the address and the cluster's id"
            }
            Refusal::OtherNode => {
                "another process listens here than the peer expects: check its list of peers"
            }
            Refusal::UnknownNode => {
                "the cluster has no process of the peer's number: it was removed, or is not added yet"
            }
            Refusal::Myself => "the peer claims this process's own number: give each process its own",
            Refusal::Superseded => {
                "a later start of this number is known: two processes run under one number, or the peer's disk was put \
                 back to an older copy"
            }
            Refusal::OtherDisk => {
                "the peer has another disk than before: if it lost its data, set its incarnation one higher; if two \
                 processes have one number, give each its own"
            }
            Refusal::NoKey => "one process has a key for its peers and the other has none: give all the same",
            Refusal::OtherKey => "the two processes have not the same key for their peers: give all the same",
        })
    }
}

/// Appends a checksum of everything from `start` on.
fn seal(out: &mut Vec<u8>, start: usize) {
    let crc = crc32fast::hash(&out[start..]);
    put_u32(out, crc);
}

impl Hello {
    /// Whether nothing runs at the sender yet: it asks what it is to run.
    pub fn is_guest(&self) -> bool {
        self.incarnation == GUEST_INCARNATION
    }

    /// Whether it is for process `number` of this cluster, and from another one.
    ///
    /// # Errors
    /// Why the sender is refused.
    pub(crate) fn is_for(&self, cluster: u64, number: u32) -> Result<(), Refusal> {
        match () {
            () if self.cluster != cluster => Err(Refusal::OtherCluster),
            () if self.to != number => Err(Refusal::OtherNode),
            () if self.from == number => Err(Refusal::Myself),
            () => Ok(()),
        }
    }

    /// The bytes of a hello.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HELLO_BYTES);
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        put_u64(&mut out, self.cluster);
        put_u32(&mut out, self.from);
        put_u32(&mut out, self.to);
        put_u64(&mut out, self.incarnation);
        put_u64(&mut out, self.start);
        out.extend_from_slice(&self.nonce.to_le_bytes());
        out.extend_from_slice(&self.disk.to_le_bytes());
        seal(&mut out, 0);
        out
    }

    /// Reads a hello.
    ///
    /// # Errors
    /// Why the sender is refused.
    pub fn from_bytes(bytes: &[u8; HELLO_BYTES]) -> Result<Hello, Refusal> {
        let (magic, version) = (&bytes[..MAGIC.len()], bytes[MAGIC.len()]);
        if magic != MAGIC {
            return Err(Refusal::NotAPeer);
        }
        // The version is looked at before the checksum: a later one may have it elsewhere.
        if version > VERSION {
            return Err(Refusal::NewerVersion);
        }
        let mut input = Cursor::new(&bytes[MAGIC.len() + 1..]);
        let mut read = || -> Result<(Hello, u32), Malformed> {
            let hello = Hello {
                cluster: input.u64()?,
                from: input.u32()?,
                to: input.u32()?,
                incarnation: input.u64()?,
                start: input.u64()?,
                nonce: u128_of(&mut input)?,
                disk: u128_of(&mut input)?,
            };
            Ok((hello, input.u32()?))
        };
        let (hello, crc) = read().map_err(|_| Refusal::NotAPeer)?;
        if version == 0 || crc != crc32fast::hash(&bytes[..HELLO_BYTES - 4]) {
            return Err(Refusal::NotAPeer);
        }
        if version < VERSION {
            return Err(Refusal::OlderVersion);
        }
        Ok(hello)
    }
}

/// The bytes of an answer to a hello, with what was seen of the sender's disk.
pub fn answer_to_bytes(answer: Result<(), Refusal>, seen: Option<Seen>) -> Vec<u8> {
    let mut out = Vec::with_capacity(ANSWER_BYTES);
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    out.push(answer.map_or_else(Refusal::code, |()| 0));
    let Seen { start, nonce, durable } = seen.unwrap_or(Seen { start: 0, nonce: 0, durable: 0 });
    put_u64(&mut out, start);
    out.extend_from_slice(&nonce.to_le_bytes());
    put_u64(&mut out, durable);
    seal(&mut out, 0);
    out
}

/// Reads an answer to a hello: welcome, or why not; and what was seen of the disk of whoever said hello.
pub fn answer_from_bytes(bytes: &[u8; ANSWER_BYTES]) -> (Result<(), Refusal>, Option<Seen>) {
    let (content, crc) = bytes.split_at(ANSWER_BYTES - 4);
    if &bytes[..MAGIC.len()] != MAGIC || crc != crc32fast::hash(content).to_le_bytes() {
        return (Err(Refusal::NotAPeer), None);
    }
    let answer = match bytes[MAGIC.len() + 1] {
        0 => Ok(()),
        code => Err(*Refusal::ALL.get(usize::from(code) - 1).unwrap_or(&Refusal::NewerVersion)),
    };
    let mut input = Cursor::new(&content[MAGIC.len() + 2..]);
    let mut read = || -> Result<Seen, Malformed> {
        Ok(Seen { start: input.u64()?, nonce: u128_of(&mut input)?, durable: input.u64()? })
    };
    let seen = read().ok().filter(|seen| seen.start > 0);
    (answer, seen)
}

/// The 128 bits at the front of `input`.
pub(crate) fn u128_of(input: &mut Cursor<'_>) -> Result<u128, Malformed> {
    let (low, high) = (input.u64()?, input.u64()?);
    Ok(u128::from(high) << 64 | u128::from(low))
}

const KIND_MESSAGE: u8 = 1;
const KIND_PART: u8 = 2;
const KIND_ACK: u8 = 3;

/// Who says something to whom.
pub type Pair = (NodeId, NodeId);

/// A part of a message that is sent in parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'a> {
    /// Which transfer: a number that its sender never used before.
    pub transfer: u64,
    /// Which part, from 0.
    pub part: u64,
    /// Whether none follows.
    pub is_last: bool,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// How far a transfer is at its receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack {
    /// Which transfer.
    pub transfer: u64,
    /// Every part before this one was read.
    pub next: u64,
    /// What becomes of it.
    pub state: AckState,
}

/// What becomes of a transfer at its receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AckState {
    /// It goes on.
    UnderWay,
    /// The message is with its node.
    Done,
    /// Nothing comes of it: the receiver knows nothing of it any more, cannot read it, or is not done with another one.
    GivenUp,
}

/// Appends a frame that carries `message`. The sender's journal is durable up to record `durable`.
pub fn put_frame(out: &mut Vec<u8>, durable: u64, pair: Pair, message: &impl Wire) {
    put_content(out, durable, (pair, KIND_MESSAGE), |out| message.append_to(out));
}

/// Appends a frame that carries a part.
pub fn put_part(out: &mut Vec<u8>, durable: u64, pair: Pair, part: &Part<'_>) {
    put_content(out, durable, (pair, KIND_PART), |out| {
        put_u64(out, part.transfer);
        put_u64(out, part.part);
        out.push(u8::from(part.is_last));
        out.extend_from_slice(part.bytes);
    });
}

/// Appends a frame that says how far a transfer is. The pair is the transfer's receiver and its sender.
pub fn put_ack(out: &mut Vec<u8>, durable: u64, pair: Pair, ack: Ack) {
    put_content(out, durable, (pair, KIND_ACK), |out| {
        put_u64(out, ack.transfer);
        put_u64(out, ack.next);
        out.push(match ack.state {
            AckState::UnderWay => 0,
            AckState::Done => 1,
            AckState::GivenUp => 2,
        });
    });
}

fn put_content(
    out: &mut Vec<u8>,
    durable: u64,
    ((from, to), kind): (Pair, u8),
    body: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    put_u64(out, durable);
    put_u32(out, from.to_bits());
    put_u32(out, to.to_bits());
    out.push(kind);
    body(out);
    let content = start + FRAME_HEADER_BYTES;
    let length = (out.len() - content) as u32;
    let crc = crc32fast::hash(&out[content..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..content].copy_from_slice(&crc.to_le_bytes());
}

/// What is wrong with a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadFrame {
    /// It announces more bytes than a frame may have.
    TooLarge,
    /// It announces fewer bytes than a frame needs.
    TooSmall,
    /// Its checksum does not fit.
    Checksum,
    /// Its content is no message.
    Malformed,
    /// It is for a node that is not here, or from one that is not there.
    Misdirected,
    /// Its message is of a kind that its receiver is never sent, or in another node's name.
    Unexpected,
    /// It was not sealed with the key by whoever shook hands.
    NotSealed,
    /// It is a part that does not follow what came of its transfer, or comes before there is room for it.
    Transfer,
}

impl BadFrame {
    /// The name by which it is counted.
    pub fn name(self) -> &'static str {
        match self {
            BadFrame::TooLarge => "frame_too_large",
            BadFrame::TooSmall => "frame_too_small",
            BadFrame::Checksum => "frame_checksum",
            BadFrame::Malformed => "frame_malformed",
            BadFrame::Misdirected => "frame_misdirected",
            BadFrame::Unexpected => "frame_unexpected",
            BadFrame::NotSealed => "frame_not_sealed",
            BadFrame::Transfer => "frame_transfer",
        }
    }
}

/// One frame of a buffer: who, to whom, and what.
pub struct Frame<'a> {
    /// Up to which record the sender's journal was durable.
    pub durable: u64,
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
    /// What it says.
    pub body: Body<'a>,
    /// The bytes of the whole frame.
    pub bytes: usize,
}

/// What a frame says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body<'a> {
    /// A message, in its byte form.
    Message(&'a [u8]),
    /// A part of one.
    Part(Part<'a>),
    /// How far the receiver of parts is.
    Ack(Ack),
}

/// The first frame of `buffer`, if it is there to its end.
///
/// # Errors
/// If it is no frame.
pub fn first_frame(buffer: &[u8]) -> Result<Option<Frame<'_>>, BadFrame> {
    let Some((header, rest)) = buffer.split_at_checked(FRAME_HEADER_BYTES) else { return Ok(None) };
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let length = word(0) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(BadFrame::TooLarge);
    }
    if length < CONTENT_HEADER_BYTES {
        return Err(BadFrame::TooSmall);
    }
    let Some(content) = rest.get(..length) else { return Ok(None) };
    if crc32fast::hash(content) != word(4) {
        return Err(BadFrame::Checksum);
    }
    let (durable, from, to, body) = read_content(content).map_err(|_| BadFrame::Malformed)?;
    Ok(Some(Frame { durable, from, to, body, bytes: FRAME_HEADER_BYTES + length }))
}

fn read_content(content: &[u8]) -> Result<(u64, NodeId, NodeId, Body<'_>), Malformed> {
    let mut input = Cursor::new(content);
    let durable = input.u64()?;
    let (from, to) = (NodeId::from_bits(input.u32()?), NodeId::from_bits(input.u32()?));
    let body = match input.u8()? {
        KIND_MESSAGE => Body::Message(input.take(input.remaining())?),
        KIND_PART => {
            let (transfer, part) = (input.u64()?, input.u64()?);
            let is_last = match input.u8()? {
                0 => false,
                1 => true,
                2.. => return Err(Malformed("neither true nor false")),
            };
            Body::Part(Part { transfer, part, is_last, bytes: input.take(input.remaining())? })
        }
        KIND_ACK => {
            let (transfer, next) = (input.u64()?, input.u64()?);
            let state = match input.u8()? {
                0 => AckState::UnderWay,
                1 => AckState::Done,
                2 => AckState::GivenUp,
                3.. => return Err(Malformed("no such state of a transfer")),
            };
            if !input.is_empty() {
                return Err(Malformed("bytes left over"));
            }
            Body::Ack(Ack { transfer, next, state })
        }
        0 | 4.. => return Err(Malformed("no such kind of frame")),
    };
    Ok((durable, from, to, body))
}

#[cfg(test)]
mod tests {
    use super::{
        BadFrame, Body, Hello, Refusal, Seen, answer_from_bytes, answer_to_bytes, first_frame, put_frame,
    };
    use synod_node::NodeId;

    const HELLO: Hello = Hello { cluster: 7, from: 1, to: 2, incarnation: 3, start: 4, nonce: 6, disk: 5 };

    #[test]
    fn a_hello_survives_and_every_flipped_bit_is_noticed() {
        let bytes = HELLO.to_bytes();
        assert_eq!(Hello::from_bytes(&bytes.clone().try_into().unwrap()), Ok(HELLO));
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let read = Hello::from_bytes(&broken.try_into().unwrap());
            assert!(
                matches!(read, Err(Refusal::NotAPeer | Refusal::NewerVersion | Refusal::OlderVersion)),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn every_answer_survives() {
        for answer in Refusal::ALL.map(Err).into_iter().chain([Ok(())]) {
            for seen in [None, Some(Seen { start: 1, nonce: u128::MAX - 2, durable: 3 })] {
                let bytes = answer_to_bytes(answer, seen).try_into().unwrap();
                assert_eq!(answer_from_bytes(&bytes), (answer, seen));
            }
        }
    }

    #[test]
    fn a_frame_survives_and_no_broken_one_passes() {
        let mut bytes = Vec::new();
        put_frame(&mut bytes, 9, (NodeId::server(1), NodeId::client(2)), &77u64);
        let whole = first_frame(&bytes).unwrap().unwrap();
        assert_eq!(
            (whole.durable, whole.from, whole.to, whole.body, whole.bytes),
            (9, NodeId::server(1), NodeId::client(2), Body::Message(&[77]), bytes.len())
        );
        for cut in 0..bytes.len() {
            assert!(first_frame(&bytes[..cut]).unwrap().is_none());
        }
        for bit in 32..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(first_frame(&broken).err(), Some(BadFrame::Checksum), "bit {bit}");
        }
        assert_eq!(first_frame(&[0xff; 8]).err(), Some(BadFrame::TooLarge));
        assert_eq!(first_frame(&[0; 8]).err(), Some(BadFrame::TooSmall));
    }
}
