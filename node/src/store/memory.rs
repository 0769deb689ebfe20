//! [`MemoryJournal`] and [`MemoryIndex`]: both traits without a disk, with faults to order.
//!
//! They keep the promises of the traits, the one about durability included: [`crash`] takes away
//! exactly what wasn't synced or flushed. A simulation crashes a node by dropping everything but these
//! two, calling `crash` on both and starting again on them.
//!
//! [`crash`]: MemoryJournal::crash

use std::{
    collections::BTreeMap,
    io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    index::{Batch, Direction, Index, IndexError, Row, is_empty_range},
    journal::{
        Damage, Journal, JournalError, Position, Record, RecordKind, Replay, check_append,
        check_scrub,
    },
};

/// Stands where a file's path would in an error.
const IN_MEMORY: &str = "in memory";

/// What a record takes beside its payload, as on disk.
const RECORD_HEADER_BYTES: u64 = 9;

/// Where the first record starts, as on disk.
const START: Position = Position::new(1, 16);

/// Counts down to an operation that fails.
#[derive(Debug, Default)]
struct Fuse {
    /// 0: nothing is ordered.
    operations_left: u64,
}

impl Fuse {
    /// Counts one operation, and says whether it is the one to fail.
    fn burns(&mut self) -> bool {
        let was = self.operations_left;
        self.operations_left = was.saturating_sub(1);
        was == 1
    }
}

fn ordered_fault() -> io::Error {
    io::Error::other("a fault was ordered")
}

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
            return Err(JournalError::Io {
                action,
                path: IN_MEMORY.into(),
                source: ordered_fault(),
            });
        }
        Ok(state)
    }
}

impl JournalState {
    fn end(&self) -> Position {
        self.entries.last().map_or(START, Entry::end)
    }

    fn find(&self, position: Position) -> Result<usize, JournalError> {
        let found = self
            .entries
            .binary_search_by_key(&position, |entry| entry.record.position);
        found.map_err(|_| JournalError::Absent {
            path: IN_MEMORY.into(),
            position,
        })
    }

    fn find_sound(&self, position: Position) -> Result<usize, JournalError> {
        let found = self.find(position)?;
        if self.entries[found].is_damaged {
            return Err(JournalError::Damaged {
                path: IN_MEMORY.into(),
                position,
            });
        }
        Ok(found)
    }

    fn refuse_when_stopped(&self) -> Result<(), JournalError> {
        if self.is_stopped {
            return Err(JournalError::Stopped {
                path: IN_MEMORY.into(),
            });
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
            let record = Record {
                position: state.end(),
                kind: *kind,
                payload: payload.to_vec(),
            };
            positions.push(record.position);
            state.entries.push(Entry {
                record,
                room: payload.len(),
                is_damaged: false,
            });
        }
        Ok(positions)
    }

