//! The append-only log as a trait: the truth of the node.
//!
//! Everything that a node knows is a record in its journal; every index can be rebuilt from it. A
//! journal stores bytes and gives them back. It knows nothing of what they mean and it never reorders.
//! A record changes after it was written in two ways alone: [`Journal::scrub`] takes words off the disk
//! in place, and [`Journal::rewrite`] takes what its owner calls dead out of a full segment. Positions
//! never change.
//!
//! Two implementations, [`FileLog`](super::FileLog) and [`MemoryJournal`](super::MemoryJournal),
//! are held to one conformance suite.

use std::{fmt, io, path::PathBuf};

/// The most bytes that one record's payload may have: 256 KiB.
///
/// An event is at most 64 KiB, so this leaves room for local records and for longer events of a later
/// version. A length that is read from a disk is compared with it before anything is allocated.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// What a scrubbed record needs beside the bytes that it keeps: their number, as a `u32`.
///
/// So `keep` may have at most the old payload's length less these 4 bytes.
pub const SCRUB_OVERHEAD_BYTES: usize = 4;

/// Where a record starts: the segment's number in the upper 32 bits, the byte offset in the segment
/// in the lower ones.
///
/// Positions ascend in the order of writing. The position of a record that was lost before it was
/// synced may be given to another record after the journal is opened again, and only then. So an
/// index that claims, right after opening, to have applied more than [`Journal::end`] is ahead of
/// the truth and must be rebuilt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Position(pub u64);

impl Position {
    /// The position `offset` bytes into segment `segment`.
    pub const fn new(segment: u32, offset: u32) -> Self {
        Self((segment as u64) << 32 | offset as u64)
    }

    /// The segment's number.
    pub const fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The offset in the segment, in bytes.
    pub const fn offset(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.segment(), self.offset())
    }
}

/// What a record holds. The codes are on disk and never change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum RecordKind {
    /// The bytes of an event.
    Event = 1,
    /// What no event says: a fact of this node alone.
    Local = 2,
    /// What [`Journal::scrub`] left of an event. It cannot be appended.
    Scrubbed = 3,
    /// What [`Journal::rewrite`] left of an event whose words this node keeps no longer. It cannot be appended.
    Pruned = 4,
}

impl RecordKind {
    /// The code on disk.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind with this code, if this version knows it.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Event),
            2 => Some(Self::Local),
            3 => Some(Self::Scrubbed),
            4 => Some(Self::Pruned),
            _ => None,
        }
    }
}

/// One record as it was read: its checksum was right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Where it starts.
    pub position: Position,
    /// What it holds.
    pub kind: RecordKind,
    /// Its bytes; of a scrubbed record the kept ones.
    pub payload: Vec<u8>,
}

/// A run of bytes that holds no readable record: one or more records are lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The first damaged byte.
    pub start: Position,
    /// How many bytes are damaged; all in `start`'s segment.
    pub bytes: u64,
}

/// A page of records in the order of writing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replay {
    /// The records.
    pub records: Vec<Record>,
    /// What was skipped because no right checksum was found there.
    pub damaged: Vec<Damage>,
    /// Where the next page starts; all was read when it equals [`Journal::end`].
    pub next: Position,
}

/// What becomes of a record when its segment is rewritten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It stays as it is; of a scrubbed record the zeroes go.
    Keep,
    /// Of an event only these bytes stay, as [`RecordKind::Pruned`].
    Prune(Vec<u8>),
    /// Nobody names its position any more.
    Drop,
}

/// An append-only log of checksummed records.
pub trait Journal: Send + Sync {
    /// Writes the records in order, all or none, and returns where each starts.
    ///
    /// This process can read them at once; they are durable only after [`sync`](Self::sync).
    ///
    /// # Errors
    /// A record is longer than [`PAYLOAD_BYTES_MAX`] or of kind [`RecordKind::Scrubbed`], the call
    /// holds more than a segment takes, or the disk refused. The journal stays usable, except after a
    /// failed sync.
    fn append(&self, records: &[(RecordKind, &[u8])]) -> Result<Vec<Position>, JournalError>;

    /// Makes everything that was appended before the call survive a power cut.
    ///
    /// # Errors
    /// The disk refused. After that nobody knows which bytes it holds (the kernel may drop the dirty
    /// pages and report success the next time), so the journal refuses `append`, `sync` and `scrub`
    /// until it is opened again.
    fn sync(&self) -> Result<(), JournalError>;

    /// Reads the record that starts at `position`, and verifies its checksum.
    ///
    /// # Errors
    /// No record starts there, or it is damaged ([`JournalError::Damaged`]).
    fn read(&self, position: Position) -> Result<Record, JournalError>;

    /// Reads the next records at or after `from`, about `bytes_max` bytes of payload, and always at
    /// least one if any is left. Damage is skipped and reported.
    ///
    /// # Errors
    /// The disk refused, or a sound record has a kind that this version doesn't know.
    fn replay(&self, from: Position, bytes_max: usize) -> Result<Replay, JournalError>;

    /// Replaces an event, in place, by a scrubbed record that keeps only `keep`, and zeroes the rest.
    ///
    /// This is how the words of a retracted post leave the disk while its header stays. The position
    /// and the length on disk stay. When it returns, the change is durable. It is idempotent; a record
    /// that is scrubbed already can be scrubbed further. After a crash before it returned, the record
    /// is scrubbed, or not, or damaged; the caller repeats the call with the same `keep`, which makes it good. A pruned record
    /// has no words, and stays as it is.
    ///
    /// # Errors
    /// No event starts there, `keep` doesn't fit ([`SCRUB_OVERHEAD_BYTES`]), or the disk refused.
    fn scrub(&self, position: Position, keep: &[u8]) -> Result<(), JournalError> {
        self.scrub_all(&[(position, keep.to_vec())])
    }

