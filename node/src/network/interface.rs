//! The words that this adapter and the rest of the node exchange. No word of libp2p is among them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::proxy::Proxy;
use super::reachability::Proof;
use crate::engine::{Judgement, MessageName};
use crate::peer::Peer;
use libp2p::PeerId;
use libp2p::gossipsub::MessageId;
use libp2p::request_response::ResponseChannel;
use tokio::sync::oneshot;

impl From<PeerId> for Peer {
    fn from(id: PeerId) -> Self {
        Self::new(&id.to_string())
    }
}

/// The libp2p name of a peer; `None` if a name did not come from here.
pub(super) fn id_of(peer: &Peer) -> Option<PeerId> {
    peer.as_str().parse().ok()
}

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// The ed25519 seed of the *network* key. Never an author's key: a PeerId is seen together with an IP address.
    pub key_seed: [u8; 32],
    /// Which network to be part of. Nodes of different networks don't stay connected.
    pub network_id: [u8; 32],
    /// Multiaddrs to listen on. Empty: every IPv4 and, where there is one, IPv6 interface, on a free port.
    pub listen: Vec<String>,
    /// Whether to find and be found by peers on the local network through multicast DNS.
    pub mdns: bool,
    /// A proxy that is the only way out: nothing leaves this node but TCP through it. Then nothing is listened on, unless
    /// it is loopback and configured, and there is no multicast, relaying, hole punching or port mapping.
    pub proxy: Option<Proxy>,
    /// Whether to look for further peers at all: on the local network, through peers and in the DHT. If not, only those
    /// that a person names, and those that come by themselves, are met.
    pub discover: bool,
    /// Whether to look for others in the DHT, and to serve it while this node can be reached. Never behind a proxy.
    pub dht: bool,
    /// Whether to relay for others, in bounds, when this node can be reached.
    pub relay: bool,
    /// Whether to ask the router for a port (UPnP).
    pub upnp: bool,
    /// Where to remember peers between runs.
    pub address_book: Option<PathBuf>,
    /// Multiaddrs that are dialled at start, and again for ever whenever they aren't connected.
    pub connect: Vec<String>,
    /// Multiaddrs that are dialled while hardly any peers are connected. None of them is needed.
    pub bootstrap: Vec<String>,
    /// Name and version of the program, told to peers.
    pub agent: String,
}

/// A claim on one message that waits for its judgement. It is spent by [`Command::Judge`], hence one judgement each.
///
/// An unjudged message is not forwarded and is forgotten after 12 heartbeats (12 s).
#[derive(Debug)]
pub struct Delivery(pub(super) Box<Claim>);

#[cfg(test)]
impl Delivery {
    /// A claim on a message that never was, for tests of what lies behind the network.
    pub(crate) fn of_nobody() -> Self {
        Self(Box::new(Claim { message: MessageId::new(&[]), source: PeerId::random() }))
    }
}

/// What gossip knows a message by. Boxed, so that events stay small to hand back.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) message: MessageId,
    pub(super) source: PeerId,
}

/// The right to answer one request. Dropping it tells the peer at once that there will be no answer.
#[derive(Debug)]
pub struct ReplyToken(pub(super) ResponseChannel<Vec<u8>>);

