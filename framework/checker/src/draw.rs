//! One of the things that may happen next, by lot: for random walks, which take one way and need not know the others.
//!
//! Every stimulus has a lot, drawn from its content and the walk's dice, and the lowest lot that has an effect wins. So
//! each is as likely as any other, the choice depends on no id, and handlers run for the few stimuli that are tried, not
//! for all that could be.

use crate::Checkable;
use crate::flight::Heads;
use crate::hash::{Salt, content_hash};
use crate::stim::{Act, Choice, Stim};
use crate::worker::{Asked, NONE, Successor, Worker};

/// A stimulus and its lot.
#[derive(Clone, Copy, Debug)]
struct Lot {
    lot: u64,
    stim: Stim,
    place: usize,
    envelope: u32,
}

/// What drawing needs, kept from one state to the next.
#[derive(Debug, Default)]
pub(crate) struct Urn {
    lots: Vec<Lot>,
    taken: Vec<Successor>,
}

impl<N: Checkable> Worker<'_, N> {
    /// One of what may come next in `state`, by the dice's `throw`; `None` if nothing may.
    pub(crate) fn draw(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        throw: u64,
        urn: &mut Urn,
    ) -> Option<Successor> {
        self.begin_uncovered(state);
        urn.lots.clear();
        self.add_delivery_lots(state, throw, &mut urn.lots);
        self.add_place_lots(state, throw, &mut urn.lots);
        let mut faults = Vec::new();
        if let Some(now) = self.faults_now(state) {
            self.add_faults(state, fingerprint, now, &mut faults);
        }
        let fault_lot = |worker: &mut Self, at: usize| (worker.lot(faults[at].stim, throw), at);
        let mut best_fault = (0..faults.len()).map(|at| fault_lot(self, at)).min();
        while let Some(at) = (0..urn.lots.len()).min_by_key(|at| urn.lots[*at].lot) {
            let Lot { lot, stim, place, envelope } = urn.lots[at];
            if let Some((_, fault)) = best_fault.take_if(|(fault, _)| *fault < lot) {
                return Some(faults[fault]);
            }
            urn.lots.swap_remove(at);
            urn.taken.clear();
            self.add_asked(state, fingerprint, (place, stim, envelope), &mut urn.taken);
            // Of a step and the same with its writes late, a bit of the lot chooses.
            match urn.taken.as_slice() {
                [] => {}
                [only] => return Some(*only),
                several => return Some(several[(lot >> 1) as usize % several.len()]),
            }
        }
        best_fault.map(|(_, fault)| faults[fault])
    }

    fn lot(&mut self, stim: Stim, throw: u64) -> u64 {
        content_hash(Salt::Lot, &(self.content_order(stim), throw))
    }

    fn add_delivery_lots(&mut self, state: &[u32], throw: u64, out: &mut Vec<Lot>) {
        let now = self.faults_now(state);
        let mut heads = Heads::new(self.shared.system.network);
        for &envelope in &state[self.places + 2..] {
            if heads.is_again(envelope) {
                continue;
            }
            let route = self.route(envelope);
            if heads.is_behind(route) || !self.may_arrive(state, now, route) {
                continue;
            }
            let place = usize::from(route.to);
            let stim = Stim::deliver(envelope);
            out.push(Lot { lot: self.lot(stim, throw), stim, place, envelope });
        }
    }

    fn add_place_lots(&mut self, state: &[u32], throw: u64, out: &mut Vec<Lot>) {
        let paused = self.faults_now(state).map_or(0, |now| now.paused);
        for place in (0..self.places).filter(|place| paused >> place & 1 == 0) {
            for stim in self.stimuli_of(state[place], place) {
                out.push(Lot { lot: self.lot(stim, throw), stim, place, envelope: NONE });
            }
        }
    }

    /// The timers that may fire at a place, and whether a write may become durable.
    fn stimuli_of(&mut self, place: u32, index: usize) -> Vec<Stim> {
        let mut stimuli: Vec<Stim> = self
            .ready_timers(place, index)
            .map(|timer| Stim::new(Choice::Fire { timer, is_late: false }))
            .collect();
        if self.facts(place).has_writes {
            stimuli.push(Stim::act(index, Act::Durable));
        }
        stimuli
    }

    /// Adds what a stimulus leads to, if it has an effect.
    fn add_asked(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        (place, stim, envelope): (usize, Stim, u32),
        out: &mut Vec<Successor>,
    ) {
        let late = match stim.choice() {
            Choice::Deliver { envelope, .. } => Stim::new(Choice::Deliver { envelope, is_late: true }),
            Choice::Fire { timer, .. } => Stim::new(Choice::Fire { timer, is_late: true }),
            Choice::Drop { .. } | Choice::Undrop { .. } | Choice::Act { .. } | Choice::Cut { .. } => stim,
        };
        let cell = self.cell(state[place], stim);
        let step = Asked { place, stim, cell, late, order: u64::MAX, envelope };
        self.add_step(state, fingerprint, step, out);
    }
}
