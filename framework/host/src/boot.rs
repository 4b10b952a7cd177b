//! The number of a start: higher than that of every start before it, on this disk and by the wall clock.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Why a start could not be numbered.
#[derive(Debug)]
pub enum BootError {
    /// The file could not be read or written.
    Io(io::Error),
    /// The file holds no number.
    Damaged(String),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BootError::Io(error) => write!(f, "the file `starts` cannot be used: {error}"),
            BootError::Damaged(text) => write!(
                f,
                "the file `starts` holds {text:?} and no number: write the current Unix time into it and start again"
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
        Ok(text) => text.trim().parse::<u32>().map_err(|_| BootError::Damaged(text))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error.into()),
    };
    // The clock keeps the number growing where the disk was lost.
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let start = last.saturating_add(1).max(u32::try_from(seconds).unwrap_or(u32::MAX - 1));
    let aside = directory.join("starts.new");
    let mut file = File::create(&aside)?;
    file.write_all(start.to_string().as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, &path)?;
    File::open(directory)?.sync_all()?;
    Ok(start)
}
