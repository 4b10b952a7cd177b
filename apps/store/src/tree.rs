//! A sequence whose clone is a pointer: a B+-tree of counted nodes, copy on write.
//!
//! Every collection of the store is made of it: a list is the sequence itself, the others are sequences in an order.
//! The nodes count what is below them, so the item at an index, the index of an item, and a range from any index on
//! cost a walk from the root. A write to a tree that a snapshot shares copies the nodes on one such path, whatever the
//! tree's size.
//!
//! It is our own because ranks and sharing do not come together elsewhere: the ordered maps of `imbl` and `rpds` share but
//! do not count, the counting ones do not share. B+-trees: D. Comer, "The Ubiquitous B-Tree", 1979.
//!
//! What a tree shows never depends on how it is built: two trees of the same items are equal, and a search gives the
//! same index in both. Replicas rely on that, for one of them may have its tree from a snapshot.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

/// The most items of a leaf, and the most children of a branch.
const WIDTH_MAX: usize = 64;
/// A node that is narrower is put together with a neighbour, if both fit one node.
const WIDTH_MIN: usize = 16;

/// The sequence. See the module's page.
#[derive(Clone)]
pub(crate) struct Tree<T> {
    root: Option<Arc<Node<T>>>,
    len: usize,
}

#[derive(Clone)]
enum Node<T> {
    Leaf(Vec<T>),
    Branch(Vec<Child<T>>),
}

struct Child<T> {
    /// How many items are below it.
    len: usize,
    node: Arc<Node<T>>,
}

impl<T> Clone for Child<T> {
    fn clone(&self) -> Self {
        Child { len: self.len, node: self.node.clone() }
    }
}

/// Where in the whole sequence an item comes in: at an end, nodes are filled instead of halved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Front,
    Inside,
    Back,
}

impl<T> Tree<T> {
    /// A sequence without items.
    pub(crate) const fn new() -> Tree<T> {
        Tree { root: None, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The item at `index`, or `None` past the last.
    pub(crate) fn at(&self, index: usize) -> Option<&T> {
        let (items, within) = self.leaf_at(index)?;
        items.get(within)
    }

    /// The leaf that holds the item at `index`, and the item's place in it.
    fn leaf_at(&self, index: usize) -> Option<(&[T], usize)> {
        let mut node = self.root.as_deref().filter(|_| index < self.len)?;
        let mut within = index;
        loop {
            match node {
                Node::Leaf(items) => return Some((items, within)),
                Node::Branch(children) => {
                    let at;
                    (at, within) = child_of(children, within);
                    node = &children[at].node;
                }
            }
        }
    }

    /// Searches a sequence that is in the order that `order` knows: how an item stands to what is looked for. Gives the
    /// first index whose item is not before it, and the item there if it is what was looked for.
    pub(crate) fn seek(&self, order: impl Fn(&T) -> Ordering) -> (usize, Option<&T>) {
        let (mut node, mut base) = match &self.root {
            Some(root) => (root, 0),
            None => return (0, None),
        };
        loop {
            match &**node {
                Node::Leaf(items) => {
                    let within = items.partition_point(|item| order(item).is_lt());
                    let found = items.get(within).filter(|item| order(item).is_eq());
                    return (base + within, found);
                }
                Node::Branch(children) => {
                    // The last child that begins with what is looked for or before it.
                    let behind = children.partition_point(|child| order(child.node.first()).is_le());
                    let at = behind.saturating_sub(1);
                    base += children[..at].iter().map(|child| child.len).sum::<usize>();
                    node = &children[at].node;
                }
            }
        }
    }

    /// The items at the indices of `range`, as far as there are such.
    pub(crate) fn range(&self, range: Range<usize>) -> Items<'_, T> {
        let end = range.end.min(self.len);
        let none: (&[T], usize) = (&[], 0);
        Items { tree: self, front: range.start.min(end), back: end, front_leaf: none, back_leaf: none }
    }

    /// All items.
    pub(crate) fn iter(&self) -> Items<'_, T> {
        self.range(0..self.len)
    }
}

impl<T> Node<T> {
    fn width(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Branch(children) => children.len(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Branch(children) => children.iter().map(|child| child.len).sum(),
        }
    }

    /// The first item below. No node of a tree is empty.
    fn first(&self) -> &T {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(items) => return &items[0],
                Node::Branch(children) => node = &children[0].node,
            }
        }
    }
}

