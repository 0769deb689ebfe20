use super::super::{MemoryIndex, MemoryJournal, SpaceRow};
use super::*;
use roda_protocol::event::{
    Author, Body, Charter, CharterBody, Comment, CommentBody, Draft, Post, PostBody, Retract, Vote,
};
use roda_protocol::id::EventId;
use roda_protocol::keys::SecretKey;
use roda_protocol::validate::{self, SpaceRules};

const NO_WORK: SpaceRules = SpaceRules { work_bits: 0, ..SpaceRules::OPEN };

fn network() -> NetworkId {
    NetworkId::of("store-tests")
}

fn event(space: SpaceId, created_ms: u64, refs: Vec<EventId>, kind: Kind, body: Body) -> Arrival {
    let draft = Draft { space, created_ms, refs, kind, body, salt: [3; 16] };
    let signed = draft.sign(&Author::Root(&SecretKey::from_seed(&[1; 32])), &network(), 0).unwrap();
    let event = validate::validate(signed, &NO_WORK).unwrap();
    Arrival { event, received_ms: created_ms, is_own: true }
}

fn charter() -> Arrival {
    let me = SecretKey::from_seed(&[1; 32]).public();
    let charter = Charter { work_bits: 0, ..Charter::new("store".into(), me) };
    let words = CharterBody { title: "Store".into(), description: String::new(), rules: vec![] };
    event(SpaceId::ZERO, 1, vec![], Kind::Charter(charter), Body::Charter(words))
}

fn post(board: SpaceId, number: u64) -> Arrival {
    let words = PostBody { title: format!("post {number}"), text: "secret words".into(), link: None };
    event(board, 1000 + number, vec![], Kind::Post(Post::default()), Body::Post(words))
}

/// A small board: a charter, posts, comments, votes and a retraction.
fn board() -> (SpaceId, Vec<Arrival>) {
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

struct Disks {
    journal: Arc<MemoryJournal>,
    index: Arc<MemoryIndex>,
}

impl Disks {
    fn new() -> Self {
        Self { journal: Arc::new(MemoryJournal::new()), index: Arc::new(MemoryIndex::new()) }
    }

    fn open(&self) -> Result<(EventStore, CatchUp), StoreError> {
        EventStore::open(Arc::clone(&self.journal) as _, Arc::clone(&self.index) as _, network())
    }
}

fn dump(store: &EventStore) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    store
        .scan_all((vec![0], None), |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            Ok(())
        })
        .unwrap();
    rows
}

#[test]
fn a_lost_index_is_derived_from_the_log_row_by_row() {
    let mut disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (space, arrivals) = board();
    store.note(&[LocalRecord::Space { space, row: SpaceRow { followed: true, open_name: None } }]).unwrap();
    for arrival in &arrivals {
        store.admit(std::slice::from_ref(arrival)).unwrap();
    }
    let before = dump(&store);
    drop(store);
    disks.index = Arc::new(MemoryIndex::new());
    let (store, caught_up) = disks.open().unwrap();
    assert!(store.had_no_index());
    assert!(caught_up.records as usize > arrivals.len());
    assert_eq!(dump(&store), before);
    assert_eq!(store.known().len(space), arrivals.len());
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
}

#[test]
fn what_was_admitted_survives_a_crash_of_log_and_index() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (space, arrivals) = board();
    store.admit(&arrivals).unwrap();
    drop(store);
    disks.journal.crash();
    disks.index.crash();
    let (store, _) = disks.open().unwrap();
    assert_eq!(store.known().len(space), arrivals.len());
    assert!(arrivals.iter().all(|arrival| store.is_held(&arrival.event.id()).unwrap()));
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
}

#[test]
fn an_index_that_failed_half_way_is_made_good_at_the_next_start() {
    let (space, arrivals) = board();
    for nth in 1..8 {
        let disks = Disks::new();
        let (store, _) = disks.open().unwrap();
        store.admit(&arrivals[..10]).unwrap();
        disks.index.fail_nth(nth);
        let outcome = store.admit(&arrivals[10..]);
        drop(store);
        disks.journal.crash();
        disks.index.crash();
        let (store, _) = disks.open().unwrap();
        if outcome.is_ok() {
            assert_eq!(store.known().len(space), arrivals.len());
        }
        assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new(), "failure {nth}");
    }
}

#[test]
fn a_retraction_of_many_takes_more_rows_than_one_batch_has() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let charter = charter();
    let space = charter.event.space();
    let posts: Vec<Arrival> = (0..256).map(|number| post(space, number)).collect();
    store.admit(&[charter]).unwrap();
    store.admit(&posts).unwrap();
    let mut targets: Vec<EventId> = posts.iter().map(|post| post.event.id()).collect();
    targets.sort_unstable();
    store.admit(&[event(space, 9000, vec![], Kind::Retract(Retract { targets }), Body::None)]).unwrap();
    assert!(posts.iter().all(|post| !store.event(&post.event.id()).unwrap().unwrap().event.has_body()));
    let replay = store.journal.replay(store.journal.start(), usize::MAX).unwrap();
    let words = b"secret words";
    assert!(!replay.records.iter().any(|record| record.payload.windows(words.len()).any(|window| window == words)));
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_damaged_record_is_lost_and_can_be_stored_anew() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (space, arrivals) = board();
    store.admit(&arrivals).unwrap();
    let id = arrivals[5].event.id();
    disks.journal.damage(Position(store.row(&id).unwrap().unwrap().position));
    assert_eq!(store.find_damage().unwrap(), 1);
    assert!(store.take_found_lost());
    assert_eq!(store.lost().unwrap(), [(space, id)]);
    assert!(store.event(&id).unwrap().is_none());
    store.admit(&arrivals[5..6]).unwrap();
    assert!(store.is_held(&id).unwrap());
    assert_eq!(store.known().len(space), arrivals.len());
}

#[test]
fn another_network_and_a_newer_format_are_refused() {
    let disks = Disks::new();
    drop(disks.open().unwrap());
    let other = EventStore::open(
        Arc::clone(&disks.journal) as _,
        Arc::clone(&disks.index) as _,
        NetworkId::of("another network"),
    );
    assert!(matches!(other, Err(StoreError::OtherNetwork)));
    // Also when the index, which knows it, is gone.
    let other =
        EventStore::open(Arc::clone(&disks.journal) as _, Arc::new(MemoryIndex::new()), NetworkId::of("another"));
    assert!(matches!(other, Err(StoreError::OtherNetwork)));
    let mut batch = Batch::default();
    batch.put(keys::meta_key(meta::FORMAT), rows::encode(&(FORMAT + 1)));
    disks.index.commit(&batch).unwrap();
    assert!(matches!(disks.open(), Err(StoreError::NewerFormat { found }) if found == FORMAT + 1));
}

#[test]
fn rows_that_vanished_from_the_index_are_noticed() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (_, arrivals) = board();
    store.admit(&arrivals).unwrap();
    let number = store.number_of(&arrivals[7].event.id()).unwrap().unwrap();
    drop(store);
    let mut batch = Batch::default();
    batch.delete(keys::event_key(number));
    disks.index.commit(&batch).unwrap();
    assert!(matches!(disks.open(), Err(StoreError::Row)));
}
