//! What goes into the engine and what comes out: closed lists, data only.

use crate::engine::admit::{Admitted, Verdict};
use crate::engine::arrivals::Bringer;
use crate::engine::directory::FoundBoard;
use crate::engine::probes::MessageName;
use crate::peer::Peer;
use crate::store::{Index, Keep, LocalRecord};
use roda_protocol::id::{EventId, SpaceId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names a gossip message that waits for its judgement. Chosen by the network.
pub type Delivery = u64;

/// Names a question of this node's own API, or of a peer, that waits for its answer. Chosen by who asks.
pub type ReplyTo = u64;

/// Names a request or publication of the engine. Chosen by the engine.
pub type Token = u64;

/// Something happened.
#[derive(Debug)]
pub enum Input {
    /// A message came by gossip.
    Gossip {
        /// Who relayed it.
        peer: Peer,
        /// On which topic.
        topic: String,
        /// All its bytes.
        bytes: Vec<u8>,
        /// To be judged under this name.
        delivery: Delivery,
    },
    /// A peer of this network is connected.
    PeerUp {
        /// Which.
        peer: Peer,
        /// Where.
        address: String,
        /// The network of that address: what one owner is likely to have all of; none if it is nearby, or not known.
        network: Option<String>,
        /// Whether this node dialled.
        outbound: bool,
    },
    /// Another connection stands for a peer that is connected.
    PeerMoved {
        /// Which.
        peer: Peer,
        /// Where.
        address: String,
        /// The network of that address: what one owner is likely to have all of; none if it is nearby, or not known.
        network: Option<String>,
        /// Whether this node dialled.
        outbound: bool,
    },
    /// Its last connection closed.
    PeerDown {
        /// Which.
        peer: Peer,
    },
    /// A peer listens to a topic.
    Subscribed {
        /// Which peer.
        peer: Peer,
        /// Which topic.
        topic: String,
    },
    /// A peer no longer listens to a topic.
    Unsubscribed {
        /// Which peer.
        peer: Peer,
        /// Which topic.
        topic: String,
    },
    /// A ping came back.
    Latency {
        /// Whose.
        peer: Peer,
        /// Round trip.
        ms: u64,
    },
    /// Gossip for this peer was dropped: it does not take messages fast enough.
    Slow {
        /// Which.
        peer: Peer,
    },
    /// Further copies of messages came, each from a peer that the message had not come from before. Some may be left out.
    Copies {
        /// Who brought one, and of which message.
        copies: Vec<(Peer, MessageName)>,
    },
    /// Who is in this node's meshes now.
    Mesh {
        /// Peers, in any order.
        peers: Vec<Peer>,
    },
    /// Gossip from others was dropped for lack of room here.
    Missed,
    /// The network met a bug and starts anew: it knows no peer, topic, publication or request any more.
    NetworkRestarted,
    /// A peer asks.
    Asked {
        /// Who.
        peer: Peer,
        /// A `wire::Request`.
        body: Vec<u8>,
        /// To be answered under this name.
        reply: ReplyTo,
    },
    /// A request of the engine has ended.
    Answered {
        /// Which.
        token: Token,
        /// A `wire::Response`, or nothing: no answer came.
        body: Option<Vec<u8>>,
    },
    /// A publication of the engine has ended.
    Published {
        /// Which.
        token: Token,
        /// How.
        outcome: Publication,
    },
    /// This node's own people want something.
    Local {
        /// What.
        ask: Local,
        /// To be answered under this name.
        reply: ReplyTo,
    },
    /// Time has passed. Comes at least every [`super::TICK_MS`].
    Tick,
    /// The node is about to leave. Nothing comes after this.
    Leaving,
}

/// How a publication ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// At least one peer takes it.
    Sent,
    /// Nobody listens to the topic.
    NoPeers,
    /// It is lost to gossip: queues were full, or it had been published before.
    Lost,
}

/// An index that was just made.
pub struct EmptyIndex(pub Arc<dyn Index>);

impl std::fmt::Debug for EmptyIndex {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("EmptyIndex")
    }
}

