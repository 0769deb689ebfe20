//! Events for the tests of calls, and stores that have them. Who reads there is [`ME`].

use crate::store::{Arrival, EventStore, MemoryIndex, MemoryJournal};
use roda_protocol::event::{Author, Body, Comment, CommentBody, Draft, Edit, EditBody, Kind, Post, PostBody};
use roda_protocol::id::{AuthorKey, NetworkId, SpaceId};
use roda_protocol::keys::SecretKey;
use roda_protocol::validate::{self, SpaceRules};
use std::sync::Arc;

pub(super) const ME: u8 = 1;

const NO_WORK: SpaceRules = SpaceRules { work_bits: 0, ..SpaceRules::OPEN };

pub(super) fn author(number: u8) -> AuthorKey {
    SecretKey::from_seed(&[number; 32]).public()
}

pub(super) fn board() -> SpaceId {
    SpaceId::of_open_board("calls")
}

/// An empty store.
pub(super) fn store() -> EventStore {
    let (journal, index) = (Arc::new(MemoryJournal::new()), Arc::new(MemoryIndex::new()));
    EventStore::open_for(author(ME), journal, index, NetworkId::of("calls")).unwrap().0
}

fn event(by: u8, created_ms: u64, kind: Kind, body: Body) -> Arrival {
    let draft = Draft { space: board(), created_ms, refs: vec![], kind, body, salt: [3; 16] };
    let signed = draft.sign(&Author::Root(&SecretKey::from_seed(&[by; 32])), &NetworkId::of("calls"), 0).unwrap();
    let event = validate::validate(signed, &NO_WORK).unwrap();
    Arrival { event, received_ms: created_ms, is_own: by == ME }
}

pub(super) fn post(by: u8, created_ms: u64, text: &str) -> Arrival {
    let words = PostBody { title: format!("of {by} at {created_ms}"), text: text.into(), link: None };
    event(by, created_ms, Kind::Post(Post::default()), Body::Post(words))
}

/// An answer to a post.
pub(super) fn comment(by: u8, created_ms: u64, post: &Arrival, text: &str) -> Arrival {
    let (root, parent) = (post.event.id(), post.event.id());
    event(by, created_ms, Kind::Comment(Comment { root, parent }), Body::Comment(CommentBody { text: text.into() }))
}

pub(super) fn edit(by: u8, created_ms: u64, target: &Arrival, text: &str) -> Arrival {
    let words = EditBody { title: None, text: text.into(), link: None };
    event(by, created_ms, Kind::Edit(Edit { target: target.event.id() }), Body::Edit(words))
}
