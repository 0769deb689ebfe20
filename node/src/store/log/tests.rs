//! What holds for files alone: torn tails, damage, full disks, failing syncs.

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{super::journal::PAYLOAD_BYTES_MAX, *};

const EVENT: RecordKind = RecordKind::Event;

impl FileLog {
    pub(super) fn before_write(&self, file: &File, bytes: &[u8], offset: u32) -> io::Result<()> {
        let ordered = *lock(&self.fault);
        let Some(Fault::Write { after_bytes }) = ordered else {
            return Ok(());
        };
        *lock(&self.fault) = None;
        file.write_all_at(&bytes[..after_bytes.min(bytes.len())], u64::from(offset))?;
        Err(io::ErrorKind::StorageFull.into())
    }

    pub(super) fn before_sync(&self) -> io::Result<()> {
        if self.takes(Fault::Sync) {
            Err(io::Error::other("the disk is gone"))
        } else {
            Ok(())
        }
    }

    pub(super) fn before_create(&self, number: u32) -> Result<(), JournalError> {
        if self.takes(Fault::Create) {
            let path = segment_path(&self.folder, number);
            return Err(io_error("create", &path, io::ErrorKind::StorageFull.into()));
        }
        Ok(())
    }

    fn takes(&self, fault: Fault) -> bool {
        let mut ordered = lock(&self.fault);
        let is_ordered = *ordered == Some(fault);
        if is_ordered {
            *ordered = None;
        }
        is_ordered
    }

    fn order(&self, fault: Fault) {
        *lock(&self.fault) = Some(fault);
    }
}

/// A folder for a log, and what a test does to its files.
struct Fixture {
    temporary: TempDir,
    segment_bytes_max: u32,
}

impl Fixture {
    fn new() -> Self {
        Self::with_segments_of(SEGMENT_BYTES_MAX)
    }

    fn with_segments_of(segment_bytes_max: u32) -> Self {
        Self {
            temporary: TempDir::new().expect("a temporary folder"),
            segment_bytes_max,
        }
    }

    fn folder(&self) -> PathBuf {
        self.temporary.path().join("log")
    }

    fn open(&self) -> (FileLog, OpenReport) {
        self.try_open().expect("the log opens")
    }

    fn try_open(&self) -> Result<(FileLog, OpenReport), JournalError> {
        FileLog::open_with(&self.folder(), self.segment_bytes_max)
    }

    /// A closed log with these events.
    fn with_events(self, payloads: &[&[u8]]) -> (Self, Vec<Position>) {
        let (log, _) = self.open();
        let positions = append_each(&log, payloads);
        log.sync().expect("a sync");
        drop(log);
        (self, positions)
    }

    fn segment(&self, number: u32) -> PathBuf {
        segment_path(&self.folder(), number)
    }

    fn bytes(&self, number: u32) -> Vec<u8> {
        std::fs::read(self.segment(number)).expect("a segment file")
    }

    fn set_bytes(&self, number: u32, bytes: &[u8]) {
        std::fs::write(self.segment(number), bytes).expect("a segment file is written");
    }
}

fn append_each(log: &FileLog, payloads: &[&[u8]]) -> Vec<Position> {
    payloads
        .iter()
        .map(|payload| log.append(&[(EVENT, payload)]).expect("an append")[0])
        .collect()
}

fn payloads_of(replay: &Replay) -> Vec<&[u8]> {
    replay
        .records
        .iter()
        .map(|record| &*record.payload)
        .collect()
}

fn replay_all(log: &FileLog) -> Replay {
    let replay = log.replay(Position(0), usize::MAX).expect("a replay");
    assert_eq!(replay.next, log.end());
    replay
}

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
        assert_eq!(
            payloads_of(&replay_all(&log)),
            [&b"one"[..], b"two", b"instead"]
        );
    }
}

