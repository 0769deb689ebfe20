//! [`MemoryJournal`].

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    super::journal::{
        Damage, Fate, Journal, JournalError, Position, Record, RecordKind, Replay, check_append, check_scrub,
    },
    Fuse, IN_MEMORY, ordered_fault,
};

/// What a record takes beside its payload, as on disk.
const RECORD_HEADER_BYTES: u64 = 9;

/// Where the first record starts, as on disk.
const START: Position = Position::new(1, 16);

/// A journal in memory. See [`Journal`] for what it promises.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    state: Mutex<JournalState>,
}

#[derive(Debug, Default)]
struct JournalState {
    /// In order of position.
    entries: Vec<Entry>,
    /// How many of them survive a crash.
    synced: usize,
    /// A sync failed, and nobody has opened the journal again.
    is_stopped: bool,
    fuse: Fuse,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    /// The payload's length at first: a scrub keeps the room.
    room: usize,
    is_damaged: bool,
}

impl Entry {
    fn bytes(&self) -> u64 {
        RECORD_HEADER_BYTES + self.room as u64
    }

    fn end(&self) -> Position {
        Position(self.record.position.0 + self.bytes())
    }
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the `nth` next operation fail, where 1 is the very next. Appends, syncs, reads, replays and
    /// scrubs count.
    pub fn fail_nth(&self, nth: u64) {
        self.state().fuse.operations_left = nth;
    }

    /// Whether an ordered fault has yet to happen.
    #[must_use]
    pub fn awaits_fault(&self) -> bool {
        self.state().fuse.operations_left > 0
    }

    /// A power cut and a fresh start: forgets what wasn't synced, and any ordered fault.
    pub fn crash(&self) {
        let mut state = self.state();
        let synced = state.synced;
        state.entries.truncate(synced);
        state.is_stopped = false;
        state.fuse = Fuse::default();
    }

    /// Damages the record at `position`, if there is one, as rot on a disk would.
    pub fn damage(&self, position: Position) {
        let mut state = self.state();
        if let Ok(found) = state.find(position) {
            state.entries[found].is_damaged = true;
        }
    }

    fn state(&self) -> MutexGuard<'_, JournalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts an operation: does it fail by order?
    fn begin(&self, action: &'static str) -> Result<MutexGuard<'_, JournalState>, JournalError> {
        let mut state = self.state();
        if state.fuse.burns() {
            return Err(JournalError::Io { action, path: IN_MEMORY.into(), source: ordered_fault() });
        }
        Ok(state)
    }
}

impl JournalState {
    fn end(&self) -> Position {
        self.entries.last().map_or(START, Entry::end)
    }

    fn find(&self, position: Position) -> Result<usize, JournalError> {
        let found = self.entries.binary_search_by_key(&position, |entry| entry.record.position);
        found.map_err(|_| JournalError::Absent { path: IN_MEMORY.into(), position })
    }

    fn find_sound(&self, position: Position) -> Result<usize, JournalError> {
        let found = self.find(position)?;
        if self.entries[found].is_damaged {
            return Err(JournalError::Damaged { path: IN_MEMORY.into(), position });
        }
        Ok(found)
    }

    fn refuse_when_stopped(&self) -> Result<(), JournalError> {
        if self.is_stopped {
            return Err(JournalError::Stopped { path: IN_MEMORY.into() });
        }
        Ok(())
    }
}

impl Journal for MemoryJournal {
    fn append(&self, records: &[(RecordKind, &[u8])]) -> Result<Vec<Position>, JournalError> {
        for (kind, payload) in records {
            check_append(Path::new(IN_MEMORY), *kind, payload)?;
        }
        let mut state = self.begin("append to")?;
        state.refuse_when_stopped()?;
        let mut positions = Vec::with_capacity(records.len());
        for (kind, payload) in records {
            let record = Record { position: state.end(), kind: *kind, payload: payload.to_vec() };
            positions.push(record.position);
            state.entries.push(Entry { record, room: payload.len(), is_damaged: false });
        }
        Ok(positions)
    }

    fn sync(&self) -> Result<(), JournalError> {
        let mut state = self.state();
        state.refuse_when_stopped()?;
        if state.fuse.burns() {
            state.is_stopped = true;
            return Err(JournalError::Io { action: "sync", path: IN_MEMORY.into(), source: ordered_fault() });
        }
        state.synced = state.entries.len();
        Ok(())
    }

    fn read(&self, position: Position) -> Result<Record, JournalError> {
        let state = self.begin("read")?;
        let found = state.find_sound(position)?;
        Ok(state.entries[found].record.clone())
    }

    fn replay(&self, from: Position, bytes_max: usize) -> Result<Replay, JournalError> {
        let state = self.begin("read")?;
        let mut replay = Replay { records: Vec::new(), damaged: Vec::new(), next: from.max(START).min(state.end()) };
        let first = state.entries.partition_point(|entry| entry.record.position < from);
        let mut bytes = 0;
        for entry in &state.entries[first..] {
            if !replay.records.is_empty() && bytes >= bytes_max as u64 {
                break;
            }
            if entry.is_damaged {
                replay.damaged.push(Damage { start: entry.record.position, bytes: entry.bytes() });
            } else {
                replay.records.push(entry.record.clone());
                bytes += entry.bytes();
            }
            replay.next = entry.end();
        }
        Ok(replay)
    }

    fn scrub_all(&self, records: &[(Position, Vec<u8>)]) -> Result<(), JournalError> {
        for (position, keep) in records {
            let mut state = self.begin("scrub a record of")?;
            state.refuse_when_stopped()?;
            let found = state.find(*position)?;
            let entry = &mut state.entries[found];
            check_scrub(Path::new(IN_MEMORY), entry.record.kind, keep, entry.room)?;
            entry.record.kind = RecordKind::Scrubbed;
            entry.record.payload.clone_from(keep);
            entry.is_damaged = false;
            state.synced = state.synced.max(found + 1);
        }
        Ok(())
    }

    fn sealed(&self) -> Vec<(u32, u64)> {
        // Its one segment is never full.
        Vec::new()
    }

    fn rewrite(&self, _: u32, _: &mut dyn FnMut(&Record) -> Fate) -> Result<Option<u64>, JournalError> {
        Ok(None)
    }

    fn start(&self) -> Position {
        START
    }

    fn end(&self) -> Position {
        self.state().end()
    }

    fn bytes(&self) -> u64 {
        u64::from(self.state().end().offset())
    }
}
