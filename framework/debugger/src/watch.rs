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
        let world = &stage.world;
        let tree = |id: NodeId, node: &N| match self.known.get(&id) {
            Some((known, tree)) if known == node => Arc::clone(tree),
            Some(_) | None => {
                let tree = Arc::new(Tree::of(node));
                self.known.insert(id, (node.clone(), Arc::clone(&tree)));
                tree
            }
        };
        let sent = || world.flight().map(|(_, envelope)| kind_of(&envelope.message)).collect();
        predicate.sight(world.ids().map(|id| (id, world.node(id))), tree, sent)
    }
}
