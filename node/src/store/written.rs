//! What an author wrote, and the newest of a thread: lists for which there are no rows.
//!
//! A row for each event of each author would cost 150 bytes on disk and several microseconds at each arrival, for a question
//! that is asked now and then. An entry has its author's number in 64 bytes, and the entries are read from the newest back: a
//! million of them in a few hundredths of a second.

use super::events::{EventStore, StoreError};
use super::keys::{self, Number};
use super::rows::{self, EventRow, MemberRow};
use roda_protocol::event::tag;
use roda_protocol::id::{AuthorKey, EventId};

/// Entries that one step reads: 256 KiB of them.
const STEP_ENTRIES: u32 = 4096;

/// Entries that one look goes through: 16 MiB of them. Who wants more goes on where it ended.
const LOOKED_MAX: u32 = 64 * STEP_ENTRIES;

/// Posts and comments of an author, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Those that are here, the last that came first, each with its number: what to pass as `before` to go on behind it.
    pub rows: Vec<(u32, EventRow)>,
    /// What to pass as `before` to go on; `None`: everything was looked at.
    pub next: Option<u32>,
}

impl EventStore {
    /// Posts and comments of an author whose numbers are below `before`, at most `limit`, by when they became known here. It may
    /// find fewer, or none, and still say where to go on: one call looks at 262,144 events.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn written_by(&self, author: &AuthorKey, before: Option<u32>, limit: usize) -> Result<Written, StoreError> {
        let index = self.index();
        let mut written = Written::default();
        let number = index.get(&keys::author_number_key(author))?.and_then(|value| keys::number_at_end(&value));
        let Some(author) = number.filter(|_| limit > 0) else { return Ok(written) };
        let mut end = before.unwrap_or(u32::MAX).min(index.entry_count());
        let floor = end.saturating_sub(LOOKED_MAX);
        while end > floor {
            let start = end.saturating_sub(STEP_ENTRIES).max(floor);
            let page = index.entries(start, (end - start) as usize)?;
            for (number, entry) in (start..).zip(&page).collect::<Vec<_>>().into_iter().rev() {
                let Some(row) = EventRow::of_entry(entry)? else { continue };
                if row.author == author && row.presence.is_shown() && matches!(row.tag, tag::POST | tag::COMMENT) {
                    written.rows.push((number, row));
                    if written.rows.len() == limit {
                        written.next = Some(number).filter(|number| *number > 0);
                        return Ok(written);
                    }
                }
            }
            end = start;
        }
        written.next = Some(end).filter(|end| *end > 0);
        Ok(written)
    }

    /// The post and comments of a thread that came last, at most `limit`, the last first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn newest_of(&self, root: &EventId, limit: usize) -> Result<Vec<EventRow>, StoreError> {
        let Some(root) = self.number_of(root)? else { return Ok(Vec::new()) };
        let mut newest: std::collections::BTreeSet<(u64, Number)> = std::collections::BTreeSet::new();
        self.scan_all(keys::members_range(root), |key, value| {
            let member: MemberRow = rows::decode(value).ok_or(StoreError::Row)?;
            newest.insert((member.position, keys::number_at_end(key).ok_or(StoreError::Row)?));
            if newest.len() > limit {
                newest.pop_first();
            }
            Ok(())
        })?;
        let rows = newest.into_iter().rev().map(|(_, number)| self.row_of(number));
        rows.filter_map(Result::transpose).collect()
    }
}

#[cfg(test)]
#[path = "written_tests.rs"]
mod tests;
