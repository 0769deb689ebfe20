//! The epochs whose members are in memory: those that were compared last, within a bound on bytes.

use super::keys::Number;
use roda_protocol::reconcile::{Epoch, EpochKey, EpochSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of loaded members: 48 MiB, half of the 100 MiB that a node takes with a million events. A member takes 38 to 54
/// bytes, and in epochs of 1,024 members and more 2 of the sketch (a symbol of 16 bytes for eight members, at most 4,096,
/// that is 64 KiB an epoch). So about a million members are held: the newest epochs of all boards stay, and only old ones
/// are read again.
pub(super) const LOADED_BYTES_MAX: usize = 48 << 20;

/// Bytes of an entry beside its members: two map entries and the counters of the shared pointer, rounded up.
const ENTRY_BYTES: usize = 160;

/// An epoch of a space.
type Place = (Number, Epoch);

/// The loaded epochs. The one used longest ago goes first; the one used last stays, however large it is.
#[derive(Debug)]
pub(super) struct Loaded {
    entries: BTreeMap<Place, Entry>,
    by_use: BTreeMap<u64, Place>,
    uses: u64,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Entry {
    set: Arc<EpochSet>,
    used: u64,
    bytes: usize,
}

impl Loaded {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { entries: BTreeMap::new(), by_use: BTreeMap::new(), uses: 0, bytes: 0, bytes_max }
    }

    /// The members of an epoch, if they are loaded.
    pub(super) fn get(&mut self, place: Place) -> Option<Arc<EpochSet>> {
        self.uses += 1;
        let entry = self.entries.get_mut(&place)?;
        self.by_use.remove(&entry.used);
        entry.used = self.uses;
        self.by_use.insert(entry.used, place);
        Some(Arc::clone(&entry.set))
    }

    /// Keeps the members of an epoch.
    pub(super) fn put(&mut self, place: Place, set: Arc<EpochSet>) {
        self.remove(place);
        self.uses += 1;
        let bytes = ENTRY_BYTES + set.memory_bytes();
        self.by_use.insert(self.uses, place);
        self.entries.insert(place, Entry { set, used: self.uses, bytes });
        self.bytes += bytes;
        self.shrink();
    }

    /// Adds members to an epoch, if it is loaded. A reader that has it at hand keeps what it has.
    pub(super) fn extend(&mut self, place: Place, members: impl Iterator<Item = EpochKey>) {
        let Some(entry) = self.entries.get_mut(&place) else { return };
        let set = Arc::make_mut(&mut entry.set);
        for member in members {
            set.insert(member);
        }
        self.bytes -= entry.bytes;
        entry.bytes = ENTRY_BYTES + set.memory_bytes();
        self.bytes += entry.bytes;
        self.shrink();
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.bytes_max);
    }

    fn shrink(&mut self) {
        while self.bytes > self.bytes_max && self.entries.len() > 1 {
            let Some((_, place)) = self.by_use.first_key_value() else { return };
            self.remove(*place);
        }
    }

    fn remove(&mut self, place: Place) {
        if let Some(entry) = self.entries.remove(&place) {
            self.by_use.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roda_protocol::id::EventId;

    fn members(count: u32) -> impl Iterator<Item = EpochKey> {
        (0..count).map(|offset_ms| EpochKey { offset_ms, id: EventId([7; 32]) })
    }

    fn set(count: u32) -> Arc<EpochSet> {
        Arc::new(EpochSet::from_sorted(members(count)))
    }

    #[test]
    fn the_epoch_used_longest_ago_goes_when_bytes_run_out() {
        let mut loaded = Loaded::new(3 * (ENTRY_BYTES + set(100).memory_bytes()));
        (0..3).for_each(|epoch| loaded.put((1, epoch), set(100)));
        assert!(loaded.get((1, 0)).is_some());
        loaded.put((1, 3), set(100));
        assert!(loaded.get((1, 1)).is_none());
        assert!([0, 2, 3].iter().all(|epoch| loaded.get((1, *epoch)).is_some()));
        assert!(loaded.bytes <= loaded.bytes_max);
    }

    #[test]
    fn an_epoch_larger_than_the_bound_is_kept_alone() {
        let mut loaded = Loaded::new(1_000);
        loaded.put((1, 0), set(1));
        loaded.put((1, 1), set(1_000));
        assert_eq!((loaded.get((1, 0)).is_some(), loaded.get((1, 1)).is_some()), (false, true));
    }

    #[test]
    fn members_that_come_later_are_counted_and_disturb_no_reader() {
        let mut loaded = Loaded::new(usize::MAX);
        loaded.put((1, 0), set(10));
        let held = loaded.get((1, 0)).unwrap();
        loaded.extend((1, 0), members(500));
        loaded.extend((1, 9), members(500));
        assert_eq!((held.len(), loaded.get((1, 0)).unwrap().len()), (10, 500));
        let memory_bytes = loaded.get((1, 0)).unwrap().memory_bytes();
        assert_eq!(loaded.bytes, ENTRY_BYTES + memory_bytes);
        loaded.clear();
        assert_eq!(loaded.bytes, 0);
    }
}
