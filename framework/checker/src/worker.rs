//! One thread's view of a search: what follows a state, and what it looks like, from small flat tables of its own.
//!
//! A state is a run of `u32`: an id for each place, one for the observer, one for the extras, then the envelopes in
//! flight in the order of their ids. A successor differs in one place and a few envelopes; its fingerprint is the
//! state's plus what these differ by, so a duplicate is thrown away before it is built.

use crate::Checkable;
use crate::commute::{Arrival, Cover, Later};
use crate::dead::Mortuary;
use crate::extras::Extras;
use crate::flight::{Heads, Route};
use crate::memo::{Memo, NOTHING, UNKNOWN};
use crate::orbit::Orbit;
use crate::sample;
use crate::settings::Settings;
use crate::shared::{NOTHING_SEEN, Shared};
use crate::stim::{Choice, Stim};
use crate::system::{Budgets, Network};
use crate::tally::Counts;
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
    pub(crate) consumed: u32,
    /// The worker's number of the objection, or [`NONE`].
    pub(crate) objection: u32,
}

/// A step as a worker keeps it.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    after: u32,
    /// For the place, and in a bag for what is sent.
    delta: u64,
    pub(crate) sends: (u32, u32),
    pub(crate) seen: u32,
    objection: u32,
    wrote: bool,
}

/// A timer that may fire, as a worker keeps it.
#[derive(Clone, Copy)]
struct Ready {
    timer: u32,
    hash: u64,
    /// The step, once it is known.
    cell: u32,
}

#[derive(Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) visible: u64,
    timers: (u32, u32),
    pub(crate) has_writes: bool,
    /// Something besides deliveries may happen there.
    has_more: bool,
    pub(crate) is_running: bool,
    pub(crate) can_give_up: bool,
}

/// A step that may be taken.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) place: usize,
    pub(crate) stim: Stim,
    pub(crate) cell: u32,
    /// The same with its writes late.
    pub(crate) late: Stim,
    /// Where it stands among steps that commute: last if it commutes with nothing.
    pub(crate) order: u64,
    /// What it takes out of the network, or [`NONE`].
    pub(crate) envelope: u32,
}

/// See the module's page.
pub(crate) struct Worker<'a, N: Checkable> {
    pub(crate) shared: &'a Shared<N>,
    pub(crate) settings: &'a Settings<N>,
    pub(crate) places: usize,
    pub(crate) network: Network,
    /// Whether anything goes wrong at all.
    has_faults: bool,
    /// The ids of the timers' places that are stopped, as bits.
    stopped: u64,
    memo: Memo,
    pub(crate) known: Vec<Known>,
    pub(crate) sends: Vec<(u32, u64)>,
    pub(crate) routes: Vec<Option<Route>>,
    /// How many envelopes to each place were met.
    pub(crate) ranks: Vec<u32>,
    /// By envelope: `mark` if it is in flight in the state that is being left.
    pub(crate) marks: Vec<u32>,
    pub(crate) mark: u32,
    facts: Vec<Option<Facts>>,
    fireable: Vec<Ready>,
    timers: Vec<Option<(u64, u32)>>,
    /// What may be left out of what follows the state that is being left, unless it is `fresh`.
    cover: Option<Cover>,
    pub(crate) fresh: Vec<u32>,
    observed: LookupMap<u64, (u32, u64, u32)>,
    pub(crate) objections: Vec<Arc<str>>,
    /// Something that is asked of states looks at what is in flight. So a message that has no effect is delivered too, where
    /// it is delivered once: it is in flight no more.
    pub(crate) shows_flight: bool,
    /// Some known step, taken again, came to something else: then one that changes nothing may object too.
    is_doubtful: bool,
    pub(crate) counts: Counts,
    pub(crate) scratch: Vec<u32>,
    pub(crate) orbit: Option<Orbit<N>>,
    pub(crate) mortuary: Option<Mortuary<N>>,
}

