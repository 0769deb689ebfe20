//! The event store: the log is the truth, the index is derived from it and may be lost at any moment.
//!
//! Owns what rows an event or local record leads to ([`EventStore::admit`] and the catch-up at start take the same path).
//! Decides nothing about events: the engine does. One writer, the engine's thread; any number of readers. A failed write
//! leaves the store as it was; a damaged index is an error that the opener answers with a rebuild.

use super::index::{Batch, Direction, Index, IndexError};
use super::journal::{Journal, JournalError, Position, Record, RecordKind};
use super::keys::{self, meta};
use super::known::KnownSets;
use super::rows::{self, EventRow, LocalRecord, OwnRow, Presence};
use super::writing::{Interner, Writing};
use roda_protocol::event::{Kind, Verified};
use roda_protocol::id::{AuthorKey, EventId, NetworkId, SpaceId};
use roda_protocol::validate::Invalid;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Format of log records and index rows. A newer one on disk is refused.
pub const FORMAT: u32 = 1;

/// Peers that are remembered as holders of an own event: enough for any `--wait`.
pub const HOLDERS_MAX: usize = 32;

/// Events of one index batch: larger batches make sled's memory grow (batches of 256 reached 5 GB resident in a
/// measurement, of 64 stayed at 330 MB).
pub(super) const BATCH_EVENTS_MAX: usize = 64;

/// Bytes of log that one step of the catch-up reads.
const REPLAY_BYTES: usize = 1024 * 1024;

/// Rows that one step of a long scan takes.
pub(super) const SCAN_ROWS: usize = 1024;

/// Why the store can't do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The log can't be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The index can't be read or written, or holds nonsense.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A row of the index does not decode.
    #[error("a row of the index is damaged; restart the node, which rebuilds the index from the log")]
    Row,
    /// A record of the log is whole and yet no event or local record of this format.
    #[error("a record of the log can't be read by this version")]
    Record,
    /// A damaged index can't be moved out of the way.
    #[error("the index {} is damaged and can't be set aside: {source}. Move it away; it is rebuilt", folder.display())]
    SetAside {
        /// The index.
        folder: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The home belongs to another network.
    #[error("this home belongs to another network; use another --home for each network")]
    OtherNetwork,
    /// The home was written by a newer version.
    #[error("this home has format {found} and this version knows {FORMAT}; use the newer roda that wrote it")]
    NewerFormat {
        /// The format on disk.
        found: u32,
    },
}

impl StoreError {
    /// Whether a new index, derived from the log, mends it.
    #[must_use]
    pub fn is_of_index(&self) -> bool {
        matches!(self, Self::Row | Self::Index(IndexError::Damaged { .. }))
    }
}

/// An event on its way into the store.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The event.
    pub event: Verified,
    /// When it arrived, by this node's clock, unix milliseconds.
    pub received_ms: u64,
    /// Whether this node's author wrote it here.
    pub is_own: bool,
}

/// An event as it was stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The event, without body if the words were dropped.
    pub event: Verified,
    /// When it arrived here.
    pub received_ms: u64,
}

/// Log and index of a node.
pub struct EventStore {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) index: RwLock<Arc<dyn Index>>,
    pub(super) network: NetworkId,
    pub(super) known: KnownSets,
    pub(super) writer: Mutex<Interner>,
    pub(super) names: RwLock<HashMap<AuthorKey, Option<String>>>,
    found_lost: AtomicBool,
    had_no_index: AtomicBool,
}

impl std::fmt::Debug for EventStore {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "EventStore({:?}, {} known)", self.network, self.known.total())
    }
}

/// Counts of what opening a store did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CatchUp {
    /// Records of the log that the index did not have yet.
    pub records: u64,
    /// Damaged records that were met.
    pub damaged: u64,
}

