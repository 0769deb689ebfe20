//! Where a range begins or ends, in as few bytes as tell two neighbours apart.

use super::EpochKey;
use crate::id::EventId;
use serde::{Deserialize, Serialize};

/// A place in an epoch: a time within it and, only where two members of the same millisecond have to be told apart, the
/// first bytes of an id. Members below it stand before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Milliseconds since the epoch's begin; [`u32::MAX`]: behind every member.
    pub offset_ms: u32,
    /// First bytes of an id, without zeros at the end; as a rule none.
    #[serde(with = "serde_bytes")]
    pub prefix: Vec<u8>,
}

impl Bound {
    /// The place of a key.
    #[must_use]
    pub fn of(key: &EpochKey) -> Self {
        if key.offset_ms == u32::MAX {
            return Self { offset_ms: u32::MAX, prefix: Vec::new() };
        }
        let zeros = key.id.0.iter().rev().take_while(|byte| **byte == 0).count();
        Self { offset_ms: key.offset_ms, prefix: key.id.0[..32 - zeros].to_vec() }
    }

    /// The place as a key; `None` if it is malformed: one place has one form.
    #[must_use]
    pub fn key(&self) -> Option<EpochKey> {
        if self.offset_ms == u32::MAX {
            return self.prefix.is_empty().then_some(EpochKey::END);
        }
        if self.prefix.len() > 32 || self.prefix.last() == Some(&0) {
            return None;
        }
        let mut id = [0; 32];
        id[..self.prefix.len()].copy_from_slice(&self.prefix);
        Some(EpochKey { offset_ms: self.offset_ms, id: EventId(id) })
    }
}

/// The shortest place that is behind `before` and not behind `member`, two neighbours in this order.
#[must_use]
pub fn between(before: &EpochKey, member: &EpochKey) -> EpochKey {
    if before.offset_ms < member.offset_ms {
        return EpochKey { offset_ms: member.offset_ms, id: EventId([0; 32]) };
    }
    let common = before.id.0.iter().zip(&member.id.0).take_while(|(before, member)| before == member).count();
    let mut id = [0; 32];
    let kept = (common + 1).min(32);
    id[..kept].copy_from_slice(&member.id.0[..kept]);
    EpochKey { offset_ms: member.offset_ms, id: EventId(id) }
}

/// The shortest place that is behind a member and all that share its time.
#[must_use]
pub(super) fn behind(member: &EpochKey) -> EpochKey {
    EpochKey { offset_ms: member.offset_ms.saturating_add(1), id: EventId([0; 32]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(offset_ms: u32, first: [u8; 3]) -> EpochKey {
        let mut id = [0; 32];
        id[..3].copy_from_slice(&first);
        EpochKey { offset_ms, id: EventId(id) }
    }

    #[test]
    fn a_place_between_neighbours_is_short_and_tells_them_apart() {
        for (before, member, bytes) in [
            (key(5, [9, 9, 9]), key(6, [1, 2, 3]), 0),
            (key(5, [1, 2, 3]), key(5, [1, 3, 3]), 2),
            (key(5, [1, 2, 3]), key(5, [1, 2, 4]), 3),
            (EpochKey::FIRST, key(0, [1, 2, 4]), 1),
        ] {
            let place = between(&before, &member);
            assert!(before < place && place <= member);
            assert_eq!(Bound::of(&place).prefix.len(), bytes);
            assert_eq!(Bound::of(&place).key(), Some(place));
        }
    }

    #[test]
    fn one_place_has_one_form() {
        assert_eq!(Bound::of(&EpochKey::END).key(), Some(EpochKey::END));
        assert_eq!(Bound { offset_ms: u32::MAX, prefix: vec![1] }.key(), None);
        assert_eq!(Bound { offset_ms: 1, prefix: vec![1, 0] }.key(), None);
        assert_eq!(Bound { offset_ms: 1, prefix: vec![1; 33] }.key(), None);
    }
}
