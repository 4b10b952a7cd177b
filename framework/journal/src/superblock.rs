//! The superblock says whose the files are, which start this is, and how far the journal went: one small truth in two files.
//!
//! ```text
//! superblock-a, superblock-b (512 bytes for the watermark, then the content)
//!    0 "SynodWtr"   8 version u32   12 number of peers u32   16 disk u128   32 durable u64
//!   40 peers (peer u32, its disk u64, its durable u64)   then zeros   508 checksum of 0..508
//!  512 "SynodSup"   8 version u32   12 checksum of 0..12   16 length of the body u32   20 checksum of the body
//!   24 body: node u32, cluster u64, incarnation u64, disk u128, number u64, is founded u8, durable u64,
//!            starts (u32, then each: number u64, nonce u128, began u64),
//!            facts (u32, then each: length u32, name, length u32, bytes)
//! ```
//!
//! Each change is written to both files, one after the other, and counts once both are durable. So a crash leaves at
//! least one of them whole, and any one of them may be lost without losing what counted.
//!
//! Superblock and journal vouch for each other: the watermark says up to which record the journal was durable, and the
//! manifest says of which number a superblock there was. Neither can be put back to an older copy alone. The watermark
//! is written after each batch without waiting for the disk: where a program is killed it is exact, where the power fails
//! it may be a few seconds old, which is never too far. It also has what was heard of the journals of peers, for them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use synod_stdx::{Cursor, Malformed, put_u32, put_u64};

use crate::disk::Disk;
use crate::error::{Error, at};
use crate::files::{ASIDE, replace};
use crate::format::{NUMBER_MAX, VERSION, u128_of};
use crate::{Identity, Opener};

/// The two copies.
pub(crate) const COPIES: [&str; 2] = ["superblock-a", "superblock-b"];
/// The watermark has the first sector for itself: a disk writes a sector whole or not at all.
pub(crate) const WATERMARK_BYTES: usize = 512;
pub(crate) const WATERMARK_MAGIC: &[u8; 8] = b"SynodWtr";
pub(crate) const CONTENT_MAGIC: &[u8; 8] = b"SynodSup";
pub(crate) const PRELUDE_BYTES: usize = 24;
/// The latest starts are known, so many of them: a peer that has seen one of them can be told from one that has seen
/// another life of this disk.
pub(crate) const STARTS_MAX: usize = 64;

/// Of so many peers the watermark has what was heard of them.
const HEARD_MAX: usize = 23;

/// What was heard of a peer's journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// Whose.
    pub peer: u32,
    /// The lower half of the number of its disk.
    pub disk: u64,
    /// Up to this record it was durable.
    pub durable: u64,
}

/// One start of the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// Its number: 1 for the first, and one more each time.
    pub number: u64,
    /// 128 bits that were drawn for it.
    pub nonce: u128,
    /// The last record that was durable when it began.
    pub began: u64,
}

/// What the superblock says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Content {
    pub(crate) identity: Identity,
    /// 128 bits that were drawn when the disk was first used.
    pub(crate) disk: u128,
    /// One more with each change.
    pub(crate) number: u64,
    /// Whether the journal was made. Before, nothing ever ran.
    pub(crate) is_founded: bool,
    /// The journal was durable up to this record when this was written.
    pub(crate) durable: u64,
    /// The latest starts, in order.
    pub(crate) starts: VecDeque<Start>,
    /// What the program keeps here, by name.
    pub(crate) facts: BTreeMap<String, Vec<u8>>,
}