#[test]
fn a_torn_tail_of_zeroes_or_noise_is_cut() {
    let (fixture, _) = Fixture::new().with_events(&[b"one", b"two"]);
    let whole = fixture.bytes(1);
    let noise: Vec<u8> = (0..9000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
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
    let (fixture, positions) =
        Fixture::new().with_events(&[b"one", b"the middle record", b"three", b"four"]);
    let whole = fixture.bytes(1);
    for offset in positions[1].offset()..positions[2].offset() {
        let mut bytes = whole.clone();
        bytes[offset as usize] ^= 0x41;
        fixture.set_bytes(1, &bytes);
        let (log, report) = fixture.open();
        let lost = Damage {
            start: positions[1],
            bytes: positions[2].0 - positions[1].0,
        };
        assert_eq!((report.torn_bytes_cut, report.damaged), (0, vec![lost]));
        let replay = replay_all(&log);
        assert_eq!(payloads_of(&replay), [&b"one"[..], b"three", b"four"]);
        assert_eq!(replay.damaged, [lost]);
        let damaged = log.read(positions[1]);
        assert!(
            matches!(damaged, Err(JournalError::Damaged { position, .. }) if position == positions[1])
        );
        assert_eq!(log.read(positions[3]).expect("a read").payload, b"four");
    }
}

#[test]
fn a_truncated_segment_in_the_middle_loses_only_its_own_end() {
    let fixture = Fixture::with_segments_of(64);
    let (fixture, positions) =
        fixture.with_events(&[&[1; 15], &[2; 15], &[3; 15], &[4; 15], &[5; 15]]);
    assert_eq!(
        positions.iter().map(|p| p.segment()).collect::<Vec<_>>(),
        [1, 1, 2, 2, 3]
    );
    let cut = fixture.bytes(1);
    fixture.set_bytes(1, &cut[..cut.len() - 5]);
    let (log, report) = fixture.open();
    assert_eq!((report.torn_bytes_cut, report.segments), (0, 3));
    let replay = replay_all(&log);
    assert_eq!(
        payloads_of(&replay),
        [&[1; 15][..], &[3; 15], &[4; 15], &[5; 15]]
    );
    assert_eq!(
        replay.damaged,
        [Damage {
            start: positions[1],
            bytes: 19
        }]
    );
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
    assert_eq!(
        log.replay(positions[1], 9).expect("a replay").records[0].payload,
        [3; 15]
    );
    assert!(matches!(
        log.read(positions[1]),
        Err(JournalError::Absent { .. })
    ));
}

#[test]
fn records_fill_segment_after_segment_and_all_stay_readable() {
    let count = 3 * READERS_MAX;
    let payloads: Vec<Vec<u8>> = (0..count).map(|number| vec![number as u8; 30]).collect();
    let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let (fixture, positions) = Fixture::with_segments_of(60).with_events(&slices);
    assert_eq!(
        positions.last().map(|position| position.segment()),
        Some(count as u32)
    );
    let (log, report) = fixture.open();
    assert_eq!(report.segments, count);
    for (position, payload) in positions
        .iter()
        .zip(&payloads)
        .chain(positions.iter().zip(&payloads).rev())
    {
        assert_eq!(log.read(*position).expect("a read").payload, *payload);
    }
    assert_eq!(lock(&log.readers).len(), READERS_MAX);
    assert_eq!(payloads_of(&replay_all(&log)), slices);
    assert_eq!(log.bytes(), (count * (16 + 9 + 30)) as u64);
}

#[test]
fn one_append_stays_in_one_segment_and_may_not_exceed_it() {
    let fixture = Fixture::with_segments_of(100);
    let (log, _) = fixture.open();
    append_each(&log, &[&[1; 40]]);
    let positions = log
        .append(&[(EVENT, &[2; 20]), (EVENT, &[3; 20])])
        .expect("an append");
    assert_eq!(
        (positions[0], positions[1].segment()),
        (Position::new(2, 16), 2)
    );
    let refused = log.append(&[(EVENT, &[2; 40]), (EVENT, &[3; 40])]);
    assert!(
        matches!(refused, Err(JournalError::TooLarge { bytes_max: 84, .. })),
        "{refused:?}"
    );
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
    assert!(
        refused.to_string().contains("written by a newer roda"),
        "{refused}"
    );
    assert_eq!(fixture.bytes(1), bytes);
    // The same in an earlier segment is met by replay and read.
    std::fs::write(fixture.segment(2), file_header(2)).expect("a segment file is written");
    let (log, _) = fixture.open();
    assert!(matches!(
        log.read(positions[1]),
        Err(JournalError::Newer { .. })
    ));
    assert!(matches!(
        log.replay(Position(0), 1000),
        Err(JournalError::Newer { .. })
    ));
    assert_eq!(
        payloads_of(&log.replay(Position(0), 1).expect("a replay")),
        [b"one"]
    );
}

#[test]
fn a_newer_format_and_a_renamed_segment_are_refused() {
    let (fixture, _) = Fixture::new().with_events(&[b"one"]);
    let whole = fixture.bytes(1);
    let mut newer = whole.clone();
    newer[4] = 2;
    let checksum = crc32fast::hash(&newer[..12]).to_le_bytes();
    newer[12..16].copy_from_slice(&checksum);
    fixture.set_bytes(1, &newer);
    assert!(matches!(
        fixture.try_open(),
        Err(JournalError::Newer { .. })
    ));
    std::fs::rename(fixture.segment(1), fixture.segment(2)).expect("a rename");
    fixture.set_bytes(2, &whole);
    assert!(matches!(
        fixture.try_open(),
        Err(JournalError::Misplaced { says: 1, .. })
    ));
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
fn a_segment_that_was_being_made_is_finished() {
    let (fixture, _) = Fixture::new().with_events(&[b"one"]);
    fixture.set_bytes(2, &file_header(2)[..7]);
    let (log, report) = fixture.open();
    assert_eq!((report.segments, report.torn_bytes_cut), (2, 7));
    assert_eq!(append_each(&log, &[b"two"]), [Position::new(2, 16)]);
    drop(log);
    assert_eq!(
        payloads_of(&replay_all(&fixture.open().0)),
        [b"one", b"two"]
    );
}

#[test]
fn a_record_inside_a_payload_never_passes_for_one() {
    // A stranger embeds a local record in a post. Even made for the right place it isn't met as long as
    // the post's own length leads to the next record.
    let mut forged = Vec::new();
    encode(
        Position::new(1, 16 + 9 + 5),
        RecordKind::Local,
        b"follow mallory",
        &mut forged,
    );
    let payload = [&b"12345"[..], &forged, b"67890"].concat();
    let (fixture, _) = Fixture::new().with_events(&[&payload, b"after"]);
    let whole = fixture.bytes(1);
    for (damaged_byte, why) in [(4, "its checksum"), (8, "its kind"), (9, "its payload")] {
        let mut bytes = whole.clone();
        bytes[16 + damaged_byte] ^= 0x55;
        fixture.set_bytes(1, &bytes);
        let (log, _) = fixture.open();
        assert_eq!(
            payloads_of(&replay_all(&log)),
            [b"after"],
            "{why} was damaged"
        );
    }
    // Where every byte is tried, one made for another place is unsound.
    let mut elsewhere = Vec::new();
    encode(
        Position::new(1, 99),
        RecordKind::Local,
        b"follow mallory",
        &mut elsewhere,
    );
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
    assert_eq!(
        report
            .damaged
            .iter()
            .map(|damage| damage.bytes)
            .sum::<u64>(),
        trap.len() as u64
    );
    assert_eq!(append_each(&log, &[b"three"]), [Position::new(2, 16)]);
    assert_eq!(
        payloads_of(&replay_all(&log)),
        [&b"one"[..], b"two", b"three"]
    );
    assert_eq!(fixture.bytes(1), bytes);
}

#[test]
fn scrubbed_words_are_zeroes_on_the_disk() {
    let fixture = Fixture::with_segments_of(90);
    let (log, _) = fixture.open();
    let positions = append_each(&log, &[b"header|secret words of a post", b"a neighbour"]);
    assert_eq!(positions[1].segment(), 1);
    append_each(&log, &[&[7; 40]]);
    log.scrub(positions[0], b"header").expect("a scrub");
    let bytes = fixture.bytes(1);
    assert!(!bytes.windows(5).any(|run| run == b"words"));
    let start = positions[0].offset() as usize + 9 + 4 + b"header".len();
    let end = positions[1].offset() as usize;
    assert!(bytes[start..end].iter().all(|&byte| byte == 0));
    assert_eq!(
        log.read(positions[1]).expect("a read").payload,
        b"a neighbour"
    );
    drop(log);
    assert_eq!(
        fixture.open().0.read(positions[0]).expect("a read").payload,
        b"header"
    );
}

#[test]
fn a_scrub_that_was_interrupted_leaves_a_sound_record_and_can_be_repeated() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    let position = append_each(&log, &[b"header|secret words of a post", b"next"])[0];
    let length = b"header|secret words of a post".len() as u32;
    // As if the power had failed between the two writes.
    let mut bytes = fixture.bytes(1);
    let head = encode_scrubbed(position, length, b"header");
    bytes[position.offset() as usize..][..head.len()].copy_from_slice(&head);
    drop(log);
    fixture.set_bytes(1, &bytes);
    let (log, report) = fixture.open();
    assert_eq!(
        report,
        OpenReport {
            segments: 1,
            ..OpenReport::default()
        }
    );
    let record = log.read(position).expect("a read");
    assert_eq!(
        (record.kind, &*record.payload),
        (RecordKind::Scrubbed, &b"header"[..])
    );
    log.scrub(position, b"header").expect("a scrub");
    assert!(!fixture.bytes(1).windows(5).any(|run| run == b"words"));
    assert_eq!(replay_all(&log).records.len(), 2);
}

#[test]
fn a_write_that_the_disk_refuses_leaves_no_trace_and_the_log_usable() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    append_each(&log, &[b"one"]);
    let (end, bytes) = (log.end(), fixture.bytes(1));
    for after_bytes in [0, 5, 30, 1000] {
        log.order(Fault::Write { after_bytes });
        let refused = log.append(&[(EVENT, b"two"), (EVENT, b"a longer record that is cut")]);
        let text = refused.expect_err("a full disk").to_string();
        assert!(
            text.contains("00000001.log") && text.contains("space"),
            "{text}"
        );
        assert_eq!((log.end(), fixture.bytes(1)), (end, bytes.clone()));
        assert_eq!(replay_all(&log).records.len(), 1);
    }
    assert_eq!(append_each(&log, &[b"two"]), [end]);
    log.sync().expect("a sync");
    drop(log);
    assert_eq!(
        payloads_of(&replay_all(&fixture.open().0)),
        [b"one", b"two"]
    );
}

