//! The boards that peers list: a bounded book in which whoever fills most makes room for others.
//!
//! What a peer says of a board is a claim. A board stands here as long as somebody claims it. Every claim costs the bytes of
//! its charter, whoever else claims the board, and counts for the peer and for the network that the peer is in: a /16 of IPv4,
//! a /32 of IPv6, everything nearby. Where there is no room a claim goes of the peer with the most, in the network with the
//! most, and only if that has more than the newcomer: one that makes up boards gets in its own way, and in nobody else's.

use crate::peer::Peer;
use crate::store::Figures;
use roda_protocol::event::Verified;
use roda_protocol::id::SpaceId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Boards at most.
pub(super) const BOARDS_MAX: usize = 4096;

/// What all claims may cost, bytes.
const COST_MAX: usize = 8 << 20;

/// What those of one network may cost, bytes: eight networks are needed to fill the book.
const NETWORK_COST_MAX: usize = COST_MAX / 8;

/// What those of one peer may cost, bytes: some 500 boards of the usual size.
const PEER_COST_MAX: usize = NETWORK_COST_MAX / 2;

/// What a claim costs beside its charter: names, figures, and its places in maps.
const CLAIM_COST: usize = 256;

/// Peers that are counted for one board.
const CLAIMS_PER_BOARD_MAX: usize = 32;

/// Those of one network among them: names of peers cost nothing, addresses do.
const CLAIMS_OF_NETWORK_MAX: usize = 8;

/// A claim that was not made anew for so long is forgotten, milliseconds: a day. Who is off for a night stays counted.
const CLAIM_LIFE_MS: u64 = 24 * 60 * 60 * 1000;

const _: () = assert!(CLAIMS_OF_NETWORK_MAX * 4 <= CLAIMS_PER_BOARD_MAX);

/// The network that a peer is in; none: nearby.
pub(super) type Network = Option<String>;

/// A board that peers list.
#[derive(Clone, Debug)]
pub struct FoundBoard {
    /// Its charter.
    pub charter: Arc<Verified>,
    /// How many peers list it, as far as they are counted.
    pub known_by: u32,
    /// In how many networks these are.
    pub networks: u32,
    /// What they say of it: of each figure the median.
    pub figures: Figures,
}

/// Charters with one id are one charter.
impl PartialEq for FoundBoard {
    fn eq(&self, other: &Self) -> bool {
        let facts = |found: &Self| (found.charter.id(), found.known_by, found.networks, found.figures);
        facts(self) == facts(other)
    }
}

/// What became of a claim.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It stands in the book.
    Kept,
    /// There is no room for it.
    NoRoom,
}

#[derive(Debug)]
struct Claim {
    network: Network,
    figures: Figures,
    cost: usize,
    heard_ms: u64,
}

#[derive(Debug)]
struct Entry {
    charter: Arc<Verified>,
    claims: BTreeMap<Peer, Claim>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Book {
    boards: BTreeMap<SpaceId, Entry>,
    /// What the claims of each peer cost, by its network.
    costs: BTreeMap<Network, BTreeMap<Peer, usize>>,
    cost: usize,
}

impl Book {
    pub(super) fn len(&self) -> usize {
        self.boards.len()
    }

    /// The charter of a board that stands here.
    pub(super) fn charter(&self, board: &SpaceId) -> Option<&Arc<Verified>> {
        self.boards.get(board).map(|entry| &entry.charter)
    }

    /// Every board, by id.
    pub(super) fn all(&self) -> Vec<FoundBoard> {
        self.boards.values().map(Entry::found).collect()
    }

    /// A peer lists a board.
    pub(super) fn hear(
        &mut self,
        peer: &Peer,
        network: &Network,
        charter: Arc<Verified>,
        figures: Figures,
        now_ms: u64,
    ) -> Heard {
        let board = charter.space();
        // The claim as it was makes no claim on room; one of a peer that moved counts where it is now.
        self.drop_claim(&board, peer);
        let cost = CLAIM_COST + charter.bytes().len();
        let is_crowded = self.boards.get(&board).is_some_and(|entry| entry.is_crowded(network));
        if is_crowded || !self.make_room(&board, peer, network, cost) {
            return Heard::NoRoom;
        }
        let entry = self
            .boards
            .entry(board)
            .or_insert_with(|| Entry { charter: Arc::clone(&charter), claims: BTreeMap::new() });
        if charter.has_body() {
            entry.charter = charter;
        }
        entry.claims.insert(peer.clone(), Claim { network: network.clone(), figures, cost, heard_ms: now_ms });
        *self.costs.entry(network.clone()).or_default().entry(peer.clone()).or_default() += cost;
        self.cost += cost;
        Heard::Kept
    }

