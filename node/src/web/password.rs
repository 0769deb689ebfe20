//! The password of the page for browsers on other machines: kept as an Argon2id hash in the home, itself nowhere.
//!
//! Owns the file and the comparison. Who may try how often is `attempts`' business. The file is read at each use, so that a new
//! password, or none, holds at once, also for a node that runs.

use crate::home::{Home, write_private};
use crate::identity;
use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Memory of a hash, in KiB, its passes and lanes: the first of the settings that OWASP's Password Storage Cheat Sheet gives for
/// Argon2id on a server that has other things to do. It takes some 30 ms.
const COST: Cost = Cost { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

/// Memory that a file may ask for, in KiB: a damaged one must not take the machine's.
const MEMORY_KIB_MAX: u32 = 256 * 1024;

/// Characters of a password at least. Twelve at random from letters and digits are 71 bits; whoever guesses has some thousand
/// tries a day (`attempts`).
pub const PASSWORD_CHARS_MIN: usize = 12;

/// Bytes of a password at most: far above any that a person types, and a bound on what a stranger can have hashed.
pub(super) const PASSWORD_BYTES_MAX: usize = 1024;

/// Bytes of a salt: what RFC 9106, 3.1, recommends for passwords.
const SALT_BYTES: usize = 16;

/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// Digits of [`Kept::mark`].
const MARK_DIGITS: usize = 16;

/// Why a password can't be set or read.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is too short.
    #[error(
        "a password needs at least {PASSWORD_CHARS_MIN} characters, and this one has {0}: a few random words make one"
    )]
    Short(usize),
    /// It is too long.
    #[error("a password has at most {PASSWORD_BYTES_MAX} bytes")]
    Long,
    /// The file can't be read or written.
    #[error("can't use {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read it.
    #[error("others can read {}: make it yours with `chmod 600 {}`, and set a new password", path.display(), path.display())]
    Open {
        /// Which.
        path: PathBuf,
    },
    /// It holds no password.
    #[error("{} holds no password: set one with `roda web password`", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
    },
    /// The system gives no random bytes or no memory.
    #[error("the password can't be hashed: {0}")]
    Hash(String),
}

/// What a hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// A password as it is kept. The cost stands beside the hash, so that a later version may ask for more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    algorithm: String,
    #[serde(flatten)]
    cost: Cost,
    salt: String,
    hash: String,
}

const ALGORITHM: &str = "argon2id";

/// The password's file in a home.
#[must_use]
pub fn password_file(home: &Home) -> PathBuf {
    home.config.join("web-password.json")
}

/// Sets the password of a home's page. Browsers that the one before let in are out.
///
/// # Errors
///
/// [`PasswordError`]: too short, too long, or not to be kept.
pub fn set_password(home: &Home, password: &str) -> Result<(), PasswordError> {
    let characters = password.chars().count();
    if characters < PASSWORD_CHARS_MIN {
        return Err(PasswordError::Short(characters));
    }
    let salt: [u8; SALT_BYTES] = identity::random().map_err(|error| PasswordError::Hash(error.to_string()))?;
    let hash = hash(password, &salt, COST)?;
    let record = Record {
        algorithm: ALGORITHM.to_owned(),
        cost: COST,
        salt: HEXLOWER.encode(&salt),
        hash: HEXLOWER.encode(&*hash),
    };
    let path = password_file(home);
    let io = |source| PasswordError::Io { path: path.clone(), source };
    let text = serde_json::to_vec(&record).map_err(|error| io(error.into()))?;
    write_private(&path, &text).map_err(io)
}

/// Takes the password away; whether there was one. Browsers that it let in are out.
///
/// # Errors
///
/// [`PasswordError::Io`].
pub fn remove_password(home: &Home) -> Result<bool, PasswordError> {
    let path = password_file(home);
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(PasswordError::Io { path, source }),
    }
}

/// A password that was set.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    salt: Vec<u8>,
    hash: [u8; HASH_BYTES],
    cost: Cost,
}

