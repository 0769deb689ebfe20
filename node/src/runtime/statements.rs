//! How complete spaces are, as the engine said last: readers never wait for its turn, which may be long while much comes in.

use crate::engine::Completeness;
use roda_protocol::id::SpaceId;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// See the module. Clones are of the same; there are no more of them than spaces that are or were followed.
#[derive(Clone, Debug, Default)]
pub(super) struct Statements(Arc<RwLock<BTreeMap<SpaceId, Completeness>>>);

impl Statements {
    /// From now on this is to be said of a space.
    pub(super) fn say(&self, space: SpaceId, said: Completeness) {
        let mut statements = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if said == Completeness::default() {
            statements.remove(&space);
        } else {
            statements.insert(space, said);
        }
    }

    /// What is to be said of a space.
    pub(super) fn of(&self, space: SpaceId) -> Completeness {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&space).cloned().unwrap_or_default()
    }
}
