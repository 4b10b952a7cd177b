//! The flight recorder: what happened to the nodes of this process lately, as a recording that can be lived through again.
//!
//! A line is with the system before the node takes the step that it tells, and what the node did before any of it leaves
//! the process. So a process that is killed, or ends in a panic, leaves a recording of everything that others can have seen
//! of it, and of the step that it ended in.

use crate::clock::wall_time;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use synod_node::{NodeId, Stimulus};
use synod_world::{Origin, Recordable, Recorded, Recording, TraceEvent, did_line, recorded_words};

/// A recovery of more than this part of what is kept at all is noted without what was recovered.
const RECOVERED_PART: u64 = 4;

/// Writes every stimulus to a file; when it is full it becomes `….old`, in the place of the one before, and a new part
/// begins. So at least the last `bytes_max` bytes of a start are there, and at most twice as many. A new start begins a
/// new file too.
pub(crate) struct Recorder {
    path: PathBuf,
    bytes_max: u64,
    origin: Origin,
    bytes: u64,
    file: File,
    /// What the system does not have yet.
    lines: String,
    /// A recording that failed once has a gap: it ends there.
    has_failed: bool,
}

impl Recorder {
    pub(crate) fn create(path: PathBuf, bytes_max: u64, origin: Origin) -> std::io::Result<Recorder> {
        // What is there already tells of the start before, perhaps of its end: it is kept.
        if path.is_file() {
            fs::rename(&path, part_before(&path))?;
        }
        let file = File::create(&path)?;
        let lines = Recording::header_line(origin);
        let mut recorder = Recorder { path, bytes_max, origin, bytes: 0, file, lines, has_failed: false };
        recorder.write()?;
        Ok(recorder)
    }

    /// This happens to a node now.
    pub(crate) fn begin<N: Recordable>(
        &mut self,
        node: NodeId,
        stimulus: &Stimulus<N>,
        built: &serde_json::Value,
    ) {
        self.turn_over();
        let recovered_max = usize::try_from(self.bytes_max / RECOVERED_PART).unwrap_or(usize::MAX);
        self.lines += &Recorded::of((now_us(), node), stimulus, built, recovered_max).to_line();
        self.flush();
    }

    /// This is what the node did then.
    pub(crate) fn did(&mut self, did: u64) {
        self.lines += &did_line(did);
    }

    /// So many writes of a node are durable now.
    pub(crate) fn durable(&mut self, node: NodeId, writes: usize) {
        self.note(TraceEvent::Durable { at_us: now_us(), node: node.to_string(), writes });
    }

    /// A message was sent to nobody.
    pub(crate) fn lost<N: Recordable>(&mut self, from: NodeId, to: NodeId, message: &N::Message) {
        let (from, to, message) = (from.to_string(), to.to_string(), recorded_words(message));
        self.note(TraceEvent::Drop { at_us: now_us(), from, to, message });
    }

    fn note(&mut self, event: TraceEvent) {
        self.lines += &Recorded { event, bytes: None, built: None }.to_line();
    }

    /// Hands the system what was noted. A recording that fails must not stop the node: it just ends.
    pub(crate) fn flush(&mut self) {
        if self.has_failed {
            self.lines.clear();
        } else if let Err(error) = self.write() {
            self.has_failed = true;
            tracing::warn!(%error, path = %self.path.display(), "the flight recorder cannot write: the recording ends here");
        }
    }

    fn write(&mut self) -> std::io::Result<()> {
        self.file.write_all(self.lines.as_bytes())?;
        self.bytes += self.lines.len() as u64;
        self.lines.clear();
        Ok(())
    }

    /// Begins a new part, if this one is full.
    fn turn_over(&mut self) {
        if self.bytes <= self.bytes_max || self.has_failed {
            return;
        }
        self.flush();
        let begun = fs::rename(&self.path, part_before(&self.path)).and_then(|()| File::create(&self.path));
        match begun {
            Ok(file) => {
                self.origin.part += 1;
                (self.file, self.bytes) = (file, 0);
                self.lines = Recording::header_line(self.origin);
                self.flush();
            }
            Err(error) => {
                self.has_failed = true;
                tracing::warn!(%error, path = %self.path.display(), "the flight recorder cannot begin a new part");
            }
        }
    }
}

fn now_us() -> u64 {
    wall_time().as_micros() as u64
}

/// Where a recording goes when a new part, or a new start's, begins in its place.
pub fn part_before(path: &Path) -> PathBuf {
    let mut before = path.to_owned().into_os_string();
    before.push(".old");
    before.into()
}
