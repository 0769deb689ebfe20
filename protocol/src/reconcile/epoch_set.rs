//! The members of one epoch as comparisons need them: with the summary of every range, and a sketch.

use super::sketch::Symbol;
use super::{EpochKey, Sketch, Tree};

/// The set of one epoch.
#[derive(Clone, Debug, Default)]
pub struct EpochSet {
    tree: Tree,
    /// None while the set is small.
    sketch: Option<Sketch>,
}

impl EpochSet {
    /// A set of these members, ascending.
    pub fn from_sorted(keys: impl IntoIterator<Item = EpochKey>) -> Self {
        let mut set = Self { tree: Tree::from_sorted(keys), sketch: None };
        set.fit_sketch();
        set
    }

    /// Adds a member; false if it was there.
    pub fn insert(&mut self, key: EpochKey) -> bool {
        if !self.tree.insert(key) {
            return false;
        }
        if Sketch::symbols_for(self.tree.len()) == self.symbols().len() {
            if let Some(sketch) = &mut self.sketch {
                sketch.insert(key.short());
            }
        } else {
            self.fit_sketch();
        }
        true
    }

    /// Sketches all members anew, in as many symbols as so many members need.
    fn fit_sketch(&mut self) {
        let symbols = Sketch::symbols_for(self.tree.len());
        if symbols == 0 {
            return;
        }
        let mut sketch = Sketch::new(symbols);
        for key in self.tree.range(&EpochKey::FIRST, &EpochKey::END) {
            sketch.insert(key.short());
        }
        self.sketch = Some(sketch);
    }

    /// The members.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The symbols of the sketch; none while the set is small.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        self.sketch.as_ref().map_or(&[], Sketch::symbols)
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

    /// Bytes of memory that it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.tree.memory_bytes() + size_of_val(self.symbols())
    }
}
