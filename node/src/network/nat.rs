//! What the swarm says about reaching this node: addresses that were confirmed or not, relays, hole punching.

use std::time::Instant;

use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, StreamProtocol, autonat, dcutr, relay, upnp};

use super::interface::{Found, Reachability as Standing, Report, Tables};
use super::reach::{Reach, group, host, is_relayed, reach, route};
use super::reachability::{Proof, Step};
use super::task::Task;

impl Task {
    /// A peer has said which protocols it speaks. It may be one that relays.
    pub(super) fn on_protocols(&mut self, peer: PeerId, connection: ConnectionId, protocols: &[StreamProtocol]) {
        // On a network that is all on one machine nobody needs one.
        if self.means.is_machine || self.swarm.behaviour().relay_client.as_ref().is_none() {
            return;
        }
        let offers = protocols.contains(&relay::HOP_PROTOCOL_NAME);
        let row = self.peers.connection(&peer, connection);
        // A connection that came in says nothing about where the peer can be dialled.
        let dialled = row.filter(|row| row.outbound && !is_relayed(&row.address)).map(|row| row.address.clone());
        match (offers, dialled) {
            (true, Some(address)) => self.reachability.offered(peer, address, Instant::now()),
            (true, None) => {}
            (false, _) => self.without_relay(&peer),
        }
    }

    /// A peer relays no more, or has left.
    pub(super) fn without_relay(&mut self, peer: &PeerId) {
        if let Some(listener) = self.reachability.withdrawn(peer) {
            self.swarm.remove_listener(listener);
        }
    }

    /// A connection from another part of the world, to an address of the world, that nobody arranged: the address can be
    /// dialled. It needs no other's word, so that the first two nodes of a network find out, too.
    pub(super) fn on_came_in(&mut self, peer: PeerId, endpoint: &ConnectedPoint) {
        let ConnectedPoint::Listener { local_addr, send_back_addr } = endpoint else { return };
        let is_far = reach(local_addr) == Some(Reach::World)
            && reach(send_back_addr) == Some(Reach::World)
            && group(local_addr) != group(send_back_addr);
        // A hole that was punched is open for that one peer alone.
        if is_relayed(local_addr) || self.peers.is_relayed(&peer) {
            return;
        }
        if is_far {
            self.confirm(local_addr.clone(), Proof::DialledByPeer);
        }
        let is_routed = reach(local_addr) == Some(Reach::Site) && reach(send_back_addr) == Some(Reach::World);
        // Whoever this node has spoken to, a router may let in for that reason alone.
        let is_stranger = host(send_back_addr).is_some_and(|host| !self.peers.is_from(host));
        if let Some((_, via)) = route(local_addr).filter(|_| is_routed && is_stranger)
            && self.reachability.stranger_came_in(via, Instant::now())
        {
            self.serve_relay();
        }
    }

    /// An own address can be dialled.
    pub(super) fn confirm(&mut self, address: Multiaddr, proof: Proof) {
        if is_relayed(&address) || !self.reachability.confirm(&address, proof, Instant::now()) {
            return;
        }
        tracing::info!(%address, ?proof, "others reach this node");
        self.swarm.add_external_address(address);
        self.serve_relay();
    }

    /// An own address is gone.
    pub(super) fn unconfirm(&mut self, address: &Multiaddr) {
        if self.reachability.forget(address) {
            self.swarm.remove_external_address(address);
            self.serve_relay();
        }
    }

    /// Relays for others exactly while this node can be reached.
    fn serve_relay(&mut self) {
        let status = if self.reachability.is_public() { relay::Status::Enable } else { relay::Status::Disable };
        if let Some(relay) = self.swarm.behaviour_mut().relay.as_mut() {
            relay.set_status(Some(status));
        }
    }

    pub(super) fn on_address_tested(&mut self, event: &autonat::v2::client::Event) {
        match &event.result {
            Ok(()) => {
                let tested = host(&event.tested_addr);
                let is_own = self.swarm.listeners().any(|address| !is_relayed(address) && host(address) == tested);
                let proof = if is_own { Proof::DialledOnRequest } else { Proof::DialledThroughRouter };
                self.confirm(event.tested_addr.clone(), proof);
            }
            Err(error) => {
                tracing::debug!(address = %event.tested_addr, %error, "others can't dial this address");
                self.reachability.refute();
            }
        }
    }

