//! What the comparison with peers asks of the sets of known events: digests, and the members of an epoch.
//!
//! Members are read from table `k` when an epoch is first asked for, while no batch is written, and checked against count
//! and sum of the epoch: an index that lost rows must not make peers send what is known here.

use super::events::{EventStore, StoreError};
use super::keys::{self, Number};
use super::known::{EpochState, Epochs, RUNNING_DIGEST_FROM};
use super::rows::{self, DigestRow, EpochRow};
use super::writing::Interner;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::reconcile::{Digest, Epoch, EpochKey, EpochSet, LtHash, Sets};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

/// The set of one space.
#[derive(Clone, Copy, Debug)]
pub struct SpaceSets<'a> {
    store: &'a EventStore,
    space: SpaceId,
}

impl EventStore {
    /// The set of known events of a space.
    #[must_use]
    pub fn sets(&self, space: SpaceId) -> SpaceSets<'_> {
        SpaceSets { store: self, space }
    }

    /// How many events of a space this node declined.
    ///
    /// # Errors
    ///
    /// None today: the count is in memory.
    pub fn declined(&self, space: SpaceId) -> Result<u64, StoreError> {
        Ok(self.known.declined(space))
    }

    /// Every epoch as tables `g` and `h` have it. A digest without its epoch, and the other way round, is damage.
    pub(super) fn epochs_of_index(&self) -> Result<Epochs, StoreError> {
        let mut digests: BTreeMap<(Number, Epoch), DigestRow> = self.rows_by_epoch(keys::digests_range())?;
        let rows: BTreeMap<(Number, Epoch), EpochRow> = self.rows_by_epoch(keys::epochs_range())?;
        let mut epochs = Epochs::new();
        for (place, row) in rows {
            let digest = digests.remove(&place);
            epochs.insert(place, EpochState::of_rows(row, digest.as_ref()).ok_or(StoreError::Row)?);
        }
        if digests.is_empty() { Ok(epochs) } else { Err(StoreError::Row) }
    }

    /// All rows of a table whose keys are a space's number and an epoch.
    fn rows_by_epoch<T: Serialize + DeserializeOwned>(
        &self,
        range: keys::Range,
    ) -> Result<BTreeMap<(Number, Epoch), T>, StoreError> {
        let mut found = BTreeMap::new();
        self.scan_all(range, |key, value| {
            let place = (keys::space_in(key).ok_or(StoreError::Row)?, keys::time_in(key).ok_or(StoreError::Row)?);
            found.insert(place, rows::decode(value).ok_or(StoreError::Row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The members of an epoch as the index has them, ascending.
    pub(super) fn scan_epoch(&self, number: Number, epoch: Epoch) -> Result<Vec<EpochKey>, StoreError> {
        let mut members = Vec::new();
        self.scan_all(keys::known_range(number, epoch), |key, value| {
            let created_ms = keys::time_in(key).ok_or(StoreError::Row)?;
            let id = EventId(value.try_into().map_err(|_| StoreError::Row)?);
            members.push(EpochKey::of(&(created_ms, id)).1);
            Ok(())
        })?;
        // Members of the same millisecond stand in the order of their numbers.
        members.sort_unstable();
        Ok(members)
    }

    fn members(&self, number: Number, epoch: Epoch) -> Result<Arc<EpochSet>, StoreError> {
        if let Some(set) = self.known.members(number, epoch) {
            return Ok(set);
        }
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.load_members(number, epoch, &writer)
    }

    /// Loads an epoch. The writer's turn is taken, so that rows and state are of one moment.
    fn load_members(
        &self,
        number: Number,
        epoch: Epoch,
        _writer: &MutexGuard<'_, Interner>,
    ) -> Result<Arc<EpochSet>, StoreError> {
        if let Some(set) = self.known.members(number, epoch) {
            return Ok(set);
        }
        let Some(EpochState { count, sum, .. }) = self.known.state(number, epoch) else {
            return Ok(Arc::default());
        };
        let set = Arc::new(EpochSet::from_sorted(self.scan_epoch(number, epoch)?));
        let total = set.tree().total();
        if (total.count, total.sum) != (count, sum) {
            return Err(StoreError::Row);
        }
        self.known.loaded().put((number, epoch), Arc::clone(&set));
        Ok(set)
    }
}

impl SpaceSets<'_> {
    /// How many events of the space are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.known.len(self.space)
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events are known, and the digest of all of them under a salt.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if members had to be read for it.
    pub fn digest(&self, salt: &[u8; 32]) -> Result<(u64, Digest), StoreError> {
        let known = &self.store.known;
        if let Some(digest) = known.digest(self.space, salt) {
            return Ok(digest);
        }
        let writer = self.store.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let number = known.number_of(self.space).ok_or(StoreError::Row)?;
        let count = known.len(self.space) as u64;
        let (mut all, rest) = known.combined(self.space);
        for epoch in rest {
            let members = self.store.load_members(number, epoch, &writer)?;
            add_members(&mut all, &members);
        }
        let digest = all.digest(count, salt);
        if count >= RUNNING_DIGEST_FROM {
            known.keep_running(number, all);
        }
        Ok((count, digest))
    }
}

impl Sets for SpaceSets<'_> {
    type Error = StoreError;

    fn epochs(&self) -> Vec<(Epoch, u64)> {
        self.store.known.epochs(self.space)
    }

    fn epoch_digest(&self, epoch: Epoch, salt_key: &[u8; 32]) -> Result<Digest, StoreError> {
        let number = self.store.known.number_of(self.space);
        let state = number.and_then(|number| self.store.known.state(number, epoch));
        if let Some(EpochState { count, digest: Some(digest), .. }) = state {
            return Ok(digest.digest(count, salt_key));
        }
        self.with_epoch(epoch, |set| {
            let mut digest = LtHash::default();
            add_members(&mut digest, set);
            digest.digest(set.len() as u64, salt_key)
        })
    }

    fn with_epoch<R>(&self, epoch: Epoch, look: impl FnOnce(&EpochSet) -> R) -> Result<R, StoreError> {
        match self.store.known.number_of(self.space) {
            Some(number) => Ok(look(&*self.store.members(number, epoch)?)),
            None => Ok(look(&EpochSet::default())),
        }
    }

    fn is_cold(&self, epoch: Epoch) -> bool {
        let number = self.store.known.number_of(self.space);
        number.is_some_and(|number| {
            self.store.known.state(number, epoch).is_some() && self.store.known.members(number, epoch).is_none()
        })
    }
}

fn add_members(digest: &mut LtHash, set: &EpochSet) {
    set.tree().range(&EpochKey::FIRST, &EpochKey::END).for_each(|key| digest.add(&key.id));
}

/// The sets of all spaces, for those who page through members.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a>(&'a EventStore);

impl EventStore {
    /// The sets of known events.
    #[must_use]
    pub fn known(&self) -> Known<'_> {
        Known(self)
    }
}

impl Known<'_> {
    /// How many events of the space are known.
    #[must_use]
    pub fn len(&self, space: SpaceId) -> usize {
        self.0.known.len(space)
    }

    /// How many events are known in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.known.total()
    }
}

#[cfg(test)]
#[path = "sets_tests.rs"]
mod tests;
