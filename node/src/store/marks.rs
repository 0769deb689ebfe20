//! Marks of what was read.
//!
//! A reader does not wait until its mark is stored: that takes a turn of the engine and a sync. It is said here at once, read
//! here by whoever asks next, and stored in its turn. What is lost with the power is a thread that counts as unread again.

use super::events::{EventStore, StoreError};
use super::keys;
use super::rows;
use roda_protocol::id::EventId;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Marks that are on their way at most: 48 KiB of them. On a disk that takes nothing they gather.
const UNDERWAY_MAX: usize = 1024;

/// Marks that the store has been told of and does not have yet.
#[derive(Debug, Default)]
pub(super) struct Underway(Mutex<BTreeMap<EventId, u64>>);

impl Underway {
    fn marks(&self) -> MutexGuard<'_, BTreeMap<EventId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This mark, or a later one, is stored.
    pub(super) fn arrived(&self, root: &EventId, position: u64) {
        let mut marks = self.marks();
        if marks.get(root).is_some_and(|underway| *underway <= position) {
            marks.remove(root);
        }
    }
}

impl EventStore {
    /// Says that a thread was read up to a position. Who calls this has it stored as [`super::LocalRecord::Read`].
    pub fn read_soon(&self, root: EventId, position: u64) {
        let mut marks = self.underway.marks();
        if marks.len() < UNDERWAY_MAX || marks.contains_key(&root) {
            let mark = marks.entry(root).or_default();
            *mark = position.max(*mark);
        }
    }

    /// A mark that was said will not be stored.
    pub fn not_read(&self, root: &EventId) {
        self.underway.marks().remove(root);
    }

    /// Position up to which a thread was read, by itself or with all of its space; 0: never.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn read_mark(&self, root: &EventId) -> Result<u64, StoreError> {
        let of_space = match self.row(root)? {
            Some(row) => self.position_at(&keys::read_space_key(row.space))?,
            None => 0,
        };
        let underway = self.underway.marks().get(root).copied().unwrap_or(0);
        Ok(of_space.max(underway).max(self.position_at(&keys::read_key(root))?))
    }

    /// The position under a key; 0 if there is none.
    pub(super) fn position_at(&self, key: &[u8]) -> Result<u64, StoreError> {
        let value = self.index().get(key)?;
        value.map_or(Ok(0), |value| rows::decode(&value).ok_or(StoreError::Row))
    }
}
