//! One comparison with one peer: which requests to make, in which order, and when to stop.
//!
//! Owns the plan of a comparison; the sets and events stay with the store. A comparison learns and pushes: afterwards both
//! sides hold what either held. It ends on its own: every page is asked for once, in ascending order, and requests, pages
//! and fruitless answers are counted against limits.

use super::Token;
use crate::peer::Peer;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::reconcile::SetKey;
use roda_protocol::wire::Request;
use std::collections::{BTreeMap, VecDeque};

/// Requests of one comparison: two sets of a million events that have nothing in common need about 10,000.
pub(super) const REQUESTS_MAX: u32 = 20_000;

/// Pages of one comparison: four million ids. A peer that invents more is left.
pub(super) const PAGES_MAX: u32 = 1024;

/// Requests for promised events that may bring none: a peer can lose some between listing and sending, not always.
pub(super) const FRUITLESS_MAX: u32 = 8;

/// Times that a busy peer is asked again in one comparison.
pub(super) const BUSY_MAX: u32 = 60;

/// What came of comparing one space.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) is_equal: bool,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) rounds: u64,
    pub(super) bytes: u64,
}

/// What the request under way is for.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Digests of all spaces.
    Spaces,
    /// The charter of a board that was followed by id alone.
    Charter,
    /// A page of the peer's ids.
    Page,
    /// Events that the peer listed.
    Get(Vec<EventId>),
    /// Events that the peer lacks.
    Push(Vec<EventId>),
    /// The digest of one space after its differences were exchanged.
    Recheck,
    /// Which own events the peer holds.
    Holds(Vec<EventId>),
}

/// The space under comparison.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) space: SpaceId,
    /// Where the page begins.
    pub(super) after: Option<SetKey>,
    pub(super) page: Vec<SetKey>,
    pub(super) is_last: bool,
    /// Unknown here.
    pub(super) want: VecDeque<EventId>,
    /// Where pushing within the page goes on; `None` when it is done.
    pub(super) push_after: Option<Option<SetKey>>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: Peer,
    pub(super) number: u64,
    pub(super) salt: [u8; 32],
    /// The spaces that were named to the peer, in order.
    pub(super) spaces: Vec<SpaceId>,
    /// Spaces that differ and have not been worked through.
    pub(super) todo: VecDeque<SpaceId>,
    pub(super) work: Option<Work>,
    pub(super) step: Step,
    pub(super) request: Request,
    pub(super) token: Token,
    /// When to repeat the request to a busy peer, steady milliseconds.
    pub(super) repeat_at_ms: Option<u64>,
    /// Boards whose own events the peer is still to be asked about.
    pub(super) unconfirmed: VecDeque<SpaceId>,
    pub(super) tallies: BTreeMap<SpaceId, Tally>,
    pub(super) requests: u32,
    pub(super) pages: u32,
    pub(super) fruitless: u32,
    pub(super) busy: u32,
}

impl Session {
    /// The space that answers are counted for.
    pub(super) fn tally(&mut self) -> Option<&mut Tally> {
        let space = self.work.as_ref()?.space;
        Some(self.tallies.entry(space).or_default())
    }

    /// Whether a limit says to stop.
    pub(super) fn is_exhausted(&self) -> bool {
        self.requests > REQUESTS_MAX || self.pages > PAGES_MAX || self.fruitless > FRUITLESS_MAX || self.busy > BUSY_MAX
    }
}
