//! What a segment file of the log looks like, and how records are found in one.
//!
//! All integers are little-endian.
//!
//! ```text
//! file    magic "RODA" | format u32 | segment number u32 | crc32 of these 12 bytes u32
//! record  length u32 | crc32 u32 | kind u8 | payload, `length` bytes
//! payload of a scrubbed record: kept u32 | the kept bytes | zeroes
//! ```
//!
//! A segment that was rewritten is *packed*, and of format 2: each record has its offset in the first writing before it, u32,
//! which is the one in its position and checksum. They ascend.
//!
//! A record's checksum covers its position, length, kind and payload; of a scrubbed record's payload
//! only `kept` and the kept bytes, so that the zeroes may reach the disk later. The position is in it so
//! that bytes inside a payload, which a stranger wrote, don't pass for a record when a reader looks for the
//! next sound one after damage: the stranger would have to know the exact offset on this disk, and the very
//! record would have to be damaged in a way that makes a reader look inside.
//!
//! This module reads and never writes. Nothing is allocated from a length before it was compared with
//! its bound.

use std::{fs::File, io, path::Path};

use super::disk::{is_unreadable, read_at};
use super::journal::{Damage, JournalError, PAYLOAD_BYTES_MAX, Position, Record, RecordKind, SCRUB_OVERHEAD_BYTES};

/// The length of a file's header.
pub(super) const FILE_HEADER_BYTES: u32 = 16;

/// The length of a record's header.
pub(super) const RECORD_HEADER_BYTES: usize = 9;

/// How much is read ahead when a segment is read from end to end: 1 MiB, four of the longest records.
const SCAN_BYTES: usize = 1 << 20;

/// How much is read at once for a single record: 1 KiB holds most events.
const READ_BYTES: usize = 1 << 10;

/// What a disk can read or not as a whole: a page of the kernel, and a sector of most disks.
const BLOCK_BYTES: u64 = 4096;

/// How many bytes are checksummed at most to find the next sound record after damage: 1 GiB.
///
/// Random bytes need far less than a segment's length. Only bytes made to look like the headers of long
/// records at every step reach it; without a bound they would keep a core busy for minutes.
const SEARCH_BYTES_MAX: u64 = 1 << 30;

const MAGIC: [u8; 4] = *b"RODA";
const FORMAT: u32 = 1;
const PACKED_FORMAT: u32 = 2;

/// What a packed record has before its header: its first offset.
const ORIGIN_BYTES: usize = 4;

const _: () = assert!(SCAN_BYTES >= RECORD_HEADER_BYTES + PAYLOAD_BYTES_MAX);

/// The header of segment `number`.
pub(super) fn file_header(number: u32) -> [u8; FILE_HEADER_BYTES as usize] {
    header_of(number, FORMAT)
}

/// The header of segment `number` when it is packed.
pub(super) fn packed_file_header(number: u32) -> [u8; FILE_HEADER_BYTES as usize] {
    header_of(number, PACKED_FORMAT)
}

fn header_of(number: u32, format: u32) -> [u8; FILE_HEADER_BYTES as usize] {
    let mut header = [0; FILE_HEADER_BYTES as usize];
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&format.to_le_bytes());
    header[8..12].copy_from_slice(&number.to_le_bytes());
    let checksum = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Checks the header of the segment file `path`, and tells whether the segment is packed. A damaged one is only worth a
/// warning: the file's name has the number, and every record has its own checksum. Which form the records have is seen from
/// the first one then.
pub(super) fn check_file_header(path: &Path, file: &File, number: u32) -> Result<bool, JournalError> {
    let mut header = [0; FILE_HEADER_BYTES as usize];
    match read_at(file, path, &mut header, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof || is_unreadable(&error) => {
            header = [0; FILE_HEADER_BYTES as usize];
        }
        Err(source) => {
            return Err(JournalError::Io { action: "read", path: path.into(), source });
        }
    }
    if header[..4] != MAGIC || crc32fast::hash(&header[..12]) != read_u32(&header[12..]) {
        tracing::warn!(path = %path.display(), "the header of this log segment is damaged; its records are checked one by one");
        let length = file.metadata().map_or(0, |data| u32::try_from(data.len()).unwrap_or(u32::MAX));
        for is_packed in [false, true] {
            if Segment::to_read(path, file, number, length, is_packed).sound_at(FILE_HEADER_BYTES)?.is_some() {
                return Ok(is_packed);
            }
        }
        // The first record is damaged, too.
        let mut packed = Segment::to_scan(path, file, number, length, true);
        return Ok(matches!(packed.step(FILE_HEADER_BYTES)?, Some(Step::Damage { then: After::Record(_), .. })));
    }
    let (format, says) = (read_u32(&header[4..]), read_u32(&header[8..]));
    if format != FORMAT && format != PACKED_FORMAT {
        let what = format!("its format is {format}, and this version knows {PACKED_FORMAT}");
        return Err(JournalError::Newer { path: path.into(), what });
    }
    if says != number {
        return Err(JournalError::Misplaced { path: path.into(), says });
    }
    Ok(format == PACKED_FORMAT)
}

