//! Records that are written over in place: their words leave the disk, and their headers stay.

use super::super::disk::DiskFile;
use super::super::journal::{Journal as _, JournalError, Position, RecordKind, check_scrub};
use super::super::segment::{RECORD_HEADER_BYTES, Segment, encode_scrubbed};
use super::FileLog;
use super::folder::{io_error, segment_path};
use std::fs::OpenOptions;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// Bytes that are written over, and where in the file.
struct Patch {
    offset: u32,
    bytes: Vec<u8>,
}

impl FileLog {
    /// Scrubs records of one segment. The caller has the writer's turn.
    pub(super) fn scrub_segment(&self, number: u32, records: &[(Position, &[u8])]) -> Result<(), JournalError> {
        self.scrubs.fetch_add(1, Ordering::SeqCst);
        let path = segment_path(&self.folder, number);
        let (mut heads, mut rests) = (Vec::new(), Vec::new());
        let mut file = None;
        for (position, keep) in records {
            match self.read(*position) {
                Ok(_) | Err(JournalError::Damaged { .. }) => {}
                Err(other) => return Err(other),
            }
            let file = match &mut file {
                Some(file) => file,
                none => {
                    let opened = self.disk.open(OpenOptions::new().read(true).write(true), &path);
                    none.insert(opened.map_err(|source| io_error("open", &path, source))?)
                }
            };
            if let Some((head, rest)) = self.patches(file, *position, keep)? {
                heads.push(head);
                rests.push(rest);
            }
        }
        let Some(file) = file.filter(|_| !heads.is_empty()) else { return Ok(()) };
        // First the new headers and what is kept, then the zeroes: between the two the records are sound. If the power
        // goes amid the first writes they may not be, and the caller repeats the call.
        for patches in [heads, rests] {
            for Patch { offset, bytes } in patches {
                let _alone = self.in_place.write().unwrap_or_else(PoisonError::into_inner);
                let written = file.write_at(&bytes, u64::from(offset));
                written.map_err(|source| io_error("scrub a record of", &path, source))?;
            }
            self.sync_file(&file, number)?;
        }
        Ok(())
    }

    /// What is written over of a record: its head, and what follows that. Nothing if it is scrubbed like that already, or has no
    /// words.
    fn patches(
        &self,
        file: &DiskFile,
        position: Position,
        keep: &[u8],
    ) -> Result<Option<(Patch, Patch)>, JournalError> {
        let number = position.segment();
        let path = segment_path(&self.folder, number);
        let end = self.segment_from(number).map_or(0, |(_, length)| length);
        let places = self.places(number, end)?;
        let mut segment = Segment::to_read(&path, file, number, end, places.is_some());
        let damaged = || JournalError::Damaged { path: self.folder.clone(), position };
        let place = match places {
            None => position.offset(),
            Some(places) => places.start(&mut segment, position.offset())?,
        };
        if segment.origin_at(place)? != Some(position.offset()) {
            return Err(damaged());
        }
        // Where the header is that both forms have.
        let offset = place + segment.head_bytes() as u32 - RECORD_HEADER_BYTES as u32;
        let (kind, length) = match segment.sound_at(place)? {
            Some(sound) => (segment.record(&sound)?.kind, sound.length),
            None => (RecordKind::Scrubbed, segment.length_of_torn(place)?.ok_or_else(damaged)?),
        };
        if kind == RecordKind::Pruned {
            return Ok(None);
        }
        check_scrub(&self.folder, kind, keep, length as usize)?;
        let head = encode_scrubbed(position, length, keep);
        let rest = vec![0; RECORD_HEADER_BYTES + length as usize - head.len()];
        if segment.is_at(offset, &[&head[..], &rest].concat())? {
            return Ok(None);
        }
        let rest = Patch { offset: offset + head.len() as u32, bytes: rest };
        Ok(Some((Patch { offset, bytes: head }, rest)))
    }
}
