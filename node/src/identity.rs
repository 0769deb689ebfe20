//! The keys of a home: the author's root key, and the network key, which have nothing to do with each other.
//!
//! Each is a file of 64 hex digits that only this user can read. A file that others can read is refused: it may be known.

use crate::home::write_private;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use roda_protocol::keys::SecretKey;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("can't use the key file {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no key.
    #[error("{} holds no key: expected 64 hex digits", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
    },
    /// Others can read it.
    #[error("others can read the key file {}: make it yours with `chmod 600 {}`", path.display(), path.display())]
    Open {
        /// Which.
        path: PathBuf,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

/// Random bytes from the system.
///
/// # Errors
///
/// [`KeyError::Random`].
pub(crate) fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| KeyError::Random(error.to_string()))?;
    Ok(bytes)
}

/// Reads a seed, or makes one. The second value tells whether it is new.
///
/// # Errors
///
/// [`KeyError`].
pub(crate) fn seed(path: &Path) -> Result<(Zeroizing<[u8; 32]>, bool), KeyError> {
    let io = |source| KeyError::Io { path: path.into(), source };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let seed = Zeroizing::new(random()?);
            let text = Zeroizing::new(HEXLOWER.encode(&*seed) + "\n");
            write_private(path, text.as_bytes()).map_err(io)?;
            return Ok((seed, true));
        }
        Err(error) => return Err(io(error)),
    };
    if std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o077 != 0 {
        return Err(KeyError::Open { path: path.into() });
    }
    let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok().map(Zeroizing::new);
    let seed = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    seed.map(|seed| (Zeroizing::new(seed), false)).ok_or_else(|| KeyError::Malformed { path: path.into() })
}

/// The author's root key of a home.
///
/// # Errors
///
/// [`KeyError`].
pub(crate) fn author(folder: &Path) -> Result<(SecretKey, bool), KeyError> {
    let (seed, is_new) = seed(&folder.join("author.key"))?;
    Ok((SecretKey::from_seed(&seed), is_new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let (first, is_new) = author(folder.path()).unwrap();
        let (second, is_new_again) = author(folder.path()).unwrap();
        assert_eq!((is_new, is_new_again), (true, false));
        assert_eq!(first.public(), second.public());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        author(folder.path()).unwrap();
        let path = folder.path().join("author.key");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(author(folder.path()), Err(KeyError::Open { .. })));
    }
}
