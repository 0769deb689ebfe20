//! From a configuration to a running network.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};
use libp2p::core::transport::ListenerId;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{self, SwarmEvent};
use libp2p::{Multiaddr, Swarm, Transport as _};
use tokio::sync::mpsc;

use super::addresses::AddressBook;
use super::behaviour::{self, Behaviour, HANDSHAKE_TIMEOUT, Means, Names};
use super::circuits::Circuits;
use super::clocks::Clocks;
use super::conduct::Conduct;
use super::connections::Merits;
use super::dialler::Dialler;
use super::discovery::Discovery;
use super::finding::Finding;
use super::interface::{Command, Counters, Event, Inbox, NetworkConfig};
use super::outbox::Outbox;
use super::peers::Peers;
use super::reach::{Via, route};
use super::reachability::Reachability;
use super::sources::Sources;
use super::task::{Task, now_ms};
use super::transport::{self, Permits};
use super::{COMMANDS_MAX, Network, NetworkError, address_file, gossip, reach, reason};
use crate::peer::Peer;
use roda_protocol::id::NetworkId;

/// How long a listener may take to say where it listens. It is a matter of milliseconds.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for further interfaces of a wildcard listener after the first.
const SETTLE: Duration = Duration::from_millis(50);
/// How long a connection without streams stays. Gossip keeps one open on every connection of ours.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// The first pause before the network starts anew after a bug.
const RESTART_PAUSE_MIN: Duration = Duration::from_millis(250);
/// The longest. Whoever knows a message that ends the task can send it again: such a node is slow, and not busy with dying.
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(60);
/// Listeners when none is configured. A machine without IPv6 does without.
const LISTEN_DEFAULT: [&str; 4] =
    ["/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1", "/ip6/::/tcp/0", "/ip6/::/udp/0/quic-v1"];

pub(super) async fn start(config: NetworkConfig, inbox: impl Inbox) -> Result<Network, NetworkError> {
    let counters = Arc::<Counters>::default();
    let task = assemble(config.clone(), inbox.clone(), Arc::clone(&counters)).await?;
    let (local, addresses) = (Peer::from(*task.swarm.local_peer_id()), task.peers.addresses());
    let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
    // A new start listens where this one did, so that what others know of this node stays true.
    let bound = bound(&config.listen, task.swarm.listeners(), config.proxy.is_some());
    let config = NetworkConfig { listen: bound.clone(), ..config };
    let task = tokio::spawn(supervise(task, receiver, config, inbox, Arc::clone(&counters)));
    Ok(Network { commands, task, local, addresses, bound, counters })
}

/// Runs the task, and a new one whenever a bug ends it: in libp2p or here, there must be no message that takes a node off
/// the network for good. What the node holds is elsewhere and stays.
async fn supervise(
    task: Task,
    mut commands: mpsc::Receiver<Command>,
    config: NetworkConfig,
    inbox: impl Inbox,
    counters: Arc<Counters>,
) {
    let mut next = Some(task);
    let mut pause = RESTART_PAUSE_MIN;
    loop {
        let began = Instant::now();
        if let Some(task) = next.take() {
            match AssertUnwindSafe(task.run(&mut commands)).catch_unwind().await {
                Ok(()) => return,
                Err(_) => {
                    counters.count_restart();
                    tracing::error!("the network met a bug; it starts anew (please report the panic above)");
                }
            }
            tell_restart(inbox.clone()).await;
        }
        pause =
            if began.elapsed() > RESTART_PAUSE_MAX { RESTART_PAUSE_MIN } else { (pause * 2).min(RESTART_PAUSE_MAX) };
        tokio::time::sleep(pause).await;
        match assemble(config.clone(), inbox.clone(), Arc::clone(&counters)).await {
            Ok(task) => next = Some(task),
            Err(error) => tracing::error!(%error, "the network can't start anew yet"),
        }
        if commands.is_closed() {
            return;
        }
    }
}

/// The one event that must arrive although nothing keeps it: it is offered until there is room.
async fn tell_restart(mut inbox: impl Inbox) {
    while inbox.deliver(Event::Restarted).is_err() {
        tokio::time::sleep(RESTART_PAUSE_MIN).await;
    }
}

