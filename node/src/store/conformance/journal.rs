//! The promises of [`Journal`].

use super::{
    super::journal::{Journal, JournalError, PAYLOAD_BYTES_MAX, Position, Record, RecordKind, SCRUB_OVERHEAD_BYTES},
    Home,
};

const EVENT: RecordKind = RecordKind::Event;
const LOCAL: RecordKind = RecordKind::Local;

pub(super) fn a_new_journal_is_empty(home: &impl Home<Store = dyn Journal>) {
    let journal = home.open();
    assert_eq!(journal.start(), journal.end());
    assert!(replay_all(&*journal, 1000).is_empty());
    let replay = journal.replay(Position(0), 1000).expect("a replay");
    assert_eq!(replay.next, journal.end());
}

pub(super) fn what_was_appended_is_read_and_replayed(home: &impl Home<Store = dyn Journal>) {
    let journal = home.open();
    let before = journal.bytes();
    let payloads: [(RecordKind, &[u8]); 4] = [(EVENT, b"first"), (LOCAL, b""), (EVENT, &[0; 5000]), (EVENT, b"first")];
    let mut positions = journal.append(&payloads[..3]).expect("an append");
    positions.extend(journal.append(&payloads[3..]).expect("an append"));
    assert!(positions.is_sorted_by(|a, b| a < b));
    assert_eq!(positions[0], journal.start());
    assert!(*positions.last().expect("four records") < journal.end());
    assert!(journal.bytes() >= before + 5010);
    let records = replay_all(&*journal, usize::MAX);
    assert_eq!(records.len(), 4);
    for ((record, position), (kind, payload)) in records.iter().zip(&positions).zip(payloads) {
        assert_eq!((record.position, record.kind, &*record.payload), (*position, kind, payload));
        assert_eq!(journal.read(*position).expect("a read"), *record);
    }
}

pub(super) fn an_append_of_nothing_changes_nothing(home: &impl Home<Store = dyn Journal>) {
    let journal = home.open();
    assert_eq!(journal.append(&[]).expect("an append"), []);
    assert_eq!(journal.end(), journal.start());
}

pub(super) fn replay_starts_anywhere_and_pages_meet_without_gap_or_overlap(home: &impl Home<Store = dyn Journal>) {
    let journal = home.open();
    let positions = append_numbers(&*journal, 50);
    let all = replay_all(&*journal, usize::MAX);
    for bytes_max in [0, 1, 14, 100, 333] {
        assert_eq!(replay_all(&*journal, bytes_max), all);
    }
    for (index, position) in positions.iter().enumerate() {
        let rest = journal.replay(*position, usize::MAX).expect("a replay");
        assert_eq!(rest.records, all[index..]);
        assert_eq!(rest.next, journal.end());
    }
    for beyond in [journal.end(), Position(u64::MAX)] {
        let nothing = journal.replay(beyond, 10).expect("a replay");
        assert_eq!((nothing.records.len(), nothing.next), (0, journal.end()));
    }
}

pub(super) fn a_page_has_at_least_one_record(home: &impl Home<Store = dyn Journal>) {
    let journal = home.open();
    journal.append(&[(EVENT, &[1; 10_000]), (EVENT, &[2; 10_000])]).expect("an append");
    let page = journal.replay(journal.start(), 1).expect("a replay");
    assert_eq!(page.records.len(), 1);
    assert!(page.next < journal.end());
}

pub(super) fn synced_records_survive_reopening(home: &impl Home<Store = dyn Journal>) {
    let journal = home.open();
    append_numbers(&*journal, 10);
    journal.sync().expect("a sync");
    let (records, end) = (replay_all(&*journal, 1000), journal.end());
    drop(journal);
    let journal = home.open();
    assert_eq!(journal.end(), end);
    assert_eq!(replay_all(&*journal, 1000), records);
    assert_eq!(append_numbers(&*journal, 1), [end]);
}

pub(super) fn the_longest_payload_fits_and_a_longer_one_is_refused_with_its_whole_call(
    home: &impl Home<Store = dyn Journal>,
) {
    let journal = home.open();
    let (longest, longer) = (vec![3; PAYLOAD_BYTES_MAX], vec![3; PAYLOAD_BYTES_MAX + 1]);
    let refused = journal.append(&[(EVENT, b"fine"), (EVENT, &longer)]);
    assert!(matches!(refused, Err(JournalError::TooLarge { .. })), "{refused:?}");
    assert_eq!(journal.end(), journal.start());
    let positions = journal.append(&[(EVENT, &longest), (EVENT, b"next")]).expect("an append");
    assert_eq!(journal.read(positions[0]).expect("a read").payload, longest);
    assert_eq!(replay_all(&*journal, 10).len(), 2);
}

