//! Messages that can never matter again, by a protocol's declaration, which the search proves.
//!
//! A message in flight is dead if it has no effect on its receiver as it is, and stays so whatever happens there. A
//! state without its dead messages behaves as it does with them, but for steps that change nothing. So states that
//! differ in dead messages alone are one: they are known by what is left. What was found first keeps its messages, and
//! its path is one that can be taken.
//!
//! The proof is made at the end, over all steps of places that were ever taken: a message that was taken for dead
//! somewhere must have no effect there, and be dead after every step of that place; and so on from there. While a node
//! is down nothing is delivered to it: what was dead must be dead again when it runs. By induction no dead message
//! could have had an effect on any way that was searched; and since these ways are all there are up to dead messages,
//! nothing was lost. A declaration that fails is a violation.
//!
//! Where a property reads everything, messages in flight among it, the rule is off. It is off on ordered links too: there
//! a dead message has an effect after all, since what stands behind it arrives only after it.

use crate::Checkable;
use crate::hash::{Salt, content_hash};
use crate::property::Reads;
use crate::report::{Finding, Report, Subject, Verdict};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::state::State;
use crate::stim::{Choice, Stim};
use crate::system::Network;
use crate::worker::Worker;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use synod_node::Stimulus;
use synod_stdx::LookupMap;

/// Says of a node and a stimulus that it has no effect there, and never will again. Asked of messages alone so far.
pub type Dead<N> = Arc<dyn Fn(&N, &Stimulus<N>) -> bool + Send + Sync>;

/// What one worker knows of dead messages.
pub(crate) struct Mortuary<N: Checkable> {
    dead: Dead<N>,
    known: LookupMap<u64, bool>,
}

/// The declaration that a search uses.
fn declared<'a, N: Checkable>(shared: &Shared<N>, settings: &'a Settings<N>) -> Option<&'a Dead<N>> {
    match shared.system.network {
        Network::Set | Network::Bag => {}
        Network::Ordered => return None,
    }
    let mut properties = settings.invariants.iter().chain(&settings.goals).chain(&settings.prunes);
    let dead = settings.reductions.dead.as_ref()?;
    (!properties.any(|property| property.reads == Reads::Everything)).then_some(dead)
}

impl<N: Checkable> Mortuary<N> {
    pub(crate) fn new(shared: &Shared<N>, settings: &Settings<N>) -> Option<Self> {
        declared(shared, settings)
            .map(|dead| Mortuary { dead: Arc::clone(dead), known: LookupMap::default() })
    }

    fn is_dead(&mut self, shared: &Shared<N>, place: u32, envelope: u32) -> bool {
        let key = u64::from(place) << 32 | u64::from(envelope);
        *self.known.entry(key).or_insert_with(|| {
            let is_dead = is_dead(shared, &self.dead, place, envelope);
            if is_dead {
                shared.dead.lock().unwrap_or_else(PoisonError::into_inner).insert((place, envelope));
            }
            is_dead
        })
    }
}

fn is_dead<N: Checkable>(shared: &Shared<N>, dead: &Dead<N>, place: u32, envelope: u32) -> bool {
    let Some((node, _)) = shared.places.value(place).node else { return false };
    let envelope = shared.envelopes.value(envelope);
    dead(
        shared.nodes.value(node),
        &Stimulus::Message { from: envelope.from, message: envelope.message.clone() },
    )
}

impl<N: Checkable> Worker<'_, N> {
    /// Whether a state must be built to know what it is known by.
    pub(crate) fn needs_whole(&self) -> bool {
        self.orbit.is_some() || self.mortuary.is_some()
    }

    /// The state without its dead messages, and its fingerprint.
    pub(crate) fn living<'s>(&mut self, state: &'s [u32], fingerprint: u64) -> (Cow<'s, [u32]>, u64) {
        let Some(mut mortuary) = self.mortuary.take() else { return (Cow::Borrowed(state), fingerprint) };
        let first = self.places + 2;
        let mut living = Vec::with_capacity(state.len());
        living.extend_from_slice(&state[..first]);
        let mut left = fingerprint;
        for envelope in &state[first..] {
            let (_, to) = self.link(*envelope);
            if mortuary.is_dead(self.shared, state[to as usize], *envelope) {
                left = left.wrapping_sub(self.envelope_hash(*envelope));
            } else {
                living.push(*envelope);
            }
        }
        self.mortuary = Some(mortuary);
        if living.len() == state.len() {
            return (Cow::Borrowed(state), fingerprint);
        }
        (Cow::Owned(living), left)
    }
}

/// What a search reports, with what is wrong about the declaration of dead messages, if anything is.
pub(crate) fn proven<N: Checkable>(
    shared: &Shared<N>,
    settings: &Settings<N>,
    from: &State,
    mut report: Report,
) -> Report {
    if let Some(words) = declared(shared, settings).and_then(|dead| wrong(shared, dead)) {
        report.findings.push(Finding { subject: Subject::Step, words, state: from.clone() });
        report.verdict = Verdict::Violated;
    }
    report
}

/// What is wrong with the declaration; of several the first by content.
fn wrong<N: Checkable>(shared: &Shared<N>, dead: &Dead<N>) -> Option<String> {
    let mut steps: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (before, after) in shared.transitions() {
        steps.entry(before).or_default().insert(after);
    }
    let used = shared.dead.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut open: Vec<(u32, u32)> = used.iter().copied().collect();
    let mut seen: BTreeSet<(u32, u32)> = used;
    let mut wrong: Vec<(u64, String)> = Vec::new();
    while let Some((place, envelope)) = open.pop() {
        let runs = shared.places.value(place).node.is_some();
        if runs && !is_dead(shared, dead, place, envelope) {
            wrong.push(alive(shared, place, envelope, "and later it is not"));
            continue;
        }
        if runs && !is_without_effect(shared, place, envelope) {
            wrong.push(alive(shared, place, envelope, "and it has an effect"));
            continue;
        }
        for after in steps.get(&place).into_iter().flatten() {
            if seen.insert((*after, envelope)) {
                open.push((*after, envelope));
            }
        }
    }
    wrong.into_iter().min().map(|(_, words)| words)
}

/// Whether a message does nothing. Any step makes durable what is late; that comes without the message too, so it is
/// no effect.
fn is_without_effect<N: Checkable>(shared: &Shared<N>, place: u32, envelope: u32) -> bool {
    let is_noop = |is_late| shared.step(place, Stim::new(Choice::Deliver { envelope, is_late })).is_noop;
    is_noop(false) || is_noop(true)
}

fn alive<N: Checkable>(shared: &Shared<N>, place: u32, envelope: u32, how: &str) -> (u64, String) {
    let order = shared.places.hash(place) ^ content_hash(Salt::Position, &shared.envelopes.hash(envelope));
    let node = shared.places.value(place).node.map(|(node, _)| shared.nodes.value(node));
    let envelope = shared.envelopes.value(envelope);
    let (from, to, message) = (envelope.from, envelope.to, &envelope.message);
    let words = format!("{message:?} from {from} to {to} was declared dead, {how}: {to} is {node:?}");
    (order, words)
}
