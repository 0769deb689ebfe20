//! Own events on their way: queued, sent, held by others. *Held* is only said when the other node confirmed it.
//!
//! They leave a random moment after they were written: a neighbour that hears an event from this node first can't tell
//! whether it was written here or had come from further on. Before that a peer gets one only if it compares sets in that
//! very moment.

use super::{Answer, Engine, Notice, Output, Publication, Token};
use crate::peer::Peer;
use crate::store::{EventStore, HOLDERS_MAX, LocalRecord, OwnRow, StoreError};
use roda_protocol::id::{AuthorKey, EventId, SpaceId};
use roda_protocol::time::Now;
use std::collections::{BTreeMap, BTreeSet};

/// After a publication, peers are asked at these times whether they hold the event; later comparisons ask on.
const CHECKS_MS: [u64; 4] = [100, 800, 5000, 30_000];

/// How long an own event waits at most before it is published, milliseconds: several times what gossip takes from node to
/// node, and little beside what it took to write. The time is uniform below this, in steps of a tick.
const DELAY_MS_MAX: u64 = 400;

/// Own events that wait at once. A script that writes faster doesn't hide among others anyway.
const WAITING_MAX: usize = 256;

/// Peers that one event is asked about at once.
const CHECK_PEERS_MAX: usize = 16;

/// Own events that are followed in memory: those that nobody holds yet, then the newest. The others have their state on
/// disk.
const ENTRIES_MAX: usize = 4096;

#[derive(Debug)]
struct Entry {
    space: SpaceId,
    row: OwnRow,
    published_ms: Option<u64>,
    checks: usize,
    is_dirty: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: BTreeMap<EventId, Entry>,
    publications: BTreeMap<Token, EventId>,
    /// Those that wait, by when they leave, steady milliseconds.
    pub(super) waiting: BTreeMap<(u64, EventId), Vec<u8>>,
}

impl Outbox {
    /// Reads own events from the store.
    pub(super) fn reload(&mut self, store: &EventStore, _me: AuthorKey) -> Result<(), StoreError> {
        let mut own = store.own_events()?;
        // Those that nobody holds yet go before those that somebody does, and newer before older.
        own.reverse();
        own.sort_by_key(|(_, state)| !state.holders.is_empty());
        own.truncate(ENTRIES_MAX);
        for (row, state) in own {
            if !row.presence.is_shown() {
                continue;
            }
            if let Some(stored) = store.event(&row.id)? {
                let space = stored.event.space();
                self.entries.entry(row.id).or_insert(Entry {
                    space,
                    row: state,
                    published_ms: None,
                    checks: CHECKS_MS.len(),
                    is_dirty: false,
                });
            }
        }
        Ok(())
    }

    pub(super) fn delivery(&self, id: &EventId) -> Answer {
        let (sent, held_by) =
            self.entries.get(id).map_or((false, 0), |entry| (entry.row.sent, entry.row.holders.len()));
        Answer::Delivery { sent, held_by: u32::try_from(held_by).unwrap_or(u32::MAX) }
    }

    /// Own events of a space, by id, that this peer has not confirmed and that still need it.
    pub(super) fn unconfirmed(&self, space: SpaceId, peer: &Peer, limit: usize) -> Vec<EventId> {
        let needs = |entry: &Entry| {
            entry.space == space
                && entry.row.holders.len() < HOLDERS_MAX
                && !entry.row.holders.iter().any(|holder| holder == peer.as_str())
        };
        self.entries.iter().filter(|(_, entry)| needs(entry)).map(|(id, _)| *id).take(limit).collect()
    }
}

impl Engine {
    /// Publishes an own event that is on disk, in a moment.
    pub(super) fn spread(&mut self, id: EventId, bytes: Vec<u8>, now: Now) {
        let Ok(Some(stored)) = self.store.event(&id) else { return };
        let space = stored.event.space();
        if self.outbox.entries.len() >= ENTRIES_MAX
            && let Some(done) = self.outbox.entries.iter().find(|(_, entry)| !entry.row.holders.is_empty())
        {
            let done = *done.0;
            self.outbox.entries.remove(&done);
        }
        let entry = Entry { space, row: OwnRow::default(), published_ms: None, checks: 0, is_dirty: false };
        self.outbox.entries.insert(id, entry);
        let due_ms = now.steady_ms + self.random.below(DELAY_MS_MAX);
        self.outbox.waiting.insert((due_ms, id), bytes);
        if self.outbox.waiting.len() > WAITING_MAX
            && let Some(((_, id), bytes)) = self.outbox.waiting.pop_first()
        {
            self.publish(id, bytes, now);
        }
    }

