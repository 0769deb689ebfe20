//! What speaks to the reader: answers, mentions, and edits that add a mention. One row for an event and a reason, whatever the
//! order in which things come.

use super::Writing;
use crate::store::events::StoreError;
use crate::store::index::Direction;
use crate::store::journal::Position;
use crate::store::keys::{self, Number};
use crate::store::rows::{EventRow, Presence, Why};
use roda_protocol::event::{Body, Kind, Verified, tag};
use roda_protocol::id::{AuthorKey, EventId};
use roda_protocol::view;

/// Comments of a thread that are looked at for answers to an own event that came after them, as when a home is restored.
const ANSWERS_LOOKED_AT_MAX: usize = 2000;

/// What was done to an event (votes, edits) that is looked through for earlier edits. An event to which more was done announces
/// no mention that an edit adds.
const ACTIONS_LOOKED_AT_MAX: usize = 2000;

/// Earlier edits of an event that are read for a mention. Who edits more often is not announced once more.
const EDITS_READ_MAX: usize = 64;

impl Writing<'_> {
    /// Adds what speaks to the reader to the inbox: an answer, a mention, what answered an own event before it came, and what
    /// an edit makes a mention.
    pub(super) fn inbox(
        &mut self,
        event: &Verified,
        (number, author): (Number, Number),
        position: Position,
        is_own: bool,
    ) -> Result<(), StoreError> {
        let Some(reader) = self.store.reader else { return Ok(()) };
        let root = match event.kind() {
            Kind::Post(_) => event.id(),
            Kind::Comment(comment) => comment.root,
            Kind::Edit(edit) if event.header().author != reader && says(event, &reader) => {
                return self.edited(edit.target, (number, author), position, &reader);
            }
            _ => return Ok(()),
        };
        if event.header().author == reader {
            return if is_own { Ok(()) } else { self.answers_before(event.id(), root, reader) };
        }
        let is_answer = match event.kind() {
            Kind::Comment(comment) => {
                self.comments.push((comment.parent, position, number));
                self.is_by_reader(&comment.parent, &reader)?
            }
            _ => false,
        };
        let why = if is_answer {
            Why::Answer
        } else if says(event, &reader) || self.is_edited_to_mention(event.id(), author, position, &reader)? {
            Why::Mention
        } else {
            return Ok(());
        };
        self.put(keys::inbox_key(position.0, number), why.to_row(None))
    }

    /// An edit whose words mention the reader: an entry if it is the author's own, and the first to do so.
    fn edited(
        &mut self,
        id: EventId,
        (number, author): (Number, Number),
        position: Position,
        reader: &AuthorKey,
    ) -> Result<(), StoreError> {
        let is_second = self.is_edited_to_mention(id, author, position, reader)?;
        self.edits.push((id, author, position));
        let target = match self.fresh_ids.get(&id) {
            Some(target) => Some(*target),
            None => self.index.find(&id.0)?,
        };
        let Some(target) = target else { return Ok(()) };
        let Some(row) = self.row(target)? else { return Ok(()) };
        // What comes after its edit is looked at when it comes, and so is one whose words come later.
        let is_here = row.presence == Presence::Held && row.position < position.0;
        let has_words = matches!(row.tag, tag::POST | tag::COMMENT);
        if is_second || !is_here || !has_words || row.author != author || self.row_says(&row, reader)? {
            return Ok(());
        }
        self.put(keys::inbox_key(position.0, target), Why::Mention.to_row(Some(number)))
    }

    /// An edit says nothing any more: what it brought to the inbox goes, so that rows that mean nothing don't gather there.
    pub(super) fn unsaid(&mut self, edit: &EventRow) -> Result<(), StoreError> {
        let (start, end) = (keys::inbox_key(edit.position, 0), keys::inbox_key(edit.position + 1, 0));
        // One record brings one row at most.
        for (key, _) in self.index.scan(&start, Some(&end), Direction::Ascending, 1)? {
            self.make_room(1)?;
            self.batch.delete(key);
        }
        Ok(())
    }

    /// Whether an edit that an event's author made, and that came before a position, mentions the reader.
    fn is_edited_to_mention(
        &self,
        id: EventId,
        author: Number,
        position: Position,
        reader: &AuthorKey,
    ) -> Result<bool, StoreError> {
        if self.edits.iter().any(|(target, by, at)| (*target, *by) == (id, author) && *at < position) {
            return Ok(true);
        }
        // An id that nothing has named before was not edited.
        let Some(number) = self.index.find(&id.0)? else { return Ok(false) };
        let (start, end) = keys::actions_range(number);
        let actions = self.index.scan(&start, end.as_deref(), Direction::Ascending, ACTIONS_LOOKED_AT_MAX)?;
        let mut edits = Vec::new();
        for (key, _) in &actions {
            let row = self.row(keys::number_at_end(key).ok_or(StoreError::Row)?)?;
            let is_edit = |row: &EventRow| row.tag == tag::EDIT && row.author == author && row.position < position.0;
            edits.extend(row.filter(is_edit));
        }
        if actions.len() == ACTIONS_LOOKED_AT_MAX || edits.len() > EDITS_READ_MAX {
            return Ok(true);
        }
        for edit in edits {
            if self.row_says(&edit, reader)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the words of a stored event mention the reader. Words that are gone do not.
    fn row_says(&self, row: &EventRow, reader: &AuthorKey) -> Result<bool, StoreError> {
        Ok(self.store.read_row_quietly(row)?.is_some_and(|stored| says(&stored.event, reader)))
    }

    /// Whether an event is here, or comes with this batch, and the reader wrote it.
    fn is_by_reader(&mut self, id: &EventId, reader: &AuthorKey) -> Result<bool, StoreError> {
        let Some(reader) = self.reader_number(reader)? else { return Ok(false) };
        let number = match self.fresh_ids.get(id) {
            Some(number) => Some(*number),
            None => self.index.find(&id.0)?,
        };
        let Some(row) = number.map(|number| self.row(number)).transpose()?.flatten() else { return Ok(false) };
        // The author of what was declined has no number.
        Ok(row.presence != Presence::Declined && row.author == reader)
    }

    fn reader_number(&mut self, reader: &AuthorKey) -> Result<Option<Number>, StoreError> {
        let key = keys::author_number_key(reader);
        if let Some(number) = self.fresh.get(&key) {
            return Ok(Some(*number));
        }
        if let Some(number) = self.reader {
            return Ok(number);
        }
        let number = self.index.get(&key)?.and_then(|value| keys::number_at_end(&value));
        self.reader = Some(number);
        Ok(number)
    }

    /// Adds the answers to an own event that came before it.
    fn answers_before(&mut self, id: EventId, root: EventId, reader: AuthorKey) -> Result<(), StoreError> {
        let mut answers: Vec<(Position, Number)> = Vec::new();
        let in_batch = self.comments.iter().filter(|(parent, ..)| *parent == id);
        answers.extend(in_batch.map(|(_, position, number)| (*position, *number)));
        if let Some(root) = self.index.find(&root.0)? {
            let (start, end) = keys::members_range(root);
            for (key, _) in self.index.scan(&start, end.as_deref(), Direction::Ascending, ANSWERS_LOOKED_AT_MAX)? {
                let number = keys::number_at_end(&key).ok_or(StoreError::Row)?;
                let Some(row) = self.row(number)? else { continue };
                let Some(stored) = self.store.read_row_quietly(&row)? else { continue };
                let is_answer = matches!(stored.event.kind(), Kind::Comment(comment) if comment.parent == id);
                if is_answer && stored.event.header().author != reader {
                    answers.push((Position(row.position), number));
                }
            }
        }
        for (position, number) in answers {
            self.put(keys::inbox_key(position.0, number), Why::Answer.to_row(None))?;
        }
        Ok(())
    }
}

/// Whether an event's own words mention an author.
fn says(event: &Verified, author: &AuthorKey) -> bool {
    match event.body() {
        Some(Body::Post(words)) => view::mentions(&words.title, author) || view::mentions(&words.text, author),
        Some(Body::Comment(words)) => view::mentions(&words.text, author),
        Some(Body::Edit(words)) => {
            words.title.is_some_and(|title| view::mentions(&title, author)) || view::mentions(&words.text, author)
        }
        _ => false,
    }
}
