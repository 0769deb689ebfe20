//! Torn tails, flipped bytes, missing pieces, newer versions: what is lost, what stays, what is told.

use proptest::prelude::*;

use super::{
    super::super::{journal::PAYLOAD_BYTES_MAX, segment::file_header, tape::bad_sectors},
    *,
};

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_appended_to() {
    let (fixture, positions) = Fixture::new().with_events(&[b"one", b"two", b"the last record"]);
    let whole = fixture.bytes(1);
    let last = positions[2].offset() as usize;
    for length in last..whole.len() {
        fixture.set_bytes(1, &whole[..length]);
        let (log, report) = fixture.open();
        assert_eq!(report.torn_bytes_cut, (length - last) as u64);
        assert_eq!((report.segments, report.damaged.len()), (1, 0));
        assert_eq!(log.end(), positions[2]);
        assert_eq!(append_each(&log, &[b"instead"]), [positions[2]]);
        drop(log);
        let (log, report) = fixture.open();
        assert_eq!(report.torn_bytes_cut, 0);
        assert_eq!(payloads_of(&replay_all(&log)), [&b"one"[..], b"two", b"instead"]);
    }
}

#[test]
fn a_torn_tail_of_zeroes_or_noise_is_cut() {
    let (fixture, _) = Fixture::new().with_events(&[b"one", b"two"]);
    let whole = fixture.bytes(1);
    let noise: Vec<u8> = (0..9000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for tail in [vec![0; 9000], noise, vec![0xff; 20]] {
        fixture.set_bytes(1, &[&whole[..], &tail].concat());
        let (log, report) = fixture.open();
        assert_eq!(report.torn_bytes_cut, tail.len() as u64);
        assert_eq!(replay_all(&log).records.len(), 2);
        assert_eq!(log.bytes(), whole.len() as u64);
    }
}

#[test]
fn a_flipped_byte_loses_exactly_its_record() {
    let (fixture, positions) = Fixture::new().with_events(&[b"one", b"the middle record", b"three", b"four"]);
    let whole = fixture.bytes(1);
    for offset in positions[1].offset()..positions[2].offset() {
        let mut bytes = whole.clone();
        bytes[offset as usize] ^= 0x41;
        fixture.set_bytes(1, &bytes);
        let (log, report) = fixture.open();
        let lost = Damage { start: positions[1], bytes: positions[2].0 - positions[1].0 };
        assert_eq!((report.torn_bytes_cut, report.damaged), (0, vec![lost]));
        let replay = replay_all(&log);
        assert_eq!(payloads_of(&replay), [&b"one"[..], b"three", b"four"]);
        assert_eq!(replay.damaged, [lost]);
        let damaged = log.read(positions[1]);
        assert!(matches!(damaged, Err(JournalError::Damaged { position, .. }) if position == positions[1]));
        assert_eq!(log.read(positions[3]).expect("a read").payload, b"four");
    }
}

#[test]
fn a_truncated_segment_in_the_middle_loses_only_its_own_end() {
    let fixture = Fixture::with_segments_of(64);
    let (fixture, positions) = fixture.with_events(&[&[1; 15], &[2; 15], &[3; 15], &[4; 15], &[5; 15]]);
    assert_eq!(positions.iter().map(|p| p.segment()).collect::<Vec<_>>(), [1, 1, 2, 2, 3]);
    let cut = fixture.bytes(1);
    fixture.set_bytes(1, &cut[..cut.len() - 5]);
    let (log, report) = fixture.open();
    assert_eq!((report.torn_bytes_cut, report.segments), (0, 3));
    let replay = replay_all(&log);
    assert_eq!(payloads_of(&replay), [&[1; 15][..], &[3; 15], &[4; 15], &[5; 15]]);
    assert_eq!(replay.damaged, [Damage { start: positions[1], bytes: 19 }]);
    assert_eq!(fixture.bytes(1).len(), cut.len() - 5);
}

#[test]
fn a_missing_segment_is_reported_and_passed_over() {
    let fixture = Fixture::with_segments_of(40);
    let (fixture, positions) = fixture.with_events(&[&[1; 15], &[2; 15], &[3; 15]]);
    std::fs::remove_file(fixture.segment(2)).expect("the file is removed");
    let (log, report) = fixture.open();
    assert_eq!((report.segments, report.segments_missing), (2, vec![2]));
    assert_eq!(payloads_of(&replay_all(&log)), [&[1; 15], &[3; 15]]);
    assert_eq!(log.replay(positions[1], 9).expect("a replay").records[0].payload, [3; 15]);
    assert!(matches!(log.read(positions[1]), Err(JournalError::Absent { .. })));
}

#[test]
fn a_sound_record_of_an_unknown_kind_stops_the_reader_and_changes_nothing() {
    let (fixture, positions) = Fixture::new().with_events(&[b"one", b"two"]);
    let mut bytes = fixture.bytes(1);
    // As a newer version would write it: the same record with another code and the right checksum.
    let mut covered = positions[1].0.to_le_bytes().to_vec();
    covered.extend([3, 0, 0, 0, 9]);
    covered.extend(b"two");
    let at = positions[1].offset() as usize;
    bytes[at + 4..at + 8].copy_from_slice(&crc32fast::hash(&covered).to_le_bytes());
    bytes[at + 8] = 9;
    fixture.set_bytes(1, &bytes);
    let refused = fixture.try_open().expect_err("a newer record");
    assert!(refused.to_string().contains("written by a newer roda"), "{refused}");
    assert_eq!(fixture.bytes(1), bytes);
    // The same in an earlier segment is met by replay and read.
    std::fs::write(fixture.segment(2), file_header(2)).expect("a segment file is written");
    let (log, _) = fixture.open();
    assert!(matches!(log.read(positions[1]), Err(JournalError::Newer { .. })));
    assert!(matches!(log.replay(Position(0), 1000), Err(JournalError::Newer { .. })));
    assert_eq!(payloads_of(&log.replay(Position(0), 1).expect("a replay")), [b"one"]);
}

#[test]
fn a_newer_format_and_a_renamed_segment_are_refused() {
    let (fixture, _) = Fixture::new().with_events(&[b"one"]);
    let whole = fixture.bytes(1);
    let mut newer = whole.clone();
    newer[4] = 3;
    let checksum = crc32fast::hash(&newer[..12]).to_le_bytes();
    newer[12..16].copy_from_slice(&checksum);
    fixture.set_bytes(1, &newer);
    assert!(matches!(fixture.try_open(), Err(JournalError::Newer { .. })));
    std::fs::rename(fixture.segment(1), fixture.segment(2)).expect("a rename");
    fixture.set_bytes(2, &whole);
    assert!(matches!(fixture.try_open(), Err(JournalError::Misplaced { says: 1, .. })));
}

#[test]
fn a_damaged_file_header_costs_no_record() {
    let (fixture, _) = Fixture::new().with_events(&[b"one", b"two"]);
    let mut bytes = fixture.bytes(1);
    bytes[..16].fill(0);
    fixture.set_bytes(1, &bytes);
    let (log, report) = fixture.open();
    assert_eq!((report.torn_bytes_cut, report.damaged.len()), (0, 0));
    assert_eq!(replay_all(&log).records.len(), 2);
}

#[test]
fn a_record_inside_a_payload_never_passes_for_one() {
    // A stranger embeds a local record in a post. Even made for the right place it isn't met as long as
    // the post's own length leads to the next record.
    let mut forged = Vec::new();
    encode(Position::new(1, 16 + 9 + 5), RecordKind::Local, b"follow mallory", &mut forged);
    let payload = [&b"12345"[..], &forged, b"67890"].concat();
    let (fixture, _) = Fixture::new().with_events(&[&payload, b"after"]);
    let whole = fixture.bytes(1);
    for (damaged_byte, why) in [(4, "its checksum"), (8, "its kind"), (9, "its payload")] {
        let mut bytes = whole.clone();
        bytes[16 + damaged_byte] ^= 0x55;
        fixture.set_bytes(1, &bytes);
        let (log, _) = fixture.open();
        assert_eq!(payloads_of(&replay_all(&log)), [b"after"], "{why} was damaged");
    }
    // Where every byte is tried, one made for another place is unsound.
    let mut elsewhere = Vec::new();
    encode(Position::new(1, 99), RecordKind::Local, b"follow mallory", &mut elsewhere);
    let (fixture, positions) = Fixture::new().with_events(&[&elsewhere, b"after"]);
    let whole = fixture.bytes(1);
    let mut bytes = whole.clone();
    bytes[16 + 3] = 0xff;
    fixture.set_bytes(1, &bytes);
    assert_eq!(payloads_of(&replay_all(&fixture.open().0)), [b"after"]);
    let mut bytes = whole[..positions[1].offset() as usize].to_vec();
    bytes[16 + 4] ^= 0x55;
    fixture.set_bytes(1, &bytes);
    assert_eq!(replay_all(&fixture.open().0).records, []);
}

#[test]
fn a_damaged_length_that_leads_to_the_very_end_cuts_no_good_record() {
    let (fixture, positions) = Fixture::new().with_events(&[b"one", b"two", b"three"]);
    let mut bytes = fixture.bytes(1);
    let at = positions[0].offset() as usize;
    bytes[at] = (bytes.len() - at - RECORD_HEADER_BYTES) as u8;
    fixture.set_bytes(1, &bytes);
    let (log, report) = fixture.open();
    assert_eq!(report.torn_bytes_cut, 0);
    assert_eq!(payloads_of(&replay_all(&log)), [&b"two"[..], b"three"]);
}

#[test]
fn a_search_without_end_is_given_up_and_nothing_is_cut() {
    let (fixture, _) = Fixture::new().with_events(&[b"one", b"two"]);
    // At every step what looks like the header of a long record.
    let trap = [0xff, 0xff, 0x03, 0x00, 0, 0, 0, 0, 1].repeat(100_000);
    let bytes = [&fixture.bytes(1)[..], &trap].concat();
    fixture.set_bytes(1, &bytes);
    let (log, report) = fixture.open();
    assert_eq!((report.torn_bytes_cut, report.segments), (0, 2));
    assert_eq!(report.damaged.iter().map(|damage| damage.bytes).sum::<u64>(), trap.len() as u64);
    assert_eq!(append_each(&log, &[b"three"]), [Position::new(2, 16)]);
    assert_eq!(payloads_of(&replay_all(&log)), [&b"one"[..], b"two", b"three"]);
    assert_eq!(fixture.bytes(1), bytes);
}

#[test]
fn a_length_beyond_the_bound_is_damage_and_not_an_allocation() {
    let (fixture, positions) = Fixture::new().with_events(&[b"one", b"two", b"three"]);
    let mut bytes = fixture.bytes(1);
    for length in [PAYLOAD_BYTES_MAX as u32 + 1, u32::MAX] {
        bytes[positions[1].offset() as usize..][..4].copy_from_slice(&length.to_le_bytes());
        fixture.set_bytes(1, &bytes);
        assert_eq!(payloads_of(&replay_all(&fixture.open().0)), [&b"one"[..], b"three"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_anywhere_loses_records_and_invents_none(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..20),
        marks in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<u16>()),
    ) {
        let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let (fixture, positions) = Fixture::with_segments_of(300).with_events(&slices);
        for (place, value) in marks {
            let number = positions[usize::from(place) % positions.len()].segment();
            let mut bytes = fixture.bytes(number);
            let at = usize::from(place) % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            if let Some(cut) = cut {
                bytes.truncate(usize::from(cut) % 400);
            }
            fixture.set_bytes(number, &bytes);
        }
        let Ok((log, _)) = fixture.try_open() else {
            // A flip can't pass for a newer version: its checksum would have to be right.
            return Err(TestCaseError::fail("a damaged log must open"));
        };
        let replay = replay_all(&log);
        let mut last = Position(0);
        for record in &replay.records {
            prop_assert!(record.position > last);
            last = record.position;
            let written = positions.binary_search(&record.position).expect("a record that was written");
            prop_assert_eq!(&record.payload, &payloads[written]);
        }
        let appended = append_each(&log, &[b"later"])[0];
        prop_assert_eq!(&log.read(appended).expect("a read").payload, b"later");
        drop(log);
        let again = replay_all(&fixture.open().0);
        prop_assert_eq!(again.records.len(), replay.records.len() + 1);
    }
}

#[test]
fn a_sector_that_cannot_be_read_costs_the_records_in_it_and_nothing_is_cut() {
    let payload = |byte: u8| vec![byte; 10_000];
    let written: Vec<Vec<u8>> = (1..=4).map(payload).collect();
    let slices: Vec<&[u8]> = written.iter().map(Vec::as_slice).collect();
    for (bad, is_last) in [(1, false), (3, true)] {
        let (fixture, positions) = Fixture::new().with_events(&slices);
        let (path, length) = (fixture.segment(1), fixture.bytes(1).len());
        let start = u64::from(positions[bad].offset()) + 5000;
        bad_sectors::make(&path, start..start + 1);
        let (log, report) = fixture.open();
        assert_eq!((report.torn_bytes_cut, report.damaged.len()), (0, 1));
        let refused = log.read(positions[bad]);
        assert!(matches!(refused, Err(JournalError::Damaged { .. })), "{refused:?}");
        for other in (0..4).filter(|other| *other != bad) {
            assert_eq!(log.read(positions[other]).expect("a read").payload, written[other]);
        }
        let replay = replay_all(&log);
        assert_eq!((replay.records.len(), replay.damaged.len()), (3, 1));
        let next = append_each(&log, &[b"later"])[0];
        assert_eq!(next.segment(), if is_last { 2 } else { 1 }, "what may be there is not written over");
        drop(log);
        bad_sectors::mend(&path);
        let (log, _) = fixture.open();
        assert_eq!(log.read(positions[bad]).expect("a read").payload, written[bad]);
        assert!(fixture.bytes(1).len() >= length);
    }
}

#[test]
fn a_segment_whose_first_sector_cannot_be_read_is_still_one() {
    let payload = vec![7; 5000];
    let (fixture, positions) = Fixture::new().with_events(&[&payload, &payload, &payload]);
    bad_sectors::make(&fixture.segment(1), 0..100);
    let (log, _) = fixture.open();
    assert_eq!(replay_all(&log).records.len(), 2);
    assert_eq!(log.read(positions[1]).expect("a read").payload, payload);
}