#[test]
fn a_segment_that_cannot_be_made_is_made_later() {
    let fixture = Fixture::with_segments_of(60);
    let (log, _) = fixture.open();
    append_each(&log, &[&[1; 30]]);
    log.order(Fault::Create);
    assert!(matches!(
        log.append(&[(EVENT, &[2; 30])]),
        Err(JournalError::Io { .. })
    ));
    assert_eq!(append_each(&log, &[&[3; 30]]), [Position::new(2, 16)]);
    assert_eq!(payloads_of(&replay_all(&log)), [&[1; 30], &[3; 30]]);
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_until_the_log_is_opened_again() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    let position = append_each(&log, &[b"one"])[0];
    log.order(Fault::Sync);
    assert!(matches!(log.sync(), Err(JournalError::Io { .. })));
    assert!(matches!(log.sync(), Err(JournalError::Stopped { .. })));
    assert!(matches!(
        log.append(&[(EVENT, b"two")]),
        Err(JournalError::Stopped { .. })
    ));
    assert!(matches!(
        log.scrub(position, b""),
        Err(JournalError::Stopped { .. })
    ));
    assert_eq!(log.read(position).expect("a read").payload, b"one");
    drop(log);
    let (log, _) = fixture.open();
    append_each(&log, &[b"two"]);
    log.sync().expect("a sync");
}

