//! One thread's view of a search: what follows a state, and what it looks like, from small flat tables of its own.
//!
//! A state is a run of `u32`: an id for each place, one for the observer, one for the extras, then the envelopes in
//! flight in the order of their ids. A successor differs in one place and a few envelopes; its fingerprint is the
//! state's plus what these differ by, so a duplicate is thrown away before it is built.

use crate::Checkable;
use crate::dead::Mortuary;
use crate::extras::Extras;
use crate::hash::{Salt, content_hash};
use crate::observer::Observer;
use crate::orbit::Orbit;
use crate::sample;
use crate::settings::Settings;
use crate::shared::{NOTHING_SEEN, Shared};
use crate::stim::{Choice, Stim};
use crate::system::{Budgets, Network};
use std::borrow::Cow;
use std::sync::Arc;
use synod_stdx::LookupMap;

/// No id.
pub(crate) const NONE: u32 = u32::MAX;

/// A state that may come next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Successor {
    pub(crate) stim: Stim,
    pub(crate) fingerprint: u64,
    /// The place that takes a step, or [`NONE`].
    pub(crate) place: u32,
    /// What the place becomes.
    after: u32,
    /// The worker's number of the step, or [`NONE`].
    pub(crate) step: u32,
    observer: u32,
    extras: u32,
    /// The envelope that is in flight no longer, or [`NONE`].
    consumed: u32,
    /// The worker's number of the objection, or [`NONE`].
    pub(crate) objection: u32,
}

/// A step as a worker keeps it.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    after: u32,
    delta: u64,
    sends: (u32, u32),
    pub(crate) seen: u32,
    objection: u32,
    is_noop: bool,
    wrote: bool,
}

#[derive(Clone, Copy)]
struct Route {
    from: u32,
    to: u32,
    hash: u64,
    is_open: bool,
}

#[derive(Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) visible: u64,
    timers: (u32, u32),
    has_writes: bool,
    pub(crate) is_running: bool,
    pub(crate) can_give_up: bool,
}

impl Counts {
    /// Adds another worker's.
    pub(crate) fn add(&mut self, other: &Counts) {
        self.generated += other.generated;
        self.steps += other.steps;
        self.no_ops += other.no_ops;
        self.commuted += other.commuted;
    }
}

/// How often what was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    /// Successors, whether new or not.
    pub(crate) generated: u64,
    /// Steps asked for.
    pub(crate) steps: u64,
    /// Stimuli that change nothing.
    pub(crate) no_ops: u64,
    /// Successors left out because another order leads there.
    pub(crate) commuted: u64,
}

/// See the module's page.
pub(crate) struct Worker<'a, N: Checkable, O: Observer<N>> {
    pub(crate) shared: &'a Shared<N, O>,
    pub(crate) settings: &'a Settings<N, O>,
    pub(crate) places: usize,
    network: Network,
    /// Whether anything goes wrong at all.
    has_faults: bool,
    /// The ids of the timers' places that are stopped, as bits.
    stopped: u64,
    memo: LookupMap<u64, u32>,
    pub(crate) known: Vec<Known>,
    sends: Vec<(u32, u64)>,
    routes: Vec<Option<Route>>,
    facts: Vec<Option<Facts>>,
    fireable: Vec<u32>,
    observed: LookupMap<u64, (u32, u64, u32)>,
    extras: Vec<Option<(Arc<Extras>, u64)>>,
    pub(crate) objections: Vec<Arc<str>>,
    pub(crate) counts: Counts,
    scratch: Vec<u32>,
    pub(crate) orbit: Option<Orbit<N>>,
    pub(crate) mortuary: Option<Mortuary<N>>,
}

