//! A state that a search found, for the next one to begin from.

use crate::stim::Stim;
use std::sync::Arc;

/// A state of one checker, with the path that leads there from the checker's first state.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) vector: Arc<[u32]>,
    pub(crate) path: Arc<[Stim]>,
    /// Envelopes that a stage took away, and may put back.
    pub(crate) dropped: Arc<[u32]>,
}

impl State {
    pub(crate) fn extended(&self, vector: Vec<u32>, stims: &[Stim]) -> State {
        State {
            vector: vector.into(),
            path: self.path.iter().chain(stims).copied().collect(),
            dropped: Arc::clone(&self.dropped),
        }
    }

    /// How many steps it is from the first state.
    pub fn steps(&self) -> usize {
        self.path.len()
    }
}
