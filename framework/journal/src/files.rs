//! The names of files, and how a file is replaced so that a crash leaves the old one or the new one.

use crate::disk::Disk;
use crate::error::{Error, at};
use crate::format::Manifest;

/// The file that says what the directory holds.
pub(crate) const MANIFEST: &str = "manifest";
/// Files on their way to their name. What a crash leaves of them is nothing.
pub(crate) const ASIDE: &str = ".tmp";
const SEGMENT: &str = "segment-";
const SPARE: &str = "spare-";
const CHECKPOINT: &str = "checkpoint-";
/// Large contents are written in pieces of this size.
const PIECE_BYTES: usize = 256 << 10;

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Manifest,
    Segment(u64),
    Spare(u64),
    Checkpoint {
        node: u32,
        covered: u64,
    },
    Aside,
    /// Not ours: left alone.
    Other,
}

pub(crate) fn segment_name(number: u64) -> String {
    format!("{SEGMENT}{number:016x}")
}

pub(crate) fn spare_name(number: u64) -> String {
    format!("{SPARE}{number:016x}")
}

pub(crate) fn checkpoint_name(node: u32, covered: u64) -> String {
    format!("{CHECKPOINT}{node:08x}-{covered:016x}")
}

/// What `name` stands for. Only names that are written here are recognised.
pub(crate) fn kind(name: &str) -> Kind {
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let found = if name == MANIFEST {
        return Kind::Manifest;
    } else if name.ends_with(ASIDE) {
        return Kind::Aside;
    } else if let Some(rest) = name.strip_prefix(SEGMENT) {
        hex(rest).map(|number| (Kind::Segment(number), segment_name(number)))
    } else if let Some(rest) = name.strip_prefix(SPARE) {
        hex(rest).map(|number| (Kind::Spare(number), spare_name(number)))
    } else if let Some((node, covered)) = name.strip_prefix(CHECKPOINT).and_then(|rest| rest.split_once('-'))
    {
        hex(node)
            .and_then(|node| u32::try_from(node).ok())
            .zip(hex(covered))
            .map(|(node, covered)| (Kind::Checkpoint { node, covered }, checkpoint_name(node, covered)))
    } else {
        None
    };
    match found {
        Some((kind, canonical)) if canonical == name => kind,
        Some(_) | None => Kind::Other,
    }
}

/// A file on its way to its name. What is large is synced piece by piece: a file system that orders data before names lets
/// everybody who syncs a name wait for what is not written yet.
pub(crate) struct Aside<'a, D> {
    disk: &'a D,
    name: &'a str,
    aside: String,
    /// Where the next piece goes.
    end: u64,
    unsynced: usize,
}

impl<'a, D: Disk> Aside<'a, D> {
    /// Begins a file that has `head` bytes in front of what is put, which come last.
    pub(crate) fn create(disk: &'a D, name: &'a str, head: u64) -> Result<Self, Error> {
        let aside = format!("{name}{ASIDE}");
        disk.create(&aside, 0).map_err(at("create", &aside))?;
        Ok(Aside { disk, name, aside, end: head, unsynced: 0 })
    }

    /// Where it ends so far.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Appends bytes.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.chunks(PIECE_BYTES) {
            self.disk.write_at(&self.aside, self.end, piece).map_err(at("write", &self.aside))?;
            self.end += piece.len() as u64;
            self.unsynced += piece.len();
            if self.unsynced >= PIECE_BYTES {
                self.disk.sync(&self.aside).map_err(at("sync", &self.aside))?;
                self.unsynced = 0;
            }
        }
        Ok(())
    }

    /// Writes its head, syncs it, gives it its name, and syncs the name.
    pub(crate) fn finish(self, head: &[u8]) -> Result<(), Error> {
        let Aside { disk, name, aside, .. } = self;
        if !head.is_empty() {
            disk.write_at(&aside, 0, head).map_err(at("write", &aside))?;
        }
        disk.sync(&aside).map_err(at("sync", &aside))?;
        disk.rename(&aside, name).map_err(at("rename", &aside))?;
        disk.sync_dir().map_err(at("sync the directory of", name))?;
        disk.close(name);
        Ok(())
    }
}

/// Replaces a file, so that a crash leaves the old one or the new one.
pub(crate) fn replace<D: Disk>(disk: &D, name: &str, content: &[u8]) -> Result<(), Error> {
    let mut file = Aside::create(disk, name, 0)?;
    file.put(content)?;
    file.finish(&[])
}

/// Replaces the manifest.
pub(crate) fn replace_manifest<D: Disk>(disk: &D, manifest: &Manifest) -> Result<(), Error> {
    replace(disk, MANIFEST, &manifest.to_bytes())
}