/// What the rest of the node asks of the network.
#[derive(Debug)]
pub enum Command {
    /// Joins a topic.
    Subscribe {
        /// The topic; it begins with [`TOPIC_PREFIX`](super::TOPIC_PREFIX).
        topic: String,
    },
    /// Leaves a topic.
    Unsubscribe {
        /// The topic.
        topic: String,
    },
    /// Publishes a message. Answered by [`Event::Published`].
    Publish {
        /// The topic.
        topic: String,
        /// At most [`MESSAGE_BYTES_MAX`](super::MESSAGE_BYTES_MAX) bytes.
        bytes: Vec<u8>,
        /// Comes back in the answer.
        token: u64,
    },
    /// Settles a received message. Too late is harmless.
    Judge {
        /// Which message.
        delivery: Delivery,
        /// What to do with it.
        verdict: Judgement,
    },
    /// Asks a connected peer. Answered by [`Event::Response`].
    Request {
        /// Whom.
        peer: Peer,
        /// Comes back in the answer.
        token: u64,
        /// At most [`REQUEST_BYTES_MAX`](super::REQUEST_BYTES_MAX) bytes.
        body: Vec<u8>,
    },
    /// Answers a peer's request. A body over [`RESPONSE_BYTES_MAX`](super::RESPONSE_BYTES_MAX) is not sent: the peer
    /// sees a refusal.
    Respond {
        /// Which request.
        reply: ReplyToken,
        /// The answer.
        body: Vec<u8>,
    },
    /// Connects to an address.
    Dial {
        /// A multiaddr such as `/ip4/192.0.2.1/tcp/4001`, with or without `/p2p/PEER`.
        address: String,
        /// Told within 10 s: the peer, once it is connected and known to be of this network, or the reason why not.
        reply: oneshot::Sender<Result<Peer, String>>,
    },
    /// Tells how the network stands.
    Report {
        /// Told at the next turn.
        reply: oneshot::Sender<Report>,
    },
    /// Notes an address that a person was given: its peer is not forgotten, however often it can't be reached, until the
    /// time is over.
    Vouch {
        /// A multiaddr with `/p2p/PEER`; one without says nothing.
        address: String,
        /// Unix milliseconds.
        until_ms: u64,
    },
    /// Closes all connections to a peer that misbehaved, and doesn't want it or its host back: for an hour, then for two,
    /// and so on up to a day. A near one is neither dialled nor let in for ten minutes, and no more. A dial that is asked for pardons.
    Disconnect {
        /// Whom.
        peer: Peer,
        /// Why; for the log.
        reason: String,
    },
    /// Takes points from a peer that lacks what others bring, or gives them back.
    Mark {
        /// Whom.
        peer: Peer,
        /// Whether it does.
        lacks: bool,
    },
    /// Closes everything, saves the address book and ends.
    Shutdown,
    /// Behaves as a bug would.
    #[cfg(test)]
    Panic,
}

/// What the network tells the rest of the node.
///
/// `PeerUp` comes before anything else about a peer and `PeerDown` after everything else. Whoever does not keep up is
/// told where things stand, not how they got there: a peer that came and went in the meantime is not mentioned, and
/// neither are interim subscriptions.
#[derive(Debug)]
pub enum Event {
    /// The node can be reached here.
    Listening {
        /// With `/p2p/PEER` at its end: what another node needs to connect.
        address: String,
    },
    /// The node can no longer be reached here.
    NotListening {
        /// As it was in `Listening`.
        address: String,
    },
    /// A peer is connected and has shown that it is of this network.
    PeerUp {
        /// Who.
        peer: Peer,
        /// The remote end of the connection, with `/p2p/PEER`.
        address: String,
        /// Whether this node dialled.
        outbound: bool,
    },
    /// The connection that `PeerUp` or the last `PeerMoved` spoke of has closed, and another one stands for the peer now.
    PeerMoved {
        /// Who.
        peer: Peer,
        /// The remote end of that connection, with `/p2p/PEER`.
        address: String,
        /// Whether this node dialled.
        outbound: bool,
    },
    /// The last connection to a peer has closed.
    PeerDown {
        /// Who.
        peer: Peer,
    },
    /// A peer has joined a topic.
    Subscribed {
        /// Who.
        peer: Peer,
        /// What.
        topic: String,
    },
    /// A peer has left a topic.
    Unsubscribed {
        /// Who.
        peer: Peer,
        /// What.
        topic: String,
    },
    /// A message has arrived and waits for [`Command::Judge`].
    Message {
        /// Who relayed it, which says nothing about who wrote it.
        peer: Peer,
        /// On which topic.
        topic: String,
        /// The message.
        bytes: Vec<u8>,
        /// To judge it with.
        delivery: Delivery,
    },
    /// Messages came from these peers: the first copy of each, and further ones. Told a few times a second, and dropped when
    /// the inbox has no room.
    Copies {
        /// Who brought one, and of which message.
        copies: Vec<(Peer, MessageName)>,
    },
    /// These peers are in this node's meshes. Told every minute, and dropped when the inbox has no room.
    Mesh {
        /// In any order.
        peers: Vec<Peer>,
    },
    /// What became of [`Command::Publish`]: handed to at least one peer's queue, or why not.
    Published {
        /// The command's token.
        token: u64,
        /// Success says nothing of arrival.
        result: Result<(), PublishFailure>,
    },
    /// A peer asks, and waits at most 20 s.
    Request {
        /// Who.
        peer: Peer,
        /// What.
        body: Vec<u8>,
        /// To answer with.
        reply: ReplyToken,
    },
    /// What became of [`Command::Request`].
    Response {
        /// The command's token.
        token: u64,
        /// The answer, or why there is none.
        result: Result<Vec<u8>, RequestFailure>,
    },
    /// The network met a bug and starts anew. It has forgotten every peer, topic, publication and request: no further event
    /// will speak of those that were told before.
    Restarted,
    /// A round trip was measured. Dropped when the inbox is full.
    Latency {
        /// To whom.
        peer: Peer,
        /// Milliseconds.
        ms: u64,
    },
    /// Messages for a peer were dropped because it doesn't take them fast enough: a reason to reconcile with it.
    /// Dropped when the inbox is full.
    SlowPeer {
        /// Who.
        peer: Peer,
        /// How many messages since the last heartbeat.
        messages: usize,
    },
}

