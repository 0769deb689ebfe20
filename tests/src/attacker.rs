//! A libp2p program that speaks Roda's protocols and keeps none of their rules.
//!
//! It owns a swarm with gossip and requests under our names; what it sends is bytes as they are, frames included. A node
//! that sends it away is met again under a new name. It judges nothing.

use futures::prelude::*;
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, ValidationMode};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Codec, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, identify, noise, tcp, yamux};
use roda_protocol::id::{NetworkId, SpaceId};
use roda_protocol::limits::SYNC_FRAME_BYTES_MAX;
use roda_protocol::wire::{Request, Response};
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

/// How long one wave may take before the attacker gives it up: the node may have sent it away in any state.
const WAVE_TIME_MAX: Duration = Duration::from_secs(60);

/// A wave is over when all of it was sent and the node has wanted nothing for so long.
const QUIET: Duration = Duration::from_secs(2);

/// How often the attacker looks whether there is room for more.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The largest gossip frame that the attacker's own library lets pass: far over the node's bound.
const GOSSIP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Requests that wait for their end at once: below the streams that a node takes on a connection.
const REQUESTS_MAX: usize = 8;

/// What one connection is used for.
#[derive(Debug, Default)]
pub struct Wave {
    /// Gossip messages on the board's topic.
    pub gossip: Vec<Vec<u8>>,
    /// Bytes of request streams, frames included.
    pub requests: Vec<Vec<u8>>,
    /// Bytes of the streams that answer the node's own requests, in turn, for ever.
    pub answers: Vec<Vec<u8>>,
    /// What answers the node's own requests instead, where an answer has to fit its question to be believed.
    pub lie: Option<Lie>,
    /// How long it goes on at most, where the node would not end it soon.
    pub lasts: Option<Duration>,
}

/// An answer that is made up for a request.
pub type Lie = fn(&Request) -> Response;

/// What came of a wave.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Gossip messages that were put on their way.
    pub published: usize,
    /// Requests that were answered.
    pub answered: usize,
    /// Requests that ended without an answer.
    pub failed: usize,
    /// Requests of the node.
    pub asked: usize,
    /// Whether the node closed the connection.
    pub sent_away: bool,
}

/// An attacker's place.
#[derive(Debug)]
pub struct Attacker {
    address: Multiaddr,
    network: NetworkId,
    topic: IdentTopic,
    names: u64,
}

/// In a frame's header: another frame follows.
pub const MORE: u32 = 1 << 31;

/// A message as the node's framing has it: cut into frames, each behind its length.
#[must_use]
pub fn framed(body: &[u8]) -> Vec<u8> {
    let (mut wire, mut rest) = (Vec::with_capacity(body.len() + 32), body);
    loop {
        let (frame, behind) = rest.split_at(rest.len().min(SYNC_FRAME_BYTES_MAX));
        let length = u32::try_from(frame.len()).expect("frames are short");
        let header = if behind.is_empty() { length } else { length | MORE };
        wire.extend_from_slice(&header.to_le_bytes());
        wire.extend_from_slice(frame);
        if behind.is_empty() {
            return wire;
        }
        rest = behind;
    }
}

impl Attacker {
    /// Against the node at an address, on a board.
    ///
    /// # Panics
    ///
    /// If the address is none.
    #[must_use]
    pub fn new(address: &str, network: NetworkId, board: SpaceId) -> Self {
        let address = address.parse().expect("a node's own address");
        let topic = IdentTopic::new(roda_protocol::gossip::board_topic(&network, board));
        Self { address, network, topic, names: 0 }
    }

    /// Connects under a new name, does what the wave says, and leaves when all is done, or when it is sent away.
    pub async fn send(&mut self, wave: Wave) -> Outcome {
        let mut outcome = Outcome::default();
        // Whatever was done until then counts.
        let time_max = wave.lasts.unwrap_or(WAVE_TIME_MAX);
        let _ = tokio::time::timeout(time_max, self.run(wave, &mut outcome)).await;
        outcome
    }

    async fn run(&mut self, wave: Wave, outcome: &mut Outcome) {
        let mut swarm = self.swarm();
        swarm.behaviour_mut().gossip.subscribe(&self.topic).expect("nothing filters it");
        swarm.dial(self.address.clone()).expect("an address can be dialled");
        let mut work = Work {
            gossip: wave.gossip.into(),
            requests: wave.requests.into(),
            answers: wave.answers,
            lie: wave.lie,
            under_way: 0,
            node: None,
            listens: false,
        };
        let (mut seen, mut changed) = (*outcome, Instant::now());
        while !work.is_done() || changed.elapsed() < QUIET {
            work.go_on(&mut swarm, &self.topic, outcome);
            if let Ok(event) = tokio::time::timeout(LOOK_INTERVAL, swarm.select_next_some()).await
                && work.hear(&mut swarm, event, outcome)
            {
                return;
            }
            if seen != *outcome {
                (seen, changed) = (*outcome, Instant::now());
            }
        }
    }