impl Content {
    /// That of a disk on which nothing ever ran.
    pub(crate) fn new(opener: Opener) -> Content {
        Content {
            identity: opener.identity,
            disk: opener.nonce,
            number: 1,
            is_founded: false,
            durable: 0,
            starts: VecDeque::new(),
            facts: BTreeMap::new(),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put_u32(&mut body, self.identity.node);
        put_u64(&mut body, self.identity.cluster);
        put_u64(&mut body, self.identity.incarnation);
        body.extend_from_slice(&self.disk.to_le_bytes());
        put_u64(&mut body, self.number);
        body.push(u8::from(self.is_founded));
        put_u64(&mut body, self.durable);
        put_u32(&mut body, self.starts.len() as u32);
        for start in &self.starts {
            put_u64(&mut body, start.number);
            body.extend_from_slice(&start.nonce.to_le_bytes());
            put_u64(&mut body, start.began);
        }
        put_u32(&mut body, self.facts.len() as u32);
        for (name, bytes) in &self.facts {
            for part in [name.as_bytes(), bytes] {
                put_u32(&mut body, part.len() as u32);
                body.extend_from_slice(part);
            }
        }
        let mut out = CONTENT_MAGIC.to_vec();
        put_u32(&mut out, VERSION);
        let checksum = crc32fast::hash(&out);
        put_u32(&mut out, checksum);
        put_u32(&mut out, body.len() as u32);
        put_u32(&mut out, crc32fast::hash(&body));
        out.extend_from_slice(&body);
        out
    }

    fn parse(body: &[u8]) -> Result<Content, Malformed> {
        let mut input = Cursor::new(body);
        let node = input.u32()?;
        let identity = Identity { node, cluster: input.u64()?, incarnation: input.u64()? };
        let (disk, number) = (u128_of(&mut input)?, input.u64()?);
        let is_founded = input.u8()? == 1;
        let durable = input.u64()?;
        let starts = (0..input.u32()?)
            .map(|_| Ok(Start { number: input.u64()?, nonce: u128_of(&mut input)?, began: input.u64()? }))
            .collect::<Result<_, Malformed>>()?;
        let mut facts = BTreeMap::new();
        for _ in 0..input.u32()? {
            let mut part = || -> Result<Vec<u8>, Malformed> {
                let length = input.u32()? as usize;
                Ok(input.take(length)?.to_vec())
            };
            let name = String::from_utf8(part()?).map_err(|_| Malformed("the name of a fact is no text"))?;
            facts.insert(name, part()?);
        }
        if number.max(durable) > NUMBER_MAX {
            return Err(Malformed("it has numbers that no superblock reaches"));
        }
        match input.remaining() {
            0 => Ok(Content { identity, disk, number, is_founded, durable, starts, facts }),
            _ => Err(Malformed("something follows the facts")),
        }
    }
}

/// What moves with every batch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Watermark {
    pub(crate) durable: u64,
    pub(crate) heard: Vec<Heard>,
}

impl Watermark {
    fn to_bytes(&self, disk: u128) -> Vec<u8> {
        let heard = &self.heard[..self.heard.len().min(HEARD_MAX)];
        let mut out = WATERMARK_MAGIC.to_vec();
        put_u32(&mut out, VERSION);
        put_u32(&mut out, heard.len() as u32);
        out.extend_from_slice(&disk.to_le_bytes());
        put_u64(&mut out, self.durable);
        for Heard { peer, disk, durable } in heard {
            put_u32(&mut out, *peer);
            put_u64(&mut out, *disk);
            put_u64(&mut out, *durable);
        }
        out.resize(WATERMARK_BYTES - 4, 0);
        let checksum = crc32fast::hash(&out);
        put_u32(&mut out, checksum);
        out
    }

    /// The watermark of `disk` at the front of `bytes`, if there is a sound one.
    fn read(bytes: &[u8], disk: u128) -> Option<Watermark> {
        let sector = bytes.get(..WATERMARK_BYTES)?;
        let parse = || -> Result<Watermark, Malformed> {
            let mut input = Cursor::new(&sector[12..]);
            let count = input.u32()?;
            input.take(16)?;
            let durable = input.u64()?;
            let heard = (0..count)
                .map(|_| Ok(Heard { peer: input.u32()?, disk: input.u64()?, durable: input.u64()? }))
                .collect::<Result<_, Malformed>>()?;
            Ok(Watermark { durable, heard })
        };
        parse().ok().filter(|found| found.durable <= NUMBER_MAX && found.to_bytes(disk) == sector)
    }

    /// The furthest of both.
    fn join(&mut self, other: &Watermark) {
        self.durable = self.durable.max(other.durable);
        other.heard.iter().for_each(|heard| self.hear(*heard));
    }

    fn hear(&mut self, news: Heard) {
        match self.heard.iter_mut().find(|known| known.peer == news.peer) {
            Some(known) if known.disk == news.disk => known.durable = known.durable.max(news.durable),
            Some(known) => *known = news,
            None => self.heard.push(news),
        }
    }
}

/// One copy, as it was found.
pub(crate) struct Copy {
    pub(crate) name: &'static str,
    pub(crate) found: Found,
}

