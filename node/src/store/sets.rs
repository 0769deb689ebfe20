//! What the comparison with peers asks of the sets of known events: digests, and the members of an epoch.
//!
//! Members are read from table `k` when an epoch is first asked for, while no batch is written, and checked against count
//! and sum of the epoch: an index that lost rows must not make peers send what is known here.

use super::events::{EventStore, StoreError};
use super::keys::{self, Number};
use super::known::{EpochState, Epochs, RUNNING_DIGEST_FROM};
use super::rows::{self, EpochRow};
use super::writing::Interner;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::reconcile::{Digest, Epoch, EpochKey, EpochSet, LtHash, SetKey};
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

    /// Every epoch as table `g` has it.
    pub(super) fn epochs_of_index(&self) -> Result<Epochs, StoreError> {
        let mut epochs = Epochs::new();
        self.scan_all(keys::epochs_range(), |key, value| {
            let place = (keys::space_in(key).ok_or(StoreError::Row)?, keys::time_in(key).ok_or(StoreError::Row)?);
            let row: EpochRow = rows::decode(value).ok_or(StoreError::Row)?;
            epochs.insert(place, EpochState::of_row(&row).ok_or(StoreError::Row)?);
            Ok(())
        })?;
        Ok(epochs)
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

    /// The epochs that have members, ascending, and how many each has.
    #[must_use]
    pub fn epochs(&self) -> Vec<(Epoch, u64)> {
        self.store.known.epochs(self.space)
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

    /// The digest of one epoch under a salt.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if members had to be read for it.
    pub fn epoch_digest(&self, epoch: Epoch, salt: &[u8; 32]) -> Result<Digest, StoreError> {
        let number = self.store.known.number_of(self.space);
        let state = number.and_then(|number| self.store.known.state(number, epoch));
        if let Some(EpochState { count, digest: Some(digest), .. }) = state {
            return Ok(digest.digest(count, salt));
        }
        self.with_epoch(epoch, |set| {
            let mut digest = LtHash::default();
            add_members(&mut digest, set);
            digest.digest(set.len() as u64, salt)
        })
    }

    /// Lets `use_` look at the members of an epoch; they are loaded if need be. An epoch without members is empty.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; `Row` if the index lacks members.
    pub fn with_epoch<R>(&self, epoch: Epoch, use_: impl FnOnce(&EpochSet) -> R) -> Result<R, StoreError> {
        match self.store.known.number_of(self.space) {
            Some(number) => Ok(use_(&*self.store.members(number, epoch)?)),
            None => Ok(use_(&EpochSet::default())),
        }
    }

    /// Whether the event is known at this time in this space. No epoch is loaded for it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn contains(&self, key: &SetKey) -> Result<bool, StoreError> {
        let Some(number) = self.store.known.number_of(self.space) else { return Ok(false) };
        let (epoch, place) = EpochKey::of(key);
        if let Some(set) = self.store.known.members(number, epoch) {
            return Ok(set.tree().contains(&place));
        }
        let row = self.store.row(&key.1)?;
        Ok(row.is_some_and(|row| row.space == number && row.created_ms == key.0))
    }

    /// Up to `limit` members behind `after` (exclusive) up to `last` (inclusive) that `is_wanted`, ascending; from the
    /// first or to the end if these are none.
    fn between(
        &self,
        after: Option<SetKey>,
        last: Option<SetKey>,
        limit: usize,
        is_wanted: impl Fn(&SetKey) -> bool,
    ) -> Result<Vec<SetKey>, StoreError> {
        let first_epoch = after.map_or(0, |after| EpochKey::of(&after).0);
        let last_epoch = last.map_or(Epoch::MAX, |last| EpochKey::of(&last).0);
        let mut found = Vec::new();
        for (epoch, _) in self.epochs() {
            if epoch < first_epoch || epoch > last_epoch || found.len() == limit {
                continue;
            }
            let lower = match after.map(|after| EpochKey::of(&after)) {
                Some((first_epoch, place)) if first_epoch == epoch => place,
                _ => EpochKey::FIRST,
            };
            self.with_epoch(epoch, |set| {
                let members = set.tree().range(&lower, &EpochKey::END).map(|place| place.at(epoch));
                let behind = members.filter(|key| after.is_none_or(|after| *key > after));
                let within = behind.take_while(|key| last.is_none_or(|last| *key <= last));
                found.extend(within.filter(&is_wanted).take(limit - found.len()));
            })?;
        }
        Ok(found)
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

    /// The digest of the space under a salt; of nothing, if the index can't be read.
    #[must_use]
    pub fn digest(&self, space: SpaceId, salt: &[u8; 32]) -> Digest {
        self.answer(self.0.sets(space).digest(salt).map(|(_, digest)| digest))
    }

    /// Up to `limit` members of the space behind `after`; none, if the index can't be read.
    #[must_use]
    pub fn page(&self, space: SpaceId, after: Option<SetKey>, limit: usize) -> Vec<SetKey> {
        self.answer(self.0.sets(space).between(after, None, limit, |_| true))
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
        let ours = self.0.sets(space);
        let end = if is_last { None } else { theirs.last().copied() };
        let mut unknown = Vec::new();
        let compared = theirs.iter().try_for_each(|key| {
            if !ours.contains(key)? {
                unknown.push(*key);
            }
            Ok(())
        });
        self.answer(compared);
        let only_ours = ours.between(after, end, limit, |key| theirs.binary_search(key).is_err());
        (unknown, self.answer(only_ours))
    }

    fn answer<T: Default>(&self, answer: Result<T, StoreError>) -> T {
        answer.unwrap_or_else(|error| {
            tracing::error!(%error, "the sets of known events can't be read");
            if error.is_of_index() {
                self.0.note_damaged_index();
            }
            T::default()
        })
    }
}

#[cfg(test)]
#[path = "sets_tests.rs"]
mod tests;
