//! Where a node keeps what it knows.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `disk.rs` | the files that the store makes durable itself |
//! | `journal.rs` | the trait of the append-only log: the truth |
//! | `log.rs`, `segment.rs` | the log on segment files, their format, and how they are written anew without what is dead |
//! | `index.rs` | the trait of the index: everything derived from the truth |
//! | `sled.rs`, `caught.rs` | the index on sled, and how its panics become errors |
//! | `entries.rs`, `names.rs` | the entries of the index: a file beside sled, and their names in memory |
//! | `memory.rs` | both traits in memory, with faults to order, for tests and simulations |
//!
//! | `events.rs`, `read.rs` | the event store over both: writing, and what readers ask |
//! | `opening.rs` | opening a store, and deriving the rows that the index lacks |
//! | `writing.rs`, `keys.rs`, `rows.rs` | which rows an event leads to, and their layout |
//! | `following.rs` | what was stored since a place of the log, for whoever derives something of its own |
//! | `reader.rs` | the reader's own state: rules, inbox, marks of what was read |
//! | `written.rs` | what an author wrote, and the newest of a thread |
//! | `retention.rs`, `compaction.rs` | which words are kept no longer, and how their room is given back |
//! | `listing.rs` | which boards others are told of, and what of them |
//! | `recent.rs` | events that were read of late |
//! | `pages.rs`, `shapes.rs` | pages of threads, and the shapes from which they are cut |
//! | `known.rs`, `loaded.rs` | the sets of known events in memory: all epochs, and the members of some |
//! | `sets.rs` | what the comparison with peers asks of these sets |
//! | `fsck.rs`, `fsck_sets.rs` | checks that index and log agree, and the sets with both |
//!
//! Log and index do not know what an event is. Both are synchronous and have no clock. A write goes to the
//! journal and then to the index, and a flush makes them durable in this order. What the index loses is replayed from the
//! journal, and one that is ahead of it after a power cut is noticed at the start and made anew.

mod caught;
mod compaction;
mod disk;
mod entries;
mod events;
mod following;
mod fsck;
mod fsck_sets;
mod index;
mod journal;
mod keys;
mod known;
mod listing;
mod loaded;
mod log;
mod marks;
mod memory;
mod names;
mod opening;
mod pages;
mod read;
mod reader;
mod recent;
mod retention;
mod rows;
mod segment;
mod sets;
mod shapes;
mod sled;
mod threads;
mod writing;
mod written;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod power_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod sweep_tests;
#[cfg(test)]
mod tape;

pub use self::{
    compaction::Compacted,
    disk::FREE_BYTES_MIN,
    events::{Arrival, EventStore, HOLDERS_MAX, INDEX_FORMAT, StoreError, Stored},
    following::{Followed, GivenUp, Standing},
    fsck::{FoundDamage, Fsck},
    index::{
        BATCH_ROWS_MAX, Batch, Direction, ENTRY_NAME_BYTES, ENTRY_VALUE_BYTES, Entry, Index, IndexError, KEY_BYTES_MAX,
        Row, VALUE_BYTES_MAX, prefix_end,
    },
    journal::{
        Damage, Fate, Journal, JournalError, PAYLOAD_BYTES_MAX, Position, Record, RecordKind, Replay,
        SCRUB_OVERHEAD_BYTES,
    },
    listing::Figures,
    log::{FileLog, OpenReport, SEGMENT_BYTES_MAX},
    memory::{MemoryIndex, MemoryJournal},
    opening::{CatchUp, Remaking},
    pages::Page,
    read::{FeedPlace, ThreadCounts, root_named_by},
    reader::{InboxPlace, Member},
    retention::{Pruned, Retention},
    rows::{EventRow, Keep, Listing, LocalRecord, OwnRow, Presence, Size, SpaceRow, Why},
    sets::{Known, SpaceSets},
    sled::{SledIndex, set_aside},
    written::Written,
};
