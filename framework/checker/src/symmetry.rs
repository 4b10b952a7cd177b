//! A stated symmetry: groups of nodes that may be renamed into each other.
//!
//! That the protocol treats them alike is the stater's claim. What of it can be seen is checked. When it is stated:
//! renamed, each node as built must be the node that stands where it is renamed to, and their users must ask the same.
//! During a search: each new local step is taken again under other names, and must come to the same under these names
//! (see `orbit.rs`); so is what the observer makes of what it is shown. Each property is asked of states under other names too,
//! and must say the same (`impartial.rs`): of all states in a small search, of a sample in a large one. A search uses those
//! renamings alone that keep the system's partitions, what its settings cut and stop, and the nodes that each property reads:
//! these form a group again, so nothing is lost but some sparing.

use crate::place::Side;
use crate::system::System;
use crate::user::User;
use crate::{Checkable, Network};
use std::collections::{BTreeMap, BTreeSet};
use synod_node::{NodeId, Rename};
use synod_world::Write;

type Name<'a> = &'a dyn Fn(NodeId) -> NodeId;

/// A search looks at each state under so many names at most.
const RENAMINGS_MAX: usize = 5040;
/// So many requests of a user are compared at most.
const ASKS_MAX: u64 = 1 << 14;

/// See the module's page.
pub struct Symmetry<N: Checkable> {
    /// The nodes of the system that it is about.
    pub(crate) names: Vec<NodeId>,
    /// Each renaming but the one that changes nothing.
    pub(crate) renamings: Vec<Renaming>,
    pub(crate) rename: Renames<N>,
}

/// New names for nodes; who is not in it keeps its own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Renaming(pub(crate) BTreeMap<NodeId, NodeId>);

impl Renaming {
    pub(crate) fn name(&self, id: NodeId) -> NodeId {
        self.0.get(&id).copied().unwrap_or(id)
    }

    pub(crate) fn links(&self, links: &[(NodeId, NodeId)]) -> BTreeSet<(NodeId, NodeId)> {
        links.iter().map(|(from, to)| (self.name(*from), self.name(*to))).collect()
    }
}