/// What a copy is.
pub(crate) enum Found {
    /// There is no such file.
    Absent,
    /// Its content is whole. The watermark may not be.
    Whole { content: Content, watermark: Option<Watermark> },
    /// Where it is damaged, and how.
    Damaged(u64, &'static str),
    /// It is of a later release.
    Newer(u32),
}

/// Reads both copies.
pub(crate) fn read_copies<D: Disk>(disk: &D) -> Result<[Copy; 2], Error> {
    let names = disk.list().map_err(at("list", "the data directory"))?;
    let read = |name: &'static str| {
        if !names.iter().any(|other| other == name) {
            return Ok(Copy { name, found: Found::Absent });
        }
        let bytes = disk.read(name).map_err(at("read", name))?;
        Ok(Copy { name, found: found(&bytes) })
    };
    Ok([read(COPIES[0])?, read(COPIES[1])?])
}

fn found(bytes: &[u8]) -> Found {
    let at = WATERMARK_BYTES as u64;
    let Some(content) = bytes.get(WATERMARK_BYTES..).filter(|content| content.len() >= PRELUDE_BYTES) else {
        return Found::Damaged(bytes.len() as u64, "the file ends before its content");
    };
    let (prelude, body) = content.split_at(PRELUDE_BYTES);
    let mut input = Cursor::new(&prelude[8..]);
    let words = [input.u32(), input.u32(), input.u32(), input.u32()].map(|word| word.unwrap_or(0));
    if !prelude.starts_with(CONTENT_MAGIC) || crc32fast::hash(&prelude[..12]) != words[1] {
        return Found::Damaged(at, "the content does not begin as a superblock's");
    }
    if words[0] > VERSION {
        return Found::Newer(words[0]);
    }
    if words[2] as usize != body.len() || crc32fast::hash(body) != words[3] || words[0] != VERSION {
        return Found::Damaged(at + PRELUDE_BYTES as u64, "the content's checksum is wrong");
    }
    match Content::parse(body) {
        Ok(content) => {
            let watermark = Watermark::read(bytes, content.disk);
            Found::Whole { content, watermark }
        }
        Err(Malformed(why)) => Found::Damaged(at + PRELUDE_BYTES as u64, why),
    }
}

/// What the copies say together to `owner`, or none where neither is there. The watermark is the furthest that any of them
/// has.
///
/// # Errors
/// If no copy is whole, or they are of two disks.
pub(crate) fn join(copies: &[Copy; 2], owner: Identity) -> Result<Option<(Content, Watermark)>, Error> {
    let mut newest: Option<Content> = None;
    let mut furthest = Watermark::default();
    for copy in copies {
        match &copy.found {
            Found::Newer(version) => {
                return Err(Error::NewerVersion { file: copy.name.to_owned(), version: *version });
            }
            Found::Whole { content, watermark } => {
                furthest.durable = furthest.durable.max(content.durable);
                watermark.iter().for_each(|watermark| furthest.join(watermark));
                if newest.as_ref().is_none_or(|newest| newest.number < content.number) {
                    newest = Some(content.clone());
                }
            }
            Found::Absent | Found::Damaged(..) => {}
        }
    }
    if let Some(mut content) = newest {
        if let Some(foreign) = foreign_copy(copies, owner) {
            return Err(Error::damaged(foreign, 0, "superblock-a and superblock-b are of two disks"));
        }
        content.durable = furthest.durable;
        return Ok(Some((content, furthest)));
    }
    let damaged = copies.iter().find_map(|copy| match copy.found {
        Found::Damaged(offset, detail) => Some(Error::damaged(
            copy.name,
            offset,
            format!("{detail}, and the other copy is missing or damaged too"),
        )),
        Found::Absent | Found::Whole { .. } | Found::Newer(_) => None,
    });
    damaged.map_or(Ok(None), Err)
}

/// Where the copies are of two disks, the one that is not of `owner`'s, as far as that can be told.
fn foreign_copy(copies: &[Copy; 2], owner: Identity) -> Option<&'static str> {
    let [Found::Whole { content: a, .. }, Found::Whole { content: b, .. }] =
        copies.each_ref().map(|copy| &copy.found)
    else {
        return None;
    };
    let is_ours = (a.identity.node, a.identity.cluster) == (owner.node, owner.cluster);
    let is_one_disk = (a.disk, a.identity) == (b.disk, b.identity);
    (!is_one_disk).then(|| copies[usize::from(is_ours)].name)
}

