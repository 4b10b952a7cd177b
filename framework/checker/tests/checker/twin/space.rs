//! All states that the dumb twin finds, and what can be said of their runs.

use super::naive::{Global, Owed, Setting};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use synod_stdx::LookupMap;

/// A step: what is owed of it, if anything, and the number of the state that it leads to.
type Edge = (Option<Owed>, usize);

/// Every state, with its depth and the steps that leave it.
pub struct Space {
    pub states: Vec<Global>,
    pub depths: Vec<u32>,
    /// None where a state is not left.
    pub edges: Vec<Option<Vec<Edge>>>,
    /// How deep the nearest step lies that objects, counted with that step.
    pub objects_at: Option<u32>,
}

/// Explores breadth-first. `is_left` says of a state whether it is left. None if there are more states than `limit`.
pub fn explore(setting: &Setting, is_left: &dyn Fn(&Global) -> bool, limit: usize) -> Option<Space> {
    let first = setting.first()?;
    let mut known: LookupMap<Arc<Global>, usize> = LookupMap::default();
    known.insert(Arc::new(first.clone()), 0);
    let mut space = Space { states: vec![first], depths: vec![0], edges: Vec::new(), objects_at: None };
    while space.edges.len() < space.states.len() {
        let number = space.edges.len();
        let (state, depth) = (space.states[number].clone(), space.depths[number]);
        if !is_left(&state) {
            space.edges.push(None);
            continue;
        }
        let mut edges = Vec::new();
        for (owed, after) in setting.successors(&state) {
            let Some(after) = after else {
                space.objects_at.get_or_insert(depth + 1);
                continue;
            };
            let next = space.states.len();
            let to = *known.entry(Arc::new(after.clone())).or_insert(next);
            if to == next {
                space.states.push(after);
                space.depths.push(depth + 1);
            }
            edges.push((owed, to));
        }
        space.edges.push(Some(edges));
        if space.states.len() > limit {
            return None;
        }
    }
    Some(space)
}

impl Space {
    /// The states that a state leads to, itself included.
    fn reached(&self, from: usize) -> BTreeSet<usize> {
        let (mut seen, mut open) = (BTreeSet::from([from]), vec![from]);
        while let Some(state) = open.pop() {
            for (_, to) in self.edges[state].iter().flatten() {
                if seen.insert(*to) {
                    open.push(*to);
                }
            }
        }
        seen
    }

    /// Whether from every state one that is not left can be reached.
    pub fn is_always_possible(&self) -> bool {
        (0..self.states.len()).all(|from| self.reached(from).iter().any(|state| self.edges[*state].is_none()))
    }

    /// Whether every fair run comes to a state that is not left.
    pub fn is_inevitable(&self) -> bool {
        let reached: Vec<BTreeSet<usize>> = (0..self.states.len()).map(|from| self.reached(from)).collect();
        let mut is_inevitable = true;
        for from in 0..self.states.len() {
            let home: BTreeSet<usize> =
                reached[from].iter().copied().filter(|to| reached[*to].contains(&from)).collect();
            is_inevitable &= !self.has_fair_run(&home);
        }
        is_inevitable
    }

    /// Whether a fair run stays among these states, each of which leads to each.
    fn has_fair_run(&self, home: &BTreeSet<usize>) -> bool {
        let mut owed: BTreeMap<&Owed, usize> = BTreeMap::new();
        let mut paid: BTreeSet<&Owed> = BTreeSet::new();
        for state in home {
            let Some(edges) = &self.edges[*state] else { return false };
            let here: BTreeSet<&Owed> = edges.iter().filter_map(|(owed, _)| owed.as_ref()).collect();
            here.into_iter().for_each(|one| *owed.entry(one).or_default() += 1);
            let inside = edges.iter().filter(|(_, to)| home.contains(to));
            paid.extend(inside.filter_map(|(owed, _)| owed.as_ref()));
        }
        owed.into_iter().all(|(one, states)| states < home.len() || paid.contains(one))
    }
}
