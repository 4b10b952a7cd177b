//! Files that are read again when they change.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// When a file was last written, as its file system counts: only compared, never taken for a time.
type Written = (i64, i64);

/// Some files, and when each was last written as far as is known. One that cannot be looked at has no time.
pub(crate) struct Watched {
    files: Vec<PathBuf>,
    written: Vec<Option<Written>>,
}

impl Watched {
    pub(crate) fn new(files: impl IntoIterator<Item = PathBuf>) -> Watched {
        let mut watched = Watched { files: files.into_iter().collect(), written: Vec::new() };
        watched.written = watched.look();
        watched
    }

    fn look(&self) -> Vec<Option<Written>> {
        let written = |path: &PathBuf| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.mtime(), about.mtime_nsec()))
        };
        self.files.iter().map(written).collect()
    }

    /// Waits until one of them was written again.
    pub(crate) async fn changed(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let written = self.look();
            if written != self.written {
                self.written = written;
                return;
            }
        }
    }
}
