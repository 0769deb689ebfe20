//! When to compare sets with whom, and the steps of each comparison. What a step means is in `session`.

use super::session::{Session, Step, Work};
use super::{Answer, Compared, Engine, Output, ReplyTo, SyncSummary, Token, Verdict};
use crate::peer::Peer;
use crate::store::StoreError;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::limits::{SYNC_EVENTS_BYTES_MAX, SYNC_GET_IDS_MAX, SYNC_SPACES_MAX};
use roda_protocol::reconcile::SetKey;
use roda_protocol::time::Now;
use roda_protocol::wire::{self, EventBytes, Request, Response, SpaceDigest};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A random partner is compared with this often.
const PERIOD_MS: u64 = 60_000;

/// Comparisons with one peer are at least this far apart, unless people ask.
const GAP_MS: u64 = 1000;

/// The side that was dialled lets the dialler begin.
const INBOUND_PATIENCE_MS: u64 = 700;

/// A busy peer is asked again after this.
const BUSY_PAUSE_MS: u64 = 500;

/// Bytes that one space takes in the greeting: a tag of 8 and a digest of 28.
const DIGEST_BYTES: u64 = 36;

/// Events of one push at most.
const PUSH_EVENTS_MAX: usize = 256;

/// Wanted events that are asked of one peer at once.
const WANT_IDS_MAX: usize = 256;

/// Peers whose last comparison of a space is remembered.
const COMPARED_MAX: usize = 256;

/// What a request that is under way was made for.
#[derive(Debug)]
enum Purpose {
    Session(Peer),
    Want { peer: Peer, space: SpaceId },
    Holds { peer: Peer, ids: Vec<EventId> },
}

/// Events of one push: their ids, and their bytes.
type Pushed = (Vec<EventId>, Vec<EventBytes>);

/// People who wait for comparisons.
#[derive(Debug)]
struct Waiting {
    reply: ReplyTo,
    space: Option<SpaceId>,
    peers: BTreeSet<Peer>,
    /// Only comparisons from this number on count: they began after the question.
    since: u64,
    deadline_ms: u64,
    sums: BTreeMap<SpaceId, SyncSummary>,
}

/// Comparisons: running, due, remembered.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    sessions: BTreeMap<Peer, Session>,
    requests: BTreeMap<Token, Purpose>,
    due: BTreeMap<Peer, u64>,
    soon: BTreeSet<Peer>,
    ended_ms: BTreeMap<Peer, u64>,
    next_number: u64,
    next_period_ms: Option<u64>,
    compared: BTreeMap<SpaceId, BTreeMap<Peer, (bool, u64)>>,
    waiting: Vec<Waiting>,
}

impl Syncs {
    pub(super) fn compared(&self, space: SpaceId) -> Compared {
        let Some(peers) = self.compared.get(&space) else { return Compared::default() };
        Compared {
            peers_asked: u32::try_from(peers.len()).unwrap_or(u32::MAX),
            peers_equal: u32::try_from(peers.values().filter(|(equal, _)| *equal).count()).unwrap_or(u32::MAX),
            checked_ms: peers.values().map(|(_, at)| *at).max().unwrap_or(0),
        }
    }

    fn remember(&mut self, space: SpaceId, peer: &Peer, is_equal: bool, now: Now) {
        let peers = self.compared.entry(space).or_default();
        if peers.len() >= COMPARED_MAX
            && !peers.contains_key(peer)
            && let Some(oldest) = peers.iter().min_by_key(|(_, (_, at))| *at).map(|(peer, _)| peer.clone())
        {
            peers.remove(&oldest);
        }
        peers.insert(peer.clone(), (is_equal, now.wall_ms));
    }
}

impl Engine {
    /// A peer is new here: compare at once, or let it begin.
    pub(super) fn greet(&mut self, peer: &Peer, outbound: bool, now: Now) {
        let patience = if outbound { 0 } else { INBOUND_PATIENCE_MS };
        self.syncs.due.insert(peer.clone(), now.steady_ms + patience);
        if outbound {
            self.start_due(now);
        }
    }

    /// Compare with this peer as soon as manners allow.
    pub(super) fn sync_soon(&mut self, peer: &Peer) {
        if self.peers.contains(peer) {
            self.syncs.soon.insert(peer.clone());
        }
    }

    /// Compare with everyone as soon as manners allow.
    pub(super) fn sync_all_soon(&mut self) {
        let names = self.peers.names();
        self.syncs.soon.extend(names);
    }

    /// Compare with everyone but this peer as soon as manners allow.
    pub(super) fn sync_others_soon(&mut self, peer: &Peer) {
        let others = self.peers.names().into_iter().filter(|other| other != peer);
        self.syncs.soon.extend(others);
    }

