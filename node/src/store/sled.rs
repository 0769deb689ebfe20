//! [`SledIndex`]: the index on sled 0.34.7. No other file names sled.
//!
//! It owns one folder with one tree for the rows, and beside it the file of the entries ([`super::entries`]): a row of sled
//! costs a hundred bytes more on disk than it has, and several microseconds. What sled alone doesn't give is added here: a
//! flush that survives a power cut, errors in place of panics, readers that see a commit entirely or not at all, and an end
//! to all use after a write failed half-way.
//!
//! sled doesn't notice all damage: a file that was cut short can open with fewer rows, or none. So
//! whoever rebuilds must keep, as rows committed with the rest, how far the journal is applied,
//! and compare after opening.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    ops::Bound,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use ::sled::{Config, Db, Error as SledError, IVec, Mode};

use super::{
    caught::caught,
    disk::{Disk, DiskFile, is_unreadable},
    entries::{self, EntryFile},
    index::{
        Batch, Direction, ENTRY_NAME_BYTES, Entry, Index, IndexError, KEY_BYTES_MAX, OWN_TABLE, Row, VALUE_BYTES_MAX,
        is_empty_range,
    },
};

/// Key of the number of entries, u32.
const COUNT_KEY: [u8; 2] = [OWN_TABLE, b'c'];

/// The keys of entries that are to be written over begin with this, and go on with the number.
const CHANGED_PREFIX: [u8; 2] = [OWN_TABLE, b'r'];

/// The smallest key that is not sled's own.
const FIRST_KEY: [u8; 1] = [OWN_TABLE + 1];

/// sled's page cache: 32 MiB. Its default is 1 GiB, and it uses a multiple of what it is given; the
/// node's whole budget is 100 MiB with a million events.
const CACHE_BYTES: u64 = 32 << 20;

/// sled lets go of its lock on a thread of its own, a moment after it was closed: an index that is opened again at once
/// waits for it, up to a second. A node that has the index open keeps it for longer.
const LOCK_TRIES_MAX: usize = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Entries that are written over while nobody reads: a tenth of a millisecond.
const OVERWRITTEN_AT_ONCE: usize = 64;

/// How many damaged folders are kept for study, the newest included: 2, that bounds their space.
const SET_ASIDE_MAX: usize = 2;

/// What readers do, as a verb. The one thing that can go on after a write has failed.
const READ: &str = "read";

/// What opening does, as a verb. Hardly anything is written by it.
const OPEN: &str = "open";

/// From this size on sled keeps a page in a file of its own: a quarter of its 512 KiB segment.
const PAGE_BYTES_MAX: usize = 128 << 10;

/// How many rows a leaf of sled can have (16, and 3 from a merge), and how many keys an inner page.
const LEAF_ROWS_MAX: usize = 19;
const INNER_KEYS_MAX: usize = 257;

/// What sled writes beside a row's bytes, rounded up.
const ROW_OVERHEAD_BYTES: usize = 32;

// So there are no such files, and `flush` needs to sync one file only.
const _: () = assert!(LEAF_ROWS_MAX * (KEY_BYTES_MAX + VALUE_BYTES_MAX + ROW_OVERHEAD_BYTES) < PAGE_BYTES_MAX);
const _: () = assert!(INNER_KEYS_MAX * (KEY_BYTES_MAX + ROW_OVERHEAD_BYTES) < PAGE_BYTES_MAX);

/// The index on sled. See [`Index`] for what it promises.
pub struct SledIndex {
    folder: PathBuf,
    /// Taken out only by `drop`.
    database: Option<Db>,
    /// sled's data file, for our own sync.
    data: DiskFile,
    /// Readers share it, a commit has it alone: sled applies a batch row by row in sight of scans.
    entries: RwLock<EntryFile>,
    broken: OnceLock<Broken>,
}

/// Why nothing is asked of sled any more.
#[derive(Clone, Debug)]
enum Broken {
    /// It panicked or reported damage: what it has in memory can't be trusted.
    Damaged(String),
    /// A write failed: it takes none any more.
    Stopped(Stopped),
}

/// How a write failed.
#[derive(Clone, Debug)]
struct Stopped {
    text: String,
    /// Whether every commit is there entirely or not at all: then what there is can be read.
    is_whole: bool,
}

