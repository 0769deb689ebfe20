//! Events that others name and that are not here: asked from peers, bounded, a few times.

use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::time::Now;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::peer::Peer;

/// Wanted events at most. A comment whose parent falls off the list is still shown below a hole, and comparison of sets
/// finds the parent.
const WANTS_MAX: usize = 2000;

/// Peers that are asked for one event before the list gives up; comparison of sets goes on.
const TRIES_MAX: u32 = 4;

/// Gossip may bring the parent in a moment: it is asked for only after this.
const PATIENCE_MS: u64 = 300;

/// After this an event leaves the list whoever was asked: invented parents must not keep real ones out. A reader who meets
/// the hole puts it on the list again.
const LIFE_MS: u64 = 120_000;

/// Until the next peer is asked.
const RETRY_MS: u64 = 5000;

#[derive(Debug)]
struct Want {
    space: SpaceId,
    since_ms: Option<u64>,
    due_ms: Option<u64>,
    /// Who named it: asked first.
    sender: Option<Peer>,
    asked: BTreeSet<Peer>,
}

/// The list.
#[derive(Debug, Default)]
pub(super) struct Wants {
    wants: BTreeMap<EventId, Want>,
    /// Spaces of which something else is on the list now.
    changed: BTreeSet<SpaceId>,
}

impl Wants {
    /// Puts an event on the list, if there is room. `sender` named it, and is asked first.
    pub(super) fn add(&mut self, space: SpaceId, id: EventId, sender: Option<Peer>) {
        if self.wants.len() < WANTS_MAX {
            let Entry::Vacant(place) = self.wants.entry(id) else { return };
            place.insert(Want { space, since_ms: None, due_ms: None, sender, asked: BTreeSet::new() });
            self.changed.insert(space);
        }
    }

    /// Takes off what has been on the list too long.
    pub(super) fn expire(&mut self, now: Now) {
        self.retain(|want| *want.since_ms.get_or_insert(now.steady_ms) + LIFE_MS > now.steady_ms);
    }

    /// Takes it off: it is here.
    pub(super) fn found(&mut self, id: &EventId) {
        if let Some(want) = self.wants.remove(id) {
            self.changed.insert(want.space);
        }
    }

    fn retain(&mut self, mut is_kept: impl FnMut(&mut Want) -> bool) {
        self.wants.retain(|_, want| {
            let is_kept = is_kept(want);
            if !is_kept {
                self.changed.insert(want.space);
            }
            is_kept
        });
    }

    /// The spaces of which something else is on the list than when this was asked last.
    pub(super) fn take_changed(&mut self) -> BTreeSet<SpaceId> {
        std::mem::take(&mut self.changed)
    }

    /// What to ask `peer` for now, all of one space, at most `limit`. `follows` says which spaces the peer follows, and
    /// `is_here` which peers are connected: an event is asked from who named it before all others.
    pub(super) fn ask(
        &mut self,
        peer: &Peer,
        now: Now,
        limit: usize,
        follows: impl Fn(&SpaceId) -> bool,
        is_here: impl Fn(&Peer) -> bool,
    ) -> Option<(SpaceId, Vec<EventId>)> {
        let mut space = None;
        let mut ids = Vec::new();
        for (id, want) in &mut self.wants {
            let due_ms = *want.due_ms.get_or_insert(now.steady_ms + PATIENCE_MS);
            let fits = space.is_none_or(|space| space == want.space);
            // Most are not due or were asked already; whether a peer follows a space takes a hash to tell.
            if ids.len() >= limit || due_ms > now.steady_ms || !fits || want.asked.contains(peer) {
                continue;
            }
            let sender = want.sender.as_ref().filter(|sender| !want.asked.contains(*sender) && is_here(sender));
            let is_turn = sender.is_none_or(|sender| sender == peer);
            if is_turn && follows(&want.space) {
                space = Some(want.space);
                want.asked.insert(peer.clone());
                want.due_ms = Some(now.steady_ms + RETRY_MS);
                ids.push(*id);
            }
        }
        self.retain(|want| want.asked.len() < TRIES_MAX as usize || want.due_ms > Some(now.steady_ms));
        space.map(|space| (space, ids))
    }

    /// What of a space is on the list, at most `limit`.
    pub(super) fn of(&self, space: SpaceId, limit: usize) -> Vec<EventId> {
        self.wants.iter().filter(|(_, want)| want.space == space).map(|(id, _)| *id).take(limit).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wants.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.wants.len()
    }
}
