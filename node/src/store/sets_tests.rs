use super::super::index::{Batch, Direction, Index, IndexError, Row};
use super::super::journal::{Journal, RecordKind};
use super::super::samples::{Disks, board, charter, dump, event, network, post_at};
use super::super::{Arrival, LocalRecord, MemoryIndex, Presence};
use super::*;
use roda_protocol::event::{Body, Kind, Retract};
use roda_protocol::reconcile::{EPOCH_MS, KnownSet};
use std::collections::BTreeMap;

const SALT: [u8; 32] = [7; 32];

/// Compares all that can be asked of the sets with what the rows of events say.
fn check(store: &EventStore) {
    let spaces: BTreeMap<Number, SpaceId> =
        store.space_numbers().unwrap().into_iter().map(|(space, number)| (number, space)).collect();
    let mut sets: BTreeMap<SpaceId, (KnownSet, u64)> = BTreeMap::new();
    store
        .each_row(|row| {
            let set = sets.entry(spaces[&row.space]).or_default();
            assert!(set.0.insert((row.created_ms, row.id)));
            set.1 += u64::from(row.presence == Presence::Declined);
            Ok(())
        })
        .unwrap();
    for (space, (set, declined)) in &sets {
        let ours = store.sets(*space);
        assert_eq!(ours.digest(&SALT).unwrap(), (set.len() as u64, set.digest(&SALT)));
        assert_eq!(store.declined(*space).unwrap(), *declined);
        let mut by_epoch: BTreeMap<Epoch, KnownSet> = BTreeMap::new();
        for key in set.page(None, usize::MAX) {
            assert!(by_epoch.entry(EpochKey::of(&key).0).or_default().insert(key));
            assert!(ours.contains(&key).unwrap());
        }
        let counts: Vec<(Epoch, u64)> = by_epoch.iter().map(|(epoch, set)| (*epoch, set.len() as u64)).collect();
        assert_eq!(ours.epochs(), counts);
        for (epoch, set) in by_epoch {
            assert_eq!(ours.epoch_digest(epoch, &SALT).unwrap(), set.digest(&SALT));
            let members = ours
                .with_epoch(epoch, |epoch_set| {
                    let all = epoch_set.tree().range(&EpochKey::FIRST, &EpochKey::END);
                    all.map(|key| key.at(epoch)).collect::<Vec<SetKey>>()
                })
                .unwrap();
            assert_eq!(members, set.page(None, usize::MAX));
        }
        assert_eq!(store.known().page(*space, None, usize::MAX), set.page(None, usize::MAX));
    }
    assert_eq!(store.known().total(), sets.values().map(|(set, _)| set.len()).sum::<usize>());
    assert_eq!(store.fsck().unwrap().problems, Vec::<String>::new());
}

/// Posts of many times: some epochs have many, most have one.
fn posts(space: SpaceId) -> Vec<Arrival> {
    let crowded = (0..150).map(|number| EPOCH_MS + number / 2);
    let scattered = (0..50).map(|number| (number + 2) * EPOCH_MS);
    let mut times: Vec<u64> = crowded.chain(scattered).collect();
    times.dedup();
    let count = times.len();
    (0..count).map(|at| post_at(space, times[at * 37 % count])).collect()
}

/// An index that is durable after each commit, so that a crash leaves what was written of a group.
struct EachDurable(Arc<MemoryIndex>);

impl Index for EachDurable {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        self.0.get(key)
    }

    fn scan(&self, start: &[u8], end: Option<&[u8]>, way: Direction, limit: usize) -> Result<Vec<Row>, IndexError> {
        self.0.scan(start, end, way, limit)
    }

    fn count(&self, start: &[u8], end: Option<&[u8]>, limit: usize) -> Result<usize, IndexError> {
        self.0.count(start, end, limit)
    }

    fn commit(&self, batch: &Batch) -> Result<(), IndexError> {
        self.0.commit(batch)?;
        self.0.flush()
    }

    fn flush(&self) -> Result<(), IndexError> {
        self.0.flush()
    }

    fn disk_bytes(&self) -> Result<u64, IndexError> {
        self.0.disk_bytes()
    }
}

