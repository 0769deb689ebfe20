//! Opening a home's log and index. The log must open; the index may be damaged in any way: it is set aside and rebuilt. One
//! that an older version wrote is made anew.

use crate::engine::EmptyIndex;
use crate::home::{Home, write_private};
use crate::store::{
    EventStore, FREE_BYTES_MIN, FileLog, INDEX_FORMAT, Index, IndexError, Journal as _, Remaking, SledIndex,
    StoreError, set_aside,
};
use roda_protocol::id::{AuthorKey, NetworkId};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the log and the index of a home are.
fn log_folder(home: &Home) -> PathBuf {
    home.data.join("log")
}

fn index_folder(home: &Home) -> PathBuf {
    home.data.join("index")
}

/// A store that was opened.
pub(crate) struct Opened<T> {
    pub(crate) store: Arc<EventStore>,
    /// What was made of it.
    pub(crate) made: T,
    /// What is left to do for a whole index.
    pub(crate) remaking: Remaking,
    /// What a person should know.
    pub(crate) notices: Vec<String>,
}

/// Opens the store and what is made of it, and says what a person should know of it. An index that turns out damaged on
/// the way is set aside under the name `stamp`, and rebuilt from the log.
///
/// # Errors
///
/// [`StoreError`] if the log can't be used, or the index can't even be made anew.
pub(crate) fn open<T>(
    home: &Home,
    (reader, network): (AuthorKey, NetworkId),
    stamp: &str,
    make: impl Fn(&Arc<EventStore>) -> Result<T, StoreError>,
) -> Result<Opened<T>, StoreError> {
    let mut notices = Vec::new();
    refuse_newer(&index_folder(home))?;
    let (log, report) = FileLog::open(&log_folder(home))?;
    if report.torn_bytes_cut > 0 {
        notices.push(format!("cut {} bytes of an unfinished write from the end of the log", report.torn_bytes_cut));
    }
    let log = Arc::new(log);
    let folder = index_folder(home);
    let is_first = !folder.exists() && log.end() == log.start();
    let attempt = |folder: &Path| -> Result<(Arc<EventStore>, T, Remaking), StoreError> {
        let index: Arc<dyn Index> = Arc::new(SledIndex::open(folder)?);
        let (store, remaking) = EventStore::open_for(reader, Arc::clone(&log) as _, index, network)?;
        let store = Arc::new(store);
        let made = make(&store)?;
        Ok((store, made, remaking))
    };
    let mut opened = attempt(&folder);
    if let Err(StoreError::OlderIndex { found }) = opened {
        tracing::warn!(format = found, "the index is of an older version");
        remove_index(&folder)?;
        opened = attempt(&folder);
        if let Ok((store, _, remaking)) = &opened {
            let anew = made_anew(store, remaking);
            notices.push(format!("the index had the format of an older version and {anew}"));
        }
    }
    let (store, made, remaking) = match opened {
        Err(error) if error.is_of_index() => {
            tracing::warn!(%error, "the index is damaged");
            let aside = set_index_aside(home, stamp)?;
            let (store, made, remaking) = attempt(&folder)?;
            let anew = made_anew(&store, &remaking);
            notices.push(format!("the index was damaged and {anew}; the old one is in {}", aside.display()));
            (store, made, remaking)
        }
        other => other?,
    };
    if store.had_no_index() && !is_first && notices.is_empty() {
        notices.push(format!("the index was missing and {}", made_anew(&store, &remaking)));
    }
    note_damage(remaking.counts().damaged, &mut notices);
    tell_format(&folder).map_err(|source| IndexError::Io { action: "write the format of", path: folder, source })?;
    Ok(Opened { store, made, remaking, notices })
}

/// What became of an index that was lost.
fn made_anew(store: &EventStore, remaking: &Remaking) -> String {
    match store.remade_percent() {
        Some(_) => "is being rebuilt from the log; until then a part is shown".to_owned(),
        None => format!("was rebuilt from {} records of the log", remaking.counts().records),
    }
}

fn set_index_aside(home: &Home, stamp: &str) -> Result<PathBuf, StoreError> {
    let folder = index_folder(home);
    set_aside(&folder, stamp).map_err(|source| StoreError::SetAside { folder, source })
}

