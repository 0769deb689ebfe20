//! Everyone catches up: sets are compared with peers, and what differs is exchanged both ways.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `schedule.rs` | when to compare with whom |
//! | `session.rs`, `work.rs` | one comparison with one peer, and one space in it |
//! | `steps.rs`, `exchange.rs` | how a session goes on: questions about sets; events that are fetched and pushed |
//! | `fetches.rs` | which peer is asked for which event |
//! | `serve.rs` | answers to what peers ask |
//! | `compared.rs` | what comparisons have shown |
//! | `waiting.rs` | people who wait for comparisons |
//!
//! The set logic is the protocol's (`reconcile`); here are peers, time and limits. A peer is sent away for malformed or
//! forged bytes only. One that promises and does not deliver, or lies about its set, is left alone for a while.

mod compared;
mod exchange;
mod fetches;
mod schedule;
mod serve;
mod session;
mod steps;
mod waiting;
mod work;

use super::{Completeness, Engine, Output, Token};
use crate::peer::Peer;
use compared::Comparisons;
use fetches::Fetches;
use roda_protocol::codec::DecodeError;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::time::Now;
use roda_protocol::wire::{Form, Request, Response};
use schedule::Schedule;
use session::Session;
use std::collections::{BTreeMap, BTreeSet};
use waiting::Waiting;

/// Sessions that this node has begun and that run at once; people's own are not counted.
const SESSIONS_MAX: usize = 8;

/// A question of a session that got no answer is repeated once, after this.
const REPEAT_PAUSE_MS: u64 = 500;

/// Wanted events that are asked of one peer at once.
const WANT_IDS_MAX: usize = 256;

/// What a request that is under way was made for. A number is that of the session.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    Greet(u64),
    Charter(u64, SpaceId),
    Compare(u64, SpaceId),
    Recheck(u64, SpaceId),
    Push(u64, SpaceId, Form, Vec<EventId>),
    Confirm(u64, Vec<EventId>),
    Fetch,
    Want(SpaceId),
    Holds(Vec<EventId>),
    Shown(SpaceId),
    Directory,
}

impl Purpose {
    /// The session that waits for the answer.
    fn session(&self) -> Option<u64> {
        match self {
            Self::Greet(number)
            | Self::Charter(number, _)
            | Self::Compare(number, _)
            | Self::Recheck(number, _)
            | Self::Push(number, ..)
            | Self::Confirm(number, _) => Some(*number),
            Self::Fetch | Self::Want(_) | Self::Holds(_) | Self::Shown(_) | Self::Directory => None,
        }
    }

    /// The space that the answer is counted for.
    fn space(&self) -> Option<SpaceId> {
        match self {
            Self::Charter(_, space) | Self::Compare(_, space) | Self::Recheck(_, space) | Self::Push(_, space, ..) => {
                Some(*space)
            }
            _ => None,
        }
    }
}

/// A request under way.
#[derive(Debug)]
struct UnderWay {
    peer: Peer,
    purpose: Purpose,
    /// Kept for a peer that is busy, and in case no answer comes.
    request: Request,
    /// Whether it was sent before and got no answer.
    is_repeated: bool,
}

/// Comparisons: running, due, remembered.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    schedule: Schedule,
    sessions: BTreeMap<Peer, Session>,
    fetches: Fetches,
    under_way: BTreeMap<Token, UnderWay>,
    /// Requests to busy and silent peers, and when to repeat them, steady milliseconds.
    repeats: Vec<(u64, UnderWay)>,
    comparisons: Comparisons,
    waiting: Waiting,
    next_number: u64,
}

impl Syncs {
    pub(super) fn compared(&self, space: SpaceId) -> Completeness {
        self.comparisons.of(space)
    }

    /// The spaces whose comparisons say something else than when this was asked last.
    pub(super) fn take_compared(&mut self) -> BTreeSet<SpaceId> {
        self.comparisons.take_changed()
    }

    pub(super) fn suspect(&mut self) {
        self.schedule.suspect();
    }

    /// Events that are to be fetched.
    pub(super) fn wanted(&self) -> usize {
        self.fetches.len()
    }
}

impl Engine {
    /// A peer is new here: compare at once, or let it begin.
    pub(super) fn greet(&mut self, peer: &Peer, outbound: bool, now: Now) {
        self.syncs.schedule.greet(peer, outbound, now);
        self.start_due(now);
    }

    /// Compare with this peer as soon as manners allow.
    pub(super) fn sync_soon(&mut self, peer: &Peer, now: Now) {
        if self.peers.contains(peer) {
            self.syncs.schedule.soon(peer, now);
        }
    }

    /// Compare with this peer within a second: somebody waits for what it brought word of.
    pub(super) fn sync_now(&mut self, peer: &Peer, now: Now) {
        if self.peers.contains(peer) {
            self.syncs.schedule.hurry(peer, now);
        }
    }

