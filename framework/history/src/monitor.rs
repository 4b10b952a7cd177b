//! Judging a history while it happens: an automaton whose state is what may have happened, and no more.
//!
//! After Wing and Gong ("Testing and verifying concurrent objects", 1993) and the just-in-time linearization of Lowe
//! ("Testing for linearizability", 2017): an operation takes effect only when an answer asks for it. A *configuration*
//! is one way in which everything so far may have happened: the object's state, and for each process that waits, that
//! its operation has not taken effect, or what it must be told. Any operation that waits may take effect now, so a
//! configuration stands for all that can be had from it by letting operations take effect, and a monitor is the set of
//! what all its configurations stand for. When a process is told something, those of the set remain in which its
//! operation took effect and answered that; if none does, the history is not linearizable.
//!
//! # What is forgotten
//! Two histories with the same set are judged alike from then on, and their monitors are equal: of the set only those
//! are kept that cannot be had from another, in an order of their own. A completed operation leaves nothing but the
//! state. One of unknown outcome may take effect at any later time or never, so it stays; but nobody knows any more who
//! asked for it, and one that only reads is gone. Of an operation that took effect and is not told, its answer is kept
//! rather than the state that gave it.
//!
//! # Cost
//! Exponential in the worst case, as deciding linearizability is: with `n` operations under way on one key, those of
//! unknown outcome included, the set has up to about `n!` members. A handful is quick. Keys are kept apart, since
//! linearizability is local (Herlihy and Wing 1990, theorem 1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::specification::Specification;

/// What may have happened in a history so far, as far as it matters for its future. See the module's page.
///
/// Each process has one operation under way at a time. Monitors are plain data, and equal ones judge every future
/// alike.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Monitor<S: Specification> {
    /// Operations on different keys are kept apart.
    is_split: bool,
    /// By key; what is as at the beginning has no part.
    parts: BTreeMap<Key, Part<S>>,
}

/// `None` where everything is in one piece.
type Key = Option<Arc<[u8]>>;

impl<S: Specification> Default for Monitor<S> {
    fn default() -> Self {
        Monitor::new()
    }
}

impl<S: Specification> Monitor<S> {
    /// Of a history without operations. They must all have a [`key`](Specification::key), or none of them.
    pub fn new() -> Self {
        Monitor { is_split: true, parts: BTreeMap::new() }
    }

    /// The same for histories in which some operations have a key and some have none: slower, since nothing is split.
    pub fn whole() -> Self {
        Monitor { is_split: false, parts: BTreeMap::new() }
    }

    /// `process` asks for `op`.
    ///
    /// # Panics
    /// If it waits for an answer already, or if some operations have keys and others not: bugs of the recorder.
    pub fn invoke(&mut self, process: u64, op: S::Op) {
        assert!(self.key_of(process).is_none(), "process {process} asks for `{op}` while it waits");
        let key = S::key(&op).filter(|_| self.is_split).map(Arc::from);
        let fits = self.parts.keys().all(|other| other.is_some() == key.is_some());
        assert!(fits, "`{op}` and others have not all a key: such a history is monitored as a whole");
        self.parts.entry(key).or_default().waiting.insert(process, op);
    }

    /// `process` is told `ret`.
    ///
    /// # Errors
    /// Names the operation, the answer, and what could have been answered, if the history is linearizable no more. The
    /// monitor is then as it was before.
    ///
    /// # Panics
    /// If it waits for no answer: a bug of the recorder.
    pub fn complete(&mut self, process: u64, ret: &S::Ret) -> Result<(), String> {
        let Some(key) = self.key_of(process) else { panic!("process {process} is told `{ret}` unasked") };
        self.change(key, |part| part.complete(process, ret))
    }

    /// The outcome of what `process` asked for will never be known: it may still take effect, at any time, or never.
    /// The process may ask for something else. Nothing happens if it waits for no answer.
    pub fn abandon(&mut self, process: u64) {
        if let Some(key) = self.key_of(process) {
            self.change(key, |part| part.abandon(process));
        }
    }

    /// Gives each process another name.
    ///
    /// # Panics
    /// If two that wait get the same.
    pub fn rename(&mut self, by: &dyn Fn(u64) -> u64) {
        let mut names = BTreeSet::new();
        for part in self.parts.values_mut() {
            part.waiting = renamed(std::mem::take(&mut part.waiting), by);
            let distinct = part.waiting.keys().all(|name| names.insert(*name));
            assert!(distinct, "two processes got one name");
            let renamed = std::mem::take(&mut part.configurations).into_iter().map(|configuration| {
                let due = renamed(configuration.due.into_iter().collect(), by).into_iter().collect();
                Configuration { due, ..configuration }
            });
            part.configurations = renamed.collect();
        }
    }

    /// The part in which `process` waits.
    fn key_of(&self, process: u64) -> Option<Key> {
        self.parts.iter().find(|(_, part)| part.waiting.contains_key(&process)).map(|(key, _)| key.clone())
    }

    /// Changes the part of `key`, and drops it if it is as at the beginning again.
    fn change<T>(&mut self, key: Key, change: impl FnOnce(&mut Part<S>) -> T) -> T {
        let mut part = self.parts.remove(&key).unwrap_or_default();
        let result = change(&mut part);
        if part != Part::default() {
            self.parts.insert(key, part);
        }
        result
    }
}

