//! What an author says of itself, and the end and succession of keys.

use super::kind::{Fields, Words};
use crate::id::{AuthorKey, EventId, KeyCommitment};
use crate::limits::{BODY_BYTES_MAX, HEADS_MAX, LINK_BYTES_MAX, NAME_CHARS_MAX, PROFILE_LINKS_MAX};
use crate::text::is_clean_name;
use crate::validate::Invalid;
use serde::{Deserialize, Serialize};

/// Fields of a profile: commitments made early are what a thief of the key cannot change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// BLAKE3 of the public key that may succeed this one; zero: none.
    pub next_root: KeyCommitment,
    /// BLAKE3 of the public key that may revoke this one; zero: none.
    pub revocation: KeyCommitment,
}

impl Fields for Profile {
    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }
}

/// Words of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileBody {
    /// The name that the author likes to be called, at most 32 characters; names are not unique.
    pub name: String,
    /// A few words.
    pub about: String,
    /// Where else the author is found.
    pub links: Vec<String>,
}

impl Words for ProfileBody {
    fn fits(&self) -> bool {
        is_clean_name(&self.name, NAME_CHARS_MAX)
            && self.about.len() <= BODY_BYTES_MAX
            && self.links.len() <= PROFILE_LINKS_MAX
            && self.links.iter().all(|link| link.len() <= LINK_BYTES_MAX)
    }
}

/// Which key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RevokeSubject {
    /// A device key of the root.
    Device([u8; 32]),
    /// The root key itself.
    Root,
}

/// Fields of a revocation. Its author is the root, or the key that the root's profile committed to for this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoke {
    /// The root key that is concerned.
    pub root: AuthorKey,
    /// Which key ends.
    pub subject: RevokeSubject,
    /// Last good events of that key, ascending, none twice: what is not in their ancestry is void.
    pub heads: Vec<EventId>,
}

impl Fields for Revoke {
    fn check(&self) -> Result<(), Invalid> {
        if self.heads.len() <= HEADS_MAX && self.heads.is_sorted_by(|a, b| a < b) {
            Ok(())
        } else {
            Err(Invalid::KindRule)
        }
    }
}

/// Fields of a succession. Its author is the new root key, whose hash the old one's profile had committed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succeed {
    /// The old root key.
    pub old: AuthorKey,
}

impl Fields for Succeed {
    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }
}
