//! The three parts together, and what opening gives.

use std::collections::BTreeMap;
use std::fmt;

use crate::appender::{Appender, Batch};
use crate::checkpoint::Checkpointer;
use crate::disk::Disk;
use crate::error::Error;
use crate::files::replace_manifest;
use crate::format::{HEADER_BYTES, Manifest};
use crate::recovery::{is_formatted, recover};
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
    /// Puts a record into words (node, kind, payload), such as the slots that it is about, for reports of damage
    /// next to it.
    pub describe: fn(u32, u8, &[u8]) -> String,
}

impl Default for Options {
    /// Segments of 64 MiB, two spare, records described by node, kind and length.
    fn default() -> Self {
        Options {
            segment_bytes: 64 << 20,
            spares_max: 2,
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
    /// The newest checkpoint.
    pub checkpoint: Option<Vec<u8>>,
    /// The records after it, or all if there is none, in order.
    pub records: Vec<Record>,
}

/// What opening a journal gives. All of it is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovered {
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
    spare: Batch,
}

impl<D: Disk + Clone> Journal<D> {
    /// Makes an empty directory the journal of `identity`.
    ///
    /// # Errors
    /// If there is a journal, or the disk refuses.
    pub fn format(disk: &D, identity: Identity) -> Result<(), Error> {
        if is_formatted(disk)? {
            return Err(Error::AlreadyFormatted);
        }
        let manifest = Manifest { identity, first_segment: 1, last_segment: 0, covered: Vec::new() };
        replace_manifest(disk, &manifest)
    }

    /// Opens the journal of `identity` and gives what it has.
    ///
    /// # Errors
    /// Each variant of [`Error`] but `Poisoned` and `AlreadyFormatted`; nothing is ever given that was not
    /// appended, and nothing durable is left out.
    ///
    /// # Panics
    /// If `options.segment_bytes` has no room for a header.
    pub fn open(disk: D, identity: Identity, options: Options) -> Result<(Journal<D>, Recovered), Error> {
        assert!(options.segment_bytes >= HEADER_BYTES as u64, "a segment has room for its header");
        let checkpointer = Checkpointer::new(disk.clone(), identity);
        let (writer, recovered) = recover(disk, identity, options)?;
        let appender = Appender::new(writer.durable().sequence() + 1);
        Ok((Journal { appender, writer, checkpointer, spare: Batch::default() }, recovered))
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
