//! Everything that the threads of a search share: the system, its values by number, and the steps that were taken once.

use crate::Checkable;
use crate::checks::Checks;
use crate::extras::Extras;
use crate::hash::Salt;
use crate::intern::Interner;
use crate::local::{Detail, Done, Event, Local};
use crate::numbers::Numbers;
use crate::observer::{Seen, Witness};
use crate::place::{Place, Side, Waiting};
use crate::stim::{Choice, Stim};
use crate::system::System;
use crate::user::Position;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use synod_node::NodeId;
use synod_stdx::LookupMap;
use synod_world::Envelope;

/// What a step shows no observer.
pub(crate) const NOTHING_SEEN: u32 = 0;

/// One local step, taken once: what it makes of the place, and what leaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    /// The place afterwards.
    pub(crate) after: u32,
    /// What the fingerprint changes by, for the place alone.
    pub(crate) delta: u64,
    /// The envelopes that leave, in order, with their hashes.
    pub(crate) sends: Box<[(u32, u64)]>,
    /// What the observer is shown.
    pub(crate) seen: u32,
    pub(crate) objection: Option<Arc<str>>,
    /// It changes nothing, and nothing leaves.
    pub(crate) is_noop: bool,
    /// It writes: the writes may be late.
    pub(crate) wrote: bool,
}

/// An observer afterwards, and what it objects to.
pub(crate) type Observed = (u32, Option<Arc<str>>);

/// See the module's page.
pub(crate) struct Shared<N: Checkable> {
    pub(crate) system: System<N>,
    pub(crate) names: Vec<NodeId>,
    indexes: BTreeMap<NodeId, usize>,
    /// Whether a node may ever restart: only then what is durable matters.
    pub(crate) keeps_disk: bool,
    pub(crate) nodes: Interner<N>,
    pub(crate) sides: Interner<Side<N>>,
    pub(crate) users: Interner<Position>,
    pub(crate) places: Interner<Place>,
    pub(crate) envelopes: Interner<Envelope<N>>,
    pub(crate) timers: Interner<Waiting<N>>,
    pub(crate) seen: Interner<Vec<Seen<N>>>,
    pub(crate) observers: Interner<Witness<N>>,
    pub(crate) extras: Interner<Extras>,
    steps: RwLock<LookupMap<(u32, u32), Arc<Step>>>,
    observed: RwLock<LookupMap<(u32, u32), Observed>>,
    /// How many steps were taken since nobody had.
    pub(crate) fresh: AtomicU64,
    /// How often a handler ran.
    pub(crate) handled: AtomicU64,
    /// How many local steps there are of each envelope, and of each timer.
    pub(crate) taken: [Mutex<Vec<u32>>; 2],
    pub(crate) checks: Option<Checks<N>>,
    /// How many things can be numbered.
    pub(crate) numbers: Numbers,
    /// Messages that were taken for dead, with the place.
    pub(crate) dead: Mutex<BTreeSet<(u32, u32)>>,
}

impl<N: Checkable> Shared<N> {
    pub(crate) fn new(system: System<N>, checks: Option<Checks<N>>) -> Self {
        let names = system.names();
        let seen = Interner::new(Salt::Events);
        seen.intern(Vec::new());
        Shared {
            indexes: names.iter().enumerate().map(|(index, id)| (*id, index)).collect(),
            names,
            keeps_disk: system.budgets.crashes > 0,
            system,
            nodes: Interner::new(Salt::Node),
            sides: Interner::new(Salt::Side),
            users: Interner::new(Salt::User),
            places: Interner::new(Salt::Place),
            envelopes: Interner::new(Salt::Envelope),
            timers: Interner::new(Salt::Timer),
            seen,
            observers: Interner::new(Salt::Observer),
            extras: Interner::new(Salt::Extras),
            steps: RwLock::default(),
            observed: RwLock::default(),
            fresh: AtomicU64::new(0),
            handled: AtomicU64::new(0),
            taken: Default::default(),
            checks,
            numbers: Numbers::default(),
            dead: Mutex::default(),
        }
    }

    /// The place of node `id`.
    pub(crate) fn index(&self, id: NodeId) -> Option<usize> {
        self.indexes.get(&id).copied()
    }

    /// The place before it starts, by number.
    pub(crate) fn blank(&self, index: usize) -> u32 {
        let side = self.sides.intern(Side::default());
        let user = self.system.places[index].user.as_ref().map(|_| self.users.intern(Position::default()));
        self.places.intern(Place { index: index as u32, node: None, side, user }).0
    }

