//! The composed libp2p behaviour, and the bounds that it is given.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{StreamProtocol, autonat, dcutr, identify, mdns, ping, relay, upnp};

use super::NetworkError;
use super::candidates::Candidates;
use super::codec::FrameCodec;
use super::connections::INBOUND_MAX;
use super::discovery::{self, Kademlia};
use super::doors::Doors;
use super::gossip::{self, Gossip};
use super::interface::Counters;
use super::records::RECORDS_BYTES_MAX;

/// Connections of others that are still shaking hands. A silent stranger holds a place for [`HANDSHAKE_TIMEOUT`] and comes
/// back at once when it is free: whoever has more strangers than there are places keeps newcomers out. A place costs about
/// 20 KiB and a file.
const CONNECTIONS_PENDING_IN_MAX: u32 = 256;
/// Connections of this node that are still shaking hands.
const CONNECTIONS_PENDING_OUT_MAX: u32 = 32;
/// Connections that others have opened: well under [`CONNECTIONS_MAX`], so that some are always our own choice, and a
/// little over [`INBOUND_MAX`], so that a newcomer comes in and somebody else is chosen to leave.
const CONNECTIONS_INBOUND_MAX: u32 = 112;
/// Connections that this node has opened.
const CONNECTIONS_OUTBOUND_MAX: u32 = 64;
/// All connections: what bounds every table that has a row per peer.
pub const CONNECTIONS_MAX: u32 = 176;
/// Connections to one peer. Not 1: two peers that dial each other at once would each close the other's connection
/// (nimiq 741, lighthouse 6140).
const CONNECTIONS_PER_PEER_MAX: u32 = 3;

/// How long a connection may take from its first packet to its last handshake. Under the 10 s that a dial is promised
/// an answer in.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(8);

/// How long a request and its answer may take together: 384 KiB at 20 KiB/s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Exchanges at once on one connection, both directions together: at most 6 MiB of frames.
const REQUEST_STREAMS_MAX: usize = 16;

/// How long peers may take to tell of others.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Such exchanges at once on one connection: one each way.
const EXCHANGE_STREAMS_MAX: usize = 2;

/// How often a connection's round trip is measured; also what finds out that a peer is gone without a word.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// When a ping counts as lost.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Peers that may be reached through this node at once. Each costs a row.
const RELAY_PLACES_MAX: usize = 128;
/// Places of one peer: a second while it renews the first.
const RELAY_PLACES_PER_PEER_MAX: usize = 2;
/// Connections that this node relays at once, each with two buffers of 8 KiB.
const RELAY_CIRCUITS_MAX: usize = 32;
/// Of these, those of one peer: whoever has as many, calling or called, calls no further.
const RELAY_CIRCUITS_PER_PEER_MAX: usize = 4;
/// Bytes of one relayed connection, each way: enough to read and write for a day, and to catch up with some 20,000
/// events; not to move everything. libp2p's 128 KiB serve hole punching alone, and gossip would be cut within minutes.
const RELAY_CIRCUIT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a relayed connection lasts. Whoever needs it longer makes it anew.
const RELAY_CIRCUIT_LASTS: Duration = Duration::from_secs(3600);

/// How often a new address of this node is tested by others. The library's 5 s would be half of what a person waits.
const ADDRESS_TEST_INTERVAL: Duration = Duration::from_secs(1);
/// Own addresses that are tested at once.
const ADDRESS_TESTS_MAX: usize = 10;

const _: () = {
    assert!(CONNECTIONS_INBOUND_MAX as usize >= INBOUND_MAX + INBOUND_MAX / 8);
    assert!(CONNECTIONS_INBOUND_MAX + CONNECTIONS_OUTBOUND_MAX <= CONNECTIONS_MAX);
    assert!(CONNECTIONS_PER_PEER_MAX >= 2);
};

/// Everything that this node does on a connection. The order is that of the calls: limits come first, or the others
/// would count connections that are then refused (rust-libp2p 4870).
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) limits: connection_limits::Behaviour,
    pub(super) doors: Doors,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
    pub(super) gossip: Gossip,
    pub(super) requests: request_response::Behaviour<FrameCodec>,
    pub(super) exchange: request_response::Behaviour<FrameCodec>,
    pub(super) dht: Toggle<Kademlia>,
    pub(super) mdns: Toggle<mdns::tokio::Behaviour>,
    pub(super) relay_client: Toggle<relay::client::Behaviour>,
    pub(super) relay: Toggle<relay::Behaviour>,
    pub(super) hole_punching: Toggle<dcutr::Behaviour>,
    pub(super) candidates: Toggle<Candidates>,
    pub(super) address_tests: Toggle<autonat::v2::server::Behaviour>,
    pub(super) upnp: Toggle<upnp::tokio::Behaviour>,
}

/// What a node does beside its own business and how far it may go for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means {
    /// Look around by multicast.
    pub(super) mdns: bool,
    /// Ask peers for peers, and answer them.
    pub(super) exchange: bool,
    /// Ask the router for a port.
    pub(super) upnp: bool,
    /// Relay for others, once this node can be reached.
    pub(super) relay: bool,
    /// Look for others in the DHT, and serve it while this node can be reached.
    pub(super) dht: bool,
    /// Whether all of the network is on this machine.
    pub(super) is_machine: bool,
    /// Whether the world is out there: not on a network that is all on one machine, nor behind a proxy.
    pub(super) is_world: bool,
}

