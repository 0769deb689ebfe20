//! A comparison of all common spaces with one peer: a greeting, and a few spaces at work at once.
//!
//! Owns the plan; the sets and events stay with the store, and what is to be fetched with `fetches`. It ends by itself:
//! when every space is settled, when its time is up, or when the peer is silent. Nothing of it outlives it.

use super::work::Work;
use crate::engine::Token;
use crate::peer::Peer;
use roda_protocol::id::SpaceId;
use roda_protocol::reconcile::{EpochEntry, Salt};
use std::collections::{BTreeMap, VecDeque};

/// Spaces at work at once: a node that follows hundreds and was away does not wait for each in turn.
pub(super) const WORKS_MAX: usize = 4;

/// A busy peer is asked the same again after this, and twice as long each further time in a row.
const BUSY_PAUSE_MS: u64 = 500;

/// But not after more than so many doublings.
const BUSY_DOUBLINGS_MAX: u32 = 5;

/// Times in a row that a busy peer is asked again: a minute in all.
const BUSY_MAX: u32 = 8;

/// Requests of one session. Two sets of a million events that have nothing in common need about 10,000.
pub(super) const REQUESTS_MAX: u32 = 20_000;

/// How long a session lasts without progress before it ends: six times what a slow peer may take to answer. Progress is
/// an event that came or was taken, or a space that was settled; an answer alone is none, or a peer could hold a session
/// for ever.
pub(super) const IDLE_MS: u64 = 120_000;

/// Answers in a row that give nothing of what the peer had promised. An honest peer can have lost some events between
/// listing and sending, and others may have brought them: not all of so many.
pub(super) const EMPTY_MAX: u32 = 16;

/// Spaces that differ and in which a session may come to nothing before it gives the peer up, if none came to anything.
pub(super) const FRUITLESS_MAX: u32 = 4;

/// Promises that a peer may break for each event that it gives. An honest peer can have lost a part of what it knows; one
/// that gives a single event for a great many promises would otherwise never be left alone.
pub(super) const UNKEPT_PER_GIVEN: u64 = 16;

/// What came of comparing one space.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) is_equal: bool,
    pub(super) received: u64,
    pub(super) sent: u64,
    /// Events that the peer gave and that are dated ahead of this node's clock.
    pub(super) deferred: u64,
    /// Events and ranges that the peer named and did not give, and events that it took and then lacked.
    pub(super) unkept: u64,
    pub(super) rounds: u64,
    pub(super) bytes: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: Peer,
    pub(super) number: u64,
    /// Whether own people asked for it: spaces that were fruitless of late are worked on, too.
    pub(super) is_asked: bool,
    pub(super) salt: Salt,
    /// The spaces that the greeting under way names, in order.
    pub(super) named: Vec<SpaceId>,
    pub(super) greeting: Option<Token>,
    /// Spaces that differ, with the peer's epochs, under the salt of the greeting.
    pub(super) todo: VecDeque<(SpaceId, Salt, Vec<EpochEntry>)>,
    /// Spaces that differ and whose epochs had no room: to be named again.
    pub(super) later: Vec<SpaceId>,
    pub(super) works: BTreeMap<SpaceId, Work>,
    /// Boards whose own events the peer is still to be asked about.
    pub(super) unconfirmed: VecDeque<SpaceId>,
    pub(super) holds: Option<Token>,
    pub(super) tallies: BTreeMap<SpaceId, Tally>,
    /// The peer may not want the words of what it is sent.
    pub(super) headers_first: bool,
    pub(super) requests: u32,
    /// Requests for events in a row that brought none.
    pub(super) empty: u32,
    /// Spaces in which sets still differ and nothing was exchanged.
    pub(super) fruitless: u32,
    /// Whether something was exchanged in any space.
    pub(super) is_fruitful: bool,
    /// Times in a row that the peer had no time.
    busy: u32,
    busy_until_ms: u64,
    /// When there was progress last, steady milliseconds.
    pub(super) moved_ms: u64,
    /// A request got no answer: the session is over.
    pub(super) is_broken: bool,
}

impl Session {
    pub(super) fn new(peer: Peer, number: u64, is_asked: bool, salt: Salt, now_ms: u64) -> Self {
        Self {
            peer,
            number,
            is_asked,
            salt,
            named: Vec::new(),
            greeting: None,
            todo: VecDeque::new(),
            later: Vec::new(),
            works: BTreeMap::new(),
            unconfirmed: VecDeque::new(),
            holds: None,
            tallies: BTreeMap::new(),
            headers_first: false,
            requests: 0,
            empty: 0,
            fruitless: 0,
            is_fruitful: false,
            busy: 0,
            busy_until_ms: 0,
            moved_ms: now_ms,
            is_broken: false,
        }
    }

    /// What answers about a space are counted in.
    pub(super) fn tally(&mut self, space: SpaceId) -> &mut Tally {
        self.tallies.entry(space).or_default()
    }

    /// The peer has no time. When to ask it again; several questions at once are busy together.
    pub(super) fn was_busy(&mut self, now_ms: u64) -> u64 {
        if self.busy_until_ms <= now_ms {
            self.busy_until_ms = now_ms + (BUSY_PAUSE_MS << self.busy.min(BUSY_DOUBLINGS_MAX));
            self.busy += 1;
            self.moved_ms = now_ms;
        }
        self.busy_until_ms
    }

    /// The peer has answered.
    pub(super) fn was_ready(&mut self) {
        self.busy = 0;
    }

    /// Whether the peer never has time.
    pub(super) fn is_refused(&self) -> bool {
        self.busy > BUSY_MAX
    }

    /// What changes when there is progress: events that were sent, and spaces that wait or are at work.
    pub(super) fn settled(&self) -> (u64, usize) {
        let sent = self.tallies.values().map(|tally| tally.sent).sum();
        (sent, self.todo.len() + self.later.len() + self.works.len() + self.unconfirmed.len())
    }

    /// The peer does not keep what it promises: nothing more is asked of it. The spaces at work were fruitless.
    pub(super) fn give_up(&mut self) -> Vec<SpaceId> {
        self.todo.clear();
        self.later.clear();
        self.unconfirmed.clear();
        std::mem::take(&mut self.works).into_keys().collect()
    }

    /// Whether nothing is left to do or to wait for.
    pub(super) fn is_done(&self) -> bool {
        self.greeting.is_none()
            && self.holds.is_none()
            && self.todo.is_empty()
            && self.later.is_empty()
            && self.works.is_empty()
            && self.unconfirmed.is_empty()
    }

    /// Whether a limit says to stop.
    pub(super) fn is_exhausted(&self, now_ms: u64) -> bool {
        self.is_broken
            || self.requests > REQUESTS_MAX
            || self.is_refused()
            || self.moved_ms.saturating_add(IDLE_MS) <= now_ms
    }
}
