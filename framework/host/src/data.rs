//! A data directory while no process runs on it: what is in it, and how it is given up for a new one.

use crate::boot::draw;
use crate::disk::FileDisk;
use crate::host::HostError;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synod_journal::{Disks, Error, Identity, Inspection, Journal, Opener, Options, Prior};

/// The directory of the journal, within the data directory.
pub(crate) const JOURNAL: &str = "journal";
const SUPERBLOCKS: &str = "superblock-";

/// Reads every file of the data directory `data`, and changes none. `describe` puts a record into words.
///
/// # Errors
/// If there is no such directory, or a process runs on it.
pub fn inspect(data: &Path, describe: fn(u32, u8, &[u8]) -> String) -> Result<Inspection, HostError> {
    let refused = |error| HostError::Journal(data.to_owned(), error);
    let open = |directory: &Path| FileDisk::existing(directory).map(Arc::new).map_err(refused);
    let home = open(data)?;
    // Where the journal's directory is missing, what is above it has nothing of a journal either.
    let journal = data.join(JOURNAL);
    let journal = if journal.is_dir() { open(&journal)? } else { Arc::clone(&home) };
    let disks = Disks { home, journal };
    synod_journal::inspect(&disks, Options { describe, ..Options::default() }).map_err(refused)
}

/// What is known of the data directory `data` before it is opened for `identity`. Where nothing is, the directory is made, and
/// its disk gets a number: so a node has the same one when it asks again.
///
/// # Errors
/// If it is not this node's, or cannot be used.
pub fn prior(data: &Path, identity: Identity) -> Result<Prior, HostError> {
    let refused = |error| HostError::Journal(data.to_owned(), error);
    let home = Arc::new(FileDisk::open(data).map_err(refused)?);
    let journal = Arc::new(FileDisk::open(&data.join(JOURNAL)).map_err(refused)?);
    let opener = Opener { identity, nonce: draw().map_err(HostError::System)? };
    Journal::prior(&Disks { home, journal }, opener).map_err(refused)
}

/// Makes the data directory `data`, on whose disk nothing ever ran, that of `identity`, with these facts in its superblock.
///
/// # Errors
/// If the system refuses.
pub fn prepare(
    data: &Path,
    (identity, disk): (Identity, u128),
    facts: &[(&str, Vec<u8>)],
) -> Result<(), HostError> {
    let refused = |error| HostError::Journal(data.to_owned(), error);
    let home = FileDisk::existing(data).map(Arc::new).map_err(refused)?;
    Journal::begin_anew(&home, Opener { identity, nonce: disk }, facts).map_err(refused)
}

/// Gives up what is in the data directory `data`, for a node that comes back as `identity`, a life that its disk never had:
/// as one that lost its disk. The files are kept in a directory within it, whose path is returned.
///
/// A crash on the way leaves a directory that does not open, which this can be done to again.
///
/// # Errors
/// If a process runs on it, or the system refuses.
pub fn set_aside(data: &Path, identity: Identity) -> Result<PathBuf, HostError> {
    let refused = |error| HostError::Journal(data.to_owned(), error);
    let home = FileDisk::existing(data).map(Arc::new).map_err(refused)?;
    let journal = data.join(JOURNAL);
    drop(FileDisk::open(&journal).map_err(refused)?);
    let io = |action: &'static str, path: &Path| {
        let file = path.display().to_string();
        move |source: io::Error| refused(Error::Io { action, file, source })
    };
    let aside = (1..).map(|number: u32| data.join(format!("damaged-{number}")));
    let aside = aside.into_iter().find(|path| !path.exists()).expect("some number is free");
    fs::create_dir(&aside).map_err(io("create", &aside))?;
    for entry in fs::read_dir(data).map_err(io("list", data))? {
        let entry = entry.map_err(io("list", data))?;
        if entry.file_name().to_string_lossy().starts_with(SUPERBLOCKS) {
            let to = aside.join(entry.file_name());
            fs::copy(entry.path(), &to).map_err(io("copy", &entry.path()))?;
        }
    }
    // The new superblock first: without it, a directory without a journal would be taken for a new one of an old life.
    let nonce = draw().map_err(HostError::System)?;
    Journal::begin_anew(&home, Opener { identity, nonce }, &[]).map_err(refused)?;
    fs::rename(&journal, aside.join(JOURNAL)).map_err(io("rename", &journal))?;
    for directory in [&aside, data] {
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(io("sync", directory))?;
    }
    Ok(aside)
}