    /// Compare with everyone within a second: this node's people wait for what they followed, wrote or imported.
    pub(super) fn sync_all_now(&mut self, now: Now) {
        for peer in self.peers.names() {
            self.syncs.schedule.hurry(&peer, now);
        }
    }

    /// Compare with everyone but this peer as soon as manners allow.
    pub(super) fn sync_others_soon(&mut self, peer: &Peer, now: Now) {
        for other in self.peers.names().into_iter().filter(|other| other != peer) {
            self.syncs.schedule.soon(&other, now);
        }
    }

    /// The space is followed no more.
    pub(super) fn forget_space(&mut self, space: SpaceId) {
        self.syncs.fetches.forget_space(space);
        self.probes.forget_space(space);
        for peer in self.peers.names() {
            self.syncs.comparisons.forget(space, &peer);
        }
        for session in self.syncs.sessions.values_mut() {
            session.works.remove(&space);
            session.todo.retain(|(todo, ..)| *todo != space);
            session.later.retain(|later| *later != space);
            session.unconfirmed.retain(|unconfirmed| *unconfirmed != space);
        }
    }

    /// An event is here, however it came.
    pub(super) fn sync_found(&mut self, space: SpaceId, created_ms: u64, id: EventId) {
        let (epoch, key) = roda_protocol::reconcile::EpochKey::of(&(created_ms, id));
        self.syncs.fetches.found(space, epoch, key.short());
    }

    pub(super) fn forget_syncs(&mut self, peer: &Peer, now: Now) {
        self.syncs.fetches.forget_peer(peer);
        self.syncs.comparisons.forget_peer(peer);
        self.syncs.repeats.retain(|(_, under_way)| under_way.peer != *peer);
        if let Some(session) = self.syncs.sessions.remove(peer) {
            self.end_session(session, now);
        }
        self.syncs.schedule.forget_peer(peer);
        self.syncs.under_way.retain(|_, under_way| under_way.peer != *peer);
        self.syncs.waiting.forget_peer(peer);
        self.answer_waiting(now);
    }