fn open_each_durable(disks: &Disks) -> EventStore {
    let index = Arc::new(EachDurable(Arc::clone(&disks.index)));
    EventStore::open(Arc::clone(&disks.journal) as _, index, network()).unwrap().0
}

#[test]
fn the_sets_are_those_of_the_events_while_they_grow_and_after_a_restart() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let charter = charter();
    let posts = posts(charter.event.space());
    store.admit(&[charter]).unwrap();
    for group in posts.chunks(30) {
        store.admit(group).unwrap();
        check(&store);
    }
    drop(store);
    let (store, _) = disks.open().unwrap();
    check(&store);
    store.admit(&[post_at(posts[0].event.space(), 3 * EPOCH_MS + 1)]).unwrap();
    check(&store);
}

#[test]
fn whatever_operation_of_the_index_fails_the_sets_are_those_of_the_events_afterwards() {
    let charter = charter();
    let posts = posts(charter.event.space());
    for is_each_durable in [false, true] {
        for nth in 1.. {
            let disks = Disks::new();
            let open = || if is_each_durable { open_each_durable(&disks) } else { disks.open().unwrap().0 };
            let store = open();
            store.admit(std::slice::from_ref(&charter)).unwrap();
            store.admit(&posts[..64]).unwrap();
            disks.index.fail_nth(nth);
            let outcome = store.admit(&posts[64..110]);
            drop(store);
            disks.journal.crash();
            disks.index.crash();
            let store = open();
            check(&store);
            if outcome.is_ok() {
                assert_eq!(store.known().total(), 111);
                assert!(nth > 46, "every event asks something of the index");
                break;
            }
        }
    }
}

#[test]
fn a_group_that_takes_several_batches_is_counted_in_each() {
    let charter = charter();
    let space = charter.event.space();
    let posts: Vec<Arrival> = (0..256).map(|number| post_at(space, number * EPOCH_MS / 2 + 1)).collect();
    let mut targets: Vec<EventId> = posts.iter().map(|post| post.event.id()).collect();
    targets.sort_unstable();
    let retraction = event(space, 9000, vec![], Kind::Retract(Retract { targets }), Body::None);
    for nth in 1.. {
        let disks = Disks::new();
        let store = open_each_durable(&disks);
        // The retraction comes first: its targets are named before they are known.
        store.admit(&[charter.clone(), retraction.clone()]).unwrap();
        disks.index.fail_nth(nth * 40);
        let outcome = store.admit(&posts);
        drop(store);
        disks.journal.crash();
        disks.index.crash();
        check(&open_each_durable(&disks));
        if outcome.is_ok() {
            break;
        }
    }
}

#[test]
fn a_lost_index_gives_the_same_sets_with_declined_and_own_events_at_any_place() {
    let mut disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (space, arrivals) = board();
    store.admit(&arrivals).unwrap();
    // Markers and their events stand at even and odd places, so some are apart when records are read in groups.
    for number in 0..150 {
        let arrival = post_at(space, 5000 + number);
        match number % 3 {
            0 => store.decline(&arrival.event, number).unwrap(),
            1 => store.admit(&[arrival]).unwrap(),
            _ => store.admit(&[Arrival { is_own: false, ..arrival }]).unwrap(),
        }
    }
    check(&store);
    assert_eq!(store.declined(space).unwrap(), 50);
    let before = dump(&store);
    drop(store);
    disks.index = Arc::new(MemoryIndex::new());
    let (store, _) = disks.open().unwrap();
    assert_eq!(dump(&store), before);
    check(&store);
}

