//! What readers ask of the store. Nothing here writes, but the mark of an event whose log record turns out damaged.

use super::events::{EventStore, StoreError, Stored};
use super::index::{Direction, Entry};
use super::journal::{JournalError, Position, RecordKind};
use super::keys::{self, Number};
use super::rows::{self, EventRow, MemberRow, OwnRow, Presence, SpaceRow};
use roda_protocol::event::{Kind, Verified};
use roda_protocol::id::{AuthorKey, EventId, SpaceId};
use roda_protocol::thread::Item;
use roda_protocol::view::{self, ProfileItem};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

/// Entries that one step of a long scan takes: 256 KiB of them.
const SCAN_ENTRIES: usize = 4096;

/// Names of authors that are kept in memory.
const NAMES_MAX: usize = 4096;

/// A post in its board's feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedPlace {
    /// The post's claimed time.
    pub created_ms: u64,
    /// Its interned number: the tie-break, and half of a cursor.
    pub number: u32,
}

/// Counts of a thread, without resolving it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadCounts {
    /// Comments held.
    pub comments: u64,
    /// Post and comments by others that arrived behind the read mark.
    pub unread: u64,
    /// Greatest claimed time among post and comments.
    pub active_ms: u64,
    /// Position of the last record.
    pub last_position: u64,
}

impl EventStore {
    pub(super) fn number_of(&self, id: &EventId) -> Result<Option<Number>, StoreError> {
        Ok(self.index().find(&id.0)?)
    }

    pub(super) fn row_of(&self, number: Number) -> Result<Option<EventRow>, StoreError> {
        match self.index().entry(number)? {
            Some(entry) => EventRow::of_entry(&entry),
            None => Ok(None),
        }
    }

    /// The id that was given a number.
    pub(super) fn id_of(&self, number: Number) -> Result<EventId, StoreError> {
        self.index().entry(number)?.map(|entry| EventId(entry.name)).ok_or(StoreError::Row)
    }

