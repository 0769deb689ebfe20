//! The values of the index's rows, and the local records of the log.
//!
//! Both are encoded by the protocol's codec. They are this node's own: a change of rows raises
//! [`super::INDEX_FORMAT`], and a local record is only ever added, at the end.

use roda_protocol::codec;
use roda_protocol::id::{EventId, SpaceId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What this node has of a known event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// Header and body are stored.
    Held,
    /// The header is stored without words: its author took them back, or they have not come along yet.
    BodyDropped,
    /// Known, and by this node's choice at most its header is stored, as a proof for peers.
    Declined,
    /// Its record in the log is damaged; it is asked from peers again.
    Lost,
}

/// A known event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// The event.
    pub id: EventId,
    /// Where its record starts in the log. That of a declined event is bare, or a local record of earlier versions.
    pub position: u64,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// Number of its space.
    pub space: u32,
    /// Number of its author.
    pub author: u32,
    /// Tag of its kind.
    pub tag: u16,
    /// What is stored.
    pub presence: Presence,
}

/// An epoch of a space's known set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EpochRow {
    /// How many events are known.
    pub count: u64,
    /// How many of them this node declined.
    pub declined: u64,
    /// The sum of their ids.
    pub sum: [u8; 32],
    /// Those that the epoch's [`DigestRow`] lacks, in the order in which they became known. None while there is no such
    /// row.
    pub pending: Vec<EventId>,
}

/// The digest of an epoch that has many members. It is 2 KiB, so it is written once for several members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DigestRow {
    /// How many members it covers: those that became known first.
    pub count: u64,
    /// The state of their digest.
    pub state: Vec<u8>,
}

/// A post or comment in its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MemberRow {
    /// Where its record starts in the log: the order of arrival.
    pub position: u64,
    /// The author's claim of the time.
    pub created_ms: u64,
    /// Number of its author.
    pub author: u32,
}

/// An own event on its way to others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnRow {
    /// Whether a peer took it.
    pub sent: bool,
    /// Peers that confirmed that they hold it, at most [`super::HOLDERS_MAX`].
    pub holders: Vec<String>,
}

/// A space that this node follows or followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceRow {
    /// Whether it is followed now.
    pub followed: bool,
    /// The name of an open board; a charter board's is in its charter.
    pub open_name: Option<String>,
}

/// What no event says, in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LocalRecord {
    /// The log belongs to this network.
    Network([u8; 32]),
    /// A space is followed from here on, or no longer.
    Space {
        /// Which.
        space: SpaceId,
        /// Its state.
        row: SpaceRow,
    },
    /// A thread was read up to a position.
    Read {
        /// Its post.
        root: EventId,
        /// Position of the last record that was shown.
        position: u64,
    },
    /// A known event that this node chose not to store; written by earlier versions.
    Declined {
        /// The event.
        id: EventId,
        /// Its space.
        space: SpaceId,
        /// The author's claim of the time.
        created_ms: u64,
        /// Tag of its kind.
        tag: u16,
    },
    /// The event that follows is this node's own.
    Own {
        /// Which.
        id: EventId,
    },
    /// A damaged place of the log was reported and repaired as far as it can be: it is no news any more.
    Damage {
        /// Position where it starts.
        start: u64,
        /// Its length.
        bytes: u64,
    },
    /// Who confirmed an own event.
    Delivery {
        /// Which.
        id: EventId,
        /// The state from here on.
        row: OwnRow,
    },
    /// The event that follows was declined: it is bare, and no reader sees it.
    DeclinedNext {
        /// Which.
        id: EventId,
    },
}

/// The bytes of a row or record.
pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    codec::encode(value)
}

/// A row or record, or `None` if the bytes are none: the index is damaged then.
pub(super) fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    codec::decode(bytes).ok()
}
