//! The event store: the log is the truth, the index is derived from it and may be lost at any moment.
//!
//! Owns the way of an event or local record into log and index ([`super::opening`] takes the same path from the log alone).
//! Decides nothing about events: the engine does. One writer, the engine's thread; any number of readers. A failed write
//! leaves the store as it was; a damaged index is an error that the opener answers with a rebuild.

use super::following::GivenUp;
use super::index::{Direction, Index, IndexError};
use super::journal::{Journal, JournalError, Position, RecordKind};
use super::keys;
use super::known::KnownSets;
use super::marks::Underway;
use super::recent::Recent;
use super::retention::Bare;
use super::rows::{self, EventRow, LocalRecord, OwnRow, Presence};
use super::shapes::Shapes;
use super::writing::{Interner, Writing};
use roda_protocol::event::{Kind, Verified};
use roda_protocol::id::{AuthorKey, EventId, NetworkId};
use roda_protocol::validate::Invalid;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Format of the index's rows. A newer one on disk is refused; an older index is made anew from the log, whose segments
/// have a format of their own.
pub const INDEX_FORMAT: u32 = 9;

/// Peers that are remembered as holders of an own event: enough for any `--wait`.
pub const HOLDERS_MAX: usize = 32;

/// Events of one index batch: larger batches make sled's memory grow (batches of 256 reached 5 GB resident in a
/// measurement, of 64 stayed at 330 MB).
pub(super) const BATCH_EVENTS_MAX: usize = 64;

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
    #[error("this home has format {found} and this version knows {INDEX_FORMAT}; use the newer roda that wrote it")]
    NewerFormat {
        /// The format on disk.
        found: u32,
    },
    /// The index was written by an older version: it is removed and made anew.
    #[error("the index has the older format {found}; restart the node, which makes it anew from the log")]
    OlderIndex {
        /// The format on disk.
        found: u32,
    },
    /// There is no room for a new index beside the present one.
    #[error(
        "a new index needs {} MiB of room where {} is. Make room: it is made by itself then",
        (bytes_needed >> 20) + 1,
        folder.display()
    )]
    NoRoom {
        /// The index.
        folder: std::path::PathBuf,
        /// What has to be free.
        bytes_needed: u64,
    },
    /// An index of an older format can't be removed.
    #[error("the index {} has an older format and can't be removed: {source}. Remove it; it is rebuilt", folder.display())]
    Remove {
        /// The index.
        folder: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
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
    /// Who reads here: whose inbox is kept.
    pub(super) reader: Option<AuthorKey>,
    pub(super) known: KnownSets,
    pub(super) writer: Mutex<Interner>,
    pub(super) names: RwLock<HashMap<AuthorKey, Option<String>>>,
    pub(super) recent: Mutex<Recent>,
    pub(super) shapes: Shapes,
    pub(super) underway: Underway,
    /// Bytes of each segment of the log that are of known events, about.
    pub(super) live: Mutex<BTreeMap<u32, u64>>,
    /// And those that each segment had when it was written anew.
    pub(super) compacted: Mutex<BTreeMap<u32, u64>>,
    pub(super) bare: Mutex<Bare>,
    /// Events whose words were taken back since the last flush.
    pub(super) scrubs: Mutex<Vec<EventRow>>,
    /// Whether anything was stored since the last flush. Set when it is in the log and the index: a flush that began before is
    /// not one of it.
    pub(super) is_dirty: AtomicBool,
    /// The turn of those who flush: nobody is told that all is durable while somebody else's sync is under way.
    pub(super) flushing: Mutex<()>,
    pub(super) found_lost: AtomicBool,
    pub(super) had_no_index: AtomicBool,
    /// The index has been found to lack rows of events that it has.
    pub(super) is_incomplete: AtomicBool,
    /// How much of an index that is being made is there; `None` when it is whole.
    pub(super) remade_percent: Mutex<Option<u8>>,
    /// Up to where the log is durable.
    pub(super) durable: AtomicU64,
    /// How often the index was made anew.
    pub(super) derivation: AtomicU64,
    pub(super) given_up: Mutex<GivenUp>,
}

impl std::fmt::Debug for EventStore {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "EventStore({:?}, {} known)", self.network, self.known.total())
    }
}

impl EventStore {
    pub(super) fn index(&self) -> Arc<dyn Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The events that were read of late. Nothing else is taken while it is held.
    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The network whose events these are.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// Whether the index has turned out damaged or to lack rows: it can be rebuilt from the log.
    #[must_use]
    pub fn has_damaged_index(&self) -> bool {
        self.is_incomplete.load(Ordering::Relaxed) || self.index().is_damaged()
    }