impl SledIndex {
    /// Opens the index in `folder`, which is made if there is none, and reads a little of it.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] when sled can't make sense of the files or panics: the caller lets go
    /// of everything, calls [`set_aside`] and opens again. [`IndexError::Locked`] when another process
    /// has it. Otherwise the disk refused.
    pub fn open(folder: &Path) -> Result<Self, IndexError> {
        Self::open_on(Disk::default(), folder)
    }

    pub(super) fn open_on(disk: Disk, folder: &Path) -> Result<Self, IndexError> {
        let io_error = |source| IndexError::Io { action: OPEN, path: folder.into(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io_error)?;
        let config = Config::new()
            .path(folder)
            .cache_capacity(CACHE_BYTES)
            .mode(Mode::LowSpace)
            .flush_every_ms(None)
            .use_compression(false);
        let mut tries = 0;
        let database = loop {
            match open_database(folder, &config) {
                Err(IndexError::Locked { .. }) if tries < LOCK_TRIES_MAX => {
                    tries += 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                opened => break opened?,
            }
        };
        let data = disk.open(OpenOptions::new().read(true).write(true), &folder.join("db")).map_err(io_error)?;
        let (count, kept) = match caught(|| entries_of(&database)) {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return Err(explain(folder, OPEN, error)),
            Err(text) => return Err(IndexError::Damaged { path: folder.into(), text }),
        };
        let entries = EntryFile::open(&disk, folder, count, &kept)
            .map_err(|error| explain(folder, OPEN, SledError::Io(error)))?;
        let (entries, broken) = (RwLock::new(entries), OnceLock::new());
        let index = Self { folder: folder.into(), database: Some(database), data, entries, broken };
        // What sled made or repaired while opening becomes durable before anything depends on it.
        index.flush()?;
        sync_names(&disk, folder).map_err(io_error)?;
        Ok(index)
    }

    /// Runs `work` on sled, unless it is broken already. A panic and a report of damage break it.
    fn ask<T>(&self, action: &'static str, work: impl FnOnce(&Db) -> Result<T, SledError>) -> Result<T, IndexError> {
        let path = || self.folder.clone();
        let database = match (self.broken.get(), &self.database) {
            (None, Some(database)) => database,
            (Some(Broken::Damaged(text)), _) => {
                return Err(IndexError::Damaged { path: path(), text: text.clone() });
            }
            (Some(Broken::Stopped(Stopped { is_whole: true, .. })), Some(database)) if action == READ => database,
            (Some(Broken::Stopped(stopped)), _) => {
                return Err(IndexError::Stopped { path: path(), text: stopped.text.clone() });
            }
            (None, None) => {
                return Err(IndexError::Stopped { path: path(), text: "it is closed".to_owned() });
            }
        };
        let error = match caught(|| work(database)) {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => explain(&self.folder, action, error),
            Err(text) => IndexError::Damaged { path: path(), text },
        };
        if let IndexError::Damaged { text, .. } = &error {
            // Another thread may have been first; one reason is enough.
            let _ = self.broken.set(Broken::Damaged(text.clone()));
        }
        Err(error)
    }

    /// The entries, to be read.
    fn shared(&self) -> RwLockReadGuard<'_, EntryFile> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entries, and nobody reads meanwhile.
    fn alone(&self) -> RwLockWriteGuard<'_, EntryFile> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets no further write follow one that failed, and readers only where no commit was left half-done.
    fn stop_after(&self, error: IndexError, is_whole: bool) -> IndexError {
        let _ = self.broken.set(Broken::Stopped(Stopped { text: error.to_string(), is_whole }));
        error
    }
}

impl Index for SledIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        let _shared = self.shared();
        self.ask(READ, |database| Ok(database.get(key)?.map(|value| value.to_vec())))
    }

