//! What comparisons have shown: how complete a board can be said to be.
//!
//! Only comparisons that took place count, and only peers that are still connected: of a peer that left, nobody can say
//! what it knows now. The time that goes with a statement is that of its oldest comparison.

use crate::engine::Completeness;
use crate::peer::Peer;
use roda_protocol::id::SpaceId;
use roda_protocol::time::Now;
use std::collections::{BTreeMap, BTreeSet};

/// The last comparison with each connected peer, by space.
#[derive(Debug, Default)]
pub(super) struct Comparisons {
    of: BTreeMap<SpaceId, BTreeMap<Peer, (bool, u64)>>,
    /// Spaces of which something else is to be said now.
    changed: BTreeSet<SpaceId>,
}

impl Comparisons {
    /// The sets of the space were compared just now.
    pub(super) fn remember(&mut self, space: SpaceId, peer: &Peer, is_equal: bool, now: Now) {
        self.of.entry(space).or_default().insert(peer.clone(), (is_equal, now.wall_ms));
        self.changed.insert(space);
    }

    /// The peer has left, or no longer follows anything that was compared.
    pub(super) fn forget_peer(&mut self, peer: &Peer) {
        for (space, peers) in &mut self.of {
            if peers.remove(peer).is_some() {
                self.changed.insert(*space);
            }
        }
        self.of.retain(|_, peers| !peers.is_empty());
    }

    /// The peer no longer follows the space, or this node does not.
    pub(super) fn forget(&mut self, space: SpaceId, peer: &Peer) {
        if let Some(peers) = self.of.get_mut(&space)
            && peers.remove(peer).is_some()
        {
            self.changed.insert(space);
        }
    }

    /// The spaces of which something else is to be said than when this was asked last.
    pub(super) fn take_changed(&mut self) -> BTreeSet<SpaceId> {
        std::mem::take(&mut self.changed)
    }

    /// The statement about a space.
    pub(super) fn of(&self, space: SpaceId) -> Completeness {
        let Some(peers) = self.of.get(&space) else { return Completeness::default() };
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Completeness {
            peers_asked: count(peers.len()),
            peers_equal: count(peers.values().filter(|(is_equal, _)| *is_equal).count()),
            checked_ms: peers.values().map(|(_, at_ms)| *at_ms).min().unwrap_or(0),
            ..Completeness::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_comparison_dates_the_statement_and_who_left_does_not_count() {
        let mut comparisons = Comparisons::default();
        let (space, a, b) = (SpaceId([1; 32]), Peer::new("a"), Peer::new("b"));
        let at = |wall_ms| Now { wall_ms, steady_ms: 0 };
        comparisons.remember(space, &a, true, at(10));
        comparisons.remember(space, &b, false, at(5));
        comparisons.remember(space, &b, true, at(20));
        assert_eq!((comparisons.take_changed().len(), comparisons.take_changed().len()), (1, 0));
        let said = |comparisons: &Comparisons| {
            let said = comparisons.of(space);
            (said.peers_asked, said.peers_equal, said.checked_ms)
        };
        assert_eq!(said(&comparisons), (2, 2, 10));
        comparisons.forget_peer(&a);
        assert_eq!(comparisons.take_changed(), BTreeSet::from([space]));
        comparisons.forget_peer(&a);
        assert_eq!(comparisons.take_changed(), BTreeSet::new());
        assert_eq!(said(&comparisons), (1, 1, 20));
        comparisons.forget(space, &b);
        assert_eq!(said(&comparisons), (0, 0, 0));
    }
}