impl<T> Child<T> {
    fn new(node: Node<T>) -> Child<T> {
        Child { len: node.len(), node: Arc::new(node) }
    }
}

/// Which child holds the item at `index`, and the item's index in it; the last child takes what is beyond it.
fn child_of<T>(children: &[Child<T>], index: usize) -> (usize, usize) {
    let mut within = index;
    for (at, child) in children.iter().enumerate() {
        if within < child.len {
            return (at, within);
        }
        within -= child.len;
    }
    let last = children.len() - 1;
    (last, within + children[last].len)
}

impl<T: Clone> Tree<T> {
    /// Puts `item` before the one at `index`, or at the end.
    pub(crate) fn insert(&mut self, index: usize, item: T) {
        let index = index.min(self.len);
        let place = match index {
            index if index == self.len => Place::Back,
            0 => Place::Front,
            _ => Place::Inside,
        };
        self.len += 1;
        let Some(root) = &mut self.root else {
            self.root = Some(Arc::new(Node::Leaf(vec![item])));
            return;
        };
        if let Some(right) = insert_below(root, index, item, place) {
            let left = Child { len: self.len - right.len, node: root.clone() };
            *root = Arc::new(Node::Branch(vec![left, right]));
        }
    }

    /// Puts `item` at the end.
    pub(crate) fn push(&mut self, item: T) {
        self.insert(self.len, item);
    }

    /// Takes the item at `index` out.
    pub(crate) fn remove(&mut self, index: usize) -> Option<T> {
        let root = self.root.as_mut().filter(|_| index < self.len)?;
        let item = remove_below(root, index);
        self.len -= 1;
        if self.len == 0 {
            self.root = None;
        } else {
            while let Node::Branch(children) = &**root
                && let [only] = children.as_slice()
            {
                let only = only.node.clone();
                *root = only;
            }
        }
        Some(item)
    }

    /// The item at `index`, to be changed.
    pub(crate) fn at_mut(&mut self, index: usize) -> Option<&mut T> {
        let mut node = self.root.as_mut().filter(|_| index < self.len)?;
        let mut within = index;
        loop {
            match Arc::make_mut(node) {
                Node::Leaf(items) => return items.get_mut(within),
                Node::Branch(children) => {
                    let at;
                    (at, within) = child_of(children, within);
                    node = &mut children[at].node;
                }
            }
        }
    }

    /// Removes the items at the indices of `range`.
    pub(crate) fn remove_range(&mut self, range: Range<usize>) {
        let range = range.start.min(self.len)..range.end.min(self.len);
        let removed = range.len();
        if removed > self.len / 2 {
            // What stays is less: build it anew.
            *self = self.range(0..range.start).chain(self.range(range.end..self.len)).cloned().collect();
        } else {
            for _ in 0..removed {
                self.remove(range.start);
            }
        }
    }
}

/// Inserts below `node`; what did not fit comes back as its right neighbour.
fn insert_below<T: Clone>(node: &mut Arc<Node<T>>, index: usize, item: T, place: Place) -> Option<Child<T>> {
    match Arc::make_mut(node) {
        Node::Leaf(items) => {
            items.insert(index, item);
            split(items, place).map(|right| Child::new(Node::Leaf(right)))
        }
        Node::Branch(children) => {
            let (at, within) = child_of(children, index);
            children[at].len += 1;
            let right = insert_below(&mut children[at].node, within, item, place)?;
            children[at].len -= right.len;
            children.insert(at + 1, right);
            split(children, place).map(|right| Child::new(Node::Branch(right)))
        }
    }
}

/// The right part of a node that became too wide.
fn split<T>(items: &mut Vec<T>, place: Place) -> Option<Vec<T>> {
    if items.len() <= WIDTH_MAX {
        return None;
    }
    Some(items.split_off(match place {
        Place::Front => 1,
        Place::Inside => items.len() / 2,
        Place::Back => items.len() - 1,
    }))
}

fn remove_below<T: Clone>(node: &mut Arc<Node<T>>, index: usize) -> T {
    match Arc::make_mut(node) {
        Node::Leaf(items) => items.remove(index),
        Node::Branch(children) => {
            let (at, within) = child_of(children, index);
            let item = remove_below(&mut children[at].node, within);
            children[at].len -= 1;
            match children[at].node.width() {
                0 => drop(children.remove(at)),
                width if width < WIDTH_MIN => merge_with_neighbour(children, at),
                _ => {}
            }
            item
        }
    }
}

