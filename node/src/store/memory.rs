//! [`MemoryJournal`] and [`MemoryIndex`]: both traits without a disk, with faults to order.
//!
//! They keep the promises of the traits, the one about durability included: [`crash`] takes away
//! exactly what wasn't synced or flushed. A simulation crashes a node by dropping everything but these
//! two, calling `crash` on both and starting again on them.
//!
//! [`crash`]: MemoryJournal::crash

mod index;
mod journal;

use std::io;

pub use self::{index::MemoryIndex, journal::MemoryJournal};

/// Stands where a file's path would in an error.
const IN_MEMORY: &str = "in memory";

/// Counts down to an operation that fails.
#[derive(Debug, Default)]
struct Fuse {
    /// 0: nothing is ordered.
    operations_left: u64,
}

impl Fuse {
    /// Counts one operation, and says whether it is the one to fail.
    fn burns(&mut self) -> bool {
        let was = self.operations_left;
        self.operations_left = was.saturating_sub(1);
        was == 1
    }
}

fn ordered_fault() -> io::Error {
    io::Error::other("a fault was ordered")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Batch, Damage, Direction, Index, IndexError, Journal, JournalError, RecordKind},
        *,
    };

    fn commit(index: &MemoryIndex, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        let mut batch = Batch::new();
        batch.put(key.to_vec(), value.to_vec());
        index.commit(&batch)
    }

    #[test]
    fn a_crash_takes_the_records_that_were_not_synced() {
        let journal = MemoryJournal::new();
        let kept = journal.append(&[(RecordKind::Event, b"kept")]).expect("an append")[0];
        journal.sync().expect("a sync");
        let lost = journal.append(&[(RecordKind::Event, b"lost")]).expect("an append")[0];
        journal.crash();
        assert_eq!(journal.read(kept).expect("a read").payload, b"kept");
        assert!(matches!(journal.read(lost), Err(JournalError::Absent { .. })));
        assert_eq!(journal.end(), lost);
    }

    #[test]
    fn a_crash_takes_the_commits_that_were_not_flushed() {
        let index = MemoryIndex::new();
        commit(&index, b"a", b"old").expect("a commit");
        index.flush().expect("a flush");
        for value in [b"new", b"two"] {
            commit(&index, b"a", value).expect("a commit");
            commit(&index, b"b", value).expect("a commit");
        }
        index.crash();
        let rows = index.scan(b"", None, Direction::Ascending, 9).expect("a scan");
        assert_eq!(rows, [(b"a".to_vec(), b"old".to_vec())]);
    }

    #[test]
    fn the_ordered_operation_fails_and_changes_nothing() {
        let journal = MemoryJournal::new();
        journal.fail_nth(2);
        let position = journal.append(&[(RecordKind::Event, b"one")]).expect("an append")[0];
        let failed = journal.append(&[(RecordKind::Event, b"two")]);
        assert!(matches!(failed, Err(JournalError::Io { .. })));
        assert_eq!(journal.read(position).expect("a read").payload, b"one");
        assert_eq!(journal.replay(journal.start(), 99).expect("a replay").records.len(), 1);

        let index = MemoryIndex::new();
        index.fail_nth(2);
        commit(&index, b"a", b"1").expect("a commit");
        assert!(matches!(index.get(b"a"), Err(IndexError::Io { .. })));
        assert_eq!(index.get(b"a").expect("a get"), Some(b"1".to_vec()));
    }

    #[test]
    fn a_failed_sync_or_commit_ends_writing_until_a_crash() {
        let journal = MemoryJournal::new();
        journal.append(&[(RecordKind::Event, b"one")]).expect("an append");
        journal.fail_nth(1);
        assert!(matches!(journal.sync(), Err(JournalError::Io { .. })));
        assert!(matches!(journal.sync(), Err(JournalError::Stopped { .. })));
        assert!(matches!(journal.append(&[]), Err(JournalError::Stopped { .. })));
        journal.crash();
        assert_eq!(journal.end(), journal.start());
        journal.sync().expect("a sync");

        let index = MemoryIndex::new();
        index.fail_nth(1);
        assert!(matches!(commit(&index, b"a", b"1"), Err(IndexError::Io { .. })));
        assert!(matches!(index.get(b"a"), Err(IndexError::Stopped { .. })));
        index.crash();
        assert_eq!(index.get(b"a").expect("a get"), None);
    }

    #[test]
    fn a_damaged_record_is_reported_and_passed_over() {
        let journal = MemoryJournal::new();
        let records: [(RecordKind, &[u8]); 2] = [(RecordKind::Event, b"one"), (RecordKind::Event, b"two")];
        let positions = journal.append(&records).expect("an append");
        journal.damage(positions[0]);
        assert!(matches!(journal.read(positions[0]), Err(JournalError::Damaged { .. })));
        let replay = journal.replay(journal.start(), 99).expect("a replay");
        assert_eq!(replay.records[0].payload, b"two");
        assert_eq!(replay.damaged, [Damage { start: positions[0], bytes: 12 }]);
    }
}
