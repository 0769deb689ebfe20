//! Gossipsub's configuration. Every value that is not libp2p's default has its reason here.
//!
//! The receiver's limits decide what arrives, silently: `MESSAGE_BYTES_MAX`, `FRAME_BYTES_MAX`,
//! `CONTROL_BYTES_MAX` and `TOPICS_PER_PEER_MAX` are part of the network's rules, not a node's taste.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use libp2p::gossipsub::{
    Behaviour, Config, ConfigBuilder, IdentTopic, MaxCountSubscriptionFilter, MessageAuthenticity, MessageId,
    PeerScoreParams, PeerScoreThresholds, TopicHash, TopicScoreParams, TopicSubscriptionFilter, ValidationMode,
    score_parameter_decay,
};

use super::NetworkError;
use super::allowance::{OWN_PER_SECOND, POOL_PER_SECOND};
use super::behaviour::CONNECTIONS_MAX;
use super::conduct::LACKING_POINTS;
use super::interface::Counters;
use super::throttle::{Doorstep, Throttled};

/// What the name of every topic begins with; others are neither joined nor remembered.
pub use roda_protocol::gossip::TOPIC_PREFIX;

/// The longest name of a topic, in bytes. Names travel with every message: short ones pay.
pub const TOPIC_BYTES_MAX: usize = 64;

/// Topics that one peer may follow, and that one of its announcements may hold. A node follows at most 256 boards and
/// 16 author topics; one topic over the bound and *none* is learned (measured), hence the distance.
pub const TOPICS_PER_PEER_MAX: usize = 512;

/// The largest message, in bytes: an event of 64 KiB and room for an envelope.
pub const MESSAGE_BYTES_MAX: usize = 68 * 1024;

/// The largest frame, in bytes. The library compares its whole read buffer (a frame and up to 8 KiB of the next) with
/// this, and gives the stream up for good after five such errors (measured): twice the largest message and 16 KiB.
const FRAME_BYTES_MAX: usize = 256 * 1024;

/// The most control data in a frame, in bytes; announced topics count, and all of them travel in the first frame. Each
/// name in a list costs time, hence no more than that needs.
const CONTROL_BYTES_MAX: usize = 64 * 1024;

/// What one announced topic costs beside its name, in bytes: tags, lengths, the flag.
const ANNOUNCEMENT_OVERHEAD_BYTES: usize = 16;

const _: () = {
    assert!(FRAME_BYTES_MAX >= 2 * MESSAGE_BYTES_MAX + 16 * 1024);
    assert!(CONTROL_BYTES_MAX >= TOPICS_PER_PEER_MAX * (TOPIC_BYTES_MAX + ANNOUNCEMENT_OVERHEAD_BYTES));
    assert!(FRAME_BYTES_MAX >= CONTROL_BYTES_MAX);
    assert!(CONTROL_BYTES_MAX >= NAMES_MAX * MESSAGE_NAME_BYTES + TOPIC_BYTES_MAX + ANNOUNCEMENT_OVERHEAD_BYTES);
    assert!(HISTORY_HEARTBEATS as u64 * HEARTBEAT.as_secs() < DUPLICATE_MEMORY.as_secs());
    // What a node at all its bounds may remember of messages.
    let messages = (POOL_PER_SECOND + OWN_PER_SECOND * CONNECTIONS_MAX as i64) as u64 * DUPLICATE_MEMORY.as_secs();
    assert!(messages * REMEMBERED_MESSAGE_BYTES <= 200 * 1024 * 1024);
    // Nothing buys forgiveness: the best conduct on all topics weighs less than one invalid message.
    assert!(TOPICS_PER_PEER_MAX as f64 * TOPIC_SCORE_MAX < -INVALID_WEIGHT);
    // Whoever lacks what others bring is out of every mesh, whatever good it did, and is neither shut up nor sent away.
    assert!(LACKING_POINTS > ALL_TOPICS_SCORE_MAX && LACKING_POINTS < -NO_GOSSIP);
    // A crowd behind one address never falls silent for being one.
    let crowd = CONNECTIONS_MAX as f64 - CROWD;
    assert!(crowd * crowd * CROWD_WEIGHT > GRAYLIST);
};