/// What this node's own people want.
#[derive(Debug)]
pub enum Local {
    /// Keep the words of a board so long.
    Keep {
        /// Which.
        space: SpaceId,
        /// How long.
        keep: Keep,
    },
    /// Store and spread an own event.
    Write {
        /// The signed event.
        bytes: Vec<u8>,
    },
    /// Store events that were exported.
    Import {
        /// Each one's bytes.
        events: Vec<Vec<u8>>,
    },
    /// Follow a space.
    Follow {
        /// Which.
        space: SpaceId,
        /// The name of an open board; none for a charter board.
        open_name: Option<String>,
    },
    /// Follow it no longer.
    Unfollow {
        /// Which.
        space: SpaceId,
    },
    /// Tell others of a board, or don't.
    List {
        /// Which.
        space: SpaceId,
        /// Whether.
        is_on: bool,
    },
    /// Which boards do peers list?
    Directory,
    /// A thread was read.
    Read {
        /// Its post.
        root: EventId,
        /// Position of the last record that was shown.
        position: u64,
    },
    /// The reader has changed something of its own: rules, marks.
    Note {
        /// What.
        records: Vec<LocalRecord>,
    },
    /// A reader met holes.
    Want {
        /// The board.
        space: SpaceId,
        /// What is missing.
        ids: Vec<EventId>,
    },
    /// Compare with every connected follower, now.
    Sync {
        /// One board, or all.
        space: Option<SpaceId>,
        /// Milliseconds to wait for the comparisons at most.
        wait_ms: u64,
    },
    /// Which peers are connected?
    Peers,
    /// How far are own events?
    Delivery {
        /// Which.
        id: EventId,
    },
    /// Counters by name.
    Counters,
    /// Who brought this event first?
    Bringer {
        /// Which.
        id: EventId,
    },
    /// How much did who bring first?
    FirstDeliveries,
    /// How many bytes came from whom and went to whom?
    Traffic,
    /// Nothing. Answered when the index is whole: at once, if it is not being made.
    Whole,
    /// Derive the whole index from the log again, into this empty one. Answered when it is whole.
    Rebuild {
        /// An index without a row.
        empty: EmptyIndex,
    },
    /// These damaged places of the log were told to people, and what stood there is asked from peers.
    Repaired {
        /// Start and length of each.
        damaged: Vec<(u64, u64)>,
    },
    /// Ask peers for events whose records in the log are damaged.
    FetchLost,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// From now on this is to be said of how complete a board is; the default of those of which nothing was said. Readers
    /// look at what was said last, and do not wait for the engine.
    Completeness {
        /// Which.
        space: SpaceId,
        /// How complete it is.
        said: Completeness,
    },
    /// Tell gossip what a message is worth.
    Judge {
        /// Which message.
        delivery: Delivery,
        /// What it is worth.
        judgement: Judgement,
    },
    /// Publish.
    Publish {
        /// Where.
        topic: String,
        /// What.
        bytes: Vec<u8>,
        /// To be reported under this name.
        token: Token,
    },
    /// Listen to a topic.
    Subscribe {
        /// Which.
        topic: String,
    },
    /// Listen to it no longer.
    Unsubscribe {
        /// Which.
        topic: String,
    },
    /// Ask a peer.
    Request {
        /// Whom.
        peer: Peer,
        /// A `wire::Request`.
        body: Vec<u8>,
        /// To be reported under this name.
        token: Token,
    },
    /// Answer a peer.
    Respond {
        /// Which question.
        reply: ReplyTo,
        /// A `wire::Response`.
        body: Vec<u8>,
    },
    /// End the connections to a peer.
    Disconnect {
        /// Whom.
        peer: Peer,
        /// Why, for the log.
        reason: String,
    },
    /// Let a peer lose points in gossip's score, or have them back.
    Mark {
        /// Whom.
        peer: Peer,
        /// Whether it lacks what others bring.
        lacks: bool,
    },
    /// Answer own people.
    Reply {
        /// Which question.
        reply: ReplyTo,
        /// The answer.
        answer: Answer,
    },
    /// The index is damaged: make an empty one and give it back as [`Local::Rebuild`].
    ReplaceIndex,
    /// The index is whole again.
    Remade {
        /// Records of the log that it was made from.
        records: u64,
        /// Damaged ones that were met.
        damaged: u64,
    },
    /// Tell whoever follows the node.
    Emit(Notice),
}