    /// Whether the index takes nothing more because the disk refused a write. What it has can be read.
    #[must_use]
    pub fn has_stopped_index(&self) -> bool {
        self.index().is_stopped()
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

    pub(super) fn read_payload(&self, payload: &[u8]) -> Result<Stored, StoreError> {
        let (received, bytes) = payload.split_first_chunk::<8>().ok_or(StoreError::Record)?;
        let event = Verified::recall(&self.network, bytes).map_err(|_: Invalid| StoreError::Record)?;
        Ok(Stored { event, received_ms: u64::from_le_bytes(*received) })
    }

    /// Stores new events, and makes them durable: what the call returned without error survives `kill -9` and power loss.
    ///
    /// # Errors
    ///
    /// As [`EventStore::take_in`] and [`EventStore::flush`]; none of the events is acknowledged then.
    pub fn admit(&self, arrivals: &[Arrival]) -> Result<(), StoreError> {
        self.take_in(arrivals)?;
        self.flush()
    }

    /// Stores new events; they are durable after the next [`EventStore::flush`], and in a crash before it the last of them
    /// are lost. Events must be new; the words of those that their author took back already are not stored.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn take_in(&self, arrivals: &[Arrival]) -> Result<(), StoreError> {
        for batch in arrivals.chunks(BATCH_EVENTS_MAX) {
            let taken = self.take_in_batch(batch);
            self.is_dirty.store(true, Ordering::Release);
            taken?;
        }
        Ok(())
    }

    /// Makes everything durable that was stored before the call: the log first, so that the index is never ahead of it. Words
    /// that were taken back leave the log in between: their retraction is durable by then, and if this is cut short the next
    /// start reads it again.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: nobody knows what of it is durable.
    pub fn flush(&self) -> Result<(), StoreError> {
        let _turn = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let flushed = self.flush_parts();
        if flushed.is_err() {
            self.is_dirty.store(true, Ordering::Release);
        }
        flushed
    }

    fn flush_parts(&self) -> Result<(), StoreError> {
        let due = std::mem::take(&mut *self.scrubs.lock().unwrap_or_else(PoisonError::into_inner));
        let end = self.journal.end().0;
        let outcome = self.journal.sync().map_err(StoreError::from).and_then(|()| {
            self.durable.fetch_max(end, Ordering::AcqRel);
            self.take_off(&due)?;
            Ok(self.index().flush()?)
        });
        if outcome.is_err() {
            self.scrubs.lock().unwrap_or_else(PoisonError::into_inner).extend(due);
        }
        outcome
    }

    /// Takes the words of these events off the log. What stays of each is durable elsewhere in it before its record is
    /// written over, so that a power cut amid that costs nothing.
    fn take_off(&self, due: &[EventRow]) -> Result<(), StoreError> {
        let mut kept = Vec::new();
        for row in due {
            kept.extend(self.kept_of(row)?.map(|kept| (Position(row.position), kept)));
        }
        let mut noted = None;
        for (position, kept) in &kept {
            let record = rows::encode(&LocalRecord::TakenOff { position: position.0, kept: kept.clone() });
            noted = self.journal.append(&[(RecordKind::Local, &record)])?.last().copied();
        }
        let Some(noted) = noted else { return Ok(()) };
        self.journal.sync()?;
        self.journal.scrub_all(&kept)?;
        kept.iter().for_each(|(position, _)| self.recent().scrubbed(position.0));
        if self.remade_percent().is_some() {
            // The index is not as far as that. It meets these records again.
            return Ok(());
        }
        // The next start need not do it again.
        let mut writing = Writing::begin(self);
        writing.applied(noted);
        writing.commit()
    }

    /// What stays of an event's record without the words; nothing if it has none, or can't be read.
    fn kept_of(&self, row: &EventRow) -> Result<Option<Vec<u8>>, StoreError> {
        let record = match self.journal.read(Position(row.position)) {
            Ok(record) if record.kind == RecordKind::Event => record,
            Ok(_) | Err(JournalError::Damaged { .. }) => return Ok(None),
            Err(other) => return Err(other.into()),
        };
        let stored = self.read_payload(&record.payload)?;
        let kept = 8 + stored.event.bytes_without_body().len();
        // A vote has no words, and a scrubbed record no room for all of its bytes.
        Ok((kept < record.payload.len()).then(|| record.payload[..kept].to_vec()))
    }

