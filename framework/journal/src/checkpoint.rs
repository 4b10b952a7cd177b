//! Checkpoints: the state of one node in a file of its own, in place of the records that led to it.

use crate::disk::Disk;
use crate::error::{Error, at};
use crate::files::{checkpoint_name, replace};
use crate::format::{CheckpointHeader, Owner};
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
        let covered = covered.sequence();
        let header = CheckpointHeader { node, covered }.to_bytes(self.owner, content);
        replace(&self.disk, &checkpoint_name(node, covered), &[&header, content])?;
        Ok(Stored { node, covered, bytes: content.len() as u64 })
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
