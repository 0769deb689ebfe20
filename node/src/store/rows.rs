//! The values of the index's entries and rows, and the local records of the log.
//!
//! All but the entries' are encoded by the protocol's codec. They are this node's own: a change raises
//! [`super::INDEX_FORMAT`], and a local record is only ever added, at the end.

use super::events::StoreError;
use super::index::{ENTRY_VALUE_BYTES, Entry};
use roda_protocol::codec;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::view::policy::{Effect, Subject};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What this node has of a known event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Presence {
    /// Header and body are stored.
    Held = 0,
    /// The header is stored without words: its author took them back, or they have not come along yet.
    BodyDropped = 1,
    /// Known, and by this node's choice at most its header is stored, as a proof for peers.
    Declined = 2,
    /// Its record in the log is damaged; it is asked from peers again.
    Lost = 3,
    /// Header only: this node does not keep the words any longer. Readers see the place without them.
    Pruned = 4,
}

/// Bits of a presence in the last byte of an entry; the size has the others.
const PRESENCE_BITS: u8 = 3;

impl Presence {
    /// Whether readers see the event, be it without its words.
    #[must_use]
    pub fn is_shown(self) -> bool {
        matches!(self, Self::Held | Self::BodyDropped | Self::Pruned)
    }

    /// Whether this node chose not to have the words.
    #[must_use]
    pub fn is_declined(self) -> bool {
        matches!(self, Self::Declined | Self::Pruned)
    }
}

/// About how many bytes a record takes: one of 32 classes, each a quarter above the one before. What is summed up over many
/// records is right to a few of a hundred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u8);

/// The greatest class. It takes whatever is longer.
const SIZE_MAX: u8 = 31;

/// The longest records of class 1, in bytes.
const SIZE_FIRST: u64 = 64;

/// What a record without words takes: most headers have some 170 bytes, and a signature.
pub(super) const BARE_BYTES: u64 = 250;

impl Size {
    /// The class of a record of so many bytes.
    pub(super) fn of(bytes: u64) -> Self {
        let (mut class, mut longest) = (1, SIZE_FIRST);
        while longest < bytes && class < SIZE_MAX {
            (class, longest) = (class + 1, longest + longest / 4);
        }
        Self(class)
    }

    /// The middle of the class.
    #[must_use]
    pub fn bytes(self) -> u64 {
        let longest = (1..self.0).fold(SIZE_FIRST, |longest, _| longest + longest / 4);
        if self.0 == 0 { 0 } else { longest - longest / 10 }
    }
}

/// A known event.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// How much of the log it takes.
    pub size: Size,
}

impl EventRow {
    /// The entry of the event. Integers are little-endian, in the order of the fields.
    pub(super) fn to_entry(&self) -> Entry {
        let mut value = [0; ENTRY_VALUE_BYTES];
        value[..8].copy_from_slice(&self.position.to_le_bytes());
        value[8..16].copy_from_slice(&self.created_ms.to_le_bytes());
        value[16..20].copy_from_slice(&self.space.to_le_bytes());
        value[20..24].copy_from_slice(&self.author.to_le_bytes());
        value[24..26].copy_from_slice(&self.tag.to_le_bytes());
        value[26] = self.presence as u8 | self.size.0 << PRESENCE_BITS;
        Entry { name: self.id.0, value: Some(value) }
    }

    /// What an entry says of its event: nothing, if the id was only mentioned.
    ///
    /// # Errors
    ///
    /// [`StoreError::Row`]: the value is none of ours.
    pub(super) fn of_entry(entry: &Entry) -> Result<Option<Self>, StoreError> {
        let Some(value) = &entry.value else { return Ok(None) };
        let [
            p0,
            p1,
            p2,
            p3,
            p4,
            p5,
            p6,
            p7,
            c0,
            c1,
            c2,
            c3,
            c4,
            c5,
            c6,
            c7,
            s0,
            s1,
            s2,
            s3,
            a0,
            a1,
            a2,
            a3,
            t0,
            t1,
            kept,
        ] = *value;
        let presence = match kept & ((1 << PRESENCE_BITS) - 1) {
            0 => Presence::Held,
            1 => Presence::BodyDropped,
            2 => Presence::Declined,
            3 => Presence::Lost,
            4 => Presence::Pruned,
            _ => return Err(StoreError::Row),
        };
        Ok(Some(Self {
            id: EventId(entry.name),
            position: u64::from_le_bytes([p0, p1, p2, p3, p4, p5, p6, p7]),
            created_ms: u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7]),
            space: u32::from_le_bytes([s0, s1, s2, s3]),
            author: u32::from_le_bytes([a0, a1, a2, a3]),
            tag: u16::from_le_bytes([t0, t1]),
            presence,
            size: Size(kept >> PRESENCE_BITS),
        }))
    }
}

