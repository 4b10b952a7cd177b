//! What the run has found so far: violations, and what could not be decided.

use serde::Serialize;
use std::sync::{Mutex, PoisonError};

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Finding {
    /// Whether a guarantee was broken; otherwise it could not be shown.
    pub(super) is_violation: bool,
    /// Which part of the run found it.
    pub(super) by: String,
    /// When, in microseconds of the run.
    pub(super) at_us: u64,
    /// What was found, with the history around it.
    pub(super) text: String,
}

impl Finding {
    pub(super) fn violation(by: &str, at_us: u64, text: String) -> Finding {
        Finding { is_violation: true, by: by.to_owned(), at_us, text }
    }

    pub(super) fn gave_up(by: &str, text: String) -> Finding {
        Finding { is_violation: false, by: by.to_owned(), at_us: 0, text }
    }
}

/// All findings, which many threads add to.
#[derive(Default)]
pub(super) struct Findings(Mutex<Vec<Finding>>);

impl Findings {
    pub(super) fn add(&self, finding: Finding) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&finding) {
            all.push(finding);
        }
    }

    /// Whether a guarantee was broken.
    pub(super) fn has_violation(&self) -> bool {
        self.all().iter().any(|finding| finding.is_violation)
    }

    pub(super) fn all(&self) -> Vec<Finding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
