//! Opening a store: is the index whole and of this format, what of it lives in memory, and which rows of the log does it
//! lack?

use super::events::{BATCH_EVENTS_MAX, EventStore, INDEX_FORMAT, StoreError};
use super::index::{Batch, Index};
use super::journal::{Journal, JournalError, Position, Record, RecordKind};
use super::keys::{self, Number, meta};
use super::known::KnownSets;
use super::log::SEGMENT_BYTES_MAX;
use super::marks::Underway;
use super::recent::{RECENT_BYTES_MAX, Recent};
use super::rows::{self, LocalRecord, OwnRow, Presence};
use super::shapes::Shapes;
use super::writing::{Interner, Writing};
use roda_protocol::id::{AuthorKey, EventId, NetworkId, SpaceId};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Bytes of log that one step of the catch-up reads: some 2,000 events, 50 ms.
const REPLAY_BYTES: usize = 1024 * 1024;

/// Bytes of log that a start catches up with before anybody is served: what half a second of full load leaves, several
/// times. More is an index that is made anew.
const REPLAY_AT_START_MAX: u32 = 8 << 20;

/// Counts of what opening a store did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CatchUp {
    /// Records of the log that the index did not have yet.
    pub records: u64,
    /// Damaged records that were met.
    pub damaged: u64,
}

/// An index on its way from a part of the log to all of it.
#[derive(Debug)]
pub struct Remaking {
    from: Position,
    marker: Option<Marker>,
    counts: CatchUp,
}

impl Remaking {
    /// What it has met so far.
    #[must_use]
    pub fn counts(&self) -> CatchUp {
        self.counts
    }
}