    pub(super) fn sync_asked(&mut self, space: Option<SpaceId>, wait_ms: u64, reply: ReplyTo, now: Now) {
        let peers: BTreeSet<Peer> = self.peers.names().into_iter().collect();
        for peer in &peers {
            self.syncs.due.insert(peer.clone(), now.steady_ms);
        }
        let since = self.syncs.next_number;
        let deadline_ms = now.steady_ms.saturating_add(wait_ms);
        self.syncs.waiting.push(Waiting { reply, space, peers, since, deadline_ms, sums: BTreeMap::new() });
        self.start_due(now);
        self.answer_waiting(now);
    }

    pub(super) fn forget_syncs(&mut self, peer: &Peer, now: Now) {
        self.syncs.due.remove(peer);
        self.syncs.soon.remove(peer);
        self.syncs.ended_ms.remove(peer);
        self.end_session(peer, now);
        self.syncs.waiting.iter_mut().for_each(|waiting| {
            waiting.peers.remove(peer);
        });
        self.answer_waiting(now);
    }

    pub(super) fn tick_syncs(&mut self, now: Now) {
        for peer in std::mem::take(&mut self.syncs.soon) {
            let earliest = self.syncs.ended_ms.get(&peer).map_or(now.steady_ms, |ended| ended + GAP_MS);
            let due = self.syncs.due.entry(peer).or_insert(earliest);
            *due = (*due).min(earliest);
        }
        let next = *self.syncs.next_period_ms.get_or_insert(now.steady_ms + PERIOD_MS);
        if next <= now.steady_ms {
            let names = self.peers.names();
            let chosen = self.random.below(names.len() as u64);
            if let Some(peer) = usize::try_from(chosen).ok().and_then(|at| names.get(at)) {
                self.syncs.due.entry(peer.clone()).or_insert(now.steady_ms);
            }
            let jitter = self.random.below(PERIOD_MS / 2);
            self.syncs.next_period_ms = Some(now.steady_ms + PERIOD_MS * 3 / 4 + jitter);
        }
        self.start_due(now);
        let is_due = |session: &&mut Session| session.repeat_at_ms.is_some_and(|at| at <= now.steady_ms);
        let repeat: Vec<Peer> =
            self.syncs.sessions.values_mut().filter(is_due).map(|session| session.peer.clone()).collect();
        for peer in repeat {
            if let Some(mut session) = self.syncs.sessions.remove(&peer) {
                session.repeat_at_ms = None;
                self.send(&mut session);
                self.syncs.sessions.insert(peer, session);
            }
        }
        self.answer_waiting(now);
    }

    fn start_due(&mut self, now: Now) {
        let due: Vec<Peer> = self
            .syncs
            .due
            .iter()
            .filter(|(peer, at)| **at <= now.steady_ms && !self.syncs.sessions.contains_key(*peer))
            .map(|(peer, _)| peer.clone())
            .collect();
        for peer in due {
            self.syncs.due.remove(&peer);
            if self.peers.contains(&peer) {
                self.start_session(peer);
            }
        }
    }

    fn start_session(&mut self, peer: Peer) {
        let mut spaces: Vec<SpaceId> = self.follows.keys().copied().collect();
        spaces.truncate(SYNC_SPACES_MAX);
        // Author spaces take turns where there are more than one greeting names.
        let room = SYNC_SPACES_MAX - spaces.len();
        let skip = self.random.below((self.author_spaces.len().saturating_sub(room) + 1) as u64);
        spaces.extend(self.author_spaces.keys().skip(usize::try_from(skip).unwrap_or(0)).take(room));
        let salt = self.random.bytes();
        let tags = spaces.iter().map(|space| wire::space_tag(&salt, *space)).collect();
        let number = self.syncs.next_number;
        self.syncs.next_number += 1;
        let mut session = Session {
            peer: peer.clone(),
            number,
            salt,
            spaces,
            todo: VecDeque::new(),
            work: None,
            step: Step::Spaces,
            request: Request::Spaces { salt, tags },
            token: 0,
            repeat_at_ms: None,
            unconfirmed: VecDeque::new(),
            tallies: BTreeMap::new(),
            requests: 0,
            pages: 0,
            fruitless: 0,
            busy: 0,
        };
        self.count("comparisons");
        self.send(&mut session);
        self.syncs.sessions.insert(peer, session);
    }

