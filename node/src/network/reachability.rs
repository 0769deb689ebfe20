//! Whether others can reach this node, how that is known, and through which relays they can when they can't.
//!
//! Pure. It is told of addresses that were confirmed and of peers that offer to relay, and says where to ask for a
//! reservation and which to give back. A node that can be reached needs no relay and becomes one.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use libp2p::core::transport::ListenerId;
use libp2p::{Multiaddr, PeerId};

use super::reach::{Group, Via, group, route};

/// Relays that this node is reached through at once: one may leave.
pub(super) const RELAYS_MAX: usize = 2;
/// How long a fresh connection to a relay is watched for signs that this node can be reached directly, before the relay is
/// asked for a place.
const GRACE: Duration = Duration::from_secs(2);
/// The pause after a relay refused or failed; it doubles with each further failure.
const RETRY_MIN: Duration = Duration::from_secs(5);
/// The longest pause.
const RETRY_MAX: Duration = Duration::from_secs(600);
/// Own addresses that are remembered as confirmed.
const CONFIRMED_MAX: usize = 16;
/// After so long without a new sign a connection that came in no longer proves anything: machines move.
const PROOF_LASTS: Duration = Duration::from_secs(24 * 3600);

/// How an address was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A peer of another part of the world dialled it without having been asked to.
    DialledByPeer,
    /// A peer dialled it on request (AutoNAT v2), and it is an address of this machine.
    DialledOnRequest,
    /// A peer dialled it on request, and it is a router's. Many routers let in whoever was spoken to before, from any port:
    /// the peer that this node asked gets through, and strangers may not. It is told to others, and relays are kept.
    DialledThroughRouter,
    /// The router forwards it (UPnP).
    Forwarded,
}

/// A peer that relays for others.
#[derive(Debug)]
struct Relay {
    /// Where it was dialled.
    address: Multiaddr,
    since: Instant,
    listener: Option<ListenerId>,
    is_accepted: bool,
    failures: u32,
    next: Instant,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Ask this relay for a place, at this address.
    Reserve(PeerId, Multiaddr),
    /// Give a place back.
    Release(ListenerId),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Reachability {
    confirmed: BTreeMap<Multiaddr, (Proof, Instant)>,
    refuted: u32,
    relays: BTreeMap<PeerId, Relay>,
    /// Listeners at relays that are gone, until they have closed: each closes once, soon.
    ending: HashSet<ListenerId>,
}

impl Reachability {
    /// An own address was dialled with success. Returns whether it is news.
    pub(super) fn confirm(&mut self, address: &Multiaddr, proof: Proof, now: Instant) -> bool {
        if let Some((known, last)) = self.confirmed.get_mut(address) {
            *last = now;
            let is_better = *known == Proof::DialledThroughRouter && proof != Proof::DialledThroughRouter;
            if is_better {
                *known = proof;
            }
            return is_better;
        }
        if self.confirmed.len() >= CONFIRMED_MAX {
            return false;
        }
        self.confirmed.insert(address.clone(), (proof, now));
        true
    }

    /// An own address was dialled without success.
    pub(super) fn refute(&mut self) {
        self.refuted = self.refuted.saturating_add(1);
    }

    /// An own address is no longer there. Returns whether it had been confirmed.
    pub(super) fn forget(&mut self, address: &Multiaddr) -> bool {
        self.confirmed.remove(address).is_some()
    }

    /// Confirmed addresses whose proof is too old; they are forgotten.
    pub(super) fn outdated(&mut self, now: Instant) -> Vec<Multiaddr> {
        let is_old = |(_, last): &(Proof, Instant)| now.duration_since(*last) > PROOF_LASTS;
        self.confirmed
            .extract_if(.., |_, row| row.0 == Proof::DialledByPeer && is_old(row))
            .map(|(old, _)| old)
            .collect()
    }

    /// Whether others can reach this node directly, whoever they are.
    pub(super) fn is_public(&self) -> bool {
        self.confirmed.values().any(|(proof, _)| *proof != Proof::DialledThroughRouter)
    }

