//! One place of a system: its node while it runs, and what the world keeps around it.

use crate::Checkable;
use crate::hash::{Salt, content_hash};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use synod_node::{Durable, Outbox, TimerRange};
use synod_world::Write;

/// A timer that waits, with its place.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Waiting<N: Checkable> {
    pub(crate) place: usize,
    pub(crate) timer: N::Timer,
    pub(crate) after: TimerRange,
}

/// What the world keeps around a node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Side<N: Checkable> {
    /// In their normal order: see [`Side::set_timer`].
    pub(crate) timers: Vec<Waiting<N>>,
    pub(crate) outbox: Outbox<N>,
    pub(crate) writing: VecDeque<Write<N>>,
    pub(crate) disk: Durable<N>,
}

impl<N: Checkable> Default for Side<N> {
    fn default() -> Self {
        Side {
            timers: Vec::new(),
            outbox: Outbox::default(),
            writing: VecDeque::new(),
            disk: Durable::default(),
        }
    }
}

/// Whether `later`, set after `earlier`, must also fire after it.
fn must_follow(earlier: &TimerRange, later: &TimerRange) -> bool {
    earlier.end() <= later.start()
}

impl<N: Checkable> Side<N> {
    /// Sets a timer. Queues that allow the same orders of firing from now on are equal: two timers that are free to
    /// fire in either order, whichever was set first, stand in the order of their contents (the lexicographic normal
    /// form of a partially commutative word; Anisimov and Knuth 1979).
    pub(crate) fn set_timer(&mut self, waiting: Waiting<N>) {
        self.timers.push(waiting);
        self.sort_timers();
    }

    pub(crate) fn sort_timers(&mut self) {
        if self.timers.len() < 2 {
            return;
        }
        let mut rest: Vec<(u64, Waiting<N>)> =
            self.timers.drain(..).map(|timer| (content_hash(Salt::Timer, &timer), timer)).collect();
        while !rest.is_empty() {
            let is_bound = |a: &Waiting<N>, b: &Waiting<N>| {
                must_follow(&a.after, &b.after) || must_follow(&b.after, &a.after)
            };
            let movable = (0..rest.len())
                .filter(|at| rest[..*at].iter().all(|(_, before)| !is_bound(before, &rest[*at].1)));
            let first = movable.min_by_key(|at| rest[*at].0).expect("the first can always stay first");
            self.timers.push(rest.remove(first).1);
        }
    }

    /// The timers that may fire now.
    pub(crate) fn fireable(&self) -> impl Iterator<Item = &Waiting<N>> {
        self.timers.iter().enumerate().filter_map(|(at, timer)| {
            let is_free = self.timers[..at].iter().all(|before| !must_follow(&before.after, &timer.after));
            is_free.then_some(timer)
        })
    }

    /// Takes a timer that fires.
    pub(crate) fn take_timer(&mut self, timer: &Waiting<N>) {
        let at = self.timers.iter().position(|other| other == timer).expect("a timer that waits fires");
        self.timers.remove(at);
        self.sort_timers();
    }
}

/// A place's content, by ids. Equal ids are equal contents; the hashes are the contents' own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) index: u32,
    /// None while it is crashed, or before it starts.
    pub(crate) node: Option<(u32, u64)>,
    pub(crate) side: (u32, u64),
    pub(crate) user: Option<(u32, u64)>,
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.index.hash(state);
        self.node.map(|(_, hash)| hash).hash(state);
        self.side.1.hash(state);
        self.user.map(|(_, hash)| hash).hash(state);
    }
}

impl Place {
    /// A number for what a property can see of it, node and user: different for different ones, whatever their hashes are.
    pub(crate) fn visible(&self) -> u64 {
        content_hash(Salt::Visible, &(self.index, self.node.map(|(id, _)| id), self.user.map(|(id, _)| id)))
    }
}