impl<'a, N: Checkable, O: Observer<N>> Worker<'a, N, O> {
    pub(crate) fn new(shared: &'a Shared<N, O>, settings: &'a Settings<N, O>) -> Self {
        let stopped = shared.names.iter().enumerate().filter(|(_, id)| settings.stopped_timers.contains(id));
        Worker {
            shared,
            settings,
            places: shared.names.len(),
            network: shared.system.network,
            has_faults: shared.system.budgets != Budgets::default(),
            stopped: stopped.fold(0, |bits, (index, _)| bits | 1 << index),
            memo: LookupMap::default(),
            known: Vec::new(),
            sends: Vec::new(),
            routes: Vec::new(),
            facts: Vec::new(),
            fireable: Vec::new(),
            observed: LookupMap::default(),
            extras: Vec::new(),
            objections: Vec::new(),
            counts: Counts::default(),
            scratch: Vec::new(),
            orbit: Orbit::new(shared, settings),
            mortuary: Mortuary::new(settings),
        }
    }

    /// The fingerprint of a whole state.
    pub(crate) fn fingerprint(&mut self, state: &[u32]) -> u64 {
        let shared = self.shared;
        let mut sum = shared.observers.hash(state[self.places]);
        sum = sum.wrapping_add(shared.extras.hash(state[self.places + 1]));
        for place in &state[..self.places] {
            sum = sum.wrapping_add(shared.places.hash(*place));
        }
        sum.wrapping_add(self.flight_hash(&state[self.places + 2..]))
    }

    /// What a state is known by: its fingerprint, or that of the first of all states that are symmetric to it.
    pub(crate) fn identity(&mut self, state: &[u32], fingerprint: u64) -> u64 {
        let (state, fingerprint) = self.living(state, fingerprint);
        match &mut self.orbit {
            None => fingerprint,
            Some(orbit) => orbit.fingerprint(self.shared, &state, fingerprint),
        }
    }

