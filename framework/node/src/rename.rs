//! Other names for the same nodes: how states that differ in names alone are found to be alike.

use crate::{Departure, Durable, Effect, Node, NodeId, RequestId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A value in which nodes are named, and can be named otherwise.
///
/// A checker tells by it that states are equal up to a permutation of nodes or clients: two clients that ask for the
/// same differ in nothing but their names. Whether a permutation is a symmetry of a protocol, so that what follows is
/// alike too, is for the protocol to say: where names are compared, as in ballots, it may not be one.
pub trait Rename {
    /// Replaces each node's name in the value by another. `name` gives different nodes different names. What the value
    /// keeps in the order of names is in the order of the new names then, so a permutation and its inverse give the
    /// value back.
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId);
}

impl Rename for NodeId {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        *self = name(*self);
    }
}

/// Values in which no node is named.
macro_rules! name_nobody {
    ($($type:ty),*) => {
        $(
            impl Rename for $type {
                fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {}
            }
        )*
    };
}

name_nobody!((), bool, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);
name_nobody!(&str, String, Arc<str>, RequestId);

impl<T: Rename> Rename for [T] {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.iter_mut().for_each(|item| item.rename(name));
    }
}

impl<T: Rename> Rename for Vec<T> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.as_mut_slice().rename(name);
    }
}

impl<T: Rename> Rename for VecDeque<T> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.iter_mut().for_each(|item| item.rename(name));
    }
}

impl<T: Rename> Rename for Option<T> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.iter_mut().for_each(|item| item.rename(name));
    }
}

impl<T: Rename + Clone> Rename for Arc<T> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        Arc::make_mut(self).rename(name);
    }
}

impl<T: Rename + Clone> Rename for Arc<[T]> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        Arc::make_mut(self).rename(name);
    }
}

impl<K: Rename + Ord, V: Rename> Rename for BTreeMap<K, V> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let count = self.len();
        let renamed = std::mem::take(self).into_iter().map(|mut entry| {
            entry.rename(name);
            entry
        });
        *self = renamed.collect();
        assert_eq!(self.len(), count, "two nodes got one name");
    }
}

impl<T: Rename + Ord> Rename for BTreeSet<T> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let count = self.len();
        let renamed = std::mem::take(self).into_iter().map(|mut item| {
            item.rename(name);
            item
        });
        *self = renamed.collect();
        assert_eq!(self.len(), count, "two nodes got one name");
    }
}

impl<A: Rename, B: Rename> Rename for (A, B) {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.0.rename(name);
        self.1.rename(name);
    }
}

impl<A: Rename, B: Rename, C: Rename> Rename for (A, B, C) {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.0.rename(name);
        self.1.rename(name);
        self.2.rename(name);
    }
}

impl<A: Rename, B: Rename, C: Rename, D: Rename> Rename for (A, B, C, D) {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.0.rename(name);
        self.1.rename(name);
        self.2.rename(name);
        self.3.rename(name);
    }
}

impl<N: Node<Record: Rename, Checkpoint: Rename>> Rename for Durable<N> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Durable { checkpoint, records } = self;
        checkpoint.rename(name);
        records.rename(name);
    }
}

impl<N: Node<Message: Rename, Response: Rename>> Rename for Departure<N> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Departure::Message { to, message } => {
                to.rename(name);
                message.rename(name);
            }
            Departure::Reply { id: _, response } => response.rename(name),
        }
    }
}

impl<N> Rename for Effect<N>
where
    N: Node<Message: Rename, Timer: Rename, Record: Rename, Checkpoint: Rename, Response: Rename>,
{
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Effect::Send { to, message } | Effect::SendEarly { to, message } => {
                to.rename(name);
                message.rename(name);
            }
            Effect::SetTimer { timer, after: _ } => timer.rename(name),
            Effect::Persist(record) => record.rename(name),
            Effect::Checkpoint(checkpoint) | Effect::Compact(checkpoint) => checkpoint.rename(name),
            Effect::Reply { id: _, response } => response.rename(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rename;
    use crate::NodeId;
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    fn next(id: NodeId) -> NodeId {
        NodeId::server(id.number() % 3 + 1)
    }

    fn renamed<T: Rename + Clone>(value: &T) -> T {
        let mut renamed = value.clone();
        renamed.rename(&next);
        renamed
    }

    #[test]
    fn every_name_in_a_compound_value_is_replaced() {
        let [n1, n2, n3] = [1, 2, 3].map(NodeId::server);
        assert_eq!(renamed(&(Some(n1), vec![n2, n3], 7u64, "n1")), (Some(n2), vec![n3, n1], 7, "n1"));
        let map = BTreeMap::from([(n1, n2), (n3, n3)]);
        assert_eq!(renamed(&map), BTreeMap::from([(n1, n1), (n2, n3)]));
        assert_eq!(renamed(&renamed(&renamed(&map))), map);
        assert_eq!(renamed(&BTreeSet::from([n1, n3])), BTreeSet::from([n1, n2]));
    }

    #[test]
    fn what_is_shared_is_renamed_for_one_owner() {
        let [n1, n2, _] = [1, 2, 3].map(NodeId::server);
        let shared = (Arc::new(n1), Arc::<[NodeId]>::from([n1]));
        assert_eq!(renamed(&shared), (Arc::new(n2), Arc::from([n2])));
        assert_eq!(*shared.0, n1);
    }

    #[test]
    #[should_panic(expected = "two nodes got one name")]
    fn a_name_given_twice_is_a_bug() {
        BTreeSet::from([1, 2].map(NodeId::server)).rename(&|_| NodeId::server(1));
    }
}