    /// A stranger came in through the router: so can others, by the same kind of connection. Returns whether that is news.
    pub(super) fn stranger_came_in(&mut self, via: Via, now: Instant) -> bool {
        let mut is_news = false;
        for (address, row) in &mut self.confirmed {
            if row.0 == Proof::DialledThroughRouter && route(address).is_some_and(|(_, other)| other == via) {
                *row = (Proof::DialledByPeer, now);
                is_news = true;
            }
        }
        is_news
    }

    /// Confirmed addresses and how they were.
    pub(super) fn confirmed(&self) -> impl Iterator<Item = (&Multiaddr, Proof)> {
        self.confirmed.iter().map(|(address, (proof, _))| (address, *proof))
    }

    /// Own addresses that could not be dialled by others so far.
    pub(super) fn refuted(&self) -> u32 {
        self.refuted
    }

    /// Relays that hold a place for this node.
    pub(super) fn relays(&self) -> impl Iterator<Item = &PeerId> {
        self.relays.iter().filter(|(_, relay)| relay.is_accepted).map(|(peer, _)| peer)
    }

    /// A peer that this node has dialled here offers to relay.
    pub(super) fn offered(&mut self, peer: PeerId, address: Multiaddr, now: Instant) {
        let fresh = Relay { address, since: now, listener: None, is_accepted: false, failures: 0, next: now };
        self.relays.entry(peer).or_insert(fresh);
    }

    /// A peer no longer offers to relay, or is gone. Its listener closes by itself.
    pub(super) fn withdrawn(&mut self, peer: &PeerId) -> Option<ListenerId> {
        let listener = self.relays.remove(peer).and_then(|relay| relay.listener);
        self.ending.extend(listener);
        listener
    }

    /// The relay was asked, and answers under this name.
    pub(super) fn asked(&mut self, peer: &PeerId, listener: Option<ListenerId>, now: Instant) {
        let Some(relay) = self.relays.get_mut(peer) else { return };
        relay.listener = listener;
        if listener.is_none() {
            relay.fail(now);
        }
    }

    /// The relay holds a place for this node.
    pub(super) fn accepted(&mut self, peer: &PeerId) {
        if let Some(relay) = self.relays.get_mut(peer) {
            relay.is_accepted = true;
            relay.failures = 0;
        }
    }

    /// A listener has closed. Returns whether it was one at a relay.
    pub(super) fn closed(&mut self, listener: ListenerId, now: Instant) -> bool {
        if self.ending.remove(&listener) {
            return true;
        }
        let Some(relay) = self.relays.values_mut().find(|relay| relay.listener == Some(listener)) else { return false };
        relay.listener = None;
        relay.is_accepted = false;
        relay.fail(now);
        true
    }

