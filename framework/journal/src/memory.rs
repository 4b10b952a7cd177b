//! A directory in memory that crashes and rots on demand.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use synod_stdx::Rng;

use crate::disk::Disk;

/// What a crash keeps whole, as real disks do.
const SECTOR_BYTES: usize = 512;

/// A [`Disk`] in memory. Clones share the directory. Its crashes are drawn from a seeded generator, so that a run
/// with a given seed is the same on every machine.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    files: BTreeMap<u64, File>,
    files_made: u64,
    names: BTreeMap<String, u64>,
    /// The names as they were when the directory was last synced, and what was done to it since.
    durable_names: BTreeMap<String, u64>,
    unsynced: Vec<Change>,
    /// How many more calls that change something succeed; `None` for all.
    calls_left: Option<u64>,
    calls_made: u64,
    syncs_fail: bool,
}

#[derive(Debug, Default)]
struct File {
    /// As the running program sees it.
    content: Vec<u8>,
    /// As it was when last synced.
    durable: Vec<u8>,
    /// What was written since.
    unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone, Debug)]
enum Change {
    Name(String, u64),
    Rename(String, String),
    Remove(String),
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Change::Name(name, file) => {
                names.insert(name.clone(), *file);
            }
            Change::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Change::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

fn overwrite(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

impl File {
    /// Each write since the last sync is kept, lost or torn at sectors.
    fn crash(&mut self, rng: &mut Rng) {
        let mut content = std::mem::take(&mut self.durable);
        for (offset, bytes) in self.unsynced.drain(..) {
            match rng.below(4) {
                0 => {}
                1 => overwrite(&mut content, offset, &bytes),
                _ => {
                    // Any of the sectors that the write touches may have reached the disk, in any order.
                    let mut from = 0;
                    while from < bytes.len() {
                        let to = bytes.len().min(from + SECTOR_BYTES - (offset + from) % SECTOR_BYTES);
                        if rng.chance(500) {
                            overwrite(&mut content, offset + from, &bytes[from..to]);
                        }
                        from = to;
                    }
                }
            }
        }
        self.content.clone_from(&content);
        self.durable = content;
    }
}

impl Inside {
    fn file(&self, name: &str) -> io::Result<&File> {
        Ok(&self.files[self.names.get(name).ok_or(io::ErrorKind::NotFound)?])
    }

    fn file_mut(&mut self, name: &str) -> io::Result<&mut File> {
        let id = self.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.files.get_mut(id).expect("a name has a file"))
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.unsynced.push(change);
    }

    /// Counts a call that changes something.
    fn call(&mut self) -> io::Result<()> {
        self.calls_made += 1;
        match &mut self.calls_left {
            Some(0) => return Err(io::Error::other("the power is off")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }
}

impl MemoryDisk {
    /// An empty directory.
    pub fn new() -> Self {
        MemoryDisk::default()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The power fails: names and writes that were not synced are kept, lost or (writes) torn, as `rng` draws. The
    /// power is back when this returns.
    pub fn crash(&self, rng: &mut Rng) {
        let mut inside = self.inside();
        let unsynced = std::mem::take(&mut inside.unsynced);
        let mut names = inside.durable_names.clone();
        // A directory keeps its changes in order.
        let kept = rng.below(unsynced.len() as u64 + 1) as usize;
        for change in &unsynced[..kept] {
            change.apply(&mut names);
        }
        inside.names.clone_from(&names);
        inside.durable_names = names;
        for file in inside.files.values_mut() {
            file.crash(rng);
        }
        inside.calls_left = None;
        inside.syncs_fail = false;
    }

    /// Lets the next `calls` calls that change something succeed, and all after them fail until the next crash.
    pub fn power_off_after(&self, calls: u64) {
        self.inside().calls_left = Some(calls);
    }

    /// Lets calls succeed again, without a crash.
    pub fn power_on(&self) {
        self.inside().calls_left = None;
    }

    /// How many calls that change something were made so far.
    pub fn calls_made(&self) -> u64 {
        self.inside().calls_made
    }

    /// Lets every sync fail from now on, or lets none fail. What a failed sync was to make durable can still be
    /// read, but later syncs leave it out, as Linux does: it is lost in the next crash.
    pub fn fail_syncs(&self, failing: bool) {
        self.inside().syncs_fail = failing;
    }

    /// Flips bit `bit` (0 to 7) of byte `offset` of a file, durably.
    ///
    /// # Panics
    /// If there is no such byte.
    pub fn flip(&self, name: &str, offset: u64, bit: u8) {
        self.rot(name, |content| content[offset as usize] ^= 1 << bit);
    }

    /// Cuts a file, durably.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn truncate(&self, name: &str, bytes: u64) {
        self.rot(name, |content| content.truncate(bytes as usize));
    }

    /// Overwrites part of a file with zeros, durably.
    ///
    /// # Panics
    /// If there is no such part.
    pub fn zero(&self, name: &str, offset: u64, bytes: u64) {
        self.rot(name, |content| content[offset as usize..(offset + bytes) as usize].fill(0));
    }

    /// Changes the bytes of a file, durably.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn rot(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut inside = self.inside();
        let file = inside.file_mut(name).expect("the file to damage is there");
        change(&mut file.content);
        file.unsynced.clear();
        file.durable = file.content.clone();
    }

    /// A copy of the directory as it is now, with nothing left to lose.
    pub fn copy(&self) -> MemoryDisk {
        let copy = MemoryDisk::new();
        let inside = self.inside();
        for name in inside.names.keys() {
            let content = inside.file(name).expect("a listed file is there").content.clone();
            let mut copied = copy.inside();
            copied.files_made += 1;
            let id = copied.files_made;
            copied.files.insert(id, File { durable: content.clone(), content, unsynced: Vec::new() });
            copied.names.insert(name.clone(), id);
            copied.durable_names.insert(name.clone(), id);
        }
        copy
    }
}

impl Disk for MemoryDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.inside().names.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<()> {
        let mut inside = self.inside();
        inside.call()?;
        inside.files_made += 1;
        let id = inside.files_made;
        let zeros = vec![0; bytes as usize];
        let unsynced = if bytes > 0 { vec![(0, zeros.clone())] } else { Vec::new() };
        inside.files.insert(id, File { content: zeros, durable: Vec::new(), unsynced });
        inside.change(Change::Name(name.to_owned(), id));
        Ok(())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(self.inside().file(name)?.content.clone())
    }

    fn read_part(&self, name: &str, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        let inside = self.inside();
        let rest = inside.file(name)?.content.get(offset as usize..).unwrap_or_default();
        Ok(rest[..bytes_max.min(rest.len())].to_vec())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(self.inside().file(name)?.content.len() as u64)
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inside = self.inside();
        inside.call()?;
        let file = inside.file_mut(name)?;
        overwrite(&mut file.content, offset as usize, bytes);
        file.unsynced.push((offset as usize, bytes.to_vec()));
        Ok(())
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let mut inside = self.inside();
        inside.call()?;
        let failing = inside.syncs_fail;
        let file = inside.file_mut(name)?;
        for (offset, bytes) in file.unsynced.drain(..) {
            if !failing {
                overwrite(&mut file.durable, offset, &bytes);
            }
        }
        if failing { Err(io::Error::other("the disk is ill")) } else { Ok(()) }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inside = self.inside();
        inside.call()?;
        inside.file(from)?;
        inside.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inside = self.inside();
        inside.call()?;
        inside.file(name)?;
        inside.change(Change::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut inside = self.inside();
        inside.call()?;
        if inside.syncs_fail {
            return Err(io::Error::other("the disk is ill"));
        }
        inside.unsynced.clear();
        inside.durable_names = inside.names.clone();
        Ok(())
    }
}
