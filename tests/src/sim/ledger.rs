//! Every event that anybody in a run ever signed: what is held and not in here is forged.

use roda_protocol::event::Signed;
use roda_protocol::id::{EventId, SpaceId};
use std::collections::BTreeMap;

/// An event that was signed, and what a writer needs to build on it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) bytes: Vec<u8>,
    /// How many of the bytes stand before the words.
    pub(super) header_bytes: usize,
}

/// A post or comment that can be answered, edited or voted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: EventId,
    pub(super) board: SpaceId,
    pub(super) root: EventId,
    pub(super) author: usize,
}

/// An edit or vote, that its author can build on or take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) id: EventId,
    pub(super) board: SpaceId,
    pub(super) target: EventId,
    pub(super) author: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: BTreeMap<EventId, Entry>,
    pub(super) actions: Vec<Action>,
    pub(super) places: Vec<Place>,
}

impl Ledger {
    pub(super) fn add(&mut self, event: &Signed) {
        let entry = Entry { bytes: event.bytes().to_vec(), header_bytes: event.bytes_without_body().len() };
        self.entries.insert(event.id(), entry);
    }

    pub(super) fn get(&self, id: &EventId) -> Option<&Entry> {
        self.entries.get(id)
    }
}
