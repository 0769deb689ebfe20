//! Events on their way between two nodes: pushed to the one that lacks them, fetched by the one that does.

use super::Purpose;
use super::fetches::{Fetched, Outcome};
use super::session::{EMPTY_MAX, Session};
use super::work::{TAKEN_MAX, Work};
use crate::engine::{Engine, Verdict};
use crate::store::StoreError;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::limits::SYNC_EVENTS_BYTES_MAX;
use roda_protocol::reconcile::{EpochKey, Sets as _, Short, short_range};
use roda_protocol::time::Now;
use roda_protocol::wire::{EventBytes, Form, Request, Response, Taken};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Events of one push at most.
const PUSH_EVENTS_MAX: usize = 256;

/// Events of one push: their ids, and their bytes.
type Pushed = (Vec<EventId>, Vec<EventBytes>);

/// What came of fetched events.
#[derive(Debug, Default)]
struct Taking {
    /// How many are new here.
    received: u64,
    /// How many are dated ahead of this node's clock.
    deferred: u64,
    /// Headers whose words are wanted.
    words: BTreeSet<Short>,
}

impl Engine {
    /// Sends the next push of a space, if none is under way.
    pub(super) fn push_on(&mut self, session: &mut Session, work: &mut Work) -> Result<(), StoreError> {
        if work.pushing.is_some() {
            return Ok(());
        }
        let form = if session.headers_first && work.words.is_empty() { Form::Header } else { Form::Whole };
        while !work.words.is_empty() || !work.pushes.is_empty() {
            let (ids, events) =
                if work.words.is_empty() { self.next_members(work, form)? } else { self.next_words(work)? };
            session.tally(work.space).unkept += std::mem::take(&mut work.denied);
            if ids.is_empty() {
                continue;
            }
            let space = work.space;
            session.requests += 1;
            let request = Request::Push { space, form, events };
            session.tally(space).bytes += request.to_bytes().len() as u64;
            let purpose = Purpose::Push(session.number, space, form, ids);
            work.pushing = Some(self.ask(session.peer.clone(), purpose, request));
            return Ok(());
        }
        Ok(())
    }

    /// The next members that the peer lacks, as many as one message carries. What is not held here can't be pushed.
    fn next_members(&self, work: &mut Work, form: Form) -> Result<Pushed, StoreError> {
        let sets = self.store.sets(work.space);
        let mut members = work.next_members(PUSH_EVENTS_MAX, |epoch, lower, upper, limit| {
            sets.with_epoch(epoch, |set| set.tree().range(lower, upper).take(limit).collect())
        })?;
        let (mut ids, mut events, mut bytes) = (Vec::new(), Vec::new(), 0);
        for at in 0..members.len() {
            let id = members[at].1.id;
            if work.taken.contains(&id) {
                // It took this one, and now shows a set without it: nothing more is given to it.
                work.denied += 1;
                work.pushes.clear();
                break;
            }
            let Some(stored) = self.store.proof(&id)? else { continue };
            let event = match form {
                Form::Whole => stored.event.bytes(),
                Form::Header => stored.event.bytes_without_body(),
            };
            if bytes + event.len() > SYNC_EVENTS_BYTES_MAX {
                work.put_back(members.split_off(at));
                break;
            }
            bytes += event.len();
            ids.push(id);
            events.push(EventBytes(event.to_vec()));
        }
        Ok((ids, events))
    }

    /// The next events whose words the peer asked for.
    fn next_words(&self, work: &mut Work) -> Result<Pushed, StoreError> {
        let (mut ids, mut events, mut bytes) = (Vec::new(), Vec::new(), 0);
        while ids.len() < PUSH_EVENTS_MAX
            && let Some(id) = work.words.front().copied()
        {
            if let Some(stored) = self.store.proof(&id)? {
                let event = stored.event.bytes();
                if bytes + event.len() > SYNC_EVENTS_BYTES_MAX {
                    break;
                }
                bytes += event.len();
                ids.push(id);
                events.push(EventBytes(event.to_vec()));
            }
            work.words.pop_front();
        }
        Ok((ids, events))
    }

    /// What the peer made of a push.
    pub(super) fn take_taken(
        &mut self,
        session: &mut Session,
        space: SpaceId,
        form: Form,
        ids: &[EventId],
        taken: &[Taken],
    ) {
        let held: Vec<bool> = taken.iter().map(|taken| *taken == Taken::Held).collect();
        let takes = |taken: &Taken| matches!(taken, Taken::Held | Taken::Declined);
        session.tally(space).sent += taken.iter().take(ids.len()).filter(|taken| takes(taken)).count() as u64;
        self.confirmed(&session.peer, ids, &held);
        let Some(work) = session.works.get_mut(&space) else { return };
        work.pushing = None;
        let room = TAKEN_MAX.saturating_sub(work.taken.len());
        work.taken.extend(ids.iter().zip(taken).filter(|(_, taken)| takes(taken)).map(|(id, _)| *id).take(room));
        // Whoever was sent all that there is and asks for more is not sent it again.
        if form == Form::Whole {
            return;
        }
        let wanted = ids.iter().zip(taken).filter(|(_, taken)| **taken == Taken::Words);
        work.words.extend(wanted.map(|(id, _)| *id));
    }

