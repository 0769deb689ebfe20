//! The folder of a log: its lock, its segment files, and what becomes of the last one after a crash.

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    super::{
        disk::{Disk, DiskFile},
        journal::JournalError,
        segment::{After, FILE_HEADER_BYTES, Segment, Step, check_file_header, file_header},
    },
    OpenReport, Writer,
};

/// The last segment after recovery.
pub(super) struct Recovered {
    pub(super) writer: Writer,
    /// Whether it is known to the end, so that records may be written behind it.
    pub(super) is_complete: bool,
}

/// Reads the last segment from end to end, and cuts what follows its last sound record.
pub(super) fn recover_last(
    disk: &Disk,
    folder: &Path,
    number: u32,
    length: u32,
    report: &mut OpenReport,
) -> Result<Recovered, JournalError> {
    let path = segment_path(folder, number);
    let file = disk.open(OpenOptions::new().read(true).write(true), &path);
    let file = file.map_err(|source| io_error("open", &path, source))?;
    if length < FILE_HEADER_BYTES {
        // It was being made when the node stopped, and never held a record.
        write_file_header(&path, &file, number)?;
        let writer = Writer { number, file: Arc::new(file), length: FILE_HEADER_BYTES };
        report.torn_bytes_cut = u64::from(length);
        return Ok(Recovered { writer, is_complete: true });
    }
    if check_file_header(&path, &file, number)? {
        // Its follower is gone. Nothing is written behind one that was rewritten.
        return Ok(Recovered { writer: Writer { number, file: Arc::new(file), length }, is_complete: false });
    }
    let mut segment = Segment::to_scan(&path, &file, number, length, false);
    let (mut offset, mut is_complete) = (FILE_HEADER_BYTES, true);
    while let Some(step) = segment.step(offset)? {
        match step {
            Step::Record(sound) => {
                // Records of a newer version must not be cut, nor written behind.
                segment.record(&sound)?;
                offset = sound.next();
            }
            Step::Damage { damage, then: After::Record(next) } => {
                report.damaged.push(damage);
                offset = next;
            }
            // What can't be read was not torn by a power cut: nothing of it is cut, and nothing is written behind it.
            Step::Damage { then: After::End, .. } if !segment.is_unreadable() => break,
            Step::Damage { damage, .. } => {
                report.damaged.push(damage);
                is_complete = false;
                offset = length;
            }
        }
    }
    if offset < length {
        report.torn_bytes_cut = u64::from(length - offset);
        let cut = file.cut(u64::from(offset)).and_then(|()| file.sync());
        cut.map_err(|source| io_error("cut the torn end of", &path, source))?;
    }
    Ok(Recovered { writer: Writer { number, file: Arc::new(file), length: offset }, is_complete })
}

/// Makes a segment file that survives a power cut.
pub(super) fn create_segment(
    disk: &Disk,
    folder: &Path,
    folder_handle: &File,
    number: u32,
) -> Result<Writer, JournalError> {
    let path = segment_path(folder, number);
    let file = disk.open(OpenOptions::new().read(true).write(true).create_new(true).mode(0o600), &path);
    let file = file.map_err(|source| io_error("create", &path, source))?;
    let made = write_file_header(&path, &file, number)
        .and_then(|()| disk.sync_names(folder, folder_handle).map_err(|source| io_error("sync", folder, source)));
    if let Err(error) = made {
        // Otherwise its name would be in the way of the next attempt. If it stays, opening repairs it.
        let _ = disk.remove(&path);
        return Err(error);
    }
    Ok(Writer { number, file: Arc::new(file), length: FILE_HEADER_BYTES })
}

fn write_file_header(path: &Path, file: &DiskFile, number: u32) -> Result<(), JournalError> {
    file.cut(0)
        .and_then(|()| file.write_at(&file_header(number), 0))
        .and_then(|()| file.sync())
        .map_err(|source| io_error("write the header of", path, source))
}

/// Makes the folder if there is none, and takes its lock.
pub(super) fn open_folder(folder: &Path) -> Result<File, JournalError> {
    if !folder.exists() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| io_error("create", folder, source))?;
        if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            let synced = File::open(parent).and_then(|handle| handle.sync_all());
            synced.map_err(|source| io_error("sync", parent, source))?;
        }
    }
    let handle = File::open(folder).map_err(|source| io_error("open", folder, source))?;
    match handle.try_lock() {
        Ok(()) => Ok(handle),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { path: folder.into() }),
        Err(TryLockError::Error(source)) => Err(io_error("lock", folder, source)),
    }
}

/// Every segment file of the folder, with its length.
pub(super) fn segment_lengths(folder: &Path) -> Result<BTreeMap<u32, u32>, JournalError> {
    let list_error = |source| io_error("list", folder, source);
    let mut lengths = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(list_error)? {
        let entry = entry.map_err(list_error)?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log")).and_then(|stem| stem.parse().ok());
        if let Some(number) = number.filter(|&number| segment_path(folder, number) == entry.path()) {
            let length = entry.metadata().map_err(list_error)?.len();
            lengths.insert(number, u32::try_from(length).unwrap_or(u32::MAX));
        }
    }
    Ok(lengths)
}

pub(super) fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}.log"))
}

pub(super) fn io_error(action: &'static str, path: &Path, source: io::Error) -> JournalError {
    JournalError::Io { action, path: path.into(), source }
}
