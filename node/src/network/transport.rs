//! How connections are made: TCP and QUIC, directly or through a relay; or everything through a proxy and nothing else.
//!
//! Whatever makes libp2p dial (this node, a peer that wants its address tested, a table of strangers' addresses) passes a
//! guard. It lets addresses of the world through, and nearer ones only while this node dials them on its own account:
//! nobody can have it knock on its own machine or its neighbours' doors.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, DialOpts, ListenerId, OrTransport, TransportError, TransportEvent};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, Transport as _, noise, quic, relay, tcp, yamux};

use super::NetworkError;
use super::circuits::{Circuits, Measured};
use super::proxy::{Proxied, Proxy};
use super::reach::{Reach, first_hop, reach, split};

/// A transport with encryption and streams.
pub(super) type Transport = Boxed<(PeerId, StreamMuxerBox)>;

/// Makes the transport of a node that connects by itself, and the part of it that asks relays for help.
///
/// # Errors
/// When the key can't be used.
pub(super) fn direct(
    key: &Keypair,
    permits: Permits,
    circuits: Circuits,
) -> Result<(Transport, relay::client::Behaviour), NetworkError> {
    let stream = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let datagram = quic::tokio::Transport::new(quic::Config::new(key));
    let datagram = datagram.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let either = upgraded(stream, key)?.or_transport(datagram).map(|either, _| either.into_inner()).boxed();
    let guarded = Guard { inner: either, permits };
    let (relayed, behaviour) = relay::client::new(key.public().to_peer_id());
    let relayed = upgraded(Measured::new(relayed, circuits), key)?;
    // The relayed one first: it alone knows circuits.
    let transport = OrTransport::new(relayed, guarded).map(|either, _| either.into_inner()).boxed();
    Ok((transport, behaviour))
}

/// Makes the transport of a node that reaches others through a SOCKS5 proxy alone. It has no way to send anything
/// elsewhere: no UDP, no names, no multicast. It accepts connections on loopback, where a hidden service forwards them.
///
/// # Errors
/// When the key can't be used.
pub(super) fn proxied(key: &Keypair, permits: Permits, proxy: Proxy) -> Result<Transport, NetworkError> {
    let guarded = Guard { inner: upgraded(Proxied::new(proxy), key)?, permits };
    Ok(guarded.boxed())
}

fn upgraded<T>(transport: T, key: &Keypair) -> Result<Transport, NetworkError>
where
    T: libp2p::Transport + Send + Unpin + 'static,
    T::Output: futures::AsyncRead + futures::AsyncWrite + Send + Unpin + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
    T::Error: Send + Sync + 'static,
{
    let noise = noise::Config::new(key).map_err(|error| NetworkError::Assembly { cause: error.to_string() })?;
    let upgraded = transport.upgrade(Version::V1Lazy).authenticate(noise).multiplex(yamux::Config::default());
    Ok(upgraded.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).boxed())
}

/// Addresses that are not of the world and may be dialled, as long as the dial lasts. Clones share the list; it has a row
/// for each dial under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Permits {
    dials: Arc<Mutex<BTreeMap<ConnectionId, Vec<Multiaddr>>>>,
    /// Whether the whole network is on this machine: then there is nobody to protect from it.
    is_machine: bool,
}

impl Permits {
    pub(super) fn new(is_machine: bool) -> Self {
        Self { dials: Arc::default(), is_machine }
    }

    fn dials(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Vec<Multiaddr>>> {
        self.dials.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Permits what a dial of this node's own may need.
    pub(super) fn begin(&self, dial: ConnectionId, addresses: &[Multiaddr]) {
        let near = addresses.iter().filter(|address| reach(address) != Some(Reach::World));
        // Of a relayed address it is the relay that is dialled.
        let near: Vec<_> = near.map(first_hop).collect();
        if !near.is_empty() {
            self.dials().insert(dial, near);
        }
    }

    /// The dial is over.
    pub(super) fn end(&self, dial: ConnectionId) {
        self.dials().remove(&dial);
    }

    fn allow(&self, address: &Multiaddr) -> bool {
        let (address, _) = split(address.clone());
        match reach(&address) {
            Some(Reach::World) => true,
            Some(Reach::Machine) if self.is_machine => true,
            _ => self.dials().values().flatten().any(|permitted| *permitted == address),
        }
    }
}

/// A transport that asks for a permit before it dials.
struct Guard {
    inner: Transport,
    permits: Permits,
}

impl libp2p::Transport for Guard {
    type Output = (PeerId, StreamMuxerBox);
    type Error = io::Error;
    type ListenerUpgrade = <Transport as libp2p::Transport>::ListenerUpgrade;
    type Dial = <Transport as libp2p::Transport>::Dial;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<Self::Error>> {
        if self.permits.allow(&address) {
            self.inner.dial(address, options)
        } else {
            tracing::debug!(%address, "an address that is not of the world is not dialled for others");
            Err(TransportError::MultiaddrNotSupported(address))
        }
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().expect("a multiaddr")
    }

    #[test]
    fn near_addresses_need_a_dial_of_the_nodes_own() {
        let (permits, dial) = (Permits::new(false), ConnectionId::new_unchecked(1));
        let (machine, site) = (address("/ip4/127.0.0.1/tcp/1"), address("/ip4/10.0.0.1/udp/1/quic-v1"));
        assert!(permits.allow(&address("/ip4/198.51.100.1/tcp/1")));
        assert!(!permits.allow(&machine) && !permits.allow(&site));
        permits.begin(dial, &[machine.clone(), site.clone()]);
        let peer = PeerId::random();
        assert!(permits.allow(&machine) && permits.allow(&address(&format!("{site}/p2p/{peer}"))));
        assert!(!permits.allow(&address("/ip4/10.0.0.2/tcp/1")));
        permits.end(dial);
        assert!(!permits.allow(&machine) && !permits.allow(&site));
    }

    #[test]
    fn a_network_on_one_machine_dials_itself() {
        let permits = Permits::new(true);
        assert!(permits.allow(&address("/ip4/127.0.0.1/tcp/1")));
        assert!(!permits.allow(&address("/ip4/10.0.0.1/tcp/1")));
    }
}