    /// Asks peers for what is to be fetched, as much as may be under way.
    pub(super) fn fetch_on(&mut self, now: Now) {
        for peer in self.syncs.fetches.peers() {
            while self.syncs.fetches.has_room(&peer, now) {
                let token = self.token();
                let Some(request) = self.syncs.fetches.ask(&peer, token, now) else { break };
                self.ask_as(token, peer.clone(), Purpose::Fetch, request);
            }
        }
    }

    /// Events that were asked for have come, or not.
    pub(super) fn fetch_came(&mut self, token: u64, response: Option<Response>, bytes: u64, now: Now) {
        let Some(fetched) = self.syncs.fetches.ended(token, response.is_some(), now) else { return };
        let is_empty = match &response {
            Some(Response::Range { events, .. } | Response::Events { events, .. }) => events.is_empty(),
            _ => false,
        };
        let (mut unkept, mut put_off) = (0, 0);
        let received = match response {
            Some(Response::Range { events, next }) => {
                unkept += u64::from(events.is_empty());
                let Taking { received, deferred, words } = self.take_fetched(&fetched, &events, now);
                put_off += deferred;
                for short in words {
                    self.syncs.fetches.wants_words(&fetched, short);
                }
                let next = next.and_then(|next| next.key());
                if !self.syncs.fetches.range_came(&fetched, next, received > 0) {
                    self.count("fetches_fruitless");
                    self.syncs.fetches.failed(&fetched);
                }
                received
            }
            Some(Response::Events { events, answered }) => {
                let Taking { received, deferred, words } = self.take_fetched(&fetched, &events, now);
                let sets_of = Arc::clone(&self.store);
                let sets = sets_of.sets(fetched.space);
                let is_known = |short| {
                    let (lower, upper) = short_range(short);
                    let look = sets.with_epoch(fetched.epoch, |set| set.tree().range(&lower, &upper).next().is_some());
                    look.unwrap_or(false)
                };
                let outcome = |short: Short| match (words.contains(&short), is_known(short)) {
                    (true, _) => Outcome::Words,
                    (false, true) => Outcome::Here,
                    (false, false) => {
                        unkept += 1;
                        Outcome::Absent
                    }
                };
                self.syncs.fetches.picks_came(&fetched, answered as usize, outcome);
                // What is dated ahead of this clock was given all the same.
                unkept = unkept.saturating_sub(deferred);
                put_off += deferred;
                received
            }
            Some(Response::NotFollowed) | None => {
                self.syncs.fetches.failed(&fetched);
                0
            }
            Some(_) => {
                self.broke_form(&fetched.peer);
                self.syncs.fetches.failed(&fetched);
                0
            }
        };
        self.add("events_synced", received);
        if let Some(mut session) = self.syncs.sessions.remove(&fetched.peer) {
            session.was_ready();
            if received > 0 {
                session.moved_ms = now.steady_ms;
            }
            session.empty = if is_empty { session.empty + 1 } else { 0 };
            if session.empty > EMPTY_MAX {
                self.count("promises_broken");
                self.syncs.fetches.forget_peer(&fetched.peer);
                for space in session.give_up() {
                    self.syncs.schedule.worked(&fetched.peer, space, false, now);
                }
            }
            let tally = session.tally(fetched.space);
            tally.received += received;
            tally.unkept += unkept;
            tally.deferred += put_off;
            tally.rounds += 1;
            tally.bytes += bytes;
            self.advance(session, now);
        }
    }

    /// Takes fetched events in.
    fn take_fetched(&mut self, fetched: &Fetched, events: &[EventBytes], now: Now) -> Taking {
        let is_new = |verdict: &Verdict| matches!(verdict, Verdict::Admitted(_) | Verdict::Declined(..));
        let is_deferred = |verdict: &Verdict| matches!(verdict, Verdict::Deferred(_));
        let mut taking = Taking::default();
        if fetched.form == Form::Whole {
            let verdicts = self.admit_from(&fetched.peer, Some(fetched.space), events, now);
            taking.received = verdicts.iter().filter(|verdict| is_new(verdict)).count() as u64;
            taking.deferred = verdicts.iter().filter(|verdict| is_deferred(verdict)).count() as u64;
            return taking;
        }
        for event in events {
            match self.admit_header(&fetched.peer, &event.0, now) {
                Ok(verdict) => {
                    if matches!(verdict, Verdict::Invalid(_)) {
                        self.sent_invalid(&fetched.peer);
                    }
                    taking.received += u64::from(is_new(&verdict));
                    taking.deferred += u64::from(is_deferred(&verdict));
                }
                Err(key) => {
                    let (epoch, key) = EpochKey::of(&key);
                    if epoch == fetched.epoch {
                        taking.words.insert(key.short());
                    }
                }
            }
        }
        self.commit();
        taking.received += taking.words.len() as u64;
        taking
    }
}
