//! How a session goes on: greeting, questions about sets, and what their answers lead to.
//!
//! Every answer leads to [`Engine::advance`], which does all that can be done now and ends the session when nothing is
//! left. A session is out of its table while it is worked on.

use super::session::{FRUITLESS_MAX, Session, Tally, UNKEPT_PER_GIVEN, WORKS_MAX};
use super::work::{Phase, RUNS_MAX, Work};
use super::{Purpose, SESSIONS_MAX};
use crate::engine::{Engine, Output};
use crate::peer::Peer;
use crate::store::StoreError;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::limits::{SYNC_GET_IDS_MAX, SYNC_SPACES_MAX};
use roda_protocol::reconcile::{CompareError, Comparison, Fetch, Finding, Found, Salt};
use roda_protocol::time::Now;
use roda_protocol::wire::{self, Request, Response, SpaceAsk, SpaceDigest};
use std::sync::Arc;

/// Bytes that one space takes in a greeting and its answer, epochs aside: counted for people who ask what a comparison
/// cost.
const SPACE_BYTES: u64 = 12 + 20;

/// Bytes of an epoch in that answer, about.
const EPOCH_BYTES: u64 = 14;

const _: () = assert!(SESSIONS_MAX * WORKS_MAX <= 32);

impl Engine {
    pub(super) fn start_session(&mut self, peer: Peer, is_asked: bool, now: Now) {
        let mut spaces: Vec<SpaceId> = self.follows.keys().copied().collect();
        spaces.truncate(SYNC_SPACES_MAX);
        // Author spaces take turns where there are more than one greeting names.
        let room = SYNC_SPACES_MAX - spaces.len();
        let skip = self.random.below((self.author_spaces.len().saturating_sub(room) + 1) as u64);
        spaces.extend(self.author_spaces.keys().skip(usize::try_from(skip).unwrap_or(0)).take(room));
        let number = self.syncs.next_number;
        self.syncs.next_number += 1;
        self.count("comparisons");
        let salt = self.salt();
        let mut session = Session::new(peer, number, is_asked, salt, now.steady_ms);
        session.later = spaces;
        self.advance(session, now);
    }

    fn salt(&mut self) -> Salt {
        let mut salt = [0; 16];
        salt.copy_from_slice(&self.random.bytes()[..16]);
        Salt(salt)
    }

    /// Does what can be done now, and ends the session if that is all.
    pub(super) fn advance(&mut self, mut session: Session, now: Now) {
        if !session.is_exhausted(now.steady_ms) {
            self.greet_on(&mut session);
            self.work_on(&mut session, now);
            self.confirm_on(&mut session);
        }
        if session.is_exhausted(now.steady_ms) || session.is_done() {
            self.end_session(session, now);
        } else {
            self.syncs.sessions.insert(session.peer.clone(), session);
        }
    }

    /// Names the spaces whose state is still to be asked.
    fn greet_on(&mut self, session: &mut Session) {
        let is_idle = session.greeting.is_none() && session.todo.is_empty() && session.works.is_empty();
        if !is_idle || session.later.is_empty() {
            return;
        }
        session.salt = self.salt();
        session.named = std::mem::take(&mut session.later);
        let mut asks = Vec::with_capacity(session.named.len());
        for space in &session.named {
            match self.ask_about(*space, session.salt) {
                Ok(ask) => asks.push(ask),
                Err(error) => {
                    let _ = self.failed(&error);
                    session.is_broken = true;
                    return;
                }
            }
        }
        session.requests += 1;
        let request = Request::Spaces { salt: session.salt, spaces: asks };
        session.greeting = Some(self.ask(session.peer.clone(), Purpose::Greet(session.number), request));
    }

    pub(super) fn ask_about(&self, space: SpaceId, salt: Salt) -> Result<SpaceAsk, StoreError> {
        let key = salt.key();
        let (_, digest) = self.store.sets(space).digest(&key)?;
        Ok(SpaceAsk { tag: wire::space_tag(&key, space), hint: wire::digest_hint(&key, &digest) })
    }

    fn work_on(&mut self, session: &mut Session, now: Now) {
        while session.works.len() < WORKS_MAX
            && let Some((space, salt, epochs)) = session.todo.pop_front()
        {
            let mut work = Work::new(space, salt, epochs);
            if self.follows.get(&space).is_some_and(|follow| follow.rules.is_none()) {
                work.phase = Phase::Charter;
            }
            session.works.insert(space, work);
        }
        let spaces: Vec<SpaceId> = session.works.keys().copied().collect();
        for space in spaces {
            let Some(mut work) = session.works.remove(&space) else { continue };
            match self.step(session, &mut work) {
                Ok(()) => drop(session.works.insert(space, work)),
                Err(error) => {
                    let _ = self.failed(&error);
                }
            }
        }
        self.fetch_on(now);
    }

