//! Segments that were written anew without what is dead: where a record went, and how a segment is rewritten.
//!
//! The new file has another name until it is whole and durable, and takes the old one's name in one step: whenever the power
//! goes, one of the two is there, and both say the same of every position that anybody names. What is left of an unfinished
//! one is removed at the next start.

use super::super::disk::FREE_BYTES_MIN;
use super::super::journal::{Fate, Journal as _, JournalError, RecordKind};
use super::super::segment::{
    FILE_HEADER_BYTES, Segment, Sound, Step, encode_packed, encode_packed_scrubbed, packed_file_header,
};
use super::folder::{io_error, segment_path};
use super::{FileLog, lock};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Of so many records in a packed segment one is remembered by its place: 60 KiB of memory for a full segment of small ones.
const REMEMBERED_EVERY: usize = 32;

/// Bytes of a new segment that are written at once.
const WRITE_BYTES: usize = 1 << 20;

/// Where records of a packed segment are: the origin and the place in the file of every so many.
#[derive(Debug)]
pub(super) struct Places(Vec<(u32, u32)>);

impl Places {
    /// Reads a packed segment from end to end.
    pub(super) fn read(segment: &mut Segment<'_>) -> Result<Self, JournalError> {
        let (mut places, mut offset, mut count) = (Vec::new(), FILE_HEADER_BYTES, 0);
        while let Some(step) = segment.step(offset)? {
            offset = match step {
                Step::Record(sound) => {
                    if count % REMEMBERED_EVERY == 0 {
                        places.push((sound.origin, sound.offset));
                    }
                    count += 1;
                    sound.next()
                }
                Step::Damage { then: super::After::Record(next), .. } => next,
                Step::Damage { .. } => break,
            };
        }
        Ok(Self(places))
    }

    /// A place at or before the first record whose origin is not smaller.
    fn before(&self, origin: u32) -> u32 {
        let behind = self.0.partition_point(|(known, _)| *known <= origin);
        behind.checked_sub(1).map_or(FILE_HEADER_BYTES, |at| self.0[at].1)
    }

    /// The first sound record with this origin or a greater one.
    pub(super) fn find(&self, segment: &mut Segment<'_>, origin: u32) -> Result<Option<Sound>, JournalError> {
        let mut offset = self.before(origin);
        while let Some(step) = segment.step(offset)? {
            offset = match step {
                Step::Record(sound) if sound.origin >= origin => return Ok(Some(sound)),
                Step::Record(sound) => sound.next(),
                Step::Damage { then: super::After::Record(next), .. } => next,
                Step::Damage { .. } => return Ok(None),
            };
        }
        Ok(None)
    }
}

impl Places {
    /// Where to read on from this origin, so that damage before the next sound record is met, too. The segment is made ready for
    /// that.
    pub(super) fn start(&self, segment: &mut Segment<'_>, origin: u32) -> Result<u32, JournalError> {
        let (mut start, mut passed) = (self.before(origin), FILE_HEADER_BYTES);
        let mut offset = start;
        while let Some(step) = segment.step(offset)? {
            match step {
                Step::Record(sound) if sound.origin < origin => {
                    (offset, passed) = (sound.next(), sound.origin + 1);
                    start = offset;
                }
                Step::Damage { then: super::After::Record(next), .. } => offset = next,
                Step::Record(_) | Step::Damage { .. } => break,
            }
        }
        segment.pass(passed);
        Ok(start)
    }
}

/// The name of a segment in the making.
fn new_path(folder: &Path, number: u32) -> PathBuf {
    segment_path(folder, number).with_extension("new")
}

/// Removes what unfinished rewrites have left.
pub(super) fn remove_unfinished(folder: &Path) -> Result<(), JournalError> {
    let entries = std::fs::read_dir(folder).map_err(|source| io_error("list", folder, source))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "new") {
            std::fs::remove_file(&path).map_err(|source| io_error("remove", &path, source))?;
        }
    }
    Ok(())
}

impl FileLog {
    /// The records of a packed segment; `None` if it is a plain one. The segment is read from end to end the first time.
    pub(super) fn places(&self, number: u32, length: u32) -> Result<Option<Arc<Places>>, JournalError> {
        let known = self.packed.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
        match known {
            None => Ok(None),
            Some(Some(places)) => Ok(Some(places)),
            Some(None) => {
                let (path, file) = (segment_path(&self.folder, number), self.reader(number)?);
                let places = Arc::new(Places::read(&mut Segment::to_scan(&path, &file, number, length, true))?);
                let mut packed = self.packed.write().unwrap_or_else(PoisonError::into_inner);
                if let Some(unread) = packed.get_mut(&number) {
                    *unread = Some(Arc::clone(&places));
                }
                Ok(Some(places))
            }
        }
    }

