//! Answers to what peers ask. No state is kept between requests.

use super::admit::Source;
use super::{Engine, Output, ReplyTo, Verdict};
use crate::peer::Peer;
use crate::store::StoreError;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::limits::{SYNC_EVENTS_BYTES_MAX, SYNC_PAGE_IDS_MAX};
use roda_protocol::time::Now;
use roda_protocol::wire::{self, EventBytes, Request, Response, SpaceDigest, SpaceTag};
use std::collections::BTreeMap;

impl Engine {
    pub(super) fn asked(&mut self, peer: &Peer, body: &[u8], reply: ReplyTo, now: Now) {
        self.count("requests_served");
        let response = if self.peers.may_ask(peer, now) {
            match Request::from_bytes(body) {
                Ok(request) => self.serve(peer, request, now).unwrap_or_else(|error| {
                    let _ = self.failed(&error);
                    Response::Busy
                }),
                Err(_) => {
                    self.count("requests_malformed");
                    self.out.push(Output::Disconnect { peer: peer.clone(), reason: "sent a malformed request".into() });
                    return;
                }
            }
        } else {
            self.count("requests_refused");
            Response::Busy
        };
        self.out.push(Output::Respond { reply, body: response.to_bytes() });
    }

    fn serve(&mut self, peer: &Peer, request: Request, now: Now) -> Result<Response, StoreError> {
        let space = match &request {
            Request::Spaces { salt, tags } => return Ok(self.serve_spaces(salt, tags)),
            Request::Page { space, .. }
            | Request::Get { space, .. }
            | Request::Push { space, .. }
            | Request::Holds { space, .. } => *space,
        };
        if !self.is_followed(&space) {
            return Ok(Response::NotFollowed);
        }
        match request {
            Request::Spaces { .. } => Ok(Response::NotFollowed),
            Request::Page { after, .. } => {
                let keys = self.store.known().page(space, after, SYNC_PAGE_IDS_MAX);
                let is_last = keys.len() < SYNC_PAGE_IDS_MAX;
                Ok(Response::Page { keys, is_last })
            }
            Request::Get { ids, .. } => self.serve_events(space, &ids),
            Request::Push { events, .. } => self.take_pushed(peer, space, &events, now),
            Request::Holds { ids, .. } => {
                let held: Result<Vec<bool>, StoreError> = ids.iter().map(|id| self.store.is_held(id)).collect();
                Ok(Response::Holding(held?))
            }
        }
    }

    fn serve_spaces(&self, salt: &[u8; 32], tags: &[SpaceTag]) -> Response {
        let followed = self.follows.keys().chain(self.author_spaces.keys());
        let by_tag: BTreeMap<SpaceTag, SpaceId> =
            followed.map(|space| (wire::space_tag(salt, *space), *space)).collect();
        let mut answered = std::collections::BTreeSet::new();
        let digest = |(index, tag): (usize, &SpaceTag)| {
            // A tag that is named twice is answered once: a digest is not free.
            let space = by_tag.get(tag).filter(|_| answered.insert(*tag))?;
            Some(SpaceDigest {
                index: u32::try_from(index).ok()?,
                count: self.store.known().len(*space) as u64,
                digest: self.store.known().digest(*space, salt),
            })
        };
        Response::Spaces(tags.iter().enumerate().filter_map(digest).collect())
    }

    /// Events of one space, in the order asked, until a batch is full. What is not held, or stands elsewhere, is left out.
    fn serve_events(&mut self, space: SpaceId, ids: &[EventId]) -> Result<Response, StoreError> {
        let mut events = Vec::new();
        let mut bytes = 0;
        let mut answered = 0;
        for id in ids {
            if let Some(stored) = self.store.event(id)?
                && stored.event.space() == space
            {
                let event = stored.event.bytes();
                if bytes + event.len() > SYNC_EVENTS_BYTES_MAX {
                    break;
                }
                bytes += event.len();
                events.push(EventBytes(event.to_vec()));
            }
            answered += 1;
        }
        self.add("events_served", events.len() as u64);
        Ok(Response::Events { events, answered })
    }

    fn take_pushed(
        &mut self,
        peer: &Peer,
        space: SpaceId,
        events: &[EventBytes],
        now: Now,
    ) -> Result<Response, StoreError> {
        let verdicts = self.admit_from(peer, Some(space), events, now);
        let held: Result<Vec<bool>, StoreError> = verdicts
            .iter()
            .map(|verdict| match verdict {
                Verdict::Admitted(id) | Verdict::Duplicate(id) => self.store.is_held(id),
                _ => Ok(false),
            })
            .collect();
        Ok(Response::Holding(held?))
    }

    /// Judges events that a peer sent, stores those that are wanted, and counts the invalid against the peer.
    pub(super) fn admit_from(
        &mut self,
        peer: &Peer,
        space: Option<SpaceId>,
        events: &[EventBytes],
        now: Now,
    ) -> Vec<Verdict> {
        let authors_before = self.author_spaces.len();
        let mut verdicts = Vec::with_capacity(events.len());
        for event in events {
            let verdict = self.admit(&event.0, Source::Peer, now);
            if matches!(verdict, Verdict::Invalid(_)) {
                self.sent_invalid(peer);
            }
            verdicts.push(verdict);
        }
        if !self.commit() {
            verdicts.iter_mut().filter(|verdict| matches!(verdict, Verdict::Admitted(_))).for_each(|verdict| {
                *verdict = Verdict::Failed;
            });
        }
        // A new author's name is fetched from whoever brought the author.
        if self.author_spaces.len() > authors_before && space.is_some() {
            self.sync_soon(peer);
        }
        // Gossip does not carry these on; without this each further hop would wait for its minute.
        if verdicts.iter().any(|verdict| matches!(verdict, Verdict::Admitted(_))) {
            self.sync_others_soon(peer);
        }
        verdicts
    }

    pub(super) fn add(&mut self, name: &'static str, amount: u64) {
        *self.counters.entry(name).or_default() += amount;
    }
}
