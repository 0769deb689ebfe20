//! Tests of following the log.

use super::super::Retention;
use super::super::samples::{Disks, board, charter, post_at};
use super::*;
use crate::store::MemoryIndex;
use roda_protocol::keys::SecretKey;
use std::sync::Arc;

/// All events from a place on, in pages of about so many bytes.
fn followed(store: &EventStore, mut from: u64, bytes: usize) -> Vec<EventId> {
    let mut ids = Vec::new();
    loop {
        let page = store.follow(from, bytes).unwrap();
        ids.extend(page.events.iter().map(|(_, event)| event.id()));
        if page.next == from {
            return ids;
        }
        from = page.next;
    }
}

#[test]
fn a_follower_sees_what_is_durable_in_the_order_of_arrival_and_each_once() {
    let (store, _) = Disks::new().open().unwrap();
    let (_, all) = board();
    let ids: Vec<EventId> = all.iter().map(|arrival| arrival.event.id()).collect();
    let start = store.start_position();
    store.admit(&all[..9]).unwrap();
    let read_to = store.durable_position();
    store.take_in(&all[9..]).unwrap();
    assert_eq!(followed(&store, start, 1 << 20), ids[..9], "what a power cut may take is not shown");
    store.flush().unwrap();
    for bytes in [1, 1000, 1 << 20] {
        assert_eq!(followed(&store, start, bytes), ids, "{bytes}");
    }
    assert_eq!(followed(&store, read_to, 1 << 20), ids[9..]);
}

#[test]
fn what_the_index_does_not_have_yet_is_not_shown_and_nothing_behind_it() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (_, all) = board();
    store.admit(&all[..5]).unwrap();
    // The log has what its index lacks, as between the two writes of a batch.
    let (behind, _) =
        Disks { journal: Arc::clone(&disks.journal), index: Arc::new(MemoryIndex::new()) }.open().unwrap();
    store.admit(&all[5..]).unwrap();
    behind.durable.store(store.durable_position(), Ordering::Release);
    let ids: Vec<EventId> = all[..5].iter().map(|arrival| arrival.event.id()).collect();
    assert_eq!(followed(&behind, behind.start_position(), 1 << 20), ids);
}

#[test]
fn words_that_are_kept_no_longer_are_told_once() {
    let (store, _) = Disks::new().open().unwrap();
    let founding = charter();
    let space = founding.event.space();
    let posts: Vec<_> = (1..=3).map(|day| post_at(space, day * 1000)).collect();
    store.admit(&[vec![founding], posts.clone()].concat()).unwrap();
    assert_eq!(store.worded().unwrap(), 3);
    assert_eq!(store.take_given_up(), GivenUp::default());
    let me = SecretKey::from_seed(&[9; 32]).public();
    let pruned = store.prune(&Retention { now_ms: 0, me, disk_bytes_max: 0 }).unwrap();
    let told = store.take_given_up();
    assert_eq!((told.ids.len() as u64, told.has_more), (pruned.events, false));
    assert!(told.ids.iter().all(|id| posts.iter().any(|post| post.event.id() == *id)));
    assert_eq!(store.worded().unwrap(), 3 - pruned.events);
    assert_eq!(store.take_given_up(), GivenUp::default());
}

#[test]
fn a_follower_is_told_that_the_index_was_made_anew() {
    let (store, _) = Disks::new().open().unwrap();
    store.admit(&board().1).unwrap();
    let before = store.derivation();
    store.rebuild(Arc::new(MemoryIndex::new())).unwrap();
    assert!(before.is_some() && store.derivation().is_some() && store.derivation() != before);
}
