//! `LtHash`: a digest of a set that is updated by one addition per member.
//!
//! 1,024 lanes of 16 bits, as Meta and Solana run it (at least 200 bits of collision resistance). A plain sum of ids is
//! not safe here: authors choose ids, and two sets of equal sum mod 2^256 were found in 12 minutes on one core.

use crate::id::EventId;

const LANES: usize = 1024;

/// The running digest of a set of ids.
#[derive(Clone, PartialEq, Eq)]
pub struct LtHash(Box<[u16; LANES]>);

impl Default for LtHash {
    fn default() -> Self {
        Self(Box::new([0; LANES]))
    }
}

impl std::fmt::Debug for LtHash {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "LtHash({:04x}{:04x}..)", self.0[0], self.0[1])
    }
}

impl LtHash {
    /// Adds a member. Adding one twice is another set: the caller keeps members unique.
    pub fn add(&mut self, id: &EventId) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"lt1");
        hasher.update(&id.0);
        let mut expanded = [0_u8; LANES * 2];
        hasher.finalize_xof().fill(&mut expanded);
        for (lane, pair) in self.0.iter_mut().zip(expanded.chunks_exact(2)) {
            *lane = lane.wrapping_add(u16::from_le_bytes([pair[0], pair[1]]));
        }
    }

    /// The state, 2,048 bytes, lanes little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|lane| lane.to_le_bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_members_makes_no_difference_and_each_member_does() {
        let ids: Vec<EventId> = (0..5).map(|byte| EventId([byte; 32])).collect();
        let of = |ids: &[EventId]| {
            let mut hash = LtHash::default();
            ids.iter().for_each(|id| hash.add(id));
            hash
        };
        let mut reversed = ids.clone();
        reversed.reverse();
        assert_eq!(of(&ids), of(&reversed));
        assert_ne!(of(&ids), of(&ids[1..]));
    }
}
