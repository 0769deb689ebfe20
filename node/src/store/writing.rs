//! Index batches in the making: from events and local records to rows.
//!
//! Owns which rows an event leads to and the numbers that ids, spaces and authors are given. Every row is derived from the
//! log alone, and deriving it twice gives the same row, so a batch that was cut short is made good by the next start. The
//! epochs that events belong to change in memory when their batch was taken; a digest is written every few members.

mod inbox;

use super::events::{EventStore, StoreError};
use super::index::{BATCH_ROWS_MAX, Batch, Entry, Index};
use super::journal::Position;
use super::keys::{self, Number, meta};
use super::known::{EpochChange, NewMember, RUNNING_DIGEST_FROM};
use super::rows::{self, BARE_BYTES, DigestRow, EventRow, LocalRecord, MemberRow, OwnRow, Presence, Size, VoteRow};
use super::shapes::Note;
use roda_protocol::event::{Kind, Verified, tag};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::reconcile::{Epoch, EpochKey, Expanded, LtHash};
use roda_protocol::thread::Place;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

/// Rows that stay free in a batch for the position, the next number and the count of events.
const ROWS_RESERVED: usize = 4;

/// Rows that one known event leads to in one batch: its entry, the digest of its epoch, and that of words which are missing,
/// or no longer.
const ROWS_OF_KNOWN: usize = 3;

/// What a record has beside the event's bytes: its own header, and the time of arrival.
const RECORD_BYTES: u64 = 17;

/// Numbers given to spaces and authors, and how many events are known. Only the writer changes them.
#[derive(Debug, Default)]
pub(super) struct Interner {
    pub(super) next: Number,
    pub(super) events: u64,
}

/// One index batch in the making: the rows of some records, and the numbers that they need.
pub(super) struct Writing<'a> {
    store: &'a EventStore,
    index: Arc<dyn Index>,
    interner: MutexGuard<'a, Interner>,
    batch: Batch,
    /// Spaces and authors that were given a number.
    fresh: BTreeMap<Vec<u8>, Number>,
    /// Ids that were given a number, and the next one.
    fresh_ids: BTreeMap<EventId, Number>,
    next_id: Number,
    next: Number,
    spaces: BTreeMap<SpaceId, Number>,
    rows: BTreeMap<Number, EventRow>,
    /// Epochs that change with the batch; their rows are not in it yet.
    epochs: BTreeMap<(Number, Epoch), EpochChange>,
    /// Digests that are due: of each epoch the newest.
    digests: BTreeMap<(Number, Epoch), DigestRow>,
    scrubs: Vec<EventRow>,
    /// Posts and comments, with the numbers of their threads.
    places: Vec<(Number, Note)>,
    /// Something that readers saw is not shown any more.
    has_vanished: bool,
    /// Events that retractions of this batch name, with the retractions' authors.
    retracted: BTreeSet<(Number, Number)>,
    /// The number of the reader, once it was looked up; nothing inside: the reader has none yet.
    reader: Option<Option<Number>>,
    /// Comments of this batch by others: what each answers, its position and its number.
    comments: Vec<(EventId, Position, Number)>,
    /// Edits of this batch by others that mention the reader: what each changes, its author's number and its position.
    edits: Vec<(EventId, Number, Position)>,
    applied: Option<Position>,
    events: u64,
}

impl<'a> Writing<'a> {
    pub(super) fn begin(store: &'a EventStore) -> Self {
        let interner = store.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let index = store.index();
        Self {
            store,
            events: interner.events,
            next: interner.next,
            next_id: index.entry_count(),
            index,
            interner,
            fresh_ids: BTreeMap::new(),
            batch: Batch::default(),
            fresh: BTreeMap::new(),
            spaces: BTreeMap::new(),
            rows: BTreeMap::new(),
            epochs: BTreeMap::new(),
            digests: BTreeMap::new(),
            scrubs: Vec::new(),
            places: Vec::new(),
            has_vanished: false,
            retracted: BTreeSet::new(),
            reader: None,
            comments: Vec::new(),
            edits: Vec::new(),
            applied: None,
        }
    }

    /// The number of an event, a new one if its id was never mentioned.
    fn id_number(&mut self, id: &EventId) -> Result<Number, StoreError> {
        if let Some(number) = self.fresh_ids.get(id) {
            return Ok(*number);
        }
        if let Some(number) = self.index.find(&id.0)? {
            return Ok(number);
        }
        self.make_room(1)?;
        let number = self.next_id;
        self.next_id += 1;
        self.batch.enter(number, Entry { name: id.0, value: None });
        self.fresh_ids.insert(*id, number);
        Ok(number)
    }

