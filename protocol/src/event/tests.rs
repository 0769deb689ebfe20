//! What every event keeps, whatever its kind (`properties`), and what each rule refuses (`rules`, `bounds`).

mod bounds;
mod generate;
mod properties;
mod rules;

use super::*;
use crate::codec;
use crate::keys::{self, Domain, SecretKey};
use crate::limits::{BODY_BYTES_MAX, EVENT_VERSION};
use crate::validate::{Invalid, SpaceRules, validate};
use crate::work;
use crate::{id::NetworkId, limits::SIGNATURE_BYTES};

/// Rules that ask no work, so that tests needn't do any.
const FREE: SpaceRules = SpaceRules { work_bits: 0, body_bytes_max: BODY_BYTES_MAX as u32 };

fn network() -> NetworkId {
    NetworkId::of("roda-test")
}

fn root_key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn device_key() -> SecretKey {
    SecretKey::from_seed(&[2; 32])
}

fn board() -> SpaceId {
    SpaceId::of_open_board("cooking")
}

fn event(number: u64) -> EventId {
    EventId(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

fn events(count: usize) -> Vec<EventId> {
    let mut ids: Vec<EventId> = (0..count as u64).map(event).collect();
    ids.sort_unstable();
    ids
}

fn authors(count: usize) -> Vec<AuthorKey> {
    let mut keys: Vec<AuthorKey> = (0..count as u64).map(|number| AuthorKey(event(number).0)).collect();
    keys.sort_unstable();
    keys
}

/// A header without body by the root key in a space where the kind may stand.
fn header(kind: &Kind) -> Header {
    let author = root_key().public();
    let space = match kind {
        Kind::Charter(_) => SpaceId::ZERO,
        Kind::Profile(_) => SpaceId::of_author(author),
        Kind::Revoke(revoke) => SpaceId::of_author(revoke.root),
        Kind::Succeed(succeed) => SpaceId::of_author(succeed.old),
        Kind::Vouch(vouch) => vouch.board,
        _ => board(),
    };
    Header {
        version: EVENT_VERSION,
        space,
        author,
        signer: Signer::Root,
        created_ms: 1_800_000_000_000,
        refs: vec![],
        kind: kind.to_raw(),
        body: BodyCommitment::EMPTY,
        work: 0,
    }
}

fn post() -> Kind {
    Kind::Post(Post { tags: vec![] })
}

/// The header's bytes with an honest signature by `key`: whatever is wrong with it, the signature isn't.
fn signed_by(key: &SecretKey, header: &Header) -> Vec<u8> {
    let mut bytes = codec::encode(header);
    let signature = key.sign(Domain::Event, &network(), &bytes);
    bytes.extend_from_slice(&signature.to_bytes());
    bytes
}

/// A header that promises this body, signed, with the body behind it.
fn with_body(mut header: Header, body: &[u8]) -> Vec<u8> {
    let salt = [7; SALT_BYTES];
    header.body = BodyCommitment::of(&salt, body);
    let mut bytes = signed_by(&root_key(), &header);
    if !body.is_empty() {
        bytes.extend_from_slice(&salt);
        bytes.extend_from_slice(body);
    }
    bytes
}

fn judge(bytes: &[u8]) -> Result<Verified, Invalid> {
    Signed::decode(&network(), bytes).and_then(|signed| validate(signed, &FREE))
}

/// What is wrong with an honestly signed header.
fn fault(header: &Header) -> Option<Invalid> {
    judge(&signed_by(&root_key(), header)).err()
}

/// What is wrong with an event of this kind in its right space.
fn kind_fault(kind: &Kind) -> Option<Invalid> {
    fault(&header(kind))
}

fn device_signer(root: &SecretKey, network: &NetworkId, expires_ms: u64) -> Signer {
    let key = device_key().public().0;
    let certificate = root.sign(Domain::Device, network, &keys::device_message(&key, expires_ms));
    Signer::Device { key, expires_ms, certificate }
}
