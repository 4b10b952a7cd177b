//! A journal's directory on a real disk.
//!
//! Files are preallocated by writing zeros, so that a later `fdatasync` has no length and no extents to record; the
//! directory is synced by its own handle. One program at a time: the file `lock` is locked for as long as the
//! [`FileDisk`] lives, and the kernel lets go of it when the process dies, however it dies.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use synod_journal::{Disk, Error};

/// The file that says that the directory is in use.
pub const LOCK: &str = "lock";
/// New files are filled with zeros in pieces of this size.
const PIECE_BYTES: usize = 256 << 10;

/// A [`Disk`] that is a directory of the file system, locked against other programs.
#[derive(Debug)]
pub struct FileDisk {
    directory: PathBuf,
    /// The directory itself, for syncing names.
    names: File,
    /// Files stay open until they are closed: a journal writes to one of them again and again.
    open: Mutex<BTreeMap<String, Arc<File>>>,
    /// Unlocked by being closed.
    _lock: File,
}

impl FileDisk {
    /// Locks `directory`, which is made if it is missing.
    ///
    /// # Errors
    /// [`Error::Locked`] if another program uses it, [`Error::Io`] if it cannot be made or opened.
    pub fn open(directory: &Path) -> Result<FileDisk, Error> {
        let shown = directory.display().to_string();
        let at = |action| {
            let file = shown.clone();
            move |source| Error::Io { action, file, source }
        };
        if !directory.is_dir() {
            fs::create_dir_all(directory).map_err(at("create"))?;
            // The name of the directory is durable only once the directory above it is synced.
            let above = directory.canonicalize().map_err(at("find"))?;
            let above = above.parent().unwrap_or(Path::new("/"));
            File::open(above).and_then(|above| above.sync_all()).map_err(at("sync the directory above"))?;
        }
        FileDisk::existing(directory)
    }

