//! Strongly connected components: within one, every state leads to every other.
//!
//! Tarjan, "Depth-first search and linear graph algorithms" (1972), with a stack of its own instead of recursion.

const UNSEEN: u32 = u32::MAX;

/// The components of a graph of `len` nodes numbered from 0, where `next(node, at)` is the node's edge number `at`.
pub(crate) fn components(len: usize, next: impl Fn(u32, usize) -> Option<u32>) -> Vec<Vec<u32>> {
    let mut order = vec![UNSEEN; len];
    let mut low = vec![UNSEEN; len];
    let mut is_open = vec![false; len];
    let (mut open, mut found) = (Vec::new(), Vec::new());
    let mut seen = 0;
    for root in 0..len as u32 {
        if order[root as usize] != UNSEEN {
            continue;
        }
        let mut path: Vec<(u32, usize)> = vec![(root, 0)];
        while let Some((node, edge)) = path.last_mut() {
            let at = *node as usize;
            if *edge == 0 && order[at] == UNSEEN {
                (order[at], low[at]) = (seen, seen);
                seen += 1;
                is_open[at] = true;
                open.push(*node);
            }
            let to = next(*node, *edge);
            *edge += 1;
            match to {
                Some(to) if order[to as usize] == UNSEEN => path.push((to, 0)),
                Some(to) if is_open[to as usize] => low[at] = low[at].min(order[to as usize]),
                Some(_) => {}
                None => {
                    path.pop();
                    if let Some((parent, _)) = path.last() {
                        let parent = *parent as usize;
                        low[parent] = low[parent].min(low[at]);
                    }
                    if low[at] == order[at] {
                        let from = open.iter().rposition(|node| *node as usize == at);
                        let component = open.split_off(from.expect("a component's first node is open"));
                        component.iter().for_each(|node| is_open[*node as usize] = false);
                        found.push(component);
                    }
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::components;
    use synod_stdx::Rng;

    fn of(len: usize, edges: &[(u32, u32)]) -> Vec<Vec<u32>> {
        let next = |node, at| edges.iter().filter(|(from, _)| *from == node).nth(at).map(|(_, to)| *to);
        let mut all = components(len, next);
        all.iter_mut().for_each(|component| component.sort_unstable());
        all.sort();
        all
    }

    #[test]
    fn nodes_that_lead_to_each_other_are_together() {
        let edges = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 3), (5, 5), (4, 5)];
        assert_eq!(of(6, &edges), [vec![0, 1, 2], vec![3, 4], vec![5]]);
        assert_eq!(of(3, &[]), [vec![0], vec![1], vec![2]]);
    }

    /// Against the closure of small random graphs.
    #[test]
    fn random_graphs_have_the_components_of_their_closure() {
        let mut dice = Rng::new(7);
        for _ in 0..300 {
            let len = 2 + dice.below(7) as usize;
            let node = |dice: &mut Rng| dice.below(len as u64) as u32;
            let edges: Vec<(u32, u32)> =
                (0..dice.below(14)).map(|_| (node(&mut dice), node(&mut dice))).collect();
            let mut leads = vec![vec![false; len]; len];
            (0..len).for_each(|at| leads[at][at] = true);
            edges.iter().for_each(|(from, to)| leads[*from as usize][*to as usize] = true);
            for via in 0..len {
                for from in 0..len {
                    for to in 0..len {
                        leads[from][to] |= leads[from][via] && leads[via][to];
                    }
                }
            }
            let together = |a: u32| {
                let both = |b: &u32| leads[a as usize][*b as usize] && leads[*b as usize][a as usize];
                (0..len as u32).filter(both).collect::<Vec<u32>>()
            };
            let mut right: Vec<Vec<u32>> = (0..len as u32).map(together).collect();
            right.sort();
            right.dedup();
            assert_eq!(of(len, &edges), right, "{edges:?}");
        }
    }
}