    /// See [`super::Journal::rewrite`].
    pub(super) fn rewrite_segment(
        &self,
        number: u32,
        fate: &mut dyn FnMut(&super::Record) -> Fate,
    ) -> Result<Option<u64>, JournalError> {
        let _turn = lock(&self.rewriting);
        self.refuse_when_stopped()?;
        let scrubs = self.scrubs.load(Ordering::SeqCst);
        let Some((found, length)) = self.segment_from(number).filter(|(found, _)| *found == number) else {
            return Ok(None);
        };
        if lock(&self.writer).number <= found {
            return Ok(None);
        }
        if !self.disk.has_room(&self.folder_handle, u64::from(length)) {
            return Err(JournalError::Full {
                path: self.folder.clone(),
                bytes_min: FREE_BYTES_MIN + u64::from(length),
            });
        }
        let path = new_path(&self.folder, number);
        let outcome = self.write_packed(&path, (number, length), fate);
        let outcome = match outcome {
            Ok(true) => self.replace(&path, number, scrubs),
            other => other.map(|_| None),
        };
        if !matches!(outcome, Ok(Some(_))) {
            // If it can't be removed now, the next start does it.
            let _ = self.disk.remove(&path);
        }
        outcome
    }

    /// Writes a segment anew under another name, durably; false if it has damage.
    fn write_packed(
        &self,
        path: &Path,
        (number, length): (u32, u32),
        fate: &mut dyn FnMut(&super::Record) -> Fate,
    ) -> Result<bool, JournalError> {
        let failed = |source| io_error("write", path, source);
        let is_packed = self.places(number, length)?.is_some();
        let (old_path, old) = (segment_path(&self.folder, number), self.reader(number)?);
        let mut segment = Segment::to_scan(&old_path, &old, number, length, is_packed);
        let mut options = OpenOptions::new();
        let new = self.disk.open(options.write(true).create(true).truncate(true).mode(0o600), path).map_err(failed)?;
        let (mut offset, mut written) = (FILE_HEADER_BYTES, 0);
        let mut buffer = packed_file_header(number).to_vec();
        while let Some(step) = segment.step(offset)? {
            let Step::Record(sound) = step else { return Ok(false) };
            offset = sound.next();
            let record = segment.record(&sound)?;
            match (fate(&record), record.kind) {
                (Fate::Drop, _) => {}
                (Fate::Prune(kept), _) => encode_packed(record.position, RecordKind::Pruned, &kept, &mut buffer),
                (Fate::Keep, RecordKind::Scrubbed) => {
                    encode_packed_scrubbed(record.position, &record.payload, &mut buffer);
                }
                (Fate::Keep, kind) => encode_packed(record.position, kind, &record.payload, &mut buffer),
            }
            if buffer.len() >= WRITE_BYTES {
                new.write_at(&buffer, written).map_err(failed)?;
                written += buffer.len() as u64;
                buffer.clear();
            }
        }
        new.write_at(&buffer, written).map_err(failed)?;
        new.sync().map_err(|source| io_error("sync", path, source))?;
        Ok(true)
    }

    /// Gives the new file the old one's name, unless the old one has changed since.
    fn replace(&self, path: &Path, number: u32, scrubs: u64) -> Result<Option<u64>, JournalError> {
        let final_path = segment_path(&self.folder, number);
        // Whoever scrubs has the writer's turn.
        let _writer = lock(&self.writer);
        if self.scrubs.load(Ordering::SeqCst) != scrubs {
            return Ok(None);
        }
        let length = std::fs::metadata(path).map_err(|source| io_error("read", path, source))?.len();
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        {
            let _alone = self.in_place.write().unwrap_or_else(PoisonError::into_inner);
            self.disk.rename(path, &final_path).map_err(|source| io_error("replace", &final_path, source))?;
            self.lengths.write().unwrap_or_else(PoisonError::into_inner).insert(number, length);
            self.packed.write().unwrap_or_else(PoisonError::into_inner).insert(number, None);
            lock(&self.readers).retain(|(known, _)| *known != number);
        }
        // The old file and the new one say the same to whoever reads: it does no harm if the name is not durable yet.
        let synced = self.disk.sync_names(&self.folder, &self.folder_handle);
        synced.map_err(|source| io_error("sync", &self.folder, source))?;
        Ok(Some(u64::from(length)))
    }
}

/// Every full segment, and its bytes.
pub(super) fn sealed(log: &FileLog) -> Vec<(u32, u64)> {
    let last = log.end().segment();
    let lengths = log.lengths.read().unwrap_or_else(PoisonError::into_inner);
    lengths.range(..last).map(|(number, length)| (*number, u64::from(*length))).collect()
}
