use super::*;
use crate::id::EventId;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Keys that collide often, in time and sometimes wholly.
fn a_key() -> impl Strategy<Value = EpochKey> {
    (0..400_u32, 0..4_u8).prop_map(|(offset_ms, byte)| EpochKey { offset_ms, id: EventId([byte; 32]) })
}

/// The ends of ranges: members, what stands between them, and the ends of the epoch.
fn an_end() -> impl Strategy<Value = EpochKey> {
    prop_oneof![8 => a_key(), 1 => Just(EpochKey::FIRST), 1 => Just(EpochKey::END)]
}

fn key(number: u64) -> EpochKey {
    let id = EventId(*blake3::hash(&number.to_le_bytes()).as_bytes());
    EpochKey { offset_ms: (number * 7) as u32, id }
}

/// Numbers up to `count` in an order that jumps about.
fn shuffled(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |at| at * 7_919 % count)
}

fn check_nodes(node: &Node, is_root: bool) -> (usize, usize) {
    match node {
        Node::Leaf(keys) => {
            assert!(is_root || !keys.is_empty());
            assert!(keys.len() <= LEAF_KEYS && keys.is_sorted());
            (1, keys.capacity() * size_of::<EpochKey>())
        }
        Node::Inner(children) => {
            assert!(!children.is_empty() && children.len() <= FAN_OUT && children.capacity() == FAN_OUT);
            let below: Vec<_> = children.iter().map(|child| check_nodes(&child.node, false)).collect();
            assert!(below.iter().all(|(depth, _)| *depth == below[0].0));
            assert!(children.iter().all(|child| child.summary == child.node.summary()));
            let bytes: usize = below.iter().map(|(_, bytes)| bytes).sum();
            (below[0].0 + 1, bytes + FAN_OUT * size_of::<Child>())
        }
    }
}

/// Compares everything that a tree can be asked with the model.
fn check(tree: &Tree, model: &BTreeSet<EpochKey>, ends: &[(EpochKey, EpochKey)]) {
    assert_eq!(check_nodes(&tree.root, true).1, tree.node_bytes);
    assert_eq!((tree.len(), tree.is_empty()), (model.len(), model.is_empty()));
    let all: Vec<EpochKey> = model.iter().copied().collect();
    assert_eq!(tree.total(), Summary::of_keys(&all));
    assert_eq!(tree.range(&EpochKey::FIRST, &EpochKey::END).collect::<Vec<_>>(), all);
    for (rank, key) in all.iter().enumerate() {
        assert_eq!((tree.select(rank), tree.rank(key)), (Some(*key), rank));
    }
    assert_eq!(tree.select(all.len()), None);
    for (lower, upper) in ends {
        assert_eq!(tree.contains(lower), model.contains(lower));
        assert_eq!(tree.rank(lower), model.range(..lower).count());
        let within: Vec<EpochKey> = all.iter().filter(|key| lower <= *key && *key < upper).copied().collect();
        assert_eq!(tree.range(lower, upper).collect::<Vec<_>>(), within);
        assert_eq!(tree.summary(lower, upper), Summary::of_keys(&within));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tree_answers_as_a_set_does_in_any_order(
        keys in prop::collection::vec(a_key(), 0..1500),
        ends in prop::collection::vec((an_end(), an_end()), 30),
    ) {
        let (mut tree, mut model) = (Tree::default(), BTreeSet::new());
        for key in keys {
            prop_assert_eq!(tree.insert(key), model.insert(key));
        }
        check(&tree, &model, &ends);
    }

    #[test]
    fn a_tree_answers_as_a_set_does_in_ascending_order(
        model in prop::collection::btree_set(a_key(), 0..1500),
        ends in prop::collection::vec((an_end(), an_end()), 30),
    ) {
        let tree = Tree::from_sorted(model.iter().copied());
        check(&tree, &model, &ends);
    }
}

#[test]
fn a_tree_of_several_levels_answers_as_a_set_does() {
    for ascends in [false, true] {
        let (mut tree, mut model) = (Tree::default(), BTreeSet::new());
        let numbers: Vec<u64> = if ascends { (0..70_000).collect() } else { shuffled(70_000).collect() };
        for number in numbers {
            assert!(tree.insert(key(number)) && model.insert(key(number)));
        }
        let ends: Vec<_> = (0..20).map(|at| (key(at * 1_000), key(69_999 - at * 1_500))).collect();
        check(&tree, &model, &ends);
    }
}

#[test]
fn a_tree_at_every_size_around_a_split_answers_as_a_set_does() {
    let (mut tree, mut model) = (Tree::default(), BTreeSet::new());
    for number in 0..200 {
        let ends = [(EpochKey::FIRST, key(number)), (key(number), EpochKey::END), (key(number), key(number))];
        check(&tree, &model, &ends);
        assert!(tree.insert(key(number)) && model.insert(key(number)));
        assert!(!tree.insert(key(number)));
    }
    for number in (200..400).rev() {
        assert!(tree.insert(key(number)) && model.insert(key(number)));
        check(&tree, &model, &[(key(number), EpochKey::END)]);
    }
}

#[test]
fn the_ends_of_an_epoch_can_be_members() {
    let tree = Tree::from_sorted([EpochKey::FIRST, key(1), EpochKey::END]);
    assert_eq!(tree.rank(&EpochKey::END), 2);
    // A range is half-open: nothing but END stands there, and no event has its offset.
    assert_eq!(tree.summary(&EpochKey::FIRST, &EpochKey::END).count, 2);
    assert_eq!(tree.range(&EpochKey::END, &EpochKey::FIRST).count(), 0);
}

#[test]
fn memory_for_each_member_stays_within_its_bound() {
    let ascending = Tree::from_sorted((0..50_000).map(key));
    assert!(ascending.memory_bytes() <= 40 * 50_000, "{} bytes", ascending.memory_bytes());
    let mut random = Tree::default();
    shuffled(50_000).for_each(|number| assert!(random.insert(key(number))));
    assert!(random.memory_bytes() <= 75 * 50_000, "{} bytes", random.memory_bytes());
    // Many epochs are small: they take little more than their members.
    assert!(Tree::from_sorted([key(0)]).memory_bytes() <= 250);
}
