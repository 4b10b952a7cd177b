//! How one search goes: what it looks for, what may happen in it, and when it ends.

use crate::Checkable;
use crate::dead::Dead;
use crate::property::{Property, Reads};
use crate::symmetry::Symmetry;
use std::collections::BTreeSet;
use std::sync::Arc;
use synod_node::NodeId;

/// When a search ends, if neither its space nor its budget does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Until {
    /// Every goal is reached and every invariant violated: nothing is left to be learnt.
    #[default]
    Settled,
    /// The first goal is reached or the first invariant violated.
    First,
}

/// What spares work and keeps every verdict. Each can be switched off.
pub struct Reductions<N: Checkable> {
    /// A stimulus that changes nothing and sends nothing does not happen: a message stays in flight where it is delivered
    /// once. On an ordered link the message does arrive, since it makes way for the next one, and is lost only when its turn
    /// comes. Where a property reads everything, what is in flight is part of that: then a message that is delivered once
    /// arrives whatever it does, and may be lost at any time. A timer that fires is set no more, so it changes something,
    /// unless it is set again at once.
    pub no_ops: bool,
    /// Of two deliveries or timers at different nodes that commute, only one order is taken. The states and their
    /// depths are the same; only transitions are spared. See `commute.rs` for where it applies.
    pub commuting: bool,
    /// States that differ by a renaming of nodes are one.
    pub symmetry: Option<Arc<Symmetry<N>>>,
    /// States that differ only in messages that can never matter again are one. The search proves what is declared.
    pub dead: Option<Dead<N>>,
}

impl<N: Checkable> Clone for Reductions<N> {
    fn clone(&self) -> Self {
        Reductions {
            no_ops: self.no_ops,
            commuting: self.commuting,
            symmetry: self.symmetry.clone(),
            dead: self.dead.clone(),
        }
    }
}

impl<N: Checkable> Default for Reductions<N> {
    fn default() -> Self {
        Reductions { no_ops: true, commuting: true, symmetry: None, dead: None }
    }
}

impl<N: Checkable> Reductions<N> {
    /// None of them.
    pub fn none() -> Self {
        Reductions { no_ops: false, commuting: false, symmetry: None, dead: None }
    }
}

/// See the module's page. The default looks for panics and wrong answers only, everywhere, for ever.
pub struct Settings<N: Checkable> {
    /// What must hold in every state.
    pub invariants: Vec<Property<N>>,
    /// States to be found.
    pub goals: Vec<Property<N>>,
    /// States beyond which nothing is of interest: they are looked at, and not left.
    pub prunes: Vec<Property<N>>,
    /// Nothing is delivered over these links, from and to.
    pub cut_links: BTreeSet<(NodeId, NodeId)>,
    /// No timer fires at these nodes.
    pub stopped_timers: BTreeSet<NodeId>,
    /// After so many unique states the budget is spent.
    pub states_max: Option<u64>,
    /// States so many steps from the first are not left. Where one could be, the budget counts as spent.
    pub depth_max: Option<u32>,
    /// When the search ends early.
    pub until: Until,
    /// What spares work.
    pub reductions: Reductions<N>,
    /// No fault happens, whatever the budgets, and nothing that is broken is repaired. For stages that begin where nobody is
    /// paused and no partition holds.
    pub is_calm: bool,
    /// Whole states are kept and compared, instead of fingerprints: slow, and beyond doubt. It alone bears a `Hash` that leaves
    /// out what `Eq` compares; other searches are violated where two such values come.
    pub is_exact: bool,
}

impl<N: Checkable> Clone for Settings<N> {
    fn clone(&self) -> Self {
        Settings {
            invariants: self.invariants.clone(),
            goals: self.goals.clone(),
            prunes: self.prunes.clone(),
            cut_links: self.cut_links.clone(),
            stopped_timers: self.stopped_timers.clone(),
            states_max: self.states_max,
            depth_max: self.depth_max,
            until: self.until,
            reductions: self.reductions.clone(),
            is_calm: self.is_calm,
            is_exact: self.is_exact,
        }
    }
}

impl<N: Checkable> Default for Settings<N> {
    fn default() -> Self {
        Settings {
            invariants: Vec::new(),
            goals: Vec::new(),
            prunes: Vec::new(),
            cut_links: BTreeSet::new(),
            stopped_timers: BTreeSet::new(),
            states_max: None,
            depth_max: None,
            until: Until::default(),
            reductions: Reductions::default(),
            is_calm: false,
            is_exact: false,
        }
    }
}

impl<N: Checkable> Settings<N> {
    /// Whether a property may look at what is in flight.
    pub(crate) fn looks_at_flight(&self) -> bool {
        let mut properties = self.invariants.iter().chain(&self.goals).chain(&self.prunes);
        properties.any(|property| property.reads == Reads::Everything)
    }

    /// Adds an invariant.
    #[must_use]
    pub fn invariant(mut self, property: Property<N>) -> Self {
        self.invariants.push(property);
        self
    }

    /// Adds a goal, and ends when the first one is reached.
    #[must_use]
    pub fn goal(mut self, property: Property<N>) -> Self {
        self.goals.push(property);
        self.until = Until::First;
        self
    }

    /// Adds a prune.
    #[must_use]
    pub fn prune(mut self, property: Property<N>) -> Self {
        self.prunes.push(property);
        self
    }

    /// No fault happens.
    #[must_use]
    pub fn calm(mut self) -> Self {
        self.is_calm = true;
        self
    }

    /// Ends with the first verdict.
    #[must_use]
    pub fn until_first(mut self) -> Self {
        self.until = Until::First;
        self
    }

    /// Ends when so many unique states were seen.
    #[must_use]
    pub fn states(mut self, states_max: u64) -> Self {
        self.states_max = Some(states_max);
        self
    }

    /// Nothing is delivered from `from` to `to`.
    #[must_use]
    pub fn cut(mut self, from: NodeId, to: NodeId) -> Self {
        self.cut_links.insert((from, to));
        self
    }

    /// Among `all`, messages are delivered only between those of `group`, and no timer of another one fires.
    #[must_use]
    pub fn only(mut self, all: &[NodeId], group: &[NodeId]) -> Self {
        for from in all {
            for to in all {
                if !(group.contains(from) && group.contains(to)) {
                    self.cut_links.insert((*from, *to));
                }
            }
            if !group.contains(from) {
                self.stopped_timers.insert(*from);
            }
        }
        self
    }

    /// Among `all`, only the timers of `group` fire.
    #[must_use]
    pub fn timers_only(mut self, all: &[NodeId], group: &[NodeId]) -> Self {
        self.stopped_timers.extend(all.iter().filter(|id| !group.contains(id)));
        self
    }

    /// No timer fires at `nodes`.
    #[must_use]
    pub fn without_timers(mut self, nodes: &[NodeId]) -> Self {
        self.stopped_timers.extend(nodes);
        self
    }
}