    /// Lets one space go on as far as it can without an answer.
    fn step(&mut self, session: &mut Session, work: &mut Work) -> Result<(), StoreError> {
        self.push_on(session, work)?;
        if work.asking.is_some() {
            return Ok(());
        }
        let space = work.space;
        match work.phase {
            Phase::Charter => {
                let request = Request::Get { space, ids: vec![EventId(space.0)] };
                self.question(session, work, Purpose::Charter(session.number, space), request);
            }
            Phase::Comparing => match self.next_probes(session, work)? {
                Some(request) => self.question(session, work, Purpose::Compare(session.number, space), request),
                None => {
                    work.phase = Phase::Exchanging;
                    return self.step(session, work);
                }
            },
            Phase::Exchanging => {
                let is_pushing = work.pushing.is_some() || !work.pushes.is_empty() || !work.words.is_empty();
                if !is_pushing && !self.syncs.fetches.is_waiting(&session.peer, space) {
                    work.phase = Phase::Rechecking;
                    work.salt = self.salt();
                    let spaces = vec![self.ask_about(space, work.salt)?];
                    let request = Request::Spaces { salt: work.salt, spaces };
                    self.question(session, work, Purpose::Recheck(session.number, space), request);
                }
            }
            Phase::Rechecking => {}
        }
        Ok(())
    }

    fn question(&mut self, session: &mut Session, work: &mut Work, purpose: Purpose, request: Request) {
        session.requests += 1;
        session.tally(work.space).bytes += request.to_bytes().len() as u64;
        work.asking = Some(self.ask(session.peer.clone(), purpose, request));
    }

    fn next_probes(&mut self, session: &mut Session, work: &mut Work) -> Result<Option<Request>, StoreError> {
        let store = Arc::clone(&self.store);
        let sets = store.sets(work.space);
        let mut comparison = match work.comparison.take() {
            Some(comparison) => comparison,
            None => {
                work.runs += 1;
                work.before = (store.known().len(work.space) as u64, *session.tally(work.space));
                let epochs = std::mem::take(&mut work.epochs);
                let (comparison, found) = Comparison::start(&sets, work.salt.key(), &epochs, &work.exact)?;
                self.take_found(&session.peer, work, found);
                comparison
            }
        };
        let probes = comparison.next(&sets)?;
        work.comparison = Some(comparison);
        Ok(probes.map(|probes| Request::Compare { salt: work.salt, space: work.space, probes }))
    }

    fn take_found(&mut self, peer: &Peer, work: &mut Work, found: Found) {
        let form = self.form();
        for fetch in found.fetch {
            match fetch {
                Fetch::Range { epoch, lower, upper, .. } => {
                    self.syncs.fetches.add_range(peer, work.space, epoch, (lower, upper), form);
                }
                Fetch::Picks { epoch, shorts } => {
                    self.syncs.fetches.add_picks(peer, work.space, epoch, &shorts, form);
                }
            }
        }
        work.add_pushes(found.push);
    }

    /// Asks which own events the peer holds, once its sets are known.
    fn confirm_on(&mut self, session: &mut Session) {
        let is_idle = session.works.is_empty() && session.todo.is_empty() && session.later.is_empty();
        if !is_idle || session.greeting.is_some() || session.holds.is_some() {
            return;
        }
        while let Some(space) = session.unconfirmed.pop_front() {
            let ids = self.outbox.unconfirmed(space, &session.peer, SYNC_GET_IDS_MAX);
            if !ids.is_empty() {
                session.requests += 1;
                let purpose = Purpose::Confirm(session.number, ids.clone());
                session.holds = Some(self.ask(session.peer.clone(), purpose, Request::Holds { space, ids }));
                return;
            }
        }
    }

    /// An answer that a session waits for.
    pub(super) fn session_came(
        &mut self,
        peer: &Peer,
        purpose: Purpose,
        response: Option<Response>,
        bytes: u64,
        now: Now,
    ) {
        let Some(mut session) = self.syncs.sessions.remove(peer) else { return };
        if purpose.session() != Some(session.number) {
            self.syncs.sessions.insert(peer.clone(), session);
            return;
        }
        if let Some(space) = purpose.space() {
            let tally = session.tally(space);
            tally.rounds += 1;
            tally.bytes += bytes;
        }
        match response {
            None => session.is_broken = true,
            Some(response) => {
                let before = session.settled();
                session.was_ready();
                if !self.take(&mut session, purpose, response, now) {
                    self.broke_form(peer);
                    session.is_broken = true;
                }
                if session.settled() != before {
                    session.moved_ms = now.steady_ms;
                }
            }
        }
        self.advance(session, now);
    }