    fn publish(&mut self, id: EventId, bytes: Vec<u8>, now: Now) {
        let Some(entry) = self.outbox.entries.get_mut(&id) else { return };
        entry.published_ms = Some(now.steady_ms);
        let space = entry.space;
        let token = self.token();
        self.outbox.publications.insert(token, id);
        let topic = self.topic_of(space);
        self.out.push(Output::Publish { topic, bytes, token });
    }

    /// Publishes what has waited long enough; all of it when the node is about to leave.
    pub(super) fn release(&mut self, is_leaving: bool, now: Now) {
        while let Some(first) = self.outbox.waiting.first_entry()
            && (is_leaving || first.key().0 <= now.steady_ms)
        {
            let ((_, id), bytes) = first.remove_entry();
            self.publish(id, bytes, now);
        }
    }

    pub(super) fn published(&mut self, token: Token, outcome: Publication, now: Now) {
        let Some(id) = self.outbox.publications.remove(&token) else { return };
        match outcome {
            Publication::Sent => {
                if let Some(entry) = self.outbox.entries.get_mut(&id)
                    && !entry.row.sent
                {
                    entry.row.sent = true;
                    entry.is_dirty = true;
                }
                self.count("published");
            }
            // Kept: the next peer that connects is compared with, and gets it.
            Publication::NoPeers => self.sync_all_now(now),
            Publication::Lost => {
                self.count("publications_lost");
                self.sync_all_now(now);
            }
        }
    }

    /// The network forgot what it was given: comparison brings it to others.
    pub(super) fn publications_lost(&mut self, now: Now) {
        let tokens: Vec<Token> = self.outbox.publications.keys().copied().collect();
        tokens.into_iter().for_each(|token| self.published(token, Publication::Lost, now));
    }

    /// A peer said of these events whether it holds them.
    pub(super) fn confirmed(&mut self, peer: &Peer, ids: &[EventId], held: &[bool]) {
        for (id, _) in ids.iter().zip(held).filter(|(_, held)| **held) {
            let Some(entry) = self.outbox.entries.get_mut(id) else { continue };
            let is_new = !entry.row.holders.iter().any(|holder| holder == peer.as_str());
            if is_new && entry.row.holders.len() < HOLDERS_MAX {
                entry.row.holders.push(peer.as_str().to_owned());
                entry.row.sent = true;
                entry.is_dirty = true;
                let held_by = u32::try_from(entry.row.holders.len()).unwrap_or(u32::MAX);
                self.emit(Notice::Delivered { id: *id, held_by });
            }
        }
    }

    pub(super) fn tick_outbox(&mut self, now: Now) {
        self.release(false, now);
        let mut due: BTreeMap<SpaceId, Vec<EventId>> = BTreeMap::new();
        for (id, entry) in &mut self.outbox.entries {
            let Some(published_ms) = entry.published_ms else { continue };
            match CHECKS_MS.get(entry.checks) {
                Some(after) if published_ms + after <= now.steady_ms => {
                    entry.checks += 1;
                    due.entry(entry.space).or_default().push(*id);
                }
                Some(_) => {}
                None => entry.published_ms = None,
            }
        }
        for (space, ids) in due {
            let topic = self.topic_of(space);
            let followers: Vec<Peer> =
                self.peers.names().into_iter().filter(|peer| self.peers.listens(peer, &topic)).collect();
            for peer in followers.into_iter().take(CHECK_PEERS_MAX) {
                let wanted: BTreeSet<EventId> = self.outbox.unconfirmed(space, &peer, usize::MAX).into_iter().collect();
                let ids: Vec<EventId> = ids
                    .iter()
                    .filter(|id| wanted.contains(id))
                    .take(roda_protocol::limits::SYNC_GET_IDS_MAX)
                    .copied()
                    .collect();
                if !ids.is_empty() {
                    self.ask_holds(peer, space, ids);
                }
            }
        }
    }

    /// Writes changed delivery states down, all of a turn in one group.
    pub(super) fn save_deliveries(&mut self) {
        let mut records = Vec::new();
        for (id, entry) in &mut self.outbox.entries {
            if std::mem::take(&mut entry.is_dirty) {
                records.push(LocalRecord::Delivery { id: *id, row: entry.row.clone() });
            }
        }
        if !records.is_empty()
            && let Err(error) = self.store.note(&records)
        {
            let _ = self.failed(&error);
        }
    }
}