impl Kept {
    /// Reads a home's password; `None`: none is set.
    ///
    /// # Errors
    ///
    /// [`PasswordError`]: the file can't be read, others can read it, or it holds no password.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, PasswordError> {
        let io = |source| PasswordError::Io { path: path.into(), source };
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        if std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o077 != 0 {
            return Err(PasswordError::Open { path: path.into() });
        }
        let kept = serde_json::from_slice::<Record>(&text).ok().and_then(|record| {
            let is_ours = record.algorithm == ALGORITHM && record.cost.memory_kib <= MEMORY_KIB_MAX;
            let hash = HEXLOWER.decode(record.hash.as_bytes()).ok()?.try_into().ok()?;
            let salt = HEXLOWER.decode(record.salt.as_bytes()).ok()?;
            is_ours.then_some(Self { salt, hash, cost: record.cost })
        });
        kept.map(Some).ok_or_else(|| PasswordError::Malformed { path: path.into() })
    }

    /// Whether this is the password. Takes the memory and the time of a hash, whatever the answer; how long it takes says
    /// nothing of how near a guess is.
    ///
    /// # Errors
    ///
    /// [`PasswordError`]: too long, or the system gives no memory.
    pub(crate) fn is(&self, password: &str) -> Result<bool, PasswordError> {
        let given = hash(password, &self.salt, self.cost)?;
        // Hashes of BLAKE3 are compared in constant time.
        Ok(blake3::Hash::from_bytes(*given) == blake3::Hash::from_bytes(self.hash))
    }

    /// A word for this setting of the password: sessions that it opened carry it, and end with it.
    pub(crate) fn mark(&self) -> String {
        let hash = blake3::derive_key("roda 2026-12 mark of the web page's password", &self.hash);
        HEXLOWER.encode(&hash).chars().take(MARK_DIGITS).collect()
    }
}

fn hash(password: &str, salt: &[u8], cost: Cost) -> Result<Zeroizing<[u8; HASH_BYTES]>, PasswordError> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::Long);
    }
    let failed = |error: argon2::Error| PasswordError::Hash(error.to_string());
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(HASH_BYTES)).map_err(failed)?;
    let mut hash = Zeroizing::new([0; HASH_BYTES]);
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_into(password.as_bytes(), salt, &mut *hash).map_err(failed)?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "correct horse battery";

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.create().unwrap();
        (folder, home)
    }

    #[test]
    fn a_password_is_kept_as_a_hash_for_its_user_alone_and_known_again() {
        let (_folder, home) = home();
        let file = password_file(&home);
        assert!(Kept::read(&file).unwrap().is_none());
        set_password(&home, WORDS).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("horse") && text.contains("\"memory_kib\":19456"), "{text}");
        let first = Kept::read(&file).unwrap().unwrap();
        assert!(first.is(WORDS).unwrap() && !first.is("correct horse batterz").unwrap());
        set_password(&home, WORDS).unwrap();
        let second = Kept::read(&file).unwrap().unwrap();
        assert!(first.salt != second.salt && first.mark() != second.mark(), "each setting has a salt and a mark");
        assert!(remove_password(&home).unwrap() && !remove_password(&home).unwrap());
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        let (_folder, home) = home();
        assert!(matches!(set_password(&home, "elevenchars"), Err(PasswordError::Short(11))));
        assert!(matches!(set_password(&home, &"x".repeat(PASSWORD_BYTES_MAX + 1)), Err(PasswordError::Long)));
        assert!(Kept::read(&password_file(&home)).unwrap().is_none());
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_damaged_opens_nothing() {
        let (_folder, home) = home();
        set_password(&home, WORDS).unwrap();
        let file = password_file(&home);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Kept::read(&file), Err(PasswordError::Open { .. })));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        for damaged in ["", "{}", &text.replace("19456", "999999999"), &text.replace("argon2id", "md5")] {
            std::fs::write(&file, damaged).unwrap();
            assert!(matches!(Kept::read(&file), Err(PasswordError::Malformed { .. })), "{damaged}");
        }
    }
}