    /// Takes an answer in; false if it does not fit the question.
    fn take(&mut self, session: &mut Session, purpose: Purpose, response: Response, now: Now) -> bool {
        match (purpose, response) {
            (Purpose::Greet(_), Response::Spaces { headers_first, spaces }) => {
                session.greeting = None;
                session.headers_first = headers_first;
                self.take_digests(session, spaces, now)
            }
            (Purpose::Charter(_, space), Response::Events { events, .. }) => {
                let _ = self.admit_from(&session.peer, None, &events, now);
                if self.follows.get(&space).is_some_and(|follow| follow.rules.is_some()) {
                    if let Some(work) = session.works.get_mut(&space) {
                        work.asking = None;
                        work.phase = Phase::Comparing;
                    }
                } else {
                    // The peer has no charter either; nothing of the board can be judged.
                    session.works.remove(&space);
                }
                true
            }
            (Purpose::Compare(_, space), Response::Compared(findings)) => self.take_findings(session, space, findings),
            (Purpose::Recheck(_, space), Response::Spaces { spaces, .. }) => {
                self.rechecked(session, space, spaces, now)
            }
            (Purpose::Push(_, space, form, ids), Response::Taken(taken)) => {
                self.take_taken(session, space, form, &ids, &taken);
                true
            }
            (Purpose::Confirm(_, ids), Response::Holding(held)) => {
                session.holds = None;
                self.confirmed(&session.peer, &ids, &held);
                true
            }
            (Purpose::Confirm(..), Response::NotFollowed) => {
                session.holds = None;
                true
            }
            (purpose, Response::NotFollowed) => match purpose.space() {
                Some(space) => {
                    session.works.remove(&space);
                    self.syncs.comparisons.forget(space, &session.peer);
                    true
                }
                None => false,
            },
            _ => false,
        }
    }

    fn take_digests(&mut self, session: &mut Session, digests: Vec<SpaceDigest>, now: Now) -> bool {
        let salt = session.salt;
        for digest in digests {
            let Some(space) = session.named.get(digest.index as usize).copied() else { return false };
            let tally = session.tally(space);
            tally.rounds += 1;
            tally.bytes += SPACE_BYTES + digest.epochs.as_ref().map_or(0, |epochs| epochs.len() as u64 * EPOCH_BYTES);
            if self.note_compared(session, space, salt, &digest, now) {
                continue;
            }
            if !session.is_asked && self.syncs.schedule.is_quiet(&session.peer, space, now) {
                self.count("spaces_rested");
                continue;
            }
            match digest.epochs {
                Some(epochs) => session.todo.push_back((space, salt, epochs)),
                None => session.later.push(space),
            }
        }
        // An answer that gives the epochs of no space would be asked for again for ever.
        if session.todo.is_empty() {
            session.later.clear();
        }
        true
    }

    /// Whether the peer's set is equal to this node's now; remembered either way.
    fn note_compared(
        &mut self,
        session: &mut Session,
        space: SpaceId,
        salt: Salt,
        digest: &SpaceDigest,
        now: Now,
    ) -> bool {
        let is_equal = match self.store.sets(space).digest(&salt.key()) {
            Ok((_, ours)) => ours == digest.digest,
            Err(error) => {
                let _ = self.failed(&error);
                return true;
            }
        };
        self.syncs.comparisons.remember(space, &session.peer, is_equal, now);
        self.want_words(space, &session.peer);
        session.tally(space).is_equal = is_equal;
        if self.follows.contains_key(&space) && !session.unconfirmed.contains(&space) {
            session.unconfirmed.push_back(space);
        }
        is_equal
    }

    /// Asks the peer for words that have not come along with their headers: sets of ids say nothing of them.
    fn want_words(&mut self, space: SpaceId, peer: &Peer) {
        let first = (space, EventId([0; 32]));
        let wordless: Vec<EventId> = self
            .wordless
            .range(first..)
            .take_while(|(of, _)| *of == space)
            .map(|(_, id)| *id)
            .take(SYNC_GET_IDS_MAX)
            .collect();
        for id in wordless {
            if matches!(self.store.wants_words(&id), Ok(true)) {
                self.wants.add(space, id, Some(peer.clone()));
            } else {
                self.wordless.remove(&(space, id));
            }
        }
    }

