//! Where a peer's page may stand: buckets that are chosen by keyed hashes, as in Bitcoin Core's address manager.
//!
//! The key is this node's secret, so that nobody can tell which pages meet. What one part of the network says of others
//! reaches few buckets of *new*, and peers of one group reach few buckets of *tried*: whoever owns a few groups owns a small
//! part of the book, with however many names and addresses.

use libp2p::PeerId;
use serde::{Deserialize, Serialize};

use super::super::reach::Group;

/// Buckets of peers that were heard of.
pub(super) const NEW_BUCKETS: u8 = 64;
/// Pages in one of them.
pub(super) const NEW_PER_BUCKET: u8 = 16;
/// Buckets that everything which one group tells can reach: 1/16 of the table.
pub(super) const NEW_BUCKETS_PER_SOURCE: u8 = 4;
/// Buckets of peers that were reached.
pub(super) const TRIED_BUCKETS: u8 = 32;
/// Pages in one of them.
pub(super) const TRIED_PER_BUCKET: u8 = 8;
/// Buckets that all peers of one group can reach: 1/16 of the table.
pub(super) const TRIED_BUCKETS_PER_GROUP: u8 = 2;

/// Pages of peers that were heard of.
pub(in super::super) const NEW_MAX: usize = NEW_BUCKETS as usize * NEW_PER_BUCKET as usize;
/// Pages of peers that were reached.
pub(in super::super) const TRIED_MAX: usize = TRIED_BUCKETS as usize * TRIED_PER_BUCKET as usize;

const _: () = {
    assert!(NEW_BUCKETS_PER_SOURCE <= NEW_BUCKETS / 16);
    assert!(TRIED_BUCKETS_PER_GROUP <= TRIED_BUCKETS / 16);
};

/// From whom this node knows a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Source {
    /// A person named it, or it was dialled for another reason.
    Person,
    /// Multicast on the local network.
    Lan,
    /// A lookup in the DHT: nobody signed it.
    Dht,
    /// A signed record, handed over by a peer of this group; none: by one that is near.
    Peer(Option<Group>),
}

/// Which of the two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    /// Heard of.
    New,
    /// Reached.
    Tried,
}

/// A place in a table. Each holds one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) table: Table,
    bucket: u8,
    position: u8,
}

/// The place of a peer that `source` told of.
pub(super) fn new_slot(seed: &[u8; 32], peer: &PeerId, group: Group, source: Source) -> Slot {
    let source = of_source(source);
    let which = number(seed, b"new which", &[&of_group(group), &source]) % u64::from(NEW_BUCKETS_PER_SOURCE);
    let bucket = number(seed, b"new bucket", &[&source, &which.to_le_bytes()]) % u64::from(NEW_BUCKETS);
    place(seed, peer, Table::New, bucket, NEW_PER_BUCKET)
}

/// The place of a peer that was reached in `group`.
pub(super) fn tried_slot(seed: &[u8; 32], peer: &PeerId, group: Group) -> Slot {
    let group = of_group(group);
    let which = number(seed, b"tried which", &[&peer.to_bytes()]) % u64::from(TRIED_BUCKETS_PER_GROUP);
    let bucket = number(seed, b"tried bucket", &[&group, &which.to_le_bytes()]) % u64::from(TRIED_BUCKETS);
    place(seed, peer, Table::Tried, bucket, TRIED_PER_BUCKET)
}

fn place(seed: &[u8; 32], peer: &PeerId, table: Table, bucket: u64, positions: u8) -> Slot {
    let bucket = u8::try_from(bucket).expect("a remainder by a u8 is one");
    let position = number(seed, b"position", &[&[table as u8, bucket], &peer.to_bytes()]) % u64::from(positions);
    Slot { table, bucket, position: u8::try_from(position).expect("a remainder by a u8 is one") }
}

/// A number that depends on the seed and on everything else.
pub(super) fn number(seed: &[u8; 32], what: &[u8], parts: &[&[u8]]) -> u64 {
    let mut hasher = blake3::Hasher::new_keyed(seed);
    hasher.update(what);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    let hash = hasher.finalize();
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes of 32"))
}

fn of_group(group: Group) -> Vec<u8> {
    match group {
        Group::V4(bytes) => bytes.to_vec(),
        Group::V6(bytes) => bytes.to_vec(),
    }
}

fn of_source(source: Source) -> Vec<u8> {
    match source {
        Source::Person => b"person".to_vec(),
        Source::Lan => b"lan".to_vec(),
        Source::Dht => b"dht".to_vec(),
        Source::Peer(None) => b"near".to_vec(),
        Source::Peer(Some(group)) => of_group(group),
    }
}
