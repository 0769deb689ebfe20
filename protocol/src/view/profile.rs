//! An author's profile: the last writer among its profile events.

use super::depth::depths;
use crate::event::{Body, ProfileBody};
use crate::id::EventId;

/// One profile event of one author.
#[derive(Clone, Debug)]
pub struct ProfileItem {
    /// Its id.
    pub id: EventId,
    /// Its refs.
    pub refs: Vec<EventId>,
    /// Its words, if held.
    pub body: Option<Body>,
}

/// The profile in force: the words of the greatest (depth, id) that has readable ones.
#[must_use]
pub fn profile(items: &[ProfileItem]) -> Option<(EventId, ProfileBody)> {
    let depths = depths(&items.iter().map(|item| (item.id, item.refs.as_slice())).collect());
    let readable = items.iter().filter_map(|item| match &item.body {
        Some(Body::Profile(words)) => Some((depths[&item.id], item.id, words)),
        _ => None,
    });
    readable.max_by_key(|(depth, id, _)| (*depth, *id)).map(|(_, id, words)| (id, words.clone()))
}