#[test]
fn a_declined_event_is_proven_by_its_header_and_seen_by_no_reader() {
    let mut disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let charter = charter();
    let space = charter.event.space();
    let unwanted = post_at(space, 50);
    let id = unwanted.event.id();
    store.admit(&[charter]).unwrap();
    store.decline(&unwanted.event, 60).unwrap();
    for is_lost in [false, true] {
        if is_lost {
            disks.index = Arc::new(MemoryIndex::new());
        }
        let (store, _) = disks.open().unwrap();
        let proof = store.proof(&id).unwrap().unwrap();
        assert_eq!((proof.event.id(), proof.event.has_body(), proof.received_ms), (id, false, 60));
        assert_eq!(store.row(&id).unwrap().unwrap().presence, Presence::Declined);
        assert!(!store.is_held(&id).unwrap());
        assert!(store.event(&id).unwrap().is_none());
        assert_eq!(store.posts(space, None, 9).unwrap(), []);
        assert!(store.thread_items(&id).unwrap().is_empty());
        assert_eq!((store.declined(space).unwrap(), store.known().len(space)), (1, 2));
        let held = store.proof(&EventId(space.0)).unwrap().unwrap();
        assert!(held.event.has_body());
        check(&store);
    }
}

#[test]
fn a_declined_event_stays_declined_when_the_log_is_read_again_from_the_last_mark() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let unwanted = post_at(SpaceId([4; 32]), 50);
    store.decline(&unwanted.event, 60).unwrap();
    store.decline(&unwanted.event, 61).unwrap();
    let end = disks.journal.end();
    drop(store);
    let (store, caught_up) = disks.open().unwrap();
    assert_eq!(caught_up.records, 2);
    assert_eq!(store.row(&unwanted.event.id()).unwrap().unwrap().presence, Presence::Declined);
    assert_eq!(disks.journal.end(), end);
    check(&store);
}

#[test]
fn a_declined_event_of_an_earlier_version_is_known_without_a_proof() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let space = SpaceId([4; 32]);
    let id = EventId([5; 32]);
    store.note(&[LocalRecord::Declined { id, space, created_ms: 9, tag: 2 }]).unwrap();
    assert_eq!(store.declined(space).unwrap(), 1);
    assert!(store.sets(space).contains(&(9, id)).unwrap());
    assert!(store.proof(&id).unwrap().is_none());
    check(&store);
}

#[test]
fn a_damaged_proof_is_lost_and_the_event_can_be_declined_anew() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let space = SpaceId([4; 32]);
    let unwanted = post_at(space, 50);
    let id = unwanted.event.id();
    store.decline(&unwanted.event, 60).unwrap();
    let row = store.row(&id).unwrap().unwrap();
    disks.journal.damage(super::super::Position(row.position));
    assert!(store.proof(&id).unwrap().is_none());
    assert_eq!(store.row(&id).unwrap().unwrap().presence, Presence::Lost);
    assert_eq!((store.declined(space).unwrap(), store.known().len(space)), (0, 1));
    store.decline(&unwanted.event, 70).unwrap();
    assert_eq!(store.declined(space).unwrap(), 1);
    assert!(store.proof(&id).unwrap().is_some());
}

#[test]
fn an_epoch_whose_members_are_not_those_that_were_counted_is_a_damaged_index() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let (space, arrivals) = board();
    store.admit(&arrivals).unwrap();
    drop(store);
    let (start, end) = keys::all_known_range();
    let rows = disks.index.scan(&start, end.as_deref(), Direction::Ascending, 1).unwrap();
    let mut batch = Batch::default();
    batch.delete(rows[0].0.clone());
    disks.index.commit(&batch).unwrap();
    let (store, _) = disks.open().unwrap();
    assert!(matches!(store.sets(space).with_epoch(0, EpochSet::len), Err(StoreError::Row)));
    assert!(!store.has_damaged_index());
    assert_eq!(store.known().page(space, None, 9), []);
    assert!(store.has_damaged_index(), "who pages can't be told, so the node is");
    let problems = store.fsck().unwrap().problems;
    assert!(problems.iter().any(|problem| problem.contains("the list of known events")), "{problems:?}");
    store.rebuild(Arc::new(MemoryIndex::new())).unwrap();
    check(&store);
    assert!(!store.has_damaged_index());
}

