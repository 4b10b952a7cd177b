//! Users: what clients are asked, in order, and which answers are right.

use crate::Checkable;
use std::sync::Arc;
use synod_node::RequestId;

/// One request of a user, and the answer that it must get, if only one is right.
#[derive(Clone, Debug)]
pub struct Ask<N: Checkable> {
    /// What is asked.
    pub request: N::Request,
    /// The only right answer, if there is only one.
    pub expected: Option<N::Response>,
}

type Script<N> = Arc<dyn Fn(u64) -> Option<Ask<N>> + Send + Sync>;

/// A user of a client: asks as soon as it may, in the same transition as the answer that it waited for. A fixed part of
/// the system; how far it got is part of the state.
pub struct User<N: Checkable> {
    script: Script<N>,
    window: usize,
}

impl<N: Checkable> Clone for User<N> {
    fn clone(&self) -> Self {
        User { script: Arc::clone(&self.script), window: self.window }
    }
}

impl<N: Checkable> User<N> {
    /// Asks `script(0)`, `script(1)`, … until it says `None`; one at a time.
    pub fn new(script: impl Fn(u64) -> Option<Ask<N>> + Send + Sync + 'static) -> Self {
        User { script: Arc::new(script), window: 1 }
    }

    /// Asks a list, one after the other.
    pub fn asks(list: Vec<(N::Request, Option<N::Response>)>) -> Self {
        let asks: Vec<Ask<N>> =
            list.into_iter().map(|(request, expected)| Ask { request, expected }).collect();
        User::new(move |index| asks.get(index as usize).cloned())
    }

    /// As it is, with up to `window` requests outstanding.
    #[must_use]
    pub fn with_window(mut self, window: usize) -> Self {
        self.window = window;
        self
    }

    /// What it asks as its number `index`, from 0; none after the last.
    pub fn ask(&self, index: u64) -> Option<Ask<N>> {
        (self.script)(index)
    }

    pub(crate) fn window(&self) -> usize {
        self.window
    }

    /// The next request of a user that got so far, if it may ask now.
    pub(crate) fn next(&self, position: &Position) -> Option<Ask<N>> {
        if position.outstanding.len() >= self.window { None } else { self.ask(position.asked) }
    }

    /// Whether a user that got so far has asked and been answered everything.
    pub(crate) fn is_done(&self, position: &Position) -> bool {
        position.outstanding.is_empty() && self.ask(position.asked).is_none()
    }
}

/// How far a user got. Request `n`, from 1, is the script's number `n - 1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position {
    /// How many requests it asked.
    pub asked: u64,
    /// How many of them were answered while it waited.
    pub answered: u64,
    /// Those that it waits for, in order.
    pub outstanding: Vec<RequestId>,
    /// Those that it gave up, in order: an answer may still come.
    pub given_up: Vec<RequestId>,
}
