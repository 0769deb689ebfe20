use super::super::disk::Disk;
use super::super::rows::{Keep, Listing};
use super::super::samples::{charter, dump, event, network};
use super::super::{Arrival, FileLog, MemoryIndex, Retention};
use super::*;
use roda_protocol::event::{Body, Kind, Post, PostBody, Retract};
use roda_protocol::id::{AuthorKey, SpaceId};
use std::path::Path;
use std::sync::Arc;

/// Bytes of a segment: some twenty posts.
const SEGMENT: u32 = 16 << 10;

const DAY: u64 = 24 * 60 * 60 * 1000;

fn open(folder: &Path, index: &Arc<MemoryIndex>) -> EventStore {
    let (log, _) = FileLog::open_with(folder, SEGMENT, Disk::default()).unwrap();
    EventStore::open(Arc::new(log), Arc::clone(index) as _, network()).unwrap().0
}

/// A store with a post a day by somebody, whose words are kept for ten days of two hundred.
fn pruned(folder: &Path, index: &Arc<MemoryIndex>) -> (EventStore, SpaceId, Vec<Arrival>) {
    let store = open(folder, index);
    let founding = charter();
    let space = founding.event.space();
    let mut all = vec![founding];
    all.extend((1..=200).map(|day| {
        let words = PostBody { title: format!("day {day}"), text: "words ".repeat(100), link: None };
        event(space, day * DAY, vec![], Kind::Post(Post::default()), Body::Post(words))
    }));
    for arrival in &mut all {
        arrival.is_own = false;
    }
    for arrival in &all {
        store.take_in(std::slice::from_ref(arrival)).unwrap();
    }
    store.note(&[LocalRecord::Keep { space, keep: Keep::Days(10) }]).unwrap();
    prune_all(&store);
    (store, space, all)
}

fn prune_all(store: &EventStore) {
    let by = Retention { now_ms: 200 * DAY, me: AuthorKey([7; 32]), disk_bytes_max: u64::MAX };
    while store.prune(&by).unwrap().events > 0 {}
}

fn compact_all(store: &EventStore) -> Vec<Compacted> {
    std::iter::from_fn(|| store.compact().unwrap()).collect()
}

#[test]
fn the_room_of_pruned_words_is_given_back_and_every_event_is_as_before() {
    let (folder, index) = (tempfile::TempDir::new().unwrap(), Arc::new(MemoryIndex::new()));
    let (store, space, all) = pruned(folder.path(), &index);
    let before = (store.journal.bytes(), dump(&store), store.sets(space).digest(&[1; 32]).unwrap());
    let compacted = compact_all(&store);
    assert!(compacted.len() > 2 && compacted.iter().all(|one| one.bytes < one.bytes_before), "{compacted:?}");
    let bytes = store.journal.bytes();
    let own: u64 = all.iter().map(|arrival| arrival.event.bytes_without_body().len() as u64).sum();
    assert!(bytes < before.0 && bytes < own * 2, "{bytes} of {}, and headers have {own}", before.0);
    let after = |store: &EventStore| (dump(store), store.sets(space).digest(&[1; 32]).unwrap());
    assert_eq!(after(&store), (before.1.clone(), before.2));
    for arrival in &all {
        let stored = store.event(&arrival.event.id()).unwrap().unwrap();
        assert_eq!(stored.received_ms, arrival.received_ms);
        assert_eq!(stored.event.bytes_without_body(), arrival.event.bytes_without_body());
    }
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
    assert_eq!(compact_all(&store), [], "there is no more to gain");
    drop(store);
    let store = open(folder.path(), &index);
    assert_eq!(after(&store), (before.1.clone(), before.2));
    drop(store);
    // A lost index is made from what is left, and says the same but for the numbers that it gives.
    let store = open(folder.path(), &Arc::new(MemoryIndex::new()));
    assert_eq!(store.sets(space).digest(&[1; 32]).unwrap(), before.2);
    assert!((150..=189).contains(&store.declined(space).unwrap()), "what was not written anew has its words again");
    prune_all(&store);
    assert_eq!(store.declined(space).unwrap(), 189);
    assert_eq!(store.keep(space).unwrap(), Keep::Days(10));
    assert!(all.iter().all(|arrival| !store.wants_words(&arrival.event.id()).unwrap()));
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
}