/// Appends the bytes of a record that will be written at `position`.
pub(super) fn encode(position: Position, kind: RecordKind, payload: &[u8], into: &mut Vec<u8>) {
    // Both callers have compared the length with PAYLOAD_BYTES_MAX.
    let length = payload.len() as u32;
    into.extend_from_slice(&record_header(position, kind, length, payload));
    into.extend_from_slice(payload);
}

/// Appends a record of a packed segment: `kind` is no scrubbed one.
pub(super) fn encode_packed(position: Position, kind: RecordKind, payload: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(&position.offset().to_le_bytes());
    encode(position, kind, payload, into);
}

/// Appends a scrubbed record of a packed segment: without zeroes.
pub(super) fn encode_packed_scrubbed(position: Position, keep: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(&position.offset().to_le_bytes());
    // What is kept has at most the payload's length.
    into.extend_from_slice(&encode_scrubbed(position, (SCRUB_OVERHEAD_BYTES + keep.len()) as u32, keep));
}

/// The first bytes of a scrubbed record whose payload has `length` bytes on disk; the zeroes follow.
pub(super) fn encode_scrubbed(position: Position, length: u32, keep: &[u8]) -> Vec<u8> {
    let mut payload = (keep.len() as u32).to_le_bytes().to_vec();
    payload.extend_from_slice(keep);
    let mut bytes = record_header(position, RecordKind::Scrubbed, length, &payload).to_vec();
    bytes.append(&mut payload);
    bytes
}

fn record_header(position: Position, kind: RecordKind, length: u32, covered: &[u8]) -> [u8; RECORD_HEADER_BYTES] {
    let mut header = [0; RECORD_HEADER_BYTES];
    header[..4].copy_from_slice(&length.to_le_bytes());
    header[4..8].copy_from_slice(&checksum(position, length, kind.code(), covered).to_le_bytes());
    header[8] = kind.code();
    header
}

fn checksum(position: Position, length: u32, code: u8, covered: &[u8]) -> u32 {
    let mut prefix = [0; 13];
    prefix[..8].copy_from_slice(&position.0.to_le_bytes());
    prefix[8..12].copy_from_slice(&length.to_le_bytes());
    prefix[12] = code;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&prefix);
    hasher.update(covered);
    hasher.finalize()
}

fn read_u32(bytes: &[u8]) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[..4]);
    u32::from_le_bytes(four)
}

/// A sound record, not copied yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sound {
    /// Where its header starts in the file.
    pub(super) offset: u32,
    /// The offset in its position: another one in a packed segment.
    pub(super) origin: u32,
    /// Its kind's code, known or not.
    pub(super) code: u8,
    /// The length of its payload on disk.
    pub(super) length: u32,
    /// Where the payload that a reader gets lies in the file, and how long it is.
    content: (u32, usize),
    /// Where the next record starts in the file.
    next: u32,
}

impl Sound {
    /// Where the next record starts in the file.
    pub(super) fn next(&self) -> u32 {
        self.next
    }
}

/// The words of a record's header.
struct Words {
    origin: u32,
    length: u32,
    checksum: u32,
    code: u8,
}

/// What comes next in a segment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A sound record.
    Record(Sound),
    /// Bytes that hold no sound record, followed by one, or by the end.
    Damage {
        /// The damaged bytes.
        damage: Damage,
        /// What follows.
        then: After,
    },
}

/// What follows damage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum After {
    /// A sound record at this offset.
    Record(u32),
    /// Nothing, for certain: the damage reaches the segment's end.
    End,
    /// Nobody knows: the search was given up, and the rest of the segment counts as damaged.
    Unknown,
}

/// One segment file as bytes with an end, read through a window.
pub(super) struct Segment<'a> {
    path: &'a Path,
    file: &'a File,
    number: u32,
    end: u32,
    read_ahead: usize,
    is_packed: bool,
    /// Behind the origin of the last record that was found.
    passed: u32,
    window: Vec<u8>,
    window_start: u32,
    /// Blocks that the disk could not read; they were taken for zeroes.
    unreadable: u64,
}

