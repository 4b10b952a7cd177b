//! Moments as predicates see them.

use crate::{Predicate, Shown, Sight, Stage};
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_node::NodeId;
use synod_stdx::{Tree, kind_of};

/// Sees a moment after the other, and reads anew only what changed.
pub(crate) struct Watch<N: Shown> {
    known: BTreeMap<NodeId, (N, Arc<Tree>)>,
}

impl<N: Shown> Default for Watch<N> {
    fn default() -> Self {
        Watch { known: BTreeMap::new() }
    }
}

impl<N: Shown> Watch<N> {
    /// What a predicate looks at in a moment.
    pub(crate) fn sight(&mut self, stage: &Stage<N>, predicate: &Predicate) -> Sight {
        let mut nodes = Vec::new();
        for id in stage.world.ids() {
            let tree = stage.world.node(id).map(|node| match self.known.get(&id) {
                _ if !predicate.reads(id) => Arc::default(),
                Some((known, tree)) if known == node => Arc::clone(tree),
                Some(_) | None => {
                    let tree = Arc::new(Tree::of(node));
                    self.known.insert(id, (node.clone(), Arc::clone(&tree)));
                    tree
                }
            });
            nodes.push((id, tree));
        }
        let flight = stage.world.flight().filter(|_| predicate.reads_messages());
        Sight { nodes, sent: flight.map(|(_, envelope)| kind_of(&envelope.message)).collect() }
    }
}
