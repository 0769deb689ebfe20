//! The set of a space: every known event by (time, id), whatever this node holds of it.

use super::LtHash;
use crate::id::EventId;
use std::collections::BTreeSet;

/// A member: the author's claim of the time, and the id.
pub type SetKey = (u64, EventId);

/// A digest of a set under a salt that both sides chose.
pub type Digest = [u8; 16];

/// Sets below this size compute their digest when asked; larger ones keep a running one of 2 KiB.
const RUNNING_DIGEST_FROM: usize = 64;

/// The known events of a space. Membership is objective: what a node declines, prunes or hides stays in the set, so that
/// local choices never make two honest nodes differ.
#[derive(Clone, Debug, Default)]
pub struct KnownSet {
    members: BTreeSet<SetKey>,
    running: Option<LtHash>,
}

impl KnownSet {
    /// Adds a member; false if it was there.
    pub fn insert(&mut self, key: SetKey) -> bool {
        if !self.members.insert(key) {
            return false;
        }
        match &mut self.running {
            Some(running) => running.add(&key.1),
            None if self.members.len() >= RUNNING_DIGEST_FROM => self.running = Some(self.computed()),
            None => {}
        }
        true
    }

    /// Whether the member is here.
    #[must_use]
    pub fn contains(&self, key: &SetKey) -> bool {
        self.members.contains(key)
    }

    /// How many members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Up to `limit` members behind `after`, ascending; from the first if `after` is none.
    #[must_use]
    pub fn page(&self, after: Option<SetKey>, limit: usize) -> Vec<SetKey> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.members.range((from, Unbounded)).take(limit).copied().collect()
    }

    /// Members behind `after` (exclusive) up to `last` (inclusive), or to the end if `last` is none.
    pub fn between(&self, after: Option<SetKey>, last: Option<SetKey>) -> impl Iterator<Item = SetKey> + '_ {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let to = last.map_or(Unbounded, Included);
        // An empty span would make the range panic; it can come from a peer's page.
        let is_empty = matches!((after, last), (Some(after), Some(last)) if last <= after);
        let span = if is_empty { None } else { Some(self.members.range((from, to)).copied()) };
        span.into_iter().flatten()
    }

    /// The digest under a salt. Equal digests of a fresh salt mean equal sets.
    #[must_use]
    pub fn digest(&self, salt: &[u8; 32]) -> Digest {
        let count = self.members.len() as u64;
        match &self.running {
            Some(running) => running.digest(count, salt),
            None => self.computed().digest(count, salt),
        }
    }

    fn computed(&self) -> LtHash {
        let mut hash = LtHash::default();
        for (_, id) in &self.members {
            hash.add(id);
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> SetKey {
        (number, EventId(*blake3::hash(&number.to_le_bytes()).as_bytes()))
    }

    #[test]
    fn the_digest_depends_on_the_members_and_not_on_their_order() {
        let (mut up, mut down) = (KnownSet::default(), KnownSet::default());
        (0..200).for_each(|number| assert!(up.insert(key(number))));
        (0..200).rev().for_each(|number| assert!(down.insert(key(number))));
        assert_eq!(up.digest(&[1; 32]), down.digest(&[1; 32]));
        assert_ne!(up.digest(&[1; 32]), up.digest(&[2; 32]));
        assert!(!up.insert(key(7)));
        assert!(up.insert(key(200)));
        assert_ne!(up.digest(&[1; 32]), down.digest(&[1; 32]));
    }

    #[test]
    fn pages_cover_the_set_once() {
        let mut set = KnownSet::default();
        (0..100).for_each(|number| assert!(set.insert(key(number))));
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = set.page(after, 7);
            let Some(last) = page.last() else { break };
            after = Some(*last);
            seen.extend(page);
        }
        assert_eq!(seen, set.between(None, None).collect::<Vec<_>>());
        assert_eq!(set.between(Some(key(9)), Some(key(3))).count(), 0);
    }
}
