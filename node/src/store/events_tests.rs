use super::super::journal::Position;
use super::super::keys::meta;
use super::super::samples::{Disks, board, charter, dump, event, network, post, post_at};
use super::super::{Batch, FileLog, FoundDamage, Index, MemoryIndex, SpaceRow};
use super::*;
use roda_protocol::event::{Body, Comment, CommentBody, Profile, ProfileBody, Retract, Vote};
use roda_protocol::id::{EventId, KeyCommitment, SpaceId};

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
fn what_was_taken_in_survives_a_crash_from_the_next_flush_on() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (space, arrivals) = board();
    let crashed = |store: EventStore| {
        drop(store);
        disks.journal.crash();
        disks.index.crash();
        disks.open().unwrap().0
    };
    store.take_in(&arrivals[..10]).unwrap();
    store.flush().unwrap();
    store.take_in(&arrivals[10..20]).unwrap();
    let store = crashed(store);
    assert_eq!(store.known().len(space), 10);
    store.take_in(&arrivals[10..20]).unwrap();
    // What is acknowledged takes along what was not.
    store.admit(&arrivals[20..21]).unwrap();
    let store = crashed(store);
    assert_eq!(store.known().len(space), 21);
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
}

#[test]
fn words_leave_the_log_with_their_retraction_and_not_before_it() {
    let charter = charter();
    let space = charter.event.space();
    let post = post(space, 1);
    let id = post.event.id();
    let retraction = event(space, 9000, vec![], Kind::Retract(Retract { targets: vec![id] }), Body::None);
    let has_words = |disks: &Disks| {
        let replay = disks.journal.replay(disks.journal.start(), usize::MAX).unwrap();
        let words = b"secret words";
        replay.records.iter().any(|record| record.payload.windows(words.len()).any(|window| window == words))
    };
    // Crashes: before the flush; after the log was synced; after the whole flush.
    for step in 0..3 {
        let disks = Disks::new();
        let (store, _) = disks.open().unwrap();
        store.admit(&[charter.clone(), post.clone()]).unwrap();
        store.take_in(std::slice::from_ref(&retraction)).unwrap();
        assert!(!store.event(&id).unwrap().unwrap().event.has_body(), "readers are shown none at once");
        match step {
            0 => {}
            1 => disks.journal.sync().unwrap(),
            _ => store.flush().unwrap(),
        }
        drop(store);
        disks.journal.crash();
        disks.index.crash();
        let (store, _) = disks.open().unwrap();
        assert_eq!(store.is_held(&retraction.event.id()).unwrap(), step > 0, "step {step}");
        assert_eq!(store.event(&id).unwrap().unwrap().event.has_body(), step == 0, "step {step}");
        assert_eq!(has_words(&disks), step == 0, "step {step}");
    }
}

#[test]
fn an_index_that_is_ahead_of_the_log_is_a_damaged_one() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    store.take_in(&board().1).unwrap();
    disks.index.flush().unwrap();
    drop(store);
    disks.journal.crash();
    let error = disks.open().expect_err("its events are not in the log");
    assert!(error.is_of_index());
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
fn a_vote_that_is_taken_back_has_no_words_to_drop() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (space, events) = board();
    store.admit(&events).unwrap();
    let vote = events[3].event.id();
    let retract = Kind::Retract(Retract { targets: vec![vote] });
    store.admit(&[event(space, 5000, vec![vote], retract, Body::None)]).unwrap();
    drop(store);
    let (store, _) = disks.open().unwrap();
    assert!(store.is_held(&vote).unwrap());
}

#[test]
fn a_damaged_record_is_lost_and_can_be_stored_anew() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (space, arrivals) = board();
    store.admit(&arrivals).unwrap();
    let id = arrivals[5].event.id();
    disks.journal.damage(Position(store.row(&id).unwrap().unwrap().position));
    assert_eq!(store.find_damage().unwrap(), FoundDamage { places: 1, lacks_rows: false });
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
    batch.put(keys::meta_key(meta::FORMAT), rows::encode(&(INDEX_FORMAT + 1)));
    disks.index.commit(&batch).unwrap();
    assert!(matches!(disks.open(), Err(StoreError::NewerFormat { found }) if found == INDEX_FORMAT + 1));
}

#[test]
fn rows_that_vanished_from_the_index_are_noticed_and_make_it_a_damaged_one() {
    let charter = charter();
    let space = charter.event.space();
    let post = post(space, 1);
    let id = post.event.id();
    let comment = Kind::Comment(Comment { root: id, parent: id });
    let comment = event(space, 2000, vec![id], comment, Body::Comment(CommentBody { text: "answer".into() }));
    let vote = event(space, 3000, vec![id], Kind::Vote(Vote { target: id, value: 1 }), Body::None);
    let profile = ProfileBody { name: "Ana".into(), about: String::new(), links: vec![] };
    let author = SpaceId::of_author(charter.event.header().author);
    let commitments = Profile { next_root: KeyCommitment([0; 32]), revocation: KeyCommitment([0; 32]) };
    let profile = event(author, 4000, vec![], Kind::Profile(commitments), Body::Profile(profile));
    // The last record is read again at each start: its rows come back.
    let all = [charter, post, comment, vote, profile, post_at(space, 5000)];
    for (at, table) in
        [(1, keys::FEEDS), (1, keys::MEMBERS), (2, keys::MEMBERS), (3, keys::ACTIONS), (4, keys::PROFILES)]
    {
        let disks = Disks::new();
        let (store, _) = disks.open().unwrap();
        store.admit(&all).unwrap();
        let number = store.number_of(&all[at].event.id()).unwrap().unwrap();
        let mut batch = Batch::default();
        let scan = |key: &[u8], _: &[u8]| {
            if keys::number_at_end(key) == Some(number) {
                batch.delete(key.to_vec());
            }
            Ok(())
        };
        store.scan_all(keys::table(table), scan).unwrap();
        assert_eq!(batch.len(), 1);
        drop(store);
        disks.index.commit(&batch).unwrap();
        let (store, _) = disks.open().unwrap();
        assert!(!store.has_damaged_index());
        let problems = store.fsck().unwrap().problems;
        assert!(
            problems.iter().any(|problem| problem.contains("lacks rows of events")),
            "table {table}, event {at}: {problems:?}"
        );
        assert_eq!(store.find_damage().unwrap(), FoundDamage { places: 0, lacks_rows: true });
        assert!(store.has_damaged_index());
        store.rebuild(Arc::new(MemoryIndex::new())).unwrap();
        assert!(!store.has_damaged_index());
        assert_eq!(store.find_damage().unwrap(), FoundDamage::default());
        assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
    }
}

