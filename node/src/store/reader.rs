//! What belongs to the reader and to no event: rules, inbox, and marks of what was read.

use super::events::{EventStore, StoreError};
use super::index::Direction;
use super::keys::{self, meta};
use super::rows::{self, EventRow, MemberRow, Presence, Why};
use roda_protocol::id::{AuthorKey, EventId, SpaceId};
use roda_protocol::view::policy::{Effect, Subject};

/// An event in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxPlace {
    /// When it arrived, as a position of the log: the order of the inbox.
    pub position: u64,
    /// The event.
    pub row: EventRow,
    /// Why it is there.
    pub why: Why,
}

/// A post or comment of a thread, as far as its row tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// When it arrived, as a position of the log.
    pub position: u64,
    /// The event.
    pub row: EventRow,
}

impl EventStore {
    /// The reader's rules.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn rules(&self) -> Result<Vec<(Subject, Effect)>, StoreError> {
        let mut rules = Vec::new();
        self.scan_all(keys::rules_range(), |key, value| {
            let subject = keys::subject_in(key).and_then(rows::decode).ok_or(StoreError::Row)?;
            rules.push((subject, rows::decode(value).ok_or(StoreError::Row)?));
            Ok(())
        })?;
        Ok(rules)
    }

    /// The end of what is here: a mark that says that all of it was read.
    #[must_use]
    pub fn end_position(&self) -> u64 {
        self.journal.end().0
    }

    /// Answers to the reader and mentions that arrived before a position, newest first. An event that an edit made mention the
    /// reader has the position of that edit.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn inbox(&self, mut before: Option<u64>, limit: usize) -> Result<Vec<InboxPlace>, StoreError> {
        let mut places = Vec::new();
        // Rows that do not count are no end of those that do.
        while places.len() < limit {
            let (start, end) = keys::inbox_range(before);
            let rows = self.index().scan(&start, end.as_deref(), Direction::Descending, limit - places.len())?;
            let Some((last, _)) = rows.last() else { break };
            before = Some(keys::position_in(last).ok_or(StoreError::Row)?);
            for (key, value) in rows {
                places.extend(self.inbox_place(&key, &value)?);
            }
        }
        Ok(places)
    }

    /// What a row of the inbox says, if it still holds.
    fn inbox_place(&self, key: &[u8], value: &[u8]) -> Result<Option<InboxPlace>, StoreError> {
        let position = keys::position_in(key).ok_or(StoreError::Row)?;
        let (why, edit) = Why::of_row(value).ok_or(StoreError::Row)?;
        let row = self.row_of(keys::number_at_end(key).ok_or(StoreError::Row)?)?.ok_or(StoreError::Row)?;
        let said = match edit {
            None => row.clone(),
            Some(edit) => self.row_of(edit)?.ok_or(StoreError::Row)?,
        };
        // An event that was lost and came again has a row for each time; the last one counts. An edit that was taken back says
        // nothing any more.
        let is_said = edit.is_none() || matches!(said.presence, Presence::Held | Presence::Pruned);
        let holds = said.position == position && is_said;
        Ok(holds.then_some(InboxPlace { position, row, why }))
    }

    /// Position up to which the inbox was read; 0: never.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn inbox_mark(&self) -> Result<u64, StoreError> {
        self.position_at(&keys::meta_key(meta::READ_INBOX))
    }

    /// The post and comments of a thread that others wrote and that arrived behind a position, in the order of arrival.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn members_behind(&self, root: &EventId, position: u64, me: &AuthorKey) -> Result<Vec<Member>, StoreError> {
        let Some(root) = self.number_of(root)? else { return Ok(Vec::new()) };
        let mine = self.index().get(&keys::author_number_key(me))?.and_then(|value| keys::number_at_end(&value));
        let mut found = Vec::new();
        self.scan_all(keys::members_range(root), |key, value| {
            let member: MemberRow = rows::decode(value).ok_or(StoreError::Row)?;
            if member.position > position && Some(member.author) != mine {
                found.push((member.position, keys::number_at_end(key).ok_or(StoreError::Row)?));
            }
            Ok(())
        })?;
        found.sort_unstable();
        let mut members = Vec::with_capacity(found.len());
        for (position, number) in found {
            if let Some(row) = self.row_of(number)? {
                members.push(Member { position, row });
            }
        }
        Ok(members)
    }

    /// The last post or comment of a thread, by arrival, that its mark says was read. None if nothing was.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn last_read(&self, root: &EventId) -> Result<Option<EventId>, StoreError> {
        let mark = self.read_mark(root)?;
        let Some(root) = self.number_of(root)?.filter(|_| mark > 0) else { return Ok(None) };
        let mut last = None;
        self.scan_all(keys::members_range(root), |key, value| {
            let member: MemberRow = rows::decode(value).ok_or(StoreError::Row)?;
            if member.position <= mark {
                last = last.max(Some((member.position, keys::number_at_end(key).ok_or(StoreError::Row)?)));
            }
            Ok(())
        })?;
        let row = last.map(|(_, number)| self.row_of(number)).transpose()?.flatten();
        Ok(row.map(|row| row.id))
    }

    /// Authors of known events whose keys begin with these bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn authors_beginning_with(&self, first_bytes: &[u8]) -> Result<Vec<AuthorKey>, StoreError> {
        let mut authors = Vec::new();
        self.scan_all(keys::author_range(first_bytes), |key, _| {
            authors.push(AuthorKey(keys::id_in(key).ok_or(StoreError::Row)?));
            Ok(())
        })?;
        Ok(authors)
    }

    /// The space whose number stands in rows.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn space_of_number(&self, number: u32) -> Result<Option<SpaceId>, StoreError> {
        Ok(self.space_numbers()?.into_iter().find(|(_, known)| *known == number).map(|(space, _)| space))
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
