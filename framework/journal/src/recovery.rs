//! From a directory back to a journal, or to a named reason why not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::disk::Disk;
use crate::error::{Error, at};
use crate::files::{Kind, MANIFEST, checkpoint_name, kind, replace_manifest, segment_name, spare_name};
use crate::format::{CheckpointHeader, Manifest, Owner, SegmentHeader};
use crate::segment_reader::{SegmentReader, Tail};
use crate::superblock::{COPIES, Content, Superblock};
use crate::writer::{Segment, Writer};
use crate::{NodeLog, Options, Record};

/// What the names in the directory say.
#[derive(Default)]
pub(crate) struct Listing {
    has_manifest: bool,
    pub(crate) segments: BTreeSet<u64>,
    spares: BTreeSet<u64>,
    pub(crate) checkpoints: BTreeMap<u32, BTreeSet<u64>>,
    aside: Vec<String>,
}

pub(crate) fn listing<D: Disk>(disk: &D) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    for name in disk.list().map_err(at("list", "the directory"))? {
        match kind(&name) {
            Kind::Manifest => listing.has_manifest = true,
            Kind::Segment(number) => {
                listing.segments.insert(number);
            }
            Kind::Spare(number) => {
                listing.spares.insert(number);
            }
            Kind::Checkpoint { node, covered } => {
                listing.checkpoints.entry(node).or_default().insert(covered);
            }
            Kind::Aside => listing.aside.push(name),
            Kind::Other => {}
        }
    }
    Ok(listing)
}

/// Whether the directory has, or had, a journal.
pub(crate) fn is_formatted<D: Disk>(disk: &D) -> Result<bool, Error> {
    let listing = listing(disk)?;
    let Listing { has_manifest, segments, spares, checkpoints, aside: _ } = listing;
    Ok(has_manifest || !segments.is_empty() || !spares.is_empty() || !checkpoints.is_empty())
}

/// What the journal's directory gave.
pub(crate) struct FromJournal<D> {
    pub(crate) writer: Writer<D>,
    pub(crate) nodes: BTreeMap<u32, NodeLog>,
    pub(crate) torn_tail: bool,
}

/// Opens the directory that `content` vouches for: reads everything, makes durable what is handed out, cleans up.
pub(crate) fn recover<D: Disk>(
    disk: D,
    (content, superblock): (&Content, Superblock<D>),
    options: Options,
) -> Result<FromJournal<D>, Error> {
    let listing = listing(&disk)?;
    let manifest = manifest(&disk, &listing, content)?;
    // What a process that died had named counts from here on, so its names must be durable.
    disk.sync_dir().map_err(at("sync the directory of", MANIFEST))?;
    let mut recovery = Recovery {
        disk: &disk,
        owner: manifest.owner,
        watermark: content.durable,
        options,
        manifest,
        nodes: BTreeMap::new(),
    };
    recovery.read_checkpoints(&listing)?;
    let (segments, tail) = recovery.read_segments(&listing)?;
    let Recovery { manifest, nodes, .. } = recovery;
    let (next_sequence, torn) = tail.map_or((1, false), |tail| (tail.next_sequence, tail.torn));
    if next_sequence <= content.durable {
        let detail = format!(
            "it names no segment, and the superblock says that {} records were durable",
            content.durable
        );
        return Err(Error::damaged(MANIFEST, 0, detail));
    }
    let mut writer = Writer {
        disk,
        options,
        manifest,
        segments,
        spares: Vec::new(),
        checkpoints: nodes
            .iter()
            .filter_map(|(node, log)| Some((*node, log.checkpoint.as_ref()?.bytes())))
            .collect(),
        pinning: BTreeSet::new(),
        is_spare_ordered: false,
        durable: next_sequence - 1,
        superblock,
        poisoned: false,
    };
    clean_up(&mut writer, &listing)?;
    if torn || writer.segments.is_empty() {
        // What was cut off stays where it is; numbers go on in a new segment, whose first one ends this one.
        writer.open_segment(next_sequence, 0)?;
    }
    Ok(FromJournal { writer, nodes, torn_tail: torn })
}

