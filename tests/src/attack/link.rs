//! A connection of an attacker: real handshakes, a true word on its network, and streams of bytes as they are.
//!
//! Whatever the other side opens is read and forgotten, but requests: those are kept open and never answered. Whoever is
//! called through a relay can take the call.

use futures::prelude::*;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::identity::Keypair;
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, StreamUpgradeError, SubstreamProtocol, SwarmEvent, THandler, THandlerInEvent, THandlerOutEvent,
    ToSwarm,
};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, SwarmBuilder, identify, noise, relay, tcp, yamux};
use roda_protocol::id::NetworkId;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, oneshot, watch};

/// Gossip, in the version that the hand-written frames are of.
pub const GOSSIP: StreamProtocol = StreamProtocol::new("/meshsub/1.1.0");

/// How long a connection or a stream may take to come about.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls that wait to be taken.
const CALLS_MAX: usize = 16;

/// A connection to a node. It ends when this is dropped.
#[derive(Debug)]
pub struct Link {
    opens: mpsc::Sender<(StreamProtocol, oneshot::Sender<io::Result<Stream>>)>,
    ended: watch::Receiver<bool>,
    heard: Arc<AtomicU64>,
    sync: StreamProtocol,
    name: PeerId,
    called: Mutex<mpsc::Receiver<Stream>>,
}

impl Link {
    /// Connects under a name that nobody has had before.
    ///
    /// # Errors
    ///
    /// The node can't be reached, or hangs up at once.
    pub async fn to(address: &Multiaddr, network: NetworkId) -> io::Result<Self> {
        Self::named(address, network, Keypair::generate_ed25519()).await
    }

    /// Connects under the name of this key.
    ///
    /// # Errors
    ///
    /// The node can't be reached, or hangs up at once.
    pub async fn named(address: &Multiaddr, network: NetworkId, key: Keypair) -> io::Result<Self> {
        let name = data_encoding::HEXLOWER.encode(&network.0[..8]);
        let sync = StreamProtocol::try_from_owned(format!("/roda/{name}/sync/1")).expect("it begins with a slash");
        let peer = key.public().to_peer_id();
        let behaviour = Behaviour {
            identify: identify::Behaviour::new(identify::Config::new(format!("/roda/1/{name}"), key.public())),
            pipes: Pipes { accepted: vec![GOSSIP, sync.clone(), relay::STOP_PROTOCOL_NAME], ..Pipes::default() },
        };
        let mut swarm = SwarmBuilder::with_existing_identity(key)
            .with_tokio()
            .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
            .map_err(io::Error::other)?
            .with_behaviour(|_| Ok::<_, Box<dyn std::error::Error + Send + Sync>>(behaviour))
            .map_err(io::Error::other)?
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3600)))
            .build();
        swarm.dial(address.clone()).map_err(io::Error::other)?;
        let connected = async {
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { .. })) => return Ok(()),
                    SwarmEvent::OutgoingConnectionError { .. } | SwarmEvent::ConnectionClosed { .. } => {
                        return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
                    }
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, connected).await??;
        let (opens, mut asked) = mpsc::channel::<(StreamProtocol, oneshot::Sender<io::Result<Stream>>)>(16);
        let (end, ended) = watch::channel(false);
        let heard = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&heard);
        let (calls, called) = mpsc::channel(CALLS_MAX);
        tokio::spawn(async move {
            let (mut waiting, mut kept) = (VecDeque::new(), Vec::new());
            loop {
                tokio::select! {
                    ask = asked.recv() => match ask {
                        // The link was dropped.
                        None => break,
                        Some((protocol, reply)) => {
                            swarm.behaviour_mut().pipes.open(protocol);
                            waiting.push_back(reply);
                        }
                    },
                    event = swarm.select_next_some() => match event {
                        SwarmEvent::ConnectionClosed { .. } => break,
                        SwarmEvent::Behaviour(BehaviourEvent::Pipes(Piped::Opened(stream))) => {
                            if let Some(reply) = waiting.pop_front() {
                                let reply: oneshot::Sender<io::Result<Stream>> = reply;
                                // Whoever asked may have gone.
                                drop(reply.send(stream.ok_or_else(refused)));
                            }
                        }
                        SwarmEvent::Behaviour(BehaviourEvent::Pipes(Piped::Accepted(protocol, stream))) => {
                            if protocol == GOSSIP {
                                tokio::spawn(drain(stream, Arc::clone(&counter)));
                            } else if protocol == relay::STOP_PROTOCOL_NAME {
                                // One that nobody takes is closed.
                                drop(calls.try_send(stream));
                            } else {
                                kept.push(stream);
                            }
                        }
                        _ => {}
                    },
                }
            }
            // Nobody may be waiting for it.
            let _ = end.send(true);
        });
        Ok(Self { opens, ended, heard, sync, name: peer, called: Mutex::new(called) })
    }

    /// Opens a stream of gossip.
    ///
    /// # Errors
    ///
    /// The node has hung up, or does not want it.
    pub async fn gossip(&self) -> io::Result<Stream> {
        self.open(GOSSIP).await
    }

    /// Opens a stream for one request.
    ///
    /// # Errors
    ///
    /// The node has hung up, or does not want it.
    pub async fn request(&self) -> io::Result<Stream> {
        self.open(self.sync.clone()).await
    }

    /// Opens a stream to ask the node, as a relay, for something.
    ///
    /// # Errors
    ///
    /// The node has hung up, or does not relay.
    pub async fn hop(&self) -> io::Result<Stream> {
        self.open(relay::HOP_PROTOCOL_NAME).await
    }

    /// Waits for a call through the node, as a relay; none when the node has hung up.
    pub async fn called(&self) -> Option<Stream> {
        self.called.lock().await.recv().await
    }

    /// The name under which it is connected.
    #[must_use]
    pub fn name(&self) -> PeerId {
        self.name
    }

    async fn open(&self, protocol: StreamProtocol) -> io::Result<Stream> {
        let (reply, stream) = oneshot::channel();
        self.opens.send((protocol, reply)).await.map_err(|_| refused())?;
        tokio::time::timeout(PATIENCE, stream).await?.map_err(|_| refused())?
    }

    /// Whether the node has hung up.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Waits until the node hangs up.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        // An error means that the task is gone, and the connection with it.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Bytes of gossip that came from the node.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }
}