async fn assemble(mut config: NetworkConfig, inbox: impl Inbox, counters: Arc<Counters>) -> Result<Task, NetworkError> {
    let jitter_seed = blake3::derive_key("roda/1/dial-jitter", &config.key_seed);
    // The seed is overwritten there.
    let key = Keypair::ed25519_from_bytes(&mut config.key_seed).map_err(|error| assembly(&error))?;
    let local = key.public().to_peer_id();
    let names = Names::new(&config.network_id);
    let is_machine = is_machine(&config.listen);
    let permits = Permits::new(is_machine);
    let discovery = means(&config, is_machine).dht.then(|| Discovery::new(NetworkId(config.network_id), jitter_seed));
    let finding = Finding::new(key.clone(), discovery, now_ms());
    let circuits = Circuits::new(local);
    let guards = (permits.clone(), circuits.clone());
    let swarm = build(&key, &names, &config, guards, jitter_seed, Arc::clone(&counters))?;

    let mut book = AddressBook::new(local, jitter_seed);
    if let Some(path) = &config.address_book {
        let unreadable = |cause| NetworkError::AddressBook { path: path.clone(), cause };
        let read = address_file::load(path).map_err(unreadable)?;
        book.restore(read.anchors, read.pages);
    }
    let kept = config.connect.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
    let first = config.bootstrap.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
    let mut task = Task {
        swarm,
        names,
        peers: Peers::default(),
        sources: Sources::default(),
        conduct: Conduct::default(),
        permits,
        circuits,
        clocks: Clocks::default(),
        reachability: Reachability::default(),
        means: means(&config, is_machine),
        proxy: config.proxy.clone(),
        dialler: Dialler::new(local, jitter_seed, book, kept, first),
        finding,
        merits: Merits::new(jitter_seed, Instant::now()),
        outbox: Outbox::new(inbox, counters),
        requests: BTreeMap::new(),
        scores_seen: Instant::now(),
        mesh_told: Instant::now(),
        book_file: config.address_book,
        saving: None,
    };
    listen(&mut task, &config.listen, config.proxy.is_some()).await?;
    let own: Vec<_> = task.swarm.listeners().filter_map(reach::host).collect();
    gossip::keep_scores(&mut task.swarm.behaviour_mut().gossip, own)?;
    Ok(task)
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
        mdns: config.mdns && config.discover && is_direct,
        exchange: config.discover,
        upnp: config.upnp && is_direct && !is_machine,
        relay: config.relay && is_direct,
        dht: config.dht && config.discover && is_direct,
        is_machine: is_direct && is_machine,
        is_world: is_direct && !is_machine,
    }
}

fn build(
    key: &Keypair,
    names: &Names,
    config: &NetworkConfig,
    (permits, circuits): (Permits, Circuits),
    secret: [u8; 32],
    counters: Arc<Counters>,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let (transport, relays) = match config.proxy.clone() {
        Some(proxy) => (transport::proxied(key, permits, proxy)?, None),
        None => {
            let (transport, relays) = transport::direct(key, permits, circuits)?;
            (transport, Some(relays))
        }
    };
    let transport = TransportTimeout::new(transport, HANDSHAKE_TIMEOUT).boxed();
    let means = means(config, is_machine(&config.listen));
    let behaviour = behaviour::compose(key, names, &config.agent, means, relays, secret, counters)?;
    let settings = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_TIMEOUT);
    Ok(Swarm::new(transport, behaviour, key.public().to_peer_id(), settings))
}

fn assembly(error: &impl ToString) -> NetworkError {
    NetworkError::Assembly { cause: error.to_string() }
}

fn parse(text: &str) -> Result<Multiaddr, NetworkError> {
    text.parse().map_err(|_| NetworkError::Address(reason::not_an_address(text)))
}

/// The configured addresses with the ports that they got: the wildcard of a family stays one, since interfaces come and go.
fn bound<'a>(configured: &[String], listeners: impl Iterator<Item = &'a Multiaddr>, is_hidden: bool) -> Vec<String> {
    let listeners: Vec<_> = listeners.filter_map(|address| Some((address, route(address)?))).collect();
    let with_port = |text: &str| {
        let address: Multiaddr = text.parse().ok()?;
        let host = reach::host(&address)?;
        let is_same = |(listener, (other, via)): &&(&Multiaddr, (IpAddr, Via))| {
            let is_same_kind = address.iter().any(|part| matches!(part, Protocol::QuicV1)) == (*via == Via::Quic);
            let is_same_host = if host.is_unspecified() { host.is_ipv4() == other.is_ipv4() } else { host == *other };
            is_same_kind && is_same_host && !reach::is_relayed(listener)
        };
        let (listener, _) = listeners.iter().find(is_same)?;
        // The host as configured, the rest as it is.
        Some(address.iter().take(1).chain(listener.iter().skip(1)).collect::<Multiaddr>().to_string())
    };
    let texts = texts(configured, is_hidden);
    texts.iter().filter_map(|text| with_port(text)).collect()
}

/// What to listen on. Behind a proxy that is nothing unless it is configured.
fn texts(configured: &[String], is_hidden: bool) -> Vec<String> {
    match configured {
        [] if is_hidden => Vec::new(),
        [] => {
            let here = LISTEN_DEFAULT.into_iter().filter(|text| !text.starts_with("/ip6/") || has_ipv6());
            here.map(str::to_owned).collect()
        }
        configured => configured.to_vec(),
    }
}

/// Binds every listener and waits until each has said where it is. What else happens meanwhile is not lost: the task
/// hears of it.
async fn listen(task: &mut Task, configured: &[String], is_hidden: bool) -> Result<(), NetworkError> {
    let (is_default, texts) = (configured.is_empty(), texts(configured, is_hidden));
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

/// Whether this machine has IPv6 addresses. Where IPv6 is switched off its sockets can be bound all the same, and would
/// wait for an address for ever.
fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
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
