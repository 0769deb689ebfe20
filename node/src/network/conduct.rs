//! What peers have done to this node. Nothing here is for ever, or on disk.
//!
//! Two things count: bytes that no honest node sends (forged or malformed ones, and promises of gossip that were never kept),
//! and, for far less, to lack what others bring, which the engine's probes find. What this node merely doesn't like costs a
//! peer nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

/// What each rejected message costs, whatever else the peer has done, and on whatever topic.
const REJECTED_POINTS: f64 = 50.0;
/// What it costs to lack what others bring: the places in meshes, whatever else the peer has done for its score, and no
/// more than that.
pub(super) const LACKING_POINTS: f64 = 20.0;
/// In how long half of what a rejected message costs is forgotten: a fault of memory or disk is no enmity.
const HALF_LIFE: Duration = Duration::from_secs(3600);
/// Peers whose conduct is remembered, connected or not. Whoever has done the least makes room.
const REMEMBERED_MAX: usize = 1024;

/// What one peer has done.
#[derive(Debug, Clone, Copy)]
struct Row {
    rejected: f64,
    since: Instant,
    lacks: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Conduct(BTreeMap<PeerId, Row>);

impl Conduct {
    /// Notes a message that no honest node sends. Returns what all that the peer did costs by now: a score, 0 or below.
    pub(super) fn rejected(&mut self, peer: PeerId, now: Instant) -> f64 {
        let row = self.row(peer, now);
        row.rejected += 1.0;
        row.score(now)
    }

    /// Notes that a peer lacks what others bring, or no longer does. Returns the same.
    pub(super) fn lacks(&mut self, peer: PeerId, lacks: bool, now: Instant) -> f64 {
        let row = self.row(peer, now);
        row.lacks = lacks;
        row.score(now)
    }

    fn row(&mut self, peer: PeerId, now: Instant) -> &mut Row {
        if self.0.len() >= REMEMBERED_MAX && !self.0.contains_key(&peer) {
            let least = self.0.iter().max_by(|(_, one), (_, other)| one.score(now).total_cmp(&other.score(now)));
            if let Some(peer) = least.map(|(peer, _)| *peer) {
                self.0.remove(&peer);
            }
        }
        let row = self.0.entry(peer).or_insert(Row { rejected: 0.0, since: now, lacks: false });
        (row.rejected, row.since) = (row.left(now), now);
        row
    }
}

impl Row {
    /// Rejected messages that are not forgotten yet.
    fn left(&self, now: Instant) -> f64 {
        let half_lives = now.saturating_duration_since(self.since).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.rejected * (-half_lives).exp2()
    }

    fn score(&self, now: Instant) -> f64 {
        -REJECTED_POINTS * self.left(now) - if self.lacks { LACKING_POINTS } else { 0.0 }
    }
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
    fn to_lack_what_others_bring_costs_once_and_is_given_back_whole() {
        let (mut conduct, peer, now) = (Conduct::default(), PeerId::random(), Instant::now());
        for _ in 0..3 {
            assert!((conduct.lacks(peer, true, now) + LACKING_POINTS).abs() < 1e-6);
        }
        assert!((conduct.rejected(peer, now) + LACKING_POINTS + REJECTED_POINTS).abs() < 1e-6);
        assert!((conduct.lacks(peer, false, now) + REJECTED_POINTS).abs() < 1e-6);
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
