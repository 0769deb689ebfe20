//! Finding peers through peers: what the swarm and the timers say about it.

use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{self, Message};
use libp2p::{Multiaddr, PeerId};

use super::addresses::Source;
use super::dialler::OUTBOUND_TARGET;
use super::exchange::Exchange;
use super::reach::{Reach, group, host, is_relayed, reach, split};
use super::records::{self, ADDRESSES_MAX, OTHERS_MAX, OWN_MAX, Record};
use super::task::{Task, now_ms};

/// For how long a peer that this node has reached by dialling is told of to others.
const REACHED_LASTS_MS: u64 = 24 * 3600 * 1000;

/// What finding peers needs to remember.
pub(super) struct Finding {
    key: Keypair,
    pub(super) exchange: Exchange,
}

impl Finding {
    pub(super) fn new(key: Keypair, now_ms: u64) -> Self {
        Self { key, exchange: Exchange::new(now_ms) }
    }
}

impl Task {
    /// Asks peers for peers.
    pub(super) fn find_peers(&mut self) {
        let are_too_few = self.peers.outbound() < OUTBOUND_TARGET;
        for peer in self.finding.exchange.due(self.peers.up(), are_too_few, now_ms()) {
            let message = records::encode(&self.own_records(&peer));
            self.swarm.behaviour_mut().exchange.send_request(&peer, message);
        }
    }

    pub(super) fn on_exchange(&mut self, event: request_response::Event<Vec<u8>, Vec<u8>>) {
        match event {
            request_response::Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                if !self.peers.is_connected(&peer) || !self.finding.exchange.answers(peer, now_ms()) {
                    // Dropping the channel is a refusal.
                    return self.outbox.counters.count_exchange();
                }
                self.on_told(peer, &request, OWN_MAX);
                let mut answer = self.own_records(&peer);
                answer.extend(self.records_for(&peer));
                // An error means that the peer has stopped waiting.
                drop(self.swarm.behaviour_mut().exchange.send_response(channel, records::encode(&answer)));
            }
            request_response::Event::Message { peer, message: Message::Response { response, .. }, .. } => {
                self.on_told(peer, &response, OWN_MAX + OTHERS_MAX);
            }
            request_response::Event::OutboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a peer told of no others");
            }
            request_response::Event::InboundFailure { .. } | request_response::Event::ResponseSent { .. } => {}
        }
    }

    /// From where a peer is connected, as far as it may be told of what is near. Who comes through a relay may be anywhere,
    /// and behind a proxy everybody is.
    fn standpoint(&self, peer: &PeerId) -> Reach {
        let of_end = |end: &Multiaddr| if is_relayed(end) { Reach::World } else { reach(end).unwrap_or(Reach::World) };
        match self.proxy {
            Some(_) => Reach::World,
            None => self.peers.ends(peer).map(of_end).min().unwrap_or(Reach::World),
        }
    }

    /// What this node says of itself to a peer: in one record what the whole world may know, in another what is only for
    /// who is as near as the peer.
    fn own_records(&self, peer: &PeerId) -> Vec<Vec<u8>> {
        let listen: Vec<_> = self.swarm.listeners().map(|address| split(address.clone()).0).collect();
        let confirmed = self.reachability.confirmed().map(|(address, _)| split(address.clone()).0);
        let own = own_addresses(confirmed.collect(), &listen, self.standpoint(peer));
        own.iter().filter_map(|addresses| records::sign(&self.finding.key, addresses, now_ms())).collect()
    }

    /// Records of others for a peer.
    fn records_for(&self, peer: &PeerId) -> Vec<Vec<u8>> {
        let is_there = |record: &Record| self.is_there(record);
        let pick = |below: usize| rand::random_range(0..below);
        self.finding.exchange.tell(peer, self.standpoint(peer), now_ms(), is_there, pick)
    }

    /// Whether this node knows that a peer is where its record says: it has reached it, or is connected with it and the
    /// addresses are where the connection comes from or at a relay that is connected, too. Else anybody could have a
    /// stranger's address dialled by everybody.
    fn is_there(&self, record: &Record) -> bool {
        let reached = self.dialler.book.reached_ms(&record.peer);
        if reached.is_some_and(|time_ms| now_ms().saturating_sub(time_ms) < REACHED_LASTS_MS) {
            return true;
        }
        let is_shown = |address: &Multiaddr| match relay_of(address) {
            Some(relay) => relay == *self.swarm.local_peer_id() || self.peers.is_up(&relay),
            None => self.peers.ends(&record.peer).any(|end| !is_relayed(end) && host(end) == host(address)),
        };
        self.peers.is_up(&record.peer) && (record.reach < Reach::World || record.addresses.iter().all(is_shown))
    }

    /// A peer has told of itself and of others.
    fn on_told(&mut self, from: PeerId, message: &[u8], records_max: usize) {
        let now_ms = now_ms();
        let Some(told) = records::decode(message).filter(|told| told.len() <= records_max) else {
            tracing::debug!(peer = %from, "what it told of peers makes no sense");
            return self.outbox.counters.count_exchange();
        };
        let standpoint = self.standpoint(&from);
        let source = Source::Peer(self.peers.ends(&from).find_map(group));
        for bytes in told {
            let record = records::verify(bytes, now_ms);
            let record = record.inspect_err(|why| tracing::debug!(peer = %from, ?why, "a record is refused"));
            // What is nearer than the peer itself would have this node dial its own machine or its neighbours on a
            // stranger's word.
            let record = record.ok().filter(|record| record.reach >= standpoint);
            let exchange = &mut self.finding.exchange;
            let record = record.filter(|record| record.peer == from || exchange.takes(from, now_ms));
            let Some(record) = record else {
                self.outbox.counters.count_exchange();
                continue;
            };
            for address in &record.addresses {
                self.dialler.book.learn(record.peer, address.clone(), source);
            }
            if record.peer == from {
                self.finding.exchange.keep(record);
            }
        }
    }
}

