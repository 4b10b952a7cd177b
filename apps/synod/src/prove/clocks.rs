//! Wall clocks that jump, with libfaketime: a node's offset stands in a file that the library reads at each look at the clock.
//! Monotonic clocks stay true.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where libfaketime is; `None` if it is not installed.
pub fn library() -> Option<PathBuf> {
    // Debian has a directory for each architecture, others have one.
    let places = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let others = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from);
    let files = places.chain(others).map(|place| place.join("faketime/libfaketimeMT.so.1"));
    files.into_iter().find(|file| file.exists())
}

/// What the process of a node that lives in `place` must find in its environment.
pub fn environment(library: &Path, place: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", file(place).display().to_string()),
        // The file is read at each look at the clock.
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("NO_FAKE_STAT", "1".to_owned()),
    ]
}

/// The file that says by how much the clock of the node in `place` is wrong.
pub fn file(place: &Path) -> PathBuf {
    place.join("clock")
}

/// From now on the wall clock of the node in `place` is wrong by `offset_s` seconds. A node reads the old offset or the new
/// one, never half of it.
///
/// # Errors
/// If the file cannot be written.
pub fn set(place: &Path, offset_s: i64) -> io::Result<()> {
    let new = place.join("clock.new");
    fs::write(&new, format!("{offset_s:+}\n"))?;
    fs::rename(new, file(place))
}

/// Removes what libfaketime keeps in shared memory of a process that was killed.
pub fn forget(process: u32) {
    for name in ["faketime_shm_", "sem.faketime_sem_"] {
        let _ = fs::remove_file(format!("/dev/shm/{name}{process}"));
    }
}