/// The manifest, which must be of the superblock's disk, and know of no later superblock.
fn manifest<D: Disk>(disk: &D, listing: &Listing, content: &Content) -> Result<Manifest, Error> {
    if !listing.has_manifest {
        return Err(Error::damaged(MANIFEST, 0, "the file is missing"));
    }
    let bytes = disk.read(MANIFEST).map_err(at("read", MANIFEST))?;
    let manifest = Manifest::read(MANIFEST, &bytes)?;
    let owner = Owner { identity: content.identity, disk: content.disk };
    if manifest.owner.identity != owner.identity {
        let (file, found) = (MANIFEST.to_owned(), manifest.owner.identity);
        return Err(Error::WrongIdentity { file, expected: owner.identity, found });
    }
    if manifest.owner.disk != owner.disk {
        return Err(Error::damaged(MANIFEST, 0, "the journal is of another disk than the superblock"));
    }
    if manifest.superblock > content.number {
        let detail = format!(
            "both copies of the superblock are older than the journal: their number is {}, and the manifest knows of {}",
            content.number, manifest.superblock
        );
        return Err(Error::damaged(COPIES[0], 0, detail));
    }
    Ok(manifest)
}

struct Recovery<'a, D> {
    disk: &'a D,
    owner: Owner,
    /// Up to this record the superblock says that the journal was durable.
    watermark: u64,
    options: Options,
    manifest: Manifest,
    nodes: BTreeMap<u32, NodeLog>,
}

/// A segment that was read from the disk.
struct Loaded {
    file: String,
    bytes: Vec<u8>,
    header: SegmentHeader,
}

