//! Where a node keeps what: its home, and the lock that makes it the only node there.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes of the path of a Unix socket that every system takes (`sun_path` has 108 on Linux, 104 elsewhere, with its end).
pub const SOCKET_PATH_BYTES_MAX: usize = 103;

/// The folders of a node. With `--home` all are one folder; without, they follow the XDG conventions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The author's key, the network key and `config.toml`.
    pub config: PathBuf,
    /// The event log, the index, the address book.
    pub data: PathBuf,
    /// The socket.
    pub run: PathBuf,
    /// Logs of a detached node.
    pub state: PathBuf,
}

/// Why a home can't be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Another node runs there.
    #[error("a node is already running in {}{}", home.display(), pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked {
        /// The data folder.
        home: PathBuf,
        /// The process that holds the lock, if it could be read.
        pid: Option<u32>,
    },
    /// A file or folder can't be made or read.
    #[error("can't use {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Home {
    /// Everything under one folder.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { config: folder.into(), data: folder.join("data"), run: folder.join("run"), state: folder.into() }
    }

    /// The socket of the local API. A home whose path is too long for a socket gets one in the temporary folder, under a
    /// name derived from the home.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        let path = self.run.join("api.sock");
        if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
            return path;
        }
        let name = roda_protocol::id::NetworkId::of(&self.run.to_string_lossy()).to_string();
        std::env::temp_dir().join(format!("roda-{}", &name[..16])).join("api.sock")
    }

    /// The log file of a detached node.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.state.join("node.log")
    }

    /// Makes the folders, each for this user only.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`] naming the folder.
    pub fn create(&self) -> Result<(), HomeError> {
        let socket = self.socket();
        let run = socket.parent().unwrap_or(&self.run);
        for path in [&self.config, &self.data, &self.state, run] {
            private_folder(path).map_err(|source| HomeError::Io { path: path.into(), source })?;
        }
        Ok(())
    }

    /// The process that has the home, if one does. Takes nothing and writes nothing.
    ///
    /// # Errors
    ///
    /// [`HomeError::Io`].
    pub fn holder(&self) -> Result<Option<u32>, HomeError> {
        let path = self.data.join("lock");
        let io = |source| HomeError::Io { path: path.clone(), source };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(std::fs::TryLockError::WouldBlock) => Ok(Some(read_pid(&mut file).unwrap_or(0))),
            Err(std::fs::TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// Takes the home for this process, until the guard is dropped or the process ends in whatever way.
    ///
    /// # Errors
    ///
    /// [`HomeError::Locked`] with the other process, or [`HomeError::Io`].
    pub fn lock(&self) -> Result<HomeLock, HomeError> {
        let path = self.data.join("lock");
        let io = |source| HomeError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(HomeError::Locked { home: self.data.clone(), pid: read_pid(&mut file) });
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(io(source)),
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(HomeLock { _file: file })
    }
}

/// The right to be the only node of a home.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a small file for this user only, whole or not at all, and on disk when this returns.
///
/// # Errors
///
/// Whatever the file system says.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_of_a_home_names_the_first_process() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.create().unwrap();
        let first = home.lock().unwrap();
        match home.lock() {
            Err(HomeError::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("expected a locked home, got {other:?}"),
        }
        drop(first);
        assert!(home.lock().is_ok());
    }

    #[test]
    fn a_home_with_a_long_path_still_has_a_short_socket() {
        let home = Home::at(&PathBuf::from("/").join("x".repeat(200)));
        assert!(home.socket().as_os_str().len() <= SOCKET_PATH_BYTES_MAX);
    }
}
