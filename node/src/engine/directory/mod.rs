//! The directory: boards that can be found without knowing them.
//!
//! Owns which boards this node lists for whoever asks, and the book of those that peers list. A node lists a board only if its
//! people said so, or found it in a directory themselves, and only while it follows it: what goes on is what people chose, and
//! a board that came by an invite or an id is told to nobody. What a peer says of a board is a claim, but for the charter, which
//! proves itself. The book is in memory: it says what is to be found now, and is asked together again in a minute.

mod book;

pub use book::FoundBoard;

use super::random::Random;
use super::sync::Purpose;
use super::{Answer, Engine};
use crate::peer::Peer;
use crate::store::{Figures, Listing, LocalRecord, StoreError};
use book::{Book, Heard, Network};
use roda_protocol::event::{Kind, Signed};
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::limits::{DIRECTORY_BOARDS_MAX, DIRECTORY_CHARTER_BYTES_MAX};
use roda_protocol::time::Now;
use roda_protocol::validate::{SpaceRules, validate};
use roda_protocol::wire::{EventBytes, Listed, Request, Response};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// A peer is asked so long after it has connected, milliseconds: comparisons go first.
const FIRST_MS: u64 = 1000;

/// And again so long after it has named all its boards, a quarter more or less.
const PERIOD_MS: u64 = 3_600_000;

/// When people look, peers are asked anew whose last answer is older than this, milliseconds.
const LOOK_GAP_MS: u64 = 10_000;

/// Between two pages of one peer, milliseconds.
const PAGE_PAUSE_MS: u64 = 2000;

/// A peer that was busy, or didn't answer, is asked again after this, milliseconds.
const RETRY_MS: u64 = 60_000;

/// Pages of one peer: 256 boards. Who lists more has not chosen them.
const PAGES_MAX: usize = 8;

/// Questions under way at once: their answers are large, and nobody waits.
const ASKING_MAX: usize = 4;

/// What this node says of a board stays the same for so long, milliseconds: nobody can watch it through this.
const FIGURES_LIFE_MS: u64 = 3_600_000;

/// Threads of a board that are counted for others.
const THREADS_MAX: usize = 10_000;

/// Units of work that a listed board costs who asks: see `reconcile::Answered`. One is about a microsecond.
const WORK_PER_BOARD: u64 = 50;

/// How often old claims are looked for, milliseconds.
const SWEEP_MS: u64 = 60_000;

/// What is asked of one peer, and when.
#[derive(Debug)]
struct Asking {
    network: Network,
    next_ms: u64,
    is_under_way: bool,
    /// When the last answer came.
    answered_ms: Option<u64>,
    /// When the first page was asked for.
    since_ms: u64,
    pages: usize,
    after: Option<SpaceId>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Directory {
    /// Its own stream: what is drawn here changes nothing elsewhere.
    random: Random,
    book: Book,
    asking: BTreeMap<Peer, Asking>,
    /// Boards that this node lists if it follows them.
    listed: BTreeSet<SpaceId>,
    /// What was said of boards, and when it was looked up.
    told: BTreeMap<SpaceId, (u64, Figures)>,
    swept_ms: u64,
}

impl Directory {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self {
            random: Random::new(blake3::derive_key("roda directory", &seed)),
            book: Book::default(),
            asking: BTreeMap::new(),
            listed: BTreeSet::new(),
            told: BTreeMap::new(),
            swept_ms: 0,
        }
    }

    pub(super) fn peer_up(&mut self, peer: &Peer, network: Network, now: Now) {
        let asking = Asking {
            network,
            next_ms: now.steady_ms + FIRST_MS + self.random.below(FIRST_MS),
            is_under_way: false,
            answered_ms: None,
            since_ms: 0,
            pages: 0,
            after: None,
        };
        self.asking.insert(peer.clone(), asking);
    }

    pub(super) fn peer_moved(&mut self, peer: &Peer, network: Network) {
        if let Some(asking) = self.asking.get_mut(peer) {
            asking.network = network;
        }
    }