    fn take_in_batch(&self, arrivals: &[Arrival]) -> Result<(), StoreError> {
        let mut payloads = Vec::with_capacity(arrivals.len() * 2);
        let mut is_event = Vec::with_capacity(arrivals.len() * 2);
        for arrival in arrivals {
            if arrival.is_own {
                payloads.push((RecordKind::Local, rows::encode(&LocalRecord::Own { id: arrival.event.id() })));
                is_event.push(None);
            }
            let keeps_words = arrival.event.has_body() && !self.is_retracted(&arrival.event, arrivals)?;
            let bytes = if keeps_words { arrival.event.bytes() } else { arrival.event.bytes_without_body() };
            payloads.push((RecordKind::Event, payload(arrival.received_ms, bytes)));
            is_event.push(Some((arrival, if keeps_words { Presence::Held } else { Presence::BodyDropped })));
        }
        let records: Vec<(RecordKind, &[u8])> =
            payloads.iter().map(|(kind, payload)| (*kind, payload.as_slice())).collect();
        let positions = self.journal.append(&records)?;
        let mut writing = Writing::begin(self);
        for (position, entry) in positions.iter().zip(is_event) {
            if let Some((arrival, presence)) = entry {
                writing.event(&arrival.event, *position, presence, arrival.is_own)?;
                if arrival.is_own {
                    writing.own(&arrival.event.id(), &OwnRow::default())?;
                }
            }
            writing.applied(*position);
        }
        writing.commit()?;
        self.forget_names(arrivals);
        Ok(())
    }

    /// Makes an event known without its words, by this node's choice: readers never see it, and peers who lack it can be
    /// given its header, the proof that it is one. Durable after the next [`EventStore::flush`]. An event that is known stays
    /// as it is, unless it was lost.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn decline(&self, event: &Verified, received_ms: u64) -> Result<(), StoreError> {
        let id = event.id();
        if self.row(&id)?.is_some_and(|row| row.presence != Presence::Lost) {
            return Ok(());
        }
        let marker = rows::encode(&LocalRecord::DeclinedNext { id });
        let bare = payload(received_ms, event.bytes_without_body());
        let positions = self.journal.append(&[(RecordKind::Local, &marker), (RecordKind::Event, &bare)])?;
        let mut writing = Writing::begin(self);
        writing.declined(event, positions[1])?;
        // Not the event's own position: read again without its marker, it would be an event like any other.
        writing.applied(positions[0]);
        let declined = writing.commit();
        self.is_dirty.store(true, Ordering::Release);
        declined
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
        for (_, action) in self.actions_of(number)? {
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

    /// Stores what no event says, durably.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn note(&self, records: &[LocalRecord]) -> Result<(), StoreError> {
        for batch in records.chunks(BATCH_EVENTS_MAX) {
            let noted = self.note_batch(batch);
            self.is_dirty.store(true, Ordering::Release);
            noted?;
        }
        self.flush()
    }

    fn note_batch(&self, batch: &[LocalRecord]) -> Result<(), StoreError> {
        let payloads: Vec<Vec<u8>> = batch.iter().map(rows::encode).collect();
        let appended: Vec<(RecordKind, &[u8])> =
            payloads.iter().map(|payload| (RecordKind::Local, payload.as_slice())).collect();
        let positions = self.journal.append(&appended)?;
        let mut writing = Writing::begin(self);
        for (record, position) in batch.iter().zip(positions) {
            writing.local(record, position)?;
            writing.applied(position);
        }
        writing.commit()?;
        for record in batch {
            if let LocalRecord::Read { root, position } = record {
                self.underway.arrived(root, *position);
            }
        }
        Ok(())
    }

    /// Marks the event as known and lost: its record in the log is damaged.
    pub(super) fn mark_lost(&self, row: &EventRow) -> Result<(), StoreError> {
        // The writer may have stored the event anew since the row was read.
        let mut writing = Writing::begin(self);
        if self.row(&row.id)?.as_ref() == Some(row) {
            writing.lost(row)?;
            let marked = writing.commit();
            self.is_dirty.store(true, Ordering::Release);
            marked?;
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

/// An event's record in the log.
fn payload(received_ms: u64, event: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(8 + event.len());
    payload.extend_from_slice(&received_ms.to_le_bytes());
    payload.extend_from_slice(event);
    payload
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
