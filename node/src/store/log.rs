//! [`FileLog`]: the journal as a folder of segment files.
//!
//! It owns the folder: one process at a time, held by a lock on it. Records are written with one
//! `pwrite` behind the last one; a full segment is synced before the next one is made. Reads never
//! wait for the writer. Only the last segment can have a torn tail, and opening cuts it; damage
//! elsewhere is skipped, reported, and costs no record but its own.
//!
//! Apart from that cut the log removes nothing on its own account: a full segment is rewritten when its owner says what of it
//! is dead. It stops writing for good after a sync failed.

mod folder;
mod packed;
mod scrubbing;

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use self::folder::{Recovered, create_segment, io_error, open_folder, recover_last, segment_lengths, segment_path};
use self::packed::Places;
use super::{
    disk::{Disk, DiskFile, FREE_BYTES_MIN},
    journal::{Damage, Fate, Journal, JournalError, Position, Record, RecordKind, Replay, check_append},
    segment::{After, FILE_HEADER_BYTES, RECORD_HEADER_BYTES, Segment, Step, check_file_header, encode},
};

/// The most bytes of a segment file: 64 MiB.
///
/// Only the last segment is read at start-up: a full one of 160,000 records took 27 to 41 ms (measured,
/// files in the page cache). A million events of 400 bytes make seven files.
pub const SEGMENT_BYTES_MAX: u32 = 64 << 20;

/// The most files held open for reading: 16, that is 1 GiB of recent log without a call to open.
const READERS_MAX: usize = 16;

/// What opening a log found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OpenReport {
    /// How many segment files there are.
    pub segments: usize,
    /// How many bytes of an unfinished write were cut from the end of the last segment.
    pub torn_bytes_cut: u64,
    /// Damage in the last segment. Damage in earlier ones is met, and reported, by a replay.
    pub damaged: Vec<Damage>,
    /// The numbers of segments that should be between the first and the last, and have no file.
    pub segments_missing: Vec<u32>,
}

/// The journal on segment files. See [`Journal`] for what it promises.
#[derive(Debug)]
pub struct FileLog {
    folder: PathBuf,
    disk: Disk,
    /// Holds the lock, and makes new names durable.
    folder_handle: File,
    segment_bytes_max: u32,
    writer: Mutex<Writer>,
    /// One sync at a time: the kernel reports a failed one only once for each open file, so a second
    /// caller must see what the first one learnt.
    sync_turn: Mutex<()>,
    stopped: AtomicBool,
    /// Held exclusively while bytes change in place, so that no reader sees half of a scrub.
    in_place: RwLock<()>,
    /// The length of every segment: what readers may see.
    lengths: RwLock<BTreeMap<u32, u32>>,
    /// Files open for reading, the latest used last.
    readers: Mutex<Vec<(u32, Arc<File>)>>,
    /// Segments that are packed, and where their records are once they were read.
    packed: RwLock<BTreeMap<u32, Option<Arc<Places>>>>,
    /// One segment is rewritten at a time.
    rewriting: Mutex<()>,
    /// Scrubs that have begun.
    scrubs: AtomicU64,
}

#[derive(Debug)]
struct Writer {
    number: u32,
    file: Arc<DiskFile>,
    length: u32,
}

impl FileLog {
    /// Opens the log in `folder`, which is made if there is none, and cuts a torn tail.
    ///
    /// # Errors
    /// The disk refused, another process has the log, or a newer version wrote it.
    pub fn open(folder: &Path) -> Result<(Self, OpenReport), JournalError> {
        Self::open_with(folder, SEGMENT_BYTES_MAX, Disk::default())
    }

    pub(super) fn open_with(
        folder: &Path,
        segment_bytes_max: u32,
        disk: Disk,
    ) -> Result<(Self, OpenReport), JournalError> {
        let folder_handle = open_folder(folder)?;
        let mut lengths = segment_lengths(folder)?;
        let mut report = OpenReport { segments: lengths.len(), ..OpenReport::default() };
        if let (Some((&first, _)), Some((&last, _))) = (lengths.first_key_value(), lengths.last_key_value()) {
            report.segments_missing = (first..last).filter(|number| !lengths.contains_key(number)).collect();
        }
        let mut packed = BTreeMap::new();
        packed::remove_unfinished(folder)?;
        for &number in lengths.keys() {
            let path = segment_path(folder, number);
            let file = File::open(&path).map_err(|source| io_error("open", &path, source))?;
            if check_file_header(&path, &file, number)? {
                packed.insert(number, None);
            }
        }
        let Recovered { writer, is_complete } = match lengths.last_key_value() {
            Some((&number, &length)) => recover_last(&disk, folder, number, length, &mut report)?,
            None => {
                report.segments = 1;
                Recovered { writer: create_segment(&disk, folder, &folder_handle, 1)?, is_complete: true }
            }
        };
        // Whoever made the last segment may have been killed before its name was durable.
        disk.sync_names(folder, &folder_handle).map_err(|source| io_error("sync", folder, source))?;
        lengths.insert(writer.number, writer.length);
        let log = Self {
            folder: folder.into(),
            disk,
            folder_handle,
            segment_bytes_max,
            writer: Mutex::new(writer),
            sync_turn: Mutex::new(()),
            stopped: AtomicBool::new(false),
            in_place: RwLock::new(()),
            lengths: RwLock::new(lengths),
            readers: Mutex::new(Vec::new()),
            packed: RwLock::new(packed),
            rewriting: Mutex::new(()),
            scrubs: AtomicU64::new(0),
        };
        if !is_complete {
            log.start_segment(&mut lock(&log.writer))?;
            report.segments += 1;
        }
        Ok((log, report))
    }