    fn send(&mut self, session: &mut Session) {
        let token = self.token();
        session.token = token;
        session.requests += 1;
        let body = session.request.to_bytes();
        if let Some(tally) = session.tally() {
            tally.bytes += body.len() as u64;
        }
        self.syncs.requests.insert(token, Purpose::Session(session.peer.clone()));
        self.out.push(Output::Request { peer: session.peer.clone(), body, token });
    }

    /// The answer to a request of this engine.
    pub(super) fn answered(&mut self, token: Token, body: Option<&[u8]>, now: Now) {
        let response = body.map(Response::from_bytes);
        match self.syncs.requests.remove(&token) {
            Some(Purpose::Session(peer)) => self.session_answered(&peer, token, response, body, now),
            Some(Purpose::Want { peer, space }) => {
                if let Some(Ok(Response::Events { events, .. })) = response {
                    let _ = self.admit_from(&peer, Some(space), &events, now);
                }
            }
            Some(Purpose::Holds { peer, ids }) => {
                if let Some(Ok(Response::Holding(held))) = response {
                    self.confirmed(&peer, &ids, &held);
                }
            }
            None => {}
        }
    }

    fn session_answered(
        &mut self,
        peer: &Peer,
        token: Token,
        response: Option<Result<Response, roda_protocol::codec::DecodeError>>,
        body: Option<&[u8]>,
        now: Now,
    ) {
        let Some(mut session) = self.syncs.sessions.remove(peer) else { return };
        if session.token != token {
            self.syncs.sessions.insert(peer.clone(), session);
            return;
        }
        if let Some(tally) = session.tally() {
            tally.rounds += 1;
            tally.bytes += body.map_or(0, <[u8]>::len) as u64;
        }
        let goes_on = match response {
            None => Ok(false),
            Some(Err(_)) => {
                self.out.push(Output::Disconnect { peer: peer.clone(), reason: "sent a malformed response".into() });
                Ok(false)
            }
            Some(Ok(Response::Busy)) => {
                session.busy += 1;
                session.repeat_at_ms = Some(now.steady_ms + BUSY_PAUSE_MS);
                if !session.is_exhausted() {
                    self.syncs.sessions.insert(peer.clone(), session);
                    return;
                }
                Ok(false)
            }
            Some(Ok(response)) => self.take(&mut session, response, now),
        };
        let goes_on = goes_on.and_then(|goes_on| Ok(goes_on && !session.is_exhausted() && self.plan(&mut session)?));
        let goes_on = goes_on.unwrap_or_else(|error: StoreError| {
            let _ = self.failed(&error);
            false
        });
        if goes_on {
            self.send(&mut session);
            self.syncs.sessions.insert(peer.clone(), session);
        } else {
            self.syncs.sessions.insert(peer.clone(), session);
            self.end_session(peer, now);
            self.answer_waiting(now);
        }
    }

    /// Takes an answer in; false if it does not fit the question: the comparison ends.
    fn take(&mut self, session: &mut Session, response: Response, now: Now) -> Result<bool, StoreError> {
        match (session.step.clone(), response) {
            (Step::Spaces, Response::Spaces(digests)) => Ok(self.take_digests(session, &digests, now)),
            (Step::Recheck, Response::Spaces(digests)) => {
                if let Some(work) = session.work.take() {
                    let is_equal = digests.first().is_some_and(|digest| self.is_equal(session, work.space, digest));
                    self.note_compared(session, work.space, is_equal, now);
                }
                Ok(true)
            }
            (Step::Charter, Response::Events { events, .. }) => {
                let verdicts = self.admit_from(&session.peer, None, &events, now);
                if verdicts.is_empty() {
                    // The peer has no charter either; nothing of the board can be judged.
                    session.work = None;
                }
                Ok(true)
            }
            (Step::Page, Response::Page { keys, is_last }) => Ok(self.take_page(session, keys, is_last)),
            (Step::Get(ids), Response::Events { events, answered }) => {
                Ok(self.take_events(session, &ids, &events, answered, now))
            }
            (Step::Push(ids), Response::Holding(held)) => {
                let held_now = held.iter().filter(|held| **held).count() as u64;
                if let Some(tally) = session.tally() {
                    tally.sent += held_now;
                }
                self.confirmed(&session.peer, &ids, &held);
                Ok(true)
            }
            (Step::Holds(ids), Response::Holding(held)) => {
                self.confirmed(&session.peer, &ids, &held);
                Ok(true)
            }
            (Step::Charter | Step::Page | Step::Get(_) | Step::Push(_) | Step::Recheck, Response::NotFollowed) => {
                session.work = None;
                Ok(true)
            }
            (Step::Holds(_), Response::NotFollowed) => Ok(true),
            _ => Ok(false),
        }
    }