pub(super) fn a_scrubbed_record_cannot_be_appended(home: &impl Home<Store = dyn Journal>) {
    let refused = home.open().append(&[(RecordKind::Scrubbed, b"x")]);
    assert!(matches!(refused, Err(JournalError::WrongKind { .. })), "{refused:?}");
}

pub(super) fn nothing_is_read_where_no_record_starts(home: &impl Home<Store = dyn Journal>) {
    let journal = home.open();
    append_numbers(&*journal, 3);
    let end = journal.end();
    for position in [Position(0), end, Position(end.0 + 1), Position(u64::MAX), Position::new(7, 16)] {
        let absent = journal.read(position);
        assert!(matches!(absent, Err(JournalError::Absent { .. })), "{position}: {absent:?}");
    }
}

pub(super) fn a_scrub_keeps_only_what_it_was_told_to_keep(home: &impl Home<Store = dyn Journal>) {
    let journal = home.open();
    let positions =
        journal.append(&[(EVENT, b"before"), (EVENT, b"header and words"), (EVENT, b"after")]).expect("an append");
    let (end, bytes) = (journal.end(), journal.bytes());
    journal.scrub(positions[1], b"header").expect("a scrub");
    let records = replay_all(&*journal, 1000);
    assert_eq!(records[1], journal.read(positions[1]).expect("a read"));
    assert_eq!((records[1].kind, &*records[1].payload), (RecordKind::Scrubbed, &b"header"[..]));
    assert_eq!((&*records[0].payload, &*records[2].payload), (&b"before"[..], &b"after"[..]));
    assert_eq!(records.iter().map(|record| record.position).collect::<Vec<_>>(), positions);
    assert_eq!((journal.end(), journal.bytes()), (end, bytes));
}

pub(super) fn a_scrub_survives_reopening_and_is_idempotent(home: &impl Home<Store = dyn Journal>) {
    let journal = home.open();
    let position = journal.append(&[(EVENT, b"header and words")]).expect("an append")[0];
    journal.sync().expect("a sync");
    for _ in 0..2 {
        journal.scrub(position, b"header").expect("a scrub");
    }
    drop(journal);
    let journal = home.open();
    let scrubbed = journal.read(position).expect("a read");
    assert_eq!((scrubbed.kind, &*scrubbed.payload), (RecordKind::Scrubbed, &b"header"[..]));
    journal.scrub(position, b"header").expect("a scrub");
    assert_eq!(journal.read(position).expect("a read"), scrubbed);
    journal.scrub(position, b"").expect("a further scrub");
    assert_eq!(replay_all(&*journal, 10)[0].payload, b"");
}

pub(super) fn a_scrub_keeps_nothing_that_does_not_fit(home: &impl Home<Store = dyn Journal>) {
    let journal = home.open();
    let payload: &[u8] = b"0123456789";
    let positions = journal.append(&[(EVENT, payload), (EVENT, b"abc")]).expect("an append");
    let fits = payload.len() - SCRUB_OVERHEAD_BYTES;
    for (position, keep) in [(positions[0], &payload[..=fits]), (positions[1], b"")] {
        let refused = journal.scrub(position, keep);
        assert!(matches!(refused, Err(JournalError::TooLarge { .. })), "{refused:?}");
        assert_eq!(journal.read(position).expect("a read").kind, EVENT);
    }
    journal.scrub(positions[0], &payload[..fits]).expect("a scrub");
    assert_eq!(journal.read(positions[0]).expect("a read").payload, &payload[..fits]);
}

pub(super) fn a_local_record_cannot_be_scrubbed(home: &impl Home<Store = dyn Journal>) {
    let journal = home.open();
    let position = journal.append(&[(LOCAL, b"a local record")]).expect("an append")[0];
    let refused = journal.scrub(position, b"a");
    assert!(matches!(refused, Err(JournalError::WrongKind { .. })), "{refused:?}");
    let absent = journal.scrub(journal.end(), b"a");
    assert!(matches!(absent, Err(JournalError::Absent { .. })), "{absent:?}");
}

fn append_numbers(journal: &dyn Journal, count: u32) -> Vec<Position> {
    let payloads: Vec<[u8; 4]> = (0..count).map(u32::to_be_bytes).collect();
    let records: Vec<(RecordKind, &[u8])> = payloads.iter().map(|payload| (EVENT, &payload[..])).collect();
    journal.append(&records).expect("an append")
}

/// All records in pages, each of which makes progress.
fn replay_all(journal: &dyn Journal, bytes_max: usize) -> Vec<Record> {
    let (mut records, mut from) = (Vec::new(), journal.start());
    while from != journal.end() {
        let page = journal.replay(from, bytes_max).expect("a replay");
        assert!(page.next > from && page.damaged.is_empty());
        records.extend(page.records);
        from = page.next;
    }
    records
}
