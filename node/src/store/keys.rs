//! The layout of the index: its entries, and every row.
//!
//! The entries are the events: the number of an event is its place in the order in which ids were first mentioned, held or
//! not, the name of its entry is its id, and the value is its [`super::rows::EventRow`]; without a value the id is only
//! mentioned. Rows have one tree, and the first byte of a key is its table. Numbers in keys are big-endian, so that byte
//! order is numeric order. Spaces and authors have four-byte numbers of their own: rows stay small and neighbours share
//! prefixes.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `m` | name | see [`meta`] |
//! | `w` | space id | number |
//! | `x` | author key | number |
//! | `h` | space number, epoch | [`super::rows::DigestRow`]: digest of an epoch that has many members, as it was a few ago |
//! | `f` | space number, created_ms, number | nothing: posts of a board by time |
//! | `t` | root number, number | [`super::rows::MemberRow`]: post and comments of a thread |
//! | `a` | target number, number | [`super::rows::VoteRow`] of a vote that was not taken back, else nothing: edits, retractions, votes and labels of an event |
//! | `b` | space number, number | id: events whose header is held and whose words have not come; not those that were taken back |
//! | `p` | author number, number | nothing: profile events |
//! | `o` | number | [`super::rows::OwnRow`]: own events and who confirmed them |
//! | `k` | space id | [`super::rows::Keep`]: how long words are kept, where it is not for ever |
//! | `l` | space id | [`super::rows::Listing`]: whether others are told of a board, where something was said about it |
//! | `s` | space id | [`super::rows::SpaceRow`]: follows |
//! | `r` | root id | journal position up to which the thread was read |
//! | `y` | space number | journal position up to which all threads of the space were read |
//! | `i` | journal position, number | [`super::rows::Why`]: what speaks to this node's author: answers and mentions, and the number of the edit that added it |
//! | `u` | subject, encoded | what the reader's rule about it does |
//!
//! What the comparison with peers needs, the known set of a space by time, is made from the entries at the start and lives
//! in memory ([`super::known`]): a row for each member took 150 bytes on disk and several microseconds.

use super::index::prefix_end;
use roda_protocol::id::{AuthorKey, EventId, SpaceId};
use roda_protocol::reconcile::Epoch;

/// An interned number.
pub(super) type Number = u32;

/// Names in table `m`.
pub(super) mod meta {
    /// Format of the index, u32: [`super::super::INDEX_FORMAT`].
    pub(crate) const FORMAT: &str = "format";
    /// The network's id: a home belongs to one network.
    pub(crate) const NETWORK: &str = "network";
    /// Journal position up to which rows were derived, u64.
    pub(crate) const APPLIED: &str = "applied";
    /// How many entries have values, u64: a check against a file that is not that of the rows.
    pub(crate) const EVENTS: &str = "events";
    /// The next free number of a space or author, u32.
    pub(crate) const NEXT: &str = "next";
    /// Journal position up to which the inbox was read, u64.
    pub(crate) const READ_INBOX: &str = "inbox";
}

/// The table of posts by time.
pub(super) const FEEDS: u8 = b'f';
/// The table of threads.
pub(super) const MEMBERS: u8 = b't';
/// The table of what was done to events.
pub(super) const ACTIONS: u8 = b'a';
/// The table of profiles.
pub(super) const PROFILES: u8 = b'p';

/// First and end of a range of keys.
pub(super) type Range = (Vec<u8>, Option<Vec<u8>>);

fn key(table: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(table);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

fn range(prefix: Vec<u8>) -> Range {
    let end = prefix_end(&prefix);
    (prefix, end)
}

/// All rows of a table.
pub(super) fn table(table: u8) -> Range {
    range(vec![table])
}

pub(super) fn meta_key(name: &str) -> Vec<u8> {
    key(b'm', &[name.as_bytes()])
}

pub(super) fn space_number_key(space: &SpaceId) -> Vec<u8> {
    key(b'w', &[&space.0])
}

pub(super) fn space_numbers_range() -> Range {
    range(vec![b'w'])
}

pub(super) fn author_number_key(author: &AuthorKey) -> Vec<u8> {
    key(b'x', &[&author.0])
}

/// All authors whose key begins with these bytes.
pub(super) fn author_range(first_bytes: &[u8]) -> Range {
    range(key(b'x', &[first_bytes]))
}

/// The space's number in a key of table `h` or `b`.
pub(super) fn space_in(key: &[u8]) -> Option<Number> {
    key.get(1..5).and_then(|bytes| bytes.try_into().ok()).map(Number::from_be_bytes)
}

/// The epoch in a key of table `h`.
pub(super) fn epoch_in(key: &[u8]) -> Option<u64> {
    key.get(5..13).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes)
}