/// Whether others can reach this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reachability {
    /// The network is on this machine alone, and so are its nodes.
    Machine,
    /// Behind a proxy on purpose.
    Hidden,
    /// Nothing has shown it yet, one way or the other.
    Unknown,
    /// Others have dialled this node.
    Public,
    /// Not directly, as it seems, but through relays.
    Relayed,
    /// Others tried to dial this node, and failed.
    Unreachable,
}

impl Reachability {
    /// One word, for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Hidden => "hidden",
            Self::Unknown => "unknown",
            Self::Public => "public",
            Self::Relayed => "relayed",
            Self::Unreachable => "unreachable",
        }
    }
}

/// How this node takes part in the DHT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dht {
    /// Not at all: it is switched off, or there is a proxy.
    Off,
    /// It asks: nobody can reach it to ask in turn.
    Asks,
    /// It asks and answers.
    Serves,
}

/// Pages of the address book.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tables {
    /// Peers of the world that were heard of.
    pub new: usize,
    /// Those that this node has reached.
    pub tried: usize,
    /// Peers on this machine and site.
    pub near: usize,
    /// Peers that are dialled first after a restart.
    pub anchors: usize,
}

/// Where peers were found since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// In the address book of the last run.
    pub cached: u64,
    /// By multicast.
    pub lan: u64,
    /// In the DHT.
    pub dht: u64,
    /// Through other peers, or by their own word.
    pub exchange: u64,
    /// By an address that a person gave.
    pub asked: u64,
}

/// How the network stands: facts for people.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether others can reach this node.
    pub reachability: Reachability,
    /// Addresses at which it was reached, each with how that is known.
    pub confirmed: Vec<(String, Proof)>,
    /// Addresses that others tried to dial in vain.
    pub refuted: u32,
    /// Relays that hold a place for this node.
    pub relays: Vec<Peer>,
    /// Addresses that it listens on, with `/p2p/PEER`; those through relays, too.
    pub listen: Vec<String>,
    /// Peers in the address book.
    pub known: usize,
    /// Those of them that this node has reached.
    pub reached: usize,
    /// The tables in which they stand.
    pub book: Tables,
    /// Where they were found.
    pub found: Found,
    /// The DHT.
    pub dht: Dht,
    /// Peers that its lookups start from.
    pub routing: usize,
    /// Who follows what, kept for others: rows.
    pub providers: usize,
    /// Dials that failed last, newest last, at most 16: where, and why.
    pub failures: Vec<(String, String)>,
    /// Whether multicast is used.
    pub mdns: bool,
    /// The proxy.
    pub proxy: Option<String>,
    /// How often the network met a bug and was started anew.
    pub restarts: u64,
    /// This node's clock less the middle one of its peers', milliseconds; none while no peer has told the time.
    pub clock_ahead_ms: Option<i64>,
    /// Connections in and out.
    pub inbound: usize,
    /// See `inbound`.
    pub outbound: usize,
}