/// What a gossip message is worth to the peers that relay it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Valid and new: relay it.
    Accept,
    /// Not relayed, and nobody's fault.
    Ignore,
    /// Malformed or forged: the relayer's fault.
    Reject,
}

/// An answer to own people.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// To `Write`: on disk, or why not.
    Written(Verdict),
    /// To `Import`: a verdict for each event.
    Imported(Vec<Verdict>),
    /// Done.
    Done,
    /// To `Sync`.
    Synced(Vec<SyncSummary>),
    /// To `Peers`.
    Peers(Vec<PeerInfo>),
    /// To `Delivery`: whether it was sent, and peers that hold it.
    Delivery {
        /// Whether a peer took it.
        sent: bool,
        /// Distinct peers that confirmed it.
        held_by: u32,
    },
    /// To `Directory`.
    Directory(Vec<FoundBoard>),
    /// To `Counters`.
    Counters {
        /// Counters by name.
        counters: BTreeMap<String, u64>,
        /// What the disk did not do, if it failed since the node started.
        storage_problem: Option<String>,
    },
    /// To `Bringer`; nothing: that is not remembered.
    Bringer(Option<Bringer>),
    /// To `FirstDeliveries`.
    FirstDeliveries(Vec<FirstDeliveries>),
    /// To `Traffic`.
    Traffic(Vec<Traffic>),
    /// The disk does not do what it should.
    Storage(String),
}

/// What a peer brought first of a space, since the node started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstDeliveries {
    /// The space.
    pub space: SpaceId,
    /// Who; nobody: all peers that are not told apart.
    pub peer: Option<Peer>,
    /// Events.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Bytes that came from a peer and went to it, since the node started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Who; nobody: all peers that are not told apart.
    pub peer: Option<Peer>,
    /// Bytes of messages, requests and answers that came from it.
    pub received: u64,
    /// Bytes of requests and answers that went to it.
    pub sent: u64,
}

/// A board after comparisons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncSummary {
    /// The board.
    pub space: Option<SpaceId>,
    /// Followers that were asked.
    pub peers_asked: u32,
    /// Those whose set was equal in the end.
    pub peers_equal: u32,
    /// Events received.
    pub received: u64,
    /// Events sent.
    pub sent: u64,
    /// Requests that were answered.
    pub rounds: u64,
    /// Bytes of requests and responses.
    pub bytes: u64,
}

/// A connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Which.
    pub peer: Peer,
    /// Where.
    pub address: String,
    /// Whether this node dialled.
    pub outbound: bool,
    /// Since when, unix milliseconds.
    pub since_ms: u64,
    /// Round trip of the last ping.
    pub latency_ms: Option<u64>,
    /// Boards that both follow.
    pub boards: Vec<SpaceId>,
}

/// How complete a board is, as far as this node can say truthfully. Comparisons are those with the peers that are
/// connected now; each speaks of the sets as they were then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completeness {
    /// Peers that were compared with.
    pub peers_asked: u32,
    /// Peers whose set was equal in their last comparison.
    pub peers_equal: u32,
    /// When the oldest of these comparisons took place, unix milliseconds; 0: there is none.
    pub checked_ms: u64,
    /// Events that others name or list and that are being asked for, at most [`super::MISSING_MAX`] of them.
    pub missing: Vec<EventId>,
    /// Known events whose records in the log are damaged.
    pub lost: u64,
}

/// News for whoever follows the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An event was judged, and is new.
    Judged {
        /// What it is and where it belongs.
        event: Admitted,
        /// Held or declined.
        verdict: Verdict,
    },
    /// A peer came.
    PeerUp {
        /// Which.
        peer: Peer,
        /// Where.
        address: String,
    },
    /// A peer went.
    PeerDown {
        /// Which.
        peer: Peer,
    },
    /// An own event got further.
    Delivered {
        /// Which.
        id: EventId,
        /// Distinct peers that confirmed it.
        held_by: u32,
    },
}
