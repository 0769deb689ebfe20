//! From a configuration to a running network.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{self, SwarmEvent};
use libp2p::{Multiaddr, Swarm, Transport as _};
use tokio::sync::mpsc;

use super::addresses::AddressBook;
use super::behaviour::{self, Behaviour, HANDSHAKE_TIMEOUT, Means, Names};
use super::dialler::Dialler;
use super::interface::{Inbox, NetworkConfig};
use super::outbox::Outbox;
use super::peers::Peers;
use super::reachability::Reachability;
use super::task::Task;
use super::transport::{self, Permits};
use super::{COMMANDS_MAX, Network, NetworkError, address_file, gossip, reach, reason};
use crate::peer::Peer;

/// How long a listener may take to say where it listens. It is a matter of milliseconds.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for further interfaces of a wildcard listener after the first.
const SETTLE: Duration = Duration::from_millis(50);
/// How long a connection without streams stays. Gossip keeps one open on every connection of ours.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Listeners when none is configured. A machine without IPv6 does without.
const LISTEN_DEFAULT: [&str; 4] =
    ["/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1", "/ip6/::/tcp/0", "/ip6/::/udp/0/quic-v1"];

pub(super) async fn start(mut config: NetworkConfig, inbox: impl Inbox) -> Result<Network, NetworkError> {
    let jitter_seed = blake3::derive_key("roda/1/dial-jitter", &config.key_seed);
    // The seed is overwritten there.
    let key = Keypair::ed25519_from_bytes(&mut config.key_seed).map_err(|error| assembly(&error))?;
    let local = key.public().to_peer_id();
    let names = Names::new(&config.network_id);
    let is_machine = is_machine(&config.listen);
    let permits = Permits::new(is_machine);
    let swarm = build(&key, &names, &config, is_machine, permits.clone())?;

    let mut book = AddressBook::new(local, jitter_seed);
    if let Some(path) = &config.address_book {
        let unreadable = |cause| NetworkError::AddressBook { path: path.clone(), cause };
        book.restore(address_file::load(path).map_err(unreadable)?);
    }
    let kept = config.connect.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
    let mut task = Task {
        swarm,
        names,
        peers: Peers::default(),
        permits,
        reachability: Reachability::default(),
        means: means(&config, is_machine),
        proxy: config.proxy.clone(),
        dialler: Dialler::new(local, jitter_seed, book, kept),
        outbox: Outbox::new(inbox),
        requests: BTreeMap::new(),
        book_file: config.address_book,
        saving: None,
    };
    listen(&mut task, &config.listen, config.proxy.is_some()).await?;
    let own: Vec<_> = task.swarm.listeners().filter_map(reach::host).collect();
    gossip::keep_scores(&mut task.swarm.behaviour_mut().gossip, own)?;

    let (addresses, counters) = (task.peers.addresses(), task.outbox.counters.clone());
    let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
    let task = tokio::spawn(task.run(receiver));
    Ok(Network { commands, task, local: Peer::from(local), addresses, counters })
}

/// Whether all of the network is on this machine: then there is nothing to find out about the world.
fn is_machine(listen: &[String]) -> bool {
    let is_loopback = |text: &String| {
        text.parse().ok().and_then(|address| reach::host(&address)).is_some_and(|host| host.is_loopback())
    };
    !listen.is_empty() && listen.iter().all(is_loopback)
}

fn means(config: &NetworkConfig, is_machine: bool) -> Means {
    let is_direct = config.proxy.is_none();
    Means {
        mdns: config.mdns && is_direct,
        upnp: config.upnp && is_direct && !is_machine,
        relay: config.relay && is_direct,
        is_world: is_direct && !is_machine,
    }
}

fn build(
    key: &Keypair,
    names: &Names,
    config: &NetworkConfig,
    is_machine: bool,
    permits: Permits,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let (transport, relays) = match config.proxy.clone() {
        Some(proxy) => (transport::proxied(key, permits, proxy)?, None),
        None => {
            let (transport, relays) = transport::direct(key, permits)?;
            (transport, Some(relays))
        }
    };
    let transport = TransportTimeout::new(transport, HANDSHAKE_TIMEOUT).boxed();
    let behaviour = behaviour::compose(key, names, &config.agent, means(config, is_machine), relays)?;
    let settings = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_TIMEOUT);
    Ok(Swarm::new(transport, behaviour, key.public().to_peer_id(), settings))
}

