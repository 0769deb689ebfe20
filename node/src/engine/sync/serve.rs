//! Answers to what peers ask. No state is kept between requests but how much a peer has asked.

use crate::engine::admit::Source;
use crate::engine::{Engine, Output, ReplyTo, Verdict};
use crate::peer::Peer;
use crate::store::StoreError;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::limits::{SYNC_EPOCHS_MAX, SYNC_EVENTS_BYTES_MAX, SYNC_GET_IDS_MAX};
use roda_protocol::reconcile::{
    AnswerError, Bound, Epoch, EpochKey, Probe, Salt, Sets as _, ShortBytes, answer, epoch_entries, short_range,
};
use roda_protocol::time::Now;
use roda_protocol::wire::{self, EventBytes, Form, Request, Response, SpaceAsk, SpaceDigest, SpaceTag, Taken};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Members that may share one short name and are sent together. Each beyond the first takes 2^34 hashes to make.
const SAME_NAME_MAX: usize = 64;

/// Members that one request for a range makes this node look at. What is not held is passed over.
const RANGE_LOOKED_MAX: usize = 4096;

/// Why there is no answer.
enum Refusal {
    Malformed,
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Engine {
    pub(crate) fn asked(&mut self, peer: &Peer, body: &[u8], reply: ReplyTo, now: Now) {
        self.count("requests_served");
        let response = if self.peers.may_ask(peer, now) {
            let served = match Request::from_bytes(body) {
                Ok(request) => self.serve(peer, request, now),
                Err(_) => Err(Refusal::Malformed),
            };
            match served {
                Ok(response) => response,
                Err(Refusal::Store(error)) => {
                    let _ = self.failed(&error);
                    Response::Busy
                }
                Err(Refusal::Malformed) => {
                    self.count("requests_malformed");
                    self.send_away(peer, "sent a malformed request");
                    return;
                }
            }
        } else {
            self.count("requests_refused");
            Response::Busy
        };
        self.out.push(Output::Respond { reply, body: response.to_bytes() });
    }

    fn serve(&mut self, peer: &Peer, request: Request, now: Now) -> Result<Response, Refusal> {
        let space = match &request {
            Request::Spaces { salt, spaces } => {
                self.syncs.schedule.is_asking(peer, now);
                return self.serve_spaces(peer, *salt, spaces, now);
            }
            Request::Directory { after } => return Ok(self.serve_directory(peer, *after, now)?),
            Request::Compare { space, .. }
            | Request::Range { space, .. }
            | Request::Pick { space, .. }
            | Request::Get { space, .. }
            | Request::Push { space, .. }
            | Request::Holds { space, .. } => *space,
        };
        if !self.is_followed(&space) {
            return Ok(Response::NotFollowed);
        }
        if !matches!(request, Request::Get { .. } | Request::Holds { .. }) {
            self.syncs.schedule.is_asking(peer, now);
        }
        match request {
            Request::Spaces { .. } | Request::Directory { .. } => Ok(Response::NotFollowed),
            Request::Compare { salt, probes, .. } => self.serve_comparison(peer, space, salt, &probes),
            Request::Range { epoch, lower, upper, form, .. } => self.serve_range(space, epoch, &lower, &upper, form),
            Request::Pick { epoch, members, form, .. } => self.serve_picks(space, epoch, &members, form),
            Request::Get { ids, .. } => self.serve_events(space, &ids),
            Request::Push { form, events, .. } => self.take_pushed(peer, space, form, &events, now),
            Request::Holds { ids, .. } => {
                // What is said to be held is durable.
                self.store.flush()?;
                let held: Result<Vec<bool>, StoreError> = ids.iter().map(|id| self.store.holds_words(id)).collect();
                Ok(Response::Holding(held?))
            }
        }
    }

    fn serve_spaces(&mut self, peer: &Peer, salt: Salt, asks: &[SpaceAsk], now: Now) -> Result<Response, Refusal> {
        let key = salt.key();
        let followed = self.follows.keys().chain(self.author_spaces.keys());
        let by_tag: BTreeMap<SpaceTag, SpaceId> =
            followed.map(|space| (wire::space_tag(&key, *space), *space)).collect();
        let mut answered = BTreeSet::new();
        let mut spaces = Vec::new();
        let (mut epochs_left, mut work) = (SYNC_EPOCHS_MAX, asks.len() as u64);
        for (index, ask) in asks.iter().enumerate() {
            // A tag that is named twice is answered once: a digest is not free.
            let Some(space) = by_tag.get(&ask.tag).filter(|_| answered.insert(ask.tag)) else { continue };
            let sets = self.store.sets(*space);
            let (count, digest) = sets.digest(&key)?;
            let mut epochs = None;
            // The hint shows this side, too, whether the sets are equal: nobody finds it without the same set.
            let is_equal = ask.hint == wire::digest_hint(&key, &digest);
            self.syncs.comparisons.remember(*space, peer, is_equal, now);
            if !is_equal && sets.epochs().len() <= epochs_left {
                let entries = epoch_entries(&sets, &key)?;
                epochs_left -= entries.len();
                work += entries.len() as u64;
                epochs = Some(entries);
            }
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            spaces.push(SpaceDigest { index, count, digest, epochs });
        }
        self.peers.charge(peer, work);
        Ok(Response::Spaces { headers_first: self.may_decline(), spaces })
    }

    fn serve_comparison(
        &mut self,
        peer: &Peer,
        space: SpaceId,
        salt: Salt,
        probes: &[Probe],
    ) -> Result<Response, Refusal> {
        let store = Arc::clone(&self.store);
        match answer(&store.sets(space), &salt.key(), probes) {
            Ok(answered) => {
                self.peers.charge(peer, answered.work);
                self.add("sync_work", answered.work);
                Ok(Response::Compared(answered.findings))
            }
            Err(AnswerError::Malformed) => Err(Refusal::Malformed),
            Err(AnswerError::Sets(error)) => Err(error.into()),
        }
    }

    /// Events of a range, ascending, until a batch is full.
    fn serve_range(
        &mut self,
        space: SpaceId,
        epoch: Epoch,
        lower: &Bound,
        upper: &Bound,
        form: Form,
    ) -> Result<Response, Refusal> {
        let (Some(lower), Some(upper)) = (lower.key(), upper.key()) else { return Err(Refusal::Malformed) };
        let looked: Vec<EpochKey> = self
            .store
            .sets(space)
            .with_epoch(epoch, |set| set.tree().range(&lower, &upper).take(RANGE_LOOKED_MAX + 1).collect())?;
        let mut batch = Batch::default();
        let mut next = looked.get(RANGE_LOOKED_MAX).copied();
        for key in looked.iter().take(RANGE_LOOKED_MAX) {
            if !self.put(&mut batch, space, &key.id, form)? {
                next = Some(*key);
                break;
            }
        }
        self.add("events_served", batch.events.len() as u64);
        Ok(Response::Range { events: batch.events, next: next.map(|next| Bound::of(&next)) })
    }

    /// Events by short name, in the order asked, until a batch is full.
    fn serve_picks(
        &mut self,
        space: SpaceId,
        epoch: Epoch,
        members: &[ShortBytes],
        form: Form,
    ) -> Result<Response, Refusal> {
        let mut batch = Batch::default();
        let mut answered = 0;
        'picks: for member in members {
            let (lower, upper) = short_range(u64::from_be_bytes(*member));
            let named: Vec<EpochKey> = self
                .store
                .sets(space)
                .with_epoch(epoch, |set| set.tree().range(&lower, &upper).take(SAME_NAME_MAX).collect())?;
            for key in named {
                if !self.put(&mut batch, space, &key.id, form)? {
                    break 'picks;
                }
            }
            answered += 1;
        }
        self.add("events_served", batch.events.len() as u64);
        Ok(Response::Events { events: batch.events, answered })
    }

