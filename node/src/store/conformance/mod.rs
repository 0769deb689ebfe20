//! What both traits promise, as tests that every implementation runs.

mod index;
mod journal;

use std::sync::Arc;

use tempfile::TempDir;

use super::{FileLog, Index, Journal, MemoryIndex, MemoryJournal, SledIndex};

/// Where a store lives while it is closed. Only one is open at a time.
trait Home {
    type Store: ?Sized;

    fn new() -> Self;

    fn open(&self) -> Arc<Self::Store>;
}

struct MemoryJournalHome(Arc<MemoryJournal>);

impl Home for MemoryJournalHome {
    type Store = dyn Journal;

    fn new() -> Self {
        Self(Arc::default())
    }

    fn open(&self) -> Arc<dyn Journal> {
        self.0.crash();
        self.0.clone()
    }
}

struct FileLogHome(TempDir);

impl Home for FileLogHome {
    type Store = dyn Journal;

    fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    fn open(&self) -> Arc<dyn Journal> {
        let (log, report) = FileLog::open(&self.0.path().join("log")).expect("a sound log opens");
        assert_eq!((report.torn_bytes_cut, report.damaged.len()), (0, 0));
        Arc::new(log)
    }
}

struct MemoryIndexHome(Arc<MemoryIndex>);

impl Home for MemoryIndexHome {
    type Store = dyn Index;

    fn new() -> Self {
        Self(Arc::default())
    }

    fn open(&self) -> Arc<dyn Index> {
        self.0.crash();
        self.0.clone()
    }
}

struct SledIndexHome(TempDir);

impl Home for SledIndexHome {
    type Store = dyn Index;

    fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    fn open(&self) -> Arc<dyn Index> {
        Arc::new(SledIndex::open(&self.0.path().join("index")).expect("a sound index opens"))
    }
}

/// Runs each named function of a suite against one home.
macro_rules! run_suite {
    ($implementation:ident, $home:ty, $suite:ident: $($property:ident)*) => {
        mod $implementation {
            use super::*;
            $(
                #[test]
                fn $property() {
                    $suite::$property(&<$home>::new());
                }
            )*
        }
    };
}

macro_rules! run_journal_suite {
    ($implementation:ident, $home:ty) => {
        run_suite! { $implementation, $home, journal:
            a_new_journal_is_empty
            what_was_appended_is_read_and_replayed
            an_append_of_nothing_changes_nothing
            replay_starts_anywhere_and_pages_meet_without_gap_or_overlap
            a_page_has_at_least_one_record
            synced_records_survive_reopening
            the_longest_payload_fits_and_a_longer_one_is_refused_with_its_whole_call
            a_scrubbed_record_cannot_be_appended
            nothing_is_read_where_no_record_starts
            a_scrub_keeps_only_what_it_was_told_to_keep
            a_scrub_survives_reopening_and_is_idempotent
            a_scrub_keeps_nothing_that_does_not_fit
            a_local_record_cannot_be_scrubbed
        }
    };
}

run_journal_suite!(memory_journal, MemoryJournalHome);
run_journal_suite!(file_log, FileLogHome);

macro_rules! run_index_suite {
    ($implementation:ident, $home:ty) => {
        run_suite! { $implementation, $home, index:
            a_scan_is_in_key_order_in_both_directions
            a_range_includes_its_start_and_excludes_its_end
            a_range_that_ends_before_it_starts_is_empty
            a_prefix_of_0xff_is_scanned_to_its_end
            an_empty_value_is_a_value
            a_batch_applies_its_rows_in_order
            a_batch_out_of_bounds_changes_nothing
            the_greatest_batch_of_the_greatest_rows_fits
            a_count_stops_at_its_limit
            flushed_rows_survive_reopening
            a_reader_sees_a_commit_entirely_or_not_at_all
            entries_are_found_by_number_and_by_name
            it_behaves_like_an_ordered_map_and_a_list
        }
    };
}

run_index_suite!(memory_index, MemoryIndexHome);
run_index_suite!(sled_index, SledIndexHome);
