//! What two sides say while they compare a space: probes and findings.
//!
//! Every probe names its epoch and range, so the side that answers keeps no state between two of them. Names and
//! fingerprints are short; those that a stranger could grind in advance are salted by the side that asks.

use super::bound::Bound;
use super::{Digest, Epoch, EpochKey, EpochSet, Sets, Short, Summary};
use serde::{Deserialize, Serialize};

/// Random bytes of the side that asks. They go into every digest, fingerprint and salted name of one exchange, so that
/// nobody can make two sets look alike in advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salt(pub [u8; 16]);

impl Salt {
    /// The key of all that is salted.
    #[must_use]
    pub fn key(&self) -> [u8; 32] {
        blake3::derive_key("roda/1/sync-salt", &self.0)
    }
}

/// The first bytes of a keyed hash of a set: equal for equal sets.
pub type Fingerprint = [u8; 8];

/// A member under the salt: the first bytes of a keyed hash of its id.
pub type SaltedName = [u8; 8];

/// A member's [`Short`] name, big-endian: byte order is the order of members.
pub type ShortBytes = [u8; 8];

/// An epoch of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochEntry {
    /// Which.
    pub epoch: Epoch,
    /// Its members; never 0.
    pub count: u64,
    /// The first bytes of its salted digest.
    pub fingerprint: Fingerprint,
}

/// A part of a range. It begins where the part before it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Where it ends.
    pub upper: Bound,
    /// The members in it.
    pub count: u64,
    /// Of the sum of its members and their count, salted.
    pub fingerprint: Fingerprint,
}

/// A question about one range of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The epoch.
    pub epoch: Epoch,
    /// Where the range begins.
    pub lower: Bound,
    /// What is asked.
    pub ask: Ask,
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// These parts are mine: which differ?
    Split(Vec<Child>),
    /// All of mine up to `upper`, ascending: which do you want, which do you add?
    List {
        /// Where the range ends.
        upper: Bound,
        /// Short names.
        members: Vec<ShortBytes>,
    },
    /// The same under salted names, for sets whose short names or sums were forged. In the order of members.
    Exact {
        /// Where the range ends.
        upper: Bound,
        /// Salted names.
        members: Vec<SaltedName>,
    },
    /// Symbols of your sketch of the epoch.
    Sketch {
        /// The first.
        from: u32,
        /// Behind the last.
        to: u32,
    },
}

/// The answer to a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    /// To `Split`: the parts that differ, by ascending place.
    Split(Vec<(u16, Differs)>),
    /// To `Split`: so many parts differ that a sketch is shorter. My count of every part.
    Scattered(Vec<u64>),
    /// To `List` and `Exact`.
    List {
        /// Where the answer ends, if the range holds more than one answer takes.
        upto: Option<Bound>,
        /// A bit for each listed member, the first in the lowest bit of the first byte: set if I lack it.
        wants: serde_bytes::ByteBuf,
        /// Members of mine that were not listed, ascending.
        offers: Vec<ShortBytes>,
    },
    /// To `Sketch`: symbols from the first one asked on, fewer if I keep fewer.
    Sketch(serde_bytes::ByteBuf),
    /// The answer was long enough: ask again.
    Later,
}

/// A part that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Differs {
    /// I have nothing there.
    Nothing,
    /// All of mine there, ascending.
    List(Vec<ShortBytes>),
    /// My parts of that part.
    Split(Vec<Child>),
    /// The answer was long enough: ask again.
    Later,
}

/// Parts into which a range is split.
pub const FAN_OUT: usize = 16;

/// A range of at most so many members is listed instead of split.
pub(super) const LIST_MAX: usize = 16;

/// A range may hold so many members on the other side and still be listed from here: the other side adds up to so many.
pub(super) const LIST_OTHER_MAX: u64 = 64;

/// Parts of one split that differ from which on differences are called scattered.
pub(super) const SCATTERED_FROM: usize = 4;

/// Members that one `List` or `Exact` names at most, and that one answer adds at most. 32 KiB.
pub const LISTED_MAX: usize = 4096;

/// Probes of one message.
pub const PROBES_MAX: usize = 4096;

/// Bytes of findings after which an answer says `Later`. A whole message stays below the bound of responses.
pub(super) const FINDINGS_BYTES_MAX: usize = 224 * 1024;

/// The fingerprint of a part: of the sum and the count, under the salt.
#[must_use]
pub fn fingerprint(salt_key: &[u8; 32], summary: &Summary) -> Fingerprint {
    let mut hasher = blake3::Hasher::new_keyed(salt_key);
    hasher.update(&summary.sum.to_bytes());
    hasher.update(&summary.count.to_le_bytes());
    first_bytes(hasher.finalize().as_bytes())
}

