//! One search in a process of its own, and what it cost.
//!
//! Peak memory is a process's, so each search has one: the program runs itself with the search as arguments, and reads
//! a line of figures back.

use crate::models::{Counts, Model};
use std::process::Command;
use std::time::Instant;

/// What a search counted and cost.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// What it counted.
    pub counts: Counts,
    /// Seconds of processor time, of user and system together, of all threads.
    pub cpu: f64,
    /// Seconds that passed.
    pub wall: f64,
    /// The most memory that was resident at once, in megabytes of 1,000,000 bytes.
    pub peak_mb: f64,
}

impl Figures {
    /// Runs `search` and measures this process.
    pub fn of(search: impl FnOnce() -> Counts) -> Self {
        let begin = Instant::now();
        let counts = search();
        let wall = begin.elapsed().as_secs_f64();
        let usage = usage();
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        // Linux counts in KiB.
        let peak_mb = usage.ru_maxrss as f64 * 1024.0 / 1e6;
        Figures { counts, cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime), wall, peak_mb }
    }

    /// Starts this program again for `name`'s search of `model` and waits for its figures.
    ///
    /// # Errors
    /// What the search said, if it failed.
    pub fn of_child(name: &str, model: Model, threads: usize) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let arguments = ["search", name, &model.to_string(), &threads.to_string()];
        let output = Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
        let line = String::from_utf8_lossy(&output.stdout);
        let said = || format!("{name} on {model}: {}", String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Figures::from_line(&line).ok_or_else(said) } else { Err(said()) }
    }

    /// As a line, for who started this process.
    pub fn to_line(self) -> String {
        let Figures { counts: Counts { unique, generated, depth }, cpu, wall, peak_mb } = self;
        format!("{unique} {generated} {depth} {cpu} {wall} {peak_mb}")
    }

    fn from_line(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[unique, generated, depth, cpu, wall, peak_mb] = words.as_slice() else { return None };
        let number = |word: &str| word.parse().ok();
        let counts = Counts { unique: number(unique)?, generated: number(generated)?, depth: number(depth)? };
        Some(Figures {
            counts,
            cpu: cpu.parse().ok()?,
            wall: wall.parse().ok()?,
            peak_mb: peak_mb.parse().ok()?,
        })
    }
}

fn usage() -> libc::rusage {
    // SAFETY: all bytes zero is a value of this type, and the call only writes to it.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    }
}