impl<'a> Segment<'a> {
    /// To read one record.
    pub(super) fn to_read(path: &'a Path, file: &'a File, number: u32, end: u32, is_packed: bool) -> Self {
        let (read_ahead, passed, window) = (READ_BYTES, FILE_HEADER_BYTES, Vec::new());
        Self { path, file, number, end, read_ahead, is_packed, passed, window, window_start: 0, unreadable: 0 }
    }

    /// To read many records in order.
    pub(super) fn to_scan(path: &'a Path, file: &'a File, number: u32, end: u32, is_packed: bool) -> Self {
        Self { read_ahead: SCAN_BYTES, ..Self::to_read(path, file, number, end, is_packed) }
    }

    /// Records whose origins are smaller have been passed.
    pub(super) fn pass(&mut self, origin: u32) {
        self.passed = origin;
    }

    /// Bytes before a record's payload.
    pub(super) fn head_bytes(&self) -> usize {
        RECORD_HEADER_BYTES + if self.is_packed { ORIGIN_BYTES } else { 0 }
    }

    fn words(&mut self, offset: u32) -> Result<Option<Words>, JournalError> {
        let (head_bytes, is_packed) = (self.head_bytes(), self.is_packed);
        Ok(self.bytes(offset, head_bytes)?.map(|head| {
            let (origin, head) = if is_packed { (read_u32(head), &head[ORIGIN_BYTES..]) } else { (offset, head) };
            Words { origin, length: read_u32(head), checksum: read_u32(&head[4..]), code: head[8] }
        }))
    }

    /// What is at `offset`; `None` at the end.
    pub(super) fn step(&mut self, offset: u32) -> Result<Option<Step>, JournalError> {
        if offset >= self.end {
            return Ok(None);
        }
        if let Some(sound) = self.sound_at(offset)? {
            self.passed = sound.origin.saturating_add(1);
            return Ok(Some(Step::Record(sound)));
        }
        let then = self.after_damage(offset)?;
        let next = if let After::Record(next) = then { self.sound_at(next)? } else { None };
        let (start, until) = match self.is_packed {
            // Which records stood here is told by those before and behind.
            true => (self.passed, next.map_or(u32::MAX, |next| next.origin)),
            false => (offset, next.map_or(self.end, |next| next.offset)),
        };
        let bytes = u64::from(until.saturating_sub(start));
        let damage = Damage { start: Position::new(self.number, start), bytes };
        Ok(Some(Step::Damage { damage, then }))
    }

    /// The record at `offset`, if its checksum is right.
    pub(super) fn sound_at(&mut self, offset: u32) -> Result<Option<Sound>, JournalError> {
        let Some(Words { origin, length, checksum: expected, code }) = self.words(offset)? else {
            return Ok(None);
        };
        if length as usize > PAYLOAD_BYTES_MAX {
            return Ok(None);
        }
        let start = offset + self.head_bytes() as u32;
        let position = Position::new(self.number, origin);
        let Some(payload) = self.bytes(start, length as usize)? else {
            return Ok(None);
        };
        let mut content = (start, payload.len());
        let mut covered = payload;
        if code == RecordKind::Scrubbed.code() {
            if payload.len() < SCRUB_OVERHEAD_BYTES {
                return Ok(None);
            }
            let kept = read_u32(payload) as usize;
            if kept > payload.len() - SCRUB_OVERHEAD_BYTES {
                return Ok(None);
            }
            content = (start + SCRUB_OVERHEAD_BYTES as u32, kept);
            covered = &payload[..SCRUB_OVERHEAD_BYTES + kept];
        }
        if checksum(position, length, code, covered) != expected {
            return Ok(None);
        }
        Ok(Some(Sound { offset, origin, code, length, content, next: start + length }))
    }

    /// The payload's length of a damaged record that may have been written over in place: it is believed when it leads to
    /// the next record, or to the end.
    pub(super) fn length_of_torn(&mut self, offset: u32) -> Result<Option<u32>, JournalError> {
        let Some(Words { length, code, .. }) = self.words(offset)? else {
            return Ok(None);
        };
        let kind = RecordKind::from_code(code);
        let next = offset.saturating_add(self.head_bytes() as u32).saturating_add(length);
        let can_be = length as usize <= PAYLOAD_BYTES_MAX && kind.is_some_and(|kind| kind != RecordKind::Local);
        Ok((can_be && (next == self.end || self.sound_at(next)?.is_some())).then_some(length))
    }

