//! What holds for files alone: full disks, failing syncs, zeroes, modes. What damage does is next door.

mod damage;

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::{
    super::{
        segment::{encode_scrubbed, file_header},
        tape::{Fault, Step as TapeStep},
    },
    *,
};

const EVENT: RecordKind = RecordKind::Event;

impl FileLog {
    fn order(&self, fault: Fault) {
        self.disk.tape.as_ref().expect("it was opened by a test").order(fault);
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
        Self { temporary: TempDir::new().expect("a temporary folder"), segment_bytes_max }
    }

    fn folder(&self) -> PathBuf {
        self.temporary.path().join("log")
    }

    fn open(&self) -> (FileLog, OpenReport) {
        self.try_open().expect("the log opens")
    }

    fn try_open(&self) -> Result<(FileLog, OpenReport), JournalError> {
        FileLog::open_with(&self.folder(), self.segment_bytes_max, Disk { tape: Some(Arc::default()) })
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
    payloads.iter().map(|payload| log.append(&[(EVENT, payload)]).expect("an append")[0]).collect()
}

fn payloads_of(replay: &Replay) -> Vec<&[u8]> {
    replay.records.iter().map(|record| &*record.payload).collect()
}

fn replay_all(log: &FileLog) -> Replay {
    let replay = log.replay(Position(0), usize::MAX).expect("a replay");
    assert_eq!(replay.next, log.end());
    replay
}

#[test]
fn records_fill_segment_after_segment_and_all_stay_readable() {
    let count = 3 * READERS_MAX;
    let payloads: Vec<Vec<u8>> = (0..count).map(|number| vec![number as u8; 30]).collect();
    let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let (fixture, positions) = Fixture::with_segments_of(60).with_events(&slices);
    assert_eq!(positions.last().map(|position| position.segment()), Some(count as u32));
    let (log, report) = fixture.open();
    assert_eq!(report.segments, count);
    for (position, payload) in positions.iter().zip(&payloads).chain(positions.iter().zip(&payloads).rev()) {
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
    let positions = log.append(&[(EVENT, &[2; 20]), (EVENT, &[3; 20])]).expect("an append");
    assert_eq!((positions[0], positions[1].segment()), (Position::new(2, 16), 2));
    let refused = log.append(&[(EVENT, &[2; 40]), (EVENT, &[3; 40])]);
    assert!(matches!(refused, Err(JournalError::TooLarge { bytes_max: 84, .. })), "{refused:?}");
}

#[test]
fn a_segment_that_was_being_made_is_finished() {
    let (fixture, _) = Fixture::new().with_events(&[b"one"]);
    fixture.set_bytes(2, &file_header(2)[..7]);
    let (log, report) = fixture.open();
    assert_eq!((report.segments, report.torn_bytes_cut), (2, 7));
    assert_eq!(append_each(&log, &[b"two"]), [Position::new(2, 16)]);
    drop(log);
    assert_eq!(payloads_of(&replay_all(&fixture.open().0)), [b"one", b"two"]);
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
    assert_eq!(log.read(positions[1]).expect("a read").payload, b"a neighbour");
    drop(log);
    assert_eq!(fixture.open().0.read(positions[0]).expect("a read").payload, b"header");
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
    assert_eq!(report, OpenReport { segments: 1, ..OpenReport::default() });
    let record = log.read(position).expect("a read");
    assert_eq!((record.kind, &*record.payload), (RecordKind::Scrubbed, &b"header"[..]));
    log.scrub(position, b"header").expect("a scrub");
    assert!(!fixture.bytes(1).windows(5).any(|run| run == b"words"));
    assert_eq!(replay_all(&log).records.len(), 2);
}

#[test]
fn a_scrub_that_was_torn_anywhere_is_made_good_by_its_repetition() {
    for last in [true, false] {
        let (fixture, positions) = Fixture::new().with_events(if last {
            &[b"a neighbour", b"header|secret words of a post"]
        } else {
            &[b"header|secret words of a post", b"a neighbour"]
        });
        let position = positions[usize::from(last)];
        let whole = fixture.bytes(1);
        let head = encode_scrubbed(position, b"header|secret words of a post".len() as u32, b"header");
        for torn in 0..=head.len() {
            let mut bytes = whole.clone();
            bytes[position.offset() as usize..][..torn].copy_from_slice(&head[..torn]);
            // The end of a log that doesn't hold is cut when it is opened; here it is torn behind the log's back.
            fixture.set_bytes(1, &whole);
            let (log, _) = fixture.open();
            fixture.set_bytes(1, &bytes);
            log.scrub(position, b"header").expect("a scrub");
            assert_eq!(payloads_of(&replay_all(&log)).len(), 2, "torn after {torn} bytes");
            let record = log.read(position).expect("a read");
            assert_eq!((record.kind, &*record.payload), (RecordKind::Scrubbed, &b"header"[..]));
            assert!(!fixture.bytes(1).windows(5).any(|run| run == b"words"));
        }
    }
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
        assert!(text.contains("00000001.log") && text.contains("space"), "{text}");
        assert_eq!((log.end(), fixture.bytes(1)), (end, bytes.clone()));
        assert_eq!(replay_all(&log).records.len(), 1);
    }
    assert_eq!(append_each(&log, &[b"two"]), [end]);
    log.sync().expect("a sync");
    drop(log);
    assert_eq!(payloads_of(&replay_all(&fixture.open().0)), [b"one", b"two"]);
}

#[test]
fn a_disk_that_is_nearly_full_takes_no_records_until_there_is_room() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    let position = append_each(&log, &[b"header|secret words of a post"])[0];
    let tape = log.disk.tape.clone().expect("it was opened by a test");
    tape.set_free_bytes(FREE_BYTES_MIN - 1);
    let refused = log.append(&[(EVENT, b"two")]).expect_err("there is no room");
    assert!(refused.to_string().contains("Make room"), "{refused}");
    // What is there is kept in order.
    assert_eq!(replay_all(&log).records.len(), 1);
    log.sync().expect("a sync");
    log.scrub(position, b"header").expect("a scrub");
    tape.set_free_bytes(FREE_BYTES_MIN);
    append_each(&log, &[b"two"]);
    assert_eq!(payloads_of(&replay_all(&log)), [&b"header"[..], b"two"]);
}

