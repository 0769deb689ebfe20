//! The members of one epoch in memory: a B+tree that counts and sums.
//!
//! Every inner node knows count and sum below each child, so the summary of any range is read in logarithmic time.
//! Members are only added: a set of known events never shrinks.

use super::{EpochKey, Sum};

/// Members of a leaf: 64. An insertion moves 1 KiB on average, and the overhead of inner nodes is below 3 bytes a member.
const LEAF_KEYS: usize = 64;

/// Children of an inner node: 32, so a million members are 4 levels deep.
const FAN_OUT: usize = 32;

/// What a range of members adds up to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Summary {
    /// How many members.
    pub count: u64,
    /// The sum of their ids.
    pub sum: Sum,
}

impl Summary {
    /// Adds one member.
    #[inline]
    pub fn add_key(&mut self, key: &EpochKey) {
        self.count += 1;
        self.sum.add_id(&key.id);
    }

    /// Adds the summary of other members.
    #[inline]
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum.add(&other.sum);
    }

    #[inline]
    fn subtract(&mut self, other: &Self) {
        self.count -= other.count;
        self.sum.subtract(&other.sum);
    }

    fn of_keys(keys: &[EpochKey]) -> Self {
        let mut summary = Self::default();
        keys.iter().for_each(|key| summary.add_key(key));
        summary
    }

    fn of_children(children: &[Child]) -> Self {
        let mut summary = Self::default();
        children.iter().for_each(|child| summary.add(&child.summary));
        summary
    }
}

/// A set of members with order statistics. Leaves hang at equal depth; no leaf but an empty tree's is empty.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Node,
    total: Summary,
    /// Bytes that all nodes have allocated.
    node_bytes: usize,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Vec<EpochKey>),
    Inner(Vec<Child>),
}

/// A child of an inner node, with what stands below it.
#[derive(Clone, Debug)]
struct Child {
    /// Not behind any member below; behind every member of the children before.
    lower: EpochKey,
    summary: Summary,
    node: Node,
}

/// What an insertion did to a node.
enum Inserted {
    /// The member was there.
    Nothing,
    /// It is in the node.
    Here,
    /// The node was full; this one stands behind it from now on.
    Split(Child),
}

impl Default for Tree {
    fn default() -> Self {
        Self { root: Node::Leaf(Vec::new()), total: Summary::default(), node_bytes: 0 }
    }
}

impl Tree {
    /// A tree of these members; its leaves are full if they ascend.
    pub fn from_sorted(keys: impl IntoIterator<Item = EpochKey>) -> Self {
        let mut tree = Self::default();
        for key in keys {
            tree.insert(key);
        }
        tree
    }

    /// Adds a member; false if it was there.
    pub fn insert(&mut self, key: EpochKey) -> bool {
        match self.root.insert(&key, true, &mut self.node_bytes) {
            Inserted::Nothing => return false,
            Inserted::Here => {}
            Inserted::Split(right) => self.grow(right),
        }
        self.total.add_key(&key);
        true
    }

    /// Puts a new root above the halves of the old one.
    fn grow(&mut self, right: Child) {
        let mut children = Vec::with_capacity(FAN_OUT);
        self.node_bytes += FAN_OUT * size_of::<Child>();
        let node = std::mem::replace(&mut self.root, Node::Leaf(Vec::new()));
        children.push(Child { lower: EpochKey::FIRST, summary: node.summary(), node });
        children.push(right);
        self.root = Node::Inner(children);
    }