    fn scan(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, IndexError> {
        if is_empty_range(start.max(&FIRST_KEY), end) || limit == 0 {
            return Ok(Vec::new());
        }
        let _shared = self.shared();
        self.ask(READ, |database| {
            let range = database.range::<&[u8], _>(bounds(start, end));
            match direction {
                Direction::Ascending => range.take(limit).map(copy_row).collect(),
                Direction::Descending => range.rev().take(limit).map(copy_row).collect(),
            }
        })
    }

    fn count(&self, start: &[u8], end: Option<&[u8]>, limit: usize) -> Result<usize, IndexError> {
        if is_empty_range(start.max(&FIRST_KEY), end) {
            return Ok(0);
        }
        let _shared = self.shared();
        self.ask(READ, |database| {
            let mut keys = database.range::<&[u8], _>(bounds(start, end)).keys().take(limit);
            keys.try_fold(0, |count, key| key.map(|_| count + 1))
        })
    }

    fn entry_count(&self) -> u32 {
        self.shared().count()
    }

    fn entry(&self, number: u32) -> Result<Option<Entry>, IndexError> {
        let entries = self.shared();
        self.ask(READ, |_| Ok(entries.get(number)?))
    }

    fn entries(&self, from: u32, limit: usize) -> Result<Vec<Entry>, IndexError> {
        let entries = self.shared();
        self.ask(READ, |_| Ok(entries.page(from, limit)?))
    }

    fn find(&self, name: &[u8; ENTRY_NAME_BYTES]) -> Result<Option<u32>, IndexError> {
        let entries = self.shared();
        self.ask(READ, |_| Ok(entries.find(name)?))
    }

    fn named(
        &self,
        first_bytes: &[u8],
        limit: usize,
        is_meant: &dyn Fn(&Entry) -> bool,
    ) -> Result<Vec<Entry>, IndexError> {
        let entries = self.shared();
        self.ask(READ, |_| Ok(entries.named(first_bytes, limit, is_meant)?))
    }

    fn commit(&self, batch: &Batch) -> Result<(), IndexError> {
        let mut entries = self.alone();
        let count = batch.check(entries.count())?;
        let mut rows = ::sled::Batch::default();
        for (key, value) in batch.rows() {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(key),
            }
        }
        entries.take_settled().into_iter().for_each(|number| rows.remove(changed_key(number)));
        for (number, entry) in batch.entries().iter().filter(|(number, _)| *number < entries.count()) {
            rows.insert(changed_key(*number), &entries::encode(entry)[..]);
        }
        if count > entries.count() {
            rows.insert(&COUNT_KEY, &count.to_be_bytes());
        }
        // Entries that were appended count for nothing until sled counts them.
        let append = |_: &Db| Ok(entries.append(batch.entries())?);
        self.ask("write", append).map_err(|error| self.stop_after(error, true))?;
        let apply = |database: &Db| database.apply_batch(rows);
        self.ask("write", apply).map_err(|error| self.stop_after(error, false))?;
        entries.take(batch.entries());
        Ok(())
    }

    fn flush(&self) -> Result<(), IndexError> {
        // sled asks the kernel only to start writing (`sync_file_range`): without our own sync no
        // established database survived a power cut, with it all did.
        // Nothing is held while the disk syncs: readers would wait behind a commit that waits for that.
        let (file, written, changed) = {
            let entries = self.shared();
            (entries.file(), entries.written(), entries.changed())
        };
        self.ask("flush", |database| {
            // First, so that no entry is counted durably before it is durable.
            file.sync()?;
            database.flush()?;
            self.data.sync()?;
            self.alone().settle(&written);
            let changed: Vec<(&u32, &Entry)> = changed.iter().collect();
            changed.chunks(OVERWRITTEN_AT_ONCE).try_for_each(|part| Ok(self.alone().overwrite(part.iter().copied())?))
        })
        .map_err(|error| self.stop_after(error, true))
    }

    fn is_damaged(&self) -> bool {
        matches!(self.broken.get(), Some(Broken::Damaged(_)))
    }

    fn is_stopped(&self) -> bool {
        matches!(self.broken.get(), Some(Broken::Stopped(_)))
    }

    fn disk_bytes(&self) -> Result<u64, IndexError> {
        let sum = folder_bytes(&self.folder);
        sum.map_err(|source| IndexError::Io { action: "measure", path: self.folder.clone(), source })
    }
}

impl Drop for SledIndex {
    fn drop(&mut self) {
        let database = self.database.take();
        if matches!(self.broken.get(), Some(Broken::Damaged(_))) {
            // Closing writes, and a sled that has panicked may panic again while it unwinds, which
            // would end the process. It leaks instead; its lock stays on the folder that is set aside.
            std::mem::forget(database);
        } else if let Err(text) = caught(|| drop(database)) {
            tracing::warn!(index = %self.folder.display(), %text, "the index failed while it was closed");
        }
    }
}

