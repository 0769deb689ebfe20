//! Signed peer records, and the message that carries them from node to node.
//!
//! A record is libp2p's own (RFC 0002 and 0003, in the form that other implementations read): a peer's addresses and a
//! time, signed with its network key, so that nobody can speak for another. A message is a count (u8) and, for each record,
//! its length (u16, little-endian) and its bytes. `protocol/README.md` has both byte by byte.

use libp2p::core::{PeerRecord, SignedEnvelope};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId};

use super::reach::{Reach, reach, split};

/// The largest record, in bytes: eight relayed addresses of IPv6 need about 900.
pub(super) const RECORD_BYTES_MAX: usize = 1024;
/// Records in a message: two of the sender itself and eight of others.
pub(super) const RECORDS_MAX: usize = OWN_MAX + OTHERS_MAX;
/// Records of the sender itself: what the world may know, and what only neighbours may.
pub(super) const OWN_MAX: usize = 2;
/// Records of others.
pub(super) const OTHERS_MAX: usize = 8;
/// The largest message, in bytes.
pub(super) const RECORDS_BYTES_MAX: usize = 16 * 1024;
/// Addresses in a record.
pub(super) const ADDRESSES_MAX: usize = 8;
/// After this time a record says nothing any more: addresses change.
pub(super) const LASTS_MS: u64 = 7 * 24 * 3600 * 1000;
/// How far ahead another clock may be.
const AHEAD_MS: u64 = 10 * 60 * 1000;

/// What is signed, so that a signature is never taken for one of something else (RFC 0003).
const DOMAIN: &str = "libp2p-peer-record";
/// The kind of what is signed: multicodec 0x0301 (RFC 0003).
const KIND: [u8; 2] = [0x03, 0x01];

const _: () = assert!(RECORDS_MAX * (2 + RECORD_BYTES_MAX) < RECORDS_BYTES_MAX);

/// A record whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) peer: PeerId,
    /// When it was signed, unix milliseconds by the signer's clock.
    pub(super) time_ms: u64,
    /// Those that this program can dial, without `/p2p/PEER`; at least one.
    pub(super) addresses: Vec<Multiaddr>,
    /// From where the nearest of its addresses is reached: nobody farther away is told.
    pub(super) reach: Reach,
    /// As it was signed, to be handed on.
    pub(super) bytes: Vec<u8>,
}

/// Why a record is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not a record, or larger than one.
    Malformed,
    /// Not signed by the peer it speaks of.
    Forged,
    /// Too old, or from the future.
    Untimely,
    /// No address in it can be dialled.
    Unreachable,
}

/// Signs a record of this node. None if there is nothing to tell.
pub(super) fn sign(key: &Keypair, addresses: &[Multiaddr], now_ms: u64) -> Option<Vec<u8>> {
    if addresses.is_empty() {
        return None;
    }
    let payload = payload(&key.public().to_peer_id(), now_ms, &addresses[..addresses.len().min(ADDRESSES_MAX)]);
    let envelope = SignedEnvelope::new(key, DOMAIN.to_owned(), KIND.to_vec(), payload).ok()?;
    Some(envelope.into_protobuf_encoding()).filter(|bytes| bytes.len() <= RECORD_BYTES_MAX)
}

/// The protobuf message `PeerRecord`: `peer_id = 1`, `seq = 2`, `addresses = 3` with `multiaddr = 1`.
fn payload(peer: &PeerId, time_ms: u64, addresses: &[Multiaddr]) -> Vec<u8> {
    let mut bytes = field(1, &peer.to_bytes());
    bytes.push(2 << 3);
    varint(&mut bytes, time_ms);
    for address in addresses {
        bytes.extend(field(3, &field(1, &address.to_vec())));
    }
    bytes
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    varint(&mut bytes, content.len() as u64);
    bytes.extend(content);
    bytes
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Reads a record and checks everything that can be checked of it alone.
///
/// # Errors
/// See [`Refusal`].
pub(super) fn verify(bytes: &[u8], now_ms: u64) -> Result<Record, Refusal> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    let envelope = SignedEnvelope::from_protobuf_encoding(bytes).map_err(|_| Refusal::Malformed)?;
    let signed = PeerRecord::from_signed_envelope_interop(envelope).map_err(|_| Refusal::Forged)?;
    let time_ms = signed.seq();
    if time_ms > now_ms.saturating_add(AHEAD_MS) || !is_current(time_ms, now_ms) {
        return Err(Refusal::Untimely);
    }
    if signed.addresses().len() > ADDRESSES_MAX {
        return Err(Refusal::Malformed);
    }
    let addresses: Vec<_> = signed
        .addresses()
        .iter()
        .map(|address| split(address.clone()).0)
        .filter(|address| reach(address).is_some())
        .collect();
    let nearest = addresses.iter().filter_map(reach).min().ok_or(Refusal::Unreachable)?;
    Ok(Record { peer: signed.peer_id(), time_ms, addresses, reach: nearest, bytes: bytes.to_vec() })
}

/// Who signed a record that may be out of its time, and when by the signer's clock. None if it is none.
pub(super) fn signed_at(bytes: &[u8]) -> Option<(PeerId, u64)> {
    let envelope = SignedEnvelope::from_protobuf_encoding(bytes).ok()?;
    let signed = PeerRecord::from_signed_envelope_interop(envelope).ok()?;
    Some((signed.peer_id(), signed.seq()))
}

/// Whether a record of this time still says something.
pub(super) fn is_current(time_ms: u64, now_ms: u64) -> bool {
    time_ms.saturating_add(LASTS_MS) >= now_ms
}

