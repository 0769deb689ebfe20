//! Where a node keeps what it knows.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `journal.rs` | the trait of the append-only log: the truth |
//! | `log.rs`, `log/folder.rs`, `segment.rs` | the log on segment files, its recovery, and the format |
//! | `index.rs` | the trait of the ordered key-value index: everything derived from the truth |
//! | `sled.rs`, `caught.rs` | the index on sled, and how its panics become errors |
//! | `memory.rs` | both traits in memory, with faults to order, for tests and simulations |
//!
//! Neither half knows what an event is. Both are synchronous and have no clock. A write goes to the
//! journal, is synced there, and only then to the index, so that the index is never durable ahead of the
//! truth; what the index loses is replayed from the journal.

mod caught;
mod index;
mod journal;
mod log;
mod memory;
mod segment;
mod sled;

#[cfg(test)]
mod conformance;

pub use self::{
    index::{
        BATCH_ROWS_MAX, Batch, Direction, Index, IndexError, KEY_BYTES_MAX, Row, VALUE_BYTES_MAX,
        prefix_end,
    },
    journal::{
        Damage, Journal, JournalError, PAYLOAD_BYTES_MAX, Position, Record, RecordKind, Replay,
        SCRUB_OVERHEAD_BYTES,
    },
    log::{FileLog, OpenReport, SEGMENT_BYTES_MAX},
    memory::{MemoryIndex, MemoryJournal},
    sled::{SledIndex, set_aside},
};