    fn swarm(&mut self) -> Swarm<Rules> {
        self.names += 1;
        let mut seed = [0xa7; 32];
        seed[..8].copy_from_slice(&self.names.to_le_bytes());
        let key = Keypair::ed25519_from_bytes(seed).expect("32 bytes are a seed");
        let network = data_encoding::HEXLOWER.encode(&self.network.0[..8]);
        let gossip = gossipsub::ConfigBuilder::default()
            .validation_mode(ValidationMode::Anonymous)
            .max_transmit_size(GOSSIP_BYTES_MAX)
            .message_id_fn(|message| gossipsub::MessageId::new(&roda_protocol::gossip::message_id(&message.data)))
            .heartbeat_initial_delay(Duration::from_millis(100))
            .flood_publish(true)
            .build()
            .expect("these do not contradict each other");
        let sync = StreamProtocol::try_from_owned(format!("/roda/{network}/sync/1")).expect("it begins with a slash");
        let behaviour = Rules {
            identify: identify::Behaviour::new(identify::Config::new(format!("/roda/1/{network}"), key.public())),
            gossip: gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, gossip).expect("it is a configuration"),
            requests: request_response::Behaviour::new(
                [(sync, ProtocolSupport::Full)],
                request_response::Config::default(),
            ),
        };
        SwarmBuilder::with_existing_identity(key)
            .with_tokio()
            .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
            .expect("keys can shake hands")
            .with_behaviour(|_| Ok::<_, Box<dyn std::error::Error + Send + Sync>>(behaviour))
            .expect("it is given")
            .with_swarm_config(|config| config.with_idle_connection_timeout(WAVE_TIME_MAX))
            .build()
    }
}

#[derive(NetworkBehaviour)]
struct Rules {
    identify: identify::Behaviour,
    gossip: gossipsub::Behaviour,
    requests: request_response::Behaviour<AnyBytes>,
}

/// What is left of a wave.
struct Work {
    gossip: VecDeque<Vec<u8>>,
    requests: VecDeque<Vec<u8>>,
    answers: Vec<Vec<u8>>,
    lie: Option<Lie>,
    under_way: usize,
    node: Option<PeerId>,
    listens: bool,
}

impl Work {
    fn is_done(&self) -> bool {
        self.node.is_some() && self.gossip.is_empty() && self.requests.is_empty() && self.under_way == 0
    }

    fn go_on(&mut self, swarm: &mut Swarm<Rules>, topic: &IdentTopic, outcome: &mut Outcome) {
        let Some(node) = self.node else { return };
        while self.under_way < REQUESTS_MAX
            && let Some(bytes) = self.requests.pop_front()
        {
            swarm.behaviour_mut().requests.send_request(&node, bytes);
            self.under_way += 1;
        }
        while self.listens
            && let Some(bytes) = self.gossip.pop_front()
        {
            match swarm.behaviour_mut().gossip.publish(topic.clone(), bytes.clone()) {
                Ok(_) => outcome.published += 1,
                // The queue is full: later.
                Err(gossipsub::PublishError::AllQueuesFull(_)) => {
                    self.gossip.push_back([bytes, vec![0]].concat());
                    break;
                }
                Err(_) => {}
            }
        }
    }

    /// What answers the node's request of this number; silence if there is nothing to say.
    fn answer(&self, request: &[u8], number: usize) -> Option<Vec<u8>> {
        match self.lie {
            Some(lie) => Some(framed(&lie(&Request::from_bytes(request).ok()?).to_bytes())),
            None if self.answers.is_empty() => None,
            None => Some(self.answers[number % self.answers.len()].clone()),
        }
    }

    /// Whether this is the end.
    fn hear(&mut self, swarm: &mut Swarm<Rules>, event: SwarmEvent<RulesEvent>, outcome: &mut Outcome) -> bool {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => self.node = Some(peer_id),
            SwarmEvent::ConnectionClosed { num_established: 0, .. } | SwarmEvent::OutgoingConnectionError { .. } => {
                outcome.sent_away = true;
                return true;
            }
            SwarmEvent::Behaviour(RulesEvent::Gossip(gossipsub::Event::Subscribed { .. })) => self.listens = true,
            SwarmEvent::Behaviour(RulesEvent::Requests(event)) => match event {
                request_response::Event::Message { message, .. } => match message {
                    request_response::Message::Request { channel, request, .. } => {
                        if let Some(answer) = self.answer(&request, outcome.asked) {
                            // The node may have hung up.
                            let _ = swarm.behaviour_mut().requests.send_response(channel, answer);
                        }
                        outcome.asked += 1;
                    }
                    request_response::Message::Response { .. } => {
                        self.under_way -= 1;
                        outcome.answered += 1;
                    }
                },
                request_response::Event::OutboundFailure { .. } => {
                    self.under_way -= 1;
                    outcome.failed += 1;
                }
                _ => {}
            },
            _ => {}
        }
        false
    }
}

/// Writes what it is given and reads what comes, up to a bound of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AnyBytes;

impl Codec for AnyBytes {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, body: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&body).await?;
        io.flush().await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, body: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&body).await?;
        io.flush().await
    }
}

async fn read(io: &mut (impl AsyncRead + Unpin + Send)) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut header = [0; 4];
        io.read_exact(&mut header).await?;
        let header = u32::from_le_bytes(header);
        io.take(u64::from(header & !MORE)).read_to_end(&mut body).await?;
        if header & MORE == 0 {
            return Ok(body);
        }
    }
}
