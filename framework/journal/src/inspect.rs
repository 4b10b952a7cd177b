//! Reads all there is and changes nothing: for a person who asks what is damaged.

use std::io;

use crate::disk::Disk;
use crate::error::{Error, at};
use crate::files::{MANIFEST, checkpoint_name, segment_name};
use crate::format::{CheckpointHeader, Manifest, Owner, SegmentHeader};
use crate::recovery::{Listing, is_formatted, listing};
use crate::segment_reader::SegmentReader;
use crate::superblock::{self, Copy, Found};
use crate::{Disks, Identity, Journal, Opener, Options};

/// What was found in the directories of a journal.
#[derive(Debug)]
pub struct Inspection {
    /// Whose they are, as far as a superblock or a manifest says so.
    pub identity: Option<Identity>,
    /// Each file, and what it holds in words, or what is wrong with it.
    pub files: Vec<(String, Result<String, Error>)>,
    /// Whether the journal would open: what no file shows alone is said here.
    pub whole: Result<(), Error>,
}

/// Reads every file of the journal in `disks`, and changes none.
///
/// # Errors
/// If the disk cannot be read.
pub fn inspect<D: Disk + Clone>(disks: &Disks<D>, options: Options) -> Result<Inspection, Error> {
    let Disks { home, journal } = disks;
    let copies = superblock::read_copies(home)?;
    let mut files: Vec<_> = copies.iter().map(|copy| (copy.name.to_owned(), copy_in_words(copy))).collect();
    let listing = listing(journal)?;
    let manifest = journal.read(MANIFEST).map_err(at("read", MANIFEST));
    let manifest = manifest.and_then(|bytes| Manifest::read(MANIFEST, &bytes));
    let newest = copies
        .iter()
        .filter_map(|copy| match &copy.found {
            Found::Whole { content, .. } => Some(content),
            Found::Absent | Found::Damaged(..) | Found::Newer(_) => None,
        })
        .max_by_key(|content| content.number);
    if newest.is_some_and(|content| !content.is_founded) && !is_formatted(journal)? {
        let identity = newest.map(|content| content.identity);
        return Ok(Inspection { identity, files, whole: Ok(()) });
    }
    let owner = newest
        .map(|content| Owner { identity: content.identity, disk: content.disk })
        .or_else(|| manifest.as_ref().ok().map(|manifest| manifest.owner));
    files.push((
        MANIFEST.to_owned(),
        manifest.map(|manifest| format!("segments {} to {}", manifest.first_segment, manifest.last_segment)),
    ));
    let reader = Files { disk: journal, owner, listing: &listing, options };
    files.extend(reader.checkpoints());
    files.extend(reader.segments());
    let identity = owner.map(|owner| owner.identity);
    let untouched = Disks { home: Untouched(home.clone()), journal: Untouched(journal.clone()) };
    let whole = match identity {
        Some(identity) => Journal::open(untouched, Opener { identity, nonce: 0 }, options).map(|_| ()),
        None => Err(Error::damaged(copies[0].name, 0, "neither superblock nor manifest says whose this is")),
    };
    Ok(Inspection { identity, files, whole })
}

fn copy_in_words(copy: &Copy) -> Result<String, Error> {
    match &copy.found {
        Found::Whole { content, watermark: Some(watermark) } => {
            let durable = watermark.durable;
            let start = content.starts.back().map_or(0, |start| start.number);
            Ok(format!("{}, start {start}, durable up to record {durable}", content.identity))
        }
        Found::Whole { watermark: None, .. } => Err(Error::damaged(copy.name, 0, "its watermark is broken")),
        Found::Absent => Err(Error::damaged(copy.name, 0, "the file is missing")),
        Found::Damaged(offset, detail) => Err(Error::damaged(copy.name, *offset, *detail)),
        Found::Newer(version) => Err(Error::NewerVersion { file: copy.name.to_owned(), version: *version }),
    }
}

struct Files<'a, D> {
    disk: &'a D,
    owner: Option<Owner>,
    listing: &'a Listing,
    options: Options,
}

type Inspected = (String, Result<String, Error>);

impl<D: Disk> Files<'_, D> {
    fn owner(&self, name: &str) -> Result<Owner, Error> {
        let detail = "nothing says whose it is, so that it cannot be read";
        self.owner.ok_or_else(|| Error::damaged(name, 0, detail))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        self.disk.read(name).map_err(at("read", name))
    }

    fn checkpoints(&self) -> Vec<Inspected> {
        let versions = self.listing.checkpoints.iter();
        let each = versions.flat_map(|(node, versions)| versions.iter().map(|covered| (*node, *covered)));
        each.map(|(node, covered)| {
            let name = checkpoint_name(node, covered);
            let content = self
                .owner(&name)
                .and_then(|owner| CheckpointHeader { node, covered }.verify(self.disk, &name, owner));
            let words = content
                .map(|content| format!("{} bytes, up to record {covered} of node {node}", content.bytes()));
            (name, words)
        })
        .collect()
    }

    fn segments(&self) -> Vec<Inspected> {
        // From the last to the first: where the next one begins, this one ends.
        let mut next: Option<SegmentHeader> = None;
        let mut inspected: Vec<Inspected> = Vec::new();
        for number in self.listing.segments.iter().rev() {
            let name = segment_name(*number);
            let end = next.filter(|next| next.number - 1 == *number).map(|next| next.first_sequence);
            let (header, words) = self.segment(&name, *number, end);
            next = header;
            inspected.push((name, words));
        }
        inspected.reverse();
        inspected
    }

    /// The header of a segment, if it is sound, and what the segment holds in words.
    fn segment(
        &self,
        name: &str,
        number: u64,
        end: Option<u64>,
    ) -> (Option<SegmentHeader>, Result<String, Error>) {
        let mut sound = None;
        let mut words = || {
            let (bytes, owner) = (self.read(name)?, self.owner(name)?);
            let header = SegmentHeader::read(name, &bytes, owner, number)?;
            sound = Some(header);
            let mut records = 0;
            let reader = SegmentReader {
                file: name,
                bytes: &bytes,
                header,
                stamp: owner.stamp(number),
                end,
                watermark: 0,
                describe: self.options.describe,
            };
            let tail = reader.read(|_, _| records += 1)?;
            let torn = if tail.torn { "; then a batch that a crash cut off" } else { "" };
            Ok(format!("{records} records from {} on{torn}", header.first_sequence))
        };
        let words = words();
        (sound, words)
    }
}

/// A directory that takes every change and makes none.
#[derive(Clone, Debug)]
struct Untouched<D>(D);

impl<D: Disk> Disk for Untouched<D> {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn create(&self, _: &str, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.0.read(name)
    }

    fn read_part(&self, name: &str, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        self.0.read_part(name, offset, bytes_max)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.0.len(name)
    }

    fn write_at(&self, _: &str, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }
}