/// Puts the child at `at` together with the one beside it, if both fit one node.
fn merge_with_neighbour<T: Clone>(children: &mut Vec<Child<T>>, at: usize) {
    let left = at.saturating_sub(1);
    if left + 1 >= children.len() || children[left].node.width() + children[left + 1].node.width() > WIDTH_MAX
    {
        return;
    }
    let right = children.remove(left + 1);
    let into = &mut children[left];
    into.len += right.len;
    match (Arc::make_mut(&mut into.node), Arc::unwrap_or_clone(right.node)) {
        (Node::Leaf(items), Node::Leaf(more)) => items.extend(more),
        (Node::Branch(nodes), Node::Branch(more)) => nodes.extend(more),
        (Node::Leaf(_), Node::Branch(_)) | (Node::Branch(_), Node::Leaf(_)) => {
            unreachable!("neighbours are equally high")
        }
    }
}

impl<T: Clone> FromIterator<T> for Tree<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut tree = Tree::new();
        items.into_iter().for_each(|item| tree.push(item));
        tree
    }
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Tree::new()
    }
}

impl<T: PartialEq> PartialEq for Tree<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<T: Eq> Eq for Tree<T> {}

impl<T: Hash> Hash for Tree<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len.hash(state);
        self.iter().for_each(|item| item.hash(state));
    }
}

impl<T: fmt::Debug> fmt::Debug for Tree<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Items of a tree in order, from either end.
pub(crate) struct Items<'a, T> {
    tree: &'a Tree<T>,
    front: usize,
    back: usize,
    /// Leaves, and the place in each of the item that comes next from that end.
    front_leaf: (&'a [T], usize),
    back_leaf: (&'a [T], usize),
}

impl<'a, T> Iterator for Items<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        if self.front == self.back {
            return None;
        }
        if self.front_leaf.1 >= self.front_leaf.0.len() {
            self.front_leaf = self.tree.leaf_at(self.front)?;
        }
        let (items, within) = self.front_leaf;
        self.front += 1;
        self.front_leaf.1 += 1;
        items.get(within)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.back - self.front;
        (left, Some(left))
    }
}

impl<T> DoubleEndedIterator for Items<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front == self.back {
            return None;
        }
        if self.back_leaf.1 == 0 {
            let (items, within) = self.tree.leaf_at(self.back - 1)?;
            self.back_leaf = (items, within + 1);
        }
        self.back -= 1;
        self.back_leaf.1 -= 1;
        self.back_leaf.0.get(self.back_leaf.1)
    }
}

impl<T> ExactSizeIterator for Items<'_, T> {}

#[cfg(test)]
impl<T> Tree<T> {
    /// What holds for every tree.
    pub(crate) fn assert_invariants(&self) {
        fn height<T>(node: &Node<T>) -> usize {
            assert!((1..=WIDTH_MAX).contains(&node.width()));
            match node {
                Node::Leaf(_) => 1,
                Node::Branch(children) => {
                    let heights: Vec<usize> = children.iter().map(|child| height(&child.node)).collect();
                    assert!(heights.iter().all(|other| *other == heights[0]), "leaves are equally deep");
                    assert!(children.iter().all(|child| child.len == child.node.len()), "counts are right");
                    heights[0] + 1
                }
            }
        }
        assert_eq!(self.root.as_ref().map_or(0, |root| root.len()), self.len);
        let levels = self.root.as_ref().map_or(0, |root| height(root));
        // Pairs of neighbours are half full, so each level divides by sixteen at the least.
        assert!(levels <= 2 + self.len.max(1).ilog2() as usize / 4, "{levels} levels for {} items", self.len);
    }

    /// How many leaves the two have in common.
    pub(crate) fn shared_leaves(&self, other: &Tree<T>) -> usize {
        fn leaves<'a, T>(node: &'a Arc<Node<T>>, into: &mut Vec<&'a Arc<Node<T>>>) {
            match &**node {
                Node::Leaf(_) => into.push(node),
                Node::Branch(children) => children.iter().for_each(|child| leaves(&child.node, into)),
            }
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        self.root.iter().for_each(|root| leaves(root, &mut ours));
        other.root.iter().for_each(|root| leaves(root, &mut theirs));
        ours.iter().filter(|leaf| theirs.iter().any(|other| Arc::ptr_eq(leaf, other))).count()
    }
}
