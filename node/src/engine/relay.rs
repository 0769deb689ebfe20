//! What comes by gossip, and how much of what a peer brings is passed on by gossip.
//!
//! A node stores what it wants, however much that is, and passes on what its neighbours can bear: each peer's events have a
//! share, and what is beyond comes out of a pool that all peers share. Without that, whoever floods one node with valid
//! events floods all through it, and the posts of quiet peers wait in the same queues. What is not passed on is found by
//! comparison, and costs the peer nothing: that there is much to say is no offence.

use super::{Engine, Ignored, Source, Verdict};
use crate::peer::Peer;
use roda_protocol::event::{Kind, Signed};
use roda_protocol::gossip;
use roda_protocol::id::EventId;
use roda_protocol::time::Now;
use roda_protocol::validate::{self, SpaceRules};
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

/// An event that a comparison brought is passed on when gossip brings it, too, within so long: own posts wait up to 0.4 s
/// before they leave, and comparisons don't. Much shorter than gossip remembers what it has brought.
pub(super) const OVERTAKEN_MS: u64 = 10_000;

/// And only if it is no older than this: late is not new.
const FRESH_MS: u64 = 60_000;

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

/// Whether a gossiped event is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relay {
    /// If it was stored.
    AsJudged,
    /// Though it was not: profiles travel over shared topics, through nodes that never met the author, and what a comparison
    /// has just brought is known here and not farther on.
    Anyway,
    /// Not even then: its sender has brought more than is passed on.
    Not,
}

impl Engine {
    /// The verdict on a gossiped event, and whether it is passed on.
    pub(super) fn gossip(&mut self, peer: &Peer, topic: &str, bytes: &[u8], now: Now) -> (Verdict, Relay) {
        self.count("gossip_messages");
        let verdict = self.admit(bytes, Source::Peer(Some(peer)), now);
        match verdict {
            Verdict::Invalid(invalid) => {
                self.count("gossip_invalid");
                tracing::debug!(%peer, code = invalid.code(), "an invalid event by gossip");
                (verdict, Relay::AsJudged)
            }
            Verdict::Ignored(_, Ignored::NotFollowed) if self.topics.get(topic) == Some(&None) => {
                let is_relayed = self.is_valid_profile(bytes, topic) && self.relays.may(peer, now.steady_ms);
                (verdict, if is_relayed { Relay::Anyway } else { Relay::AsJudged })
            }
            Verdict::Ignored(_, Ignored::NoCharter) => {
                self.sync_soon(peer, now);
                (verdict, Relay::AsJudged)
            }
            Verdict::Duplicate(id) if self.was_overtaken(&id, bytes, now) && self.relays.may(peer, now.steady_ms) => {
                self.count("events_overtaken");
                (verdict, Relay::Anyway)
            }
            Verdict::Admitted(_) if !self.relays.may(peer, now.steady_ms) => {
                self.count("events_not_relayed");
                self.syncs.suspect();
                (verdict, Relay::Not)
            }
            Verdict::Admitted(id) => {
                self.was_brought(peer, bytes, id, now);
                (verdict, Relay::AsJudged)
            }
            _ => (verdict, Relay::AsJudged),
        }
    }

    /// Whether a comparison has brought an event a moment before gossip did: others may have it from nowhere but this
    /// gossip. What gossip itself has brought it doesn't bring again for much longer. These very bytes have to be known, so
    /// that they are sound.
    fn was_overtaken(&self, id: &EventId, bytes: &[u8], now: Now) -> bool {
        let Ok(Some(stored)) = self.store.event(id) else { return false };
        let is_fresh = now.wall_ms.saturating_sub(stored.event.header().created_ms) < FRESH_MS;
        is_fresh && now.wall_ms.saturating_sub(stored.received_ms) < OVERTAKEN_MS && stored.event.bytes() == bytes
    }

    fn is_valid_profile(&self, bytes: &[u8], topic: &str) -> bool {
        let Ok(signed) = Signed::decode(&self.network, bytes) else { return false };
        let is_profile = matches!(signed.kind(), Kind::Profile(_) | Kind::Revoke(_) | Kind::Succeed(_));
        is_profile
            && gossip::author_topic(&self.network, signed.space()) == topic
            && validate::validate(signed, &SpaceRules::OPEN).is_ok()
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
