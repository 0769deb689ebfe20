//! Events and disks for the tests of the store.

use super::{Arrival, CatchUp, EventStore, MemoryIndex, MemoryJournal, StoreError};
use roda_protocol::event::{
    Author, Body, Charter, CharterBody, Comment, CommentBody, Draft, Kind, Post, PostBody, Retract, Vote,
};
use roda_protocol::id::{EventId, NetworkId, SpaceId};
use roda_protocol::keys::SecretKey;
use roda_protocol::validate::{self, SpaceRules};
use std::sync::Arc;

const NO_WORK: SpaceRules = SpaceRules { work_bits: 0, ..SpaceRules::OPEN };

pub(super) fn network() -> NetworkId {
    NetworkId::of("store-tests")
}

pub(super) fn event(space: SpaceId, created_ms: u64, refs: Vec<EventId>, kind: Kind, body: Body) -> Arrival {
    let draft = Draft { space, created_ms, refs, kind, body, salt: [3; 16] };
    let signed = draft.sign(&Author::Root(&SecretKey::from_seed(&[1; 32])), &network(), 0).unwrap();
    let event = validate::validate(signed, &NO_WORK).unwrap();
    Arrival { event, received_ms: created_ms, is_own: true }
}

pub(super) fn charter() -> Arrival {
    let me = SecretKey::from_seed(&[1; 32]).public();
    let charter = Charter { work_bits: 0, ..Charter::new("store".into(), me) };
    let words = CharterBody { title: "Store".into(), description: String::new(), rules: vec![] };
    event(SpaceId::ZERO, 1, vec![], Kind::Charter(charter), Body::Charter(words))
}

pub(super) fn post(board: SpaceId, number: u64) -> Arrival {
    let words = PostBody { title: format!("post {number}"), text: "secret words".into(), link: None };
    event(board, 1000 + number, vec![], Kind::Post(Post::default()), Body::Post(words))
}

/// A post of any time.
pub(super) fn post_at(board: SpaceId, created_ms: u64) -> Arrival {
    let words = PostBody { title: format!("at {created_ms}"), text: "words".into(), link: None };
    event(board, created_ms, vec![], Kind::Post(Post::default()), Body::Post(words))
}

/// A small board: a charter, posts, comments, votes and a retraction.
pub(super) fn board() -> (SpaceId, Vec<Arrival>) {
    let charter = charter();
    let space = charter.event.space();
    let mut all = vec![charter];
    for number in 0..20 {
        let post = post(space, number);
        let root = post.event.id();
        let comment = Kind::Comment(Comment { root, parent: root });
        let words = Body::Comment(CommentBody { text: "answer".into() });
        all.push(post);
        all.push(event(space, 2000 + number, vec![root], comment, words));
        all.push(event(space, 3000 + number, vec![root], Kind::Vote(Vote { target: root, value: 1 }), Body::None));
    }
    let target = all[1].event.id();
    all.push(event(space, 4000, vec![target], Kind::Retract(Retract { targets: vec![target] }), Body::None));
    (space, all)
}

pub(super) struct Disks {
    pub(super) journal: Arc<MemoryJournal>,
    pub(super) index: Arc<MemoryIndex>,
}

impl Disks {
    pub(super) fn new() -> Self {
        Self { journal: Arc::new(MemoryJournal::new()), index: Arc::new(MemoryIndex::new()) }
    }

    pub(super) fn open(&self) -> Result<(EventStore, CatchUp), StoreError> {
        EventStore::open(Arc::clone(&self.journal) as _, Arc::clone(&self.index) as _, network())
    }
}

/// Every entry and row of the index.
pub(super) fn dump(store: &EventStore) -> Vec<(Vec<u8>, Vec<u8>)> {
    let entries = store.index().entries(0, usize::MAX).unwrap();
    let mut rows: Vec<(Vec<u8>, Vec<u8>)> = entries
        .into_iter()
        .map(|entry| (entry.name.to_vec(), entry.value.map_or(vec![], |value| value.to_vec())))
        .collect();
    store
        .scan_all((vec![0], None), |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            Ok(())
        })
        .unwrap();
    rows
}
