//! Signing keys, signatures and the domain strings that keep their uses apart.
//!
//! Every signature is over `domain 0x00 network_id ...`, so that none can be taken for another use or another network.
//! Verification is `verify_strict` and never in batches: implementations disagree on edge cases of anything laxer, and a
//! network must not split on them. Key storage is not here.

use crate::id::{AuthorKey, NetworkId};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a signature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// An event's header.
    Event,
    /// A device certificate.
    Device,
    /// An invite, by a network key.
    Invite,
}

impl Domain {
    fn text(self) -> &'static [u8] {
        match self {
            Self::Event => b"roda/1/event",
            Self::Device => b"roda/1/device",
            Self::Invite => b"roda/1/invite",
        }
    }
}

/// The bytes that are signed.
#[must_use]
pub fn preimage(domain: Domain, network: &NetworkId, message: &[u8]) -> Vec<u8> {
    let text = domain.text();
    let mut bytes = Vec::with_capacity(text.len() + 1 + 32 + message.len());
    bytes.extend_from_slice(text);
    bytes.push(0);
    bytes.extend_from_slice(&network.0);
    bytes.extend_from_slice(message);
    bytes
}

/// An ed25519 signature: the point R and the scalar s, 32 bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The encoded point.
    pub r: [u8; 32],
    /// The scalar, little-endian.
    pub s: [u8; 32],
}

impl Signature {
    /// The 64 bytes of RFC 8032.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.r);
        bytes[32..].copy_from_slice(&self.s);
        bytes
    }

    /// From the 64 bytes of RFC 8032.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r.copy_from_slice(&bytes[..32]);
        s.copy_from_slice(&bytes[32..]);
        Self { r, s }
    }
}

/// Whether `signature` is `key`'s over the message in this domain and network. Strict: weak keys, points of small order
/// and scalars beyond the group's order all fail.
#[must_use]
pub fn is_signed(key: &[u8; 32], domain: Domain, network: &NetworkId, message: &[u8], signature: &Signature) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| holds(&key, domain, network, message, signature))
}

fn holds(key: &VerifyingKey, domain: Domain, network: &NetworkId, message: &[u8], signature: &Signature) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(&signature.to_bytes());
    key.verify_strict(&preimage(domain, network, message), &signature).is_ok()
}

/// Keys that a [`Verifier`] remembers: more than write in a busy hour. With 256 bytes each, 1 MiB.
const UNPACKED_MAX: usize = 4096;

/// Checks signatures as [`is_signed`] does, and remembers the points of keys that it has met: to unpack one is a tenth of a
/// check, and few authors write most.
#[derive(Debug, Default)]
pub struct Verifier {
    unpacked: BTreeMap<[u8; 32], VerifyingKey>,
}

impl Verifier {
    /// See [`is_signed`].
    pub fn is_signed(
        &mut self,
        key: &[u8; 32],
        domain: Domain,
        network: &NetworkId,
        message: &[u8],
        signature: &Signature,
    ) -> bool {
        if let Some(unpacked) = self.unpacked.get(key) {
            return holds(unpacked, domain, network, message, signature);
        }
        let Ok(unpacked) = VerifyingKey::from_bytes(key) else { return false };
        let is_signed = holds(&unpacked, domain, network, message, signature);
        // A key that has signed nothing takes no room.
        if is_signed {
            if self.unpacked.len() >= UNPACKED_MAX {
                self.unpacked.clear();
            }
            self.unpacked.insert(*key, unpacked);
        }
        is_signed
    }
}

/// A secret signing key: a root key or a device key. Wiped from memory when dropped; `Debug` shows no secret.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key of a 32-byte seed (RFC 8032). The seed must come from a good source of randomness.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> AuthorKey {
        AuthorKey(self.0.verifying_key().to_bytes())
    }

    /// Signs the message in a domain and network.
    #[must_use]
    pub fn sign(&self, domain: Domain, network: &NetworkId, message: &[u8]) -> Signature {
        Signature::from_bytes(&self.0.sign(&preimage(domain, network, message)).to_bytes())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "SecretKey(of {:?})", self.public())
    }
}

/// The root's word that a device key may sign for it until `expires_ms`.
#[must_use]
pub fn device_message(device_key: &[u8; 32], expires_ms: u64) -> [u8; 40] {
    let mut message = [0; 40];
    message[..32].copy_from_slice(device_key);
    message[32..].copy_from_slice(&expires_ms.to_le_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_in_its_own_domain_and_network_only() {
        let key = SecretKey::from_seed(&[7; 32]);
        let here = NetworkId::of("here");
        let signature = key.sign(Domain::Event, &here, b"words");
        assert!(is_signed(&key.public().0, Domain::Event, &here, b"words", &signature));
        assert!(!is_signed(&key.public().0, Domain::Device, &here, b"words", &signature));
        assert!(!is_signed(&key.public().0, Domain::Event, &NetworkId::of("there"), b"words", &signature));
        assert!(!is_signed(&key.public().0, Domain::Event, &here, b"other", &signature));
    }

    #[test]
    fn a_verifier_that_remembers_a_key_judges_as_before() {
        let (key, here) = (SecretKey::from_seed(&[7; 32]), NetworkId::of("here"));
        let signature = key.sign(Domain::Event, &here, b"words");
        let public = key.public().0;
        let mut verifier = Verifier::default();
        for _ in 0..2 {
            assert!(verifier.is_signed(&public, Domain::Event, &here, b"words", &signature));
            assert!(!verifier.is_signed(&public, Domain::Event, &here, b"other", &signature));
            assert!(!verifier.is_signed(&[2; 32], Domain::Event, &here, b"words", &signature));
        }
        assert_eq!(verifier.unpacked.len(), 1);
    }

    #[test]
    fn a_verifier_remembers_no_more_keys_than_it_may() {
        let here = NetworkId::of("here");
        let mut verifier = Verifier::default();
        for number in 0..=UNPACKED_MAX {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&number.to_le_bytes());
            let key = SecretKey::from_seed(&seed);
            let signature = key.sign(Domain::Event, &here, b"words");
            assert!(verifier.is_signed(&key.public().0, Domain::Event, &here, b"words", &signature));
            assert!(verifier.unpacked.len() <= UNPACKED_MAX);
        }
    }

    #[test]
    fn the_identity_point_as_key_signs_nothing() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let signature = Signature { r: identity, s: [0; 32] };
        assert!(!is_signed(&identity, Domain::Event, &NetworkId::of("here"), b"any", &signature));
    }
}