#[test]
fn a_failed_sync_of_a_full_segment_stops_the_log_too() {
    let fixture = Fixture::with_segments_of(60);
    let (log, _) = fixture.open();
    append_each(&log, &[&[1; 30]]);
    log.order(Fault::Sync);
    assert!(matches!(
        log.append(&[(EVENT, &[2; 30])]),
        Err(JournalError::Io { .. })
    ));
    assert!(matches!(log.sync(), Err(JournalError::Stopped { .. })));
}

#[test]
fn a_log_has_one_owner() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    let refused = fixture.try_open().expect_err("it is open");
    assert!(matches!(refused, JournalError::Locked { .. }), "{refused}");
    drop(log);
    fixture.open();
}

#[test]
fn only_its_owner_may_read_the_files() {
    let fixture = Fixture::with_segments_of(60);
    let (log, _) = fixture.open();
    append_each(&log, &[&[1; 30], &[2; 30]]);
    let mode = |path: &Path| {
        std::fs::metadata(path)
            .expect("it exists")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(&fixture.folder()), 0o700);
    assert_eq!(
        (mode(&fixture.segment(1)), mode(&fixture.segment(2))),
        (0o600, 0o600)
    );
}

#[test]
fn other_files_in_the_folder_are_left_alone() {
    let (fixture, _) = Fixture::new().with_events(&[b"one"]);
    for name in ["7.log", "notes.txt", "0000000a.log", "00000002.log.old"] {
        std::fs::write(fixture.folder().join(name), b"x").expect("a file is written");
    }
    let (log, report) = fixture.open();
    assert_eq!(report.segments, 1);
    assert_eq!(replay_all(&log).records.len(), 1);
}

#[test]
fn a_length_beyond_the_bound_is_damage_and_not_an_allocation() {
    let (fixture, positions) = Fixture::new().with_events(&[b"one", b"two", b"three"]);
    let mut bytes = fixture.bytes(1);
    for length in [PAYLOAD_BYTES_MAX as u32 + 1, u32::MAX] {
        bytes[positions[1].offset() as usize..][..4].copy_from_slice(&length.to_le_bytes());
        fixture.set_bytes(1, &bytes);
        assert_eq!(
            payloads_of(&replay_all(&fixture.open().0)),
            [&b"one"[..], b"three"]
        );
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