fn refused() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

async fn drain(mut stream: Stream, counter: Arc<AtomicU64>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        counter.fetch_add(length as u64, Ordering::Relaxed);
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    pipes: Pipes,
}

/// What becomes of streams.
#[derive(Debug)]
enum Piped {
    /// One that was asked for; `None` if it did not come about.
    Opened(Option<Stream>),
    /// One that the node has opened.
    Accepted(StreamProtocol, Stream),
}

/// Hands streams over as they are.
#[derive(Debug, Default)]
struct Pipes {
    accepted: Vec<StreamProtocol>,
    peer: Option<PeerId>,
    events: VecDeque<ToSwarm<Piped, StreamProtocol>>,
}

impl Pipes {
    fn open(&mut self, protocol: StreamProtocol) {
        if let Some(peer_id) = self.peer {
            self.events.push_back(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::Any, event: protocol });
        }
    }

    fn pipe(&self) -> Pipe {
        Pipe { accepted: self.accepted.clone(), events: VecDeque::new() }
    }
}

impl NetworkBehaviour for Pipes {
    type ConnectionHandler = Pipe;
    type ToSwarm = Piped;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.pipe())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.peer = Some(peer);
        Ok(self.pipe())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        self.events.push_back(ToSwarm::GenerateEvent(event));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Piped, THandlerInEvent<Self>>> {
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

#[derive(Debug)]
struct Pipe {
    accepted: Vec<StreamProtocol>,
    events: VecDeque<ConnectionHandlerEvent<Bare, (), Piped>>,
}

impl ConnectionHandler for Pipe {
    type FromBehaviour = StreamProtocol;
    type ToBehaviour = Piped;
    type InboundProtocol = Bare;
    type OutboundProtocol = Bare;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Bare> {
        SubstreamProtocol::new(Bare(self.accepted.clone()), ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn on_behaviour_event(&mut self, protocol: StreamProtocol) {
        let protocol = SubstreamProtocol::new(Bare(vec![protocol]), ());
        self.events.push_back(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Bare, Bare>) {
        let piped = match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: (name, stream), .. }) => {
                Piped::Accepted(name, stream)
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: (_, stream), .. }) => {
                Piped::Opened(Some(stream))
            }
            ConnectionEvent::DialUpgradeError(error) => {
                debug_assert!(!matches!(error.error, StreamUpgradeError::Apply(_)), "a bare stream has no upgrade");
                Piped::Opened(None)
            }
            _ => return,
        };
        self.events.push_back(ConnectionHandlerEvent::NotifyBehaviour(piped));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Bare, (), Piped>> {
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// A stream without anything on top.
#[derive(Clone, Debug)]
struct Bare(Vec<StreamProtocol>);

impl UpgradeInfo for Bare {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Bare {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = future::Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        future::ready(Ok((name, stream)))
    }
}

impl OutboundUpgrade<Stream> for Bare {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = future::Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        future::ready(Ok((name, stream)))
    }
}