/// Opens sled and reads a little.
fn open_database(folder: &Path, config: &Config) -> Result<Db, IndexError> {
    let opened = caught(|| {
        let database = config.open()?;
        database.first()?;
        database.last()?;
        Ok(database)
    });
    match opened {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(error)) => Err(explain(folder, OPEN, error)),
        Err(text) => Err(IndexError::Damaged { path: folder.into(), text }),
    }
}

/// Renames the damaged index `folder` to `<folder>.damaged-<suffix>`, and returns the new name.
///
/// At most two such folders are kept, by the order of their names: `suffix` is best a time
/// that sorts as text.
///
/// # Errors
/// The disk refused.
pub fn set_aside(folder: &Path, suffix: &str) -> io::Result<PathBuf> {
    let name = folder.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let prefix = format!("{name}.damaged-");
    let mut aside = parent.join(format!("{prefix}{suffix}"));
    let mut attempt = 1;
    while aside.exists() {
        attempt += 1;
        aside = parent.join(format!("{prefix}{suffix}.{attempt}"));
    }
    std::fs::rename(folder, &aside)?;
    let mut older = Vec::new();
    for entry in std::fs::read_dir(parent)? {
        let path = entry?.path();
        let is_ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
        if is_ours && path.file_name() != aside.file_name() {
            older.push(path);
        }
    }
    older.sort();
    for path in older.iter().rev().skip(SET_ASIDE_MAX - 1) {
        std::fs::remove_dir_all(path)?;
    }
    File::open(parent)?.sync_all()?;
    Ok(aside)
}

/// Makes the names in the folder durable, and the small file that sled never syncs.
fn sync_names(disk: &Disk, folder: &Path) -> io::Result<()> {
    File::open(folder.join("conf"))?.sync_all()?;
    disk.sync_names(folder, &File::open(folder)?)?;
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

fn folder_bytes(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(data) if data.is_dir() => sum += folder_bytes(&entry.path())?,
            Ok(data) => sum += data.len(),
            // sled removes files of its own accord.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sum)
}

/// How many entries sled counts, and those that it keeps because they are to be written over.
fn entries_of(database: &Db) -> Result<(u32, Vec<(u32, Entry)>), SledError> {
    let damage = |what: &str| SledError::Io(io::Error::new(io::ErrorKind::InvalidData, what));
    let count = match database.get(COUNT_KEY)? {
        Some(count) => count.as_ref().try_into().map_err(|_| damage("the number of entries is none"))?,
        None => [0; 4],
    };
    let mut kept = Vec::new();
    for row in database.scan_prefix(CHANGED_PREFIX) {
        let (key, record) = row?;
        let number = key[CHANGED_PREFIX.len()..].try_into().map_err(|_| damage("a key is none"))?;
        let number = u32::from_be_bytes(number);
        kept.push((number, entries::decode(&record, number)?));
    }
    Ok((u32::from_be_bytes(count), kept))
}

fn changed_key(number: u32) -> Vec<u8> {
    [&CHANGED_PREFIX[..], &number.to_be_bytes()].concat()
}

fn bounds<'a>(start: &'a [u8], end: Option<&'a [u8]>) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
    (Bound::Included(start.max(&FIRST_KEY)), end.map_or(Bound::Unbounded, Bound::Excluded))
}

fn copy_row(row: Result<(IVec, IVec), SledError>) -> Result<Row, SledError> {
    row.map(|(key, value)| (key.to_vec(), value.to_vec()))
}

/// What an error of sled means for us: is the disk to blame, or are the files?
fn explain(folder: &Path, action: &'static str, error: SledError) -> IndexError {
    let path = folder.to_path_buf();
    // A sector that can't be read stays so: the index is made anew, elsewhere on the disk.
    let is_reading = matches!(action, READ | OPEN);
    match error {
        SledError::Io(source) if source.to_string().contains("could not acquire lock") => IndexError::Locked { path },
        SledError::Io(source) if is_damage(source.kind()) || (is_unreadable(&source) && is_reading) => {
            IndexError::Damaged { path, text: source.to_string() }
        }
        SledError::Io(source) => IndexError::Io { action, path, source },
        other => IndexError::Damaged { path, text: other.to_string() },
    }
}

/// Whether the files, and not the disk, made a read fail: it went beyond the end, or to a file that is
/// gone.
fn is_damage(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
    matches!(kind, InvalidData | InvalidInput | NotFound | UnexpectedEof)
}

#[cfg(test)]
mod tests;
