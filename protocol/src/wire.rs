//! What nodes say to each other outside gossip: self-contained requests, each with one response.
//!
//! The responder keeps no state between requests, so nothing of it can be exhausted by sessions that never end. Every
//! list is bounded in `limits`; a message that passes a bound is malformed.

use crate::codec::{self, DecodeError};
use crate::id::{EventId, SpaceId};
use crate::limits::{
    EVENT_BYTES_MAX, SYNC_GET_IDS_MAX, SYNC_PAGE_IDS_MAX, SYNC_REQUEST_BYTES_MAX, SYNC_RESPONSE_BYTES_MAX,
    SYNC_SPACES_MAX,
};
use crate::reconcile::{Digest, SetKey};
use serde::{Deserialize, Serialize};

/// A space as two nodes name it to each other: a hash under a salt of the asker's choice, so that only who knows the
/// space recognises it.
pub type SpaceTag = [u8; 8];

/// The tag of a space under a salt.
#[must_use]
pub fn space_tag(salt: &[u8; 32], space: SpaceId) -> SpaceTag {
    let mut tag = [0; 8];
    tag.copy_from_slice(&blake3::keyed_hash(salt, &space.0).as_bytes()[..8]);
    tag
}

/// An event as it travels: its bytes, whole or without the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBytes(#[serde(with = "serde_bytes")] pub Vec<u8>);

/// A question to a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Which of these spaces do you follow, and what is the digest of what you know there?
    Spaces {
        /// Random; salts tags and digests.
        salt: [u8; 32],
        /// The asker's spaces.
        tags: Vec<SpaceTag>,
    },
    /// Which events do you know in this space, behind `after`?
    Page {
        /// The space.
        space: SpaceId,
        /// The last (time, id) of the page before.
        after: Option<SetKey>,
    },
    /// Send me these events of this space.
    Get {
        /// The space.
        space: SpaceId,
        /// Which, in the order in which they are wanted.
        ids: Vec<EventId>,
    },
    /// Here are events of this space that you lack.
    Push {
        /// The space.
        space: SpaceId,
        /// The events.
        events: Vec<EventBytes>,
    },
    /// Which of these events do you hold?
    Holds {
        /// The space.
        space: SpaceId,
        /// The events.
        ids: Vec<EventId>,
    },
}

/// A space in an answer to [`Request::Spaces`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceDigest {
    /// Its place in the asker's list.
    pub index: u32,
    /// How many events the responder knows there.
    pub count: u64,
    /// Their digest under the asker's salt.
    pub digest: Digest,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// The spaces that both follow, in ascending order of index.
    Spaces(Vec<SpaceDigest>),
    /// The next known events, ascending.
    Page {
        /// Time and id of each.
        keys: Vec<SetKey>,
        /// Whether this is the end of the set.
        is_last: bool,
    },
    /// As many of the asked events, in the order asked, as fit a batch.
    Events {
        /// The events.
        events: Vec<EventBytes>,
        /// How many of the asked ids, from the first on, this answers; those without an event are not held here.
        answered: u32,
    },
    /// For each id of a [`Request::Holds`] or each event of a [`Request::Push`]: whether the responder now holds it
    /// durably.
    Holding(Vec<bool>),
    /// The responder does not follow that space.
    NotFollowed,
    /// The responder has no time for this now.
    Busy,
}

impl Request {
    /// The bytes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a request that keeps every bound.
    ///
    /// # Errors
    ///
    /// [`DecodeError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > SYNC_REQUEST_BYTES_MAX {
            return Err(DecodeError::Malformed);
        }
        let request: Self = codec::decode(bytes)?;
        let fits = match &request {
            Self::Spaces { tags, .. } => tags.len() <= SYNC_SPACES_MAX,
            Self::Page { .. } => true,
            Self::Get { ids, .. } | Self::Holds { ids, .. } => ids.len() <= SYNC_GET_IDS_MAX,
            Self::Push { events, .. } => events_fit(events),
        };
        if fits { Ok(request) } else { Err(DecodeError::Malformed) }
    }
}

impl Response {
    /// The bytes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a response that keeps every bound.
    ///
    /// # Errors
    ///
    /// [`DecodeError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > SYNC_RESPONSE_BYTES_MAX {
            return Err(DecodeError::Malformed);
        }
        let response: Self = codec::decode(bytes)?;
        let fits = match &response {
            Self::Spaces(spaces) => spaces.len() <= SYNC_SPACES_MAX && spaces.is_sorted_by(|a, b| a.index < b.index),
            Self::Page { keys, .. } => keys.len() <= SYNC_PAGE_IDS_MAX && keys.is_sorted_by(|a, b| a < b),
            Self::Events { events, .. } => events_fit(events),
            Self::Holding(held) => held.len() <= SYNC_GET_IDS_MAX,
            Self::NotFollowed | Self::Busy => true,
        };
        if fits { Ok(response) } else { Err(DecodeError::Malformed) }
    }
}

fn events_fit(events: &[EventBytes]) -> bool {
    events.len() <= SYNC_GET_IDS_MAX && events.iter().all(|event| event.0.len() <= EVENT_BYTES_MAX)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
