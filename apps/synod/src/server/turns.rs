//! Connections take turns with the rest of the process: once they have worked for a while, whoever comes next waits until
//! everything else that is ready has run. So peers, timers and the disk are never far behind, however many clients ask.

use super::registry::Shared;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// So long connections work before everything else has its turn.
const SLICE: Duration = Duration::from_millis(1);
/// So many of those that wait are woken at once.
const WOKEN_MAX: usize = 64;

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Turns {
    used: Cell<Duration>,
    waiting: RefCell<VecDeque<Rc<Shared>>>,
    wake: Notify,
}

impl Turns {
    /// Whether a connection may work now. If not, it is woken when it may.
    pub(super) fn take(&self, shared: &Rc<Shared>) -> bool {
        if self.used.get() < SLICE {
            return true;
        }
        if !shared.awaits_turn.replace(true) {
            self.waiting.borrow_mut().push_back(Rc::clone(shared));
            self.wake.notify_one();
        }
        false
    }

    /// A connection has worked since `begun`.
    pub(super) fn note_work(&self, begun: Instant) {
        self.used.set(self.used.get() + begun.elapsed());
    }

    /// Gives turns, until the process ends.
    pub(super) async fn run(registry: Rc<super::registry::Registry>) {
        let turns = &registry.turns;
        loop {
            turns.wake.notified().await;
            while !turns.waiting.borrow().is_empty() {
                // Everything that is ready runs before this goes on.
                tokio::task::yield_now().await;
                turns.used.set(Duration::ZERO);
                for _ in 0..WOKEN_MAX {
                    let Some(next) = turns.waiting.borrow_mut().pop_front() else { break };
                    next.awaits_turn.set(false);
                    next.wake();
                }
            }
        }
    }
}
