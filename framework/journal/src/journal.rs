//! The three parts together, and what opening gives.

use std::collections::BTreeMap;
use std::fmt;

use crate::appender::{Appender, Batch};
use crate::checkpoint::Checkpointer;
use crate::disk::Disk;
use crate::error::Error;
use crate::files::replace_manifest;
use crate::format::{CheckpointFile, HEADER_BYTES, Manifest, Owner};
use crate::recovery::{FromJournal, is_formatted, recover};
use crate::superblock::{self, COPIES, Content, Found, STARTS_MAX, Start, Superblock, Watermark};
use crate::writer::{Durable, Writer};

/// Whose journal it is. A server that lost its disk gets a new incarnation, and with it a new directory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Identity {
    /// The cluster.
    pub cluster: u64,
    /// The server in it.
    pub node: u32,
    /// Which of its lives.
    pub incarnation: u64,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{} incarnation {} of cluster {:016x}", self.node, self.incarnation, self.cluster)
    }
}

/// How a journal uses its directory.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The size of a segment file. A record that does not fit gets a larger one for itself. At least 64.
    pub segment_bytes: u64,
    /// How many files are kept to be used again, at most.
    pub spares_max: usize,
    /// So many bytes may the journal hold beyond what the checkpoints hold before those nodes are named whose records keep it
    /// from getting shorter.
    pub slack_bytes: u64,
    /// Puts a record into words (node, kind, payload), such as the slots that it is about, for reports of damage
    /// next to it.
    pub describe: fn(u32, u8, &[u8]) -> String,
}

impl Default for Options {
    /// Segments of 64 MiB, two spare, 128 MiB of slack, records described by node, kind and length.
    fn default() -> Self {
        Options {
            segment_bytes: 64 << 20,
            spares_max: 2,
            slack_bytes: 128 << 20,
            describe: |node, kind, payload| format!("node {node}, kind {kind}, {} bytes", payload.len()),
        }
    }
}

/// One record as it was appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its number among all records of the journal.
    pub sequence: u64,
    /// The caller's kind.
    pub kind: u8,
    /// The caller's bytes.
    pub payload: Vec<u8>,
}

/// What a journal has of one protocol node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeLog {
    /// The newest checkpoint: its content is read [part by part](Checkpointer::parts).
    pub checkpoint: Option<CheckpointFile>,
    /// The records after it, or all if there is none, in order.
    pub records: Vec<Record>,
}

/// Where a process keeps what it must not forget.
#[derive(Clone, Debug)]
pub struct Disks<D> {
    /// The directory of the superblock.
    pub home: D,
    /// That of the journal.
    pub journal: D,
}

/// Who opens a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opener {
    /// Whose it must be. A directory of a later incarnation of the same server is its own, too.
    pub identity: Identity,
    /// 128 bits that were drawn for this start.
    pub nonce: u128,
}

/// What is known of a disk before its journal is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prior {
    /// Whose it is.
    pub identity: Identity,
    /// The number of the disk.
    pub disk: u128,
    /// Whether nothing ever ran on it.
    pub is_new: bool,
}

/// What opening a journal gives. All of it is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// Whose it is.
    pub identity: Identity,
    /// Whether nothing ever ran in the directories: they were empty, or a crash had ended their first opening.
    pub is_new: bool,
    /// Files that were missing or damaged, and were written anew from their copies.
    pub mended: Vec<String>,
    /// By protocol node.
    pub nodes: BTreeMap<u32, NodeLog>,
    /// Whether part of a batch was found that a crash had cut off, and was dropped.
    pub torn_tail: bool,
}

/// A journal in one piece, for who needs no threads. Take the parts out for who does.
#[derive(Debug)]
pub struct Journal<D> {
    /// Where records go.
    pub appender: Appender,
    /// What makes them durable.
    pub writer: Writer<D>,
    /// What stores checkpoints.
    pub checkpointer: Checkpointer<D>,
    /// What vouches for it.
    pub superblock: Superblock<D>,
    spare: Batch,
}

