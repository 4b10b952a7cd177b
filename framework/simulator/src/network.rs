//! The links: which are cut, and how much each loses.

use std::collections::{BTreeMap, BTreeSet};
use synod_node::NodeId;

/// Which messages a setting is about. The narrower setting wins: a link's over its sender's, over its receiver's, over
/// everyone's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// From the first to the second.
    Link(NodeId, NodeId),
    /// Whatever it sends.
    From(NodeId),
    /// Whatever is sent to it.
    To(NodeId),
    /// All messages.
    All,
}

/// The network's settings at one moment. Nodes that are not named in any partition group reach nobody while one is on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Network {
    groups: Option<Vec<BTreeSet<NodeId>>>,
    cut: BTreeSet<(NodeId, NodeId)>,
    loss_permille: BTreeMap<Scope, u32>,
}

impl Network {
    /// Lets only nodes of one group talk. Groups may overlap: so a node can be a bridge between two.
    pub fn partition(&mut self, groups: &[&[NodeId]]) {
        self.groups = Some(groups.iter().map(|group| group.iter().copied().collect()).collect());
    }

    /// Ends every partition and every cut. Loss stays.
    pub fn heal(&mut self) {
        self.groups = None;
        self.cut.clear();
    }

    /// Cuts one direction of one link.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cut.insert((from, to));
    }

    /// Cuts both directions between one node and each of the others.
    pub fn cut_both(&mut self, node: NodeId, others: &[NodeId]) {
        for other in others {
            self.cut(node, *other);
            self.cut(*other, node);
        }
    }

    /// Mends one direction of one link that was [`cut`](Network::cut).
    pub fn mend(&mut self, from: NodeId, to: NodeId) {
        self.cut.remove(&(from, to));
    }

    /// Loses `permille` in 1,000 of the messages in `scope`.
    pub fn lose(&mut self, scope: Scope, permille: u32) {
        self.loss_permille.insert(scope, permille);
    }

    /// Forgets the loss set for `scope`: the next wider setting counts.
    pub fn forget_loss(&mut self, scope: Scope) {
        self.loss_permille.remove(&scope);
    }

    /// Whether a message from one to the other may arrive at all.
    pub fn connects(&self, from: NodeId, to: NodeId) -> bool {
        if from == to {
            return true;
        }
        let together = match &self.groups {
            None => true,
            Some(groups) => groups.iter().any(|group| group.contains(&from) && group.contains(&to)),
        };
        together && !self.cut.contains(&(from, to))
    }

    /// How many in 1,000 are lost from one to the other, if anything was said of it.
    pub fn loss(&self, from: NodeId, to: NodeId) -> Option<u32> {
        [Scope::Link(from, to), Scope::From(from), Scope::To(to), Scope::All]
            .iter()
            .find_map(|scope| self.loss_permille.get(scope).copied())
    }
}