    pub(super) fn tick_syncs(&mut self, now: Now) {
        let peers = self.peers.names();
        self.syncs.schedule.tick(&peers, &mut self.random, now);
        self.syncs.fetches.tick(now);
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.syncs.repeats).into_iter().partition(|(at_ms, _)| *at_ms <= now.steady_ms);
        self.syncs.repeats = later;
        for (_, mut under_way) in due {
            self.renew(&mut under_way);
            let token = self.token();
            self.send(token, under_way);
        }
        self.start_due(now);
        for peer in peers {
            if let Some(session) = self.syncs.sessions.remove(&peer) {
                self.advance(session, now);
            }
        }
        self.fetch_on(now);
        self.answer_waiting(now);
    }

    fn start_due(&mut self, now: Now) {
        if self.remade.is_some() {
            return;
        }
        let room = SESSIONS_MAX.saturating_sub(self.syncs.sessions.len());
        let sessions = &self.syncs.sessions;
        let due = self.syncs.schedule.take_due(room, |peer| sessions.contains_key(peer), now);
        for (peer, is_asked) in due {
            if self.peers.contains(&peer) {
                self.start_session(peer, is_asked, now);
            }
        }
    }

    /// Sends a request to a peer.
    pub(super) fn ask(&mut self, peer: Peer, purpose: Purpose, request: Request) -> Token {
        let token = self.token();
        self.ask_as(token, peer, purpose, request);
        token
    }

    fn ask_as(&mut self, token: Token, peer: Peer, purpose: Purpose, request: Request) {
        self.send(token, UnderWay { peer, purpose, request, is_repeated: false });
    }

    fn send(&mut self, token: Token, under_way: UnderWay) {
        let (peer, body) = (under_way.peer.clone(), under_way.request.to_bytes());
        self.out.push(Output::Request { peer, body, token });
        self.syncs.under_way.insert(token, under_way);
    }

    /// A hint in a request that waited speaks of the set as it was: the peer would believe that it is so now.
    fn renew(&self, under_way: &mut UnderWay) {
        let Request::Spaces { salt, spaces } = &mut under_way.request else { return };
        let named = match (&under_way.purpose, self.syncs.sessions.get(&under_way.peer)) {
            (Purpose::Greet(number), Some(session)) if session.number == *number => session.named.clone(),
            (Purpose::Recheck(_, space), _) => vec![*space],
            _ => return,
        };
        for (ask, space) in spaces.iter_mut().zip(named) {
            if let Ok(new) = self.ask_about(space, *salt) {
                *ask = new;
            }
        }
    }

    /// The answer to a request of this engine.
    pub(super) fn answered(&mut self, token: Token, body: Option<&[u8]>, now: Now) {
        let Some(under_way) = self.syncs.under_way.remove(&token) else { return };
        let peer = under_way.peer.clone();
        let response = match body.map(Response::from_bytes) {
            Some(Ok(Response::Busy)) => return self.was_busy(token, under_way, now),
            Some(Ok(response)) => Some(response),
            Some(Err(DecodeError::Malformed | DecodeError::NotCanonical | DecodeError::Trailing)) => {
                self.broke_form(&peer);
                None
            }
            None if !under_way.is_repeated && self.is_in_session(&under_way) => return self.repeat(under_way, now),
            None => None,
        };
        let bytes = body.map_or(0, <[u8]>::len) as u64;
        match under_way.purpose {
            Purpose::Want(space) => self.want_came(&peer, space, response, now),
            Purpose::Holds(ids) => {
                if let Some(Response::Holding(held)) = response {
                    self.confirmed(&peer, &ids, &held);
                }
            }
            Purpose::Shown(space) => self.shown(&peer, space, response, now),
            Purpose::Directory => self.directory_came(&peer, response, now),
            Purpose::Fetch => self.fetch_came(token, response, bytes, now),
            purpose => self.session_came(&peer, purpose, response, bytes, now),
        }
        self.fetch_on(now);
        self.answer_waiting(now);
    }

    fn is_in_session(&self, under_way: &UnderWay) -> bool {
        let session = self.syncs.sessions.get(&under_way.peer);
        session.is_some_and(|session| under_way.purpose.session() == Some(session.number))
    }

    /// No answer came. One lost message must not end a session: it would begin again with what it has learnt already.
    fn repeat(&mut self, under_way: UnderWay, now: Now) {
        self.count("requests_repeated");
        self.syncs.repeats.push((now.steady_ms + REPEAT_PAUSE_MS, UnderWay { is_repeated: true, ..under_way }));
    }

    /// Malformed bytes are nobody's opinion: the peer is sent away.
    pub(super) fn broke_form(&mut self, peer: &Peer) {
        self.count("responses_malformed");
        self.out.push(Output::Disconnect { peer: peer.clone(), reason: "sent a malformed response".into() });
    }

    fn was_busy(&mut self, token: Token, under_way: UnderWay, now: Now) {
        self.count("peers_busy");
        match under_way.purpose {
            Purpose::Fetch => {
                if let Some(fetched) = self.syncs.fetches.ended(token, false, now) {
                    self.syncs.fetches.busy(&fetched, now);
                }
            }
            Purpose::Directory => self.directory.unanswered(&under_way.peer, now),
            Purpose::Want(_) | Purpose::Holds(_) | Purpose::Shown(_) => {}
            _ => {
                if self.is_in_session(&under_way)
                    && let Some(session) = self.syncs.sessions.get_mut(&under_way.peer)
                {
                    let at_ms = session.was_busy(now.steady_ms);
                    self.syncs.repeats.push((at_ms, under_way));
                }
            }
        }
    }

    /// Whether this node may not want the words of what it is sent.
    fn may_decline(&self) -> bool {
        !self.config.denied_authors.is_empty()
            || self.config.work_bits_min > 0
            || self.disk_bytes >= self.config.disk_bytes_max
    }

    /// How much of events is asked for.
    fn form(&self) -> Form {
        if self.may_decline() { Form::Header } else { Form::Whole }
    }

    pub(super) fn tick_wants(&mut self, now: Now) {
        self.wants.expire(now);
        if self.wants.is_empty() {
            return;
        }
        let mut peers = self.peers.names();
        // Only a few are asked for one event: in the order of names it would be the same ones each time.
        let first = self.random.below(peers.len().max(1) as u64);
        peers.rotate_left(usize::try_from(first).unwrap_or(0));
        for peer in peers {
            let is_asking =
                |under_way: &UnderWay| under_way.peer == peer && matches!(under_way.purpose, Purpose::Want(_));
            if self.syncs.under_way.values().any(is_asking) {
                continue;
            }
            let (peers, network) = (&self.peers, self.network);
            let listens = |space: &SpaceId| peers.listens(&peer, &roda_protocol::gossip::board_topic(&network, *space));
            let is_here = |peer: &Peer| peers.contains(peer);
            let Some((space, ids)) = self.wants.ask(&peer, now, WANT_IDS_MAX, listens, is_here) else { continue };
            self.ask(peer, Purpose::Want(space), Request::Get { space, ids });
        }
    }

    fn want_came(&mut self, peer: &Peer, space: SpaceId, response: Option<Response>, now: Now) {
        if let Some(Response::Events { events, .. }) = response {
            let _ = self.admit_from(peer, Some(space), &events, now);
        }
    }

    /// Asks a peer which own events it holds.
    pub(super) fn ask_holds(&mut self, peer: Peer, space: SpaceId, ids: Vec<EventId>) {
        self.ask(peer, Purpose::Holds(ids.clone()), Request::Holds { space, ids });
    }

    /// Asks a peer to show events that it has to know.
    pub(super) fn ask_shown(&mut self, peer: Peer, space: SpaceId, request: Request) {
        self.ask(peer, Purpose::Shown(space), request);
    }
}