    /// A peer has gone. What it said counts for a while.
    pub(super) fn peer_down(&mut self, peer: &Peer) {
        self.asking.remove(peer);
    }

    /// The peer gave no answer, or has no time.
    pub(super) fn unanswered(&mut self, peer: &Peer, now: Now) {
        if let Some(asking) = self.asking.get_mut(peer) {
            asking.is_under_way = false;
            asking.next_ms = now.steady_ms + RETRY_MS;
        }
    }

    /// Boards that stand in the book.
    pub(super) fn len(&self) -> usize {
        self.book.len()
    }

    /// The bytes of a charter that stands in the book.
    pub(super) fn charter(&self, board: &SpaceId) -> Option<Vec<u8>> {
        self.book.charter(board).map(|charter| charter.bytes().to_vec())
    }
}

impl Engine {
    /// Reads which boards are listed.
    pub(super) fn reload_listed(&mut self) -> Result<(), StoreError> {
        self.directory.listed = self.store.listed()?.into_iter().collect();
        Ok(())
    }

    /// This node's people say whether others are told of a board.
    pub(super) fn list(&mut self, space: SpaceId, is_on: bool) -> Answer {
        let listing = if is_on { Listing::On } else { Listing::Off };
        let answer = self.note(&[LocalRecord::Listing { space, listing }]);
        match self.reload_listed() {
            Ok(()) => answer,
            Err(error) => Answer::Storage(error.to_string()),
        }
    }

    /// People look at the directory: what stands in it now; peers are asked anew.
    pub(super) fn look_at_directory(&mut self, now: Now) -> Answer {
        for asking in self.directory.asking.values_mut() {
            let is_old = asking.answered_ms.is_none_or(|answered_ms| answered_ms + LOOK_GAP_MS <= now.steady_ms);
            if is_old && asking.pages == 0 {
                asking.next_ms = asking.next_ms.min(now.steady_ms);
            }
        }
        Answer::Directory(self.directory.book.all())
    }

    pub(super) fn tick_directory(&mut self, now: Now) {
        if self.directory.swept_ms + SWEEP_MS <= now.steady_ms {
            self.directory.swept_ms = now.steady_ms;
            self.directory.book.expire(now.steady_ms);
            self.directory.told.retain(|_, (at_ms, _)| *at_ms + FIGURES_LIFE_MS > now.steady_ms);
        }
        let under_way = self.directory.asking.values().filter(|asking| asking.is_under_way).count();
        let due = self
            .directory
            .asking
            .iter_mut()
            .filter(|(_, asking)| !asking.is_under_way && asking.next_ms <= now.steady_ms);
        let mut questions = Vec::new();
        for (peer, asking) in due.take(ASKING_MAX.saturating_sub(under_way)) {
            asking.is_under_way = true;
            if asking.pages == 0 {
                asking.since_ms = now.steady_ms;
            }
            questions.push((peer.clone(), asking.after));
        }
        for (peer, after) in questions {
            self.ask(peer, Purpose::Directory, Request::Directory { after });
        }
    }

    /// A page of a peer's boards came, or no answer.
    pub(super) fn directory_came(&mut self, peer: &Peer, response: Option<Response>, now: Now) {
        match response {
            None => self.directory.unanswered(peer, now),
            Some(Response::Directory { boards, more }) => self.take_listed(peer, &boards, more, now),
            Some(_) => self.lied_in_form(peer, now),
        }
    }

    fn lied_in_form(&mut self, peer: &Peer, now: Now) {
        self.broke_form(peer);
        self.directory.unanswered(peer, now);
        self.directory.book.forget(peer);
    }

