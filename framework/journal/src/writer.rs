//! The thread's half: batches become durable, segments follow each other and are recycled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::Options;
use crate::appender::Batch;
use crate::checkpoint::Stored;
use crate::disk::Disk;
use crate::error::{Error, at};
use crate::files::{ASIDE, checkpoint_name, replace_manifest, segment_name, spare_name};
use crate::format::{HEADER_BYTES, Manifest, Owner, RecordHeader, SegmentHeader, Stamp, record_bytes};
use crate::superblock::Superblock;

/// The number of a record that is durable, with all before it. Only a journal makes one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Durable(u64);

impl Durable {
    /// The record's sequence number; 0 before the first record.
    pub fn sequence(self) -> u64 {
        self.0
    }
}

/// A segment that has records which some node still needs, or that is being written.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    /// Where the next record goes.
    pub(crate) offset: u64,
    /// For each protocol node with records in it the number of the last one.
    pub(crate) last_of_node: BTreeMap<u32, u64>,
}

/// A segment that is to be made ahead.
#[derive(Debug)]
pub struct SpareOrder {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

/// Writes batches and recycles segments. Lives on a thread of its own.
#[derive(Debug)]
pub struct Writer<D> {
    pub(crate) disk: D,
    pub(crate) options: Options,
    pub(crate) manifest: Manifest,
    /// Oldest first; the last one is being written.
    pub(crate) segments: VecDeque<Segment>,
    /// Files of `Options::segment_bytes` bytes whose content nobody needs.
    pub(crate) spares: Vec<String>,
    /// For each protocol node the size of its checkpoint.
    pub(crate) checkpoints: BTreeMap<u32, u64>,
    /// The nodes that were named as [pinning](Writer::pinning), and have no checkpoint since.
    pub(crate) pinning: BTreeSet<u32>,
    /// A spare is being made.
    pub(crate) is_spare_ordered: bool,
    pub(crate) durable: u64,
    /// What keeps how far the journal is durable, outside of it.
    pub(crate) superblock: Superblock<D>,
    pub(crate) poisoned: bool,
}

impl<D: Disk> Writer<D> {
    /// Writes and syncs `batch`, which is then empty and ready to be reused. What it returns is durable. An empty
    /// batch costs nothing.
    ///
    /// # Errors
    /// If the disk refuses. The writer is then poisoned: every later call fails, and the process must stop.
    ///
    /// # Panics
    /// If the batch does not follow the last one: a bug of the caller.
    pub fn write(&mut self, batch: &mut Batch) -> Result<Durable, Error> {
        if !batch.is_empty() {
            assert_eq!(batch.first_sequence, self.durable + 1, "batches are written in order");
            self.poisoning(|writer| writer.write_records(batch))?;
            batch.clear();
        }
        if self.poisoned { Err(Error::Poisoned) } else { Ok(Durable(self.durable)) }
    }

    /// Writes the watermark again, with what was heard of peers' journals since the last batch.
    ///
    /// # Errors
    /// As [`write`](Writer::write).
    pub fn mark(&mut self) -> Result<(), Error> {
        self.poisoning(|writer| writer.superblock.mark(writer.durable))
    }

    /// The last durable record.
    pub fn durable(&self) -> Durable {
        Durable(self.durable)
    }

    /// Notes that a superblock of this number, or a later one, is beside the journal: an older one will be refused.
    ///
    /// # Errors
    /// As [`write`](Writer::write).
    pub fn bind(&mut self, superblock: u64) -> Result<(), Error> {
        self.poisoning(|writer| {
            if superblock > writer.manifest.superblock {
                writer.manifest.superblock = superblock;
                replace_manifest(&writer.disk, &writer.manifest)?;
            }
            Ok(())
        })
    }

    /// How many segments hold records that some node may need. One that only grows means that a node writes no
    /// checkpoints.
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Lets the records that `stored` covers go: segments that no node needs any more become spare.
    ///
    /// # Errors
    /// As [`write`](Writer::write).
    #[expect(clippy::needless_pass_by_value, reason = "a stored checkpoint is released once")]
    pub fn release(&mut self, stored: Stored) -> Result<(), Error> {
        let Stored { node, covered, bytes } = stored;
        self.checkpoints.insert(node, bytes);
        self.pinning.remove(&node);
        self.poisoning(|writer| writer.release_covered(node, covered))
    }