/// The names by which nodes of one network know each other.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// What identify compares: nodes of another version are sent away.
    pub(super) version: String,
    pub(super) requests: StreamProtocol,
    pub(super) exchange: StreamProtocol,
    pub(super) dht: StreamProtocol,
}

impl Names {
    pub(super) fn new(network_id: &[u8; 32]) -> Self {
        let network = data_encoding::HEXLOWER.encode(&network_id[..8]);
        let protocol = |name| {
            StreamProtocol::try_from_owned(format!("/roda/{network}/{name}/1")).expect("the name begins with a slash")
        };
        Self {
            version: format!("/roda/1/{network}"),
            requests: protocol("sync"),
            exchange: protocol("peers"),
            dht: protocol("kad"),
        }
    }
}

/// Composes the behaviour.
///
/// # Errors
/// When the multicast socket can't be opened, or libp2p refuses a configuration.
pub(super) fn compose(
    key: &Keypair,
    names: &Names,
    agent: &str,
    means: Means,
    relay_client: Option<relay::client::Behaviour>,
    secret: [u8; 32],
    counters: Arc<Counters>,
) -> Result<Behaviour, NetworkError> {
    let local = key.public().to_peer_id();
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(CONNECTIONS_PENDING_IN_MAX))
        .with_max_pending_outgoing(Some(CONNECTIONS_PENDING_OUT_MAX))
        .with_max_established_incoming(Some(CONNECTIONS_INBOUND_MAX))
        .with_max_established_outgoing(Some(CONNECTIONS_OUTBOUND_MAX))
        .with_max_established(Some(CONNECTIONS_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX));
    let identify = identify::Config::new(names.version.clone(), key.public())
        .with_agent_version(agent.to_owned())
        .with_push_listen_addr_updates(true)
        // Where a node listens at home is for its neighbours alone: peers tell each other in signed records.
        .with_hide_listen_addrs(true)
        // Addresses are kept in the address book, which has bounds and a memory; a second cache would bypass both.
        .with_cache_size(0);
    let ping = ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT);
    let requests = request_response::Config::default()
        .with_request_timeout(REQUEST_TIMEOUT)
        .with_max_concurrent_streams(REQUEST_STREAMS_MAX);
    let exchange = request_response::Config::default()
        .with_request_timeout(EXCHANGE_TIMEOUT)
        .with_max_concurrent_streams(EXCHANGE_STREAMS_MAX);
    Ok(Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        doors: Doors::default(),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(ping),
        gossip: gossip::behaviour(counters)?,
        requests: request_response::Behaviour::new([(names.requests.clone(), ProtocolSupport::Full)], requests),
        exchange: request_response::Behaviour::with_codec(
            FrameCodec::bounded(RECORDS_BYTES_MAX),
            [(names.exchange.clone(), ProtocolSupport::Full)],
            exchange,
        ),
        dht: means.dht.then(|| discovery::behaviour(local, names, secret, means.is_machine)).into(),
        mdns: multicast(key, means.mdns)?.into(),
        hole_punching: relay_client.as_ref().map(|_| dcutr::Behaviour::new(local)).into(),
        relay_client: relay_client.into(),
        relay: means.relay.then(|| relay_server(local, means.is_machine)).into(),
        candidates: means.is_world.then(|| Candidates::new(address_tests())).into(),
        address_tests: means.is_world.then(autonat::v2::server::Behaviour::default).into(),
        upnp: means.upnp.then(upnp::tokio::Behaviour::default).into(),
    })
}

/// A relay that is closed until this node knows that it can be reached. Where all of the network is on this machine it
/// always can.
fn relay_server(local: libp2p::PeerId, is_machine: bool) -> relay::Behaviour {
    let config = relay::Config {
        max_reservations: RELAY_PLACES_MAX,
        max_reservations_per_peer: RELAY_PLACES_PER_PEER_MAX,
        max_circuits: RELAY_CIRCUITS_MAX,
        // The library lets a peer that has as many as this begin one more (its check is `>`).
        max_circuits_per_peer: RELAY_CIRCUITS_PER_PEER_MAX - 1,
        max_circuit_duration: RELAY_CIRCUIT_LASTS,
        max_circuit_bytes: RELAY_CIRCUIT_BYTES_MAX,
        ..relay::Config::default()
    };
    let mut relay = relay::Behaviour::new(local, config);
    // By itself it would open as soon as this node has a place at *another* relay.
    relay.set_status(Some(if is_machine { relay::Status::Enable } else { relay::Status::Disable }));
    relay
}

fn address_tests() -> autonat::v2::client::Config {
    autonat::v2::client::Config::default()
        .with_probe_interval(ADDRESS_TEST_INTERVAL)
        .with_max_candidates(ADDRESS_TESTS_MAX)
}

fn multicast(key: &Keypair, wanted: bool) -> Result<Option<mdns::tokio::Behaviour>, NetworkError> {
    if !wanted {
        return Ok(None);
    }
    let open = |config| mdns::tokio::Behaviour::new(config, key.public().to_peer_id());
    open(mdns::Config::default()).map(Some).map_err(|cause: io::Error| NetworkError::Multicast { cause })
}