    /// Events of one space, in the order asked, until a batch is full. What is not held, or stands elsewhere, is left out.
    fn serve_events(&mut self, space: SpaceId, ids: &[EventId]) -> Result<Response, Refusal> {
        let mut batch = Batch::default();
        let mut answered = 0;
        for id in ids {
            if !self.put(&mut batch, space, id, Form::Whole)? {
                break;
            }
            answered += 1;
        }
        self.add("events_served", batch.events.len() as u64);
        Ok(Response::Events { events: batch.events, answered })
    }

    /// Puts an event into a batch; false if it has no room.
    fn put(&self, batch: &mut Batch, space: SpaceId, id: &EventId, form: Form) -> Result<bool, StoreError> {
        let Some(stored) = self.store.proof(id)?.filter(|stored| stored.event.space() == space) else {
            return Ok(true);
        };
        let bytes = match form {
            Form::Whole => stored.event.bytes(),
            Form::Header => stored.event.bytes_without_body(),
        };
        if batch.bytes + bytes.len() > SYNC_EVENTS_BYTES_MAX || batch.events.len() >= SYNC_GET_IDS_MAX {
            return Ok(false);
        }
        batch.bytes += bytes.len();
        batch.events.push(EventBytes(bytes.to_vec()));
        Ok(true)
    }

