//! What a process knows of itself and of its peers before any node runs: the number of this start, the number that its
//! disk was given, and the disks that its peers had.

use crate::clock::wall_time;
use crate::frame::Refusal;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Why a start could not be numbered.
#[derive(Debug)]
pub enum BootError {
    /// The file could not be read or written.
    Io(io::Error),
    /// A file does not hold what it should: its name and its content.
    Damaged(&'static str, String),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BootError::Io(error) => write!(f, "the data directory cannot be used: {error}"),
            BootError::Damaged("starts", text) => write!(
                f,
                "the file `starts` holds {text:?} and no number: write the current Unix time into it and start again"
            ),
            BootError::Damaged(name, text) => write!(
                f,
                "the file `{name}` is damaged, it holds {text:?}: bring this process back with an empty directory and \
                 an incarnation one higher"
            ),
        }
    }
}

impl std::error::Error for BootError {}

impl From<io::Error> for BootError {
    fn from(error: io::Error) -> Self {
        BootError::Io(error)
    }
}

/// Numbers this start of the process whose data is in `directory`, durably. A session or a connection of an older start
/// can so be told from one of this.
///
/// # Errors
/// If the number cannot be read or made durable.
pub fn next_start(directory: &Path) -> Result<u32, BootError> {
    let path = directory.join("starts");
    let last = match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse::<u32>().map_err(|_| BootError::Damaged("starts", text))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error.into()),
    };
    // The clock keeps the number growing where the disk was lost.
    let seconds = wall_time().as_secs();
    let start = last.saturating_add(1).max(u32::try_from(seconds).unwrap_or(u32::MAX - 1));
    replace_file(directory, "starts", &start.to_string())?;
    Ok(start)
}

/// Writes a small file, durably, so that a crash leaves the old content or the new.
///
/// # Errors
/// If the system refuses.
pub fn replace_file(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    let aside = directory.join(format!("{name}.new"));
    let mut file = File::create(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, directory.join(name))?;
    File::open(directory)?.sync_all()
}

/// The number of the disk whose data is in `directory`: drawn, durably, where `is_new` or none is there.
///
/// # Errors
/// If it cannot be read, drawn or made durable.
pub(crate) fn disk_number(directory: &Path, is_new: bool) -> Result<u64, BootError> {
    match fs::read_to_string(directory.join("disk")) {
        Ok(text) if !is_new => return text.trim().parse().map_err(|_| BootError::Damaged("disk", text)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        Ok(_) | Err(_) => {}
    }
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let number = u64::from_le_bytes(bytes);
    replace_file(directory, "disk", &number.to_string())?;
    Ok(number)
}

/// The lives and disks of the peers, as this process once saw them. Durable: a peer that comes back with an empty disk
/// and says nothing of it must not be taken for the one that promised.
#[derive(Debug)]
pub(crate) struct KnownDisks {
    directory: PathBuf,
    /// By the peer's number: its latest life, and that life's disk.
    disks: BTreeMap<u32, (u64, u64)>,
}

impl KnownDisks {
    /// Reads what was known.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn read(directory: &Path) -> Result<KnownDisks, BootError> {
        let text = match fs::read_to_string(directory.join("peers")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        let line = |line: &str| {
            let mut words = line.split(' ').map(str::parse::<u64>);
            match (words.next(), words.next(), words.next()) {
                (Some(Ok(number)), Some(Ok(life)), Some(Ok(disk))) => {
                    Some((u32::try_from(number).ok()?, (life, disk)))
                }
                _ => None,
            }
        };
        let disks = text.lines().map(line).collect::<Option<_>>();
        let disks = disks.ok_or(BootError::Damaged("peers", text))?;
        Ok(KnownDisks { directory: directory.to_owned(), disks })
    }

    /// A peer comes in this life, with this disk. Durable before it returns.
    ///
    /// # Errors
    /// Why the peer is refused.
    ///
    /// # Panics
    /// If it cannot be made durable: the process must stop.
    pub(crate) fn admit(&mut self, number: u32, life: u64, disk: u64) -> Result<(), Refusal> {
        match self.disks.get(&number) {
            Some((known, _)) if life < *known => return Err(Refusal::Superseded),
            Some(known) if *known == (life, disk) => return Ok(()),
            Some((known, _)) if life == *known => return Err(Refusal::OtherDisk),
            Some(_) | None => {}
        }
        self.disks.insert(number, (life, disk));
        let lines = self.disks.iter().map(|(number, (life, disk))| format!("{number} {life} {disk}\n"));
        let text: String = lines.collect();
        replace_file(&self.directory, "peers", &text)
            .expect("the data directory takes what is known of the peers");
        Ok(())
    }
}
