//! Room in the log is given back: a full segment of which much is dead is written anew without that.
//!
//! Dead are the words of pruned events, what a scrub left as zeroes, copies of events that are stored again elsewhere, and
//! records of this node alone that later ones replace. Nothing is dead that the index could not be made from again.

use super::events::{EventStore, StoreError};
use super::journal::{Fate, Position, Record, RecordKind};
use super::keys;
use super::rows::{self, LocalRecord, OwnRow, Presence};
use roda_protocol::id::EventId;
use std::sync::PoisonError;

/// A segment is written anew when so many hundredths of it are dead, by what the sizes of live records say.
const DEAD_PERCENT: u64 = 30;

/// And again only when its live records have become fewer by so many hundredths of it since.
const FEWER_PERCENT: u64 = 10;

/// What giving room back did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The segment.
    pub segment: u32,
    /// Its bytes before.
    pub bytes_before: u64,
    /// And now.
    pub bytes: u64,
}

impl EventStore {
    /// Writes the full segment with the most dead bytes anew, if one is worth it: 64 MiB are read and less are written.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the log is as it was then.
    pub fn compact(&self) -> Result<Option<Compacted>, StoreError> {
        let Some((segment, bytes_before, live)) = self.most_dead() else { return Ok(None) };
        // What the index says must be durable before the log relies on it.
        self.flush()?;
        let (mut failed, mut is_marked) = (None, false);
        let mut fate = |record: &Record| {
            let decided = if failed.is_some() { Ok(Fate::Keep) } else { self.fate(record, &mut is_marked) };
            decided.unwrap_or_else(|error| {
                failed = Some(error);
                Fate::Keep
            })
        };
        let bytes = self.journal.rewrite(segment, &mut fate)?;
        // Tried, also if there was damage or nothing to gain: not again before more of it is dead.
        self.compacted.lock().unwrap_or_else(PoisonError::into_inner).insert(segment, live);
        if let Some(error) = failed {
            return Err(error);
        }
        Ok(bytes.map(|bytes| Compacted { segment, bytes_before, bytes }))
    }

    /// The full segment with the most dead bytes, its bytes, and those of its live records.
    fn most_dead(&self) -> Option<(u32, u64, u64)> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let compacted = self.compacted.lock().unwrap_or_else(PoisonError::into_inner);
        let of_segment = |(segment, bytes): (u32, u64)| (segment, bytes, live.get(&segment).copied().unwrap_or(0));
        let is_worth_it = |(segment, bytes, live): &(u32, u64, u64)| {
            let is_dead = bytes.saturating_sub(*live) * 100 > bytes * DEAD_PERCENT;
            let has_lost = |then: &u64| then.saturating_sub(*live) * 100 > bytes * FEWER_PERCENT;
            is_dead && compacted.get(segment).is_none_or(has_lost)
        };
        let worth_it = self.journal.sealed().into_iter().map(of_segment).filter(is_worth_it);
        worth_it.max_by_key(|(_, bytes, live)| bytes.saturating_sub(*live))
    }

    /// What becomes of a record. `is_marked`: a local record before it says something of it.
    fn fate(&self, record: &Record, is_marked: &mut bool) -> Result<Fate, StoreError> {
        if record.kind == RecordKind::Local {
            let local: LocalRecord = rows::decode(&record.payload).ok_or(StoreError::Record)?;
            *is_marked = matches!(local, LocalRecord::Own { .. } | LocalRecord::DeclinedNext { .. });
            return Ok(if self.is_replaced(&local)? { Fate::Drop } else { Fate::Keep });
        }
        let is_marked = std::mem::take(is_marked);
        let stored = self.read_payload(&record.payload)?;
        let Some(row) = self.row(&stored.event.id())? else { return Ok(Fate::Keep) };
        if row.position != record.position.0 {
            // Stored again later. A mark before it has to have its event behind it.
            let is_older = Position(row.position) > record.position;
            return Ok(if is_older && !is_marked { Fate::Drop } else { Fate::Keep });
        }
        if row.presence != Presence::Pruned || record.kind == RecordKind::Pruned {
            return Ok(Fate::Keep);
        }
        let kept = 8 + stored.event.bytes_without_body().len();
        Ok(Fate::Prune(record.payload[..kept.min(record.payload.len())].to_vec()))
    }

    /// Whether a later record says the same thing anew: there is a row, and it is another's. Without a row nothing replaced it:
    /// an index that is being made, or has lost some, is no reason to drop what it could be made from.
    fn is_replaced(&self, local: &LocalRecord) -> Result<bool, StoreError> {
        Ok(match local {
            LocalRecord::Read { root, position } => {
                let read = self.position_at(&keys::read_key(root))?;
                read != 0 && read != *position
            }
            LocalRecord::Delivery { id, row } => self.own_row(id)?.is_some_and(|now| now != *row),
            // The record is sound again without it.
            LocalRecord::TakenOff { position, .. } => {
                let taken_off = self.journal.read(Position(*position));
                taken_off.is_ok_and(|record| record.kind == RecordKind::Scrubbed)
            }
            LocalRecord::Keep { space, keep } => {
                self.index().get(&keys::keep_key(space))?.is_some() && self.keep(*space)? != *keep
            }
            LocalRecord::Listing { space, listing } => self.listing(*space)?.is_some_and(|now| now != *listing),
            _ => false,
        })
    }

    fn own_row(&self, id: &EventId) -> Result<Option<OwnRow>, StoreError> {
        let Some(number) = self.number_of(id)? else { return Ok(None) };
        let value = self.index().get(&keys::own_key(number))?;
        value.map(|value| rows::decode(&value).ok_or(StoreError::Row)).transpose()
    }
}

#[cfg(test)]
#[path = "compaction_tests.rs"]
mod tests;
