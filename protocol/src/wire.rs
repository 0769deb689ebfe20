//! What nodes say to each other outside gossip: self-contained requests, each with one response.
//!
//! The responder keeps no state between requests, so nothing of it can be exhausted by sessions that never end. Every
//! list is bounded in `limits`; a message that passes a bound is malformed. Messages have the compact encoding.

use crate::codec::{self, DecodeError};
use crate::id::{EventId, SpaceId};
use crate::limits::{
    DIRECTORY_BOARDS_MAX, DIRECTORY_CHARTER_BYTES_MAX, EVENT_BYTES_MAX, SYNC_EPOCHS_MAX, SYNC_GET_IDS_MAX,
    SYNC_REQUEST_BYTES_MAX, SYNC_RESPONSE_BYTES_MAX, SYNC_SPACES_MAX,
};
use crate::reconcile::{Bound, Digest, Epoch, EpochEntry, Finding, PROBES_MAX, Probe, Salt, ShortBytes};
use serde::{Deserialize, Serialize};

/// A space as two nodes name it to each other: a hash under a salt of the asker's choice, so that only who knows the
/// space recognises it.
pub type SpaceTag = [u8; 8];

/// The first bytes of a hash of a digest: tells the responder whether the sets differ, and does not give the digest away,
/// which the responder has to find itself.
pub type DigestHint = [u8; 8];

/// The tag of a space under a salt's key.
#[must_use]
pub fn space_tag(salt_key: &[u8; 32], space: SpaceId) -> SpaceTag {
    let mut tag = [0; 8];
    tag.copy_from_slice(&blake3::keyed_hash(salt_key, &space.0).as_bytes()[..8]);
    tag
}

/// The hint at a digest.
#[must_use]
pub fn digest_hint(salt_key: &[u8; 32], digest: &Digest) -> DigestHint {
    let mut hasher = blake3::Hasher::new_keyed(salt_key);
    hasher.update(b"hint");
    hasher.update(digest);
    let mut hint = [0; 8];
    hint.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    hint
}

/// An event as it travels: its bytes, whole or without the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBytes(#[serde(with = "serde_bytes")] pub Vec<u8>);

/// How much of events is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Form {
    /// Header, signature and words.
    Whole,
    /// Header and signature: the asker may not want the words.
    Header,
}

/// A space in a greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceAsk {
    /// Which.
    pub tag: SpaceTag,
    /// A hint at the digest of the asker's set.
    pub hint: DigestHint,
}

/// A question to a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Which of these spaces do you follow, what is the digest of what you know there, and, where we differ, your epochs?
    Spaces {
        /// Random; salts tags, hints, digests and fingerprints.
        salt: Salt,
        /// The asker's spaces.
        spaces: Vec<SpaceAsk>,
    },
    /// How do these ranges of the space compare with what you know?
    Compare {
        /// As in the greeting.
        salt: Salt,
        /// The space.
        space: SpaceId,
        /// The ranges.
        probes: Vec<Probe>,
    },
    /// Send me all that you hold in this range, ascending.
    Range {
        /// The space.
        space: SpaceId,
        /// The epoch.
        epoch: Epoch,
        /// Where the range begins.
        lower: Bound,
        /// Where it ends.
        upper: Bound,
        /// How much of each.
        form: Form,
    },
    /// Send me the events with these short names.
    Pick {
        /// The space.
        space: SpaceId,
        /// The epoch.
        epoch: Epoch,
        /// Which, in the order in which they are wanted.
        members: Vec<ShortBytes>,
        /// How much of each.
        form: Form,
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
        /// `Header`: the words come if you want them. `Whole`: this is all that I have.
        form: Form,
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
    /// Which boards do you list for whoever asks?
    Directory {
        /// Only those behind this one; all if none is given.
        after: Option<SpaceId>,
    },
}

/// A space in an answer to [`Request::Spaces`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceDigest {
    /// Its place in the asker's list.
    pub index: u32,
    /// How many events the responder knows there.
    pub count: u64,
    /// Their digest under the asker's salt.
    pub digest: Digest,
    /// The responder's epochs there, ascending, if the hint says that the sets differ and the answer has room.
    pub epochs: Option<Vec<EpochEntry>>,
}

/// What became of a pushed event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Taken {
    /// The responder holds it durably.
    Held,
    /// It is known there, and the responder chose not to hold it.
    Declined,
    /// It came without its words, and the responder wants them.
    Words,
    /// It is neither known nor held there: not followed, not due yet, or not valid.
    No,
}