impl<D: Disk> Recovery<'_, D> {
    /// Reads the newest checkpoint of each node, which must be at least the one that the manifest knows.
    fn read_checkpoints(&mut self, listing: &Listing) -> Result<(), Error> {
        for (node, covered) in &self.manifest.covered {
            let newest = listing.checkpoints.get(node).and_then(BTreeSet::last);
            if newest.is_none_or(|newest| newest < covered) {
                return Err(Error::Damaged {
                    file: checkpoint_name(*node, *covered),
                    offset: 0,
                    node: Some(*node),
                    detail: "the checkpoint is missing".to_owned(),
                });
            }
        }
        self.manifest.covered.clear();
        for (node, versions) in &listing.checkpoints {
            let Some(&covered) = versions.last() else { continue };
            let name = checkpoint_name(*node, covered);
            let file = CheckpointHeader { node: *node, covered }.verify(self.disk, &name, self.owner)?;
            self.nodes.insert(*node, NodeLog { checkpoint: Some(file), records: Vec::new() });
            self.manifest.covered.push((*node, covered));
        }
        Ok(())
    }

    fn load(&self, number: u64) -> Result<Loaded, Error> {
        let file = segment_name(number);
        let bytes = self.disk.read(&file).map_err(at("read", &file))?;
        let header = SegmentHeader::read(&file, &bytes, self.owner, number)?;
        Ok(Loaded { file, bytes, header })
    }

    fn read_segments(&mut self, listing: &Listing) -> Result<(VecDeque<Segment>, Option<Tail>), Error> {
        let first = self.manifest.first_segment;
        for number in first..=self.manifest.last_segment {
            if !listing.segments.contains(&number) {
                let detail = "the segment is missing, which the manifest names unless that is an older copy";
                return Err(Error::damaged(&segment_name(number), 0, detail));
            }
        }
        if let Some(last) = listing.segments.last().filter(|last| **last > self.manifest.last_segment) {
            // A segment gets its name before the manifest knows it, and a record only after.
            if *last != self.manifest.last_segment + 1 {
                let detail = format!("it is older than {}, which it does not name", segment_name(*last));
                return Err(Error::damaged(MANIFEST, 0, detail));
            }
            synod_stdx::mark!("journal.segment_adopted");
            self.manifest.last_segment = *last;
            replace_manifest(self.disk, &self.manifest)?;
        }
        let mut segments = VecDeque::new();
        let mut tail = None;
        let mut next = if first <= self.manifest.last_segment { Some(self.load(first)?) } else { None };
        while let Some(loaded) = next {
            let number = loaded.header.number;
            next = if number < self.manifest.last_segment { Some(self.load(number + 1)?) } else { None };
            let end = next.as_ref().map(|next| next.header.first_sequence);
            let (segment, its_tail) = self.read_segment(&loaded, end)?;
            segments.push_back(segment);
            tail = Some(its_tail);
        }
        Ok((segments, tail))
    }

    fn read_segment(&mut self, loaded: &Loaded, end: Option<u64>) -> Result<(Segment, Tail), Error> {
        let Loaded { file, bytes, header } = loaded;
        let reader = SegmentReader {
            file,
            bytes,
            header: *header,
            stamp: self.owner.stamp(header.number),
            end,
            watermark: self.watermark,
            describe: self.options.describe,
        };
        let covered: BTreeMap<u32, u64> = self.manifest.covered.iter().copied().collect();
        let nodes = &mut self.nodes;
        let mut last_of_node = BTreeMap::new();
        let mut last_place = None;
        let tail = reader.read(|header, payload| {
            last_of_node.insert(header.node, header.sequence);
            last_place =
                Some(payload.as_ptr() as usize - bytes.as_ptr() as usize - crate::format::HEADER_BYTES);
            let log = nodes.entry(header.node).or_default();
            if covered.get(&header.node).is_none_or(|covered| header.sequence > *covered) {
                let (sequence, kind) = (header.sequence, header.kind);
                log.records.push(Record { sequence, kind, payload: payload.to_vec() });
            }
        })?;
        if end.is_none() {
            // A checkpoint covers only what is durable: it proves that a record was there.
            if let Some((node, _)) = self.manifest.covered.iter().find(|(_, c)| *c >= tail.next_sequence) {
                let proof = format!("a checkpoint of node {node} says that it was durable");
                return Err(reader.damage(tail.offset, tail.next_sequence, last_place, &proof));
            }
            self.make_durable(file, &bytes[tail.unproven_from..tail.offset], tail.unproven_from)?;
        }
        let offset = tail.offset as u64;
        Ok((Segment { number: header.number, bytes: header.bytes, offset, last_of_node }, tail))
    }

    /// What is handed out must not be lost by the next crash. Bytes that the last process wrote may be in memory
    /// only, even where they can be read and a sync returns at once (a failed sync leaves such bytes): they are
    /// written again.
    fn make_durable(&self, file: &str, bytes: &[u8], offset: usize) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.disk.write_at(file, offset as u64, bytes).map_err(at("write", file))?;
        self.disk.sync(file).map_err(at("sync", file))
    }
}

/// Removes what crashes left behind.
fn clean_up<D: Disk>(writer: &mut Writer<D>, listing: &Listing) -> Result<(), Error> {
    for name in &listing.aside {
        writer.remove(name)?;
    }
    for (node, versions) in &listing.checkpoints {
        for covered in versions.iter().rev().skip(1) {
            writer.remove(&checkpoint_name(*node, *covered))?;
        }
    }
    for number in &listing.spares {
        let name = spare_name(*number);
        let bytes = writer.disk.len(&name).map_err(at("measure", &name))?;
        writer.retire(&name, *number, bytes)?;
    }
    for number in listing.segments.range(..writer.manifest.first_segment) {
        let name = segment_name(*number);
        let bytes = writer.disk.len(&name).map_err(at("measure", &name))?;
        writer.retire(&name, *number, bytes)?;
    }
    writer.disk.sync_dir().map_err(at("sync the directory of", MANIFEST))
}