    /// Syncs the full segment, and makes the next one the writer's.
    fn start_segment(&self, writer: &mut Writer) -> Result<(), JournalError> {
        self.sync_file(&writer.file, writer.number)?;
        *writer = create_segment(&self.disk, &self.folder, &self.folder_handle, writer.number + 1)?;
        self.publish(writer);
        Ok(())
    }

    fn publish(&self, writer: &Writer) {
        let mut lengths = self.lengths.write().unwrap_or_else(PoisonError::into_inner);
        lengths.insert(writer.number, writer.length);
    }

    /// Syncs a file; after a failure the log stops.
    fn sync_file(&self, file: &DiskFile, number: u32) -> Result<(), JournalError> {
        let _turn = lock(&self.sync_turn);
        self.refuse_when_stopped()?;
        file.sync().map_err(|source| {
            self.stopped.store(true, Ordering::SeqCst);
            io_error("sync", &segment_path(&self.folder, number), source)
        })
    }

    fn refuse_when_stopped(&self) -> Result<(), JournalError> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(JournalError::Stopped { path: self.folder.clone() });
        }
        Ok(())
    }

    /// The first segment at or after `number`, and its length.
    fn segment_from(&self, number: u32) -> Option<(u32, u32)> {
        let lengths = self.lengths.read().unwrap_or_else(PoisonError::into_inner);
        lengths.range(number..).next().map(|(&number, &length)| (number, length))
    }

    /// A file open for reading.
    fn reader(&self, number: u32) -> Result<Arc<File>, JournalError> {
        let mut readers = lock(&self.readers);
        let open = match readers.iter().position(|(known, _)| *known == number) {
            Some(index) => readers.remove(index),
            None => {
                let path = segment_path(&self.folder, number);
                let file = File::open(&path).map_err(|source| io_error("open", &path, source))?;
                if readers.len() >= READERS_MAX {
                    readers.remove(0);
                }
                (number, Arc::new(file))
            }
        };
        let file = open.1.clone();
        readers.push(open);
        Ok(file)
    }

    /// Reads records of one segment from `offset` into `page`, until it has `bytes_max` bytes.
    fn replay_segment(&self, (number, length): (u32, u32), offset: u32, page: &mut Page) -> Result<(), JournalError> {
        let places = self.places(number, length)?;
        let (path, file) = (segment_path(&self.folder, number), self.reader(number)?);
        let mut segment = Segment::to_scan(&path, &file, number, length, places.is_some());
        let mut offset = match &places {
            None => offset,
            Some(places) => places.start(&mut segment, offset)?,
        };
        page.replay.next = Position::new(number, offset);
        let mut behind = None;
        while !page.is_full() {
            offset = match segment.step(offset)? {
                None => break,
                Some(Step::Record(sound)) => {
                    page.bytes += RECORD_HEADER_BYTES + sound.length as usize;
                    page.replay.records.push(segment.record(&sound)?);
                    behind = Some(sound.origin.saturating_add(1));
                    sound.next()
                }
                Some(Step::Damage { damage, then }) => {
                    page.replay.damaged.push(damage);
                    if let After::Record(next) = then { next } else { length }
                }
            };
        }
        page.replay.next = match (&places, behind) {
            (None, _) => Position::new(number, offset),
            // Positions are by the first writing: the next one is not known, and any behind the last record leads to it.
            (Some(_), _) if offset >= length => Position::new(number, u32::MAX),
            (Some(_), Some(behind)) => Position::new(number, behind),
            (Some(_), None) => page.replay.next,
        };
        Ok(())
    }
}

