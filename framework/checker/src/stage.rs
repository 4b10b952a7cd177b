//! What a person does between two searches: deliveries by hand, and messages taken away and put back.

use crate::Checkable;
use crate::checker::Checker;
use crate::path::anything;
use crate::state::State;
use crate::stim::{Choice, Stim};
use crate::worker::Worker;
use synod_node::NodeId;
use synod_world::Envelope;

impl<N: Checkable> Checker<N> {
    /// The state after a message in flight from `from` to `to` that is `wanted` was delivered; of several the first by
    /// its text. `None` if there is none, or it cannot be delivered.
    pub fn deliver(
        &self,
        state: &State,
        (from, to): (NodeId, NodeId),
        wanted: impl Fn(&N::Message) -> bool,
    ) -> Option<State> {
        let is_wanted =
            |envelope: &Envelope<N>| envelope.from == from && envelope.to == to && wanted(&envelope.message);
        let found = self.in_flight(state, is_wanted);
        let text = |id: &u32| format!("{:?}", self.shared.envelopes.value(*id).message);
        let envelope = found.into_iter().min_by_key(text)?;
        self.after(state, Stim::deliver(envelope))
    }

    /// The state after a timer of `node` that is `wanted` fired. `None` if there is none that may.
    pub fn fire(&self, state: &State, node: NodeId, wanted: impl Fn(&N::Timer) -> bool) -> Option<State> {
        let place = self.shared.index(node)?;
        let timers = self.shared.fireable(state.vector[place]);
        let timer = timers.into_iter().find(|id| wanted(&self.shared.timers.value(*id).timer))?;
        self.after(state, Stim::new(Choice::Fire { timer, is_late: false }))
    }

    fn after(&self, state: &State, stim: Stim) -> Option<State> {
        let settings = anything();
        let mut worker = Worker::new(&self.shared, &settings);
        let step = self.follow(&mut worker, &state.vector, stim)?;
        Some(state.extended(step.after, &[stim]))
    }

    fn in_flight(&self, state: &State, wanted: impl Fn(&Envelope<N>) -> bool) -> Vec<u32> {
        let flight = &state.vector[self.shared.names.len() + 2..];
        flight.iter().copied().filter(|id| wanted(self.shared.envelopes.value(*id))).collect()
    }

    /// The state without the messages in flight that are `wanted`, as from, to and message. They can be put back.
    pub fn drop_pending(&self, state: &State, wanted: impl Fn(NodeId, NodeId, &N::Message) -> bool) -> State {
        let gone = self.in_flight(state, |envelope| wanted(envelope.from, envelope.to, &envelope.message));
        let mut after = state.clone();
        for envelope in &gone {
            let stim = Stim::new(Choice::Drop { envelope: *envelope });
            let flight = after.vector.iter().skip(self.shared.names.len() + 2);
            let at = flight.clone().position(|other| other == envelope).expect("it is in flight");
            let mut vector = after.vector.to_vec();
            vector.remove(self.shared.names.len() + 2 + at);
            after = after.extended(vector, &[stim]);
        }
        after.dropped = state.dropped.iter().copied().chain(gone).collect();
        after
    }

    /// The state with those of the messages that were taken away back in flight that are `wanted`.
    pub fn undrop(&self, state: &State, wanted: impl Fn(NodeId, NodeId, &N::Message) -> bool) -> State {
        let is_wanted = |id: &u32| {
            let envelope = self.shared.envelopes.value(*id);
            wanted(envelope.from, envelope.to, &envelope.message)
        };
        let (back, gone): (Vec<u32>, Vec<u32>) = state.dropped.iter().copied().partition(is_wanted);
        let mut after = state.clone();
        for envelope in back {
            let from = self.shared.names.len() + 2;
            if after.vector[from..].contains(&envelope) {
                continue;
            }
            let at = after.vector[from..].partition_point(|other| *other < envelope);
            let mut vector = after.vector.to_vec();
            vector.insert(from + at, envelope);
            after = after.extended(vector, &[Stim::new(Choice::Undrop { envelope })]);
        }
        after.dropped = gone.into();
        after
    }
}