    /// Locks `directory`, which must be there.
    ///
    /// # Errors
    /// As [`open`](FileDisk::open).
    pub fn existing(directory: &Path) -> Result<FileDisk, Error> {
        let shown = directory.display().to_string();
        let at = |action| {
            let file = shown.clone();
            move |source| Error::Io { action, file, source }
        };
        let names = File::open(directory).map_err(at("open"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join(LOCK))
            .map_err(at("open the lock of"))?;
        match lock_exclusively(&lock) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(Error::Locked { directory: shown });
            }
            Err(error) => return Err(at("lock")(error)),
        }
        Ok(FileDisk { directory: directory.to_owned(), names, open: Mutex::default(), _lock: lock })
    }

    fn with_open<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Arc<File>>) -> T) -> T {
        work(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn file(&self, name: &str) -> io::Result<Arc<File>> {
        self.with_open(|open| {
            if let Some(file) = open.get(name) {
                return Ok(file.clone());
            }
            let file = OpenOptions::new().read(true).write(true).open(self.directory.join(name))?;
            Ok(open.entry(name.to_owned()).or_insert(Arc::new(file)).clone())
        })
    }
}

fn lock_exclusively(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and flock touches no memory.
    let result = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Disk for FileDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            // A name that is no text is none of a journal's.
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<()> {
        let path = self.directory.join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        let zeros = vec![0; PIECE_BYTES.min(bytes as usize)];
        let mut offset = 0;
        while offset < bytes {
            let piece = zeros.len().min((bytes - offset) as usize);
            file.write_all_at(&zeros[..piece], offset)?;
            // Else whoever syncs a name next waits for all of it.
            file.sync_data()?;
            offset += piece as u64;
        }
        self.with_open(|open| open.insert(name.to_owned(), Arc::new(file)));
        Ok(())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.directory.join(name))
    }

    fn read_part(&self, name: &str, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        let file = File::open(self.directory.join(name))?;
        let left = file.metadata()?.len().saturating_sub(offset);
        let mut part = vec![0; usize::try_from(left).unwrap_or(bytes_max).min(bytes_max)];
        file.read_exact_at(&mut part, offset)?;
        Ok(part)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.directory.join(name))?.len())
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all_at(bytes, offset)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.directory.join(from), self.directory.join(to))?;
        self.with_open(|open| match open.remove(from) {
            Some(file) => open.insert(to.to_owned(), file),
            // A handle to what had that name before must not be used any more.
            None => open.remove(to),
        });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.with_open(|open| open.remove(name));
        fs::remove_file(self.directory.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.names.sync_all()
    }

    fn close(&self, name: &str) {
        self.with_open(|open| open.remove(name));
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use super::FileDisk;
    use synod_journal::{Disk, Disks, Error, Identity, Journal, Opener, Options};

    const OWNER: Identity = Identity { cluster: 1, node: 2, incarnation: 3 };

    /// A directory that goes when the test ends.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(test: &str) -> Scratch {
            Scratch(std::env::temp_dir().join(format!("synod-disk-{}-{test}", std::process::id())))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn open(directory: &Path) -> Result<Arc<FileDisk>, Error> {
        FileDisk::open(directory).map(Arc::new)
    }

    #[test]
    fn a_directory_is_used_by_one_program_at_a_time() {
        let scratch = Scratch::new("lock");
        let first = open(&scratch.0).unwrap();
        assert!(matches!(open(&scratch.0), Err(Error::Locked { .. })));
        drop(first);
        open(&scratch.0).unwrap();
    }

    #[test]
    fn a_journal_comes_back_from_files() {
        let scratch = Scratch::new("journal");
        let options = Options { segment_bytes: 4096, ..Options::default() };
        let disk = open(&scratch.0.join("below")).unwrap();
        let disks = |disk: &Arc<FileDisk>| Disks { home: Arc::clone(disk), journal: Arc::clone(disk) };
        let opener = Opener { identity: OWNER, nonce: 4 };
        let (mut journal, _) = Journal::open(disks(&disk), opener, options).unwrap();
        for round in 0..200u32 {
            journal.appender.append(round % 2, 0, &round.to_le_bytes());
            journal.commit().unwrap();
            if round == 150 {
                journal.checkpoint(0, b"even").unwrap();
                journal.checkpoint(1, b"odd").unwrap();
            }
        }
        drop((journal, disk));
        let disk = open(&scratch.0.join("below")).unwrap();
        let (journal, recovered) = Journal::open(disks(&disk), opener, options).unwrap();
        let file = recovered.nodes[&0].checkpoint.as_ref().unwrap();
        let mut parts = journal.checkpointer.parts(file);
        assert_eq!(parts.next_part().unwrap(), b"even");
        assert!(parts.next_part().unwrap().is_empty());
        assert_eq!(disk.read_part(file.name(), 66, 1).unwrap(), b"e");
        let odd: Vec<u32> = recovered.nodes[&1]
            .records
            .iter()
            .map(|record| u32::from_le_bytes(record.payload[..].try_into().unwrap()))
            .collect();
        assert_eq!(odd, (151..200).step_by(2).collect::<Vec<_>>());
        assert_eq!(journal.writer.durable().sequence(), 200);
        assert!(disk.list().unwrap().iter().any(|name| name.starts_with("spare-")));
    }

    #[test]
    fn a_new_file_has_its_length_at_once_and_old_handles_do_not_survive_renames() {
        let scratch = Scratch::new("files");
        let disk = open(&scratch.0).unwrap();
        disk.create("a", 3_000_000).unwrap();
        disk.create("b", 4).unwrap();
        assert_eq!(disk.len("a").unwrap(), 3_000_000);
        disk.write_at("a", 2, b"of a").unwrap();
        disk.rename("b", "a").unwrap();
        disk.write_at("a", 1, b"xy").unwrap();
        disk.sync("a").unwrap();
        disk.sync_dir().unwrap();
        assert_eq!(disk.read("a").unwrap(), b"\0xy\0");
        disk.remove("a").unwrap();
        assert!(disk.write_at("a", 0, b"z").is_err());
    }
}