/// Why a message was not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishFailure {
    /// Nobody who is connected follows the topic. May be tried again.
    #[error("no connected peer follows this topic")]
    NoPeers,
    /// Every peer's queue is full. Gossip counts the message as seen, so that trying again yields `Duplicate`:
    /// only reconciliation spreads it now.
    #[error("the queues to all peers are full")]
    QueuesFull,
    /// Gossip has seen these very bytes in the last five minutes.
    #[error("this message has been published before")]
    Duplicate,
    /// Over [`MESSAGE_BYTES_MAX`](super::MESSAGE_BYTES_MAX).
    #[error("the message is larger than the network carries")]
    TooLarge,
    /// Anything else.
    #[error("the message could not be published")]
    Other,
}

/// Why a request was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestFailure {
    /// The peer isn't connected; requests don't dial.
    #[error("the peer is not connected")]
    NotConnected,
    /// Too many requests are under way from this node.
    #[error("too many requests are under way")]
    Busy,
    /// The request is over [`REQUEST_BYTES_MAX`](super::REQUEST_BYTES_MAX).
    #[error("the request is larger than the network carries")]
    TooLarge,
    /// No whole answer within 20 s.
    #[error("the peer did not answer in time")]
    Timeout,
    /// The connection closed first.
    #[error("the connection closed before the answer")]
    Closed,
    /// The peer doesn't speak this network's protocol.
    #[error("the peer does not speak this protocol")]
    Unsupported,
    /// The peer ended the exchange without an answer: it is busy or does not want to.
    #[error("the peer gave no answer")]
    Refused,
    /// The answer broke the framing, or was over [`RESPONSE_BYTES_MAX`](super::RESPONSE_BYTES_MAX).
    #[error("the peer's answer was malformed or too large")]
    Malformed,
}

/// Where events go. It must not block: the network waits for no one. Clones lead to the same place.
///
/// # Errors
/// A full inbox gives the event back. The network then answers a message with *ignore*, drops a request's reply
/// (both are counted in [`Counters`]) and keeps everything else until there is room.
pub trait Inbox: Clone + Send + 'static {
    /// Takes an event or gives it back.
    ///
    /// # Errors
    /// The event itself, when there is no room.
    fn deliver(&mut self, event: Event) -> Result<(), Event>;
}

impl Inbox for tokio::sync::mpsc::Sender<Event> {
    fn deliver(&mut self, event: Event) -> Result<(), Event> {
        self.try_send(event).map_err(|error| error.into_inner())
    }
}

/// What the network counts since the start: above all what was given up for lack of room.
#[derive(Debug, Default)]
pub struct Counters {
    messages_ignored: AtomicU64,
    gossip_copies: AtomicU64,
    requests_refused: AtomicU64,
    restarts: AtomicU64,
    exchange_refused: AtomicU64,
    peers_sent_away: AtomicU64,
}

impl Counters {
    /// Messages answered with *ignore* because the inbox was full. Reconciliation brings what they held.
    #[must_use]
    pub fn messages_ignored(&self) -> u64 {
        self.messages_ignored.load(Ordering::Relaxed)
    }

    /// Messages that peers sent on topics of this node, each as often as it came.
    #[must_use]
    pub fn gossip_copies(&self) -> u64 {
        self.gossip_copies.load(Ordering::Relaxed)
    }

    pub(super) fn count_copy(&self) {
        self.gossip_copies.fetch_add(1, Ordering::Relaxed);
    }

    /// Peers' requests refused because the inbox was full.
    #[must_use]
    pub fn requests_refused(&self) -> u64 {
        self.requests_refused.load(Ordering::Relaxed)
    }

    /// How often the network met a bug and was started anew.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(super) fn count_restart(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    /// What peers told of others and was not taken (forged, out of date, near, too much), and questions not answered.
    #[must_use]
    pub fn exchange_refused(&self) -> u64 {
        self.exchange_refused.load(Ordering::Relaxed)
    }

    pub(super) fn count_exchange(&self) {
        self.exchange_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Peers that were sent away for what they did, each as often as it came back.
    #[must_use]
    pub fn peers_sent_away(&self) -> u64 {
        self.peers_sent_away.load(Ordering::Relaxed)
    }

    pub(super) fn count_sent_away(&self) {
        self.peers_sent_away.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_message(&self) {
        self.messages_ignored.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_request(&self) {
        self.requests_refused.fetch_add(1, Ordering::Relaxed);
    }
}
