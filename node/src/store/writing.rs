//! Index batches in the making: from events and local records to rows.
//!
//! Owns which rows an event leads to and the numbers that ids, spaces and authors are given. Every row is derived from the
//! log alone, and deriving it twice gives the same row, so a batch that was cut short is made good by the next start.

use super::events::{EventStore, StoreError};
use super::index::{BATCH_ROWS_MAX, Batch, Index};
use super::journal::{JournalError, Position, RecordKind};
use super::keys::{self, Number, meta};
use super::rows::{self, EventRow, LocalRecord, MemberRow, OwnRow, Presence};
use roda_protocol::event::{Kind, Verified};
use roda_protocol::id::{EventId, SpaceId};
use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

/// Rows that stay free in a batch for the position and the next number.
const ROWS_RESERVED: usize = 4;

/// Numbers given to ids, spaces and authors. Only the writer gives them.
#[derive(Debug, Default)]
pub(super) struct Interner {
    pub(super) next: Number,
    pub(super) spaces: BTreeMap<SpaceId, Number>,
    pub(super) events: u64,
}

/// One index batch in the making: the rows of some records, and the numbers that they need.
pub(super) struct Writing<'a> {
    store: &'a EventStore,
    index: Arc<dyn Index>,
    interner: MutexGuard<'a, Interner>,
    batch: Batch,
    fresh: BTreeMap<Vec<u8>, Number>,
    spaces: BTreeMap<SpaceId, Number>,
    rows: BTreeMap<Number, EventRow>,
    known: Vec<(SpaceId, u64, EventId)>,
    scrubs: Vec<EventRow>,
    applied: Option<Position>,
    events: u64,
}

