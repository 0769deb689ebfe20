//! What observers read of a board in a node's store, kept until the store changes: most looks find what the last one found.
//!
//! A store is asked anew as soon as its index has changed in any way. Threads are read again when an event that bears on them
//! came, went, or gained or lost its words; the last look of a run reads everything again.

use super::node::Node;
use roda_node::store::{EventStore, MemoryIndex, Presence, StoreError};
use roda_protocol::event::Kind;
use roda_protocol::id::{EventId, SpaceId};
use roda_protocol::thread;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// Posts of a board that are looked at.
pub(super) const POSTS_MAX: usize = 10_000;

/// Actions on actions that are followed to their thread: a retraction of an edit is the longest chain that counts.
const CHAIN_MAX: usize = 3;

/// See the module.
#[derive(Default)]
pub(super) struct Reading {
    /// The index that was read, and how often it had changed by then.
    read: Option<(Arc<MemoryIndex>, u64)>,
    /// What the store has of the board.
    pub(super) stored: BTreeMap<EventId, Presence>,
    /// Events without words that nobody took back.
    pub(super) missing: BTreeSet<EventId>,
    /// Its posts.
    pub(super) roots: Vec<EventId>,
    /// Threads as they were resolved.
    threads: BTreeMap<EventId, Rc<[u8]>>,
    /// Threads that the oracle saw alike.
    agreed: BTreeSet<EventId>,
}

/// All readings.
#[derive(Default)]
pub(super) struct Readings(BTreeMap<(usize, SpaceId), Reading>);

impl Readings {
    /// Forgets everything: the next look reads every store from the first row to the last.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// What a node's store has of a board now. Of a node that is down, or whose disk fails, nothing.
    pub(super) fn of(&mut self, at: usize, node: &Node, board: SpaceId) -> &mut Reading {
        let reading = self.0.entry((at, board)).or_default();
        let changes = node.index.changes();
        let is_fresh = |(index, then): &(Arc<MemoryIndex>, u64)| Arc::ptr_eq(index, &node.index) && *then == changes;
        match &node.running {
            None => *reading = Reading::default(),
            Some(running) if !reading.read.as_ref().is_some_and(is_fresh) => {
                let is_read = reading.renew(&running.store, board);
                if is_read.is_err() {
                    *reading = Reading::default();
                }
                reading.read = is_read.ok().map(|()| (Arc::clone(&node.index), changes));
            }
            Some(_) => {}
        }
        reading
    }
}

impl Reading {
    fn renew(&mut self, store: &EventStore, board: SpaceId) -> Result<(), StoreError> {
        let stored = stored_ids(store, board)?;
        let mut changed: Vec<EventId> =
            stored.iter().filter(|(id, presence)| self.stored.get(*id) != Some(*presence)).map(|(id, _)| *id).collect();
        changed.extend(self.stored.keys().filter(|id| !stored.contains_key(*id)));
        for id in changed {
            match threads_of(store, &id, CHAIN_MAX)? {
                Some(roots) => roots.iter().for_each(|root| {
                    self.threads.remove(root);
                    self.agreed.remove(root);
                }),
                None => {
                    self.threads.clear();
                    self.agreed.clear();
                }
            }
        }
        self.missing.clear();
        for (id, _) in stored.iter().filter(|(_, presence)| **presence != Presence::Held) {
            if !is_taken_back(store, id) {
                self.missing.insert(*id);
            }
        }
        self.stored = stored;
        self.roots = store.posts(board, None, POSTS_MAX)?.into_iter().map(|(_, row)| row.id).collect();
        Ok(())
    }

    /// A thread as this store's reader sees it; `None` if it can't be read.
    pub(super) fn thread(&mut self, store: &EventStore, root: EventId) -> Option<Rc<[u8]>> {
        if let Some(bytes) = self.threads.get(&root) {
            return Some(Rc::clone(bytes));
        }
        let items = store.thread_items(&root).ok()?;
        let resolved = thread::resolve(root, items.into_iter().map(|(item, _)| item));
        let bytes: Rc<[u8]> = format!("{resolved:?}").into_bytes().into();
        self.threads.insert(root, Rc::clone(&bytes));
        Some(bytes)
    }

    /// The posts whose threads the oracle has not looked at as they are now.
    pub(super) fn unjudged(&self) -> Vec<EventId> {
        self.roots.iter().copied().filter(|root| !self.agreed.contains(root)).collect()
    }

    /// The oracle sees a thread as its reader does.
    pub(super) fn agreed(&mut self, root: EventId) {
        self.agreed.insert(root);
    }
}

/// What a store has of a board.
pub(super) fn stored_ids(store: &EventStore, board: SpaceId) -> Result<BTreeMap<EventId, Presence>, StoreError> {
    let mut ids = BTreeMap::new();
    let Some(number) = store.number_of_space(board)? else { return Ok(ids) };
    store.each_row(|row| {
        if row.space == number {
            ids.insert(row.id, row.presence);
        }
        Ok(())
    })?;
    Ok(ids)
}

/// The posts in whose threads an event has a part; `None` if the store does not say.
fn threads_of(store: &EventStore, id: &EventId, chain: usize) -> Result<Option<Vec<EventId>>, StoreError> {
    let Some(stored) = store.event(id)? else { return Ok(None) };
    let targets: Vec<EventId> = match stored.event.kind() {
        Kind::Post(_) => return Ok(Some(vec![*id])),
        Kind::Comment(comment) => return Ok(Some(vec![comment.root])),
        Kind::Edit(edit) => vec![edit.target],
        Kind::Vote(vote) => vec![vote.target],
        Kind::Retract(retract) => retract.targets.clone(),
        _ => Vec::new(),
    };
    let mut roots = Vec::new();
    for target in targets.iter().filter(|_| chain > 0) {
        // An action on what is not here is part of no thread. It becomes one when its target comes.
        if store.row(target)?.is_some() {
            match threads_of(store, target, chain - 1)? {
                Some(of_target) => roots.extend(of_target),
                None => return Ok(None),
            }
        }
    }
    Ok(Some(roots))
}

fn is_taken_back(store: &EventStore, id: &EventId) -> bool {
    let Ok(Some(stored)) = store.event(id) else { return false };
    matches!(store.is_taken_back(id, &stored.event.header().author), Ok(true))
}