/// Puts records into a message.
pub(super) fn encode(records: &[Vec<u8>]) -> Vec<u8> {
    let records: Vec<_> = records.iter().filter(|record| record.len() <= RECORD_BYTES_MAX).take(RECORDS_MAX).collect();
    let mut bytes = vec![u8::try_from(records.len()).expect("there are at most ten")];
    for record in records {
        let length = u16::try_from(record.len()).expect("a record is at most a KiB");
        bytes.extend(length.to_le_bytes());
        bytes.extend(record);
    }
    bytes
}

/// Takes a message apart. None if it is not one in its only form.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, mut rest) = bytes.split_first()?;
    let count = usize::from(*count);
    if count > RECORDS_MAX {
        return None;
    }
    let mut records = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_le_bytes(*length));
        if length > RECORD_BYTES_MAX {
            return None;
        }
        let (record, behind) = behind.split_at_checked(length)?;
        records.push(record);
        rest = behind;
    }
    rest.is_empty().then_some(records)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn address(text: &str) -> Multiaddr {
        text.parse().expect("a multiaddr")
    }

    fn signed(addresses: &[&str], time_ms: u64) -> Vec<u8> {
        let addresses: Vec<_> = addresses.iter().map(|text| address(text)).collect();
        sign(&Keypair::generate_ed25519(), &addresses, time_ms).expect("a record")
    }

    #[test]
    fn a_record_says_who_where_and_when() {
        let key = Keypair::generate_ed25519();
        let (far, near) = (address("/ip4/198.51.100.1/tcp/1"), address("/ip4/10.0.0.1/tcp/1"));
        let bytes = sign(&key, &[far.clone(), near.clone()], NOW).expect("a record");
        let record = verify(&bytes, NOW).expect("a good record");
        let peer = key.public().to_peer_id();
        assert_eq!(record, Record { peer, time_ms: NOW, addresses: vec![far, near], reach: Reach::Site, bytes });
        assert_eq!(sign(&key, &[], NOW), None);
    }

    /// The bytes that `protocol/README.md` shows.
    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let key = Keypair::ed25519_from_bytes([7; 32]).expect("a seed");
        let bytes = sign(&key, &[address("/ip4/198.51.100.1/tcp/4001")], NOW).expect("a record");
        let payload = payload(&key.public().to_peer_id(), NOW, &[address("/ip4/198.51.100.1/tcp/4001")]);
        let expected = "0a2600240801\
            1220ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c\
            1080a0f1c2b1341a0a0a0804c6336401060fa1";
        assert_eq!(data_encoding::HEXLOWER.encode(&payload), expected);
        assert!(bytes.windows(payload.len()).any(|window| window == payload));
        // libp2p's own encoder, of which only the time differs.
        let theirs = PeerRecord::new_interop(&key, vec![address("/ip4/198.51.100.1/tcp/4001")]).expect("signed");
        let theirs = theirs.into_signed_envelope().into_protobuf_encoding();
        assert!(
            verify(&theirs, NOW).is_err_and(|refusal| refusal == Refusal::Untimely),
            "seconds are not milliseconds"
        );
    }

    #[test]
    fn old_records_and_those_of_the_future_are_refused() {
        for (time_ms, expected) in [
            (NOW - LASTS_MS, None),
            (NOW - LASTS_MS - 1, Some(Refusal::Untimely)),
            (NOW + AHEAD_MS, None),
            (NOW + AHEAD_MS + 1, Some(Refusal::Untimely)),
            (u64::MAX, Some(Refusal::Untimely)),
        ] {
            assert_eq!(verify(&signed(&["/ip4/198.51.100.1/tcp/1"], time_ms), NOW).err(), expected, "{time_ms}");
        }
    }

    #[test]
    fn a_record_speaks_for_its_signer_alone() {
        let (key, other) = (Keypair::generate_ed25519(), PeerId::random());
        let payload = payload(&other, NOW, &[address("/ip4/198.51.100.1/tcp/1")]);
        let envelope = |domain: &str| SignedEnvelope::new(&key, domain.to_owned(), KIND.to_vec(), payload.clone());
        let bytes = envelope(DOMAIN).expect("signed").into_protobuf_encoding();
        assert_eq!(verify(&bytes, NOW), Err(Refusal::Forged));
        let bytes = envelope("libp2p-routing-state").expect("signed").into_protobuf_encoding();
        assert_eq!(verify(&bytes, NOW), Err(Refusal::Forged));
    }

    #[test]
    fn addresses_that_nobody_can_dial_are_left_out() {
        assert_eq!(verify(&signed(&["/ip4/0.0.0.0/tcp/1", "/memory/1"], NOW), NOW), Err(Refusal::Unreachable));
        let record = verify(&signed(&["/memory/1", "/ip4/198.51.100.1/tcp/1"], NOW), NOW).expect("one is good");
        assert_eq!(record.addresses.len(), 1);
    }

    #[test]
    fn a_message_has_one_form() {
        let records = vec![vec![1; 3], Vec::new(), vec![2; RECORD_BYTES_MAX]];
        let bytes = encode(&records);
        assert_eq!(decode(&bytes), Some(records.iter().map(Vec::as_slice).collect()));
        assert_eq!(decode(&[0]), Some(Vec::new()));
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[0, 0]), None);
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode(&[11]), None);
        assert_eq!(decode(&[1, 0xff, 0xff]), None);
        assert!(encode(&vec![vec![0; RECORD_BYTES_MAX]; 99]).len() <= RECORDS_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_fail(bytes in prop::collection::vec(any::<u8>(), 0..600), at: prop::sample::Index) {
            decode(&bytes);
            prop_assert!(verify(&bytes, NOW).is_err());
            let mut record = signed(&["/ip4/198.51.100.1/tcp/1"], NOW);
            let at = at.index(record.len());
            record[at] ^= 1;
            prop_assert!(verify(&record, NOW).is_err());
        }
    }
}