    fn take_pushed(
        &mut self,
        peer: &Peer,
        space: SpaceId,
        form: Form,
        events: &[EventBytes],
        now: Now,
    ) -> Result<Response, Refusal> {
        let mut taken = Vec::with_capacity(events.len());
        if form == Form::Header {
            let verdicts: Vec<Option<Verdict>> =
                events.iter().map(|event| self.admit_header(peer, &event.0, now).ok()).collect();
            if !self.commit() {
                return Ok(Response::Busy);
            }
            self.store.flush()?;
            for verdict in verdicts {
                taken.push(match verdict {
                    None => Taken::Words,
                    Some(verdict) => {
                        self.charge_invalid(peer, verdict);
                        self.taken(verdict)?
                    }
                });
            }
        } else {
            let verdicts = self.admit_from(peer, Some(space), events, now);
            self.store.flush()?;
            for verdict in verdicts {
                taken.push(self.taken(verdict)?);
            }
        }
        Ok(Response::Taken(taken))
    }

    fn taken(&self, verdict: Verdict) -> Result<Taken, StoreError> {
        Ok(match verdict {
            Verdict::Admitted(id) | Verdict::Duplicate(id) if self.store.holds_words(&id)? => Taken::Held,
            Verdict::Admitted(_) | Verdict::Duplicate(_) | Verdict::Declined(..) => Taken::Declined,
            _ => Taken::No,
        })
    }

    fn charge_invalid(&mut self, peer: &Peer, verdict: Verdict) {
        if matches!(verdict, Verdict::Invalid(_)) {
            self.sent_invalid(peer);
        }
    }

    /// Judges events that a peer sent, stores those that are wanted, and counts the invalid against the peer.
    pub(in crate::engine) fn admit_from(
        &mut self,
        peer: &Peer,
        space: Option<SpaceId>,
        events: &[EventBytes],
        now: Now,
    ) -> Vec<Verdict> {
        let authors_before = self.author_spaces.len();
        let mut verdicts = Vec::with_capacity(events.len());
        for event in events {
            let verdict = self.admit(&event.0, Source::Peer(Some(peer)), now);
            self.charge_invalid(peer, verdict);
            verdicts.push(verdict);
        }
        if !self.commit() {
            verdicts.iter_mut().filter(|verdict| matches!(verdict, Verdict::Admitted(_))).for_each(|verdict| {
                *verdict = Verdict::Failed;
            });
        }
        // A new author's name is fetched from whoever brought the author.
        if self.author_spaces.len() > authors_before && space.is_some() {
            self.sync_now(peer, now);
        }
        // Gossip does not carry these on; without this each further hop would wait for its minute.
        if verdicts.iter().any(|verdict| matches!(verdict, Verdict::Admitted(_))) {
            self.sync_others_soon(peer, now);
        }
        verdicts
    }
}

/// Events on their way into an answer.
#[derive(Default)]
struct Batch {
    events: Vec<EventBytes>,
    bytes: usize,
}
