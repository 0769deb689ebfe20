//! Opening a home's log and index. The log must open; the index may be damaged in any way: it is set aside and rebuilt.

use crate::home::Home;
use crate::store::{EventStore, FileLog, Index, IndexError, Journal as _, SledIndex, StoreError, set_aside};
use roda_protocol::id::NetworkId;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the log and the index of a home are.
pub(crate) fn log_folder(home: &Home) -> PathBuf {
    home.data.join("log")
}

pub(crate) fn index_folder(home: &Home) -> PathBuf {
    home.data.join("index")
}

/// Opens the store, and says what a person should know of it. `stamp` names a damaged index that is set aside.
///
/// # Errors
///
/// [`StoreError`] if the log can't be used, or the index can't even be made anew.
pub(super) fn open(home: &Home, network: NetworkId, stamp: &str) -> Result<(EventStore, Vec<String>), StoreError> {
    let mut notices = Vec::new();
    let (log, report) = FileLog::open(&log_folder(home))?;
    if report.torn_bytes_cut > 0 {
        notices.push(format!("cut {} bytes of an unfinished write from the end of the log", report.torn_bytes_cut));
    }
    let log = Arc::new(log);
    let folder = index_folder(home);
    let is_first_index = !folder.exists() && log.end() == log.start();
    let problem = match SledIndex::open(&folder) {
        Ok(index) => match EventStore::open(Arc::clone(&log) as _, Arc::new(index), network) {
            Ok((store, caught_up)) => {
                let is_rebuilt = caught_up.records > 0 && store.had_no_index();
                if is_rebuilt && !is_first_index {
                    notices.push(format!("the index was missing and was rebuilt from {} records", caught_up.records));
                }
                note_damage(caught_up.damaged, &mut notices);
                return Ok((store, notices));
            }
            Err(error @ (StoreError::Index(IndexError::Damaged { .. }) | StoreError::Row)) => error.to_string(),
            Err(other) => return Err(other),
        },
        Err(error @ IndexError::Damaged { .. }) => error.to_string(),
        Err(other) => return Err(other.into()),
    };
    tracing::warn!(problem, "the index is damaged");
    let aside = set_aside(&folder, stamp).map_err(|source| StoreError::SetAside { folder: folder.clone(), source })?;
    let index: Arc<dyn Index> = Arc::new(SledIndex::open(&folder)?);
    let (store, caught_up) = EventStore::open(log, index, network)?;
    notices.push(format!(
        "the index was damaged and was rebuilt from {} records of the log; the old one is in {}",
        caught_up.records,
        aside.display()
    ));
    note_damage(caught_up.damaged, &mut notices);
    Ok((store, notices))
}

fn note_damage(damaged: u64, notices: &mut Vec<String>) {
    if damaged > 0 {
        notices.push(format!("{damaged} damaged places in the log: what stood there is fetched from peers"));
    }
}