#[test]
fn a_segment_that_cannot_be_made_is_made_later() {
    let fixture = Fixture::with_segments_of(60);
    let (log, _) = fixture.open();
    append_each(&log, &[&[1; 30]]);
    log.order(Fault::Create);
    assert!(matches!(log.append(&[(EVENT, &[2; 30])]), Err(JournalError::Io { .. })));
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
    assert!(matches!(log.append(&[(EVENT, b"two")]), Err(JournalError::Stopped { .. })));
    assert!(matches!(log.scrub(position, b""), Err(JournalError::Stopped { .. })));
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
    assert!(matches!(log.append(&[(EVENT, &[2; 30])]), Err(JournalError::Io { .. })));
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
    let mode = |path: &Path| std::fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
    assert_eq!(mode(&fixture.folder()), 0o700);
    assert_eq!((mode(&fixture.segment(1)), mode(&fixture.segment(2))), (0o600, 0o600));
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
fn many_scrubs_of_a_segment_cost_two_syncs() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    let positions = append_each(&log, &[&b"header and words"[..]; 20]);
    let records: Vec<(Position, Vec<u8>)> = positions.iter().map(|at| (*at, b"header".to_vec())).collect();
    let syncs = || {
        let tape = log.disk.tape.as_ref().expect("it was opened by a test");
        tape.steps().iter().filter(|step| matches!(step, TapeStep::Synced(_))).count()
    };
    let before = syncs();
    log.scrub_all(&records).expect("a scrub");
    assert_eq!(syncs() - before, 2);
    for position in positions {
        assert_eq!(log.read(position).expect("a read").payload, b"header");
    }
    log.scrub_all(&records).expect("a scrub");
    assert_eq!(syncs() - before, 2, "what is scrubbed is left alone");
}

#[test]
fn a_segment_is_written_anew_only_where_there_is_room_for_it() {
    let fixture = Fixture::with_segments_of(300);
    let (log, _) = fixture.open();
    let positions = append_each(&log, &[&[7; 100][..]; 5]);
    let tape = log.disk.tape.as_ref().expect("it was opened by a test");
    tape.set_free_bytes(FREE_BYTES_MIN + 100);
    let refused = log.rewrite(1, &mut |_| Fate::Keep);
    assert!(matches!(refused, Err(JournalError::Full { .. })), "{refused:?}");
    append_each(&log, &[b"there is room for more records"]);
    tape.set_free_bytes(FREE_BYTES_MIN + 300);
    assert!(log.rewrite(1, &mut |_| Fate::Keep).expect("there is room").is_some());
    assert_eq!(log.read(positions[0]).expect("a read").payload, [7; 100]);
}
