//! The flight recorder: what happened to the nodes of this process lately, as a trace.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use synod_node::{Node, NodeId, Stimulus};
use synod_world::{Header, Trace, TraceEvent};

/// Writes every stimulus to a file; when it is full it becomes `….old`, in the place of the one before, and a new one
/// begins. So at least the last `bytes_max` bytes of a start are there, and at most twice as many. A new start begins a
/// new file too.
pub(crate) struct Recorder {
    path: PathBuf,
    bytes_max: u64,
    bytes: u64,
    file: BufWriter<File>,
}

impl Recorder {
    pub(crate) fn create(path: PathBuf, bytes_max: u64) -> std::io::Result<Recorder> {
        // What is there already tells of the start before, perhaps of its end: it is kept.
        if path.is_file() {
            fs::rename(&path, old(&path))?;
        }
        let file = BufWriter::new(File::create(&path)?);
        let mut recorder = Recorder { path, bytes_max, bytes: 0, file };
        recorder.begin()?;
        Ok(recorder)
    }

    fn begin(&mut self) -> std::io::Result<()> {
        let header = Header::of("host", "recording", "");
        self.bytes = 0;
        self.file.write_all(Trace { header, events: Vec::new() }.to_text().as_bytes())
    }

    pub(crate) fn record<N: Node>(&mut self, node: NodeId, stimulus: &Stimulus<N>) {
        let at_us = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_micros() as u64);
        let node = node.to_string();
        let event = match stimulus {
            Stimulus::Start => TraceEvent::Start { at_us, node },
            Stimulus::Message { from, message } => TraceEvent::Deliver {
                at_us,
                from: from.to_string(),
                to: node,
                message: format!("{message:?}"),
            },
            Stimulus::Timer(timer) => TraceEvent::Fire { at_us, node, timer: format!("{timer:?}") },
            Stimulus::Request { id, request } => {
                TraceEvent::Request { at_us, node, id: id.0, request: format!("{request:?}"), words: None }
            }
            Stimulus::Recover(_) => TraceEvent::Restart { at_us, node },
        };
        // A recording that fails must not stop the node: it just ends.
        if let Err(error) = self.append(&event) {
            tracing::warn!(%error, "the flight recorder cannot write");
        }
    }

    fn append(&mut self, event: &TraceEvent) -> std::io::Result<()> {
        let line = event.to_line();
        self.bytes += line.len() as u64;
        self.file.write_all(line.as_bytes())?;
        if self.bytes > self.bytes_max {
            self.file.flush()?;
            fs::rename(&self.path, old(&self.path))?;
            self.file = BufWriter::new(File::create(&self.path)?);
            self.begin()?;
        }
        Ok(())
    }
}

/// Where a recording goes when a new one begins.
fn old(path: &Path) -> PathBuf {
    let mut old = path.to_owned().into_os_string();
    old.push(".old");
    old.into()
}
