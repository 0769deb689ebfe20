//! Writing an event: from what an author wants to say to signed bytes.

use super::{Body, BodyCommitment, Header, Kind, Signed, Signer};
use crate::codec;
use crate::id::{AuthorKey, EventId, NetworkId, SpaceId};
use crate::keys::{Domain, SecretKey, Signature};
use crate::limits::{EVENT_VERSION, REFS_MAX, SALT_BYTES};
use crate::validate::Invalid;
use crate::work;

/// Who signs: the root key itself, or a device with the root's certificate.
#[derive(Debug)]
pub enum Author<'a> {
    /// The root key.
    Root(&'a SecretKey),
    /// A device of `root`.
    Device {
        /// The root's public key.
        root: AuthorKey,
        /// The device's secret key.
        key: &'a SecretKey,
        /// End of its certificate, unix milliseconds.
        expires_ms: u64,
        /// The root's certificate.
        certificate: Signature,
    },
}

/// An event before it is stamped and signed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The space it goes to; zero for a charter.
    pub space: SpaceId,
    /// The author's clock, unix milliseconds.
    pub created_ms: u64,
    /// What the author has seen; the first eight (in ascending order, without doubles) are kept.
    pub refs: Vec<EventId>,
    /// What it states.
    pub kind: Kind,
    /// Its words.
    pub body: Body,
    /// Sixteen random bytes.
    pub salt: [u8; SALT_BYTES],
}

impl Draft {
    /// Stamps with `work_bits` of work, signs, and reads the result back as any receiver would.
    ///
    /// Takes about 2^`work_bits` hashes of time.
    ///
    /// # Errors
    ///
    /// The rule that the draft breaks, the same as a receiver would name; [`Invalid::BodyLength`] if words pass a limit.
    pub fn sign(self, author: &Author<'_>, network: &NetworkId, work_bits: u8) -> Result<Signed, Invalid> {
        if !self.body.fits() {
            return Err(Invalid::BodyLength);
        }
        let body = self.body.to_bytes();
        let mut refs = self.refs;
        refs.sort_unstable();
        refs.dedup();
        refs.truncate(REFS_MAX);
        let (root, key, signer) = match author {
            Author::Root(key) => (key.public(), key, Signer::Root),
            Author::Device { root, key, expires_ms, certificate } => {
                (*root, key, Signer::Device { key: key.public().0, expires_ms: *expires_ms, certificate: *certificate })
            }
        };
        let header = Header {
            version: EVENT_VERSION,
            space: self.space,
            author: root,
            signer,
            created_ms: self.created_ms,
            refs,
            kind: self.kind.to_raw(),
            body: BodyCommitment::of(&self.salt, &body),
            work: 0,
        };
        let mut bytes = codec::encode(&header);
        work::stamp(network, &mut bytes, work_bits, 0);
        let signature = key.sign(Domain::Event, network, &bytes);
        bytes.extend_from_slice(&signature.to_bytes());
        if !body.is_empty() {
            bytes.extend_from_slice(&self.salt);
            bytes.extend_from_slice(&body);
        }
        Signed::decode(network, &bytes)
    }
}
