//! The disk half of a replicated log: what a node promised before a crash, it still knows after it.
//!
//! A pure crate over the [`Disk`] trait; the host implements it with files, [`MemoryDisk`] with bytes that crash
//! and rot on demand.
//!
//! # What
//! One journal per server, shared by all its protocol nodes, so that one sync serves them all. Records are
//! numbered; a record is opaque bytes with a kind and the node that it belongs to. A *checkpoint* replaces the
//! records of one node up to a number. Opening a journal gives for each node its newest checkpoint and the records
//! after it.
//!
//! Beside the journal, in a directory above it, is the *superblock*: whose these files are, which disk and which start
//! this is, how far the journal was durable, and small facts that the program [keeps](Superblock::keep) there.
//!
//! Parts that may live on threads of their own:
//! * [`Appender`], on the thread that runs the nodes: puts records into a [`Batch`] in memory.
//! * [`Writer`], on a thread of its own: writes a whole batch, syncs once, and says what is durable. Batches are
//!   recycled.
//! * [`Checkpointer`], on any thread: stores a checkpoint; the writer then lets old segments go.
//! * [`Superblock`], on any thread.
//!
//! # What holds
//! * What [`Writer::write`] returned survives every crash: [`Journal::open`] gives all of it, in order, and perhaps
//!   some of the batch that was being written.
//! * What cannot be given is refused by name. A torn tail (a batch that a crash cut off before anybody was told that
//!   it was durable) is dropped; anything else that cannot be read is [`Error::Damaged`], with file, offset, node
//!   and the good records around it. Nothing is skipped in silence.
//! * Absent is never new. Directories are new only where nothing is in them, or their first opening was cut off before
//!   anything ran; one file without the others is damage.
//! * After a failed write or sync nothing is tried again: the writer is poisoned, and the server stops. What a disk
//!   did with a failed sync nobody knows (Rebello et al., "Can applications recover from fsync failures?", 2020).
//! * A directory of another cluster, node or incarnation is not opened, nor one of a later format. Each file has the
//!   number of its disk in it, which was drawn: a file of another directory is damage, also where clusters have one name.
//! * Superblock or journal, put back to an older copy, is found out by the other (`superblock.rs`).
//!
//! # How
//! *Segments* are files of equal size, filled with zeros before they are used, because overwriting is faster to
//! sync than growing. When checkpoints cover all records of the oldest one, it becomes *spare* and is used again
//! under a new number. Each record carries its segment's *salt*, so that what a recycled file held before is never
//! read as a record.
//!
//! The checksum of a record's header is apart from that of its payload: a broken payload does not hide how long it
//! is, nor whose. A header also says up to which number everything was *synced* when it was written. That is how
//! damage is told from a torn tail: an unreadable record that a later header calls synced was durable once, one
//! that nothing calls so may have been cut off by a crash. A batch calls the one before it synced; of the last batch the
//! superblock's *watermark* says so. After a torn tail numbers go on in a new segment, whose first number says where the
//! old one ends.
//!
//! The *manifest* names the first and last segment and the checkpoints that records were dropped for, so that a
//! missing file is noticed. Manifest, checkpoints and new segments are written aside, synced, renamed, and the
//! directory is synced; a crash leaves the old one or the new one. The manifest is written before old files go and
//! before a new segment gets its first record.
//!
//! Every byte of what was written is vouched for: by a checksum, by being zero where zero is written, or, of a header, by
//! being what it must be. The bytes behind the last record of a segment, and those of a spare, are never read, so a
//! flipped bit there changes nothing.
//!
//! # What is left out
//! * Repair from peers: damage stops the node. Its replacement returns under a new incarnation.
//! * Damage to the last batches together with a power cut that took the watermark of the last seconds with it: they look
//!   like batches that were never acknowledged, as in every log.
//! * Superblock and journal put back to an older copy together: nothing on the disk shows it. Peers do
//!   (`synod-host`), if they saw more.
//! * Compression and encryption: payloads are the caller's.
//!
//! The tests that this crate is built for flip and cut every single byte of a directory (`tests/damage.rs`), after
//! Alagappan et al., "Protocol-aware recovery for consensus-based storage" (2018), and put files and directories back to
//! older and foreign copies (`tests/superblocks.rs`).

mod appender;
mod checkpoint;
mod disk;
mod error;
mod files;
mod forge;
mod format;
mod inspect;
mod journal;
mod memory;
mod recovery;
mod segment_reader;
mod superblock;
#[cfg(test)]
mod tests;
mod writer;

pub use appender::{Appender, Batch};
pub use checkpoint::{Checkpointer, Stored};
pub use disk::Disk;
pub use error::Error;
pub use forge::forge_checksums;
pub use format::{CheckpointFile, CheckpointParts};
pub use inspect::{Inspection, inspect};
pub use journal::{Disks, Identity, Journal, NodeLog, Opener, Options, Prior, Record, Recovered};
pub use memory::MemoryDisk;
pub use superblock::{Heard, Start, Superblock};
pub use writer::{Durable, SpareOrder, Writer};
