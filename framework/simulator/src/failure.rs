//! What a run that failed says.

use std::fmt;
use synod_world::TraceEvent;

/// Why and when a run ended badly, with what happened last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The run's seed.
    pub seed: u64,
    /// Microseconds of virtual time.
    pub at_us: u64,
    /// What is wrong, in words.
    pub what: String,
    /// The run's options, as they were at the start.
    pub options: String,
    /// The last events, oldest first.
    pub last: Vec<TraceEvent>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} failed after {:.3} ms: {}", self.seed, self.at_us as f64 / 1000.0, self.what)?;
        writeln!(f, "options: {}", self.options)?;
        writeln!(f, "the last {} events:", self.last.len())?;
        for event in &self.last {
            writeln!(f, "{event}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
