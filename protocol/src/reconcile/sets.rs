//! What a comparison needs to see of the set of a space.

use super::{Epoch, EpochSet};
use crate::id::EventId;

/// A member: the author's claim of the time, and the id.
pub type SetKey = (u64, EventId);

/// A digest of a set under a salt that both sides know.
pub type Digest = [u8; 16];

/// The set of a space, epoch by epoch. Epochs may be read in when they are looked at, which can fail.
pub trait Sets {
    /// Why an epoch can't be looked at.
    type Error;

    /// The epochs with members, ascending, and how many members each has.
    fn epochs(&self) -> Vec<(Epoch, u64)>;

    /// The digest of one epoch under a key.
    ///
    /// # Errors
    ///
    /// The set's own.
    fn epoch_digest(&self, epoch: Epoch, salt_key: &[u8; 32]) -> Result<Digest, Self::Error>;

    /// Looks at the members of an epoch; an absent one is empty.
    ///
    /// # Errors
    ///
    /// The set's own.
    fn with_epoch<R>(&self, epoch: Epoch, look: impl FnOnce(&EpochSet) -> R) -> Result<R, Self::Error>;

    /// Whether looking at an epoch means to read it in first: that is charged to whoever asks.
    fn is_cold(&self, epoch: Epoch) -> bool;
}