/// Keeps the mesh, the scores and the message memory going.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The first heartbeat comes this much later than it would. The library waits 5 s; a new node's mesh needn't.
const HEARTBEAT_DELAY: Duration = Duration::from_millis(500);
/// How many heartbeats a message waits for its judgement, and can be asked for: 12 s.
const HISTORY_HEARTBEATS: usize = 12;
/// In how many heartbeats a message is announced to peers outside the mesh.
const HISTORY_ANNOUNCED_HEARTBEATS: usize = 3;
/// How long a message's bytes are known as seen. Loops need no longer one: an event that has been known for ten seconds is
/// not relayed, however long ago it came.
const DUPLICATE_MEMORY: Duration = Duration::from_secs(120);
/// What the library remembers of a message for that time, bytes: its name in three tables, and by whom it came.
const REMEMBERED_MESSAGE_BYTES: u64 = 420;
/// Names in one announcement or wish: a tenth of a second of all that a node reads.
const NAMES_MAX: usize = 1000;
/// What a name of a message takes in a frame, bytes.
const MESSAGE_NAME_BYTES: usize = 22;
/// After leaving a mesh, how long until it may be joined again. The default minute is what a small network waits when
/// someone unfollows and follows again.
const MESH_BACKOFF: Duration = Duration::from_secs(10);
/// Messages that wait for one peer: at most 8.5 MiB. The library's 5,000 would be 330 MiB. A peer that takes none keeps
/// its queue full, and a topic's mesh has up to 12 of such.
const QUEUE_MESSAGES_MAX: usize = 128;
/// Messages in one frame. This library sends one; others may batch small ones.
const MESSAGES_PER_FRAME_MAX: usize = 64;
/// Announcements from one peer between heartbeats. Each topic is one: the library's 10 leaves a peer that recovers on
/// 30 topics with the messages of 10 (measured).
const ANNOUNCEMENTS_MAX: usize = 1000;
/// Messages of at least this many bytes are worth telling neighbours not to send again; for small ones it costs more
/// than it saves (lighthouse 6437).
const DO_NOT_WANT_BYTES: usize = 1000;

/// Gossipsub with our filter of topics, read at our pace.
pub(super) type Gossip = Throttled<MaxCountSubscriptionFilter<OurTopics>>;

/// Lets only topics of this program through.
#[derive(Debug, Clone, Copy)]
pub(super) struct OurTopics;

impl TopicSubscriptionFilter for OurTopics {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        is_ours(topic.as_str())
    }
}

/// Whether a topic's name is one of this program's.
pub(super) fn is_ours(topic: &str) -> bool {
    topic.starts_with(TOPIC_PREFIX) && topic.len() <= TOPIC_BYTES_MAX
}

/// Makes the behaviour, which counts what it reads. Scores come later, with [`keep_scores`].
///
/// # Errors
/// When the library finds the configuration contradictory.
pub(super) fn behaviour(counters: Arc<Counters>) -> Result<Gossip, NetworkError> {
    let filter = MaxCountSubscriptionFilter {
        filter: OurTopics,
        max_subscribed_topics: TOPICS_PER_PEER_MAX,
        max_subscriptions_per_request: TOPICS_PER_PEER_MAX,
    };
    // Anonymous: an event carries its author's signature, and isn't tied to the node that relays it.
    let doorstep = Doorstep::new(MESSAGE_BYTES_MAX, counters);
    let authenticity = MessageAuthenticity::Anonymous;
    Behaviour::new_with_subscription_filter_and_transform(authenticity, config()?, filter, doorstep.clone())
        .map(|gossip| Throttled::new(gossip, doorstep))
        .map_err(|cause| NetworkError::Gossip { cause: cause.to_owned() })
}

