//! One space in a session: compare, exchange what was found, compare again, until the sets are equal or nothing moves.

use super::session::Tally;
use crate::engine::Token;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::reconcile::{Comparison, Epoch, EpochEntry, EpochKey, Push, Salt};
use std::collections::{BTreeSet, VecDeque};

/// Comparisons of one space in one session. The first finds what differs, the second what has come meanwhile, a third
/// lists where sums were forged; what is left is for the next session.
pub(super) const RUNS_MAX: u32 = 5;

/// Found ranges and members that wait to be pushed.
pub(super) const PUSHES_MAX: usize = 65_536;

/// Events that a peer took and that are remembered for as long as a space is at work: more than one push, and enough to know
/// a peer by that takes everything and holds nothing.
pub(super) const TAKEN_MAX: usize = 4096;

/// What a space waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The charter of a board that was followed by id alone.
    Charter,
    /// Findings.
    Comparing,
    /// Events, both ways.
    Exchanging,
    /// The digest of the peer's set after the exchange.
    Rechecking,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) space: SpaceId,
    pub(super) phase: Phase,
    pub(super) salt: Salt,
    /// The peer's epochs, until a comparison starts with them.
    pub(super) epochs: Vec<EpochEntry>,
    pub(super) comparison: Option<Comparison>,
    /// Epochs to be listed under salted names.
    pub(super) exact: BTreeSet<Epoch>,
    /// Epochs that differed in the last run and in which it found nothing.
    pub(super) suspects: BTreeSet<Epoch>,
    pub(super) pushes: VecDeque<Push>,
    /// Events whose words the peer asked for.
    pub(super) words: VecDeque<EventId>,
    /// Events that the peer said it took.
    pub(super) taken: BTreeSet<EventId>,
    /// How many of them its set lacked later.
    pub(super) denied: u64,
    /// The question under way.
    pub(super) asking: Option<Token>,
    /// The push under way.
    pub(super) pushing: Option<Token>,
    pub(super) runs: u32,
    /// Events known here, and what the peer had given and taken in this session, when this run began.
    pub(super) before: (u64, Tally),
}

impl Work {
    pub(super) fn new(space: SpaceId, salt: Salt, epochs: Vec<EpochEntry>) -> Self {
        Self {
            space,
            phase: Phase::Comparing,
            salt,
            epochs,
            comparison: None,
            exact: BTreeSet::new(),
            suspects: BTreeSet::new(),
            pushes: VecDeque::new(),
            words: VecDeque::new(),
            taken: BTreeSet::new(),
            denied: 0,
            asking: None,
            pushing: None,
            runs: 0,
            before: (0, Tally::default()),
        }
    }

    /// Takes in what is to be pushed.
    pub(super) fn add_pushes(&mut self, pushes: Vec<Push>) {
        let room = PUSHES_MAX.saturating_sub(self.pushes.len());
        self.pushes.extend(pushes.into_iter().take(room));
    }

    /// The next members to push, at most `limit`, given how to list a range. What is left of a range stays in front.
    pub(super) fn next_members<E>(
        &mut self,
        limit: usize,
        list: impl Fn(Epoch, &EpochKey, &EpochKey, usize) -> Result<Vec<EpochKey>, E>,
    ) -> Result<Vec<(Epoch, EpochKey)>, E> {
        let mut members = Vec::new();
        while members.len() < limit
            && let Some(push) = self.pushes.pop_front()
        {
            let room = limit - members.len();
            match push {
                Push::Range { epoch, lower, upper } => {
                    let mut keys = list(epoch, &lower, &upper, room + 1)?;
                    if keys.len() > room {
                        let next = keys.pop().unwrap_or(upper);
                        self.pushes.push_front(Push::Range { epoch, lower: next, upper });
                    }
                    members.extend(keys.into_iter().map(|key| (epoch, key)));
                }
                Push::Members { epoch, mut keys } => {
                    if keys.len() > room {
                        let rest = keys.split_off(room);
                        self.pushes.push_front(Push::Members { epoch, keys: rest });
                    }
                    members.extend(keys.into_iter().map(|key| (epoch, key)));
                }
            }
        }
        Ok(members)
    }

    /// Puts members back that did not fit a message.
    pub(super) fn put_back(&mut self, members: Vec<(Epoch, EpochKey)>) {
        for (epoch, key) in members.into_iter().rev() {
            match self.pushes.front_mut() {
                Some(Push::Members { epoch: front, keys }) if *front == epoch => keys.insert(0, key),
                _ => self.pushes.push_front(Push::Members { epoch, keys: vec![key] }),
            }
        }
    }
}
