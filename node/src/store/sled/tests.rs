//! What holds for sled alone: damaged files, a second owner, folders that are set aside.

use tempfile::TempDir;

use super::super::tape::{Fault, Tape, bad_sectors};
use super::*;

const ROWS: u32 = 4000;

fn fill(index: &SledIndex, rows: std::ops::Range<u32>) {
    for start in rows.clone().step_by(200) {
        let mut batch = Batch::new();
        for row in start..(start + 200).min(rows.end) {
            let mixed = row.wrapping_mul(0x9e37_79b9).to_be_bytes();
            batch.put([&[1], &mixed[..]].concat(), mixed.repeat(20));
            let mut name = [7; ENTRY_NAME_BYTES];
            name[..4].copy_from_slice(&mixed);
            batch.enter(row, Entry { name, value: None });
        }
        index.commit(&batch).expect("a commit");
    }
    index.flush().expect("a flush");
}

fn count(index: &SledIndex) -> Result<usize, IndexError> {
    index.count(&[], None, usize::MAX)
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Opens a damaged copy, reads and writes all over it: every outcome but a panic is fine. Returns
/// whether damage was noticed.
fn open_and_use(folder: &Path) -> bool {
    let used = SledIndex::open(folder).and_then(|index| {
        count(&index)?;
        index.scan(&[], None, Direction::Descending, usize::MAX)?;
        let mut batch = Batch::new();
        for row in 0..200_u32 {
            batch.put([&[1], &row.wrapping_mul(0x9e37_79b9).to_be_bytes()[..]].concat(), vec![1; 80]);
        }
        index.commit(&batch)?;
        index.flush()
    });
    match used {
        Ok(()) => false,
        Err(IndexError::Damaged { text, .. }) => {
            assert!(!text.is_empty());
            true
        }
        Err(other) => panic!("damage must be told as damage: {other}"),
    }
}

#[test]
fn damaged_files_are_opened_or_reported_and_never_panic() {
    let temporary = TempDir::new().expect("a temporary folder");
    let sound = temporary.path().join("sound");
    fill(&SledIndex::open(&sound).expect("a new index"), 0..ROWS);
    // The second opening makes sled write its snapshot file.
    drop(SledIndex::open(&sound).expect("a sound index"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(&sound)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    assert!(files.len() >= 4, "data, settings, snapshot and entries: {files:?}");
    let (mut noticed, mut trials) = (0, 0);
    for file in files {
        let name = file.file_name().expect("a name").to_owned();
        let bytes = std::fs::read(&file).expect("a file");
        for part in 0..10 {
            let at = (bytes.len() - 1) * part / 9;
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            let mut zeroed = bytes.clone();
            zeroed[at..(at + 4096).min(bytes.len())].fill(0);
            for damaged in [flipped, zeroed, bytes[..at].to_vec()] {
                trials += 1;
                let folder = temporary.path().join(format!("damaged-{trials}"));
                copy_folder(&sound, &folder);
                std::fs::write(folder.join(&name), damaged).expect("a file is written");
                noticed += usize::from(open_and_use(&folder));
                std::fs::remove_dir_all(&folder).expect("it is removed");
            }
        }
    }
    assert!(noticed > trials / 10, "{noticed} of {trials} were noticed");
}

#[test]
fn a_damaged_index_is_set_aside_and_a_new_one_takes_its_place_in_the_same_process() {
    let temporary = TempDir::new().expect("a temporary folder");
    let folder = temporary.path().join("index");
    fill(&SledIndex::open(&folder).expect("a new index"), 0..ROWS);
    // The second opening makes sled write its snapshot; what the snapshot says is there is cut off.
    drop(SledIndex::open(&folder).expect("a sound index"));
    let data = OpenOptions::new().write(true).open(folder.join("db")).expect("a file");
    data.set_len(data.metadata().expect("its length").len() / 2).expect("it is cut");
    let damaged = SledIndex::open(&folder).err().expect("half of it is gone");
    assert!(matches!(damaged, IndexError::Damaged { .. }), "{damaged}");
    assert!(damaged.to_string().contains("rebuild"), "{damaged}");
    let aside = set_aside(&folder, "20261123").expect("a rename");
    assert_eq!(aside, temporary.path().join("index.damaged-20261123"));
    let index = SledIndex::open(&folder).expect("a new index");
    assert_eq!(count(&index).expect("a count"), 0);
    fill(&index, 0..100);
    assert_eq!(count(&index).expect("a count"), 100);
}

#[test]
fn only_the_newest_damaged_folders_are_kept() {
    let temporary = TempDir::new().expect("a temporary folder");
    let folder = temporary.path().join("index");
    for suffix in ["1", "2", "2", "3"] {
        std::fs::create_dir(&folder).expect("a folder");
        set_aside(&folder, suffix).expect("a rename");
    }
    std::fs::create_dir(temporary.path().join("other.damaged-0")).expect("a folder");
    let mut names: Vec<String> = std::fs::read_dir(temporary.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["index.damaged-2.2", "index.damaged-3", "other.damaged-0"]);
}

#[test]
fn a_second_owner_is_told_that_it_is_locked() {
    let temporary = TempDir::new().expect("a temporary folder");
    let folder = temporary.path().join("index");
    let index = SledIndex::open(&folder).expect("a new index");
    let refused = SledIndex::open(&folder).err().expect("it is open");
    assert!(matches!(refused, IndexError::Locked { .. }), "{refused}");
    drop(index);
    SledIndex::open(&folder).expect("it is free");
}

#[test]
fn a_panic_in_use_is_damage_and_ends_all_use() {
    let temporary = TempDir::new().expect("a temporary folder");
    let index = SledIndex::open(&temporary.path().join("index")).expect("a new index");
    fill(&index, 0..100);
    let panicked = index.ask("read", |_| -> Result<(), SledError> { panic!("a page is gone") });
    assert!(matches!(panicked, Err(IndexError::Damaged { text, .. }) if text == "a page is gone"));
    for outcome in [count(&index).map(|_| ()), index.flush(), index.commit(&Batch::new())] {
        assert!(matches!(outcome, Err(IndexError::Damaged { text, .. }) if text == "a page is gone"));
    }
}

#[test]
fn after_a_failed_write_nothing_half_done_is_shown() {
    let temporary = TempDir::new().expect("a temporary folder");
    let folder = temporary.path().join("index");
    let index = SledIndex::open(&folder).expect("a new index");
    fill(&index, 0..100);
    let full = SledError::Io(io::ErrorKind::StorageFull.into());
    index.stop_after(explain(&folder, "write", full), false);
    assert!(matches!(count(&index), Err(IndexError::Stopped { .. })));
    assert!(index.is_stopped());
    drop(index);
    let index = SledIndex::open(&folder).expect("it opens again");
    assert_eq!(count(&index).expect("a count"), 100);
}

#[test]
fn after_a_flush_that_failed_what_there_is_can_be_read_and_nothing_be_written() {
    let temporary = TempDir::new().expect("a temporary folder");
    let tape = std::sync::Arc::new(Tape::default());
    let disk = Disk { tape: Some(std::sync::Arc::clone(&tape)) };
    let index = SledIndex::open_on(disk, &temporary.path().join("index")).expect("a new index");
    fill(&index, 0..100);
    tape.order(Fault::Sync);
    assert!(index.flush().is_err());
    assert!(index.is_stopped() && !index.is_damaged());
    assert_eq!(count(&index).expect("a count"), 100);
    assert_eq!(index.entries(0, 200).expect("the entries").len(), 100);
    let mut batch = Batch::new();
    batch.put(vec![1], vec![1]);
    assert!(matches!(index.commit(&batch), Err(IndexError::Stopped { .. })));
    assert!(matches!(index.flush(), Err(IndexError::Stopped { .. })));
}

#[test]
fn long_use_leaves_no_page_in_a_file_of_its_own() {
    let temporary = TempDir::new().expect("a temporary folder");
    let folder = temporary.path().join("index");
    let index = SledIndex::open(&folder).expect("a new index");
    for round in 0..20_u8 {
        let mut batch = Batch::new();
        for row in 0..300_u32 {
            let mut key = [&[1], &row.wrapping_mul(0x9e37_79b9).to_be_bytes()[..]].concat();
            key.resize(KEY_BYTES_MAX, round % 3);
            if round % 4 == 3 {
                batch.delete(key);
            } else {
                batch.put(key, vec![round; VALUE_BYTES_MAX]);
            }
        }
        index.commit(&batch).expect("a commit");
    }
    index.flush().expect("a flush");
    assert_eq!(std::fs::read_dir(folder.join("blobs")).expect("sled makes the folder").count(), 0);
}

#[test]
fn a_sector_that_cannot_be_read_is_damage() {
    let folder = TempDir::new().expect("a folder");
    let index = SledIndex::open(folder.path()).expect("an index");
    fill(&index, 0..200);
    let entries = folder.path().join("entries");
    bad_sectors::make(&entries, 0..10);
    let refused = index.entry(0);
    assert!(matches!(refused, Err(IndexError::Damaged { .. })), "{refused:?}");
    assert!(index.is_damaged());
    drop(index);
    let refused = SledIndex::open(folder.path()).err();
    bad_sectors::mend(&entries);
    // The damaged one keeps its lock until the process ends; what matters is that nobody is asked to mend it.
    assert!(matches!(refused, Some(IndexError::Damaged { .. } | IndexError::Locked { .. })), "{refused:?}");
}
