//! How far this node's clock is from those of its peers.
//!
//! A peer signs the record of itself when it hands it over, with the time of that moment. The middle one of all
//! connected peers' clocks is no authority; a difference is worth a word to the person, and nothing is set by it.

use std::collections::BTreeMap;

use libp2p::PeerId;

/// One difference for each connected peer.
#[derive(Debug, Default)]
pub(super) struct Clocks(BTreeMap<PeerId, i64>);

impl Clocks {
    /// A peer told the time.
    pub(super) fn told(&mut self, peer: PeerId, time_ms: u64, now_ms: u64) {
        let ahead = i128::from(now_ms) - i128::from(time_ms);
        self.0.insert(peer, i64::try_from(ahead).unwrap_or(if ahead > 0 { i64::MAX } else { i64::MIN }));
    }

    /// A peer has left.
    pub(super) fn left(&mut self, peer: &PeerId) {
        self.0.remove(peer);
    }

    /// This node's clock less the middle one, milliseconds.
    pub(super) fn ahead_ms(&self) -> Option<i64> {
        let mut all: Vec<_> = self.0.values().copied().collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_clock_among_three_does_not_count() {
        let (mut clocks, now) = (Clocks::default(), 1_800_000_000_000);
        assert_eq!(clocks.ahead_ms(), None);
        let peers = [(); 3].map(|()| PeerId::random());
        clocks.told(peers[0], now - 5, now);
        clocks.told(peers[1], now + 3, now);
        clocks.told(peers[2], u64::MAX, now);
        assert_eq!(clocks.ahead_ms(), Some(-3));
        clocks.left(&peers[1]);
        clocks.left(&peers[2]);
        assert_eq!(clocks.ahead_ms(), Some(5));
    }
}