fn renamed<T>(by_process: BTreeMap<u64, T>, by: &dyn Fn(u64) -> u64) -> BTreeMap<u64, T> {
    let count = by_process.len();
    let renamed: BTreeMap<u64, T> = by_process.into_iter().map(|(name, value)| (by(name), value)).collect();
    assert_eq!(renamed.len(), count, "two processes got one name");
    renamed
}

/// What may have happened to one key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Part<S: Specification> {
    /// What processes asked for that were not told its outcome.
    waiting: BTreeMap<u64, S::Op>,
    /// Never empty, and none can be had from another.
    configurations: BTreeSet<Configuration<S>>,
}

/// One way in which everything so far may have happened.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Configuration<S: Specification> {
    state: S::State,
    /// What those processes must be told whose operation took effect, in the order of processes: a handful, so a list is
    /// smaller and quicker to copy than a tree.
    due: Vec<(u64, S::Ret)>,
    /// The operations of unknown outcome that did not take effect yet, in order: nobody waits for them.
    lost: Vec<S::Op>,
}

impl<S: Specification> Default for Part<S> {
    fn default() -> Self {
        let initial = Configuration { state: S::initial(), due: Vec::new(), lost: Vec::new() };
        Part { waiting: BTreeMap::new(), configurations: BTreeSet::from([initial]) }
    }
}

impl<S: Specification> Part<S> {
    fn complete(&mut self, process: u64, ret: &S::Ret) -> Result<(), String> {
        let op = &self.waiting[&process];
        let mut next: Vec<Configuration<S>> = self.configurations.iter().cloned().collect();
        let mut seen = BTreeSet::new();
        let mut kept = BTreeSet::new();
        let mut others = BTreeSet::new();
        while let Some(mut configuration) = next.pop() {
            match configuration.due_at(process) {
                // Just in time: what could take effect later still can.
                Ok(at) if S::fits(op, &configuration.due[at].1, ret) => {
                    configuration.due.remove(at);
                    kept.insert(configuration);
                }
                Ok(at) => {
                    others.insert(configuration.due.swap_remove(at).1);
                }
                Err(_) => {
                    if seen.insert(configuration.clone()) {
                        next.extend(configuration.after_one_more(&self.waiting));
                    }
                }
            }
        }
        if kept.is_empty() {
            let others: Vec<String> = others.iter().map(|answer| format!("`{answer}`")).collect();
            let possible = others.join(" or ");
            return Err(format!("process {process} asked for `{op}` and was told `{ret}`, not {possible}"));
        }
        self.configurations = kept;
        self.waiting.remove(&process);
        self.keep_undominated();
        Ok(())
    }

    fn abandon(&mut self, process: u64) {
        let Some(op) = self.waiting.remove(&process) else { return };
        let is_lost = !S::is_read_only(&op);
        let configurations = std::mem::take(&mut self.configurations).into_iter().map(|mut configuration| {
            match configuration.due_at(process) {
                Ok(at) => {
                    configuration.due.remove(at);
                }
                Err(_) if is_lost => {
                    let place = configuration.lost.partition_point(|other| *other <= op);
                    configuration.lost.insert(place, op.clone());
                }
                Err(_) => {}
            }
            configuration
        });
        self.configurations = configurations.collect();
        self.keep_undominated();
    }

    /// Drops what can be had from another configuration. That is never mutual, so the same set always keeps the same.
    fn keep_undominated(&mut self) {
        if self.configurations.len() == 1 {
            return;
        }
        let dominated_by = |configuration: &Configuration<S>| {
            let mut dominated = configuration.after_one_more(&self.waiting);
            dominated.extend(configuration.with_one_lost_for_ever());
            dominated
        };
        let mut next: Vec<Configuration<S>> = self.configurations.iter().flat_map(dominated_by).collect();
        let mut dominated = BTreeSet::new();
        while let Some(configuration) = next.pop() {
            if !dominated.contains(&configuration) {
                next.extend(dominated_by(&configuration));
                dominated.insert(configuration);
            }
        }
        self.configurations.retain(|configuration| !dominated.contains(configuration));
    }
}

impl<S: Specification> Configuration<S> {
    /// Where what `process` must be told stands, or would.
    fn due_at(&self, process: u64) -> Result<usize, usize> {
        self.due.binary_search_by_key(&process, |(process, _)| *process)
    }

    /// What can be had by letting one operation more take effect.
    fn after_one_more(&self, waiting: &BTreeMap<u64, S::Op>) -> Vec<Self> {
        let mut after = Vec::new();
        for (process, op) in waiting {
            let Err(at) = self.due_at(*process) else { continue };
            let (state, answer) = S::run(&self.state, op);
            let mut due = Vec::with_capacity(self.due.len() + 1);
            due.extend_from_slice(&self.due[..at]);
            due.push((*process, answer));
            due.extend_from_slice(&self.due[at..]);
            after.push(Configuration { state, due, lost: self.lost.clone() });
        }
        for (op, without) in self.lost.iter().zip(self.with_one_lost_for_ever()) {
            let (state, _) = S::run(&self.state, op);
            after.push(Configuration { state, ..without });
        }
        after
    }

    /// What can be had if one of the lost operations never takes effect; in their order.
    fn with_one_lost_for_ever(&self) -> impl Iterator<Item = Self> + '_ {
        (0..self.lost.len()).map(|at| {
            let mut without = self.clone();
            without.lost.remove(at);
            without
        })
    }
}
