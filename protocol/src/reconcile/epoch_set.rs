//! The loaded members of one epoch: what the comparison of an epoch works on.

use super::{EpochKey, Tree};

/// The members of one epoch.
#[derive(Clone, Debug, Default)]
pub struct EpochSet {
    tree: Tree,
}

impl EpochSet {
    /// A set of these members, which ascend.
    pub fn from_sorted(keys: impl IntoIterator<Item = EpochKey>) -> Self {
        Self { tree: Tree::from_sorted(keys) }
    }

    /// Adds a member; false if it was there.
    pub fn insert(&mut self, key: EpochKey) -> bool {
        self.tree.insert(key)
    }

    /// The members with their order and sums.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// How many members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Bytes of memory that the set takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() - size_of::<Tree>() + self.tree.memory_bytes()
    }
}
