//! Checkpoints: the state of one node in a file of its own, in place of the records that led to it.

use crate::disk::Disk;
use crate::error::{Error, at};
use crate::files::{Aside, checkpoint_name};
use crate::format::{CheckpointFile, CheckpointHeader, CheckpointParts, HEADER_BYTES, Owner};
use crate::writer::{Durable, SpareOrder};

/// Stores checkpoints. Needs neither appender nor writer, so that a large one may be stored from any thread while
/// both go on.
#[derive(Clone, Debug)]
pub struct Checkpointer<D> {
    disk: D,
    owner: Owner,
}

/// A checkpoint that is durable. Hand it to [`Writer::release`](crate::Writer::release).
#[derive(Debug)]
#[must_use = "records are let go only by Writer::release"]
pub struct Stored {
    pub(crate) node: u32,
    pub(crate) covered: u64,
    pub(crate) bytes: u64,
}

impl Stored {
    /// The bytes of its content.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl<D: Disk> Checkpointer<D> {
    pub(crate) fn new(disk: D, owner: Owner) -> Self {
        Checkpointer { disk, owner }
    }

    /// Stores `content` as the state of protocol node `node` that includes all its records up to `covered`: written
    /// aside, synced, named, the name synced. After a crash the node gets this content, or that of its checkpoint
    /// before, never part of one.
    ///
    /// # Errors
    /// If the disk refuses; the process must stop.
    pub fn store(&self, node: u32, covered: Durable, content: &[u8]) -> Result<Stored, Error> {
        self.store_parts(node, covered, |put| {
            put(content);
        })
    }

    /// The same for a content that `write` puts part after part, each of any size. What `write` puts is told to go on until
    /// the disk refuses.
    ///
    /// # Errors
    /// As [`store`](Checkpointer::store).
    pub fn store_parts(
        &self,
        node: u32,
        covered: Durable,
        write: impl FnOnce(&mut dyn FnMut(&[u8]) -> bool),
    ) -> Result<Stored, Error> {
        let (covered, owner) = (covered.sequence(), self.owner);
        let name = checkpoint_name(node, covered);
        let mut file = Aside::create(&self.disk, &name, HEADER_BYTES as u64)?;
        let mut checksum = crc32fast::Hasher::new();
        let mut outcome = Ok(());
        write(&mut |part| {
            if outcome.is_ok() {
                checksum.update(part);
                outcome = file.put(part);
            }
            outcome.is_ok()
        });
        outcome?;
        let bytes = file.end() - HEADER_BYTES as u64;
        let header = CheckpointHeader { node, covered }.to_bytes(owner, bytes, checksum.finalize());
        file.finish(&header)?;
        Ok(Stored { node, covered, bytes })
    }

    /// Reads the content of a checkpoint that opening the journal gave.
    pub fn parts<'a>(&'a self, file: &'a CheckpointFile) -> CheckpointParts<'a, D> {
        CheckpointParts::new(&self.disk, file)
    }

    /// Makes a segment that was [ordered](crate::Writer::order_spare), from any thread.
    ///
    /// # Errors
    /// If the disk refuses; the process must stop.
    pub fn make_spare(&self, order: &SpareOrder) -> Result<(), Error> {
        self.disk.create(&order.name, order.bytes).map_err(at("create", &order.name))?;
        self.disk.sync(&order.name).map_err(at("sync", &order.name))
    }
}