    fn sync(&self) -> Result<(), JournalError> {
        let mut state = self.state();
        state.refuse_when_stopped()?;
        if state.fuse.burns() {
            state.is_stopped = true;
            return Err(JournalError::Io {
                action: "sync",
                path: IN_MEMORY.into(),
                source: ordered_fault(),
            });
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
        let mut replay = Replay {
            records: Vec::new(),
            damaged: Vec::new(),
            next: from.max(START).min(state.end()),
        };
        let first = state
            .entries
            .partition_point(|entry| entry.record.position < from);
        let mut bytes = 0;
        for entry in &state.entries[first..] {
            if !replay.records.is_empty() && bytes >= bytes_max as u64 {
                break;
            }
            if entry.is_damaged {
                replay.damaged.push(Damage {
                    start: entry.record.position,
                    bytes: entry.bytes(),
                });
            } else {
                replay.records.push(entry.record.clone());
                bytes += entry.bytes();
            }
            replay.next = entry.end();
        }
        Ok(replay)
    }

    fn scrub(&self, position: Position, keep: &[u8]) -> Result<(), JournalError> {
        let mut state = self.begin("scrub a record of")?;
        state.refuse_when_stopped()?;
        let found = state.find_sound(position)?;
        let entry = &mut state.entries[found];
        check_scrub(Path::new(IN_MEMORY), entry.record.kind, keep, entry.room)?;
        entry.record.kind = RecordKind::Scrubbed;
        entry.record.payload = keep.to_vec();
        state.synced = state.synced.max(found + 1);
        Ok(())
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

/// An index in memory. See [`Index`] for what it promises.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    state: Mutex<IndexState>,
}

#[derive(Debug, Default)]
struct IndexState {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What the rows that changed since the last flush were before, in order of change.
    undo: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// A commit or a flush failed, and nobody has opened the index again.
    is_stopped: bool,
    fuse: Fuse,
}

impl IndexState {
    fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        match value {
            Some(value) => self.rows.insert(key, value),
            None => self.rows.remove(&key),
        }
    }

    fn range<'a>(
        &'a self,
        start: &'a [u8],
        end: Option<&'a [u8]>,
    ) -> impl DoubleEndedIterator<Item = (&'a Vec<u8>, &'a Vec<u8>)> {
        // A map's range panics when it ends before it starts.
        let end = end.map_or(Bound::Unbounded, |end| Bound::Excluded(end.max(start)));
        self.rows.range::<[u8], _>((Bound::Included(start), end))
    }
}

impl MemoryIndex {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the `nth` next operation fail, where 1 is the very next. Gets, scans, counts, commits and
    /// flushes count.
    pub fn fail_nth(&self, nth: u64) {
        self.state().fuse.operations_left = nth;
    }

    /// A power cut and a fresh start: forgets what wasn't flushed, and any ordered fault.
    pub fn crash(&self) {
        let mut state = self.state();
        while let Some((key, before)) = state.undo.pop() {
            state.put(key, before);
        }
        state.is_stopped = false;
        state.fuse = Fuse::default();
    }