/// The salted name of a member.
#[must_use]
pub fn salted_name(salt_key: &[u8; 32], key: &EpochKey) -> SaltedName {
    first_bytes(blake3::keyed_hash(salt_key, &key.id.0).as_bytes())
}

pub(super) fn first_bytes(bytes: &[u8]) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    first
}

/// The fingerprint of an epoch: the first bytes of its digest.
#[must_use]
pub fn of_digest(digest: &Digest) -> Fingerprint {
    first_bytes(digest)
}

/// The epochs of a set under a salt, ascending.
///
/// # Errors
///
/// Those of the set.
pub fn epoch_entries<S: Sets>(sets: &S, salt_key: &[u8; 32]) -> Result<Vec<EpochEntry>, S::Error> {
    let mut entries = Vec::new();
    for (epoch, count) in sets.epochs() {
        let fingerprint = of_digest(&sets.epoch_digest(epoch, salt_key)?);
        entries.push(EpochEntry { epoch, count, fingerprint });
    }
    Ok(entries)
}

/// The parts of a range: by the order of its members, as even as can be, and the place behind the last one. Whoever was
/// away lacks nothing but the newest; then one part differs, and nothing is known in it on one side.
#[must_use]
pub fn split(set: &EpochSet, lower: &EpochKey, upper: &EpochKey, salt_key: &[u8; 32]) -> Vec<Child> {
    let tree = set.tree();
    let (first, end) = (tree.rank(lower), tree.rank(upper));
    let count = end - first;
    let parts = (FAN_OUT - 1).min(count);
    let mut ends = Vec::with_capacity(parts + 1);
    for part in 1..=parts {
        let at = first + count * part / parts;
        let next = if part < parts { tree.select(at) } else { None };
        match (tree.select(at - 1), next) {
            (Some(last), Some(next)) => ends.push(super::bound::between(&last, &next)),
            (Some(last), None) => ends.push(super::bound::behind(&last).min(*upper)),
            (None, _) => {}
        }
    }
    if ends.last() != Some(upper) {
        ends.push(*upper);
    }
    let mut from = *lower;
    let child = |to: EpochKey| {
        let summary = tree.summary(&from, &to);
        from = to;
        Child { upper: Bound::of(&to), count: summary.count, fingerprint: fingerprint(salt_key, &summary) }
    };
    ends.into_iter().map(child).collect()
}

/// Short names of members.
pub(super) fn shorts(keys: impl Iterator<Item = EpochKey>) -> Vec<ShortBytes> {
    keys.map(|key| key.short().to_be_bytes()).collect()
}

/// The first and the end of the range of members that have this short name.
#[must_use]
pub fn short_range(short: Short) -> (EpochKey, EpochKey) {
    let place = |short: u64| {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(short << SHORT_TIME_BITS).to_be_bytes());
        EpochKey { offset_ms: (short >> SHORT_ID_BITS) as u32, id: crate::id::EventId(id) }
    };
    (place(short), short.checked_add(1).map_or(EpochKey::END, place))
}

/// Bits of a short name that are the time within the epoch.
const SHORT_TIME_BITS: u32 = 30;

/// Bits of a short name that are the first of the id.
const SHORT_ID_BITS: u32 = 64 - SHORT_TIME_BITS;

impl EpochKey {
    /// The time within the epoch (30 bits) and the first 34 bits of the id: names a member among those of an epoch.
    /// Two members can be made to share one; they are told apart under salted names.
    #[must_use]
    pub fn short(&self) -> Short {
        let id = u64::from_be_bytes(first_bytes(&self.id.0));
        (u64::from(self.offset_ms) << SHORT_ID_BITS) | (id >> SHORT_TIME_BITS)
    }
}

const _: () = {
    assert!(super::EPOCH_MS <= 1 << SHORT_TIME_BITS);
    assert!(LISTED_MAX <= u16::MAX as usize);
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EventId;

    #[test]
    fn a_short_name_finds_its_member_and_keeps_the_order() {
        let key = |offset_ms, byte| EpochKey { offset_ms, id: EventId([byte; 32]) };
        let keys = [key(0, 0), key(0, 255), key(7, 3), key(7, 4), key(1_048_575_999, 255)];
        for key in keys {
            let (first, end) = short_range(key.short());
            assert!(first <= key && key < end, "{key:?}");
        }
        assert!(keys.map(|key| key.short()).is_sorted_by(|a, b| a < b));
    }
}