    pub(super) fn on_relay_client(&mut self, event: &relay::client::Event) {
        match event {
            relay::client::Event::ReservationReqAccepted { relay_peer_id, renewal, .. } => {
                tracing::debug!(relay = %relay_peer_id, renewal, "a place at a relay");
                self.reachability.accepted(relay_peer_id);
            }
            relay::client::Event::OutboundCircuitEstablished { .. }
            | relay::client::Event::InboundCircuitEstablished { .. } => {}
        }
    }

    pub(super) fn on_hole_punched(&mut self, event: &dcutr::Event) {
        match &event.result {
            Ok(_) => tracing::debug!(peer = %event.remote_peer_id, "a hole was punched"),
            Err(error) => tracing::debug!(peer = %event.remote_peer_id, %error, "no hole was punched"),
        }
    }

    pub(super) fn on_upnp(&mut self, event: upnp::Event) {
        match event {
            upnp::Event::NewExternalAddr { external_addr, .. } => self.confirm(external_addr, Proof::Forwarded),
            upnp::Event::ExpiredExternalAddr { external_addr, .. } => self.unconfirm(&external_addr),
            upnp::Event::GatewayNotFound => tracing::info!("no router offers UPnP"),
            upnp::Event::NonRoutableGateway => tracing::info!("the router that offers UPnP is behind another one"),
        }
    }

    /// A listener has closed. Returns whether it was one at a relay.
    pub(super) fn on_relay_listener_closed(&mut self, listener: ListenerId) -> bool {
        self.reachability.closed(listener, Instant::now())
    }

    /// Asks relays for places, and gives back those that aren't needed.
    pub(super) fn keep_reachable(&mut self) {
        let now = Instant::now();
        for address in self.reachability.outdated(now) {
            self.swarm.remove_external_address(&address);
            self.serve_relay();
        }
        for step in self.reachability.steps(now) {
            match step {
                Step::Reserve(peer, address) => {
                    let circuit = address.with(Protocol::P2p(peer)).with(Protocol::P2pCircuit);
                    let listener = self.swarm.listen_on(circuit);
                    if let Err(error) = &listener {
                        tracing::debug!(relay = %peer, %error, "a relay can't be asked");
                    }
                    self.reachability.asked(&peer, listener.ok(), now);
                }
                Step::Release(listener) => {
                    self.swarm.remove_listener(listener);
                }
            }
        }
    }

    /// How the network stands.
    pub(super) fn report(&mut self) -> Report {
        let (dht, routing, providers) = self.dht_standing();
        let relays: Vec<_> = self.reachability.relays().map(|peer| (*peer).into()).collect();
        let reachability = if self.proxy.is_some() {
            Standing::Hidden
        } else if !self.means.is_world {
            Standing::Machine
        } else if self.reachability.is_public() {
            Standing::Public
        } else if !relays.is_empty() {
            Standing::Relayed
        } else if self.reachability.refuted() > 0 {
            Standing::Unreachable
        } else {
            Standing::Unknown
        };
        let confirmed =
            self.reachability.confirmed().map(|(address, proof)| (self.with_self(address), proof)).collect();
        let (book, counts) = (&self.dialler.book, self.dialler.book.counts());
        let found = book.found();
        let (inbound, outbound) = self.peers.directions();
        Report {
            reachability,
            confirmed,
            refuted: self.reachability.refuted(),
            relays,
            listen: self.peers.addresses(),
            known: book.known(),
            reached: counts.reached,
            book: Tables { new: counts.new, tried: counts.tried, near: counts.near, anchors: counts.anchors },
            found: Found {
                cached: found.cached,
                lan: found.lan,
                dht: found.dht,
                exchange: found.exchange,
                asked: found.person,
            },
            dht,
            routing,
            providers,
            failures: self.dialler.failures(),
            mdns: self.means.mdns,
            proxy: self.proxy.as_ref().map(ToString::to_string),
            restarts: self.outbox.counters.restarts(),
            clock_ahead_ms: self.clocks.ahead_ms(),
            inbound,
            outbound,
        }
    }
}
