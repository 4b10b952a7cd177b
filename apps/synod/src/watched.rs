//! Files that are read again when they change.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// Until the process ends: whenever one of `files` was written again, reads them by `load`, and hands what they hold to `take`.
/// Wrong files do not count: the last good ones stay. The log says both.
pub(crate) async fn follow<T>(
    files: Vec<PathBuf>,
    load: impl Fn() -> Result<T, String>,
    mut take: impl FnMut(T),
) {
    let mut known = written(&files);
    loop {
        tokio::time::sleep(LOOK).await;
        let now = written(&files);
        if now == known {
            continue;
        }
        known = now;
        match load() {
            Ok(held) => {
                take(held);
                tracing::info!(?files, "what has changed was read again: new connections use it");
            }
            Err(problem) => {
                tracing::warn!(problem, "files have changed and are wrong: the last good ones stay");
            }
        }
    }
}

/// When each file was last written, as its file system counts: only compared, never taken for a time. A file that cannot be
/// looked at has none.
fn written(files: &[PathBuf]) -> Vec<Option<(i64, i64)>> {
    let written = |path: &PathBuf| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.mtime(), about.mtime_nsec()))
    };
    files.iter().map(written).collect()
}
