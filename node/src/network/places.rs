//! Who keeps a place: connections that end because there are too many, and peers that are not wanted back.

use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId};

use super::connections::Row;
use super::reach::{group, split};
use super::task::{Task, now_ms};

impl Task {
    /// Every connected peer.
    fn rows(&self) -> Vec<Row> {
        let relays: Vec<_> = self.reachability.relays().collect();
        let row = |(peer, since, outbound, address): (&PeerId, Instant, bool, &Multiaddr)| Row {
            peer: *peer,
            since,
            outbound,
            group: group(address),
            is_kept: self.dialler.is_kept(peer, now_ms()) || relays.contains(&peer),
        };
        self.peers.rows().map(row).collect()
    }

    /// Ends a connection when a newcomer makes one too many.
    pub(super) fn make_room(&mut self, newcomer: PeerId) {
        if let Some(peer) = self.merits.evict(&self.rows(), &newcomer) {
            tracing::debug!(%peer, %newcomer, "it gives its place to a newcomer, or is one and finds none");
            self.hang_up(peer);
        }
    }

    /// Ends connections of this node's own that nobody needs.
    pub(super) fn trim(&mut self) {
        let now = Instant::now();
        self.merits.fade(now);
        self.swarm.behaviour_mut().doors.tidy(now);
        for peer in self.merits.trim(&self.rows(), now) {
            tracing::debug!(%peer, "a connection that brings little is ended");
            self.hang_up(peer);
        }
    }

    /// Lets a peer in again that somebody asks for.
    pub(super) fn pardon(&mut self, address: &str) {
        if let Some(peer) = address.parse().ok().and_then(|address| split(address).1) {
            self.swarm.behaviour_mut().doors.pardon(&peer);
            self.circuits.pardon(&peer);
        }
    }

    /// Doesn't want a peer back that misbehaved. A neighbour is kept out by its name and for a while: behind a near address
    /// there may be anybody.
    pub(super) fn discourage(&mut self, peer: PeerId) -> Duration {
        let ends: Vec<_> = self.peers.ends(&peer).cloned().collect();
        let is_near = !ends.is_empty() && ends.iter().all(|end| group(end).is_none());
        let time = self.swarm.behaviour_mut().doors.discourage(peer, &ends, is_near, Instant::now());
        self.dialler.shun(peer, time, now_ms());
        time
    }
}
