//! Processes whose clocks run faster than the machine's: what takes a quarter of an hour is over within half a minute.

use std::path::Path;

/// The library that tells a process another time, in its folders on Debian and Ubuntu.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// Why this machine can't tell a process another time; nothing if it can.
///
/// # Errors
///
/// What is missing, in a line.
pub fn possible() -> Result<(), String> {
    library().map(drop).ok_or_else(|| format!("{LIBRARY} is not there (on Debian: libfaketime)"))
}

/// Where the library is.
#[must_use]
pub fn library() -> Option<String> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path().join(LIBRARY));
    let found = folders.chain([Path::new("/usr/lib").join(LIBRARY)]).find(|path| path.is_file())?;
    Some(found.display().to_string())
}

/// The words before a command for which all clocks, and its patience, run so many times as fast from its start on.
///
/// # Panics
///
/// Where it is not [`possible`].
#[must_use]
pub fn prefix(times: u32) -> Vec<String> {
    let library = library().expect("it is possible");
    vec!["env".to_owned(), format!("LD_PRELOAD={library}"), format!("FAKETIME=+0 x{times}")]
}
