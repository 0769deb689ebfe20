//! What was stored since a place of the log, in the order of arrival: for whoever derives something of its own from it.
//!
//! The log is the queue: a follower that stops, or is slow, goes on where it was, and nobody waits for it. What no record
//! says, that words are kept no longer, is kept in a list until it is taken.

use super::events::{EventStore, StoreError};
use super::journal::{Position, RecordKind};
use super::read::root_named_by;
use super::rows::{EventRow, Presence};
use roda_protocol::event::{Verified, tag};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::thread::{self, Node};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// Events whose words went that are remembered for a follower: 2 MiB of ids. Of more than that it is told that there were
/// more.
const GIVEN_UP_MAX: usize = 65_536;

/// A page of the log.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Its events with their places, in the order of arrival. What was declined is among them.
    pub events: Vec<(u64, Verified)>,
    /// Where the next page starts.
    pub next: u64,
}

/// Events whose words this node keeps no longer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// Which.
    pub ids: Vec<EventId>,
    /// There were more than are listed.
    pub has_more: bool,
}

/// A post or comment as it stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its board.
    pub space: SpaceId,
    /// The post of its thread.
    pub root: EventId,
    /// Its place in the thread, with its words.
    pub node: Node,
}

impl EventStore {
    /// Events that were stored at or behind a place of the log, about so many bytes of them. Only what is durable, and has
    /// all of its rows: nothing that is read here is gone or half there a moment later.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn follow(&self, from: u64, bytes_max: usize) -> Result<Followed, StoreError> {
        let durable = self.durable_position();
        if from >= durable {
            return Ok(Followed { events: Vec::new(), next: from });
        }
        let replay = self.journal.replay(Position(from), bytes_max)?;
        let mut page = Followed { events: Vec::new(), next: replay.next.0.min(durable) };
        for record in replay.records {
            let position = record.position.0;
            if position >= durable {
                break;
            }
            if record.kind == RecordKind::Local {
                continue;
            }
            let event = self.read_payload(&record.payload)?.event;
            // The log is written first, and another thread's flush can make that durable before the rows are there.
            if self.row(&event.id())?.is_none_or(|row| row.position < position) {
                page.next = position;
                break;
            }
            page.events.push((position, event));
        }
        // Rows come in batches, under this lock: who has it after the first row was seen sees the others, too.
        drop(self.writer.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(page)
    }

    /// The place of the first record.
    #[must_use]
    pub fn start_position(&self) -> u64 {
        self.journal.start().0
    }

    /// Up to where the log survives a power cut.
    #[must_use]
    pub fn durable_position(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// How often the index has been made anew in this run; none while it is: what readers do not find may be there.
    #[must_use]
    pub fn derivation(&self) -> Option<u64> {
        let number = self.derivation.load(Ordering::Acquire);
        self.remade_percent().is_none().then_some(number)
    }

    /// Events whose words went since this was asked last.
    #[must_use]
    pub fn take_given_up(&self) -> GivenUp {
        std::mem::take(&mut *self.given_up.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn give_up(&self, ids: impl IntoIterator<Item = EventId>) {
        let mut given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            match given_up.ids.len() < GIVEN_UP_MAX {
                true => given_up.ids.push(id),
                false => given_up.has_more = true,
            }
        }
    }

    /// A post or comment as it stands, with its edits and without its answers; none if the row is of something else, or the
    /// event is not here.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn standing(&self, row: &EventRow) -> Result<Option<Standing>, StoreError> {
        let Some(stored) = self.read_row(row)? else { return Ok(None) };
        let Some(root) = root_named_by(&stored.event) else { return Ok(None) };
        let resolved = thread::resolve(root, self.post_items(row)?);
        let node = resolved.nodes.into_iter().find(|node| node.id == row.id);
        Ok(node.map(|node| Standing { space: stored.event.space(), root, node }))
    }

    /// How many posts and comments have their words here.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn worded(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        self.each_row(|row| {
            count += u64::from(row.presence == Presence::Held && matches!(row.tag, tag::POST | tag::COMMENT));
            Ok(())
        })?;
        Ok(count)
    }
}

#[cfg(test)]
#[path = "following_tests.rs"]
mod tests;