    /// The number of what stands under this key, a new one if there is none yet.
    fn number(&mut self, key: Vec<u8>) -> Result<Number, StoreError> {
        if let Some(number) = self.fresh.get(&key) {
            return Ok(*number);
        }
        if let Some(value) = self.index.get(&key)? {
            return keys::number_at_end(&value).ok_or(StoreError::Row);
        }
        let number = self.next;
        self.next += 1;
        self.put(key.clone(), number.to_be_bytes().to_vec())?;
        self.fresh.insert(key, number);
        Ok(number)
    }

    fn space_number(&mut self, space: SpaceId) -> Result<Number, StoreError> {
        if let Some(number) = self.store.known.number_of(space) {
            return Ok(number);
        }
        let number = self.number(keys::space_number_key(&space))?;
        self.spaces.insert(space, number);
        Ok(number)
    }

    fn row(&self, number: Number) -> Result<Option<EventRow>, StoreError> {
        if let Some(row) = self.rows.get(&number) {
            return Ok(Some(row.clone()));
        }
        match self.index.entry(number)? {
            Some(entry) => EventRow::of_entry(&entry),
            None => Ok(None),
        }
    }

    /// Adds a row. A batch that is full goes to the index first: one event can lead to more rows than a batch takes.
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StoreError> {
        self.make_room(1)?;
        self.batch.put(key, value);
        Ok(())
    }

