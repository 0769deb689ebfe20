//! The sets of known events, in memory: what is compared with peers. Rebuilt from the index at start.

use roda_protocol::id::SpaceId;
use roda_protocol::reconcile::{Digest, KnownSet, SetKey};
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// One set for each space with known events. Readers never wait for more than an insertion.
#[derive(Debug, Default)]
pub struct KnownSets(RwLock<BTreeMap<SpaceId, KnownSet>>);

impl KnownSets {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<SpaceId, KnownSet>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<SpaceId, KnownSet>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, space: SpaceId, key: SetKey) {
        self.write().entry(space).or_default().insert(key);
    }

    pub(super) fn clear(&self) {
        self.write().clear();
    }

    /// How many events of the space are known.
    #[must_use]
    pub fn len(&self, space: SpaceId) -> usize {
        self.read().get(&space).map_or(0, KnownSet::len)
    }

    /// How many events are known in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.read().values().map(KnownSet::len).sum()
    }

    /// The digest of the space under a salt.
    #[must_use]
    pub fn digest(&self, space: SpaceId, salt: &[u8; 32]) -> Digest {
        match self.read().get(&space) {
            Some(set) => set.digest(salt),
            None => KnownSet::default().digest(salt),
        }
    }

    /// Up to `limit` members of the space behind `after`.
    #[must_use]
    pub fn page(&self, space: SpaceId, after: Option<SetKey>, limit: usize) -> Vec<SetKey> {
        self.read().get(&space).map_or_else(Vec::new, |set| set.page(after, limit))
    }

    /// What of `theirs`, a peer's page from `after` on, is unknown here, and up to `limit` of what is known here and not
    /// in it. The page covers everything up to its last key, or to the end if it `is_last`.
    #[must_use]
    pub fn compare(
        &self,
        space: SpaceId,
        after: Option<SetKey>,
        theirs: &[SetKey],
        is_last: bool,
        limit: usize,
    ) -> (Vec<SetKey>, Vec<SetKey>) {
        let sets = self.read();
        let empty = KnownSet::default();
        let ours = sets.get(&space).unwrap_or(&empty);
        let unknown = theirs.iter().filter(|key| !ours.contains(key)).copied().collect();
        let end = if is_last { None } else { theirs.last().copied() };
        let only_ours = ours.between(after, end).filter(|key| theirs.binary_search(key).is_err());
        (unknown, only_ours.take(limit).collect())
    }
}
