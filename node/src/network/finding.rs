//! Finding peers through peers and through the DHT: what the swarm and the timers say about it.

use std::collections::HashSet;
use std::time::Instant;

use libp2p::core::Endpoint;
use libp2p::identity::Keypair;
use libp2p::kad::store::RecordStore;
use libp2p::request_response::{self, Message};
use libp2p::swarm::{ConnectionId, NetworkBehaviour};
use libp2p::{Multiaddr, PeerId, StreamProtocol, kad};

use super::addresses::Source;
use super::discovery::{self, Discovery, FOLLOWERS_ENOUGH, Lookup};
use super::exchange::Exchange;
use super::interface::Dht;
use super::reach::{Reach, group, host, is_relayed, reach, relay_of, split};
use super::records::{self, ADDRESSES_MAX, OTHERS_MAX, OWN_MAX, Record, Refusal};
use super::task::{Task, now_ms};

/// For how long a peer that this node has reached by dialling is told of to others.
const REACHED_LASTS_MS: u64 = 24 * 3600 * 1000;

/// Followers of a board that are taken from one answer of the DHT.
const PROVIDERS_MAX: usize = 20;

/// What finding peers needs to remember.
pub(super) struct Finding {
    key: Keypair,
    pub(super) exchange: Exchange,
    discovery: Option<Discovery>,
}

impl Finding {
    pub(super) fn new(key: Keypair, discovery: Option<Discovery>, now_ms: u64) -> Self {
        Self { key, exchange: Exchange::new(now_ms), discovery }
    }

    /// Others who follow this topic are looked for.
    pub(super) fn follow(&mut self, topic: &str) {
        if let Some(discovery) = &mut self.discovery {
            discovery.follow(topic);
        }
    }

    /// They are no longer looked for.
    pub(super) fn unfollow(&mut self, topic: &str) {
        if let Some(discovery) = &mut self.discovery {
            discovery.unfollow(topic);
        }
    }
}

impl Task {
    /// Asks peers for peers.
    pub(super) fn find_peers(&mut self) {
        if !self.means.exchange {
            return;
        }
        let are_too_few = self.dialler.lacks_peers();
        for peer in self.finding.exchange.due(self.peers.up(), are_too_few, now_ms()) {
            let message = records::encode(&self.own_records(&peer));
            self.swarm.behaviour_mut().exchange.send_request(&peer, message);
        }
        self.look_up();
    }

    /// Makes the lookups that are due, if there is anyone to ask.
    fn look_up(&mut self) {
        let (Some(discovery), Some(dht)) = (&mut self.finding.discovery, self.swarm.behaviour_mut().dht.as_mut())
        else {
            return;
        };
        if discovery::routing_peers(dht) == 0 {
            return;
        }
        let peers = &self.peers;
        while let Some(lookup) = discovery.next(|topic| peers.followers(topic), now_ms()) {
            let query = match &lookup {
                Lookup::Tell(key) => dht.start_providing(key.clone()),
                Lookup::Find(key, _) => Ok(dht.get_providers(key.clone())),
            };
            match query {
                Ok(query) => discovery.begun(query, lookup, now_ms()),
                Err(error) => tracing::debug!(%error, "a board can't be told of in the DHT"),
            }
        }
    }

    pub(super) fn on_dht(&mut self, event: kad::Event) {
        match event {
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => {
                if let kad::QueryResult::GetProviders(Ok(kad::GetProvidersOk::FoundProviders { providers, .. })) =
                    result
                {
                    self.on_followers(id, providers);
                }
                if step.last
                    && let Some(discovery) = &mut self.finding.discovery
                {
                    discovery.ended(&id);
                }
            }
            kad::Event::InboundRequest { request: kad::InboundRequest::AddProvider { record: Some(record) } } => {
                if let Some(dht) = self.swarm.behaviour_mut().dht.as_mut()
                    && let Err(error) = dht.store_mut().add_provider(record)
                {
                    tracing::debug!(%error, "a row for the DHT is not kept");
                }
            }
            _ => {}
        }
    }

    /// Others say that they follow a board. Nobody has signed it; whoever is dialled shows what is true.
    fn on_followers(&mut self, query: kad::QueryId, providers: HashSet<PeerId>) {
        let board = self.finding.discovery.as_ref().and_then(|discovery| discovery.board_of(&query));
        let Some(board) = board.map(str::to_owned) else { return };
        let nearest = if self.means.is_machine { Reach::Machine } else { Reach::World };
        let mut missing = FOLLOWERS_ENOUGH.saturating_sub(self.peers.followers(&board));
        for peer in providers.into_iter().take(PROVIDERS_MAX) {
            // The library knows the addresses as long as the lookup lasts, and tells them to whoever is about to dial.
            let Some(dht) = self.swarm.behaviour_mut().dht.as_mut() else { return };
            let pending = ConnectionId::new_unchecked(usize::MAX);
            let known = dht.handle_pending_outbound_connection(pending, Some(peer), &[], Endpoint::Dialer);
            let known = known.unwrap_or_default().into_iter().map(|address| split(address).0);
            for address in known.filter(|address| reach(address) >= Some(nearest)).take(ADDRESSES_MAX) {
                self.dialler.book.learn(peer, address, Source::Dht);
            }
            if missing > 0
                && let Some(dial) = self.dialler.meet(peer, &self.peers, now_ms())
            {
                missing -= 1;
                self.dial(dial);
            }
        }
    }