impl<D: Disk + Clone> Journal<D> {
    /// Opens the journal and gives what it has. Directories that are empty, both of them, become its own.
    ///
    /// # Errors
    /// Each variant of [`Error`] but `Poisoned` and `Locked`; nothing is ever given that was not appended, and nothing
    /// durable is left out.
    ///
    /// # Panics
    /// If `options.segment_bytes` has no room for a header.
    pub fn open(disks: Disks<D>, opener: Opener, options: Options) -> Result<(Journal<D>, Recovered), Error> {
        assert!(options.segment_bytes >= HEADER_BYTES as u64, "a segment has room for its header");
        let Disks { home, journal } = disks;
        let Read { content, watermark, mended } = read_or_found((&home, &journal), opener)?;
        let owner = Owner { identity: content.identity, disk: content.disk };
        if !content.is_founded && !is_formatted(&journal)? {
            let manifest =
                Manifest { owner, first_segment: 1, last_segment: 0, superblock: 0, covered: Vec::new() };
            replace_manifest(&journal, &manifest)?;
        }
        let superblock = Superblock::new(home.clone(), content.clone(), watermark);
        let checkpointer = Checkpointer::new(journal.clone(), owner);
        let FromJournal { mut writer, nodes, torn_tail } =
            recover(journal, (&content, superblock.clone()), options)?;
        superblock::clean_up(&home)?;
        begin(&superblock, &mut writer, opener.nonce)?;
        let appender = Appender::new(writer.durable().sequence() + 1);
        let recovered =
            Recovered { identity: content.identity, is_new: !content.is_founded, mended, nodes, torn_tail };
        Ok((Journal { appender, writer, checkpointer, superblock, spare: Batch::default() }, recovered))
    }

    /// Writes into `home` the superblock of a disk on which nothing ever ran, in place of one that is there. Until the
    /// journal of the old one is gone, the new one does not open. The nonce is the disk's number.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn begin_anew(home: &D, opener: Opener, facts: &[(&str, Vec<u8>)]) -> Result<(), Error> {
        let mut content = Content::new(opener);
        content.facts.extend(facts.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())));
        superblock::write_copies(home, &content, &Watermark::default())
    }

    /// What the superblock says before the journal is opened. Where there is none, one is written for a disk on which nothing
    /// ever ran, whose number is the nonce.
    ///
    /// # Errors
    /// As [`Journal::open`], as far as it is about the superblock.
    pub fn prior(disks: &Disks<D>, opener: Opener) -> Result<Prior, Error> {
        let Read { content, .. } = read_or_found((&disks.home, &disks.journal), opener)?;
        let Content { identity, disk, is_founded, .. } = content;
        Ok(Prior { identity, disk, is_new: !is_founded })
    }

    /// Makes durable what was appended.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn commit(&mut self) -> Result<Durable, Error> {
        let mut batch = self.appender.take_batch(std::mem::take(&mut self.spare));
        let durable = self.writer.write(&mut batch)?;
        self.spare = batch;
        Ok(durable)
    }

    /// Makes durable what was appended, and then puts `content` in the place of all records of `node`.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn checkpoint(&mut self, node: u32, content: &[u8]) -> Result<(), Error> {
        let durable = self.commit()?;
        let stored = self.checkpointer.store(node, durable, content)?;
        self.writer.release(stored)
    }
}

/// What the superblock says.
struct Read {
    content: Content,
    watermark: Watermark,
    /// The copies that are to be written anew.
    mended: Vec<String>,
}

/// What the superblock says; of a new one where nothing is.
fn read_or_found<D: Disk>((home, journal): (&D, &D), opener: Opener) -> Result<Read, Error> {
    let identity = opener.identity;
    let copies = superblock::read_copies(home)?;
    let Some((content, watermark)) = superblock::join(&copies, identity)? else {
        if is_formatted(journal)? {
            let detail = "both copies of the superblock are missing although there is a journal";
            return Err(Error::damaged(COPIES[0], 0, detail));
        }
        let content = Content::new(opener);
        superblock::write_copies(home, &content, &Watermark::default())?;
        return Ok(Read { content, watermark: Watermark::default(), mended: Vec::new() });
    };
    let found = content.identity;
    let is_ours = (found.cluster, found.node) == (identity.cluster, identity.node);
    let is_former = found.incarnation < identity.incarnation && content.is_founded;
    if !is_ours || is_former {
        let file = COPIES[0].to_owned();
        return Err(Error::WrongIdentity { file, expected: identity, found });
    }
    let is_whole = |found: &Found| matches!(found, Found::Whole { watermark: Some(_), .. });
    let mended =
        copies.iter().filter(|copy| !is_whole(&copy.found)).map(|copy| copy.name.to_owned()).collect();
    Ok(Read { content, watermark, mended })
}

/// The next start begins: superblock and journal know of each other from here on.
fn begin<D: Disk>(superblock: &Superblock<D>, writer: &mut Writer<D>, nonce: u128) -> Result<(), Error> {
    let last = superblock.starts().last().map_or(0, |start| start.number);
    let number =
        last.checked_add(1).ok_or(Error::Exhausted { what: "the number of this process's starts" })?;
    let began = writer.durable().sequence();
    let superblock = superblock.change(|content| {
        content.is_founded = true;
        content.durable = began;
        content.starts.push_back(Start { number, nonce, began });
        while content.starts.len() > STARTS_MAX {
            content.starts.pop_front();
        }
    })?;
    writer.bind(superblock)
}