#[test]
fn words_can_be_taken_back_after_their_segment_was_written_anew() {
    let (folder, index) = (tempfile::TempDir::new().unwrap(), Arc::new(MemoryIndex::new()));
    let (store, space, all) = pruned(folder.path(), &index);
    assert!(!compact_all(&store).is_empty());
    for target in [&all[5], &all[195]] {
        let kind = Kind::Retract(Retract { targets: vec![target.event.id()] });
        store.admit(&[event(space, 300 * DAY, vec![], kind, Body::None)]).unwrap();
        assert!(!store.event(&target.event.id()).unwrap().unwrap().event.has_body());
    }
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
}

#[test]
fn records_of_this_node_that_later_ones_replace_go() {
    let (folder, index) = (tempfile::TempDir::new().unwrap(), Arc::new(MemoryIndex::new()));
    let store = open(folder.path(), &index);
    let founding = charter();
    let root = founding.event.id();
    store.take_in(&[founding]).unwrap();
    for position in 0..2000 {
        store.note(&[LocalRecord::Read { root, position }]).unwrap();
    }
    assert!(!compact_all(&store).is_empty());
    assert!(store.journal.bytes() < u64::from(2 * SEGMENT));
    drop(store);
    let store = open(folder.path(), &Arc::new(MemoryIndex::new()));
    assert_eq!(store.read_mark(&root).unwrap(), 1999);
}

#[test]
fn a_cut_at_any_step_leaves_one_of_both_segments() {
    let (folder, index) = (tempfile::TempDir::new().unwrap(), Arc::new(MemoryIndex::new()));
    let (store, space, all) = pruned(folder.path(), &index);
    let digest = store.sets(space).digest(&[1; 32]).unwrap();
    store.flush().unwrap();
    let first = folder.path().join("00000001.log");
    let whole = std::fs::read(&first).unwrap();
    assert!(!compact_all(&store).is_empty());
    let packed = std::fs::read(&first).unwrap();
    drop(store);
    // Cut before the new one took the name: the old one is there, beside any part of the new one.
    for part in [0, 10, packed.len() / 2, packed.len()] {
        std::fs::write(&first, &whole).unwrap();
        std::fs::write(first.with_extension("new"), &packed[..part]).unwrap();
        let store = open(folder.path(), &index);
        assert!(!first.with_extension("new").exists());
        assert_eq!(store.sets(space).digest(&[1; 32]).unwrap(), digest);
        assert!(all.iter().all(|arrival| store.event(&arrival.event.id()).unwrap().is_some()));
        assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
    }
}

#[test]
fn damage_in_a_packed_segment_costs_its_record_alone() {
    let (folder, index) = (tempfile::TempDir::new().unwrap(), Arc::new(MemoryIndex::new()));
    let (store, _, all) = pruned(folder.path(), &index);
    assert!(!compact_all(&store).is_empty());
    drop(store);
    let first = folder.path().join("00000001.log");
    let packed = std::fs::read(&first).unwrap();
    for at in (20..packed.len()).step_by(997) {
        let mut damaged = packed.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&first, damaged).unwrap();
        let index = Arc::new(MemoryIndex::new());
        let store = open(folder.path(), &index);
        let here = all.iter().filter(|arrival| store.event(&arrival.event.id()).unwrap().is_some()).count();
        // A damaged charter makes nothing else unreadable here; a damaged local record costs no event.
        assert!(here >= all.len() - 1, "byte {at}: {here} of {}", all.len());
        let found = store.find_damage().unwrap();
        assert_eq!(found.places, 1, "byte {at}");
    }
}

#[test]
fn what_the_index_has_no_row_of_was_not_replaced() {
    let (folder, index) = (tempfile::TempDir::new().unwrap(), Arc::new(MemoryIndex::new()));
    let store = open(folder.path(), &index);
    let (space, root) = (SpaceId([4; 32]), EventId([5; 32]));
    let said = |position, days, listing| {
        [
            LocalRecord::Read { root, position },
            LocalRecord::Keep { space, keep: Keep::Days(days) },
            LocalRecord::Listing { space, listing },
        ]
    };
    let first = said(7, 3, Listing::On);
    let replaced = |store: &EventStore| first.iter().filter(|record| store.is_replaced(record).unwrap()).count();
    assert_eq!(replaced(&store), 0, "the index has none of them");
    store.note(&first).unwrap();
    assert_eq!(replaced(&store), 0, "they are what it has");
    store.note(&said(8, 4, Listing::Found)).unwrap();
    assert_eq!(replaced(&store), first.len(), "it has later ones");
}