/// What a local record says of the event that follows it, which may stand in the next chunk.
#[derive(Clone, Copy, Debug)]
enum Marker {
    Own(EventId),
    Declined(EventId),
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
        let (store, mut remaking) = Self::open_with(journal, index, network, None)?;
        while store.remake(&mut remaking)? {}
        Ok((store, remaking.counts))
    }

    /// Opens the store of a reader, for whom it keeps an inbox. What the index has of another reader's stays. An index that
    /// lacks much of the log is given back as it is, with what makes it whole: [`EventStore::remake`], until that says
    /// that nothing is left. Until then only what it has can be read, and nothing may be taken in.
    ///
    /// # Errors
    ///
    /// As [`EventStore::open`].
    pub fn open_for(
        reader: AuthorKey,
        journal: Arc<dyn Journal>,
        index: Arc<dyn Index>,
        network: NetworkId,
    ) -> Result<(Self, Remaking), StoreError> {
        let (store, mut remaking) = Self::open_with(journal, index, network, Some(reader))?;
        let (from, end) = (remaking.from, store.journal.end());
        let is_near = from.segment() == end.segment() && end.offset() - from.offset() <= REPLAY_AT_START_MAX;
        while is_near && store.remake(&mut remaking)? {}
        Ok((store, remaking))
    }

    fn open_with(
        journal: Arc<dyn Journal>,
        index: Arc<dyn Index>,
        network: NetworkId,
        reader: Option<AuthorKey>,
    ) -> Result<(Self, Remaking), StoreError> {
        let store = Self {
            journal,
            index: RwLock::new(index),
            network,
            reader,
            known: KnownSets::default(),
            writer: Mutex::new(Interner::default()),
            names: RwLock::new(HashMap::new()),
            recent: Mutex::new(Recent::new(RECENT_BYTES_MAX)),
            shapes: Shapes::default(),
            underway: Underway::default(),
            live: Mutex::default(),
            compacted: Mutex::default(),
            bare: Mutex::default(),
            scrubs: Mutex::default(),
            is_dirty: AtomicBool::new(false),
            flushing: Mutex::default(),
            found_lost: AtomicBool::new(false),
            had_no_index: AtomicBool::new(false),
            is_incomplete: AtomicBool::new(false),
            remade_percent: Mutex::default(),
            durable: AtomicU64::new(0),
            derivation: AtomicU64::new(0),
            given_up: Mutex::default(),
        };
        store.check_meta()?;
        store.load(&mut store.writer.lock().unwrap_or_else(PoisonError::into_inner))?;
        let remaking = store.begin_remaking()?;
        Ok((store, remaking))
    }

    /// Throws the index away for an empty one and derives every row from the log again.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    #[cfg(test)]
    pub fn rebuild(&self, empty: Arc<dyn Index>) -> Result<CatchUp, StoreError> {
        let mut remaking = self.replace_index(empty)?;
        while self.remake(&mut remaking)? {}
        Ok(remaking.counts)
    }

    /// Throws the index away for an empty one, into which [`EventStore::remake`] derives every row from the log again.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn replace_index(&self, empty: Arc<dyn Index>) -> Result<Remaking, StoreError> {
        // Nobody loads members from the new index while the old one's sets are in memory.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell_remade(Some(self.journal.start()));
        self.derivation.fetch_add(1, Ordering::AcqRel);
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = empty;
        self.is_incomplete.store(false, Ordering::Relaxed);
        self.check_meta()?;
        self.load(&mut writer)?;
        self.shapes.clear();
        drop(writer);
        self.begin_remaking()
    }

    /// How much of an index that is being made is there, percent of the log; `None` if it is whole.
    #[must_use]
    pub fn remade_percent(&self) -> Option<u8> {
        *self.remade_percent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_meta(&self) -> Result<(), StoreError> {
        let index = self.index();
        if let Some(format) = index.get(&keys::meta_key(meta::FORMAT))? {
            let found: u32 = rows::decode(&format).ok_or(StoreError::Row)?;
            if found > INDEX_FORMAT {
                return Err(StoreError::NewerFormat { found });
            }
            if found < INDEX_FORMAT {
                return Err(StoreError::OlderIndex { found });
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
        batch.put(keys::meta_key(meta::FORMAT), rows::encode(&INDEX_FORMAT));
        batch.put(keys::meta_key(meta::NETWORK), self.network.0.to_vec());
        index.commit(&batch)?;
        Ok(())
    }

    /// Reads what lives in memory from the index, and compares what it has with what it should have: a damaged index can
    /// open without a word and lack rows. Those of threads and feeds are looked for by [`EventStore::find_damage`].
    fn load(&self, interner: &mut Interner) -> Result<(), StoreError> {
        *interner = Interner::default();
        self.names.write().unwrap_or_else(PoisonError::into_inner).clear();
        let numbers: BTreeMap<SpaceId, Number> = self.space_numbers()?.into_iter().collect();
        let (epochs, members) = self.epochs_of_index()?;
        let known: u64 = epochs.values().map(|state| state.count).sum();
        let named: BTreeSet<Number> = numbers.values().copied().collect();
        let has_strays = epochs.keys().any(|(number, _)| !named.contains(number));
        self.known.reset(numbers, epochs, members);
        interner.events = self.meta(meta::EVENTS)?.unwrap_or(0);
        interner.next = self.meta(meta::NEXT)?.unwrap_or(1);
        if !has_strays && known == interner.events { Ok(()) } else { Err(StoreError::Row) }
    }

    fn meta<T: Serialize + DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let value = self.index().get(&keys::meta_key(name))?;
        value.map(|value| rows::decode(&value).ok_or(StoreError::Row)).transpose()
    }

    /// Where the index goes on.
    fn begin_remaking(&self) -> Result<Remaking, StoreError> {
        let applied = self.meta(meta::APPLIED)?.map(Position);
        // It is where the last applied record starts, so a log that ends there has lost that record: the index can't be
        // a derivation of it.
        if applied.is_some_and(|applied| applied >= self.journal.end()) {
            return Err(StoreError::Row);
        }
        let from = applied.unwrap_or_else(|| self.journal.start());
        self.tell_remade(Some(from));
        Ok(Remaking { from, marker: None, counts: CatchUp::default() })
    }

    /// Derives the rows of the next records that the index has not seen. False when nothing is left: it is whole then, and
    /// durable.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn remake(&self, remaking: &mut Remaking) -> Result<bool, StoreError> {
        if self.remade_percent().is_none() {
            return Ok(false);
        }
        let replay = self.journal.replay(remaking.from, REPLAY_BYTES)?;
        // After an error all of the page is read again, as what was before it left off.
        let mut marker = remaking.marker;
        for chunk in replay.records.chunks(BATCH_EVENTS_MAX) {
            self.replay_chunk(chunk, &mut marker)?;
        }
        remaking.marker = marker;
        remaking.counts.records += replay.records.len() as u64;
        remaking.counts.damaged += replay.damaged.len() as u64;
        self.is_dirty.store(true, Ordering::Release);
        let is_over = replay.next == remaking.from;
        remaking.from = replay.next;
        if is_over {
            self.flush()?;
        }
        self.tell_remade((!is_over).then_some(remaking.from));
        Ok(!is_over)
    }

    fn tell_remade(&self, at: Option<Position>) {
        let percent = at.map(|at| {
            let (start, end) = (self.journal.start(), self.journal.end());
            let segments = u64::from(end.segment() - start.segment()) + 1;
            let passed = u64::from(at.segment().saturating_sub(start.segment())) * u64::from(SEGMENT_BYTES_MAX)
                + u64::from(at.offset().min(SEGMENT_BYTES_MAX));
            let whole = (segments - 1) * u64::from(SEGMENT_BYTES_MAX) + u64::from(end.offset()).max(1);
            u8::try_from(passed * 100 / whole).unwrap_or(99).min(99)
        });
        *self.remade_percent.lock().unwrap_or_else(PoisonError::into_inner) = percent;
    }

    fn replay_chunk(&self, records: &[Record], marker: &mut Option<Marker>) -> Result<(), StoreError> {
        let mut writing = Writing::begin(self);
        for record in records {
            match record.kind {
                RecordKind::Local => {
                    let local: LocalRecord = rows::decode(&record.payload).ok_or(StoreError::Record)?;
                    match &local {
                        LocalRecord::Network(network) if *network != self.network.0 => {
                            return Err(StoreError::OtherNetwork);
                        }
                        LocalRecord::Own { id } => *marker = Some(Marker::Own(*id)),
                        LocalRecord::DeclinedNext { id } => *marker = Some(Marker::Declined(*id)),
                        LocalRecord::TakenOff { position, kept } => {
                            self.take_off_again(Position(*position), kept, &mut writing)?;
                        }
                        _ => {}
                    }
                    writing.local(&local, record.position)?;
                    writing.applied(record.position);
                }
                RecordKind::Event | RecordKind::Scrubbed | RecordKind::Pruned => {
                    self.replay_event(record, marker.take(), &mut writing)?;
                }
            }
        }
        writing.commit()
    }

    /// Ends what the power may have cut short: the record is written over again, and if it was damaged until now its event
    /// is put where it belongs.
    fn take_off_again(&self, position: Position, kept: &[u8], writing: &mut Writing<'_>) -> Result<(), StoreError> {
        match self.journal.scrub(position, kept).and_then(|()| self.journal.read(position)) {
            Ok(record) => self.replay_event(&record, None, writing),
            // Damage of another kind: it is lost, and asked from peers.
            Err(JournalError::Damaged { .. } | JournalError::Absent { .. }) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    fn replay_event(
        &self,
        record: &Record,
        marker: Option<Marker>,
        writing: &mut Writing<'_>,
    ) -> Result<(), StoreError> {
        let stored = self.read_payload(&record.payload)?;
        let id = stored.event.id();
        if matches!(marker, Some(Marker::Declined(declined)) if declined == id) {
            // The mark of what was read stays at the local record: the event means nothing without it.
            return writing.declined(&stored.event, record.position);
        }
        let dropped = record.kind == RecordKind::Scrubbed || !stored.event.has_body();
        let presence = match record.kind {
            RecordKind::Pruned => Presence::Pruned,
            _ if dropped => Presence::BodyDropped,
            _ => Presence::Held,
        };
        let is_own = matches!(marker, Some(Marker::Own(own)) if own == id);
        writing.event(&stored.event, record.position, presence, is_own)?;
        if is_own {
            writing.own(&id, &OwnRow::default())?;
        }
        writing.applied(record.position);
        Ok(())
    }
}
