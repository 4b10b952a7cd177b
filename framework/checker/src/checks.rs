//! What a search relies on, checked at every new step: handlers are deterministic, clones are equal, equal values have
//! equal hashes and show alike, and messages survive their byte form.

use crate::Checkable;
use crate::hash::{Salt, content_hash};
use crate::local::Local;
use crate::shared::Shared;
use crate::stim::{Choice, Stim};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use synod_stdx::kind_of;

/// Whether a message survives encoding and decoding; `None` if it does, or the words.
pub type Survives<N> = Arc<dyn Fn(&<N as synod_node::Node>::Message) -> Option<String> + Send + Sync>;

/// The checks of one search.
pub(crate) struct Checks<N: Checkable> {
    pub(crate) survives: Option<Survives<N>>,
    /// The kinds of messages whose second delivery changed something: reported, not failed.
    not_idempotent: Mutex<BTreeSet<String>>,
}

impl<N: Checkable> Checks<N> {
    pub(crate) fn new(survives: Option<Survives<N>>) -> Self {
        Checks { survives, not_idempotent: Mutex::default() }
    }

    pub(crate) fn survives(&self, message: &N::Message) -> Option<String> {
        self.survives.as_ref().and_then(|survives| survives(message))
    }

    /// Compares two runs of one step; objects in the first.
    pub(crate) fn compare(&self, one: &mut Local<'_, N>, two: &Local<'_, N>) {
        let same = one.node == two.node
            && one.side == two.side
            && one.position == two.position
            && one.done.sends == two.done.sends
            && one.done.seen == two.done.seen
            && one.done.objection == two.done.objection;
        let id = one.id;
        if !same {
            let (a, b) = (format!("{:?}", one.node), format!("{:?}", two.node));
            let words = format!("{id} took the same step twice with different results: {a} and {b}");
            one.done.objection.get_or_insert(words);
            return;
        }
        if let (Some(a), Some(b)) = (&one.node, &two.node)
            && let Some(words) = alike(a, b).or_else(|| alike(a, &a.clone()))
        {
            one.done.objection.get_or_insert(format!("{id}: {words}"));
        }
    }

    /// Compares what a step came to with what is kept as the same: what equality leaves out, a state does not have.
    pub(crate) fn compare_kept(&self, shared: &Shared<N>, local: &mut Local<'_, N>) {
        let node = local.node.as_ref().and_then(|node| {
            let kept = shared.nodes.value(shared.nodes.intern(node.clone()).0);
            alike(kept, node)
        });
        let message = || {
            local.done.sends.iter().find_map(|envelope| {
                let kept = shared.envelopes.value(shared.envelopes.intern(envelope.clone()).0);
                alike(&kept.message, &envelope.message)
            })
        };
        if let Some(words) = node.or_else(message) {
            let id = local.id;
            local.done.objection.get_or_insert(format!("{id}: {words}"));
        }
    }

    /// Delivers the same message to the place that just took it.
    pub(crate) fn redeliver(&self, shared: &Shared<N>, place: u32, stim: Stim, first: &Local<'_, N>) {
        let Choice::Deliver { envelope, .. } = stim.choice() else { return };
        if first.done.objection.is_some() {
            return;
        }
        let envelope = shared.envelopes.value(envelope);
        let mut again = shared.local(place);
        again.node.clone_from(&first.node);
        again.side.clone_from(&first.side);
        again.position.clone_from(&first.position);
        again.run(crate::local::Event::Deliver(envelope), false);
        if again.node != first.node {
            let kind = kind_of(&envelope.message);
            self.not_idempotent.lock().unwrap_or_else(PoisonError::into_inner).insert(kind);
        }
    }

    /// The kinds of messages whose second delivery changed the receiver once more.
    pub(crate) fn not_idempotent(&self) -> Vec<String> {
        self.not_idempotent.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Whether two values that should be one are: equal, with equal hashes, and shown alike.
pub(crate) fn alike<T: Eq + std::hash::Hash + Debug>(one: &T, two: &T) -> Option<String> {
    if one != two {
        return Some("a clone differs from the original".to_owned());
    }
    if content_hash(Salt::Node, one) != content_hash(Salt::Node, two) {
        return Some("equal values have different hashes".to_owned());
    }
    let (a, b) = (format!("{one:?}"), format!("{two:?}"));
    (a != b).then(|| format!("equality leaves something out: {a} equals {b}"))
}
