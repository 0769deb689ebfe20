//! [`MemoryIndex`].

use std::{
    collections::BTreeMap,
    ops::Bound,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    super::index::{Batch, Direction, ENTRY_NAME_BYTES, Entry, Index, IndexError, Row, is_empty_range},
    Fuse, IN_MEMORY, ordered_fault,
};

/// An index in memory. See [`Index`] for what it promises.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    state: Mutex<IndexState>,
}

#[derive(Debug, Default)]
struct IndexState {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    entries: Vec<Entry>,
    names: BTreeMap<[u8; ENTRY_NAME_BYTES], u32>,
    /// Bytes of all keys and values.
    bytes: u64,
    /// How often rows or entries have changed.
    changes: u64,
    /// What changed since the last flush was this before, in order of change.
    undo: Vec<Undo>,
    /// A commit or a flush failed, and nobody has opened the index again.
    is_stopped: bool,
    fuse: Fuse,
}

#[derive(Debug)]
enum Undo {
    Row(Vec<u8>, Option<Vec<u8>>),
    /// An entry that was there.
    Changed(u32, Entry),
    /// The last entry is a new one.
    Added,
}

impl IndexState {
    fn enter(&mut self, number: u32, entry: Entry) {
        match self.entries.get_mut(number as usize) {
            Some(place) => self.undo.push(Undo::Changed(number, std::mem::replace(place, entry))),
            None => {
                self.names.insert(entry.name, number);
                self.entries.push(entry);
                self.undo.push(Undo::Added);
            }
        }
    }

    fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Row(key, before) => drop(self.put(key, before)),
            Undo::Changed(number, before) => self.entries[number as usize] = before,
            Undo::Added => {
                if let Some(entry) = self.entries.pop() {
                    self.names.remove(&entry.name);
                }
            }
        }
    }

    fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let key_bytes = key.len() as u64;
        let bytes = |value: &Vec<u8>| key_bytes + value.len() as u64;
        self.bytes += value.as_ref().map_or(0, bytes);
        let before = match value {
            Some(value) => self.rows.insert(key, value),
            None => self.rows.remove(&key),
        };
        self.bytes -= before.as_ref().map_or(0, bytes);
        before
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

    /// Whether an ordered fault has yet to happen.
    #[must_use]
    pub fn awaits_fault(&self) -> bool {
        self.state().fuse.operations_left > 0
    }

    /// How often rows have changed: as long as it is the same, so are they.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// A power cut and a fresh start: forgets what wasn't flushed, and any ordered fault.
    pub fn crash(&self) {
        let mut state = self.state();
        state.changes += 1;
        while let Some(undo) = state.undo.pop() {
            state.undo(undo);
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
            return Err(IndexError::Stopped { path: path(), text: "a write failed".to_owned() });
        }
        if state.fuse.burns() {
            state.is_stopped = action != "read";
            return Err(IndexError::Io { action, path: path(), source: ordered_fault() });
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
        let range = state.range(start, end).map(|(key, value)| (key.clone(), value.clone()));
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

    fn entry_count(&self) -> u32 {
        u32::try_from(self.state().entries.len()).unwrap_or(u32::MAX)
    }

    fn entry(&self, number: u32) -> Result<Option<Entry>, IndexError> {
        Ok(self.begin("read")?.entries.get(number as usize).copied())
    }

    fn entries(&self, from: u32, limit: usize) -> Result<Vec<Entry>, IndexError> {
        let state = self.begin("read")?;
        Ok(state.entries.iter().skip(from as usize).take(limit).copied().collect())
    }

    fn find(&self, name: &[u8; ENTRY_NAME_BYTES]) -> Result<Option<u32>, IndexError> {
        Ok(self.begin("read")?.names.get(name).copied())
    }

    fn named(
        &self,
        first_bytes: &[u8],
        limit: usize,
        is_meant: &dyn Fn(&Entry) -> bool,
    ) -> Result<Vec<Entry>, IndexError> {
        let state = self.begin("read")?;
        let all = state.names.iter().filter(|(name, _)| name.starts_with(first_bytes));
        let entries = all.map(|(_, number)| state.entries[*number as usize]);
        Ok(entries.filter(is_meant).take(limit).collect())
    }

    fn commit(&self, batch: &Batch) -> Result<(), IndexError> {
        batch.check(self.entry_count())?;
        let mut state = self.begin("write")?;
        state.changes += 1;
        for (key, value) in batch.rows() {
            let before = state.put(key.to_vec(), value.map(<[u8]>::to_vec));
            state.undo.push(Undo::Row(key.to_vec(), before));
        }
        batch.entries().iter().for_each(|(number, entry)| state.enter(*number, *entry));
        Ok(())
    }

    fn flush(&self) -> Result<(), IndexError> {
        self.begin("flush")?.undo.clear();
        Ok(())
    }

    fn disk_bytes(&self) -> Result<u64, IndexError> {
        let state = self.state();
        Ok(state.bytes + (state.entries.len() * size_of::<Entry>()) as u64)
    }
}
