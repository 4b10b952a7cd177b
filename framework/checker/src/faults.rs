//! What may go wrong next, within the budgets: see [`crate::Budgets`].

use crate::Checkable;
use crate::extras::Extras;
use crate::stim::{Act, Choice, Stim};
use crate::system::{Budgets, Network};
use crate::worker::{NONE, Successor, Worker};

impl Extras {
    /// The extras of the first state.
    pub(crate) fn at_start(left: Budgets) -> Self {
        Extras { left, paused: 0, partition: 0 }
    }
}

impl<N: Checkable> Worker<'_, N> {
    /// Adds every fault that the budgets allow.
    pub(crate) fn add_faults(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        now: &Extras,
        out: &mut Vec<Successor>,
    ) {
        for place in 0..self.places {
            self.add_faults_of(state, fingerprint, (place, now), out);
        }
        if now.left.cuts > 0 {
            for partition in (0..=self.shared.system.partitions.len() as u32).filter(|p| *p != now.partition)
            {
                let mut after = now.clone();
                after.left.cuts -= 1;
                after.partition = partition;
                let stim = Stim::new(Choice::Cut { partition });
                self.add_change((state, fingerprint), (stim, NONE), &after, out);
            }
        }
        if now.left.drops > 0 && self.shared.system.network != Network::Set {
            self.add_drops(state, fingerprint, now, out);
        }
    }

    /// Whether a message may be lost before its turn comes, in a network that keeps messages in order: only who looks at what
    /// is in flight can tell the two apart.
    fn loses_early(&self) -> bool {
        self.shows_flight || !self.settings.reductions.no_ops
    }

    fn add_drops(&mut self, state: &[u32], fingerprint: u64, now: &Extras, out: &mut Vec<Successor>) {
        let mut after = now.clone();
        after.left.drops -= 1;
        let loses_early = self.loses_early();
        let first = self.places + 2;
        let (mut before, mut link) = (NONE, (NONE, NONE));
        for at in first..state.len() {
            let envelope = state[at];
            let this = self.link(envelope);
            let is_again = match self.shared.system.network {
                Network::Set | Network::Bag => envelope == before,
                Network::Ordered if loses_early => state[first..at].contains(&envelope),
                Network::Ordered => this == link,
            };
            (before, link) = (envelope, this);
            if !is_again {
                let stim = Stim::new(Choice::Drop { envelope });
                self.add_change((state, fingerprint), (stim, envelope), &after, out);
            }
        }
    }

    fn add_faults_of(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        (place, now): (usize, &Extras),
        out: &mut Vec<Successor>,
    ) {
        let facts = self.facts(state[place]);
        let is_server = !self.shared.names[place].is_client();
        let is_paused = now.paused >> place & 1 == 1;
        if !facts.is_running {
            self.add_act(state, fingerprint, (place, Act::Restart, now.clone()), out);
        }
        if facts.is_running && is_server && now.left.crashes > 0 {
            let mut after = now.clone();
            after.left.crashes -= 1;
            after.paused &= !(1 << place);
            self.add_act(state, fingerprint, (place, Act::Crash, after), out);
        }
        // A server may have a user too: that one may crash takes nothing from the other.
        if facts.is_running && facts.can_give_up && now.left.give_ups > 0 {
            let mut after = now.clone();
            after.left.give_ups -= 1;
            self.add_act(state, fingerprint, (place, Act::GiveUp, after), out);
        }
        if is_paused || (facts.is_running && now.left.pauses > 0) {
            let mut changed = now.clone();
            changed.paused ^= 1 << place;
            changed.left.pauses -= u8::from(!is_paused);
            let stim = Stim::act(place, if is_paused { Act::Resume } else { Act::Pause });
            self.add_change((state, fingerprint), (stim, NONE), &changed, out);
        }
    }

    /// Adds a successor in which a place acts without a message, a timer or a request.
    fn add_act(
        &mut self,
        state: &[u32],
        fingerprint: u64,
        (place, act, after): (usize, Act, Extras),
        out: &mut Vec<Successor>,
    ) {
        let extras = self.shared.extras.intern(after).0;
        let stim = Stim::act(place, act);
        let number = self.step(state[place], stim);
        self.add_taken(state, fingerprint, ((place, stim, number), (NONE, extras)), out);
    }

    /// Adds a successor in which no place takes a step.
    fn add_change(
        &mut self,
        (state, fingerprint): (&[u32], u64),
        (stim, lost): (Stim, u32),
        after: &Extras,
        out: &mut Vec<Successor>,
    ) {
        let extras = self.shared.extras.intern(after.clone()).0;
        let next = self.change(state, fingerprint, (stim, lost), extras);
        out.push(next);
    }
}