impl<'a> Writing<'a> {
    pub(super) fn begin(store: &'a EventStore) -> Self {
        let interner = store.writer.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            store,
            index: store.index(),
            events: interner.events,
            interner,
            batch: Batch::default(),
            fresh: BTreeMap::new(),
            spaces: BTreeMap::new(),
            rows: BTreeMap::new(),
            known: Vec::new(),
            scrubs: Vec::new(),
            applied: None,
        }
    }

    /// The number of what stands under this key, a new one if there is none yet.
    fn number(&mut self, key: Vec<u8>) -> Result<Number, StoreError> {
        if let Some(number) = self.fresh.get(&key) {
            return Ok(*number);
        }
        if let Some(value) = self.index.get(&key)? {
            return keys::number_at_end(&value).ok_or(StoreError::Row);
        }
        let number = self.interner.next;
        self.interner.next += 1;
        self.put(key.clone(), number.to_be_bytes().to_vec())?;
        self.fresh.insert(key, number);
        Ok(number)
    }

    fn space_number(&mut self, space: SpaceId) -> Result<Number, StoreError> {
        if let Some(number) = self.interner.spaces.get(&space) {
            return Ok(*number);
        }
        let number = self.number(keys::space_number_key(&space))?;
        self.spaces.insert(space, number);
        Ok(number)
    }

    fn row(&self, number: Number) -> Result<Option<EventRow>, StoreError> {
        if let Some(row) = self.rows.get(&number) {
            return Ok(Some(row.clone()));
        }
        let row = self.index.get(&keys::event_key(number))?;
        row.map(|row| rows::decode(&row).ok_or(StoreError::Row)).transpose()
    }

    /// Adds a row. A batch that is full goes to the index first: one event can lead to more rows than a batch takes.
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StoreError> {
        self.make_room()?;
        self.batch.put(key, value);
        Ok(())
    }

    fn make_room(&mut self) -> Result<(), StoreError> {
        if self.batch.len() + ROWS_RESERVED >= BATCH_ROWS_MAX { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.batch.put(keys::meta_key(meta::NEXT), rows::encode(&self.interner.next));
        self.batch.put(keys::meta_key(meta::EVENTS), rows::encode(&self.events));
        let batch = std::mem::take(&mut self.batch);
        self.index.commit(&batch)?;
        // Only now: what never reached the index must not be counted, nor its numbers used again.
        self.interner.events = self.events;
        Ok(())
    }

    fn put_row(&mut self, number: Number, row: EventRow) -> Result<(), StoreError> {
        let is_new = self.row(number)?.is_none();
        // The row and the count of rows are in one batch.
        self.make_room()?;
        self.events += u64::from(is_new);
        self.batch.put(keys::event_key(number), rows::encode(&row));
        self.rows.insert(number, row);
        Ok(())
    }

    pub(super) fn event(&mut self, event: &Verified, position: Position, presence: Presence) -> Result<(), StoreError> {
        let id = event.id();
        let number = self.number(keys::id_key(&id))?;
        let space = self.space_number(event.space())?;
        let author = self.number(keys::author_number_key(&event.header().author))?;
        let created_ms = event.header().created_ms;
        let tag = event.header().kind.tag;
        self.put_row(number, EventRow { id, position: position.0, created_ms, space, author, tag, presence })?;
        self.known.push((event.space(), created_ms, id));
        let member = rows::encode(&MemberRow { position: position.0, created_ms, author });
        match event.kind() {
            Kind::Post(_) => {
                self.put(keys::feed_key(space, created_ms, number), Vec::new())?;
                self.put(keys::member_key(number, number), member)?;
            }
            Kind::Comment(comment) => {
                let root = self.number(keys::id_key(&comment.root))?;
                self.put(keys::member_key(root, number), member)?;
            }
            Kind::Edit(edit) => self.action(&edit.target, number)?,
            Kind::Vote(vote) => self.action(&vote.target, number)?,
            Kind::Retract(retract) => {
                for target in &retract.targets {
                    self.action(target, number)?;
                    self.drop_body(target, author)?;
                }
            }
            Kind::Profile(_) => self.put(keys::profile_key(author, number), Vec::new())?,
            _ => {}
        }
        Ok(())
    }

    fn action(&mut self, target: &EventId, number: Number) -> Result<(), StoreError> {
        let target = self.number(keys::id_key(target))?;
        self.put(keys::action_key(target, number), Vec::new())
    }

    /// Drops the words of an event that its own author takes back. A retraction stays: it has none.
    fn drop_body(&mut self, target: &EventId, author: Number) -> Result<(), StoreError> {
        let target = self.number(keys::id_key(target))?;
        let Some(row) = self.row(target)? else { return Ok(()) };
        if row.author == author && row.presence == Presence::Held {
            let dropped = EventRow { presence: Presence::BodyDropped, ..row };
            self.scrubs.push(dropped.clone());
            self.put_row(target, dropped)?;
        }
        Ok(())
    }

    pub(super) fn own(&mut self, id: &EventId, row: &OwnRow) -> Result<(), StoreError> {
        let number = self.number(keys::id_key(id))?;
        self.put(keys::own_key(number), rows::encode(row))
    }

    pub(super) fn local(&mut self, record: &LocalRecord, position: Position) -> Result<(), StoreError> {
        match record {
            LocalRecord::Network(_) | LocalRecord::Own { .. } | LocalRecord::Damage { .. } => {}
            LocalRecord::Space { space, row } => self.put(keys::space_key(space), rows::encode(row))?,
            LocalRecord::Read { root, position } => self.put(keys::read_key(root), rows::encode(position))?,
            LocalRecord::Delivery { id, row } => self.own(id, row)?,
            LocalRecord::Declined { id, space, created_ms, tag } => {
                let number = self.number(keys::id_key(id))?;
                let space_number = self.space_number(*space)?;
                let row = EventRow {
                    id: *id,
                    position: position.0,
                    created_ms: *created_ms,
                    space: space_number,
                    author: 0,
                    tag: *tag,
                    presence: Presence::Declined,
                };
                self.put_row(number, row)?;
                self.known.push((*space, *created_ms, *id));
            }
        }
        Ok(())
    }

    pub(super) fn applied(&mut self, position: Position) {
        // The record at this position is applied; reading it again at the next start does no harm.
        self.applied = Some(position);
    }

    /// Writes what is left, and moves the mark up to which the log was read. Readers see the events from here on.
    pub(super) fn commit(mut self) -> Result<(), StoreError> {
        if let Some(position) = self.applied {
            self.batch.put(keys::meta_key(meta::APPLIED), rows::encode(&position.0));
        }
        self.write()?;
        self.interner.spaces.append(&mut self.spaces);
        for (space, created_ms, id) in self.known {
            self.store.known.insert(space, (created_ms, id));
        }
        // After the index, which says that the words are gone: a crash in between leaves the words in the log until the
        // retraction's record is read again by a rebuild; nobody is shown them.
        for row in self.scrubs {
            let record = match self.store.journal.read(Position(row.position)) {
                Ok(record) => record,
                Err(JournalError::Damaged { .. }) => continue,
                Err(other) => return Err(other.into()),
            };
            if record.kind == RecordKind::Event {
                let stored = self.store.read_payload(&record.payload)?;
                let kept = 8 + stored.event.bytes_without_body().len();
                self.store.journal.scrub(Position(row.position), &record.payload[..kept])?;
            }
        }
        Ok(())
    }
}