#[test]
fn an_index_of_an_older_format_is_told_apart_from_a_damaged_one() {
    let disks = Disks::new();
    drop(disks.open().unwrap());
    let mut batch = Batch::default();
    batch.put(keys::meta_key(meta::FORMAT), rows::encode(&1_u32));
    disks.index.commit(&batch).unwrap();
    let error = disks.open().expect_err("an older index");
    assert!(matches!(error, StoreError::OlderIndex { found: 1 }));
    assert!(!error.is_of_index());
}

#[test]
fn an_event_waits_for_its_words_until_they_come_or_are_taken_back() {
    let mut disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let charter = charter();
    let space = charter.event.space();
    let bare = |post: &Arrival| Arrival { event: post.event.clone().without_body(), ..post.clone() };
    let retract = |created_ms: u64, target: EventId| {
        event(space, created_ms, vec![], Kind::Retract(Retract { targets: vec![target] }), Body::None)
    };
    let posts: Vec<Arrival> = (0..5).map(|number| post(space, number)).collect();
    let ids: Vec<EventId> = posts.iter().map(|post| post.event.id()).collect();
    let waiting = |store: &EventStore| -> Vec<EventId> {
        store.wordless(usize::MAX, |_| true).unwrap().into_iter().map(|(_, id)| id).collect()
    };
    store.admit(&[charter]).unwrap();
    store.admit(&posts[..3].iter().map(bare).collect::<Vec<_>>()).unwrap();
    assert_eq!(waiting(&store), ids[..3]);
    assert_eq!(store.wordless(2, |_| true).unwrap(), [(space, ids[0]), (space, ids[1])]);
    assert_eq!(store.wordless(2, |_| false).unwrap(), []);
    store.admit(&posts[..1]).unwrap();
    store.admit(&[retract(5000, ids[1])]).unwrap();
    assert_eq!(waiting(&store), [ids[2]]);
    // In one batch, in either order; and words that are here and leave with their retraction.
    store.admit(&[retract(5001, ids[3]), bare(&posts[3]), bare(&posts[4]), retract(5002, ids[4])]).unwrap();
    store.admit(&[retract(5003, ids[0])]).unwrap();
    assert_eq!(waiting(&store), [ids[2]]);
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
    let before = dump(&store);
    drop(store);
    disks.index = Arc::new(MemoryIndex::new());
    let (store, _) = disks.open().unwrap();
    assert_eq!(dump(&store), before);
    assert_eq!(waiting(&store), [ids[2]]);
}

#[test]
fn an_event_that_wrongly_waits_for_its_words_is_found() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let charter = charter();
    let space = charter.event.space();
    let (whole, other) = (post(space, 1), post(space, 2));
    let bare = Arrival { event: other.event.without_body(), ..other };
    store.admit(&[charter, whole, bare]).unwrap();
    let (start, end) = keys::wordless_range();
    let rows = disks.index.scan(&start, end.as_deref(), Direction::Ascending, 9).unwrap();
    assert_eq!(rows.len(), 1);
    let mut batch = Batch::new();
    batch.delete(rows[0].0.clone());
    disks.index.commit(&batch).unwrap();
    assert_eq!(store.fsck().unwrap().problems.len(), 1);
    let mut batch = Batch::new();
    batch.put(rows[0].0.clone(), rows[0].1.clone());
    batch.put(keys::wordless_key(1, 1_000_000), vec![7; 32]);
    disks.index.commit(&batch).unwrap();
    assert_eq!(store.fsck().unwrap().problems.len(), 1);
}

/// Flushes while another thread flushes, too.
const FLUSHES: u64 = 200;

#[test]
fn nothing_is_acknowledged_while_somebody_elses_sync_is_under_way() {
    let folder = tempfile::TempDir::new().unwrap();
    let (log, _) = FileLog::open(folder.path()).unwrap();
    let (store, _) = EventStore::open(Arc::new(log), Arc::new(MemoryIndex::new()), network()).unwrap();
    let space = charter().event.space();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                store.flush().unwrap();
            }
        });
        let late = (0..FLUSHES).filter(|number| {
            store.admit(&[post(space, *number)]).unwrap();
            store.durable_position() < store.journal.end().0
        });
        let late = late.count();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(late, 0, "so often an event was acknowledged that was not on disk");
    });
}
