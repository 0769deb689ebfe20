//! What peers have done to this node. Nothing here is for ever, or on disk.
//!
//! Only bytes that no honest node sends count: forged or malformed ones, and promises of gossip that were never kept. What
//! this node merely doesn't like costs a peer nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

/// What each rejected message costs, whatever else the peer has done, and on whatever topic.
const REJECTED_POINTS: f64 = 50.0;
/// In how long half of that is forgotten: a fault of memory or disk is no enmity.
const HALF_LIFE: Duration = Duration::from_secs(3600);
/// Peers whose conduct is remembered, connected or not. Whoever has done the least makes room.
const REMEMBERED_MAX: usize = 1024;
/// Rejected messages by peer.
#[derive(Debug, Default)]
pub(super) struct Conduct(BTreeMap<PeerId, (f64, Instant)>);

impl Conduct {
    /// Notes a message that no honest node sends. Returns what all of them cost by now: a score, 0 or below.
    pub(super) fn rejected(&mut self, peer: PeerId, now: Instant) -> f64 {
        if self.0.len() >= REMEMBERED_MAX && !self.0.contains_key(&peer) {
            let least = self.0.iter().min_by(|(_, one), (_, other)| left(one, now).total_cmp(&left(other, now)));
            if let Some(peer) = least.map(|(peer, _)| *peer) {
                self.0.remove(&peer);
            }
        }
        let row = self.0.entry(peer).or_insert((0.0, now));
        *row = (left(row, now) + 1.0, now);
        -REJECTED_POINTS * row.0
    }
}

fn left((count, since): &(f64, Instant), now: Instant) -> f64 {
    let half_lives = now.saturating_duration_since(*since).as_secs_f64() / HALF_LIFE.as_secs_f64();
    count * (-half_lives).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rejected_message_costs_the_same_and_is_forgotten_in_time() {
        let (mut conduct, peer, now) = (Conduct::default(), PeerId::random(), Instant::now());
        for count in 1..10 {
            assert!((conduct.rejected(peer, now) + REJECTED_POINTS * f64::from(count)).abs() < 1e-6);
        }
        let score = conduct.rejected(peer, now + HALF_LIFE);
        assert!((score + REJECTED_POINTS * 5.5).abs() < 1e-6, "{score}");
    }

    #[test]
    fn a_crowd_of_names_does_not_wash_a_peer_clean() {
        let (mut conduct, peer, now) = (Conduct::default(), PeerId::random(), Instant::now());
        for _ in 0..3 {
            conduct.rejected(peer, now);
        }
        for _ in 0..2 * REMEMBERED_MAX {
            conduct.rejected(PeerId::random(), now);
        }
        assert!(conduct.rejected(peer, now) < -3.5 * REJECTED_POINTS);
        assert!(conduct.0.len() <= REMEMBERED_MAX);
    }
}
