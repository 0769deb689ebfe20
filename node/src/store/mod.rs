//! Where a node keeps what it knows.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `journal.rs` | the trait of the append-only log: the truth |
//! | `log.rs`, `segment.rs` | the log on segment files, and their format |
//! | `index.rs` | the trait of the ordered key-value index: everything derived from the truth |
//! | `sled.rs`, `caught.rs` | the index on sled, and how its panics become errors |
//! | `memory.rs` | both traits in memory, with faults to order, for tests and simulations |
//!
//! | `events.rs`, `read.rs` | the event store over both: writing and opening, and what readers ask |
//! | `writing.rs`, `keys.rs`, `rows.rs` | which rows an event leads to, and their layout |
//! | `known.rs` | the sets of known events, in memory |
//! | `fsck.rs` | checks that index and log agree |
//!
//! Log and index do not know what an event is. Both are synchronous and have no clock. A write goes to the
//! journal, is synced there, and only then to the index, so that the index is never durable ahead of the
//! truth; what the index loses is replayed from the journal.

mod caught;
mod events;
mod fsck;
mod index;
mod journal;
mod keys;
mod known;
mod log;
mod memory;
mod read;
mod rows;
mod segment;
mod sled;
mod writing;

#[cfg(test)]
mod conformance;

pub use self::{
    events::{Arrival, CatchUp, EventStore, FORMAT, HOLDERS_MAX, StoreError, Stored},
    fsck::Fsck,
    index::{BATCH_ROWS_MAX, Batch, Direction, Index, IndexError, KEY_BYTES_MAX, Row, VALUE_BYTES_MAX, prefix_end},
    journal::{
        Damage, Journal, JournalError, PAYLOAD_BYTES_MAX, Position, Record, RecordKind, Replay, SCRUB_OVERHEAD_BYTES,
    },
    known::KnownSets,
    log::{FileLog, OpenReport, SEGMENT_BYTES_MAX},
    memory::{MemoryIndex, MemoryJournal},
    read::{FeedPlace, ThreadCounts, root_named_by},
    rows::{EventRow, LocalRecord, OwnRow, Presence, SpaceRow},
    sled::{SledIndex, set_aside},
};