    /// The nodes whose records keep the oldest segment from being let go, where the journal holds more than all checkpoints
    /// and [`Options::slack_bytes`] together: each needs a checkpoint. A node is named once until it has one.
    pub fn pinning(&mut self) -> Vec<u32> {
        let journal: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        let live: u64 = self.checkpoints.values().sum();
        if self.segments.len() < 2 || journal <= live + self.options.slack_bytes {
            return Vec::new();
        }
        let nodes = self.uncovered(&self.segments[0]);
        nodes.into_iter().filter(|node| self.pinning.insert(*node)).collect()
    }

    /// Asks for a spare segment, if there is none and none is on its way. To make a file takes as long as to fill it, which
    /// batches would wait for: whoever can have it [made](crate::Checkpointer::make_spare) elsewhere hands it in before it
    /// is needed.
    pub fn order_spare(&mut self) -> Option<SpareOrder> {
        if self.is_spare_ordered || !self.spares.is_empty() || self.options.spares_max == 0 {
            return None;
        }
        self.is_spare_ordered = true;
        // A name that nothing else has while this one is on its way, and that a crash leaves to be removed.
        let name = format!("{}{ASIDE}", spare_name(self.manifest.last_segment + 1));
        Some(SpareOrder { name, bytes: self.options.segment_bytes })
    }

    /// Takes a spare that was ordered and made.
    pub fn take_spare(&mut self, made: SpareOrder) {
        self.is_spare_ordered = false;
        // Behind those that were segments before: they are used first.
        self.spares.insert(0, made.name);
    }

    /// Runs `work` unless an earlier work failed. Poisoned is also who panicked half-way.
    fn poisoning(&mut self, work: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        self.poisoned = true;
        work(self)?;
        self.poisoned = false;
        Ok(())
    }

    fn owner(&self) -> Owner {
        self.manifest.owner
    }

    fn active(&self) -> &Segment {
        self.segments.back().expect("a segment is open")
    }

    fn active_mut(&mut self) -> &mut Segment {
        self.segments.back_mut().expect("a segment is open")
    }

    fn stamp(&self) -> Stamp {
        self.owner().stamp(self.active().number)
    }

    fn write_records(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let bytes = &mut batch.bytes;
        let mut sequence = batch.first_sequence;
        let mut stamp = self.stamp();
        // What is between `from` and `at` goes to the open segment in one write.
        let (mut from, mut at) = (0, 0);
        while at < bytes.len() {
            let draft = Batch::draft(&bytes[at..]);
            let size = record_bytes(draft.length as usize);
            if self.active().offset + (at - from + size) as u64 > self.active().bytes {
                self.flush(&bytes[from..at], sequence - 1)?;
                self.open_segment(sequence, size)?;
                stamp = self.stamp();
                from = at;
            }
            let payload = &bytes[at + HEADER_BYTES..at + HEADER_BYTES + draft.length as usize];
            let header = RecordHeader {
                kind: draft.kind,
                length: draft.length,
                payload_checksum: crc32fast::hash(payload),
                node: draft.node,
                sequence,
                synced: self.durable,
            };
            header.write(stamp, &mut bytes[at..at + HEADER_BYTES]);
            self.active_mut().last_of_node.insert(draft.node, sequence);
            at += size;
            sequence += 1;
        }
        self.flush(&bytes[from..], sequence - 1)
    }

