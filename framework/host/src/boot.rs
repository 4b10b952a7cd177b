//! A process knows something of its peers before any node runs. By what they know of it, it finds out that its own disk is
//! older than it was.

use crate::frame::{Hello, Refusal, Seen, u128_of};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use synod_journal::{Heard, Start, Superblock};
use synod_stdx::{Cursor, Malformed, put_u32, put_u64};

/// The superblock's fact of what is known of the peers.
pub(crate) const PEERS: &str = "peers";
/// The superblock's fact of why this disk must never be used again.
pub(crate) const REFUSED: &str = "refused";

/// 128 bits that nobody drew before.
///
/// # Errors
/// If the system has none.
pub fn draw() -> io::Result<u128> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u128::from_le_bytes(bytes))
}

/// Why what a peer has seen of this disk cannot have been this disk as it is now, if so: then the disk was put back to an
/// older copy, or another process runs with a copy of it.
pub(crate) fn contradiction<D: synod_journal::Disk>(
    superblock: &Superblock<D>,
    seen: Seen,
) -> Option<String> {
    let starts = superblock.starts();
    let first_known = starts.first()?.number;
    if seen.start < first_known {
        // Too long ago to tell.
        return None;
    }
    let Some(at) = starts.iter().position(|start| (start.number, start.nonce) == (seen.start, seen.nonce))
    else {
        return Some(format!("has seen start {} of it, which it knows nothing of", seen.start));
    };
    let Start { number, began, .. } = starts.get(at + 1)?;
    (*began < seen.durable).then(|| {
        format!(
            "has heard of its record {}, and its start {number} began behind record {began}",
            seen.durable
        )
    })
}

/// What is known of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct KnownPeer {
    /// Its latest life.
    pub(crate) incarnation: u64,
    /// That life's disk.
    pub(crate) disk: u128,
    /// Its latest start, and how far its journal was durable then.
    pub(crate) seen: Seen,
}

/// The lives, disks and starts of the peers, as this process once saw them. Durable: a peer that comes back with an empty
/// disk, or an older copy of it, and says nothing of it must not be taken for the one that promised.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct KnownPeers {
    peers: BTreeMap<u32, KnownPeer>,
}

impl KnownPeers {
    /// Reads what was known.
    ///
    /// # Errors
    /// If these are not the bytes of it.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<KnownPeers, Malformed> {
        let mut input = Cursor::new(bytes);
        let mut peers = BTreeMap::new();
        for _ in 0..input.u32()? {
            let number = input.u32()?;
            let incarnation = input.u64()?;
            let disk = u128_of(&mut input)?;
            let seen = Seen { start: input.u64()?, nonce: u128_of(&mut input)?, durable: input.u64()? };
            peers.insert(number, KnownPeer { incarnation, disk, seen });
        }
        if input.remaining() == 0 {
            Ok(KnownPeers { peers })
        } else {
            Err(Malformed("something follows the peers"))
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_u32(&mut out, self.peers.len() as u32);
        for (number, KnownPeer { incarnation, disk, seen }) in &self.peers {
            put_u32(&mut out, *number);
            put_u64(&mut out, *incarnation);
            out.extend_from_slice(&disk.to_le_bytes());
            put_u64(&mut out, seen.start);
            out.extend_from_slice(&seen.nonce.to_le_bytes());
            put_u64(&mut out, seen.durable);
        }
        out
    }

    /// Whether a peer may come like this, as far as this process can tell.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn check(&self, hello: &Hello) -> Result<(), Refusal> {
        let Some(known) = self.peers.get(&hello.from) else { return Ok(()) };
        if hello.incarnation != known.incarnation {
            let is_later = hello.incarnation > known.incarnation;
            return if is_later { Ok(()) } else { Err(Refusal::Superseded) };
        }
        if hello.disk != known.disk {
            return Err(Refusal::OtherDisk);
        }
        let is_later = hello.start > known.seen.start;
        let is_same = (hello.start, hello.nonce) == (known.seen.start, known.seen.nonce);
        if is_later || is_same { Ok(()) } else { Err(Refusal::Superseded) }
    }

    /// What was seen of the disk that says hello; nothing if it was another one.
    pub(crate) fn seen_of(&self, hello: &Hello) -> Option<Seen> {
        let known = self.peers.get(&hello.from)?;
        ((known.incarnation, known.disk) == (hello.incarnation, hello.disk)).then_some(known.seen)
    }

    /// A peer comes in this life, with this disk, in this start. Yields whether that is news, which must be durable before
    /// anything else of it is heard.
    pub(crate) fn admit(&mut self, hello: &Hello) -> bool {
        let durable = self.seen_of(hello).map_or(0, |seen| seen.durable);
        let seen = Seen { start: hello.start, nonce: hello.nonce, durable };
        let peer = KnownPeer { incarnation: hello.incarnation, disk: hello.disk, seen };
        self.peers.insert(hello.from, peer) != Some(peer)
    }

    /// The peer's journal was durable up to this record when it sent something. Yields what the superblock is to hear of it,
    /// if it is news.
    pub(crate) fn heard(&mut self, number: u32, durable: u64) -> Option<Heard> {
        let peer = self.peers.get_mut(&number).filter(|peer| peer.seen.durable < durable)?;
        peer.seen.durable = durable;
        Some(Heard { peer: number, disk: peer.disk as u64, durable })
    }

    /// Takes up what the superblock heard after this was last kept, as far as it is of the same disks.
    pub(crate) fn hear_again(&mut self, heard: &[Heard]) {
        for Heard { peer, disk, durable } in heard {
            if self.peers.get(peer).is_some_and(|known| known.disk as u64 == *disk) {
                self.heard(*peer, *durable);
            }
        }
    }
}
