//! Connected peers: where they are, what they listen to, how much they may still ask.

use super::allowance::{Allowance, Reserve};
use super::{Engine, Input, Notice, Output, PeerInfo};
use crate::peer::Peer;
use roda_protocol::gossip;
use roda_protocol::id::SpaceId;
use roda_protocol::limits::TOPICS_MAX;
use roda_protocol::time::Now;
use std::collections::BTreeMap;

/// Invalid events that a peer may send in comparisons before it is disconnected: one could be a fault of memory or disk.
const INVALID_MAX: u32 = 8;

/// A connected peer.
#[derive(Debug)]
pub(super) struct PeerState {
    address: String,
    outbound: bool,
    since_ms: u64,
    latency_ms: Option<u64>,
    /// Since when it is on which topic, steady milliseconds.
    topics: BTreeMap<String, u64>,
    allowance: Allowance,
    invalid: u32,
}

/// All connected peers.
#[derive(Debug, Default)]
pub(super) struct Peers {
    peers: BTreeMap<Peer, PeerState>,
    reserve: Reserve,
}

impl Peers {
    pub(super) fn contains(&self, peer: &Peer) -> bool {
        self.peers.contains_key(peer)
    }

    pub(super) fn names(&self) -> Vec<Peer> {
        self.peers.keys().cloned().collect()
    }

    pub(super) fn moved(&mut self, peer: &Peer, address: String, outbound: bool) {
        if let Some(state) = self.peers.get_mut(peer) {
            (state.address, state.outbound) = (address, outbound);
        }
    }

    pub(super) fn subscribed(&mut self, peer: &Peer, topic: String, now: Now) {
        if let Some(state) = self.peers.get_mut(peer)
            && state.topics.len() < TOPICS_MAX
        {
            state.topics.entry(topic).or_insert(now.steady_ms);
        }
    }

    pub(super) fn unsubscribed(&mut self, peer: &Peer, topic: &str) {
        if let Some(state) = self.peers.get_mut(peer) {
            state.topics.remove(topic);
        }
    }

    pub(super) fn latency(&mut self, peer: &Peer, ms: u64) {
        if let Some(state) = self.peers.get_mut(peer) {
            state.latency_ms = Some(ms);
        }
    }

    pub(super) fn listens(&self, peer: &Peer, topic: &str) -> bool {
        self.peers.get(peer).is_some_and(|state| state.topics.contains_key(topic))
    }

    /// Since when the peer listens to a topic, steady milliseconds.
    pub(super) fn listens_since(&self, peer: &Peer, topic: &str) -> Option<u64> {
        self.peers.get(peer)?.topics.get(topic).copied()
    }

    /// Whether the peer may ask once more now; takes one from its allowance.
    pub(super) fn may_ask(&mut self, peer: &Peer, now: Now) -> bool {
        self.peers.get_mut(peer).is_some_and(|state| state.allowance.may_ask(now))
    }

    /// The peer's question cost so many units of work: see `reconcile::Answered`.
    pub(super) fn charge(&mut self, peer: &Peer, work: u64) {
        if let Some(state) = self.peers.get_mut(peer) {
            state.allowance.charge(work);
        }
    }
}

impl Engine {
    pub(super) fn peer_up(&mut self, peer: Peer, address: String, outbound: bool, now: Now) {
        let state = PeerState {
            address: address.clone(),
            outbound,
            since_ms: now.wall_ms,
            latency_ms: None,
            topics: BTreeMap::new(),
            allowance: self.peers.reserve.lend(now),
            invalid: 0,
        };
        self.peers.peers.insert(peer.clone(), state);
        self.greet(&peer, outbound, now);
        self.emit(Notice::PeerUp { peer, address });
    }

    /// A peer listens to a topic. If it is one of ours the peer may know what this node lacks: it follows the board anew.
    pub(super) fn subscribed(&mut self, peer: &Peer, topic: String, now: Now) {
        let is_board = self.topics.get(&topic).is_some_and(Option::is_some);
        self.peers.subscribed(peer, topic, now);
        if is_board {
            self.sync_soon(peer, now);
        }
    }

    pub(super) fn peer_down(&mut self, peer: &Peer, now: Now) {
        if let Some(state) = self.peers.peers.remove(peer) {
            self.peers.reserve.take_back(&state.allowance);
            self.relays.forget(peer);
            self.probes.forget_peer(peer);
            self.directory.peer_down(peer);
            self.forget_syncs(peer, now);
            self.emit(Notice::PeerDown { peer: peer.clone() });
        }
    }

    /// Counts an invalid event against the peer that sent it; too many end the connection.
    pub(super) fn sent_invalid(&mut self, peer: &Peer) {
        self.count("sync_invalid");
        let Some(state) = self.peers.peers.get_mut(peer) else { return };
        state.invalid += 1;
        if state.invalid == INVALID_MAX {
            let reason = format!("sent {INVALID_MAX} invalid events");
            self.out.push(Output::Disconnect { peer: peer.clone(), reason });
        }
    }

    pub(super) fn peer_infos(&self) -> Vec<PeerInfo> {
        let boards_of = |state: &PeerState| -> Vec<SpaceId> {
            let shared = |board: &&SpaceId| state.topics.contains_key(&gossip::board_topic(&self.network, **board));
            self.follows.keys().filter(shared).copied().collect()
        };
        let info = |(peer, state): (&Peer, &PeerState)| PeerInfo {
            peer: peer.clone(),
            address: state.address.clone(),
            outbound: state.outbound,
            since_ms: state.since_ms,
            latency_ms: state.latency_ms,
            boards: boards_of(state),
        };
        self.peers.peers.iter().map(info).collect()
    }
}

impl Input {
    /// Bytes that the input holds, for the inbox's bound.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Gossip { bytes, .. } | Self::Asked { body: bytes, .. } => bytes.len(),
            Self::Answered { body, .. } => body.as_ref().map_or(0, Vec::len),
            Self::Copies { copies } => size_of_val(copies.as_slice()),
            _ => 0,
        }
    }
}