    fn flush(&mut self, bytes: &[u8], last_sequence: u64) -> Result<(), Error> {
        if !bytes.is_empty() {
            self.put(bytes)?;
            let name = segment_name(self.active().number);
            self.disk.sync(&name).map_err(at("sync", &name))?;
            self.durable = last_sequence;
            self.superblock.mark(last_sequence)?;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let name = segment_name(self.active().number);
        self.disk.write_at(&name, self.active().offset, bytes).map_err(at("write", &name))?;
        self.active_mut().offset += bytes.len() as u64;
        Ok(())
    }

    /// Opens the next segment, with room for a record of `size` bytes. It gets its name only once its header is
    /// durable, and a record only once the manifest knows it.
    pub(crate) fn open_segment(&mut self, first_sequence: u64, size: usize) -> Result<(), Error> {
        let number = self.manifest.last_segment + 1;
        let bytes = self.options.segment_bytes.max((HEADER_BYTES + size) as u64);
        let name = segment_name(number);
        let usual = bytes == self.options.segment_bytes;
        let aside = match if usual { self.spares.pop() } else { None } {
            Some(spare) => {
                synod_stdx::mark!("journal.segment_recycled");
                spare
            }
            None => {
                let aside = format!("{name}{ASIDE}");
                self.disk.create(&aside, bytes).map_err(at("create", &aside))?;
                aside
            }
        };
        let header = SegmentHeader { number, first_sequence, bytes }.to_bytes(self.owner());
        self.disk.write_at(&aside, 0, &header).map_err(at("write", &aside))?;
        self.disk.sync(&aside).map_err(at("sync", &aside))?;
        self.disk.rename(&aside, &name).map_err(at("rename", &aside))?;
        self.disk.sync_dir().map_err(at("sync the directory of", &name))?;
        self.manifest.last_segment = number;
        replace_manifest(&self.disk, &self.manifest)?;
        let offset = HEADER_BYTES as u64;
        if let Some(last) = self.segments.back() {
            self.disk.close(&segment_name(last.number));
        }
        self.segments.push_back(Segment { number, bytes, offset, last_of_node: BTreeMap::new() });
        Ok(())
    }

    fn release_covered(&mut self, node: u32, covered: u64) -> Result<(), Error> {
        let list = &mut self.manifest.covered;
        let previous = match list.binary_search_by_key(&node, |(node, _)| *node) {
            Ok(at) if list[at].1 > covered => {
                // A later checkpoint came first: this one is needed no more.
                return self.remove(&checkpoint_name(node, covered));
            }
            Ok(at) => Some(std::mem::replace(&mut list[at].1, covered)).filter(|old| *old != covered),
            Err(at) => {
                list.insert(at, (node, covered));
                None
            }
        };
        let mut freed = Vec::new();
        while self.segments.len() > 1 && self.uncovered(&self.segments[0]).is_empty() {
            freed.extend(self.segments.pop_front());
            self.manifest.first_segment = self.segments[0].number;
        }
        replace_manifest(&self.disk, &self.manifest)?;
        if let Some(previous) = previous {
            self.remove(&checkpoint_name(node, previous))?;
        }
        for segment in &freed {
            self.retire(&segment_name(segment.number), segment.number, segment.bytes)?;
        }
        self.disk.sync_dir().map_err(at("sync the directory of", "the journal"))
    }

    /// The nodes whose checkpoints do not cover all that they have in a segment.
    fn uncovered(&self, segment: &Segment) -> Vec<u32> {
        let covered: BTreeMap<u32, u64> = self.manifest.covered.iter().copied().collect();
        let is_needed = |(node, last): &(&u32, &u64)| covered.get(node).is_none_or(|covered| covered < last);
        segment.last_of_node.iter().filter(is_needed).map(|(node, _)| *node).collect()
    }

    /// Makes the file of a segment that nobody needs a spare, or removes it where there are enough.
    pub(crate) fn retire(&mut self, name: &str, number: u64, bytes: u64) -> Result<(), Error> {
        if bytes != self.options.segment_bytes || self.spares.len() >= self.options.spares_max {
            return self.remove(name);
        }
        let spare = spare_name(number);
        if name != spare {
            self.disk.rename(name, &spare).map_err(at("rename", name))?;
        }
        self.spares.push(spare);
        Ok(())
    }

    /// Removes a file that nobody needs. That it is gone already is what was wanted.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        match self.disk.remove(name) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(at("remove", name)),
        }
    }
}