#[test]
fn an_epoch_that_is_missing_or_miscounted_is_noticed_at_the_start() {
    let (_, arrivals) = board();
    for is_missing in [true, false] {
        let disks = Disks::new();
        let (store, _) = disks.open().unwrap();
        store.admit(&arrivals).unwrap();
        let (start, end) = keys::epochs_range();
        let rows = disks.index.scan(&start, end.as_deref(), Direction::Ascending, 9).unwrap();
        let mut row: EpochRow = rows::decode(&rows[0].1).unwrap();
        row.count += 1;
        let mut batch = Batch::default();
        match is_missing {
            true => batch.delete(rows[0].0.clone()),
            false => batch.put(rows[0].0.clone(), rows::encode(&row)),
        }
        drop(store);
        disks.index.commit(&batch).unwrap();
        assert!(matches!(disks.open(), Err(StoreError::Row)));
    }
}

#[test]
fn fsck_tells_of_a_digest_that_is_not_that_of_the_events() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    store.admit(&posts(SpaceId([4; 32]))).unwrap();
    let (start, end) = keys::epochs_range();
    let rows = disks.index.scan(&start, end.as_deref(), Direction::Ascending, 99).unwrap();
    let (key, value) = rows.into_iter().max_by_key(|(_, value)| value.len()).unwrap();
    let mut row: EpochRow = rows::decode(&value).unwrap();
    let mut digest = LtHash::from_bytes(&row.digest).unwrap();
    digest.add(&EventId([1; 32]));
    row.digest = digest.to_bytes();
    let mut batch = Batch::default();
    batch.put(key, rows::encode(&row));
    disks.index.commit(&batch).unwrap();
    let problems = store.fsck().unwrap().problems;
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("the digest that is compared with peers"), "{problems:?}");
}

#[test]
fn a_page_and_a_comparison_see_the_members_of_all_epochs() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    let charter = charter();
    let space = charter.event.space();
    store.admit(&[charter]).unwrap();
    store.admit(&posts(space)).unwrap();
    let all = store.known().page(space, None, usize::MAX);
    let mut seen: Vec<SetKey> = Vec::new();
    loop {
        let page = store.known().page(space, seen.last().copied(), 7);
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen, all);
    let stranger = (all[40].0 + 1, EventId([9; 32]));
    let mut theirs: Vec<SetKey> = all[20..60].to_vec();
    theirs.retain(|key| *key != all[30]);
    theirs.push(stranger);
    theirs.sort_unstable();
    let (unknown, only_ours) = store.known().compare(space, Some(all[19]), &theirs, false, 9);
    assert_eq!((unknown, only_ours), (vec![stranger], vec![all[30]]));
    assert_eq!(store.known().compare(space, Some(all[9]), &[], true, usize::MAX).1, all[10..]);
    assert_eq!(store.known().compare(space, Some(all[9]), &[all[3]], false, 9), (vec![], vec![]));
    assert_eq!(store.sets(SpaceId([9; 32])).digest(&SALT).unwrap().0, 0);
}

#[test]
fn the_kind_of_a_record_that_was_declined_is_that_of_an_event() {
    let disks = Disks::new();
    let (store, _) = disks.open().unwrap();
    store.decline(&post_at(SpaceId([4; 32]), 50).event, 60).unwrap();
    let replay = disks.journal.replay(disks.journal.start(), usize::MAX).unwrap();
    let kinds: Vec<RecordKind> = replay.records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [RecordKind::Local, RecordKind::Local, RecordKind::Event]);
}
