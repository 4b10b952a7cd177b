//! Tests: a directory that crashes and rots, and the dumb twin of a journal.

mod crashes;
mod damage;
mod formats;
mod model;
mod segments;

use crate::disk::Disk;
use crate::{Identity, Journal, MemoryDisk, Options};

const OWNER: Identity = Identity { cluster: 0xc1, node: 3, incarnation: 7 };

fn small_segments(segment_bytes: u64) -> Options {
    Options { segment_bytes, ..Options::default() }
}

/// A new journal in a new directory.
fn fresh(options: Options) -> (MemoryDisk, Journal<MemoryDisk>) {
    let disk = MemoryDisk::new();
    Journal::format(&disk, OWNER).expect("an empty directory");
    let (journal, recovered) = Journal::open(disk.clone(), OWNER, options).expect("just formatted");
    assert!(recovered.nodes.is_empty());
    (disk, journal)
}

fn payloads(log: &crate::NodeLog) -> Vec<&str> {
    log.records.iter().map(|record| std::str::from_utf8(&record.payload).expect("text")).collect()
}

fn files(disk: &MemoryDisk, prefix: &str) -> Vec<String> {
    disk.list().unwrap().into_iter().filter(|name| name.starts_with(prefix)).collect()
}