fn assembly(error: &impl ToString) -> NetworkError {
    NetworkError::Assembly { cause: error.to_string() }
}

fn parse(text: &str) -> Result<Multiaddr, NetworkError> {
    text.parse().map_err(|_| NetworkError::Address(reason::not_an_address(text)))
}

/// Binds every listener and waits until each has said where it is. What else happens meanwhile is not lost: the task
/// hears of it. Behind a proxy nothing is listened on unless it is configured.
async fn listen(task: &mut Task, configured: &[String], is_hidden: bool) -> Result<(), NetworkError> {
    if is_hidden && configured.is_empty() {
        return Ok(());
    }
    let is_default = configured.is_empty();
    let texts: Vec<_> = if is_default { LISTEN_DEFAULT.map(str::to_owned).to_vec() } else { configured.to_vec() };
    // All before the first listener: a plain IPv6 wildcard would clash with our own IPv4 one.
    texts.iter().try_for_each(|text| probe(text))?;
    let mut waiting = BTreeMap::new();
    for (index, text) in texts.iter().enumerate() {
        match bind(task, text) {
            Ok(listener) => drop(waiting.insert(listener.to_string(), text.clone())),
            Err(error) if is_default && index > 0 => tracing::info!(%error, "going on without"),
            Err(error) => return Err(error),
        }
    }
    let told = tokio::time::timeout(LISTEN_TIMEOUT, hear(task, &mut waiting)).await;
    match (told, waiting.into_values().next()) {
        (Ok(Err(error)), _) => Err(error),
        (Err(_), Some(address)) => {
            Err(NetworkError::Listen { address, cause: "the system did not say where".to_owned() })
        }
        _ => {
            let settle = async {
                loop {
                    let event = task.swarm.select_next_some().await;
                    task.on_swarm(event);
                }
            };
            let settled: Result<Infallible, _> = tokio::time::timeout(SETTLE, settle).await;
            drop(settled);
            Ok(())
        }
    }
}

async fn hear(task: &mut Task, waiting: &mut BTreeMap<String, String>) -> Result<(), NetworkError> {
    while !waiting.is_empty() {
        let event = task.swarm.select_next_some().await;
        match &event {
            SwarmEvent::NewListenAddr { listener_id, .. } => drop(waiting.remove(&listener_id.to_string())),
            SwarmEvent::ListenerClosed { listener_id, reason: why, .. } => {
                if let Some(address) = waiting.remove(&listener_id.to_string()) {
                    let cause = why.as_ref().err().map_or_else(|| "it closed".to_owned(), reason::of_io);
                    return Err(NetworkError::Listen { address, cause });
                }
            }
            _ => {}
        }
        task.on_swarm(event);
    }
    Ok(())
}

fn bind(task: &mut Task, text: &str) -> Result<ListenerId, NetworkError> {
    let fails = |cause| NetworkError::Listen { address: text.to_owned(), cause };
    task.swarm.listen_on(parse(text)?).map_err(|error| fails(reason::of_transport(&error)))
}

/// Finds out whether a port is taken. libp2p shares a port with any other program of this user that does too: two
/// nodes would each get half of the connections. A plain listener shares with no one.
fn probe(text: &str) -> Result<(), NetworkError> {
    let Some(socket) = socket(&parse(text)?) else { return Ok(()) };
    let fails = |error| NetworkError::Listen { address: text.to_owned(), cause: reason::of_io(&error) };
    TcpListener::bind(socket).map(drop).map_err(fails)
}

fn socket(address: &Multiaddr) -> Option<SocketAddr> {
    match address.iter().nth(1)? {
        Protocol::Tcp(port) if port > 0 => Some((reach::host(address)?, port).into()),
        // A socket for datagrams is not shared by libp2p.
        _ => None,
    }
}