/// A board that a node lists for whoever asks: its charter, and what the node says of what it has of the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The charter event: whole, or without its words if it has too many. It proves itself, and the board's id is its id.
    pub charter: EventBytes,
    /// Events of the board that the responder knows.
    pub events: u64,
    /// Threads that it has there.
    pub threads: u64,
    /// The day of the newest event that it knows there, counted from 1970-01-01 (UTC).
    pub last_day: u32,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// The spaces that both follow, in ascending order of index.
    Spaces {
        /// Whether events should be pushed to the responder without words first: it may not want them.
        headers_first: bool,
        /// The spaces.
        spaces: Vec<SpaceDigest>,
    },
    /// A finding for each probe, in their order.
    Compared(Vec<Finding>),
    /// To [`Request::Range`].
    Range {
        /// Events of the range, ascending, until a batch is full.
        events: Vec<EventBytes>,
        /// Where to go on; none at the end of the range.
        next: Option<Bound>,
    },
    /// As many of the asked events, in the order asked, as fit a batch.
    Events {
        /// The events.
        events: Vec<EventBytes>,
        /// How many of the asked, from the first on, this answers; those without an event can't be given.
        answered: u32,
    },
    /// For each event of a [`Request::Push`]: what became of it.
    Taken(Vec<Taken>),
    /// For each id of a [`Request::Holds`]: whether the responder holds it durably.
    Holding(Vec<bool>),
    /// The responder does not follow that space.
    NotFollowed,
    /// The responder has no time for this now.
    Busy,
    /// To [`Request::Directory`].
    Directory {
        /// Boards, in ascending order of their ids.
        boards: Vec<Listed>,
        /// Whether there are further ones behind the last of these.
        more: bool,
    },
}

impl Request {
    /// The bytes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode_compact(self)
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
        let request: Self = codec::decode_compact(bytes)?;
        let fits = match &request {
            Self::Spaces { spaces, .. } => spaces.len() <= SYNC_SPACES_MAX,
            Self::Compare { probes, .. } => probes.len() <= PROBES_MAX,
            Self::Range { lower, upper, .. } => {
                matches!((lower.key(), upper.key()), (Some(lower), Some(upper)) if lower < upper)
            }
            Self::Pick { members, .. } => members.len() <= SYNC_GET_IDS_MAX,
            Self::Get { ids, .. } | Self::Holds { ids, .. } => ids.len() <= SYNC_GET_IDS_MAX,
            Self::Push { events, .. } => events_fit(events),
            Self::Directory { .. } => true,
        };
        if fits { Ok(request) } else { Err(DecodeError::Malformed) }
    }
}

impl Response {
    /// The bytes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode_compact(self)
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
        let response: Self = codec::decode_compact(bytes)?;
        let fits = match &response {
            Self::Spaces { spaces, .. } => {
                spaces.len() <= SYNC_SPACES_MAX
                    && spaces.is_sorted_by(|a, b| a.index < b.index)
                    && spaces.iter().filter_map(|space| space.epochs.as_ref()).all(|epochs| epochs_fit(epochs))
            }
            Self::Compared(findings) => findings.len() <= PROBES_MAX,
            Self::Range { events, next } => events_fit(events) && next.as_ref().is_none_or(|next| next.key().is_some()),
            Self::Events { events, .. } => events_fit(events),
            Self::Taken(taken) => taken.len() <= SYNC_GET_IDS_MAX,
            Self::Holding(held) => held.len() <= SYNC_GET_IDS_MAX,
            Self::NotFollowed | Self::Busy => true,
            // An answer that goes on with nothing would be asked for again for ever.
            Self::Directory { boards, more } => {
                boards.len() <= DIRECTORY_BOARDS_MAX
                    && boards.iter().all(|board| board.charter.0.len() <= DIRECTORY_CHARTER_BYTES_MAX)
                    && (!more || !boards.is_empty())
            }
        };
        if fits { Ok(response) } else { Err(DecodeError::Malformed) }
    }
}

fn events_fit(events: &[EventBytes]) -> bool {
    events.len() <= SYNC_GET_IDS_MAX && events.iter().all(|event| event.0.len() <= EVENT_BYTES_MAX)
}

fn epochs_fit(epochs: &[EpochEntry]) -> bool {
    epochs.len() <= SYNC_EPOCHS_MAX
        && epochs.is_sorted_by(|a, b| a.epoch < b.epoch)
        && epochs.iter().all(|entry| entry.count > 0)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
