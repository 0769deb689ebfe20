//! What the swarm says, in the words of the rest of the node.

use std::io;
use std::time::Instant;

use libp2p::core::ConnectedPoint;
use libp2p::request_response::{self, Message, OutboundFailure};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, gossipsub, identify, mdns, ping};

use super::addresses::Source;
use super::behaviour::BehaviourEvent;
use super::gossip::MESSAGE_BYTES_MAX;
use super::interface::{Claim, Delivery, Event, ReplyToken, RequestFailure};
use super::reach::{Reach, host, is_relayed, reach, split};
use super::task::{Task, now_ms};
use crate::engine::Judgement;
use crate::peer::Peer;

/// Addresses of a peer behind a relay that are dialled directly: two families, two transports.
const STRAIGHT_MAX: usize = 4;

impl Task {
    /// Takes one event of the swarm.
    pub(super) fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_opened(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::debug!(peer = %peer_id, ?cause, "a connection closed");
                self.on_closed(peer_id, connection_id);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.permits.end(connection_id);
                self.dialler.failed(connection_id, &error, &self.peers, now_ms());
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "an incoming connection failed");
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.on_listening(&address);
                let address = self.with_self(&address);
                self.peers.listening(address);
                self.outbox.flush(&mut self.peers);
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.hang_up_from(&address);
                self.on_not_listening(&[address]);
            }
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                if self.on_relay_listener_closed(listener_id) {
                    tracing::debug!(?addresses, ?reason, "a place at a relay is gone");
                } else {
                    tracing::warn!(?addresses, ?reason, "a listener closed");
                }
                self.on_not_listening(&addresses);
            }
            SwarmEvent::ExternalAddrExpired { address } => self.unconfirm(&address),
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "a listener failed"),
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(identify::Event::Received { connection_id, peer_id, info }) => {
                self.on_identified(peer_id, connection_id, info);
            }
            BehaviourEvent::Identify(identify::Event::Error { peer_id, error, .. }) => {
                tracing::debug!(peer = %peer_id, %error, "identify failed");
            }
            BehaviourEvent::Ping(ping::Event { peer, connection, result }) => self.on_ping(peer, connection, &result),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Requests(event) => self.on_requests(event),
            BehaviourEvent::Exchange(event) => self.on_exchange(event),
            BehaviourEvent::Dht(event) => self.on_dht(event),
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    self.dialler.book.learn(peer, split(address).0, Source::Lan);
                }
            }
            BehaviourEvent::Candidates(event) => self.on_address_tested(&event),
            BehaviourEvent::RelayClient(event) => self.on_relay_client(&event),
            BehaviourEvent::HolePunching(event) => self.on_hole_punched(&event),
            BehaviourEvent::Upnp(event) => self.on_upnp(event),
            BehaviourEvent::Relay(event) => tracing::debug!(?event, "relaying for others"),
            BehaviourEvent::AddressTests(event) => {
                tracing::debug!(peer = %event.client, address = %event.tested_addr, "tested an address of a peer");
            }
            BehaviourEvent::Identify(_) | BehaviourEvent::Mdns(mdns::Event::Expired(_)) => {}
        }
    }

    /// An own address as another node needs it.
    pub(super) fn with_self(&self, address: &Multiaddr) -> String {
        format!("{}/p2p/{}", split(address.clone()).0, self.swarm.local_peer_id())
    }

    /// Closes the connections that left from an address of this machine which is gone.
    fn hang_up_from(&mut self, address: &Multiaddr) {
        for connection in host(address).map(|gone| self.sources.stranded(gone)).unwrap_or_default() {
            tracing::debug!(%address, "a connection ends with the address that it left from");
            self.swarm.close_connection(connection);
        }
    }

    fn on_not_listening(&mut self, addresses: &[Multiaddr]) {
        for address in addresses {
            self.unconfirm(address);
            let address = self.with_self(address);
            self.peers.not_listening(&address);
        }
        self.outbox.flush(&mut self.peers);
    }

    fn on_opened(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        self.permits.end(connection);
        // Of a relayed connection that came in, the remote end is only a name.
        let remote = match endpoint {
            ConnectedPoint::Listener { local_addr, .. } if endpoint.is_relayed() => local_addr,
            _ => endpoint.get_remote_address(),
        };
        let address = split(remote.clone()).0;
        self.on_came_in(peer, endpoint);
        self.sources.opened(connection, endpoint);
        if !is_relayed(&address) && self.peers.is_relayed(&peer) {
            tracing::debug!(%peer, %address, "connected directly, beside the relay");
        }
        self.dialler.established(connection, peer);
        self.peers.opened(peer, connection, address, endpoint.is_dialer(), Instant::now());
        if !endpoint.is_dialer() {
            self.make_room(peer);
        }
        if self.peers.is_up(&peer) {
            // A further connection to a peer that is known already.
            let dialled = self.dialled(&peer, connection);
            self.dialler.identified(peer, dialled.as_ref(), now_ms());
        }
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        self.sources.closed(connection);
        if self.peers.closed(peer, connection) {
            self.without_relay(&peer);
            self.clocks.left(&peer);
            self.merits.gone(&peer);
            self.dialler.lost(peer, now_ms());
            self.outbox.release(peer).into_iter().for_each(|event| self.refuse(event));
            self.outbox.flush(&mut self.peers);
        }
    }

    fn dialled(&self, peer: &PeerId, connection: ConnectionId) -> Option<Multiaddr> {
        let row = self.peers.connection(peer, connection)?;
        row.outbound.then(|| row.address.clone())
    }

    fn on_identified(&mut self, peer: PeerId, connection: ConnectionId, info: identify::Info) {
        if info.protocol_version != self.names.version {
            tracing::debug!(%peer, "it is of another network");
            self.dialler.foreign(peer, "the node there is of another network, or of another version", now_ms());
            if self.peers.foreign(peer, connection, Instant::now()) {
                self.hang_up(peer);
            }
            return;
        }
        self.on_protocols(peer, connection, &info.protocols);
        let dialled = self.dialled(&peer, connection);
        if let Some(address) = &dialled {
            self.on_dialled(peer, address, &info.protocols);
        }
        if self.peers.identified(peer, connection, Instant::now()) {
            self.finding.exchange.came(peer, now_ms());
            self.outbox.flush(&mut self.peers);
            self.outbox.release(peer).into_iter().for_each(|event| self.offer(event));
        }
        self.dialler.identified(peer, dialled.as_ref(), now_ms());
        if self.peers.connection(&peer, connection).is_some_and(|row| is_relayed(&row.address)) {
            let claimed = info.listen_addrs.into_iter().map(|address| split(address).0);
            let is_direct = |address: &Multiaddr| !is_relayed(address) && reach(address) == Some(Reach::World);
            let straight = self.dialler.straight(peer, claimed.filter(is_direct).take(STRAIGHT_MAX).collect());
            straight.into_iter().for_each(|dial| self.dial(dial));
        }
    }

    fn on_ping(&mut self, peer: PeerId, connection: ConnectionId, result: &Result<std::time::Duration, ping::Failure>) {
        if let (Ok(time), Some(name), true) = (result, self.peers.name(&peer), self.peers.is_up(&peer)) {
            self.merits.measured(peer, *time);
            let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            self.offer(Event::Latency { peer: name, ms });
        }
        let answered = matches!(result, Ok(_) | Err(ping::Failure::Unsupported));
        if self.peers.pinged(peer, connection, answered) {
            tracing::debug!(%peer, "it doesn't answer pings; closing the connection");
            self.swarm.close_connection(connection);
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                let delivery = Delivery(Box::new(Claim { message: message_id, source: propagation_source }));
                self.on_message(delivery, message);
            }
            gossipsub::Event::Subscribed { peer_id, topic } => {
                self.peers.subscribed(peer_id, topic.into_string());
                self.outbox.flush(&mut self.peers);
            }
            gossipsub::Event::Unsubscribed { peer_id, topic } => {
                self.peers.unsubscribed(peer_id, topic.into_string());
                self.outbox.flush(&mut self.peers);
            }
            gossipsub::Event::SlowPeer { peer_id, failed_messages } => {
                if let Some(peer) = self.peers.name(&peer_id).filter(|_| self.peers.is_up(&peer_id)) {
                    let messages = failed_messages.priority + failed_messages.non_priority;
                    self.offer(Event::SlowPeer { peer, messages });
                }
            }
            gossipsub::Event::GossipsubNotSupported { peer_id } => tracing::debug!(peer = %peer_id, "no gossip"),
        }
    }

    /// Tells which messages came from whom.
    pub(super) fn tell_copies(&mut self) {
        let copies = self.swarm.behaviour_mut().gossip.take_copies();
        let copies: Vec<_> = copies.into_iter().filter_map(|(id, name)| Some((self.known(&id)?, name))).collect();
        if !copies.is_empty() {
            self.offer(Event::Copies { copies });
        }
    }

    /// Tells who is in the meshes.
    pub(super) fn tell_mesh(&mut self) {
        let mesh = self.swarm.behaviour().gossip.all_mesh_peers();
        let peers = mesh.filter_map(|id| self.known(id)).collect();
        self.offer(Event::Mesh { peers });
    }

    /// The name of a peer of which the rest of the node knows.
    fn known(&self, id: &PeerId) -> Option<Peer> {
        self.peers.name(id).filter(|_| self.peers.is_up(id))
    }

    fn on_message(&mut self, delivery: Delivery, message: gossipsub::Message) {
        let source = delivery.0.source;
        if message.data.len() > MESSAGE_BYTES_MAX {
            // The frame's bound is wider than the message's; the same rule holds everywhere.
            return self.judge(&delivery, Judgement::Reject);
        }
        let Some(peer) = self.peers.name(&source) else {
            return self.judge(&delivery, Judgement::Ignore);
        };
        let event = Event::Message { peer, topic: message.topic.into_string(), bytes: message.data, delivery };
        self.offer_from(source, event);
    }

    fn on_requests(&mut self, event: request_response::Event<Vec<u8>, Vec<u8>>) {
        match event {
            request_response::Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                let Some(name) = self.peers.name(&peer) else { return };
                self.offer_from(peer, Event::Request { peer: name, body: request, reply: ReplyToken(channel) });
            }
            request_response::Event::Message { message: Message::Response { request_id, response }, .. } => {
                self.on_response(request_id, Ok(response));
            }
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                self.on_response(request_id, Err(failure(&error)));
            }
            request_response::Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a request was not answered");
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn on_response(&mut self, request: request_response::OutboundRequestId, result: Result<Vec<u8>, RequestFailure>) {
        if let Some(token) = self.requests.remove(&request) {
            self.outbox.answer(&mut self.peers, Event::Response { token, result });
        }
    }

    fn offer_from(&mut self, peer: PeerId, event: Event) {
        if self.peers.is_up(&peer) {
            self.offer(event);
        } else if let Err(event) = self.outbox.hold(peer, event) {
            self.refuse(event);
        }
    }

    fn offer(&mut self, event: Event) {
        if let Err(event) = self.outbox.offer(&mut self.peers, event) {
            self.refuse(event);
        }
    }

    /// Turns away what there is no room for, so that whoever sent it knows at once.
    fn refuse(&mut self, event: Event) {
        match event {
            Event::Message { delivery, .. } => {
                self.outbox.counters.count_message();
                self.judge(&delivery, Judgement::Ignore);
            }
            Event::Request { reply, .. } => {
                self.outbox.counters.count_request();
                drop(reply);
            }
            _ => {}
        }
    }
}

fn failure(error: &OutboundFailure) -> RequestFailure {
    match error {
        OutboundFailure::DialFailure => RequestFailure::NotConnected,
        OutboundFailure::Timeout => RequestFailure::Timeout,
        OutboundFailure::ConnectionClosed => RequestFailure::Closed,
        OutboundFailure::UnsupportedProtocols => RequestFailure::Unsupported,
        OutboundFailure::Io(error) => match error.kind() {
            io::ErrorKind::InvalidData => RequestFailure::Malformed,
            io::ErrorKind::InvalidInput => RequestFailure::TooLarge,
            _ => RequestFailure::Refused,
        },
    }
}
