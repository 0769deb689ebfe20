//! Which entries of the inbox belong on a page, or count.
//!
//! What the reader's rules hide is passed over. How much one look takes in is bounded: the inbox holds what others sent, and
//! they may send as much as they like.

use super::super::error::ApiError;
use super::super::feed::Lens;
use crate::store::{EventRow, EventStore, InboxPlace, Why, root_named_by};
use roda_protocol::id::{AuthorKey, EventId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Rows of the inbox that one step reads.
const STEP_ROWS: usize = 256;

/// What is new in one watched thread, the newest of it: a thread that grows faster is better read as a whole.
const WATCHED_MAX: usize = 100;

/// How much one look takes in at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Rows of the inbox: some microseconds each, as long as the events that they name are among those that were read of late.
    pub(super) rows: usize,
    /// Events whose words are judged, as they stand after all edits: some tens of microseconds each. What was read is not.
    pub(super) judged: usize,
}

impl Bounds {
    /// Of a count: every page of the web has one, so it takes some 20 ms at most. Whoever reads more answers than this where they
    /// stand, and never clears the inbox, is told that there may be more.
    pub(super) const OF_COUNT: Self = Self { rows: 2048, judged: 256 };

    /// Of a list: about a second.
    pub(super) const OF_LIST: Self = Self { rows: 50_000, judged: 10_000 };

    /// Takes one off, if there is one.
    fn take(left: &mut usize) -> bool {
        let has_one = *left > 0;
        *left = left.saturating_sub(1);
        has_one
    }
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    /// What arrived before this position.
    pub(super) before: Option<u64>,
    /// Also what was read.
    pub(super) all: bool,
    /// Entries at most.
    pub(super) limit: usize,
}

/// An entry in the making.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) place: InboxPlace,
    pub(super) is_unread: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// Newest first by arrival.
    pub(super) found: Vec<Found>,
    /// Where the look ended because it had taken in as much as it may: nothing older was looked at.
    pub(super) end: Option<Found>,
    /// Whether something that was asked for was passed over because the rules hide it.
    pub(super) has_hidden: bool,
}

impl Finding {
    /// Several ways to look may end: the newest of these places counts.
    fn end_at(&mut self, place: InboxPlace, is_unread: bool) {
        if self.end.as_ref().is_none_or(|end| end.place.position < place.position) {
            self.end = Some(Found { place, is_unread });
        }
    }

    /// The entries of a page. Where the look ended early the place where it did is one of them, whatever it is: its cursor
    /// leads on.
    pub(super) fn page(self, limit: usize) -> Vec<Found> {
        let Self { mut found, end, .. } = self;
        found.extend(end);
        found.truncate(limit);
        found
    }
}

/// Looks through the inbox of a reader.
pub(super) struct Search<'a> {
    store: &'a EventStore,
    me: AuthorKey,
    lens: &'a Lens,
    /// Up to where the inbox was cleared.
    mark: u64,
    left: Bounds,
    /// Of threads that were met: up to where they were read.
    roots: BTreeMap<EventId, u64>,
    /// Numbers of authors who turned out to be muted: their events are not even read.
    muted: BTreeSet<u32>,
}

impl<'a> Search<'a> {
    pub(super) fn new(store: &'a EventStore, me: AuthorKey, lens: &'a Lens, bounds: Bounds) -> Result<Self, ApiError> {
        let mark = store.inbox_mark()?;
        Ok(Self { store, me, lens, mark, left: bounds, roots: BTreeMap::new(), muted: BTreeSet::new() })
    }

    /// What is asked for, newest first.
    pub(super) fn find(&mut self, ask: &Ask) -> Result<Finding, ApiError> {
        let mut finding = Finding::default();
        self.rows(ask, &mut finding)?;
        self.watched(ask, &mut finding)?;
        let Finding { found, end, .. } = &mut finding;
        if let Some(end) = end {
            found.retain(|found| found.place.position > end.place.position);
        }
        found.sort_by_key(|found| Reverse(found.place.position));
        found.truncate(ask.limit);
        Ok(finding)
    }