    fn make_room(&mut self, rows: usize) -> Result<(), StoreError> {
        let taken = self.batch.len() + self.digests.len() + ROWS_RESERVED;
        if taken + rows > BATCH_ROWS_MAX { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.batch.put(keys::meta_key(meta::NEXT), rows::encode(&self.next));
        self.batch.put(keys::meta_key(meta::EVENTS), rows::encode(&self.events));
        for ((space, epoch), digest) in std::mem::take(&mut self.digests) {
            self.batch.put(keys::digest_key(space, epoch), rows::encode(&digest));
        }
        let batch = std::mem::take(&mut self.batch);
        self.index.commit(&batch)?;
        // Only now: what never reached the index must not be counted.
        (self.interner.events, self.interner.next) = (self.events, self.next);
        self.store.known.publish(std::mem::take(&mut self.spaces), std::mem::take(&mut self.epochs));
        Ok(())
    }

    /// Puts an event's row, and what it changes of its epoch: all in one batch.
    fn put_row(&mut self, number: Number, row: EventRow) -> Result<(), StoreError> {
        let row_before = self.row(number)?;
        let before = row_before.as_ref().map(|row| row.presence);
        self.make_room(ROWS_OF_KNOWN)?;
        self.count_bytes(row_before.as_ref(), &row);
        self.has_vanished |= before.is_some_and(Presence::is_shown) && !row.presence.is_shown();
        let was_declined = before.is_some_and(Presence::is_declined);
        let is_declined = row.presence.is_declined();
        if before.is_none() {
            self.events += 1;
            self.add_member(number, &row)?;
        }
        if was_declined != is_declined {
            let state = &mut self.epoch(&row).state;
            state.declined = if is_declined { state.declined + 1 } else { state.declined.saturating_sub(1) };
        }
        if before == Some(Presence::BodyDropped) && row.presence != Presence::BodyDropped {
            self.batch.delete(keys::wordless_key(row.space, number));
        }
        self.batch.enter(number, row.to_entry());
        self.rows.insert(number, row);
        Ok(())
    }

    /// Counts what an event takes of the log, in its epoch and in its segment.
    fn count_bytes(&mut self, before: Option<&EventRow>, row: &EventRow) {
        let (fewer, more) = (before.map_or(0, |before| before.size.bytes()), row.size.bytes());
        let state = &mut self.epoch(row).state;
        state.bytes = (state.bytes + more).saturating_sub(fewer);
        let mut live = self.store.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = before.and_then(|before| live.get_mut(&Position(before.position).segment())) {
            *bytes = bytes.saturating_sub(fewer);
        }
        *live.entry(Position(row.position).segment()).or_default() += more;
    }

    /// Whether the event was taken back by its author, in the index or in this batch. Told from rows alone.
    fn is_taken_back(&self, target: Number, author: Number) -> Result<bool, StoreError> {
        let mut is_taken_back = self.retracted.contains(&(target, author));
        self.store.scan_all(keys::actions_range(target), |key, _| {
            let action = self.row(keys::number_at_end(key).ok_or(StoreError::Row)?)?;
            is_taken_back |= action.is_some_and(|action| action.tag == tag::RETRACT && action.author == author);
            Ok(())
        })?;
        Ok(is_taken_back)
    }

    /// The epoch of an event in the making.
    fn epoch(&mut self, row: &EventRow) -> &mut EpochChange {
        let place = (row.space, EpochKey::of(&(row.created_ms, row.id)).0);
        let known = &self.store.known;
        self.epochs.entry(place).or_insert_with(|| EpochChange {
            state: known.state(place.0, place.1).unwrap_or_default(),
            members: Vec::new(),
        })
    }

    fn add_member(&mut self, number: Number, row: &EventRow) -> Result<(), StoreError> {
        let (epoch, key) = EpochKey::of(&(row.created_ms, row.id));
        let store = self.store;
        let change = self.epoch(row);
        let expanded = Expanded::of(&row.id);
        change.state.add(&row.id, &expanded);
        change.members.push(NewMember { number, key, expanded });
        if change.state.count == RUNNING_DIGEST_FROM {
            let mut digest = LtHash::default();
            change.members.iter().for_each(|member| digest.add_expanded(&member.expanded));
            let written = store.scan_epoch(row.space, epoch)?;
            written.iter().for_each(|key| digest.add(&key.id));
            if (written.len() + change.members.len()) as u64 != RUNNING_DIGEST_FROM {
                return Err(StoreError::Row);
            }
            change.state.digest = Some(digest);
        }
        if let Some(digest) = change.state.due_digest(row.position) {
            self.digests.insert((row.space, epoch), digest);
        }
        Ok(())
    }

    /// `is_own`: it was written here a moment ago, so nothing can answer it yet.
    pub(super) fn event(
        &mut self,
        event: &Verified,
        position: Position,
        presence: Presence,
        is_own: bool,
    ) -> Result<(), StoreError> {
        let (id, next_id) = (event.id(), self.next_id);
        let number = self.id_number(&id)?;
        let space = self.space_number(event.space())?;
        let author = self.number(keys::author_number_key(&event.header().author))?;
        // A vote has no words by whose absence the log would say that it was taken back before it came.
        let is_named = number < next_id && presence == Presence::Held && event.header().body.len == 0;
        let presence = match is_named && self.is_taken_back(number, author)? {
            true => Presence::BodyDropped,
            false => presence,
        };
        let created_ms = event.header().created_ms;
        let kind = event.header().kind.tag;
        let is_held = presence == Presence::Held;
        let size = Size::of(if is_held { RECORD_BYTES + event.bytes().len() as u64 } else { BARE_BYTES });
        self.put_row(
            number,
            EventRow { id, position: position.0, created_ms, space, author, tag: kind, presence, size },
        )?;
        let lacks_words = presence == Presence::BodyDropped && event.header().body.len > 0;
        if lacks_words && !self.is_taken_back(number, author)? {
            self.put(keys::wordless_key(space, number), id.0.to_vec())?;
        }
        let member = |parent| rows::encode(&MemberRow { position: position.0, created_ms, author, parent });
        match event.kind() {
            Kind::Post(_) => {
                self.put(keys::feed_key(space, created_ms, number), Vec::new())?;
                self.put(keys::member_key(number, number), member(number))?;
                self.places.push((number, (Place { id, parent: None, created_ms }, position.0)));
            }
            Kind::Comment(comment) => {
                let root = self.id_number(&comment.root)?;
                let parent = self.id_number(&comment.parent)?;
                self.put(keys::member_key(root, number), member(parent))?;
                let place = Place { id, parent: Some(comment.parent), created_ms };
                self.places.push((root, (place, position.0)));
            }
            Kind::Edit(edit) => self.action(&edit.target, number, Vec::new())?,
            Kind::Vote(vote) => {
                let row = VoteRow { author, value: vote.value };
                let counts = presence == Presence::Held;
                self.action(&vote.target, number, if counts { row.to_row() } else { Vec::new() })?;
            }
            Kind::Retract(retract) => {
                for target in &retract.targets {
                    self.action(target, number, Vec::new())?;
                    self.drop_body(target, author)?;
                }
            }
            Kind::Profile(_) => self.put(keys::profile_key(author, number), Vec::new())?,
            _ => {}
        }
        self.inbox(event, (number, author), position, is_own)
    }

    /// An event that is known and shown to nobody: no reader's row leads to it.
    pub(super) fn declined(&mut self, event: &Verified, position: Position) -> Result<(), StoreError> {
        let header = event.header();
        self.put_declined(event.id(), event.space(), header.created_ms, header.kind.tag, position)
    }

    fn put_declined(
        &mut self,
        id: EventId,
        space: SpaceId,
        created_ms: u64,
        tag: u16,
        position: Position,
    ) -> Result<(), StoreError> {
        let number = self.id_number(&id)?;
        let space = self.space_number(space)?;
        let presence = Presence::Declined;
        // Its author is given no number: what was declined makes nobody known.
        let size = Size::of(BARE_BYTES);
        self.put_row(number, EventRow { id, position: position.0, created_ms, space, author: 0, tag, presence, size })
    }

    /// Marks an event as known and lost.
    pub(super) fn lost(&mut self, row: &EventRow) -> Result<(), StoreError> {
        let number = self.id_number(&row.id)?;
        self.put_row(number, EventRow { presence: Presence::Lost, size: Size::default(), ..row.clone() })
    }

    /// Marks an event whose words are kept no longer.
    pub(super) fn pruned(&mut self, row: &EventRow) -> Result<(), StoreError> {
        let number = self.id_number(&row.id)?;
        self.put_row(number, EventRow { presence: Presence::Pruned, size: Size::of(BARE_BYTES), ..row.clone() })
    }

    fn action(&mut self, target: &EventId, number: Number, says: Vec<u8>) -> Result<(), StoreError> {
        let target = self.id_number(target)?;
        self.put(keys::action_key(target, number), says)
    }

    /// A vote is taken back: it is not counted by its row any more.
    fn uncounted(&mut self, row: &EventRow, number: Number) -> Result<(), StoreError> {
        match self.store.read_row_quietly(row)?.as_ref().map(|stored| stored.event.kind()) {
            Some(Kind::Vote(vote)) => self.action(&vote.target, number, Vec::new()),
            // Its record is damaged: when it comes again it is known to be taken back.
            _ => Ok(()),
        }
    }

    /// Drops the words of an event that its own author takes back. A retraction stays: it has none.
    fn drop_body(&mut self, target: &EventId, author: Number) -> Result<(), StoreError> {
        let target = self.id_number(target)?;
        self.retracted.insert((target, author));
        let Some(row) = self.row(target)? else { return Ok(()) };
        if row.author == author && row.presence == Presence::BodyDropped {
            // Nobody asks for words that were taken back.
            self.make_room(1)?;
            self.batch.delete(keys::wordless_key(row.space, target));
        }
        // Of pruned words the log may still have some.
        if row.author == author && matches!(row.presence, Presence::Held | Presence::Pruned) {
            match row.tag {
                tag::EDIT => self.unsaid(&row)?,
                tag::VOTE => self.uncounted(&row, target)?,
                _ => {}
            }
            let dropped = EventRow { presence: Presence::BodyDropped, size: Size::of(BARE_BYTES), ..row };
            self.scrubs.push(dropped.clone());
            self.put_row(target, dropped)?;
        }
        Ok(())
    }

    pub(super) fn own(&mut self, id: &EventId, row: &OwnRow) -> Result<(), StoreError> {
        let number = self.id_number(id)?;
        self.put(keys::own_key(number), rows::encode(row))
    }

    pub(super) fn local(&mut self, record: &LocalRecord, position: Position) -> Result<(), StoreError> {
        match record {
            LocalRecord::Network(_)
            | LocalRecord::Own { .. }
            | LocalRecord::DeclinedNext { .. }
            | LocalRecord::Damage { .. }
            | LocalRecord::TakenOff { .. } => {}
            LocalRecord::Keep { space, keep } => self.put(keys::keep_key(space), rows::encode(keep))?,
            LocalRecord::Listing { space, listing } => self.put(keys::listing_key(space), rows::encode(listing))?,
            LocalRecord::Space { space, row } => self.put(keys::space_key(space), rows::encode(row))?,
            LocalRecord::Read { root, position } => self.put(keys::read_key(root), rows::encode(position))?,
            LocalRecord::Delivery { id, row } => self.own(id, row)?,
            LocalRecord::Rule { subject, effect } => {
                let key = keys::rule_key(&rows::encode(subject));
                match effect {
                    Some(effect) => self.put(key, rows::encode(effect))?,
                    None => {
                        self.make_room(1)?;
                        self.batch.delete(key);
                    }
                }
            }
            LocalRecord::ReadSpace { space, position } => {
                let space = self.space_number(*space)?;
                self.put(keys::read_space_key(space), rows::encode(position))?;
            }
            LocalRecord::ReadInbox { position } => {
                self.put(keys::meta_key(meta::READ_INBOX), rows::encode(position))?;
            }
            LocalRecord::Declined { id, space, created_ms, tag } => {
                self.put_declined(*id, *space, *created_ms, *tag, position)?;
            }
        }
        Ok(())
    }

    pub(super) fn applied(&mut self, position: Position) {
        // The record at this position is applied; reading it again at the next start does no harm.
        self.applied = Some(position);
    }

    /// Writes what is left, and moves the mark up to which the log was read. Readers see the events from here on, and no words
    /// that were taken back; those leave the log with the next flush.
    pub(super) fn commit(mut self) -> Result<(), StoreError> {
        if let Some(position) = self.applied {
            self.batch.put(keys::meta_key(meta::APPLIED), rows::encode(&position.0));
        }
        self.write()?;
        if self.has_vanished {
            self.store.shapes.clear();
        }
        self.places.drain(..).for_each(|(root, note)| self.store.shapes.came(root, note));
        let mut due = self.store.scrubs.lock().unwrap_or_else(PoisonError::into_inner);
        due.append(&mut self.scrubs);
        Ok(())
    }
}