/// How the parts of a state are renamed: known where the symmetry is stated, so that searches without one need no
/// [`Rename`].
pub(crate) struct Renames<N: Checkable> {
    pub(crate) node: fn(&mut N, Name<'_>),
    pub(crate) message: fn(&mut N::Message, Name<'_>),
    pub(crate) timer: fn(&mut N::Timer, Name<'_>),
    pub(crate) response: fn(&mut N::Response, Name<'_>),
    pub(crate) side: fn(&mut Side<N>, Name<'_>),
}

impl<N> Symmetry<N>
where
    N: Checkable + Rename,
    N: synod_node::Node<Message: Rename, Timer: Rename, Record: Rename, Checkpoint: Rename, Response: Rename>,
{
    /// In `system`, the nodes within each of `groups` are interchangeable.
    ///
    /// # Errors
    /// What of it can be seen to be wrong; or that there are too many renamings to be looked at.
    pub fn new(system: &System<N>, groups: &[Vec<NodeId>]) -> Result<Self, String> {
        let mut named = BTreeSet::new();
        for id in groups.iter().flatten() {
            if !system.places.iter().any(|seat| seat.id == *id) {
                return Err(format!("{id} is to be interchangeable, and is not there"));
            }
            if !named.insert(*id) {
                return Err(format!("{id} is named twice among the interchangeable nodes"));
            }
        }
        let renamings = all_renamings(groups)?;
        let rename = Renames {
            node: |node: &mut N, name| node.rename(name),
            message: |message: &mut N::Message, name| message.rename(name),
            timer: |timer: &mut N::Timer, name| timer.rename(name),
            response: |response: &mut N::Response, name| response.rename(name),
            side: rename_side,
        };
        let symmetry = Symmetry { names: system.names(), renamings, rename };
        for (a, b) in groups.iter().flat_map(|group| group.iter().zip(group.iter().skip(1))) {
            if a.is_client() != b.is_client() {
                return Err(format!("{a} and {b} are not interchangeable: one is a client, one a server"));
            }
            symmetry.compare_users(system, *a, *b)?;
            symmetry.compare_built(system, *a, *b)?;
        }
        Ok(symmetry)
    }
}

fn rename_side<N>(side: &mut Side<N>, name: Name<'_>)
where
    N: Checkable,
    N: synod_node::Node<Message: Rename, Timer: Rename, Record: Rename, Checkpoint: Rename, Response: Rename>,
{
    for waiting in &mut side.timers {
        waiting.timer.rename(name);
    }
    side.outbox.rename(name);
    for write in &mut side.writing {
        match write {
            Write::Record(record) => record.rename(name),
            Write::Checkpoint(checkpoint) => checkpoint.rename(name),
        }
    }
    side.disk.rename(name);
}

impl<N: Checkable> Symmetry<N> {
    /// Whether the nodes as built are each other's images where `a` and `b` change their names.
    fn compare_built(&self, system: &System<N>, a: NodeId, b: NodeId) -> Result<(), String> {
        let swap = Renaming(BTreeMap::from([(a, b), (b, a)]));
        for seat in &system.places {
            let mut renamed = seat.built.clone();
            (self.rename.node)(&mut renamed, &|id| swap.name(id));
            let there = swap.name(seat.id);
            let built = system.places.iter().find(|other| other.id == there).map(|other| &other.built);
            if built != Some(&renamed) {
                let id = seat.id;
                return Err(format!(
                    "{a} and {b} are not interchangeable: where they change names, {id} as built becomes \
                     {renamed:?}, but {there} is built as {built:?}"
                ));
            }
        }
        Ok(())
    }

    /// Whether two users ask the same, from the first request to the last.
    fn compare_users(&self, system: &System<N>, a: NodeId, b: NodeId) -> Result<(), String> {
        let user = |id| system.places.iter().find(|seat| seat.id == id).and_then(|seat| seat.user.as_ref());
        let (one, two): (&User<N>, &User<N>) = match (user(a), user(b)) {
            (None, None) => return Ok(()),
            (Some(one), Some(two)) => (one, two),
            (Some(_), None) | (None, Some(_)) => {
                return Err(format!("{a} and {b} are not interchangeable: only one has a user"));
            }
        };
        if one.window() != two.window() {
            return Err(format!("{a} and {b} are not interchangeable: their users' windows differ"));
        }
        let swap = Renaming(BTreeMap::from([(a, b), (b, a)]));
        for index in 0..ASKS_MAX {
            let (mut ask, other) = (one.ask(index), two.ask(index));
            if let Some(expected) = ask.as_mut().and_then(|ask| ask.expected.as_mut()) {
                (self.rename.response)(expected, &|id| swap.name(id));
            }
            let is_over = ask.is_none();
            let (ask, other) = (format!("{ask:?}"), format!("{other:?}"));
            if ask != other {
                return Err(format!("{a} and {b} are not interchangeable: {a} asks {ask}, {b} {other}"));
            }
            if is_over {
                return Ok(());
            }
        }
        Err(format!("{a} and {b} ask more than {ASKS_MAX} requests: too many to be compared"))
    }

    /// Whether a search in this network keeps messages in the order of sending.
    pub(crate) fn is_ordered(network: Network) -> bool {
        match network {
            Network::Set | Network::Bag => false,
            Network::Ordered => true,
        }
    }
}

/// Every way to permute the nodes within each group, but the one that changes nothing.
fn all_renamings(groups: &[Vec<NodeId>]) -> Result<Vec<Renaming>, String> {
    let factors = groups.iter().flat_map(|group| 1..=group.len());
    let count = factors.fold(1usize, usize::saturating_mul);
    if count > RENAMINGS_MAX {
        return Err(format!(
            "{count} renamings are too many: a search looks at each state under {RENAMINGS_MAX} names at most. \
             Make the groups of interchangeable nodes smaller"
        ));
    }
    let mut all = vec![Renaming::default()];
    for group in groups {
        let orders = permutations(group);
        let joined = all.iter().flat_map(|renaming| {
            orders.iter().map(|order| {
                let moved = group.iter().zip(order).filter(|(from, to)| from != to);
                let moved = moved.map(|(from, to)| (*from, *to));
                Renaming(renaming.0.iter().map(|(from, to)| (*from, *to)).chain(moved).collect())
            })
        });
        all = joined.collect();
    }
    all.retain(|renaming| !renaming.0.is_empty());
    Ok(all)
}

fn permutations(group: &[NodeId]) -> Vec<Vec<NodeId>> {
    let Some((first, rest)) = group.split_first() else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for order in permutations(rest) {
        for at in 0..=order.len() {
            let mut longer = order.clone();
            longer.insert(at, *first);
            all.push(longer);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::all_renamings;
    use synod_node::NodeId;

    #[test]
    fn groups_are_permuted_apart() {
        let groups = [NodeId::servers(3), NodeId::clients(2)];
        let all = all_renamings(&groups).unwrap();
        assert_eq!(all.len(), 6 * 2 - 1);
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| other != one), "each renaming once");
            assert!(one.0.iter().all(|(from, to)| from.is_client() == to.is_client()));
        }
    }

    #[test]
    fn seven_nodes_are_enough() {
        assert_eq!(all_renamings(&[NodeId::servers(7)]).unwrap().len(), 5039);
        assert!(all_renamings(&[NodeId::servers(8)]).unwrap_err().contains("40320 renamings are too many"));
    }
}
