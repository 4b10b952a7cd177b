//! Tests: a directory that crashes and rots, and the dumb twin of a journal.

mod crashes;
mod damage;
mod forged;
mod formats;
mod model;
mod segments;
mod superblocks;

use crate::disk::Disk;
use crate::{Disks, Error, Identity, Journal, MemoryDisk, Opener, Options, Recovered};

const OWNER: Identity = Identity { cluster: 0xc1, node: 3, incarnation: 7 };

fn small_segments(segment_bytes: u64) -> Options {
    Options { segment_bytes, ..Options::default() }
}

/// Opens superblock and journal in one directory: no name is of both.
fn open(disk: MemoryDisk, options: Options) -> Result<(Journal<MemoryDisk>, Recovered), Error> {
    open_as(disk, OWNER, options)
}

fn open_as(
    disk: MemoryDisk,
    identity: Identity,
    options: Options,
) -> Result<(Journal<MemoryDisk>, Recovered), Error> {
    let disks = Disks { home: disk.clone(), journal: disk };
    Journal::open(disks, Opener { identity, nonce: 0xf00d }, options)
}

/// A new journal in a new directory.
fn fresh(options: Options) -> (MemoryDisk, Journal<MemoryDisk>) {
    let disk = MemoryDisk::new();
    let (journal, recovered) = open(disk.clone(), options).expect("an empty directory");
    assert!(recovered.is_new && recovered.nodes.is_empty());
    (disk, journal)
}

/// What a node's checkpoint holds.
fn content(disk: &MemoryDisk, log: &crate::NodeLog) -> Option<Vec<u8>> {
    log.checkpoint
        .as_ref()
        .map(|file| disk.read(file.name()).unwrap()[crate::format::HEADER_BYTES..].to_vec())
}

fn payloads(log: &crate::NodeLog) -> Vec<&str> {
    log.records.iter().map(|record| std::str::from_utf8(&record.payload).expect("text")).collect()
}

fn files(disk: &MemoryDisk, prefix: &str) -> Vec<String> {
    disk.list().unwrap().into_iter().filter(|name| name.starts_with(prefix)).collect()
}