    /// Whether the member is here.
    #[must_use]
    pub fn contains(&self, key: &EpochKey) -> bool {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(keys) => return keys.binary_search(key).is_ok(),
                Node::Inner(children) => node = &children[child_of(children, key)].node,
            }
        }
    }

    /// How many members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.total.count as usize
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total.count == 0
    }

    /// The summary of all members.
    #[must_use]
    pub fn total(&self) -> Summary {
        self.total
    }

    /// The summary of the members of `[lower, upper)`.
    #[must_use]
    pub fn summary(&self, lower: &EpochKey, upper: &EpochKey) -> Summary {
        if lower >= upper {
            return Summary::default();
        }
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(keys) => {
                    let behind = &keys[keys.partition_point(|key| key < lower)..];
                    return Summary::of_keys(&behind[..behind.partition_point(|key| key < upper)]);
                }
                Node::Inner(children) => {
                    let (first, last) = (child_of(children, lower), child_of(children, upper));
                    if first < last {
                        let mut summary = Summary::of_children(&children[first..last]);
                        summary.subtract(&children[first].node.below(lower));
                        summary.add(&children[last].node.below(upper));
                        return summary;
                    }
                    // Both ends of a short range take the same way down.
                    node = &children[first].node;
                }
            }
        }
    }

    /// How many members stand below `key`.
    #[must_use]
    pub fn rank(&self, key: &EpochKey) -> usize {
        let mut count = 0;
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(keys) => return count + keys.partition_point(|member| member < key),
                Node::Inner(children) => {
                    let at = child_of(children, key);
                    count += children[..at].iter().map(|child| child.summary.count as usize).sum::<usize>();
                    node = &children[at].node;
                }
            }
        }
    }

    /// The member of this rank; `None` if there are not so many.
    #[must_use]
    pub fn select(&self, mut rank: usize) -> Option<EpochKey> {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(keys) => return keys.get(rank).copied(),
                Node::Inner(children) => {
                    let is_in = |child: &&Child| {
                        let count = child.summary.count as usize;
                        let is_in = rank < count;
                        rank -= if is_in { 0 } else { count };
                        is_in
                    };
                    node = &children.iter().find(is_in)?.node;
                }
            }
        }
    }

    /// The members of `[lower, upper)`, ascending; none if the range ends before it starts.
    pub fn range(&self, lower: &EpochKey, upper: &EpochKey) -> impl Iterator<Item = EpochKey> + '_ {
        let mut walk = Walk::default();
        if lower < upper {
            walk.seek(&self.root, lower);
        }
        let upper = *upper;
        walk.take_while(move |key| *key < upper)
    }

    /// Bytes of memory that the tree takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.node_bytes
    }
}

/// The child in which `key` stands or would stand.
fn child_of(children: &[Child], key: &EpochKey) -> usize {
    // Time goes on: most keys belong into the last one.
    if children.last().is_some_and(|last| last.lower <= *key) {
        return children.len() - 1;
    }
    children.partition_point(|child| child.lower <= *key).saturating_sub(1)
}

impl Node {
    fn summary(&self) -> Summary {
        match self {
            Self::Leaf(keys) => Summary::of_keys(keys),
            Self::Inner(children) => Summary::of_children(children),
        }
    }

    /// The summary of the members of this node that stand below `key`. All before the place is added up, so looking at it
    /// in order costs less than a search first: memory is read ahead.
    fn below(&self, key: &EpochKey) -> Summary {
        let mut summary = Summary::default();
        let mut node = self;
        loop {
            match node {
                Self::Leaf(keys) => {
                    keys.iter().take_while(|member| *member < key).for_each(|member| summary.add_key(member));
                    return summary;
                }
                Self::Inner(children) => {
                    let mut at = 0;
                    while children.get(at + 1).is_some_and(|next| next.lower <= *key) {
                        summary.add(&children[at].summary);
                        at += 1;
                    }
                    node = &children[at].node;
                }
            }
        }
    }