/// The superblock of a journal that is open. Clones share it: the thread that writes batches moves the watermark, the one
/// that runs the nodes keeps facts.
#[derive(Debug)]
pub struct Superblock<D> {
    inside: Arc<Mutex<Inside<D>>>,
}

impl<D> Clone for Superblock<D> {
    fn clone(&self) -> Self {
        Superblock { inside: Arc::clone(&self.inside) }
    }
}

#[derive(Debug)]
struct Inside<D> {
    disk: D,
    content: Content,
    watermark: Watermark,
    /// How often the watermark moved: the copies take turns.
    marks: usize,
    /// An earlier write failed.
    is_poisoned: bool,
}

impl<D: Disk> Superblock<D> {
    pub(crate) fn new(disk: D, content: Content, watermark: Watermark) -> Self {
        let inside = Inside { disk, content, watermark, marks: 0, is_poisoned: false };
        Superblock { inside: Arc::new(Mutex::new(inside)) }
    }

    fn inside(&self) -> MutexGuard<'_, Inside<D>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the disk: 128 bits that were drawn when it was first used.
    pub fn disk(&self) -> u128 {
        self.inside().content.disk
    }

    /// The latest starts, in order; the last of them is this one.
    pub fn starts(&self) -> Vec<Start> {
        self.inside().content.starts.iter().copied().collect()
    }

    /// What was heard of peers' journals, as far as it is known.
    pub fn heard(&self) -> Vec<Heard> {
        self.inside().watermark.heard.clone()
    }

    /// Something was heard of a peer's journal. It moves with the watermark, of 23 peers at most.
    pub fn hear(&self, heard: Heard) {
        self.inside().watermark.hear(heard);
    }

    /// What was kept under `name`.
    pub fn fact(&self, name: &str) -> Option<Vec<u8>> {
        self.inside().content.facts.get(name).cloned()
    }

    /// Keeps `bytes` under `name`: durable when it returns. Yields the superblock's number, to be
    /// [told](crate::Writer::bind) to the journal.
    ///
    /// # Errors
    /// If the disk refuses: as with the journal, the process must stop.
    pub fn keep(&self, name: &str, bytes: Vec<u8>) -> Result<u64, Error> {
        self.change(|content| {
            content.facts.insert(name.to_owned(), bytes);
        })
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Content)) -> Result<u64, Error> {
        let mut inside = self.inside();
        change(&mut inside.content);
        inside.content.number += 1;
        inside.watermark.durable = inside.watermark.durable.max(inside.content.durable);
        inside.content.durable = inside.watermark.durable;
        inside.poisoning(|inside| write_copies(&inside.disk, &inside.content, &inside.watermark))?;
        Ok(inside.content.number)
    }

    /// The journal is durable up to record `durable`. Does not wait for the disk. While facts are kept it waits for nobody
    /// either: a watermark may be behind.
    pub(crate) fn mark(&self, durable: u64) -> Result<(), Error> {
        let mut inside = match self.inside.try_lock() {
            Ok(inside) => inside,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        inside.watermark.durable = durable;
        let name = COPIES[inside.marks % COPIES.len()];
        inside.marks += 1;
        inside.poisoning(|inside| {
            let sector = inside.watermark.to_bytes(inside.content.disk);
            inside.disk.write_at(name, 0, &sector).map_err(at("write", name))
        })
    }
}

impl<D: Disk> Inside<D> {
    fn poisoning(&mut self, work: impl FnOnce(&Self) -> Result<(), Error>) -> Result<(), Error> {
        if self.is_poisoned {
            return Err(Error::Poisoned);
        }
        self.is_poisoned = true;
        work(self)?;
        self.is_poisoned = false;
        Ok(())
    }
}

/// Writes both copies, one after the other.
pub(crate) fn write_copies<D: Disk>(disk: &D, content: &Content, watermark: &Watermark) -> Result<(), Error> {
    let (sector, bytes) = (watermark.to_bytes(content.disk), content.to_bytes());
    COPIES.into_iter().try_for_each(|name| replace(disk, name, &[&sector[..], &bytes].concat()))
}

/// Removes what a crash left of a copy on its way to its name.
pub(crate) fn clean_up<D: Disk>(disk: &D) -> Result<(), Error> {
    for name in COPIES.map(|name| format!("{name}{ASIDE}")) {
        match disk.remove(&name) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed.map_err(at("remove", &name))?,
        }
    }
    Ok(())
}