impl EventStore {
    /// Opens a store, and derives the rows that the index lacks from the log.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; `Index` and `Row` are answered by opening again with an empty index.
    pub fn open(
        journal: Arc<dyn Journal>,
        index: Arc<dyn Index>,
        network: NetworkId,
    ) -> Result<(Self, CatchUp), StoreError> {
        let store = Self {
            journal,
            index: RwLock::new(index),
            network,
            known: KnownSets::default(),
            writer: Mutex::new(Interner::default()),
            names: RwLock::new(HashMap::new()),
            found_lost: AtomicBool::new(false),
            had_no_index: AtomicBool::new(false),
        };
        store.check_meta()?;
        store.load()?;
        let caught_up = store.catch_up()?;
        Ok((store, caught_up))
    }

    /// Throws the index away for an empty one and derives every row from the log again.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn rebuild(&self, empty: Arc<dyn Index>) -> Result<CatchUp, StoreError> {
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = empty;
        self.check_meta()?;
        self.load()?;
        self.catch_up()
    }

    pub(super) fn index(&self) -> Arc<dyn Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The sets of known events.
    #[must_use]
    pub fn known(&self) -> &KnownSets {
        &self.known
    }

    /// The network whose events these are.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// Whether the index has turned out damaged: it can be rebuilt from the log.
    #[must_use]
    pub fn has_damaged_index(&self) -> bool {
        self.index().is_damaged()
    }

    /// Whether the index was empty when the store was opened: it is new, or was lost and is rebuilt.
    #[must_use]
    pub fn had_no_index(&self) -> bool {
        self.had_no_index.load(Ordering::Relaxed)
    }

    /// Bytes on disk, log and index.
    ///
    /// # Errors
    ///
    /// [`StoreError::Index`].
    pub fn disk_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.journal.bytes() + self.index().disk_bytes()?)
    }

    fn check_meta(&self) -> Result<(), StoreError> {
        let index = self.index();
        if let Some(format) = index.get(&keys::meta_key(meta::FORMAT))? {
            let found: u32 = rows::decode(&format).ok_or(StoreError::Row)?;
            if found > FORMAT {
                return Err(StoreError::NewerFormat { found });
            }
        }
        match index.get(&keys::meta_key(meta::NETWORK))? {
            Some(network) if network != self.network.0 => return Err(StoreError::OtherNetwork),
            Some(_) => return Ok(()),
            None => self.had_no_index.store(true, Ordering::Relaxed),
        }
        if self.journal.end() == self.journal.start() {
            let record = rows::encode(&LocalRecord::Network(self.network.0));
            self.journal.append(&[(RecordKind::Local, &record)])?;
            self.journal.sync()?;
        }
        let mut batch = Batch::default();
        batch.put(keys::meta_key(meta::FORMAT), rows::encode(&FORMAT));
        batch.put(keys::meta_key(meta::NETWORK), self.network.0.to_vec());
        index.commit(&batch)?;
        Ok(())
    }

    /// Reads what lives in memory from the index.
    fn load(&self) -> Result<(), StoreError> {
        let mut interner = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        *interner = Interner::default();
        self.known.clear();
        self.names.write().unwrap_or_else(PoisonError::into_inner).clear();
        let mut spaces = BTreeMap::new();
        self.scan_all(keys::space_numbers_range(), |key, value| {
            let space = SpaceId(keys::id_in(key).ok_or(StoreError::Row)?);
            let number = keys::number_at_end(value).ok_or(StoreError::Row)?;
            spaces.insert(number, space);
            Ok(())
        })?;
        interner.spaces = spaces.iter().map(|(number, space)| (*space, *number)).collect();
        self.scan_all(keys::events_range(), |_, value| {
            let row: EventRow = rows::decode(value).ok_or(StoreError::Row)?;
            interner.events += 1;
            let space = spaces.get(&row.space).ok_or(StoreError::Row)?;
            self.known.insert(*space, (row.created_ms, row.id));
            Ok(())
        })?;
        // Numbers are never reused, also those of ids that are named and not known.
        interner.next = match self.index().get(&keys::meta_key(meta::NEXT))? {
            Some(next) => rows::decode(&next).ok_or(StoreError::Row)?,
            None => 1,
        };
        // A damaged index can open without a word and lack rows.
        let events: u64 = match self.index().get(&keys::meta_key(meta::EVENTS))? {
            Some(events) => rows::decode(&events).ok_or(StoreError::Row)?,
            None => 0,
        };
        if events == interner.events { Ok(()) } else { Err(StoreError::Row) }
    }

    pub(super) fn scan_all(
        &self,
        (mut start, end): keys::Range,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let index = self.index();
        loop {
            let page = index.scan(&start, end.as_deref(), Direction::Ascending, SCAN_ROWS)?;
            for (key, value) in &page {
                each(key, value)?;
            }
            match page.last() {
                Some((last, _)) if page.len() == SCAN_ROWS => {
                    start.clone_from(last);
                    start.push(0);
                }
                _ => return Ok(()),
            }
        }
    }

    /// Derives the rows of records that the index has not seen.
    fn catch_up(&self) -> Result<CatchUp, StoreError> {
        let applied = match self.index().get(&keys::meta_key(meta::APPLIED))? {
            Some(applied) => Some(Position(rows::decode(&applied).ok_or(StoreError::Row)?)),
            None => None,
        };
        // It is where the last applied record starts, so a log that ends there has lost that record: the index can't be
        // a derivation of it.
        if applied.is_some_and(|applied| applied >= self.journal.end()) {
            return Err(StoreError::Row);
        }
        let mut counts = CatchUp::default();
        let mut from = applied.unwrap_or_else(|| self.journal.start());
        loop {
            let replay = self.journal.replay(from, REPLAY_BYTES)?;
            counts.records += replay.records.len() as u64;
            counts.damaged += replay.damaged.len() as u64;
            for chunk in replay.records.chunks(BATCH_EVENTS_MAX) {
                self.replay_chunk(chunk)?;
            }
            if replay.next == from {
                break;
            }
            from = replay.next;
        }
        self.index().flush()?;
        Ok(counts)
    }

    fn replay_chunk(&self, records: &[Record]) -> Result<(), StoreError> {
        let mut own = None;
        let mut writing = Writing::begin(self);
        for record in records {
            match record.kind {
                RecordKind::Local => {
                    let local: LocalRecord = rows::decode(&record.payload).ok_or(StoreError::Record)?;
                    match &local {
                        LocalRecord::Network(network) if *network != self.network.0 => {
                            return Err(StoreError::OtherNetwork);
                        }
                        LocalRecord::Own { id } => own = Some(*id),
                        _ => {}
                    }
                    writing.local(&local, record.position)?;
                }
                RecordKind::Event | RecordKind::Scrubbed => {
                    let stored = self.read_payload(&record.payload)?;
                    let is_own = own.take() == Some(stored.event.id());
                    let dropped = record.kind == RecordKind::Scrubbed || !stored.event.has_body();
                    let presence = if dropped { Presence::BodyDropped } else { Presence::Held };
                    writing.event(&stored.event, record.position, presence)?;
                    if is_own {
                        writing.own(&stored.event.id(), &OwnRow::default())?;
                    }
                }
            }
            writing.applied(record.position);
        }
        writing.commit()
    }

    pub(super) fn read_payload(&self, payload: &[u8]) -> Result<Stored, StoreError> {
        let (received, bytes) = payload.split_first_chunk::<8>().ok_or(StoreError::Record)?;
        let event = Verified::recall(&self.network, bytes).map_err(|_: Invalid| StoreError::Record)?;
        Ok(Stored { event, received_ms: u64::from_le_bytes(*received) })
    }

    /// Stores new events: log, fsync, index, fsync. What the call returned without error survives `kill -9` and power
    /// loss. Events must be new; the words of those that their author took back already are not stored.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; none of the events of the failed batch is acknowledged then.
    pub fn admit(&self, arrivals: &[Arrival]) -> Result<(), StoreError> {
        for batch in arrivals.chunks(BATCH_EVENTS_MAX) {
            self.admit_batch(batch)?;
        }
        Ok(())
    }

    fn admit_batch(&self, arrivals: &[Arrival]) -> Result<(), StoreError> {
        let mut payloads = Vec::with_capacity(arrivals.len() * 2);
        let mut is_event = Vec::with_capacity(arrivals.len() * 2);
        for arrival in arrivals {
            if arrival.is_own {
                payloads.push((RecordKind::Local, rows::encode(&LocalRecord::Own { id: arrival.event.id() })));
                is_event.push(None);
            }
            let keeps_words = arrival.event.has_body() && !self.is_retracted(&arrival.event, arrivals)?;
            let bytes = if keeps_words { arrival.event.bytes() } else { arrival.event.bytes_without_body() };
            let mut payload = Vec::with_capacity(8 + bytes.len());
            payload.extend_from_slice(&arrival.received_ms.to_le_bytes());
            payload.extend_from_slice(bytes);
            payloads.push((RecordKind::Event, payload));
            is_event.push(Some((arrival, if keeps_words { Presence::Held } else { Presence::BodyDropped })));
        }
        let records: Vec<(RecordKind, &[u8])> =
            payloads.iter().map(|(kind, payload)| (*kind, payload.as_slice())).collect();
        let positions = self.journal.append(&records)?;
        self.journal.sync()?;
        let mut writing = Writing::begin(self);
        for (position, entry) in positions.iter().zip(is_event) {
            if let Some((arrival, presence)) = entry {
                writing.event(&arrival.event, *position, presence)?;
                if arrival.is_own {
                    writing.own(&arrival.event.id(), &OwnRow::default())?;
                }
            }
            writing.applied(*position);
        }
        writing.commit()?;
        self.index().flush()?;
        self.forget_names(arrivals);
        Ok(())
    }

    /// Whether the author took this event back, in the store or in the same batch.
    fn is_retracted(&self, event: &Verified, batch: &[Arrival]) -> Result<bool, StoreError> {
        let author = event.header().author;
        let takes_back = |other: &Verified| {
            other.header().author == author
                && matches!(other.kind(), Kind::Retract(retract) if retract.targets.binary_search(&event.id()).is_ok())
        };
        Ok(batch.iter().any(|other| takes_back(&other.event)) || self.is_taken_back(&event.id(), &author)?)
    }

    /// Whether a retraction of the event by this author is held.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn is_taken_back(&self, id: &EventId, author: &AuthorKey) -> Result<bool, StoreError> {
        let Some(number) = self.number_of(id)? else { return Ok(false) };
        for action in self.actions_of(number)? {
            if action.tag == roda_protocol::event::tag::RETRACT
                && let Some(stored) = self.read_row(&action)?
                && stored.event.header().author == *author
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn forget_names(&self, arrivals: &[Arrival]) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        for arrival in arrivals {
            if matches!(arrival.event.kind(), Kind::Profile(_) | Kind::Retract(_)) {
                names.remove(&arrival.event.header().author);
            }
        }
    }

    /// Stores what no event says.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn note(&self, records: &[LocalRecord]) -> Result<(), StoreError> {
        for batch in records.chunks(BATCH_EVENTS_MAX) {
            let payloads: Vec<Vec<u8>> = batch.iter().map(rows::encode).collect();
            let appended: Vec<(RecordKind, &[u8])> =
                payloads.iter().map(|payload| (RecordKind::Local, payload.as_slice())).collect();
            let positions = self.journal.append(&appended)?;
            self.journal.sync()?;
            let mut writing = Writing::begin(self);
            for (record, position) in batch.iter().zip(positions) {
                writing.local(record, position)?;
                writing.applied(position);
            }
            writing.commit()?;
            self.index().flush()?;
        }
        Ok(())
    }

    /// Marks the event as known and lost: its record in the log is damaged.
    pub(super) fn mark_lost(&self, row: &EventRow) -> Result<(), StoreError> {
        // The writer may have stored the event anew since the row was read.
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(number) = self.number_of(&row.id)? else { return Ok(()) };
        if self.row(&row.id)?.as_ref() == Some(row) {
            let mut batch = Batch::default();
            let lost = EventRow { presence: Presence::Lost, ..row.clone() };
            batch.put(keys::event_key(number), rows::encode(&lost));
            self.index().commit(&batch)?;
        }
        self.found_lost.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether an event turned out lost since this was asked last.
    #[must_use]
    pub fn take_found_lost(&self) -> bool {
        self.found_lost.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