/// Own addresses to tell: those that the world may know, and beside them those for a neighbour who is as near as
/// `standpoint`. To the world only addresses are told at which others have reached this node, and those at relays.
fn own_addresses(confirmed: Vec<Multiaddr>, listen: &[Multiaddr], standpoint: Reach) -> Vec<Vec<Multiaddr>> {
    let mut far = confirmed;
    let relayed = listen.iter().filter(|address| is_relayed(address)).cloned();
    far.extend(relayed);
    far.retain(|address| reach(address) == Some(Reach::World));
    far.truncate(ADDRESSES_MAX);
    let is_for_neighbours =
        |address: &&Multiaddr| !is_relayed(address) && reach(address) >= Some(standpoint) && !far.contains(address);
    let mut near: Vec<_> = match standpoint {
        Reach::World => Vec::new(),
        Reach::Site | Reach::Machine => listen.iter().filter(is_for_neighbours).cloned().collect(),
    };
    // The nearest way first, if there are more than fit.
    near.sort_by_key(reach);
    near.truncate(ADDRESSES_MAX);
    [far, near].into_iter().filter(|addresses| !addresses.is_empty()).collect()
}

/// The relay through which an address leads.
fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    if !is_relayed(address) {
        return None;
    }
    address.iter().find_map(|part| match part {
        Protocol::P2p(relay) => Some(relay),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<Multiaddr> {
        texts.iter().map(|text| text.parse().expect("a multiaddr")).collect()
    }

    #[test]
    fn the_world_hears_only_where_this_node_was_reached_and_of_its_relays() {
        let relay = PeerId::random();
        let relayed = format!("/ip4/198.51.100.9/tcp/1/p2p/{relay}/p2p-circuit");
        let near_relay = format!("/ip4/10.0.0.9/tcp/1/p2p/{relay}/p2p-circuit");
        let listen = addresses(&[
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/10.0.0.1/tcp/1",
            "/ip4/198.51.100.1/tcp/1",
            "/ip4/198.51.100.2/tcp/1",
            "/ip6/fd00::1/tcp/1",
            &relayed,
            &near_relay,
        ]);
        let confirmed = addresses(&["/ip4/198.51.100.1/tcp/1", "/ip4/10.0.0.7/tcp/1"]);
        let far = addresses(&["/ip4/198.51.100.1/tcp/1", &relayed]);
        let told = |standpoint| own_addresses(confirmed.clone(), &listen, standpoint);
        assert_eq!(told(Reach::World), std::slice::from_ref(&far));
        let site = addresses(&["/ip4/10.0.0.1/tcp/1", "/ip6/fd00::1/tcp/1", "/ip4/198.51.100.2/tcp/1"]);
        assert_eq!(told(Reach::Site), [far.clone(), site.clone()]);
        let machine = [addresses(&["/ip4/127.0.0.1/tcp/1"]), site].concat();
        assert_eq!(told(Reach::Machine), [far, machine]);
        assert!(own_addresses(Vec::new(), &listen[..2], Reach::World).is_empty());
    }
}
