//! How much of what a peer brings by gossip is passed on by gossip.
//!
//! A node stores what it wants, however much that is, and passes on what its neighbours can bear: each peer's events have a
//! share, and what is beyond comes out of a pool that all peers share. Without that, whoever floods one node with valid
//! events floods all through it, and the posts of quiet peers wait in the same queues. What is not passed on is found by
//! comparison, and costs the peer nothing: that there is much to say is no offence.

use crate::peer::Peer;
use std::collections::BTreeMap;

/// Events a second of one peer: ten times what a busy forum has.
const OWN_PER_S: u64 = 10;

/// Events of one peer in a burst: what people write through it while this node is busy with something else for a second. No
/// more than that: the network lets 128 wait for one neighbour and drops what is beyond, whoever said it, and a crowd begins
/// with a burst of each.
const OWN_BURST: u64 = 10;

/// Events a second beyond that, of all peers together. With this, 20 that flood make a neighbour store 250 events a second,
/// a tenth of what half a core can.
const POOL_PER_S: u64 = 50;

/// Those in a burst.
const POOL_BURST: u64 = 20;

/// Thousandths of an event: what a rate a second earns in a millisecond.
const SCALE: u64 = 1000;

/// What is left of a share.
#[derive(Clone, Copy, Debug)]
struct Share {
    left: u64,
    at_ms: u64,
}

impl Share {
    /// Takes one if it is there.
    fn take(&mut self, per_s: u64, burst: u64, now_ms: u64) -> bool {
        let earned = now_ms.saturating_sub(self.at_ms).saturating_mul(per_s);
        self.left = self.left.saturating_add(earned).min(burst * SCALE);
        self.at_ms = now_ms;
        let is_there = self.left >= SCALE;
        self.left -= if is_there { SCALE } else { 0 };
        is_there
    }
}

/// See the module. A row per connected peer that has brought something.
#[derive(Debug)]
pub(super) struct Relays {
    own: BTreeMap<Peer, Share>,
    pool: Share,
}

impl Default for Relays {
    fn default() -> Self {
        Self { own: BTreeMap::new(), pool: Share { left: POOL_BURST * SCALE, at_ms: 0 } }
    }
}

impl Relays {
    /// Whether one more event of the peer is passed on now, steady milliseconds.
    pub(super) fn may(&mut self, peer: &Peer, now_ms: u64) -> bool {
        let full = Share { left: OWN_BURST * SCALE, at_ms: now_ms };
        let own = self.own.entry(peer.clone()).or_insert(full);
        own.take(OWN_PER_S, OWN_BURST, now_ms) || self.pool.take(POOL_PER_S, POOL_BURST, now_ms)
    }

    /// The peer is gone.
    pub(super) fn forget(&mut self, peer: &Peer) {
        self.own.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_gets_what_is_left_over_and_a_quiet_peer_all_it_says() {
        let (mut relays, flood, quiet) = (Relays::default(), Peer::new("flood"), Peer::new("quiet"));
        let mut passed = 0;
        for second in 0..60 {
            passed += (0..1000).filter(|ms| relays.may(&flood, second * 1000 + ms)).count() as u64;
            assert!((0..OWN_PER_S).all(|_| relays.may(&quiet, second * 1000 + 999)));
        }
        let most = OWN_BURST + POOL_BURST + 60 * (OWN_PER_S + POOL_PER_S);
        assert!(passed > most * 9 / 10 && passed <= most, "{passed} of {most}");
        relays.forget(&flood);
        assert_eq!(relays.own.len(), 1);
    }
}
