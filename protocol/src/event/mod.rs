//! Events: one signed, immutable, content-addressed statement by an author.
//!
//! Owns the header, the kinds (one file each), the body's commitment and the way `Draft -> Signed -> Verified`. Only
//! [`Verified`] goes on to store and view. Nothing here looks anything up: what an event *means* beside others is the
//! business of `thread` and `view`.

mod charter;
mod draft;
mod kind;
mod label;
mod post;
mod profile;
mod signed;
mod steward;

pub use charter::{Charter, CharterBody};
pub use draft::{Author, Draft};
pub use kind::{Body, Kind, tag};
pub use label::{Label, LabelBody, LabelTarget};
pub use post::{Comment, CommentBody, Edit, EditBody, Post, PostBody, Retract, Vote};
pub use profile::{Profile, ProfileBody, Revoke, RevokeSubject, Succeed};
pub use signed::{Authentic, Signed, Verified};
pub use steward::{Checkpoint, Steward, Vouch};

use crate::id::{AuthorKey, EventId, SpaceId};
use crate::keys::Signature;
use crate::limits::SALT_BYTES;
use serde::{Deserialize, Serialize};

/// What is signed: everything of an event but its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`crate::limits::EVENT_VERSION`].
    pub version: u8,
    /// The board or author's space; zero in a charter.
    pub space: SpaceId,
    /// The author's root key.
    pub author: AuthorKey,
    /// Which key signed.
    pub signer: Signer,
    /// The author's claim of the time, unix milliseconds.
    pub created_ms: u64,
    /// What the author had seen and builds on: at most [`crate::limits::REFS_MAX`], ascending, none twice.
    pub refs: Vec<EventId>,
    /// Small, structural facts.
    pub kind: RawKind,
    /// The promise of the body.
    pub body: BodyCommitment,
    /// The nonce of the work stamp; last, so that it can be tried without encoding again.
    pub work: u64,
}

/// The key that signed an event. Self-contained: no look-up is needed to verify.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signer {
    /// The author's root key.
    Root,
    /// A device of the author.
    Device {
        /// The device's ed25519 public key.
        key: [u8; 32],
        /// The device may not sign events dated after this, unix milliseconds.
        expires_ms: u64,
        /// The root's signature over key and expiry.
        certificate: Signature,
    },
}

/// A kind as it is on the wire. Fields are behind a length, so an unknown tag still decodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawKind {
    /// One of [`tag`], or one that a later node knows.
    pub tag: u16,
    /// The encoding of the kind's fields.
    #[serde(with = "serde_bytes")]
    pub fields: Vec<u8>,
}

/// The promise of a body: its length and a hash of salt and bytes. An empty body has length 0 and a zero commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyCommitment {
    /// Bytes of the body without its salt.
    pub len: u32,
    /// BLAKE3 of the salt and the body, or zero.
    pub commitment: [u8; 32],
}

impl BodyCommitment {
    /// The promise of no words at all.
    pub const EMPTY: Self = Self { len: 0, commitment: [0; 32] };

    /// The promise of these words under this salt.
    #[must_use]
    pub fn of(salt: &[u8; SALT_BYTES], body: &[u8]) -> Self {
        if body.is_empty() {
            return Self::EMPTY;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(salt);
        hasher.update(body);
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        Self { len, commitment: *hasher.finalize().as_bytes() }
    }
}

#[cfg(test)]
mod tests;