/// The file that says of which format the index is, for a version that can't even open it.
fn format_file(folder: &Path) -> PathBuf {
    folder.join("format")
}

/// Refuses an index of a newer version before anything of it is opened: opening writes, and what this version doesn't know it
/// would take for damage.
fn refuse_newer(folder: &Path) -> Result<(), StoreError> {
    // Without the file it is of an older version, or damaged; what opens it sees that.
    let found = std::fs::read_to_string(format_file(folder)).ok().and_then(|text| text.trim().parse().ok());
    match found {
        Some(found) if found > INDEX_FORMAT => Err(StoreError::NewerFormat { found }),
        _ => Ok(()),
    }
}

fn tell_format(folder: &Path) -> std::io::Result<()> {
    let (file, text) = (format_file(folder), format!("{INDEX_FORMAT}\n"));
    let is_told = std::fs::read_to_string(&file).is_ok_and(|found| found == text);
    if is_told { Ok(()) } else { write_private(&file, text.as_bytes()) }
}

/// Removes an index of an older version. Nothing is lost: all of it is derived from the log.
fn remove_index(folder: &Path) -> Result<(), StoreError> {
    std::fs::remove_dir_all(folder).map_err(|source| StoreError::Remove { folder: folder.to_path_buf(), source })
}

/// Sets the index aside and makes an empty one. The old one goes on to serve readers from its open files until then, so there
/// has to be room for both.
///
/// # Errors
///
/// [`StoreError`].
pub(crate) fn replace_index(home: &Home) -> Result<EmptyIndex, StoreError> {
    let folder = index_folder(home);
    let bytes_needed = FREE_BYTES_MIN + folder_bytes(&folder);
    if free_bytes(&home.data).is_some_and(|free| free < bytes_needed) {
        return Err(StoreError::NoRoom { folder, bytes_needed });
    }
    if folder.exists() {
        set_index_aside(home, &format!("{:015}", super::wall_ms()))?;
    }
    let empty = SledIndex::open(&folder)?;
    tell_format(&folder).map_err(|source| IndexError::Io { action: "write the format of", path: folder, source })?;
    Ok(EmptyIndex(Arc::new(empty)))
}

/// Bytes of the files of an index; none if there is none.
fn folder_bytes(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum()
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(folder).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

fn note_damage(damaged: u64, notices: &mut Vec<String>) {
    if damaged > 0 {
        notices.push(damage(damaged));
    }
}

/// What a person is told of damage in the log.
pub(super) fn damage(places: u64) -> String {
    format!("{places} damaged places in the log: what stood there is fetched from peers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Batch, LocalRecord, SpaceRow};
    use roda_protocol::id::SpaceId;

    fn open_home(home: &Home) -> (Arc<EventStore>, Vec<String>) {
        let opened = open(home, (AuthorKey([9; 32]), NetworkId::of("open-tests")), "stamp", |_| Ok(())).unwrap();
        (opened.store, opened.notices)
    }

    #[test]
    fn an_index_of_an_older_version_is_made_anew_and_the_person_told() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let (store, notices) = open_home(&home);
        assert_eq!(notices, Vec::<String>::new());
        let row = SpaceRow { followed: true, open_name: None };
        store.note(&[LocalRecord::Space { space: SpaceId([1; 32]), row: row.clone() }]).unwrap();
        drop(store);
        let index = SledIndex::open(&index_folder(&home)).unwrap();
        let mut batch = Batch::new();
        batch.put(b"mformat".to_vec(), roda_protocol::codec::encode(&1_u32));
        index.commit(&batch).unwrap();
        index.flush().unwrap();
        drop(index);
        let (store, notices) = open_home(&home);
        assert_eq!(notices.len(), 1);
        assert!(notices[0].starts_with("the index had the format of an older version and was rebuilt"), "{notices:?}");
        assert_eq!(store.spaces().unwrap(), [(SpaceId([1; 32]), row)]);
        drop(store);
        assert_eq!(open_home(&home).1, Vec::<String>::new());
        let names: Vec<_> = std::fs::read_dir(&home.data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| !name.to_string_lossy().contains("damaged")), "{names:?}");
    }
}