    /// A peer has named all its boards since a moment, or as many as are asked for: what it claimed before is over.
    pub(super) fn named_all(&mut self, peer: &Peer, since_ms: u64) {
        self.drop_claims(|claimant, claim| claimant == peer && claim.heard_ms < since_ms);
    }

    /// Nothing that a peer said counts.
    pub(super) fn forget(&mut self, peer: &Peer) {
        self.drop_claims(|claimant, _| claimant == peer);
    }

    /// Drops claims that are too old.
    pub(super) fn expire(&mut self, now_ms: u64) {
        self.drop_claims(|_, claim| claim.heard_ms + CLAIM_LIFE_MS <= now_ms);
    }

    fn drop_claims(&mut self, is_over: impl Fn(&Peer, &Claim) -> bool) {
        let of_entry = |(board, entry): (&SpaceId, &Entry)| {
            let over = entry.claims.iter().filter(|(peer, claim)| is_over(peer, claim));
            over.map(|(peer, _)| (*board, peer.clone())).collect::<Vec<_>>()
        };
        let over: Vec<(SpaceId, Peer)> = self.boards.iter().flat_map(of_entry).collect();
        over.iter().for_each(|(board, peer)| self.drop_claim(board, peer));
    }

    fn drop_claim(&mut self, board: &SpaceId, peer: &Peer) {
        let Some(entry) = self.boards.get_mut(board) else { return };
        let Some(claim) = entry.claims.remove(peer) else { return };
        if entry.claims.is_empty() {
            self.boards.remove(board);
        }
        self.cost -= claim.cost;
        if let Some(peers) = self.costs.get_mut(&claim.network) {
            if let Some(cost) = peers.get_mut(peer) {
                *cost -= claim.cost;
            }
            peers.retain(|_, cost| *cost > 0);
            if peers.is_empty() {
                self.costs.remove(&claim.network);
            }
        }
    }

    fn cost_of(&self, network: &Network) -> usize {
        self.costs.get(network).map_or(0, |peers| peers.values().sum())
    }

    /// Whether a claim of this cost has room, or others had to make it.
    fn make_room(&mut self, board: &SpaceId, peer: &Peer, network: &Network, cost: usize) -> bool {
        loop {
            let of_peer = self.costs.get(network).and_then(|peers| peers.get(peer)).copied().unwrap_or(0);
            let of_network = self.cost_of(network);
            if of_peer + cost > PEER_COST_MAX {
                return false;
            }
            let is_network_full = of_network + cost > NETWORK_COST_MAX;
            let is_new = !self.boards.contains_key(board);
            let is_full = self.cost + cost > COST_MAX || (is_new && self.boards.len() >= BOARDS_MAX);
            if !is_network_full && !is_full {
                return true;
            }
            let most = || self.costs.keys().max_by_key(|network| self.cost_of(network)).cloned();
            let Some(from) = (if is_network_full { Some(network.clone()) } else { most() }) else { return false };
            let Some((whose, theirs)) = self
                .costs
                .get(&from)
                .and_then(|peers| peers.iter().max_by_key(|(_, cost)| **cost))
                .map(|(peer, cost)| (peer.clone(), *cost))
            else {
                return false;
            };
            let has_more =
                if from == *network { theirs > of_peer + cost } else { self.cost_of(&from) > of_network + cost };
            if !has_more || !self.give_way(&whose) {
                return false;
            }
        }
    }

    /// Drops a claim of this peer: of a board that as few others as possible list. False if it has none.
    fn give_way(&mut self, peer: &Peer) -> bool {
        let claimed = self.boards.iter().filter(|(_, entry)| entry.claims.contains_key(peer));
        let Some(board) = claimed.min_by_key(|(_, entry)| entry.claims.len()).map(|(board, _)| *board) else {
            return false;
        };
        self.drop_claim(&board, peer);
        true
    }
}

impl Entry {
    /// Whether no further peer of this network is counted.
    fn is_crowded(&self, network: &Network) -> bool {
        let of_network = self.claims.values().filter(|claim| claim.network == *network).count();
        self.claims.len() >= CLAIMS_PER_BOARD_MAX || of_network >= CLAIMS_OF_NETWORK_MAX
    }

    fn found(&self) -> FoundBoard {
        let networks: BTreeSet<&Network> = self.claims.values().map(|claim| &claim.network).collect();
        let said = || self.claims.values().map(|claim| claim.figures);
        FoundBoard {
            charter: Arc::clone(&self.charter),
            known_by: u32::try_from(self.claims.len()).unwrap_or(u32::MAX),
            networks: u32::try_from(networks.len()).unwrap_or(u32::MAX),
            figures: Figures {
                events: median(said().map(|figures| figures.events)),
                threads: median(said().map(|figures| figures.threads)),
                last_day: median(said().map(|figures| figures.last_day)),
            },
        }
    }
}

/// The middle one, the lower of two: one that lies alone moves it little.
fn median<T: Ord + Copy + Default>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