    /// The origin of the record whose header starts here, sound or not.
    pub(super) fn origin_at(&mut self, offset: u32) -> Result<Option<u32>, JournalError> {
        Ok(self.words(offset)?.map(|words| words.origin))
    }

    /// Whether these bytes stand there.
    pub(super) fn is_at(&mut self, offset: u32, expected: &[u8]) -> Result<bool, JournalError> {
        Ok(self.bytes(offset, expected.len())?.is_some_and(|found| found == expected))
    }

    /// Copies the record out.
    pub(super) fn record(&mut self, sound: &Sound) -> Result<Record, JournalError> {
        let position = Position::new(self.number, sound.origin);
        let Some(kind) = RecordKind::from_code(sound.code) else {
            let what = format!("the record at {position} is of kind {}, which is unknown here", sound.code);
            return Err(JournalError::Newer { path: self.path.into(), what });
        };
        let (start, length) = sound.content;
        let absent = JournalError::Absent { path: self.path.into(), position };
        let unreadable = self.unreadable;
        let payload = self.bytes(start, length)?.ok_or(absent)?.to_vec();
        if self.unreadable != unreadable {
            // It could be read when its checksum was.
            return Err(JournalError::Damaged { path: self.path.into(), position });
        }
        Ok(Record { position, kind, payload })
    }

    /// Finds what follows the damaged record at `offset`.
    ///
    /// Its own length is believed first, if a record starts where that leads: then only its payload is
    /// damaged, and nothing inside the payload is looked at. Otherwise every later byte is tried, also
    /// when its length leads to the end: a damaged length may do so too, with good records on the way.
    fn after_damage(&mut self, offset: u32) -> Result<After, JournalError> {
        if let Some(Words { length, .. }) = self.words(offset)? {
            let next = offset.saturating_add(self.head_bytes() as u32).saturating_add(length);
            if length as usize <= PAYLOAD_BYTES_MAX && self.sound_at(next)?.is_some() {
                return Ok(After::Record(next));
            }
        }
        let mut work = 0;
        for candidate in offset + 1..self.end {
            let Some(Words { length, code, .. }) = self.words(candidate)? else {
                break;
            };
            if length as usize > PAYLOAD_BYTES_MAX || RecordKind::from_code(code).is_none() {
                continue;
            }
            work += u64::from(length);
            if work > SEARCH_BYTES_MAX {
                return Ok(After::Unknown);
            }
            if self.sound_at(candidate)?.is_some() {
                return Ok(After::Record(candidate));
            }
        }
        Ok(After::End)
    }

    /// The bytes at `offset`, or `None` when they reach beyond the end.
    fn bytes(&mut self, offset: u32, length: usize) -> Result<Option<&[u8]>, JournalError> {
        let left = self.end.saturating_sub(offset) as usize;
        if length > left {
            return Ok(None);
        }
        let inside = offset.checked_sub(self.window_start).map(|skip| skip as usize);
        let start = match inside {
            Some(skip) if skip + length <= self.window.len() => skip,
            _ => {
                self.window.resize(length.max(self.read_ahead).min(left), 0);
                self.window_start = offset;
                let read = match read_at(self.file, self.path, &mut self.window, u64::from(offset)) {
                    Err(error) if is_unreadable(&error) => self.read_what_can_be(),
                    read => read,
                };
                if let Err(source) = read {
                    self.window.clear();
                    return Err(JournalError::Io { action: "read", path: self.path.into(), source });
                }
                0
            }
        };
        Ok(Some(&self.window[start..start + length]))
    }

    /// Reads the window block by block. One that the disk can't read becomes zeroes: what stood there is damaged, and the records
    /// around it are found.
    fn read_what_can_be(&mut self) -> io::Result<()> {
        let mut at = 0;
        while at < self.window.len() {
            let offset = u64::from(self.window_start) + at as u64;
            let left = (BLOCK_BYTES - offset % BLOCK_BYTES) as usize;
            let until = self.window.len().min(at + left);
            match read_at(self.file, self.path, &mut self.window[at..until], offset) {
                Err(error) if is_unreadable(&error) => {
                    self.window[at..until].fill(0);
                    self.unreadable += 1;
                }
                read => read?,
            }
            at = until;
        }
        Ok(())
    }

    /// Whether the disk could not read a part of it.
    pub(super) fn is_unreadable(&self) -> bool {
        self.unreadable > 0
    }
}
