//! The directory that a journal lives in, as the journal sees it.

use std::io;
use std::sync::Arc;

/// One directory of files. What is written is durable only after [`sync`](Disk::sync), and what is created, renamed
/// or removed only after [`sync_dir`](Disk::sync_dir); a crash may keep, lose or tear anything else. Shared by the
/// writer and by who stores checkpoints.
pub trait Disk {
    /// The names of all files.
    ///
    /// # Errors
    /// What the disk says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes `name` a file of `bytes` zeros that take space on the disk, so that overwriting them later changes
    /// no length and needs no new space. A file of this name is replaced.
    ///
    /// # Errors
    /// What the disk says.
    fn create(&self, name: &str, bytes: u64) -> io::Result<()>;

    /// The content of a file.
    ///
    /// # Errors
    /// What the disk says.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// At most `bytes_max` bytes of a file from `offset` on; fewer only at its end.
    ///
    /// # Errors
    /// What the disk says.
    fn read_part(&self, name: &str, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>>;

    /// The length of a file.
    ///
    /// # Errors
    /// What the disk says.
    fn len(&self, name: &str) -> io::Result<u64>;

    /// Writes at `offset`; the file grows where it ends too early.
    ///
    /// # Errors
    /// What the disk says.
    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Returns once everything written to the file is durable.
    ///
    /// # Errors
    /// What the disk says. What was written since the last success may then be lost, even if a later call succeeds.
    fn sync(&self, name: &str) -> io::Result<()>;

    /// Renames a file, replacing one of the new name.
    ///
    /// # Errors
    /// What the disk says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the disk says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns once the names of all files are durable.
    ///
    /// # Errors
    /// What the disk says.
    fn sync_dir(&self) -> io::Result<()>;

    /// This file will not be written for a long time: nothing that was kept open for it is needed.
    fn close(&self, _name: &str) {}
}

impl<D: Disk + ?Sized> Disk for Arc<D> {
    fn list(&self) -> io::Result<Vec<String>> {
        (**self).list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<()> {
        (**self).create(name, bytes)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        (**self).read(name)
    }

    fn read_part(&self, name: &str, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        (**self).read_part(name, offset, bytes_max)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        (**self).len(name)
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        (**self).write_at(name, offset, bytes)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        (**self).sync(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        (**self).rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        (**self).remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        (**self).sync_dir()
    }

    fn close(&self, name: &str) {
        (**self).close(name);
    }
}