fn config() -> Result<Config, NetworkError> {
    ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| message_id(&message.data))
        .heartbeat_interval(HEARTBEAT)
        .heartbeat_initial_delay(HEARTBEAT_DELAY)
        .mesh_n(6)
        .mesh_n_low(4)
        .mesh_n_high(12)
        .mesh_outbound_min(2)
        .gossip_lazy(6)
        .history_length(HISTORY_HEARTBEATS)
        .history_gossip(HISTORY_ANNOUNCED_HEARTBEATS)
        .duplicate_cache_time(DUPLICATE_MEMORY)
        .max_transmit_size(FRAME_BYTES_MAX)
        .max_control_message_size(CONTROL_BYTES_MAX)
        .max_ihave_messages_heartbeat(ANNOUNCEMENTS_MAX)
        .max_control_messages_sent(NAMES_MAX)
        .max_publish_messages(MESSAGES_PER_FRAME_MAX)
        .connection_handler_queue_len(QUEUE_MESSAGES_MAX)
        // Own messages go where relayed ones do: whoever is sent a message outside a mesh would know whose it is. A mesh
        // that is too small is topped up for the purpose, so that a new or a small network loses nothing.
        .flood_publish(false)
        .prune_backoff(MESH_BACKOFF)
        .unsubscribe_backoff(MESH_BACKOFF)
        .idontwant_message_size_threshold(DO_NOT_WANT_BYTES)
        .build()
        .map_err(|cause| NetworkError::Gossip { cause: cause.to_string() })
}

/// A message's name: a hash of *all* its bytes, so that a copy with a broken signature doesn't shadow the real one.
fn message_id(bytes: &[u8]) -> MessageId {
    MessageId::new(&roda_protocol::gossip::message_id(bytes))
}

/// Below this a peer is neither told nor asked for names of messages: two rejected messages.
const NO_GOSSIP: f64 = -100.0;
/// Below this own messages are not sent to a peer: four.
const NO_PUBLISHING: f64 = -200.0;
/// Below this nothing of a peer is listened to, and it is sent away: five rejected messages on one topic, eight on eight.
/// One could be a fault of memory or disk.
pub(super) const GRAYLIST: f64 = -400.0;

/// Weight of the square of invalid messages on one topic. Those that a judgement rejects cost [`super::conduct`]'s points
/// on top; these alone are for what the library finds invalid by itself.
const INVALID_WEIGHT: f64 = -10.0;
/// The best that a peer can do for its score on one topic. Being first is a matter of bandwidth, not of honesty.
const TOPIC_SCORE_MAX: f64 = 0.015;
/// And on all topics together: enough to prefer those that deliver, no more.
const ALL_TOPICS_SCORE_MAX: f64 = 5.0;

/// Peers behind one address that are nothing unusual: a household, a university, and all who come through one relay.
const CROWD: f64 = 8.0;
/// Weight of the square of more: a crowd loses its places in meshes, and nothing else.
const CROWD_WEIGHT: f64 = -0.014;

/// Promises of messages that may be broken at no cost. An honest peer breaks some while its queue is full.
const BROKEN_PROMISES: f64 = 20.0;

/// Starts keeping scores. Peers that share an address with others are suspected of being one; those on this machine's
/// own addresses are not.
///
/// # Errors
/// When the library finds the parameters contradictory.
pub(super) fn keep_scores(gossip: &mut Gossip, own: impl IntoIterator<Item = IpAddr>) -> Result<(), NetworkError> {
    let mut params = PeerScoreParams {
        topic_score_cap: ALL_TOPICS_SCORE_MAX,
        app_specific_weight: 1.0,
        ip_colocation_factor_threshold: CROWD,
        ip_colocation_factor_weight: CROWD_WEIGHT,
        behaviour_penalty_threshold: BROKEN_PROMISES,
        behaviour_penalty_weight: -2.0,
        behaviour_penalty_decay: score_parameter_decay(Duration::from_secs(600)),
        retain_score: HOUR,
        // Whoever is slow gets what it misses by comparison; for its place in the mesh a quicker one is better.
        slow_peer_weight: -0.001,
        ..PeerScoreParams::default()
    };
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    params.ip_colocation_factor_whitelist.extend(loopback.into_iter().chain(own));
    let thresholds = PeerScoreThresholds {
        gossip_threshold: NO_GOSSIP,
        publish_threshold: NO_PUBLISHING,
        graylist_threshold: GRAYLIST,
        // Nothing is accepted of the library's own exchange of peers.
        accept_px_threshold: 1000.0,
        // Half of what a topic can give: a mesh in which half of all never deliver first tries others.
        opportunistic_graft_threshold: TOPIC_SCORE_MAX / 2.0,
    };
    gossip.with_peer_score(params, thresholds).map_err(|cause| NetworkError::Gossip { cause })
}

