//! States that differ by a renaming of nodes are one: for groups of nodes that behave alike.

use crate::Checkable;
use crate::observer::Observer;
use crate::place::{Envelope, Place, Side};
use crate::shared::Shared;
use std::sync::Arc;
use synod_node::NodeId;

type Name<'a> = &'a dyn Fn(NodeId) -> NodeId;

/// A stated symmetry: these nodes may be renamed into each other. It is the stater's claim that the protocol treats
/// them alike, that their users ask the same, and that no property tells them apart; what of it can be seen is checked.
pub struct Symmetry<N: Checkable, O: Observer<N>> {
    /// Each renaming but the one that changes nothing: the new name of each node in order.
    pub(crate) renamings: Vec<Vec<(NodeId, NodeId)>>,
    pub(crate) rename_node: fn(&mut N, Name<'_>),
    pub(crate) rename_message: fn(&mut N::Message, Name<'_>),
    pub(crate) rename_side: fn(&mut Side<N>, Name<'_>),
    _observer: std::marker::PhantomData<fn() -> O>,
}

impl<N: Checkable, O: Observer<N>> Symmetry<N, O> {
    pub(crate) fn canonical(&self, _shared: &Shared<N, O>, _state: &[u32], fingerprint: u64) -> u64 {
        fingerprint
    }
}
