//! Attacks by what peers tell of peers: addresses that were made up, and a majority that knows only itself.
//!
//! These are whole libp2p peers under lasting names: they listen, dial the node as often as it lets them, take part in
//! gossip and answer what they are asked. What they say of others is their own choice.

use super::crowd::{Crowd, Pace};
use crate::attacker::{AnyBytes, framed};
use futures::prelude::*;
use libp2p::core::SignedEnvelope;
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, ValidationMode};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Message, ProtocolSupport, ResponseChannel};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, identify, noise, tcp, yamux};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Peers that make addresses up.
const LIARS: usize = 20;

/// Messages of made-up records that each sends in a second.
const LIES_PER_SECOND: f64 = 50.0;

/// Peers of the majority: a third more than a node has places for peers that come in.
const MAJORITY: usize = 128;

/// How often each of these tells the node of others, as far as it listens.
const TELLS_PER_SECOND: f64 = 2.0;

/// Records of others in an answer: as many as one may hold.
const RECORDS_PER_ANSWER: usize = 8;

/// Records in a request: as many as one may hold.
const RECORDS_PER_REQUEST: usize = 2;

/// Addresses in a record: as many as one may hold.
const PLACES_PER_RECORD: usize = 8;

/// How long a peer rests before it dials the node again.
const REST: Duration = Duration::from_millis(200);

/// What a peer says, each time that it says something: records, as they are signed.
type Tale = Arc<dyn Fn() -> Vec<Vec<u8>> + Send + Sync>;

pub(super) async fn poisoned_exchange(crowd: Crowd) {
    let tale: Tale = Arc::new(|| (0..RECORDS_PER_ANSWER).map(|_| invented()).collect());
    let liars =
        (0..LIARS).map(|_| Liar::new(&crowd, Keypair::generate_ed25519()).run(Arc::clone(&tale), LIES_PER_SECOND));
    future::join_all(liars.map(tokio::spawn)).await.into_iter().for_each(|end| end.expect("an attacker has no bug"));
}

/// A true signature of somebody who does not exist, at addresses of this machine: the node on loopback takes them for
/// neighbours.
fn invented() -> Vec<u8> {
    let key = Keypair::generate_ed25519();
    let name = key.public().to_peer_id().to_bytes();
    let place = |random: &[u8]| {
        let [host, high, low] = [random[0], random[1] | 0x80, random[2]];
        format!("/ip4/127.0.0.{host}/tcp/{}", u16::from_be_bytes([high, low])).parse().expect("it is an address")
    };
    let places: Vec<Multiaddr> = name.rchunks_exact(3).take(PLACES_PER_RECORD).map(place).collect();
    record(&key, &places)
}

pub(super) async fn eclipse(crowd: Crowd) {
    // All know one another, and speak of nobody else.
    let known: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let tale: Tale = {
        let (known, turn) = (Arc::clone(&known), AtomicUsize::new(0));
        Arc::new(move || {
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            let first = turn.fetch_add(RECORDS_PER_ANSWER, Ordering::Relaxed) % known.len().max(1);
            known.iter().cycle().skip(first).take(RECORDS_PER_ANSWER.min(known.len())).cloned().collect()
        })
    };
    let peers = (0..MAJORITY).map(|_| {
        let mut liar = Liar::new(&crowd, Keypair::generate_ed25519());
        let (known, tale) = (Arc::clone(&known), Arc::clone(&tale));
        tokio::spawn(async move {
            let place = liar.listen().await;
            known.lock().unwrap_or_else(PoisonError::into_inner).push(record(&liar.key, &[place]));
            liar.run(tale, TELLS_PER_SECOND).await;
        })
    });
    future::join_all(peers).await.into_iter().for_each(|end| end.expect("an attacker has no bug"));
}

/// A peer that says what it likes.
struct Liar {
    crowd: Crowd,
    key: Keypair,
    swarm: Swarm<Rules>,
    node: Option<PeerId>,
    since: Instant,
}

impl Liar {
    fn new(crowd: &Crowd, key: Keypair) -> Self {
        Self { swarm: swarm(crowd, &key), crowd: crowd.clone(), key, node: None, since: Instant::now() }
    }