const HOUR: Duration = Duration::from_secs(3600);

/// A topic's score parameters. They have to be set for every topic: without them nothing on it counts.
pub(super) fn topic_score() -> TopicScoreParams {
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: TOPIC_SCORE_MAX / 3.0,
        time_in_mesh_quantum: HOUR,
        time_in_mesh_cap: 1.0,
        first_message_deliveries_weight: TOPIC_SCORE_MAX / 15.0,
        first_message_deliveries_decay: score_parameter_decay(Duration::from_secs(600)),
        first_message_deliveries_cap: 10.0,
        // Off: they punish whoever is on a quiet topic, up to the graylist in the library's defaults. The engine's probes are
        // in their place.
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: INVALID_WEIGHT,
        invalid_message_deliveries_decay: score_parameter_decay(HOUR),
        ..TopicScoreParams::default()
    }
}

/// Joins a topic.
///
/// # Errors
/// When the name isn't one of ours, or there are as many topics as peers remember: one more, and a new peer would learn
/// of none.
pub(super) fn subscribe(gossip: &mut Gossip, topic: &str) -> Result<(), String> {
    let topic = IdentTopic::new(topic);
    if gossip.topics().count() >= TOPICS_PER_PEER_MAX && !gossip.topics().any(|joined| *joined == topic.hash()) {
        return Err(format!("{TOPICS_PER_PEER_MAX} topics are joined already"));
    }
    gossip.doorstep().admit(topic.hash());
    gossip.subscribe(&topic).map_err(|error| error.to_string())?;
    gossip.set_topic_params(topic, topic_score()).map_err(str::to_owned)
}

/// Leaves a topic. Messages that are still on their way are turned away at no cost to anyone.
pub(super) fn unsubscribe(gossip: &mut Gossip, topic: &str) {
    let topic = IdentTopic::new(topic);
    gossip.unsubscribe(&topic);
    gossip.doorstep().shut(topic.hash());
    let unweighted = TopicScoreParams { topic_weight: 0.0, ..topic_score() };
    if let Err(error) = gossip.set_topic_params(topic, unweighted) {
        tracing::error!(error, "a topic's scores could not be ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_accepts_configuration_and_scores() {
        let mut gossip = behaviour(Arc::default()).expect("a valid configuration");
        keep_scores(&mut gossip, []).expect("valid parameters");
        topic_score().validate().expect("valid parameters");
        subscribe(&mut gossip, "/roda/1/abc").expect("one of our topics");
    }

    #[test]
    fn only_our_topics_can_be_joined() {
        let mut gossip = behaviour(Arc::default()).expect("a valid configuration");
        keep_scores(&mut gossip, []).expect("valid parameters");
        for topic in ["", "other", "/roda/2/abc", &format!("/roda/1/{}", "a".repeat(TOPIC_BYTES_MAX))] {
            assert!(subscribe(&mut gossip, topic).is_err(), "{topic}");
        }
    }

    #[test]
    fn no_more_topics_are_joined_than_peers_remember() {
        let mut gossip = behaviour(Arc::default()).expect("a valid configuration");
        keep_scores(&mut gossip, []).expect("valid parameters");
        let topic = |number| format!("{TOPIC_PREFIX}{number}");
        for number in 0..TOPICS_PER_PEER_MAX {
            subscribe(&mut gossip, &topic(number)).expect("within the bound");
        }
        assert!(subscribe(&mut gossip, &topic(TOPICS_PER_PEER_MAX)).is_err());
        subscribe(&mut gossip, &topic(0)).expect("it is joined already");
    }

    #[test]
    fn every_byte_counts_for_a_messages_name() {
        assert_eq!(message_id(b"one"), message_id(b"one"));
        assert_ne!(message_id(b"one"), message_id(b"onE"));
        assert_eq!(message_id(b"one").0.len(), 20);
    }
}
