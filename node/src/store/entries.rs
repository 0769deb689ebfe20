//! The entries of an index on a disk: a file of records of one size, and their names in memory.
//!
//! A new entry is appended, and becomes one when the index beside it, sled, counts it. One that changes is kept in memory
//! and by sled until sled's copy is durable, then written over here; when that is durable, sled forgets it. So after a crash
//! at any moment the file and what sled keeps make up the entries of the commits that sled has. Every record has a checksum
//! and is checked whenever it is read, all of them at the start.
//!
//! ```text
//! record  name, 32 bytes | 1 if it has a value, else 0 | value, 27 bytes | crc32 of these 60 bytes u32
//! ```

use super::disk::{Disk, DiskFile, read_at};
use super::index::{ENTRY_NAME_BYTES, ENTRY_VALUE_BYTES, Entry};
use super::names::Names;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a record.
pub(super) const RECORD_BYTES: usize = ENTRY_NAME_BYTES + 1 + ENTRY_VALUE_BYTES + 4;

/// Records that one step of the start reads: 1 MiB of them.
const STEP_RECORDS: usize = (1 << 20) / RECORD_BYTES;

/// The file's name in the index's folder.
const FILE_NAME: &str = "entries";

/// See the module.
pub(super) struct EntryFile {
    file: Arc<DiskFile>,
    path: PathBuf,
    count: u32,
    names: Names,
    /// Changes that the file doesn't have yet.
    changed: BTreeMap<u32, Entry>,
    /// Entries that were written over since the file was synced last, or while it was.
    written: BTreeSet<u32>,
    /// Entries that were written over and are durable.
    settled: Vec<u32>,
}

impl EntryFile {
    /// Opens the file with so many entries, and writes over those that sled keeps. What stands behind them never became part
    /// of the index, and is cut off.
    ///
    /// # Errors
    ///
    /// The disk refused; of kind [`io::ErrorKind::InvalidData`] if the file is not that of the index.
    pub(super) fn open(disk: &Disk, folder: &Path, count: u32, kept: &[(u32, Entry)]) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let path = folder.join(FILE_NAME);
        let file = Arc::new(disk.open(&options, &path)?);
        let bytes = place(count);
        let found = file.metadata()?.len();
        if found < bytes {
            return Err(damage(&format!("{FILE_NAME} has {found} bytes, and {bytes} belong to it")));
        }
        if found > bytes {
            file.cut(bytes)?;
        }
        let names = Names::default();
        let mut entries =
            Self { file, path, count, names, changed: BTreeMap::new(), written: BTreeSet::new(), settled: Vec::new() };
        for (number, entry) in kept {
            if *number >= count {
                return Err(damage(&format!("entry {number} was to change, and there are {count}")));
            }
            entries.file.write_at(&encode(entry), place(*number))?;
            entries.written.insert(*number);
        }
        let mut from = 0;
        while from < count {
            let step = entries.page(from, STEP_RECORDS)?;
            step.iter().zip(from..).for_each(|(entry, number)| entries.names.push(&entry.name, number));
            from += u32::try_from(step.len()).map_err(io::Error::other)?;
        }
        entries.names.sort();
        Ok(entries)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The entry of a number.
    pub(super) fn get(&self, number: u32) -> io::Result<Option<Entry>> {
        if number >= self.count {
            return Ok(None);
        }
        if let Some(entry) = self.changed.get(&number) {
            return Ok(Some(*entry));
        }
        let mut record = [0; RECORD_BYTES];
        read_at(&self.file, &self.path, &mut record, place(number))?;
        Ok(Some(decode(&record, number)?))
    }

    /// Entries from a number on, at most `limit`.
    pub(super) fn page(&self, from: u32, limit: usize) -> io::Result<Vec<Entry>> {
        let count = limit.min(self.count.saturating_sub(from) as usize);
        let mut bytes = vec![0; count * RECORD_BYTES];
        read_at(&self.file, &self.path, &mut bytes, place(from))?;
        let entry = |(record, number): (&[u8], u32)| match self.changed.get(&number) {
            Some(entry) => Ok(*entry),
            None => decode(record, number),
        };
        bytes.chunks_exact(RECORD_BYTES).zip(from..).map(entry).collect()
    }