    /// What this node has of an event; `None` if it does not know it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn row(&self, id: &EventId) -> Result<Option<EventRow>, StoreError> {
        match self.number_of(id)? {
            Some(number) => self.row_of(number),
            None => Ok(None),
        }
    }

    /// Whether header and, unless its author took it back, body of the event are stored here.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn is_held(&self, id: &EventId) -> Result<bool, StoreError> {
        let row = self.row(id)?;
        Ok(row.is_some_and(|row| row.presence.is_shown()))
    }

    /// Whether everything that there is of the event is stored here: header, and the words unless there are none or their
    /// author took them back. This is what *held* means to other nodes.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn holds_words(&self, id: &EventId) -> Result<bool, StoreError> {
        let Some(row) = self.row(id)? else { return Ok(false) };
        match row.presence {
            Presence::Held => Ok(true),
            Presence::BodyDropped => match self.read_row(&row)? {
                Some(stored) => {
                    let header = stored.event.header();
                    Ok(header.body.len == 0 || self.is_taken_back(id, &header.author)?)
                }
                None => Ok(false),
            },
            Presence::Declined | Presence::Lost | Presence::Pruned => Ok(false),
        }
    }

    /// Whether the event is here and its words are to be asked from peers: they have not come, nobody took them back, and this
    /// node did not choose to be without.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn wants_words(&self, id: &EventId) -> Result<bool, StoreError> {
        let is_bare = self.row(id)?.is_some_and(|row| row.presence == Presence::BodyDropped);
        Ok(is_bare && !self.holds_words(id)?)
    }

    /// The stored event. `None` if it is not known, declined or lost. An event whose record turns out damaged is marked as
    /// lost, which makes the engine ask peers for it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn event(&self, id: &EventId) -> Result<Option<Arc<Stored>>, StoreError> {
        match self.row(id)? {
            Some(row) => self.read_row(&row),
            None => Ok(None),
        }
    }

    /// What is stored of an event as a proof that there is one: of a declined event its header. `None` if nothing is,
    /// because it is not known, is lost, or was declined by a version that kept no headers.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn proof(&self, id: &EventId) -> Result<Option<Arc<Stored>>, StoreError> {
        match self.row(id)? {
            Some(row) if row.presence == Presence::Declined => self.read_record(&row),
            Some(row) => self.read_row(&row),
            None => Ok(None),
        }
    }

    pub(super) fn read_row(&self, row: &EventRow) -> Result<Option<Arc<Stored>>, StoreError> {
        if !row.presence.is_shown() {
            return Ok(None);
        }
        let stored = self.read_record(row)?;
        Ok(stored.map(|stored| match row.presence {
            Presence::BodyDropped | Presence::Pruned
                if stored.event.bytes().len() > stored.event.bytes_without_body().len() =>
            {
                Arc::new(Stored { event: stored.event.clone().without_body(), received_ms: stored.received_ms })
            }
            _ => stored,
        }))
    }

    /// The event of a row, for the writer itself: a damaged record is no event, and is marked by the next reader.
    pub(super) fn read_row_quietly(&self, row: &EventRow) -> Result<Option<Stored>, StoreError> {
        if !row.presence.is_shown() {
            return Ok(None);
        }
        match self.journal.read(Position(row.position)) {
            Ok(record) if record.kind != RecordKind::Local => Ok(Some(self.read_payload(&record.payload)?)),
            Ok(_) | Err(JournalError::Damaged { .. } | JournalError::Absent { .. }) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    /// The event of a row's record. `None` if the record turns out damaged, or is the local one of a declined event.
    fn read_record(&self, row: &EventRow) -> Result<Option<Arc<Stored>>, StoreError> {
        let scrubs = {
            let mut recent = self.recent();
            match recent.get(row.position) {
                Some(stored) if stored.event.id() == row.id => return Ok(Some(stored)),
                _ => recent.scrubs(),
            }
        };
        let record = match self.journal.read(Position(row.position)) {
            Ok(record) => record,
            Err(JournalError::Damaged { .. } | JournalError::Absent { .. }) => {
                tracing::warn!(id = %row.id, "a damaged record of the log: the event is asked from peers");
                self.mark_lost(row)?;
                return Ok(None);
            }
            Err(other) => return Err(other.into()),
        };
        let stored = match record.kind {
            RecordKind::Local if row.presence == Presence::Declined => return Ok(None),
            RecordKind::Local => return Err(StoreError::Row),
            RecordKind::Event | RecordKind::Scrubbed | RecordKind::Pruned => self.read_payload(&record.payload)?,
        };
        if stored.event.id() != row.id {
            return Err(StoreError::Row);
        }
        let stored = Arc::new(stored);
        self.recent().put(row.position, Arc::clone(&stored), scrubs);
        Ok(Some(stored))
    }

    /// Calls `each` for every known event, in the order in which they were first mentioned.
    ///
    /// # Errors
    ///
    /// [`StoreError`], or what `each` answers.
    pub fn each_row(&self, mut each: impl FnMut(EventRow) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.each_entry(|_, row| each(row))
    }

    /// Calls `each` for every known event and its number.
    pub(super) fn each_entry(
        &self,
        mut each: impl FnMut(Number, EventRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let index = self.index();
        let mut number = 0;
        loop {
            let page = index.entries(number, SCAN_ENTRIES)?;
            if page.is_empty() {
                return Ok(());
            }
            for entry in &page {
                if let Some(row) = EventRow::of_entry(entry)? {
                    each(number, row)?;
                }
                number += 1;
            }
        }
    }

    /// The events that are known and lost, with their spaces.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn lost(&self) -> Result<Vec<(SpaceId, EventId)>, StoreError> {
        let mut numbers = Vec::new();
        self.each_row(|row| {
            if row.presence == Presence::Lost {
                numbers.push((row.space, row.id));
            }
            Ok(())
        })?;
        let spaces = self.space_numbers()?;
        let lost = numbers.into_iter().filter_map(|(number, id)| {
            spaces.iter().find(|(_, candidate)| *candidate == number).map(|(space, _)| (*space, id))
        });
        Ok(lost.collect())
    }

    /// Events of the spaces that `is_wanted`, at most `limit`, whose headers are held and whose words have not come.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn wordless(
        &self,
        limit: usize,
        is_wanted: impl Fn(&SpaceId) -> bool,
    ) -> Result<Vec<(SpaceId, EventId)>, StoreError> {
        let spaces: BTreeMap<Number, SpaceId> =
            self.space_numbers()?.into_iter().map(|(space, number)| (number, space)).collect();
        let mut wordless = Vec::new();
        self.scan_all(keys::wordless_range(), |key, value| {
            let space = spaces.get(&keys::space_in(key).ok_or(StoreError::Row)?).ok_or(StoreError::Row)?;
            if wordless.len() < limit && is_wanted(space) {
                wordless.push((*space, EventId(value.try_into().map_err(|_| StoreError::Row)?)));
            }
            Ok(())
        })?;
        Ok(wordless)
    }

    pub(super) fn space_numbers(&self) -> Result<Vec<(SpaceId, Number)>, StoreError> {
        let mut spaces = Vec::new();
        self.scan_all(keys::space_numbers_range(), |key, value| {
            let space = SpaceId(keys::id_in(key).ok_or(StoreError::Row)?);
            spaces.push((space, keys::number_at_end(value).ok_or(StoreError::Row)?));
            Ok(())
        })?;
        Ok(spaces)
    }

    /// The number that stands for a space in rows; `None` if nothing of it is known.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn number_of_space(&self, space: SpaceId) -> Result<Option<u32>, StoreError> {
        self.space_number(space)
    }

    fn space_number(&self, space: SpaceId) -> Result<Option<Number>, StoreError> {
        let value = self.index().get(&keys::space_number_key(&space))?;
        value.map(|value| keys::number_at_end(&value).ok_or(StoreError::Row)).transpose()
    }

    /// Up to `limit` ids that begin with these hex digits, ascending.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn ids_with_prefix(&self, digits: &str, limit: usize) -> Result<Vec<EventId>, StoreError> {
        let whole = &digits[..digits.len() / 2 * 2];
        let Ok(bytes) = data_encoding::HEXLOWER_PERMISSIVE.decode(whole.as_bytes()) else { return Ok(Vec::new()) };
        let digits = digits.to_ascii_lowercase();
        // An id that is only named by others has no value and is none that a reader can mean.
        let is_meant = |entry: &Entry| entry.value.is_some() && EventId(entry.name).to_string().starts_with(&digits);
        let entries = self.index().named(&bytes, limit, &is_meant)?;
        Ok(entries.into_iter().map(|entry| EventId(entry.name)).collect())
    }

    /// Authors of known events.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn authors(&self) -> Result<Vec<AuthorKey>, StoreError> {
        let mut authors = Vec::new();
        self.scan_all(keys::author_range(&[]), |key, _| {
            authors.push(AuthorKey(keys::id_in(key).ok_or(StoreError::Row)?));
            Ok(())
        })?;
        Ok(authors)
    }

    /// Spaces that are or were followed.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn spaces(&self) -> Result<Vec<(SpaceId, SpaceRow)>, StoreError> {
        let mut spaces = Vec::new();
        self.scan_all(keys::spaces_range(), |key, value| {
            let space = SpaceId(keys::id_in(key).ok_or(StoreError::Row)?);
            spaces.push((space, rows::decode(value).ok_or(StoreError::Row)?));
            Ok(())
        })?;
        Ok(spaces)
    }

    /// Whether this node's author wrote the event here.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn is_own(&self, id: &EventId) -> Result<bool, StoreError> {
        let Some(number) = self.number_of(id)? else { return Ok(false) };
        Ok(self.index().get(&keys::own_key(number))?.is_some())
    }

    /// Own events with who confirmed them, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn own_events(&self) -> Result<Vec<(EventRow, OwnRow)>, StoreError> {
        let mut own = Vec::new();
        self.scan_all(keys::own_range(), |key, value| {
            let number = keys::number_at_end(key).ok_or(StoreError::Row)?;
            if let Some(row) = self.row_of(number)? {
                own.push((row, rows::decode(value).ok_or(StoreError::Row)?));
            }
            Ok(())
        })?;
        own.sort_by_key(|(row, _)| row.position);
        Ok(own)
    }

    /// How far an event is that was written here; `None` for others.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn own(&self, id: &EventId) -> Result<Option<OwnRow>, StoreError> {
        let Some(number) = self.number_of(id)? else { return Ok(None) };
        let row = self.index().get(&keys::own_key(number))?;
        row.map(|value| rows::decode(&value).ok_or(StoreError::Row)).transpose()
    }

    /// Posts of a space before a place, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn posts(
        &self,
        space: SpaceId,
        before: Option<FeedPlace>,
        limit: usize,
    ) -> Result<Vec<(FeedPlace, EventRow)>, StoreError> {
        let Some(space) = self.space_number(space)? else { return Ok(Vec::new()) };
        let (start, mut end) = keys::feed_range(space);
        if let Some(before) = before {
            end = Some(keys::feed_key(space, before.created_ms, before.number));
        }
        let mut posts = Vec::new();
        for (key, _) in self.index().scan(&start, end.as_deref(), Direction::Descending, limit)? {
            let number = keys::number_at_end(&key).ok_or(StoreError::Row)?;
            let row = self.row_of(number)?.ok_or(StoreError::Row)?;
            posts.push((FeedPlace { created_ms: row.created_ms, number }, row));
        }
        Ok(posts)
    }

    /// How many posts of a space are held, counted up to `count_max`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn post_count(&self, space: SpaceId, count_max: usize) -> Result<u64, StoreError> {
        let Some(space) = self.space_number(space)? else { return Ok(0) };
        let (start, end) = keys::feed_range(space);
        Ok(self.index().count(&start, end.as_deref(), count_max)? as u64)
    }

    /// Counts of a thread for a reader who wrote as `me`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn thread_counts(&self, root: &EventId, me: &AuthorKey) -> Result<ThreadCounts, StoreError> {
        let mut counts = ThreadCounts::default();
        let Some(root_number) = self.number_of(root)? else { return Ok(counts) };
        let mine = self.index().get(&keys::author_number_key(me))?.and_then(|value| keys::number_at_end(&value));
        let read = self.read_mark(root)?;
        self.scan_all(keys::members_range(root_number), |key, value| {
            let member: MemberRow = rows::decode(value).ok_or(StoreError::Row)?;
            let is_comment = keys::number_at_end(key) != Some(root_number);
            counts.comments += u64::from(is_comment);
            counts.unread += u64::from(member.position > read && Some(member.author) != mine);
            counts.active_ms = counts.active_ms.max(member.created_ms);
            counts.last_position = counts.last_position.max(member.position);
            Ok(())
        })?;
        Ok(counts)
    }

    /// The profile events of an author.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn profile_items(&self, author: &AuthorKey) -> Result<Vec<ProfileItem>, StoreError> {
        let Some(number) = self.index().get(&keys::author_number_key(author))? else { return Ok(Vec::new()) };
        let number = keys::number_at_end(&number).ok_or(StoreError::Row)?;
        let mut items = Vec::new();
        self.scan_all(keys::profiles_range(number), |key, _| {
            let row = self.row_of(keys::number_at_end(key).ok_or(StoreError::Row)?)?;
            if let Some(stored) = row.map(|row| self.read_row(&row)).transpose()?.flatten() {
                let event = &stored.event;
                items.push(ProfileItem { id: event.id(), refs: event.header().refs.clone(), body: event.body() });
            }
            Ok(())
        })?;
        Ok(items)
    }

    /// The name in an author's profile, as written.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn author_name(&self, author: &AuthorKey) -> Result<Option<String>, StoreError> {
        if let Some(name) = self.names.read().unwrap_or_else(PoisonError::into_inner).get(author) {
            return Ok(name.clone());
        }
        let name = view::profile(&self.profile_items(author)?).map(|(_, words)| words.name);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(*author, name.clone());
        Ok(name)
    }
}

/// An event as threads take it.
pub(super) fn item(event: &Verified) -> Item {
    let header = event.header();
    Item {
        id: event.id(),
        author: header.author,
        created_ms: header.created_ms,
        refs: header.refs.clone(),
        kind: event.kind().clone(),
        body: event.body(),
    }
}

/// The thread that an event belongs to or acts on, as far as it says itself.
#[must_use]
pub fn root_named_by(event: &Verified) -> Option<EventId> {
    match event.kind() {
        Kind::Post(_) => Some(event.id()),
        Kind::Comment(comment) => Some(comment.root),
        _ => None,
    }
}