    /// Scrubs these records, with what each keeps, at the cost of two syncs for each segment that has any of them.
    ///
    /// # Errors
    /// As [`scrub`](Self::scrub). Those that are scrubbed already stay so.
    fn scrub_all(&self, records: &[(Position, Vec<u8>)]) -> Result<(), JournalError>;

    /// The segments that are full, ascending, and the bytes that each takes. Nothing is appended to them.
    fn sealed(&self) -> Vec<(u32, u64)>;

    /// Writes a full segment anew, with what `fate` says of each of its records, in its place: all of it or nothing, also
    /// when the power goes at any moment, and durable when it returns. Every record keeps its position. Returns the bytes that
    /// the segment takes then; `None`, with nothing changed, if it is not full, has damage, or was scrubbed meanwhile.
    ///
    /// # Errors
    /// The disk refused, and nothing has changed.
    fn rewrite(&self, segment: u32, fate: &mut dyn FnMut(&Record) -> Fate) -> Result<Option<u64>, JournalError>;

    /// Where the first record starts, if there is one: the `from` of a full replay.
    fn start(&self) -> Position;

    /// The end of what is written: no record starts here or later.
    fn end(&self) -> Position;

    /// The bytes that the journal takes.
    fn bytes(&self) -> u64;
}

/// Why a journal couldn't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error(
        "cannot {action} {}: {source}. Check that the disk has space and works, and that the file \
         belongs to you",
        path.display()
    )]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The record's checksum is wrong.
    #[error(
        "the record at {position} of the log {} is damaged. It is lost here and can be fetched again \
         from peers",
        path.display()
    )]
    Damaged {
        /// The log.
        path: PathBuf,
        /// Where the record starts.
        position: Position,
    },
    /// Nothing starts there.
    #[error(
        "the log {} has no record at {position}: what points there is wrong. Rebuild the index from \
         the log",
        path.display()
    )]
    Absent {
        /// The log.
        path: PathBuf,
        /// What was asked for.
        position: Position,
    },
    /// The log has something that this version cannot know.
    #[error(
        "{} was written by a newer roda: {what}. Install the version that wrote it, or a later one; \
         this version has changed nothing",
        path.display()
    )]
    Newer {
        /// The log or the segment file.
        path: PathBuf,
        /// What is unknown.
        what: String,
    },
    /// A segment file has another segment's content.
    #[error(
        "{} says that it is segment {says}: it was renamed or copied. Give the segment files their \
         own names back",
        path.display()
    )]
    Misplaced {
        /// The segment file.
        path: PathBuf,
        /// The number in it.
        says: u32,
    },
    /// Another process has it open.
    #[error(
        "the log {} is in use by another process. Stop the other node, or use another home",
        path.display()
    )]
    Locked {
        /// The log.
        path: PathBuf,
    },
    /// A payload, or all records of one call together, exceed their bound.
    #[error(
        "{bytes} bytes at once are too many for the log {}: it takes {bytes_max}. Write less at once",
        path.display()
    )]
    TooLarge {
        /// The log.
        path: PathBuf,
        /// How many came.
        bytes: usize,
        /// How many are allowed.
        bytes_max: usize,
    },
    /// The record isn't of a kind that this operation takes.
    #[error(
        "a record of kind {kind:?} in the log {} cannot be {operation}. Only events can be scrubbed, \
         and scrubbed records cannot be appended",
        path.display()
    )]
    WrongKind {
        /// The log.
        path: PathBuf,
        /// The record's kind.
        kind: RecordKind,
        /// What was tried, as a past participle.
        operation: &'static str,
    },
    /// The disk is as good as full.
    #[error(
        "less than {} MiB are free where {} is, and these are kept for what is there already. Make room: writing goes \
         on by itself then",
        bytes_min >> 20,
        path.display()
    )]
    Full {
        /// The log.
        path: PathBuf,
        /// What has to stay free.
        bytes_min: u64,
    },
    /// An earlier sync failed.
    #[error(
        "the log {} stopped writing after the disk failed to keep what was written: nobody knows which \
         bytes it holds. Check the disk, then restart the node",
        path.display()
    )]
    Stopped {
        /// The log.
        path: PathBuf,
    },
}

/// The checks of an append that don't depend on how records are stored.
pub(super) fn check_append(path: &std::path::Path, kind: RecordKind, payload: &[u8]) -> Result<(), JournalError> {
    if matches!(kind, RecordKind::Scrubbed | RecordKind::Pruned) {
        return Err(JournalError::WrongKind { path: path.into(), kind, operation: "appended" });
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        let (bytes, bytes_max) = (payload.len(), PAYLOAD_BYTES_MAX);
        return Err(JournalError::TooLarge { path: path.into(), bytes, bytes_max });
    }
    Ok(())
}

/// The checks of a scrub that don't depend on how records are stored. `room` is the payload's length
/// on disk.
pub(super) fn check_scrub(
    path: &std::path::Path,
    kind: RecordKind,
    keep: &[u8],
    room: usize,
) -> Result<(), JournalError> {
    if kind == RecordKind::Local {
        return Err(JournalError::WrongKind { path: path.into(), kind, operation: "scrubbed" });
    }
    let bytes_max = room.saturating_sub(SCRUB_OVERHEAD_BYTES);
    if room < SCRUB_OVERHEAD_BYTES || keep.len() > bytes_max {
        return Err(JournalError::TooLarge { path: path.into(), bytes: keep.len(), bytes_max });
    }
    Ok(())
}