/// The digest of an epoch that has many members, as it was a few members ago. It is 2 KiB, so it is written once for many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DigestRow {
    /// It covers the members whose records stand before this position of the log: so many, with this sum of their ids. If
    /// it does not, as when one of them was lost and came again, it says nothing.
    pub until: u64,
    /// How many members it covers.
    pub count: u64,
    /// The sum of their ids.
    pub sum: [u8; 32],
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
    /// Number of what it answers; a post's own.
    pub parent: u32,
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

/// How long the words of a board are kept on this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// For ever, as long as there is room.
    #[default]
    Forever,
    /// Those of the last so many days, by the author's claim of the time.
    Days(u32),
    /// The newest, until the board takes about so many bytes of the log.
    Bytes(u64),
}

/// Whether this node tells others of a board that it follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listing {
    /// To nobody who does not know the board.
    #[default]
    Off,
    /// To whoever asks: this node's people said so.
    On,
    /// To whoever asks: this node's people found it so themselves.
    Found,
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
    /// A rule of the reader, or its end.
    Rule {
        /// What it is about.
        subject: Subject,
        /// What it does from here on; none: it is no more.
        effect: Option<Effect>,
    },
    /// Every thread of a space was read up to a position.
    ReadSpace {
        /// Which.
        space: SpaceId,
        /// Position of the last record that counts as read.
        position: u64,
    },
    /// The inbox was read up to a position.
    ReadInbox {
        /// Position of the last record that counts as read.
        position: u64,
    },
    /// Words are about to be taken off an event's record. It is written over in place, so what stays of it is kept here,
    /// should the power go meanwhile.
    TakenOff {
        /// Position of the event's record.
        position: u64,
        /// What stays.
        kept: Vec<u8>,
    },
    /// How long the words of a board are kept from here on.
    Keep {
        /// Which.
        space: SpaceId,
        /// How long.
        keep: Keep,
    },
    /// Whether others are told of a board from here on.
    Listing {
        /// Which.
        space: SpaceId,
        /// Whether.
        listing: Listing,
    },
}

/// Why an event is in the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    /// It answers an own post or comment.
    Answer = 0,
    /// It mentions this node's author.
    Mention = 1,
    /// It stands in a thread that is watched. No row says this: rules change.
    Watched = 2,
}

impl Why {
    /// The value of a row of the inbox: why, and the number of the edit that says so, if none of the event's own words does.
    pub(super) fn to_row(self, edit: Option<u32>) -> Vec<u8> {
        let mut value = vec![self as u8];
        value.extend(edit.into_iter().flat_map(u32::to_be_bytes));
        value
    }

    pub(super) fn of_row(value: &[u8]) -> Option<(Self, Option<u32>)> {
        let (why, edit) = value.split_first()?;
        let why = match why {
            0 => Self::Answer,
            1 => Self::Mention,
            _ => return None,
        };
        match edit {
            [] => Some((why, None)),
            edit => Some((why, Some(u32::from_be_bytes(edit.try_into().ok()?)))),
        }
    }

    /// The word in command output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Mention => "mention",
            Self::Watched => "watched",
        }
    }
}

/// The bytes of a row or record.
pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    codec::encode(value)
}

/// A row or record, or `None` if the bytes are none: the index is damaged then.
pub(super) fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    codec::decode(bytes).ok()
}

/// What the row of a vote says: enough to count it without reading it, unless its author voted more than once or took it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VoteRow {
    /// The author's number.
    pub(super) author: u32,
    /// -1, 0 or 1.
    pub(super) value: i8,
}

impl VoteRow {
    /// The value of a row of actions.
    pub(super) fn to_row(self) -> Vec<u8> {
        let mut row = self.author.to_be_bytes().to_vec();
        row.extend(self.value.to_be_bytes());
        row
    }

    /// What a row of actions says; `None` of what is no vote, or one that has to be looked at.
    pub(super) fn of_row(row: &[u8]) -> Option<Self> {
        let (author, value) = row.split_first_chunk::<4>()?;
        let [value] = value else { return None };
        Some(Self { author: u32::from_be_bytes(*author), value: i8::from_be_bytes([*value]) })
    }
}