    fn is_equal(&self, session: &Session, space: SpaceId, digest: &SpaceDigest) -> bool {
        self.store.known().digest(space, &session.salt) == digest.digest
    }

    fn note_compared(&mut self, session: &mut Session, space: SpaceId, is_equal: bool, now: Now) {
        self.syncs.remember(space, &session.peer, is_equal, now);
        session.tallies.entry(space).or_default().is_equal = is_equal;
        if is_equal || self.follows.contains_key(&space) {
            session.unconfirmed.push_back(space);
        }
    }

    fn take_digests(&mut self, session: &mut Session, digests: &[SpaceDigest], now: Now) -> bool {
        let mut last = None;
        for digest in digests {
            let index = digest.index as usize;
            let Some(&space) = session.spaces.get(index).filter(|_| last.is_none_or(|last| index > last)) else {
                return false;
            };
            last = Some(index);
            let is_equal = self.is_equal(session, space, digest);
            self.note_compared(session, space, is_equal, now);
            if let Some(tally) = session.tallies.get_mut(&space) {
                // Its part of a request and a response that name all spaces.
                tally.rounds += 1;
                tally.bytes += DIGEST_BYTES;
            }
            if !is_equal {
                session.todo.push_back(space);
            }
        }
        true
    }

    fn take_page(&mut self, session: &mut Session, keys: Vec<SetKey>, is_last: bool) -> bool {
        let Some(work) = &mut session.work else { return false };
        // Pages ascend and the last one alone may be empty: otherwise the comparison would never end.
        let goes_on = keys.first().is_none_or(|first| work.after.is_none_or(|after| *first > after));
        if !goes_on || (keys.is_empty() && !is_last) {
            return false;
        }
        session.pages += 1;
        let (unknown, _) = self.store.known().compare(work.space, work.after, &keys, is_last, 0);
        work.want = unknown.into_iter().map(|(_, id)| id).collect();
        work.push_after = Some(work.after);
        work.page = keys;
        work.is_last = is_last;
        true
    }