    /// What is to be done now.
    pub(super) fn steps(&self, now: Instant) -> Vec<Step> {
        let placed = || self.relays.values().filter(|relay| relay.listener.is_some());
        if self.is_public() {
            return placed().filter_map(|relay| relay.listener).map(Step::Release).collect();
        }
        let mut taken: Vec<Option<Group>> = placed().map(|relay| group(&relay.address)).collect();
        let mut steps = Vec::new();
        let is_due =
            |relay: &Relay| relay.listener.is_none() && relay.next <= now && now.duration_since(relay.since) >= GRACE;
        let mut due: Vec<_> = self.relays.iter().filter(|(_, relay)| is_due(relay)).collect();
        due.sort_by_key(|(_, relay)| (relay.failures, relay.since));
        // First one relay of each group, then any.
        for only_new_groups in [true, false] {
            due.retain(|(peer, relay)| {
                let group = group(&relay.address);
                if taken.len() >= RELAYS_MAX || (only_new_groups && group.is_some() && taken.contains(&group)) {
                    return true;
                }
                taken.push(group);
                steps.push(Step::Reserve(**peer, relay.address.clone()));
                false
            });
        }
        steps
    }
}

impl Relay {
    fn fail(&mut self, now: Instant) {
        let pause = RETRY_MIN.saturating_mul(1 << self.failures.min(16)).min(RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        self.next = now + pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().expect("a multiaddr")
    }

    fn relay(reachability: &mut Reachability, at: &str, now: Instant) -> PeerId {
        let peer = PeerId::random();
        reachability.offered(peer, address(at), now);
        peer
    }

    #[test]
    fn a_node_that_nobody_reaches_asks_relays_of_different_groups() {
        let (mut reachability, start) = (Reachability::default(), Instant::now());
        let first = relay(&mut reachability, "/ip4/5.1.0.1/tcp/1", start);
        let second = relay(&mut reachability, "/ip4/5.1.0.2/tcp/1", start + Duration::from_millis(1));
        let third = relay(&mut reachability, "/ip4/5.2.0.1/tcp/1", start + Duration::from_millis(2));
        assert_eq!(reachability.steps(start), [], "it may turn out to be reached directly");
        let later = start + GRACE + Duration::from_secs(1);
        let asked =
            [Step::Reserve(first, address("/ip4/5.1.0.1/tcp/1")), Step::Reserve(third, address("/ip4/5.2.0.1/tcp/1"))];
        assert_eq!(reachability.steps(later), asked);
        reachability.asked(&first, Some(ListenerId::next()), later);
        assert!(reachability.withdrawn(&third).is_none());
        assert_eq!(reachability.steps(later), [Step::Reserve(second, address("/ip4/5.1.0.2/tcp/1"))]);
    }

    #[test]
    fn a_lost_place_is_asked_for_again_after_a_pause_that_grows() {
        let (mut reachability, start) = (Reachability::default(), Instant::now());
        let peer = relay(&mut reachability, "/ip4/5.1.0.1/tcp/1", start);
        let mut now = start + GRACE;
        for pause in [RETRY_MIN, RETRY_MIN * 2] {
            let listener = ListenerId::next();
            assert_eq!(reachability.steps(now).len(), 1);
            reachability.asked(&peer, Some(listener), now);
            assert_eq!(reachability.steps(now), []);
            assert!(reachability.closed(listener, now));
            assert_eq!(reachability.steps(now + pause - Duration::from_millis(1)), []);
            now += pause;
        }
        assert_eq!(reachability.steps(now).len(), 1);
        assert!(!reachability.closed(ListenerId::next(), now));
    }

    #[test]
    fn a_listener_at_a_relay_that_has_left_is_known_as_such_until_it_closes() {
        let (mut reachability, now) = (Reachability::default(), Instant::now());
        let peer = relay(&mut reachability, "/ip4/5.1.0.1/tcp/1", now);
        let listener = ListenerId::next();
        reachability.asked(&peer, Some(listener), now);
        assert_eq!(reachability.withdrawn(&peer), Some(listener));
        assert!(reachability.closed(listener, now));
        assert!(!reachability.closed(listener, now), "it closes once");
    }

    #[test]
    fn a_node_that_is_reached_gives_its_places_back() {
        let (mut reachability, start) = (Reachability::default(), Instant::now());
        let peer = relay(&mut reachability, "/ip4/5.1.0.1/tcp/1", start);
        let listener = ListenerId::next();
        reachability.asked(&peer, Some(listener), start);
        reachability.accepted(&peer);
        assert_eq!(reachability.relays().collect::<Vec<_>>(), [&peer]);
        let own = address("/ip4/5.9.0.1/tcp/1");
        assert!(reachability.confirm(&own, Proof::DialledByPeer, start));
        assert!(!reachability.confirm(&own, Proof::DialledOnRequest, start));
        assert_eq!(reachability.steps(start), [Step::Release(listener)]);
        assert_eq!(reachability.outdated(start + PROOF_LASTS * 2), [own]);
        assert!(!reachability.is_public());
    }

    #[test]
    fn a_router_that_let_in_the_peer_that_was_asked_may_let_in_no_one_else() {
        let (mut reachability, start) = (Reachability::default(), Instant::now());
        relay(&mut reachability, "/ip4/5.1.0.1/tcp/1", start);
        let own = address("/ip4/5.9.0.1/udp/1/quic-v1");
        assert!(reachability.confirm(&own, Proof::DialledThroughRouter, start));
        assert!(!reachability.is_public());
        assert_eq!(reachability.steps(start + GRACE).len(), 1, "relays are kept");
        assert!(!reachability.stranger_came_in(Via::Tcp, start));
        assert!(reachability.stranger_came_in(Via::Quic, start));
        assert!(reachability.is_public());
        assert_eq!(reachability.steps(start + GRACE), []);
    }
}
