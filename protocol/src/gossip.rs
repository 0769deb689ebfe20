//! Gossip policy: names of topics, names of messages, and what a verdict means for the peer that relayed.

use crate::id::{NetworkId, SpaceId};
use crate::limits::AUTHOR_TOPICS;

/// What every topic's name begins with.
pub const TOPIC_PREFIX: &str = "/roda/1/";

/// The topic of a board: a truncated hash, so that a peer must know a board to recognise it.
#[must_use]
pub fn board_topic(network: &NetworkId, board: SpaceId) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("roda/1/topic");
    hasher.update(&network.0);
    hasher.update(&board.0);
    topic(&hasher)
}

/// The topic that an author's space shares with about one author in sixteen.
#[must_use]
pub fn author_topic(network: &NetworkId, author_space: SpaceId) -> String {
    author_topic_number(network, author_space.0[0] % AUTHOR_TOPICS)
}

/// All topics of author spaces.
#[must_use]
pub fn author_topics(network: &NetworkId) -> Vec<String> {
    (0..AUTHOR_TOPICS).map(|number| author_topic_number(network, number)).collect()
}

fn author_topic_number(network: &NetworkId, number: u8) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("roda/1/author-topic");
    hasher.update(&network.0);
    hasher.update(&[number]);
    topic(&hasher)
}

fn topic(hasher: &blake3::Hasher) -> String {
    format!("{TOPIC_PREFIX}{}", data_encoding::HEXLOWER.encode(&hasher.finalize().as_bytes()[..16]))
}

/// The name of a gossip message: a hash of *all* its bytes. Were it the event's id, a copy with a broken signature would
/// shadow the real one in every cache.
#[must_use]
pub fn message_id(bytes: &[u8]) -> [u8; 20] {
    let mut id = [0; 20];
    id.copy_from_slice(&blake3::hash(bytes).as_bytes()[..20]);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_boards_have_topics_of_their_own() {
        let (here, there) = (NetworkId::of("here"), NetworkId::of("there"));
        let board = SpaceId([1; 32]);
        assert_ne!(board_topic(&here, board), board_topic(&there, board));
        assert_ne!(board_topic(&here, board), board_topic(&here, SpaceId([2; 32])));
        assert!(author_topics(&here).contains(&author_topic(&here, SpaceId([255; 32]))));
    }
}