    /// The step of `place` that `stim` names; taken if it never was.
    pub(crate) fn step(&self, place: u32, stim: Stim) -> Arc<Step> {
        let key = (place, stim.bits());
        if let Some(step) = self.steps.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(step);
        }
        self.note_taken(stim);
        self.fresh.fetch_add(1, Ordering::Relaxed);
        let step = Arc::new(self.take(place, stim));
        let mut steps = self.steps.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(steps.entry(key).or_insert(step))
    }

    /// What became of places, before and after each known step, in no order.
    pub(crate) fn transitions(&self) -> Vec<(u32, u32)> {
        let steps = self.steps.read().unwrap_or_else(PoisonError::into_inner);
        steps.iter().map(|((place, _), step)| (*place, step.after)).collect()
    }

    fn note_taken(&self, stim: Stim) {
        let (kind, id) = match stim.choice() {
            Choice::Deliver { envelope, .. } => (0, envelope),
            Choice::Fire { timer, .. } => (1, timer),
            Choice::Drop { .. } | Choice::Undrop { .. } | Choice::Act { .. } | Choice::Cut { .. } => return,
        };
        let mut taken = self.taken[kind].lock().unwrap_or_else(PoisonError::into_inner);
        let at = id as usize;
        if taken.len() <= at {
            taken.resize(at + 1, 0);
        }
        taken[at] += 1;
    }

    /// Takes the step, whether or not it is known.
    pub(crate) fn take(&self, place: u32, stim: Stim) -> Step {
        let mut local = self.run(place, stim);
        if let Some(checks) = &self.checks {
            let again = self.run(place, stim);
            checks.compare(&mut local, &again);
            checks.redeliver(self, place, stim, &local);
            checks.compare_kept(self, &mut local);
        }
        let after = self.settle(place, &mut local);
        let sends: Box<[(u32, u64)]> = self.envelope_ids(&mut local.done);
        let seen = match std::mem::take(&mut local.done.seen) {
            seen if seen.is_empty() => NOTHING_SEEN,
            seen => self.seen.intern(seen).0,
        };
        let objection = local.done.objection.take().map(Arc::from);
        // What is written as it was before, and late, holds back what is sent after it.
        let may_be_late = local.done.wrote && self.system.budgets.late_writes > 0;
        Step {
            delta: self.places.hash(after).wrapping_sub(self.places.hash(place)),
            is_noop: after == place
                && sends.is_empty()
                && seen == NOTHING_SEEN
                && objection.is_none()
                && !may_be_late,
            after,
            sends,
            seen,
            objection,
            wrote: local.done.wrote,
        }
    }

    /// Interns what became of the content `number` of a place. Most steps change little: what is as before has its id,
    /// and needs no hash.
    fn settle(&self, number: u32, local: &mut Local<'_, N>) -> u32 {
        let before = self.places.value(number);
        let place = Place {
            index: local.index as u32,
            node: local.node.take().map(|node| self.nodes.intern_after(before.node, node)),
            side: self.sides.intern_after(Some(before.side), std::mem::take(&mut local.side)),
            user: local.position.take().map(|position| self.users.intern_after(before.user, position)),
        };
        if place == *before { number } else { self.places.intern(place).0 }
    }

    fn envelope_ids(&self, done: &mut Done<N>) -> Box<[(u32, u64)]> {
        let mut ids = Vec::with_capacity(done.sends.len());
        for envelope in done.sends.drain(..) {
            if self.index(envelope.to).is_none() {
                let (from, to) = (envelope.from, envelope.to);
                if !self.system.is_part {
                    done.objection.get_or_insert(format!("{from} sent to {to}, which is not there"));
                }
                continue;
            }
            if let Some(words) = self.checks.as_ref().and_then(|checks| checks.survives(&envelope.message)) {
                done.objection.get_or_insert(words);
            }
            ids.push(self.envelopes.intern(envelope));
        }
        ids.into()
    }

    /// Runs the handlers of one step on copies.
    pub(crate) fn run(&self, place: u32, stim: Stim) -> Local<'_, N> {
        self.handled.fetch_add(1, Ordering::Relaxed);
        let mut local = self.local(place);
        match stim.choice() {
            Choice::Deliver { envelope, is_late } => {
                local.run(Event::Deliver(self.envelopes.value(envelope)), is_late);
            }
            Choice::Fire { timer, is_late } => local.run(Event::Fire(self.timers.value(timer)), is_late),
            Choice::Act { act, .. } => local.run(Event::Act(act), false),
            Choice::Drop { .. } | Choice::Undrop { .. } | Choice::Cut { .. } => {
                unreachable!("no place takes a step of these")
            }
        }
        local
    }

    /// A copy of a place, ready to take a step.
    pub(crate) fn local(&self, place: u32) -> Local<'_, N> {
        let place = self.places.value(place);
        let index = place.index as usize;
        let seat = &self.system.places[index];
        Local {
            id: seat.id,
            index,
            built: &seat.built,
            mutant: self.system.mutant.as_ref(),
            user: seat.user.as_ref(),
            keeps_disk: self.keeps_disk,
            node: place.node.map(|(node, _)| (*self.nodes.value(node)).clone()),
            side: (*self.sides.value(place.side.0)).clone(),
            position: place.user.map(|(user, _)| (*self.users.value(user)).clone()),
            done: Done::default(),
        }
    }

    /// What happened within a step, for a trace.
    pub(crate) fn details(&self, place: u32, stim: Stim) -> Vec<Detail> {
        self.run(place, stim).done.details
    }

    /// Shows an observer what a step let users see: once, whichever thread asks.
    pub(crate) fn observe(&self, observer: u32, seen: u32) -> Observed {
        let key = (observer, seen);
        if let Some(observed) = self.observed.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return observed.clone();
        }
        let mut after = self.observers.value(observer).clone();
        let mut objection = None;
        for one in self.seen.value(seen) {
            if let Err(words) = one.show(&mut after) {
                objection.get_or_insert(Arc::from(words));
            }
        }
        let observed = (self.observers.intern(after).0, objection);
        let mut all = self.observed.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(key).or_insert(observed).clone()
    }

    /// The timers of a place that may fire, by number.
    pub(crate) fn fireable(&self, place: u32) -> Vec<u32> {
        let side = self.sides.value(self.places.value(place).side.0);
        let mut ids: Vec<u32> = side.fireable().map(|timer| self.timers.intern(timer.clone()).0).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