    fn take_findings(&mut self, session: &mut Session, space: SpaceId, findings: Vec<Finding>) -> bool {
        let Some(mut work) = session.works.remove(&space) else { return true };
        work.asking = None;
        let Some(comparison) = &mut work.comparison else { return false };
        let store = Arc::clone(&self.store);
        match comparison.take(&store.sets(space), findings) {
            Ok(found) => {
                self.take_found(&session.peer, &mut work, found);
                session.works.insert(space, work);
                true
            }
            Err(CompareError::Malformed) => false,
            Err(CompareError::Sets(error)) => {
                let _ = self.failed(&error);
                true
            }
        }
    }

    /// The peer's digest after an exchange: equal, or one more run, or enough for now.
    fn rechecked(&mut self, session: &mut Session, space: SpaceId, mut spaces: Vec<SpaceDigest>, now: Now) -> bool {
        let Some(mut work) = session.works.remove(&space) else { return true };
        let Some(digest) = spaces.pop().filter(|digest| digest.index == 0 && spaces.is_empty()) else {
            self.syncs.comparisons.forget(space, &session.peer);
            return true;
        };
        if self.note_compared(session, space, work.salt, &digest, now) {
            self.syncs.schedule.worked(&session.peer, space, true, now);
            return true;
        }
        let (known_before, before) = work.before;
        let (known, tally) = (self.store.known().len(space) as u64, *session.tally(space));
        // What it took speaks for a peer only as long as it keeps its promises; what others brought meanwhile, not at all.
        let (given, unkept) = (tally.received - before.received, tally.unkept - before.unkept);
        let gives = given > 0 && unkept <= given.saturating_mul(UNKEPT_PER_GIVEN);
        let is_fruitful = gives || (tally.unkept == 0 && tally.sent > before.sent);
        let has_moved = is_fruitful || (tally.unkept == 0 && known > known_before);
        let fruitless = work.comparison.take().map(|comparison| comparison.fruitless()).unwrap_or_default();
        let was_exact = !work.exact.is_empty();
        // Twice in a row nothing was found in an epoch that differs: once can be an event on its way.
        work.exact = fruitless.intersection(&work.suspects).copied().collect();
        work.suspects = fruitless;
        let goes_on = has_moved || (!work.suspects.is_empty() && !was_exact);
        match digest.epochs {
            Some(epochs) if goes_on && work.runs < RUNS_MAX => {
                if !work.exact.is_empty() {
                    self.count("epochs_listed");
                }
                work.asking = None;
                work.phase = Phase::Comparing;
                work.epochs = epochs;
                session.works.insert(space, work);
            }
            // Sets of which a clock holds a part back differ until its time has come: that is nobody's fault.
            _ if !is_fruitful && tally.deferred > before.deferred => {}
            _ if is_fruitful == has_moved => self.worked(session, space, is_fruitful, now),
            _ => {}
        }
        true
    }

    /// The work on a space has ended with sets that differ. A peer with which it was fruitless in space after space, and
    /// in none fruitful, has no further ones worked on.
    fn worked(&mut self, session: &mut Session, space: SpaceId, is_fruitful: bool, now: Now) {
        self.syncs.schedule.worked(&session.peer, space, is_fruitful, now);
        session.is_fruitful |= is_fruitful;
        session.fruitless += u32::from(!is_fruitful);
        if session.is_fruitful || session.fruitless < FRUITLESS_MAX {
            return;
        }
        self.count("sessions_fruitless");
        let todo = std::mem::take(&mut session.todo).into_iter().map(|(space, ..)| space);
        let works = std::mem::take(&mut session.works).into_keys();
        for space in todo.chain(works).chain(std::mem::take(&mut session.later)) {
            self.syncs.schedule.worked(&session.peer, space, false, now);
        }
        self.syncs.fetches.forget_peer(&session.peer);
    }

    pub(super) fn end_session(&mut self, session: Session, now: Now) {
        let is_found = |tally: &Tally| !tally.is_equal || tally.received + tally.sent > 0;
        // Words are asked for at comparisons: while some are missing these stay frequent.
        let found = !self.wordless.is_empty() || session.tallies.values().any(is_found);
        if session.is_refused() {
            for space in session.works.keys() {
                self.syncs.schedule.worked(&session.peer, *space, false, now);
            }
        }
        let is_broken = session.is_broken && self.peers.contains(&session.peer);
        self.syncs.schedule.ended(&session.peer, is_broken, found, now);
        self.syncs.waiting.ended(&session);
        let number = session.number;
        self.syncs.repeats.retain(|(_, under_way)| under_way.purpose.session() != Some(number));
    }

    /// Ends the connection to a peer whose bytes break their form.
    pub(super) fn send_away(&mut self, peer: &Peer, reason: &str) {
        self.out.push(Output::Disconnect { peer: peer.clone(), reason: reason.to_owned() });
    }
}