    /// The number of the entry with this name.
    pub(super) fn find(&self, name: &[u8; ENTRY_NAME_BYTES]) -> io::Result<Option<u32>> {
        for number in self.names.like(name) {
            if self.get(number)?.is_some_and(|entry| entry.name == *name) {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// The entries whose names begin with these bytes and that are meant, by name, at most `limit`.
    pub(super) fn named(
        &self,
        first_bytes: &[u8],
        limit: usize,
        is_meant: &dyn Fn(&Entry) -> bool,
    ) -> io::Result<Vec<Entry>> {
        let mut found: Vec<Entry> = Vec::new();
        for group in self.names.beginning_with(first_bytes) {
            if found.len() >= limit {
                break;
            }
            let start = found.len();
            for number in group {
                let entry = self.get(number)?;
                found.extend(entry.filter(|entry| entry.name.starts_with(first_bytes) && is_meant(entry)));
            }
            found[start..].sort_unstable_by_key(|entry| entry.name);
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Writes the new entries of a batch behind the others. They count when [`EntryFile::take`] has taken them.
    pub(super) fn append(&self, batch: &[(u32, Entry)]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(batch.len() * RECORD_BYTES);
        for (number, entry) in batch.iter().filter(|(number, _)| *number >= self.count) {
            let at = (number - self.count) as usize * RECORD_BYTES;
            bytes.resize(bytes.len().max(at + RECORD_BYTES), 0);
            bytes[at..at + RECORD_BYTES].copy_from_slice(&encode(entry));
        }
        self.file.write_at(&bytes, place(self.count))
    }

    /// Takes in the entries of a batch, of which the new ones were appended and sled keeps the others.
    pub(super) fn take(&mut self, batch: &[(u32, Entry)]) {
        let count_before = self.count;
        for (number, entry) in batch {
            if *number == self.count {
                self.names.insert(&entry.name, *number);
                self.count += 1;
            } else if *number < count_before {
                self.changed.insert(*number, *entry);
            }
        }
    }

    /// The file, to be synced while others read and write: what was written before is durable then.
    pub(super) fn file(&self) -> Arc<DiskFile> {
        Arc::clone(&self.file)
    }

    /// The numbers that a sync settles if it begins now.
    pub(super) fn written(&self) -> BTreeSet<u32> {
        self.written.clone()
    }

    /// Changes that sled keeps durably if it is flushed now.
    pub(super) fn changed(&self) -> BTreeMap<u32, Entry> {
        self.changed.clone()
    }

    /// These were written over before a sync that succeeded.
    pub(super) fn settle(&mut self, synced: &BTreeSet<u32>) {
        self.written.retain(|number| !synced.contains(number));
        self.settled.extend(synced);
    }

    /// Writes these changes, which sled keeps durably, over what the file has.
    pub(super) fn overwrite<'a>(&mut self, kept: impl IntoIterator<Item = (&'a u32, &'a Entry)>) -> io::Result<()> {
        for (number, entry) in kept {
            self.file.write_at(&encode(entry), place(*number))?;
            self.written.insert(*number);
            if self.changed.get(number) == Some(entry) {
                self.changed.remove(number);
            }
        }
        Ok(())
    }

    /// What sled need not keep any more: durable here, and not changed again.
    pub(super) fn take_settled(&mut self) -> Vec<u32> {
        let mut settled = std::mem::take(&mut self.settled);
        settled.retain(|number| !self.changed.contains_key(number) && !self.written.contains(number));
        settled
    }
}

fn place(number: u32) -> u64 {
    u64::from(number) * RECORD_BYTES as u64
}

/// The bytes of an entry.
pub(super) fn encode(entry: &Entry) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[..ENTRY_NAME_BYTES].copy_from_slice(&entry.name);
    if let Some(value) = &entry.value {
        record[ENTRY_NAME_BYTES] = 1;
        record[ENTRY_NAME_BYTES + 1..][..ENTRY_VALUE_BYTES].copy_from_slice(value);
    }
    let crc = crc32fast::hash(&record[..RECORD_BYTES - 4]);
    record[RECORD_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
    record
}

/// The entry of a record.
pub(super) fn decode(record: &[u8], number: u32) -> io::Result<Entry> {
    let parts = record.split_at_checked(RECORD_BYTES - 4).and_then(|(content, crc)| {
        let is_whole = crc == crc32fast::hash(content).to_le_bytes();
        let (name, rest) = content.split_first_chunk::<ENTRY_NAME_BYTES>()?;
        let (has_value, value) = rest.split_first()?;
        let value = value.first_chunk::<ENTRY_VALUE_BYTES>()?;
        (is_whole && *has_value <= 1).then_some(Entry { name: *name, value: (*has_value == 1).then_some(*value) })
    });
    parts.ok_or_else(|| damage(&format!("entry {number} is damaged")))
}

fn damage(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u32, value: u8) -> (u32, Entry) {
        (number, Entry { name: [number as u8; 32], value: Some([value; ENTRY_VALUE_BYTES]) })
    }

    #[test]
    fn what_never_became_part_of_the_index_is_cut_off_and_what_waits_is_written_over() {
        let folder = tempfile::TempDir::new().unwrap();
        let mut file = EntryFile::open(&Disk::default(), folder.path(), 0, &[]).unwrap();
        let two = [entry(0, 1), entry(1, 1)];
        file.append(&two).unwrap();
        file.take(&two);
        file.append(&[entry(2, 1)]).unwrap();
        drop(file);
        let mut file = EntryFile::open(&Disk::default(), folder.path(), 2, &[entry(1, 9)]).unwrap();
        assert_eq!(file.page(0, 9).unwrap(), [entry(0, 1).1, entry(1, 9).1]);
        assert_eq!((file.find(&[1; 32]).unwrap(), file.find(&[2; 32]).unwrap()), (Some(1), None));
        // A change and a second thought about a new one, in one batch.
        let batch = [entry(2, 3), entry(2, 4), entry(3, 5)];
        file.append(&batch).unwrap();
        file.take(&batch);
        assert_eq!(file.get(2).unwrap(), Some(entry(2, 4).1));
        assert_eq!(file.find(&[3; 32]).unwrap(), Some(3));
    }

    #[test]
    fn a_change_is_seen_at_once_and_kept_until_it_is_settled() {
        let folder = tempfile::TempDir::new().unwrap();
        let mut file = EntryFile::open(&Disk::default(), folder.path(), 0, &[]).unwrap();
        let two = [entry(0, 1), entry(1, 1)];
        file.append(&two).unwrap();
        file.take(&two);
        file.take(&[entry(1, 2)]);
        assert_eq!(file.page(0, 9).unwrap(), [entry(0, 1).1, entry(1, 2).1]);
        // sled was flushed, while it changed once more.
        let kept = file.changed();
        file.take(&[entry(1, 3)]);
        file.overwrite(&kept).unwrap();
        assert_eq!(file.get(1).unwrap(), Some(entry(1, 3).1));
        let written = file.written();
        file.file().sync().unwrap();
        file.settle(&written);
        assert!(file.take_settled().is_empty(), "sled alone has the second change");
        file.overwrite(&file.changed()).unwrap();
        let written = file.written();
        file.file().sync().unwrap();
        file.settle(&written);
        assert_eq!((file.take_settled(), file.take_settled()), (vec![1], vec![]));
        drop(file);
        assert_eq!(
            EntryFile::open(&Disk::default(), folder.path(), 2, &[]).unwrap().get(1).unwrap(),
            Some(entry(1, 3).1)
        );
    }

    #[test]
    fn a_file_that_is_too_short_or_has_a_changed_bit_anywhere_is_damaged() {
        let folder = tempfile::TempDir::new().unwrap();
        let mut file = EntryFile::open(&Disk::default(), folder.path(), 0, &[]).unwrap();
        let all: Vec<(u32, Entry)> = (0..3).map(|number| entry(number, 7)).collect();
        file.append(&all).unwrap();
        file.take(&all);
        drop(file);
        let path = folder.path().join(FILE_NAME);
        let whole = std::fs::read(&path).unwrap();
        let is_damaged = || {
            let refused = EntryFile::open(&Disk::default(), folder.path(), 3, &[]).err().map(|error| error.kind());
            refused == Some(io::ErrorKind::InvalidData)
        };
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x40;
            std::fs::write(&path, changed).unwrap();
            assert!(is_damaged(), "byte {at}");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(is_damaged());
        std::fs::write(&path, &whole).unwrap();
        assert!(!is_damaged());
    }
}