impl<'a, N: Checkable> Worker<'a, N> {
    pub(crate) fn new(shared: &'a Shared<N>, settings: &'a Settings<N>) -> Self {
        let stopped = shared.names.iter().enumerate().filter(|(_, id)| settings.stopped_timers.contains(id));
        Worker {
            shared,
            settings,
            places: shared.names.len(),
            network: shared.system.network,
            has_faults: shared.system.budgets != Budgets::default() && !settings.is_calm,
            stopped: stopped.fold(0, |bits, (index, _)| bits | 1 << index),
            memo: Memo::default(),
            known: Vec::new(),
            sends: Vec::new(),
            routes: Vec::new(),
            ranks: vec![0; shared.names.len()],
            marks: Vec::new(),
            mark: 0,
            facts: Vec::new(),
            fireable: Vec::new(),
            timers: Vec::new(),
            cover: None,
            fresh: Vec::new(),
            observed: LookupMap::default(),
            objections: Vec::new(),
            shows_flight: settings.looks_at_flight(),
            is_doubtful: false,
            counts: Counts::default(),
            scratch: Vec::new(),
            orbit: Orbit::new(shared, settings),
            mortuary: Mortuary::new(shared, settings),
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

    /// What of a place matters for what may happen there.
    #[inline]
    pub(crate) fn facts(&mut self, place: u32) -> Facts {
        match self.facts.get(place as usize) {
            Some(Some(facts)) => *facts,
            Some(None) | None => self.look_at(place),
        }
    }

    /// The facts of a place that this worker does not know.
    #[cold]
    fn look_at(&mut self, place: u32) -> Facts {
        let value = self.shared.places.value(place);
        let first = self.fireable.len() as u32;
        for timer in self.shared.fireable(place) {
            let hash = self.shared.timers.hash(timer);
            self.fireable.push(Ready { timer, hash, cell: UNKNOWN });
        }
        let position = value.user.map(|(user, _)| self.shared.users.value(user));
        let timers = (first, self.fireable.len() as u32);
        let has_writes = !self.shared.sides.value(value.side.0).writing.is_empty();
        let facts = Facts {
            visible: value.visible(),
            timers,
            has_writes,
            has_more: has_writes || timers.0 < timers.1,
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

    fn extras(&self, id: u32) -> &'a Extras {
        self.shared.extras.value(id)
    }

    /// The order of a timer among steps that commute, and its place.
    pub(crate) fn timer(&mut self, timer: u32) -> (u64, u32) {
        let at = timer as usize;
        if self.timers.len() <= at {
            self.timers.resize(at + 1, None);
        }
        let timers = &self.shared.timers;
        *self.timers[at].get_or_insert_with(|| (timers.hash(timer), timers.value(timer).place as u32))
    }

    /// The worker's number of a step.
    pub(crate) fn step(&mut self, place: u32, stim: Stim) -> u32 {
        self.counts.steps += 1;
        self.cell(place, stim) & !NOTHING
    }

    /// The step at a place that a stimulus names: taken, if it never was.
    #[cold]
    pub(crate) fn cell(&mut self, place: u32, stim: Stim) -> u32 {
        let rank = match stim.choice() {
            Choice::Deliver { envelope, is_late: false } => Some(self.route(envelope).rank),
            Choice::Deliver { .. }
            | Choice::Fire { .. }
            | Choice::Drop { .. }
            | Choice::Undrop { .. }
            | Choice::Act { .. }
            | Choice::Cut { .. } => None,
        };
        let mut cell = rank.map_or(UNKNOWN, |rank| self.memo.delivery(place, rank));
        if cell == UNKNOWN {
            cell = self.memo.other(place, stim);
        }
        if cell == UNKNOWN {
            cell = self.learn(place, stim);
            self.memo.keep(place, stim, rank, cell);
        }
        cell
    }

    /// A step that this worker does not know.
    fn learn(&mut self, place: u32, stim: Stim) -> u32 {
        let step = self.shared.step(place, stim);
        let first = self.sends.len();
        for send in &step.sends {
            // In a set it is there once.
            if self.network != Network::Set || !self.sends[first..].contains(send) {
                self.sends.push(*send);
            }
        }
        let sent = self.sends[first..].iter().fold(0u64, |sum, (_, hash)| sum.wrapping_add(*hash));
        let differs = || self.orbit.as_ref()?.difference(self.shared, (place, stim), &step).map(Arc::from);
        let clash = || if self.settings.is_exact { None } else { self.shared.clash().map(Arc::from) };
        let objection = step.objection.clone().or_else(differs).or_else(clash);
        let objection = objection.map_or(NONE, |words| self.object(words));
        let number = self.known.len() as u32;
        assert!(number < NOTHING, "a search knows fewer than 2^31 local steps");
        self.known.push(Known {
            after: step.after,
            delta: if self.network == Network::Bag { step.delta.wrapping_add(sent) } else { step.delta },
            sends: (first as u32, self.sends.len() as u32),
            seen: step.seen,
            objection,
            wrote: step.wrote,
        });
        if step.is_noop { number | NOTHING } else { number }
    }

    /// Takes a known step again; if it comes to something else, the step objects from now on.
    #[cold]
    fn take_again(&mut self, place: u32, stim: Stim, step: u32) {
        if let Some(words) = self.shared.differs_again(place, stim) {
            let objection = self.object(words);
            self.known[step as usize].objection = objection;
            self.is_doubtful = true;
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
        let shown = ((observer, seen), (after, words.is_some()));
        let otherwise =
            || self.orbit.as_ref()?.observes_otherwise(self.shared, shown.0, shown.1).map(Arc::from);
        let words = words.clone().or_else(otherwise);
        let hash = |id| self.shared.observers.hash(id);
        let delta = hash(after).wrapping_sub(hash(observer));
        let objection = words.map_or(NONE, |words| self.object(words));
        self.observed.insert(key, (after, delta, objection));
        (after, delta, objection)
    }

    /// Everything that may come next, in a fixed order.
    pub(crate) fn successors(&mut self, state: &[u32], fingerprint: u64, out: &mut Vec<Successor>) {
        out.clear();
        self.cover = None;
        self.add_successors(state, fingerprint, out);
    }

    /// Adds everything that may come next but what another order of steps leads to: the state was found by `arrival`,
    /// which sent what is `fresh`, and some prune reads the places `pruned_by`.
    pub(crate) fn add_uncovered(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        (arrival, pruned_by): (Arrival, u64),
        out: &mut Vec<Successor>,
    ) {
        self.cover = self.cover(arrival, pruned_by);
        self.add_successors(state, fingerprint, out);
    }

    fn add_successors(&mut self, state: &[u32], fingerprint: u64, out: &mut Vec<Successor>) {
        self.mark_flight(state);
        let before = out.len();
        let extras = state[self.places + 1];
        let now = self.has_faults.then(|| self.extras(extras));
        let paused = now.map_or(0, |now| now.paused);
        self.add_deliveries(state, fingerprint, now, out);
        for place in 0..self.places {
            let facts = self.facts(state[place]);
            if !facts.has_more || paused >> place & 1 == 1 {
                continue;
            }
            if self.stopped >> place & 1 == 0 {
                for at in facts.timers.0..facts.timers.1 {
                    self.add_firing(state, fingerprint, (place, at as usize), out);
                }
            }
            if facts.has_writes {
                let stim = Stim::act(place, crate::stim::Act::Durable);
                let cell = self.cell(state[place], stim);
                let step = Asked { place, stim, cell, late: stim, order: u64::MAX, envelope: NONE };
                self.add_step(state, fingerprint, step, out);
            }
        }
        if let Some(now) = now {
            self.add_faults(state, fingerprint, now, out);
        }
        self.counts.generated += (out.len() - before) as u64;
    }

    /// What `add_step` relies on, for one state, where no order of steps is spared.
    pub(crate) fn begin_uncovered(&mut self, state: &[u32]) {
        self.cover = None;
        self.mark_flight(state);
    }

    /// What faults depend on, in searches with faults.
    pub(crate) fn faults_now(&self, state: &[u32]) -> Option<&'a Extras> {
        self.has_faults.then(|| self.extras(state[self.places + 1]))
    }

    /// The timers that may fire at a place, by number.
    pub(crate) fn ready_timers(&mut self, place: u32, index: usize) -> impl Iterator<Item = u32> + '_ {
        let (first, end) = self.facts(place).timers;
        let is_stopped = self.stopped >> index & 1 == 1;
        let ready = if is_stopped { first..first } else { first..end };
        self.fireable[ready.start as usize..ready.end as usize].iter().map(|ready| ready.timer)
    }

    fn add_firing(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        (place, at): (usize, usize),
        out: &mut Vec<Successor>,
    ) {
        let Ready { timer, hash, mut cell } = self.fireable[at];
        let stim = Stim::new(Choice::Fire { timer, is_late: false });
        let late = Stim::new(Choice::Fire { timer, is_late: true });
        if cell == UNKNOWN {
            cell = self.cell(state[place], stim);
            self.fireable[at].cell = cell;
        }
        let step = Asked { place, stim, cell, late, order: hash, envelope: NONE };
        self.add_step(state, fingerprint, step, out);
    }

    fn add_deliveries(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        now: Option<&Extras>,
        out: &mut Vec<Successor>,
    ) {
        let mut heads = Heads::new(self.network);
        for &envelope in &state[self.places + 2..] {
            if heads.is_again(envelope) {
                continue;
            }
            let route = self.route(envelope);
            if heads.is_behind(route) {
                continue;
            }
            let place = route.to as usize;
            let mut cell = self.memo.delivery(state[place], route.rank);
            // Where nothing may be delivered, nothing is known, unless a fault stands in the way for a while.
            if cell == UNKNOWN || now.is_some() {
                if !self.may_arrive(state, now, route) {
                    continue;
                }
                cell = self.cell(state[place], Stim::deliver(envelope));
            }
            let stim = Stim::deliver(envelope);
            if self.is_left_out((state[place], stim, cell), envelope) {
                continue;
            }
            let late = Stim::new(Choice::Deliver { envelope, is_late: true });
            let step = Asked { place, stim, cell, late, order: route.hash, envelope };
            self.add_effect(state, fingerprint, step, out);
        }
    }

    /// Whether the receiver is paused, or a partition is between the two.
    pub(crate) fn is_kept_from(&self, now: &Extras, (from, to): (u32, u32)) -> bool {
        let names = &self.shared.names;
        let link = (names[from as usize], names[to as usize]);
        let cut = || self.shared.system.partitions[now.partition as usize - 1].contains(&link);
        now.paused >> to & 1 == 1 || (now.partition > 0 && cut())
    }

    /// Counts a look-up, and says whether it may be left out: the step changes nothing. Most look-ups end here.
    #[inline]
    fn is_left_out(&mut self, (content, stim, cell): (u32, Stim, u32), envelope: u32) -> bool {
        self.counts.steps += 1;
        let number = cell & !NOTHING;
        if sample::is_due(self.counts.steps) {
            self.take_again(content, stim, number);
        }
        if cell & NOTHING == 0 {
            return false;
        }
        self.counts.no_ops += 1;
        let makes_way = match self.network {
            Network::Set => false,
            Network::Bag => envelope != NONE && self.shows_flight,
            // On an ordered link, what has no effect stands before what may have one.
            Network::Ordered => envelope != NONE,
        };
        let objects = self.is_doubtful && self.known[number as usize].objection != NONE;
        self.settings.reductions.no_ops && !makes_way && !objects
    }

    /// Adds what a step of one place leads to, and the same with its writes late.
    pub(crate) fn add_step(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        step: Asked,
        out: &mut Vec<Successor>,
    ) {
        if !self.is_left_out((state[step.place], step.stim, step.cell), step.envelope) {
            self.add_effect(state, fingerprint, step, out);
        }
    }

    /// As [`add_step`](Worker::add_step), for one that is not left out.
    fn add_effect(&mut self, state: &[u32], fingerprint: u64, step: Asked, out: &mut Vec<Successor>) {
        let Asked { place, stim, cell, late, order, envelope } = step;
        let number = cell & !NOTHING;
        let known = &self.known[number as usize];
        let (wrote, shows) = (known.wrote, known.seen != NOTHING_SEEN);
        let extras = state[self.places + 1];
        if let Some(cover) = &self.cover
            && cover.covers(Later { order, place, shows })
            && !self.fresh.contains(&envelope)
        {
            self.counts.commuted += 1;
        } else {
            self.add_taken(state, fingerprint, ((place, stim, number), (envelope, extras)), out);
        }
        if wrote && stim != late && self.has_faults {
            let mut now = self.extras(extras).clone();
            if now.left.late_writes > 0 {
                now.left.late_writes -= 1;
                let extras = self.shared.extras.intern(now).0;
                let number = self.step(state[place], late);
                self.add_taken(state, fingerprint, ((place, late, number), (envelope, extras)), out);
            }
        }
    }

    /// Adds the successor that a known step makes.
    pub(crate) fn add_taken(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        ((place, stim, number), (envelope, extras)): ((usize, Stim, u32), (u32, u32)),
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
}
