//! What the comparison with peers asks of the sets of known events: digests, and the members of an epoch.
//!
//! Members are read from their entries when an epoch is first asked for, while no batch is written, and checked against
//! count and sum of the epoch: an index that lost events must not make peers send what is known here.

use super::events::{EventStore, StoreError};
use super::journal::Position;
use super::keys::{self, Number};
use super::known::{EpochState, Epochs, Members, RUNNING_DIGEST_FROM};
use super::rows::{self, DigestRow};
use super::writing::Interner;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::reconcile::{Digest, Epoch, EpochKey, EpochSet, LtHash, Sets, Sum};
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

    /// Every epoch as the entries of the index and the digests in table `h` have it, and the numbers of its members.
    pub(super) fn epochs_of_index(&self) -> Result<(Epochs, Members), StoreError> {
        let digests = self.digest_rows()?;
        let (mut epochs, mut members) = (Epochs::new(), Members::new());
        // Of those that have a digest: what it should cover, and the members since.
        let mut covered: BTreeMap<(Number, Epoch), (u64, Sum)> = BTreeMap::new();
        let mut since: BTreeMap<(Number, Epoch), Vec<EventId>> = BTreeMap::new();
        let mut live: BTreeMap<u32, u64> = BTreeMap::new();
        self.each_entry(|number, row| {
            let place = (row.space, EpochKey::of(&(row.created_ms, row.id)).0);
            let state = epochs.entry(place).or_default();
            state.count += 1;
            state.sum.add_id(&row.id);
            state.declined += u64::from(row.presence.is_declined());
            state.bytes += row.size.bytes();
            *live.entry(Position(row.position).segment()).or_default() += row.size.bytes();
            members.entry(place).or_default().push(number);
            match digests.get(&place) {
                Some(digest) if row.position < digest.until => {
                    let (count, sum) = covered.entry(place).or_default();
                    *count += 1;
                    sum.add_id(&row.id);
                }
                Some(_) => since.entry(place).or_default().push(row.id),
                None => {}
            }
            Ok(())
        })?;
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = live;
        for (place, state) in epochs.iter_mut().filter(|(_, state)| state.count >= RUNNING_DIGEST_FROM) {
            let written = digests.get(place).filter(|row| {
                let of_row = (row.count, Sum::from_bytes(&row.sum));
                covered.get(place) == Some(&of_row)
            });
            let digest = match written {
                Some(row) => {
                    let mut digest = LtHash::from_bytes(&row.state).ok_or(StoreError::Row)?;
                    since.get(place).into_iter().flatten().for_each(|id| digest.add(id));
                    digest
                }
                None => self.digest_of(&members[place])?,
            };
            state.digest = Some(digest);
        }
        Ok((epochs, members))
    }

    /// The digests in table `h`.
    pub(super) fn digest_rows(&self) -> Result<BTreeMap<(Number, Epoch), DigestRow>, StoreError> {
        let mut found = BTreeMap::new();
        self.scan_all(keys::digests_range(), |key, value| {
            let place = (keys::space_in(key).ok_or(StoreError::Row)?, keys::epoch_in(key).ok_or(StoreError::Row)?);
            found.insert(place, rows::decode(value).ok_or(StoreError::Row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The digest of events.
    fn digest_of(&self, numbers: &[Number]) -> Result<LtHash, StoreError> {
        let mut digest = LtHash::default();
        for number in numbers {
            digest.add(&self.row_of(*number)?.ok_or(StoreError::Row)?.id);
        }
        Ok(digest)
    }

    /// The members of an epoch as the index has them, ascending.
    pub(super) fn scan_epoch(&self, number: Number, epoch: Epoch) -> Result<Vec<EpochKey>, StoreError> {
        let mut members = Vec::new();
        for member in self.known.numbers(number, epoch) {
            let row = self.row_of(member)?.ok_or(StoreError::Row)?;
            members.push(EpochKey::of(&(row.created_ms, row.id)).1);
        }
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