    /// This node has dialled a peer with success: lookups can start from it if it takes part.
    pub(super) fn on_dialled(&mut self, peer: PeerId, address: &Multiaddr, protocols: &[StreamProtocol]) {
        let nearest = if self.means.is_machine { Reach::Machine } else { Reach::World };
        if protocols.contains(&self.names.dht)
            && !is_relayed(address)
            && reach(address) >= Some(nearest)
            && let Some(dht) = self.swarm.behaviour_mut().dht.as_mut()
        {
            discovery::route_through(dht, peer, address.clone());
        }
    }

    /// On a network that is all on one machine, that is where others find this node.
    pub(super) fn on_listening(&mut self, address: &Multiaddr) {
        if self.means.is_machine && self.means.dht {
            self.swarm.add_external_address(address.clone());
        }
    }

    /// Answers others exactly while they can reach this node.
    pub(super) fn keep_dht(&mut self) {
        let is_server = self.means.is_machine || self.reachability.is_public();
        let Some(dht) = self.swarm.behaviour_mut().dht.as_mut() else { return };
        let mode = if is_server { kad::Mode::Server } else { kad::Mode::Client };
        if dht.mode() != mode {
            dht.set_mode(Some(mode));
        }
        dht.store_mut().tidy(Instant::now());
    }

    /// How this node takes part in the DHT, how many peers lookups start from, and how many rows it keeps.
    pub(super) fn dht_standing(&mut self) -> (Dht, usize, usize) {
        let Some(dht) = self.swarm.behaviour_mut().dht.as_mut() else { return (Dht::Off, 0, 0) };
        let mode = if dht.mode() == kad::Mode::Server { Dht::Serves } else { Dht::Asks };
        (mode, discovery::routing_peers(dht), dht.store_mut().len())
    }

    pub(super) fn on_exchange(&mut self, event: request_response::Event<Vec<u8>, Vec<u8>>) {
        match event {
            request_response::Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                if !self.means.exchange
                    || !self.peers.is_connected(&peer)
                    || !self.finding.exchange.answers(peer, now_ms())
                {
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
        let standpoint = self.standpoint(peer);
        let is_direct = self.proxy.is_none() && self.peers.ends(peer).any(|end| !is_relayed(end));
        let tells_unproven = is_direct && standpoint == Reach::World && self.reachability.refuted() == 0;
        let own = own_addresses(confirmed.collect(), &listen, standpoint, tells_unproven);
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
            let told = match &record {
                Ok(record) => Some((record.peer, record.time_ms)),
                // One clock of the two is wrong.
                Err(Refusal::Untimely) => records::signed_at(bytes),
                Err(_) => None,
            };
            if let Some((_, time_ms)) = told.filter(|(signer, _)| *signer == from) {
                self.clocks.told(from, time_ms, now_ms);
            }
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
/// `standpoint`. To the world addresses are told at which others have reached this node, and those at relays. As long as
/// nobody has tried, who sees this node's own host anyway is told on which ports of the world it listens: else it could not
/// come back after a change of its address. It tells nobody else until it has been there.
fn own_addresses(
    confirmed: Vec<Multiaddr>,
    listen: &[Multiaddr],
    standpoint: Reach,
    tells_unproven: bool,
) -> Vec<Vec<Multiaddr>> {
    let mut far = confirmed;
    far.retain(|address| reach(address) == Some(Reach::World));
    let is_proven = !far.is_empty();
    let is_told = |address: &&Multiaddr| is_relayed(address) || (tells_unproven && !is_proven);
    far.extend(listen.iter().filter(is_told).filter(|address| reach(address) == Some(Reach::World)).cloned());
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
        let told = |standpoint| own_addresses(confirmed.clone(), &listen, standpoint, true);
        assert_eq!(told(Reach::World), std::slice::from_ref(&far));
        let site = addresses(&["/ip4/10.0.0.1/tcp/1", "/ip6/fd00::1/tcp/1", "/ip4/198.51.100.2/tcp/1"]);
        assert_eq!(told(Reach::Site), [far.clone(), site.clone()]);
        let machine = [addresses(&["/ip4/127.0.0.1/tcp/1"]), site].concat();
        assert_eq!(told(Reach::Machine), [far, machine]);
        assert!(own_addresses(Vec::new(), &listen[..2], Reach::World, true).is_empty(), "nothing near");
    }

    #[test]
    fn who_sees_this_node_hears_where_it_listens_as_long_as_nobody_has_tried() {
        let relayed = format!("/ip4/198.51.100.9/tcp/1/p2p/{}/p2p-circuit", PeerId::random());
        let listen = addresses(&["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/198.51.100.1/tcp/1", &relayed]);
        let told = |confirmed: &[&str], unproven| {
            own_addresses(addresses(confirmed), &listen, Reach::World, unproven)
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&[], true), listen[2..]);
        assert_eq!(told(&[], false), listen[3..]);
        // A router's is known to be reached: what stands behind it is nobody's business.
        let router = "/ip4/198.51.100.7/tcp/1";
        assert_eq!(told(&[router], true), [addresses(&[router]), addresses(&[&relayed])].concat());
    }
}