    /// Listens on a port of its own. Returns where.
    async fn listen(&mut self) -> Multiaddr {
        let anywhere = "/ip4/127.0.0.1/tcp/0".parse().expect("it is an address");
        self.swarm.listen_on(anywhere).expect("loopback can be listened on");
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = self.swarm.select_next_some().await {
                return address;
            }
        }
    }

    /// Is connected with the node as far as it is let, and tells it the tale.
    async fn run(mut self, tale: Tale, per_second: f64) {
        let end = self.crowd.end;
        let (mut pace, mut dials) = (Pace::new(per_second), true);
        while Instant::now() < end {
            if std::mem::take(&mut dials) && self.node.is_none() {
                // An error means that a dial is under way.
                let _ = self.swarm.dial(self.crowd.address.clone());
            }
            tokio::select! {
                () = tokio::time::sleep_until(end.into()) => return,
                () = tokio::time::sleep(REST), if self.node.is_none() => dials = true,
                () = pace.next(), if self.node.is_some() => {
                    if let Some(node) = self.node {
                        let told: Vec<_> = tale().into_iter().take(RECORDS_PER_REQUEST).collect();
                        let bytes = framed(&message(&told));
                        self.swarm.behaviour_mut().exchange.send_request(&node, bytes);
                        self.crowd.tally.sent(1);
                    }
                }
                event = self.swarm.select_next_some() => self.hear(event, &tale),
            }
        }
    }

    fn hear(&mut self, event: SwarmEvent<RulesEvent>, tale: &Tale) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                if self.node.is_none() && endpoint.is_dialer() {
                    self.crowd.tally.begun();
                }
                self.since = Instant::now();
                self.node = Some(peer_id);
            }
            SwarmEvent::ConnectionClosed { num_established: 0, .. } => {
                self.node = None;
                self.crowd.tally.ended(self.since.elapsed());
            }
            SwarmEvent::Behaviour(RulesEvent::Exchange(request_response::Event::Message {
                message: Message::Request { channel, .. },
                ..
            })) => self.answer(channel, tale),
            _ => {}
        }
    }

    fn answer(&mut self, channel: ResponseChannel<Vec<u8>>, tale: &Tale) {
        self.crowd.tally.sent(1);
        // The node may have hung up.
        let _ = self.swarm.behaviour_mut().exchange.send_response(channel, framed(&message(&tale())));
    }
}

fn swarm(crowd: &Crowd, key: &Keypair) -> Swarm<Rules> {
    let network = data_encoding::HEXLOWER.encode(&crowd.network.0[..8]);
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        // What comes is never judged, and so never passed on.
        .validate_messages()
        .message_id_fn(|message| gossipsub::MessageId::new(&roda_protocol::gossip::message_id(&message.data)))
        .build()
        .expect("these do not contradict each other");
    let mut gossip = gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, config).expect("it is a configuration");
    gossip.subscribe(&IdentTopic::new(crowd.topic())).expect("nothing filters it");
    let name = StreamProtocol::try_from_owned(format!("/roda/{network}/peers/1")).expect("it begins with a slash");
    let exchange =
        request_response::Behaviour::new([(name, ProtocolSupport::Full)], request_response::Config::default());
    let identify = identify::Behaviour::new(identify::Config::new(format!("/roda/1/{network}"), key.public()));
    SwarmBuilder::with_existing_identity(key.clone())
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .expect("keys can shake hands")
        .with_behaviour(|_| Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Rules { identify, gossip, exchange }))
        .expect("it is given")
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3600)))
        .build()
}

#[derive(NetworkBehaviour)]
struct Rules {
    identify: identify::Behaviour,
    gossip: gossipsub::Behaviour,
    exchange: request_response::Behaviour<AnyBytes>,
}

/// A record as the specification has it: who, when and where, signed.
fn record(key: &Keypair, places: &[Multiaddr]) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    let mut payload = super::frames::field(1, &key.public().to_peer_id().to_bytes());
    payload.push(2 << 3);
    super::frames::varint(u64::try_from(now).unwrap_or(u64::MAX), &mut payload);
    for place in places {
        payload.extend(super::frames::field(3, &super::frames::field(1, &place.to_vec())));
    }
    let envelope = SignedEnvelope::new(key, "libp2p-peer-record".to_owned(), vec![0x03, 0x01], payload);
    envelope.expect("the key can sign").into_protobuf_encoding()
}

/// A message of the exchange.
fn message(records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(records.len()).expect("a few")];
    for record in records {
        bytes.extend(u16::try_from(record.len()).expect("a record is short").to_le_bytes());
        bytes.extend(record);
    }
    bytes
}