impl Journal for FileLog {
    fn append(&self, records: &[(RecordKind, &[u8])]) -> Result<Vec<Position>, JournalError> {
        let mut bytes = 0;
        for (kind, payload) in records {
            check_append(&self.folder, *kind, payload)?;
            bytes += RECORD_HEADER_BYTES + payload.len();
        }
        let bytes_max = (self.segment_bytes_max - FILE_HEADER_BYTES) as usize;
        if bytes > bytes_max {
            return Err(JournalError::TooLarge { path: self.folder.clone(), bytes, bytes_max });
        }
        let mut writer = lock(&self.writer);
        self.refuse_when_stopped()?;
        if !self.disk.has_room(&self.folder_handle, 0) {
            return Err(JournalError::Full { path: self.folder.clone(), bytes_min: FREE_BYTES_MIN });
        }
        if writer.length as usize + bytes > self.segment_bytes_max as usize && writer.length > FILE_HEADER_BYTES {
            self.start_segment(&mut writer)?;
        }
        let mut buffer = Vec::with_capacity(bytes);
        let mut positions = Vec::with_capacity(records.len());
        for (kind, payload) in records {
            let position = Position::new(writer.number, writer.length + buffer.len() as u32);
            encode(position, *kind, payload, &mut buffer);
            positions.push(position);
        }
        if let Err(source) = writer.file.write_at(&buffer, u64::from(writer.length)) {
            // What was written of it is beyond the end that readers see; it goes, so that the next
            // records follow the last good one. If it can't go, nothing may be written behind it.
            if writer.file.cut(u64::from(writer.length)).is_err() {
                self.stopped.store(true, Ordering::SeqCst);
            }
            return Err(io_error("append to", &segment_path(&self.folder, writer.number), source));
        }
        writer.length += buffer.len() as u32;
        self.publish(&writer);
        Ok(positions)
    }

    fn sync(&self) -> Result<(), JournalError> {
        // The writer isn't held meanwhile. If it starts a new segment, it has synced this one itself.
        let (file, number) = {
            let writer = lock(&self.writer);
            (writer.file.clone(), writer.number)
        };
        self.sync_file(&file, number)
    }

    fn read(&self, position: Position) -> Result<Record, JournalError> {
        let _unchanged = self.in_place.read().unwrap_or_else(PoisonError::into_inner);
        let number = position.segment();
        let length = match self.segment_from(number) {
            Some((found, length)) if found == number => length,
            _ => 0,
        };
        let places = self.places(number, length)?;
        if position.offset() < FILE_HEADER_BYTES || (position.offset() >= length && places.is_none()) {
            return Err(JournalError::Absent { path: self.folder.clone(), position });
        }
        let (path, file) = (segment_path(&self.folder, number), self.reader(number)?);
        let mut segment = Segment::to_read(&path, &file, number, length, places.is_some());
        let sound = match &places {
            None => segment.sound_at(position.offset())?,
            Some(places) => {
                places.find(&mut segment, position.offset())?.filter(|sound| sound.origin == position.offset())
            }
        };
        match sound {
            Some(sound) => segment.record(&sound),
            None => Err(JournalError::Damaged { path: self.folder.clone(), position }),
        }
    }

    fn replay(&self, from: Position, bytes_max: usize) -> Result<Replay, JournalError> {
        let _unchanged = self.in_place.read().unwrap_or_else(PoisonError::into_inner);
        let replay = Replay { records: Vec::new(), damaged: Vec::new(), next: from.max(self.start()).min(self.end()) };
        let mut page = Page { replay, bytes: 0, bytes_max };
        let mut number = page.replay.next.segment();
        while let Some(segment) = self.segment_from(number) {
            if page.is_full() {
                break;
            }
            let next = page.replay.next;
            let offset = if segment.0 == next.segment() { next.offset() } else { 0 };
            self.replay_segment(segment, offset.max(FILE_HEADER_BYTES), &mut page)?;
            number = segment.0 + 1;
        }
        Ok(page.replay)
    }

    fn scrub_all(&self, records: &[(Position, Vec<u8>)]) -> Result<(), JournalError> {
        let _writer = lock(&self.writer);
        self.refuse_when_stopped()?;
        let mut of_segments: BTreeMap<u32, Vec<(Position, &[u8])>> = BTreeMap::new();
        for (position, keep) in records {
            of_segments.entry(position.segment()).or_default().push((*position, keep));
        }
        of_segments.iter().try_for_each(|(number, records)| self.scrub_segment(*number, records))
    }

    fn sealed(&self) -> Vec<(u32, u64)> {
        packed::sealed(self)
    }

    fn rewrite(&self, segment: u32, fate: &mut dyn FnMut(&Record) -> Fate) -> Result<Option<u64>, JournalError> {
        self.rewrite_segment(segment, fate)
    }

    fn start(&self) -> Position {
        let first = self.segment_from(0).map_or(1, |(number, _)| number);
        Position::new(first, FILE_HEADER_BYTES)
    }

    fn end(&self) -> Position {
        let lengths = self.lengths.read().unwrap_or_else(PoisonError::into_inner);
        let (number, length) = lengths.last_key_value().map_or((1, FILE_HEADER_BYTES), |(n, l)| (*n, *l));
        Position::new(number, length)
    }

    fn bytes(&self) -> u64 {
        let lengths = self.lengths.read().unwrap_or_else(PoisonError::into_inner);
        lengths.values().map(|&length| u64::from(length)).sum()
    }
}

/// A page that is being filled.
struct Page {
    replay: Replay,
    bytes: usize,
    bytes_max: usize,
}

impl Page {
    fn is_full(&self) -> bool {
        !self.replay.records.is_empty() && self.bytes >= self.bytes_max
    }
}

/// A panic while a lock is held leaves nothing half-done behind it: every change is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