    fn take_events(
        &mut self,
        session: &mut Session,
        ids: &[EventId],
        events: &[EventBytes],
        answered: u32,
        now: Now,
    ) -> bool {
        let answered = (answered as usize).min(ids.len());
        let Some(space) = session.work.as_ref().map(|work| work.space) else { return false };
        let verdicts = self.admit_from(&session.peer, Some(space), events, now);
        let received = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Admitted(_))).count() as u64;
        if received == 0 {
            session.fruitless += 1;
        }
        if let Some(tally) = session.tally() {
            tally.received += received;
        }
        self.add("events_synced", received);
        let Some(work) = &mut session.work else { return false };
        work.want.drain(..answered.min(work.want.len()));
        // An answer to none of the ids would be asked for again for ever.
        answered > 0
    }

    /// Chooses the next request; false if there is none.
    fn plan(&mut self, session: &mut Session) -> Result<bool, StoreError> {
        loop {
            if session.work.is_some() {
                if self.plan_work(session)? {
                    return Ok(true);
                }
                continue;
            }
            if let Some(space) = session.todo.pop_front() {
                session.work = Some(Work {
                    space,
                    after: None,
                    page: Vec::new(),
                    is_last: false,
                    want: VecDeque::new(),
                    push_after: None,
                });
                let lacks_charter = self.follows.get(&space).is_some_and(|follow| follow.rules.is_none());
                if lacks_charter {
                    session.step = Step::Charter;
                    session.request = Request::Get { space, ids: vec![EventId(space.0)] };
                } else {
                    session.step = Step::Page;
                    session.request = Request::Page { space, after: None };
                }
                return Ok(true);
            }
            let Some(space) = session.unconfirmed.pop_front() else { return Ok(false) };
            let ids = self.outbox.unconfirmed(space, &session.peer, SYNC_GET_IDS_MAX);
            if !ids.is_empty() {
                session.request = Request::Holds { space, ids: ids.clone() };
                session.step = Step::Holds(ids);
                return Ok(true);
            }
        }
    }

    /// The next request within a space; false if the space was given up.
    fn plan_work(&mut self, session: &mut Session) -> Result<bool, StoreError> {
        let Some(work) = &mut session.work else { return Ok(false) };
        let space = work.space;
        if matches!(session.step, Step::Charter) {
            if self.follows.get(&space).is_none_or(|follow| follow.rules.is_none()) {
                session.work = None;
                return Ok(false);
            }
            session.step = Step::Page;
            session.request = Request::Page { space, after: None };
            return Ok(true);
        }
        if !work.want.is_empty() {
            let ids: Vec<EventId> = work.want.iter().take(SYNC_GET_IDS_MAX).copied().collect();
            session.request = Request::Get { space, ids: ids.clone() };
            session.step = Step::Get(ids);
            return Ok(true);
        }
        if let Some((ids, events)) = self.next_push(work)? {
            session.request = Request::Push { space, events };
            session.step = Step::Push(ids);
            return Ok(true);
        }
        if work.is_last {
            let salt = self.random.bytes();
            session.salt = salt;
            session.request = Request::Spaces { salt, tags: vec![wire::space_tag(&salt, space)] };
            session.step = Step::Recheck;
        } else {
            work.after = work.page.last().copied();
            session.request = Request::Page { space, after: work.after };
            session.step = Step::Page;
        }
        Ok(true)
    }

    /// The next events of the page that only this node has, as many as one request carries.
    fn next_push(&self, work: &mut Work) -> Result<Option<Pushed>, StoreError> {
        while let Some(after) = work.push_after {
            let known = self.store.known();
            let (_, ours) = known.compare(work.space, after, &work.page, work.is_last, PUSH_EVENTS_MAX);
            let (mut ids, mut events, mut bytes) = (Vec::new(), Vec::new(), 0);
            work.push_after = if ours.len() < PUSH_EVENTS_MAX { None } else { ours.last().copied().map(Some) };
            let mut before = after;
            for key in ours {
                if let Some(stored) = self.store.event(&key.1)? {
                    let event = stored.event.bytes();
                    if bytes + event.len() > SYNC_EVENTS_BYTES_MAX {
                        work.push_after = Some(before);
                        break;
                    }
                    bytes += event.len();
                    ids.push(key.1);
                    events.push(EventBytes(event.to_vec()));
                }
                before = Some(key);
            }
            if !ids.is_empty() {
                return Ok(Some((ids, events)));
            }
        }
        Ok(None)
    }

    fn end_session(&mut self, peer: &Peer, now: Now) {
        let Some(session) = self.syncs.sessions.remove(peer) else { return };
        self.syncs.requests.remove(&session.token);
        self.syncs.ended_ms.insert(peer.clone(), now.steady_ms);
        for waiting in &mut self.syncs.waiting {
            if session.number < waiting.since || !waiting.peers.remove(peer) {
                continue;
            }
            for (space, tally) in &session.tallies {
                let sum = waiting.sums.entry(*space).or_default();
                sum.peers_asked += 1;
                sum.peers_equal += u32::from(tally.is_equal);
                sum.received += tally.received;
                sum.sent += tally.sent;
                sum.rounds += tally.rounds;
                sum.bytes += tally.bytes;
            }
        }
    }

    /// Answers people whose comparisons have ended or whose patience has.
    fn answer_waiting(&mut self, now: Now) {
        let waiting = std::mem::take(&mut self.syncs.waiting);
        for mut waiting in waiting {
            if !waiting.peers.is_empty() && waiting.deadline_ms > now.steady_ms {
                self.syncs.waiting.push(waiting);
                continue;
            }
            let boards = self.follows.keys().filter(|board| waiting.space.is_none_or(|space| space == **board));
            let sums = boards
                .map(|board| SyncSummary { space: Some(*board), ..waiting.sums.remove(board).unwrap_or_default() })
                .collect();
            self.reply(waiting.reply, Answer::Synced(sums));
        }
    }

    pub(super) fn tick_wants(&mut self, now: Now) {
        self.wants.expire(now);
        for peer in self.peers.names() {
            let is_asking = |purpose: &Purpose| matches!(purpose, Purpose::Want { peer: asked, .. } if *asked == peer);
            if self.syncs.requests.values().any(is_asking) {
                continue;
            }
            let (peers, network) = (&self.peers, self.network);
            let listens = |space: &SpaceId| peers.listens(&peer, &roda_protocol::gossip::board_topic(&network, *space));
            let Some((space, ids)) = self.wants.ask(&peer, now, WANT_IDS_MAX, listens) else { continue };
            let body = Request::Get { space, ids }.to_bytes();
            let token = self.token();
            self.syncs.requests.insert(token, Purpose::Want { peer: peer.clone(), space });
            self.out.push(Output::Request { peer, body, token });
        }
    }

    /// Asks a peer which own events it holds.
    pub(super) fn ask_holds(&mut self, peer: Peer, space: SpaceId, ids: Vec<EventId>) {
        let body = Request::Holds { space, ids: ids.clone() }.to_bytes();
        let token = self.token();
        self.syncs.requests.insert(token, Purpose::Holds { peer: peer.clone(), ids });
        self.out.push(Output::Request { peer, body, token });
    }
}