    /// Adds a member below this node. `is_edge`: no member of the tree stands right of the node.
    fn insert(&mut self, key: &EpochKey, is_edge: bool, node_bytes: &mut usize) -> Inserted {
        match self {
            Self::Leaf(keys) => insert_into_leaf(keys, key, is_edge, node_bytes),
            Self::Inner(children) => {
                let at = child_of(children, key);
                let is_edge = is_edge && at + 1 == children.len();
                let child = &mut children[at];
                match child.node.insert(key, is_edge, node_bytes) {
                    Inserted::Nothing => Inserted::Nothing,
                    Inserted::Here => {
                        child.summary.add_key(key);
                        Inserted::Here
                    }
                    Inserted::Split(right) => {
                        child.summary.add_key(key);
                        child.summary.subtract(&right.summary);
                        insert_child(children, at + 1, right, is_edge, node_bytes)
                    }
                }
            }
        }
    }
}

fn insert_into_leaf(keys: &mut Vec<EpochKey>, key: &EpochKey, is_edge: bool, node_bytes: &mut usize) -> Inserted {
    let at = match keys.last() {
        Some(last) if last < key => keys.len(),
        _ => match keys.binary_search(key) {
            Ok(_) => return Inserted::Nothing,
            Err(at) => at,
        },
    };
    if keys.len() < LEAF_KEYS {
        let before = keys.capacity();
        if before == keys.len() {
            // The only leaf of a small tree grows; leaves that a split made have their full size from the start.
            keys.reserve_exact((before * 2).clamp(1, LEAF_KEYS) - before);
        }
        keys.insert(at, *key);
        *node_bytes += (keys.capacity() - before) * size_of::<EpochKey>();
        return Inserted::Here;
    }
    let mut right = Vec::with_capacity(LEAF_KEYS);
    *node_bytes += LEAF_KEYS * size_of::<EpochKey>();
    if is_edge && at == keys.len() {
        // Members that ascend leave full leaves behind.
        right.push(*key);
    } else {
        right.extend(keys.drain(LEAF_KEYS / 2..));
        match at.checked_sub(LEAF_KEYS / 2) {
            Some(at) if at > 0 => right.insert(at, *key),
            _ => keys.insert(at, *key),
        }
    }
    Inserted::Split(Child { lower: right[0], summary: Summary::of_keys(&right), node: Node::Leaf(right) })
}

fn insert_child(children: &mut Vec<Child>, at: usize, child: Child, is_edge: bool, node_bytes: &mut usize) -> Inserted {
    if children.len() < FAN_OUT {
        children.insert(at, child);
        return Inserted::Here;
    }
    let mut right = Vec::with_capacity(FAN_OUT);
    *node_bytes += FAN_OUT * size_of::<Child>();
    if is_edge && at == children.len() {
        right.push(child);
    } else {
        right.extend(children.drain(FAN_OUT / 2..));
        match at.checked_sub(FAN_OUT / 2) {
            Some(at) if at > 0 => right.insert(at, child),
            _ => children.insert(at, child),
        }
    }
    Inserted::Split(Child { lower: right[0].lower, summary: Summary::of_children(&right), node: Node::Inner(right) })
}

/// A walk over members in ascending order.
#[derive(Default)]
struct Walk<'a> {
    /// The children that are still to come, one iterator for each level.
    levels: Vec<std::slice::Iter<'a, Child>>,
    keys: std::slice::Iter<'a, EpochKey>,
}

impl<'a> Walk<'a> {
    /// Goes to the first member that is not below `lower`.
    fn seek(&mut self, mut node: &'a Node, lower: &EpochKey) {
        loop {
            match node {
                Node::Leaf(keys) => {
                    self.keys = keys[keys.partition_point(|key| key < lower)..].iter();
                    return;
                }
                Node::Inner(children) => {
                    let at = child_of(children, lower);
                    self.levels.push(children[at + 1..].iter());
                    node = &children[at].node;
                }
            }
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = EpochKey;

    fn next(&mut self) -> Option<EpochKey> {
        loop {
            if let Some(key) = self.keys.next() {
                return Some(*key);
            }
            match self.levels.last_mut()?.next() {
                None => drop(self.levels.pop()),
                Some(child) => self.seek(&child.node, &EpochKey::FIRST),
            }
        }
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
