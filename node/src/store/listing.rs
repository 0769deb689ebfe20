//! Which boards this node tells others of, and the figures that it gives of them.

use super::events::{EventStore, StoreError};
use super::keys;
use super::rows::{self, Listing};
use roda_protocol::id::SpaceId;
use roda_protocol::reconcile::Sets as _;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What of a board is told to whoever asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Known events.
    pub events: u64,
    /// Threads, counted up to a bound.
    pub threads: u64,
    /// The day of the newest event, since 1970-01-01 (UTC).
    pub last_day: u32,
}

impl EventStore {
    /// What this node's people, or their way to the board, said about telling others of it; `None`: nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn listing(&self, space: SpaceId) -> Result<Option<Listing>, StoreError> {
        let value = self.index().get(&keys::listing_key(&space))?;
        value.map(|value| rows::decode(&value).ok_or(StoreError::Row)).transpose()
    }

    /// Every board that others are told of, followed or not.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn listed(&self) -> Result<Vec<SpaceId>, StoreError> {
        let mut listed = Vec::new();
        self.scan_all(keys::listings_range(), |key, value| {
            let space = SpaceId(keys::id_in(key).ok_or(StoreError::Row)?);
            let listing: Listing = rows::decode(value).ok_or(StoreError::Row)?;
            listed.extend((listing != Listing::Off).then_some(space));
            Ok(())
        })?;
        Ok(listed)
    }

    /// What is told of a board. Threads are counted up to `threads_max`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn figures(&self, space: SpaceId, threads_max: usize) -> Result<Figures, StoreError> {
        let sets = self.sets(space);
        let newest_ms = match sets.epochs().last() {
            Some((epoch, _)) => {
                let last = sets.with_epoch(*epoch, |set| set.tree().select(set.tree().len().saturating_sub(1)))?;
                last.map_or(0, |last| last.at(*epoch).0)
            }
            None => 0,
        };
        Ok(Figures {
            events: self.known().len(space) as u64,
            threads: self.post_count(space, threads_max)?,
            last_day: u32::try_from(newest_ms / DAY_MS).unwrap_or(u32::MAX),
        })
    }
}
