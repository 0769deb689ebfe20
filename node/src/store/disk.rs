//! The files that the store makes durable itself: segments of the log, and the entries of the index.
//!
//! Whatever changes such a file or the names in its folder goes through here, and nothing else does, so that tests can let a
//! write, a sync or a new file fail, and can tell at each moment what a power cut would leave. Outside of tests it is the
//! system's calls and nothing more.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::{Deref, Range};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Bytes that appends leave free on the disk: 16 MiB. An index meets a full disk badly, amid a batch, so the log stops
/// growing before it; what is known stays readable, and there is room for sled's segments of 512 KiB and for a clean stop.
pub const FREE_BYTES_MIN: u64 = 16 << 20;

/// Where files are opened. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    #[cfg(test)]
    pub(super) tape: Option<std::sync::Arc<super::tape::Tape>>,
}

/// A file that is to be durable. It is read as the file that it is; what changes it has a name here.
#[derive(Debug)]
pub(super) struct DiskFile {
    file: File,
    path: PathBuf,
    disk: Disk,
}

impl Disk {
    /// Opens a file, and makes it if the options say so.
    pub(super) fn open(&self, options: &OpenOptions, path: &Path) -> io::Result<DiskFile> {
        if !path.exists() {
            self.before_made(path)?;
        }
        let file = options.open(path)?;
        Ok(DiskFile { file, path: path.into(), disk: self.clone() })
    }

    /// Whether there is room for so many bytes where this folder is, and [`FREE_BYTES_MIN`] are left then. What can't be told is
    /// no reason to stop.
    pub(super) fn has_room(&self, folder: &File, bytes: u64) -> bool {
        self.free_bytes(folder).is_none_or(|free| free >= FREE_BYTES_MIN + bytes)
    }

    /// Removes a file's name.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)?;
        self.removed(path);
        Ok(())
    }

    /// Gives a file the name of another one, which is gone by that, in one step.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)?;
        self.renamed(from, to);
        Ok(())
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync_names(&self, folder: &Path, handle: &File) -> io::Result<()> {
        handle.sync_all()?;
        self.synced_names(folder)
    }
}

impl DiskFile {
    /// Writes all of the bytes at this offset.
    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let granted = self.disk.before_write(&self.path, bytes, offset);
        let (bytes, outcome) = match granted {
            Ok(()) => (bytes, Ok(())),
            Err((room, error)) => (&bytes[..room.min(bytes.len())], Err(error)),
        };
        self.file.write_all_at(bytes, offset)?;
        outcome
    }

    /// Makes the file this long.
    pub(super) fn cut(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.disk.cut(&self.path, length);
        Ok(())
    }

    /// Makes durable what was written and cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.disk.before_sync(&self.path)?;
        // The length is part of it; times are not, and nobody asks for them.
        self.file.sync_data()
    }
}

impl Deref for DiskFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

/// Fills `into` from this offset of a file.
pub(super) fn read_at(file: &File, path: &Path, into: &mut [u8], offset: u64) -> io::Result<()> {
    before_read(path, offset..offset + into.len() as u64)?;
    file.read_exact_at(into, offset)
}

/// Whether the disk is there and can't read back what it was given: a bad sector.
pub(super) fn is_unreadable(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

fn free_bytes(folder: &File) -> Option<u64> {
    let room = rustix::fs::fstatvfs(folder).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

#[cfg(not(test))]
fn before_read(_: &Path, _: Range<u64>) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
fn before_read(path: &Path, bytes: Range<u64>) -> io::Result<()> {
    super::tape::bad_sectors::before_read(path, bytes)
}

#[cfg(not(test))]
impl Disk {
    fn free_bytes(&self, folder: &File) -> Option<u64> {
        free_bytes(folder)
    }

    fn before_made(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn removed(&self, _: &Path) {}

    fn renamed(&self, _: &Path, _: &Path) {}

    fn synced_names(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn before_write(&self, _: &Path, _: &[u8], _: u64) -> Result<(), (usize, io::Error)> {
        Ok(())
    }

    fn cut(&self, _: &Path, _: u64) {}

    fn before_sync(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Disk {
    fn free_bytes(&self, folder: &File) -> Option<u64> {
        self.tape.as_ref().and_then(|tape| tape.free_bytes()).or_else(|| free_bytes(folder))
    }

    fn before_made(&self, path: &Path) -> io::Result<()> {
        self.tape.as_ref().map_or(Ok(()), |tape| tape.made(path))
    }

    fn removed(&self, path: &Path) {
        self.tape.iter().for_each(|tape| tape.removed(path));
    }

    fn renamed(&self, from: &Path, to: &Path) {
        self.tape.iter().for_each(|tape| tape.renamed(from, to));
    }

    fn synced_names(&self, folder: &Path) -> io::Result<()> {
        self.tape.as_ref().map_or(Ok(()), |tape| tape.synced_names(folder))
    }

    fn before_write(&self, path: &Path, bytes: &[u8], offset: u64) -> Result<(), (usize, io::Error)> {
        self.tape.as_ref().map_or(Ok(()), |tape| tape.written(path, bytes, offset))
    }

    fn cut(&self, path: &Path, length: u64) {
        self.tape.iter().for_each(|tape| tape.cut(path, length));
    }

    fn before_sync(&self, path: &Path) -> io::Result<()> {
        self.tape.as_ref().map_or(Ok(()), |tape| tape.synced(path))
    }
}