pub(super) fn digest_key(space: Number, epoch: Epoch) -> Vec<u8> {
    key(b'h', &[&space.to_be_bytes(), &epoch.to_be_bytes()])
}

pub(super) fn digests_range() -> Range {
    range(vec![b'h'])
}

pub(super) fn feed_key(space: Number, created_ms: u64, number: Number) -> Vec<u8> {
    key(FEEDS, &[&space.to_be_bytes(), &created_ms.to_be_bytes(), &number.to_be_bytes()])
}

pub(super) fn feed_range(space: Number) -> Range {
    range(key(FEEDS, &[&space.to_be_bytes()]))
}

pub(super) fn member_key(root: Number, number: Number) -> Vec<u8> {
    key(MEMBERS, &[&root.to_be_bytes(), &number.to_be_bytes()])
}

pub(super) fn members_range(root: Number) -> Range {
    range(key(MEMBERS, &[&root.to_be_bytes()]))
}

pub(super) fn action_key(target: Number, number: Number) -> Vec<u8> {
    key(ACTIONS, &[&target.to_be_bytes(), &number.to_be_bytes()])
}

pub(super) fn actions_range(target: Number) -> Range {
    range(key(ACTIONS, &[&target.to_be_bytes()]))
}

pub(super) fn wordless_key(space: Number, number: Number) -> Vec<u8> {
    key(b'b', &[&space.to_be_bytes(), &number.to_be_bytes()])
}

pub(super) fn wordless_range() -> Range {
    range(vec![b'b'])
}

pub(super) fn profile_key(author: Number, number: Number) -> Vec<u8> {
    key(PROFILES, &[&author.to_be_bytes(), &number.to_be_bytes()])
}

pub(super) fn profiles_range(author: Number) -> Range {
    range(key(PROFILES, &[&author.to_be_bytes()]))
}

pub(super) fn own_key(number: Number) -> Vec<u8> {
    key(b'o', &[&number.to_be_bytes()])
}

pub(super) fn own_range() -> Range {
    range(vec![b'o'])
}

pub(super) fn space_key(space: &SpaceId) -> Vec<u8> {
    key(b's', &[&space.0])
}

pub(super) fn spaces_range() -> Range {
    range(vec![b's'])
}

pub(super) fn keep_key(space: &SpaceId) -> Vec<u8> {
    key(b'k', &[&space.0])
}

pub(super) fn keeps_range() -> Range {
    range(vec![b'k'])
}

pub(super) fn listing_key(space: &SpaceId) -> Vec<u8> {
    key(b'l', &[&space.0])
}

pub(super) fn listings_range() -> Range {
    range(vec![b'l'])
}

pub(super) fn read_key(root: &EventId) -> Vec<u8> {
    key(b'r', &[&root.0])
}

pub(super) fn read_space_key(space: Number) -> Vec<u8> {
    key(b'y', &[&space.to_be_bytes()])
}

pub(super) fn inbox_key(position: u64, number: Number) -> Vec<u8> {
    key(b'i', &[&position.to_be_bytes(), &number.to_be_bytes()])
}

/// All rows of the inbox below a position, or all.
pub(super) fn inbox_range(before: Option<u64>) -> Range {
    let (start, end) = range(vec![b'i']);
    (start, before.map(|before| inbox_key(before, 0)).or(end))
}

/// The position in a key of table `i`.
pub(super) fn position_in(key: &[u8]) -> Option<u64> {
    key.get(1..9).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes)
}

/// The row of a reader's rule. The subject's encoding has at most 112 bytes.
pub(super) fn rule_key(subject: &[u8]) -> Vec<u8> {
    key(b'u', &[subject])
}

pub(super) fn rules_range() -> Range {
    range(vec![b'u'])
}

/// The subject in a key of table `u`.
pub(super) fn subject_in(key: &[u8]) -> Option<&[u8]> {
    key.get(1..)
}

/// The number in the last four bytes of a key or in a value.
pub(super) fn number_at_end(bytes: &[u8]) -> Option<Number> {
    bytes.last_chunk::<4>().map(|bytes| Number::from_be_bytes(*bytes))
}

/// The 32 bytes behind the table byte.
pub(super) fn id_in(key: &[u8]) -> Option<[u8; 32]> {
    key.get(1..33).and_then(|bytes| bytes.try_into().ok())
}
