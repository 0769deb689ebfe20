//! Work stamps: leading zero bits of a hash of the event id, found by trying nonces.
//!
//! A stamp prices what can never be forgotten, a known id, and is checked before the signature. It orders queues and
//! never buys influence.

use crate::id::{EventId, NetworkId};

/// Leading zero bits of the event's work hash.
#[must_use]
pub fn bits(id: &EventId) -> u8 {
    let hash = blake3::derive_key("roda/1/work", &id.0);
    let mut zeros = 0_u32;
    for byte in hash {
        zeros += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    u8::try_from(zeros).unwrap_or(u8::MAX)
}

/// The id of an encoded header in a network.
#[must_use]
pub fn event_id(network: &NetworkId, header: &[u8]) -> EventId {
    let mut hasher = blake3::Hasher::new_derive_key("roda/1/event-id");
    hasher.update(&network.0);
    hasher.update(header);
    EventId(*hasher.finalize().as_bytes())
}

/// Finds the smallest nonce from `first` on that gives the header, whose last eight bytes are the nonce, at least
/// `floor` bits. Expected tries: 2^floor.
///
/// # Panics
///
/// If the header is shorter than its nonce.
pub(crate) fn stamp(network: &NetworkId, header: &mut [u8], floor: u8, first: u64) -> u64 {
    let split = header.len().checked_sub(8).expect("a header ends with its nonce");
    let mut prefix = blake3::Hasher::new_derive_key("roda/1/event-id");
    prefix.update(&network.0);
    prefix.update(&header[..split]);
    let mut nonce = first;
    loop {
        let mut hasher = prefix.clone();
        hasher.update(&nonce.to_le_bytes());
        if bits(&EventId(*hasher.finalize().as_bytes())) >= floor {
            header[split..].copy_from_slice(&nonce.to_le_bytes());
            return nonce;
        }
        nonce = nonce.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamped_header_reaches_its_floor() {
        let network = NetworkId::of("test");
        let mut header = vec![9; 200];
        let nonce = stamp(&network, &mut header, 10, 0);
        assert_eq!(header[192..], nonce.to_le_bytes());
        assert!(bits(&event_id(&network, &header)) >= 10);
    }
}
