//! Epochs: the set of a space is cut by claimed time, so that each part is small and old parts rest.
//!
//! Within an epoch a member is named by its offset in time and its id. All ranges are half-open, `[lower, upper)`.

use super::SetKey;
use crate::id::EventId;

/// Length of an epoch in milliseconds: 2^20 seconds, about 12 days. A board of a million events in a year has 31
/// epochs of 32,000: a list of all epochs fits one message, and one epoch is loaded in milliseconds.
pub const EPOCH_MS: u64 = 1_048_576_000;

// Offsets are 32 bits wide, and the greatest is kept for the end behind all members.
const _: () = assert!(EPOCH_MS < u32::MAX as u64);

/// Number of an epoch: the claimed time in units of [`EPOCH_MS`].
pub type Epoch = u64;

/// A member within its epoch, ordered by time and then id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochKey {
    /// Milliseconds from the epoch's start.
    pub offset_ms: u32,
    /// The event.
    pub id: EventId,
}

impl EpochKey {
    /// Not behind any member: the lower end of a whole epoch.
    pub const FIRST: Self = Self { offset_ms: 0, id: EventId([0; 32]) };

    /// Behind every member: the upper end of a whole epoch.
    pub const END: Self = Self { offset_ms: u32::MAX, id: EventId([0xff; 32]) };

    /// The epoch of a member, and its place there.
    #[must_use]
    pub fn of((created_ms, id): &SetKey) -> (Epoch, Self) {
        let offset_ms = u32::try_from(created_ms % EPOCH_MS).expect("an epoch is shorter than 2^32 milliseconds");
        (created_ms / EPOCH_MS, Self { offset_ms, id: *id })
    }

    /// The member of this place in an epoch. An epoch that no time has gives the end of time.
    #[must_use]
    pub fn at(&self, epoch: Epoch) -> SetKey {
        let start_ms = epoch.saturating_mul(EPOCH_MS);
        (start_ms.saturating_add(u64::from(self.offset_ms)), self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_goes_to_its_epoch_and_back(created_ms: u64, id: [u8; 32]) {
            let key = (created_ms, EventId(id));
            let (epoch, place) = EpochKey::of(&key);
            prop_assert_eq!(place.at(epoch), key);
            prop_assert!(EpochKey::FIRST <= place && place < EpochKey::END);
        }

        #[test]
        fn places_are_ordered_as_keys_are(a: (u64, [u8; 32]), b: (u64, [u8; 32])) {
            let (a, b) = ((a.0, EventId(a.1)), (b.0, EventId(b.1)));
            prop_assert_eq!(EpochKey::of(&a).cmp(&EpochKey::of(&b)), a.cmp(&b));
        }
    }

    #[test]
    fn a_key_takes_36_bytes() {
        assert_eq!(size_of::<EpochKey>(), 36);
    }
}
