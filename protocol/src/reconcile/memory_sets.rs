//! A whole set in memory, every epoch of it: for tests, simulations and measurements. A node reads epochs in on demand.

use super::{Digest, Epoch, EpochKey, EpochSet, Expanded, LtHash, SetKey, Sets};
use std::collections::BTreeMap;
use std::convert::Infallible;

/// A set of members by epoch.
#[derive(Clone, Debug, Default)]
pub struct MemorySets {
    epochs: BTreeMap<Epoch, (EpochSet, LtHash)>,
    total: LtHash,
    count: u64,
}

impl MemorySets {
    /// Adds a member; false if it was there.
    pub fn insert(&mut self, key: SetKey) -> bool {
        let (epoch, place) = EpochKey::of(&key);
        let (set, digest) = self.epochs.entry(epoch).or_default();
        if !set.insert(place) {
            return false;
        }
        let expanded = Expanded::of(&key.1);
        digest.add_expanded(&expanded);
        self.total.add_expanded(&expanded);
        self.count += 1;
        true
    }

    /// Members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = SetKey> + '_ {
        let members = |(epoch, (set, _)): (&Epoch, &'_ (EpochSet, LtHash))| {
            let epoch = *epoch;
            set.tree().range(&EpochKey::FIRST, &EpochKey::END).map(move |key| key.at(epoch)).collect::<Vec<_>>()
        };
        self.epochs.iter().flat_map(members)
    }

    /// How many members.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.count).expect("each member takes memory")
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The digest of the whole set under a key.
    #[must_use]
    pub fn digest(&self, salt_key: &[u8; 32]) -> Digest {
        self.total.digest(self.count, salt_key)
    }

    /// Bytes of memory that it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.epochs.values().map(|(set, digest)| set.memory_bytes() + digest.to_bytes().len()).sum()
    }
}

impl Sets for MemorySets {
    type Error = Infallible;

    fn epochs(&self) -> Vec<(Epoch, u64)> {
        self.epochs.iter().map(|(epoch, (set, _))| (*epoch, set.len() as u64)).collect()
    }

    fn epoch_digest(&self, epoch: Epoch, salt_key: &[u8; 32]) -> Result<Digest, Infallible> {
        Ok(match self.epochs.get(&epoch) {
            Some((set, digest)) => digest.digest(set.len() as u64, salt_key),
            None => LtHash::default().digest(0, salt_key),
        })
    }

    fn with_epoch<R>(&self, epoch: Epoch, look: impl FnOnce(&EpochSet) -> R) -> Result<R, Infallible> {
        Ok(match self.epochs.get(&epoch) {
            Some((set, _)) => look(set),
            None => look(&EpochSet::default()),
        })
    }

    fn is_cold(&self, _epoch: Epoch) -> bool {
        false
    }
}