    fn state(&self) -> MutexGuard<'_, IndexState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts an operation: does it fail by order, or because a write failed before?
    fn begin(&self, action: &'static str) -> Result<MutexGuard<'_, IndexState>, IndexError> {
        let path = || PathBuf::from(IN_MEMORY);
        let mut state = self.state();
        if state.is_stopped {
            return Err(IndexError::Stopped {
                path: path(),
                text: "a write failed".to_owned(),
            });
        }
        if state.fuse.burns() {
            state.is_stopped = action != "read";
            return Err(IndexError::Io {
                action,
                path: path(),
                source: ordered_fault(),
            });
        }
        Ok(state)
    }
}

impl Index for MemoryIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(self.begin("read")?.rows.get(key).cloned())
    }

    fn scan(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, IndexError> {
        let state = self.begin("read")?;
        let range = state
            .range(start, end)
            .map(|(key, value)| (key.clone(), value.clone()));
        Ok(match direction {
            Direction::Ascending => range.take(limit).collect(),
            Direction::Descending => range.rev().take(limit).collect(),
        })
    }

    fn count(&self, start: &[u8], end: Option<&[u8]>, limit: usize) -> Result<usize, IndexError> {
        let state = self.begin("read")?;
        if is_empty_range(start, end) {
            return Ok(0);
        }
        Ok(state.range(start, end).take(limit).count())
    }

    fn commit(&self, batch: &Batch) -> Result<(), IndexError> {
        batch.check()?;
        let mut state = self.begin("write")?;
        for (key, value) in batch.rows() {
            let before = state.put(key.to_vec(), value.map(<[u8]>::to_vec));
            state.undo.push((key.to_vec(), before));
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), IndexError> {
        self.begin("flush")?.undo.clear();
        Ok(())
    }

    fn disk_bytes(&self) -> Result<u64, IndexError> {
        let state = self.state();
        Ok(state
            .rows
            .iter()
            .map(|(key, value)| (key.len() + value.len()) as u64)
            .sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(index: &MemoryIndex, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        let mut batch = Batch::new();
        batch.put(key.to_vec(), value.to_vec());
        index.commit(&batch)
    }

    #[test]
    fn a_crash_takes_the_records_that_were_not_synced() {
        let journal = MemoryJournal::new();
        let kept = journal
            .append(&[(RecordKind::Event, b"kept")])
            .expect("an append")[0];
        journal.sync().expect("a sync");
        let lost = journal
            .append(&[(RecordKind::Event, b"lost")])
            .expect("an append")[0];
        journal.crash();
        assert_eq!(journal.read(kept).expect("a read").payload, b"kept");
        assert!(matches!(
            journal.read(lost),
            Err(JournalError::Absent { .. })
        ));
        assert_eq!(journal.end(), lost);
    }

    #[test]
    fn a_crash_takes_the_commits_that_were_not_flushed() {
        let index = MemoryIndex::new();
        commit(&index, b"a", b"old").expect("a commit");
        index.flush().expect("a flush");
        for value in [b"new", b"two"] {
            commit(&index, b"a", value).expect("a commit");
            commit(&index, b"b", value).expect("a commit");
        }
        index.crash();
        let rows = index
            .scan(b"", None, Direction::Ascending, 9)
            .expect("a scan");
        assert_eq!(rows, [(b"a".to_vec(), b"old".to_vec())]);
    }

    #[test]
    fn the_ordered_operation_fails_and_changes_nothing() {
        let journal = MemoryJournal::new();
        journal.fail_nth(2);
        let position = journal
            .append(&[(RecordKind::Event, b"one")])
            .expect("an append")[0];
        let failed = journal.append(&[(RecordKind::Event, b"two")]);
        assert!(matches!(failed, Err(JournalError::Io { .. })));
        assert_eq!(journal.read(position).expect("a read").payload, b"one");
        assert_eq!(
            journal.replay(START, 99).expect("a replay").records.len(),
            1
        );

        let index = MemoryIndex::new();
        index.fail_nth(2);
        commit(&index, b"a", b"1").expect("a commit");
        assert!(matches!(index.get(b"a"), Err(IndexError::Io { .. })));
        assert_eq!(index.get(b"a").expect("a get"), Some(b"1".to_vec()));
    }

    #[test]
    fn a_failed_sync_or_commit_ends_writing_until_a_crash() {
        let journal = MemoryJournal::new();
        journal
            .append(&[(RecordKind::Event, b"one")])
            .expect("an append");
        journal.fail_nth(1);
        assert!(matches!(journal.sync(), Err(JournalError::Io { .. })));
        assert!(matches!(journal.sync(), Err(JournalError::Stopped { .. })));
        assert!(matches!(
            journal.append(&[]),
            Err(JournalError::Stopped { .. })
        ));
        journal.crash();
        assert_eq!(journal.end(), START);
        journal.sync().expect("a sync");

        let index = MemoryIndex::new();
        index.fail_nth(1);
        assert!(matches!(
            commit(&index, b"a", b"1"),
            Err(IndexError::Io { .. })
        ));
        assert!(matches!(index.get(b"a"), Err(IndexError::Stopped { .. })));
        index.crash();
        assert_eq!(index.get(b"a").expect("a get"), None);
    }

    #[test]
    fn a_damaged_record_is_reported_and_passed_over() {
        let journal = MemoryJournal::new();
        let records: [(RecordKind, &[u8]); 2] =
            [(RecordKind::Event, b"one"), (RecordKind::Event, b"two")];
        let positions = journal.append(&records).expect("an append");
        journal.damage(positions[0]);
        assert!(matches!(
            journal.read(positions[0]),
            Err(JournalError::Damaged { .. })
        ));
        let replay = journal.replay(START, 99).expect("a replay");
        assert_eq!(replay.records[0].payload, b"two");
        assert_eq!(
            replay.damaged,
            [Damage {
                start: positions[0],
                bytes: 12
            }]
        );
    }
}