    /// Answers and mentions.
    fn rows(&mut self, ask: &Ask, finding: &mut Finding) -> Result<(), ApiError> {
        let mut before = ask.before;
        while finding.found.len() < ask.limit {
            let step = self.store.inbox(before, STEP_ROWS)?;
            let Some(last) = step.last() else { return Ok(()) };
            before = Some(last.position);
            for place in step {
                let is_new = place.position > self.mark;
                if !is_new && !ask.all {
                    return Ok(());
                }
                match self.look(&place, ask.all)? {
                    Look::Shown { is_unread } => finding.found.push(Found { place, is_unread }),
                    Look::Hidden => finding.has_hidden = true,
                    Look::PassedOver => {}
                    Look::Ended => {
                        finding.end_at(place, is_new);
                        return Ok(());
                    }
                }
                if finding.found.len() == ask.limit {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn look(&mut self, place: &InboxPlace, all: bool) -> Result<Look, ApiError> {
        if !Bounds::take(&mut self.left.rows) {
            return Ok(Look::Ended);
        }
        if self.is_known_to_be_muted(&place.row) {
            return Ok(Look::Hidden);
        }
        let stored = self.store.event(&place.row.id)?;
        let Some(root) = stored.and_then(|stored| root_named_by(&stored.event)) else { return Ok(Look::PassedOver) };
        let is_unread = place.position > self.read_mark(root)?.max(self.mark);
        if !is_unread && !all {
            return Ok(Look::PassedOver);
        }
        Ok(match self.is_hidden(&place.row, &root)? {
            Some(true) => Look::Hidden,
            Some(false) => Look::Shown { is_unread },
            None => Look::Ended,
        })
    }

    /// What is new in watched threads, and is no answer or mention that was found already.
    fn watched(&mut self, ask: &Ask, finding: &mut Finding) -> Result<(), ApiError> {
        let lens = self.lens;
        let mut seen: BTreeSet<EventId> = finding.found.iter().map(|found| found.place.row.id).collect();
        for root in lens.policy.watched() {
            let read = self.read_mark(*root)?.max(self.mark);
            let members = self.store.members_behind(root, if ask.all { 0 } else { read }, &self.me)?;
            let is_asked = |position| ask.before.is_none_or(|before| position < before);
            let members =
                members.into_iter().rev().filter(|member| is_asked(member.position) && member.row.id != *root);
            let mut taken = 0;
            for member in members {
                if taken == WATCHED_MAX.min(ask.limit) {
                    break;
                }
                let (is_unread, hidden) = (member.position > read, self.is_hidden(&member.row, root)?);
                let place = InboxPlace { position: member.position, row: member.row, why: Why::Watched };
                match hidden {
                    Some(true) => finding.has_hidden = true,
                    Some(false) => {
                        taken += 1;
                        if seen.insert(place.row.id) {
                            finding.found.push(Found { place, is_unread });
                        }
                    }
                    None => {
                        finding.end_at(place, is_unread);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn is_known_to_be_muted(&self, row: &EventRow) -> bool {
        !self.lens.shows_hidden && self.muted.contains(&row.author)
    }

    /// Whether the reader's rules hide an event of a thread; `None` if as many were judged as may be.
    fn is_hidden(&mut self, row: &EventRow, root: &EventId) -> Result<Option<bool>, ApiError> {
        if self.lens.shows_hidden {
            return Ok(Some(false));
        }
        if self.lens.thread_hidden(root).is_some() || self.muted.contains(&row.author) {
            return Ok(Some(true));
        }
        if self.lens.policy.is_empty() {
            return Ok(Some(false));
        }
        if !Bounds::take(&mut self.left.judged) {
            return Ok(None);
        }
        let Some(standing) = self.store.standing(row)? else { return Ok(Some(false)) };
        if standing.node.author.is_some_and(|author| self.lens.policy.mutes(&author)) {
            self.muted.insert(row.author);
            return Ok(Some(true));
        }
        Ok(Some(self.lens.judge(&standing.node).hidden.is_some()))
    }

    fn read_mark(&mut self, root: EventId) -> Result<u64, ApiError> {
        if let Some(mark) = self.roots.get(&root) {
            return Ok(*mark);
        }
        let mark = self.store.read_mark(&root)?;
        self.roots.insert(root, mark);
        Ok(mark)
    }
}

/// What a look at a row came to.
enum Look {
    Shown {
        is_unread: bool,
    },
    /// The rules hide it.
    Hidden,
    /// Not what was asked for.
    PassedOver,
    /// As much was taken in as may be.
    Ended,
}
