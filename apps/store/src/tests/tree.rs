//! The tree beside a vector: the same items, whatever is done to both; and what a clone shares.

use crate::tree::Tree;
use synod_stdx::Rng;

fn check_equal(tree: &Tree<u64>, model: &[u64], context: &str) {
    tree.assert_invariants();
    assert_eq!(tree.len(), model.len(), "{context}");
    assert!(tree.iter().eq(model), "{context}: forwards");
    assert!(tree.iter().rev().eq(model.iter().rev()), "{context}: backwards");
}

#[test]
fn a_tree_does_what_a_vector_does() {
    for seed in 0..20 {
        let (mut rng, mut tree, mut model) = (Rng::new(seed), Tree::new(), Vec::new());
        // Some runs grow, some shrink, some work at the ends as a queue does.
        let (growth, ends) = (*rng.pick(&[300, 500, 700]).unwrap(), *rng.pick(&[0, 500, 950]).unwrap());
        for step in 0..4_000_u64 {
            let at_end = rng.chance(ends);
            if rng.chance(growth) {
                let index = match at_end {
                    true => *rng.pick(&[0, model.len()]).unwrap(),
                    false => rng.below(model.len() as u64 + 1) as usize,
                };
                tree.insert(index, step);
                model.insert(index, step);
            } else if !model.is_empty() {
                let index = match at_end {
                    true => *rng.pick(&[0, model.len() - 1]).unwrap(),
                    false => rng.below(model.len() as u64) as usize,
                };
                assert_eq!(tree.remove(index), Some(model.remove(index)), "seed {seed}");
            }
            if let Some(index) = rng.below(50).checked_mul(7).map(|index| index as usize)
                && let Some(item) = tree.at_mut(index)
            {
                *item += 1;
                model[index] += 1;
            }
            if step % 250 == 0 {
                check_equal(&tree, &model, &format!("seed {seed}, step {step}"));
                let (from, to) = (rng.below(200) as usize, rng.below(400) as usize);
                let expected = model.get(from..to.min(model.len())).unwrap_or(&[]);
                assert!(tree.range(from..to).eq(expected), "seed {seed}: {from}..{to}");
                assert_eq!(tree.at(from), model.get(from));
            }
            if rng.chance(2) {
                let from = rng.below(model.len() as u64 + 1) as usize;
                let to = from + rng.below((model.len() - from) as u64 + 1) as usize;
                tree.remove_range(from..to);
                model.drain(from..to);
            }
        }
        check_equal(&tree, &model, &format!("seed {seed}"));
        assert_eq!(tree.remove(model.len()), None);
        assert_eq!(tree, model.into_iter().collect::<Tree<u64>>(), "equal items, equal trees");
    }
}

#[test]
fn a_search_finds_the_first_place_that_is_not_before() {
    let mut rng = Rng::new(1);
    for count in [0, 1, 2, 64, 65, 1_000, 10_000_u64] {
        let mut tree = Tree::new();
        // Even numbers, in an order of their own.
        let mut numbers: Vec<u64> = (0..count).map(|index| 2 * index).collect();
        rng.shuffle(&mut numbers);
        for number in numbers {
            let (index, found) = tree.seek(|item: &u64| item.cmp(&number));
            assert_eq!(found, None);
            tree.insert(index, number);
        }
        tree.assert_invariants();
        for number in (0..2 * count + 2).step_by(1 + count as usize / 100) {
            let (index, found) = tree.seek(|item| item.cmp(&number));
            assert_eq!(index as u64, number.div_ceil(2).min(count), "{number} of {count}");
            assert_eq!(found.copied(), (number % 2 == 0 && number < 2 * count).then_some(number));
        }
    }
}

#[test]
fn a_write_after_a_clone_copies_one_path() {
    let mut tree: Tree<u64> = (0..100_000).collect();
    let clone = tree.clone();
    let leaves = tree.shared_leaves(&clone);
    tree.insert(50_000, 7);
    *tree.at_mut(3).unwrap() = 9;
    tree.remove(99_000);
    assert!(leaves - tree.shared_leaves(&clone) <= 3, "of {leaves} leaves at most three are copied");
    assert!(clone.iter().copied().eq(0..100_000), "the clone is what it was");
}