    /// What a state is known by where whole states are kept: as [`identity`](Worker::identity).
    pub(crate) fn whole_identity<'s>(&mut self, state: &'s [u32]) -> Cow<'s, [u32]> {
        if !self.settings.is_exact {
            return Cow::Borrowed(state);
        }
        let (state, _) = self.living(state, 0);
        match &mut self.orbit {
            None => state,
            Some(orbit) => Cow::Owned(orbit.least(self.shared, &state)),
        }
    }

    fn flight_hash(&mut self, flight: &[u32]) -> u64 {
        let mut sum = 0u64;
        let (mut link, mut position) = ((NONE, NONE), 0u32);
        for envelope in flight {
            let Route { from, to, hash, .. } = self.route(*envelope);
            let hash = match self.network {
                Network::Set | Network::Bag => hash,
                Network::Ordered => {
                    position = if link == (from, to) { position + 1 } else { 0 };
                    link = (from, to);
                    content_hash(Salt::Position, &(hash, position))
                }
            };
            sum = sum.wrapping_add(hash);
        }
        sum
    }

    fn route(&mut self, envelope: u32) -> Route {
        if let Some(Some(route)) = self.routes.get(envelope as usize) {
            return *route;
        }
        let value = self.shared.envelopes.value(envelope);
        let index = |id| self.shared.index(id).expect("envelopes go between nodes that are there") as u32;
        let route = Route {
            from: index(value.from),
            to: index(value.to),
            hash: self.shared.envelopes.hash(envelope),
            is_open: !self.settings.cut_links.contains(&(value.from, value.to)),
        };
        let at = envelope as usize;
        if self.routes.len() <= at {
            self.routes.resize(at + 1, None);
        }
        self.routes[at] = Some(route);
        route
    }

    /// What of a place matters for what may happen there.
    pub(crate) fn facts(&mut self, place: u32) -> Facts {
        if let Some(Some(facts)) = self.facts.get(place as usize) {
            return *facts;
        }
        let value = self.shared.places.value(place);
        let first = self.fireable.len() as u32;
        self.fireable.extend(self.shared.fireable(place));
        let position = value.user.map(|(user, _)| self.shared.users.value(user));
        let facts = Facts {
            visible: value.visible(),
            timers: (first, self.fireable.len() as u32),
            has_writes: !self.shared.sides.value(value.side.0).writing.is_empty(),
            is_running: value.node.is_some(),
            can_give_up: position.is_some_and(|position| !position.outstanding.is_empty()),
        };
        let at = place as usize;
        if self.facts.len() <= at {
            self.facts.resize(at + 1, None);
        }
        self.facts[at] = Some(facts);
        facts
    }

    fn extras(&mut self, id: u32) -> Arc<Extras> {
        let at = id as usize;
        if self.extras.len() <= at {
            self.extras.resize(at + 1, None);
        }
        let shared = self.shared;
        let (extras, _) =
            self.extras[at].get_or_insert_with(|| (shared.extras.value(id), shared.extras.hash(id)));
        Arc::clone(extras)
    }

    /// The worker's number of a step.
    pub(crate) fn step(&mut self, place: u32, stim: Stim) -> u32 {
        self.counts.steps += 1;
        let key = u64::from(place) << 32 | u64::from(stim.bits());
        if let Some(&step) = self.memo.get(&key) {
            if sample::is_due(self.counts.steps) {
                self.take_again(place, stim, step);
            }
            return step;
        }
        let step = self.shared.step(place, stim);
        let first = self.sends.len() as u32;
        self.sends.extend_from_slice(&step.sends);
        let differs = || self.orbit.as_ref()?.difference(self.shared, (place, stim), &step).map(Arc::from);
        let objection = step.objection.clone().or_else(differs).map_or(NONE, |words| self.object(words));
        let number = self.known.len() as u32;
        self.known.push(Known {
            after: step.after,
            delta: step.delta,
            sends: (first, self.sends.len() as u32),
            seen: step.seen,
            objection,
            is_noop: step.is_noop,
            wrote: step.wrote,
        });
        self.memo.insert(key, number);
        number
    }

    /// Takes a known step again; if it comes to something else, the step objects from now on.
    #[cold]
    fn take_again(&mut self, place: u32, stim: Stim, step: u32) {
        if let Some(words) = self.shared.differs_again(place, stim) {
            let objection = self.object(words);
            let known = &mut self.known[step as usize];
            known.objection = objection;
            known.is_noop = false;
        }
    }

    fn object(&mut self, words: Arc<str>) -> u32 {
        self.objections.push(words);
        self.objections.len() as u32 - 1
    }

    /// The observer after a step, what the fingerprint changes by, and its objection.
    fn observe(&mut self, observer: u32, seen: u32) -> (u32, u64, u32) {
        let key = u64::from(observer) << 32 | u64::from(seen);
        if let Some(observed) = self.observed.get(&key) {
            return *observed;
        }
        let (after, words) = self.shared.observe(observer, seen);
        let hash = |id| self.shared.observers.hash(id);
        let delta = hash(after).wrapping_sub(hash(observer));
        let objection = words.map_or(NONE, |words| self.object(words));
        self.observed.insert(key, (after, delta, objection));
        (after, delta, objection)
    }

    /// Everything that may come next, in a fixed order.
    pub(crate) fn successors(&mut self, state: &[u32], fingerprint: u64, out: &mut Vec<Successor>) {
        out.clear();
        let extras = state[self.places + 1];
        let now = self.has_faults.then(|| self.extras(extras));
        let paused = now.as_ref().map_or(0, |now| now.paused);
        self.add_deliveries(state, fingerprint, now.as_deref(), out);
        for place in 0..self.places {
            if paused >> place & 1 == 1 {
                continue;
            }
            let facts = self.facts(state[place]);
            if self.stopped >> place & 1 == 0 {
                for at in facts.timers.0..facts.timers.1 {
                    let timer = self.fireable[at as usize];
                    let stim = Stim::new(Choice::Fire { timer, is_late: false });
                    let late = Stim::new(Choice::Fire { timer, is_late: true });
                    self.add_step(state, fingerprint, (place, stim, late), NONE, out);
                }
            }
            if facts.has_writes {
                let stim = Stim::act(place, crate::stim::Act::Durable);
                self.add_step(state, fingerprint, (place, stim, stim), NONE, out);
            }
        }
        if let Some(now) = now {
            self.add_faults(state, fingerprint, &now, out);
        }
    }

    fn add_deliveries(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        now: Option<&Extras>,
        out: &mut Vec<Successor>,
    ) {
        let first = self.places + 2;
        let (mut before, mut link) = (NONE, (NONE, NONE));
        for at in first..state.len() {
            let envelope = state[at];
            let Route { from, to, is_open, .. } = self.route(envelope);
            let is_again = match self.network {
                Network::Set | Network::Bag => envelope == before,
                Network::Ordered => (from, to) == link,
            };
            (before, link) = (envelope, (from, to));
            if is_again || !is_open || now.is_some_and(|now| self.is_kept_from(now, from, to)) {
                continue;
            }
            let place = to as usize;
            if !self.facts(state[place]).is_running {
                continue;
            }
            let stim = Stim::deliver(envelope);
            let late = Stim::new(Choice::Deliver { envelope, is_late: true });
            self.add_step(state, fingerprint, (place, stim, late), envelope, out);
        }
    }

    /// Whether the receiver is paused, or a partition is between the two.
    fn is_kept_from(&self, now: &Extras, from: u32, to: u32) -> bool {
        let names = &self.shared.names;
        let link = (names[from as usize], names[to as usize]);
        let cut = || self.shared.system.partitions[now.partition as usize - 1].contains(&link);
        now.paused >> to & 1 == 1 || (now.partition > 0 && cut())
    }

    /// Adds what a step of one place leads to, and the same with its writes late.
    fn add_step(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        (place, stim, late): (usize, Stim, Stim),
        envelope: u32,
        out: &mut Vec<Successor>,
    ) {
        let number = self.step(state[place], stim);
        let known = self.known[number as usize];
        if known.is_noop {
            self.counts.no_ops += 1;
            // On an ordered link, what has no effect stands before what may have one.
            let makes_way = self.network == Network::Ordered && envelope != NONE;
            if self.settings.reductions.no_ops && !makes_way {
                return;
            }
        }
        let extras = state[self.places + 1];
        self.add_taken(state, fingerprint, (place, stim, number), (envelope, extras), out);
        if known.wrote && stim != late && self.has_faults {
            let mut now = (*self.extras(extras)).clone();
            if now.left.late_writes > 0 {
                now.left.late_writes -= 1;
                let extras = self.shared.extras.intern(now).0;
                let number = self.step(state[place], late);
                self.add_taken(state, fingerprint, (place, late, number), (envelope, extras), out);
            }
        }
    }

    /// Adds the successor that a known step makes.
    pub(crate) fn add_taken(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        (place, stim, number): (usize, Stim, u32),
        (envelope, extras): (u32, u32),
        out: &mut Vec<Successor>,
    ) {
        let known = self.known[number as usize];
        let (mut observer, mut objection) = (state[self.places], known.objection);
        let mut sum = fingerprint.wrapping_add(known.delta);
        if known.seen != NOTHING_SEEN {
            let (after, delta, words) = self.observe(observer, known.seen);
            observer = after;
            sum = sum.wrapping_add(delta);
            objection = if objection == NONE { words } else { objection };
        }
        if extras != state[self.places + 1] {
            sum = sum.wrapping_add(self.extras_delta(state[self.places + 1], extras));
        }
        let consumed = if self.network == Network::Set { NONE } else { envelope };
        let mut next = Successor {
            stim,
            fingerprint: sum,
            place: place as u32,
            after: known.after,
            step: number,
            observer,
            extras,
            consumed,
            objection,
        };
        next.fingerprint = sum.wrapping_add(self.flight_delta(state, &next));
        self.counts.generated += 1;
        out.push(next);
    }

    /// A successor in which no place takes a step.
    pub(crate) fn change(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        (stim, lost): (Stim, u32),
        extras: u32,
    ) -> Successor {
        let delta = self.extras_delta(state[self.places + 1], extras);
        let mut next = Successor {
            stim,
            fingerprint: fingerprint.wrapping_add(delta),
            place: NONE,
            after: NONE,
            step: NONE,
            observer: state[self.places],
            extras,
            consumed: lost,
            objection: NONE,
        };
        next.fingerprint = next.fingerprint.wrapping_add(self.flight_delta(state, &next));
        next
    }

    fn extras_delta(&self, before: u32, after: u32) -> u64 {
        self.shared.extras.hash(after).wrapping_sub(self.shared.extras.hash(before))
    }

    /// What the fingerprint changes by, for what is in flight.
    fn flight_delta(&mut self, state: &[u32], next: &Successor) -> u64 {
        let flight = &state[self.places + 2..];
        let (first, end) = if next.step == NONE { (0, 0) } else { self.known[next.step as usize].sends };
        let mut sum = 0u64;
        match self.network {
            Network::Set => {
                for at in first..end {
                    let (envelope, hash) = self.sends[at as usize];
                    let is_repeated =
                        self.sends[first as usize..at as usize].iter().any(|(sent, _)| *sent == envelope);
                    if !is_repeated && flight.binary_search(&envelope).is_err() {
                        sum = sum.wrapping_add(hash);
                    }
                }
                if next.consumed != NONE {
                    sum = sum.wrapping_sub(self.route(next.consumed).hash);
                }
            }
            Network::Bag => {
                for at in first..end {
                    sum = sum.wrapping_add(self.sends[at as usize].1);
                }
                if next.consumed != NONE {
                    sum = sum.wrapping_sub(self.route(next.consumed).hash);
                }
            }
            Network::Ordered => {
                let mut after = std::mem::take(&mut self.scratch);
                after.clear();
                self.add_flight(flight, next, &mut after);
                sum = self.flight_hash(&after).wrapping_sub(self.flight_hash(flight));
                self.scratch = after;
            }
        }
        sum
    }

    /// The whole of a successor of `state`.
    pub(crate) fn build(&mut self, state: &[u32], next: &Successor, out: &mut Vec<u32>) {
        let from = out.len();
        out.extend_from_slice(&state[..self.places]);
        if next.place != NONE {
            out[from + next.place as usize] = next.after;
        }
        out.extend([next.observer, next.extras]);
        self.add_flight(&state[self.places + 2..], next, out);
    }

    /// Appends what is in flight after `next` happened.
    fn add_flight(&mut self, flight: &[u32], next: &Successor, out: &mut Vec<u32>) {
        let from = out.len();
        out.extend_from_slice(flight);
        if next.consumed != NONE {
            let at = flight.iter().position(|envelope| *envelope == next.consumed);
            out.remove(from + at.expect("what is consumed was in flight"));
        }
        let (first, end) = if next.step == NONE { (0, 0) } else { self.known[next.step as usize].sends };
        for at in first as usize..end as usize {
            let envelope = self.sends[at].0;
            let here = &out[from..];
            let place = match self.network {
                Network::Set => match here.binary_search(&envelope) {
                    Ok(_) => continue,
                    Err(place) => place,
                },
                Network::Bag => here.partition_point(|other| *other < envelope),
                Network::Ordered => {
                    let link = |route: Route| (route.from, route.to);
                    let mine = link(self.route(envelope));
                    let behind: Vec<_> = here.iter().map(|other| link(self.route(*other))).collect();
                    behind.partition_point(|other| *other <= mine)
                }
            };
            out.insert(from + place, envelope);
        }
    }

    /// The envelopes that a step sends, with their hashes.
    pub(crate) fn sends(&self, step: u32) -> &[(u32, u64)] {
        let (first, end) = self.known[step as usize].sends;
        &self.sends[first as usize..end as usize]
    }

    /// The sender and receiver of an envelope.
    pub(crate) fn link(&mut self, envelope: u32) -> (u32, u32) {
        let route = self.route(envelope);
        (route.from, route.to)
    }

    pub(crate) fn envelope_hash(&mut self, envelope: u32) -> u64 {
        self.route(envelope).hash
    }
}