    fn take_listed(&mut self, peer: &Peer, boards: &[Listed], more: bool, now: Now) {
        let Some(asking) = self.directory.asking.get(peer) else { return };
        let (mut after, network) = (asking.after, asking.network.clone());
        let mut has_kept = false;
        for listed in boards {
            let Ok(signed) = Signed::decode(&self.network, &listed.charter.0) else {
                self.sent_invalid(peer);
                continue;
            };
            let board = signed.space();
            if !matches!(signed.kind(), Kind::Charter(_)) || after.is_some_and(|after| board <= after) {
                return self.lied_in_form(peer, now);
            }
            after = Some(board);
            let header = signed.header();
            if self.config.denied_authors.contains(&header.author) || now.is_future(header.created_ms) {
                continue;
            }
            let known = self.directory.book.charter(&board);
            let charter = match known.filter(|known| known.has_body() || !signed.has_body()) {
                Some(known) => Arc::clone(known),
                None => match validate(signed, &SpaceRules::OPEN) {
                    Ok(charter) => Arc::new(charter),
                    Err(_) => {
                        self.sent_invalid(peer);
                        continue;
                    }
                },
            };
            let figures = Figures { events: listed.events, threads: listed.threads, last_day: listed.last_day };
            match self.directory.book.hear(peer, &network, charter, figures, now.steady_ms) {
                Heard::Kept => has_kept = true,
                Heard::NoRoom => self.count("directory_refused"),
            }
        }
        let Directory { asking, book, random, .. } = &mut self.directory;
        let Some(asking) = asking.get_mut(peer) else { return };
        asking.is_under_way = false;
        asking.answered_ms = Some(now.steady_ms);
        asking.pages += 1;
        // Who fills pages with what has no room need not be read to the end.
        if more && has_kept && asking.pages < PAGES_MAX {
            asking.after = after;
            asking.next_ms = now.steady_ms + PAGE_PAUSE_MS;
            return;
        }
        book.named_all(peer, asking.since_ms);
        (asking.pages, asking.after) = (0, None);
        asking.next_ms = now.steady_ms + PERIOD_MS * 3 / 4 + random.below(PERIOD_MS / 2);
    }

    /// A page of the boards that this node lists.
    pub(super) fn serve_directory(
        &mut self,
        peer: &Peer,
        after: Option<SpaceId>,
        now: Now,
    ) -> Result<Response, StoreError> {
        let behind = (after.map_or(Unbounded, Excluded), Unbounded);
        let follows = &self.follows;
        let listed = self.directory.listed.range(behind).filter(|board| follows.contains_key(board));
        let candidates: Vec<SpaceId> = listed.copied().collect();
        let (mut boards, mut more) = (Vec::new(), false);
        for board in candidates {
            let Some(charter) = self.charter_to_list(board)? else { continue };
            if boards.len() == DIRECTORY_BOARDS_MAX {
                more = true;
                break;
            }
            let Figures { events, threads, last_day } = self.figures_to_tell(board, now)?;
            boards.push(Listed { charter: EventBytes(charter), events, threads, last_day });
        }
        self.peers.charge(peer, 1 + boards.len() as u64 * WORK_PER_BOARD);
        Ok(Response::Directory { boards, more })
    }

    /// The charter of a board as it is listed; none if it is not here, as an open board's never is.
    fn charter_to_list(&self, board: SpaceId) -> Result<Option<Vec<u8>>, StoreError> {
        let stored = self.store.event(&EventId(board.0))?;
        let charter = stored.filter(|stored| matches!(stored.event.kind(), Kind::Charter(_)));
        Ok(charter.map(|stored| match stored.event.bytes() {
            whole if whole.len() <= DIRECTORY_CHARTER_BYTES_MAX => whole.to_vec(),
            _ => stored.event.bytes_without_body().to_vec(),
        }))
    }

    fn figures_to_tell(&mut self, board: SpaceId, now: Now) -> Result<Figures, StoreError> {
        match self.directory.told.get(&board) {
            Some((at_ms, figures)) if *at_ms + FIGURES_LIFE_MS > now.steady_ms => Ok(*figures),
            _ => {
                let figures = self.store.figures(board, THREADS_MAX)?;
                self.directory.told.insert(board, (now.steady_ms, figures));
                Ok(figures)
            }
        }
    }
}
